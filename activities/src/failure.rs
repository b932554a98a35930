//! Failures of activities: of which kind they are, and when the next attempt is worth making.
//!
//! None is final. A booking never gets stuck because a partner or the database was away: what keeps
//! failing raises attention and goes on. No message here tells a number, a token or a body.

use std::{error::Error, time::Duration};

use bellhop_store::StoreError;
use bellhop_workflows::contract::failure;
use temporalio_common::{ActivityError, error::ApplicationFailure};

use crate::partner::{CallError, Turned};

/// A failure of `kind`, tried again after `delay`, or else when the retry policy says so.
pub(crate) fn retry(
    kind: &'static str,
    source: impl Into<Box<dyn Error + Send + Sync>>,
    delay: Option<Duration>,
) -> ActivityError {
    let failure = ApplicationFailure::builder(source)
        .type_name(kind.to_owned())
        .maybe_next_retry_delay(delay)
        .build();
    ActivityError::application(failure)
}

/// The database did not do it. Its own words stay in the log: a driver may quote values.
pub(crate) fn store(error: StoreError) -> ActivityError {
    let source = error.source().map(ToString::to_string).unwrap_or_default();
    tracing::warn!(%error, source, "the store failed");
    retry(failure::UNAVAILABLE, error.to_string(), None)
}

/// An outcome in the database that this program cannot read or write: a defect, or an older program.
pub(crate) fn unreadable(error: serde_json::Error) -> ActivityError {
    retry(failure::UNAVAILABLE, format!("a stored outcome makes no sense: {error}"), None)
}

/// There was no place for a call.
pub(crate) fn turned_away(turned: Turned) -> ActivityError {
    match turned {
        Turned::NotInline => retry(failure::NOT_INLINE, turned, None),
        // As the retry policy says: all who wait would come back at once when the pause is over.
        Turned::Busy | Turned::Away { .. } => retry(failure::UNAVAILABLE, turned, None),
    }
}

/// When a call that failed is tried again, by what its failure means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delays {
    pub(crate) unknown: Duration,
    pub(crate) in_progress: Duration,
    pub(crate) misconfigured: Duration,
}

/// A call did not get an answer that settles anything.
pub(crate) fn call(error: CallError, delays: Delays) -> ActivityError {
    match error {
        CallError::Unavailable { retry_after } => retry(failure::UNAVAILABLE, error, retry_after),
        CallError::Unknown => retry(failure::UNKNOWN, error, Some(delays.unknown)),
        CallError::InProgress => retry(failure::IN_PROGRESS, error, Some(delays.in_progress)),
        CallError::KeyReused | CallError::Misconfigured { .. } => {
            retry(failure::MISCONFIGURED, error, Some(delays.misconfigured))
        }
    }
}
