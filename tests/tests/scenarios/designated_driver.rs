//! The designated driver: called for an agreed cost, the nearest who is free and can.

mod call;
mod cancellation;
mod offers;
mod outage;
mod progress;
mod seeking;
