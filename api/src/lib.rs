//! The front desk of Bellhop: its HTTP API, in front of everything (common 5).
//!
//! [`router`] makes the routes of an [`Api`]. Requests are read strictly, callers see only what is
//! theirs, and every refusal is a problem with a stable code (RFC 9457). A booking is started as a
//! workflow and its answer comes from the feed of the journal; `routes/create.rs` tells that from
//! top to bottom.

mod body;
mod caller;
mod cards;
mod extract;
mod idempotency;
mod metrics;
mod observe;
mod openapi;
mod outstanding;
mod problem;
mod routes;
mod services;
mod state;
mod temporal;
mod tokens;
mod view;
mod wait;

pub use metrics::text as metrics;
pub use routes::router;
pub use services::{InvalidServices, Services};
pub use state::{Api, Settings};
pub use tokens::{InvalidTokens, Tokens};
