//! What the ledger does not have yet of a payment as the provider has it.

use bellhop_domain::{key::ActKey, money::Money};
use bellhop_store::{Balance, Posting};

use crate::partner::{Payment, State};

/// The postings that bring a booking's ledger from `posted` to its one payment.
///
/// They are told by the difference, not by the step that was just taken: a step whose outcome was
/// lost is made up for by the next. Their keys are unique, so of two that find out the same at the
/// same time one is refused by the store, comes again and finds nothing missing.
pub(super) fn missing(fare: &ActKey, posted: &Balance, payment: &Payment) -> Vec<Posting> {
    let lifted = match payment.state {
        State::Authorized => 0,
        _ => payment.amount.minor - payment.captured,
    };
    let money = |minor: i64| Some(Money { minor, ..payment.amount }).filter(|it| it.minor > 0);
    let key = |step: &str| fare.step(step);
    let reserved = posted.authorized + posted.captured + posted.voided;
    [
        money(payment.amount.minor - reserved)
            .map(|amount| Posting::authorized(key("authorized"), amount)),
        money(payment.captured - posted.captured)
            .map(|amount| Posting::captured(key("captured"), amount)),
        money(lifted - posted.voided).map(|amount| Posting::voided(key("voided"), amount)),
        money(payment.refunded - posted.refunded).map(|amount| {
            Posting::refunded(key(&format!("refunded/{}", payment.refunded)), amount)
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use bellhop_domain::{id::BookingId, key::Purpose, money::Currency};

    use super::*;

    fn told(posted: Balance, state: State, captured: i64, refunded: i64) -> Vec<(String, i64)> {
        let booking: BookingId = "bk_1".parse().expect("an id");
        let fare = ActKey::new(&booking, Purpose::Fare, 1);
        let amount = Money { minor: 9_800, currency: Currency::KRW };
        let payment = Payment { id: "pay_1".to_owned(), state, amount, captured, refunded };
        let steps = missing(&fare, &posted, &payment).into_iter();
        steps
            .map(|it| {
                let step = it.key.as_str().replace("bk_1/fare/1/", "");
                (step, it.amount.minor)
            })
            .collect()
    }

    fn entries(list: &[(&str, i64)]) -> Vec<(String, i64)> {
        list.iter().map(|(step, minor)| ((*step).to_owned(), *minor)).collect()
    }

    #[test]
    fn only_what_is_missing_is_posted() {
        let nothing = Balance::default;
        let reserved = || Balance { authorized: 9_800, ..nothing() };
        let charged = || Balance { captured: 9_800, ..nothing() };

        let all = entries(&[("authorized", 9_800), ("captured", 9_800)]);
        assert_eq!(told(nothing(), State::Captured, 9_800, 0), all);
        assert_eq!(told(nothing(), State::Authorized, 0, 0), entries(&[("authorized", 9_800)]));
        assert_eq!(told(reserved(), State::Authorized, 0, 0), []);
        assert_eq!(told(reserved(), State::Captured, 9_800, 0), entries(&[("captured", 9_800)]));
        assert_eq!(told(reserved(), State::Voided, 0, 0), entries(&[("voided", 9_800)]));
        let part = entries(&[("captured", 4_900), ("voided", 4_900)]);
        assert_eq!(told(reserved(), State::Captured, 4_900, 0), part);
        assert_eq!(told(charged(), State::Captured, 9_800, 0), []);
        let refund = entries(&[("refunded/4900", 4_900)]);
        assert_eq!(told(charged(), State::PartRefunded, 9_800, 4_900), refund);
        let half = Balance { captured: 9_800, refunded: 4_900, ..nothing() };
        let rest = entries(&[("refunded/9800", 4_900)]);
        assert_eq!(told(half, State::Refunded, 9_800, 9_800), rest);
    }
}
