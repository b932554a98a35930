//! Whoever races, the counters, the keys and the journal hold.

use std::collections::BTreeSet;

use bellhop_domain::{
    act::{Firmed, Opened},
    key::Purpose,
};
use bellhop_store::{Attempt, Store, testing::TestDb};
use serde_json::json;
use tokio::task::JoinSet;

use crate::fixture::*;

/// Runs all at once, retrying what fails for a passing reason, as every caller does.
pub(crate) async fn all<T, F>(store: &Store, count: u32, act: impl Fn(Store, u32) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        tasks.spawn(act(store.clone(), number));
    }
    tasks.join_all().await
}

/// Retries `$act` for as long as it fails for a passing reason.
macro_rules! retried {
    ($act:expr) => {
        loop {
            match $act.await {
                Err(error) if error.is_transient() => tokio::task::yield_now().await,
                done => break done.unwrap(),
            }
        }
    };
}
pub(crate) use retried;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_bookings_at_once_exactly_as_many_are_held_as_there_are_places() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 12)).await;
        put(&db.store, taxis("two", "com_b", 9_900, 8)).await;
        let opened = all(&db.store, 200, |store, number| async move {
            let booking = Booking::new(&number.to_string());
            retried!(store.open_booking(&booking.open(), at(1)))
        })
        .await;
        let held = opened.iter().filter(|it| matches!(it, Opened::Ready { .. })).count();
        let sold_out = opened
            .iter()
            .filter(|it| matches!(it, Opened::Refused { code, .. } if code == "sold_out"));
        assert_eq!((held, sold_out.count()), (20, 180));
        assert_eq!(used(&db.store, "one").await, (12, 0));
        assert_eq!(used(&db.store, "two").await, (8, 0));
        assert_eq!(db.store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_opening_many_times_at_once_is_one_booking_with_one_answer() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 9)).await;
        let opened = all(&db.store, 30, |store, _| async move {
            retried!(store.open_booking(&Booking::new("1").open(), at(1)))
        })
        .await;
        assert!(matches!(opened[0], Opened::Ready { .. }));
        assert!(opened.iter().all(|it| *it == opened[0]));
        assert_eq!(used(&db.store, "one").await, (1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_first_runs_one_opens_and_the_others_are_foreign() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 9)).await;
        let opened = all(&db.store, 10, |store, number| async move {
            let mut open = Booking::new("1").open();
            open.first_run_id = format!("run_{number}");
            retried!(store.open_booking(&open, at(1)))
        })
        .await;
        let foreign = opened.iter().filter(|it| **it == Opened::Foreign).count();
        assert_eq!(foreign, 9);
        assert_eq!(used(&db.store, "one").await, (1, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_and_an_expiry_at_once_leave_each_hold_firm_and_counted_once() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 20)).await;
        for round in 0..20 {
            Booking::new(&round.to_string()).opened(store).await;
        }
        let firm = all(store, 40, |store, number| async move {
            let booking = Booking::new(&(number / 2).to_string());
            if number % 2 == 0 {
                let firm = retried!(store.firm_hold(&booking.firm(), at(900)));
                return matches!(firm, Firmed::Firm { .. });
            }
            _ = retried!(store.expire_hold(&booking.expire(1), at(900)));
            false
        })
        .await;
        assert_eq!(firm.into_iter().filter(|it| *it).count(), 20);
        // A payment after the expiry takes the place again, so all end up firm.
        assert_eq!(used(store, "one").await, (20, 0));
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undoing_while_it_is_opened_leaves_nothing_held() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 100)).await;
        all(store, 80, |store, number| async move {
            let booking = Booking::new(&(number / 2).to_string());
            if number % 2 == 0 {
                _ = retried!(store.open_booking(&booking.open(), at(1)));
            } else {
                _ = retried!(store.release_booking(&booking.release(), at(1)));
            }
        })
        .await;
        assert_eq!(used(store, "one").await, (0, 0));
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_arrive_at_once_are_numbered_without_gaps_and_stored_once() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        all(store, 40, |store, number| {
            let booking = booking.clone();
            async move {
                // Each event is sent by two, with a neighbour.
                let events = [fact(number / 2 + 1), fact(number / 2 + 2)];
                retried!(store.append_events(&booking.append(&events), at(2)));
            }
        })
        .await;
        let timeline = store.timeline(&booking.id).await.unwrap();
        let numbers: Vec<i64> = timeline.iter().map(|it| it.seq).collect();
        assert_eq!(numbers, (1..=23).collect::<Vec<_>>(), "2 of the opening and 21 facts");
        let keys: BTreeSet<_> = timeline.iter().map(|it| &it.event.key).collect();
        assert_eq!(keys.len(), 23);
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_of_many_may_send() {
    on_both(async |db| {
        let attempts = all(&db.store, 30, |store, _| async move {
            let booking = Booking::new("1");
            let key = booking.key(Purpose::Fare, 1);
            retried!(store.begin_attempt(&key, &booking.id, "authorize", &json!({}), at(1)))
        })
        .await;
        let new = attempts.iter().filter(|it| **it == Attempt::New).count();
        let mut asked: Vec<i64> = attempts
            .iter()
            .filter_map(|it| match it {
                Attempt::Sent { asked, .. } => Some(*asked),
                _ => None,
            })
            .collect();
        asked.sort_unstable();
        assert_eq!((new, asked), (1, (1..=29).collect()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_while_it_begins_is_sent_or_closed_for_all() {
    on_both(async |db| {
        let attempts = all(&db.store, 20, |store, number| async move {
            let booking = Booking::new("1");
            let key = booking.key(Purpose::Fare, 1);
            if number % 2 == 0 {
                retried!(store.close_attempt(&key, &booking.id, at(1)))
            } else {
                let request = json!({});
                retried!(store.begin_attempt(&key, &booking.id, "authorize", &request, at(1)))
            }
        })
        .await;
        let closed = attempts.iter().filter(|it| **it == Attempt::Closed).count();
        assert!(closed == 0 || closed == 20, "{attempts:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_migrate_at_once_wait_for_each_other() {
    let db = TestDb::postgres().await;
    let url = bellhop_store::testing::TestPostgres::shared().database().await;
    let stores = [Store::open(&url).await.unwrap(), Store::open(&url).await.unwrap()];
    assert!(!stores[0].is_migrated().await.unwrap());
    let (first, second) = tokio::join!(stores[0].migrate(), stores[1].migrate());
    first.unwrap();
    second.unwrap();
    assert!(stores[0].is_migrated().await.unwrap());
    db.store.migrate().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuilding_while_bookings_go_on_finds_nothing_to_change() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 40)).await;
        let changed = all(store, 44, |store, number| async move {
            if number % 11 == 10 {
                return retried!(store.rebuild(at(9))).changed;
            }
            let booking = Booking::new(&number.to_string());
            _ = retried!(store.open_booking(&booking.open(), at(1)));
            _ = retried!(store.firm_hold(&booking.firm(), at(2)));
            _ = retried!(store.append_events(&booking.append(&[approved()]), at(3)));
            _ = retried!(store.assign_from_hold(&booking.assign(), at(4)));
            if number % 2 == 0 {
                _ = retried!(store.release_booking(&booking.release(), at(5)));
            }
            0
        })
        .await;
        assert_eq!(changed.into_iter().sum::<u64>(), 0);
        assert_eq!(used(store, "one").await, (0, 20));
        assert_eq!(store.invariants(at(9)).await.unwrap(), []);
    })
    .await;
}
