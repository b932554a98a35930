//! The phases of a booking: each owns its step and its undo.

pub(crate) mod approval;
pub(crate) mod dispatch;
pub(crate) mod fulfilment;
pub(crate) mod hold;
pub(crate) mod nearest;
pub(crate) mod payment;
pub(crate) mod release;

use bellhop_domain::{
    event::Event,
    status::{Status, Trigger},
};

use crate::{record::Fact, saga::Saga};

/// Undoes every phase of the plan, newest first, if the booking ended without being served; or
/// leaves behind what a served one does not keep.
pub(crate) async fn finish(booking: &Saga) {
    match booking.status() {
        Status::Completed | Status::Confirmed => return release::served(booking).await,
        Status::NoShow => {
            payment::settle(booking).await;
            return release::served(booking).await;
        }
        _ => {}
    }
    payment::settle(booking).await;
    release::undo(booking).await; // what was dispatched and held goes back together
    if booking.status() == Status::Cancelling {
        booking.publish(Fact::new(Event::Cancelled).moving(Trigger::Undone, Status::Cancelled));
    }
}
