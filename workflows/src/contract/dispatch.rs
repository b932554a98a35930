//! The `dispatch` family: assigning who or what serves a booking.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use bellhop_domain::act::{Assign, Assigned, Claim, Claimed, Confirm, Confirmed};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Activities of the `dispatch` family.
pub struct Dispatch;

pub use dispatch::{Assign as AssignFromHold, Claim as ClaimNearest, Confirm as ConfirmEntry};

#[activity_definitions]
impl Dispatch {
    /// Takes what was held from its pool for the customer (call-taxi 12), and journals it.
    #[activity(name = "dispatch.assign")]
    pub fn assign(_: Assign) -> Result<Assigned, ActivityError> {
        unimplemented!()
    }

    /// Claims the nearest free person for the booking (designated-driver 2 and 3), and journals it.
    #[activity(name = "dispatch.claim")]
    pub fn claim(_: Claim) -> Result<Claimed, ActivityError> {
        unimplemented!()
    }

    /// Issues the confirmation of entry (exhibition 5), and journals it.
    #[activity(name = "dispatch.confirm")]
    pub fn confirm(_: Confirm) -> Result<Confirmed, ActivityError> {
        unimplemented!()
    }
}
