//! The booking workflow: its course, its commands, and what it may never do: lose its undo.
//!
//! A booking is one run of this workflow under the booking's id. The course goes through the phases
//! of the plan; every state change is an event; every act is keyed and may run again. Whatever ends
//! the booking early, the undo of each phase runs, derived from the plan and not from what this life
//! of the workflow remembers having done.

#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use bellhop_domain::{
    event::{Actor, Event, Role},
    id::BookingId,
    plan::Plan,
    policy,
    service::{COMPLETED, NO_SHOW},
    status::{Status, Trigger, may},
};
use std::convert::Infallible;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, join,
};

use crate::{
    command::{
        Advance, AnswerOffer, Approve, Caller, Cancel, Decline, NOT_ALLOWED, NOT_NEXT, Receipt,
    },
    phase::{self, approval, dispatch, fulfilment, hold, payment},
    record::{Fact, Record},
    saga::{Saga, time},
};

type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// The input of a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// What it goes by.
    pub plan: Plan,
    /// Who books.
    pub actor: Actor,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The booking's last state, or `duplicate` for a run that found its booking taken.
    pub result: String,
    /// Why, where there is a reason: a stable code.
    pub code: Option<String>,
}

/// How a course ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An earlier run opened the booking.
    Duplicate,
    /// A command has moved the booking to its end, or to being cancelled; also where it was served.
    Moved,
    /// Refused.
    Rejected(String),
    /// The hold ran out.
    Expired,
    /// Accepted, and then could not be served.
    Unfulfilled(String),
}

/// A booking, from the call to its end.
#[workflow]
pub struct Booking {
    pub(crate) record: Record,
}

#[workflow_methods]
impl Booking {
    /// Takes the plan; handlers may run before the course begins.
    #[init]
    pub fn new(ctx: &WorkflowContextView, start: Start) -> Self {
        let id: BookingId = ctx.workflow_id().parse().expect("bookings are started under their id");
        let first_run_id = ctx.first_execution_run_id().to_owned();
        Self { record: Record::new(id, first_run_id, start.plan, start.actor) }
    }

    /// Lives the booking, and beside it carries its events to the journal and listens for a cancel
    /// from Temporal's own tools.
    #[run(name = "booking")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Outcome> {
        let booking = Saga::new(ctx);
        let (outcome, (), ()) =
            join!(Self::live(&booking), booking.publish_events(), booking.heed_operator());
        Ok(outcome)
    }

    /// From the call to the end, whichever it is; then whatever has to be undone.
    async fn live(booking: &Saga) -> Outcome {
        let end = match Self::course(booking).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        if end == End::Duplicate {
            return booking.abandon();
        }
        booking.decide(end); // published before the undo: nobody waits for that to hear the end
        phase::finish(booking).await; // every phase of the plan, newest first
        booking.close()
    }

    /// The phases in their order, until the end; a plan leaves out those that it does not have.
    async fn course(booking: &Saga) -> Result<Infallible, End> {
        let held = hold::open(booking).await?;
        payment::pay(booking, &held).await?;
        approval::decision(booking).await?;
        payment::capture(booking, &held).await?;
        loop {
            dispatch::assign(booking).await?;
            fulfilment::follow(booking).await?; // returns where who was assigned does not come
        }
    }

    /// Cancels: decided at once, undone by the course.
    #[update(name = "cancel")]
    pub fn cancel(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        cancel: Cancel,
    ) -> Result<Receipt, HandlerError> {
        let keep = match cancel.terms {
            Some(terms) => terms.keep,
            None => self.terms(&cancel.caller).and_then(|terms| terms.keep),
        };
        let event = Event::Cancelling { reason: cancel.reason, keep };
        let fact = Fact::new(event).moving(Trigger::Cancel, Status::Cancelling);
        Ok(self.command(time(ctx.workflow_time()), cancel.caller, fact))
    }

    /// Refuses a cancel that the state, the role or the policy does not allow.
    #[update_validator(cancel)]
    pub fn may_cancel(
        &self,
        _ctx: &WorkflowContextView,
        cancel: &Cancel,
    ) -> Result<(), HandlerError> {
        // Quoted terms say what it costs, not whether it may still be done.
        allow(self.terms(&cancel.caller).is_some(), NOT_ALLOWED)
    }

    /// Approves.
    #[update(name = "approve")]
    pub fn approve(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        approve: Approve,
    ) -> Result<Receipt, HandlerError> {
        let next = policy::approved_as(&self.record.plan.service);
        let fact = Fact::new(Event::ApprovalGranted).moving(Trigger::Approve, next);
        Ok(self.command(time(ctx.workflow_time()), approve.caller, fact))
    }

    /// Refuses an approval that the state or the role does not allow.
    #[update_validator(approve)]
    pub fn may_approve(
        &self,
        _ctx: &WorkflowContextView,
        approve: &Approve,
    ) -> Result<(), HandlerError> {
        self.allow(Trigger::Approve, &approve.caller)
    }

    /// Declines.
    #[update(name = "decline")]
    pub fn decline(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        decline: Decline,
    ) -> Result<Receipt, HandlerError> {
        let event = Event::ApprovalDeclined { reason: decline.reason };
        let fact = Fact::new(event).moving(Trigger::Decline, Status::Rejected);
        Ok(self.command(time(ctx.workflow_time()), decline.caller, fact))
    }

    /// Refuses a decline that the state or the role does not allow.
    #[update_validator(decline)]
    pub fn may_decline(
        &self,
        _ctx: &WorkflowContextView,
        decline: &Decline,
    ) -> Result<(), HandlerError> {
        self.allow(Trigger::Decline, &decline.caller)
    }

    /// Brings the booking to its next stage, or to its completion.
    #[update(name = "advance")]
    pub fn advance(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        advance: Advance,
    ) -> Result<Receipt, HandlerError> {
        let fact = match &*advance.to {
            COMPLETED => Fact::new(Event::Completed).moving(Trigger::Complete, Status::Completed),
            NO_SHOW => {
                let keep = self.missed(&advance.caller).and_then(|it| it.keep);
                Fact::new(Event::Missed { keep }).moving(Trigger::Miss, Status::NoShow)
            }
            _ => {
                let event = Event::StageReached { stage: advance.to };
                Fact::new(event).moving(Trigger::Advance, Status::InProgress)
            }
        };
        Ok(self.command(time(ctx.workflow_time()), advance.caller, fact))
    }

    /// Refuses a stage that is not the next, or that the state or the role does not allow.
    #[update_validator(advance)]
    pub fn may_advance(
        &self,
        _ctx: &WorkflowContextView,
        advance: &Advance,
    ) -> Result<(), HandlerError> {
        let (service, view) = (&self.record.plan.service, &self.record.view);
        let role = advance.caller.actor.role;
        if advance.to == NO_SHOW {
            return allow(self.missed(&advance.caller).is_some(), NOT_ALLOWED);
        }
        let next = service.stage_after(view.stage.as_deref());
        allow(policy::may_advance(service, view, role, next), NOT_ALLOWED)?;
        allow(next == advance.to, NOT_NEXT)
    }

    /// Accepts or declines to serve the booking; a decline after an acceptance takes it back.
    #[update(name = "answer_offer")]
    pub fn answer_offer(
        &mut self,
        ctx: &mut SyncWorkflowContext<Self>,
        answer: AnswerOffer,
    ) -> Result<Receipt, HandlerError> {
        let view = &self.record.view;
        let assignment = view.involved().next().cloned().ok_or(NOT_ALLOWED)?;
        let fact = if answer.accept {
            let assigned = Event::Assigned { assignment };
            Fact::new(assigned).moving(Trigger::Assign, Status::Confirmed)
        } else {
            let subject = assignment.subject.ok_or(NOT_ALLOWED)?;
            let declined = Event::OfferDeclined { subject };
            Fact::new(declined).moving(Trigger::Unassign, Status::Dispatching)
        };
        Ok(self.command(time(ctx.workflow_time()), answer.caller, fact))
    }

    /// Refuses an answer to another question, by somebody who was not asked, or too late.
    #[update_validator(answer_offer)]
    pub fn may_answer_offer(
        &self,
        _ctx: &WorkflowContextView,
        answer: &AnswerOffer,
    ) -> Result<(), HandlerError> {
        let (service, view) = (&self.record.plan.service, &self.record.view);
        let (actor, offer, accept) = (&answer.caller.actor, &answer.offer, answer.accept);
        allow(policy::may_answer_offer(service, view, actor, offer, accept), NOT_ALLOWED)
    }

    /// The booking as its workflow sees it, for people who look at it in Temporal's own tools.
    /// Everybody else reads the view in the database.
    #[query(name = "status")]
    pub fn status(&self, _ctx: &WorkflowContextView) -> bellhop_domain::view::BookingView {
        self.record.view.clone()
    }
}

impl Booking {
    fn terms(&self, caller: &Caller) -> Option<policy::Terms> {
        let (plan, view) = (&self.record.plan, &self.record.view);
        policy::cancellation(&plan.service, view, caller.actor.role, caller.at)
    }

    fn missed(&self, caller: &Caller) -> Option<policy::Missed> {
        let (plan, view) = (&self.record.plan, &self.record.view);
        policy::missed(&plan.service, view, caller.actor.role, caller.at)
    }

    fn allow(&self, trigger: Trigger, caller: &Caller) -> Result<(), HandlerError> {
        allow(may(self.record.view.status, trigger, caller.actor.role), NOT_ALLOWED)
    }

    fn command(&mut self, at: Timestamp, caller: Caller, fact: Fact) -> Receipt {
        self.record.publish(fact.by(caller.actor, Some(caller.command.clone())), at);
        Receipt { command: caller.command, status: self.record.view.status }
    }

    /// A cancel from Temporal's web UI or command line: an operator's.
    pub(crate) fn cancel_by_operator(&mut self, reason: Option<String>, at: Timestamp) {
        let operator = Actor::new(Role::Operator, "temporal");
        let (plan, view) = (&self.record.plan, &self.record.view);
        let terms = policy::cancellation(&plan.service, view, operator.role, at);
        if let Some(terms) = terms {
            let event = Event::Cancelling { reason, keep: terms.keep };
            let fact = Fact::new(event).moving(Trigger::Cancel, Status::Cancelling);
            self.record.publish(fact.by(operator, None), at);
        }
    }
}

fn allow(allowed: bool, refusal: &str) -> Result<(), HandlerError> {
    if allowed { Ok(()) } else { Err(refusal.into()) }
}
