//! Claims: who serves a booking, or is asked to. One per booking and one per person at a time.

use bellhop_domain::id::{BookingId, SubjectId};
use jiff::Timestamp;

use crate::{
    Result,
    column::{Instant, Word},
    db::{Tx, query},
};

/// Ends the claim of a booking; answers on whom it was, if there was one.
pub(crate) async fn end(
    tx: &mut Tx,
    booking: &BookingId,
    now: Timestamp,
) -> Result<Option<SubjectId>> {
    let row: Option<(Word<SubjectId>,)> = query!(
        fetch_optional,
        tx,
        "UPDATE claims SET ended_at = $1 WHERE booking_id = $2 AND ended_at IS NULL
         RETURNING staff_id",
        Instant::from(now),
        booking.as_str(),
    )?;
    Ok(row.map(|(subject,)| subject.0))
}
