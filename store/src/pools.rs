//! Pools: limited things that bookings hold and take. Their counters change only by conditional
//! updates, so they never exceed the capacity whoever races.

use bellhop_domain::{
    id::{CompanyId, PoolId},
    money::{Currency, Money},
};
use jiff::Timestamp;

use crate::{
    Cursor, Page, Result, Store, StoreError,
    column::{Instant, Word},
    db::{Tx, build, execute, query},
    page::one_more,
};

/// A pool of limited things: a company's taxis of one grade.
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
        "id, kind, company, variant, label, price, currency, capacity, held, taken, open, created_at"
    };
}

impl Store {
    /// Inserts a pool, or changes it to this.
    ///
    /// # Errors
    /// [`StoreError::PoolInUse`] when its capacity would be less than what is held and taken (it
    /// stays as it was), or any database error.
    pub async fn put_pool(&self, pool: &Pool, now: Timestamp) -> Result<()> {
        let mut db = self.writer().await?;
        let changed = execute!(
            db,
            "INSERT INTO pools (id, kind, company, variant, label, price, currency, capacity,
                                open, created_at, held, taken)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)
             ON CONFLICT (id) DO UPDATE
             SET kind = excluded.kind, company = excluded.company, variant = excluded.variant,
                 label = excluded.label, price = excluded.price, currency = excluded.currency,
                 capacity = excluded.capacity, open = excluded.open
             WHERE pools.held + pools.taken <= excluded.capacity",
            pool.id.as_str(),
            &pool.kind,
            pool.company.as_str(),
            &pool.variant,
            &pool.label,
            pool.price.minor,
            pool.price.currency.code(),
            i64::from(pool.capacity),
            pool.open,
            Instant::from(now),
        )?;
        drop(db);
        if changed == 1 {
            return Ok(());
        }
        let row = self.pool(&pool.id).await?.ok_or(sqlx::Error::RowNotFound)?;
        Err(StoreError::PoolInUse { held: row.held, taken: row.taken })
    }

    /// Opens a pool for new bookings, or closes it. Answers whether there is such a pool.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_pool_open(&self, id: &PoolId, open: bool) -> Result<bool> {
        let mut db = self.writer().await?;
        let sql = "UPDATE pools SET open = $1 WHERE id = $2";
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
            if let Some(cursor) = cursor {
                sql.push(" AND (created_at, id) > (").push_bind(cursor.at());
                sql.push(", ").push_bind(cursor.id()).push(")");
            }
            sql.push(" ORDER BY created_at, id LIMIT ").push_bind(one_more(limit));
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
}

/// The open pools that fit, the cheapest first.
pub(crate) async fn offers(
    tx: &mut Tx,
    kind: &str,
    variant: Option<&str>,
    company: Option<&CompanyId>,
    currency: Currency,
) -> Result<Vec<Offer>> {
    let rows: Vec<(Word<PoolId>, Word<CompanyId>, i64)> = query!(
        fetch_all,
        tx,
        "SELECT id, company, price FROM pools
         WHERE kind = $1 AND currency = $2 AND open
           AND (variant = $3 OR CAST($3 AS TEXT) IS NULL)
           AND (company = $4 OR CAST($4 AS TEXT) IS NULL)
         ORDER BY price, id",
        kind,
        currency.code(),
        variant,
        company.map(CompanyId::as_str),
    )?;
    let offer = |(pool, company, minor): (Word<PoolId>, Word<CompanyId>, i64)| Offer {
        pool: pool.0,
        company: company.0,
        price: Money { minor, currency },
    };
    Ok(rows.into_iter().map(offer).collect())
}

/// Holds from a pool that is open and has enough; answers whether it did.
pub(crate) async fn hold(tx: &mut Tx, pool: &PoolId, quantity: u32) -> Result<bool> {
    let sql = "UPDATE pools SET held = held + $1
               WHERE id = $2 AND open AND held + taken + $1 <= capacity";
    Ok(execute!(tx, sql, i64::from(quantity), pool.as_str())? == 1)
}

/// Holds again what a booking held before, even from a pool that was closed meanwhile.
pub(crate) async fn hold_again(tx: &mut Tx, pool: &PoolId, quantity: u32) -> Result<bool> {
    let sql = "UPDATE pools SET held = held + $1 WHERE id = $2 AND held + taken + $1 <= capacity";
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

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<PoolId>,
    kind: String,
    company: Word<CompanyId>,
    variant: Option<String>,
    label: String,
    price: i64,
    currency: Word<Currency>,
    #[sqlx(try_from = "i64")]
    capacity: u32,
    #[sqlx(try_from = "i64")]
    held: u32,
    #[sqlx(try_from = "i64")]
    taken: u32,
    open: bool,
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
            price: Money { minor: row.price, currency: row.currency.0 },
            capacity: row.capacity,
            open: row.open,
        };
        Self { pool, held: row.held, taken: row.taken, created_at: row.created_at.timestamp() }
    }
}
