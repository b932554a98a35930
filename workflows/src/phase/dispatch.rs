//! Assigning who or what serves a booking.

use bellhop_domain::{
    act::{Assign, Assigned, Confirm, Confirmed},
    key::Purpose,
    plan::Family,
    service::Dispatch as Kind,
};

use super::nearest;
use crate::{
    booking::End,
    contract::dispatch::Dispatch,
    record::Record,
    saga::{Home, Saga},
};

/// Assigns what the plan says. With the assignment's part down, the booking stays as it is and goes
/// on when it is back (designated-driver 9, exhibition 12, call-taxi 13).
pub(crate) async fn assign(booking: &Saga) -> Result<(), End> {
    match &booking.plan().service.dispatch {
        None => Ok(()),
        Some(Kind::FromHold) => from_hold(booking).await,
        Some(Kind::EntryConfirmation) => confirm(booking).await,
        Some(Kind::Nearest(rule)) => nearest::find(booking, rule).await,
    }
}

/// Takes what was held for the customer (call-taxi 12).
async fn from_hold(booking: &Saga) -> Result<(), End> {
    let before = booking.record(Record::unsent);
    let assign = Assign {
        key: booking.key(Purpose::Assign, 1),
        booking: booking.id(),
        events: before.clone(),
    };
    let home = Home::Family(Family::Dispatch, "assign from stock");
    match booking.act_unless_moved(Dispatch::assign, assign, home).await? {
        Assigned::Made { events, .. } => {
            booking.journalled(&before, &events);
            booking.stop_if_moved()
        }
        Assigned::Lost => lost(booking).await,
    }
}

/// Issues the visitor's confirmation of entry, which the booking does not wait for to be confirmed
/// (exhibition 5).
async fn confirm(booking: &Saga) -> Result<(), End> {
    let before = booking.record(Record::unsent);
    let confirm = Confirm {
        key: booking.key(Purpose::Confirm, 1),
        booking: booking.id(),
        events: before.clone(),
    };
    let home = Home::Family(Family::Dispatch, "confirm the entry");
    match booking.act_unless_moved(Dispatch::confirm, confirm, home).await? {
        Confirmed::Issued { events, .. } => {
            booking.journalled(&before, &events);
            booking.stop_if_moved()
        }
        Confirmed::Closed => lost(booking).await,
    }
}

/// The booking was undone in a life of this workflow that was lost: so it is again.
pub(crate) async fn lost(booking: &Saga) -> Result<(), End> {
    booking.look_at_journal().await;
    booking.stop_if_moved()?;
    Err(End::Unfulfilled("assignment_lost".to_owned()))
}
