//! One bad partner: how long visitors of an exhibition wait while the payment provider of a busy taxi
//! service hangs. It must not starve them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::bail;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    customers::Customers,
    load,
    report::{self, Latency},
    shape::{Service, Until},
};
use crate::stack::Ready;

/// How many visits and taxis are booked each second.
const VISITS: f64 = 20.0;
const TAXIS: f64 = 50.0;

/// For how many seconds the visits are measured, and how long the taxis come before them: long enough
/// for calls to pile up, and for the breaker to open.
const SECONDS: u32 = 30;
const AHEAD: u32 = 8;

/// How visits went.
#[derive(Debug, Serialize)]
pub(super) struct Hanging {
    visits_per_second: f64,
    taxis_per_second: f64,
    seconds: u32,
    /// With nothing beside them.
    quiet: Latency,
    /// Beside taxis that are paid for.
    busy: Latency,
    /// Beside as many whose payment provider does not answer.
    hanging: Latency,
    /// The p99 of the last by that of the first.
    ratio: f64,
    /// What the customers of taxis were answered while it hung.
    taxis: BTreeMap<String, u32>,
}

/// Measures visits alone, beside taxis, and beside taxis whose provider hangs.
pub(super) async fn measure(ready: &Ready<'_>) -> anyhow::Result<Hanging> {
    let (visits, taxis) = (VISITS as u32 * SECONDS, TAXIS as u32 * (SECONDS + AHEAD));
    let visitors =
        Customers::stock_up(&ready.api, Service::Exhibition, 3 * visits + WARM_UP).await?;
    let riders = Customers::stock_up(&ready.api, Service::CallTaxi, 2 * taxis + WARM_UP).await?;
    for customers in [&visitors, &riders] {
        let book = customers.booking(Until::Answered);
        load::closed("warm-up", 20, WARM_UP, book).await.require()?;
    }
    let visit = visitors.booking(Until::Answered);
    let quiet = load::open("visits alone", VISITS, visits, &visit).await;
    let ride = |answers: Answers| {
        let riders = &riders;
        move || {
            let (riders, answers) = (riders.clone(), answers.clone());
            async move {
                let answer = riders.ask().await?;
                *lock(&answers).entry(answer).or_default() += 1;
                Ok(())
            }
        }
    };
    let beside = async |what, ride| {
        let visits = async {
            sleep(Duration::from_secs(AHEAD.into())).await;
            load::open(what, VISITS, visits, &visit).await
        };
        let (visits, mut taxis) = tokio::join!(visits, load::open("taxis", TAXIS, taxis, ride));
        taxis.require().map(|()| visits)
    };
    let busy = beside("visits beside taxis", ride(Answers::default())).await?;
    let answers = Answers::default();
    provider(ready, "hang").await?;
    let hanging = beside("visits beside taxis that nobody can pay for", ride(answers.clone()));
    let hanging = hanging.await;
    provider(ready, "ok").await?;
    settled(ready).await?;
    visitors.judge().await?;
    let (quiet, hanging) = (Latency::of(&quiet), Latency::of(&hanging?));
    let taxis = std::mem::take(&mut *lock(&answers));
    Ok(Hanging {
        visits_per_second: VISITS,
        taxis_per_second: TAXIS,
        seconds: SECONDS,
        ratio: report::round(hanging.p99_ms / quiet.p99_ms, 2),
        quiet,
        busy: Latency::of(&busy),
        hanging,
        taxis,
    })
}

/// How much is booked of each before anything counts.
const WARM_UP: u32 = 100;

type Answers = Arc<Mutex<BTreeMap<String, u32>>>;

fn lock(answers: &Answers) -> std::sync::MutexGuard<'_, BTreeMap<String, u32>> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sets how the payment provider answers.
async fn provider(ready: &Ready<'_>, mode: &str) -> anyhow::Result<()> {
    let put = reqwest::Client::new().put(format!("{}/control/availability", ready.simulator));
    put.json(&json!({"partner": "payments", "mode": mode})).send().await?.error_for_status()?;
    Ok(())
}

/// Waits until every booking is priced and held, or refused. Those whose payment was sent and never
/// answered wait on: the provider is asked again for as long as it may still appear.
async fn settled(ready: &Ready<'_>) -> anyhow::Result<()> {
    let (http, started) = (reqwest::Client::new(), Instant::now());
    loop {
        let url = format!("{}/v1/bookings?status=pending&limit=1", ready.api);
        let page = http.get(url).bearer_auth("dev-operator").send().await?;
        let page: serde_json::Value = page.error_for_status()?.json().await?;
        if page["items"] == json!([]) {
            return Ok(());
        }
        if started.elapsed() > Duration::from_secs(60) {
            bail!("bookings are still pending a minute after the provider came back");
        }
        sleep(Duration::from_millis(500)).await;
    }
}

impl Hanging {
    /// Tells it: one JSON line on standard output, or for people.
    pub(super) fn tell(&self, as_json: bool) -> anyhow::Result<()> {
        let Self { visits_per_second, taxis_per_second, seconds, .. } = self;
        let taxis: Vec<_> =
            self.taxis.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let text = format!(
            "\n{visits_per_second} visits of an exhibition a second for {seconds} s\n\
             alone: {}\nbeside {taxis_per_second} taxis a second: {}\n\
             the same while their payment provider hangs: {}\n\
             p99 beside the hanging provider over p99 alone: {}\n\
             what the customers of taxis heard meanwhile: {}\n",
            self.quiet,
            self.busy,
            self.hanging,
            self.ratio,
            taxis.join(", "),
        );
        report::tell(self, &text, as_json)
    }
}
