//! common 2 and 5: a timeline of who did what, when and why; and one entrance.

use anyhow::Context as _;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Fleet, advance, approve, bellhop, cancel, decline, knock, timeline, words};

/// common 2: each change is in the timeline with who, when and why, for everybody who may see it.
#[tokio::test]
async fn common_02_the_timeline_tells_who_did_what_and_when() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let began = Timestamp::now();
    let id = fleet.reserve(&people.kim).await?;
    approve(&people.manager, &id).await?;
    for stage in ["on_the_way", "riding", "completed"] {
        advance(&people.driver, &id, stage).await?;
    }
    let events = timeline(&people.kim, &id).await?;
    let told: Vec<_> = events
        .iter()
        .map(|it| {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let actor = &it["actor"];
            let who = format!("{} {}", word(&actor["role"]), word(&actor["id"]));
            (word(&it["type"]), who, word(&it["status"]))
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
    let (kim, manager, driver) = ("customer cus_kim", "manager mgr_dev", "driver drv_park");
    let us = "system bellhop";
    assert_eq!(
        told[..told.len().min(9)],
        [
            ("booking.created", kim, ""),
            ("hold.placed", us, ""),
            ("payment.authorized", us, "awaiting_approval"),
            ("approval.granted", manager, "dispatching"),
            ("payment.captured", us, ""),
            ("assignment.made", us, "confirmed"),
            ("stage.reached", driver, "in_progress"),
            ("stage.reached", driver, "in_progress"),
            ("booking.completed", driver, "completed"),
        ]
    );
    let numbers: Vec<_> = events.iter().filter_map(|it| it["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=u64::try_from(events.len())?).collect::<Vec<_>>(), "no gaps");
    let times = events.iter().map(|it| Ok(it["at"].as_str().context("a time")?.parse()?));
    let times = times.collect::<anyhow::Result<Vec<Timestamp>>>()?;
    assert!(times.is_sorted() && times[0] >= began && times[times.len() - 1] <= Timestamp::now());
    for desk in [&people.manager, &people.driver, &people.operator] {
        assert_eq!(timeline(desk, &id).await?, events, "all see the same");
    }
    // The view is what the events say.
    let booking = people.kim.booking(&id).await?;
    assert_eq!(booking["seq"], json!(events.len()));
    assert_eq!(booking["updated_at"], events[events.len() - 1]["at"]);
    Ok(())
}

/// common 2: an end that somebody decided says why.
#[tokio::test]
async fn common_02_the_timeline_tells_why() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    let (cancelled, declined) =
        (fleet.reserve(&people.kim).await?, fleet.reserve(&people.kim).await?);
    cancel(&people.kim, &cancelled).await?;
    decline(&people.manager, &declined).await?;
    let refused = people.kim.book(fleet.request("tok_declined")).await?.id()?;
    for (id, event, member, why) in [
        (&cancelled, "booking.cancelling", "reason", "changed_plans"),
        (&declined, "approval.declined", "reason", "no driver"),
        (&refused, "payment.declined", "code", "card_declined"),
        (&refused, "booking.rejected", "code", "payment_declined"),
    ] {
        let events = timeline(&people.kim, id).await?;
        let found = events.iter().find(|it| it["type"] == event).context(event)?;
        assert_eq!(found[member], why, "{found:#}");
    }
    Ok(())
}

/// common 5: everybody comes in by the same door, and finds nobody's own back door there.
#[tokio::test]
async fn common_05_one_entrance_serves_everybody() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let services = people.kim.get("/services").await?;
    let items = services.body["items"].as_array().cloned().unwrap_or_default();
    assert!(words(&items, "id").contains(&"call-taxi"));
    let service = people.kim.get("/services/call-taxi").await?;
    assert_eq!(service.body["quote"]["minimum"], 3_800);
    assert_eq!(
        words(service.body["stages"].as_array().context("stages")?, "id"),
        ["on_the_way", "riding"]
    );

    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    approve(&people.manager, &id).await?;
    advance(&people.driver, &id, "on_the_way").await?.assert_booking(200, "in_progress");
    for desk in [&people.kim, &people.manager, &people.driver, &people.operator] {
        assert_eq!(desk.booking(&id).await?["status"], "in_progress");
    }
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/", 404), ("/v2/bookings", 404)] {
        assert_eq!(knock(&bellhop, Method::GET, path).await?, status, "{path}");
    }
    // Parts behind the API are not to be had through it.
    for path in ["/payments", "/messages", "/control/ledger", "/v1/payments", "/api/v1/namespaces"]
    {
        assert_eq!(knock(&bellhop, Method::GET, path).await?, 404, "{path}");
    }
    // And everything below /v1 asks who is there.
    for path in [
        "/v1/services",
        "/v1/services/call-taxi",
        "/v1/bookings",
        "/v1/approvals",
        "/v1/taxis",
        "/v1/invariants",
        "/v1/customers/cus_kim/bookings",
        "/v1/customers/cus_kim/messages",
        &format!("/v1/bookings/{id}"),
        &format!("/v1/bookings/{id}/timeline"),
        &format!("/v1/bookings/{id}/messages"),
        &format!("/v1/bookings/{id}/cancellation-quote"),
        &format!("/v1/taxis/{}", fleet.id),
    ] {
        assert_eq!(knock(&bellhop, Method::GET, path).await?, 401, "{path}");
    }
    Ok(())
}
