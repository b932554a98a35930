//! The withdrawal workflow: cancels every booking of an exhibition that its museum has withdrawn, batch
//! by batch, until none is left (exhibition 10).
//!
//! The pool is closed and the operation is a row before this is started under `withdrawal/<operation>`.
//! Whatever ends it early, it is started again for as long as the operation is not done; each booking
//! knows its cancellation by one id, so that it is cancelled once.

#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::time::Duration;

use bellhop_domain::id::OperationId;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ContinueAsNewOptions, TimerOptions, TimerResult, WorkflowContext, WorkflowContextView,
    WorkflowResult, WorkflowTermination,
};

use crate::contract::operations::{Operations, Withdraw, withdraw_options};

/// How many batches one run goes through before it makes room for the next.
const BATCHES_A_RUN: u32 = 100;

/// How long the first wait for bookings to end takes; each further one twice as long while nothing
/// happens.
const SHORTEST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Withdraws an exhibition from its bookings.
#[workflow]
pub struct Withdrawal {
    withdraw: Withdraw,
}

#[workflow_methods]
impl Withdrawal {
    /// Takes the operation.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, withdraw: Withdraw) -> Self {
        Self { withdraw }
    }

    /// Tells the bookings, a batch at a time, and waits for them to end. A cancel from Temporal's own
    /// tools ends this run: nothing takes a withdrawal back.
    #[run(name = "withdrawal")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let withdraw = ctx.state(|it| it.withdraw.clone());
        let (mut wait, mut before) = (SHORTEST_WAIT, u32::MAX);
        for _ in 0..BATCHES_A_RUN {
            let batch = ctx.execute_activity(
                Operations::withdraw_batch,
                withdraw.clone(),
                withdraw_options(),
            );
            let batch = batch.await?;
            ctx.set_current_details(format!("{} bookings have yet to end", batch.remaining));
            if batch.remaining == 0 {
                return Ok(());
            }
            let is_going_on = batch.told > 0 || batch.remaining < before;
            wait = if is_going_on { SHORTEST_WAIT } else { (2 * wait).min(LONGEST_WAIT) };
            before = batch.remaining;
            let timer = TimerOptions::builder(wait).summary("until bookings have ended".to_owned());
            if ctx.timer(timer.build()).await == TimerResult::Cancelled {
                return Err(WorkflowTermination::cancelled());
            }
        }
        ctx.continue_as_new(withdraw, ContinueAsNewOptions::default())?;
        Ok(())
    }
}

/// The workflow id of an operation.
pub fn workflow_id(operation: &OperationId) -> String {
    format!("withdrawal/{operation}")
}
