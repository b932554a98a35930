//! The database of Bellhop, on SQLite and PostgreSQL: journal and views, pools and holds, attempts,
//! ledger, messages and the feed.
//!
//! Everything is a method of [`Store`], in the file of its table. Acts store their outcome under
//! their key in the transaction of their effect, so a repeat in a changed world answers the same.
//! Every method may fail for a passing reason ([`StoreError::is_transient`]) and may be repeated.
//!
//! Row locks are taken in one order everywhere: the booking, its hold, then the pool or the people.

mod db;

mod acts;
mod attempts;
mod bookings;
mod cancellation_quotes;
mod claims;
mod column;
mod commands;
mod confirmations;
mod connect;
mod dashboard;
mod error;
mod events;
pub mod feed;
mod fill;
mod holds;
mod invariants;
mod ledger;
mod messages;
mod migrations;
mod opening;
mod operations;
mod outstanding;
mod page;
mod partners;
mod payment_methods;
mod pools;
mod queues;
mod rebuild;
mod release;
mod scratch;
mod staff;
#[cfg(feature = "testing")]
pub mod testing;

pub use attempts::{Attempt, AttemptRow};
pub use bookings::{BookingFilter, BookingRow};
pub use cancellation_quotes::CancellationQuote;
pub use claims::ClaimRow;
pub use commands::GivenCommand;
pub use dashboard::{DashboardFilter, DashboardRow};
pub use db::{Store, statements};
pub use error::StoreError;
pub use events::KnownCommand;
pub use invariants::Broken;
pub use ledger::{Account, Balance, Posting, Receipt};
pub use messages::{DueMessage, MessageOutcome, MessageRow, SHARDS, shard};
pub use operations::{OperationRow, Withdrawal, Withdrawn};
pub use outstanding::Outstanding;
pub use page::{Cursor, InvalidCursor, Page};
pub use payment_methods::{MethodChange, NewMethod, PaymentMethod};
pub use pools::{Pool, PoolRow};
pub use rebuild::Rebuilt;
pub use scratch::Scratch;
pub use staff::{Location, Staff, StaffRow};

/// What every method of the store answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
