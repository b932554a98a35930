//! What is done to the partners, and seen of them.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stand, hear, part, payment, until, won};

#[tokio::test]
async fn an_unavailable_partner_refuses_and_keeps_nothing() {
    let stand = Stand::start().await;
    let id = stand.pay("before", "tok_ok").await.id();
    stand.mode("payments", "unavailable").await;
    stand.pay("k", "tok_ok").await.is(503, "unavailable");
    stand.pay("before", "tok_ok").await.is(503, "unavailable");
    stand.find("before").await.is(503, "unavailable");
    stand.keyed(&format!("/payments/{id}/void"), "v", json!({})).await.is(503, "unavailable");
    assert_eq!(stand.get("/healthz").await.status, 200);

    stand.mode("payments", "ok").await;
    stand.find("k").await.is(404, "not_found");
    assert_eq!(stand.find("before").await.body["status"], "authorized");
    assert!(!stand.pay("k", "tok_ok").await.replayed);
}

#[tokio::test]
async fn a_hanging_partner_refuses_when_its_mode_changes() {
    let stand = Stand::start().await;
    for next in ["ok", "unavailable"] {
        stand.mode("payments", "hang").await;
        assert_eq!(
            stand.request(Method::DELETE, "/control/calls").send().await.unwrap().status(),
            204
        );
        let paying = stand.begin("/payments", "k", payment("tok_ok", false));
        let finding = tokio::spawn(hear(stand.request(Method::GET, "/payments?key=k")));
        stand.until_arrived("payments.authorize", 1).await;
        stand.until_arrived("payments.find", 1).await;
        // The same mode again lets nobody go.
        stand.mode("payments", "hang").await;
        assert!(!paying.is_finished() && !finding.is_finished());
        stand.mode("payments", next).await;
        paying.await.unwrap().unwrap().is(503, "unavailable");
        finding.await.unwrap().unwrap().is(503, "unavailable");
    }
    stand.mode("payments", "ok").await;
    assert_eq!(stand.count("payments").await, 0);
    stand.find("k").await.is(404, "not_found");
}

#[tokio::test]
async fn a_call_paused_before_its_effect_has_none_yet() {
    let stand = Stand::start().await;
    stand.pause("authorize", "before").await;
    // Neither other operations nor calls without an effect stop there.
    assert_eq!(stand.charge("other", "tok_ok").await.status, 201);
    assert_eq!(stand.charge("other", "tok_ok").await.status, 201);
    let call = stand.begin("/payments", "k", payment("tok_ok", false));
    stand.until_holding().await;
    assert_eq!(stand.get("/control/paused").await.body, json!({ "armed": false, "holding": true }));
    stand.find("k").await.is(409, "in_progress");
    stand.pay("k", "tok_ok").await.is(409, "in_progress");
    stand.charge("k", "tok_ok").await.is(422, "key_reused");
    assert_eq!(stand.count("payments").await, 1);
    // It was the next call only.
    assert_eq!(stand.pay("k2", "tok_ok").await.status, 201);

    stand.release().await;
    assert_eq!(call.await.unwrap().unwrap().status, 201);
    assert_eq!(stand.count("payments").await, 3);
}

#[tokio::test]
async fn a_call_paused_after_its_effect_is_still_in_progress() {
    let stand = Stand::start().await;
    stand.pause("charge", "after").await;
    let call = stand.begin("/payments", "k", payment("tok_ok", true));
    stand.until_holding().await;
    assert_eq!(stand.count("payments").await, 1);
    stand.find("k").await.is(409, "in_progress");
    stand.charge("k", "tok_ok").await.is(409, "in_progress");
    stand.release().await;
    let answer = call.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.replayed), (201, false));
    assert_eq!(stand.charge("k", "tok_ok").await.body, answer.body);
}

#[tokio::test]
async fn a_paused_call_is_finished_though_its_client_is_gone() {
    let stand = Stand::start().await;
    let id = stand.charge("k", "tok_ok").await.id();
    let refund = format!("/payments/{id}/refund");
    stand.pause("refund", "before").await;
    let call = stand.begin(&refund, "r", part(9800));
    stand.until_holding().await;
    call.abort();
    stand.keyed(&refund, "r", part(9800)).await.is(409, "in_progress");
    stand.release().await;
    until(async || stand.find("k").await.body["status"] == "refunded").await;
}

#[tokio::test]
async fn a_paused_call_meets_the_world_as_it_is_when_released() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    let capture = format!("/payments/{id}/capture");
    stand.pause("capture", "before").await;
    let capturing = stand.begin(&capture, "c", part(9800));
    stand.until_holding().await;
    assert_eq!(stand.keyed(&format!("/payments/{id}/void"), "v", json!({})).await.status, 200);
    stand.release().await;
    capturing.await.unwrap().unwrap().is(409, "invalid_state");
}

#[tokio::test]
async fn a_question_can_be_paused_with_its_answer_in_hand() {
    let stand = Stand::start().await;
    for (when, status, key) in [("before", 200, "k1"), ("after", 404, "k2")] {
        stand.pause("find", when).await;
        let path = format!("/payments?key={key}");
        let finding = tokio::spawn(hear(stand.request(Method::GET, &path)));
        stand.until_holding().await;
        assert_eq!(stand.pay(key, "tok_ok").await.status, 201);
        stand.release().await;
        assert_eq!(finding.await.unwrap().unwrap().status, status);
    }
    // A question has no effect to finish: when its client goes, nothing is held any more.
    stand.pause("find", "before").await;
    let finding = tokio::spawn(hear(stand.request(Method::GET, "/payments?key=k1")));
    stand.until_holding().await;
    finding.abort();
    until(async || stand.get("/control/paused").await.body["holding"] == false).await;
}

#[tokio::test]
async fn a_release_disarms() {
    let stand = Stand::start().await;
    stand.pause("void", "before").await;
    stand.release().await;
    let id = stand.pay("k", "tok_ok").await.id();
    assert_eq!(stand.keyed(&format!("/payments/{id}/void"), "v", json!({})).await.status, 200);
}

#[tokio::test]
async fn controls_that_make_no_sense_are_refused() {
    let stand = Stand::start().await;
    for body in [
        json!({ "partner": "messages", "operation": "void", "when": "before" }),
        json!({ "partner": "payments", "operation": "pay", "when": "before" }),
        json!({ "partner": "payments", "operation": "void" }),
    ] {
        stand.post("/control/pause", body).await.is(400, "invalid_request");
    }
    let body = json!({ "partner": "payments", "mode": "asleep" });
    stand.put("/control/availability", body).await.is(400, "invalid_request");
    for advance in [json!(-1), json!(u64::MAX)] {
        stand
            .post("/control/clock", json!({ "advance_ms": advance }))
            .await
            .is(400, "invalid_request");
    }
    assert_eq!(stand.get("/control/clock").await.body["advanced_ms"], 0);
}

#[tokio::test]
async fn the_clock_is_advanced() {
    let stand = Stand::start().await;
    let time = |heard: &Value| heard["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let before = stand.get("/control/clock").await.body;
    assert_eq!(before["advanced_ms"], 0);
    stand.advance(3_600_000).await;
    stand.advance(1).await;
    let after = stand.get("/control/clock").await.body;
    assert_eq!(after["advanced_ms"], 3_600_001);
    let passed = time(&after).duration_since(time(&before));
    assert!((3600..3660).contains(&passed.as_secs()), "{passed}");
    let made = stand.pay("k", "tok_ok").await.body["created_at"].clone();
    assert!(time(&json!({ "now": made })) > time(&after));
}

#[tokio::test]
async fn the_ledger_shows_payments_with_their_history() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    stand.keyed(&format!("/payments/{id}/capture"), "c", part(5000)).await;
    stand.keyed(&format!("/payments/{id}/capture"), "c", part(5000)).await;
    stand.keyed(&format!("/payments/{id}/void"), "v", json!({})).await.is(409, "invalid_state");
    stand.keyed(&format!("/payments/{id}/refund"), "r", part(2000)).await;
    let other = stand.charge("k2", "tok_other").await.id();
    let third = stand.pay("k3", "tok_ok").await.id();
    stand.keyed(&format!("/payments/{third}/void"), "v3", json!({})).await;

    let ledger = stand.ledger().await;
    let payments = ledger["payments"].as_array().unwrap();
    let ids: Vec<_> = payments.iter().map(|payment| payment["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&id, &other, &third]);
    assert_eq!(
        (&payments[0]["token"], &payments[1]["token"]),
        (&json!("tok_ok"), &json!("tok_other"))
    );
    let now = stand.find("k").await.body;
    for (field, value) in now.as_object().unwrap() {
        assert_eq!(&payments[0][field], value);
    }
    let history = |place: usize| -> Vec<_> {
        let moves = payments[place]["history"].as_array().unwrap();
        assert!(moves.iter().all(|one| one["at"].is_string()));
        moves.iter().map(|one| (one["operation"].clone(), one["amount"].clone())).collect()
    };
    let capture = (json!("capture"), won(5000));
    assert_eq!(
        history(0),
        [(json!("authorize"), won(9800)), capture, (json!("refund"), won(2000))]
    );
    assert_eq!(history(1), [(json!("charge"), won(9800))]);
    assert_eq!(history(2), [(json!("authorize"), won(9800)), (json!("void"), won(9800))]);
}

#[tokio::test]
async fn every_arriving_call_is_counted() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    stand.pay("k", "tok_ok").await;
    stand.post("/payments", json!({})).await.is(400, "invalid_request");
    stand.charge("k2", "tok_declined").await;
    stand.find("k").await;
    stand.find("none").await;
    for (operation, body) in [("capture", part(1)), ("void", json!({})), ("refund", part(1))] {
        stand.keyed(&format!("/payments/{id}/{operation}"), operation, body).await;
    }
    stand.mode("messages", "unavailable").await;
    stand.keyed("/messages", "m", json!({})).await.is(503, "unavailable");

    let counted = stand.ledger().await["calls"].clone();
    let expected = json!({
        "payments.authorize": 3, "payments.charge": 1, "payments.capture": 1, "payments.void": 1,
        "payments.refund": 1, "payments.find": 2, "messages.send": 1,
    });
    assert_eq!(counted, expected);
    let deleted = hear(stand.request(Method::DELETE, "/control/calls")).await.unwrap();
    assert_eq!(deleted.status, 204);
    let counted = stand.ledger().await["calls"].clone();
    assert!(counted.as_object().unwrap().values().all(|count| count == 0), "{counted}");
}
