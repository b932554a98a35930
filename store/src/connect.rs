//! Opening and closing: addresses, the lock file, and how each database is set up.

use std::{
    fs::{self, File, TryLockError},
    path::Path,
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use sqlx::{
    Connection, PgConnection,
    pool::PoolOptions,
    postgres::PgConnectOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use tokio::time;

use crate::{
    Result, Store, StoreError,
    db::{Embedded, Inner, On, Server, query},
    feed::Bus,
};

/// Enough to keep the disk of a database server busy; a few processes fit its default of 100.
const SERVER_CONNECTIONS: u32 = 16;
const SQLITE_READERS: u32 = 4;
/// How long a statement waits for its turn before the caller hears that it should come back.
const WAIT_FOR_CONNECTION: Duration = Duration::from_secs(5);

impl Store {
    /// Opens `sqlite:///path/to/file.db` (its folder is created) or
    /// `postgres://user:password@host/database`.
    ///
    /// A SQLite database belongs to one process: a lock file beside it, `<file>.lock`, says so.
    /// Must be called inside a tokio runtime, which carries the store's own tasks.
    ///
    /// # Errors
    /// An address that is none, a folder that cannot be used, a database that another process
    /// has, or a server that is away or refuses the login.
    pub async fn open(url: &str) -> Result<Self> {
        let (pools, bus) = match url.split_once(':') {
            Some(("sqlite", _)) => (On::Sqlite(open_sqlite(url).await?), Bus::new(None)),
            Some(("postgres" | "postgresql", _)) => {
                let server = open_postgres(url).await?;
                let bus = Bus::new(Some(server.pool.clone()));
                (On::Postgres(server), bus)
            }
            _ => return Err(address("its scheme is neither sqlite nor postgres")),
        };
        Ok(Self(Arc::new(Inner { pools, bus: Arc::new(bus) })))
    }

    /// Whether several processes can share this database.
    pub fn is_postgres(&self) -> bool {
        matches!(self.0.pools, On::Postgres(_))
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ping(&self) -> Result<()> {
        let _: (i64,) = query!(fetch_one, self.reader().await?, "SELECT CAST(1 AS BIGINT)")?;
        Ok(())
    }

    /// Waits for what is under way, then closes every connection and gives the lock back.
    ///
    /// Everything called afterwards fails. A second call does nothing.
    pub async fn close(&self) {
        self.0.bus.close();
        match &self.0.pools {
            On::Sqlite(it) => {
                it.readers.close().await;
                it.writer.close().await;
                if let Err(error) = it.lock.unlock() {
                    tracing::warn!(%error, "the lock file could not be given back");
                }
            }
            On::Postgres(it) => it.pool.close().await,
        }
    }
}

async fn open_sqlite(url: &str) -> Result<Embedded> {
    let options = SqliteConnectOptions::from_str(url).map_err(|error| address(&error))?;
    let database = options.get_filename().to_owned();
    if url.contains(":memory:") || url.contains("mode=memory") || database.file_name().is_none() {
        return Err(address("name a file: a database in memory is lost with the process"));
    }
    let lock = lock_file(&database)?;
    let options = options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(Duration::from_secs(5));
    let pool = |connections| {
        PoolOptions::new()
            .min_connections(1)
            .max_connections(connections)
            .max_lifetime(None)
            .idle_timeout(None)
            .test_before_acquire(false)
            .acquire_timeout(WAIT_FOR_CONNECTION)
    };
    // The writer first: it creates the file.
    let writer = pool(1).connect_with(options.clone()).await?;
    let readers = pool(SQLITE_READERS).connect_with(options.pragma("query_only", "ON")).await?;
    Ok(Embedded { writer, readers, lock })
}

/// Takes the lock beside the database. It goes with the process, however that ends.
fn lock_file(database: &Path) -> Result<File> {
    let folder =
        database.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unusable = |source| StoreError::Folder { folder: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(unusable)?;
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let file =
        File::options().create(true).truncate(false).write(true).open(name).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { database: database.to_owned() }),
        Err(TryLockError::Error(error)) => Err(unusable(error)),
    }
}

/// How to log in to the server of `url`.
pub(crate) fn server_options(url: &str) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url).map_err(|error| address(&error))?;
    Ok(options.application_name("bellhop"))
}

async fn open_postgres(url: &str) -> Result<Server> {
    let options = server_options(url)?;
    // The pool would try for long, and then not say why.
    let first = PgConnection::connect_with(&options);
    time::timeout(WAIT_FOR_CONNECTION, first)
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)??
        .close()
        .await?;
    let pool = PoolOptions::new()
        .max_connections(SERVER_CONNECTIONS)
        .acquire_timeout(WAIT_FOR_CONNECTION)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut PgConnection, meta| {
            async move {
                // One that was used just now is alive; asking each time would double the traffic.
                if meta.idle_for > Duration::from_secs(1) {
                    connection.ping().await?;
                }
                Ok(true)
            }
            .boxed()
        })
        .connect_lazy_with(options.clone().options([
            // Nobody waits for ever for a process that hangs with a booking in its hands.
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "30s"),
        ]));
    Ok(Server { pool, options })
}

fn address(reason: &(impl ToString + ?Sized)) -> StoreError {
    StoreError::Address { reason: reason.to_string() }
}
