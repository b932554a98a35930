//! The `operations` family: what goes on for a while on our own database.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::sync::Arc;

use bellhop_domain::event::CommandRef;
use bellhop_store::{OperationRow, Store};
use bellhop_workflows::{
    command::{Caller, Cancel, Command},
    contract::operations::{self, Batch, Withdraw},
};
use jiff::Timestamp;
use temporalio_common::ActivityError;
use temporalio_macros::activities;
use temporalio_sdk::activities::ActivityContext;

use crate::failure;

/// How many bookings are told at a time.
const BATCH: u32 = 100;

/// Activities of the `operations` family.
pub struct OperationActivities {
    store: Store,
}

impl OperationActivities {
    /// Activities on a database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[activities]
impl OperationActivities {
    /// Tells a batch of bookings to cancel, by writing their commands down: whoever gives commands to
    /// bookings gives these at once. Who withdrew is who cancels, so that everything is refunded.
    #[activity(definition = operations::WithdrawBatch)]
    pub async fn withdraw_batch(
        self: Arc<Self>,
        _ctx: ActivityContext,
        withdraw: Withdraw,
    ) -> Result<Batch, ActivityError> {
        let now = Timestamp::now();
        let cancel = |operation: &OperationRow, id: &str| {
            let command =
                CommandRef { id: id.to_owned(), fingerprint: operation.fingerprint.clone() };
            let caller = Caller { actor: operation.actor.clone(), command, at: now };
            let reason = operation.reason.clone().or_else(|| Some("withdrawn".to_owned()));
            Command::Cancel(Cancel { caller, reason, terms: None })
        };
        let batch = self.store.withdraw_batch(&withdraw.operation, BATCH, cancel, now);
        let batch = batch.await.map_err(failure::store)?;
        // An operation that is not there has nothing left to do.
        Ok(batch.map_or(Batch { told: 0, remaining: 0 }, |it| Batch {
            told: it.told,
            remaining: it.remaining,
        }))
    }
}
