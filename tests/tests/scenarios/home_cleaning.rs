//! Home cleaning: paid at once with a stored method, or with one that is stored with it, and dispatched
//! to a cleaner.

mod cards;
mod dashboard;
mod dispatch;
mod methods;
mod outage;
