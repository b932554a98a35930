//! What must be true at a booking's end: its state, its money here and at the provider, its workflow,
//! and what was told of it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, ensure};
use bellhop_store::shard;
use bellhop_tests::{desk::Answer, history, stack::eventually};
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

/// How a booking has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    pub(crate) status: &'static str,
    pub(crate) payment: &'static str,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
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
        told(users, id).await.map(drop)
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

/// What a booking's customer and those who serve it were told, once all of it is delivered, sorted:
/// whom, over which channel, and what. The gateway was given each of it once, and nothing else;
/// what stands on a page is not sent.
pub(crate) async fn told(users: &Users, id: &str) -> anyhow::Result<Vec<String>> {
    let path = format!("/bookings/{id}/messages");
    let messages = eventually(&format!("{id}'s customer is told"), async || {
        let answer = users.get("dev-operator", &path).await?;
        let messages = answer.body["messages"].as_array().cloned().unwrap_or_default();
        let all = messages.iter().all(|it| it["status"] == "delivered");
        Ok((all && !messages.is_empty()).then_some(messages))
    })
    .await?;
    let words = |message: &Value, members: &[&str]| {
        let word = |member: &&str| message[*member].as_str().unwrap_or_default().to_owned();
        members.iter().map(word).collect::<Vec<_>>().join(" ")
    };
    let count = |messages: &[&Value]| {
        let mut counts = BTreeMap::<_, usize>::new();
        for message in messages {
            *counts.entry(words(message, &["channel", "template"])).or_default() += 1;
        }
        counts
    };
    let due: Vec<_> = messages.iter().filter(|it| it["channel"] != "page").collect();
    let ledger = users.ledger().await?;
    let sent = ledger["messages"].as_array().context("the ledger has messages")?;
    let sent: Vec<_> = sent.iter().filter(|it| it["reference"] == id).collect();
    ensure!(count(&sent) == count(&due), "{id} was told {sent:#?}, and should be {messages:#?}");
    let mut told: Vec<_> =
        messages.iter().map(|it| words(it, &["audience", "channel", "template"])).collect();
    told.sort();
    Ok(told)
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

/// The activities that a booking needed, and the delivery of its messages where any are sent.
pub(crate) async fn activities_of(
    client: &Client,
    id: &str,
    told: &[String],
) -> anyhow::Result<Vec<String>> {
    let mut names = history::activities(&history::of(client, id).await?);
    if told.iter().any(|it| !it.contains(" page ")) {
        names.extend(history::activities(&history::of(client, &messages_of(id)?).await?));
    }
    Ok(names)
}
