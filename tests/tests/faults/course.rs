//! The courses that a booking can take, driven from outside, and what must be true at their ends.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use bellhop_store::shard;
use bellhop_tests::{
    desk::{Answer, a_taxi, booking_id},
    history,
    stack::{Options, eventually},
};
use bellhop_workflows::{
    booking::{Booking, Outcome},
    messages,
};
use serde_json::{Value, json};
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowDescribeOptions, WorkflowExecutionStatus,
    WorkflowGetResultOptions, errors::WorkflowInteractionError,
};
use tokio::time::timeout;

use crate::users::Users;

/// A way that a booking goes, with its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Course {
    /// Approved, driven through every stage.
    Completed,
    /// Cancelled by the customer after the confirmation.
    Cancelled,
    /// Declined by the manager.
    Declined,
    /// The manager says nothing.
    Lapsed,
    /// Payments are down until the hold runs out.
    Expired,
}

/// How a booking has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) status: &'static str,
    pub(crate) payment: &'static str,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
}

/// The service files of these tests: the taxi that ships, one whose approval soon lapses, and one
/// whose hold soon expires.
pub(crate) fn services() -> anyhow::Result<Vec<(&'static str, String)>> {
    let lapsing = [(r#"deadline = "30m""#, r#"deadline = "1s""#)];
    let expiring = [
        (r#"expires_after = "15m""#, r#"expires_after = "700ms""#),
        (r#"when_away = "refuse""#, r#"when_away = "wait""#),
    ];
    Ok(vec![
        ("call-taxi.toml", variant("call-taxi", &[])?),
        ("taxi-lapsing.toml", variant("taxi-lapsing", &lapsing)?),
        ("taxi-expiring.toml", variant("taxi-expiring", &expiring)?),
    ])
}

/// The taxi that ships under another id, with these replacements.
pub(crate) fn variant(id: &str, replaced: &[(&str, &str)]) -> anyhow::Result<String> {
    let mut text = include_str!("../../../services/call-taxi.toml").to_owned();
    let id = format!(r#"id = "{id}""#);
    for (from, to) in [(r#"id = "call-taxi""#, id.as_str())].iter().chain(replaced) {
        ensure!(text.contains(from), "the taxi has {from}");
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

/// Options of a stack in which retries are quick and attention is soon raised.
pub(crate) fn quick() -> anyhow::Result<Options> {
    let settings = [
        ("BELLHOP_RETRY_AFTER_MS", "50"),
        ("BELLHOP_RETRY_AT_MOST_MS", "200"),
        ("BELLHOP_ATTENTION_AFTER_MS", "300"),
    ];
    let settings = settings.map(|(name, value)| (name, value.to_owned())).to_vec();
    Ok(Options { settings, services: services()?, ..Options::default() })
}

/// What a refused activity of payments outlasts any hold.
const FOR_EVER: u32 = 100_000;

impl Course {
    pub(crate) const ALL: [Self; 5] =
        [Self::Completed, Self::Cancelled, Self::Declined, Self::Lapsed, Self::Expired];

    fn service(self) -> &'static str {
        match self {
            Self::Lapsed => "taxi-lapsing",
            Self::Expired => "taxi-expiring",
            _ => "call-taxi",
        }
    }

    /// How it ends.
    pub(crate) fn end(self) -> End {
        let end = |status, payment, captured, refunded| End { status, payment, captured, refunded };
        match self {
            Self::Completed => end("completed", "captured", 9_800, 0),
            Self::Cancelled => end("cancelled", "refunded", 9_800, 9_800),
            Self::Declined | Self::Lapsed => end("rejected", "voided", 0, 0),
            Self::Expired => end("expired", "none", 0, 0),
        }
    }

    /// The activity that this course itself puts a fault to.
    pub(crate) fn occupies(self) -> Option<&'static str> {
        (self == Self::Expired).then_some("payments.authorize")
    }

    /// The request that begins it.
    pub(crate) fn request(self) -> Value {
        let mut taxi = a_taxi("tok_ok");
        taxi["service"] = json!(self.service());
        taxi
    }

    /// Goes it, under keys made of `key`, with users who do not give up; each hears what they must.
    pub(crate) async fn run(
        self,
        users: &Users,
        key: &str,
        request: Value,
    ) -> anyhow::Result<String> {
        let id = booking_id(key)?;
        if let Some(activity) = self.occupies() {
            let faults = users.access().faults();
            faults.put(&id, activity, bellhop_tests::faults::Fault::Refuse, FOR_EVER)?;
        }
        let booked = users.post("dev-customer", "/bookings", key, request).await?;
        let went = match self {
            Self::Expired => hears(&booked, 409, "expired", "/detail"),
            Self::Lapsed if booked.status == 409 => Ok(()), // so late that it has lapsed already
            _ => hears(&booked, 201, "awaiting_approval", "/status"),
        };
        went.context("booking")?;
        match self {
            Self::Completed => {
                self.command(users, key, "approve", "confirmed").await?;
                for (stage, status) in [
                    ("on_the_way", "in_progress"),
                    ("riding", "in_progress"),
                    ("completed", "completed"),
                ] {
                    let (path, key) = (format!("/bookings/{id}/advance"), format!("{key}-{stage}"));
                    let body = json!({ "to": stage });
                    let reached = users.post("dev-manager", &path, &key, body).await?;
                    hears(&reached, 200, status, "/status").with_context(|| stage)?;
                }
            }
            Self::Cancelled => {
                self.command(users, key, "approve", "confirmed").await?;
                self.command(users, key, "cancel", "cancelled").await?;
            }
            Self::Declined => self.command(users, key, "decline", "rejected").await?,
            Self::Lapsed | Self::Expired => {}
        }
        Ok(id)
    }

    async fn command(
        self,
        users: &Users,
        key: &str,
        command: &str,
        status: &str,
    ) -> anyhow::Result<()> {
        let id = booking_id(key)?;
        let (token, path) = match command {
            "cancel" => ("dev-customer", format!("/bookings/{id}/cancel")),
            command => ("dev-manager", format!("/approvals/{id}/{command}")),
        };
        let answer = users.post(token, &path, &format!("{key}-{command}"), json!({})).await?;
        hears(&answer, 200, status, "/status").with_context(|| command.to_owned())
    }

    /// Waits until a booking has ended, and judges it: its state, its money here and at the
    /// provider, its workflow and its messages.
    pub(crate) async fn check(self, users: &Users, id: &str) -> anyhow::Result<()> {
        self.end().check(users, id).await
    }
}

impl End {
    /// Waits until a booking has ended like this in every respect.
    pub(crate) async fn check(self, users: &Users, id: &str) -> anyhow::Result<()> {
        match self.judge(users, id).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let timeline = users.get("dev-operator", &format!("/bookings/{id}/timeline")).await;
                Err(error.context(format!("{id} is to be {self:?}: {timeline:#?}")))
            }
        }
    }

    async fn judge(self, users: &Users, id: &str) -> anyhow::Result<()> {
        let outcome = outcome_of(users, id).await?;
        ensure!(outcome.result == self.status, "{id} should be {}: {outcome:?}", self.status);
        let booking = users.get("dev-operator", &format!("/bookings/{id}")).await?.body;
        let payment = &booking["payment"];
        let stands = (&booking["status"], &payment["status"]);
        ensure!(stands == (&json!(self.status), &json!(self.payment)), "{self:?}: {booking:#}");
        let money = (&payment["captured"], &payment["refunded"]);
        ensure!(money == (&json!(self.captured), &json!(self.refunded)), "{self:?}: {booking:#}");
        ensure!(booking["attention"].is_null(), "nobody has to look any more: {booking:#}");
        self.check_provider(users, id).await?;
        told_once(users, id).await
    }

    async fn check_provider(self, users: &Users, id: &str) -> anyhow::Result<()> {
        let ledger = users.ledger().await?;
        let payments = ledger["payments"].as_array().context("the ledger has payments")?;
        let of: Vec<_> = payments.iter().filter(|it| it["reference"] == id).collect();
        if matches!(self.payment, "none" | "declined") {
            ensure!(of.is_empty(), "{id} was never charged: {of:#?}");
            return Ok(());
        }
        let is_right = |it: &Value| {
            (&it["status"], &it["captured"], &it["refunded"])
                == (&json!(self.payment), &json!(self.captured), &json!(self.refunded))
        };
        ensure!(matches!(of[..], [one] if is_right(one)), "{id} is to be {self:?}: {of:#?}");
        Ok(())
    }
}

/// How a booking's workflow ended, once it has.
pub(crate) async fn outcome_of(users: &Users, id: &str) -> anyhow::Result<Outcome> {
    eventually(&format!("{id}'s workflow ends"), async || {
        let Ok(client) = history::connect(users.access().temporal()).await else { return Ok(None) };
        let handle = client.get_workflow_handle::<Booking>(id);
        let ended = handle.get_result(WorkflowGetResultOptions::default());
        Ok(timeout(Duration::from_secs(5), ended).await.ok().and_then(Result::ok))
    })
    .await
}

/// Waits until a workflow is not running.
pub(crate) async fn ended(users: &Users, workflow: &str) -> anyhow::Result<()> {
    eventually(&format!("{workflow} has ended"), async || {
        let Ok(client) = history::connect(users.access().temporal()).await else { return Ok(None) };
        let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow);
        Ok(match handle.describe(WorkflowDescribeOptions::default()).await {
            Ok(it) => (it.status() != WorkflowExecutionStatus::Running).then_some(()),
            Err(WorkflowInteractionError::NotFound(_)) => Some(()),
            Err(_) => None,
        })
    })
    .await
}

/// Every message of a booking is delivered, and none of them twice at the gateway.
async fn told_once(users: &Users, id: &str) -> anyhow::Result<()> {
    let path = format!("/bookings/{id}/messages");
    let messages = eventually(&format!("{id}'s customer is told"), async || {
        let answer = users.get("dev-operator", &path).await?;
        let messages = answer.body["messages"].as_array().cloned().unwrap_or_default();
        let all = messages.iter().all(|it| it["status"] == "delivered");
        Ok((all && !messages.is_empty()).then_some(messages))
    })
    .await?;
    let ledger = users.ledger().await?;
    let sent = ledger["messages"].as_array().context("the ledger has messages")?;
    let mut texts = BTreeMap::<&str, usize>::new();
    for message in sent.iter().filter(|it| it["reference"] == id) {
        *texts.entry(message["template"].as_str().unwrap_or_default()).or_default() += 1;
    }
    let sent: usize = texts.values().sum();
    ensure!(sent == messages.len(), "{id} was told {texts:?}, and should be {messages:#?}");
    Ok(())
}

/// Checks an answer: its status, and a word at a place of its body.
pub(crate) fn hears(answer: &Answer, status: u16, word: &str, at: &str) -> anyhow::Result<()> {
    let said = answer.body.pointer(at).and_then(Value::as_str).unwrap_or_default();
    ensure!(answer.status == status && said.contains(word), "{status} {word} expected: {answer:?}");
    Ok(())
}

/// The workflow that delivers a booking's messages.
pub(crate) fn messages_of(id: &str) -> anyhow::Result<String> {
    Ok(messages::workflow_id(shard(&id.parse()?)))
}

/// The activities that a booking needed, and the delivery of its messages.
pub(crate) async fn activities_of(client: &Client, id: &str) -> anyhow::Result<Vec<String>> {
    let mut names = history::activities(&history::of(client, id).await?);
    names.extend(history::activities(&history::of(client, &messages_of(id)?).await?));
    Ok(names)
}
