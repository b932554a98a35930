//! The stages of a service: those who serve tell when each is reached.

use crate::{booking::End, saga::Saga};

/// Waits until the booking has gone through its stages, or is cancelled. A service without stages
/// is served once it is confirmed.
pub(crate) async fn follow(booking: &Saga) -> Result<(), End> {
    if booking.plan().service.fulfilment.is_some() {
        booking.wait(|record| record.view.status.is_end() || record.view.status.is_undone()).await;
    }
    booking.stop_if_moved()
}
