//! The hands of Bellhop: the activities that booking workflows act through, and the partners that
//! some of them call over HTTP.
//!
//! One file per file of `bellhop_workflows::contract`, with the same name. Every activity may run
//! twice, in a changed world, and answers its first outcome. Every failure may be tried again.

mod bookings;
mod dispatch;
mod failure;
mod notifications;
mod operations;
pub mod partner;
mod payments;

pub use bookings::BookingActivities;
pub use dispatch::DispatchActivities;
pub use notifications::{NotificationActivities, Settings as NotificationSettings};
pub use operations::OperationActivities;
pub use payments::{PaymentActivities, Settings as PaymentSettings};
