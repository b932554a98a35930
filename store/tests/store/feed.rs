//! The feed wakes who waits, in this process and in others, and finds what was lost.

use std::time::Duration;

use bellhop_domain::status::Status;
use bellhop_store::{BookingRow, Store, testing::TestDb};
use tokio::time::Instant;

use crate::fixture::*;

/// Sooner than the poll, which looks every 200 ms.
const AT_ONCE: Duration = Duration::from_millis(150);
const SOON: Duration = Duration::from_secs(20);

fn is_awaiting_approval(row: &BookingRow) -> bool {
    row.view.status == Status::AwaitingApproval
}

fn within(time: Duration) -> Instant {
    Instant::now() + time
}

#[tokio::test]
async fn a_change_of_this_process_wakes_who_waits_at_once() {
    on_both(async |db| {
        let store = db.store.clone();
        put(&store, taxis("one", "com_a", 9_800, 100)).await;
        let feed = store.feed();
        let mut shortest = SOON;
        for round in 0..5 {
            let booking = Booking::new(&round.to_string());
            // Before it is opened.
            let mut watch = feed.watch(&booking.id);
            let waiting = tokio::spawn(async move {
                let row = watch.until(is_awaiting_approval, within(SOON)).await;
                (row.unwrap().unwrap(), Instant::now())
            });
            let booking = booking.opened(&store).await;
            store.firm_hold(&booking.firm(), at(2)).await.unwrap();
            let done = Instant::now();
            let (row, woken) = waiting.await.unwrap();
            assert_eq!(row.id, booking.id);
            shortest = shortest.min(woken.saturating_duration_since(done));
        }
        assert!(shortest < AT_ONCE, "{shortest:?}");
    })
    .await;
}

#[tokio::test]
async fn what_changed_between_watching_and_waiting_is_seen() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 1)).await;
        let mut watch = db.store.feed().watch(&Booking::new("1").id);
        Booking::new("1").approved(&db.store).await;
        let is_there = |row: &BookingRow| row.view.status == Status::Dispatching;
        let row = watch.until(is_there, within(AT_ONCE)).await.unwrap();
        assert!(row.is_some());
    })
    .await;
}

#[tokio::test]
async fn who_waits_in_vain_hears_nothing_at_the_deadline_and_may_go_on() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(&db.store).await;
        let mut watch = db.store.feed().watch(&booking.id);
        let deadline = within(Duration::from_millis(50));
        assert_eq!(watch.until(is_awaiting_approval, deadline).await.unwrap(), None);
        assert!(Instant::now() >= deadline);
        db.store.firm_hold(&booking.firm(), at(2)).await.unwrap();
        let row = watch.until(is_awaiting_approval, within(AT_ONCE)).await.unwrap();
        assert!(row.is_some());
    })
    .await;
}

#[tokio::test]
async fn nothing_is_left_of_watches_that_are_dropped() {
    on_both(async |db| {
        let feed = db.store.feed();
        let (one, two) = (Booking::new("1").id, Booking::new("2").id);
        let watches = [feed.watch(&one), feed.watch(&one), feed.watch(&two)];
        assert_eq!(feed.waiting(), 2);
        let [first, second, third] = watches;
        drop((first, third));
        assert_eq!(feed.waiting(), 1);
        drop(second);
        assert_eq!(feed.waiting(), 0);
    })
    .await;
}

#[tokio::test]
async fn what_was_lost_is_found_by_the_poll() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(&db.store).await;
        let mut watch = db.store.feed().watch(&booking.id);
        let is_changed = |row: &BookingRow| row.view.seq == 3;
        let deadline = within(Duration::from_millis(300));
        assert_eq!(watch.until(is_changed, deadline).await.unwrap(), None);
        // Nobody tells of this.
        let lost = r#"UPDATE bookings SET seq = 3, view = REPLACE(view, '"seq":2', '"seq":3')"#;
        db.execute(lost).await.unwrap();
        assert!(watch.until(is_changed, within(SOON)).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test]
async fn a_change_of_another_process_wakes_who_waits_sooner_than_the_poll() {
    let db = TestDb::postgres().await;
    let other = Store::open(&db.url).await.unwrap();
    put(&db.store, taxis("one", "com_a", 9_800, 100)).await;
    let feed = db.store.feed();
    let mut shortest = SOON;
    for round in 0..8 {
        let booking = Booking::new(&round.to_string()).opened(&other).await;
        let mut watch = feed.watch(&booking.id);
        let waiting = tokio::spawn(async move {
            let row = watch.until(is_awaiting_approval, within(SOON)).await;
            assert!(row.unwrap().is_some());
            Instant::now()
        });
        // Past the poll that always looks at what is new.
        tokio::time::sleep(Duration::from_millis(250)).await;
        other.firm_hold(&booking.firm(), at(2)).await.unwrap();
        let done = Instant::now();
        shortest = shortest.min(waiting.await.unwrap().saturating_duration_since(done));
    }
    assert!(shortest < Duration::from_millis(60), "{shortest:?}");
}

#[tokio::test]
async fn a_feed_that_lost_its_connection_listens_again() {
    let db = TestDb::postgres().await;
    let other = Store::open(&db.url).await.unwrap();
    put(&db.store, taxis("one", "com_a", 9_800, 100)).await;
    let feed = db.store.feed();
    let booking = Booking::new("1").opened(&other).await;
    let mut watch = feed.watch(&booking.id);
    db.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await
    .unwrap();
    // Every connection of both was cut: who calls comes again, as always.
    while let Err(error) = other.firm_hold(&booking.firm(), at(2)).await {
        assert!(error.is_transient(), "{error:?}");
    }
    assert!(watch.until(is_awaiting_approval, within(SOON)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_that_was_dropped_leaves_no_tasks() {
    let db = TestDb::sqlite().await;
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let url = db.url.replace("bellhop.db", "other.db");
    let other = Store::open(&url).await.unwrap();
    let feed = other.feed();
    drop((feed, other));
    let deadline = within(SOON);
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
        assert!(Instant::now() < deadline, "tasks are left");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
