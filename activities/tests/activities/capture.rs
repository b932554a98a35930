//! Charging what was reserved.

use bellhop_workflows::contract::payments::Captured;
use serde_json::json;

use crate::stage::{Failure, Stage, not_found, payment};

const CAPTURE: &str = "POST /payments/pay_1/capture";
const FIND: &str = "GET /payments";

fn invalid_state(status: &str) -> serde_json::Value {
    json!({ "code": "invalid_state", "status": status })
}

#[tokio::test]
async fn a_reservation_is_charged_once_and_the_outcome_kept() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.answers(CAPTURE, 200, payment("captured", 9_800, 0));
    assert_eq!(stage.capture().await, Ok(Captured::Captured));
    assert_eq!(stage.capture().await, Ok(Captured::Captured), "a repeat");
    assert_eq!(stage.partner.calls().await, ["POST /payments", CAPTURE]);
    let request = &stage.partner.requests().await[1];
    assert_eq!(request.headers["idempotency-key"], "bk_1/fare/1/capture");
    let balance = stage.balance().await;
    assert_eq!((balance.authorized, balance.captured), (0, 9_800));
}

#[tokio::test]
async fn a_reservation_that_is_gone_is_lost_and_stays_so() {
    for state in ["voided", "refunded", "part_refunded"] {
        let stage = Stage::new().await;
        stage.authorized().await;
        stage.partner.answers(CAPTURE, 409, invalid_state(state));
        let captured = if state == "voided" { 0 } else { 9_800 };
        stage.partner.answers(FIND, 200, payment(state, captured, captured / 2));
        assert_eq!(stage.capture().await, Ok(Captured::Lost));
        stage.partner.answers(FIND, 200, payment("captured", 9_800, 0));
        assert_eq!(stage.capture().await, Ok(Captured::Lost), "a repeat in a changed world");
    }
}

#[tokio::test]
async fn what_another_has_charged_is_charged() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.answers(CAPTURE, 409, invalid_state("captured"));
    stage.partner.answers(FIND, 200, payment("captured", 9_800, 0));
    assert_eq!(stage.capture().await, Ok(Captured::Captured));
    assert_eq!(stage.balance().await.captured, 9_800);
}

#[tokio::test]
async fn after_a_lost_answer_the_provider_is_asked_first() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.hangs(CAPTURE);
    assert_eq!(stage.capture().await.unwrap_err().kind, "unknown");
    stage.partner.answers(FIND, 200, payment("captured", 9_800, 0));
    assert_eq!(stage.capture().await, Ok(Captured::Captured));
    assert_eq!(stage.partner.calls().await, ["POST /payments", CAPTURE, FIND]);
    assert_eq!(stage.balance().await.captured, 9_800);
}

#[tokio::test]
async fn a_capture_that_did_not_arrive_is_sent_again_under_its_key() {
    let stage = Stage::new().await;
    stage.authorized().await;
    stage.partner.hangs(CAPTURE);
    assert_eq!(stage.capture().await.unwrap_err().kind, "unknown");
    stage.partner.answers(FIND, 200, payment("authorized", 0, 0));
    stage.partner.answers(CAPTURE, 409, json!({ "code": "in_progress" }));
    assert_eq!(stage.capture().await.unwrap_err().kind, "in_progress");
    stage.partner.answers(FIND, 200, payment("authorized", 0, 0));
    stage.partner.answers(CAPTURE, 200, payment("captured", 9_800, 0));
    assert_eq!(stage.capture().await, Ok(Captured::Captured));
    let requests = stage.partner.requests().await;
    let sent = requests.iter().filter(|it| it.url.path().ends_with("capture"));
    assert!(sent.clone().count() == 3);
    assert!(sent.into_iter().all(|it| it.headers["idempotency-key"] == "bk_1/fare/1/capture"));
}

#[tokio::test]
async fn there_is_nothing_to_charge_where_nothing_was_reserved() {
    let stage = Stage::new().await;
    stage.partner.answers(FIND, 404, not_found());
    assert_eq!(stage.capture().await, Ok(Captured::Lost));
    assert_eq!(stage.capture().await, Ok(Captured::Lost), "a repeat");
}

#[tokio::test]
async fn a_provider_that_is_away_is_tried_again() {
    let stage = Stage::new().await;
    stage.authorized().await;
    let body = json!({ "code": "unavailable" });
    stage.partner.answers(CAPTURE, 503, body);
    assert_eq!(stage.capture().await, Err(Failure::new("unavailable", None)));
    stage.partner.answers(FIND, 200, payment("authorized", 0, 0));
    stage.partner.answers(CAPTURE, 200, payment("captured", 9_800, 0));
    assert_eq!(stage.capture().await, Ok(Captured::Captured));
}
