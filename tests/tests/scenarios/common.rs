//! What every service asks for, shown with the call taxi.

mod attention;
mod breaker;
mod correlation;
mod isolation;
mod metrics;
mod policy;
mod record;
mod saga;
