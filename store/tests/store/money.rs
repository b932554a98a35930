//! Attempts and the ledger: nothing is sent twice, nothing is posted twice, nothing is rewritten.

use bellhop_domain::{
    key::{ActKey, Purpose},
    money::Currency,
    status::PaymentStatus,
};
use bellhop_store::{Attempt, Balance, Posting, Store, StoreError};
use serde_json::{Value, json};

use crate::fixture::*;

async fn begin(store: &Store, key: &ActKey, now: i64) -> Attempt {
    let request = json!({ "amount": 9_800 });
    store.begin_attempt(key, &Booking::new("1").id, "authorize", &request, at(now)).await.unwrap()
}

async fn finish(store: &Store, key: &ActKey, outcome: Value, postings: &[Posting]) -> Value {
    store.finish_attempt(key, &outcome, postings, at(5)).await.unwrap()
}

fn fare() -> ActKey {
    Booking::new("1").key(Purpose::Fare, 1)
}

#[tokio::test]
async fn an_attempt_is_new_once_then_sent_then_done() {
    on_both(async |db| {
        let store = &db.store;
        assert_eq!(begin(store, &fare(), 1).await, Attempt::New);
        assert_eq!(begin(store, &fare(), 2).await, Attempt::Sent { began_at: at(1), asked: 1 });
        assert_eq!(begin(store, &fare(), 3).await, Attempt::Sent { began_at: at(1), asked: 2 });
        let outcome = json!({ "outcome": "paid", "payment": "pay_1" });
        assert_eq!(finish(store, &fare(), outcome.clone(), &[]).await, outcome);
        assert_eq!(begin(store, &fare(), 4).await, Attempt::Done(outcome.clone()));
        let row = store.attempts_of(&Booking::new("1").id).await.unwrap().remove(0);
        assert_eq!((row.key.as_str(), row.kind.as_deref()), (fare().as_str(), Some("authorize")));
        assert_eq!((row.began_at, row.ended_at), (at(1), Some(at(5))));
        assert_eq!(
            (row.request, row.state),
            (Some(json!({ "amount": 9_800 })), Attempt::Done(outcome))
        );
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_was_finished_at_once_is_done_for_whoever_repeats_it() {
    on_both(async |db| {
        assert_eq!(begin(&db.store, &fare(), 1).await, Attempt::New);
        finish(&db.store, &fare(), json!("declined"), &[]).await;
        assert_eq!(begin(&db.store, &fare(), 2).await, Attempt::Done(json!("declined")));
    })
    .await;
}

#[tokio::test]
async fn the_first_outcome_wins_and_only_its_postings_count() {
    on_both(async |db| {
        let store = &db.store;
        begin(store, &fare(), 1).await;
        let postings = [Posting::authorized(fare(), won(9_800))];
        finish(store, &fare(), json!("paid"), &postings).await;
        let late = [Posting::charged(fare().step("late"), won(9_800))];
        assert_eq!(finish(store, &fare(), json!("declined"), &late).await, json!("paid"));
        let balance = store.ledger_of(&Booking::new("1").id).await.unwrap();
        let currency = Some(Currency::KRW);
        assert_eq!(balance, Balance { authorized: 9_800, currency, ..Balance::default() });
    })
    .await;
}

#[tokio::test]
async fn a_key_that_was_closed_in_time_is_never_sent() {
    on_both(async |db| {
        let (store, id) = (&db.store, Booking::new("1").id);
        for now in [1, 2] {
            assert_eq!(store.close_attempt(&fare(), &id, at(now)).await.unwrap(), Attempt::Closed);
        }
        assert_eq!(begin(store, &fare(), 3).await, Attempt::Closed);
        let error = store.finish_attempt(&fare(), &json!("paid"), &[], at(4)).await.unwrap_err();
        assert!(matches!(error, StoreError::AttemptClosed(_)), "{error}");
        let none = fare().step("none");
        let error = store.finish_attempt(&none, &json!("paid"), &[], at(4)).await.unwrap_err();
        assert!(matches!(error, StoreError::NoAttempt(_)), "{error}");
        let row = store.attempts_of(&id).await.unwrap().remove(0);
        assert_eq!((row.kind, row.state), (None, Attempt::Closed));
    })
    .await;
}

#[tokio::test]
async fn what_was_sent_is_not_closed() {
    on_both(async |db| {
        let (store, id) = (&db.store, Booking::new("1").id);
        begin(store, &fare(), 1).await;
        let close = async || store.close_attempt(&fare(), &id, at(2)).await.unwrap();
        assert_eq!(close().await, Attempt::Sent { began_at: at(1), asked: 0 });
        assert_eq!(begin(store, &fare(), 3).await, Attempt::Sent { began_at: at(1), asked: 1 });
        finish(store, &fare(), json!("paid"), &[]).await;
        assert_eq!(close().await, Attempt::Done(json!("paid")));
    })
    .await;
}

#[tokio::test]
async fn the_ledger_tells_where_the_money_is() {
    on_both(async |db| {
        let (store, id) = (&db.store, Booking::new("1").id);
        assert_eq!(store.ledger_of(&id).await.unwrap(), Balance::default());
        let post = async |step: &str, posting: fn(ActKey, _) -> Posting, minor| {
            let key = fare().step(step);
            begin(store, &key, 1).await;
            finish(store, &key, json!(step), &[posting(key.clone(), won(minor))]).await;
            let balance = store.ledger_of(&id).await.unwrap();
            let Balance { authorized, captured, refunded, voided, .. } = balance;
            ((authorized, captured, refunded, voided), balance.payment_status())
        };
        use PaymentStatus::*;
        assert_eq!(post("a", Posting::authorized, 9_800).await, ((9_800, 0, 0, 0), Authorized));
        assert_eq!(post("b", Posting::captured, 9_800).await, ((0, 9_800, 0, 0), Captured));
        assert_eq!(post("c", Posting::refunded, 4_900).await, ((0, 9_800, 4_900, 0), PartRefunded));
        assert_eq!(post("d", Posting::refunded, 4_900).await, ((0, 9_800, 9_800, 0), Refunded));
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn there_is_a_receipt_for_what_was_charged_and_for_what_went_back() {
    on_both(async |db| {
        let store = &db.store;
        let id = Booking::new("1").id;
        assert_eq!(store.receipts_of(&id).await.unwrap(), []);
        let post = async |step: &str, posting: fn(ActKey, _) -> Posting, minor| {
            let key = fare().step(step);
            begin(store, &key, 1).await;
            finish(store, &key, json!(step), &[posting(key.clone(), won(minor))]).await;
        };
        post("a", Posting::authorized, 9_800).await;
        post("b", Posting::captured, 8_000).await;
        post("c", Posting::voided, 1_800).await;
        post("d", Posting::refunded, 3_000).await;
        post("e", Posting::refunded, 1_000).await;
        let receipts = store.receipts_of(&id).await.unwrap();
        let told: Vec<_> = receipts.iter().map(|it| (it.is_refund, it.amount.minor)).collect();
        assert_eq!(told, [(false, 8_000), (true, 3_000), (true, 1_000)]);
        assert_eq!(receipts[0].number, fare().step("b").as_str());
        assert_eq!((receipts[0].amount, receipts[0].at), (won(8_000), at(5)));
    })
    .await;
}

#[tokio::test]
async fn the_journal_and_the_ledger_only_ever_grow() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        Booking::new("1").opened(store).await;
        begin(store, &fare(), 1).await;
        finish(store, &fare(), json!("paid"), &[Posting::charged(fare(), won(9_800))]).await;
        for statement in [
            "UPDATE events SET at = 0",
            "DELETE FROM events",
            "UPDATE ledger SET minor = 0",
            "DELETE FROM ledger",
        ] {
            let refused = format!("{:?}", db.execute(statement).await.unwrap_err());
            assert!(refused.contains("append-only"), "{statement}: {refused}");
        }
    })
    .await;
}
