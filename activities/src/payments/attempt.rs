//! The attempts of a fare: what was sent, since when it is not answered, and what came of it.
//!
//! Most fares have one attempt, under the fare's own key. One of which it is certain that it did
//! nothing is finished as such, and the next has a key of its own; the provider sees the fare's key
//! on all of them. So each attempt is sent at most once, and whoever settles either finds the last
//! one sent, or closes the one that would have followed.

use bellhop_domain::{id::BookingId, key::ActKey};
use bellhop_store::Attempt;
use bellhop_workflows::contract::failure::UNKNOWN;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use temporalio_common::ActivityError;

use super::PaymentActivities;
use crate::{
    failure,
    partner::{CallError, Payment},
    payments::postings,
};

/// How long an answer has been missing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    /// When it was sent.
    pub(super) began_at: Timestamp,
    /// How many attempts have asked since, this one included.
    pub(super) asked: i64,
}

impl PaymentActivities {
    /// Begins the fare's next attempt, unless the one before may have done something.
    pub(super) async fn begin_fare(
        &self,
        fare: &ActKey,
        booking: &BookingId,
        request: &Value,
    ) -> Result<(ActKey, Attempt), ActivityError> {
        let mut attempts = Attempts::of(fare);
        loop {
            let (key, now) = (attempts.key(), Timestamp::now());
            let begun = self.store.begin_attempt(key, booking, "authorize", request, now).await;
            match begun.map_err(failure::store)? {
                attempt if is_nothing(&attempt) => attempts.next(),
                attempt => return Ok((attempts.last, attempt)),
            }
        }
    }

    /// What became of the fare's last attempt. Where it did nothing, or there is none, the next is
    /// closed: nothing will be sent any more.
    pub(super) async fn close_fare(
        &self,
        fare: &ActKey,
        booking: &BookingId,
    ) -> Result<(ActKey, Attempt), ActivityError> {
        let mut attempts = Attempts::of(fare);
        loop {
            let closed = self.store.close_attempt(attempts.key(), booking, Timestamp::now()).await;
            match closed.map_err(failure::store)? {
                attempt if is_nothing(&attempt) => attempts.next(),
                attempt => return Ok((attempts.last, attempt)),
            }
        }
    }

    /// Lets the next attempt send, as this one did nothing.
    pub(super) async fn did_nothing(&self, attempt: &ActKey) -> Result<(), ActivityError> {
        let outcome = json!({ "outcome": NOTHING });
        let first = self.store.finish_attempt(attempt, &outcome, &[], Timestamp::now()).await;
        first.map(drop).map_err(failure::store)
    }

    /// Stores the outcome of an attempt, and what is new of `payment` in the ledger. Answers the
    /// first outcome that was stored.
    pub(super) async fn finish<T>(
        &self,
        attempt: &ActKey,
        outcome: &T,
        payment: Option<Of<'_>>,
    ) -> Result<T, ActivityError>
    where
        T: Serialize + DeserializeOwned,
    {
        let postings = match payment {
            None => vec![],
            Some(Of { booking, fare, payment }) => {
                let posted = self.store.ledger_of(booking).await.map_err(failure::store)?;
                postings::missing(fare, &posted, payment)
            }
        };
        let outcome = serde_json::to_value(outcome).map_err(failure::unreadable)?;
        let first = self.store.finish_attempt(attempt, &outcome, &postings, Timestamp::now()).await;
        decode(first.map_err(failure::store)?)
    }

    /// Whether what was sent would have appeared by now.
    pub(super) fn is_over(&self, since: Since) -> bool {
        self.time_left(since).is_none()
    }

    /// The provider knows nothing of what was sent. That may change until the limit, which is not
    /// slept through.
    pub(super) fn ask_again(&self, since: Since) -> ActivityError {
        let delays = &self.settings.ask_again;
        let round = usize::try_from(since.asked - 1).unwrap_or_default();
        let delay = delays.get(round).or(delays.last()).copied().unwrap_or_default();
        let delay = self.time_left(since).map_or(delay, |left| delay.min(left));
        failure::retry(UNKNOWN, CallError::Unknown, Some(delay))
    }

    fn time_left(&self, since: Since) -> Option<std::time::Duration> {
        let limit = SignedDuration::try_from(self.settings.unknown_limit).ok()?;
        let waited = Timestamp::now().duration_since(since.began_at);
        let left = limit.checked_sub(waited).filter(SignedDuration::is_positive)?;
        Some(left.unsigned_abs())
    }
}

/// A payment, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) booking: &'a BookingId,
    pub(super) fare: &'a ActKey,
    pub(super) payment: &'a Payment,
}

/// Reads a stored outcome.
pub(super) fn decode<T: DeserializeOwned>(outcome: Value) -> Result<T, ActivityError> {
    serde_json::from_value(outcome).map_err(failure::unreadable)
}

/// The outcome of an attempt that certainly did nothing. It stands beside the tags of `Paid`.
const NOTHING: &str = "nothing";

fn is_nothing(attempt: &Attempt) -> bool {
    matches!(attempt, Attempt::Done(outcome) if outcome["outcome"] == NOTHING)
}

/// The keys of a fare's attempts, one after the other.
struct Attempts<'a> {
    fare: &'a ActKey,
    last: ActKey,
    number: u32,
}

impl<'a> Attempts<'a> {
    fn of(fare: &'a ActKey) -> Self {
        Self { fare, last: fare.clone(), number: 1 }
    }

    fn key(&self) -> &ActKey {
        &self.last
    }

    fn next(&mut self) {
        self.number += 1;
        self.last = self.fare.step(&format!("attempt/{}", self.number));
    }
}
