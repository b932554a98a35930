//! Booking over HTTP, as customers do, and commanding, as those who serve them do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bellhop_domain::id::{BookingId, SubjectId};
use bellhop_store::SHARDS;
use bellhop_workflows::messages;
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::{Value, json};
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowDescribeOptions, WorkflowFetchHistoryOptions,
    WorkflowTerminateOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

use super::shape::{Service, Until};

/// Who books: the subject of `dev-customer`.
pub(super) const CUSTOMER: &str = "cus_kim";

/// How many bookings' histories are looked at.
const SAMPLES: usize = 20;

/// What everybody books, and what was booked of it.
#[derive(Clone)]
pub(super) struct Customers {
    http: reqwest::Client,
    api: String,
    service: Service,
    booked: Arc<Mutex<Booked>>,
}

#[derive(Default)]
struct Booked {
    ids: Vec<String>,
    warm_up: usize,
}

/// What a booking leaves with the engine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Footprint {
    /// Events of its history.
    pub(super) events: f64,
    /// Bytes of its history.
    pub(super) bytes: f64,
}

impl Customers {
    /// Registers as much as will be booked.
    pub(super) async fn stock_up(
        api: &str,
        service: Service,
        capacity: u32,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        let (path, stock) = service.stock(capacity);
        let put = http.put(format!("{api}/v1/{path}")).bearer_auth("dev-operator");
        let answer = put.json(&stock).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "what is booked is not registered: {text}");
        Ok(Self { http, api: api.to_owned(), service, booked: Arc::default() })
    }

    /// Books one, and brings it as far as asked.
    pub(super) async fn book(&self, until: Until) -> anyhow::Result<()> {
        let key = uuid::Uuid::now_v7().to_string();
        let id = BookingId::from_key(&CUSTOMER.parse::<SubjectId>()?, &key).to_string();
        self.booked(|it| it.ids.push(id.clone()));
        self.post("dev-customer", "bookings", key, &self.service.request(), 201).await?;
        if until == Until::Completed {
            for (path, body) in self.service.course() {
                self.command("dev-operator", &path.replace("{id}", &id), &body).await?;
            }
        }
        Ok(())
    }

    /// What books one and brings it as far as asked, again and again.
    pub(super) fn booking(
        &self,
        until: Until,
    ) -> impl Fn() -> BoxFuture<'static, anyhow::Result<()>> + Clone + Send + use<> {
        let customers = self.clone();
        move || {
            let customers = customers.clone();
            async move { customers.book(until).await }.boxed()
        }
    }

    /// Books one, whatever comes of it; answers what the customer hears.
    pub(super) async fn ask(&self) -> anyhow::Result<String> {
        let key = uuid::Uuid::now_v7().to_string();
        let post = self.http.post(format!("{}/v1/bookings", self.api)).bearer_auth("dev-customer");
        let post = post.header("Idempotency-Key", key).json(&self.service.request());
        let answer = post.send().await?;
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await?);
        let word = body["code"].as_str().or(body["status"].as_str()).unwrap_or_default();
        Ok(format!("{status} {word}"))
    }

    /// Gives a command, and waits for its effect.
    pub(super) async fn command(
        &self,
        token: &str,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<()> {
        self.post(token, path, uuid::Uuid::now_v7().to_string(), body, 200).await
    }

    async fn post(
        &self,
        token: &str,
        path: &str,
        key: String,
        body: &Value,
        expected: u16,
    ) -> anyhow::Result<()> {
        let post = self.http.post(format!("{}/v1/{path}", self.api)).bearer_auth(token);
        let post = post.header("Idempotency-Key", key).header("Prefer", "wait=30");
        let answer = post.json(body).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        if status != expected {
            bail!("{path}: {status}: {body}");
        }
        Ok(())
    }

    /// What was booked so far does not count.
    pub(super) fn forget_warm_up(&self) {
        self.booked(|it| it.warm_up = it.ids.len());
    }

    /// What was booked and counts.
    pub(super) fn ids(&self) -> Vec<String> {
        self.booked(|it| it.ids[it.warm_up..].to_vec())
    }

    /// What a booking leaves with the engine, on average of some.
    pub(super) async fn footprint(&self, client: &Client) -> Footprint {
        let ids = self.ids();
        let every = ids.len().div_ceil(SAMPLES).max(1);
        let (mut sum, mut histories) = (Footprint::default(), 0_u32);
        for id in ids.iter().step_by(every) {
            match history(client, id).await {
                Ok((events, bytes)) => {
                    sum.events += events as f64;
                    sum.bytes += bytes as f64;
                    histories += 1;
                }
                Err(error) => eprintln!("the history of {id} is not counted: {error:#}"),
            }
        }
        let count = f64::from(histories.max(1));
        Footprint { events: sum.events / count, bytes: sum.bytes / count }
    }

    /// Ends every workflow of ours on a cluster that is not ours to throw away.
    pub(super) async fn terminate(&self, client: &Client) {
        let bookings = self.booked(|it| it.ids.clone());
        for id in bookings.into_iter().chain((0..SHARDS).map(messages::workflow_id)) {
            let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
            let options = WorkflowTerminateOptions::builder().reason("the bench is over");
            if let Err(error) = handle.terminate(options.build()).await {
                tracing::debug!(%error, "a workflow of the bench was not ended");
            }
        }
    }

    /// A bench that breaks its bookings measures nothing.
    pub(super) async fn judge(&self) -> anyhow::Result<()> {
        let get = self.http.get(format!("{}/v1/invariants", self.api)).bearer_auth("dev-operator");
        // It walks every journal.
        let get = get.timeout(Duration::from_secs(600));
        let report: Value = get.send().await?.error_for_status()?.json().await?;
        ensure!(report["broken"] == json!([]), "invariants are broken: {}", report["broken"]);
        Ok(())
    }

    fn booked<T>(&self, look: impl FnOnce(&mut Booked) -> T) -> T {
        look(&mut self.booked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many events a history has, and bytes, once the workflow task that answered is in it.
async fn history(client: &Client, id: &str) -> anyhow::Result<(usize, i64)> {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
    for _ in 0..100 {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        let events = history.into_events().await.context("a history can be read")?;
        let count = |kind| events.iter().filter(|it| it.event_type() == kind).count();
        if count(EventType::WorkflowTaskScheduled) == count(EventType::WorkflowTaskCompleted) {
            let described = handle.describe(WorkflowDescribeOptions::default()).await?;
            let info = described.raw_description.workflow_execution_info.as_ref();
            return Ok((events.len(), info.map_or(0, |it| it.history_size_bytes)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{id} has not come to rest")
}
