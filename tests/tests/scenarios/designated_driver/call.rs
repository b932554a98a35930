//! designated-driver 1, 8 and 10: calling.

use std::collections::BTreeSet;

use bellhop_tests::{
    desk::{a_driver, booking_id, new_key},
    faults::Fault,
    stack::{Options, Stack, eventually},
};
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::{
    PROGRAM,
    staff::{Town, assignee, called},
    world::{People, bellhop, timeline, words},
};

/// designated-driver 1: gearbox, place, phone and cost are what a call names.
#[tokio::test]
async fn designated_driver_01_a_call_names_gearbox_place_phone_and_cost() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let call = town.call("designated-driver");
    let answer = people.kim.book(call.clone()).await?;
    answer.assert_booking(201, "dispatching");
    let booking = answer.body;
    assert_eq!(booking["options"], json!({"gearbox": "automatic"}));
    assert_eq!(booking["place"], call["place"]);
    assert_eq!(booking["customer"]["phone"], "+8210****5678");
    assert_eq!(booking["amount"], json!({"minor": 25_000, "currency": "KRW"}));
    assert_eq!(booking["payment"], json!({"status": "none", "captured": 0, "refunded": 0}));

    for (pointer, value) in [
        ("/options/gearbox", json!("cvt")),
        ("/options", json!({})),
        ("/place", Value::Null),
        ("/place/lat", json!(91)),
        ("/agreed_cost", Value::Null),
        ("/agreed_cost/minor", json!(4_999)),
        ("/agreed_cost/minor", json!(500_001)),
        ("/agreed_cost/currency", json!("EUR")),
        ("/customer/phone", json!("12")),
    ] {
        let mut wrong = call.clone();
        *wrong.pointer_mut(pointer).expect("a call has it") = value;
        let refused = people.kim.book(wrong).await?;
        refused.assert_problem(422, "invalid_booking");
        let violation = refused.body["violations"][0]["pointer"].as_str().unwrap_or_default();
        let is_there = pointer.starts_with(violation) || violation.starts_with(pointer);
        assert!(is_there && !violation.is_empty(), "{pointer}: {refused:?}");
    }
    Ok(())
}

/// designated-driver 8: the answer comes once the call is journalled, and does not wait for a driver.
#[tokio::test]
async fn designated_driver_08_a_call_is_acknowledged_once_it_is_journalled() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let key = new_key();
    let (call, id) = (town.call("designated-driver"), booking_id(&key)?);
    bellhop.faults().put(&id, "dispatch.claim", Fault::Refuse, 1_000)?;
    town.driver(100.0).await?;
    let answer = people.kim.post_as("/bookings", &key, call.clone()).await?;
    answer.assert_booking(201, "dispatching");
    assert_eq!(answer.body["status_text"]["ko"], "배정 중");
    let journal = timeline(&people.kim, &id).await?;
    assert_eq!(words(&journal, "type")[..2], ["booking.created", "booking.accepted"]);
    let again = people.kim.post_as("/bookings", &key, call.clone()).await?;
    again.assert_booking(201, "dispatching");
    assert!(again.is_replay() && again.id()? == id);
    bellhop.faults().lift(&id, "dispatch.claim");

    // What the desk has not journalled is not acknowledged, and not lost either.
    let key = new_key();
    let id = booking_id(&key)?;
    bellhop.faults().put(&id, "bookings.open", Fault::Refuse, 1_000)?;
    let answer = people.kim.post_within(1, "/bookings", &key, call.clone()).await?;
    answer.assert_booking(202, "pending");
    bellhop.faults().lift(&id, "bookings.open");
    people.kim.post_as("/bookings", &key, call).await?;
    people.kim.until(&id, &["dispatching", "confirmed"]).await?;
    Ok(())
}

/// designated-driver 10: who comes when too many are there hears "try again shortly", nothing of it
/// is kept, and the same call is good once there is room.
#[tokio::test]
async fn designated_driver_10_under_overload_nothing_half_done_is_left() -> anyhow::Result<()> {
    let settings = vec![("BELLHOP_MAX_IN_FLIGHT", "2".to_owned())];
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let keys: Vec<_> = (0..30).map(|_| new_key()).collect();
    let calls = keys.iter().map(|key| people.kim.post_as("/bookings", key, a_driver("automatic")));
    let answers = try_join_all(calls).await?;
    let (taken, refused): (Vec<_>, Vec<_>) =
        keys.iter().zip(answers).partition(|(_, answer)| answer.status == 201);
    assert!(!taken.is_empty() && !refused.is_empty(), "{} were taken", taken.len());
    for (key, answer) in &refused {
        answer.assert_problem(503, "overloaded");
        let path = format!("/bookings/{}", booking_id(key)?);
        people.kim.get(&path).await?.assert_problem(404, "not_found");
    }
    let listed = people.operator.get("/bookings?limit=100").await?;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(taken.len()));

    let (key, _) = &refused[0];
    let answer = people.kim.post_as("/bookings", key, a_driver("automatic")).await?;
    assert_eq!((answer.status, answer.is_replay()), (201, false), "{answer:?}");

    // Mapo has two drivers for an automatic gearbox: each has one of the calls that were taken.
    let served = eventually("both drivers have work", async || {
        let confirmed = people.operator.get("/bookings?limit=100&status=confirmed").await?.body;
        let confirmed = confirmed["items"].as_array().cloned().unwrap_or_default();
        Ok((confirmed.len() >= 2).then_some(confirmed))
    })
    .await?;
    let served: BTreeSet<_> = served.iter().map(assignee).collect();
    assert_eq!(served, BTreeSet::from(["drv_choi", "drv_park"]));
    bellhop.assert_invariants().await
}

/// designated-driver 8: a call that is repeated is one call.
#[tokio::test]
async fn designated_driver_08_a_call_that_is_repeated_is_one_call() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let (near, far) = (town.driver(10.0).await?, town.driver(20.0).await?);
    let (key, call) = (new_key(), town.call("designated-driver"));
    let calls = (0..5).map(|_| people.kim.post_as("/bookings", &key, call.clone()));
    for answer in try_join_all(calls).await? {
        assert_eq!((answer.status, answer.id()?), (201, booking_id(&key)?));
    }
    people.kim.until(&booking_id(&key)?, &["confirmed"]).await?;
    assert_eq!((town.is_busy(&near.id).await?, town.is_busy(&far.id).await?), (true, false));
    called(&people.lee, call).await?;
    Ok(())
}
