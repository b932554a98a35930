//! What the partners are asked to do, and under which key.

use serde::{Deserialize, Serialize};

use super::{
    refusal::Refusal,
    wire::{Money, NewMessage, NewPayment},
};

/// Whom a call is for. Each is up or down on its own, and has its own keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Partner {
    Payments,
    Messages,
}

/// The kinds of call that can be counted and paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Operation {
    /// `POST /payments` with `capture: false`.
    Authorize,
    /// `POST /payments` with `capture: true`.
    Charge,
    Capture,
    Void,
    Refund,
    Find,
    Send,
}

impl Operation {
    pub(super) const ALL: [Operation; 7] = [
        Operation::Authorize,
        Operation::Charge,
        Operation::Capture,
        Operation::Void,
        Operation::Refund,
        Operation::Find,
        Operation::Send,
    ];

    pub(super) fn partner(self) -> Partner {
        match self {
            Operation::Send => Partner::Messages,
            _ => Partner::Payments,
        }
    }

    /// The name its calls are counted under.
    pub(super) fn name(self) -> &'static str {
        match self {
            Operation::Authorize => "payments.authorize",
            Operation::Charge => "payments.charge",
            Operation::Capture => "payments.capture",
            Operation::Void => "payments.void",
            Operation::Refund => "payments.refund",
            Operation::Find => "payments.find",
            Operation::Send => "messages.send",
        }
    }
}

/// An idempotency key. All calls that change something at one partner share one space of keys: a
/// capture under the key of its payment is a reuse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) partner: Partner,
    pub(super) text: String,
}

/// A call that has an effect. Two calls are the same call when these are equal, however their JSON
/// was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Request {
    Pay(NewPayment),
    Capture { payment: String, amount: Money },
    Void { payment: String },
    Refund { payment: String, amount: Money },
    Send(NewMessage),
}

impl Request {
    pub(super) fn operation(&self) -> Operation {
        match self {
            Request::Pay(new) if new.capture => Operation::Charge,
            Request::Pay(_) => Operation::Authorize,
            Request::Capture { .. } => Operation::Capture,
            Request::Void { .. } => Operation::Void,
            Request::Refund { .. } => Operation::Refund,
            Request::Send(_) => Operation::Send,
        }
    }

    /// Whether it can be asked at all, before anyone looks at keys or payments.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        match self {
            Request::Pay(new) => new.check(),
            Request::Capture { amount, .. } | Request::Refund { amount, .. } => amount.check(),
            Request::Void { .. } => Ok(()),
            Request::Send(new) => new.check(),
        }
    }

    /// How the call goes, as its token wants it. What says no to every call is said here.
    pub(super) fn manner(&self) -> Result<Manner, Refusal> {
        let Request::Pay(new) = self else { return Ok(Manner::Plain) };
        match new.token.as_str() {
            "tok_slow" => Ok(Manner::Slow),
            "tok_late" => Ok(Manner::Late),
            "tok_lost_answer" => Ok(Manner::LostAnswer),
            "tok_unavailable" => Err(Refusal::Unavailable),
            token if token.starts_with("tok_") => Ok(Manner::Plain),
            _ => Err(Refusal::InvalidToken),
        }
    }
}

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Plain,
    /// In progress for a while, then answered.
    Slow,
    /// Never answered, and not found for a while.
    Late,
    /// Done, and not answered.
    LostAnswer,
}
