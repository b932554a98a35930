//! The courses that a booking can take, played on the real engine: what the saved histories and the
//! event budgets are made of.

mod play;

use anyhow::ensure;
use bellhop_store::SHARDS;
use bellhop_workflows::messages::workflow_id;
use serde_json::json;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};

use self::play::Play;
use crate::{
    desk::{a_taxi, a_visit},
    history,
    stack::{Options, Stack, eventually},
};

/// A way that a booking can go, from the call to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Approved, and through every stage.
    Completed,
    /// Cancelled by its customer once confirmed.
    CancelledConfirmed,
    /// Cancelled by its customer before the manager decided.
    CancelledAwaitingApproval,
    /// Cancelled by an operator on the way.
    CancelledInProgress,
    /// Cancelled from Temporal's web UI.
    CancelledInTemporal,
    /// Declined by the manager.
    Declined,
    /// Refused: nothing left.
    SoldOut,
    /// Refused: the payment was declined.
    PaymentDeclined,
    /// Through every stage; the provider charged and did not say so at first.
    PaymentLate,
    /// Nobody decided in time.
    Lapsed,
    /// The payment did not come before the hold ran out.
    Expired,
    /// Cancelled by its customer while the payment was tried again and again.
    CancelledAwaitingPayment,
    /// Through every stage, with every payment on its queue.
    PaymentsQueue,
    /// Through every stage, with every act on its family's queue.
    Queues,
    /// A visit to an exhibition: confirmed by itself, and admitted.
    VisitCompleted,
    /// A visit that was paid up front, cancelled by its customer once its entry was confirmed.
    VisitCancelled,
    /// A visit that was paid up front, with every act on its family's queue.
    VisitQueues,
}

/// What a course needs to be different from `bellhop dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Nothing.
    Plain,
    /// A manager has a second to decide.
    ShortApproval,
    /// A hold lasts four seconds.
    ShortHold,
    /// Only these families are tried inline.
    Inline(&'static str),
}

/// How a booking stood, and how many events its history had then.
pub type Mark = (String, usize);

/// A course that was played.
#[derive(Debug)]
pub struct Played {
    /// The history from its first event to its last.
    pub history: Vec<HistoryEvent>,
    /// How it stood each time that nothing went on by itself.
    pub marks: Vec<Mark>,
}

const SERVICE: &str = include_str!("../../services/call-taxi.toml");

impl Setting {
    /// Starts Bellhop so.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(self, program: &str) -> anyhow::Result<Stack> {
        let mut options = Options::default();
        let service = match self {
            Self::Plain | Self::Inline(_) => None,
            Self::ShortApproval => {
                Some(SERVICE.replace(r#"deadline = "30m""#, r#"deadline = "1s""#))
            }
            Self::ShortHold => {
                // A breaker that opened would refuse the next course at the door; a retry that runs
                // while the hold expires would make its history another one each time.
                options.settings.push(("BELLHOP_BREAKER_PAUSE_MS", "100".to_owned()));
                options.settings.push(("BELLHOP_RETRY_AFTER_MS", "20000".to_owned()));
                Some(SERVICE.replace(r#"expires_after = "15m""#, r#"expires_after = "4s""#))
            }
        };
        if let Self::Inline(families) = self {
            options.settings.push(("BELLHOP_INLINE", families.to_owned()));
        }
        options.services.extend(service.map(|text| ("call-taxi.toml", text)));
        Stack::start_with(program, options).await
    }
}

impl Course {
    /// Every course.
    pub const ALL: &[Self] = &[
        Self::Completed,
        Self::CancelledConfirmed,
        Self::CancelledAwaitingApproval,
        Self::CancelledInProgress,
        Self::CancelledInTemporal,
        Self::Declined,
        Self::SoldOut,
        Self::PaymentDeclined,
        Self::PaymentLate,
        Self::Lapsed,
        Self::Expired,
        Self::CancelledAwaitingPayment,
        Self::PaymentsQueue,
        Self::Queues,
        Self::VisitCompleted,
        Self::VisitCancelled,
        Self::VisitQueues,
    ];

    /// Its name, as its saved history is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::CancelledConfirmed => "cancelled_confirmed",
            Self::CancelledAwaitingApproval => "cancelled_awaiting_approval",
            Self::CancelledInProgress => "cancelled_in_progress",
            Self::CancelledInTemporal => "cancelled_in_temporal",
            Self::Declined => "declined",
            Self::SoldOut => "sold_out",
            Self::PaymentDeclined => "payment_declined",
            Self::PaymentLate => "payment_late",
            Self::Lapsed => "lapsed",
            Self::Expired => "expired",
            Self::CancelledAwaitingPayment => "cancelled_awaiting_payment",
            Self::PaymentsQueue => "payments_queue",
            Self::Queues => "queues",
            Self::VisitCompleted => "visit_completed",
            Self::VisitCancelled => "visit_cancelled",
            Self::VisitQueues => "visit_queues",
        }
    }

    /// What it needs.
    pub fn setting(self) -> Setting {
        match self {
            Self::Lapsed => Setting::ShortApproval,
            Self::Expired | Self::CancelledAwaitingPayment => Setting::ShortHold,
            Self::PaymentsQueue => Setting::Inline("dispatch"),
            Self::Queues | Self::VisitQueues => Setting::Inline(""),
            _ => Setting::Plain,
        }
    }

    /// Plays it from the call to the end of its workflow.
    ///
    /// # Errors
    /// It goes another way.
    pub async fn play(self, stack: &Stack, client: &Client) -> anyhow::Result<Played> {
        let mut play = Play::new(stack, client);
        match self {
            Self::Completed | Self::PaymentsQueue | Self::Queues => play.served("tok_ok").await?,
            Self::PaymentLate => play.served("tok_late").await?,
            Self::CancelledConfirmed => {
                play.book(a_taxi("tok_ok")).await?;
                play.approve().await?;
                play.cancel("dev-customer").await?;
            }
            Self::CancelledAwaitingApproval => {
                play.book(a_taxi("tok_ok")).await?;
                play.cancel("dev-customer").await?;
            }
            Self::CancelledInProgress => {
                play.book(a_taxi("tok_ok")).await?;
                play.approve().await?;
                play.advance("on_the_way").await?;
                play.cancel("dev-operator").await?;
            }
            Self::CancelledInTemporal => {
                play.book(a_taxi("tok_ok")).await?;
                play.cancel_in_temporal().await?;
            }
            Self::Declined => {
                play.book(a_taxi("tok_ok")).await?;
                play.command("dev-manager", "/approvals/{id}/decline", json!({})).await?;
            }
            Self::VisitCompleted => {
                play.book(a_visit(None)).await?;
                play.until_entry_is_confirmed().await?;
                play.advance("completed").await?;
            }
            Self::VisitCancelled => {
                play.book(a_visit(Some("tok_ok"))).await?;
                play.until_entry_is_confirmed().await?;
                play.cancel("dev-customer").await?;
            }
            Self::VisitQueues => {
                play.book(a_visit(Some("tok_ok"))).await?;
                play.until_entry_is_confirmed().await?;
                play.advance("completed").await?;
            }
            Self::SoldOut => play.book(play.a_taxi_of_none().await?).await?,
            Self::PaymentDeclined => play.book(a_taxi("tok_declined")).await?,
            Self::Lapsed => play.book(a_taxi("tok_ok")).await?,
            Self::Expired => {
                stack.partner("payments", "unavailable").await?;
                play.begin(a_taxi("tok_ok"), &["expired"]).await?;
                stack.partner("payments", "ok").await?;
            }
            Self::CancelledAwaitingPayment => {
                stack.partner("payments", "unavailable").await?;
                play.begin(a_taxi("tok_ok"), &["awaiting_payment"]).await?;
                play.until_it_waits_for_a_retry().await?;
                play.begin_cancel().await?;
                stack.partner("payments", "ok").await?;
            }
        }
        play.end().await
    }
}

/// The history of a shard's workflow that has delivered messages.
///
/// # Errors
/// None has within the time that a test waits.
pub async fn messages(client: &Client) -> anyhow::Result<Vec<HistoryEvent>> {
    eventually("a messages workflow that has ended", async || {
        for shard in 0..SHARDS {
            let found = history::of(client, &workflow_id(shard)).await.unwrap_or_default();
            let last = found.last().map(|event| event.event_type());
            if last == Some(EventType::WorkflowExecutionCompleted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    })
    .await
}

/// The history of the withdrawal of an exhibition that some have booked.
///
/// # Errors
/// It is not withdrawn.
pub async fn withdrawal(stack: &Stack, client: &Client) -> anyhow::Result<Vec<HistoryEvent>> {
    let (manager, customer) = (stack.desk("dev-manager"), stack.desk("dev-customer"));
    let exhibition = json!({
        "company": "com_mapo", "title": "withdrawn", "hall": "small", "capacity": 5,
        "starts_at": "2030-12-24T18:00:00+09:00", "price": {"minor": 0, "currency": "KRW"},
    });
    let path = "/exhibitions/exh_withdrawn";
    let put = manager.put(path, exhibition).await?;
    ensure!(put.status < 300, "the exhibition is registered: {put:?}");
    let mut visit = a_visit(None);
    visit["exhibition_id"] = json!("exh_withdrawn");
    for _ in 0..3 {
        let booked = customer.book(visit.clone()).await?;
        ensure!(booked.status == 201, "it is booked: {booked:?}");
    }
    let begun = manager.post(&format!("{path}/withdraw"), json!({})).await?;
    ensure!(begun.status == 202, "it is withdrawn: {begun:?}");
    let workflow = bellhop_workflows::withdrawal::workflow_id(&begun.id()?.parse()?);
    eventually("the withdrawal is done", async || {
        let found = history::of(client, &workflow).await?;
        let last = found.last().map(|event| event.event_type());
        Ok((last == Some(EventType::WorkflowExecutionCompleted)).then_some(found))
    })
    .await
}

/// A history in words, an event a line, to be read where it is not as expected.
pub fn outline(events: &[HistoryEvent]) -> String {
    let mut activities = history::activities(events).into_iter();
    let mut text = String::new();
    for event in events {
        let kind = event.event_type();
        text.push_str(&format!("{:>4} {}", event.event_id, kind.as_str_name()));
        if matches!(kind, EventType::MarkerRecorded | EventType::ActivityTaskScheduled) {
            text.push_str(&format!(" {}", activities.next().unwrap_or_default()));
        }
        text.push('\n');
    }
    text
}
