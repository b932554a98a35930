//! Acts: what a booking's workflow has done, and how it went.
//!
//! Every act may run twice, in a changed world. Its outcome is stored under its key with its
//! effect, refusals included, and a repeat answers that outcome.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Actor, Assignment, NewEvent, StoredEvent},
    id::{BookingId, CompanyId, PoolId, SubjectId},
    key::ActKey,
    money::Money,
    plan::{Means, Plan},
    status::PaymentStatus,
};

/// Opens a booking: prices it, holds what it needs and journals both, in one transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// The workflow's first run. A booking of another first run is not ours to open.
    pub first_run_id: String,
    /// What it goes by.
    pub plan: Plan,
    /// When what is held goes back unless it is paid for. Where nothing is to be paid it is firm at
    /// once, and the booking is accepted in the same transaction.
    pub hold_expires_at: Timestamp,
    /// Who books.
    pub actor: Actor,
}

/// How opening went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Opened {
    /// Everything that it needs is set aside.
    Ready {
        /// What the booking costs.
        amount: Money,
        /// From where it is held, if it holds something.
        pool: Option<PoolId>,
        /// Whose that is.
        company: Option<CompanyId>,
        /// The events that were journalled.
        events: Vec<StoredEvent>,
    },
    /// Nothing is left, or nothing like it is offered.
    Refused {
        /// `sold_out`, `not_offered`, or `closed` for what was undone before.
        code: String,
        /// The events that were journalled.
        events: Vec<StoredEvent>,
    },
    /// The booking belongs to an earlier run: this one ends without effect.
    Foreign,
}

/// Makes a hold last, and journals what it allows: the payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firm {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// What is journalled with it, unless the hold is lost: events that the journal may not have yet,
    /// then the payment. An event that may not move the booking any more (it was cancelled meanwhile)
    /// is journalled as a fact, without its move.
    pub events: Vec<NewEvent>,
    /// What has paid and is stored for its owner's next bookings, unless this one was cancelled
    /// meanwhile (home-cleaning 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<Means>,
}

/// How making a hold last went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Firmed {
    /// It lasts.
    Firm {
        /// The events that were journalled.
        events: Vec<StoredEvent>,
    },
    /// It had expired and what it held is gone.
    Lost,
}

/// Looks whether the hold has expired, and gives it back if so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expire {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
}

/// Whether a hold had expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expiry {
    /// It had, and went back.
    Expired,
    /// It is firm, or its time has not come, or it went back before.
    Kept,
}

/// Assigns what was held, and journals the assignment. A booking that was cancelled meanwhile is not
/// moved by it: the event is journalled as a fact, without its move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assign {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// Events that the journal may not have yet; they are journalled before the assignment.
    pub events: Vec<NewEvent>,
}

/// How assigning went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Assigned {
    /// It is assigned.
    Made {
        /// Who or what.
        assignment: Assignment,
        /// The events that were journalled.
        events: Vec<StoredEvent>,
    },
    /// What was held is no longer there.
    Lost,
}

/// Claims the nearest free person for a booking, and journals the claim. A booking that was
/// cancelled meanwhile is not moved by it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The key of the act.
    pub key: ActKey,
    /// The booking. Its plan says who is sought, and around which place.
    pub booking: BookingId,
    /// Counts the claims of the booking from 1; it numbers the events and the offer.
    pub ordinal: u32,
    /// How far from the place, in metres.
    pub within: u32,
    /// Who is not asked again.
    pub excluded: Vec<SubjectId>,
    /// Until when they can answer; `None` where they are assigned without being asked.
    pub expires_at: Option<Timestamp>,
    /// Events that the journal may not have yet; they are journalled before the claim.
    pub events: Vec<NewEvent>,
}

/// How a claim went. Whatever the booking had claimed before is free again in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Claimed {
    /// Somebody is assigned or asked.
    Made {
        /// Who.
        assignment: Assignment,
        /// The events that were journalled.
        events: Vec<StoredEvent>,
    },
    /// Nobody who could do it is free so near.
    Nobody,
    /// The booking was undone before.
    Closed,
}

/// Issues the confirmation of entry, and journals it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirm {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// Events that the journal may not have yet; they are journalled before the confirmation.
    pub events: Vec<NewEvent>,
}

/// How confirming went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Confirmed {
    /// It is issued.
    Issued {
        /// What is written on it.
        number: String,
        /// The events that were journalled.
        events: Vec<StoredEvent>,
    },
    /// The booking was undone before.
    Closed,
}

/// Uses up what a booking holds: it never goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UseUp {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
}

/// What was used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedUp {
    /// How many; 0 when nothing was held.
    pub quantity: u32,
}

/// Lets go of whatever a booking has, when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The key of the act.
    pub key: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// Whether it was served: what a served booking uses up does not go back, and its confirmation
    /// stands. Otherwise all of it goes back, but what is used up already, and the booking is closed
    /// to any late act.
    pub served: bool,
}

/// What a booking let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// How many went back; 0 when nothing was held.
    pub quantity: u32,
    /// How many were used up by being served.
    #[serde(default)]
    pub used: u32,
    /// Who is free again.
    #[serde(default)]
    pub subject: Option<SubjectId>,
    /// Whether there was a confirmation, and it is cancelled.
    #[serde(default)]
    pub confirmation: bool,
}

/// Adds events to the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Append {
    /// The booking.
    pub booking: BookingId,
    /// The events in their order. Those that the journal has are left as they are.
    pub events: Vec<NewEvent>,
    /// How many events the workflow knows of, these included.
    pub known: i64,
}

/// How far the journal goes now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appended {
    /// The number of the booking's last event.
    pub last_seq: i64,
    /// The whole journal of the booking where it knows more than the workflow did: a life of the
    /// workflow that was lost may have decided something. Empty otherwise.
    pub more: Vec<StoredEvent>,
}

/// Charges or reserves the price of a booking.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pay {
    /// The key of the act, and the provider's idempotency key.
    pub key: ActKey,
    /// The booking, as the provider's reference.
    pub booking: BookingId,
    /// How much.
    pub amount: Money,
    /// By what: the provider's token.
    pub token: String,
    /// Whether to charge at once rather than reserve.
    pub capture: bool,
    /// Until when a call may be made inline; see `Pace::inline_budget`.
    pub inline_until: Option<Timestamp>,
}

impl fmt::Debug for Pay {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, amount, capture, .. } = self;
        let mut pay = f.debug_struct("Pay");
        pay.field("key", key).field("amount", amount).field("capture", capture);
        pay.finish_non_exhaustive()
    }
}

/// How paying went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Paid {
    /// Charged, or reserved.
    Paid {
        /// The provider's id of the payment.
        payment: String,
    },
    /// The provider refused.
    Declined {
        /// The provider's code.
        code: String,
    },
    /// The key was closed by a settlement before anything was sent.
    Closed,
}

/// Charges what was reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The key of the act.
    pub key: ActKey,
    /// The key of the reservation.
    pub fare: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// How much.
    pub amount: Money,
    /// Until when a call may be made inline.
    pub inline_until: Option<Timestamp>,
}

/// Brings what the provider has for a key to `keep`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// The key of the act.
    pub key: ActKey,
    /// The key of the payment.
    pub fare: ActKey,
    /// The booking.
    pub booking: BookingId,
    /// What shall stay charged.
    pub keep: Money,
    /// Until when a call may be made inline.
    pub inline_until: Option<Timestamp>,
}

/// How a payment stands after its settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The state of the payment.
    pub payment: PaymentStatus,
    /// What stays charged.
    pub kept: Money,
    /// What went back to the customer: a lifted reservation or a refund.
    pub returned: Money,
}
