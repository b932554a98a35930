//! The `bookings` family: acts on our own database. Each is one transaction of the store, which
//! keeps its outcome.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::sync::Arc;

use bellhop_domain::act::{
    Append, Appended, Expire, Expiry, Firm, Firmed, Open, Opened, Release, Released, UseUp, UsedUp,
};
use bellhop_store::Store;
use bellhop_workflows::contract::bookings;
use jiff::Timestamp;
use temporalio_common::ActivityError;
use temporalio_macros::activities;
use temporalio_sdk::activities::ActivityContext;

use crate::failure;

/// Activities of the `bookings` family.
pub struct BookingActivities {
    store: Store,
}

impl BookingActivities {
    /// Activities on a database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[activities]
impl BookingActivities {
    /// Prices the booking, holds what it needs, and journals both.
    #[activity(definition = bookings::OpenBooking)]
    pub async fn open(
        self: Arc<Self>,
        _ctx: ActivityContext,
        open: Open,
    ) -> Result<Opened, ActivityError> {
        self.store.open_booking(&open, Timestamp::now()).await.map_err(failure::store)
    }

    /// Makes the hold last and journals the payment.
    #[activity(definition = bookings::FirmHold)]
    pub async fn firm(
        self: Arc<Self>,
        _ctx: ActivityContext,
        firm: Firm,
    ) -> Result<Firmed, ActivityError> {
        self.store.firm_hold(&firm, Timestamp::now()).await.map_err(failure::store)
    }

    /// Gives the hold back if it has expired.
    #[activity(definition = bookings::ExpireHold)]
    pub async fn expire(
        self: Arc<Self>,
        _ctx: ActivityContext,
        expire: Expire,
    ) -> Result<Expiry, ActivityError> {
        self.store.expire_hold(&expire, Timestamp::now()).await.map_err(failure::store)
    }

    /// Uses up what is held.
    #[activity(definition = bookings::UseUpHold)]
    pub async fn use_up(
        self: Arc<Self>,
        _ctx: ActivityContext,
        use_up: UseUp,
    ) -> Result<UsedUp, ActivityError> {
        self.store.use_up_hold(&use_up, Timestamp::now()).await.map_err(failure::store)
    }

    /// Lets go of whatever the booking has.
    #[activity(definition = bookings::ReleaseBooking)]
    pub async fn release(
        self: Arc<Self>,
        _ctx: ActivityContext,
        release: Release,
    ) -> Result<Released, ActivityError> {
        self.store.release_booking(&release, Timestamp::now()).await.map_err(failure::store)
    }

    /// Adds events to the journal.
    #[activity(definition = bookings::AppendEvents)]
    pub async fn append(
        self: Arc<Self>,
        _ctx: ActivityContext,
        append: Append,
    ) -> Result<Appended, ActivityError> {
        self.store.append_events(&append, Timestamp::now()).await.map_err(failure::store)
    }
}
