//! Booking call taxis over HTTP, as customers do.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use bellhop_domain::id::{BookingId, SubjectId};
use bellhop_store::SHARDS;
use bellhop_workflows::messages;
use serde_json::{Value, json};
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowFetchHistoryOptions, WorkflowTerminateOptions,
};
use temporalio_common::protos::temporal::api::enums::v1::EventType;

/// The service that is booked.
pub(super) const SERVICE: &str = "call-taxi";

/// The pool of the bench and its grade, which nobody else books.
const POOL: &str = "taxi_bench";
const GRADE: &str = "bench";

/// Who books: the subject of `dev-customer`.
const CUSTOMER: &str = "cus_kim";

/// How many bookings' histories are counted.
const SAMPLES: usize = 20;

/// Taxis enough for everybody, and what was booked of them.
#[derive(Clone)]
pub(super) struct Taxis {
    http: reqwest::Client,
    api: String,
    booked: Arc<Mutex<Booked>>,
}

#[derive(Default)]
struct Booked {
    ids: Vec<String>,
    warm_up: usize,
}

impl Taxis {
    /// Registers as many taxis as will be booked.
    pub(super) async fn register(api: &str, capacity: u32) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(60)).build()?;
        let taxi = json!({
            "company": "com_bench", "grade": GRADE, "name": "bench", "capacity": capacity,
            "price": {"minor": 9_800, "currency": "KRW"},
        });
        let put = http.put(format!("{api}/v1/taxis/{POOL}")).bearer_auth("dev-operator");
        let answer = put.json(&taxi).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "the taxis are not registered: {text}");
        Ok(Self { http, api: api.to_owned(), booked: Arc::default() })
    }

    /// Books one, and waits for its answer.
    pub(super) async fn book(&self) -> anyhow::Result<()> {
        let body = json!({
            "service": SERVICE,
            "customer": {"name": "Kim", "phone": "010-1234-5678"},
            "options": {"grade": GRADE},
            "place": {"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236},
            "quantity": 1,
            "payment": {"token": "tok_ok"},
        });
        let key = uuid::Uuid::now_v7().to_string();
        let id = BookingId::from_key(&CUSTOMER.parse::<SubjectId>()?, &key);
        self.booked(|it| it.ids.push(id.to_string()));
        let post = self.http.post(format!("{}/v1/bookings", self.api)).bearer_auth("dev-customer");
        let post = post.header("Idempotency-Key", key);
        let answer = post.header("Prefer", "wait=30").json(&body).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        if status != 201 {
            bail!("{status}: {body}");
        }
        Ok(())
    }

    /// What was booked so far does not count.
    pub(super) fn forget_warm_up(&self) {
        self.booked(|it| it.warm_up = it.ids.len());
    }

    /// How many events a booking's history has once it is answered, on average of some.
    pub(super) async fn events_each(&self, client: &Client) -> f64 {
        let ids = self.booked(|it| it.ids[it.warm_up..].to_vec());
        let every = ids.len().div_ceil(SAMPLES).max(1);
        let (mut histories, mut events) = (0_u32, 0_usize);
        for id in ids.iter().step_by(every) {
            match history(client, id).await {
                Ok(of_this) => (histories, events) = (histories + 1, events + of_this),
                Err(error) => eprintln!("the events of {id} are not counted: {error:#}"),
            }
        }
        events as f64 / f64::from(histories.max(1))
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
        let report: Value = get.send().await?.error_for_status()?.json().await?;
        ensure!(report["broken"] == json!([]), "invariants are broken: {}", report["broken"]);
        Ok(())
    }

    fn booked<T>(&self, look: impl FnOnce(&mut Booked) -> T) -> T {
        look(&mut self.booked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many events a history has, once the workflow task that answered is in it.
async fn history(client: &Client, id: &str) -> anyhow::Result<usize> {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
    for _ in 0..100 {
        let history = handle.fetch_history(WorkflowFetchHistoryOptions::default());
        let events = history.into_events().await.context("a history can be read")?;
        let count = |kind| events.iter().filter(|it| it.event_type() == kind).count();
        if count(EventType::WorkflowTaskScheduled) == count(EventType::WorkflowTaskCompleted) {
            return Ok(events.len());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("{id} has not come to rest")
}
