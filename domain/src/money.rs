//! Money: integers of the currency's minor unit, never a float.

use std::fmt;

pub use iso_currency::Currency;
use serde::{Deserialize, Serialize};

/// An amount of money in the currency's minor unit (ISO 4217: KRW has none, so 25000 is 25,000 won).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How many of the minor unit.
    pub minor: i64,
    /// The ISO 4217 code.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("KRW")))]
    pub currency: Currency,
}

impl Money {
    /// Nothing, in a currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// `percent` of it, rounded down to the minor unit.
    pub fn percent(self, percent: u8) -> Self {
        let minor = i128::from(self.minor) * i128::from(percent) / 100;
        Self { minor: i64::try_from(minor).unwrap_or(i64::MAX), ..self }
    }

    /// `count` times it.
    ///
    /// # Errors
    /// [`TooMuch`] when the product does not fit.
    pub fn times(self, count: u32) -> Result<Self, TooMuch> {
        let minor = self.minor.checked_mul(i64::from(count)).ok_or(TooMuch)?;
        Ok(Self { minor, ..self })
    }
}

/// The amount is beyond what can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the amount is too large")]
pub struct TooMuch;

impl fmt::Display for Money {
    /// With thousands separated, the way people write it: `9,800 KRW`, `12.50 EUR`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exponent = self.currency.exponent().unwrap_or(0);
        let unit = 10_u64.pow(u32::from(exponent));
        let (whole, rest) = (self.minor.unsigned_abs() / unit, self.minor.unsigned_abs() % unit);
        let sign = if self.minor < 0 { "-" } else { "" };
        write!(f, "{sign}{}", grouped(whole))?;
        if exponent > 0 {
            write!(f, ".{rest:0width$}", width = usize::from(exponent))?;
        }
        write!(f, " {}", self.currency.code())
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        let text = |minor, currency| Money { minor, currency }.to_string();
        assert_eq!(text(9_800, Currency::KRW), "9,800 KRW");
        assert_eq!(text(1_234_567, Currency::KRW), "1,234,567 KRW");
        assert_eq!(text(1_205, Currency::EUR), "12.05 EUR");
        assert_eq!(text(-500, Currency::KRW), "-500 KRW");
    }

    #[test]
    fn a_share_is_rounded_down() {
        assert_eq!(Money { minor: 9_801, currency: Currency::KRW }.percent(50).minor, 4_900);
    }
}
