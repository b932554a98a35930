//! The `dispatch` family: assigning who or what serves a booking.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use bellhop_domain::act::{Assign, Assigned};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Activities of the `dispatch` family.
pub struct Dispatch;

pub use dispatch::Assign as AssignFromHold;

#[activity_definitions]
impl Dispatch {
    /// Takes what was held from its pool for the customer (call-taxi 12), and journals it.
    #[activity(name = "dispatch.assign")]
    pub fn assign(_: Assign) -> Result<Assigned, ActivityError> {
        unimplemented!()
    }
}
