//! The ledger: where each booking's money is, in double entries that are only ever added.
//!
//! | account | what its sum is | grows by |
//! |---|---|---|
//! | `customer` | what is drawn from the customer, negative | what goes back to them |
//! | `reserved` | what is reserved with the provider | an authorisation |
//! | `revenue` | what was charged | a capture, of a reservation or at once |
//! | `refunds` | what of it went back, negative | nothing |
//!
//! A posting moves its amount from the account that it credits to the one that it debits.

use bellhop_domain::{
    id::BookingId,
    key::ActKey,
    money::{Currency, Money},
    status::PaymentStatus,
};
use jiff::Timestamp;

use crate::{
    Result, Store,
    column::{Instant, Word},
    db::{Tx, insert_rows, query},
};

/// An account of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    /// The customer's means of payment.
    Customer,
    /// Reservations that are open with the provider.
    Reserved,
    /// What was charged.
    Revenue,
    /// What of it was given back.
    Refunds,
}

impl Account {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Reserved => "reserved",
            Self::Revenue => "revenue",
            Self::Refunds => "refunds",
        }
    }
}

/// A movement of money: two entries that sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Unique in the ledger.
    pub key: ActKey,
    /// Where the money goes.
    pub debit: Account,
    /// Where it comes from.
    pub credit: Account,
    /// How much.
    pub amount: Money,
}

impl Posting {
    /// An amount was reserved.
    pub fn authorized(key: ActKey, amount: Money) -> Self {
        Self { key, debit: Account::Reserved, credit: Account::Customer, amount }
    }

    /// A reservation, or a part of one, was charged.
    pub fn captured(key: ActKey, amount: Money) -> Self {
        Self { key, debit: Account::Revenue, credit: Account::Reserved, amount }
    }

    /// An amount was charged without a reservation.
    pub fn charged(key: ActKey, amount: Money) -> Self {
        Self { key, debit: Account::Revenue, credit: Account::Customer, amount }
    }

    /// A reservation, or what was left of one, was lifted.
    pub fn voided(key: ActKey, amount: Money) -> Self {
        Self { key, debit: Account::Customer, credit: Account::Reserved, amount }
    }

    /// A charge, or a part of one, was given back.
    pub fn refunded(key: ActKey, amount: Money) -> Self {
        Self { key, debit: Account::Customer, credit: Account::Refunds, amount }
    }
}

/// Where a booking's money is, in minor units of its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What is reserved at the moment.
    pub authorized: i64,
    /// What was charged.
    pub captured: i64,
    /// What of it was given back.
    pub refunded: i64,
    /// What was reserved and then lifted.
    pub voided: i64,
    /// The currency; `None` while nothing was posted.
    pub currency: Option<Currency>,
}

impl Balance {
    /// The state of the payment that follows from the ledger. It knows nothing of refusals and of
    /// what the provider has not told.
    pub fn payment_status(&self) -> PaymentStatus {
        match self {
            Self { authorized, .. } if *authorized > 0 => PaymentStatus::Authorized,
            Self { captured: 0, voided: 0, .. } => PaymentStatus::None,
            Self { captured: 0, .. } => PaymentStatus::Voided,
            Self { refunded: 0, voided: 0, .. } => PaymentStatus::Captured,
            Self { refunded, captured, .. } if refunded >= captured => PaymentStatus::Refunded,
            _ => PaymentStatus::PartRefunded,
        }
    }
}

macro_rules! sums {
    () => {
        "booking_id, currency, MAX(at) AS at,
         CAST(SUM(CASE account WHEN 'reserved' THEN minor ELSE 0 END) AS BIGINT) AS authorized,
         CAST(SUM(CASE account WHEN 'revenue' THEN minor ELSE 0 END) AS BIGINT) AS captured,
         CAST(SUM(CASE account WHEN 'refunds' THEN -minor ELSE 0 END) AS BIGINT) AS refunded,
         CAST(SUM(CASE WHEN account = 'customer' AND minor > 0 THEN minor ELSE 0 END) AS BIGINT)
             AS returned"
    };
}

impl Store {
    /// Where a booking's money is; all zero while nothing was posted.
    ///
    /// # Errors
    /// Any database error.
    pub async fn ledger_of(&self, booking: &BookingId) -> Result<Balance> {
        let row: Option<Row> = query!(
            fetch_optional,
            self.reader().await?,
            concat!(
                "SELECT ",
                sums!(),
                " FROM ledger WHERE booking_id = $1 GROUP BY booking_id, currency"
            ),
            booking.as_str(),
        )?;
        Ok(row.map(|it| it.balance()).unwrap_or_default())
    }
}

/// A charge of a booking, or a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The key of its posting.
    pub number: String,
    /// Whether money went back.
    pub is_refund: bool,
    /// How much.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
}

impl Store {
    /// What was charged for a booking, and what of it went back, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn receipts_of(&self, booking: &BookingId) -> Result<Vec<Receipt>> {
        let rows: Vec<(String, String, i64, Word<Currency>, Instant)> = query!(
            fetch_all,
            self.reader().await?,
            "SELECT posting_key, account, minor, currency, at FROM ledger
             WHERE booking_id = $1 AND account IN ('revenue', 'refunds')
             ORDER BY at, account DESC, posting_key",
            booking.as_str(),
        )?;
        let receipt =
            |(number, account, minor, currency, at): (_, String, i64, Word<_>, Instant)| {
                let amount = Money { minor: minor.abs(), currency: currency.0 };
                let is_refund = account == Account::Refunds.as_str();
                Receipt { number, is_refund, amount, at: at.timestamp() }
            };
        Ok(rows.into_iter().map(receipt).collect())
    }
}

/// What one booking's entries sum to.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) booking_id: Word<BookingId>,
    currency: Word<Currency>,
    /// When the last entry was made.
    pub(crate) at: Instant,
    authorized: i64,
    captured: i64,
    refunded: i64,
    returned: i64,
}

impl Row {
    pub(crate) fn balance(&self) -> Balance {
        Balance {
            authorized: self.authorized,
            captured: self.captured,
            refunded: self.refunded,
            voided: self.returned - self.refunded,
            currency: Some(self.currency.0),
        }
    }
}

/// The balances of the bookings from `first` to `last`; those without entries are left out.
pub(crate) async fn of_bookings(
    tx: &mut Tx,
    first: &BookingId,
    last: &BookingId,
) -> Result<Vec<Row>> {
    Ok(query!(
        fetch_all,
        tx,
        concat!(
            "SELECT ",
            sums!(),
            " FROM ledger WHERE booking_id >= $1 AND booking_id <= $2 GROUP BY booking_id, currency"
        ),
        first.as_str(),
        last.as_str(),
    )?)
}

/// Adds the entries of a booking's postings.
pub(crate) async fn insert(
    tx: &mut Tx,
    booking: &BookingId,
    postings: &[Posting],
    now: Timestamp,
) -> Result<()> {
    if postings.is_empty() {
        return Ok(());
    }
    let entries = postings
        .iter()
        .flat_map(|it| [(it, it.debit, it.amount.minor), (it, it.credit, -it.amount.minor)]);
    insert_rows!(
        tx,
        "INSERT INTO ledger (booking_id, posting_key, account, minor, currency, at) ",
        entries,
        |row, (posting, account, minor)| {
            row.push_bind(booking.as_str())
                .push_bind(posting.key.as_str())
                .push_bind(account.as_str())
                .push_bind(minor)
                .push_bind(posting.amount.currency.code())
                .push_bind(Instant::from(now));
        }
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_payment_follows_from_where_its_money_is() {
        let status = |authorized, captured, refunded, voided| {
            let currency = None;
            Balance { authorized, captured, refunded, voided, currency }.payment_status()
        };
        assert_eq!(status(0, 0, 0, 0), PaymentStatus::None);
        assert_eq!(status(9_800, 0, 0, 0), PaymentStatus::Authorized);
        assert_eq!(status(0, 9_800, 0, 0), PaymentStatus::Captured);
        assert_eq!(status(0, 0, 0, 9_800), PaymentStatus::Voided);
        assert_eq!(status(0, 9_800, 9_800, 0), PaymentStatus::Refunded);
        assert_eq!(status(0, 9_800, 4_900, 0), PaymentStatus::PartRefunded);
        assert_eq!(status(0, 4_900, 0, 4_900), PaymentStatus::PartRefunded, "the rest was lifted");
    }
}
