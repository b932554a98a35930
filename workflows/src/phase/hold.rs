//! Opening a booking: its price, what it holds, and its first events, in one act.
//!
//! Price and stock stand in the same rows, so quote and hold are one act: the cheapest offer is the
//! cheapest that still has a place, and nobody pays a price that changed in between.

use bellhop_domain::{
    act::{Expire, Expiry, Open, Opened, Release},
    event::Event,
    key::Purpose,
    money::Money,
    service::AtCompletion,
};
use jiff::Timestamp;
use temporalio_workflow::{TimerResult, WorkflowCancellationToken};

use crate::{
    booking::End,
    contract::bookings::Bookings,
    record::Fact,
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
        Opened::Held { amount, events, .. } => {
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

/// Gives back what is held or taken, and closes the hold to acts that come late.
pub(crate) async fn undo(booking: &Saga) {
    if booking.plan().service.hold.is_none() {
        return;
    }
    let (key, id) = (booking.key(Purpose::Release, 1), booking.id());
    let release = Release { key, booking: id };
    let released = booking.act(Bookings::release, release, Home::Bookings).await;
    if released.quantity > 0 {
        booking.publish(Fact::new(Event::HoldReleased { quantity: released.quantity }));
    }
    if booking.record(|record| record.view.assignment.is_some()) && booking.status().is_undone() {
        booking.publish(Fact::new(Event::AssignmentReleased));
    }
}

/// Gives back what a served booking does not use up.
pub(crate) async fn finish(booking: &Saga) {
    let at_completion = booking.plan().service.hold.as_ref().map(|hold| hold.at_completion);
    if at_completion == Some(AtCompletion::Return) {
        undo(booking).await;
    }
}
