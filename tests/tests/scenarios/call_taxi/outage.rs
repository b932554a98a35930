//! call-taxi 14: with payments away, customers are held off and asked to retry.

use bellhop_tests::{
    desk::{booking_id, new_key},
    stack::{Options, Stack, eventually},
};
use futures::future::try_join_all;

use crate::{
    PROGRAM,
    world::{Fleet, People, payments},
};

/// call-taxi 14: who comes while payments are away hears so at once, and nothing is started; what
/// was taken before is paid when they are back.
#[tokio::test]
async fn call_taxi_14_with_payments_away_customers_are_asked_to_come_back() -> anyhow::Result<()> {
    let settings = [
        ("BELLHOP_BREAKER_PAUSE_MS", "1000"),
        ("BELLHOP_RETRY_AFTER_MS", "100"),
        ("BELLHOP_RETRY_AT_MOST_MS", "300"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 20).await?;
    let known = new_key();
    let before = people.kim.post_as("/bookings", &known, fleet.request("tok_ok")).await?.id()?;

    bellhop.partner("payments", "unavailable").await?;
    let mut taken = vec![];
    let last = loop {
        let key = new_key();
        let answer = people.kim.post_within(0, "/bookings", &key, fleet.request("tok_ok")).await?;
        if answer.status != 202 {
            answer.assert_problem(503, "payment_unavailable");
            break key;
        }
        taken.push(answer.id()?);
        assert!(taken.len() < 10, "it is never known that payments are away");
        let waits = people.kim.until(&answer.id()?, &["awaiting_payment"]).await?;
        assert_eq!(waits["payment"]["captured"], 0);
    };
    // Nothing of it was started: there is no such booking, here or with the engine.
    let id = booking_id(&last)?;
    people.kim.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    // What was booked before is answered as ever.
    let again = people.kim.post_as("/bookings", &known, fleet.request("tok_ok")).await?;
    again.assert_booking(201, "awaiting_approval");
    assert_eq!(again.id()?, before);

    bellhop.partner("payments", "ok").await?;
    let back = eventually("payments known to be back", async || {
        let answer = people.kim.post_as("/bookings", &last, fleet.request("tok_ok")).await?;
        Ok((answer.status != 503).then_some(answer))
    })
    .await?;
    back.assert_booking(201, "awaiting_approval");
    assert_eq!(back.id()?, id, "the same key is good");
    assert!(!taken.is_empty(), "some were taken before it was known");
    try_join_all(taken.iter().map(|id| people.kim.until(id, &["awaiting_approval"]))).await?;
    for id in taken.iter().chain([&before, &id]) {
        assert_eq!(payments(&bellhop, id).await?.len(), 1, "{id}");
    }
    let held = i64::try_from(taken.len())? + 2;
    assert_eq!(fleet.stock().await?, (held, 0, 20 - held));
    bellhop.assert_invariants().await
}
