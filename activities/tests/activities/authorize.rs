//! Charging and reserving.

use std::time::Duration;

use bellhop_activities::PaymentActivities;
use bellhop_domain::act::{Paid, Pay};
use bellhop_store::Balance;
use serde_json::json;

use crate::stage::{
    Failure, Stage, booking, declined, failed, fare, not_found, paid, pay, payment, unavailable,
};

const SECOND: Option<Duration> = Some(Duration::from_secs(1));

#[tokio::test]
async fn a_payment_is_sent_once_and_its_outcome_kept() {
    let stage = Stage::new().await;
    stage.authorized().await;
    assert_eq!(stage.authorize().await, Ok(paid()), "a repeat");
    assert_eq!(stage.partner.calls().await, ["POST /payments"]);
    assert_eq!(stage.balance().await.authorized, 9_800);

    let request = &stage.partner.requests().await[0];
    let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("idempotency-key"), "bk_1/fare/1");
    assert_eq!(header("authorization"), "Bearer secret");
    assert_eq!(header("x-booking-id"), "bk_1");
    let body: serde_json::Value = request.body_json().unwrap();
    let amount = json!({ "minor": 9_800, "currency": "KRW" });
    let expected =
        json!({ "token": "tok_ok", "amount": amount, "capture": false, "reference": "bk_1" });
    assert_eq!(body, expected, "and nothing that the provider would refuse");
}

#[tokio::test]
async fn a_token_is_kept_nowhere() {
    let stage = Stage::new().await;
    stage.authorized().await;
    let rows = stage.db.store.attempts_of(&booking()).await.unwrap();
    assert!(!format!("{rows:?}").contains("tok_"), "{rows:?}");
}

#[tokio::test]
async fn a_charge_at_once_is_a_capture_in_the_ledger() {
    let stage = Stage::new().await;
    stage.partner.answers("POST /payments", 201, payment("captured", 9_800, 0));
    let charge = Pay { capture: true, ..pay() };
    assert_eq!(failed(stage.queue.run(PaymentActivities::authorize, charge).await), Ok(paid()));
    let Balance { authorized, captured, .. } = stage.balance().await;
    assert_eq!((authorized, captured), (0, 9_800));
}

#[tokio::test]
async fn a_refusal_stays_one_although_the_provider_would_now_agree() {
    for (status, body, code) in [
        (402, json!({ "code": "card_declined", "message": "no" }), "card_declined"),
        (402, json!({ "code": "of 010-1234-5678!" }), "declined"),
        (422, json!({ "code": "invalid_token", "message": "no" }), "invalid_token"),
    ] {
        let stage = Stage::new().await;
        stage.partner.answers("POST /payments", status, body);
        stage.partner.answers("POST /payments", 201, payment("authorized", 0, 0));
        assert_eq!(stage.authorize().await, Ok(declined(code)));
        assert_eq!(stage.authorize().await, Ok(declined(code)), "a repeat");
        assert_eq!(stage.partner.calls().await.len(), 1);
        assert_eq!(stage.balance().await, Balance::default());
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_and_never_sent_again() {
    let stage = Stage::new().await;
    stage.lost().await;
    stage.partner.answers("GET /payments", 200, payment("authorized", 0, 0));
    assert_eq!(stage.authorize().await, Ok(paid()));
    assert_eq!(stage.authorize().await, Ok(paid()), "a repeat");
    assert_eq!(stage.partner.calls().await, ["POST /payments", "GET /payments"]);
    let asked = &stage.partner.requests().await[1].url;
    assert_eq!(asked.query(), Some("key=bk_1%2Ffare%2F1"));
    assert_eq!(stage.balance().await.authorized, 9_800);
}

#[tokio::test]
async fn a_decline_whose_answer_was_lost_is_found() {
    let stage = Stage::new().await;
    stage.lost().await;
    let body = json!({ "key": "bk_1/fare/1", "status": "declined", "code": "card_declined" });
    stage.partner.answers("GET /payments", 200, body);
    assert_eq!(stage.authorize().await, Ok(declined("card_declined")));
}

#[tokio::test]
async fn what_is_not_found_is_asked_for_less_and_less_often() {
    let stage = Stage::new().await;
    stage.lost().await;
    for seconds in [1, 10, 60, 600, 600] {
        stage.partner.answers("GET /payments", 404, not_found());
        let later = Failure::new("unknown", Some(Duration::from_secs(seconds)));
        assert_eq!(stage.authorize().await, Err(later));
    }
    stage.partner.answers("GET /payments", 409, json!({ "code": "in_progress" }));
    assert_eq!(stage.authorize().await, Err(Failure::new("in_progress", SECOND)));
}

#[tokio::test]
async fn what_never_appears_was_not_received() {
    let stage = Stage::with(|_, payments| payments.unknown_limit = Duration::ZERO).await;
    stage.lost().await;
    stage.partner.answers("GET /payments", 404, not_found());
    assert_eq!(stage.authorize().await, Ok(declined("not_received")));
    assert_eq!(stage.authorize().await, Ok(declined("not_received")), "a repeat");
}

#[tokio::test]
async fn the_limit_is_not_slept_through() {
    let stage = Stage::with(|_, payments| {
        payments.ask_again = vec![Duration::from_secs(600)];
        payments.unknown_limit = Duration::from_secs(60);
    })
    .await;
    stage.lost().await;
    stage.partner.answers("GET /payments", 404, not_found());
    let delay = stage.authorize().await.unwrap_err().delay.unwrap();
    assert!(delay <= Duration::from_secs(60), "{delay:?}");
}

#[tokio::test]
async fn what_certainly_did_nothing_is_sent_again_under_the_same_key() {
    let minute = Some(Duration::from_secs(60));
    for (status, body, failure) in [
        (503, unavailable(), Failure::new("unavailable", None)),
        (401, json!({}), Failure::new("misconfigured", minute)),
        (403, json!({}), Failure::new("misconfigured", minute)),
        (404, not_found(), Failure::new("misconfigured", minute)),
        (400, json!({ "code": "invalid_request" }), Failure::new("misconfigured", minute)),
        (422, json!({ "code": "invalid_request" }), Failure::new("misconfigured", minute)),
    ] {
        let stage = Stage::new().await;
        stage.partner.answers("POST /payments", status, body.clone());
        stage.partner.answers("POST /payments", status, body);
        assert_eq!(stage.authorize().await.unwrap_err(), failure);
        assert_eq!(stage.authorize().await.unwrap_err(), failure, "again");
        stage.authorized().await;
        assert_eq!(stage.authorize().await, Ok(paid()), "a repeat");
        let keys = stage.partner.requests().await;
        let keys: Vec<_> = keys.iter().map(|it| it.headers["idempotency-key"].clone()).collect();
        assert_eq!(keys, ["bk_1/fare/1"; 3]);
    }
}

#[tokio::test]
async fn an_ambiguous_answer_is_asked_for() {
    for (status, body) in [
        (500, json!({ "code": "unwritten" })),
        (502, json!({})),
        (503, json!("<html>a proxy's own</html>")),
        (504, json!({})),
        (201, json!({ "id": 7 })),
    ] {
        let stage = Stage::new().await;
        stage.partner.answers("POST /payments", status, body);
        assert_eq!(stage.authorize().await, Err(Failure::new("unknown", SECOND)), "{status}");
        stage.partner.answers("GET /payments", 200, payment("authorized", 0, 0));
        assert_eq!(stage.authorize().await, Ok(paid()));
    }
}

#[tokio::test]
async fn a_key_in_progress_or_reused_is_asked_for() {
    for (status, code, kind) in
        [(409, "in_progress", "in_progress"), (422, "key_reused", "misconfigured")]
    {
        let stage = Stage::new().await;
        stage.partner.answers("POST /payments", status, json!({ "code": code }));
        assert_eq!(stage.authorize().await.unwrap_err().kind, kind);
        stage.partner.answers("GET /payments", 200, payment("authorized", 0, 0));
        assert_eq!(stage.authorize().await, Ok(paid()));
    }
}

#[tokio::test]
async fn a_refused_connection_did_nothing() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let stage = Stage::with(|settings, _| settings.url = nobody).await;
    assert_eq!(stage.authorize().await, Err(Failure::new("unavailable", None)));
    let attempts = stage.db.store.attempts_of(&booking()).await.unwrap();
    assert!(attempts.iter().all(|it| it.ended_at.is_some()), "{attempts:?}");
}

#[tokio::test]
async fn a_closed_key_is_never_sent() {
    let stage = Stage::new().await;
    stage.settle(0).await.unwrap();
    assert_eq!(stage.authorize().await, Ok(Paid::Closed));
    assert!(stage.partner.calls().await.is_empty());
}

#[tokio::test]
async fn what_was_settled_before_it_was_found_pays_for_nothing() {
    let stage = Stage::new().await;
    stage.lost().await;
    stage.partner.answers("GET /payments", 200, payment("voided", 0, 0));
    assert_eq!(stage.authorize().await, Ok(Paid::Closed));
    assert_eq!(stage.balance().await.voided, 9_800);
}

#[tokio::test]
async fn the_keys_of_attempts_are_what_rows_have_for_ever() {
    let stage = Stage::new().await;
    stage.partner.answers("POST /payments", 503, unavailable());
    stage.authorize().await.unwrap_err();
    stage.authorized().await;
    let rows = stage.db.store.attempts_of(&booking()).await.unwrap();
    let keys: Vec<_> = rows.iter().map(|it| it.key.as_str()).collect();
    assert_eq!(keys, [fare().as_str(), "bk_1/fare/1/attempt/2"]);
}
