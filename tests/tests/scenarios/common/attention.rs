//! common 13: what a part that is down holds up is seen, and caught up at a word.

use bellhop_tests::{
    desk::Desk,
    stack::{Options, Stack, eventually},
};
use reqwest::Method;
use serde_json::json;

use super::metrics::scrape;
use crate::{
    PROGRAM,
    world::{Fleet, People},
};

/// common 13: a refund that fails is listed for those whom it concerns, and is made at once when one of
/// them says so, not when its next try is due.
#[tokio::test]
async fn common_13_what_fails_is_listed_and_tried_again_at_a_word() -> anyhow::Result<()> {
    let settings = [
        ("BELLHOP_ATTENTION_AFTER_MS", "200"),
        // Longer than the test: without a word nothing is tried again.
        ("BELLHOP_RETRY_AFTER_MS", "3600000"),
        ("BELLHOP_RETRY_AT_MOST_MS", "3600000"),
        ("BELLHOP_BREAKER_PAUSE_MS", "1"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 5).await?;
    let id = people.kim.book(fleet.request("tok_ok")).await?.id()?;
    let path = format!("/attention/{id}/retry");
    let retry = async |desk: &Desk| desk.raw(Method::POST, &path, &[], "").await;
    retry(&people.manager).await?.assert_problem(409, "not_allowed");

    bellhop.partner("payments", "unavailable").await?;
    people.kim.post_within(0, &format!("/bookings/{id}/cancel"), "cancel", json!({})).await?;
    let listed = eventually("somebody should look at it", async || {
        let listed = people.manager.get("/attention").await?.body;
        Ok(listed["items"].as_array().filter(|it| !it.is_empty()).cloned())
    });
    let listed = listed.await?;
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &json!(id)));
    assert!(listed[0]["attention"]["cause"].is_string(), "{listed:?}");
    assert_eq!(people.operator.get("/attention").await?.body["items"][0]["id"], id);
    let elsewhere = people.operator.get("/attention?company=com_mapo").await?;
    assert_eq!(elsewhere.body["items"], json!([]));
    for (answer, code) in [
        (people.kim.get("/attention").await?, "forbidden"),
        (retry(&people.kim).await?, "forbidden"),
    ] {
        answer.assert_problem(403, code);
    }

    // From here on nothing happens by itself for an hour.
    let series = r#"_count{activity="payments.settle",outcome="not_done",way="queued"}"#;
    eventually("its first try on the queue has failed", async || {
        Ok(scrape(&bellhop).await?.keys().any(|it| it.ends_with(series)).then_some(()))
    })
    .await?;
    bellhop.partner("payments", "ok").await?;
    let retried = retry(&people.manager).await?;
    retried.assert_booking(202, "cancelling");
    people.kim.until(&id, &["cancelled"]).await?;
    assert_eq!(people.manager.get("/attention").await?.body["items"], json!([]));
    retry(&people.manager).await?.assert_problem(409, "not_allowed");
    bellhop.assert_invariants().await
}
