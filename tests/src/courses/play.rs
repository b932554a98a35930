//! Playing a booking step by step, each once the one before has come to rest.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use temporalio_client::{Client, UntypedWorkflow, WorkflowCancelOptions, WorkflowDescribeOptions};
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};

use super::{Mark, Played};
use crate::{
    desk::{Desk, a_taxi, booking_id, new_key},
    history,
    stack::{Stack, eventually},
};

/// A booking that is being played.
pub(super) struct Play<'a> {
    stack: &'a Stack,
    client: &'a Client,
    customer: Desk,
    id: String,
    commands: usize,
    marks: Vec<Mark>,
}

impl<'a> Play<'a> {
    pub(super) fn new(stack: &'a Stack, client: &'a Client) -> Self {
        let customer = stack.desk("dev-customer");
        Self { stack, client, customer, id: String::new(), commands: 0, marks: vec![] }
    }

    pub(super) async fn served(&mut self, token: &str) -> anyhow::Result<()> {
        self.book(a_taxi(token)).await?;
        self.approve().await?;
        for stage in ["on_the_way", "riding", "completed"] {
            self.advance(stage).await?;
        }
        Ok(())
    }

    /// Books, and waits until that is decided.
    pub(super) async fn book(&mut self, body: Value) -> anyhow::Result<()> {
        self.id = self.customer.book(body).await?.id()?;
        self.mark().await
    }

    /// Books, and waits no longer than until it is in one of `states`.
    pub(super) async fn begin(&mut self, body: Value, states: &[&str]) -> anyhow::Result<()> {
        let key = new_key();
        self.id = booking_id(&key)?;
        self.post_until("/bookings".to_owned(), key, body, states).await
    }

    /// Cancels, and waits no longer than until that is decided.
    pub(super) async fn begin_cancel(&mut self) -> anyhow::Result<()> {
        self.commands += 1;
        let (path, body) = (format!("/bookings/{}/cancel", self.id), json!({}));
        self.post_until(path, new_key(), body, &["cancelling", "cancelled"]).await
    }

    pub(super) async fn post_until(
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

    /// What is cancelled while an act is under way goes another way each time.
    pub(super) async fn until_it_waits_for_a_retry(&self) -> anyhow::Result<()> {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(&self.id);
        eventually("an act on its queue has failed", async || {
            let described = handle.describe(WorkflowDescribeOptions::default()).await?;
            let waits = described.raw().pending_activities.iter().any(|it| it.attempt > 1);
            Ok(waits.then_some(()))
        })
        .await
    }

    /// Waits until the visitor's confirmation of entry has followed, and notes how it stands.
    pub(super) async fn until_entry_is_confirmed(&mut self) -> anyhow::Result<()> {
        eventually(&format!("a confirmation of entry for {}", self.id), async || {
            let booking = self.customer.booking(&self.id).await?;
            Ok((booking["confirmation"]["status"] == "issued").then_some(()))
        })
        .await?;
        self.marks.pop(); // it was on its way then
        self.mark().await
    }

    pub(super) async fn approve(&mut self) -> anyhow::Result<()> {
        self.command("dev-manager", "/approvals/{id}/approve", json!({})).await
    }

    pub(super) async fn advance(&mut self, to: &str) -> anyhow::Result<()> {
        self.command("dev-manager", "/bookings/{id}/advance", json!({"to": to})).await
    }

    pub(super) async fn cancel(&mut self, token: &str) -> anyhow::Result<()> {
        self.command(token, "/bookings/{id}/cancel", json!({"reason": "changed_plans"})).await
    }

    pub(super) async fn command(
        &mut self,
        token: &str,
        path: &str,
        body: Value,
    ) -> anyhow::Result<()> {
        self.commands += 1;
        let answer = self.stack.desk(token).post(&path.replace("{id}", &self.id), body).await?;
        ensure!(answer.status == 200, "the command is carried out: {answer:?}");
        self.mark().await
    }

    pub(super) async fn cancel_in_temporal(&mut self) -> anyhow::Result<()> {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(&self.id);
        handle.cancel(WorkflowCancelOptions::builder().reason("by hand").build()).await?;
        Ok(())
    }

    /// A request for a grade of which a company has none.
    pub(super) async fn a_taxi_of_none(&self) -> anyhow::Result<Value> {
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
    pub(super) async fn mark(&mut self) -> anyhow::Result<()> {
        let events = self.history(is_at_rest).await?;
        let booking = self.customer.booking(&self.id).await?;
        let status = booking["stage"].as_str().filter(|_| booking["status"] == "in_progress");
        let status = status.or(booking["status"].as_str()).context("a booking has a status")?;
        self.marks.push((status.to_owned(), events.len()));
        Ok(())
    }

    pub(super) async fn end(mut self) -> anyhow::Result<Played> {
        let history = self.history(is_closed).await?;
        let booking = self.customer.booking(&self.id).await?;
        let status = booking["status"].as_str().context("a booking has a status")?.to_owned();
        if self.marks.last().is_none_or(|mark| mark.0 != status) {
            self.marks.push((status, history.len()));
        }
        Ok(Played { history, marks: self.marks })
    }

    /// The history, once every command is in it and it is as wanted.
    pub(super) async fn history(
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
