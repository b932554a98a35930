//! How a booking goes: deterministic workflows, and the contract of the activities that they use.
//!
//! Nothing here can name tokio, sqlx or reqwest; `clippy.toml` bans the clock, randomness, files and
//! hash maps as well. Read [`booking`] first: it tells a booking's course from top to bottom.

pub mod booking;
pub mod command;
pub mod contract;
pub mod messages;
mod phase;
mod record;
mod saga;
pub mod withdrawal;
