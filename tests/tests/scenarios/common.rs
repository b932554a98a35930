//! What every service asks for, shown with the call taxi.

mod breaker;
mod correlation;
mod isolation;
mod record;
mod saga;
