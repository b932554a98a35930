//! The invariants hold of bookings of every kind, and each of them can fail.

use bellhop_domain::{
    act::Release,
    event::{Actor, Event, NewEvent, Role},
    key::Purpose,
    service::AtCompletion,
    status::{PaymentStatus, Status, Trigger},
};
use bellhop_store::{Posting, Store, testing::TestDb};
use serde_json::json;

use crate::fixture::*;

/// The rules that are broken.
async fn broken(store: &Store) -> Vec<&'static str> {
    let broken = store.invariants(later()).await.unwrap();
    let mut rules: Vec<_> = broken.into_iter().map(|it| it.rule).collect();
    rules.dedup();
    rules
}

pub(crate) async fn is_found(db: &TestDb, corruption: &str, rules: &[&str]) {
    assert_eq!(broken(&db.store).await, [] as [&str; 0], "before {corruption}");
    db.corrupt(corruption).await.unwrap();
    assert_eq!(broken(&db.store).await, rules, "after {corruption}");
}

/// A booking that is confirmed and paid for, with a message delivered; and one that is refused.
async fn a_busy_day(store: &Store) -> Booking {
    put(store, taxis("one", "com_a", 9_800, 3)).await;
    let booking = Booking::new("1").approved(store).await;
    let fare = booking.key(Purpose::Fare, 1);
    let request = json!({});
    store.begin_attempt(&fare, &booking.id, "authorize", &request, at(2)).await.unwrap();
    let postings = [Posting::charged(fare.clone(), won(9_800))];
    store.finish_attempt(&fare, &json!("paid"), &postings, at(2)).await.unwrap();
    let captured = NewEvent::new(Event::PaymentCaptured { amount: won(9_800) }, 1);
    store.append_events(&booking.append(&[captured]), at(3)).await.unwrap();
    store.assign_from_hold(&booking.assign(), at(4)).await.unwrap();

    let refused = Booking::with("2", |plan| plan.request.quantity = 9);
    store.open_booking(&refused.open(), at(1)).await.unwrap();
    store.append_events(&refused.append(&[rejected("sold_out")]), at(2)).await.unwrap();
    booking
}

#[tokio::test]
async fn money_that_comes_from_nowhere_is_found() {
    on_both(async |db| {
        a_busy_day(&db.store).await;
        is_found(
            db,
            "UPDATE ledger SET minor = minor + 1 WHERE account = 'customer'",
            &["ledger_balances"],
        )
        .await;
    })
    .await;
}

#[tokio::test]
async fn money_that_the_journal_does_not_know_of_is_found() {
    on_both(async |db| {
        a_busy_day(&db.store).await;
        is_found(db, "DELETE FROM ledger", &["ledger_keeps_what_journal_says"]).await;
    })
    .await;
}

#[tokio::test]
async fn the_last_word_on_a_payment_counts() {
    on_both(async |db| {
        let (store, booking) = (&db.store, a_busy_day(&db.store).await);
        let settle = booking.key(Purpose::Fare, 1).step("settle");
        let request = json!({});
        store.begin_attempt(&settle, &booking.id, "settle", &request, at(5)).await.unwrap();
        let postings = [Posting::refunded(settle.clone(), won(4_900))];
        store.finish_attempt(&settle, &json!("settled"), &postings, at(5)).await.unwrap();
        assert_eq!(broken(store).await, ["ledger_keeps_what_journal_says"], "until it is told");
        let (payment, kept, returned) = (PaymentStatus::PartRefunded, won(4_900), won(4_900));
        let settled = NewEvent::new(Event::PaymentSettled { payment, kept, returned }, 1);
        store.append_events(&booking.append(&[settled]), at(6)).await.unwrap();
        assert_eq!(broken(store).await, [] as [&str; 0]);
        assert_eq!(store.ledger_of(&booking.id).await.unwrap().payment_status(), payment);
    })
    .await;
}

#[tokio::test]
async fn a_pool_that_forgot_a_hold_is_found() {
    on_both(async |db| {
        a_busy_day(&db.store).await;
        is_found(db, "UPDATE pools SET taken = 0", &["pools_count_holds"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_pool_beyond_its_capacity_is_found() {
    on_both(async |db| {
        a_busy_day(&db.store).await;
        is_found(db, "UPDATE pools SET capacity = 0", &["pools_within_capacity"]).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_finished_booking_still_holds_is_found_once_it_had_time_to_give_it_back() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 3)).await;
        let booking = Booking::new("1").opened(store).await;
        let end = [cancelling(), cancelled()];
        store.append_events(&booking.append(&end), at(10)).await.unwrap();
        assert_eq!(store.invariants(at(69)).await.unwrap(), [], "it is being undone");
        let found = store.invariants(at(71)).await.unwrap();
        assert_eq!((found[0].rule, found[0].subject.as_str()), ("no_hold_after_end", "bk_1"));
        store.release_booking(&booking.release(), at(72)).await.unwrap();
        assert_eq!(broken(store).await, [] as [&str; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_a_served_booking_used_up_stays_taken() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 3)).await;
        let completed = NewEvent::new(Event::Completed, 1)
            .by(Actor::new(Role::Driver, "drv_1"))
            .moving(Trigger::Complete, Status::Completed);
        let serve = async |name, at_completion| {
            let booking = Booking::with(name, |plan| {
                plan.service.hold.as_mut().unwrap().at_completion = at_completion;
            });
            let booking = booking.confirmed(store).await;
            let end = booking.append(std::slice::from_ref(&completed));
            store.append_events(&end, at(9)).await.unwrap();
            assert_eq!(broken(store).await, ["no_hold_after_end"], "until it is let go of");
            let release = Release { served: true, ..booking.release() };
            let released = store.release_booking(&release, at(10)).await.unwrap();
            assert_eq!(broken(store).await, [] as [&str; 0]);
            (released.quantity, released.used, pool(store, "one").await.taken)
        };
        assert_eq!(serve("coffee", AtCompletion::Consume).await, (0, 1, 1));
        assert_eq!(serve("taxi", AtCompletion::Return).await, (1, 0, 1));
    })
    .await;
}

#[tokio::test]
async fn a_view_that_is_not_the_fold_is_found() {
    for column in [
        "status = 'pending'",
        "company = NULL",
        "assignee = 'x'",
        "view = REPLACE(view, '9800', '98')",
    ] {
        on_both(async |db| {
            a_busy_day(&db.store).await;
            let corruption = format!("UPDATE bookings SET {column} WHERE id = 'bk_1'");
            is_found(db, &corruption, &["view_is_fold"]).await;
            db.store.rebuild(at(9)).await.unwrap();
            assert_eq!(broken(&db.store).await, [] as [&str; 0], "rebuilt");
        })
        .await;
    }
}

#[tokio::test]
async fn a_gap_in_the_journal_is_found() {
    on_both(async |db| {
        a_busy_day(&db.store).await;
        let corruption = "DELETE FROM events WHERE booking_id = 'bk_1' AND seq = 2";
        is_found(db, corruption, &["journal_dense"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_customer_who_was_told_twice_is_found() {
    on_both(async |db| {
        a_busy_day(&db.store).await;
        let corruption = "UPDATE messages SET status = 'delivered', due_at = NULL, event_key = 'e',
                          channel = id";
        // Each has another channel now, and all tell of one event.
        is_found(db, corruption, &["told_once"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_step_that_is_no_move_of_the_table_is_found_unless_somebody_was_told() {
    on_both(async |db| {
        let store = &db.store;
        let booking = a_busy_day(store).await;
        let misplaced = NewEvent { key: "approval.granted/2".to_owned(), ..approved() };
        store.append_events(&booking.append(&[misplaced]), at(9)).await.unwrap();
        assert_eq!(broken(store).await, [] as [&str; 0], "it raised attention");
        let mut view = store.booking(&booking.id).await.unwrap().unwrap().view;
        view.attention = None;
        let view = serde_json::to_string(&view).unwrap().replace('\'', "''");
        let corruption = format!("UPDATE bookings SET view = '{view}' WHERE id = 'bk_1'");
        is_found(db, &corruption, &["view_is_fold", "moves_of_table"]).await;
    })
    .await;
}

#[tokio::test]
async fn attention_that_was_cleared_was_seen() {
    on_both(async |db| {
        let store = &db.store;
        let booking = a_busy_day(store).await;
        let misplaced = NewEvent { key: "approval.granted/2".to_owned(), ..approved() };
        let cleared = NewEvent::new(Event::AttentionCleared, 1);
        store.append_events(&booking.append(&[misplaced, cleared]), at(9)).await.unwrap();
        assert_eq!(broken(store).await, [] as [&str; 0]);
    })
    .await;
}
