//! What stands in a column: instants, JSON and words, the same on both databases.

use std::{error::Error, str::FromStr};

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Database, Decode, Encode, Type, encode::IsNull};

type Failure = Box<dyn Error + Send + Sync>;

/// A point in time, as microseconds since 1970 in a BIGINT. (jiff's text sorts wrongly.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(Timestamp);

impl Instant {
    pub(crate) fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Instant {
    /// What is finer than a microsecond is cut off, as the database would.
    fn from(at: Timestamp) -> Self {
        Self(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
    }
}

impl<DB: Database> Type<DB> for Instant
where
    i64: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        i64::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        i64::compatible(ty)
    }
}

impl<'q, DB: Database> Encode<'q, DB> for Instant
where
    i64: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, Failure> {
        self.0.as_microsecond().encode(buffer)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Instant
where
    i64: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, Failure> {
        Ok(Self(Timestamp::from_microsecond(i64::decode(value)?)?))
    }
}

/// A value as JSON in a TEXT column: PostgreSQL's own type would need another SQL text, and
/// nothing looks inside.
#[derive(Clone, Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T, DB: Database> Type<DB> for Json<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        String::compatible(ty)
    }
}

impl<'q, T: Serialize, DB: Database> Encode<'q, DB> for Json<T>
where
    String: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, Failure> {
        serde_json::to_string(&self.0)?.encode(buffer)
    }
}

impl<'r, T: DeserializeOwned, DB: Database> Decode<'r, DB> for Json<T>
where
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, Failure> {
        Ok(Self(serde_json::from_str(<&str>::decode(value)?)?))
    }
}

/// A word that is parsed as it is read: an id, a currency.
#[derive(Clone, Debug)]
pub(crate) struct Word<T>(pub(crate) T);

impl<T, DB: Database> Type<DB> for Word<T>
where
    String: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        String::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        String::compatible(ty)
    }
}

impl<'r, T, DB: Database> Decode<'r, DB> for Word<T>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
    &'r str: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, Failure> {
        Ok(Self(<&str>::decode(value)?.parse()?))
    }
}
