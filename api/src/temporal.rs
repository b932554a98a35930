//! All calls to Temporal: starting a booking, commanding it, and asking what became of a start.
//!
//! Each call has a timeout, a fixed id, and no retries but ours: what may have happened is tried
//! again under the same id, so that it happens once.

mod upkeep;

use std::{error::Error, io, time::Duration};

use bellhop_domain::id::{BookingId, OperationId, SubjectId};
use bellhop_workflows::{
    booking::{Booking, Start},
    command::{Command, NOT_ALLOWED, NOT_NEXT, Receipt},
    contract::{SERVICE_ATTRIBUTE, operations::Withdraw},
    withdrawal::{self, Withdrawal},
};
use sha2::{Digest, Sha256};
use temporalio_client::{
    Client, RetryOptions, RpcOptions, WorkflowDescribeOptions, WorkflowExecuteUpdateOptions,
    WorkflowExecutionStatus, WorkflowHandle, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowStartOptions,
    errors::{WorkflowInteractionError, WorkflowStartError, WorkflowUpdateError},
    tonic::{Code, IntoRequest, Status},
};
use temporalio_common::{
    HasWorkflowDefinition, MemoValues,
    protos::temporal::api::workflowservice::v1::GetSystemInfoRequest,
    search_attributes::{SearchAttributeKey, SearchAttributes},
};
use tokio::time::{Instant, sleep, timeout};

pub(crate) use self::upkeep::Queued;
use crate::idempotency::hex;

const SERVICE: SearchAttributeKey<String> = SearchAttributeKey::keyword(SERVICE_ATTRIBUTE);

/// How long a call may take at least, however soon the caller wants an answer: a start that is
/// broken off early helps nobody.
const SHORTEST_CALL: Duration = Duration::from_secs(3);

/// The connection to Temporal.
pub(crate) struct Engine {
    client: Client,
    queue: String,
    /// How long one call may take.
    timeout: Duration,
    /// How long the first retry waits.
    retry_after: Duration,
}

/// How a start went: the booking is safe in either case.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Started {
    /// It is a new run.
    New { run_id: String },
    /// There is a run of this id. It was there `before`, unless an attempt of ours was lost.
    Already { before: bool },
}

/// Why it is not known that a call did what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// Nothing was reached, so nothing was done.
    #[error("Temporal cannot be reached")]
    Unreachable(#[source] Status),
    /// It has too much to do, and did not do this.
    #[error("Temporal has too much to do")]
    Busy(#[source] Status),
    /// It may have been done.
    #[error("Temporal has not told what became of it")]
    Unknown,
    /// The booking's workflow refuses it, with this code.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// The booking's workflow has ended, or was never there.
    #[error("there is no open workflow")]
    Gone,
    /// It will never be done: a defect, or something is set up wrongly.
    #[error("Temporal refuses the call")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// What Temporal remembers of a start, for as long as there is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) service: String,
    pub(crate) fingerprint: String,
    pub(crate) quantity: u32,
    /// The owner, hashed: memos carry no personal data.
    owner: String,
    pub(crate) is_running: bool,
}

impl Remembered {
    pub(crate) fn is_owned_by(&self, subject: &SubjectId) -> bool {
        self.owner == owner_hash(subject)
    }
}

impl Engine {
    pub(crate) fn new(
        client: Client,
        queue: String,
        timeout: Duration,
        retry_after: Duration,
    ) -> Self {
        Self { client, queue, timeout, retry_after }
    }

    /// Starts a booking under its id. What is not known to have happened is tried again, until it
    /// is or `deadline` has come.
    pub(crate) async fn start(
        &self,
        id: &BookingId,
        start: &Start,
        request_id: &str,
        deadline: Instant,
    ) -> Result<Started, NotDone> {
        let mut pause = self.retry_after;
        let mut last = None;
        loop {
            let within = self.within(deadline);
            let once = self.start_once(id, start, request_id, within);
            let error = match timeout(within, once).await {
                Ok(Ok(Started::Already { .. })) => {
                    return Ok(Started::Already { before: last.is_none() });
                }
                Ok(Ok(started)) => return Ok(started),
                Ok(Err(error @ (NotDone::Unknown | NotDone::Busy(_)))) => error,
                // What was sent before this attempt may still have arrived.
                Ok(Err(NotDone::Unreachable(_))) if last.is_some() => NotDone::Unknown,
                Ok(Err(error)) => return Err(error),
                Err(_) => NotDone::Unknown,
            };
            last = match last {
                Some(NotDone::Unknown) => Some(NotDone::Unknown),
                _ => Some(error),
            };
            if Instant::now() + pause >= deadline {
                return Err(last.unwrap_or(NotDone::Unknown));
            }
            sleep(pause).await;
            pause *= 2;
        }
    }

    async fn start_once(
        &self,
        id: &BookingId,
        start: &Start,
        request_id: &str,
        within: Duration,
    ) -> Result<Started, NotDone> {
        let plan = &start.plan;
        let mut memo = MemoValues::new();
        memo.insert("service", plan.service.id.clone())
            .insert("fingerprint", plan.fingerprint.clone())
            .insert("quantity", plan.request.quantity)
            .insert("owner", owner_hash(&plan.request.customer.id))
            .insert("request_id", request_id.to_owned());
        let attributes = SearchAttributes::new([SERVICE.value_set(plan.service.id.clone())]);
        let options = WorkflowStartOptions::new(self.queue.clone(), id.as_str())
            .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
            .enable_eager_workflow_start(true)
            .search_attributes(attributes)
            .memo(memo)
            .static_summary(plan.service.name.en.clone())
            .rpc_options(no_retries(within))
            .build();
        match self.client.start_workflow(Booking::run, start.clone(), options).await {
            Ok(handle) => {
                Ok(Started::New { run_id: handle.run_id().unwrap_or_default().to_owned() })
            }
            Err(WorkflowStartError::AlreadyStarted { .. }) => Ok(Started::Already { before: true }),
            Err(WorkflowStartError::Rpc(status)) => Err(not_done(status)),
            Err(error) => Err(NotDone::Broken(error.into())),
        }
    }

    /// Starts the withdrawal of an operation, unless it runs. One that ended before its operation was
    /// done is started again.
    pub(crate) async fn withdraw(&self, operation: &OperationId) -> Result<(), NotDone> {
        let id = withdrawal::workflow_id(operation);
        let options = WorkflowStartOptions::new(self.queue.clone(), id)
            .id_reuse_policy(WorkflowIdReusePolicy::AllowDuplicate)
            .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
            .static_summary("withdrawal")
            .rpc_options(no_retries(self.timeout))
            .build();
        let input = Withdraw { operation: operation.clone() };
        let started = self.client.start_workflow(Withdrawal::run, input, options);
        match timeout(self.timeout, started).await {
            Err(_) => Err(NotDone::Unknown),
            Ok(Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. })) => Ok(()),
            Ok(Err(WorkflowStartError::Rpc(status))) => Err(not_done(status)),
            Ok(Err(error)) => Err(NotDone::Broken(error.into())),
        }
    }

    /// Gives a command to a booking and waits until its workflow has decided about it. The same
    /// `update_id` is the same command, however often it is given.
    pub(crate) async fn command(
        &self,
        id: &BookingId,
        update_id: &str,
        command: Command,
        deadline: Instant,
    ) -> Result<Receipt, NotDone> {
        let handle = self.handle(Booking::run, id);
        // Not cut short: a worker that died with a task is missed after Temporal's 10 s.
        let within = deadline.saturating_duration_since(Instant::now()).max(SHORTEST_CALL);
        let options = WorkflowExecuteUpdateOptions::builder()
            .update_id(update_id.to_owned())
            .rpc_options(no_retries(within))
            .build();
        let decided = async {
            match command {
                Command::Cancel(it) => handle.execute_update(Booking::cancel, it, options).await,
                Command::Approve(it) => handle.execute_update(Booking::approve, it, options).await,
                Command::Decline(it) => handle.execute_update(Booking::decline, it, options).await,
                Command::Advance(it) => handle.execute_update(Booking::advance, it, options).await,
                Command::AnswerOffer(it) => {
                    handle.execute_update(Booking::answer_offer, it, options).await
                }
            }
        };
        match timeout(within, decided).await {
            Err(_) => Err(NotDone::Unknown),
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(WorkflowUpdateError::NotFound(_))) => Err(NotDone::Gone),
            Ok(Err(WorkflowUpdateError::Rpc(status))) => Err(not_done(status)),
            Ok(Err(WorkflowUpdateError::Failed(failure))) => Err(match failure.message.as_str() {
                NOT_ALLOWED => NotDone::Refused(NOT_ALLOWED),
                NOT_NEXT => NotDone::Refused(NOT_NEXT),
                // It was accepted by a run that ended meanwhile: the journal knows what became of it.
                _ => NotDone::Gone,
            }),
            Ok(Err(error)) => Err(NotDone::Broken(error.into())),
        }
    }

    /// What Temporal remembers of a start; `None` if there is no run of this id.
    pub(crate) async fn remembered(&self, id: &BookingId) -> Result<Option<Remembered>, NotDone> {
        let handle = self.handle(Booking::run, id);
        let options =
            WorkflowDescribeOptions::builder().rpc_options(no_retries(self.timeout)).build();
        let described = match timeout(self.timeout, handle.describe(options)).await {
            Err(_) => return Err(NotDone::Unknown),
            Ok(Err(WorkflowInteractionError::NotFound(_))) => return Ok(None),
            Ok(Err(WorkflowInteractionError::Rpc(status))) => return Err(not_done(status)),
            Ok(Err(error)) => return Err(NotDone::Broken(error.into())),
            Ok(Ok(described)) => described,
        };
        let memo = described.memo();
        let word = |key| memo.get::<String>(key).ok().flatten();
        let (Some(service), Some(fingerprint), Some(owner)) =
            (word("service"), word("fingerprint"), word("owner"))
        else {
            return Ok(None);
        };
        let quantity = memo.get("quantity").ok().flatten().unwrap_or(1);
        let is_running = described.status() == WorkflowExecutionStatus::Running;
        Ok(Some(Remembered { service, fingerprint, quantity, owner, is_running }))
    }

    /// Whether Temporal answers.
    pub(crate) async fn ping(&self, within: Duration) -> Result<(), NotDone> {
        let mut request = GetSystemInfoRequest {}.into_request();
        request.set_timeout(within);
        let mut service = self.client.connection().workflow_service();
        match timeout(within, service.get_system_info(request)).await {
            Err(_) => Err(NotDone::Unknown),
            Ok(Err(status)) => Err(not_done(status)),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// A handle of a booking's run. It is typed by the marker of `run`: the workflow itself is
    /// bound to one thread, and so would be every future that holds a handle of it.
    fn handle<W: HasWorkflowDefinition>(&self, _: W, id: &BookingId) -> WorkflowHandle<Client, W> {
        self.client.get_workflow_handle(id.as_str())
    }

    /// How long one call may take for somebody who waits until `deadline`.
    fn within(&self, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        left.max(SHORTEST_CALL).min(self.timeout)
    }
}

fn no_retries(within: Duration) -> RpcOptions {
    RpcOptions::builder().timeout(within).retry_options(RetryOptions::no_retries()).build()
}

/// What a failed call means for what it should have done.
fn not_done(status: Status) -> NotDone {
    match status.code() {
        Code::Unavailable if is_refused(&status) => NotDone::Unreachable(status),
        Code::ResourceExhausted => NotDone::Busy(status),
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::Internal
        | Code::Aborted
        | Code::DataLoss
        // A workflow whose last tasks were lost takes no updates until one of them is done.
        | Code::FailedPrecondition => NotDone::Unknown,
        _ => NotDone::Broken(status.into()),
    }
}

/// Whether nobody listens at the address, so that nothing was sent.
fn is_refused(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(cause) = next {
        if let Some(error) = cause.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::ConnectionRefused
        {
            return true;
        }
        next = cause.source();
    }
    false
}

fn owner_hash(subject: &SubjectId) -> String {
    hex(&Sha256::digest(format!("owner\0{subject}").as_bytes())[..16])
}
