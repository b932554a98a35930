//! A Temporal that does as it is told, at the wire. A start that goes well does to the database
//! what the booking workflow would.

use std::{
    collections::{HashMap, VecDeque},
    str::FromStr,
    sync::{Arc, Mutex},
};

use bellhop_domain::{
    act::{Append, Open},
    event::{Actor, Assignment, Event, NewEvent, Role},
    id::BookingId,
    key::{ActKey, Purpose},
    status::{Status, Trigger},
};
use bellhop_store::Store;
use bellhop_workflows::{booking::Start, command};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, Url,
    callback_based::{CallbackBasedGrpcService, GrpcRequest, GrpcSuccessResponse},
    tonic::{self, Code},
};
use temporalio_common::protos::temporal::api::{
    common::v1::{Memo, Payload, Payloads, WorkflowExecution},
    failure::v1::Failure,
    update::v1::{Outcome, outcome},
    workflow::v1::WorkflowExecutionInfo,
    workflowservice::v1::{
        DescribeWorkflowExecutionRequest, DescribeWorkflowExecutionResponse, GetSystemInfoResponse,
        StartWorkflowExecutionRequest, StartWorkflowExecutionResponse,
        UpdateWorkflowExecutionRequest, UpdateWorkflowExecutionResponse,
    },
};

/// What the next start does, instead of going well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OnStart {
    /// Starts, and nothing happens for now.
    Stall,
    /// Starts, and the booking is rejected with this code.
    Reject(&'static str),
    /// Starts, and the answer is lost.
    Lose,
    /// Does not start.
    Fail(Code),
}

/// What the next update does, instead of going well.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OnUpdate {
    /// The validator refuses.
    Refuse(&'static str),
    /// The call fails.
    Fail(Code),
}

/// The fake.
#[derive(Clone)]
pub(crate) struct Temporal(Arc<Inner>);

struct Inner {
    store: Store,
    starts: Mutex<VecDeque<OnStart>>,
    updates: Mutex<VecDeque<OnUpdate>>,
    runs: Mutex<HashMap<String, Option<Memo>>>,
    calls: Mutex<Vec<String>>,
}

impl Temporal {
    pub(crate) fn new(store: Store) -> Self {
        let (starts, updates) = (Mutex::default(), Mutex::default());
        let (runs, calls) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { store, starts, updates, runs, calls }))
    }

    pub(crate) async fn client(&self) -> Client {
        let fake = self.clone();
        let callback = Arc::new(move |request: GrpcRequest| {
            let fake = fake.clone();
            async move { fake.answer(request).await }.boxed()
        });
        let options = ConnectionOptions::new(Url::from_str("http://fake:1").expect("a URL"))
            .service_override(CallbackBasedGrpcService { callback })
            .dns_load_balancing(None)
            .build();
        let connection = Connection::connect(options).await.expect("the fake answers");
        Client::new(connection, ClientOptions::new("default").build()).expect("a client")
    }

    pub(crate) fn next_start(&self, what: OnStart) {
        self.0.starts.lock().expect("a lock").push_back(what);
    }

    pub(crate) fn next_update(&self, what: OnUpdate) {
        self.0.updates.lock().expect("a lock").push_back(what);
    }

    /// Forgets every run, as a server does once its retention has passed.
    pub(crate) fn forget(&self) {
        self.0.runs.lock().expect("a lock").clear();
    }

    /// The names of the calls that were made, but for the first.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.0.calls.lock().expect("a lock").clone()
    }

    async fn answer(&self, request: GrpcRequest) -> Result<GrpcSuccessResponse, tonic::Status> {
        if request.rpc == "GetSystemInfo" {
            return Ok(success(&GetSystemInfoResponse::default()));
        }
        self.0.calls.lock().expect("a lock").push(request.rpc.clone());
        let bytes = request.proto;
        match request.rpc.as_str() {
            "StartWorkflowExecution" => self.start(decode(&bytes)).await,
            "UpdateWorkflowExecution" => self.update(decode(&bytes)).await,
            "DescribeWorkflowExecution" => self.describe(&decode(&bytes)),
            other => Err(tonic::Status::unimplemented(other)),
        }
    }

    async fn start(
        &self,
        request: StartWorkflowExecutionRequest,
    ) -> Result<GrpcSuccessResponse, tonic::Status> {
        let next = self.0.starts.lock().expect("a lock").pop_front();
        if let Some(OnStart::Fail(code)) = next {
            return Err(tonic::Status::new(code, "as told"));
        }
        let id = request.workflow_id.clone();
        let run_id = format!("run-{}", self.calls().len());
        {
            let mut runs = self.0.runs.lock().expect("a lock");
            if runs.contains_key(&id) {
                return Err(tonic::Status::already_exists("as before"));
            }
            runs.insert(id.clone(), request.memo.clone());
        }
        let answer = StartWorkflowExecutionResponse {
            run_id: run_id.clone(),
            started: true,
            ..Default::default()
        };
        if id.starts_with("withdrawal/") {
            return Ok(success(&answer));
        }
        let payload = &request.input.expect("an input").payloads[0];
        let start: Start = serde_json::from_slice(&payload.data).expect("a start");
        match next {
            Some(OnStart::Stall) => {}
            Some(OnStart::Reject(code)) => self.live(&id, &run_id, start, Some(code)).await,
            _ => self.live(&id, &run_id, start, None).await,
        }
        if matches!(next, Some(OnStart::Lose)) {
            return Err(tonic::Status::unavailable("the answer is lost"));
        }
        Ok(success(&answer))
    }

    /// What the workflow does until its customer is answered.
    async fn live(&self, id: &str, run_id: &str, start: Start, rejected: Option<&str>) {
        let booking: BookingId = id.parse().expect("an id");
        let (now, is_free) = (Timestamp::now(), start.plan.request.payment.is_none());
        let open = Open {
            key: ActKey::new(&booking, Purpose::Open, 1),
            booking: booking.clone(),
            first_run_id: run_id.to_owned(),
            plan: start.plan,
            hold_expires_at: now + SignedDuration::from_mins(15),
            actor: start.actor,
        };
        self.0.store.open_booking(&open, now).await.expect("it opens");
        if is_free && rejected.is_none() {
            return; // it was accepted with its opening
        }
        let event = match rejected {
            Some(code) => NewEvent::new(Event::Rejected { code: code.to_owned() }, 1)
                .moving(Trigger::Reject, Status::Rejected),
            None => {
                let amount = bellhop_domain::money::Money {
                    minor: 9_800,
                    currency: bellhop_domain::money::Currency::KRW,
                };
                NewEvent::new(Event::PaymentAuthorized { amount }, 1)
                    .moving(Trigger::Accepted, Status::AwaitingApproval)
            }
        };
        self.append(&booking, vec![event]).await;
    }

    async fn update(
        &self,
        request: UpdateWorkflowExecutionRequest,
    ) -> Result<GrpcSuccessResponse, tonic::Status> {
        let next = self.0.updates.lock().expect("a lock").pop_front();
        let outcome = match next {
            Some(OnUpdate::Fail(code)) => return Err(tonic::Status::new(code, "as told")),
            Some(OnUpdate::Refuse(message)) => {
                let message = message.to_owned();
                outcome::Value::Failure(Failure { message, ..Default::default() })
            }
            None => outcome::Value::Success(self.command(request).await),
        };
        let stage = 3; // completed
        let outcome = Some(Outcome { value: Some(outcome) });
        Ok(success(&UpdateWorkflowExecutionResponse { outcome, stage, ..Default::default() }))
    }

    /// What the workflow does with a command that it accepts.
    async fn command(&self, request: UpdateWorkflowExecutionRequest) -> Payloads {
        let execution = request.workflow_execution.expect("an execution");
        let booking: BookingId = execution.workflow_id.parse().expect("an id");
        let input = request.request.expect("a request").input.expect("an input");
        let payload = input.args.expect("arguments").payloads.remove(0);
        let caller: command::Caller = serde_json::from_slice(&payload.data).expect("a caller");
        let by = |event: NewEvent| NewEvent {
            command: Some(caller.command.clone()),
            ..event.by(caller.actor.clone())
        };
        let system = NewEvent::new;
        let assignment =
            Assignment { company: None, label: "Mapo".to_owned(), subject: None, offer: None };
        let events = match input.name.as_str() {
            "approve" => vec![
                by(system(Event::ApprovalGranted, 1).moving(Trigger::Approve, Status::Dispatching)),
                system(Event::Assigned { assignment }, 1)
                    .moving(Trigger::Assign, Status::Confirmed),
            ],
            "cancel" => vec![
                by(system(Event::Cancelling { reason: None, keep: None }, 1)
                    .moving(Trigger::Cancel, Status::Cancelling)),
                system(Event::Cancelled, 1).moving(Trigger::Undone, Status::Cancelled),
            ],
            other => panic!("the fake knows no {other}"),
        };
        self.append(&booking, events).await;
        let status = Status::Dispatching;
        let receipt = command::Receipt { command: caller.command, status };
        let data = serde_json::to_vec(&receipt).expect("JSON");
        let metadata = HashMap::from([("encoding".to_owned(), b"json/plain".to_vec())]);
        Payloads { payloads: vec![Payload { metadata, data, ..Default::default() }] }
    }

    fn describe(
        &self,
        request: &DescribeWorkflowExecutionRequest,
    ) -> Result<GrpcSuccessResponse, tonic::Status> {
        let id = &request.execution.as_ref().expect("an execution").workflow_id;
        let memo = self.0.runs.lock().expect("a lock").get(id).cloned();
        let memo = memo.ok_or_else(|| tonic::Status::not_found("no such run"))?;
        let execution = WorkflowExecution { workflow_id: id.clone(), run_id: "run".to_owned() };
        let info = WorkflowExecutionInfo {
            execution: Some(execution),
            status: 1, // running
            memo,
            ..Default::default()
        };
        let workflow_execution_info = Some(info);
        Ok(success(&DescribeWorkflowExecutionResponse {
            workflow_execution_info,
            ..Default::default()
        }))
    }

    /// Writes events as the publisher would.
    pub(crate) async fn append(&self, booking: &BookingId, events: Vec<NewEvent>) {
        let known = i64::MAX; // a workflow that knows all there is
        let append = Append { booking: booking.clone(), events, known };
        self.0.store.append_events(&append, Timestamp::now()).await.expect("it is journalled");
    }

    /// Ends a booking, as its stages would.
    pub(crate) async fn complete(&self, booking: &BookingId) {
        let driver = Actor::new(Role::Driver, "drv_park");
        let stage = Event::StageReached { stage: "on_the_way".to_owned() };
        self.append(
            booking,
            vec![
                NewEvent::new(stage, 1)
                    .by(driver.clone())
                    .moving(Trigger::Advance, Status::InProgress),
                NewEvent::new(Event::Completed, 1)
                    .by(driver)
                    .moving(Trigger::Complete, Status::Completed),
            ],
        )
        .await;
    }
}

fn decode<M: Message + Default>(bytes: &[u8]) -> M {
    M::decode(bytes).expect("a request")
}

fn success(response: &impl Message) -> GrpcSuccessResponse {
    let proto = response.encode_to_vec();
    GrpcSuccessResponse { headers: axum::http::HeaderMap::new(), proto }
}
