//! The `bookings` family: acts on our own database. They run inline, or else on the queue of the
//! workflow itself, which has no other workers than those that carry them.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use bellhop_domain::act::{
    Append, Appended, Expire, Expiry, Firm, Firmed, Open, Opened, Release, Released, UseUp, UsedUp,
};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Activities of the `bookings` family.
pub struct Bookings;

pub use bookings::{Append as AppendEvents, Expire as ExpireHold, Firm as FirmHold};
pub use bookings::{Open as OpenBooking, Release as ReleaseBooking, UseUp as UseUpHold};

#[activity_definitions]
impl Bookings {
    /// Prices the booking, holds what it needs, and journals both; with nothing to be paid, also
    /// that it is accepted.
    #[activity(name = "bookings.open")]
    pub fn open(_: Open) -> Result<Opened, ActivityError> {
        unimplemented!()
    }

    /// Makes the hold last and journals the payment; takes an expired hold again where it can.
    #[activity(name = "bookings.firm")]
    pub fn firm(_: Firm) -> Result<Firmed, ActivityError> {
        unimplemented!()
    }

    /// Gives the hold back if it has expired.
    #[activity(name = "bookings.expire")]
    pub fn expire(_: Expire) -> Result<Expiry, ActivityError> {
        unimplemented!()
    }

    /// Uses up what is held.
    #[activity(name = "bookings.use")]
    pub fn use_up(_: UseUp) -> Result<UsedUp, ActivityError> {
        unimplemented!()
    }

    /// Lets go of whatever the booking has, when it ends.
    #[activity(name = "bookings.release")]
    pub fn release(_: Release) -> Result<Released, ActivityError> {
        unimplemented!()
    }

    /// Adds events to the journal.
    #[activity(name = "journal.append")]
    pub fn append(_: Append) -> Result<Appended, ActivityError> {
        unimplemented!()
    }
}
