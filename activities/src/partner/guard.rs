//! What keeps a partner's trouble from becoming ours: so many calls at a time, and none while it is
//! away.
//!
//! The breaker is tower-resilience's, whose state is per process. What it finds out is written to
//! the store, so that other processes stop taking bookings that could not be paid for.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bellhop_store::Store;
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use temporalio_sdk::activities::ActivityContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::{ServiceExt, service_fn};
use tower_resilience::circuitbreaker::{
    CircuitBreakerError, CircuitBreakerHandle, CircuitBreakerLayer, CircuitState,
    DefaultClassifier, SlidingWindowType,
};

use super::{CallError, Settings, meter};

/// The bulkhead and the breaker of one partner. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Guard {
    places: Arc<Semaphore>,
    breaker: CircuitBreakerLayer<DefaultClassifier>,
    state: CircuitBreakerHandle<DefaultClassifier>,
    /// For the one act that tries whether the partner is back.
    trial: Arc<Semaphore>,
    pause: Duration,
    wait_for_place: Duration,
    timeout: Duration,
    queue_budget: Duration,
    inline_timeout: Duration,
}

/// How an act runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Inside a workflow task: a privilege, given up as soon as anything is in the way.
    Inline { until: Option<Timestamp> },
    /// On the family's queue.
    Queued,
}

impl Manner {
    pub(crate) fn of(ctx: &ActivityContext, inline_until: Option<Timestamp>) -> Self {
        match ctx.info().is_local {
            true => Self::Inline { until: inline_until },
            false => Self::Queued,
        }
    }
}

/// Why an act may make no call now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Turned {
    #[error("this is not to be done inline now")]
    NotInline,
    #[error("every place at the partner is taken")]
    Busy,
    #[error("the partner is away and will be tried again")]
    Away { remaining: Duration },
}

/// A place at the partner for the calls of one act.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
    _trial: Option<OwnedSemaphorePermit>,
    deadline: Instant,
    timeout: Duration,
}

impl Place {
    /// How long the next call may take; nothing once the act's time is used up.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now()).min(self.timeout);
        (left >= Duration::from_millis(1)).then_some(left)
    }
}

impl Guard {
    pub(crate) fn new(
        name: &'static str,
        settings: &Settings,
        announce: Option<Store>,
    ) -> anyhow::Result<Self> {
        let pause = settings.breaker_pause;
        meter::breaker(name, CircuitState::Closed);
        let away = pause + settings.timeout;
        let news = announce.map(|store| News {
            name,
            store,
            away,
            latest: Arc::default(),
            writing: Arc::default(),
        });
        let breaker = CircuitBreakerLayer::builder()
            .name(name)
            .sliding_window_type(SlidingWindowType::TimeBased)
            .sliding_window_duration(settings.breaker_window)
            .minimum_number_of_calls(settings.breaker_calls)
            .failure_rate_threshold(0.5)
            .wait_duration_in_open(pause)
            .permitted_calls_in_half_open(1)
            .on_state_transition(move |_, to| {
                meter::breaker(name, to);
                if let Some(news) = &news {
                    news.spread(to);
                }
            });
        let (breaker, state) = breaker.build_with_handle()?;
        Ok(Self {
            places: Arc::new(Semaphore::new(settings.places)),
            breaker,
            state,
            trial: Arc::new(Semaphore::new(1)),
            pause,
            wait_for_place: settings.wait_for_place,
            timeout: settings.timeout,
            queue_budget: settings.queue_budget,
            inline_timeout: settings.inline_timeout,
        })
    }

    /// A place for the calls of one act: at once or not at all inline, after a little wait on the
    /// queue.
    pub(crate) async fn enter(&self, manner: Manner) -> Result<Place, Turned> {
        let door = self.door().await;
        match manner {
            Manner::Inline { until } => {
                let budget = self.inline_budget(until).ok_or(Turned::NotInline)?;
                let permit = self.places.clone().try_acquire_owned().ok();
                match (permit, door) {
                    (Some(permit), Ok(trial)) => Ok(self.place(permit, trial, budget)),
                    _ => Err(Turned::NotInline),
                }
            }
            Manner::Queued => {
                let trial = door.map_err(|remaining| Turned::Away { remaining })?;
                let permit = self.places.clone().acquire_owned();
                match tokio::time::timeout(self.wait_for_place, permit).await {
                    Ok(Ok(permit)) => Ok(self.place(permit, trial, self.queue_budget)),
                    _ => Err(Turned::Busy),
                }
            }
        }
    }

    /// Lets a call through, unless the breaker has opened since its act got a place.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> Result<T, CallError> {
        match self.through_breaker(call.boxed()).await {
            Ok(settled) => settled,
            Err(CircuitBreakerError::Inner(outage)) => Err(outage),
            Err(CircuitBreakerError::OpenCircuit) => {
                Err(CallError::Unavailable { retry_after: self.pause_left().await })
            }
        }
    }

    /// Boxed twice: the compiler cannot tell that the future of a nested service is `Send`.
    fn through_breaker<T: Send + 'static>(
        &self,
        call: BoxFuture<'static, Result<T, CallError>>,
    ) -> BoxFuture<'static, Result<Result<T, CallError>, CircuitBreakerError<CallError>>> {
        self.breaker.layer_fn(service_fn(judged)).oneshot(call).boxed()
    }

    /// Lets everybody in while the partner is there. Once its pause is over one act tries whether it
    /// is back; the others would only be refused after they had written down that they call. Else
    /// answers how long it stays away at least.
    async fn door(&self) -> Result<Option<OwnedSemaphorePermit>, Duration> {
        if self.state.state() == CircuitState::Closed {
            return Ok(None);
        }
        match self.pause_left().await {
            Some(left) => Err(left),
            None => self.trial.clone().try_acquire_owned().map(Some).map_err(|_| self.timeout),
        }
    }

    /// How long the breaker stays open; nothing when a call may try.
    async fn pause_left(&self) -> Option<Duration> {
        if !self.state.is_open() {
            return None;
        }
        let open_for = self.state.metrics().await.time_since_state_change;
        self.pause.checked_sub(open_for).filter(|remaining| !remaining.is_zero())
    }

    fn inline_budget(&self, until: Option<Timestamp>) -> Option<Duration> {
        let Some(until) = until else { return Some(self.inline_timeout) };
        let left = Duration::try_from(until.duration_since(Timestamp::now())).ok()?;
        (!left.is_zero()).then_some(left.min(self.inline_timeout))
    }

    fn place(
        &self,
        permit: OwnedSemaphorePermit,
        trial: Option<OwnedSemaphorePermit>,
        budget: Duration,
    ) -> Place {
        let deadline = Instant::now() + budget;
        Place { _permit: permit, _trial: trial, deadline, timeout: self.timeout }
    }
}

/// The breaker counts every error, so only outages may reach it as such.
async fn judged<T>(
    call: BoxFuture<'static, Result<T, CallError>>,
) -> Result<Result<T, CallError>, CallError> {
    match call.await {
        Err(error) if error.is_outage() => Err(error),
        settled => Ok(settled),
    }
}

/// Tells the other processes, best effort, whether the partner is away.
#[derive(Clone)]
struct News {
    name: &'static str,
    store: Store,
    /// The breaker's pause, and the trial after it: until that succeeds nobody takes a booking that
    /// could not be paid for.
    away: Duration,
    /// Until when it is away. Whoever writes, writes the latest: two changes never cross.
    latest: Arc<Mutex<Option<Timestamp>>>,
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl News {
    fn spread(&self, state: CircuitState) {
        let until = match state {
            CircuitState::Open => Timestamp::now().checked_add(self.away).ok(),
            CircuitState::Closed => None,
            // The trial has yet to tell; what was said before runs out by itself.
            CircuitState::HalfOpen => return,
        };
        match until {
            Some(_) => tracing::warn!(partner = self.name, "the partner is away"),
            None => tracing::info!(partner = self.name, "the partner is back"),
        }
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = until;
        tokio::spawn(self.clone().write());
    }

    async fn write(self) {
        let _one_at_a_time = self.writing.lock().await;
        let until = *self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.store.set_partner_away(self.name, until).await {
            tracing::warn!(partner = self.name, %error, "nobody else hears of the partner's state");
        }
    }
}
