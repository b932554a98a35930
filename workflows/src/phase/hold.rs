//! Opening a booking: its price, what it holds, and its first events, in one act.
//!
//! Price and stock stand in the same rows, so quote and hold are one act: the cheapest offer is the
//! cheapest that still has a place, and nobody pays a price that changed in between. Where nothing
//! is to be paid the same act accepts the booking.

use bellhop_domain::{
    act::{Expire, Expiry, Open, Opened},
    key::Purpose,
    money::Money,
};
use jiff::Timestamp;
use temporalio_workflow::{TimerResult, WorkflowCancellationToken};

use crate::{
    booking::End,
    contract::bookings::Bookings,
    saga::{Home, Saga, never},
};

/// What opening has set aside.
pub(crate) struct Held {
    pub(crate) amount: Money,
    pub(crate) expires_at: Timestamp,
}

/// Prices the booking, holds what it needs and journals both. Nothing else happens before it, not
/// even a cancel: afterwards there is a booking that can be cancelled.
pub(crate) async fn open(booking: &Saga) -> Result<Held, End> {
    let plan = booking.plan();
    let lasts = plan.service.hold.as_ref().map(|hold| hold.expires_after.signed());
    let expires_at =
        booking.now().saturating_add(lasts.unwrap_or_default()).unwrap_or(Timestamp::MAX);
    let open = booking.record(|record| Open {
        key: booking.key(Purpose::Open, 1),
        booking: record.id.clone(),
        first_run_id: record.first_run_id.clone(),
        plan: (*plan).clone(),
        hold_expires_at: expires_at,
        actor: record.actor.clone(),
    });
    match booking.act(Bookings::open, open, Home::Bookings).await {
        Opened::Foreign => Err(End::Duplicate),
        Opened::Refused { code, events } => {
            booking.opened(&events);
            Err(End::Rejected(code))
        }
        Opened::Ready { amount, events, .. } => {
            booking.opened(&events);
            booking.stop_if_moved()?;
            Ok(Held { amount, expires_at })
        }
    }
}

/// Ends when the hold has expired, looking for it once its time has come. The row is the truth: a
/// hold that was made firm in another life of this workflow does not expire. Cancelling `timers`
/// ends the watch for good.
pub(crate) async fn expiry(booking: &Saga, held: &Held, timers: &WorkflowCancellationToken) {
    let mut wait = booking.until(held.expires_at);
    for look in 1.. {
        if booking.timer_of(timers, wait, "hold expiry").await == TimerResult::Cancelled {
            return never().await;
        }
        let (key, id) = (booking.key(Purpose::Expire, look), booking.id());
        let expire = Expire { key, booking: id };
        match booking.act(Bookings::expire, expire, Home::Bookings).await {
            Expiry::Expired => return,
            // Clocks differ; a firm hold never expires, and its course goes on by itself.
            Expiry::Kept => wait = booking.backoff(look),
        }
    }
}
