//! Booking: the hot path. Subscribe, start the workflow, and answer what the journal says.

use axum::{extract::State, http::StatusCode};
use bellhop_domain::{
    event::Role,
    id::BookingId,
    plan::Plan,
    service::{Payment, WhenAway},
    status::Status,
};
use bellhop_store::BookingRow;
use bellhop_workflows::booking::Start;
use jiff::Timestamp;

use super::pools;
use crate::{
    body::Body,
    caller::Caller,
    idempotency::IdempotencyKey,
    observe::{self, RequestId},
    problem::{Kind, Problem},
    services::NewBooking,
    state::Api,
    temporal::{NotDone, Started},
    view::{Answer, Booking},
    wait::Deadline,
};

/// Books a service.
///
/// Answers 201 once the booking is decided, or 202 when that takes longer than `Prefer: wait`.
/// Repeating a request with the same `Idempotency-Key` answers the same booking.
#[utoipa::path(
    post, path = "/bookings",
    params(IdempotencyKey, Deadline),
    request_body = NewBooking,
    responses(
        (status = 201, body = Booking), (status = 202, body = Booking),
        (status = 402), (status = 403), (status = 409)
    )
)]
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    key: IdempotencyKey,
    deadline: Deadline,
    request_id: RequestId,
    Body { value: new, fingerprint }: Body<NewBooking>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Customer, Role::Operator], "book")?;
    let id = BookingId::from_key(&caller.subject, key.as_str());
    observe::about(&id);
    let _place = api.take_place()?;
    let call = Call { api: &api, caller: &caller, id: &id, fingerprint: &fingerprint, deadline };
    match plan(&api, new, &fingerprint, &caller).await {
        Ok(plan) => call.book(plan, &request_id.0).await,
        // What is refused now may have been booked before: its repeat is answered all the same.
        Err(refusal) => match api.store().booking(&id).await {
            Ok(Some(row)) => call.answer(&row, true),
            _ => Err(refusal),
        },
    }
}

async fn plan(
    api: &Api,
    new: NewBooking,
    fingerprint: &str,
    caller: &Caller,
) -> Result<Plan, Problem> {
    let now = Timestamp::now();
    // Their own, and one that they still have: what it pays with is fixed with the plan.
    let method = match new.method_id() {
        Some(id) => api.store().payment_method(&caller.subject, id).await?,
        None => None,
    };
    let method = method.filter(|it| it.detached_at.is_none());
    let fingerprint = fingerprint.to_owned();
    let plan = api.services().plan(new, method, fingerprint, caller, api.pace(), now)?;
    let refuses = |it: &Payment| it.when_away == WhenAway::Refuse;
    let is_refused = plan.service.payment.as_ref().is_some_and(refuses);
    if is_refused && api.are_payments_away(now).await {
        let detail = "payments are away, come back shortly: nothing was kept";
        return Err(Problem::new(Kind::PaymentUnavailable, detail));
    }
    pools::check_offer(api, &plan, now).await?;
    Ok(plan)
}

/// One call to book.
struct Call<'a> {
    api: &'a Api,
    caller: &'a Caller,
    id: &'a BookingId,
    fingerprint: &'a str,
    deadline: Deadline,
}

impl Call<'_> {
    async fn book(&self, plan: Plan, request_id: &str) -> Result<Answer, Problem> {
        let Self { api, id, .. } = *self;
        let pending = Booking::pending(id, &plan.service.id, plan.request.quantity);
        let start = Start { plan, actor: self.caller.actor() };
        // Before the start: the decision may come before the start returns.
        let mut watch = api.watch(id);
        let started = match api.engine().start(id, &start, request_id, self.deadline.0).await {
            Ok(started) => started,
            Err(error) => return self.not_started(error).await,
        };
        let decided = |row: &BookingRow| row.view.status.is_decided();
        let row = match api.until(&mut watch, decided, self.deadline.0).await {
            Ok(Some(row)) => Ok(Some(row)),
            Ok(None) => api.store().booking(id).await,
            Err(error) => Err(error),
        };
        match row {
            Ok(Some(row)) => {
                let is_replay = match &started {
                    // The row of an earlier run, which Temporal has forgotten.
                    Started::New { run_id } => *run_id != row.first_run_id,
                    Started::Already { before } => *before,
                };
                self.answer(&row, is_replay)
            }
            Ok(None) => self.taken(&started, pending).await,
            Err(error) => {
                tracing::warn!(%error, "a booking is started that cannot be read yet");
                self.taken(&started, pending).await
            }
        }
    }

    /// The booking is safe with Temporal, and there is no row to show yet.
    async fn taken(&self, started: &Started, pending: Booking) -> Result<Answer, Problem> {
        let mut is_replay = false;
        if let Started::Already { before } = *started {
            is_replay = before;
            let remembered = self.api.engine().remembered(self.id).await;
            let remembered = remembered.map_err(|error| self.unknown(error))?;
            match remembered {
                Some(it) if !it.is_running => {
                    let detail = "the booking was ended before it was taken down: use another key";
                    return Err(Problem::new(Kind::Rejected, detail).about(self.id));
                }
                Some(it) => self.check(&it.fingerprint, it.is_owned_by(&self.caller.subject))?,
                None => {}
            }
        }
        Ok(Answer { status: StatusCode::ACCEPTED, is_replay, booking: pending })
    }

    async fn not_started(&self, error: NotDone) -> Result<Answer, Problem> {
        // Whatever the call said: where there is a row, the booking was started.
        if let Ok(Some(row)) = self.api.store().booking(self.id).await {
            return self.answer(&row, true);
        }
        Err(match error {
            NotDone::Busy(_) => {
                Problem::new(Kind::Overloaded, "come back shortly: nothing was kept")
            }
            NotDone::Unreachable(_) => Problem::unavailable(error),
            NotDone::Unknown => self.unknown(error),
            error => Problem::internal(error),
        })
    }

    fn unknown(&self, error: NotDone) -> Problem {
        tracing::warn!(%error, "not known whether a booking was started");
        let detail = "not known whether the booking was taken: repeat with the same key";
        Problem::new(Kind::StartUnknown, detail).about(self.id)
    }

    /// The booking as it is, once it is known to be the one that is asked for.
    fn answer(&self, row: &BookingRow, is_replay: bool) -> Result<Answer, Problem> {
        self.check(&row.fingerprint, row.owner == self.caller.subject)?;
        if let Some(refusal) = refusal(row) {
            return Err(refusal.replayed(is_replay));
        }
        let status = match row.view.status.is_decided() {
            true => StatusCode::CREATED,
            false => StatusCode::ACCEPTED,
        };
        let booking = Booking::of(row, self.caller, Timestamp::now());
        Ok(Answer { status, is_replay, booking })
    }

    fn check(&self, fingerprint: &str, is_owner: bool) -> Result<(), Problem> {
        if fingerprint == self.fingerprint && is_owner {
            return Ok(());
        }
        let detail = "another request was made with this key: use a new key for a new request";
        Err(Problem::new(Kind::KeyReused, detail).about(self.id))
    }
}

/// The problem of a booking that was refused; its first answer and every repeat of it.
fn refusal(row: &BookingRow) -> Option<Problem> {
    let code = row.view.code.as_deref();
    let problem = match (row.view.status, code) {
        (Status::Rejected, Some("payment_declined")) => {
            Problem::new(Kind::PaymentDeclined, "the payment was declined: nothing was charged")
        }
        (Status::Rejected, Some("payment_unavailable")) => {
            let detail = "payments are away: nothing was charged, use a new key in a while";
            Problem::new(Kind::PaymentUnavailable, detail)
        }
        (Status::Rejected, Some("sold_out")) => {
            Problem::new(Kind::SoldOut, "nothing of it is left: nothing was charged")
        }
        (Status::Rejected, Some("not_offered")) if row.plan.pool().is_some() => {
            Problem::new(Kind::NoLongerOffered, "it is not offered any more")
        }
        (Status::Rejected, Some("not_offered")) => {
            Problem::new(Kind::NotOffered, "nobody offers it with these options")
        }
        (Status::Rejected | Status::Expired, code) => {
            let code = code.unwrap_or("rejected");
            let detail = format!("the booking is {}: {code}", row.view.status);
            Problem::new(Kind::Rejected, detail).coded(code)
        }
        _ => return None,
    };
    Some(problem.about(&row.id))
}
