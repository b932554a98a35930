//! Bodies: read strictly, and refused with where they are wrong.

use bellhop_tests::desk::{booking_id, new_key};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Fleet, bellhop, words};

#[tokio::test]
async fn a_request_that_does_not_fit_is_told_where() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    for (pointer, value) in [
        ("/service", json!("ferry")),
        ("/customer/phone", json!("12")),
        ("/customer/name", json!(" ")),
        ("/customer/name", json!("K\u{7}im")),
        ("/options/colour", json!("red")),
        ("/options/grade", json!("a b")),
        ("/starts_at", json!("2020-01-01T00:00:00Z")),
        ("/place", Value::Null),
        ("/place/address", json!("")),
        ("/place/lat", json!(91)),
        ("/place/lon", json!(-181)),
        ("/quantity", json!(2)),
        ("/quantity", json!(0)),
        ("/payment", Value::Null),
        ("/payment/token", json!("")),
    ] {
        let mut request = fleet.request("tok_ok");
        match request.pointer_mut(pointer) {
            Some(member) => *member = value.clone(),
            None => request["options"]["colour"] = value.clone(),
        }
        let key = new_key();
        let refused = people.kim.post_as("/bookings", &key, request).await?;
        refused.assert_problem(422, "invalid_booking");
        let violations = refused.body["violations"].as_array().cloned().unwrap_or_default();
        let pointers = words(&violations, "pointer");
        assert!(
            pointers.iter().any(|it| it.starts_with(pointer)),
            "{pointer} {value}: {refused:?}"
        );
        let id = booking_id(&key)?;
        people.kim.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    }
    assert_eq!(fleet.stock().await?, (0, 0, 1));

    // All that is wrong is told at once.
    let mut request = fleet.request("tok_ok");
    (request["options"], request["quantity"], request["place"]) =
        (json!({}), json!(5), Value::Null);
    let refused = people.kim.book(request).await?;
    let violations = refused.body["violations"].as_array().cloned().unwrap_or_default();
    assert_eq!(words(&violations, "pointer"), ["/options/grade", "/place", "/quantity"]);
    Ok(())
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let good = fleet.request("tok_ok").to_string();
    let large = format!("{good}{}", " ".repeat(70_000));
    let unknown = good.replacen('{', "{\"colour\": \"red\", ", 1);
    let wrong_type = good.replace("\"quantity\":1", "\"quantity\":\"one\"");
    assert_ne!(wrong_type, good);
    for (content_type, body, status, code) in [
        ("application/json", "{", 400, "malformed_json"),
        ("application/json", "[]", 422, "invalid_request"),
        ("application/json", "{}", 422, "invalid_request"),
        ("application/json", unknown.as_str(), 422, "invalid_request"),
        ("application/json", wrong_type.as_str(), 422, "invalid_request"),
        ("application/json", large.as_str(), 413, "body_too_large"),
        ("text/plain", good.as_str(), 415, "unsupported_media_type"),
    ] {
        let key = new_key();
        let headers = [("content-type", content_type), ("idempotency-key", key.as_str())];
        let refused = people.kim.raw(Method::POST, "/bookings", &headers, body.to_owned()).await?;
        refused.assert_problem(status, code);
    }
    let id = fleet.reserve(&people.kim).await?;
    for (path, body) in [
        (format!("/bookings/{id}/cancel"), json!({"why": "rain"})),
        (format!("/bookings/{id}/cancel"), json!({"reason": "r".repeat(501)})),
        (format!("/bookings/{id}/advance"), json!({})),
        (format!("/approvals/{id}/approve"), json!({"amount": 0})),
        (format!("/approvals/{id}/decline"), json!({"reason": 1})),
    ] {
        people.operator.post(&path, body).await?.assert_problem(422, "invalid_request");
    }
    assert_eq!(people.kim.booking(&id).await?["status"], "awaiting_approval");
    Ok(())
}

#[tokio::test]
async fn card_numbers_are_refused_and_not_repeated() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    for (pointer, value) in [
        ("/payment/token", "4111111111111111"),
        ("/payment/token", "tok_4242 4242 4242 4242"),
        ("/customer/name", "Kim 4111-1111-1111-1111"),
        ("/place/address", "4111111111111111"),
        ("/customer/phone", "4111111111111111"),
    ] {
        let mut request = fleet.request("tok_ok");
        *request.pointer_mut(pointer).expect("the request has it") = json!(value);
        let refused = people.kim.book(request).await?;
        refused.assert_problem(422, "card_number_refused");
        let told = refused.body.to_string();
        assert!(!told.contains("1111") && !told.contains("4242"), "{told}");
    }
    let id = fleet.reserve(&people.kim).await?;
    let reason = json!({"reason": "my card 4111111111111111 is lost"});
    let refused = people.kim.post(&format!("/bookings/{id}/cancel"), reason).await?;
    refused.assert_problem(422, "card_number_refused");
    Ok(())
}
