//! What is booked: the services that a bench knows how to stock, and what a booking of each asks for.

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// A service that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Service {
    /// A taxi of one grade, paid for with the booking.
    CallTaxi,
    /// A place at an exhibition, paid at the desk.
    Exhibition,
    /// A coffee, paid at the counter.
    Coffee,
}

/// How far each booking goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Until {
    /// Until its customer has the answer.
    Answered,
    /// Through every command and stage to its completion, each over HTTP.
    Completed,
}

/// How payments are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payments {
    /// Inline with the booking's workflow task.
    Inline,
    /// Through the payments queue.
    Queue,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) service: Service,
    pub(super) until: Until,
    pub(super) payments: Payments,
    pub(super) clients: u32,
    pub(super) bookings: u32,
    pub(super) commands: bool,
    pub(super) drained: bool,
}

impl Shape {
    /// Bookings until their answer, paid inline.
    pub(super) const fn new(service: Service, clients: u32, bookings: u32) -> Self {
        Self {
            service,
            until: Until::Answered,
            payments: Payments::Inline,
            clients,
            bookings,
            commands: false,
            drained: false,
        }
    }
}

/// The variant that nobody else books, and the pool that has it.
const VARIANT: &str = "bench";

impl Service {
    /// Where what is booked is registered, and as what.
    pub(super) fn stock(self, capacity: u32) -> (&'static str, Value) {
        let price = |minor: i64| json!({"minor": minor, "currency": "KRW"});
        match self {
            Self::CallTaxi => (
                "taxis/taxi_bench",
                json!({
                    "company": "com_bench", "grade": VARIANT, "name": "bench",
                    "capacity": capacity, "price": price(9_800),
                }),
            ),
            Self::Exhibition => (
                "exhibitions/exh_bench",
                json!({
                    "company": "com_bench", "title": "bench", "hall": "1", "capacity": capacity,
                    "price": price(12_000),
                    "starts_at": Timestamp::now() + SignedDuration::from_hours(24 * 30),
                }),
            ),
            Self::Coffee => (
                "products/product_bench",
                json!({
                    "company": "com_bench", "product": VARIANT, "name": "bench",
                    "stock": capacity, "price": price(4_500),
                }),
            ),
        }
    }

    /// A booking of it.
    pub(super) fn request(self) -> Value {
        let customer = json!({"name": "Kim", "phone": "010-1234-5678"});
        match self {
            Self::CallTaxi => json!({
                "service": "call-taxi", "customer": customer, "options": {"grade": VARIANT},
                "place": {"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236},
                "payment": {"token": "tok_ok"},
            }),
            Self::Exhibition => json!({
                "service": "exhibition", "customer": customer, "exhibition_id": "exh_bench",
            }),
            Self::Coffee => json!({
                "service": "coffee", "customer": customer, "options": {"product": VARIANT},
            }),
        }
    }

    /// What brings an answered booking to its completion: paths below `/v1`, with `{id}`.
    pub(super) fn course(self) -> Vec<(&'static str, Value)> {
        let stages: &[&str] = match self {
            Self::CallTaxi => &["on_the_way", "riding", "completed"],
            Self::Exhibition => &["completed"],
            Self::Coffee => &["making", "ready", "completed"],
        };
        let approval = (self == Self::CallTaxi).then(|| ("approvals/{id}/approve", json!({})));
        let stages = stages.iter().map(|it| ("bookings/{id}/advance", json!({ "to": it })));
        approval.into_iter().chain(stages).collect()
    }

    /// What its customers have in hand once they are answered, for those who read the figures.
    pub(super) fn answered(self) -> &'static str {
        match self {
            Self::CallTaxi => {
                "priced, a taxi held, the fare reserved with the provider, journalled"
            }
            Self::Exhibition | Self::Coffee => "priced, held, confirmed, journalled",
        }
    }
}
