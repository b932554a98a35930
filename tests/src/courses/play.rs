//! Playing a booking step by step, each once the one before has come to rest.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use bellhop_workers::seed::COMPANY;
use serde_json::{Value, json};
use temporalio_client::{Client, UntypedWorkflow, WorkflowCancelOptions, WorkflowDescribeOptions};
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};

use super::{Mark, Played, Request, Step, outline};
use crate::{
    desk::{Desk, booking_id, new_key},
    history,
    stack::{Stack, eventually},
};

/// Metres of a degree along a meridian.
const DEGREE: f64 = 111_195.0;

/// A booking that is being played.
pub(super) struct Play<'a> {
    stack: &'a Stack,
    client: &'a Client,
    customer: Desk,
    operator: Desk,
    key: String,
    id: String,
    /// Degrees north and east of where it takes place: so far from all others that nobody who
    /// serves there is found here.
    place: (f64, f64),
    staff: Vec<String>,
    commands: usize,
    marks: Vec<Mark>,
}

impl<'a> Play<'a> {
    pub(super) fn new(stack: &'a Stack, client: &'a Client) -> anyhow::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = (-60.0 + 8.0 * f64::from(number / 40), -160.0 + 8.0 * f64::from(number % 40));
        let (customer, operator) = (stack.desk("dev-customer"), stack.desk("dev-operator"));
        let key = new_key();
        let id = booking_id(&key)?;
        let (staff, marks) = (vec![], vec![]);
        Ok(Self { stack, client, customer, operator, key, id, place, staff, commands: 0, marks })
    }

    pub(super) async fn step(&mut self, step: Step, request: Request) -> anyhow::Result<()> {
        match step {
            Step::Staff(kind, metres) => self.put(kind, metres).await,
            Step::Book => {
                let body = self.body(request).await?;
                self.customer.post_as("/bookings", &self.key, body).await?;
                self.mark().await
            }
            Step::Call(states) => {
                let body = self.body(request).await?;
                self.post_until("/bookings".to_owned(), self.key.clone(), body, states).await
            }
            Step::Approve => {
                self.command("dev-manager", "/approvals/{id}/approve", json!({})).await
            }
            Step::Decline => {
                self.command("dev-manager", "/approvals/{id}/decline", json!({})).await
            }
            Step::Advance(to) => self.advance(to).await,
            Step::Miss => {
                self.until(|booking| {
                    let actions = booking["allowed_actions"].as_array();
                    actions.is_some_and(|it| it.contains(&json!("no_show")))
                })
                .await?;
                self.advance("no_show").await
            }
            Step::Cancel(token) => {
                let body = json!({"reason": "changed_plans"});
                self.command(token, "/bookings/{id}/cancel", body).await
            }
            Step::BeginCancel => {
                let path = format!("/bookings/{}/cancel", self.id);
                self.post_until(path, new_key(), json!({}), &["cancelling", "cancelled"]).await
            }
            Step::CancelInTemporal => {
                let handle = self.client.get_workflow_handle::<UntypedWorkflow>(&self.id);
                handle.cancel(WorkflowCancelOptions::builder().reason("by hand").build()).await?;
                Ok(())
            }
            Step::Asked(who) => {
                let who = json!(self.staff[who]);
                self.until(|booking| booking["offer"]["subject"] == who).await?;
                self.mark().await
            }
            Step::Accept(who) => self.answer(who, "accept").await,
            Step::Refuse(who) => self.answer(who, "decline").await,
            Step::Until(status) => {
                self.until(|booking| booking["status"] == status).await?;
                self.mark().await
            }
            Step::Entry => {
                self.until(|booking| booking["confirmation"]["status"] == "issued").await?;
                self.marks.pop(); // it was on its way then
                self.mark().await
            }
            Step::Provider(mode) => self.stack.partner("payments", mode).await,
            Step::Fault(activity, fault, times) => {
                self.stack.faults().put(&self.id, activity, fault, times)
            }
            Step::RetryWaits => self.until_activities(|it| it.iter().any(|it| *it > 1)).await,
            Step::Held(activity) => {
                eventually(&format!("{activity} of {} held", self.id), async || {
                    Ok(self.stack.faults().is_held(&self.id, activity).then_some(()))
                })
                .await
            }
            Step::LetGo(activity) => self.stack.faults().let_go(&self.id, activity),
            Step::NoneWaits => self.until_activities(<[i32]>::is_empty).await,
        }
    }

    async fn body(&self, request: Request) -> anyhow::Result<Value> {
        let (lat, lon) = self.place;
        let place = json!({"address": "먼 곳", "lat": lat, "lon": lon});
        request.body(&self.operator, &place).await
    }

    /// Registers somebody who is free, so many metres away.
    async fn put(&mut self, kind: &str, metres: f64) -> anyhow::Result<()> {
        let id = format!("staff-{}", new_key());
        let person = json!({
            "company": COMPANY, "name": "박기사", "phone": "010-1234-5678",
            "skills": if kind == "drivers" { &["automatic"][..] } else { &[] },
        });
        let (lat, lon) = (self.place.0 + metres / DEGREE, self.place.1);
        for (path, body) in [
            (format!("/{kind}/{id}"), person),
            (format!("/staff/{id}/location"), json!({"lat": lat, "lon": lon})),
            (format!("/staff/{id}/availability"), json!({"available": true})),
        ] {
            let put = self.operator.put(&path, body).await?;
            ensure!(put.status < 300, "somebody is free: {put:?}");
        }
        self.staff.push(id);
        Ok(())
    }

    /// Somebody answers whether they serve it.
    async fn answer(&mut self, who: usize, answer: &str) -> anyhow::Result<()> {
        let path = format!("/offers?staff={}&limit=100", self.staff[who]);
        let offer = eventually(&format!("an offer of {}", self.id), async || {
            let offers = self.operator.get(&path).await?.body["items"].clone();
            let offers = offers.as_array().into_iter().flatten();
            let mut ours = offers.filter(|it| it["booking_id"] == *self.id);
            Ok(ours.next().and_then(|it| it["id"].as_str().map(str::to_owned)))
        })
        .await?;
        self.command("dev-operator", &format!("/offers/{offer}/{answer}"), json!({})).await
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

    /// Waits until an operator sees the booking so.
    async fn until(&self, is_so: impl Fn(&Value) -> bool) -> anyhow::Result<()> {
        eventually(&format!("{} as wanted", self.id), async || {
            Ok(is_so(&self.operator.booking(&self.id).await?).then_some(()))
        })
        .await
    }

    /// Waits until the activities on queues that are not done are in these attempts.
    async fn until_activities(&self, are_so: impl Fn(&[i32]) -> bool) -> anyhow::Result<()> {
        let handle = self.client.get_workflow_handle::<UntypedWorkflow>(&self.id);
        eventually(&format!("the activities of {} as wanted", self.id), async || {
            let described = handle.describe(WorkflowDescribeOptions::default()).await?;
            let pending = described.raw().pending_activities.iter();
            Ok(are_so(&pending.map(|it| it.attempt).collect::<Vec<_>>()).then_some(()))
        })
        .await
    }

    async fn advance(&mut self, to: &str) -> anyhow::Result<()> {
        self.command("dev-manager", "/bookings/{id}/advance", json!({"to": to})).await
    }

    async fn command(&mut self, token: &str, path: &str, body: Value) -> anyhow::Result<()> {
        self.commands += 1;
        let answer = self.stack.desk(token).post(&path.replace("{id}", &self.id), body).await?;
        ensure!(answer.status == 200, "the command is carried out: {answer:?}");
        self.mark().await
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
    async fn history(
        &self,
        is_wanted: impl Fn(&[HistoryEvent]) -> bool,
    ) -> anyhow::Result<Vec<HistoryEvent>> {
        let last = RefCell::new(vec![]);
        let what = format!("the history of {} at rest", self.id);
        let found = eventually(&what, async || {
            let events = history::of(self.client, &self.id).await?;
            let commands = count(&events, EventType::WorkflowExecutionUpdateCompleted);
            let is_whole = commands >= self.commands && is_wanted(&events);
            last.replace(events.clone());
            Ok(is_whole.then_some(events))
        });
        found.await.with_context(|| outline(&last.borrow()))
    }
}

fn count(events: &[HistoryEvent], kind: EventType) -> usize {
    events.iter().filter(|event| event.event_type() == kind).count()
}

fn is_closed(events: &[HistoryEvent]) -> bool {
    count(events, EventType::WorkflowExecutionCompleted) == 1
}

/// Whether neither a workflow task nor an activity that it waits for is under way.
fn is_at_rest(events: &[HistoryEvent]) -> bool {
    let (scheduled, completed) =
        (EventType::WorkflowTaskScheduled, EventType::WorkflowTaskCompleted);
    let tasks = count(events, completed);
    let activities = count(events, EventType::ActivityTaskCompleted)
        + count(events, EventType::ActivityTaskCancelRequested);
    tasks > 0
        && tasks == count(events, scheduled)
        && activities >= count(events, EventType::ActivityTaskScheduled)
}
