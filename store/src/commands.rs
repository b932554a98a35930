//! Commands on their way to bookings.
//!
//! A command acts within the workflow task that hears it, before the engine has recorded that it was
//! heard. If workers and engine die together in that moment, its effects are there and the workflow
//! has never heard of it. So the API writes a command down before it gives it, and gives it again
//! until the engine has answered for good; the engine knows the repeat by its id.

use bellhop_domain::id::BookingId;
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Result, Store,
    column::{Instant, Json, Word},
    db::{execute, query},
};

/// A command that nobody knows the answer to yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenCommand<C> {
    /// Its id, which is also that of the update.
    pub id: String,
    /// The booking.
    pub booking: BookingId,
    /// What is commanded.
    pub command: C,
}

impl Store {
    /// Writes a command down. One that is there under the same id stays as it is.
    ///
    /// # Errors
    /// Any database error.
    pub async fn put_command<C: Serialize + Sync>(
        &self,
        id: &str,
        booking: &BookingId,
        command: &C,
        now: Timestamp,
    ) -> Result<()> {
        let mut db = self.writer().await?;
        execute!(
            db,
            "INSERT INTO commands (id, booking_id, command, given_at)
             VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
            id,
            booking.as_str(),
            Json(command),
            Instant::from(now),
        )?;
        Ok(())
    }

    /// Forgets a command that is answered for good. A second call does nothing.
    ///
    /// # Errors
    /// Any database error.
    pub async fn forget_command(&self, id: &str) -> Result<()> {
        let mut db = self.writer().await?;
        execute!(db, "DELETE FROM commands WHERE id = $1", id)?;
        Ok(())
    }

    /// Up to `limit` commands that were given before `before` and are not answered, oldest first.
    ///
    /// # Errors
    /// Any database error, or a command that cannot be read.
    pub async fn unanswered_commands<C: DeserializeOwned + Send + Unpin>(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<GivenCommand<C>>> {
        let rows: Vec<(String, Word<BookingId>, Json<C>)> = query!(
            fetch_all,
            self.reader().await?,
            "SELECT id, booking_id, command FROM commands WHERE given_at < $1
             ORDER BY given_at LIMIT $2",
            Instant::from(before),
            i64::from(limit),
        )?;
        let given = |(id, booking, command): (String, Word<BookingId>, Json<C>)| GivenCommand {
            id,
            booking: booking.0,
            command: command.0,
        };
        Ok(rows.into_iter().map(given).collect())
    }
}
