//! The processes of Bellhop: what the one binary is made of.
//!
//! API and workers ship together because they must agree on the contract of the activities. Each
//! role is a subcommand: [`cli`] names them, [`config`] their settings.

pub mod api;
pub mod bench;
pub mod cli;
pub mod client;
pub mod config;
pub mod dev;
pub mod doctor;
pub mod due;
pub mod engine;
pub mod health;
pub mod seed;
pub mod services;
pub mod simulator;
pub mod stack;
pub mod stop;
pub mod telemetry;
pub mod temporal;
pub mod worker;
