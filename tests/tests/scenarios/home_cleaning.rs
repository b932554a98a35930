//! Home cleaning: paid at once with a stored method, or with one that is stored with it.

mod cards;
mod dashboard;
mod methods;
mod outage;
