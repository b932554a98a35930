//! Filling a database with bookings to read among: what a bench measures reads in.

use bellhop_domain::id::{BookingId, SubjectId};

use crate::{Result, Store, db::execute};

/// How many rows one statement inserts.
const BATCH: i64 = 50_000;

/// One in so many copies is the reader's own.
const SHARE: i64 = 1_000;

impl Store {
    /// Copies a booking's row until there are `count` more, one in a thousand of them `reader`'s and
    /// the others those of strangers. They have no journal: for throw-away databases only.
    ///
    /// # Errors
    /// Any database error.
    pub async fn fill(&self, like: &BookingId, reader: &SubjectId, count: i64) -> Result<()> {
        let mut from = 1;
        while from <= count {
            let to = count.min(from + BATCH - 1);
            let mut db = self.writer().await?;
            execute!(
                db,
                "INSERT INTO bookings (id, first_run_id, owner, fingerprint, service, plan,
                     created_at, place, pay_kind, method, view, seq, status, company, assignee,
                     starts_at, amount, currency, changed_at)
                 WITH RECURSIVE n(i) AS (
                     SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2
                 )
                 SELECT 'bk_fill_' || CAST(i AS TEXT), first_run_id,
                        CASE WHEN i % $3 = 0 THEN $4 ELSE 'cus_fill_' || CAST(i % $3 AS TEXT) END,
                        fingerprint, service, plan, created_at - i, place, pay_kind, method, view,
                        seq, 'completed', company, assignee, starts_at, amount, currency, changed_at
                 FROM n, bookings WHERE bookings.id = $5",
                from,
                to,
                SHARE,
                reader.as_str(),
                like.as_str(),
            )?;
            from = to + 1;
        }
        // A planner that knows nothing of a full table chooses as for an empty one.
        let mut db = self.writer().await?;
        execute!(db, "ANALYZE")?;
        Ok(())
    }

    /// The id of the `number`th booking of those that fill a database, from 1.
    pub fn filled(number: i64) -> String {
        format!("bk_fill_{number}")
    }
}
