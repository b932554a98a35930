//! A museum withdraws an exhibition that many have booked and paid, and everything is killed when half of
//! them have their money back: each gets it once, and nobody is forgotten.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bellhop_domain::id::OperationId;
use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    stack::{Access, Options, Stack, eventually},
};
use bellhop_workflows::withdrawal;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use crate::{
    PROGRAM, course::Course, end::hears, services::quick, sweep::OF_WITHDRAWALS, users::Users,
};

/// How many have booked.
const MANY: usize = 300;

const EXHIBITION: &str = "/exhibitions/exh_many";

#[tokio::test]
async fn a_withdrawal_that_is_killed_half_way_refunds_everybody_once() -> anyhow::Result<()> {
    let mut stack = Stack::start_with(PROGRAM, Options { keep_data: true, ..quick()? }).await?;
    let (sign, users) = Users::of(&stack);
    let exhibition = json!({
        "company": "com_mapo", "title": "many", "hall": "large", "capacity": MANY,
        "starts_at": "2099-01-01T10:00:00+09:00", "price": {"minor": 12_000, "currency": "KRW"},
    });
    let put = stack.desk("dev-manager").put(EXHIBITION, exhibition).await?;
    ensure!(put.status == 201, "{put:?}");
    let keys: Vec<_> = (0..MANY).map(|_| new_key()).collect();
    let booked = stream::iter(&keys).map(async |key| {
        let booked = users.post("dev-customer", "/bookings", key, visit()).await?;
        hears(&booked, 201, "confirmed", "/status")
    });
    booked.buffer_unordered(20).try_collect::<Vec<()>>().await?;

    let (began, key) = (Instant::now(), new_key());
    let begun = users.desk("dev-manager");
    let begun = begun.post_as(&format!("{EXHIBITION}/withdraw"), &key, json!({})).await?;
    ensure!(begun.status == 202, "{begun:?}");
    let path = format!("/operations/{}", begun.id()?);
    let operation = async || anyhow::Ok(users.get("dev-manager", &path).await?.body);
    eventually("half of them have ended", async || {
        let done = operation().await?["done"].as_u64().context("how many are done")?;
        ensure!(done < MANY as u64, "it was to be killed before");
        Ok((done >= MANY as u64 / 2).then_some(()))
    })
    .await?;
    let killed = Instant::now();
    stack.kill().await?;
    stack.restart().await?;
    sign.send_replace(Access::clone(&stack));
    let up = Instant::now();
    let over = eventually("the withdrawal is done", async || {
        let operation = operation().await?;
        Ok((operation["state"] == "done").then_some(operation))
    });
    let over = over.await?;
    eprintln!(
        "{MANY} bookings: killed after {:?}, back after {:?}, done {:?} later",
        killed - began,
        up - killed,
        up.elapsed()
    );
    assert_eq!((&over["total"], &over["done"]), (&json!(MANY), &json!(MANY)));

    // The provider's books: one payment each, refunded whole by one refund.
    let ledger = users.ledger().await?;
    let payments = ledger["payments"].as_array().context("the ledger has payments")?;
    assert_eq!(payments.len(), MANY);
    for key in &keys {
        let id = booking_id(key)?;
        let booking = users.get("dev-customer", &format!("/bookings/{id}")).await?.body;
        assert_eq!(booking["status"], "cancelled", "{id}");
        assert_eq!(booking["payment"]["refunded"], 12_000, "{id}");
        assert_eq!(booking["confirmation"]["status"], "cancelled", "{id}");
        let mut of_it = payments.iter().filter(|it| it["reference"] == id.as_str());
        let payment = of_it.next().with_context(|| format!("{id} was paid"))?;
        assert_eq!((&payment["captured"], &payment["refunded"]), (&json!(12_000), &json!(12_000)));
        let events = users.events(&id).await?;
        for once in ["booking.cancelling", "payment.settled", "hold.released", "booking.cancelled"]
        {
            assert_eq!(events.iter().filter(|it| *it == once).count(), 1, "{id}: {events:?}");
        }
    }
    let pool = users.get("dev-manager", EXHIBITION).await?.body;
    assert_eq!((&pool["held"], &pool["free"]), (&json!(0), &json!(MANY)));
    tokio::time::sleep(Duration::from_secs(1)).await; // what is given twice would come by now
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

/// Its activity is refused, or loses its answers: each visitor has their money back once.
#[tokio::test]
async fn a_withdrawal_whose_activity_fails_refunds_everybody_once() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    for fault in Fault::SURVIVED {
        for activity in OF_WITHDRAWALS {
            let ran = withdrawn_amid(&users, activity, fault).await;
            ran.with_context(|| format!("{activity} {fault:?}"))?;
        }
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

async fn withdrawn_amid(users: &Users, activity: &str, fault: Fault) -> anyhow::Result<()> {
    let (course, key) = (Course::UNVISITED, new_key());
    let ground = course.ground(&key);
    ground.lay(users, 3).await?;
    let request = ground.request(course.service);
    let mut bookings = vec![];
    for _ in 0..3 {
        bookings.push(users.desk("dev-customer").book(request.clone()).await?.id()?);
    }
    let operation = OperationId::from_key(&"mgr_dev".parse()?, &key);
    let workflow = withdrawal::workflow_id(&operation);
    users.access().faults().put(&workflow, activity, fault, 2)?;
    let exhibition = request["exhibition_id"].as_str().context("a visit has one")?;
    let path = format!("/exhibitions/{exhibition}/withdraw");
    let begun = users.desk("dev-manager").post_as(&path, &key, json!({})).await?;
    ensure!(begun.id()? == operation.to_string(), "it goes by its key: {begun:?}");
    let path = format!("/operations/{operation}");
    let over = eventually("the withdrawal is done", async || {
        let operation = users.get("dev-manager", &path).await?.body;
        Ok((operation["state"] == "done").then_some(operation))
    });
    let over = over.await?;
    ensure!((&over["total"], &over["done"]) == (&json!(3), &json!(3)), "{over:#}");
    ensure!(users.access().faults().fired(&workflow, activity) == 2, "it was to happen twice");
    for id in bookings {
        course.end.check(users, &id).await?;
        let events = users.events(&id).await?;
        let begun = events.iter().filter(|it| *it == "booking.cancelling").count();
        ensure!(begun == 1, "{id} is cancelled once: {events:?}");
    }
    ground.is_left(users, 0).await
}

/// A visit that is paid up front.
fn visit() -> Value {
    json!({
        "service": "exhibition",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "exhibition_id": "exh_many",
        "quantity": 1,
        "payment": {"token": "tok_ok"},
    })
}
