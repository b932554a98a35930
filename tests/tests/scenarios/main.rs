//! The scenarios that Bellhop must serve: a test per numbered requirement, named after it, on the
//! real engine and over HTTP; and the contract of the API. `make requirements` lists them.

mod api;
mod call_taxi;
mod common;
mod sixth;
mod designated_driver;
mod home_cleaning;
mod staff;
mod exhibition;
mod world;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");
