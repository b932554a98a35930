//! Ids: short strings with a prefix that says what they name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The namespace of every id that is derived from other data (RFC 9562, version 5).
const NAMESPACE: Uuid = Uuid::from_u128(0x6b0c_1d5e_8f5a_4b7e_9d3c_b411_0f0f_5e1d);

/// The longest id that is accepted.
const MAX_LENGTH: usize = 64;

/// Why a string is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{given}\" is not a valid {what} id: use 1 to 64 letters, digits, '_' or '-'")]
pub struct InvalidId {
    what: &'static str,
    given: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_id(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    let given = text.chars().take(MAX_LENGTH).collect();
                    Err(InvalidId { what: $what, given })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A booking, and the Temporal workflow that carries it: `bk_…`.
    BookingId, "booking"
}
id! {
    /// Whoever acts or owns: a customer (`cus_…`), a driver (`drv_…`), a manager, an operator.
    SubjectId, "subject"
}
id! {
    /// A company that offers taxis, or a museum.
    CompanyId, "company"
}
id! {
    /// A pool of limited things that bookings hold: a company's taxis of one grade.
    PoolId, "pool"
}
id! {
    /// A payment method that a customer has stored: `pm_…`.
    MethodId, "payment method"
}
id! {
    /// Somebody who is asked to serve a booking, or does: the claim on them, `of_…`.
    OfferId, "offer"
}
id! {
    /// Something that goes on for a while, to be asked after: `op_…`.
    OperationId, "operation"
}
id! {
    /// A quoted cancellation fee: `cq_…`.
    QuoteId, "cancellation quote"
}

impl BookingId {
    /// The id that a caller's idempotency key stands for, always the same one.
    pub fn from_key(caller: &SubjectId, idempotency_key: &str) -> Self {
        let name = format!("{caller}\0{idempotency_key}");
        Self(format!("bk_{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).simple()))
    }
}

/// What numbers are written with: nothing that is read as something else (Crockford's base 32).
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl BookingId {
    /// The number on the booking's confirmation of entry, always the same one: `7K3M-0QZX-92TB`.
    pub fn entry_number(&self) -> String {
        let name = format!("entry\0{self}");
        let (_, mut rest) = Uuid::new_v5(&NAMESPACE, name.as_bytes()).as_u64_pair();
        let mut number = String::with_capacity(14);
        for place in 0..12 {
            if place > 0 && place % 4 == 0 {
                number.push('-');
            }
            // Twelve digits of five bits leave out the four that say which kind of UUID it is.
            let digit = usize::try_from(rest % 32).unwrap_or_default();
            number.push(char::from(DIGITS[digit]));
            rest >>= 5;
        }
        number
    }
}

impl MethodId {
    /// The id of the method that a booking stores, or that a request under `key` registers.
    pub fn from_key(owner: &SubjectId, key: &str) -> Self {
        let name = format!("{owner}\0{key}");
        Self(format!("pm_{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).simple()))
    }
}

impl OfferId {
    /// The id of a booking's `ordinal`th claim.
    pub fn new(booking: &BookingId, ordinal: u32) -> Self {
        let name = format!("{booking}\0{ordinal}");
        Self(format!("of_{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).simple()))
    }
}

impl OperationId {
    /// The id of what a caller's request under `key` began, always the same one.
    pub fn from_key(caller: &SubjectId, key: &str) -> Self {
        let name = format!("{caller}\0{key}");
        Self(format!("op_{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).simple()))
    }
}

impl QuoteId {
    /// A new id; `uuid` comes from the caller, who may be random.
    pub fn new(uuid: Uuid) -> Self {
        Self(format!("cq_{}", uuid.simple()))
    }
}

fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=MAX_LENGTH).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_booking_per_caller() -> Result<(), InvalidId> {
        let (kim, lee): (SubjectId, SubjectId) = ("cus_kim".parse()?, "cus_lee".parse()?);
        assert_eq!(BookingId::from_key(&kim, "a1"), BookingId::from_key(&kim, "a1"));
        assert_ne!(BookingId::from_key(&kim, "a1"), BookingId::from_key(&lee, "a1"));
        assert_ne!(BookingId::from_key(&kim, "a1"), BookingId::from_key(&kim, "a2"));
        Ok(())
    }

    #[test]
    fn a_booking_has_one_number_that_can_be_read_aloud() -> Result<(), InvalidId> {
        let (one, other): (BookingId, BookingId) = ("bk_1".parse()?, "bk_2".parse()?);
        let number = one.entry_number();
        assert_eq!((number.len(), &number), (14, &one.entry_number()));
        assert_ne!(number, other.entry_number());
        let groups: Vec<_> = number.split('-').collect();
        assert!(groups.iter().all(|it| it.len() == 4), "{number}");
        assert!(!number.contains(['I', 'L', 'O', 'U']), "{number}");
        Ok(())
    }

    #[test]
    fn what_could_be_read_as_something_else_is_no_id() {
        for text in ["", "a b", "a/b", "a'", "é", &"x".repeat(65)] {
            assert!(text.parse::<PoolId>().is_err(), "{text:?}");
        }
    }
}
