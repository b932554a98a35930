//! home-cleaning 5: with payments away a request for a cleaning fails clearly, and nothing is kept but
//! the journal of what was refused.

use bellhop_tests::{
    desk::{Answer, booking_id, new_key},
    stack::{Options, Stack, eventually},
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    PROGRAM,
    world::{HOME_CLEANING, People, a_cleaning, changed, entries, pages, payments},
};

const KIMS: &str = "/customers/cus_kim/payment-methods";

fn storing(token: &str) -> Value {
    a_cleaning(json!({"kind": "credit", "token": token, "store": true}))
}

/// Little patience with the provider, and a service that has as little.
fn hurried() -> Options {
    let settings = [
        ("BELLHOP_PARTNER_INLINE_TIMEOUT_MS", "300"),
        ("BELLHOP_PARTNER_TIMEOUT_MS", "500"),
        ("BELLHOP_BREAKER_PAUSE_MS", "500"),
        ("BELLHOP_RETRY_AFTER_MS", "100"),
        ("BELLHOP_RETRY_AT_MOST_MS", "300"),
    ];
    let short = changed(HOME_CLEANING, &[("within = \"4s\"", "within = \"1s\"")]);
    Options {
        settings: settings.map(|(name, value)| (name, value.to_owned())).to_vec(),
        services: vec![("home-cleaning.toml", short)],
        ..Options::default()
    }
}

/// home-cleaning 5: with the provider failing a request hears so in the time that the service has for
/// it, later ones at once; nothing is stored, nothing charged, and afterwards it works.
#[tokio::test]
async fn home_cleaning_05_with_payments_away_nothing_is_kept() -> anyhow::Result<()> {
    let bellhop = Stack::start_with(PROGRAM, hurried()).await?;
    let people = People::of(&bellhop);
    bellhop.partner("payments", "unavailable").await?;

    // Nobody knows yet that it is away: the request waits, and is refused.
    let key = new_key();
    let refused = people.kim.post_as("/bookings", &key, storing("tok_ok")).await?;
    refused.assert_problem(503, "payment_unavailable");
    let id = refused.id()?;
    let detail = refused.body["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("nothing was charged") && detail.contains("new key"), "{detail}");
    let booking = people.kim.booking(&id).await?;
    assert_eq!(
        (&booking["status"], &booking["code"]),
        (&json!("rejected"), &json!("payment_unavailable"))
    );
    assert_eq!(booking["payment"]["method_id"], Value::Null);
    let events = people.kim.events(&id).await?;
    assert_eq!(events.first().map(String::as_str), Some("booking.created"));
    assert!(events.iter().any(|it| it == "booking.rejected"), "its journal is kept: {events:?}");

    // Once it is known, nothing is started at all.
    let last = known_to_be_away(&people, "tok_ok").await?;
    let nothing = format!("/bookings/{}", booking_id(&last)?);
    people.kim.get(&nothing).await?.assert_problem(404, "not_found");
    assert!(pages(&people.kim, KIMS, 50).await?.is_empty(), "no method is stored");
    // A method alone charges nothing, so it can be stored all the same.
    let alone = people
        .lee
        .post("/customers/cus_lee/payment-methods", json!({"kind": "credit", "token": "tok_ok"}));
    assert_eq!(alone.await?.status, 201);

    bellhop.partner("payments", "ok").await?;
    let back = eventually("payments that are back", async || {
        let answer = people.kim.book(storing("tok_ok")).await?;
        Ok((answer.status != 503).then_some(answer))
    });
    let back = back.await?;
    back.assert_booking(201, "dispatching");
    let stored = pages(&people.kim, KIMS, 50).await?;
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["id"], back.body["payment"]["method_id"]);
    // The refused request stays refused under its key.
    let again = people.kim.post_as("/bookings", &key, storing("tok_ok")).await?;
    again.assert_problem(503, "payment_unavailable");
    assert!(again.is_replay() && again.id()? == id);
    assert!(payments(&bellhop, &id).await?.is_empty());
    assert_eq!(payments(&bellhop, &back.id()?).await?.len(), 1);
    bellhop.assert_invariants().await
}

/// home-cleaning 5: a charge that goes through after the request was refused is given back.
#[tokio::test]
async fn home_cleaning_05_a_charge_that_comes_too_late_is_given_back() -> anyhow::Result<()> {
    let bellhop = Stack::start_with(PROGRAM, hurried()).await?;
    let people = People::of(&bellhop);
    // The provider charges, and tells of it only when its clock has gone on.
    let refused = people.kim.book(storing("tok_late")).await?;
    refused.assert_problem(503, "payment_unavailable");
    let id = refused.id()?;
    assert!(pages(&people.kim, KIMS, 50).await?.is_empty());
    bellhop.simulator(Method::POST, "/control/clock", json!({"advance_ms": 3_000})).await?;
    let net = eventually("the charge is given back", async || {
        let found = entries(&bellhop, "payments", &id).await?;
        let net = found.first().map(|it| (it["captured"].as_i64(), it["refunded"].as_i64()));
        Ok(net.filter(|(captured, refunded)| captured == refunded))
    });
    assert_eq!(net.await?, (Some(60_000), Some(60_000)), "it did go through");
    bellhop.settled(&id).await?;
    assert!(pages(&people.kim, KIMS, 50).await?.is_empty(), "and is not stored");
    assert_eq!(people.kim.booking(&id).await?["status"], "rejected");
    bellhop.assert_invariants().await
}

/// Asks until nothing is started any more, and answers the key of the request that was not.
async fn known_to_be_away(people: &People, token: &str) -> anyhow::Result<String> {
    eventually("the provider known to be away", async || {
        let key = new_key();
        let answer: Answer = people.kim.post_as("/bookings", &key, storing(token)).await?;
        answer.assert_problem(503, "payment_unavailable");
        Ok(answer.body["booking_id"].is_null().then_some(key))
    })
    .await
}
