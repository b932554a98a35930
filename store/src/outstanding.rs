//! How much is outstanding, for those who watch over a deployment.

use jiff::Timestamp;

use crate::{Result, Store, column::Instant, db::query};

/// How much is outstanding in the whole database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Outstanding {
    /// Messages that are due and not delivered.
    pub messages: i64,
    /// Commands that are due and not answered.
    pub commands: i64,
    /// Withdrawals that go on.
    pub withdrawals: i64,
    /// Bookings that somebody should look at.
    pub in_trouble: i64,
}

impl Store {
    /// How much is outstanding. It counts along small indexes: what is done is in none of them.
    ///
    /// # Errors
    /// Any database error.
    pub async fn outstanding(&self, now: Timestamp) -> Result<Outstanding> {
        Ok(query!(
            fetch_one,
            self.reader().await?,
            "SELECT (SELECT COUNT(*) FROM messages WHERE due_at IS NOT NULL AND due_at <= $1)
                        AS messages,
                    (SELECT COUNT(*) FROM commands WHERE due_at <= $1) AS commands,
                    (SELECT COUNT(*) FROM operations WHERE state = 'running') AS withdrawals,
                    (SELECT COUNT(*) FROM bookings WHERE attention_since IS NOT NULL)
                        AS in_trouble",
            Instant::from(now),
        )?)
    }
}
