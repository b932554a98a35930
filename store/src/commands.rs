//! Commands on their way to bookings.
//!
//! A command acts within the workflow task that hears it, before the engine has recorded that it was
//! heard. If workers and engine die together in that moment, its effects are there and the workflow
//! has never heard of it. So the API writes a command down before it gives it, and gives it again
//! until the engine has answered for good; the engine knows the repeat by its id. Commands that nobody
//! waits for are only written down.

use bellhop_domain::id::BookingId;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Result, Store,
    column::{Instant, Json, Word},
    db::{Tx, execute, query},
};

/// How long a command that was just given is left alone before it is given again: longer than any
/// caller waits for its answer.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// Writes a command down that is not there yet.
const PUT: &str = "INSERT INTO commands (id, booking_id, command, due_at)
                   VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING";

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
    /// Writes a command down that is given at `now`; answers whether it is new. One that is there
    /// under the same id stays as it is: it may have been given before.
    ///
    /// # Errors
    /// Any database error.
    pub async fn put_command<C: Serialize + Sync>(
        &self,
        id: &str,
        booking: &BookingId,
        command: &C,
        now: Timestamp,
    ) -> Result<bool> {
        let mut db = self.writer().await?;
        let inserted =
            execute!(db, PUT, id, booking.as_str(), Json(command), Instant::from(after(now)),)?;
        Ok(inserted == 1)
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

    /// Takes up to `limit` commands that are due, to give them at `now`: they are due again after a
    /// while, unless they are answered before.
    ///
    /// # Errors
    /// Any database error, or a command that cannot be read.
    pub async fn take_due_commands<C: DeserializeOwned + Send + Unpin>(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<GivenCommand<C>>> {
        let due: Option<(i64,)> = query!(
            fetch_optional,
            self.reader().await?,
            "SELECT due_at FROM commands WHERE due_at <= $1 LIMIT 1",
            Instant::from(now),
        )?;
        if due.is_none() {
            return Ok(vec![]);
        }
        let mut db = self.writer().await?;
        let rows: Vec<(String, Word<BookingId>, Json<C>)> = query!(
            fetch_all,
            db,
            "UPDATE commands SET due_at = $1
             WHERE due_at <= $2
               AND id IN (SELECT id FROM commands WHERE due_at <= $2 ORDER BY due_at LIMIT $3)
             RETURNING id, booking_id, command",
            Instant::from(after(now)),
            Instant::from(now),
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

/// Writes a command down that is due at once. One that is there under the same id stays as it is.
pub(crate) async fn put<C: Serialize + Sync>(
    tx: &mut Tx,
    id: &str,
    booking: &BookingId,
    command: &C,
    now: Timestamp,
) -> Result<()> {
    execute!(tx, PUT, id, booking.as_str(), Json(command), Instant::from(now),)?;
    Ok(())
}

fn after(now: Timestamp) -> Timestamp {
    now.saturating_add(PATIENCE).unwrap_or(Timestamp::MAX)
}
