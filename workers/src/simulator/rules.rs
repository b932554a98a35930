//! What the partners answer to what: pure functions of the request and the payment it is about.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    refusal::Refusal,
    wire::{Channel, Money, NewMessage, NewPayment, Payment, PaymentStatus},
};

/// A partner's answer. It is kept under the call's key, a no as well as a yes, and is what every
/// repeat of the call hears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum Answer {
    /// The payment right after the call.
    Payment(Payment),
    CardDeclined,
    InvalidState {
        status: PaymentStatus,
    },
    AmountTooLarge,
    Accepted {
        id: String,
    },
    NotAUser,
    Undeliverable,
}

pub(super) fn pay(key: &str, new: &NewPayment, at: Timestamp) -> Answer {
    if new.token == "tok_declined" {
        return Answer::CardDeclined;
    }
    let (status, captured) = match new.capture {
        true => (PaymentStatus::Captured, new.amount.minor),
        false => (PaymentStatus::Authorized, 0),
    };
    Answer::Payment(Payment {
        id: fresh_id("pay"),
        key: key.to_owned(),
        status,
        amount: new.amount.clone(),
        captured,
        refunded: 0,
        reference: new.reference.clone(),
        created_at: at,
    })
}

/// Captures once, all or a part: the rest is released and cannot be captured later.
pub(super) fn capture(payment: &Payment, amount: &Money) -> Result<Answer, Refusal> {
    same_currency(payment, amount)?;
    Ok(if payment.status != PaymentStatus::Authorized {
        Answer::InvalidState { status: payment.status }
    } else if amount.minor > payment.amount.minor {
        Answer::AmountTooLarge
    } else {
        let status = PaymentStatus::Captured;
        Answer::Payment(Payment { status, captured: amount.minor, ..payment.clone() })
    })
}

pub(super) fn void(payment: &Payment) -> Answer {
    if payment.status != PaymentStatus::Authorized {
        return Answer::InvalidState { status: payment.status };
    }
    Answer::Payment(Payment { status: PaymentStatus::Voided, ..payment.clone() })
}

pub(super) fn refund(payment: &Payment, amount: &Money) -> Result<Answer, Refusal> {
    same_currency(payment, amount)?;
    if !matches!(payment.status, PaymentStatus::Captured | PaymentStatus::PartRefunded) {
        return Ok(Answer::InvalidState { status: payment.status });
    }
    let left = payment.captured - payment.refunded;
    if amount.minor > left {
        return Ok(Answer::AmountTooLarge);
    }
    let status = match amount.minor == left {
        true => PaymentStatus::Refunded,
        false => PaymentStatus::PartRefunded,
    };
    let refunded = payment.refunded + amount.minor;
    Ok(Answer::Payment(Payment { status, refunded, ..payment.clone() }))
}

pub(super) fn send(new: &NewMessage) -> Answer {
    if new.to.ends_with("0000") {
        Answer::Undeliverable
    } else if new.channel == Channel::Kakaotalk && new.to.ends_with("9999") {
        Answer::NotAUser
    } else {
        Answer::Accepted { id: fresh_id("msg") }
    }
}

/// What goes over the wire. A payment is 200 here; where it was just made, the caller says 201.
impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let no = StatusCode::UNPROCESSABLE_ENTITY;
        let (status, body) = match self {
            Answer::Payment(payment) => return Json(payment).into_response(),
            Answer::CardDeclined => (
                StatusCode::PAYMENT_REQUIRED,
                json!({ "code": "card_declined", "message": "the card was declined" }),
            ),
            Answer::InvalidState { status } => {
                (StatusCode::CONFLICT, json!({ "code": "invalid_state", "status": status }))
            }
            Answer::AmountTooLarge => (no, json!({ "code": "amount_too_large" })),
            Answer::Accepted { id } => {
                (StatusCode::ACCEPTED, json!({ "id": id, "status": "accepted" }))
            }
            Answer::NotAUser => (no, json!({ "code": "not_a_user" })),
            Answer::Undeliverable => (no, json!({ "code": "undeliverable" })),
        };
        (status, Json(body)).into_response()
    }
}

fn same_currency(payment: &Payment, amount: &Money) -> Result<(), Refusal> {
    if payment.amount.currency != amount.currency {
        return Err(Refusal::InvalidRequest("the payment has another currency".into()));
    }
    Ok(())
}

fn fresh_id(prefix: &str) -> String {
    format!("{prefix}_{}", Uuid::now_v7().simple())
}
