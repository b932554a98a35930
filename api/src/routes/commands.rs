//! Commands to a booking: its workflow decides about each, and the answer is the booking once the
//! effect can be seen.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use bellhop_domain::{
    event::{Assignment, CommandRef, Role},
    id::{BookingId, OfferId, QuoteId},
    policy::{self, Terms, allowed_actions},
    service::{COMPLETED, NO_SHOW, Service},
    status::{MOVES, Status, Trigger, may},
    view::BookingView,
};
use bellhop_store::BookingRow;
use bellhop_workflows::command::{
    self, Advance, AnswerOffer, Approve, Cancel, Command, Decline, NOT_NEXT,
};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use crate::{
    body::Body,
    caller::Caller,
    extract::Named,
    idempotency::{IdempotencyKey, command_id},
    observe,
    problem::{Kind, Problem},
    state::Api,
    temporal::NotDone,
    view::{Answer, Booking},
    wait::Deadline,
};

/// How long a reason may be.
const LONGEST_REASON: usize = 500;

/// How long a workflow gets first to catch up with the journal, and at most at a time.
const CATCHING_UP: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Why a booking is cancelled, and by which quote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCancel {
    /// At most 500 characters.
    reason: Option<String>,
    /// Whose terms it shall have.
    quote_id: Option<QuoteId>,
}

/// Why a booking is declined.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDecline {
    /// At most 500 characters.
    reason: Option<String>,
}

/// Nothing more than the command itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Where a booking goes next.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAdvance {
    /// The next stage of its service, `completed`, or `no_show`.
    to: String,
}

/// Cancels a booking; 200 once it is undone and the money is back.
#[utoipa::path(
    post, path = "/bookings/{id}/cancel",
    params(IdempotencyKey, Deadline),
    request_body = NewCancel,
    responses(
        (status = 200, body = Booking), (status = 202, body = Booking),
        (status = 403), (status = 409), (status = 410), (status = 429)
    )
)]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
    key: IdempotencyKey,
    deadline: Deadline,
    Body { value: new, fingerprint }: Body<NewCancel>,
) -> Result<Answer, Problem> {
    check_reason(new.reason.as_deref())?;
    let order = Order::take(&api, &caller, &id, "cancel", Trigger::Cancel, &key, fingerprint);
    let order = order.await?;
    let command = match (order.is_repeat, &new.quote_id) {
        (true, _) => None,
        (false, None) => Some(None),
        (false, Some(quote)) => Some(order.quoted(quote).await?),
    };
    let command = command
        .map(|terms| Command::Cancel(Cancel { caller: order.caller(), reason: new.reason, terms }));
    order.carry_out(command, deadline, |row| row.view.status.is_end()).await
}

/// Brings a booking to its next stage, to its completion, or to the end of those who did not come.
#[utoipa::path(
    post, path = "/bookings/{id}/advance",
    params(IdempotencyKey, Deadline),
    request_body = NewAdvance,
    responses(
        (status = 200, body = Booking), (status = 202, body = Booking),
        (status = 403), (status = 409), (status = 429)
    )
)]
pub(super) async fn advance(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
    key: IdempotencyKey,
    deadline: Deadline,
    Body { value: new, fingerprint }: Body<NewAdvance>,
) -> Result<Answer, Problem> {
    let trigger = match &*new.to {
        COMPLETED => Trigger::Complete,
        NO_SHOW => Trigger::Miss,
        _ => Trigger::Advance,
    };
    let order = Order::take(&api, &caller, &id, "advance", trigger, &key, fingerprint).await?;
    let command =
        order.unless_repeated(|caller| Command::Advance(Advance { caller, to: new.to.clone() }));
    let is_there = |row: &BookingRow| has_reached(&row.plan.service, &row.view, &new.to);
    order.carry_out(command, deadline, is_there).await
}

/// Approves a booking; 200 once it is charged and somebody or something is assigned.
#[utoipa::path(
    post, path = "/approvals/{id}/approve",
    params(IdempotencyKey, Deadline),
    request_body = Nothing,
    responses(
        (status = 200, body = Booking), (status = 202, body = Booking),
        (status = 403), (status = 409), (status = 429)
    )
)]
pub(super) async fn approve(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
    key: IdempotencyKey,
    deadline: Deadline,
    Body { value: Nothing {}, fingerprint }: Body<Nothing>,
) -> Result<Answer, Problem> {
    let order = Order::take(&api, &caller, &id, "approve", Trigger::Approve, &key, fingerprint);
    let order = order.await?;
    let command = order.unless_repeated(|caller| Command::Approve(Approve { caller }));
    let is_settled = |row: &BookingRow| {
        row.view.status.is_decided()
            && !matches!(row.view.status, Status::AwaitingApproval | Status::Dispatching)
    };
    order.carry_out(command, deadline, is_settled).await
}

/// Declines a booking.
#[utoipa::path(
    post, path = "/approvals/{id}/decline",
    params(IdempotencyKey, Deadline),
    request_body = NewDecline,
    responses(
        (status = 200, body = Booking), (status = 202, body = Booking),
        (status = 403), (status = 409), (status = 429)
    )
)]
pub(super) async fn decline(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
    key: IdempotencyKey,
    deadline: Deadline,
    Body { value: new, fingerprint }: Body<NewDecline>,
) -> Result<Answer, Problem> {
    check_reason(new.reason.as_deref())?;
    let order = Order::take(&api, &caller, &id, "decline", Trigger::Decline, &key, fingerprint);
    let order = order.await?;
    let command =
        order.unless_repeated(|caller| Command::Decline(Decline { caller, reason: new.reason }));
    order.carry_out(command, deadline, |row| row.view.status.is_end()).await
}

/// Accepts to serve a booking.
#[utoipa::path(
    post, path = "/offers/{id}/accept",
    params(IdempotencyKey, Deadline),
    request_body = Nothing,
    responses(
        (status = 200, body = Booking), (status = 202, body = Booking),
        (status = 403), (status = 409), (status = 429)
    )
)]
pub(super) async fn accept_offer(
    State(api): State<Api>,
    caller: Caller,
    Named(offer): Named<OfferId>,
    key: IdempotencyKey,
    deadline: Deadline,
    Body { value: Nothing {}, fingerprint }: Body<Nothing>,
) -> Result<Answer, Problem> {
    let (order, command) = answer_offer(&api, &caller, &offer, true, &key, fingerprint).await?;
    let is_done = |row: &BookingRow| row.view.offer.as_ref().is_none_or(|it| it.id != offer);
    order.carry_out(command, deadline, is_done).await
}

/// Declines to serve a booking, when asked or once assigned; until the service is begun.
#[utoipa::path(
    post, path = "/offers/{id}/decline",
    params(IdempotencyKey, Deadline),
    request_body = Nothing,
    responses(
        (status = 200, body = Booking), (status = 202, body = Booking),
        (status = 403), (status = 409), (status = 429)
    )
)]
pub(super) async fn decline_offer(
    State(api): State<Api>,
    caller: Caller,
    Named(offer): Named<OfferId>,
    key: IdempotencyKey,
    deadline: Deadline,
    Body { value: Nothing {}, fingerprint }: Body<Nothing>,
) -> Result<Answer, Problem> {
    let (order, command) = answer_offer(&api, &caller, &offer, false, &key, fingerprint).await?;
    let is_theirs = |it: &Assignment| it.offer.as_ref() == Some(&offer);
    let is_done = |row: &BookingRow| !row.view.involved().any(is_theirs);
    order.carry_out(command, deadline, is_done).await
}

/// The command that answers an offer, unless the journal has it already. It is for who was asked:
/// for others there is no such offer.
async fn answer_offer<'a>(
    api: &'a Api,
    caller: &'a Caller,
    offer: &OfferId,
    accept: bool,
    key: &IdempotencyKey,
    fingerprint: String,
) -> Result<(Order<'a>, Option<Command>), Problem> {
    caller.require(&[Role::Driver, Role::Operator], "answer offers")?;
    let claim = api.store().claim(offer).await?;
    let claim = claim.filter(|it| caller.role == Role::Operator || it.staff == caller.subject);
    let claim = claim.ok_or_else(|| Problem::not_found("offer"))?;
    observe::about(&claim.booking);
    let row = api.store().booking(&claim.booking).await?;
    let row = row.ok_or_else(|| Problem::not_found("offer"))?;
    let name = if accept { "accept_offer" } else { "decline_offer" };
    let order = Order::of(api, caller, row, name, key, fingerprint);
    let order = Order { is_asked: true, ..order }.known().await?;
    let command = order.unless_repeated(|caller| {
        Command::AnswerOffer(AnswerOffer { caller, offer: offer.clone(), accept })
    });
    Ok((order, command))
}

/// A command that is about to be given.
struct Order<'a> {
    api: &'a Api,
    caller: &'a Caller,
    row: BookingRow,
    command: CommandRef,
    /// Whether the caller was asked to serve the booking: they hear what became of their answer.
    is_asked: bool,
    /// Whether the journal has it already: then it is not given again.
    is_repeat: bool,
}

impl<'a> Order<'a> {
    /// Checks that the caller may know of the booking and that their role may give the command at
    /// all. Whether it may be given now is the workflow's to say.
    async fn take(
        api: &'a Api,
        caller: &'a Caller,
        id: &BookingId,
        name: &str,
        trigger: Trigger,
        key: &IdempotencyKey,
        fingerprint: String,
    ) -> Result<Self, Problem> {
        observe::about(id);
        let row = visible(api, caller, id).await?;
        let may_ever =
            MOVES.iter().any(|it| it.trigger == trigger && it.who.contains(&caller.role));
        if !may_ever {
            let detail = format!("your role may not {name} bookings");
            return Err(Problem::new(Kind::Forbidden, detail).about(id));
        }
        Self::of(api, caller, row, name, key, fingerprint).known().await
    }

    fn of(
        api: &'a Api,
        caller: &'a Caller,
        row: BookingRow,
        name: &str,
        key: &IdempotencyKey,
        fingerprint: String,
    ) -> Self {
        let command = CommandRef { id: command_id(&caller.subject, name, key), fingerprint };
        Self { api, caller, row, command, is_asked: false, is_repeat: false }
    }

    /// The command as it is given now; none where the journal has it already.
    fn unless_repeated(&self, command: impl FnOnce(command::Caller) -> Command) -> Option<Command> {
        (!self.is_repeat).then(|| command(self.caller()))
    }

    /// The same, knowing whether it was given before.
    async fn known(mut self) -> Result<Self, Problem> {
        self.is_repeat = self.is_journalled().await?;
        Ok(self)
    }

    /// The booking as it is now.
    async fn read(&self) -> Result<BookingRow, Problem> {
        let row = self.api.store().booking(&self.row.id).await?;
        let row = row.filter(|it| self.is_asked || self.caller.may_see(it));
        row.ok_or_else(|| Problem::not_found("booking"))
    }

    fn caller(&self) -> command::Caller {
        let (actor, command) = (self.caller.actor(), self.command.clone());
        command::Caller { actor, command, at: Timestamp::now() }
    }

    /// Whether the journal has the command: it was accepted, however long ago.
    async fn is_journalled(&self) -> Result<bool, Problem> {
        let known = self.api.store().command(&self.row.id, &self.command.id).await?;
        let Some(known) = known else { return Ok(false) };
        self.check(&known.command)?;
        Ok(true)
    }

    fn check(&self, accepted: &CommandRef) -> Result<(), Problem> {
        if accepted.fingerprint == self.command.fingerprint {
            return Ok(());
        }
        let detail = "another command was given with this key: use a new key for a new command";
        Err(Problem::new(Kind::KeyReused, detail).about(&self.row.id))
    }

    /// The terms of a quote. It fixes what a cancellation costs, not whether it is still allowed.
    async fn quoted(&self, id: &QuoteId) -> Result<Option<Terms>, Problem> {
        let quote = self.api.store().cancellation_quote(id).await?;
        let Some(quote) = quote.filter(|it| it.booking == self.row.id) else {
            let detail = "the booking has no such cancellation quote";
            return Err(Problem::new(Kind::QuoteUnknown, detail).about(&self.row.id));
        };
        let now = Timestamp::now();
        if quote.expires_at < now {
            let detail = format!("the quote was good until {}: ask for another", quote.expires_at);
            return Err(Problem::new(Kind::QuoteExpired, detail).about(&self.row.id));
        }
        let (service, view) = (&self.row.plan.service, &self.row.view);
        let allowed = policy::cancellation(service, view, self.caller.role, now);
        Ok(allowed.map(|_| quote.terms))
    }

    /// Gives the command, unless it was given before, and waits until its effect can be seen.
    async fn carry_out(
        mut self,
        command: Option<Command>,
        deadline: Deadline,
        is_done: impl Fn(&BookingRow) -> bool,
    ) -> Result<Answer, Problem> {
        let (api, id) = (self.api, self.row.id.clone());
        let mut watch = api.watch(&id);
        if let Some(command) = command {
            self.give(command, deadline.0).await?;
        }
        let done = api.until(&mut watch, is_done, deadline.0).await?;
        let status = if done.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
        self.row = match done {
            Some(row) => row,
            None => self.read().await?,
        };
        let booking = match self.caller.may_see(&self.row) {
            true => Booking::of(&self.row, self.caller, Timestamp::now()),
            false => Booking::outline(&self.row),
        };
        Ok(Answer { status, is_replay: self.is_repeat, booking })
    }

    /// Gives the command, and again until `deadline` where it is not known what became of it, or
    /// where the workflow refuses what the booking allows: its last act is done, and it has not heard
    /// of that yet.
    async fn give(&mut self, command: Command, deadline: Instant) -> Result<(), Problem> {
        let (api, id) = (self.api, self.row.id.clone());
        let mut pause = CATCHING_UP;
        loop {
            // Before it is given: whoever dies now, it is given until it is answered.
            let now = Timestamp::now();
            let command_id = &self.command.id;
            let is_new = api.store().put_command(command_id, &id, &command, now).await?;
            let given = api.give(&id, command_id, command.clone(), is_new, deadline).await;
            let error = match given {
                Ok(receipt) => return self.check(&receipt.command),
                Err(error) => error,
            };
            let is_over = Instant::now() + pause >= deadline;
            match error {
                NotDone::Unknown if !is_over => {}
                NotDone::Refused(_) => {
                    self.row = self.read().await?;
                    if !self.allows(&command) {
                        return self.not_given(error).await;
                    }
                    if is_over {
                        let detail =
                            "the booking has yet to catch up with itself: come back shortly";
                        return Err(Problem::new(Kind::Unavailable, detail).about(&id));
                    }
                }
                error => return self.not_given(error).await,
            }
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Whether the booking as it stands in the journal allows the command.
    fn allows(&self, command: &Command) -> bool {
        let (service, view) = (&self.row.plan.service, &self.row.view);
        let role = self.caller.role;
        match command {
            Command::Cancel(Cancel { caller, .. }) => {
                policy::cancellation(service, view, role, caller.at).is_some()
            }
            Command::Approve(_) => may(view.status, Trigger::Approve, role),
            Command::Decline(_) => may(view.status, Trigger::Decline, role),
            Command::Advance(Advance { to, caller }) if to == NO_SHOW => {
                policy::missed(service, view, role, caller.at).is_some()
            }
            Command::Advance(Advance { to, .. }) => policy::may_advance(service, view, role, to),
            Command::AnswerOffer(AnswerOffer { offer, accept, .. }) => {
                policy::may_answer_offer(service, view, &self.caller.actor(), offer, *accept)
            }
        }
    }

    /// Passes only if the command was accepted all the same, before.
    async fn not_given(&mut self, error: NotDone) -> Result<(), Problem> {
        match error {
            NotDone::Refused(code) => Err(self.refused(code).await?),
            NotDone::Gone => {
                self.is_repeat = self.is_journalled().await?;
                if self.is_repeat {
                    return Ok(());
                }
                let refusal = self.refused("").await?;
                // A workflow ends after its booking: where it has not, the two do not agree yet.
                let is_end = self.row.view.status.is_end();
                Err(if is_end { refusal } else { self.unknown(error) })
            }
            NotDone::Busy(_) => {
                let detail = "the booking has too many commands at once: come back shortly";
                Err(Problem::new(Kind::TooManyCommands, detail).about(&self.row.id))
            }
            NotDone::Unreachable(_) => Err(Problem::unavailable(error).about(&self.row.id)),
            NotDone::Unknown => Err(self.unknown(error)),
            NotDone::Broken(_) => Err(Problem::internal(error).about(&self.row.id)),
        }
    }

    fn unknown(&self, error: NotDone) -> Problem {
        tracing::warn!(%error, "not known whether a command was accepted");
        let detail = "not known whether it was done: repeat with the same key";
        Problem::new(Kind::CommandUnknown, detail).about(&self.row.id)
    }

    /// Why the booking refuses the command, with what the caller may do instead.
    async fn refused(&mut self, code: &str) -> Result<Problem, Problem> {
        self.row = self.read().await?;
        let (service, view) = (&self.row.plan.service, &self.row.view);
        let problem = if code == NOT_NEXT {
            let next = service.stage_after(view.stage.as_deref());
            Problem::new(Kind::NotNextStage, format!("the next stage is {next}"))
        } else {
            let detail = format!("the booking is {}: it cannot be done now", view.status);
            Problem::new(Kind::NotAllowed, detail)
        };
        let actions = match self.caller.may_see(&self.row) {
            true => allowed_actions(service, view, self.caller.role, Timestamp::now()),
            false => vec![],
        };
        Ok(problem.about(&self.row.id).allowing(actions))
    }
}

/// The booking, if there is one that the caller may know of.
pub(super) async fn visible(
    api: &Api,
    caller: &Caller,
    id: &BookingId,
) -> Result<BookingRow, Problem> {
    let row = api.store().booking(id).await?;
    row.filter(|it| caller.may_see(it)).ok_or_else(|| Problem::not_found("booking"))
}

/// Whether a booking is at a stage, or beyond it. The ends are no stages.
fn has_reached(service: &Service, view: &BookingView, to: &str) -> bool {
    let reached = view.stage.as_deref().and_then(|it| service.stage_index(it));
    let stage = service.stage_index(to);
    view.status.is_end() || (stage.is_some() && reached >= stage)
}

pub(super) fn check_reason(reason: Option<&str>) -> Result<(), Problem> {
    let is_short = |it: &str| it.chars().count() <= LONGEST_REASON;
    if reason.is_none_or(is_short) {
        return Ok(());
    }
    let detail = format!("reason: write at most {LONGEST_REASON} characters");
    Err(Problem::new(Kind::InvalidRequest, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_reached_by_being_there_or_beyond() {
        let text = include_str!("../../../services/call-taxi.toml");
        let service = Service::parse("call-taxi.toml", text).expect("the file that ships is valid");
        let view = |status, stage: Option<&str>| BookingView {
            status,
            stage: stage.map(str::to_owned),
            ..BookingView::default()
        };
        let reached = |status, stage, to| has_reached(&service, &view(status, stage), to);
        assert!(!reached(Status::Confirmed, None, "on_the_way"));
        assert!(reached(Status::InProgress, Some("on_the_way"), "on_the_way"));
        assert!(reached(Status::InProgress, Some("riding"), "on_the_way"));
        assert!(!reached(Status::InProgress, Some("on_the_way"), "riding"));
        assert!(!reached(Status::InProgress, Some("riding"), COMPLETED));
        assert!(reached(Status::Completed, Some("riding"), COMPLETED));
        assert!(!reached(Status::Confirmed, None, NO_SHOW));
        assert!(reached(Status::NoShow, None, NO_SHOW));
    }
}
