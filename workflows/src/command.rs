//! The commands to a booking: what they carry and what they answer. They are updates; what they may
//! do stands in the table of moves.

use bellhop_domain::{
    event::{Actor, CommandRef},
    id::OfferId,
    policy::Terms,
    status::Status,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The refusal of a command that the booking's state or the caller's role does not allow.
pub const NOT_ALLOWED: &str = "not_allowed";

/// The refusal of an `advance` to a stage that is not the next one.
pub const NOT_NEXT: &str = "not_next_stage";

/// Who commands, and by which request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Who.
    pub actor: Actor,
    /// The request, so that its repeat is known.
    pub command: CommandRef,
    /// When the request arrived.
    pub at: Timestamp,
}

/// Cancels a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancel {
    /// Who commands.
    #[serde(flatten)]
    pub caller: Caller,
    /// Why, in their words.
    #[serde(default)]
    pub reason: Option<String>,
    /// The terms that were quoted and are honoured; else those that apply at the time.
    #[serde(default)]
    pub terms: Option<Terms>,
}

/// Approves a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approve {
    /// Who commands.
    #[serde(flatten)]
    pub caller: Caller,
}

/// Declines a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// Who commands.
    #[serde(flatten)]
    pub caller: Caller,
    /// Why, in their words.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Brings a booking to its next stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// Who commands.
    #[serde(flatten)]
    pub caller: Caller,
    /// The stage, or `completed`, or `no_show`.
    pub to: String,
}

/// Answers the question whether somebody serves a booking; or takes an acceptance or an assignment
/// back, until the service is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerOffer {
    /// Who commands.
    #[serde(flatten)]
    pub caller: Caller,
    /// The question.
    pub offer: OfferId,
    /// Yes or no.
    pub accept: bool,
}

/// A command to a booking. It stands in the database while it is given: never change a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Cancels it.
    Cancel(Cancel),
    /// Approves it.
    Approve(Approve),
    /// Declines it.
    Decline(Decline),
    /// Brings it to its next stage.
    Advance(Advance),
    /// Answers whether somebody serves it.
    AnswerOffer(AnswerOffer),
}

/// What an accepted command answers. A repeat answers the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The request that was accepted; another fingerprint under its id is another request.
    pub command: CommandRef,
    /// The state that the booking has moved to.
    pub status: Status,
}
