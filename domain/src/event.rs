//! Events: what happened to a booking. The journal of them is the truth; views are folded from it.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{CompanyId, OfferId, PoolId, SubjectId},
    money::Money,
    status::{PaymentStatus, Status, Trigger},
};

/// In which part somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Who books.
    Customer,
    /// Who decides for a company or a museum.
    Manager,
    /// Who drives or serves.
    Driver,
    /// Who runs Bellhop.
    Operator,
    /// Bellhop itself.
    System,
}

impl Role {
    /// Every role.
    pub const ALL: &[Self] =
        &[Self::Customer, Self::Manager, Self::Driver, Self::Operator, Self::System];
}

/// Who caused an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Actor {
    /// In which part.
    pub role: Role,
    /// Who, as their token names them; `bellhop` for Bellhop itself.
    pub id: String,
}

impl Actor {
    /// Somebody.
    pub fn new(role: Role, id: impl fmt::Display) -> Self {
        Self { role, id: id.to_string() }
    }

    /// Bellhop itself.
    pub fn system() -> Self {
        Self::new(Role::System, "bellhop")
    }
}

/// A move of the table that an event makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What causes it.
    pub trigger: Trigger,
    /// Where it leads.
    pub status: Status,
}

/// The command that caused an event, so that its repeat is known for as long as the journal is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRef {
    /// Hash of caller, command and idempotency key.
    pub id: String,
    /// Hash of the request's body.
    pub fingerprint: String,
}

/// An event on its way to the journal, which numbers and stamps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Unique in the booking: type and ordinal, `payment.authorized/1`.
    pub key: String,
    /// Who caused it.
    pub actor: Actor,
    /// The move that it makes, if it makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
    /// The command behind it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandRef>,
    /// What happened.
    pub event: Event,
}

impl NewEvent {
    /// The `ordinal`th event of its type, caused by Bellhop itself.
    pub fn new(event: Event, ordinal: u32) -> Self {
        let key = format!("{}/{ordinal}", event.kind());
        Self { key, actor: Actor::system(), change: None, command: None, event }
    }

    /// The same, making a move.
    #[must_use]
    pub fn moving(self, trigger: Trigger, status: Status) -> Self {
        Self { change: Some(Change { trigger, status }), ..self }
    }

    /// The same, caused by somebody.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }
}

/// An event of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its number in the booking, from 1 without gaps.
    pub seq: i64,
    /// When it arrived in the journal.
    pub at: Timestamp,
    /// The event.
    #[serde(flatten)]
    pub event: NewEvent,
}

/// What happened to a booking. The tags stand in the journal for ever: add, never change one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type")]
pub enum Event {
    /// The booking was taken down.
    #[serde(rename = "booking.created")]
    Created {
        /// How many are booked.
        quantity: u32,
        /// What it costs, once that is known.
        amount: Option<Money>,
        /// When it is for.
        starts_at: Timestamp,
        /// Who serves it, if that is known from the start.
        company: Option<CompanyId>,
    },
    /// Places or things were set aside.
    #[serde(rename = "hold.placed")]
    HoldPlaced {
        /// From where.
        pool: PoolId,
        /// How many.
        quantity: u32,
        /// Until when, unless it is paid for before; nothing where there is nothing to pay.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    /// What was held or taken went back.
    #[serde(rename = "hold.released")]
    HoldReleased {
        /// How many.
        quantity: u32,
    },
    /// Everything that the customer waits for is done, and nothing was to be paid.
    #[serde(rename = "booking.accepted")]
    Accepted,
    /// The payment did not come at once and is waited for.
    #[serde(rename = "payment.awaited")]
    PaymentAwaited,
    /// The provider was asked and has not told yet.
    #[serde(rename = "payment.unknown")]
    PaymentUnknown,
    /// The amount is reserved.
    #[serde(rename = "payment.authorized")]
    PaymentAuthorized {
        /// The amount.
        amount: Money,
    },
    /// The provider refused.
    #[serde(rename = "payment.declined")]
    PaymentDeclined {
        /// The provider's code.
        code: String,
    },
    /// The amount is charged.
    #[serde(rename = "payment.captured")]
    PaymentCaptured {
        /// The amount.
        amount: Money,
    },
    /// The payment was brought to what is kept of it.
    #[serde(rename = "payment.settled")]
    PaymentSettled {
        /// How the payment stands now.
        payment: PaymentStatus,
        /// What stays charged.
        kept: Money,
        /// What went back to the customer.
        returned: Money,
    },
    /// A manager said yes.
    #[serde(rename = "approval.granted")]
    ApprovalGranted,
    /// A manager said no.
    #[serde(rename = "approval.declined")]
    ApprovalDeclined {
        /// Why.
        reason: Option<String>,
    },
    /// Nobody decided in time.
    #[serde(rename = "approval.lapsed")]
    ApprovalLapsed,
    /// Somebody is asked whether they serve the booking.
    #[serde(rename = "offer.made")]
    Offered {
        /// The question.
        offer: Offer,
    },
    /// Who was asked or assigned does not serve it.
    #[serde(rename = "offer.declined")]
    OfferDeclined {
        /// Who.
        subject: SubjectId,
    },
    /// Who was asked has not answered in time.
    #[serde(rename = "offer.lapsed")]
    OfferLapsed {
        /// Who.
        subject: SubjectId,
    },
    /// Somebody or something serves the booking.
    #[serde(rename = "assignment.made")]
    Assigned {
        /// Who or what.
        assignment: Assignment,
    },
    /// The assignment was taken back.
    #[serde(rename = "assignment.released")]
    AssignmentReleased {
        /// Whose it was, where it was a person's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<SubjectId>,
    },
    /// The visitor has a confirmation of entry.
    #[serde(rename = "confirmation.issued")]
    ConfirmationIssued {
        /// What is written on it.
        number: String,
    },
    /// The confirmation of entry is no longer good.
    #[serde(rename = "confirmation.cancelled")]
    ConfirmationCancelled,
    /// What was held is used up, and does not go back.
    #[serde(rename = "hold.used")]
    HoldUsed {
        /// How many.
        quantity: u32,
    },
    /// A stage of the service was reached.
    #[serde(rename = "stage.reached")]
    StageReached {
        /// The stage, as the service file names it.
        stage: String,
    },
    /// It was served.
    #[serde(rename = "booking.completed")]
    Completed,
    /// The customer did not come.
    #[serde(rename = "booking.no_show")]
    Missed {
        /// What is kept of the price.
        #[serde(default)]
        keep: Option<Money>,
    },
    /// Somebody cancelled.
    #[serde(rename = "booking.cancelling")]
    Cancelling {
        /// Why, in the words of who cancelled.
        reason: Option<String>,
        /// What is kept of the price.
        keep: Option<Money>,
    },
    /// The cancellation is carried out.
    #[serde(rename = "booking.cancelled")]
    Cancelled,
    /// Refused.
    #[serde(rename = "booking.rejected")]
    Rejected {
        /// A stable code: `sold_out`, `payment_declined`, …
        code: String,
    },
    /// The hold ran out before the payment came.
    #[serde(rename = "booking.expired")]
    Expired,
    /// Accepted, and then could not be served.
    #[serde(rename = "booking.unfulfilled")]
    Unfulfilled {
        /// A stable code.
        code: String,
    },
    /// Something technical has been failing for a while; the work goes on retrying.
    #[serde(rename = "attention.raised")]
    AttentionRaised {
        /// What fails: an activity and the kind of its failure.
        cause: String,
    },
    /// What failed works again.
    #[serde(rename = "attention.cleared")]
    AttentionCleared,
}

/// Who or what serves a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Assignment {
    /// The company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<CompanyId>,
    /// What customers read: the taxi's or the driver's name.
    pub label: String,
    /// The person, where one is assigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectId>,
    /// The claim on that person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<OfferId>,
}

/// A question to somebody, whether they serve a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OfferMade))]
pub struct Offer {
    /// Its id, to be answered by.
    pub id: OfferId,
    /// Who is asked, and what the customer reads if they accept.
    pub assignment: Assignment,
    /// Until when they can answer.
    pub expires_at: Timestamp,
}

impl Event {
    /// The tag: `payment.authorized`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Created { .. } => "booking.created",
            Self::HoldPlaced { .. } => "hold.placed",
            Self::HoldReleased { .. } => "hold.released",
            Self::Accepted => "booking.accepted",
            Self::PaymentAwaited => "payment.awaited",
            Self::PaymentUnknown => "payment.unknown",
            Self::PaymentAuthorized { .. } => "payment.authorized",
            Self::PaymentDeclined { .. } => "payment.declined",
            Self::PaymentCaptured { .. } => "payment.captured",
            Self::PaymentSettled { .. } => "payment.settled",
            Self::ApprovalGranted => "approval.granted",
            Self::ApprovalDeclined { .. } => "approval.declined",
            Self::ApprovalLapsed => "approval.lapsed",
            Self::Assigned { .. } => "assignment.made",
            Self::AssignmentReleased { .. } => "assignment.released",
            Self::Offered { .. } => "offer.made",
            Self::OfferDeclined { .. } => "offer.declined",
            Self::OfferLapsed { .. } => "offer.lapsed",
            Self::ConfirmationIssued { .. } => "confirmation.issued",
            Self::ConfirmationCancelled => "confirmation.cancelled",
            Self::HoldUsed { .. } => "hold.used",
            Self::StageReached { .. } => "stage.reached",
            Self::Completed => "booking.completed",
            Self::Missed { .. } => "booking.no_show",
            Self::Cancelling { .. } => "booking.cancelling",
            Self::Cancelled => "booking.cancelled",
            Self::Rejected { .. } => "booking.rejected",
            Self::Expired => "booking.expired",
            Self::Unfulfilled { .. } => "booking.unfulfilled",
            Self::AttentionRaised { .. } => "attention.raised",
            Self::AttentionCleared => "attention.cleared",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_the_tag_on_the_wire() -> Result<(), serde_json::Error> {
        let event = Event::ApprovalDeclined { reason: None };
        assert_eq!(serde_json::to_value(&event)?["type"], event.kind());
        Ok(())
    }
}
