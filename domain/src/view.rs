//! What customers, managers and operators read of a booking: the fold of its events.
//!
//! The journal folds to keep the view in the database, the workflow folds the same events to know
//! where it stands, and `bellhop rebuild` folds them anew: one function, so they cannot differ.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::{Assignment, Event, Offer, StoredEvent},
    id::CompanyId,
    money::{Currency, Money},
    status::{PaymentStatus, Status, may_move},
};

/// A booking as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookingView {
    /// Where it stands.
    pub status: Status,
    /// The stage of the service, once one is reached.
    pub stage: Option<String>,
    /// How many are booked.
    pub quantity: u32,
    /// What it costs.
    pub amount: Option<Money>,
    /// How it is paid.
    pub payment: PaymentView,
    /// When it is for.
    pub starts_at: Option<Timestamp>,
    /// Which company serves it, once known.
    pub company: Option<CompanyId>,
    /// Who or what serves it.
    pub assignment: Option<Assignment>,
    /// Who is asked to serve it at the moment.
    #[serde(default)]
    pub offer: Option<Offer>,
    /// The visitor's confirmation of entry, once there is one.
    #[serde(default)]
    pub confirmation: Option<Confirmation>,
    /// What fails at the moment, for somebody to look at.
    pub attention: Option<Attention>,
    /// Why it ended as it did: a stable code.
    pub code: Option<String>,
    /// The number of its last event.
    pub seq: i64,
    /// When its first event arrived.
    pub created_at: Option<Timestamp>,
    /// When its last event arrived.
    pub updated_at: Option<Timestamp>,
}

/// How a booking is paid, in minor units of the booking's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PaymentView {
    /// How the payment stands.
    pub status: PaymentStatus,
    /// What is or was charged.
    pub captured: i64,
    /// What of it went back.
    pub refunded: i64,
}

/// A confirmation of entry: a stage of its own, with a state of its own (exhibition 5 and 8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// What is written on it; empty where it was cancelled before it was issued.
    pub number: String,
    /// Whether it is good.
    pub status: ConfirmationStatus,
}

/// Whether a confirmation of entry is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmationStatus {
    /// It is.
    Issued,
    /// It is not any more; a late confirmation changes nothing.
    Cancelled,
}

/// A technical fault that has lasted for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attention {
    /// What fails.
    pub cause: String,
    /// Since when.
    pub since: Timestamp,
}

/// An event that cannot follow what came before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} cannot follow in state {status}")]
pub struct Misplaced {
    kind: &'static str,
    status: Status,
}

impl Default for BookingView {
    /// A booking before its first event.
    fn default() -> Self {
        Self {
            status: Status::Pending,
            stage: None,
            quantity: 1,
            amount: None,
            payment: PaymentView { status: PaymentStatus::None, captured: 0, refunded: 0 },
            starts_at: None,
            company: None,
            assignment: None,
            offer: None,
            confirmation: None,
            attention: None,
            code: None,
            seq: 0,
            created_at: None,
            updated_at: None,
        }
    }
}

impl BookingView {
    /// Who or what is to serve the booking: who is asked to, then who is assigned.
    pub fn involved(&self) -> impl Iterator<Item = &Assignment> {
        let asked = self.offer.as_ref().map(|it| &it.assignment);
        asked.into_iter().chain(&self.assignment)
    }

    /// Folds the next event in.
    ///
    /// An event that cannot follow is counted in `seq` and raises attention, and changes nothing
    /// else: the journal never loses one, and a late confirmation never undoes a cancellation.
    ///
    /// # Errors
    /// [`Misplaced`], after the above: for the log, not to be acted on.
    pub fn fold(&mut self, stored: &StoredEvent) -> Result<(), Misplaced> {
        self.seq = stored.seq;
        self.created_at.get_or_insert(stored.at);
        self.updated_at = Some(stored.at);
        let new = &stored.event;
        if let Some(change) = new.change {
            if !may_move(self.status, change.trigger, new.actor.role, change.status) {
                let misplaced = Misplaced { kind: new.event.kind(), status: self.status };
                let attention = Attention { cause: misplaced.to_string(), since: stored.at };
                self.attention.get_or_insert(attention);
                return Err(misplaced);
            }
            self.status = change.status;
        }
        self.apply(&new.event, stored.at);
        Ok(())
    }

    fn apply(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::Created { quantity, amount, starts_at, company } => {
                self.quantity = *quantity;
                self.amount = *amount;
                self.starts_at = Some(*starts_at);
                self.company.clone_from(company);
            }
            // The settlement has the last word, however late the steps before it are told: the life
            // of the workflow that settled may be lost, and the next one goes another way.
            Event::PaymentCaptured { amount } if self.payment.status.is_settled() => {
                if self.payment.status == PaymentStatus::PartRefunded {
                    let kept = self.payment.captured - self.payment.refunded;
                    self.payment.captured = amount.minor;
                    self.payment.refunded = amount.minor - kept;
                }
            }
            Event::PaymentUnknown
            | Event::PaymentAuthorized { .. }
            | Event::PaymentDeclined { .. }
                if self.payment.status.is_settled() => {}
            Event::PaymentUnknown => self.payment.status = PaymentStatus::Unknown,
            Event::PaymentAuthorized { .. } => self.payment.status = PaymentStatus::Authorized,
            Event::PaymentDeclined { .. } => self.payment.status = PaymentStatus::Declined,
            Event::PaymentCaptured { amount } => {
                self.payment.status = PaymentStatus::Captured;
                self.payment.captured = amount.minor;
            }
            Event::PaymentSettled { payment, kept, returned } => {
                self.settle(*payment, *kept, *returned);
            }
            Event::Offered { offer } => self.offer = Some(offer.clone()),
            Event::OfferLapsed { .. } => self.offer = None,
            Event::OfferDeclined { .. } => (self.offer, self.assignment) = (None, None),
            Event::Assigned { assignment } => {
                self.offer = None;
                self.company = assignment.company.clone().or(self.company.take());
                self.assignment = Some(assignment.clone());
            }
            Event::AssignmentReleased { .. } => (self.offer, self.assignment) = (None, None),
            Event::ConfirmationIssued { number } => {
                let issued =
                    || Confirmation { number: number.clone(), status: ConfirmationStatus::Issued };
                self.confirmation.get_or_insert_with(issued);
            }
            Event::ConfirmationCancelled => {
                let number = self.confirmation.take().map(|it| it.number).unwrap_or_default();
                let status = ConfirmationStatus::Cancelled;
                self.confirmation = Some(Confirmation { number, status });
            }
            Event::StageReached { stage } => self.stage = Some(stage.clone()),
            Event::Rejected { code } | Event::Unfulfilled { code } => {
                self.code = Some(code.clone());
            }
            Event::ApprovalDeclined { .. } => self.code = Some("approval_declined".to_owned()),
            Event::ApprovalLapsed if self.status == Status::Rejected => {
                self.code = Some("approval_lapsed".to_owned());
            }
            Event::Expired => self.code = Some("hold_expired".to_owned()),
            Event::AttentionRaised { cause } => {
                self.attention = Some(Attention { cause: cause.clone(), since: at });
            }
            Event::AttentionCleared => self.attention = None,
            Event::HoldPlaced { .. }
            | Event::HoldReleased { .. }
            | Event::HoldUsed { .. }
            | Event::Accepted
            | Event::PaymentAwaited
            | Event::ApprovalGranted
            | Event::ApprovalLapsed
            | Event::Completed
            | Event::Missed { .. }
            | Event::Cancelling { .. }
            | Event::Cancelled => {}
        }
    }

    /// A refund says that everything was charged before, which this may be the first to tell: a cancel
    /// that came while the charge was on its way was not told of it.
    fn settle(&mut self, payment: PaymentStatus, kept: Money, returned: Money) {
        let was_captured = self.payment.captured > 0 || payment == PaymentStatus::Refunded;
        self.payment.status = payment;
        if was_captured {
            self.payment.captured = kept.minor + returned.minor;
            self.payment.refunded = returned.minor;
        } else {
            self.payment.captured = kept.minor;
        }
    }

    /// The currency of the booking, once it is known what it costs.
    pub fn currency(&self) -> Option<Currency> {
        self.amount.map(|amount| amount.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Actor, NewEvent, Role},
        status::Trigger,
    };

    fn stored(seq: i64, event: NewEvent) -> StoredEvent {
        StoredEvent { seq, at: Timestamp::UNIX_EPOCH, event }
    }

    #[test]
    fn a_late_confirmation_does_not_undo_a_cancellation() -> Result<(), Misplaced> {
        let mut view = BookingView::default();
        let cancel = NewEvent::new(Event::Cancelling { reason: None, keep: None }, 1)
            .by(Actor::new(Role::Customer, "cus_kim"))
            .moving(Trigger::Cancel, Status::Cancelling);
        view.fold(&stored(1, cancel))?;

        let assignment =
            Assignment { company: None, label: "taxi".to_owned(), subject: None, offer: None };
        let late = NewEvent::new(Event::Assigned { assignment }, 1)
            .moving(Trigger::Assign, Status::Confirmed);
        assert!(view.fold(&stored(2, late)).is_err());
        assert_eq!((view.status, view.seq), (Status::Cancelling, 2));
        assert_eq!(view.assignment, None);
        assert!(view.attention.is_some(), "somebody is told");
        Ok(())
    }

    #[test]
    fn a_late_charge_does_not_undo_a_settlement() -> Result<(), Misplaced> {
        let won = |minor| Money { minor, currency: Currency::KRW };
        let captured = || Event::PaymentCaptured { amount: won(9_800) };
        for (payment, kept, refunded) in [
            (PaymentStatus::Refunded, 0, 9_800),
            (PaymentStatus::PartRefunded, 4_900, 4_900),
            (PaymentStatus::Voided, 0, 0),
        ] {
            let returned = won(9_800 - kept);
            let settled = Event::PaymentSettled { payment, kept: won(kept), returned };
            let mut view = BookingView::default();
            for (seq, event) in (1..).zip([settled, captured(), Event::PaymentUnknown]) {
                view.fold(&stored(seq, NewEvent::new(event, 1)))?;
            }
            let PaymentView { status, captured, .. } = view.payment;
            assert_eq!((status, captured - view.payment.refunded), (payment, kept));
            assert_eq!(view.payment.refunded, refunded, "{payment}");
        }
        Ok(())
    }
}
