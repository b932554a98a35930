//! A database, a partner that answers by its script, and the activities between them.

use std::{
    collections::VecDeque,
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Duration,
};

use bellhop_activities::{
    PaymentActivities, PaymentSettings,
    partner::{self, PaymentProvider},
};
use bellhop_domain::{
    act::{Capture, Paid, Pay, Settle, Settled},
    id::BookingId,
    key::{ActKey, Purpose},
    money::{Currency, Money},
};
use bellhop_store::{Balance, testing::TestDb};
use bellhop_workflows::contract::payments::Captured;
use jiff::Timestamp;
use serde_json::{Value, json};
use temporalio_common::ActivityError;
use temporalio_sdk::testing::{
    ActivityEnvironment, ActivityEnvironmentError, TestActivityInfoOptions,
};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::any};

/// A partner that expects calls in an order and answers each by the script.
pub(crate) struct Partner {
    server: MockServer,
    script: Script,
}

#[derive(Clone, Default)]
struct Script(Arc<Mutex<VecDeque<(&'static str, ResponseTemplate)>>>);

impl Respond for Script {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked = told(request);
        match self.0.lock().unwrap().pop_front() {
            Some((expected, answer)) if expected == asked => answer,
            // A status that the activities take for a defect: the test fails on it.
            _ => ResponseTemplate::new(400).set_body_string(asked),
        }
    }
}

fn told(request: &Request) -> String {
    format!("{} {}", request.method, request.url.path())
}

impl Partner {
    pub(crate) async fn start() -> Self {
        let (server, script) = (MockServer::start().await, Script::default());
        Mock::given(any()).respond_with(script.clone()).mount(&server).await;
        Self { server, script }
    }

    /// Expects `call` next, after all that is expected already.
    pub(crate) fn answers(&self, call: &'static str, status: u16, body: Value) {
        let answer = ResponseTemplate::new(status).set_body_json(body);
        self.script.0.lock().unwrap().push_back((call, answer));
    }

    /// The same, and answers it later than anybody waits.
    pub(crate) fn hangs(&self, call: &'static str) {
        let answer = ResponseTemplate::new(200).set_delay(Duration::from_secs(30));
        self.script.0.lock().unwrap().push_back((call, answer));
    }

    pub(crate) async fn requests(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }

    pub(crate) async fn calls(&self) -> Vec<String> {
        self.requests().await.iter().map(told).collect()
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }
}

/// A payment as the provider tells it.
pub(crate) fn payment(status: &str, captured: i64, refunded: i64) -> Value {
    json!({
        "id": "pay_1", "key": "bk_1/fare/1", "status": status,
        "amount": { "minor": 9_800, "currency": "KRW" },
        "captured": captured, "refunded": refunded,
        "reference": "bk_1", "created_at": "2026-12-24T00:00:00Z",
    })
}

pub(crate) fn not_found() -> Value {
    json!({ "code": "not_found", "message": "nothing is there" })
}

pub(crate) fn unavailable() -> Value {
    json!({ "code": "unavailable", "message": "come back later" })
}

/// Settings that make tests short, and no breaker that opens unasked.
pub(crate) fn settings(url: String) -> partner::Settings {
    partner::Settings {
        timeout: Duration::from_millis(200),
        wait_for_place: Duration::from_millis(50),
        breaker_calls: 1_000,
        ..partner::Settings::new(url, "secret".to_owned().into())
    }
}

/// Payments on a database of their own.
pub(crate) struct Stage {
    pub(crate) db: TestDb,
    pub(crate) partner: Partner,
    /// How the family's queue runs them.
    pub(crate) queue: ActivityEnvironment,
    /// How a workflow task runs them.
    pub(crate) inline: ActivityEnvironment,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(|_, _| ()).await
    }

    pub(crate) async fn with(
        change: impl FnOnce(&mut partner::Settings, &mut PaymentSettings),
    ) -> Self {
        let (db, partner) = (TestDb::sqlite().await, Partner::start().await);
        let mut settings = settings(partner.url());
        let mut payments = PaymentSettings::default();
        change(&mut settings, &mut payments);
        let provider = PaymentProvider::new(&settings, db.store.clone()).unwrap();
        let environment = |is_local| {
            let store = db.store.clone();
            ActivityEnvironment::builder_with_default()
                .register_activities(PaymentActivities::new(
                    store,
                    provider.clone(),
                    payments.clone(),
                ))
                .info(TestActivityInfoOptions::builder().is_local(is_local).build())
                .build()
        };
        let (queue, inline) = (environment(false), environment(true));
        Self { db, partner, queue, inline }
    }

    pub(crate) async fn authorize(&self) -> Result<Paid, Failure> {
        failed(self.queue.run(PaymentActivities::authorize, pay()).await)
    }

    pub(crate) async fn capture(&self) -> Result<Captured, Failure> {
        failed(self.queue.run(PaymentActivities::capture, capture()).await)
    }

    pub(crate) async fn settle(&self, keep: i64) -> Result<Settled, Failure> {
        failed(self.queue.run(PaymentActivities::settle, settle(keep)).await)
    }

    /// Reserves, with an answer.
    pub(crate) async fn authorized(&self) {
        self.partner.answers("POST /payments", 201, payment("authorized", 0, 0));
        assert_eq!(self.authorize().await, Ok(paid()));
    }

    /// Sends a payment and hears nothing of it.
    pub(crate) async fn lost(&self) {
        self.partner.hangs("POST /payments");
        assert_eq!(self.authorize().await.unwrap_err().kind, "unknown");
    }

    pub(crate) async fn balance(&self) -> Balance {
        self.db.store.ledger_of(&booking()).await.unwrap()
    }
}

/// What the engine hears of a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: String,
    pub(crate) delay: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: &str, delay: Option<Duration>) -> Self {
        Self { kind: kind.to_owned(), delay }
    }
}

pub(crate) fn failed<T: Debug>(done: Result<T, ActivityEnvironmentError>) -> Result<T, Failure> {
    done.map_err(|error| match error {
        ActivityEnvironmentError::Activity(ActivityError::Application(failure)) => {
            assert!(!failure.is_non_retryable(), "a booking never gets stuck: {failure:?}");
            let told = format!("{failure:?} {failure}");
            assert!(!told.contains("tok_") && !told.contains("secret"), "{told}");
            Failure::new(failure.type_name().unwrap_or_default(), failure.next_retry_delay())
        }
        other => panic!("{other:?}"),
    })
}

pub(crate) fn booking() -> BookingId {
    "bk_1".parse().unwrap()
}

pub(crate) fn fare() -> ActKey {
    ActKey::new(&booking(), Purpose::Fare, 1)
}

pub(crate) fn won(minor: i64) -> Money {
    Money { minor, currency: Currency::KRW }
}

pub(crate) fn paid() -> Paid {
    Paid::Paid { payment: "pay_1".to_owned() }
}

pub(crate) fn declined(code: &str) -> Paid {
    Paid::Declined { code: code.to_owned() }
}

pub(crate) fn pay() -> Pay {
    Pay {
        key: fare(),
        booking: booking(),
        amount: won(9_800),
        token: "tok_ok".to_owned(),
        capture: false,
        inline_until: soon(),
    }
}

pub(crate) fn capture() -> Capture {
    Capture {
        key: fare().step("capture"),
        fare: fare(),
        booking: booking(),
        amount: won(9_800),
        inline_until: soon(),
    }
}

pub(crate) fn settle(keep: i64) -> Settle {
    Settle {
        key: fare().step("settle"),
        fare: fare(),
        booking: booking(),
        keep: won(keep),
        inline_until: soon(),
    }
}

pub(crate) fn soon() -> Option<Timestamp> {
    Some(Timestamp::now() + Duration::from_secs(5))
}
