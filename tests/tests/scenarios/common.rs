//! What every service asks for, shown with the call taxi.

mod breaker;
mod correlation;
mod isolation;
mod policy;
mod record;
mod saga;
