//! Confirmations of entry: what lets a visitor in, with a state of its own (exhibition 5 and 8).

use bellhop_domain::id::BookingId;
use jiff::Timestamp;

use crate::{
    Result,
    column::Instant,
    db::{Tx, execute},
};

/// Cancels a booking's confirmation; answers whether there was a good one.
pub(crate) async fn cancel(tx: &mut Tx, booking: &BookingId, now: Timestamp) -> Result<bool> {
    let cancelled = execute!(
        tx,
        "UPDATE confirmations SET cancelled_at = $1 WHERE booking_id = $2 AND cancelled_at IS NULL",
        Instant::from(now),
        booking.as_str(),
    )?;
    Ok(cancelled == 1)
}
