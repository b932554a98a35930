//! The feed: who waits for a booking hears of its changes as they are committed.
//!
//! Changes of this process wake at once; those of others come as PostgreSQL notifications, one per
//! few milliseconds and outside any transaction. Both only say "look again". A poll finds what was
//! lost, with one query for all who wait.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bellhop_domain::id::BookingId;
use sqlx::{
    PgPool,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgListener},
};
use tokio::{
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{self, Instant, MissedTickBehavior},
};

use crate::{
    BookingRow, Result, Store,
    column::Word,
    db::{Inner, On},
};

/// How often the database is asked for what was lost.
const POLL: Duration = Duration::from_millis(200);
/// How long changes are gathered before other processes are told.
const COALESCE: Duration = Duration::from_millis(4);
/// How long to wait before a lost connection is tried again.
const RECONNECT: Duration = Duration::from_millis(500);
const CHANNEL: &str = "bellhop_bookings";
/// PostgreSQL refuses notifications of 8,000 bytes.
const LONGEST_NOTIFICATION: usize = 7_900;

/// Tells who waits for a booking that it changed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed {
    store: Store,
}

/// Waits for one booking. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Watch {
    store: Store,
    booking: BookingId,
    changes: watch::Receiver<()>,
}

impl Store {
    /// The feed of this process. The first call starts its tasks, which end with the store.
    ///
    /// Must be called inside a tokio runtime.
    pub fn feed(&self) -> Feed {
        self.0.bus.start(&self.0);
        Feed { store: self.clone() }
    }
}

impl Feed {
    /// Watches a booking, which need not be opened yet. Every change that is committed after this
    /// call is seen by [`Watch::until`], however late that is called.
    pub fn watch(&self, booking: &BookingId) -> Watch {
        let changes = self.store.0.bus.subscribe(booking);
        Watch { store: self.store.clone(), booking: booking.clone(), changes }
    }

    /// How many bookings are waited for in this process.
    pub fn waiting(&self) -> usize {
        lock(&self.store.0.bus.waiting).len()
    }
}

impl Watch {
    /// Waits until the booking is as wanted, and answers it; `None` if it is not by the deadline.
    ///
    /// May be called again. A database that is away is waited for like the rest.
    ///
    /// # Errors
    /// A database error that does not pass, or that had not passed by the deadline.
    pub async fn until(
        &mut self,
        mut is_wanted: impl FnMut(&BookingRow) -> bool,
        deadline: Instant,
    ) -> Result<Option<BookingRow>> {
        loop {
            // What is committed from here on wakes us, even if it is before the read.
            self.changes.mark_unchanged();
            let retry = match self.store.booking(&self.booking).await {
                Ok(Some(row)) if is_wanted(&row) => return Ok(Some(row)),
                Ok(_) => None,
                Err(error) if error.is_transient() => Some(error),
                Err(error) => return Err(error),
            };
            let wake = async {
                match &retry {
                    Some(_) => time::sleep(POLL).await,
                    None => _ = self.changes.changed().await,
                }
            };
            if time::timeout_at(deadline, wake).await.is_err() {
                return retry.map_or(Ok(None), Err);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.store.0.bus.unsubscribe(&self.booking);
    }
}

/// Who waits in this process, and what other processes have to be told.
#[derive(Debug)]
pub(crate) struct Bus {
    waiting: Mutex<HashMap<BookingId, Waiting>>,
    others: Option<mpsc::UnboundedSender<BookingId>>,
    tasks: Mutex<Tasks>,
}

#[derive(Debug)]
struct Waiting {
    wake: watch::Sender<()>,
    watches: usize,
    /// The last event's number when the poll last looked.
    seq: Option<i64>,
}

#[derive(Debug, Default)]
struct Tasks {
    is_started: bool,
    handles: Vec<AbortHandle>,
}

impl Bus {
    /// A bus that tells others through `server`, where there can be others.
    pub(crate) fn new(server: Option<PgPool>) -> Self {
        let mut tasks = Tasks::default();
        let others = server.map(|pool| {
            let (sender, receiver) = mpsc::unbounded_channel();
            tasks.handles.push(tokio::spawn(notify(pool, receiver)).abort_handle());
            sender
        });
        Self { waiting: Mutex::default(), others, tasks: Mutex::new(tasks) }
    }

    /// Says that a booking changed, once that is committed.
    pub(crate) fn changed(&self, booking: &BookingId) {
        self.wake(booking);
        if let Some(others) = &self.others {
            // Closed with the store: nobody is there to be told.
            _ = others.send(booking.clone());
        }
    }

    /// Ends the tasks. A feed that is used afterwards only hears of this process's changes.
    pub(crate) fn close(&self) {
        let mut tasks = lock(&self.tasks);
        tasks.is_started = true;
        tasks.handles.drain(..).for_each(|task| task.abort());
    }

    fn start(&self, inner: &Arc<Inner>) {
        let mut tasks = lock(&self.tasks);
        if tasks.is_started {
            return;
        }
        tasks.is_started = true;
        tasks.handles.push(tokio::spawn(poll(Arc::downgrade(inner))).abort_handle());
        if let On::Postgres(server) = &inner.pools {
            let listen = listen(server.options.clone(), Arc::downgrade(inner));
            tasks.handles.push(tokio::spawn(listen).abort_handle());
        }
    }

    fn subscribe(&self, booking: &BookingId) -> watch::Receiver<()> {
        let mut waiting = lock(&self.waiting);
        let new = || Waiting { wake: watch::Sender::new(()), watches: 0, seq: None };
        let entry = waiting.entry(booking.clone()).or_insert_with(new);
        entry.watches += 1;
        entry.wake.subscribe()
    }

    fn unsubscribe(&self, booking: &BookingId) {
        let mut waiting = lock(&self.waiting);
        if let Some(entry) = waiting.get_mut(booking) {
            entry.watches -= 1;
            if entry.watches == 0 {
                waiting.remove(booking);
            }
        }
    }

    fn wake(&self, booking: &BookingId) {
        if let Some(entry) = lock(&self.waiting).get(booking) {
            entry.wake.send_replace(());
        }
    }

    fn wake_all(&self) {
        lock(&self.waiting).values().for_each(|it| it.wake.send_replace(()));
    }

    fn awaited(&self) -> Vec<BookingId> {
        lock(&self.waiting).keys().cloned().collect()
    }

    /// Wakes who waits for a booking that has more events than when the poll last looked.
    fn polled(&self, booking: &BookingId, seq: i64) {
        if let Some(entry) = lock(&self.waiting).get_mut(booking)
            && entry.seq.replace(seq) != Some(seq)
        {
            entry.wake.send_replace(());
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.close();
    }
}

/// Nothing that holds these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells other processes what changed here.
async fn notify(pool: PgPool, mut changes: mpsc::UnboundedReceiver<BookingId>) {
    while let Some(first) = changes.recv().await {
        time::sleep(COALESCE).await;
        let mut bookings = HashSet::from([first]);
        while let Ok(next) = changes.try_recv() {
            bookings.insert(next);
        }
        for text in notifications(&bookings) {
            let told = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(text);
            if let Err(error) = told.execute(&pool).await {
                // Their poll finds it.
                tracing::debug!(%error, "other processes were not told of changes");
            }
        }
    }
}

/// The ids, in texts that are short enough.
fn notifications(bookings: &HashSet<BookingId>) -> Vec<String> {
    let mut texts = vec![String::new()];
    for id in bookings {
        if texts.last().is_some_and(|it| it.len() + 1 + id.as_str().len() > LONGEST_NOTIFICATION) {
            texts.push(String::new());
        }
        if let Some(text) = texts.last_mut() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(id.as_str());
        }
    }
    texts
}

/// Hears what other processes tell.
async fn listen(options: PgConnectOptions, inner: Weak<Inner>) {
    loop {
        let Err(error) = listen_once(&options, &inner).await else { return };
        tracing::debug!(%error, "not listening for changes of other processes");
        time::sleep(RECONNECT).await;
    }
}

async fn listen_once(options: &PgConnectOptions, inner: &Weak<Inner>) -> Result<(), sqlx::Error> {
    // A pool of its own: the connection is kept, and must not hold up the closing of the other.
    let pool = PoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
    let mut listener = PgListener::connect_with(&pool.connect_with(options.clone()).await?).await?;
    listener.listen(CHANNEL).await?;
    loop {
        let heard = listener.try_recv().await?;
        let Some(inner) = inner.upgrade() else { return Ok(()) };
        match heard {
            Some(notification) => {
                for id in notification.payload().split(' ').filter_map(|it| it.parse().ok()) {
                    inner.bus.wake(&id);
                }
            }
            // The connection was lost for a moment, and anything may have been said.
            None => inner.bus.wake_all(),
        }
    }
}

/// Looks for changes that nobody told of.
async fn poll(inner: Weak<Inner>) {
    let mut tick = time::interval(POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        let awaited = inner.bus.awaited();
        if awaited.is_empty() {
            continue;
        }
        match numbers(&inner.pools, &awaited).await {
            Ok(found) => found.iter().for_each(|(id, seq)| inner.bus.polled(&id.0, *seq)),
            Err(error) => tracing::debug!(%error, "the feed's poll failed"),
        }
    }
}

/// The number of the last event of each booking that is opened. The two databases read a list out
/// of one value in different words.
async fn numbers(
    pools: &On<crate::db::Embedded, crate::db::Server>,
    bookings: &[BookingId],
) -> Result<Vec<(Word<BookingId>, i64)>> {
    let list = serde_json::to_string(bookings)?;
    let rows = match pools {
        On::Sqlite(it) => {
            let sql = "SELECT id, seq FROM bookings WHERE id IN (SELECT value FROM json_each($1))";
            sqlx::query_as(sql).bind(list).fetch_all(&it.readers).await?
        }
        On::Postgres(it) => {
            let sql = "SELECT id, seq FROM bookings
                       WHERE id IN (SELECT json_array_elements_text(CAST($1 AS JSON)))";
            sqlx::query_as(sql).bind(list).fetch_all(&it.pool).await?
        }
    };
    Ok(rows)
}
