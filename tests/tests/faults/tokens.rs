//! A provider that is slow, silent, late or away, end to end: one charge at most, and the right end.

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{a_taxi, booking_id, new_key},
    stack::{Options, Stack, eventually},
};
use serde_json::{Value, json};

use crate::{
    PROGRAM,
    cancels::{impatient, nothing_is_kept},
    end::{End, ended, hears},
    services::variant,
    users::Users,
};

/// Lets the simulator's time pass.
async fn pass(stack: &Stack, millis: u32) -> anyhow::Result<()> {
    let time = json!({ "advance_ms": millis });
    stack.simulator(reqwest::Method::POST, "/control/clock", time).await?;
    Ok(())
}

/// Where a booking that nobody waits for stands.
async fn begin(stack: &Stack, request: Value, states: &[&str]) -> anyhow::Result<String> {
    let key = new_key();
    let booked = stack.desk("dev-customer").post_without_waiting(&key, request).await?;
    ensure!(matches!(booked.status, 201 | 202), "{booked:?}");
    let id = booking_id(&key)?;
    stack.desk("dev-operator").until(&id, states).await?;
    Ok(id)
}

#[tokio::test]
async fn slow_and_silent_providers_charge_once() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, impatient()?).await?;
    let (_sign, users) = Users::of(&stack);
    for token in ["tok_lost_answer", "tok_slow", "tok_late"] {
        let accepted = async {
            let key = new_key();
            let booked = users.post("dev-customer", "/bookings", &key, a_taxi(token)).await?;
            hears(&booked, 201, "awaiting_approval", "/status")?;
            let id = booked.id()?;
            let path = format!("/approvals/{id}/approve");
            let approved = users.post("dev-manager", &path, &new_key(), json!({})).await?;
            hears(&approved, 200, "confirmed", "/status")?;
            let path = format!("/bookings/{id}/cancel");
            let cancelled = users.post("dev-customer", &path, &new_key(), json!({})).await?;
            hears(&cancelled, 200, "cancelled", "/status")?;
            nothing_is_kept(&users, &id).await
        };
        accepted.await.context(token)?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

#[tokio::test]
async fn a_late_payment_of_a_cancelled_booking_is_lifted() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, impatient()?).await?;
    let (_sign, users) = Users::of(&stack);
    for token in ["tok_late", "tok_slow", "tok_unavailable"] {
        let cancelled = async {
            let id = begin(&stack, a_taxi(token), &["awaiting_payment"]).await?;
            let path = format!("/bookings/{id}/cancel");
            let cancelled = users.post("dev-customer", &path, &new_key(), json!({})).await?;
            hears(&cancelled, 200, "cancelled", "/status")?;
            nothing_is_kept(&users, &id).await
        };
        cancelled.await.context(token)?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

/// A taxi whose payment may wait, and whose hold does not wait long for it.
fn short_hold(lasts: &str) -> anyhow::Result<Options> {
    let taxi = [
        (r#"expires_after = "15m""#, format!(r#"expires_after = "{lasts}""#)),
        (r#"when_away = "refuse""#, r#"when_away = "wait""#.to_owned()),
    ];
    let replaced: Vec<_> = taxi.iter().map(|(from, to)| (*from, to.as_str())).collect();
    let services = vec![("call-taxi.toml", variant("call-taxi", &replaced)?)];
    Ok(Options { services, ..impatient()? })
}

/// A taxi of a grade of which there is one.
async fn the_only_one(stack: &Stack, token: &str) -> anyhow::Result<Value> {
    let taxi = json!({
        "company": "com_mapo", "grade": "only", "name": "the only taxi", "capacity": 1,
        "price": {"minor": 9_800, "currency": "KRW"},
    });
    let put = stack.desk("dev-manager").put("/taxis/taxi_only", taxi).await?;
    ensure!(matches!(put.status, 200 | 201), "{put:?}");
    let mut request = a_taxi(token);
    request["options"]["grade"] = json!("only");
    Ok(request)
}

#[tokio::test]
async fn a_hold_expires_and_its_place_is_free() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, short_hold("1500ms")?).await?;
    let (_sign, users) = Users::of(&stack);
    let customer = stack.desk("dev-customer");
    let unpaid = the_only_one(&stack, "tok_unavailable").await?;
    let id = begin(&stack, unpaid.clone(), &["awaiting_payment"]).await?;
    let rival = the_only_one(&stack, "tok_ok").await?;
    hears(&customer.book(rival.clone()).await?, 409, "sold_out", "/code")?;
    stack.desk("dev-operator").until(&id, &["expired"]).await?;
    eventually("the place is free", async || {
        let booked = customer.book(rival.clone()).await?;
        Ok((booked.status == 201).then_some(()))
    })
    .await?;
    let expired = End { status: "expired", payment: "none", captured: 0, refunded: 0 };
    expired.check(&users, &id).await?;
    stack.assert_invariants().await
}

#[tokio::test]
async fn a_payment_that_comes_after_its_hold_never_overbooks() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, short_hold("1500ms")?).await?;
    let (_sign, users) = Users::of(&stack);
    let customer = stack.desk("dev-customer");
    // It appears at the provider 3 s after it was sent: the hold is gone, and somebody has the place.
    let late = the_only_one(&stack, "tok_late").await?;
    let id = begin(&stack, late, &["awaiting_payment"]).await?;
    stack.desk("dev-operator").until(&id, &["expired"]).await?;
    let rival = the_only_one(&stack, "tok_ok").await?;
    let winner = eventually("the place is free", async || {
        let booked = customer.book(rival.clone()).await?;
        Ok((booked.status == 201).then_some(booked.id()?))
    })
    .await?;
    pass(&stack, 3_000).await?;
    ended(&users, &id).await?;
    let expired = End { status: "expired", payment: "voided", captured: 0, refunded: 0 };
    expired.check(&users, &id).await?;
    let pool = customer.get("/taxis/taxi_only").await?.body;
    assert_eq!((&pool["held"], &pool["free"]), (&json!(1), &json!(0)), "{pool:#}");
    let path = format!("/approvals/{winner}/approve");
    let approved = users.post("dev-manager", &path, &new_key(), json!({})).await?;
    hears(&approved, 200, "confirmed", "/status")?;
    stack.assert_invariants().await
}
