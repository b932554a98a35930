//! What every request shares: the database, the engine, the services, the tokens, and the settings.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bellhop_domain::{
    id::{BookingId, SubjectId},
    plan::Pace,
};
use bellhop_store::{
    BookingRow, Store, StoreError,
    feed::{Feed, Watch},
};
use bellhop_workflows::contract::BOOKINGS_QUEUE;
use jiff::Timestamp;
use temporalio_client::Client;
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::Instant,
};

use crate::{
    problem::{Kind, Problem},
    services::Services,
    temporal::Engine,
    tokens::Tokens,
};

/// The partner that the payment breaker of the workers speaks of.
const PAYMENTS: &str = "payments";

/// For how long it is believed that payments are not away.
const AWAY_IS_KNOWN_FOR: Duration = Duration::from_millis(200);

/// For how long an answer about readiness is good.
const READINESS_IS_KNOWN_FOR: Duration = Duration::from_secs(1);

/// For how long what was looked up for those who watch over the deployment is good.
const LOOKED_IS_KNOWN_FOR: Duration = Duration::from_secs(5);

/// How long Temporal may take to say that it is there.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// How the API goes about its work.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queue that booking workflows run on.
    pub bookings_queue: String,
    /// How long a caller waits who does not say.
    pub wait: Duration,
    /// How long a caller may wait, in whole seconds.
    pub longest_wait: Duration,
    /// How many bookings may be waited for at once; more hear "come back shortly".
    pub max_in_flight: usize,
    /// How many bookings may be followed at once; more hear "come back shortly".
    pub max_streams: usize,
    /// How many of them one caller may follow.
    pub max_streams_each: usize,
    /// How long one call to Temporal may take.
    pub engine_timeout: Duration,
    /// How long the first retry of a start waits; each further one waits twice as long.
    pub start_retry_after: Duration,
    /// How long a request may take altogether.
    pub request_timeout: Duration,
    /// How long a cancellation quote is good for.
    pub quote_validity: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bookings_queue: BOOKINGS_QUEUE.to_owned(),
            wait: Duration::from_secs(5),
            longest_wait: Duration::from_secs(30),
            max_in_flight: 1_000,
            max_streams: 1_000,
            max_streams_each: 100,
            engine_timeout: Duration::from_secs(5),
            start_retry_after: Duration::from_millis(50),
            request_timeout: Duration::from_secs(35),
            quote_validity: Duration::from_secs(600),
        }
    }
}

/// The front desk. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    store: Store,
    feed: Feed,
    engine: Engine,
    services: Services,
    tokens: Tokens,
    pace: Pace,
    settings: Settings,
    draining: watch::Sender<bool>,
    in_flight: Semaphore,
    /// Who follows how many bookings.
    streams: Mutex<HashMap<SubjectId, usize>>,
    payments_away: Known<Option<Timestamp>>,
    readiness: Known<Result<(), String>>,
    looked: Known<()>,
}

impl Api {
    /// The front desk for a migrated database and a connected engine. `pace` goes into the plan of
    /// every booking.
    ///
    /// Must be called inside a tokio runtime.
    pub fn new(
        store: Store,
        client: Client,
        services: Services,
        tokens: Tokens,
        pace: Pace,
        settings: Settings,
    ) -> Self {
        let feed = store.feed();
        let engine = Engine::new(
            client,
            settings.bookings_queue.clone(),
            settings.engine_timeout,
            settings.start_retry_after,
        );
        Self(Arc::new(Inner {
            feed,
            engine,
            services,
            tokens,
            pace,
            draining: watch::Sender::new(false),
            in_flight: Semaphore::new(settings.max_in_flight),
            streams: Mutex::default(),
            payments_away: Known::new(None),
            readiness: Known::new(Err("nothing was asked yet".to_owned())),
            looked: Known::new(()),
            settings,
            store,
        }))
    }

    /// Makes everybody who waits for a booking hear at once how it stands, and `/readyz` say that
    /// no more requests should come. The process is about to end.
    pub fn drain(&self) {
        self.0.draining.send_replace(true);
    }

    pub(crate) fn is_draining(&self) -> bool {
        *self.0.draining.borrow()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn services(&self) -> &Services {
        &self.0.services
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn pace(&self) -> &Pace {
        &self.0.pace
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Begins to listen for a booking's changes.
    pub(crate) fn watch(&self, id: &BookingId) -> Watch {
        self.0.feed.watch(id)
    }

    /// Waits until a booking is as wanted; `None` if it is not by the deadline, or while draining.
    pub(crate) async fn until(
        &self,
        watch: &mut Watch,
        is_wanted: impl Fn(&BookingRow) -> bool,
        deadline: Instant,
    ) -> Result<Option<BookingRow>, StoreError> {
        let mut draining = self.0.draining.subscribe();
        tokio::select! {
            row = watch.until(is_wanted, deadline) => row,
            _ = draining.wait_for(|it| *it) => Ok(None),
        }
    }

    /// A place among the bookings that are waited for.
    pub(crate) fn take_place(&self) -> Result<SemaphorePermit<'_>, Problem> {
        let detail = "bookings are at capacity, come back shortly: nothing was kept";
        self.0.in_flight.try_acquire().map_err(|_| Problem::new(Kind::Overloaded, detail))
    }

    /// How many bookings are waited for.
    pub(crate) fn waiting(&self) -> usize {
        self.0.settings.max_in_flight - self.0.in_flight.available_permits()
    }

    /// Looks, unless somebody has just done so.
    pub(crate) async fn look_now_and_then(&self, look: impl AsyncFnOnce()) {
        self.0.looked.get(LOOKED_IS_KNOWN_FOR, look).await;
    }

    /// A place among those who follow bookings.
    pub(crate) fn take_stream(&self, caller: &SubjectId) -> Result<StreamPlace, Problem> {
        let Settings { max_streams, max_streams_each, .. } = *self.settings();
        let mut streams = lock(&self.0.streams);
        let (all, theirs) = (streams.values().sum::<usize>(), streams.get(caller).copied());
        if all >= max_streams || theirs.unwrap_or(0) >= max_streams_each {
            let detail =
                "too many bookings are followed: come back shortly, or ask for the timeline";
            return Err(Problem::new(Kind::Overloaded, detail));
        }
        *streams.entry(caller.clone()).or_default() += 1;
        Ok(StreamPlace { api: self.clone(), caller: caller.clone() })
    }

    /// Whether payments are known to be away. With the database away nobody knows.
    pub(crate) async fn are_payments_away(&self, now: Timestamp) -> bool {
        let ask = async || match self.0.store.partner_away_until(PAYMENTS).await {
            Ok(until) => until,
            Err(error) => {
                tracing::debug!(%error, "not known whether payments are away");
                None
            }
        };
        let until = self.0.payments_away.get(AWAY_IS_KNOWN_FOR, ask).await;
        until.is_some_and(|until| until > now)
    }

    /// Whether everything that requests need is there; says what is not.
    pub(crate) async fn readiness(&self) -> Result<(), String> {
        let ask = async || {
            match self.0.store.is_migrated().await {
                Ok(true) => {}
                Ok(false) => return Err("the database is not migrated".to_owned()),
                Err(error) => {
                    tracing::warn!(%error, "the database does not answer");
                    return Err("the database does not answer".to_owned());
                }
            }
            self.0.engine.ping(READY_WITHIN).await.map_err(|error| {
                tracing::warn!(%error, "Temporal does not answer");
                "Temporal does not answer".to_owned()
            })
        };
        self.0.readiness.get(READINESS_IS_KNOWN_FOR, ask).await
    }
}

/// A place among those who follow bookings, until it is dropped.
pub(crate) struct StreamPlace {
    api: Api,
    caller: SubjectId,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut streams = lock(&self.api.0.streams);
        if let Some(theirs) = streams.get_mut(&self.caller) {
            *theirs -= 1;
            if *theirs == 0 {
                streams.remove(&self.caller);
            }
        }
    }
}

/// Nothing that holds these locks can panic halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that is asked for only now and then.
struct Known<T>(Mutex<(Option<Instant>, T)>);

impl<T: Clone> Known<T> {
    fn new(value: T) -> Self {
        Self(Mutex::new((None, value)))
    }

    /// What was answered last, or is now. Only one asks at a time: meanwhile the others go by the
    /// answer before.
    async fn get(&self, known_for: Duration, ask: impl AsyncFnOnce() -> T) -> T {
        let now = Instant::now();
        {
            let mut known = lock(&self.0);
            if known.0.is_some_and(|at| now.duration_since(at) < known_for) {
                return known.1.clone();
            }
            known.0 = Some(now);
        }
        let value = ask().await;
        lock(&self.0).1 = value.clone();
        value
    }
}
