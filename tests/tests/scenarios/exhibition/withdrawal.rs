//! exhibition 9 and 10: a museum withdraws an exhibition, and all that goes with it.

use anyhow::Context as _;
use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
};
use futures::future::try_join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::hall::{Hall, done};
use crate::world::{OURS, advance, bellhop, cancel, payments, timeline};

/// exhibition 9: a museum withdraws its exhibition once, for good; nobody books it any more.
#[tokio::test]
async fn exhibition_09_a_museum_withdraws_an_exhibition() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 20).await?;
    hall.confirmed(&people.kim, hall.request(1)).await?;
    for desk in [&people.kim, &people.driver] {
        hall.withdraw(desk, &new_key()).await?.assert_problem(403, "forbidden");
    }
    let path = hall.path("/withdraw");
    let keyless = people.manager.raw(
        reqwest::Method::POST,
        &path,
        &[("content-type", "application/json")],
        "{}",
    );
    keyless.await?.assert_problem(400, "idempotency_key_required");
    let elsewhere = people.manager.post("/exhibitions/exh_none/withdraw", json!({})).await?;
    elsewhere.assert_problem(404, "not_found");
    assert_eq!(people.kim.get(&hall.path("")).await?.body["open"], true, "nothing has changed");

    let key = new_key();
    let begun = hall.withdraw(&people.manager, &key).await?;
    assert_eq!(begun.status, 202, "{begun:?}");
    let id = begun.id()?;
    assert_eq!(begun.headers.get("location"), Some(&format!("/v1/operations/{id}")));
    // From this moment on.
    people.lee.book(hall.request(1)).await?.assert_problem(409, "not_offered");
    let operation = done(&people.manager, &id).await?;
    for (member, value) in [
        ("kind", json!("withdrawal")),
        ("subject", json!(hall.id)),
        ("company", json!(OURS)),
        ("total", json!(1)),
        ("done", json!(1)),
        ("remaining", json!(0)),
        ("reason", json!("the roof leaks")),
    ] {
        assert_eq!(operation[member], value, "{member}");
    }
    assert_eq!(operation["actor"]["role"], "manager");

    let again = hall.withdraw(&people.manager, &key).await?;
    assert_eq!((again.status, again.id()?, again.is_replay()), (200, id.clone(), true));
    let other_key = hall.withdraw(&people.operator, &new_key()).await?;
    assert_eq!((other_key.status, other_key.id()?), (200, id.clone()), "it is withdrawn once");
    let other_body = people.manager.post_as(&path, &key, json!({})).await?;
    other_body.assert_problem(422, "idempotency_key_reused");
    let other = Hall::open(&bellhop, 0, 20).await?;
    other.withdraw(&people.manager, &key).await?.assert_problem(422, "idempotency_key_reused");
    assert_eq!(people.kim.get(&other.path("")).await?.body["open"], true);

    // Nothing opens it again.
    hall.put(&people.manager, hall.offer(0, 20)).await?.assert_problem(409, "withdrawn");
    let shown = people.kim.get(&hall.path("")).await?.body;
    assert_eq!((&shown["open"], shown["withdrawn_at"].is_string()), (&json!(false), true));
    Ok(())
}

/// exhibition 10: every booking of it is cancelled by the museum, the confirmations too, and the money
/// goes back in full, also where the visitor would have got half.
#[tokio::test]
async fn exhibition_10_every_booking_is_cancelled_and_refunded_in_full() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::starting(&bellhop, SignedDuration::from_hours(2), 12_000, 40).await?;
    let other = Hall::open(&bellhop, 12_000, 20).await?;
    let spared = other.confirmed(&people.kim, other.paid(1, "tok_ok")).await?;
    let admitted = hall.confirmed(&people.lee, hall.paid(1, "tok_ok")).await?;
    let admitted = admitted["id"].as_str().unwrap_or_default();
    advance(&people.manager, admitted, "completed").await?.assert_booking(200, "completed");
    let visitors = [&people.kim, &people.lee].into_iter().cycle().take(10);
    let bookings = try_join_all(visitors.enumerate().map(async |(number, desk)| {
        let is_paid = number % 3 != 0;
        let request = if is_paid { hall.paid(2, "tok_ok") } else { hall.request(2) };
        hall.confirmed(desk, request).await
    }))
    .await?;
    let waiting = new_key();
    bellhop.faults().put(&booking_id(&waiting)?, "dispatch.confirm", Fault::Refuse, 1_000)?;
    let waiting = people.kim.post_as("/bookings", &waiting, hall.paid(1, "tok_ok")).await?.id()?;
    let gone = hall.confirmed(&people.kim, hall.paid(1, "tok_ok")).await?;
    let gone = gone["id"].as_str().unwrap_or_default();
    let half = cancel(&people.kim, gone).await?;
    assert_eq!(half.body["payment"]["refunded"], 6_000, "by the policy of the last day");

    let operation = hall.withdrawn(&people.manager).await?;
    assert_eq!((&operation["total"], &operation["done"]), (&json!(11), &json!(11)));
    for booking in &bookings {
        let id = booking["id"].as_str().context("an id")?;
        let after = people.operator.booking(id).await?;
        assert_eq!(after["status"], "cancelled");
        assert_eq!(after["confirmation"]["status"], "cancelled");
        assert_eq!(after["confirmation"]["number"], booking["confirmation"]["number"]);
        let paid = booking["payment"]["captured"].as_i64().unwrap_or(0);
        assert_eq!(after["payment"]["refunded"], paid, "in full");
        let at_provider = payments(&bellhop, id).await?;
        assert_eq!(at_provider.len(), usize::from(paid > 0));
        assert!(at_provider.iter().all(|it| it["status"] == "refunded"), "{at_provider:?}");
        let events = timeline(&people.operator, id).await?;
        let cancelling: Vec<&Value> =
            events.iter().filter(|it| it["type"] == "booking.cancelling").collect();
        assert_eq!(cancelling.len(), 1, "once: {events:#?}");
        assert_eq!(cancelling[0]["actor"]["role"], "manager", "by the museum");
        assert_eq!(cancelling[0]["reason"], "the roof leaks");
    }
    let after = people.kim.booking(&waiting).await?;
    assert_eq!((&after["status"], &after["confirmation"]), (&json!("cancelled"), &Value::Null));
    assert_eq!(after["payment"]["refunded"], 12_000);
    // What was over before stays as it was, and so does every other exhibition.
    assert_eq!(people.kim.booking(gone).await?["payment"]["refunded"], 6_000);
    assert_eq!(people.lee.booking(admitted).await?["status"], "completed");
    let spared = spared["id"].as_str().context("an id")?;
    assert_eq!(people.kim.booking(spared).await?["status"], "confirmed");
    assert_eq!(hall.places().await?, (0, 1, 39), "all places are back but the used one");
    Ok(())
}

/// exhibition 10: bookings that are made while it is withdrawn are cancelled, or were refused.
#[tokio::test]
async fn exhibition_10_nobody_slips_in_while_it_is_withdrawn() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 100).await?;
    let booking = try_join_all((0..30).map(async |number| {
        tokio::time::sleep(std::time::Duration::from_millis(20 * number)).await;
        people.kim.book(hall.paid(1, "tok_ok")).await
    }));
    let withdrawing = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        hall.withdrawn(&people.manager).await
    };
    let (answers, operation) = futures::future::try_join(booking, withdrawing).await?;
    let mut cancelled = 0;
    for answer in &answers {
        if answer.status == 409 {
            continue;
        }
        assert_eq!(answer.status, 201, "{answer:?}");
        people.kim.until(&answer.id()?, &["cancelled"]).await?;
        cancelled += 1;
    }
    assert!(cancelled > 0, "some were there before");
    assert_eq!((&operation["total"], &operation["remaining"]), (&json!(cancelled), &json!(0)));
    assert_eq!(hall.places().await?, (0, 0, 100));
    for answer in answers.iter().filter(|it| it.status == 201) {
        let paid = payments(&bellhop, &answer.id()?).await?;
        assert!(paid.iter().all(|it| it["status"] != "captured"), "{paid:?}");
    }
    bellhop.assert_invariants().await
}
