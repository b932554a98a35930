//! The payment provider's calls and answers.

use bellhop_domain::{act::Pay, id::BookingId, key::ActKey, money::Money};
use bellhop_store::Store;
use serde::Deserialize;
use serde_json::json;

use super::{Call, CallError, Http, Manner, Place, Settings, Turned};

/// The payment provider.
#[derive(Clone)]
pub struct PaymentProvider {
    http: Http,
}

/// A payment, as the provider has it now.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Payment {
    pub(crate) id: String,
    #[serde(rename = "status")]
    pub(crate) state: State,
    /// What was authorised.
    pub(crate) amount: Money,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
}

/// How a payment stands with the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    Authorized,
    Captured,
    Voided,
    Refunded,
    PartRefunded,
}

/// What the provider has under a key.
#[derive(Debug)]
pub(crate) enum Found {
    Payment(Payment),
    Declined { code: String },
    Nothing,
}

/// How changing a payment went.
#[derive(Debug)]
pub(crate) enum Changed {
    /// The payment after it.
    Done(Payment),
    /// The payment's state does not allow it.
    Refused,
}

impl PaymentProvider {
    /// The provider at the settings' address. When its breaker opens or closes, `store` is told that
    /// `payments` is away or back.
    ///
    /// # Errors
    /// When the address is none, or no HTTP client can be made.
    pub fn new(settings: &Settings, store: Store) -> anyhow::Result<Self> {
        Ok(Self { http: Http::new("payments", settings, Some(store))? })
    }

    /// A place for an act's calls. Nothing has been sent when there is none.
    pub(crate) async fn enter(&self, manner: Manner) -> Result<Place, Turned> {
        self.http.guard.enter(manner).await
    }

    /// Reserves or charges. The same key again answers the first time's outcome.
    pub(crate) async fn pay(&self, place: &Place, pay: &Pay) -> Result<Found, CallError> {
        let body = json!({
            "token": pay.token,
            "amount": pay.amount,
            "capture": pay.capture,
            "reference": pay.booking,
        });
        let call = Call::post(["payments"], &pay.booking, pay.key.as_str(), body);
        let answer = self.http.call(place, call).await?;
        match (answer.status.as_u16(), answer.code()) {
            (200 | 201, _) => answer.read().map(Found::Payment),
            (402, _) => Ok(Found::Declined { code: answer.word("declined") }),
            (422, "invalid_token") => Ok(Found::Declined { code: "invalid_token".to_owned() }),
            _ => Err(CallError::unexpected(&answer)),
        }
    }

    /// What became of the payment that was asked for under `key`.
    pub(crate) async fn find(
        &self,
        place: &Place,
        booking: &BookingId,
        key: &ActKey,
    ) -> Result<Found, CallError> {
        let call = Call::get(["payments"], ("key", key.as_str()), booking);
        let answer = self.http.call(place, call).await?;
        match (answer.status.as_u16(), answer.code()) {
            (200, _) if answer.body["status"] == "declined" => {
                Ok(Found::Declined { code: answer.word("declined") })
            }
            (200, _) => answer.read().map(Found::Payment),
            (404, "not_found") => Ok(Found::Nothing),
            _ => Err(CallError::unexpected(&answer)),
        }
    }

    /// Charges `amount` of a reservation; the rest of it is lifted.
    pub(crate) async fn capture(
        &self,
        place: &Place,
        booking: &BookingId,
        key: &ActKey,
        payment: &str,
        amount: Money,
    ) -> Result<Changed, CallError> {
        let (path, body) = (["payments", payment, "capture"], json!({ "amount": amount }));
        self.change(place, Call::post(path, booking, key.as_str(), body)).await
    }

    /// Lifts a reservation.
    pub(crate) async fn void(
        &self,
        place: &Place,
        booking: &BookingId,
        key: &ActKey,
        payment: &str,
    ) -> Result<Changed, CallError> {
        let (path, body) = (["payments", payment, "void"], json!({}));
        self.change(place, Call::post(path, booking, key.as_str(), body)).await
    }

    /// Gives back `amount` of what was charged.
    pub(crate) async fn refund(
        &self,
        place: &Place,
        booking: &BookingId,
        key: &ActKey,
        payment: &str,
        amount: Money,
    ) -> Result<Changed, CallError> {
        let (path, body) = (["payments", payment, "refund"], json!({ "amount": amount }));
        self.change(place, Call::post(path, booking, key.as_str(), body)).await
    }

    async fn change(&self, place: &Place, call: Call<'_>) -> Result<Changed, CallError> {
        let answer = self.http.call(place, call).await?;
        match (answer.status.as_u16(), answer.code()) {
            (200, _) => answer.read().map(Changed::Done),
            (409, "invalid_state") => Ok(Changed::Refused),
            _ => Err(CallError::unexpected(&answer)),
        }
    }
}
