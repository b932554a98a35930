//! The payment of a booking: reserved or charged, made certain, charged, settled.

use std::cell::Cell;

use bellhop_domain::{
    act::{Capture as CaptureFare, Firm, Firmed, Paid, Pay, Settle},
    event::Event,
    key::Purpose,
    money::Money,
    plan::{Family, Means, Plan},
    policy,
    service::Capture,
    status::{PaymentStatus, Status, Trigger},
};
use futures::{FutureExt, pin_mut};
use temporalio_workflow::{TimerResult, WorkflowCancellationToken, select};

use super::hold::{self, Held};
use crate::{
    booking::End,
    contract::{
        bookings::Bookings,
        failure,
        payments::{Captured, Payments},
    },
    record::{Fact, Record},
    saga::{Home, Saga, never},
};

/// Reserves or charges the price, then makes the hold last: no reservation without payment
/// (call-taxi 2), and none that outlives its place.
pub(crate) async fn pay(booking: &Saga, held: &Held) -> Result<(), End> {
    let plan = booking.plan();
    let Some((means, amount)) = plan.due(held.amount) else { return Ok(()) };
    let capture = takes(&plan, Capture::AtOnce);
    let pay = Pay {
        key: booking.key(Purpose::Fare, 1),
        booking: booking.id(),
        amount,
        token: means.token.clone(),
        capture,
        inline_until: booking.inline_until(),
    };
    match paid(booking, pay, held).await? {
        Paid::Paid { .. } => {
            let stored = means.store.then(|| means.clone());
            let event = if capture {
                Event::PaymentCaptured { amount }
            } else {
                Event::PaymentAuthorized { amount }
            };
            firm(booking, Fact::new(event), stored).await
        }
        Paid::Declined { code } => {
            booking.publish(Fact::new(Event::PaymentDeclined { code }));
            booking.stop_if_moved()?;
            Err(End::Rejected("payment_declined".to_owned()))
        }
        // Another life of this workflow has settled already: so does this one.
        Paid::Closed => {
            booking.look_at_journal().await;
            booking.stop_if_moved()?;
            Err(End::Rejected("payment_closed".to_owned()))
        }
    }
}

fn takes(plan: &Plan, capture: Capture) -> bool {
    plan.service.payment.as_ref().is_some_and(|it| it.capture == capture)
}

/// Pays inline, or else on the queue until it is paid, cancelled, the hold runs out, or the time is
/// over that the service waits for a payment.
async fn paid(booking: &Saga, pay: Pay, held: &Held) -> Result<Paid, End> {
    let summary = format!("pay {}", pay.amount);
    let home = Home::Family(Family::Payments, &summary);
    let cause = match booking.inline(&Payments::authorize, pay.clone(), home).await {
        Ok(paid) => return Ok(paid),
        Err(cause) => cause,
    };
    booking.stop_if_moved()?;
    if cause.kind == failure::UNKNOWN {
        booking.publish(Fact::new(Event::PaymentUnknown));
    }
    let awaited = Fact::new(Event::PaymentAwaited);
    booking.publish(awaited.moving(Trigger::PaymentAwaited, Status::AwaitingPayment));
    let timers = booking.timers();
    let end = Cell::new(End::Moved);
    let gone = async {
        let (moved, expired) = (booking.moved().fuse(), expired(booking, held, &timers).fuse());
        pin_mut!(moved, expired);
        select! { () = moved => {}, why = expired => end.set(why) }
    };
    let paid = booking.queued(&Payments::authorize, pay, home, &cause, gone).await;
    timers.cancel();
    match paid {
        Some(paid) => Ok(paid),
        None => booking.stop_if_moved().and(Err(end.replace(End::Moved))),
    }
}

/// Ends when a payment that has not come is no longer waited for, and tells why.
async fn expired(booking: &Saga, held: &Held, timers: &WorkflowCancellationToken) -> End {
    let plan = booking.plan();
    let hold = async {
        match plan.service.hold {
            Some(_) => hold::expiry(booking, held, timers).await,
            None => never().await,
        }
    };
    let patience = async {
        let within = plan.service.payment.as_ref().and_then(|it| it.within);
        let Some(within) = within else { return never().await };
        let waited = booking.timer_of(timers, within.duration(), "patience for the payment").await;
        if waited == TimerResult::Cancelled {
            never().await
        }
    };
    let (hold, patience) = (hold.fuse(), patience.fuse());
    pin_mut!(hold, patience);
    select! {
        () = hold => End::Expired,
        () = patience => End::Rejected("payment_unavailable".to_owned()),
    }
}

/// Makes the hold last, journals what was paid with it, stores the means that paid where that was
/// asked for, and moves the booking on: its customer has the answer.
async fn firm(booking: &Saga, fact: Fact, store: Option<Means>) -> Result<(), End> {
    booking.stop_if_moved()?;
    let next = policy::accepted_as(&booking.plan().service);
    let accepted = fact.moving(Trigger::Accepted, next).into_event();
    let before = booking.record(Record::unsent);
    let firm = Firm {
        key: booking.key(Purpose::Firm, 1),
        booking: booking.id(),
        events: before.iter().cloned().chain([accepted]).collect(),
        store,
    };
    match booking.act(Bookings::firm, firm, Home::Bookings).await {
        Firmed::Firm { events } => {
            booking.journalled(&before, &events);
            booking.stop_if_moved()
        }
        Firmed::Lost => {
            booking.look_at_journal().await;
            booking.stop_if_moved()?;
            Err(End::Rejected("sold_out".to_owned()))
        }
    }
}

/// Charges what was reserved, once the booking is approved.
pub(crate) async fn capture(booking: &Saga, held: &Held) -> Result<(), End> {
    let plan = booking.plan();
    let Some((_means, amount)) = plan.due(held.amount) else { return Ok(()) };
    if !takes(&plan, Capture::OnApproval) {
        return Ok(());
    }
    let fare = booking.key(Purpose::Fare, 1);
    let capture = CaptureFare {
        key: fare.step("capture"),
        fare,
        booking: booking.id(),
        amount,
        inline_until: booking.inline_until(),
    };
    let summary = format!("capture {amount}");
    let home = Home::Family(Family::Payments, &summary);
    match booking.act_unless_moved(Payments::capture, capture, home).await? {
        Captured::Captured => {
            booking.publish(Fact::new(Event::PaymentCaptured { amount }));
            booking.stop_if_moved()
        }
        Captured::Lost => {
            booking.look_at_journal().await;
            booking.stop_if_moved()?;
            Err(End::Unfulfilled("payment_lost".to_owned()))
        }
    }
}

/// Leaves with the provider what is kept of the price, whatever this life of the workflow or an
/// earlier one did.
pub(crate) async fn settle(booking: &Saga) {
    let plan = booking.plan();
    // Nothing was paid for what was never priced, and nothing is to be settled on the spot.
    let amount = booking.record(|record| record.view.amount);
    if amount.and_then(|it| plan.due(it)).is_none() {
        return;
    }
    let fare = booking.key(Purpose::Fare, 1);
    let keep = booking.keep().unwrap_or(Money::zero(plan.service.currency()));
    let settle = Settle {
        key: fare.step("settle"),
        fare,
        booking: booking.id(),
        keep,
        inline_until: booking.inline_until(),
    };
    let summary = format!("settle, keeping {keep}");
    let home = Home::Family(Family::Payments, &summary);
    let settled = booking.act(Payments::settle, settle, home).await;
    let stands = booking.record(|record| record.view.payment.status);
    if settled.payment != PaymentStatus::None && settled.payment != stands {
        booking.publish(Fact::new(Event::PaymentSettled {
            payment: settled.payment,
            kept: settled.kept,
            returned: settled.returned,
        }));
    }
}
