//! Phone numbers: read generously, kept as E.164, shown masked.

use std::{fmt, str::FromStr};

use phonenumber::{Mode, country};
use serde::{Deserialize, Serialize};

/// A phone number in E.164 form. `Display` and `Debug` mask it; [`Phone::e164`] tells it.
///
/// One that was written down is read back as it is: numbering plans change, and a booking must stay
/// readable. What users write goes through [`str::parse`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Phone(String);

/// The text is not a phone number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a phone number: write it as 010-1234-5678 or +82 10 1234 5678")]
pub struct InvalidPhone;

impl Phone {
    /// One that was written down as [`Phone::e164`] tells it.
    pub fn written(e164: String) -> Self {
        Self(e164)
    }

    /// The number as the gateways want it: `+821012345678`.
    pub fn e164(&self) -> &str {
        &self.0
    }

    /// The number with its middle hidden: `+8210****5678`.
    pub fn masked(&self) -> String {
        let digits = self.0.len();
        let (head, tail) = (digits.saturating_sub(8), digits.saturating_sub(4));
        format!("{}****{}", &self.0[..head], &self.0[tail..])
    }
}

impl FromStr for Phone {
    type Err = InvalidPhone;

    /// Reads a number as it is written in Korea, or any with a country code.
    fn from_str(text: &str) -> Result<Self, InvalidPhone> {
        let number =
            phonenumber::parse(Some(country::Id::KR), text.trim()).map_err(|_| InvalidPhone)?;
        if !number.is_valid() {
            return Err(InvalidPhone);
        }
        Ok(Self(number.format().mode(Mode::E164).to_string()))
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Phone({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_kept_as_e164_and_shown_masked() -> Result<(), InvalidPhone> {
        let phone: Phone = "010-1234-5678".parse()?;
        assert_eq!(phone.e164(), "+821012345678");
        assert_eq!(phone.to_string(), "+8210****5678");
        assert!(!format!("{phone:?}").contains("1234"));
        assert!("12".parse::<Phone>().is_err() && "taxi".parse::<Phone>().is_err());
        Ok(())
    }
}
