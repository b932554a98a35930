//! Settling: the provider's balance for a payment shall be `keep`, whatever it was before.

use bellhop_domain::{
    act::{Paid, Settle, Settled},
    key::ActKey,
    money::Money,
    status::PaymentStatus,
};
use bellhop_store::Attempt;
use bellhop_workflows::contract::failure::UNKNOWN;
use jiff::Timestamp;
use serde_json::json;
use temporalio_common::ActivityError;

use super::{NOT_RECEIVED, Of, PaymentActivities, Since, decode, not_received, paid};
use crate::{
    failure,
    partner::{CallError, Changed, Found, Manner, Payment, Place, State},
};

/// How often a payment may change under our hands, by a late capture, before we come back later.
const ROUNDS: usize = 4;

impl PaymentActivities {
    /// Settles, and needs a place at the provider only for a payment that was sent: what never was
    /// is closed although the provider may be away, or the inline budget used up.
    pub(super) async fn bring_to_keep(
        &self,
        manner: Manner,
        settle: &Settle,
    ) -> Result<Settled, ActivityError> {
        let request = json!({ "fare": settle.fare, "keep": settle.keep });
        let now = Timestamp::now();
        let attempt =
            self.store.begin_attempt(&settle.key, &settle.booking, "settle", &request, now);
        let asked = match attempt.await.map_err(failure::store)? {
            Attempt::Done(outcome) => return decode(outcome),
            Attempt::Sent { asked, .. } => asked + 1,
            Attempt::New | Attempt::Closed => 1,
        };
        let fare = match self.close_fare(&settle.fare, &settle.booking).await? {
            (_, Attempt::New | Attempt::Closed) => {
                return self.finish_without(settle, PaymentStatus::None).await;
            }
            (attempt, Attempt::Sent { began_at, .. }) => {
                Fare::Sent { attempt, since: Since { began_at, asked } }
            }
            (_, Attempt::Done(outcome)) => match decode(outcome)? {
                Paid::Declined { code } if code == NOT_RECEIVED => Fare::NotReceived,
                Paid::Declined { .. } => {
                    return self.finish_without(settle, PaymentStatus::Declined).await;
                }
                Paid::Paid { .. } | Paid::Closed => Fare::Paid { asked },
            },
        };
        let place = self.provider.enter(manner).await.map_err(failure::turned_away)?;
        match self.find_fare(&place, settle).await? {
            Found::Payment(payment) => self.settle_payment(&place, settle, fare, payment).await,
            Found::Declined { code } => {
                if let Fare::Sent { attempt, .. } = fare {
                    self.finish(&attempt, &Paid::Declined { code }, None).await?;
                }
                self.finish_without(settle, PaymentStatus::Declined).await
            }
            Found::Nothing => self.settle_nothing(settle, fare).await,
        }
    }

    async fn settle_payment(
        &self,
        place: &Place,
        settle: &Settle,
        fare: Fare,
        payment: Payment,
    ) -> Result<Settled, ActivityError> {
        let payment = self.change_to_keep(place, settle, payment).await?;
        let settled = settled(&payment);
        if settled.kept.minor < settle.keep.minor {
            tracing::warn!(
                booking.id = %settle.booking,
                kept = %settled.kept,
                keep = %settle.keep,
                "less is charged than was to be kept"
            );
        }
        if let Fare::Sent { attempt, .. } = fare {
            self.finish(&attempt, &paid(&payment), None).await?;
        }
        let of = Of { booking: &settle.booking, fare: &settle.fare, payment: &payment };
        self.finish(&settle.key, &settled, Some(of)).await
    }

    /// Steps towards `keep` until there is nothing left to do.
    async fn change_to_keep(
        &self,
        place: &Place,
        settle: &Settle,
        mut payment: Payment,
    ) -> Result<Payment, ActivityError> {
        for _ in 0..ROUNDS {
            let Some(step) = next_step(&payment, settle.keep.minor) else { return Ok(payment) };
            payment = match self.take(place, settle, &payment, step).await {
                Ok(Changed::Done(changed)) => changed,
                Ok(Changed::Refused) => match self.find_fare(place, settle).await? {
                    Found::Payment(changed) => changed,
                    Found::Declined { .. } | Found::Nothing => break,
                },
                Err(error) => return Err(self.failed(error)),
            };
        }
        Err(failure::retry(UNKNOWN, "the payment keeps changing", None))
    }

    async fn take(
        &self,
        place: &Place,
        settle: &Settle,
        payment: &Payment,
        step: Step,
    ) -> Result<Changed, CallError> {
        let (booking, keep, id) = (&settle.booking, settle.keep.minor, payment.id.as_str());
        let money = |minor| Money { minor, ..payment.amount };
        match step {
            Step::Void => {
                let key = settle.fare.step("void");
                self.provider.void(place, booking, &key, id).await
            }
            Step::Capture(minor) => {
                let key = settle.fare.step(&format!("capture/{keep}"));
                self.provider.capture(place, booking, &key, id, money(minor)).await
            }
            Step::Refund(minor) => {
                let key = settle.fare.step(&format!("refund/{keep}"));
                self.provider.refund(place, booking, &key, id, money(minor)).await
            }
        }
    }

    /// The provider has nothing under a key that was sent.
    async fn settle_nothing(&self, settle: &Settle, fare: Fare) -> Result<Settled, ActivityError> {
        let booking = &settle.booking;
        match fare {
            Fare::Sent { since, .. } if !self.is_over(since) => Err(self.ask_again(since)),
            Fare::Sent { attempt, since } => {
                tracing::warn!(booking.id = %booking, "a payment that was sent never appeared");
                match self.finish(&attempt, &not_received(), None).await? {
                    Paid::Declined { .. } => self.finish_without(settle, PaymentStatus::None).await,
                    // It has appeared at this very moment: the next attempt settles it.
                    Paid::Paid { .. } | Paid::Closed => Err(self.ask_again(since)),
                }
            }
            Fare::NotReceived => self.finish_without(settle, PaymentStatus::Declined).await,
            // Money that we know of is never written off because the provider has mislaid it.
            Fare::Paid { asked } => {
                tracing::error!(booking.id = %booking, "the provider does not know a paid payment");
                Err(self.ask_again(Since { began_at: Timestamp::now(), asked }))
            }
        }
    }

    async fn finish_without(
        &self,
        settle: &Settle,
        payment: PaymentStatus,
    ) -> Result<Settled, ActivityError> {
        let nothing = Money::zero(settle.keep.currency);
        self.finish(&settle.key, &Settled { payment, kept: nothing, returned: nothing }, None).await
    }

    async fn find_fare(&self, place: &Place, settle: &Settle) -> Result<Found, ActivityError> {
        let found = self.provider.find(place, &settle.booking, &settle.fare).await;
        found.map_err(|error| self.failed(error))
    }
}

/// What we know of the payment to settle, before the provider is asked.
enum Fare {
    /// It was sent, and nobody has heard what became of it.
    Sent { attempt: ActKey, since: Since },
    /// The provider did not know of it when it should have.
    NotReceived,
    /// It was paid.
    Paid { asked: i64 },
}

/// What brings a payment nearer to what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Void,
    Capture(i64),
    Refund(i64),
}

fn next_step(payment: &Payment, keep: i64) -> Option<Step> {
    let charged = payment.captured - payment.refunded;
    match payment.state {
        State::Authorized if keep <= 0 => Some(Step::Void),
        State::Authorized => Some(Step::Capture(keep.min(payment.amount.minor))),
        State::Captured | State::PartRefunded if charged > keep => {
            Some(Step::Refund(charged - keep.max(0)))
        }
        _ => None,
    }
}

/// How the payment stands. It is told by the provider's state alone, so that a repeat after a crash
/// answers what the first would have.
fn settled(payment: &Payment) -> Settled {
    let kept = payment.captured - payment.refunded;
    let status = match payment.state {
        State::Authorized => PaymentStatus::Authorized,
        State::Captured if payment.captured < payment.amount.minor => PaymentStatus::PartRefunded,
        State::Captured => PaymentStatus::Captured,
        State::Voided => PaymentStatus::Voided,
        State::Refunded => PaymentStatus::Refunded,
        State::PartRefunded => PaymentStatus::PartRefunded,
    };
    let money = |minor| Money { minor, ..payment.amount };
    Settled { payment: status, kept: money(kept), returned: money(payment.amount.minor - kept) }
}

#[cfg(test)]
mod tests {
    use bellhop_domain::money::Currency;

    use super::*;

    fn payment(state: State, captured: i64, refunded: i64) -> Payment {
        let amount = Money { minor: 9_800, currency: Currency::KRW };
        Payment { id: "pay_1".to_owned(), state, amount, captured, refunded }
    }

    #[test]
    fn each_state_is_brought_nearer_to_what_is_kept() {
        use State::*;
        let step =
            |state, captured, refunded, keep| next_step(&payment(state, captured, refunded), keep);
        assert_eq!(step(Authorized, 0, 0, 0), Some(Step::Void));
        assert_eq!(step(Authorized, 0, 0, 4_900), Some(Step::Capture(4_900)));
        assert_eq!(step(Authorized, 0, 0, 20_000), Some(Step::Capture(9_800)));
        assert_eq!(step(Captured, 9_800, 0, 9_800), None);
        assert_eq!(step(Captured, 9_800, 0, 20_000), None, "nothing is charged twice");
        assert_eq!(step(Captured, 9_800, 0, 4_900), Some(Step::Refund(4_900)));
        assert_eq!(step(Captured, 9_800, 0, 0), Some(Step::Refund(9_800)));
        assert_eq!(step(PartRefunded, 9_800, 4_900, 4_900), None);
        assert_eq!(step(PartRefunded, 9_800, 4_900, 0), Some(Step::Refund(4_900)));
        assert_eq!(step(Voided, 0, 0, 0), None);
        assert_eq!(step(Refunded, 9_800, 9_800, 4_900), None);
    }

    #[test]
    fn what_is_kept_and_what_went_back_make_the_amount() {
        let told = |state, captured, refunded| {
            let settled = settled(&payment(state, captured, refunded));
            (settled.payment, settled.kept.minor, settled.returned.minor)
        };
        assert_eq!(told(State::Voided, 0, 0), (PaymentStatus::Voided, 0, 9_800));
        assert_eq!(told(State::Captured, 9_800, 0), (PaymentStatus::Captured, 9_800, 0));
        assert_eq!(told(State::Captured, 4_900, 0), (PaymentStatus::PartRefunded, 4_900, 4_900));
        assert_eq!(
            told(State::PartRefunded, 9_800, 2_800),
            (PaymentStatus::PartRefunded, 7_000, 2_800)
        );
        assert_eq!(told(State::Refunded, 9_800, 9_800), (PaymentStatus::Refunded, 0, 9_800));
    }
}
