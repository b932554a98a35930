//! The store on both databases: what it promises when calls repeat, race and come late.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod acts;
mod connections;
mod dashboard;
mod exhibitions;
mod feed;
mod fill;
mod fixture;
mod invariants;
mod journal;
mod lists;
mod messages;
mod money;
mod payment_methods;
mod people;
mod races;
