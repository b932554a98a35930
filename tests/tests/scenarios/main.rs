//! The scenarios that Bellhop must serve: a test per numbered requirement, named after it, on the
//! real engine and over HTTP; and the contract of the API. `make requirements` lists them.

mod api;
mod call_taxi;
mod coffee;
mod common;
mod designated_driver;
mod exhibition;
mod files;
mod home_cleaning;
mod sixth;
mod staff;
mod world;

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");
