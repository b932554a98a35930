//! The home cleaning: charged at once, and dispatched to a cleaner.

mod dispatch;
