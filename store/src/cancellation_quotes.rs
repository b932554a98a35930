//! Cancellation quotes: terms that a customer was shown, honoured until they expire.

use bellhop_domain::{
    id::{BookingId, QuoteId},
    policy::Terms,
};
use jiff::Timestamp;

use crate::{
    Result, Store,
    column::{Instant, Json, Word},
    db::{execute, query},
};

/// What a cancellation was said to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancellationQuote {
    /// Its id.
    pub id: QuoteId,
    /// The booking.
    pub booking: BookingId,
    /// The terms.
    pub terms: Terms,
    /// Until when they are honoured.
    pub expires_at: Timestamp,
}

impl Store {
    /// Stores a quote. One that is there under the same id stays as it is.
    ///
    /// # Errors
    /// Any database error.
    pub async fn put_cancellation_quote(&self, quote: &CancellationQuote) -> Result<()> {
        let mut db = self.writer().await?;
        execute!(
            db,
            "INSERT INTO cancellation_quotes (id, booking_id, terms, expires_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
            quote.id.as_str(),
            quote.booking.as_str(),
            Json(&quote.terms),
            Instant::from(quote.expires_at),
        )?;
        Ok(())
    }

    /// A quote, expired or not.
    ///
    /// # Errors
    /// Any database error.
    pub async fn cancellation_quote(&self, id: &QuoteId) -> Result<Option<CancellationQuote>> {
        let row: Option<(Word<BookingId>, Json<Terms>, Instant)> = query!(
            fetch_optional,
            self.reader().await?,
            "SELECT booking_id, terms, expires_at FROM cancellation_quotes WHERE id = $1",
            id.as_str(),
        )?;
        Ok(row.map(|(booking, terms, expires_at)| CancellationQuote {
            id: id.clone(),
            booking: booking.0,
            terms: terms.0,
            expires_at: expires_at.timestamp(),
        }))
    }
}
