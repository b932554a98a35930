//! One SQL text on whichever database it is: an enum of the two, and macros that match on it.

use std::{
    fmt,
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bellhop_domain::id::BookingId;
use sqlx::{
    PgPool, Postgres, Sqlite, SqlitePool, Transaction, pool::PoolConnection,
    postgres::PgConnectOptions,
};

use crate::{Result, feed::Bus};

/// The database. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Store(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) pools: On<Embedded, Server>,
    pub(crate) bus: Arc<Bus>,
}

/// One of the two databases.
pub(crate) enum On<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// SQLite: writes stand in line for the one connection that writes, reads do not wait for them.
pub(crate) struct Embedded {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    pub(crate) lock: File,
}

pub(crate) struct Server {
    pub(crate) pool: PgPool,
    pub(crate) options: PgConnectOptions,
}

/// A connection, for a single statement.
pub(crate) struct Conn {
    pub(crate) on: On<PoolConnection<Sqlite>, PoolConnection<Postgres>>,
}

/// A transaction that writes. Dropped without [`Tx::commit`], it never was.
pub(crate) struct Tx {
    pub(crate) on: On<Transaction<'static, Sqlite>, Transaction<'static, Postgres>>,
    bus: Arc<Bus>,
    changed: Vec<BookingId>,
}

impl fmt::Debug for Store {
    /// Says which it is and nothing else: the address has a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_postgres() { "Store(postgres)" } else { "Store(sqlite)" })
    }
}

impl Store {
    /// A connection to read with.
    pub(crate) async fn reader(&self) -> Result<Conn> {
        let on = match &self.0.pools {
            On::Sqlite(it) => On::Sqlite(it.readers.acquire().await?),
            On::Postgres(it) => On::Postgres(it.pool.acquire().await?),
        };
        Ok(Conn { on })
    }

    /// A connection to write one statement with.
    pub(crate) async fn writer(&self) -> Result<Conn> {
        let on = match &self.0.pools {
            On::Sqlite(it) => On::Sqlite(it.writer.acquire().await?),
            On::Postgres(it) => On::Postgres(it.pool.acquire().await?),
        };
        Ok(Conn { on })
    }

    /// Begins to write. READ COMMITTED on PostgreSQL: what must not change in between is locked.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let on = match &self.0.pools {
            On::Sqlite(it) => On::Sqlite(it.writer.begin_with("BEGIN IMMEDIATE").await?),
            On::Postgres(it) => On::Postgres(it.pool.begin().await?),
        };
        Ok(Tx { on, bus: Arc::clone(&self.0.bus), changed: vec![] })
    }

    /// Begins to read what stands at one moment.
    pub(crate) async fn snapshot(&self) -> Result<Tx> {
        let on = match &self.0.pools {
            On::Sqlite(it) => On::Sqlite(it.readers.begin().await?),
            On::Postgres(it) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                On::Postgres(it.pool.begin_with(begin).await?)
            }
        };
        Ok(Tx { on, bus: Arc::clone(&self.0.bus), changed: vec![] })
    }
}

impl Tx {
    /// Notes that who waits for the booking has to look again once this is committed.
    pub(crate) fn changes(&mut self, booking: &BookingId) {
        self.changed.push(booking.clone());
    }

    /// Commits, then wakes who waits for what changed.
    pub(crate) async fn commit(self) -> Result<()> {
        match self.on {
            On::Sqlite(it) => it.commit().await?,
            On::Postgres(it) => it.commit().await?,
        }
        for booking in &self.changed {
            self.bus.changed(booking);
        }
        Ok(())
    }
}

/// How many statements this process has run, transactions' begins and commits aside: what a bench
/// tells of a booking.
static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// How many statements this process has run on any database, begins and commits aside.
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}

pub(crate) fn count(sql: &str) {
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
    #[cfg(feature = "testing")]
    crate::testing::runs(sql);
    #[cfg(not(feature = "testing"))]
    let _ = sql;
}

/// Runs a statement with its values; answers how many rows it changed.
macro_rules! execute {
    ($db:expr, $sql:expr $(, $value:expr)* $(,)?) => {{
        $crate::db::count($sql);
        match &mut $db.on {
            $crate::db::On::Sqlite(it) => sqlx::query($sql)$(.bind($value))*
                .execute(&mut **it).await.map(|done| done.rows_affected()),
            $crate::db::On::Postgres(it) => sqlx::query($sql)$(.bind($value))*
                .execute(&mut **it).await.map(|done| done.rows_affected()),
        }
    }};
}

/// Runs a query; answers all rows (`fetch_all`), the first if there is one (`fetch_optional`), or
/// the one that there must be (`fetch_one`), as tuples or as what derives `FromRow`.
macro_rules! query {
    ($fetch:ident, $db:expr, $sql:expr $(, $value:expr)* $(,)?) => {{
        $crate::db::count($sql);
        match &mut $db.on {
            $crate::db::On::Sqlite(it) => {
                sqlx::query_as($sql)$(.bind($value))*.$fetch(&mut **it).await
            }
            $crate::db::On::Postgres(it) => {
                sqlx::query_as($sql)$(.bind($value))*.$fetch(&mut **it).await
            }
        }
    }};
}

/// The same for one row, which stays locked until the transaction ends. SQLite needs no lock: a
/// transaction that writes has the database for itself.
macro_rules! lock {
    ($tx:expr, $sql:literal $(, $value:expr)* $(,)?) => {{
        $crate::db::count($sql);
        match &mut $tx.on {
            $crate::db::On::Sqlite(it) => {
                sqlx::query_as($sql)$(.bind($value))*.fetch_optional(&mut **it).await
            }
            $crate::db::On::Postgres(it) => {
                sqlx::query_as(concat!($sql, " FOR UPDATE"))$(.bind($value))*
                    .fetch_optional(&mut **it).await
            }
        }
    }};
}

/// Inserts many rows with one statement: the columns of a row are pushed in the closure's body.
/// Answers how many were inserted: all, unless the statement has an end that says otherwise.
macro_rules! insert_rows {
    ($tx:expr, $sql:literal, $rows:expr, |$values:ident, $row:pat_param| $body:expr
     $(, $end:literal)?) => {{
        $crate::db::count($sql);
        match &mut $tx.on {
            $crate::db::On::Sqlite(it) => {
                let mut builder = sqlx::QueryBuilder::<sqlx::Sqlite>::new($sql);
                builder.push_values($rows, |mut $values, $row| $body);
                $(builder.push($end);)?
                builder.build().execute(&mut **it).await.map(|done| done.rows_affected())
            }
            $crate::db::On::Postgres(it) => {
                let mut builder = sqlx::QueryBuilder::<sqlx::Postgres>::new($sql);
                builder.push_values($rows, |mut $values, $row| $body);
                $(builder.push($end);)?
                builder.build().execute(&mut **it).await.map(|done| done.rows_affected())
            }
        }
    }};
}

/// Runs a query whose conditions depend on what is asked for: they are pushed in the body.
macro_rules! build {
    ($db:expr, |$query:ident| $body:block) => {{
        match &mut $db.on {
            $crate::db::On::Sqlite(it) => {
                let mut $query = sqlx::QueryBuilder::<sqlx::Sqlite>::new("");
                $body
                $crate::db::count($query.sql().as_str());
                $query.build_query_as().fetch_all(&mut **it).await
            }
            $crate::db::On::Postgres(it) => {
                let mut $query = sqlx::QueryBuilder::<sqlx::Postgres>::new("");
                $body
                $crate::db::count($query.sql().as_str());
                $query.build_query_as().fetch_all(&mut **it).await
            }
        }
    }};
}

pub(crate) use {build, execute, insert_rows, lock, query};
