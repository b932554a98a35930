//! Lengths of time as people write them in service files: `30m`, `1h 30m`, `200ms`.

use std::{fmt, time::Duration};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A length of time, from 1 ms to 10 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(value_type = String, examples("1h 30m")))]
#[serde(try_from = "String", into = "String")]
pub struct Span(SignedDuration);

/// The text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a length of time from 1ms to 10 years: write it as 30m, 1h 30m or 200ms")]
pub struct InvalidSpan(String);

const LONGEST: SignedDuration = SignedDuration::from_hours(10 * 366 * 24);

impl Span {
    /// It, as the standard library counts.
    pub fn duration(self) -> Duration {
        self.0.unsigned_abs()
    }

    /// It, to be added to or taken from a point in time.
    pub fn signed(self) -> SignedDuration {
        self.0
    }
}

impl TryFrom<String> for Span {
    type Error = InvalidSpan;

    fn try_from(text: String) -> Result<Self, InvalidSpan> {
        match text.parse::<SignedDuration>() {
            Ok(length) if length >= SignedDuration::from_millis(1) && length <= LONGEST => {
                Ok(Self(length))
            }
            _ => Err(InvalidSpan(text)),
        }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written_the_way_people_do() -> Result<(), InvalidSpan> {
        for (text, seconds) in [("30m", 1_800), ("1h 30m", 5_400), ("24h", 86_400)] {
            let span = Span::try_from(text.to_owned())?;
            assert_eq!(span.duration().as_secs(), seconds);
            assert_eq!(Span::try_from(span.to_string())?, span);
        }
        for text in ["", "-1s", "0s", "soon", "100000000h"] {
            assert!(Span::try_from(text.to_owned()).is_err(), "{text}");
        }
        Ok(())
    }
}
