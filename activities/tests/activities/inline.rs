//! Acts inside a workflow task: at once, or not at all.

use std::time::{Duration, Instant};

use bellhop_activities::PaymentActivities;
use bellhop_domain::{
    act::{Capture, Pay, Settle},
    status::PaymentStatus,
};
use jiff::Timestamp;

use crate::stage::{
    Failure, Stage, booking, capture, failed, paid, pay, payment, settle, soon, unavailable,
};

fn not_inline<T>() -> Result<T, Failure> {
    Err(Failure::new("not_inline", None))
}

#[tokio::test]
async fn within_its_budget_an_act_runs_inline() {
    let stage = Stage::new().await;
    stage.partner.answers("POST /payments", 201, payment("authorized", 0, 0));
    let done = failed(stage.inline.run(PaymentActivities::authorize, pay()).await);
    assert_eq!(done, Ok(paid()));
}

#[tokio::test]
async fn past_its_budget_nothing_is_begun() {
    let stage = Stage::new().await;
    let inline_until = Some(Timestamp::now());
    let pay = Pay { inline_until, ..pay() };
    assert_eq!(failed(stage.inline.run(PaymentActivities::authorize, pay).await), not_inline());
    let capture = Capture { inline_until, ..capture() };
    assert_eq!(failed(stage.inline.run(PaymentActivities::capture, capture).await), not_inline());
    assert_eq!(stage.db.store.attempts_of(&booking()).await.unwrap(), []);
    assert!(stage.partner.calls().await.is_empty());
}

#[tokio::test]
async fn past_its_budget_a_payment_that_was_sent_is_not_settled_inline() {
    let stage = Stage::new().await;
    stage.authorized().await;
    let late = Settle { inline_until: Some(Timestamp::now()), ..settle(0) };
    assert_eq!(failed(stage.inline.run(PaymentActivities::settle, late).await), not_inline());
}

#[tokio::test]
async fn what_was_never_sent_is_settled_inline_whatever_the_partner_does() {
    let stage = Stage::new().await;
    let late = Settle { inline_until: Some(Timestamp::now()), ..settle(0) };
    let settled = failed(stage.inline.run(PaymentActivities::settle, late).await).unwrap();
    assert_eq!(settled.payment, PaymentStatus::None);
}

#[tokio::test]
async fn without_a_free_place_nothing_is_begun() {
    let stage = Stage::with(|settings, _| settings.places = 0).await;
    assert_eq!(failed(stage.inline.run(PaymentActivities::authorize, pay()).await), not_inline());
    assert_eq!(stage.authorize().await, Err(Failure::new("unavailable", None)), "on the queue");
    assert_eq!(stage.db.store.attempts_of(&booking()).await.unwrap(), []);
}

#[tokio::test]
async fn while_the_breaker_is_open_nothing_is_begun() {
    let stage = Stage::with(|settings, _| settings.breaker_calls = 1).await;
    stage.partner.answers("POST /payments", 503, unavailable());
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable");
    assert_eq!(failed(stage.inline.run(PaymentActivities::authorize, pay()).await), not_inline());
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable");
    assert_eq!(stage.partner.calls().await.len(), 1);
    let attempts = stage.db.store.attempts_of(&booking()).await.unwrap();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
}

#[tokio::test]
async fn a_call_takes_no_longer_than_the_task_may() {
    let stage = Stage::with(|settings, _| settings.timeout = Duration::from_secs(20)).await;
    stage.partner.hangs("POST /payments");
    let begun = Instant::now();
    let brief = Pay { inline_until: Some(Timestamp::now() + Duration::from_millis(300)), ..pay() };
    let done = failed(stage.inline.run(PaymentActivities::authorize, brief).await);
    assert_eq!(done.unwrap_err().kind, "unknown");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn all_calls_of_an_act_share_the_inline_time_out() {
    let stage = Stage::with(|settings, _| {
        settings.timeout = Duration::from_secs(20);
        settings.inline_timeout = Duration::from_millis(300);
    })
    .await;
    stage.partner.hangs("POST /payments");
    let begun = Instant::now();
    let pay = Pay { inline_until: soon(), ..pay() };
    let done = failed(stage.inline.run(PaymentActivities::authorize, pay).await);
    assert_eq!(done.unwrap_err().kind, "unknown");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
