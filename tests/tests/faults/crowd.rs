//! Many at once: the same request many times, and more customers than taxis.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{Desk, a_taxi, booking_id, new_key},
    stack::Stack,
};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use serde_json::{Value, json};

use crate::{
    PROGRAM,
    cancels::nothing_is_kept,
    end::{ended, hears},
    services::quick,
    users::Users,
};

/// The payments of a booking at the provider.
async fn payments_of(users: &Users, id: &str) -> anyhow::Result<Vec<Value>> {
    let ledger = users.ledger().await?;
    let payments = ledger["payments"].as_array().context("the ledger has payments")?;
    Ok(payments.iter().filter(|it| it["reference"] == id).cloned().collect())
}

#[tokio::test]
async fn one_key_is_one_booking() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    let (customer, manager) = (stack.desk("dev-customer"), stack.desk("dev-manager"));

    let key = new_key();
    let asked = (0..50).map(|_| customer.post_as("/bookings", &key, a_taxi("tok_ok")));
    let answers = try_join_all(asked).await?;
    let id = booking_id(&key)?;
    for answer in &answers {
        hears(answer, 201, "awaiting_approval", "/status")?;
        ensure!(answer.id()? == id, "one booking: {answer:?}");
    }
    let is_first = |it: &&_| !headers(it).contains_key("idempotent-replayed");
    assert_eq!(answers.iter().filter(is_first).count(), 1, "one of them is no repeat");
    assert_eq!(payments_of(&users, &id).await?.len(), 1, "one charge");
    let other = customer.post_as("/bookings", &key, a_taxi("tok_declined")).await?;
    hears(&other, 422, "idempotency_key_reused", "/code")?;

    // The key is the caller's: the same of another is another booking, and another command.
    let lee = stack.desk("dev-customer-lee").post_as("/bookings", &key, a_taxi("tok_ok")).await?;
    ensure!(lee.status == 201 && lee.id()? != id, "another customer's: {lee:?}");
    let (approve, cancel) = (format!("/approvals/{id}/approve"), format!("/bookings/{id}/cancel"));
    let approved = (0..20).map(|_| manager.post_as(&approve, &key, json!({})));
    for answer in try_join_all(approved).await? {
        hears(&answer, 200, "confirmed", "/status")?;
    }
    let cancelled = (0..20).map(|_| customer.post_as(&cancel, &key, json!({})));
    for answer in try_join_all(cancelled).await? {
        hears(&answer, 200, "cancelled", "/status")?;
    }
    let reused = customer.post_as(&cancel, &key, json!({"reason": "another"})).await?;
    hears(&reused, 422, "idempotency_key_reused", "/code")?;
    nothing_is_kept(&users, &id).await?;
    let events = users.events(&id).await?;
    let distinct: BTreeSet<_> = events.iter().collect();
    assert_eq!(distinct.len(), events.len(), "each happened once: {events:?}");
    stack.assert_invariants().await
}

fn headers(answer: &bellhop_tests::desk::Answer) -> &BTreeMap<String, String> {
    &answer.headers
}

#[tokio::test]
async fn sixty_customers_and_twenty_taxis() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    let customer = stack.desk("dev-customer");
    let answers = try_join_all((0..60).map(|_| customer.book(a_taxi("tok_ok")))).await?;
    let (accepted, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert_eq!((accepted.len(), refused.len()), (20, 40));
    for answer in refused {
        hears(answer, 409, "sold_out", "/code")?;
        ensure!(payments_of(&users, &answer.id()?).await?.is_empty(), "nobody pays for nothing");
        ended(&users, &answer.id()?).await?;
    }
    let pool = customer.get("/taxis/taxi_mapo_prime").await?.body;
    assert_eq!((&pool["held"], &pool["free"]), (&json!(20), &json!(0)), "{pool:#}");
    // Each place that one gives back is one that another gets.
    let path = format!("/bookings/{}/cancel", accepted.first().context("one is accepted")?.id()?);
    hears(&customer.post(&path, json!({})).await?, 200, "cancelled", "/status")?;
    let answers = try_join_all((0..5).map(|_| customer.book(a_taxi("tok_ok")))).await?;
    assert_eq!(answers.iter().filter(|it| it.status == 201).count(), 1);
    for answer in &answers {
        if answer.status != 201 {
            ended(&users, &answer.id()?).await?;
        }
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

#[tokio::test]
async fn nobody_is_charged_for_what_is_sold_out() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    none_of(&stack.desk("dev-manager"), "none").await?;
    stack.partner("payments", "unavailable").await?;
    let mut taxi = a_taxi("tok_ok");
    taxi["options"]["grade"] = json!("none");
    let asked = stream::iter(0..200).map(async |_| {
        let answer = users.post("dev-customer", "/bookings", &new_key(), taxi.clone()).await?;
        hears(&answer, 409, "sold_out", "/code")?;
        ended(&users, &answer.id()?).await
    });
    asked.buffer_unordered(50).try_collect::<Vec<()>>().await?;
    let ledger = stack.ledger().await?;
    let calls = ledger["calls"].as_object().context("calls are counted")?;
    let called: Vec<_> =
        calls.iter().filter(|it| it.0.starts_with("payments.") && *it.1 != 0).collect();
    assert!(called.is_empty(), "nobody is to be called: {called:?}");
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

/// Registers a grade of taxi of which there is none.
async fn none_of(manager: &Desk, grade: &str) -> anyhow::Result<()> {
    let taxi = json!({
        "company": "com_mapo", "grade": grade, "name": "no taxi", "capacity": 0,
        "price": {"minor": 9_800, "currency": "KRW"},
    });
    let put = manager.put(&format!("/taxis/taxi_{grade}"), taxi).await?;
    ensure!(put.status == 201, "{put:?}");
    Ok(())
}
