//! Confirmations of entry: what lets a visitor in, with a state of its own (exhibition 5 and 8).

use bellhop_domain::{
    act::{Confirm, Confirmed},
    event::{Event, NewEvent},
    id::BookingId,
};
use jiff::Timestamp;

use crate::{
    Result, Store, StoreError, acts, bookings,
    column::Instant,
    db::{Tx, execute},
    events,
};

impl Store {
    /// Issues a booking's confirmation of entry, and journals the events that come before, then the
    /// confirmation as `confirmation.issued/1`.
    ///
    /// A booking that is being undone, or has let go of what it had, gets none. A repeat answers the
    /// first outcome.
    ///
    /// # Errors
    /// [`StoreError::NoBooking`] when the booking was never opened, or any database error.
    pub async fn confirm_entry(&self, confirm: &Confirm, now: Timestamp) -> Result<Confirmed> {
        let (mut tx, id) = (self.begin().await?, &confirm.booking);
        let booking = bookings::lock(&mut tx, id).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &confirm.key).await? {
            return Ok(outcome);
        }
        let mut booking = booking.ok_or_else(|| StoreError::NoBooking(id.clone()))?;
        let is_undone = booking.view.status.is_undone();
        let is_closed = is_undone || acts::is_released(&mut tx, id).await?;
        let outcome = if is_closed {
            Confirmed::Closed
        } else {
            let number = id.entry_number();
            insert(&mut tx, id, &number, now).await?;
            let event = NewEvent::new(Event::ConfirmationIssued { number: number.clone() }, 1);
            let events = confirm.events.iter().cloned().chain([event]).collect();
            let events = events::append_facts(&mut tx, &mut booking, events, now).await?;
            Confirmed::Issued { number, events }
        };
        acts::finish(tx, &confirm.key, id, outcome, now).await
    }
}

async fn insert(tx: &mut Tx, booking: &BookingId, number: &str, now: Timestamp) -> Result<()> {
    execute!(
        tx,
        "INSERT INTO confirmations (booking_id, number, issued_at) VALUES ($1, $2, $3)",
        booking.as_str(),
        number,
        Instant::from(now),
    )?;
    Ok(())
}

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
