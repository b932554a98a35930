//! The `operations` family: what goes on for a while on our own database. It runs on the queue of the
//! bookings.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::time::Duration;

use bellhop_domain::id::OperationId;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;
use temporalio_workflow::{ActivityOptions, RetryPolicy};

/// Activities of the `operations` family.
pub struct Operations;

pub use operations::WithdrawBatch;

/// Which withdrawal goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdraw {
    /// Its operation.
    pub operation: OperationId,
}

/// How far a withdrawal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// How many bookings were told to cancel.
    pub told: u32,
    /// How many have not ended yet; the operation is done when none has.
    pub remaining: u32,
}

#[activity_definitions]
impl Operations {
    /// Tells up to 100 bookings of a withdrawn pool to cancel, and notes how many have ended
    /// (exhibition 10).
    ///
    /// A repeat goes on where the first stopped: each booking's command is written down once.
    #[activity(name = "operations.withdraw_batch")]
    pub fn withdraw_batch(_: Withdraw) -> Result<Batch, ActivityError> {
        unimplemented!()
    }
}

/// Tried until it succeeds: only the database stops it.
pub fn withdraw_options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(30))
        .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(10)).build())
        .build()
}
