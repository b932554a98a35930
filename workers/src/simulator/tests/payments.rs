//! Payments, their moves, and the word about keys.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stand, hear, part, payment, won};

#[tokio::test]
async fn a_repeat_hears_the_first_answer_whatever_became_of_the_payment() {
    let stand = Stand::start().await;
    let first = stand.pay("k", "tok_ok").await;
    assert_eq!((first.status, first.replayed), (201, false));
    let id = first.id();
    assert!(id.starts_with("pay_"));
    let mut body = first.body.clone();
    body["created_at"].take();
    let expected = json!({
        "id": id, "key": "k", "status": "authorized", "amount": won(9800), "captured": 0,
        "refunded": 0, "reference": "bk_1", "created_at": null,
    });
    assert_eq!(body, expected);

    let captured = stand.keyed(&format!("/payments/{id}/capture"), "c", part(9800)).await;
    assert_eq!((captured.status, captured.body["status"].as_str()), (200, Some("captured")));

    let repeat = stand.pay("k", "tok_ok").await;
    assert_eq!((repeat.status, repeat.replayed), (201, true));
    assert_eq!(repeat.body, first.body);
    let found = stand.find("k").await;
    assert_eq!((found.status, found.body), (200, captured.body));
    assert_eq!(stand.count("payments").await, 1);
}

#[tokio::test]
async fn a_charge_is_captured_at_once() {
    let stand = Stand::start().await;
    let charged = stand.charge("k", "tok_ok").await;
    assert_eq!(charged.status, 201);
    assert_eq!(charged.body["status"], "captured");
    assert_eq!(charged.body["captured"], 9800);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_not_kept() {
    let stand = Stand::start().await;
    stand.post("/payments", payment("tok_ok", false)).await.is(400, "invalid_request");
    stand.keyed("/payments", "", payment("tok_ok", false)).await.is(400, "invalid_request");
    let long = "k".repeat(256);
    stand.keyed("/payments", &long, payment("tok_ok", false)).await.is(400, "invalid_request");

    let with = |field: &str, value: Value| {
        let mut body = payment("tok_ok", false);
        body[field] = value;
        body
    };
    for body in [
        json!({}),
        json!("tok_ok"),
        with("amount", won(0)),
        with("amount", won(-1)),
        with("amount", json!({ "minor": 1.5, "currency": "KRW" })),
        with("amount", json!({ "minor": 1, "currency": "won" })),
        with("capture", json!("yes")),
        with("reference", json!("")),
        with("unheard_of", json!(1)),
    ] {
        stand.keyed("/payments", "k", body).await.is(400, "invalid_request");
    }
    let call = stand.request(Method::POST, "/payments").header("Idempotency-Key", "k").body("{");
    hear(call).await.unwrap().is(400, "invalid_request");
    stand.get("/payments").await.is(400, "invalid_request");
    stand.get("/nowhere").await.is(404, "not_found");

    assert_eq!(stand.pay("k", "tok_ok").await.status, 201);
}

#[tokio::test]
async fn a_key_belongs_to_one_call() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    stand.charge("k", "tok_ok").await.is(422, "key_reused");
    stand.pay("k", "tok_other").await.is(422, "key_reused");
    stand.keyed(&format!("/payments/{id}/void"), "k", json!({})).await.is(422, "key_reused");

    // The same body, written another way, is the same call.
    let body = r#" {"reference":"bk_1", "capture":false,
        "amount":{"currency":"KRW","minor":9800}, "token":"tok_ok"} "#;
    let call = stand.request(Method::POST, "/payments").header("Idempotency-Key", "k").body(body);
    let repeat = hear(call).await.unwrap();
    assert_eq!((repeat.status, repeat.replayed), (201, true));
}

#[tokio::test]
async fn a_decline_is_kept_and_found() {
    let stand = Stand::start().await;
    let first = stand.pay("k", "tok_declined").await;
    first.is(402, "card_declined");
    assert!(first.body["message"].is_string());
    assert!(!first.replayed);
    let repeat = stand.pay("k", "tok_declined").await;
    assert_eq!((repeat.status, repeat.replayed, &repeat.body), (402, true, &first.body));
    stand.pay("k", "tok_ok").await.is(422, "key_reused");

    let found = stand.find("k").await;
    let expected = json!({ "key": "k", "status": "declined", "code": "card_declined" });
    assert_eq!((found.status, found.body), (200, expected));
    let ledger = stand.ledger().await;
    assert_eq!(ledger["payments"], json!([]));
    assert_eq!(ledger["declines"][0]["key"], "k");
    assert_eq!(ledger["declines"][0]["amount"], won(9800));
}

#[tokio::test]
async fn only_the_keys_of_payments_find_something() {
    let stand = Stand::start().await;
    stand.find("k").await.is(404, "not_found");
    let id = stand.pay("k", "tok_ok").await.id();
    stand.keyed(&format!("/payments/{id}/void"), "v", json!({})).await;
    stand.find("v").await.is(404, "not_found");
    // Asked for and not found leaves nothing behind: there are no tombstones.
    stand.find("later").await.is(404, "not_found");
    assert_eq!(stand.pay("later", "tok_ok").await.status, 201);
}

#[tokio::test]
async fn a_part_capture_releases_the_rest() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    let capture = format!("/payments/{id}/capture");
    let refund = format!("/payments/{id}/refund");
    stand.keyed(&capture, "c0", part(9801)).await.is(422, "amount_too_large");
    let captured = stand.keyed(&capture, "c1", part(3800)).await;
    assert_eq!(captured.body["captured"], 3800);
    assert_eq!(captured.body["amount"], won(9800));
    let again = stand.keyed(&capture, "c2", part(6000)).await;
    again.is(409, "invalid_state");
    assert_eq!(again.body["status"], "captured");
    stand.keyed(&refund, "r1", part(3801)).await.is(422, "amount_too_large");
    assert_eq!(stand.keyed(&refund, "r2", part(3800)).await.body["status"], "refunded");
}

#[tokio::test]
async fn refunds_go_up_to_what_is_left() {
    let stand = Stand::start().await;
    let id = stand.charge("k", "tok_ok").await.id();
    let refund = format!("/payments/{id}/refund");
    let first = stand.keyed(&refund, "r1", part(4900)).await;
    assert_eq!((first.status, first.body["status"].as_str()), (200, Some("part_refunded")));
    assert_eq!(first.body["refunded"], 4900);
    let repeat = stand.keyed(&refund, "r1", part(4900)).await;
    assert_eq!((repeat.status, repeat.replayed, &repeat.body), (200, true, &first.body));
    stand.keyed(&refund, "r1", part(1)).await.is(422, "key_reused");

    stand.keyed(&refund, "r2", part(4901)).await.is(422, "amount_too_large");
    let rest = stand.keyed(&refund, "r3", part(4900)).await;
    assert_eq!(
        (rest.body["status"].as_str(), &rest.body["refunded"]),
        (Some("refunded"), &json!(9800))
    );
    let more = stand.keyed(&refund, "r4", part(1)).await;
    more.is(409, "invalid_state");
    assert_eq!(more.body["status"], "refunded");
}

#[tokio::test]
async fn each_move_needs_its_state() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    let path = |operation: &str| format!("/payments/{id}/{operation}");
    stand.keyed(&path("refund"), "r", part(1)).await.is(409, "invalid_state");
    let voided = stand.keyed(&path("void"), "v", json!({})).await;
    assert_eq!((voided.status, voided.body["status"].as_str()), (200, Some("voided")));
    let repeat = stand.keyed(&path("void"), "v", json!({})).await;
    assert_eq!((repeat.status, repeat.replayed, &repeat.body), (200, true, &voided.body));
    for (operation, body) in [("void", json!({})), ("capture", part(1)), ("refund", part(1))] {
        let heard = stand.keyed(&path(operation), operation, body).await;
        heard.is(409, "invalid_state");
        assert_eq!(heard.body["status"], "voided");
    }
    let charged = stand.charge("k2", "tok_ok").await.id();
    let heard = stand.keyed(&format!("/payments/{charged}/void"), "v2", json!({})).await;
    heard.is(409, "invalid_state");
}

#[tokio::test]
async fn a_refusal_is_the_first_answer_too() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    let refund = format!("/payments/{id}/refund");
    let first = stand.keyed(&refund, "r", part(100)).await;
    first.is(409, "invalid_state");
    stand.keyed(&format!("/payments/{id}/capture"), "c", part(9800)).await;
    let repeat = stand.keyed(&refund, "r", part(100)).await;
    assert_eq!((repeat.status, repeat.replayed, repeat.body), (409, true, first.body));
    assert_eq!(stand.find("k").await.body["refunded"], 0);
}

#[tokio::test]
async fn moves_of_unknown_payments_and_odd_amounts_are_not_kept() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    for operation in ["capture", "refund", "void"] {
        let body = if operation == "void" { json!({}) } else { part(1) };
        let path = format!("/payments/pay_none/{operation}");
        stand.post(&path, body.clone()).await.is(400, "invalid_request");
        stand.keyed(&path, "m", body).await.is(404, "not_found");
    }
    let capture = format!("/payments/{id}/capture");
    stand.keyed(&capture, "m", part(0)).await.is(400, "invalid_request");
    stand.keyed(&capture, "m", json!({})).await.is(400, "invalid_request");
    let dollars = json!({ "amount": { "minor": 1, "currency": "USD" } });
    stand.keyed(&capture, "m", dollars).await.is(400, "invalid_request");
    assert_eq!(stand.keyed(&capture, "m", part(1)).await.status, 200);
}
