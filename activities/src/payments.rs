//! The `payments` family: calls to the payment provider.
//!
//! An attempt is written down before its call, and its outcome after it (design, section 3). What
//! was sent and not answered is asked for by its key and never sent again. Only where it is certain
//! that a call did nothing (no connection, the provider's own 503, a refused credential) does the
//! next attempt send: see [`attempt`].
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

mod attempt;
mod postings;
mod settle;

use std::{sync::Arc, time::Duration};

use bellhop_domain::{
    act::{Capture, Paid, Pay, Settle, Settled},
    key::ActKey,
};
use bellhop_store::{Attempt, Store};
use bellhop_workflows::contract::payments::{
    AuthorizePayment, CapturePayment, Captured, SettlePayment,
};
use jiff::Timestamp;
use serde_json::json;
use temporalio_common::ActivityError;
use temporalio_macros::activities;
use temporalio_sdk::activities::ActivityContext;

use self::attempt::{Of, Since, decode};
use crate::{
    failure,
    partner::{CallError, Changed, Found, Manner, Payment, PaymentProvider, Place, State},
};

/// The code of a payment that the provider never heard of, though it was sent.
const NOT_RECEIVED: &str = "not_received";

/// Activities of the `payments` family.
pub struct PaymentActivities {
    store: Store,
    provider: PaymentProvider,
    settings: Settings,
}

/// When the provider is asked again.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long to wait before each further question about a payment that the provider does not
    /// know of; the last one repeats.
    pub ask_again: Vec<Duration>,
    /// How long after its attempt such a payment may still appear. Past it, it was not received.
    pub unknown_limit: Duration,
    /// How long to wait while the provider works on the same key.
    pub in_progress_retry: Duration,
    /// How long to wait when the provider refuses our credential or our requests.
    pub misconfigured_retry: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ask_again: [1, 10, 60, 600].map(Duration::from_secs).to_vec(),
            unknown_limit: Duration::from_secs(3_600),
            in_progress_retry: Duration::from_secs(1),
            misconfigured_retry: Duration::from_secs(60),
        }
    }
}

impl PaymentActivities {
    /// Activities on a database and a provider.
    pub fn new(store: Store, provider: PaymentProvider, settings: Settings) -> Self {
        Self { store, provider, settings }
    }
}

#[activities]
impl PaymentActivities {
    /// Charges or reserves the price of a booking.
    ///
    /// A repeat answers the first outcome, a refusal too. What was sent and not answered is asked
    /// for, never sent again.
    #[activity(definition = AuthorizePayment)]
    pub async fn authorize(
        self: Arc<Self>,
        ctx: ActivityContext,
        pay: Pay,
    ) -> Result<Paid, ActivityError> {
        // The place first: an attempt that may not be sent now must not look as if it was.
        let manner = Manner::of(&ctx, pay.inline_until);
        let place = self.provider.enter(manner).await.map_err(failure::turned_away)?;
        let request = json!({ "amount": pay.amount, "capture": pay.capture });
        match self.begin_fare(&pay.key, &pay.booking, &request).await? {
            (_, Attempt::Done(outcome)) => decode(outcome),
            (_, Attempt::Closed) => Ok(Paid::Closed),
            (attempt, Attempt::New) => self.send(&place, &attempt, &pay).await,
            (attempt, Attempt::Sent { began_at, asked }) => {
                self.find_out(&place, &attempt, &pay, Since { began_at, asked }).await
            }
        }
    }

    /// Charges what was reserved.
    ///
    /// A repeat answers the first outcome. The provider takes a capture once per key, so one that
    /// may have been lost is sent again when the reservation still stands.
    #[activity(definition = CapturePayment)]
    pub async fn capture(
        self: Arc<Self>,
        ctx: ActivityContext,
        capture: Capture,
    ) -> Result<Captured, ActivityError> {
        let manner = Manner::of(&ctx, capture.inline_until);
        let place = self.provider.enter(manner).await.map_err(failure::turned_away)?;
        let request = json!({ "amount": capture.amount });
        let now = Timestamp::now();
        let attempt =
            self.store.begin_attempt(&capture.key, &capture.booking, "capture", &request, now);
        let repeated = match attempt.await.map_err(failure::store)? {
            Attempt::Done(outcome) => return decode(outcome),
            Attempt::Closed => return Ok(Captured::Lost),
            Attempt::New => false,
            Attempt::Sent { .. } => true,
        };
        self.charge(&place, &capture, repeated).await
    }

    /// Brings the provider's balance for the key to `keep`: voids, refunds, part-refunds or does
    /// nothing.
    ///
    /// A repeat answers the first outcome. A payment that was never sent is closed without a call.
    #[activity(definition = SettlePayment)]
    pub async fn settle(
        self: Arc<Self>,
        ctx: ActivityContext,
        settle: Settle,
    ) -> Result<Settled, ActivityError> {
        self.bring_to_keep(Manner::of(&ctx, settle.inline_until), &settle).await
    }
}

// Authorising.
impl PaymentActivities {
    /// Sends a payment that was never sent.
    async fn send(
        &self,
        place: &Place,
        attempt: &ActKey,
        pay: &Pay,
    ) -> Result<Paid, ActivityError> {
        match self.provider.pay(place, pay).await {
            Ok(found) => self.finish_pay(attempt, pay, found).await,
            Err(error) => {
                if error.did_nothing() {
                    self.did_nothing(attempt).await?;
                }
                Err(self.failed(error))
            }
        }
    }

    /// Asks what became of a payment that was sent.
    async fn find_out(
        &self,
        place: &Place,
        attempt: &ActKey,
        pay: &Pay,
        since: Since,
    ) -> Result<Paid, ActivityError> {
        match self.provider.find(place, &pay.booking, &pay.key).await {
            Ok(Found::Nothing) if !self.is_over(since) => Err(self.ask_again(since)),
            Ok(found) => self.finish_pay(attempt, pay, found).await,
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn finish_pay(
        &self,
        attempt: &ActKey,
        pay: &Pay,
        found: Found,
    ) -> Result<Paid, ActivityError> {
        match found {
            Found::Payment(payment) => {
                let of = Of { booking: &pay.booking, fare: &pay.key, payment: &payment };
                self.finish(attempt, &paid(&payment), Some(of)).await
            }
            Found::Declined { code } => self.finish(attempt, &Paid::Declined { code }, None).await,
            Found::Nothing => self.finish(attempt, &not_received(), None).await,
        }
    }
}

/// What is left of a payment after its settlement pays for nothing.
fn paid(payment: &Payment) -> Paid {
    match payment.state {
        State::Authorized | State::Captured => Paid::Paid { payment: payment.id.clone() },
        State::Voided | State::Refunded | State::PartRefunded => Paid::Closed,
    }
}

/// The provider never heard of it, though it was sent.
fn not_received() -> Paid {
    Paid::Declined { code: NOT_RECEIVED.to_owned() }
}

// Capturing.
impl PaymentActivities {
    async fn charge(
        &self,
        place: &Place,
        capture: &Capture,
        repeated: bool,
    ) -> Result<Captured, ActivityError> {
        let known = if repeated { None } else { self.reservation(capture).await? };
        let payment = match known {
            Some(payment) => payment,
            None => match self.find_reservation(place, capture).await? {
                Some(payment) if payment.state == State::Authorized => payment.id,
                found => return self.finish_capture(capture, found.as_ref()).await,
            },
        };
        let (booking, key) = (&capture.booking, &capture.key);
        match self.provider.capture(place, booking, key, &payment, capture.amount).await {
            Ok(Changed::Done(payment)) => self.finish_capture(capture, Some(&payment)).await,
            Ok(Changed::Refused) => match self.find_reservation(place, capture).await? {
                Some(payment) if payment.state == State::Authorized => {
                    Err(self.failed(CallError::Unknown))
                }
                found => self.finish_capture(capture, found.as_ref()).await,
            },
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The provider's id of the reservation, where the fare's attempt tells it.
    async fn reservation(&self, capture: &Capture) -> Result<Option<String>, ActivityError> {
        match self.close_fare(&capture.fare, &capture.booking).await? {
            (_, Attempt::Done(outcome)) => match decode(outcome)? {
                Paid::Paid { payment } => Ok(Some(payment)),
                Paid::Declined { .. } | Paid::Closed => Ok(None),
            },
            _ => Ok(None),
        }
    }

    async fn find_reservation(
        &self,
        place: &Place,
        capture: &Capture,
    ) -> Result<Option<Payment>, ActivityError> {
        match self.provider.find(place, &capture.booking, &capture.fare).await {
            Ok(Found::Payment(payment)) => Ok(Some(payment)),
            Ok(Found::Declined { .. } | Found::Nothing) => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    async fn finish_capture(
        &self,
        capture: &Capture,
        found: Option<&Payment>,
    ) -> Result<Captured, ActivityError> {
        let captured = match found {
            Some(payment) if payment.state == State::Captured => Captured::Captured,
            _ => Captured::Lost,
        };
        let of = |payment| Of { booking: &capture.booking, fare: &capture.fare, payment };
        self.finish(&capture.key, &captured, found.map(of)).await
    }
}

// Failing.
impl PaymentActivities {
    fn failed(&self, error: CallError) -> ActivityError {
        failure::call(
            error,
            failure::Delays {
                unknown: self.settings.ask_again.first().copied().unwrap_or_default(),
                in_progress: self.settings.in_progress_retry,
                misconfigured: self.settings.misconfigured_retry,
            },
        )
    }
}
