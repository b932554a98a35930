//! Commands: who may give them, what their repeats answer, and what a refusal says.

use axum::http::StatusCode;
use bellhop_domain::id::BookingId;
use serde_json::json;
use temporalio_client::tonic::Code;

use crate::{temporal::OnUpdate, world::World};

#[tokio::test]
async fn a_command_answers_once_its_effect_can_be_seen() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let path = format!("/v1/approvals/{id}/approve");
    let approved = world.post(&path, "dev-manager", "m1", json!({})).await;
    assert_eq!(approved.status, StatusCode::OK, "{approved:?}");
    assert_eq!(approved.body["status"], "confirmed");
    assert_eq!(approved.body["assignment"]["label"], "Mapo");
    assert!(!approved.is_replay());

    let calls = world.temporal.calls().len();
    let again = world.post(&path, "dev-manager", "m1", json!({})).await;
    assert_eq!((again.status, again.is_replay()), (StatusCode::OK, true));
    assert_eq!(world.temporal.calls().len(), calls, "the journal knows it");
}

#[tokio::test]
async fn a_key_stands_for_one_command() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let path = format!("/v1/bookings/{id}/cancel");
    let cancelled = world.post(&path, "dev-customer", "c1", json!({"reason": "ill"})).await;
    assert_eq!(
        (cancelled.status, &cancelled.body["status"]),
        (StatusCode::OK, &json!("cancelled"))
    );
    let other = world.post(&path, "dev-customer", "c1", json!({"reason": "late"})).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"));
    assert_eq!(other.id(), id);
}

#[tokio::test]
async fn a_refusal_says_what_may_be_done_instead() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let path = format!("/v1/bookings/{id}/advance");
    world.temporal.next_update(OnUpdate::Refuse("not_allowed"));
    let refused = world.post(&path, "dev-manager", "m1", json!({"to": "riding"})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "not_allowed"), "{refused:?}");
    assert_eq!(refused.body["allowed_actions"], json!(["approve", "decline", "cancel"]));
    assert_eq!(refused.id(), id);
    world.temporal.next_update(OnUpdate::Refuse("not_next_stage"));
    let refused = world.post(&path, "dev-manager", "m1", json!({"to": "riding"})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "not_next_stage"));
}

#[tokio::test]
async fn a_role_that_never_may_is_refused_and_strangers_find_nothing() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let approve = format!("/v1/approvals/{id}/approve");
    let cancel = format!("/v1/bookings/{id}/cancel");
    let refused = world.post(&approve, "dev-customer", "k", json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "forbidden"));
    for (path, token) in [(&cancel, "dev-customer-lee"), (&cancel, "dev-driver")] {
        let response = world.post(path, token, "k", json!({})).await;
        assert_eq!((response.status.as_u16(), response.code()), (404, "not_found"), "{token}");
    }
    assert_eq!(world.temporal.calls().len(), 1, "no command is given");
}

#[tokio::test]
async fn an_ended_booking_knows_its_commands_and_refuses_new_ones() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let approve = format!("/v1/approvals/{id}/approve");
    world.post(&approve, "dev-manager", "m1", json!({})).await;
    let booking: BookingId = id.parse().expect("an id");
    world.temporal.complete(&booking).await;
    let again = world.post(&approve, "dev-manager", "m1", json!({})).await;
    assert_eq!((again.status, &again.body["status"]), (StatusCode::OK, &json!("completed")));
    assert!(again.is_replay());

    world.temporal.next_update(OnUpdate::Fail(Code::NotFound));
    let late = world.post(&approve, "dev-manager", "m2", json!({})).await;
    assert_eq!((late.status.as_u16(), late.code()), (409, "not_allowed"));
    assert_eq!(late.body["allowed_actions"], json!([]));
}

#[tokio::test]
async fn a_command_that_was_not_heard_is_told_apart_from_one_too_many() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let path = format!("/v1/bookings/{id}/cancel");
    let cases = [
        (Code::ResourceExhausted, 429, "too_many_commands"),
        // The workflow is gone and its booking is not at its end: the two do not agree yet.
        (Code::NotFound, 503, "command_unknown"),
    ];
    for (failure, status, code) in cases {
        world.temporal.next_update(OnUpdate::Fail(failure));
        let response = world.post(&path, "dev-customer", "c1", json!({})).await;
        assert_eq!((response.status.as_u16(), response.code()), (status, code));
        assert!(response.header("retry-after").is_some());
    }
    // What may have been heard is given again at once.
    world.temporal.next_update(OnUpdate::Fail(Code::DeadlineExceeded));
    let done = world.post(&path, "dev-customer", "c1", json!({})).await;
    assert_eq!(done.status, StatusCode::OK, "the same key is good");
}

#[tokio::test]
async fn a_quote_is_honoured_for_its_booking_and_its_time() {
    let settings = bellhop_api::Settings::default();
    let world = World::with(settings).await;
    let id = world.book("a1").await.id().to_owned();
    let other = world.book("a2").await.id().to_owned();
    let quote = world.get(&format!("/v1/bookings/{id}/cancellation-quote"), "dev-customer").await;
    assert_eq!(quote.status, StatusCode::OK, "{quote:?}");
    assert_eq!(quote.body["refund_percent"], 100);
    assert_eq!(quote.body["refund"], json!({"minor": 9_800, "currency": "KRW"}));
    assert_eq!(quote.body["fee"], json!({"minor": 0, "currency": "KRW"}));
    let quote = json!({"quote_id": quote.body["id"]});

    let path = format!("/v1/bookings/{other}/cancel");
    let refused = world.post(&path, "dev-customer", "c1", quote.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (422, "quote_unknown"));
    let path = format!("/v1/bookings/{id}/cancel");
    let done = world.post(&path, "dev-customer", "c1", quote).await;
    assert_eq!(done.status, StatusCode::OK);
    let path = format!("/v1/bookings/{id}/cancellation-quote");
    let refused = world.get(&path, "dev-customer").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "not_allowed"));
}

#[tokio::test]
async fn an_expired_quote_is_gone() {
    let quote_validity = std::time::Duration::ZERO;
    let settings = bellhop_api::Settings { quote_validity, ..bellhop_api::Settings::default() };
    let world = World::with(settings).await;
    let id = world.book("a1").await.id().to_owned();
    let quote = world.get(&format!("/v1/bookings/{id}/cancellation-quote"), "dev-customer").await;
    let path = format!("/v1/bookings/{id}/cancel");
    let body = json!({"quote_id": quote.body["id"]});
    let refused = world.post(&path, "dev-customer", "c1", body).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (410, "quote_expired"));
}
