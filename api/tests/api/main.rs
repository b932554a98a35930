//! The API from outside: its router on a real SQLite database, with Temporal faked at the wire.

mod booking;
mod commands;
mod door;
mod exhibitions;
mod reading;
mod staff;
mod taxis;
mod temporal;
mod world;
