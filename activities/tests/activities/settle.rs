//! Leaving with the provider what is kept.

use std::time::Duration;

use bellhop_domain::{act::Settled, status::PaymentStatus};
use serde_json::{Value, json};

use crate::stage::{Failure, Stage, booking, not_found, payment, unavailable, won};

const FIND: &str = "GET /payments";
const CAPTURE: &str = "POST /payments/pay_1/capture";
const VOID: &str = "POST /payments/pay_1/void";
const REFUND: &str = "POST /payments/pay_1/refund";

fn settled(payment: PaymentStatus, kept: i64, returned: i64) -> Settled {
    Settled { payment, kept: won(kept), returned: won(returned) }
}

/// Settles what the provider has as `found`, by `step`, which leaves it as `left`; twice.
async fn step(
    found: Value,
    keep: i64,
    (call, key, body): (&'static str, &str, Value),
    left: Value,
    expected: Settled,
) {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.answers(FIND, 200, found);
    stage.partner.answers(call, 200, left);
    assert_eq!(stage.settle(keep).await, Ok(expected));
    assert_eq!(stage.settle(keep).await, Ok(expected), "a repeat");
    assert_eq!(stage.partner.calls().await, ["POST /payments", FIND, call]);
    let sent = &stage.partner.requests().await[2];
    assert_eq!(sent.headers["idempotency-key"], key);
    assert_eq!(sent.body_json::<Value>().unwrap(), body);
    let balance = stage.balance().await;
    assert_eq!(balance.authorized, 0);
    assert_eq!(balance.captured - balance.refunded, expected.kept.minor);
    assert_eq!(balance.payment_status(), expected.payment);
}

fn amount(minor: i64) -> Value {
    json!({ "amount": { "minor": minor, "currency": "KRW" } })
}

#[tokio::test]
async fn a_reservation_is_lifted() {
    let void = (VOID, "bk_1/fare/1/void", json!({}));
    let expected = settled(PaymentStatus::Voided, 0, 9_800);
    step(payment("authorized", 0, 0), 0, void, payment("voided", 0, 0), expected).await;
}

#[tokio::test]
async fn a_part_of_a_reservation_is_charged() {
    let part = (CAPTURE, "bk_1/fare/1/capture/4900", amount(4_900));
    let expected = settled(PaymentStatus::PartRefunded, 4_900, 4_900);
    step(payment("authorized", 0, 0), 4_900, part, payment("captured", 4_900, 0), expected).await;
}

#[tokio::test]
async fn all_of_a_reservation_is_charged() {
    let all = (CAPTURE, "bk_1/fare/1/capture/9800", amount(9_800));
    let expected = settled(PaymentStatus::Captured, 9_800, 0);
    step(payment("authorized", 0, 0), 9_800, all, payment("captured", 9_800, 0), expected).await;
}

#[tokio::test]
async fn a_charge_is_given_back() {
    let refund = (REFUND, "bk_1/fare/1/refund/0", amount(9_800));
    let expected = settled(PaymentStatus::Refunded, 0, 9_800);
    let left = payment("refunded", 9_800, 9_800);
    step(payment("captured", 9_800, 0), 0, refund, left, expected).await;
}

#[tokio::test]
async fn a_part_of_a_charge_is_given_back() {
    let refund = (REFUND, "bk_1/fare/1/refund/4900", amount(4_900));
    let expected = settled(PaymentStatus::PartRefunded, 4_900, 4_900);
    let left = payment("part_refunded", 9_800, 4_900);
    step(payment("captured", 9_800, 0), 4_900, refund, left, expected).await;
}

#[tokio::test]
async fn what_stands_as_it_should_is_left_alone() {
    for (state, captured, refunded, keep, expected) in [
        ("captured", 9_800, 0, 9_800, settled(PaymentStatus::Captured, 9_800, 0)),
        ("voided", 0, 0, 0, settled(PaymentStatus::Voided, 0, 9_800)),
        ("refunded", 9_800, 9_800, 0, settled(PaymentStatus::Refunded, 0, 9_800)),
        ("part_refunded", 9_800, 4_900, 4_900, settled(PaymentStatus::PartRefunded, 4_900, 4_900)),
    ] {
        let stage = Stage::new().await;
        stage.authorized().await;
        stage.partner.answers(FIND, 200, payment(state, captured, refunded));
        assert_eq!(stage.settle(keep).await, Ok(expected), "{state}");
        assert_eq!(stage.partner.calls().await, ["POST /payments", FIND]);
        assert_eq!(stage.balance().await.payment_status(), expected.payment);
    }
}

#[tokio::test]
async fn what_was_never_sent_is_closed_without_a_call() {
    let stage = Stage::new().await;
    let nothing = settled(PaymentStatus::None, 0, 0);
    assert_eq!(stage.settle(0).await, Ok(nothing));
    assert_eq!(stage.settle(0).await, Ok(nothing), "a repeat");
    assert!(stage.partner.calls().await.is_empty());
}

#[tokio::test]
async fn what_certainly_did_nothing_is_closed_without_a_call() {
    let stage = Stage::new().await;
    stage.partner.answers("POST /payments", 503, unavailable());
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable");
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::None, 0, 0)));
    assert_eq!(stage.authorize().await, Ok(bellhop_domain::act::Paid::Closed));
    assert_eq!(stage.partner.calls().await, ["POST /payments"]);
}

#[tokio::test]
async fn a_declined_payment_needs_no_call() {
    let stage = Stage::new().await;
    stage.partner.answers("POST /payments", 402, json!({ "code": "card_declined" }));
    stage.authorize().await.unwrap();
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::Declined, 0, 0)));
    assert_eq!(stage.partner.calls().await, ["POST /payments"]);
}

#[tokio::test]
async fn an_unknown_payment_is_looked_for_and_settled_when_it_appears() {
    let stage = Stage::new().await;
    stage.lost().await;
    for seconds in [1, 10, 60] {
        stage.partner.answers(FIND, 404, not_found());
        let later = Failure::new("unknown", Some(Duration::from_secs(seconds)));
        assert_eq!(stage.settle(0).await, Err(later));
    }
    stage.partner.answers(FIND, 409, json!({ "code": "in_progress" }));
    assert_eq!(stage.settle(0).await.unwrap_err().kind, "in_progress");
    stage.partner.answers(FIND, 200, payment("authorized", 0, 0));
    stage.partner.answers(VOID, 200, payment("voided", 0, 0));
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::Voided, 0, 9_800)));

    let rows = stage.db.store.attempts_of(&booking()).await.unwrap();
    assert!(rows.iter().all(|it| it.ended_at.is_some()), "nothing is left open: {rows:?}");
    assert_eq!(stage.authorize().await, Ok(bellhop_domain::act::Paid::Closed));
    assert_eq!(stage.balance().await.voided, 9_800);
}

#[tokio::test]
async fn an_unknown_payment_that_was_declined_is_found_out() {
    let stage = Stage::new().await;
    stage.lost().await;
    stage.partner.answers(FIND, 200, json!({ "status": "declined", "code": "card_declined" }));
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::Declined, 0, 0)));
}

#[tokio::test]
async fn an_unknown_payment_that_never_appears_is_none() {
    let stage = Stage::with(|_, payments| payments.unknown_limit = Duration::ZERO).await;
    stage.lost().await;
    stage.partner.answers(FIND, 404, not_found());
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::None, 0, 0)));
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::None, 0, 0)), "a repeat");
    let later = crate::stage::declined("not_received");
    assert_eq!(stage.authorize().await, Ok(later), "a late act is not sent");
}

#[tokio::test]
async fn a_payment_that_was_not_received_is_looked_for_once_more() {
    let late = Stage::with(|_, payments| payments.unknown_limit = Duration::ZERO).await;
    late.lost().await;
    late.partner.answers(FIND, 404, not_found());
    assert_eq!(late.authorize().await, Ok(crate::stage::declined("not_received")));
    late.partner.answers(FIND, 200, payment("authorized", 0, 0));
    late.partner.answers(VOID, 200, payment("voided", 0, 0));
    assert_eq!(late.settle(0).await, Ok(settled(PaymentStatus::Voided, 0, 9_800)));

    let never = Stage::with(|_, payments| payments.unknown_limit = Duration::ZERO).await;
    never.lost().await;
    never.partner.answers(FIND, 404, not_found());
    never.authorize().await.unwrap();
    never.partner.answers(FIND, 404, not_found());
    assert_eq!(never.settle(0).await, Ok(settled(PaymentStatus::Declined, 0, 0)));
}

#[tokio::test]
async fn a_capture_that_lands_between_is_given_back() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.answers(FIND, 200, payment("authorized", 0, 0));
    stage.partner.answers(VOID, 409, json!({ "code": "invalid_state", "status": "captured" }));
    stage.partner.answers(FIND, 200, payment("captured", 9_800, 0));
    stage.partner.answers(REFUND, 200, payment("refunded", 9_800, 9_800));
    assert_eq!(stage.settle(0).await, Ok(settled(PaymentStatus::Refunded, 0, 9_800)));
    let balance = stage.balance().await;
    assert_eq!((balance.captured, balance.refunded, balance.authorized), (9_800, 9_800, 0));
}

#[tokio::test]
async fn a_refund_whose_answer_was_lost_is_answered_as_if_it_was_not() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.answers(FIND, 200, payment("captured", 9_800, 0));
    stage.partner.hangs(REFUND);
    assert_eq!(stage.settle(4_900).await.unwrap_err().kind, "unknown");
    stage.partner.answers(FIND, 200, payment("part_refunded", 9_800, 4_900));
    let expected = settled(PaymentStatus::PartRefunded, 4_900, 4_900);
    assert_eq!(stage.settle(4_900).await, Ok(expected));
    assert_eq!(stage.balance().await.refunded, 4_900);
}

#[tokio::test]
async fn money_that_is_known_of_is_not_written_off() {
    let stage = Stage::with(|_, payments| payments.unknown_limit = Duration::ZERO).await;
    stage.authorized().await;
    stage.partner.answers(FIND, 404, not_found());
    assert_eq!(stage.settle(0).await.unwrap_err().kind, "unknown");
}

#[tokio::test]
async fn more_than_was_charged_is_never_kept() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.answers(FIND, 200, payment("voided", 0, 0));
    assert_eq!(stage.settle(9_800).await, Ok(settled(PaymentStatus::Voided, 0, 9_800)));
}
