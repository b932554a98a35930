//! The stages of a service: those who serve tell when each is reached.

use bellhop_domain::status::Status;

use super::release;
use crate::{booking::End, record::Record, saga::Saga};

/// Follows the booking through its stages until it has ended or is cancelled, or until who was
/// assigned does not come: another is to be sought. A service without stages is served once it is
/// confirmed.
pub(crate) async fn follow(booking: &Saga) -> Result<(), End> {
    let plan = booking.plan();
    if plan.service.fulfilment.is_none() {
        return Err(End::Moved);
    }
    let sends_person = plan.service.sends_person();
    let is_left = |record: &Record| sends_person && record.view.status == Status::Dispatching;
    loop {
        let seen = booking.record(|record| record.view.stage.clone());
        let is_news = |record: &Record| {
            record.view.status.is_over() || is_left(record) || record.view.stage != seen
        };
        booking.wait(is_news).await;
        booking.stop_if_moved()?;
        if booking.record(is_left) {
            return Ok(());
        }
        release::use_up(booking).await;
    }
}
