//! Keys of acts: what makes a repeat recognisable, whoever repeats it and however late.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::BookingId;

/// Names one act of one booking. It is made of ids and of an ordinal that the workflow counts,
/// never of randomness or time, so every life of the workflow makes the same key again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActKey(String);

/// What an act is for. The texts stand in databases and at providers: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Pricing, holding and opening the booking.
    Open,
    /// Making the hold last.
    Firm,
    /// Looking whether the hold has expired.
    Expire,
    /// The fare: one authorisation, with its capture and its settlement.
    Fare,
    /// Assigning what was held.
    Assign,
    /// Letting go of whatever the booking has.
    Release,
    /// Using up what was held.
    Use,
    /// Claiming the nearest free person.
    Claim,
    /// Issuing the confirmation of entry.
    Confirm,
}

impl ActKey {
    /// The key of a booking's act for `purpose`; `ordinal` counts from 1.
    pub fn new(booking: &BookingId, purpose: Purpose, ordinal: u32) -> Self {
        let purpose = match purpose {
            Purpose::Open => "open",
            Purpose::Firm => "firm",
            Purpose::Expire => "expire",
            Purpose::Fare => "fare",
            Purpose::Assign => "assign",
            Purpose::Release => "release",
            Purpose::Use => "use",
            Purpose::Claim => "claim",
            Purpose::Confirm => "confirm",
        };
        Self(format!("{booking}/{purpose}/{ordinal}"))
    }

    /// The key of a step that follows from this one at the provider, as `capture` does.
    pub fn step(&self, step: &str) -> Self {
        Self(format!("{self}/{step}"))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
