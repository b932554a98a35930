//! The call taxi: reserved with payment and stock, reviewed by a manager, driven.

mod approval;
mod cancellation;
mod fare;
mod outage;
mod payment;
mod progress;
mod stock;
