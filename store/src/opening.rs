//! Opening: a booking's row, its price, its hold and the first events, in one transaction.

use bellhop_domain::{
    act::{Open, Opened},
    event::{Event, NewEvent},
    id::{CompanyId, PoolId},
    money::Money,
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
    /// [`StoreError::NoHold`] or [`StoreError::TooMuch`] for a plan that cannot be priced, or
    /// any database error.
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
            Ok(held) => held.journal(&mut tx, &mut booking, open, now).await?,
            Err(code) => {
                let company = open.plan.company();
                let events = vec![created(open, None, company)];
                let events = events::append(&mut tx, &mut booking, events, now).await?;
                Opened::Refused { code: code.to_owned(), events }
            }
        };
        acts::finish(tx, &open.key, &open.booking, outcome, now).await
    }
}

/// What was set aside, and for how much.
struct Held {
    pool: PoolId,
    company: CompanyId,
    amount: Money,
}

impl Held {
    async fn journal(
        self,
        tx: &mut Tx,
        booking: &mut Locked,
        open: &Open,
        now: Timestamp,
    ) -> Result<Opened> {
        let Self { pool, company, amount } = self;
        let placed = Event::HoldPlaced {
            pool: pool.clone(),
            quantity: open.plan.request.quantity,
            expires_at: open.hold_expires_at,
        };
        let events =
            vec![created(open, Some(amount), Some(company.clone())), NewEvent::new(placed, 1)];
        let events = events::append(tx, booking, events, now).await?;
        Ok(Opened::Held { amount, pool, company, events })
    }
}

/// Sets aside what the plan needs where it is cheapest, or answers why not.
async fn hold(tx: &mut Tx, open: &Open, now: Timestamp) -> Result<Result<Held, &'static str>> {
    let service = &open.plan.service;
    let no_hold = || StoreError::NoHold(service.id.clone());
    let offers = pools::offers(
        tx,
        &service.hold.as_ref().ok_or_else(no_hold)?.pool,
        open.plan.variant(),
        open.plan.company().as_ref(),
        service.currency(),
    )
    .await?;
    let quantity = open.plan.request.quantity;
    let refusal = if offers.is_empty() { "not_offered" } else { "sold_out" };
    for Offer { pool, company, price } in offers {
        if !pools::hold(tx, &pool, quantity).await? {
            continue;
        }
        if !holds::place(tx, &open.booking, &pool, quantity, open.hold_expires_at, now).await? {
            // The booking was undone before this late act came.
            pools::give_back(tx, &pool, quantity, 0).await?;
            return Ok(Err("closed"));
        }
        let amount = service.price(price).times(quantity)?;
        return Ok(Ok(Held { pool, company, amount }));
    }
    let is_refused = holds::refuse(tx, &open.booking, quantity, refusal, now).await?;
    Ok(Err(if is_refused { refusal } else { "closed" }))
}

fn created(open: &Open, amount: Option<Money>, company: Option<CompanyId>) -> NewEvent {
    let request = &open.plan.request;
    let (quantity, starts_at) = (request.quantity, request.starts_at);
    NewEvent::new(Event::Created { quantity, amount, starts_at, company }, 1).by(open.actor.clone())
}
