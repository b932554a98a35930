//! Bellhop seen from outside: what the tests share.
//!
//! A [`stack::Stack`] is `bellhop` as a user would run it: the real engine, a real database, partners
//! faked at the wire. [`desk::Desk`] books at its API as one of its users; the judge's part is
//! [`stack::Access::assert_invariants`].

pub mod cluster;
pub mod courses;
mod described;
pub mod desk;
pub mod faults;
pub mod history;
pub mod partners;
pub mod stack;
pub mod stream;
