//! common 8: how much there is to do, and what fails, is told to those who scale and watch.

use std::collections::BTreeMap;

use anyhow::Context as _;
use bellhop_tests::stack::{Access, Options, Stack, eventually};
use serde_json::json;

use crate::{
    PROGRAM,
    world::{Fleet, People},
};

/// What has happened once a booking was made, and another looked for.
const DONE: [&str; 4] = [
    r#"bellhop_http_request_duration_seconds_count{method="POST",route="/v1/bookings",status="201"}"#,
    r#"bellhop_http_request_duration_seconds_count{method="GET",route="/v1/bookings/{id}",status="404"}"#,
    r#"bellhop_activity_duration_seconds_count{activity="bookings.open",outcome="done",way="inline"}"#,
    r#"bellhop_partner_call_duration_seconds_count{outcome="answered",partner="payments"}"#,
];

/// What nothing is of once that is over.
const IDLE: [&str; 6] = [
    r#"bellhop_partner_away{partner="payments"}"#,
    r#"bellhop_task_queue_backlog{kind="activity",queue="payments"}"#,
    r#"bellhop_task_queue_backlog{kind="workflow",queue="bookings"}"#,
    r#"bellhop_due{what="withdrawals"}"#,
    "bellhop_bookings_in_trouble",
    "bellhop_bookings_waiting",
];

/// common 8: what was done is counted by what it was, and what waits for workers by its queue.
#[tokio::test]
async fn common_08_what_is_done_waits_and_fails_is_measured() -> anyhow::Result<()> {
    let settings = [("BELLHOP_ATTENTION_AFTER_MS", "200"), ("BELLHOP_BREAKER_PAUSE_MS", "60000")];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let bellhop = Stack::start_with(PROGRAM, Options { settings, ..Options::default() }).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 5).await?;
    let id = people.kim.book(fleet.request("tok_ok")).await?.id()?;
    people.kim.get("/bookings/bk_none").await?.assert_problem(404, "not_found");

    let told = eventually("what is of all is told", async || {
        let told = scrape(&bellhop).await?;
        let is_idle = |metric: &&str| told.get(*metric) == Some(&0.0);
        Ok(IDLE.iter().all(is_idle).then_some(told))
    })
    .await?;
    for metric in DONE {
        assert!(told.get(metric) >= Some(&1.0), "{metric}: {told:#?}");
    }
    assert!(told.contains_key("process_resident_memory_bytes"), "{told:#?}");
    let names_nobody = |it: &&String| ["bk_", "cus_", "com_"].iter().all(|id| !it.contains(id));
    assert_eq!(told.keys().find(|it| !names_nobody(it)), None);

    bellhop.partner("payments", "unavailable").await?;
    people.kim.post_within(0, &format!("/bookings/{id}/cancel"), "cancel", json!({})).await?;
    eventually("one booking is in trouble", async || {
        let told = scrape(&bellhop).await?;
        Ok((told.get("bellhop_bookings_in_trouble") == Some(&1.0)).then_some(()))
    })
    .await?;
    bellhop.partner("payments", "ok").await
}

/// What Prometheus would read: each series with its value.
pub(super) async fn scrape(bellhop: &Access) -> anyhow::Result<BTreeMap<String, f64>> {
    let answer = bellhop.http.get(format!("{}/metrics", bellhop.api())).send().await?;
    let text = answer.error_for_status()?.text().await?;
    let lines = text.lines().filter(|it| !it.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').context("a series and its value")?;
            Ok((series.to_owned(), value.parse()?))
        })
        .collect()
}
