//! Pools: limited things that bookings hold and take. Their counters change only by conditional
//! updates, so they never exceed the capacity whoever races.

use bellhop_domain::{
    id::{CompanyId, PoolId},
    money::{Currency, Money},
    plan::Plan,
};
use jiff::Timestamp;

use crate::{
    Cursor, Page, Result, Store, StoreError,
    column::{Instant, Word},
    db::{Tx, build, execute, lock, query},
    page::page_by,
};

/// A pool of limited things: a company's taxis of one grade, the places of an exhibition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its id.
    pub id: PoolId,
    /// What it holds, as services name it: `taxi`.
    pub kind: String,
    /// Whose it is.
    pub company: CompanyId,
    /// Which of its kind: the grade.
    pub variant: Option<String>,
    /// What customers read.
    pub label: String,
    /// Where it is: an exhibition's hall.
    pub place: Option<String>,
    /// When it takes place; new bookings are refused from then on.
    pub starts_at: Option<Timestamp>,
    /// The price of one.
    pub price: Money,
    /// How many there are.
    pub capacity: u32,
    /// Whether new bookings may hold from it.
    pub open: bool,
}

/// A pool and what of it is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRow {
    /// The pool.
    pub pool: Pool,
    /// Held for bookings.
    pub held: u32,
    /// Taken by bookings.
    pub taken: u32,
    /// When it was withdrawn, for good.
    pub withdrawn_at: Option<Timestamp>,
    /// When it was first put.
    pub created_at: Timestamp,
}

impl PoolRow {
    /// How many are free.
    pub fn free(&self) -> u32 {
        self.pool.capacity.saturating_sub(self.held).saturating_sub(self.taken)
    }
}

macro_rules! columns {
    () => {
        "id, kind, company, variant, label, place, starts_at, price, currency, capacity, held, taken,
         open, withdrawn_at, created_at"
    };
}

impl Store {
    /// Inserts a pool, or changes it to this. Its kind and company stay what they are.
    ///
    /// # Errors
    /// [`StoreError::PoolFixed`] for a pool of another kind or company, or one that was withdrawn;
    /// [`StoreError::PoolInUse`] when its capacity would be less than what is held and taken (it
    /// stays as it was), or any database error.
    pub async fn put_pool(&self, pool: &Pool, now: Timestamp) -> Result<()> {
        self.put(pool, false, now).await
    }

    /// The same where the capacity of `pool` is what is on the shelf now: what is taken counts
    /// besides, and the shelf cannot have less than what is held.
    ///
    /// # Errors
    /// Those of [`Store::put_pool`].
    pub async fn put_stock(&self, pool: &Pool, now: Timestamp) -> Result<()> {
        self.put(pool, true, now).await
    }

    async fn put(&self, pool: &Pool, besides_taken: bool, now: Timestamp) -> Result<()> {
        let mut db = self.writer().await?;
        let changed = execute!(
            db,
            "INSERT INTO pools (id, kind, company, variant, label, place, starts_at, price, currency,
                                capacity, open, created_at, held, taken)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0)
             ON CONFLICT (id) DO UPDATE
             SET variant = excluded.variant, label = excluded.label, place = excluded.place,
                 starts_at = excluded.starts_at, price = excluded.price,
                 currency = excluded.currency, open = excluded.open,
                 capacity = excluded.capacity + $13 * pools.taken
             WHERE pools.kind = excluded.kind AND pools.company = excluded.company
               AND pools.withdrawn_at IS NULL
               AND pools.held + pools.taken <= excluded.capacity + $13 * pools.taken",
            pool.id.as_str(),
            &pool.kind,
            pool.company.as_str(),
            &pool.variant,
            &pool.label,
            &pool.place,
            pool.starts_at.map(Instant::from),
            pool.price.minor,
            pool.price.currency.code(),
            i64::from(pool.capacity),
            pool.open,
            Instant::from(now),
            i64::from(besides_taken),
        )?;
        drop(db);
        if changed == 1 {
            return Ok(());
        }
        let row = self.pool(&pool.id).await?.ok_or(sqlx::Error::RowNotFound)?;
        let is_theirs = (&row.pool.kind, &row.pool.company) != (&pool.kind, &pool.company);
        if is_theirs || row.withdrawn_at.is_some() {
            return Err(StoreError::PoolFixed(pool.id.clone()));
        }
        Err(StoreError::PoolInUse { held: row.held, taken: row.taken })
    }

    /// Opens a pool for new bookings, or closes it. Answers whether there is such a pool; one that was
    /// withdrawn stays closed.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_pool_open(&self, id: &PoolId, open: bool) -> Result<bool> {
        let mut db = self.writer().await?;
        let sql = "UPDATE pools SET open = ($1 AND withdrawn_at IS NULL) WHERE id = $2";
        Ok(execute!(db, sql, open, id.as_str())? == 1)
    }

    /// A pool.
    ///
    /// # Errors
    /// Any database error.
    pub async fn pool(&self, id: &PoolId) -> Result<Option<PoolRow>> {
        let sql = concat!("SELECT ", columns!(), " FROM pools WHERE id = $1");
        let row: Option<Row> = query!(fetch_optional, self.reader().await?, sql, id.as_str())?;
        Ok(row.map(PoolRow::from))
    }

    /// The pools of a kind, of a company, or all, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn pools(
        &self,
        kind: Option<&str>,
        company: Option<&CompanyId>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<PoolRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM pools WHERE 1 = 1"));
            if let Some(kind) = kind {
                sql.push(" AND kind = ").push_bind(kind);
            }
            if let Some(company) = company {
                sql.push(" AND company = ").push_bind(company.as_str());
            }
            page_by!(sql, ("created_at", "id"), oldest, cursor, limit);
        })?;
        let page = Page::of(rows, limit, |it| Cursor::new(it.created_at.timestamp(), &it.id.0));
        Ok(page.map(PoolRow::from))
    }
}

/// Where a booking could be held from.
pub(crate) struct Offer {
    pub(crate) pool: PoolId,
    pub(crate) company: CompanyId,
    pub(crate) price: Money,
    pub(crate) starts_at: Option<Timestamp>,
}

/// Id, company, price and start of a pool.
type OfferRow = (Word<PoolId>, Word<CompanyId>, i64, Option<Instant>);

/// The open pools that a plan can hold from at `now`, the cheapest first.
pub(crate) async fn offers(tx: &mut Tx, plan: &Plan, now: Timestamp) -> Result<Vec<Offer>> {
    let currency = plan.service.currency();
    let rows: Vec<OfferRow> = query!(
        fetch_all,
        tx,
        "SELECT id, company, price, starts_at FROM pools
         WHERE kind = $1 AND currency = $2 AND open
           AND (id = $3 OR CAST($3 AS TEXT) IS NULL)
           AND (variant = $4 OR CAST($4 AS TEXT) IS NULL)
           AND (company = $5 OR CAST($5 AS TEXT) IS NULL)
           AND (starts_at > $6 OR starts_at IS NULL)
         ORDER BY price, id",
        plan.service.hold.as_ref().map(|it| it.pool.as_str()),
        currency.code(),
        plan.pool().as_ref().map(PoolId::as_str),
        plan.variant(),
        plan.company().as_ref().map(CompanyId::as_str),
        Instant::from(now),
    )?;
    let offer = |(pool, company, minor, starts_at): OfferRow| {
        let starts_at = starts_at.map(Instant::timestamp);
        let price = Money { minor, currency };
        Offer { pool: pool.0, company: company.0, price, starts_at }
    };
    Ok(rows.into_iter().map(offer).collect())
}

/// Holds from a pool that is open and has enough; answers whether it did.
pub(crate) async fn hold(tx: &mut Tx, pool: &PoolId, quantity: u32) -> Result<bool> {
    let sql = "UPDATE pools SET held = held + $1
               WHERE id = $2 AND open AND held + taken + $1 <= capacity";
    Ok(execute!(tx, sql, i64::from(quantity), pool.as_str())? == 1)
}

/// Holds again what a booking held before, even from a pool that was closed meanwhile; not from one
/// that was withdrawn.
pub(crate) async fn hold_again(tx: &mut Tx, pool: &PoolId, quantity: u32) -> Result<bool> {
    let sql = "UPDATE pools SET held = held + $1
               WHERE id = $2 AND withdrawn_at IS NULL AND held + taken + $1 <= capacity";
    Ok(execute!(tx, sql, i64::from(quantity), pool.as_str())? == 1)
}

/// Takes what is held; answers whose pool it is and its label.
pub(crate) async fn take(tx: &mut Tx, pool: &PoolId, quantity: u32) -> Result<(CompanyId, String)> {
    let (company, label): (Word<CompanyId>, String) = query!(
        fetch_one,
        tx,
        "UPDATE pools SET held = held - $1, taken = taken + $1 WHERE id = $2
         RETURNING company, label",
        i64::from(quantity),
        pool.as_str(),
    )?;
    Ok((company.0, label))
}

/// Gives back what was held and what was taken.
pub(crate) async fn give_back(tx: &mut Tx, pool: &PoolId, held: u32, taken: u32) -> Result<()> {
    let sql = "UPDATE pools SET held = held - $1, taken = taken - $2 WHERE id = $3";
    execute!(tx, sql, i64::from(held), i64::from(taken), pool.as_str())?;
    Ok(())
}

/// Locks a pool; answers whose it is and whether it was withdrawn, or `None` where there is none.
pub(crate) async fn withdrawn(tx: &mut Tx, pool: &PoolId) -> Result<Option<(CompanyId, bool)>> {
    let row: Option<(Word<CompanyId>, Option<Instant>)> =
        lock!(tx, "SELECT company, withdrawn_at FROM pools WHERE id = $1", pool.as_str())?;
    Ok(row.map(|(company, at)| (company.0, at.is_some())))
}

/// Closes a pool for good.
pub(crate) async fn withdraw(tx: &mut Tx, pool: &PoolId, now: Timestamp) -> Result<()> {
    let sql = "UPDATE pools SET open = FALSE, withdrawn_at = $1 WHERE id = $2";
    execute!(tx, sql, Instant::from(now), pool.as_str())?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<PoolId>,
    kind: String,
    company: Word<CompanyId>,
    variant: Option<String>,
    label: String,
    place: Option<String>,
    starts_at: Option<Instant>,
    price: i64,
    currency: Word<Currency>,
    #[sqlx(try_from = "i64")]
    capacity: u32,
    #[sqlx(try_from = "i64")]
    held: u32,
    #[sqlx(try_from = "i64")]
    taken: u32,
    open: bool,
    withdrawn_at: Option<Instant>,
    created_at: Instant,
}

impl From<Row> for PoolRow {
    fn from(row: Row) -> Self {
        let pool = Pool {
            id: row.id.0,
            kind: row.kind,
            company: row.company.0,
            variant: row.variant,
            label: row.label,
            place: row.place,
            starts_at: row.starts_at.map(Instant::timestamp),
            price: Money { minor: row.price, currency: row.currency.0 },
            capacity: row.capacity,
            open: row.open,
        };
        Self {
            pool,
            held: row.held,
            taken: row.taken,
            withdrawn_at: row.withdrawn_at.map(Instant::timestamp),
            created_at: row.created_at.timestamp(),
        }
    }
}
