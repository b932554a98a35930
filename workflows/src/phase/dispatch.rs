//! Assigning who or what serves a booking.

use bellhop_domain::{
    act::{Assign, Assigned},
    key::Purpose,
    plan::Family,
    service::Dispatch as Kind,
};

use crate::{
    booking::End,
    contract::dispatch::Dispatch,
    record::Record,
    saga::{Home, Saga},
};

/// Takes what was held for the customer (call-taxi 12). With the assignment's part down, the booking
/// stays `dispatching` and goes on when it is back.
pub(crate) async fn assign(booking: &Saga) -> Result<(), End> {
    let plan = booking.plan();
    let Some(Kind::FromHold) = &plan.service.dispatch else { return Ok(()) };
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
        Assigned::Lost => {
            booking.look_at_journal().await;
            booking.stop_if_moved()?;
            Err(End::Unfulfilled("assignment_lost".to_owned()))
        }
    }
}
