//! Faults: whatever fails on the way, every booking ends as its customer was told, and the money,
//! the places and the messages are right.
//!
//! Black box on the real engine. Faults are put before and after activities ([`bellhop_tests::faults`]),
//! into the partners (the simulator's controls and tokens), or are a `kill -9` of everything.

mod cancels;
mod course;
mod crowd;
#[cfg(feature = "storms")]
mod deaths;
mod end;
mod ground;
#[cfg(feature = "storms")]
mod kills;
#[cfg(feature = "storms")]
mod refused;
mod renewal;
mod services;
mod sweep;
mod tokens;
mod users;
mod withdrawal;
mod world;

/// Bellhop, as the tests run it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");
