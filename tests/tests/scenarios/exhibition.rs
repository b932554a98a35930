//! The exhibition: a museum visit with limited places and a confirmation of entry.

mod booking;
mod cancellation;
mod hall;
mod museum;
mod outage;
mod places;
mod withdrawal;
