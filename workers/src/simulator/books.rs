//! Everything that has happened, in memory: the ledger's entries, folded.

use std::collections::HashMap;

use anyhow::ensure;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    refusal::Refusal,
    request::{Key, Operation, Request},
    rules::{self, Answer},
    wire::{Money, NewMessage, Payment},
};

/// A call that was answered: one line of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) at: Timestamp,
    pub(super) key: String,
    pub(super) request: Request,
    pub(super) answer: Answer,
}

/// The payments, declines and messages, oldest first, and each key's answer.
#[derive(Default, Serialize)]
pub(super) struct Books {
    payments: Vec<Account>,
    declines: Vec<Decline>,
    messages: Vec<Message>,
    #[serde(skip)]
    by_id: HashMap<String, usize>,
    #[serde(skip)]
    answered: HashMap<Key, Answered>,
}

/// What was first answered under a key, and to what.
pub(super) struct Answered {
    pub(super) request: Request,
    pub(super) answer: Answer,
}

/// What is found under a payment's key.
pub(super) enum Found {
    /// The payment as it is now.
    Payment(Payment),
    Declined,
}

#[derive(Serialize)]
struct Account {
    #[serde(flatten)]
    payment: Payment,
    token: String,
    history: Vec<Move>,
}

#[derive(Serialize)]
struct Move {
    operation: Operation,
    amount: Money,
    at: Timestamp,
}

#[derive(Serialize)]
struct Decline {
    key: String,
    status: &'static str,
    code: &'static str,
    token: String,
    amount: Money,
    reference: String,
    at: Timestamp,
}

#[derive(Serialize)]
struct Message {
    id: String,
    key: String,
    #[serde(flatten)]
    message: NewMessage,
    at: Timestamp,
}

impl Books {
    /// What the partner says to a request with a key that is not answered yet. Changes nothing.
    pub(super) fn decide(
        &self,
        key: &Key,
        request: &Request,
        at: Timestamp,
    ) -> Result<Answer, Refusal> {
        match request {
            Request::Pay(new) => Ok(rules::pay(&key.text, new, at)),
            Request::Capture { payment, amount } => rules::capture(self.payment(payment)?, amount),
            Request::Void { payment } => Ok(rules::void(self.payment(payment)?)),
            Request::Refund { payment, amount } => rules::refund(self.payment(payment)?, amount),
            Request::Send(new) => Ok(rules::send(new)),
        }
    }

    /// Whether an entry can follow the others: what is read from a file has to prove it.
    pub(super) fn check(&self, entry: &Entry) -> anyhow::Result<()> {
        ensure!(self.answered(&key_of(entry)).is_none(), "the key was answered before");
        match (&entry.request, &entry.answer) {
            (Request::Pay(_), Answer::Payment(new)) => {
                ensure!(!self.by_id.contains_key(&new.id), "the payment is there already");
            }
            (_, Answer::Payment(changed)) => {
                ensure!(self.by_id.contains_key(&changed.id), "it changes an unknown payment");
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in an entry that the ledger has.
    pub(super) fn apply(&mut self, entry: Entry) {
        let key = key_of(&entry);
        let Entry { at, request, answer, .. } = entry;
        match (&request, &answer) {
            (Request::Pay(new), Answer::Payment(payment)) => {
                let history =
                    vec![Move { operation: request.operation(), amount: new.amount.clone(), at }];
                self.by_id.insert(payment.id.clone(), self.payments.len());
                let token = new.token.clone();
                self.payments.push(Account { payment: payment.clone(), token, history });
            }
            (Request::Pay(new), Answer::CardDeclined) => self.declines.push(Decline {
                key: key.text.clone(),
                status: "declined",
                code: "card_declined",
                token: new.token.clone(),
                amount: new.amount.clone(),
                reference: new.reference.clone(),
                at,
            }),
            (Request::Send(new), Answer::Accepted { id }) => self.messages.push(Message {
                id: id.clone(),
                key: key.text.clone(),
                message: new.clone(),
                at,
            }),
            (_, Answer::Payment(payment)) => self.change(&request, payment, at),
            _ => {}
        }
        self.answered.insert(key, Answered { request, answer });
    }

    pub(super) fn answered(&self, key: &Key) -> Option<&Answered> {
        self.answered.get(key)
    }

    /// What became of the payment that was asked for under the key. The key of a capture, void or
    /// refund finds nothing.
    pub(super) fn find(&self, key: &Key) -> Option<Found> {
        match &self.answered(key)? {
            Answered { request: Request::Pay(_), answer: Answer::Payment(first) } => {
                self.payment(&first.id).ok().cloned().map(Found::Payment)
            }
            Answered { request: Request::Pay(_), answer: Answer::CardDeclined } => {
                Some(Found::Declined)
            }
            _ => None,
        }
    }

    fn payment(&self, id: &str) -> Result<&Payment, Refusal> {
        let place = self.by_id.get(id).ok_or(Refusal::NotFound)?;
        Ok(&self.payments[*place].payment)
    }

    fn change(&mut self, request: &Request, payment: &Payment, at: Timestamp) {
        let Some(account) = self.by_id.get(&payment.id).map(|place| &mut self.payments[*place])
        else {
            return;
        };
        let amount = match request {
            Request::Capture { amount, .. } | Request::Refund { amount, .. } => amount,
            _ => &payment.amount,
        };
        let operation = request.operation();
        account.history.push(Move { operation, amount: amount.clone(), at });
        account.payment = payment.clone();
    }
}

fn key_of(entry: &Entry) -> Key {
    Key { partner: entry.request.operation().partner(), text: entry.key.clone() }
}
