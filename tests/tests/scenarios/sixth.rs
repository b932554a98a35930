//! A sixth service is a file: a kennel, described by `tests/services/kennel.toml` alone, booked end to
//! end. It prices by tariff, holds from a pool of its own kind, is approved by the time that passes,
//! asks staff of its own kind, and keeps a fee.

use bellhop_tests::{
    desk::{Desk, new_key},
    stack::{Options, Stack, eventually},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::PROGRAM;

const KENNEL: &str = include_str!("../../services/kennel.toml");

/// A kennel with two boxes for small dogs and somebody who walks them; approvals lapse soon.
async fn kennel() -> anyhow::Result<(Stack, Desk)> {
    let hasty = KENNEL.replace(r#"deadline = "12h""#, r#"deadline = "300ms""#);
    assert_ne!(hasty, KENNEL);
    let services = vec![("kennel.toml", hasty)];
    let stack = Stack::start_with(PROGRAM, Options { services, ..Options::default() }).await?;
    let operator = stack.desk("dev-operator");
    let boxes = json!({
        "kind": "box", "company": "com_mapo", "variant": "small", "name": "Small boxes",
        "price": {"minor": 0, "currency": "KRW"}, "capacity": 2,
    });
    assert_eq!(operator.put("/pools/box_small", boxes).await?.status, 201);
    let walker = json!({
        "kind": "walker", "company": "com_mapo", "name": "Lim", "phone": "010-9999-0001",
        "skills": ["small"],
    });
    assert_eq!(operator.put("/staff/wlk_lim", walker).await?.status, 201);
    let place = json!({"lat": 37.5570, "lon": 126.9240});
    assert_eq!(operator.put("/staff/wlk_lim/location", place).await?.status, 200);
    assert_eq!(is_walking(&operator, true).await?, 200);
    Ok((stack, operator))
}

async fn is_walking(operator: &Desk, available: bool) -> anyhow::Result<u16> {
    let body = json!({ "available": available });
    Ok(operator.put("/staff/wlk_lim/availability", body).await?.status)
}

fn a_stay() -> Value {
    json!({
        "service": "kennel",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "options": {"size": "small"},
        "starts_at": Timestamp::now() + SignedDuration::from_hours(24 * 10),
        "place": {"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236},
        "payment": {"token": "tok_ok"},
    })
}

/// The offer to the walker, once they are asked.
async fn offer(operator: &Desk, id: &str) -> anyhow::Result<String> {
    eventually("the walker is asked", async || {
        Ok(operator.booking(id).await?["offer"]["id"].as_str().map(str::to_owned))
    })
    .await
}

async fn free_boxes(operator: &Desk) -> anyhow::Result<Value> {
    Ok(operator.get("/pools/box_small").await?.body["free"].clone())
}

#[tokio::test]
async fn a_sixth_service_is_a_file() -> anyhow::Result<()> {
    let (bellhop, operator) = kennel().await?;
    let customer = bellhop.desk("dev-customer");

    // Served from the call to its end.
    let booked = customer.book(a_stay()).await?;
    booked.assert_booking(201, "awaiting_approval");
    let id = booked.id()?;
    assert_eq!(booked.body["amount"], json!({"minor": 30_000, "currency": "KRW"}));
    assert_eq!(free_boxes(&operator).await?, 1);
    let asked = offer(&operator, &id).await?; // nobody approved: the time did
    let accepted = operator.post(&format!("/offers/{asked}/accept"), json!({})).await?;
    accepted.assert_booking(200, "confirmed");
    assert_eq!(accepted.body["payment"]["captured"], 30_000);
    for stage in ["checked_in", "walked", "completed"] {
        let path = format!("/bookings/{id}/advance");
        let reached = operator.post(&path, json!({ "to": stage })).await?;
        assert_eq!(reached.status, 200, "{reached:?}");
    }
    customer.until(&id, &["completed"]).await?;

    // Cancelled in time, with the fee that the quote has told.
    let id = customer.book(a_stay()).await?.id()?;
    let quote = customer.get(&format!("/bookings/{id}/cancellation-quote")).await?.body;
    let reason = json!({"reason": "changed_plans", "quote_id": quote["id"]});
    let cancelled = customer.post(&format!("/bookings/{id}/cancel"), reason).await?;
    cancelled.assert_booking(200, "cancelled");
    let payment = &cancelled.body["payment"];
    let kept = payment["captured"].as_i64().zip(payment["refunded"].as_i64());
    assert_eq!(kept.map(|(captured, refunded)| captured - refunded), Some(2_000), "{payment}");

    // Nobody walks: what was held and paid goes back.
    assert_eq!(is_walking(&operator, false).await?, 200);
    let id = customer.book(a_stay()).await?.id()?;
    let ended = customer.until(&id, &["unfulfilled"]).await?;
    assert_eq!(ended["code"], "nobody_free");
    bellhop.settled(&id).await?;
    eventually("both boxes are free", async || {
        Ok((free_boxes(&operator).await? == 2).then_some(()))
    })
    .await?;
    bellhop.assert_invariants().await?;
    bellhop.judge_remains().await
}

#[tokio::test]
async fn a_sixth_service_refuses_what_does_not_fit_it() -> anyhow::Result<()> {
    let (bellhop, _operator) = kennel().await?;
    let customer = bellhop.desk("dev-customer");
    let refused = async |change: &dyn Fn(&mut Value), pointer: &str| -> anyhow::Result<()> {
        let mut stay = a_stay();
        change(&mut stay);
        let answer = customer.post_as("/bookings", &new_key(), stay).await?;
        answer.assert_problem(422, "invalid_booking");
        let violations = answer.body["violations"].as_array().cloned().unwrap_or_default();
        assert!(violations.iter().any(|it| it["pointer"] == pointer), "{pointer}: {answer:?}");
        Ok(())
    };
    refused(&|it| it["options"] = json!({"size": "huge"}), "/options/size").await?;
    refused(&|it| it["quantity"] = json!(4), "/quantity").await?;
    refused(&|it| it["starts_at"] = json!(Timestamp::now()), "/starts_at").await?;
    refused(&|it| it["agreed_cost"] = json!({"minor": 1, "currency": "KRW"}), "/agreed_cost").await
}
