//! The `payments` family: calls to the payment provider.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use bellhop_domain::act::{Capture, Paid, Pay, Settle, Settled};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Activities of the `payments` family.
pub struct Payments;

pub use payments::Settle as SettlePayment;
pub use payments::{Authorize as AuthorizePayment, Capture as CapturePayment};

/// How charging a reservation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Captured {
    /// It is charged.
    Captured,
    /// There is nothing to charge any more: the reservation lapsed or was lifted.
    Lost,
}

#[activity_definitions]
impl Payments {
    /// Charges or reserves the price of a booking.
    ///
    /// A repeat answers the first outcome, a refusal too. What was sent and not answered is asked
    /// for, never sent again.
    #[activity(name = "payments.authorize")]
    pub fn authorize(_: Pay) -> Result<Paid, ActivityError> {
        unimplemented!()
    }

    /// Charges what was reserved.
    #[activity(name = "payments.capture")]
    pub fn capture(_: Capture) -> Result<Captured, ActivityError> {
        unimplemented!()
    }

    /// Brings the provider's balance for the key to `keep`: voids, refunds, part-refunds or does
    /// nothing.
    ///
    /// A repeat answers the first outcome. A payment that was never sent is closed without a call.
    #[activity(name = "payments.settle")]
    pub fn settle(_: Settle) -> Result<Settled, ActivityError> {
        unimplemented!()
    }
}
