//! The `notifications` family: delivering the messages that the journal wrote down.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;
use temporalio_workflow::{ActivityOptions, RetryPolicy};

/// The queue of the family, which the messages workflows run on as well.
pub const TASK_QUEUE: &str = "notifications";

/// Activities of the `notifications` family.
pub struct Notifications;

pub use notifications::Deliver as DeliverShard;

/// What to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// One of the shards that messages are spread over by their booking.
    pub shard: i16,
}

/// How a delivery went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// How many messages have got their outcome.
    pub messages: u32,
    /// Whether more are due.
    pub more: bool,
}

#[activity_definitions]
impl Notifications {
    /// Sends the due messages of a shard, in order per booking, until none has been due for 2 s or 500
    /// are done.
    ///
    /// A repeat goes on where the first stopped: each message has its outcome stored as it is sent.
    #[activity(name = "notifications.deliver")]
    pub fn deliver(_: Deliver) -> Result<Delivered, ActivityError> {
        unimplemented!()
    }
}

/// Tried until it succeeds: a gateway that is away is noted per message, so only the database stops
/// this. A worker that dies is missed after the heartbeat's 10 s.
pub fn deliver_options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(Duration::from_secs(600))
        .heartbeat_timeout(Duration::from_secs(10))
        .task_queue(TASK_QUEUE.to_owned())
        .retry_policy(RetryPolicy::builder().maximum_interval(Duration::from_secs(10)).build())
        .build()
}
