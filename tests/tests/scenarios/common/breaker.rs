//! common 7: a partner that fails or says nothing is not called.

use bellhop_tests::{
    desk::new_key,
    stack::{Options, Stack},
};
use futures::future::try_join_all;

use crate::{
    PROGRAM,
    world::{Fleet, People, calls},
};

/// common 7: once a failing provider is known to be so, it is not called, however many come, and
/// each hears when to come back.
#[tokio::test]
async fn common_07_a_failing_partner_is_not_called() -> anyhow::Result<()> {
    nobody_calls("unavailable").await
}

/// common 7: the same with one that says nothing.
#[tokio::test]
async fn common_07_a_slow_partner_is_not_called() -> anyhow::Result<()> {
    nobody_calls("hang").await
}

async fn nobody_calls(mode: &str) -> anyhow::Result<()> {
    let settings = [
        ("BELLHOP_PARTNER_INLINE_TIMEOUT_MS", "200"),
        ("BELLHOP_PARTNER_TIMEOUT_MS", "200"),
        ("BELLHOP_RETRY_AFTER_MS", "50"),
        ("BELLHOP_RETRY_AT_MOST_MS", "50"),
        // Longer than the test: who is away stays away.
        ("BELLHOP_BREAKER_PAUSE_MS", "3600000"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 50).await?;
    bellhop.partner("payments", mode).await?;
    let mut taken = 0;
    let refused = loop {
        let answer =
            people.kim.post_within(0, "/bookings", &new_key(), fleet.request("tok_ok")).await?;
        if answer.status != 202 {
            break answer;
        }
        taken += 1;
        people.kim.until(&answer.id()?, &["awaiting_payment"]).await?;
    };
    assert!(taken > 0, "nobody knew at first");
    refused.assert_problem(503, "payment_unavailable");
    assert_eq!(refused.headers["retry-after"], "5");

    let asked = async || {
        let sent = calls(&bellhop, "payments.authorize").await?;
        anyhow::Ok((sent, calls(&bellhop, "payments.find").await?))
    };
    let before = asked().await?;
    let crowd = (0..20).map(|_| people.lee.book(fleet.request("tok_ok")));
    for answer in try_join_all(crowd).await? {
        answer.assert_problem(503, "payment_unavailable");
    }
    assert_eq!(asked().await?, before, "the provider was left alone");
    assert_eq!(fleet.stock().await?, (taken, 0, 50 - taken), "nothing half-done is left");
    Ok(())
}
