//! call-taxi 2: no reservation without payment.

use bellhop_tests::{
    desk::{Answer, new_key},
    stack::{Options, Stack, eventually},
};
use reqwest::Method;
use serde_json::json;

use crate::{
    PROGRAM,
    world::{self, Fleet, People, approve, bellhop, cancel, entries, payments, variant},
};

/// call-taxi 2: the answer to the reservation says that it is paid, and so does the provider.
#[tokio::test]
async fn call_taxi_02_who_reserves_hears_that_it_is_paid() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let answer = people.kim.book(fleet.request("tok_ok")).await?;
    answer.assert_booking(201, "awaiting_approval");
    let paid = json!({"status": "authorized", "captured": 0, "refunded": 0});
    assert_eq!(answer.body["payment"], paid);
    let payments = payments(&bellhop, &answer.id()?).await?;
    assert_eq!(payments.len(), 1);
    assert_eq!(
        (&payments[0]["status"], &payments[0]["captured"]),
        (&json!("authorized"), &json!(0))
    );
    assert_eq!(payments[0]["amount"], json!({"minor": 9_800, "currency": "KRW"}));
    Ok(())
}

/// call-taxi 2: a declined payment reserves nothing.
#[tokio::test]
async fn call_taxi_02_a_declined_payment_reserves_nothing() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let refused = people.kim.book(fleet.request("tok_declined")).await?;
    refused.assert_problem(402, "payment_declined");
    let id = refused.id()?;
    let booking = people.kim.booking(&id).await?;
    assert_eq!(
        (&booking["status"], &booking["code"]),
        (&json!("rejected"), &json!("payment_declined"))
    );
    assert_eq!(booking["payment"], json!({"status": "declined", "captured": 0, "refunded": 0}));
    fleet.until_stock((0, 0, 1)).await?;
    assert!(payments(&bellhop, &id).await?.is_empty());
    assert_eq!(entries(&bellhop, "declines", &id).await?.len(), 1, "it was asked once");
    // The place that it did not get is the next one's.
    fleet.reserve(&people.lee).await?;
    Ok(())
}

/// call-taxi 2: whatever becomes of the provider's answer, there is one payment, and the booking
/// is reserved once it is known, not before.
#[tokio::test]
async fn call_taxi_02_a_payment_without_an_answer_is_found_and_paid_once() -> anyhow::Result<()> {
    let bellhop = Stack::start_with(PROGRAM, hurried()).await?;
    let people = People::of(&bellhop);
    for token in ["tok_lost_answer", "tok_slow", "tok_late"] {
        let fleet = Fleet::ours(&bellhop, 1).await?;
        let answer = unless_away(async || {
            let request = fleet.request(token);
            people.kim.post_within(0, "/bookings", &new_key(), request).await
        });
        let id = answer.await?.id()?;
        if token != "tok_lost_answer" {
            // The provider's clock stands at three seconds before it tells.
            let waits = people.kim.until(&id, &["awaiting_payment"]).await?;
            assert_eq!(waits["payment"]["captured"], 0, "{token}");
            let early = people.manager.post(&format!("/approvals/{id}/approve"), json!({})).await?;
            early.assert_problem(409, "not_allowed");
            let clock = json!({"advance_ms": 3_000});
            bellhop.simulator(Method::POST, "/control/clock", clock).await?;
        }
        let booking = people.kim.until(&id, &["awaiting_approval"]).await?;
        assert_eq!(booking["payment"]["status"], "authorized", "{token}");
        assert_eq!(payments(&bellhop, &id).await?.len(), 1, "{token}");
        approve(&people.manager, &id).await?;
        let payments = payments(&bellhop, &id).await?;
        assert_eq!(payments.len(), 1, "{token}");
        assert_eq!(payments[0]["captured"], 9_800, "{token}");
    }
    bellhop.assert_invariants().await
}

/// call-taxi 2: a reservation that cannot be paid for ends when its hold does, or with a cancel.
#[tokio::test]
async fn call_taxi_02_what_is_not_paid_is_given_back() -> anyhow::Result<()> {
    let bellhop = Stack::start_with(PROGRAM, hurried()).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let mut short = fleet.request("tok_unavailable");
    short["service"] = json!("short-taxi");
    let expired = people.kim.book(short).await?;
    expired.assert_problem(409, "hold_expired");
    let id = expired.id()?;
    assert_eq!(people.kim.booking(&id).await?["status"], "expired");
    fleet.until_stock((0, 0, 1)).await?;
    assert!(payments(&bellhop, &id).await?.is_empty());

    let key = new_key();
    let answer = unless_away(async || {
        people.kim.post_within(0, "/bookings", &key, fleet.request("tok_unavailable")).await
    });
    let id = answer.await?.id()?;
    people.kim.until(&id, &["awaiting_payment"]).await?;
    assert_eq!(fleet.stock().await?, (1, 0, 0));
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    assert_eq!(fleet.stock().await?, (0, 0, 1));
    assert!(payments(&bellhop, &id).await?.is_empty());
    bellhop.assert_invariants().await
}

/// Little patience with the provider, and a service whose holds are short.
fn hurried() -> Options {
    let short = variant("short-taxi", &[("expires_after = \"15m\"", "expires_after = \"1s\"")]);
    Options {
        settings: [
            ("BELLHOP_PARTNER_INLINE_TIMEOUT_MS", "300"),
            ("BELLHOP_PARTNER_TIMEOUT_MS", "1000"),
            ("BELLHOP_BREAKER_PAUSE_MS", "200"),
            ("BELLHOP_RETRY_AFTER_MS", "100"),
            ("BELLHOP_RETRY_AT_MOST_MS", "500"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec(),
        services: world::services().into_iter().chain([("short-taxi.toml", short)]).collect(),
        ..Options::default()
    }
}

/// Books until it is not put off: a provider that does not answer is soon known to be away.
async fn unless_away<F>(book: impl Fn() -> F) -> anyhow::Result<Answer>
where
    F: Future<Output = anyhow::Result<Answer>>,
{
    eventually("a booking that is taken", async || {
        let answer = book().await?;
        Ok((answer.status != 503).then_some(answer))
    })
    .await
}
