//! Activities as the engine runs them, on a real database, with partners scripted over HTTP.
//! How they do with partners that behave is tested where the simulator is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod authorize;
mod capture;
mod database;
mod guard;
mod inline;
mod messages;
mod settle;
mod stage;
