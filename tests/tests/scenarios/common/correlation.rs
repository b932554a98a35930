//! common 3: one id follows a booking everywhere.

use bellhop_tests::{
    desk::{booking_id, new_key},
    history,
    stack::{Options, Stack, eventually},
};
use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use temporalio_common::protos::temporal::api::history::v1::history_event::Attributes;

use crate::{
    PROGRAM,
    world::{Fleet, People, approve, bellhop, cancel, payments, sent, told, words},
};

/// common 3: the booking's id is the engine's, the provider's and the gateway's reference, and the
/// keys of what they are asked for begin with it.
#[tokio::test]
async fn common_03_partners_and_engine_know_a_booking_by_its_id() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let (key, request_id) = (new_key(), format!("req.{}", new_key()));
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", key.as_str()),
        ("prefer", "wait=30"),
        ("x-request-id", request_id.as_str()),
    ];
    let body = fleet.request("tok_ok").to_string();
    let answer = people.kim.raw(Method::POST, "/bookings", &headers, body).await?;
    answer.assert_booking(201, "awaiting_approval");
    let id = answer.id()?;
    assert_eq!(id, booking_id(&key)?, "the caller and the key say the id");
    assert_eq!(answer.headers["x-request-id"], request_id);
    assert_eq!(answer.headers["location"], format!("/v1/bookings/{id}"));

    let payments = payments(&bellhop, &id).await?;
    assert_eq!(payments.len(), 1, "found by its reference");
    let payment_key = payments[0]["key"].as_str().unwrap_or_default();
    assert!(payment_key.starts_with(&format!("{id}/")), "{payment_key}");
    told(&bellhop, &id, &["awaiting_approval"]).await?;
    assert_eq!(sent(&bellhop, &id).await?.len(), 1, "found by its reference");

    // The engine's workflow has the booking's id, and remembers the request that began it.
    let engine = history::connect(bellhop.temporal()).await?;
    let history = history::of(&engine, &id).await?;
    let started = history.into_iter().find_map(|event| match event.attributes {
        Some(Attributes::WorkflowExecutionStartedEventAttributes(started)) => Some(started),
        _ => None,
    });
    let memo = started.and_then(|it| it.memo).unwrap_or_default();
    let remembered = memo.fields.get("request_id").map(|it| serde_json::from_slice(&it.data));
    assert_eq!(remembered.transpose()?, Some(Value::from(request_id)));
    Ok(())
}

/// common 3: a caller without an id gets one, and a problem says which booking it is about.
#[tokio::test]
async fn common_03_every_answer_has_an_id() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let refused = people.kim.book(fleet.request("tok_declined")).await?;
    refused.assert_problem(402, "payment_declined");
    assert!(refused.body["booking_id"].as_str().is_some_and(|it| it.starts_with("bk_")));
    let mut ids = vec![];
    for path in ["/services", "/bookings/none", "/nowhere", "/approvals"] {
        let answer = people.kim.get(path).await?;
        ids.push(answer.headers["x-request-id"].clone());
    }
    // One that cannot be passed on as it is is not passed on.
    let odd = people.kim.raw(Method::GET, "/services", &[("x-request-id", "a b\"c")], "").await?;
    assert_ne!(odd.headers["x-request-id"], "a b\"c");
    ids.push(odd.headers["x-request-id"].clone());
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each has its own");
    assert!(ids.iter().all(|it| it.len() == 32));
    Ok(())
}

/// common 3: so do the log lines, which tell no phone number and no payment token.
#[tokio::test]
async fn common_03_log_lines_name_the_booking_and_nothing_personal() -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let log = folder.path().join("log");
    let settings = [
        ("BELLHOP_LOG", "json"),
        (
            "RUST_LOG",
            "bellhop=debug,bellhop_api=debug,bellhop_activities=debug,bellhop_workers=debug,bellhop_workflows=debug,bellhop_store=debug,warn",
        ),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    let options = Options { settings, log: Some(log.clone()), ..Options::default() };
    let bellhop = Stack::start_with(PROGRAM, options).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 1).await?;
    bellhop.partner("messages", "unavailable").await?;
    let id = fleet.reserve(&people.kim).await?;
    let refused = people.kim.book(fleet.request("tok_ok")).await?;
    refused.assert_problem(409, "sold_out");
    approve(&people.manager, &id).await?;
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");

    let lines = eventually("log lines of the API and of the deliveries", async || {
        let text = std::fs::read_to_string(&log)?;
        let lines: Vec<Value> =
            text.lines().filter_map(|it| serde_json::from_str(it).ok()).collect();
        let about: Vec<Value> = lines.into_iter().filter(|it| is_about(it, &id)).collect();
        let parts = words(&about, "target");
        let has = |part: &str| parts.iter().any(|it| it.starts_with(part));
        Ok((has("bellhop_api") && has("bellhop_activities")).then_some(about))
    })
    .await?;
    let answered: Vec<_> = lines.iter().filter(|it| it["message"] == "answered").collect();
    assert!(answered.len() >= 3, "booked, approved, cancelled: {answered:#?}");
    for line in answered {
        assert!(line["span"]["request.id"].is_string(), "{line:#}");
    }
    let text = std::fs::read_to_string(&log)?;
    for secret in ["010-1234-5678", "1012345678", "12345678", "tok_ok", "dev-customer"] {
        assert!(!text.contains(secret), "the log tells {secret}");
    }
    Ok(())
}

/// Whether a log line says that it is about a booking, itself or by a span around it.
fn is_about(line: &Value, id: &str) -> bool {
    let spans = line["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    spans.iter().chain([line, &line["span"]]).any(|it| it["booking.id"] == id)
}
