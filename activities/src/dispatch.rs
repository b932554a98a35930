//! The `dispatch` family: assigning who or what serves a booking.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::sync::Arc;

use bellhop_domain::act::{Assign, Assigned, Claim, Claimed, Confirm, Confirmed};
use bellhop_store::Store;
use bellhop_workflows::contract::dispatch;
use jiff::Timestamp;
use temporalio_common::ActivityError;
use temporalio_macros::activities;
use temporalio_sdk::activities::ActivityContext;

use crate::failure;

/// Activities of the `dispatch` family.
pub struct DispatchActivities {
    store: Store,
}

impl DispatchActivities {
    /// Activities on a database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[activities]
impl DispatchActivities {
    /// Takes what was held from its pool for the customer, and journals it. A repeat answers the
    /// first assignment.
    #[activity(definition = dispatch::AssignFromHold)]
    pub async fn assign(
        self: Arc<Self>,
        _ctx: ActivityContext,
        assign: Assign,
    ) -> Result<Assigned, ActivityError> {
        self.store.assign_from_hold(&assign, Timestamp::now()).await.map_err(failure::store)
    }

    /// Claims the nearest free person who can do it, and journals that. A repeat answers the first
    /// outcome, whoever is free by then.
    #[activity(definition = dispatch::ClaimNearest)]
    pub async fn claim(
        self: Arc<Self>,
        _ctx: ActivityContext,
        claim: Claim,
    ) -> Result<Claimed, ActivityError> {
        self.store.claim_nearest(&claim, Timestamp::now()).await.map_err(failure::store)
    }

    /// Issues the visitor's confirmation of entry, and journals it. A repeat answers the first.
    #[activity(definition = dispatch::ConfirmEntry)]
    pub async fn confirm(
        self: Arc<Self>,
        _ctx: ActivityContext,
        confirm: Confirm,
    ) -> Result<Confirmed, ActivityError> {
        self.store.confirm_entry(&confirm, Timestamp::now()).await.map_err(failure::store)
    }
}
