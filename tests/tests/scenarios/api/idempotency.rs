//! Keys: the same request again is the same request.

use bellhop_tests::desk::new_key;
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::json;

use crate::world::{Fleet, bellhop, cancel, payments, timeline};

#[tokio::test]
async fn the_same_key_answers_the_same_booking_as_it_is_now() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 5).await?;
    let (key, request) = (new_key(), fleet.request("tok_ok"));
    let first = people.kim.post_as("/bookings", &key, request.clone()).await?;
    first.assert_booking(201, "awaiting_approval");
    assert!(!first.is_replay());
    let again = people.kim.post_as("/bookings", &key, request.clone()).await?;
    again.assert_booking(201, "awaiting_approval");
    assert!(again.is_replay());
    assert_eq!((again.id()?, &again.body), (first.id()?, &first.body));
    assert_eq!(again.headers["location"], first.headers["location"]);

    // However it is written, it says the same.
    let text = serde_json::to_string_pretty(&request)?;
    let headers =
        [("content-type", "application/json; charset=utf-8"), ("idempotency-key", key.as_str())];
    let written = people.kim.raw(Method::POST, "/bookings", &headers, text).await?;
    written.assert_booking(201, "awaiting_approval");
    assert!(written.is_replay());

    cancel(&people.kim, &first.id()?).await?.assert_booking(200, "cancelled");
    let now = people.kim.post_as("/bookings", &key, request).await?;
    now.assert_booking(201, "cancelled");
    assert!(now.is_replay());
    assert_eq!(payments(&bellhop, &first.id()?).await?.len(), 1);
    assert_eq!(fleet.stock().await?, (0, 0, 5));
    Ok(())
}

#[tokio::test]
async fn many_with_the_same_key_at_once_are_one_booking() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 5).await?;
    let key = new_key();
    let crowd = (0..8).map(|_| people.kim.post_as("/bookings", &key, fleet.request("tok_ok")));
    let answers = try_join_all(crowd).await?;
    for answer in &answers {
        answer.assert_booking(201, "awaiting_approval");
        assert_eq!(answer.id()?, answers[0].id()?);
    }
    assert_eq!(answers.iter().filter(|it| !it.is_replay()).count(), 1, "one was the first");
    assert_eq!(fleet.stock().await?, (1, 0, 4));
    assert_eq!(payments(&bellhop, &answers[0].id()?).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_refusal_is_answered_again() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let (declined, sold_out) = (new_key(), new_key());
    let first = people.kim.post_as("/bookings", &declined, fleet.request("tok_declined")).await?;
    first.assert_problem(402, "payment_declined");
    fleet.until_stock((0, 0, 1)).await?;
    let taken = fleet.reserve(&people.lee).await?;
    let first_sold = people.kim.post_as("/bookings", &sold_out, fleet.request("tok_ok")).await?;
    first_sold.assert_problem(409, "sold_out");
    // Even when it would go well now.
    cancel(&people.lee, &taken).await?;
    let again = people.kim.post_as("/bookings", &sold_out, fleet.request("tok_ok")).await?;
    again.assert_problem(409, "sold_out");
    assert!(again.is_replay() && !first_sold.is_replay());
    let again = people.kim.post_as("/bookings", &declined, fleet.request("tok_declined")).await?;
    again.assert_problem(402, "payment_declined");
    assert_eq!((again.is_replay(), again.body), (true, first.body));
    Ok(())
}

#[tokio::test]
async fn a_key_stands_for_one_request_only() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 5).await?;
    let key = new_key();
    let request = fleet.request("tok_ok");
    let first = people.kim.post_as("/bookings", &key, request.clone()).await?;
    let mut other = request.clone();
    other["customer"]["name"] = json!("Park");
    let refused = people.kim.post_as("/bookings", &key, other).await?;
    refused.assert_problem(422, "idempotency_key_reused");
    assert_eq!(refused.body["booking_id"], first.body["id"]);

    // Another caller's key is another key, of which nobody else learns anything.
    let lees = people.lee.post_as("/bookings", &key, request).await?;
    lees.assert_booking(201, "awaiting_approval");
    assert!(!lees.is_replay());
    assert_ne!(lees.id()?, first.id()?);
    assert_eq!(fleet.stock().await?, (2, 0, 3));

    // And of commands: the same key for another body is refused, for another command it is new.
    let path = format!("/bookings/{}", first.id()?);
    let advance = format!("{path}/advance");
    let advanced = people.kim.post_as(&advance, &key, json!({"to": "on_the_way"})).await?;
    advanced.assert_problem(403, "forbidden");
    let cancel = format!("{path}/cancel");
    let cancelled = people.kim.post_as(&cancel, &key, json!({"reason": "rain"})).await?;
    cancelled.assert_booking(200, "cancelled");
    let again = people.kim.post_as(&cancel, &key, json!({"reason": "rain"})).await?;
    again.assert_booking(200, "cancelled");
    assert!(again.is_replay() && !cancelled.is_replay());
    let refused = people.kim.post_as(&cancel, &key, json!({"reason": "sun"})).await?;
    refused.assert_problem(422, "idempotency_key_reused");
    Ok(())
}

#[tokio::test]
async fn one_key_serves_several_commands() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    let (key, id) = (new_key(), fleet.reserve(&people.kim).await?);
    let other = fleet.reserve(&people.kim).await?;
    let approve = format!("/approvals/{id}/approve");
    let approved = people.manager.post_as(&approve, &key, json!({})).await?;
    approved.assert_booking(200, "confirmed");
    let again = people.manager.post_as(&approve, &key, json!({})).await?;
    again.assert_booking(200, "confirmed");
    assert!(again.is_replay() && !approved.is_replay());
    let advance = format!("/bookings/{id}/advance");
    let advanced = people.manager.post_as(&advance, &key, json!({"to": "on_the_way"})).await?;
    advanced.assert_booking(200, "in_progress");
    // With another booking it is another command as well.
    let path = format!("/approvals/{other}/approve");
    people.manager.post_as(&path, &key, json!({})).await?.assert_booking(200, "confirmed");
    // A late repeat of the first is still the first, and says how the booking is now.
    let late = people.manager.post_as(&approve, &key, json!({})).await?;
    late.assert_booking(200, "in_progress");
    assert!(late.is_replay());
    let granted = timeline(&people.kim, &id).await?;
    assert_eq!(granted.iter().filter(|it| it["type"] == "approval.granted").count(), 1);
    Ok(())
}

#[tokio::test]
async fn every_post_needs_a_key() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    let json = ("content-type", "application/json");
    for (path, body) in [
        ("/bookings".to_owned(), fleet.request("tok_ok")),
        (format!("/bookings/{id}/cancel"), json!({})),
        (format!("/bookings/{id}/advance"), json!({"to": "on_the_way"})),
        (format!("/approvals/{id}/approve"), json!({})),
        (format!("/approvals/{id}/decline"), json!({})),
    ] {
        let post = |headers: Vec<(&'static str, String)>| {
            let (operator, path, body) = (&people.operator, &path, body.to_string());
            async move {
                let headers: Vec<_> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
                let headers = [&[json], &headers[..]].concat();
                operator.raw(Method::POST, path, &headers, body).await
            }
        };
        post(vec![]).await?.assert_problem(400, "idempotency_key_required");
        for bad in [String::new(), "a b".to_owned(), "x".repeat(256)] {
            let refused = post(vec![("idempotency-key", bad)]).await?;
            refused.assert_problem(400, "idempotency_key_invalid");
        }
        let two = ["a", "b"].map(|key| ("idempotency-key", key.to_owned()));
        post(two.to_vec()).await?.assert_problem(400, "idempotency_key_invalid");
    }
    assert_eq!(people.kim.booking(&id).await?["status"], "awaiting_approval");
    Ok(())
}
