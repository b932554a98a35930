//! The contract of the API: what every caller may rely on.

mod door;
mod idempotency;
mod lists;
mod requests;
mod waiting;
