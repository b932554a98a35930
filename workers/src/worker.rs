//! Workers: which queue carries which workflows and activities, and how much of it at once.

mod timing;
mod wear;

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context as _, anyhow};
use bellhop_activities::{
    BookingActivities, DispatchActivities, NotificationActivities, NotificationSettings,
    OperationActivities, PaymentActivities, PaymentSettings,
    partner::{MessagingGateway, PaymentProvider},
};
use bellhop_domain::plan::Family;
use bellhop_store::Store;
use bellhop_workflows::{
    booking::Booking, contract::notifications, messages::Messages, withdrawal::Withdrawal,
};
use clap::ValueEnum;
use futures::{StreamExt as _, stream::FuturesUnordered};
use temporalio_client::Client;
use temporalio_common::{
    telemetry::{
        PrometheusExporterOptions, TelemetryOptions, metrics::CoreMeter,
        start_prometheus_metric_exporter,
    },
    worker::{VersioningBehavior, WorkerDeploymentOptions, WorkerDeploymentVersion},
};
use temporalio_sdk::{
    Runtime, Worker, WorkerOptions,
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
    runtime::{
        PollerBehavior, RuntimeOptions,
        worker_tuner::{FixedSizeSlotSupplier, TunerHolder},
    },
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{timing::Timing, wear::Wear};
use crate::{
    bench::noop,
    config::{Families, LifeArgs, PartnerArgs, TemporalArgs},
};

/// Slots of workflow tasks and of local activities, and workflows that are kept in memory. A workflow
/// task keeps its slot while its inline acts run; with the SDK's 100, starts queue behind slow partners
/// until tasks time out. The SDK looks through all that it keeps at every step of each, so that many
/// cost more than they save.
const SLOTS: usize = 500;

/// A task queue that `bellhop worker` serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Queue {
    /// Booking workflows with the acts that they run inline, and withdrawals.
    Bookings,
    /// Calls to the payment provider.
    Payments,
    /// Assignments.
    Dispatch,
    /// Deliveries of messages.
    Notifications,
    /// The no-op that bookings are measured against.
    #[value(skip)]
    Bench,
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bookings => "bookings",
            Self::Payments => "payments",
            Self::Dispatch => "dispatch",
            Self::Notifications => "notifications",
            Self::Bench => "bench",
        })
    }
}

/// What the workers of one process share.
#[derive(Clone)]
pub struct Hands {
    /// The database.
    pub store: Store,
    /// The connection, which an API in the same process shares for eager starts.
    pub client: Client,
    /// The name of the bookings queue.
    pub bookings_queue: String,
    /// The families that bookings workers carry inline.
    pub inline: Families,
    /// How long the workers live, and how they end.
    pub life: LifeArgs,
    renewal: Arc<Notify>,
    /// Those that run now.
    workers: Arc<Mutex<TaskTracker>>,
    provider: PaymentProvider,
    payments: PaymentSettings,
    gateway: MessagingGateway,
    interceptor: Option<Interceptor>,
    runtime: Arc<Runtime>,
}

/// What runs around every activity of a process. Only tests have one, to put faults there.
pub type Interceptor = Arc<dyn ActivityInboundInterceptor>;

struct Around(Interceptor);

impl ActivityInboundInterceptor for Around {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        self.0.execute_activity(input, next)
    }
}

impl Hands {
    /// Hands for the workers of one process.
    ///
    /// # Errors
    /// A partner's address or credential that cannot be used, or an address that cannot be listened
    /// on.
    pub fn new(
        store: Store,
        client: Client,
        temporal: &TemporalArgs,
        inline: Families,
        partners: &PartnerArgs,
        life: LifeArgs,
        interceptor: Option<Interceptor>,
    ) -> anyhow::Result<Self> {
        let provider = PaymentProvider::new(&partners.payments(), store.clone())?;
        let gateway = MessagingGateway::new(&partners.messages())?;
        let runtime = Arc::new(runtime(temporal.sdk_metrics_listen)?);
        Ok(Self {
            store,
            client,
            bookings_queue: temporal.bookings_queue.clone(),
            inline,
            life,
            renewal: Arc::default(),
            workers: Arc::default(),
            provider,
            payments: partners.payment_settings(),
            gateway,
            interceptor,
            runtime,
        })
    }

    /// Joins the workers of a queue; called before the process says that it is ready.
    ///
    /// # Errors
    /// The bookings queue is served with other inline families, or any database error.
    pub async fn join(&self, queue: Queue) -> anyhow::Result<()> {
        if queue == Queue::Bookings {
            let families = self.inline.to_string();
            self.store.claim_queue(&self.bookings_queue, &families).await.with_context(|| {
                format!(
                    "this worker would carry \"{families}\" inline on the queue {}: give it the \
                     families of the others (BELLHOP_INLINE), or a queue of its own \
                     (BELLHOP_BOOKINGS_QUEUE)",
                    self.bookings_queue
                )
            })?;
        }
        Ok(())
    }

    /// Serves a queue until `stop`, then finishes what runs. A worker that has run its number of
    /// activities finishes what it has while a fresh one takes its place.
    ///
    /// # Errors
    /// Temporal refuses the worker.
    pub async fn serve(&self, queue: Queue, stop: CancellationToken) -> anyhow::Result<()> {
        let failed = || format!("the {queue} worker has failed");
        let mut running = FuturesUnordered::new();
        while !stop.is_cancelled() {
            let worn = Wear::after(self.life.renew_after);
            let options = self.options(queue, worn.clone())?;
            let mut worker = Worker::new(&self.runtime, self.client.clone(), options)
                .map_err(|error| anyhow!("the {queue} worker cannot be made: {error}"))?;
            let shutdown = worker.shutdown_handle();
            let running_now = self.workers().token();
            running.push(async move {
                let _running_now = running_now;
                worker.run().await
            });
            let renewed = async {
                tokio::select! {
                    () = worn.is_over() => {}
                    () = self.renewal.notified() => {}
                    () = stop.cancelled() => {}
                }
            };
            tokio::pin!(renewed);
            loop {
                tokio::select! {
                    Some(ended) = running.next() => ended.with_context(failed)?,
                    () = &mut renewed => break,
                }
            }
            // From here on it takes nothing new, and its place on the connection is free.
            shutdown();
            if !stop.is_cancelled() {
                tracing::info!(%queue, "a fresh worker takes its place");
            }
        }
        while let Some(ended) = running.next().await {
            ended.with_context(failed)?;
        }
        Ok(())
    }

    /// Replaces the workers of this process by fresh ones, as a rollout does with pods, and waits
    /// until the old ones have finished what they had.
    pub async fn renew(&self) {
        let old = std::mem::take(&mut *self.workers());
        self.renewal.notify_waiters();
        old.close();
        old.wait().await;
    }

    fn workers(&self) -> MutexGuard<'_, TaskTracker> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every worker of the process shares the provider's bulkhead and breaker.
    fn payments(&self) -> PaymentActivities {
        let (store, provider) = (self.store.clone(), self.provider.clone());
        PaymentActivities::new(store, provider, self.payments.clone())
    }

    fn options(&self, queue: Queue, wear: Wear) -> anyhow::Result<WorkerOptions> {
        let mut options =
            match queue {
                Queue::Bookings => {
                    let mut options = WorkerOptions::new(self.bookings_queue.clone())
                        .register_workflow::<Booking>()?
                        .register_workflow::<Withdrawal>()?
                        .register_activities(BookingActivities::new(self.store.clone()))
                        .register_activities(OperationActivities::new(self.store.clone()));
                    for family in &self.inline.0 {
                        options = match family {
                            Family::Payments => options.register_activities(self.payments()),
                            Family::Dispatch => options
                                .register_activities(DispatchActivities::new(self.store.clone())),
                        };
                    }
                    options
                }
                Queue::Payments => WorkerOptions::new(Family::Payments.as_str())
                    .register_activities(self.payments()),
                Queue::Dispatch => WorkerOptions::new(Family::Dispatch.as_str())
                    .register_activities(DispatchActivities::new(self.store.clone())),
                Queue::Notifications => WorkerOptions::new(notifications::TASK_QUEUE)
                    .register_workflow::<Messages>()?
                    .register_activities(NotificationActivities::new(
                        self.store.clone(),
                        self.gateway.clone(),
                        NotificationSettings::default(),
                    )),
                Queue::Bench => {
                    WorkerOptions::new(noop::TASK_QUEUE).register_workflow::<noop::Noop>()?
                }
            };
        options = options.activity_inbound_interceptor(wear).activity_inbound_interceptor(Timing);
        if let Some(interceptor) = &self.interceptor {
            options = options.activity_inbound_interceptor(Around(interceptor.clone()));
        }
        let options = options
            .max_cached_workflows(SLOTS)
            .tuner(
                TunerHolder::builder()
                    .workflow_task_slot_supplier(FixedSizeSlotSupplier::new(SLOTS))
                    .local_activity_task_slot_supplier(FixedSizeSlotSupplier::new(SLOTS))
                    .activity_task_slot_supplier(FixedSizeSlotSupplier::new(200))
                    .nexus_task_slot_supplier(FixedSizeSlotSupplier::new(1))
                    .build(),
            )
            .activity_task_poller_behavior(PollerBehavior::SimpleMaximum(5))
            .graceful_shutdown_period(self.life.drain)
            .maybe_deployment_options(deployment());
        Ok(options.build())
    }
}

/// What the SDK runs on. Its metrics have a server of their own.
fn runtime(metrics_at: Option<SocketAddr>) -> anyhow::Result<Runtime> {
    let meter = match metrics_at {
        None => None,
        Some(address) => {
            let options = PrometheusExporterOptions::builder()
                .socket_addr(address)
                .counters_total_suffix(true)
                .unit_suffix(true)
                .use_seconds_for_durations(true)
                .build();
            let server = start_prometheus_metric_exporter(options).with_context(|| {
                format!(
                    "{address} cannot be listened on: choose another with BELLHOP_SDK_METRICS_LISTEN"
                )
            })?;
            Some(server.meter as Arc<dyn CoreMeter>)
        }
    };
    let telemetry = TelemetryOptions::builder().maybe_metrics(meter).build();
    let options = RuntimeOptions::builder().telemetry_options(telemetry).build();
    let options = options.map_err(|error| anyhow!("the SDK's runtime cannot be made: {error}"))?;
    Ok(Runtime::from_current_tokio(options)?)
}

/// The version of this worker, where the deployment names one: bookings live for weeks, so they move
/// to a new version with it (`AutoUpgrade`) and their code keeps old histories replaying.
fn deployment() -> Option<WorkerDeploymentOptions> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (name, build) = (set("TEMPORAL_DEPLOYMENT_NAME")?, set("TEMPORAL_WORKER_BUILD_ID")?);
    let version = WorkerDeploymentVersion::builder().deployment_name(name).build_id(build).build();
    Some(
        WorkerDeploymentOptions::new(version)
            .use_worker_versioning(true)
            .default_versioning_behavior(VersioningBehavior::AutoUpgrade)
            .build(),
    )
}
