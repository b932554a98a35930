//! The bodies that go over the wire. They stand in the ledger file, too.

use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    refusal::Refusal,
    request::{Key, Partner},
};

/// An amount in the currency's minor unit. The won has none: 25000 is 25,000 won.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Money {
    pub(super) minor: i64,
    pub(super) currency: String,
}

impl Money {
    /// More than nothing, in something that looks like an ISO 4217 code.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.minor <= 0 {
            return Err(Refusal::InvalidRequest("the amount must be above zero".into()));
        }
        if self.currency.len() != 3 || !self.currency.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(Refusal::InvalidRequest("the currency must be an ISO 4217 code".into()));
        }
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPayment {
    pub(super) token: String,
    pub(super) amount: Money,
    pub(super) capture: bool,
    pub(super) reference: String,
}

impl NewPayment {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.amount.check()?;
        named("reference", &self.reference)
    }
}

/// The body of a capture and of a refund.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) amount: Money,
}

/// The body of a void.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentStatus {
    Authorized,
    Captured,
    Voided,
    Refunded,
    PartRefunded,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) status: PaymentStatus,
    /// What was authorised. A part capture leaves it as it is.
    pub(super) amount: Money,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    pub(super) reference: String,
    pub(super) created_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    Sms,
    Kakaotalk,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMessage {
    pub(super) channel: Channel,
    /// In E.164.
    pub(super) to: String,
    pub(super) template: String,
    pub(super) text: String,
    pub(super) reference: String,
}

impl NewMessage {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let digits = self.to.strip_prefix('+').unwrap_or_default();
        if !(8..=15).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Refusal::InvalidRequest("the number must be in E.164".into()));
        }
        named("template", &self.template)?;
        named("reference", &self.reference)
    }
}

/// Reads a body. Fields that nobody knows are refused, so that "the same body" leaves nothing out.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::InvalidRequest(error.to_string()))
}

/// The call's `Idempotency-Key`.
pub(super) fn key(partner: Partner, headers: &HeaderMap) -> Result<Key, Refusal> {
    let text = headers.get("idempotency-key").and_then(|value| value.to_str().ok());
    match text {
        Some(text) if (1..=255).contains(&text.len()) => Ok(Key { partner, text: text.to_owned() }),
        Some(_) => Err(Refusal::InvalidRequest("the key must have 1 to 255 characters".into())),
        None => Err(Refusal::InvalidRequest("the header Idempotency-Key is required".into())),
    }
}

fn named(field: &str, value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::InvalidRequest(format!("{field} must not be empty")));
    }
    Ok(())
}
