//! Attempts: calls to the payment provider. The row is there before the call is made, so whoever
//! comes later asks the provider instead of calling again, or closes the key before it is used.

use std::str::FromStr;

use bellhop_domain::{id::BookingId, key::ActKey};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    Posting, Result, Store, StoreError,
    column::{Instant, Json, Word},
    db::query,
    ledger,
};

/// How an attempt stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Nothing was sent under the key: the caller may, once.
    New,
    /// It was sent before, and how it went is not stored: the provider has to be asked.
    Sent {
        /// When it was begun.
        began_at: Timestamp,
        /// How often `begin_attempt` found it sent, this time included.
        asked: i64,
    },
    /// The stored outcome.
    Done(Value),
    /// Nothing was sent under the key, and nothing may be.
    Closed,
}

/// An attempt, as it stands in the database.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// Its key, which is the provider's idempotency key.
    pub key: String,
    /// What it calls: `authorize`. `None` where it was closed before it began.
    pub kind: Option<String>,
    /// How it stands; never [`Attempt::New`].
    pub state: Attempt,
    /// What it sends.
    pub request: Option<Value>,
    /// When it was begun, or closed.
    pub began_at: Timestamp,
    /// When its outcome was stored.
    pub ended_at: Option<Timestamp>,
}

impl Store {
    /// Begins an attempt, or says what became of the one that is there.
    ///
    /// Only one caller ever gets [`Attempt::New`] for a key.
    ///
    /// # Errors
    /// Any database error.
    pub async fn begin_attempt(
        &self,
        key: &ActKey,
        booking: &BookingId,
        kind: &str,
        request: &Value,
        now: Timestamp,
    ) -> Result<Attempt> {
        let row: Row = query!(
            fetch_one,
            self.writer().await?,
            "INSERT INTO attempts (act_key, booking_id, kind, state, request, asked, began_at)
             VALUES ($1, $2, $3, 'sent', $4, 0, $5)
             ON CONFLICT (act_key) DO UPDATE
             SET asked = attempts.asked + CASE attempts.state WHEN 'sent' THEN 1 ELSE 0 END
             RETURNING act_key, kind, state, request, outcome, asked, began_at, ended_at",
            key.as_str(),
            booking.as_str(),
            kind,
            Json(request),
            Instant::from(now),
        )?;
        Ok(row.state())
    }

    /// Stores the outcome of an attempt with what it moves in the ledger. The first outcome wins,
    /// and is the answer; the postings of a later one are left out.
    ///
    /// # Errors
    /// [`StoreError::AttemptClosed`], [`StoreError::NoAttempt`], or any database error.
    pub async fn finish_attempt(
        &self,
        key: &ActKey,
        outcome: &Value,
        postings: &[Posting],
        now: Timestamp,
    ) -> Result<Value> {
        let mut tx = self.begin().await?;
        let won: Option<(Word<BookingId>,)> = query!(
            fetch_optional,
            tx,
            "UPDATE attempts SET state = 'done', outcome = $1, ended_at = $2
             WHERE act_key = $3 AND state = 'sent'
             RETURNING booking_id",
            Json(outcome),
            Instant::from(now),
            key.as_str(),
        )?;
        if let Some((Word(booking),)) = won {
            ledger::insert(&mut tx, &booking, postings, now).await?;
            tx.commit().await?;
            return Ok(outcome.clone());
        }
        let row: Option<Row> = query!(
            fetch_optional,
            tx,
            "SELECT act_key, kind, state, request, outcome, asked, began_at, ended_at
             FROM attempts WHERE act_key = $1",
            key.as_str(),
        )?;
        match row.map(|it| it.state()) {
            Some(Attempt::Done(outcome)) => Ok(outcome),
            Some(_) => Err(StoreError::AttemptClosed(key.to_string())),
            None => Err(StoreError::NoAttempt(key.to_string())),
        }
    }

    /// Closes a key under which nothing was sent: [`Attempt::Closed`], now or before. One that
    /// was sent stays as it is, and is the answer: [`Attempt::Sent`] or [`Attempt::Done`].
    ///
    /// # Errors
    /// Any database error.
    pub async fn close_attempt(
        &self,
        key: &ActKey,
        booking: &BookingId,
        now: Timestamp,
    ) -> Result<Attempt> {
        let row: Row = query!(
            fetch_one,
            self.writer().await?,
            "INSERT INTO attempts (act_key, booking_id, state, asked, began_at)
             VALUES ($1, $2, 'closed', 0, $3)
             ON CONFLICT (act_key) DO UPDATE SET asked = attempts.asked
             RETURNING act_key, kind, state, request, outcome, asked, began_at, ended_at",
            key.as_str(),
            booking.as_str(),
            Instant::from(now),
        )?;
        Ok(row.found())
    }

    /// The attempts of a booking, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn attempts_of(&self, booking: &BookingId) -> Result<Vec<AttemptRow>> {
        let rows: Vec<Row> = query!(
            fetch_all,
            self.reader().await?,
            "SELECT act_key, kind, state, request, outcome, asked, began_at, ended_at
             FROM attempts WHERE booking_id = $1 ORDER BY began_at, act_key",
            booking.as_str(),
        )?;
        Ok(rows.into_iter().map(AttemptRow::from).collect())
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Sent,
    Done,
    Closed,
}

#[derive(Debug, thiserror::Error)]
#[error("no attempt stands so: {0}")]
struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        match word {
            "sent" => Ok(Self::Sent),
            "done" => Ok(Self::Done),
            "closed" => Ok(Self::Closed),
            _ => Err(UnknownState(word.to_owned())),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    act_key: String,
    kind: Option<String>,
    state: Word<State>,
    request: Option<Json<Value>>,
    outcome: Option<Json<Value>>,
    asked: i64,
    began_at: Instant,
    ended_at: Option<Instant>,
}

impl Row {
    /// How it stands for the one who began it: nobody asked, so nobody was here before.
    fn state(&self) -> Attempt {
        match self.found() {
            Attempt::Sent { asked: 0, .. } => Attempt::New,
            found => found,
        }
    }

    fn found(&self) -> Attempt {
        match self.state.0 {
            State::Sent => Attempt::Sent { began_at: self.began_at.timestamp(), asked: self.asked },
            State::Done => {
                Attempt::Done(self.outcome.as_ref().map_or(Value::Null, |it| it.0.clone()))
            }
            State::Closed => Attempt::Closed,
        }
    }
}

impl From<Row> for AttemptRow {
    fn from(row: Row) -> Self {
        Self {
            state: row.found(),
            key: row.act_key,
            kind: row.kind,
            request: row.request.map(|it| it.0),
            began_at: row.began_at.timestamp(),
            ended_at: row.ended_at.map(Instant::timestamp),
        }
    }
}
