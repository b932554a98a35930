//! Exhibitions: confirmations of entry, withdrawals, and a crowd at the door.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bellhop_domain::{
    act::{Confirm, Confirmed, Firmed, Open, Opened, Release, Released},
    event::{Actor, Event, NewEvent, Role},
    id::{BookingId, OperationId},
    key::Purpose,
    plan::Plan,
    service::Service,
    status::{Status, Trigger},
    view::ConfirmationStatus,
};
use bellhop_store::{
    BookingFilter, OperationRow, Pool, Store, StoreError, Withdrawal, Withdrawn, testing::TestDb,
};
use tokio::task::JoinSet;

use crate::fixture::*;

fn exhibition(id: &str, capacity: u32) -> Pool {
    Pool {
        id: id.parse().unwrap(),
        kind: "exhibition".to_owned(),
        company: "com_museum".parse().unwrap(),
        variant: None,
        label: "Night".to_owned(),
        place: Some("Hall 2".to_owned()),
        starts_at: Some(at(864_000)),
        price: won(12_000),
        capacity,
        open: true,
    }
}

/// A plan to visit an exhibition, paid for at the museum.
fn visit(exhibition: &str) -> Plan {
    let text = include_str!("../../../services/exhibition.toml");
    let service = Service::parse("exhibition.toml", text).unwrap();
    let mut plan = plan();
    plan.revision = service.revision().unwrap();
    plan.service = service;
    plan.request.options = [("exhibition_id".to_owned(), exhibition.to_owned())].into();
    (plan.request.place, plan.request.payment) = (None, None);
    plan
}

fn visitor(name: &str) -> Booking {
    Booking::with(name, |plan| *plan = visit("exh"))
}

fn paying(name: &str) -> Booking {
    let means = plan().request.payment;
    Booking::with(name, |plan| {
        *plan = visit("exh");
        plan.request.payment = means;
    })
}

fn confirm(booking: &Booking) -> Confirm {
    let key = booking.key(Purpose::Confirm, 1);
    Confirm { key, booking: booking.id.clone(), events: vec![] }
}

fn captured() -> NewEvent {
    NewEvent::new(Event::PaymentCaptured { amount: won(12_000) }, 1)
        .moving(Trigger::Accepted, Status::Confirmed)
}

fn withdrawal(key: &str, pool: &str) -> Withdrawal {
    Withdrawal {
        operation: OperationId::from_key(&"mgr_1".parse().unwrap(), key),
        pool: pool.parse().unwrap(),
        actor: Actor::new(Role::Manager, "mgr_1"),
        fingerprint: "f".to_owned(),
        reason: None,
    }
}

async fn begun(store: &Store, key: &str) -> OperationRow {
    store.withdraw_pool(&withdrawal(key, "exh"), at(10)).await.unwrap().unwrap()
}

async fn batch(store: &Store, id: &OperationId, limit: u32, seconds: i64) -> Withdrawn {
    let command = |_: &OperationRow, id: &str| id.to_owned();
    store.withdraw_batch(id, limit, command, at(seconds)).await.unwrap().unwrap()
}

/// The bookings whose commands are due, which are taken.
async fn told(store: &Store, seconds: i64) -> Vec<BookingId> {
    let taken = store.take_due_commands::<String>(at(seconds), 1_000).await.unwrap();
    let mut told: Vec<_> = taken.into_iter().map(|it| it.booking).collect();
    told.sort();
    told
}

#[tokio::test]
async fn a_confirmation_is_issued_once_and_stands_in_the_view() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 2)).await;
        let none = store.confirm_entry(&confirm(&visitor("none")), at(2)).await;
        assert!(matches!(none, Err(StoreError::NoBooking(_))), "{none:?}");
        let booking = visitor("1").opened(store).await;
        assert_eq!(booking.status(store).await, Status::Confirmed, "by itself");
        let issued = store.confirm_entry(&confirm(&booking), at(2)).await.unwrap();
        let Confirmed::Issued { number, events } = &issued else { panic!("closed") };
        assert_eq!(*number, booking.id.entry_number());
        assert_eq!((events.len(), &*events[0].event.key), (1, "confirmation.issued/1"));
        let again = store.confirm_entry(&confirm(&booking), at(3)).await.unwrap();
        assert_eq!(again, issued);

        let confirmation = async || {
            let view = store.booking(&booking.id).await.unwrap().unwrap().view;
            view.confirmation.map(|it| (it.number, it.status))
        };
        let stands = |status| Some((number.clone(), status));
        assert_eq!(confirmation().await, stands(ConfirmationStatus::Issued));
        store.append_events(&booking.append(&[cancelling()]), at(4)).await.unwrap();
        let released = store.release_booking(&booking.release(), at(5)).await.unwrap();
        assert_eq!(released, Released { quantity: 1, confirmation: true, ..Released::default() });
        let gone = NewEvent::new(Event::ConfirmationCancelled, 1);
        store.append_events(&booking.append(&[gone, cancelled()]), at(6)).await.unwrap();
        assert_eq!(confirmation().await, stands(ConfirmationStatus::Cancelled));
        let late = store.confirm_entry(&confirm(&booking), at(7)).await.unwrap();
        assert_eq!(late, issued, "a repeat answers the first outcome");
        assert_eq!(confirmation().await, stands(ConfirmationStatus::Cancelled));
    })
    .await;
}

#[tokio::test]
async fn a_confirmation_that_comes_late_is_not_issued() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 3)).await;
        let cancelled = visitor("cancelled").opened(store).await;
        store.append_events(&cancelled.append(&[cancelling()]), at(2)).await.unwrap();
        let released = visitor("released").opened(store).await;
        store.release_booking(&released.release(), at(2)).await.unwrap();
        let served = visitor("served").opened(store).await;
        let release = Release { served: true, ..served.release() };
        store.release_booking(&release, at(2)).await.unwrap();
        for booking in [&cancelled, &released, &served] {
            for seconds in [3, 4] {
                let late = store.confirm_entry(&confirm(booking), at(seconds)).await.unwrap();
                assert_eq!(late, Confirmed::Closed, "{}", booking.id);
            }
            let view = store.booking(&booking.id).await.unwrap().unwrap().view;
            assert_eq!(view.confirmation, None);
        }
        assert_eq!(used(store, "exh").await, (1, 1), "the served one has used its place up");
    })
    .await;
}

#[tokio::test]
async fn events_that_come_before_a_confirmation_are_journalled_before_it() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 1)).await;
        let booking = visitor("1").opened(store).await;
        let confirm = Confirm { events: vec![fact(1)], ..confirm(&booking) };
        store.confirm_entry(&confirm, at(2)).await.unwrap();
        let timeline = store.timeline(&booking.id).await.unwrap();
        let last: Vec<_> = timeline.iter().rev().take(2).map(|it| &*it.event.key).collect();
        assert_eq!(last, ["confirmation.issued/1", "payment.unknown/1"]);
    })
    .await;
}

#[tokio::test]
async fn a_payment_after_the_hold_expired_takes_the_place_again_unless_it_is_withdrawn() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 2)).await;
        let (again, lost) =
            (paying("again").opened(store).await, paying("lost").opened(store).await);
        for booking in [&again, &lost] {
            store.expire_hold(&booking.expire(1), at(900)).await.unwrap();
        }
        assert_eq!(used(store, "exh").await, (0, 0));
        let firm = |booking: &Booking| {
            let mut firm = booking.firm();
            firm.events = vec![captured()];
            firm
        };
        let taken = store.firm_hold(&firm(&again), at(901)).await.unwrap();
        assert!(matches!(taken, Firmed::Firm { .. }), "{taken:?}");
        assert_eq!(used(store, "exh").await, (1, 0));
        let operation = begun(store, "w").await;
        assert_eq!(operation.total, 1);
        assert_eq!(store.firm_hold(&firm(&lost), at(902)).await.unwrap(), Firmed::Lost);
        assert_eq!(used(store, "exh").await, (1, 0));
    })
    .await;
}

#[tokio::test]
async fn what_is_withdrawn_is_closed_for_good_and_withdrawn_once() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 5)).await;
        put(store, exhibition("other", 5)).await;
        visitor("1").opened(store).await;
        let first = begun(store, "w").await;
        assert_eq!((first.total, first.done, first.is_done), (1, 0, false));
        assert_eq!(begun(store, "w").await, first, "a repeat");
        assert_eq!(begun(store, "another").await, first, "it is withdrawn once");
        // The same operation of another pool changes nothing.
        let other = store.withdraw_pool(&withdrawal("w", "other"), at(11)).await.unwrap();
        assert_eq!(other, Some(first.clone()));
        assert!(pool(store, "other").await.pool.open);
        assert_eq!(store.withdraw_pool(&withdrawal("x", "none"), at(11)).await.unwrap(), None);

        let opened = store.open_booking(&visitor("2").open(), at(12)).await.unwrap();
        assert_eq!(code(&opened), "not_offered");
        store.set_pool_open(&"exh".parse().unwrap(), true).await.unwrap();
        let put_again = store.put_pool(&exhibition("exh", 5), at(13)).await;
        assert!(matches!(put_again, Err(StoreError::PoolFixed(_))), "{put_again:?}");
        let row = pool(store, "exh").await;
        assert_eq!((row.pool.open, row.withdrawn_at), (false, Some(at(10))));
        assert_eq!(store.running_operations(9).await.unwrap(), std::slice::from_ref(&first.id));

        // Nobody has booked it: there is nothing to do.
        let empty = store.withdraw_pool(&withdrawal("e", "other"), at(14)).await.unwrap().unwrap();
        assert_eq!((empty.total, empty.is_done), (0, true));
        assert_eq!(store.running_operations(9).await.unwrap(), [first.id]);
    })
    .await;
}

#[tokio::test]
async fn a_withdrawal_tells_each_living_booking_once_until_none_is_left() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 20)).await;
        let mut bookings = vec![];
        for number in 0..6 {
            bookings.push(visitor(&number.to_string()).opened(store).await);
        }
        let end = async |booking: &Booking, events: &[NewEvent]| {
            store.release_booking(&booking.release(), at(20)).await.unwrap();
            store.append_events(&booking.append(events), at(20)).await.unwrap();
        };
        // One is over. One is being cancelled by its visitor: the place is free, the money is not back.
        end(&bookings[0], &[cancelling(), cancelled()]).await;
        end(&bookings[1], &[cancelling()]).await;

        let operation = begun(store, "w").await.id;
        assert_eq!(batch(store, &operation, 3, 11).await, Withdrawn { told: 3, remaining: 5 });
        assert_eq!(batch(store, &operation, 3, 12).await, Withdrawn { told: 1, remaining: 5 });
        assert_eq!(batch(store, &operation, 3, 13).await, Withdrawn { told: 0, remaining: 5 });
        let ids: Vec<_> = bookings[2..].iter().map(|it| it.id.clone()).collect();
        assert_eq!(told(store, 14).await, ids, "each once, and at once");
        assert_eq!(told(store, 15).await, [], "they are being given");
        assert_eq!(told(store, 25).await, ids, "and are not answered yet");

        // One is answered and ends, one is answered and does not end: it is told again.
        for booking in &bookings[2..4] {
            let id = format!("{operation}/{}", booking.id);
            store.forget_command(&id).await.unwrap();
        }
        end(&bookings[1], &[cancelled()]).await;
        end(&bookings[2], &[cancelling(), cancelled()]).await;
        assert_eq!(batch(store, &operation, 9, 26).await, Withdrawn { told: 1, remaining: 3 });
        let row = store.operation(&operation).await.unwrap().unwrap();
        assert_eq!((row.total, row.done, row.is_done), (5, 2, false));
        for booking in &bookings[3..] {
            end(booking, &[cancelling(), cancelled()]).await;
        }
        assert_eq!(batch(store, &operation, 9, 27).await, Withdrawn { told: 0, remaining: 0 });
        let row = store.operation(&operation).await.unwrap().unwrap();
        assert_eq!((row.done, row.is_done, row.changed_at), (5, true, at(27)));
        batch(store, &operation, 9, 99).await;
        let after = store.operation(&operation).await.unwrap().unwrap();
        assert_eq!(after, row, "what is done stays so");
        assert_eq!(used(store, "exh").await, (0, 0));

        let filter = BookingFilter { pool: Some("exh".parse().unwrap()), ..Default::default() };
        assert_eq!(store.bookings(&filter, None, 9).await.unwrap().items.len(), 6);
        let filter = BookingFilter { pool: Some("other".parse().unwrap()), ..Default::default() };
        assert_eq!(store.bookings(&filter, None, 9).await.unwrap().items, []);
        let unknown: OperationId = "op_none".parse().unwrap();
        let none = store.withdraw_batch(&unknown, 9, |_, id| id.to_owned(), at(1)).await.unwrap();
        assert_eq!(none, None);
    })
    .await;
}

/// Opens bookings as long as there are any, retrying what fails for a passing reason.
async fn crowd(store: Store, next: Arc<AtomicU32>, last: u32) -> (u32, u32) {
    let (mut held, mut sold_out) = (0, 0);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= last {
            return (held, sold_out);
        }
        let open: Open = visitor(&number.to_string()).open();
        let opened = loop {
            match store.open_booking(&open, at(1)).await {
                Err(error) if error.is_transient() => tokio::task::yield_now().await,
                opened => break opened.unwrap(),
            }
        };
        match opened {
            Opened::Ready { .. } => held += 1,
            Opened::Refused { code, .. } if code == "sold_out" => sold_out += 1,
            other => panic!("neither: {other:?}"),
        }
    }
}

async fn ten_thousand_at_the_door(db: &TestDb) {
    put(&db.store, exhibition("exh", 100)).await;
    let (next, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
    for _ in 0..50 {
        tasks.spawn(crowd(db.store.clone(), Arc::clone(&next), 10_000));
    }
    let counts = tasks.join_all().await;
    let (held, sold_out) =
        counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    assert_eq!((held, sold_out), (100, 9_900));
    assert_eq!(used(&db.store, "exh").await, (100, 0));
    assert_eq!(db.store.invariants(later()).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_bookings_a_hundred_get_the_hundred_places() {
    on_both(ten_thousand_at_the_door).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_opens_while_it_is_withdrawn_is_counted_or_refused() {
    on_both(async |db| {
        let store = &db.store;
        put(store, exhibition("exh", 1_000)).await;
        let (next, mut tasks) = (Arc::new(AtomicU32::new(0)), JoinSet::new());
        for _ in 0..8 {
            let (store, next) = (store.clone(), Arc::clone(&next));
            tasks.spawn(async move {
                let mut held = 0;
                while next.load(Ordering::Relaxed) < 300 {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let open = visitor(&number.to_string()).open();
                    let opened = store.open_booking(&open, at(1)).await.unwrap();
                    held += u32::from(matches!(opened, Opened::Ready { .. }));
                }
                held
            });
        }
        while next.load(Ordering::Relaxed) < 50 {
            tokio::task::yield_now().await;
        }
        let operation = begun(store, "w").await;
        let held: u32 = tasks.join_all().await.into_iter().sum();
        assert!((1..300).contains(&held), "{held} were there before");
        assert_eq!(operation.total, held);
        assert_eq!(used(store, "exh").await, (held, 0));
    })
    .await;
}
