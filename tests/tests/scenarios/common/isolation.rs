//! common 13 and 14: a part that is down holds nobody up, and what it missed is caught up; each
//! message arrives once.

use bellhop_tests::{
    desk::new_key,
    stack::{Options, Stack, eventually},
};
use futures::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    PROGRAM,
    world::{
        Fleet, People, advance, approve, bellhop, calls, cancel, payments, sent, told, variant,
        words,
    },
};

const A_RIDE: [&str; 6] =
    ["awaiting_approval", "dispatching", "confirmed", "in_progress", "in_progress", "completed"];

/// common 13: with the messaging gateway down, silent or refusing, bookings go all their way; when
/// it is back the customer is told of everything.
#[tokio::test]
async fn common_13_bookings_go_on_without_the_messaging_gateway() -> anyhow::Result<()> {
    let settings = [("BELLHOP_PARTNER_TIMEOUT_MS", "300"), ("BELLHOP_BREAKER_PAUSE_MS", "300")];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 4).await?;
    let mut rides = vec![];
    for mode in ["unavailable", "hang"] {
        bellhop.partner("messages", mode).await?;
        let id = fleet.confirmed(&people.kim).await?;
        for stage in ["on_the_way", "riding", "completed"] {
            advance(&people.driver, &id, stage).await?;
        }
        assert_eq!(people.kim.booking(&id).await?["status"], "completed", "{mode}");
        assert_eq!(people.kim.booking(&id).await?["attention"], Value::Null, "{mode}");
        eventually("a message that was tried", async || {
            let messages = people.kim.get(&format!("/bookings/{id}/messages")).await?;
            let first = &messages.body["messages"][0];
            assert_ne!(first["status"], "delivered", "{mode}");
            Ok((first["status"] == "retrying").then_some(()))
        })
        .await?;
        rides.push(id);
    }
    assert!(calls(&bellhop, "messages.send").await? > 0);
    bellhop.partner("messages", "ok").await?;
    for id in &rides {
        told(&bellhop, id, &A_RIDE).await?;
        assert_eq!(words(&sent(&bellhop, id).await?, "template"), A_RIDE);
    }
    bellhop.assert_invariants().await
}

/// common 13: a service that may wait for its payment is booked while payments are away, and paid
/// when they are back.
#[tokio::test]
async fn common_13_what_may_wait_is_booked_without_the_payment_provider() -> anyhow::Result<()> {
    let settings = [
        ("BELLHOP_BREAKER_PAUSE_MS", "300"),
        ("BELLHOP_RETRY_AFTER_MS", "100"),
        ("BELLHOP_RETRY_AT_MOST_MS", "300"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let patient = variant("patient-taxi", &[("when_away = \"refuse\"", "when_away = \"wait\"")]);
    let services = vec![("patient-taxi.toml", patient)];
    let bellhop =
        Stack::start_with(PROGRAM, Options { settings, services, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 8).await?;
    let mut patient = fleet.request("tok_ok");
    patient["service"] = json!("patient-taxi");
    bellhop.partner("payments", "unavailable").await?;
    let mut taken = vec![];
    for _ in 0..8 {
        let answer = people.kim.post_within(0, "/bookings", &new_key(), patient.clone()).await?;
        assert_eq!(answer.status, 202, "{answer:?}");
        taken.push(answer.id()?);
        people.kim.until(&taken[taken.len() - 1], &["awaiting_payment"]).await?;
    }
    assert_eq!(fleet.stock().await?, (8, 0, 0));
    bellhop.partner("payments", "ok").await?;
    try_join_all(taken.iter().map(|id| people.kim.until(id, &["awaiting_approval"]))).await?;
    for id in &taken {
        assert_eq!(payments(&bellhop, id).await?.len(), 1);
        approve(&people.manager, id).await?;
    }
    assert_eq!(fleet.stock().await?, (0, 8, 0));
    bellhop.assert_invariants().await
}

/// common 14: however many change at once, each change reaches its customer once.
#[tokio::test]
async fn common_14_each_change_reaches_the_customer_once() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 8).await?;
    let ids = try_join_all((0..8).map(|_| fleet.reserve(&people.kim))).await?;
    try_join_all(ids.iter().map(|id| approve(&people.manager, id))).await?;
    // The same command again changes nothing, and tells nothing.
    let key = new_key();
    let cancelled = try_join_all(ids.iter().chain(&ids).map(|id| {
        let (path, key) = (format!("/bookings/{id}/cancel"), format!("{key}-{id}"));
        let kim = &people.kim;
        async move { kim.post_as(&path, &key, json!({"reason": "changed_plans"})).await }
    }));
    for answer in cancelled.await? {
        answer.assert_booking(200, "cancelled");
    }
    let states = ["awaiting_approval", "dispatching", "confirmed", "cancelling", "cancelled"];
    for id in &ids {
        told(&bellhop, id, &states).await?;
        assert_eq!(words(&sent(&bellhop, id).await?, "template"), states);
    }
    Ok(())
}

/// common 14: a gateway whose answer is lost is asked again under the same key, so that the message
/// arrives once; and the message says that this was so.
#[tokio::test]
async fn common_14_a_message_whose_answer_was_lost_arrives_once() -> anyhow::Result<()> {
    let settings = vec![("BELLHOP_PARTNER_TIMEOUT_MS", "300".to_owned())];
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let pause = json!({"partner": "messages", "operation": "send", "when": "after"});
    bellhop.simulator(Method::POST, "/control/pause", pause).await?;
    let id = fleet.reserve(&people.kim).await?;
    eventually("a message that may have been sent", async || {
        let messages = people.kim.get(&format!("/bookings/{id}/messages")).await?;
        Ok((messages.body["messages"][0]["maybe_sent_twice"] == true).then_some(()))
    })
    .await?;
    assert_eq!(sent(&bellhop, &id).await?.len(), 1, "it has arrived, unknown to us");
    bellhop.simulator(Method::POST, "/control/release", json!({})).await?;
    let messages = told(&bellhop, &id, &["awaiting_approval"]).await?;
    assert!(messages[0]["attempts"].as_u64() >= Some(2), "{messages:?}");
    cancel(&people.kim, &id).await?;
    let states = ["awaiting_approval", "cancelling", "cancelled"];
    told(&bellhop, &id, &states).await?;
    assert_eq!(words(&sent(&bellhop, &id).await?, "template"), states);
    bellhop.assert_invariants().await
}
