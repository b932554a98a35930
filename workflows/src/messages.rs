//! The messages workflow: delivers what is due of one shard, then ends.
//!
//! A remote activity per message would cost the engine as much as the booking itself, so messages are
//! rows, and this workflow sends a shard's rows together. It is started under `messages/<shard>` by
//! the notifications worker whenever something is due, and lives for minutes.

#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::contract::notifications::{Deliver, Notifications, deliver_options};

/// How many deliveries one run makes before it makes room for the next.
const DELIVERIES_A_RUN: u32 = 20;

/// Delivers one shard's messages.
#[workflow]
pub struct Messages {
    shard: i16,
}

#[workflow_methods]
impl Messages {
    /// Takes the shard.
    #[init]
    pub fn new(_ctx: &WorkflowContextView, deliver: Deliver) -> Self {
        Self { shard: deliver.shard }
    }

    /// Delivers until nothing is due, or for a limited number of rounds: what is left is found by
    /// the next look for due shards.
    #[run(name = "messages")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<u32> {
        let shard = ctx.state(|it| it.shard);
        let mut sent = 0;
        for _ in 0..DELIVERIES_A_RUN {
            let deliver = Deliver { shard };
            let done =
                ctx.execute_activity(Notifications::deliver, deliver, deliver_options()).await?;
            sent += done.messages;
            if !done.more {
                break;
            }
        }
        Ok(sent)
    }
}

/// The workflow id of a shard.
pub fn workflow_id(shard: i16) -> String {
    format!("messages/{shard}")
}
