//! What every phase works with: acts that run inline first and on their queue otherwise, waits that
//! a cancel ends, and the publisher.
//!
//! Everything here runs under one detached cancellation token, so that a cancel from Temporal's own
//! tools never abandons an act in flight: it is heard as one more command.

use std::{
    cell::Cell,
    rc::Rc,
    time::{Duration, SystemTime},
};

use bellhop_domain::{
    act::Append,
    event::{Event, NewEvent, StoredEvent},
    id::BookingId,
    key::{ActKey, Purpose},
    money::Money,
    plan::{Family, Plan},
    status::{Status, Trigger},
};
use futures::future::FutureExt;
use jiff::{SignedDuration, Timestamp};
use temporalio_common::{ActivityDefinition, error::IncomingError};
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, CancellableFuture, LocalActivityOptions, RetryPolicy,
    TimerOptions, TimerResult, WaitConditionOptions, WorkflowCancellationToken, WorkflowContext,
    select,
};

use crate::{
    booking::{Booking, End, Outcome},
    contract::{bookings::Bookings, failure},
    record::{Fact, Record},
};

/// Where an act goes on when it does not succeed inline at once.
#[derive(Clone, Copy)]
pub(crate) enum Home<'a> {
    /// An act on our own database: the queue of the workflow itself.
    Bookings,
    /// A family's queue; with what people read about it.
    Family(Family, &'a str),
}

/// A booking's saga, as its phases see it.
pub(crate) struct Saga {
    ctx: WorkflowContext<Booking>,
    detached: WorkflowCancellationToken,
    /// How many people were claimed, or sought in vain: it numbers the acts.
    claims: Cell<u32>,
}

/// What is known of the time in a workflow: when its current task began.
pub(crate) fn time(time: Option<SystemTime>) -> Timestamp {
    time.and_then(|it| Timestamp::try_from(it).ok()).unwrap_or(Timestamp::UNIX_EPOCH)
}

// Acts.
impl Saga {
    pub(crate) fn new(ctx: &WorkflowContext<Booking>) -> Self {
        let detached = WorkflowCancellationToken::new();
        Self { ctx: ctx.clone(), detached, claims: Cell::new(0) }
    }

    /// The number of the next claim, from 1.
    pub(crate) fn next_claim(&self) -> u32 {
        self.claims.update(|it| it + 1);
        self.claims.get()
    }

    /// Runs an act until it is done: inline if that succeeds at once, else on its queue.
    pub(crate) async fn act<A>(&self, activity: A, input: A::Input, home: Home<'_>) -> A::Output
    where
        A: ActivityDefinition,
        A::Input: Clone,
    {
        match self.inline(&activity, input.clone(), home).await {
            Ok(output) => output,
            Err(cause) => match self.queued(&activity, input, home, &cause, never()).await {
                Some(output) => output,
                None => unreachable!("what never happens does not stop an act"),
            },
        }
    }

    /// The same, given up when a command moves the booking to its end meanwhile. What was given up
    /// may have happened: the undo deals with it.
    pub(crate) async fn act_unless_moved<A>(
        &self,
        activity: A,
        input: A::Input,
        home: Home<'_>,
    ) -> Result<A::Output, End>
    where
        A: ActivityDefinition,
        A::Input: Clone,
    {
        let cause = match self.inline(&activity, input.clone(), home).await {
            Ok(output) => return Ok(output),
            Err(cause) => cause,
        };
        self.stop_if_moved()?;
        self.queued(&activity, input, home, &cause, self.moved()).await.ok_or(End::Moved)
    }

    /// Runs an act as a local activity, once.
    ///
    /// # Errors
    /// The kind of the failure, for the queue to take over: see [`crate::contract::failure`].
    pub(crate) async fn inline<A>(
        &self,
        activity: &A,
        input: A::Input,
        home: Home<'_>,
    ) -> Result<A::Output, Cause>
    where
        A: ActivityDefinition,
    {
        let pace = &self.plan().pace;
        let summary = match home {
            Home::Bookings => None,
            Home::Family(family, _) if !pace.inline.contains(&family) => {
                return Err(Cause::of(activity, failure::NOT_INLINE));
            }
            Home::Family(_, summary) => Some(summary.to_owned()),
        };
        let options = LocalActivityOptions::builder()
            .start_to_close_timeout(pace.inline_budget)
            .retry_policy(RetryPolicy::builder().maximum_attempts(1).build())
            .cancellation_token(self.detached.clone())
            .maybe_summary(summary)
            .build();
        let done = self.ctx.execute_local_activity(By(activity), input, options).await;
        done.map_err(|error| Cause::of(activity, kind(&error)))
    }

    /// Runs an act on its queue until it is done or `stop` ends, which answers `None`. What keeps
    /// failing raises attention and goes on being retried.
    pub(crate) async fn queued<A>(
        &self,
        activity: &A,
        input: A::Input,
        home: Home<'_>,
        cause: &Cause,
        stop: impl Future<Output = ()>,
    ) -> Option<A::Output>
    where
        A: ActivityDefinition,
        A::Input: Clone,
    {
        let stop = stop.fuse();
        futures::pin_mut!(stop);
        let mut attention = Attention::new(self, cause.clone());
        for round in 1.. {
            let options = self.queue_options(home);
            let mut queued = self.ctx.execute_activity(By(activity), input.clone(), options);
            let mut late = self.timer(self.plan().pace.attention_after, "attention");
            let done = loop {
                select! {
                    done = queued => break Some(done),
                    () = stop => break None,
                    fired = late => if fired == TimerResult::Fired { attention.raise() },
                }
            };
            late.cancel();
            match done {
                None => {
                    queued.cancel();
                    attention.clear(); // of what is given up; what follows raises its own
                    return None;
                }
                Some(Ok(output)) => {
                    attention.clear();
                    return Some(output);
                }
                // The queue retries without limit, so this is a defect; a fixed worker goes on here.
                Some(Err(error)) => {
                    attention.cause = Cause::of(activity, kind(&error));
                    attention.raise();
                    self.sleep(self.backoff(round), "after a failure").await;
                }
            }
        }
        None
    }

    fn queue_options(&self, home: Home<'_>) -> ActivityOptions {
        let pace = &self.plan().pace;
        let retry = RetryPolicy::builder()
            .initial_interval(pace.retry_after)
            .maximum_interval(pace.retry_at_most)
            .build();
        let (queue, summary) = match home {
            Home::Bookings => (None, None),
            Home::Family(family, summary) => (Some(family.as_str()), Some(summary)),
        };
        ActivityOptions::with_start_to_close_timeout(QUEUED_ATTEMPT)
            .retry_policy(retry)
            .cancellation_token(self.detached.clone())
            .maybe_task_queue(queue.map(str::to_owned))
            .maybe_summary(summary.map(str::to_owned))
            .build()
    }
}

/// How long one attempt on a queue may take: longer than any partner's time-out, short enough that a
/// worker that died is soon missed.
const QUEUED_ATTEMPT: Duration = Duration::from_secs(15);

/// Why an act has to go to its queue.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    activity: String,
    pub(crate) kind: String,
}

impl Cause {
    fn of(activity: &impl ActivityDefinition, kind: &str) -> Self {
        Self { activity: activity.name().to_owned(), kind: kind.to_owned() }
    }
}

/// The attention that one act raises at most once and clears when it is done.
struct Attention<'a> {
    booking: &'a Saga,
    cause: Cause,
    raised: bool,
}

impl<'a> Attention<'a> {
    fn new(booking: &'a Saga, cause: Cause) -> Self {
        Self { booking, cause, raised: false }
    }

    fn raise(&mut self) {
        if !self.raised {
            self.raised = true;
            let cause = format!("{}: {}", self.cause.activity, self.cause.kind);
            self.booking.publish(Fact::new(Event::AttentionRaised { cause }));
        }
    }

    fn clear(&self) {
        if self.raised {
            self.booking.publish(Fact::new(Event::AttentionCleared));
        }
    }
}

/// An activity by reference: the inline try and the queue need it both.
struct By<'a, A>(&'a A);

impl<A: ActivityDefinition> ActivityDefinition for By<'_, A> {
    type Input = A::Input;
    type Output = A::Output;

    fn name(&self) -> &str {
        self.0.name()
    }
}

fn kind(error: &ActivityExecutionError) -> &str {
    match error.cause() {
        _ if error.as_timeout().is_some() => failure::UNKNOWN,
        Some(IncomingError::Application(it)) => it.type_name().unwrap_or("error"),
        _ => "error",
    }
}
/// What never happens.
pub(crate) fn never() -> impl Future<Output = ()> {
    std::future::pending()
}

// Waits.
impl Saga {
    /// Waits until the record says so.
    pub(crate) async fn wait(&self, mut until: impl FnMut(&Record) -> bool) {
        let options = WaitConditionOptions::builder().cancellation_token(self.detached.clone());
        let wait = self
            .ctx
            .wait_condition_with_options(move |booking| until(&booking.record), options.build());
        // The detached token is never cancelled, so the wait ends only by its condition.
        let _ = wait.await;
    }

    /// Waits until the booking has ended, or is to be undone.
    pub(crate) async fn moved(&self) {
        self.wait(|record| record.view.status.is_over()).await;
    }

    pub(crate) fn timer(
        &self,
        length: Duration,
        summary: &str,
    ) -> impl CancellableFuture<Output = TimerResult> {
        self.timer_of(&self.detached, length, summary)
    }

    /// A timer that `token` cancels.
    pub(crate) fn timer_of(
        &self,
        token: &WorkflowCancellationToken,
        length: Duration,
        summary: &str,
    ) -> impl CancellableFuture<Output = TimerResult> {
        let options = TimerOptions::builder(length)
            .cancellation_token(token.clone())
            .summary(summary.to_owned());
        self.ctx.timer(options.build())
    }

    /// A token for timers that are cancelled together. Dropping a timer does not cancel it.
    pub(crate) fn timers(&self) -> WorkflowCancellationToken {
        self.detached.child_token()
    }

    pub(crate) async fn sleep(&self, length: Duration, summary: &str) {
        // The detached token is never cancelled, so the timer fires.
        let _fired: TimerResult = self.timer(length, summary).await;
    }

    /// How long it is until `at`; at least a millisecond.
    pub(crate) fn until(&self, at: Timestamp) -> Duration {
        let length = at.duration_since(self.now()).max(SignedDuration::from_millis(1));
        length.unsigned_abs()
    }

    /// How long the `round`th wait of a loop takes, so that no loop fills the history: 1 s, twice as
    /// long each time, an hour at most.
    pub(crate) fn backoff(&self, round: u32) -> Duration {
        let first = self.plan().pace.retry_after;
        first.saturating_mul(1 << round.min(12)).min(Duration::from_secs(3_600))
    }

    /// Listens for a cancel from Temporal's own tools until the booking ends.
    pub(crate) async fn heed_operator(&self) {
        let closed = self.wait(Record::is_closed).fuse();
        let cancelled = self.ctx.cancelled();
        futures::pin_mut!(closed, cancelled);
        select! {
            () = closed => {}
            reason = cancelled => {
                let now = self.now();
                self.ctx.state_mut(|booking| booking.cancel_by_operator(reason, now));
            }
        }
    }
}

// The record.
impl Saga {
    pub(crate) fn record<T>(&self, read: impl FnOnce(&Record) -> T) -> T {
        self.ctx.state(|booking| read(&booking.record))
    }

    fn record_mut<T>(&self, change: impl FnOnce(&mut Record) -> T) -> T {
        let done = self.ctx.state_mut(|booking| change(&mut booking.record));
        self.ctx.set_current_details(self.record(details));
        done
    }

    pub(crate) fn plan(&self) -> Rc<Plan> {
        self.record(|record| record.plan.clone())
    }

    pub(crate) fn id(&self) -> BookingId {
        self.record(|record| record.id.clone())
    }

    pub(crate) fn status(&self) -> Status {
        self.record(|record| record.view.status)
    }

    pub(crate) fn keep(&self) -> Option<Money> {
        self.record(Record::keep)
    }

    pub(crate) fn key(&self, purpose: Purpose, ordinal: u32) -> ActKey {
        self.record(|record| ActKey::new(&record.id, purpose, ordinal))
    }

    pub(crate) fn now(&self) -> Timestamp {
        time(self.ctx.workflow_time())
    }

    /// Until when this workflow task may go on starting calls to partners inline.
    pub(crate) fn inline_until(&self) -> Option<Timestamp> {
        let budget = SignedDuration::try_from(self.plan().pace.inline_budget).ok()?;
        self.now().checked_add(budget).ok()
    }

    pub(crate) fn publish(&self, fact: Fact) {
        let now = self.now();
        self.record_mut(|record| record.publish(fact, now));
    }

    /// Takes in the events that an act has journalled with its effect, after those `before` it.
    pub(crate) fn journalled(&self, before: &[NewEvent], events: &[StoredEvent]) {
        self.record_mut(|record| {
            record.sent(before);
            record.learn(events);
        });
    }

    /// Takes in the first events; from here on there is a booking to publish for.
    pub(crate) fn opened(&self, events: &[StoredEvent]) {
        self.record_mut(|record| {
            record.learn(events);
            record.open();
        });
    }

    /// Stops the course where a command has moved the booking to its end, or to be undone.
    pub(crate) fn stop_if_moved(&self) -> Result<(), End> {
        if self.status().is_over() { Err(End::Moved) } else { Ok(()) }
    }

    /// Publishes the end that the course came to. What a command has decided stands.
    pub(crate) fn decide(&self, end: End) {
        let (event, trigger, status) = match end {
            End::Moved | End::Duplicate => return,
            End::Rejected(code) => (Event::Rejected { code }, Trigger::Reject, Status::Rejected),
            End::Expired => (Event::Expired, Trigger::Expire, Status::Expired),
            End::Unfulfilled(code) => {
                (Event::Unfulfilled { code }, Trigger::GiveUp, Status::Unfulfilled)
            }
        };
        if !self.status().is_over() {
            self.publish(Fact::new(event).moving(trigger, status));
        }
    }

    /// Ends a run that found its booking taken: without effect.
    pub(crate) fn abandon(&self) -> Outcome {
        self.record_mut(Record::abandon);
        Outcome { result: "duplicate".to_owned(), code: None }
    }

    /// Lets the publisher end, and tells how the booking ended.
    pub(crate) fn close(&self) -> Outcome {
        self.record_mut(Record::close);
        self.record(|record| Outcome {
            result: record.view.status.as_str().to_owned(),
            code: record.view.code.clone(),
        })
    }
}

// The journal.
impl Saga {
    /// Carries events to the journal until the booking is closed and everything is sent. With the
    /// database away it keeps trying while the course goes on where it can.
    pub(crate) async fn publish_events(&self) {
        loop {
            self.wait(Record::wants_publisher).await;
            let unsent = self.record(Record::unsent);
            if unsent.is_empty() {
                return;
            }
            self.append(unsent).await;
        }
    }

    /// Takes in what the journal knows and this life of the workflow does not, before it decides
    /// something by itself.
    pub(crate) async fn look_at_journal(&self) {
        self.append(vec![]).await;
    }

    async fn append(&self, events: Vec<NewEvent>) {
        let append = self.record(|record| Append {
            booking: record.id.clone(),
            events: events.clone(),
            known: record.known(),
        });
        let appended = self.act(Bookings::append, append, Home::Bookings).await;
        self.record_mut(|record| record.journalled(&events, &appended));
    }
}

/// What Temporal's web UI shows of a booking, in Markdown; nothing personal.
fn details(record: &Record) -> String {
    let view = &record.view;
    let mut text = format!("**{}**, payment {}", view.status, view.payment.status);
    if let Some(amount) = view.amount {
        text.push_str(&format!(", {amount}"));
    }
    if let Some(stage) = &view.stage {
        text.push_str(&format!(", stage `{stage}`"));
    }
    if let (Status::AwaitingApproval, Some(approval)) = (view.status, &record.plan.service.approval)
    {
        text.push_str(&format!(", declined unless approved within {}", approval.deadline));
    }
    if let Some(attention) = &view.attention {
        text.push_str(&format!("\n\n**Attention**: {} since {}", attention.cause, attention.since));
    }
    text
}
