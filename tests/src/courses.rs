//! The courses that a booking can take, played on the real engine: what the saved histories and the
//! event budgets are made of.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bellhop_store::SHARDS;
use bellhop_workflows::messages::workflow_id;
use serde_json::{Value, json};
use temporalio_client::{Client, UntypedWorkflow, WorkflowCancelOptions};
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};

use crate::{
    desk::{Desk, a_taxi, booking_id, new_key},
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
        }
    }

    /// What it needs.
    pub fn setting(self) -> Setting {
        match self {
            Self::Lapsed => Setting::ShortApproval,
            Self::Expired | Self::CancelledAwaitingPayment => Setting::ShortHold,
            Self::PaymentsQueue => Setting::Inline("dispatch"),
            Self::Queues => Setting::Inline(""),
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
                play.begin_cancel().await?;
                stack.partner("payments", "ok").await?;
            }
        }
        play.end().await
    }
}

/// A booking that is being played.
struct Play<'a> {
    stack: &'a Stack,
    client: &'a Client,
    customer: Desk,
    id: String,
    commands: usize,
    marks: Vec<Mark>,
}

impl<'a> Play<'a> {
    fn new(stack: &'a Stack, client: &'a Client) -> Self {
        let customer = stack.desk("dev-customer");
        Self { stack, client, customer, id: String::new(), commands: 0, marks: vec![] }
    }

    async fn served(&mut self, token: &str) -> anyhow::Result<()> {
        self.book(a_taxi(token)).await?;
        self.approve().await?;
        for stage in ["on_the_way", "riding", "completed"] {
            self.advance(stage).await?;
        }
        Ok(())
    }

    /// Books, and waits until that is decided.
    async fn book(&mut self, body: Value) -> anyhow::Result<()> {
        self.id = self.customer.book(body).await?.id()?;
        self.mark().await
    }

    /// Books, and waits no longer than until it is in one of `states`.
    async fn begin(&mut self, body: Value, states: &[&str]) -> anyhow::Result<()> {
        let key = new_key();
        self.id = booking_id(&key)?;
        self.post_until("/bookings".to_owned(), key, body, states).await
    }

    /// Cancels, and waits no longer than until that is decided.
    async fn begin_cancel(&mut self) -> anyhow::Result<()> {
        self.commands += 1;
        let (path, body) = (format!("/bookings/{}/cancel", self.id), json!({}));
        self.post_until(path, new_key(), body, &["cancelling", "cancelled"]).await
    }

    async fn post_until(
        &self,
        path: String,
        key: String,
        body: Value,
        states: &[&str],
    ) -> anyhow::Result<()> {
        let desk = self.customer.clone();
        let call = tokio::spawn(async move {
            // While the breaker of the course before is open, the door refuses.
            while desk.post_as(&path, &key, body.clone()).await?.status == 503 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            anyhow::Ok(())
        });
        self.customer.until(&self.id, states).await?;
        call.abort();
        Ok(())
    }

    async fn approve(&mut self) -> anyhow::Result<()> {
        self.command("dev-manager", "/approvals/{id}/approve", json!({})).await
    }

    async fn advance(&mut self, to: &str) -> anyhow::Result<()> {
        self.command("dev-manager", "/bookings/{id}/advance", json!({"to": to})).await
    }

    async fn cancel(&mut self, token: &str) -> anyhow::Result<()> {
        self.command(token, "/bookings/{id}/cancel", json!({"reason": "changed_plans"})).await
    }

    async fn command(&mut self, token: &str, path: &str, body: Value) -> anyhow::Result<()> {
        self.commands += 1;
        let answer = self.stack.desk(token).post(&path.replace("{id}", &self.id), body).await?;
        ensure!(answer.status == 200, "the command is carried out: {answer:?}");
        self.mark().await
    }

    async fn cancel_in_temporal(&mut self) -> anyhow::Result<()> {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(&self.id);
        handle.cancel(WorkflowCancelOptions::builder().reason("by hand").build()).await?;
        Ok(())
    }

    /// A request for a grade of which a company has none.
    async fn a_taxi_of_none(&self) -> anyhow::Result<Value> {
        let taxi = json!({
            "company": "com_mapo", "grade": "none", "name": "none", "capacity": 0,
            "price": {"minor": 4_800, "currency": "KRW"},
        });
        let answer = self.stack.desk("dev-operator").put("/taxis/taxi_none", taxi).await?;
        ensure!(answer.status < 300, "the taxi is registered: {answer:?}");
        let mut body = a_taxi("tok_ok");
        body["options"]["grade"] = json!("none");
        Ok(body)
    }

    /// Waits until nothing goes on by itself, and notes how it stands.
    async fn mark(&mut self) -> anyhow::Result<()> {
        let events = self.history(is_at_rest).await?;
        let booking = self.customer.booking(&self.id).await?;
        let status = booking["stage"].as_str().filter(|_| booking["status"] == "in_progress");
        let status = status.or(booking["status"].as_str()).context("a booking has a status")?;
        self.marks.push((status.to_owned(), events.len()));
        Ok(())
    }

    async fn end(mut self) -> anyhow::Result<Played> {
        let history = self.history(is_closed).await?;
        let booking = self.customer.booking(&self.id).await?;
        let status = booking["status"].as_str().context("a booking has a status")?.to_owned();
        if self.marks.last().is_none_or(|mark| mark.0 != status) {
            self.marks.push((status, history.len()));
        }
        Ok(Played { history, marks: self.marks })
    }

    /// The history, once every command is in it and it is as wanted.
    async fn history(
        &self,
        is_wanted: impl Fn(&[HistoryEvent]) -> bool,
    ) -> anyhow::Result<Vec<HistoryEvent>> {
        eventually(&format!("the history of {} at rest", self.id), async || {
            let events = history::of(self.client, &self.id).await?;
            let commands = count(&events, EventType::WorkflowExecutionUpdateCompleted);
            Ok((commands >= self.commands && is_wanted(&events)).then_some(events))
        })
        .await
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

fn count(events: &[HistoryEvent], kind: EventType) -> usize {
    events.iter().filter(|event| event.event_type() == kind).count()
}

fn is_closed(events: &[HistoryEvent]) -> bool {
    count(events, EventType::WorkflowExecutionCompleted) == 1
}

/// Whether neither a workflow task nor an activity is under way.
fn is_at_rest(events: &[HistoryEvent]) -> bool {
    let (scheduled, completed) =
        (EventType::WorkflowTaskScheduled, EventType::WorkflowTaskCompleted);
    let tasks = count(events, completed);
    tasks > 0
        && tasks == count(events, scheduled)
        && count(events, EventType::ActivityTaskScheduled)
            == count(events, EventType::ActivityTaskCompleted)
}
