//! The phases of a booking: each owns its step and its undo.

pub(crate) mod approval;
pub(crate) mod dispatch;
pub(crate) mod fulfilment;
pub(crate) mod hold;
pub(crate) mod payment;

use bellhop_domain::{
    event::Event,
    status::{Status, Trigger},
};

use crate::{record::Fact, saga::Saga};

/// Undoes every phase of the plan, newest first, if the booking ended without being served; or
/// leaves behind what a served one does not keep.
pub(crate) async fn finish(booking: &Saga) {
    if !booking.status().is_undone() {
        return hold::finish(booking).await;
    }
    payment::undo(booking).await;
    hold::undo(booking).await; // what dispatch took from it goes back with it
    if booking.status() == Status::Cancelling {
        booking.publish(Fact::new(Event::Cancelled).moving(Trigger::Undone, Status::Cancelled));
    }
}
