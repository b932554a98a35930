//! The contract of the activities: names, types, queues, timeouts and retries, one file per family.
//!
//! The names stand in histories for ever: never change one, add a new one.

pub mod bookings;
pub mod dispatch;
pub mod notifications;
pub mod operations;
pub mod payments;

/// The queue that booking workflows run on unless a deployment names another.
pub const BOOKINGS_QUEUE: &str = "bookings";

/// The search attribute that tells the service of a booking, registered once on the namespace.
pub const SERVICE_ATTRIBUTE: &str = "BellhopService";

/// Kinds of activity failures, as they stand in histories and in the `attention` of bookings.
pub mod failure {
    /// A local activity that may not run inline now: no free place, an open breaker, or the
    /// workflow task's inline budget used up. The queue takes over at once.
    pub const NOT_INLINE: &str = "not_inline";
    /// A partner or the database does not answer, or answers that it cannot.
    pub const UNAVAILABLE: &str = "unavailable";
    /// The partner works on the same key at this moment.
    pub const IN_PROGRESS: &str = "in_progress";
    /// The partner was asked to act and has not told what became of it.
    pub const UNKNOWN: &str = "unknown";
    /// The partner refuses us, whatever we ask: a wrong credential or address.
    pub const MISCONFIGURED: &str = "misconfigured";
}
