//! Operations: what goes on for a while and can be asked after. The withdrawal of a pool cancels every
//! booking that holds from it (exhibition 9 and 10).

use bellhop_domain::{
    event::Actor,
    id::{BookingId, CompanyId, OperationId, PoolId},
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    Result, Store,
    column::{Instant, Json, Word},
    commands,
    db::{Tx, execute, lock, query},
    pools,
};

/// What `kind` says of the withdrawal of a pool.
const WITHDRAWAL: &str = "withdrawal";

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRow {
    /// Its id.
    pub id: OperationId,
    /// What it does: `withdrawal`.
    pub kind: String,
    /// To which pool.
    pub subject: PoolId,
    /// Whose that is.
    pub company: CompanyId,
    /// Who began it.
    pub actor: Actor,
    /// The body of the request that began it, hashed.
    pub fingerprint: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Whether anything is left to do.
    pub is_done: bool,
    /// How many bookings it is about.
    pub total: u32,
    /// How many of them have ended.
    pub done: u32,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last got on.
    pub changed_at: Timestamp,
}

/// A pool that is to be withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// The operation that this begins.
    pub operation: OperationId,
    /// The pool.
    pub pool: PoolId,
    /// Who withdraws it.
    pub actor: Actor,
    /// The body of the request, hashed.
    pub fingerprint: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// How far a withdrawal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// How many bookings were told to cancel, by this batch.
    pub told: u32,
    /// How many have not ended yet.
    pub remaining: u32,
}

macro_rules! columns {
    () => {
        "id, kind, subject, company, actor, fingerprint, reason, state, total, done, created_at,
         changed_at"
    };
}

/// Bookings of the pool `$1` that have not ended: those that have something of it, and those that have
/// given it back and wait for the rest of their cancellation, such as their money. Those that are served
/// have used it up.
macro_rules! living {
    () => {
        "FROM holds JOIN bookings ON bookings.id = holds.booking_id
         WHERE holds.pool_id = $1
           AND (holds.state IN ('held', 'firm', 'taken') OR bookings.status = 'cancelling')
           AND bookings.status NOT IN
               ('completed', 'cancelled', 'rejected', 'expired', 'no_show', 'unfulfilled')"
    };
}

impl Store {
    /// Withdraws a pool: closes it to new bookings, for good, and begins the operation that cancels
    /// those that it has. Answers the operation, or `None` where there is no such pool.
    ///
    /// A repeat answers the operation as it is, and so does another withdrawal of the same pool. The
    /// id of an operation on another pool changes nothing, and answers that operation.
    ///
    /// # Errors
    /// Any database error.
    pub async fn withdraw_pool(
        &self,
        withdrawal: &Withdrawal,
        now: Timestamp,
    ) -> Result<Option<OperationRow>> {
        let (mut tx, pool) = (self.begin().await?, &withdrawal.pool);
        let Some((company, is_withdrawn)) = pools::withdrawn(&mut tx, pool).await? else {
            return Ok(None);
        };
        let sql = concat!("SELECT ", columns!(), " FROM operations WHERE id = $1");
        let mut known: Option<Row> =
            query!(fetch_optional, tx, sql, withdrawal.operation.as_str())?;
        if known.is_none() && is_withdrawn {
            let sql = concat!(
                "SELECT ",
                columns!(),
                " FROM operations WHERE subject = $1 AND kind = $2 ORDER BY created_at LIMIT 1"
            );
            known = query!(fetch_optional, tx, sql, pool.as_str(), WITHDRAWAL)?;
        }
        if let Some(known) = known {
            return Ok(Some(known.into()));
        }
        // From here on nothing more is held: those who hold already are counted.
        pools::withdraw(&mut tx, pool, now).await?;
        let total = living(&mut tx, pool).await?;
        let row: Row = query!(
            fetch_one,
            tx,
            concat!(
                "INSERT INTO operations (id, kind, subject, company, actor, fingerprint, reason,
                                         state, total, done, created_at, changed_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10)
                 RETURNING ",
                columns!()
            ),
            withdrawal.operation.as_str(),
            WITHDRAWAL,
            pool.as_str(),
            company.as_str(),
            Json(&withdrawal.actor),
            &withdrawal.fingerprint,
            &withdrawal.reason,
            if total == 0 { "done" } else { "running" },
            i64::from(total),
            Instant::from(now),
        )?;
        tx.commit().await?;
        Ok(Some(row.into()))
    }

    /// An operation.
    ///
    /// # Errors
    /// Any database error.
    pub async fn operation(&self, id: &OperationId) -> Result<Option<OperationRow>> {
        let sql = concat!("SELECT ", columns!(), " FROM operations WHERE id = $1");
        let row: Option<Row> = query!(fetch_optional, self.reader().await?, sql, id.as_str())?;
        Ok(row.map(OperationRow::from))
    }

    /// Up to `limit` operations that are not done, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn running_operations(&self, limit: u32) -> Result<Vec<OperationId>> {
        let rows: Vec<(Word<OperationId>,)> = query!(
            fetch_all,
            self.reader().await?,
            "SELECT id FROM operations WHERE state = 'running' ORDER BY created_at LIMIT $1",
            i64::from(limit),
        )?;
        Ok(rows.into_iter().map(|(id,)| id.0).collect())
    }

    /// Tells up to `limit` bookings of a pool that is withdrawn to cancel, by writing the `command` of
    /// each down, and notes how many have ended; `None` where there is no such operation.
    ///
    /// A command is known by the operation and its booking. One that was answered and has not ended
    /// its booking is written again, so this may be repeated until nothing remains.
    ///
    /// # Errors
    /// Any database error.
    pub async fn withdraw_batch<C: Serialize + Sync>(
        &self,
        id: &OperationId,
        limit: u32,
        command: impl Fn(&OperationRow, &str) -> C + Send + Sync,
        now: Timestamp,
    ) -> Result<Option<Withdrawn>> {
        let mut tx = self.begin().await?;
        let row: Option<Row> = lock!(
            tx,
            "SELECT id, kind, subject, company, actor, fingerprint, reason, state, total, done,
                    created_at, changed_at
             FROM operations WHERE id = $1",
            id.as_str()
        )?;
        let Some(operation) = row.map(OperationRow::from) else { return Ok(None) };
        let bookings: Vec<(Word<BookingId>,)> = query!(
            fetch_all,
            tx,
            concat!(
                "SELECT bookings.id ",
                living!(),
                " AND bookings.status <> 'cancelling'
                  AND NOT EXISTS (SELECT 1 FROM commands
                                  WHERE commands.id = CAST($2 AS TEXT) || '/' || bookings.id)
                  ORDER BY bookings.created_at, bookings.id LIMIT $3"
            ),
            operation.subject.as_str(),
            id.as_str(),
            i64::from(limit),
        )?;
        for (Word(booking),) in &bookings {
            let key = format!("{id}/{booking}");
            let command = command(&operation, &key);
            commands::put(&mut tx, &key, booking, &command, now).await?;
        }
        let remaining = living(&mut tx, &operation.subject).await?;
        execute!(
            tx,
            "UPDATE operations SET done = $1, state = $2, changed_at = $3
             WHERE id = $4 AND state = 'running' AND (done <> $1 OR state <> $2)",
            i64::from(operation.total.saturating_sub(remaining)),
            if remaining == 0 { "done" } else { "running" },
            Instant::from(now),
            id.as_str(),
        )?;
        tx.commit().await?;
        let told = u32::try_from(bookings.len()).unwrap_or(limit);
        Ok(Some(Withdrawn { told, remaining }))
    }
}

/// How many bookings of a pool have not ended.
async fn living(tx: &mut Tx, pool: &PoolId) -> Result<u32> {
    let sql = concat!("SELECT COUNT(*) ", living!());
    let (count,): (i64,) = query!(fetch_one, tx, sql, pool.as_str())?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<OperationId>,
    kind: String,
    subject: Word<PoolId>,
    company: Word<CompanyId>,
    actor: Json<Actor>,
    fingerprint: String,
    reason: Option<String>,
    state: String,
    #[sqlx(try_from = "i64")]
    total: u32,
    #[sqlx(try_from = "i64")]
    done: u32,
    created_at: Instant,
    changed_at: Instant,
}

impl From<Row> for OperationRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind,
            subject: row.subject.0,
            company: row.company.0,
            actor: row.actor.0,
            fingerprint: row.fingerprint,
            reason: row.reason,
            is_done: row.state == "done",
            total: row.total,
            done: row.done,
            created_at: row.created_at.timestamp(),
            changed_at: row.changed_at.timestamp(),
        }
    }
}
