//! Opening: a booking's row, its price, its hold and the first events, in one transaction; where
//! nothing is to be paid, also its acceptance.

use bellhop_domain::{
    act::{Open, Opened},
    event::{Event, NewEvent},
    id::CompanyId,
    money::Money,
    policy,
    status::Trigger,
};
use jiff::Timestamp;

use crate::{
    Result, Store, StoreError, acts,
    bookings::{self, Locked},
    db::Tx,
    events, holds,
    pools::{self, Offer},
};

impl Store {
    /// Opens a booking: prices it, holds what it needs, and journals both.
    ///
    /// What is cheapest is tried first, then the next. A repeat answers the first outcome,
    /// refusals too. A booking of another first run is not touched, and answers
    /// [`Opened::Foreign`]; one whose hold was released before is refused with code `closed`.
    ///
    /// # Errors
    /// [`StoreError::Unpriced`] for a plan that cannot be priced, or any database error.
    pub async fn open_booking(&self, open: &Open, now: Timestamp) -> Result<Opened> {
        let mut tx = self.begin().await?;
        let new = bookings::insert(&mut tx, &open.booking, &open.first_run_id, &open.plan, now);
        let mut booking = match new.await? {
            Some(booking) => booking,
            None => {
                let booking = bookings::lock(&mut tx, &open.booking).await?;
                let booking = booking.ok_or_else(|| StoreError::NoBooking(open.booking.clone()))?;
                if booking.first_run_id != open.first_run_id {
                    return Ok(Opened::Foreign);
                }
                if let Some(outcome) = acts::outcome(&mut tx, &open.key).await? {
                    return Ok(outcome);
                }
                booking
            }
        };
        let outcome = match hold(&mut tx, open, now).await? {
            Ok(ready) => ready.journal(&mut tx, &mut booking, open, now).await?,
            Err(code) => {
                let (company, starts_at) = (open.plan.company(), open.plan.request.starts_at);
                let events = vec![created(open, None, company, starts_at)];
                let events = events::append(&mut tx, &mut booking, events, now).await?;
                Opened::Refused { code: code.to_owned(), events }
            }
        };
        acts::finish(tx, &open.key, &open.booking, outcome, now).await
    }
}

/// What was set aside, and for how much.
struct Ready {
    amount: Money,
    held: Option<Offer>,
}

impl Ready {
    async fn journal(
        self,
        tx: &mut Tx,
        booking: &mut Locked,
        open: &Open,
        now: Timestamp,
    ) -> Result<Opened> {
        let Self { amount, held } = self;
        let (plan, pool) = (&open.plan, held.as_ref().map(|it| it.pool.clone()));
        let company = held.as_ref().map(|it| it.company.clone());
        let starts_at = held.and_then(|it| it.starts_at).unwrap_or(plan.request.starts_at);
        let is_due = plan.due(amount).is_some();
        let mut events = vec![created(open, Some(amount), company.clone(), starts_at)];
        if let Some(pool) = pool.clone() {
            let quantity = plan.request.quantity;
            let expires_at = is_due.then_some(open.hold_expires_at);
            events.push(NewEvent::new(Event::HoldPlaced { pool, quantity, expires_at }, 1));
        }
        if !is_due {
            let next = policy::accepted_as(&plan.service);
            events.push(NewEvent::new(Event::Accepted, 1).moving(Trigger::Accepted, next));
        }
        let events = events::append(tx, booking, events, now).await?;
        Ok(Opened::Ready { amount, pool, company, events })
    }
}

/// Prices the plan and sets aside what it needs where it is cheapest, or answers why not.
async fn hold(tx: &mut Tx, open: &Open, now: Timestamp) -> Result<Result<Ready, &'static str>> {
    let (plan, quantity) = (&open.plan, open.plan.request.quantity);
    if plan.service.hold.is_none() {
        return Ok(Ok(Ready { amount: plan.amount(None)?, held: None }));
    }
    let offers = pools::offers(tx, plan, now).await?;
    let mut refusal = if offers.is_empty() { "not_offered" } else { "sold_out" };
    for offer in offers {
        // What has a start of its own goes by that, and not by what the request says.
        let starts = offer.starts_at.map(|it| plan.service.request.in_time(it, now));
        if let Some(Err(untimely)) = starts {
            refusal = untimely.code();
            continue;
        }
        if !pools::hold(tx, &offer.pool, quantity).await? {
            continue;
        }
        let amount = plan.amount(Some(offer.price))?;
        let expires_at = plan.due(amount).map(|_| open.hold_expires_at);
        if !holds::place(tx, &open.booking, &offer.pool, quantity, expires_at, now).await? {
            // The booking was undone before this late act came.
            pools::give_back(tx, &offer.pool, quantity, 0).await?;
            return Ok(Err("closed"));
        }
        return Ok(Ok(Ready { amount, held: Some(offer) }));
    }
    let is_refused = holds::refuse(tx, &open.booking, quantity, refusal, now).await?;
    Ok(Err(if is_refused { refusal } else { "closed" }))
}

fn created(
    open: &Open,
    amount: Option<Money>,
    company: Option<CompanyId>,
    starts_at: Timestamp,
) -> NewEvent {
    let quantity = open.plan.request.quantity;
    NewEvent::new(Event::Created { quantity, amount, starts_at, company }, 1).by(open.actor.clone())
}
