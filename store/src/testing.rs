//! Databases that tests throw away: SQLite in a temporary folder, and a PostgreSQL server that is
//! started once per test process and ends with it, however that ends.

use std::{
    cell::RefCell,
    fs, io,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{self, Child, ChildStdin, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::{Result, Scratch, Store};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A database for one test, migrated.
#[derive(Debug)]
pub struct TestDb {
    /// `sqlite` or `postgres`, for messages.
    pub name: &'static str,
    /// Its address.
    pub url: String,
    /// It, open.
    pub store: Store,
    folder: Option<Folder>,
}

impl TestDb {
    /// One of each kind.
    ///
    /// # Panics
    /// When a database cannot be made, with the reason.
    pub async fn all() -> Vec<Self> {
        vec![Self::sqlite().await, Self::postgres().await]
    }

    /// A SQLite database, in a folder that is removed with it.
    ///
    /// # Panics
    /// When it cannot be made, with the reason.
    pub async fn sqlite() -> Self {
        let folder = Folder::new("bellhop-sqlite").expect("the temporary folder can be written");
        let url = format!("sqlite://{}/bellhop.db", folder.0.display());
        Self::open("sqlite", url, Some(folder)).await
    }

    /// A database of the test process's PostgreSQL server.
    ///
    /// # Panics
    /// When it cannot be made, with the reason.
    pub async fn postgres() -> Self {
        let url = TestPostgres::shared().database().await;
        Self::open("postgres", url, None).await
    }

    async fn open(name: &'static str, url: String, folder: Option<Folder>) -> Self {
        let store = Store::open(&url).await.expect("a new database can be opened");
        store.migrate().await.expect("a new database can be migrated");
        Self { name, url, store, folder }
    }

    /// Runs SQL behind the store's back.
    ///
    /// # Errors
    /// Any database error, such as the guards' refusals.
    pub async fn execute(&self, sql: &str) -> Result<()> {
        self.run("", sql).await
    }

    /// The same with the guards off: what no program can do, and the invariants must find.
    ///
    /// # Errors
    /// Any database error.
    pub async fn corrupt(&self, sql: &str) -> Result<()> {
        let guards_off = if self.folder.is_some() {
            "PRAGMA ignore_check_constraints = ON;
             DROP TRIGGER IF EXISTS events_never_change;
             DROP TRIGGER IF EXISTS events_never_vanish;
             DROP TRIGGER IF EXISTS ledger_never_changes;
             DROP TRIGGER IF EXISTS ledger_never_vanishes;
             DROP INDEX IF EXISTS claims_one_per_staff;
             DROP INDEX IF EXISTS claims_one_per_booking"
        } else {
            "ALTER TABLE pools DROP CONSTRAINT IF EXISTS pools_within;
             DROP INDEX IF EXISTS claims_one_per_staff;
             DROP INDEX IF EXISTS claims_one_per_booking;
             SET session_replication_role = replica"
        };
        self.run(guards_off, sql).await
    }

    /// How the database goes about a statement whose values it does not know yet, line by line.
    ///
    /// # Errors
    /// Any database error.
    pub async fn plan(&self, sql: &str) -> Result<Vec<String>> {
        if self.folder.is_some() {
            let mut db = SqliteConnection::connect(&self.url).await?;
            let steps: Vec<(i64, i64, i64, String)> =
                sqlx::query_as(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                    .fetch_all(&mut db)
                    .await?;
            db.close().await?;
            return Ok(steps.into_iter().map(|it| it.3).collect());
        }
        let values = (1..).take_while(|it| sql.contains(&format!("${it}"))).map(|_| "NULL");
        let values = values.collect::<Vec<_>>().join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        let mut db = PgConnection::connect(&self.url).await?;
        let prepare = format!("SET plan_cache_mode = force_generic_plan; PREPARE it AS {sql}");
        sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut db).await?;
        let explain = AssertSqlSafe(format!("EXPLAIN EXECUTE it{values}"));
        let lines: Vec<(String,)> = sqlx::query_as(explain).fetch_all(&mut db).await?;
        db.close().await?;
        Ok(lines.into_iter().map(|it| it.0).collect())
    }

    async fn run(&self, first: &'static str, sql: &str) -> Result<()> {
        if self.folder.is_some() {
            let mut db = SqliteConnection::connect(&self.url).await?;
            sqlx::raw_sql(first).execute(&mut db).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await?;
            db.close().await?;
        } else {
            let mut db = PgConnection::connect(&self.url).await?;
            sqlx::raw_sql(first).execute(&mut db).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await?;
            db.close().await?;
        }
        Ok(())
    }
}

thread_local! {
    /// What is run on this thread, while somebody wants to know.
    static RUN: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// The statements that some work runs on this thread.
pub async fn statements_of(work: impl Future) -> Vec<String> {
    RUN.set(Some(vec![]));
    work.await;
    RUN.take().unwrap_or_default()
}

pub(crate) fn runs(sql: &str) {
    RUN.with_borrow_mut(|run| run.iter_mut().for_each(|it| it.push(sql.to_owned())));
}

/// A PostgreSQL server that tests throw away, on a socket in a temporary folder.
///
/// It is the distribution's (`initdb` and `postgres` on the PATH or in `/usr/lib/postgresql`). A
/// watchdog ends it by its process id, and removes its folder, once the test process is gone.
#[derive(Debug)]
pub struct TestPostgres {
    folder: PathBuf,
    /// Closed with this process, which is what the watchdog waits for.
    _lifeline: ChildStdin,
}

/// Starts the server in the folder `$2`, and ends it when its input ends. `exec` gives `$!` to the
/// server itself; the signal lets it break off connections and stop at once.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c full_page_writes=off \
    -c synchronous_commit=off -c max_connections=400 -c shared_buffers=64MB \
    -c autovacuum=off >"$2/log" 2>&1 </dev/null &
server=$!
while read -r _; do :; done
kill -QUIT "$server" 2>/dev/null
wait "$server"
rm -rf "$2"
"#;

impl TestPostgres {
    /// The server of this process, started by the first call.
    ///
    /// # Panics
    /// When there is no PostgreSQL to start, with the reason.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<TestPostgres> = LazyLock::new(|| {
            TestPostgres::start()
                .expect("PostgreSQL starts: install its server package (Debian: postgresql)")
        });
        &SHARED
    }

    /// A new and empty database; answers its address.
    ///
    /// # Panics
    /// When the server is gone.
    pub async fn database(&self) -> String {
        let scratch = Scratch::create(&self.url("postgres", "postgres")).await;
        scratch.expect("a database can be created").url()
    }

    /// The address of a database for a user. The server asks only `stranger` for a password.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgres://{user}@localhost/{database}?host={}", self.folder.display())
    }

    fn start() -> Result<Self, Failure> {
        let programs = programs().ok_or("initdb and postgres are nowhere to be found")?;
        let folder = Folder::new("bellhop-pg")?;
        let account = account(&folder.0)?;
        if let Some((user, group)) = account {
            chown(&folder.0, Some(user), Some(group))?;
        }
        let data = folder.0.join("data");
        let initdb = as_account(Command::new(programs.join("initdb")), account)
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"])
            .arg("--pgdata")
            .arg(&data)
            .current_dir(&folder.0)
            .stdin(Stdio::null())
            .output()?;
        if !initdb.status.success() {
            return Err(String::from_utf8_lossy(&initdb.stderr).into());
        }
        let rules = data.join("pg_hba.conf");
        let others = fs::read_to_string(&rules)?;
        fs::write(&rules, format!("local all stranger scram-sha-256\n{others}"))?;

        let mut watchdog = as_account(Command::new("/bin/sh"), account)
            .args(["-c", WATCHDOG, "bellhop-watchdog"])
            .args([&programs, &folder.0])
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let lifeline = watchdog.stdin.take().ok_or("the watchdog has no input")?;
        // From here on the watchdog removes it.
        let folder = folder.keep();
        wait_for(&mut watchdog, &folder)?;
        Ok(Self { folder, _lifeline: lifeline })
    }
}

/// Waits until the server answers on its socket.
fn wait_for(watchdog: &mut Child, folder: &Path) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let is_ready = || {
        let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
        log.contains("database system is ready to accept connections")
    };
    while !is_ready() {
        if Instant::now() > deadline || watchdog.try_wait()?.is_some() {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            return Err(format!("postgres did not start: {log}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The folder of `initdb` and `postgres`: on the PATH, else the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|it| it.path()).collect();
    let number = |it: &PathBuf| it.file_name()?.to_str()?.parse::<u32>().ok();
    versions.sort_by_key(|it| std::cmp::Reverse(number(it)));
    folders.extend(versions.into_iter().map(|it| it.join("bin")));
    folders.into_iter().find(|it| it.join("initdb").is_file() && it.join("postgres").is_file())
}

/// PostgreSQL refuses to run as root: then it runs as the first of two accounts that there is.
/// `own` is something that this process made.
fn account(own: &Path) -> Result<Option<(u32, u32)>, Failure> {
    if fs::metadata(own)?.uid() != 0 {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        let fields = accounts.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut found = fields.filter(|it| it.first() == Some(&name) && it.len() > 3);
        found.next().and_then(|it| Some((it[2].parse().ok()?, it[3].parse().ok()?)))
    };
    let found = find("postgres").or_else(|| find("nobody"));
    found.map(Some).ok_or_else(|| "root needs an account to run PostgreSQL as".into())
}

fn as_account(mut command: Command, account: Option<(u32, u32)>) -> Command {
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command
}

/// A new folder, removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // Short: the path of a socket may have about 100 characters.
        let name = format!("{name}-{}-{number}-{:x}", process::id(), now.subsec_nanos());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    /// Leaves its removal to somebody else.
    fn keep(mut self) -> PathBuf {
        std::mem::take(&mut self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            _ = fs::remove_dir_all(&self.0);
        }
    }
}
