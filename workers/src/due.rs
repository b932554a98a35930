//! Looking for messages that are due, and starting the workflow that delivers them.
//!
//! One query every 200 ms, whatever the number of bookings; a shard's workflow runs only while
//! something of it is due. Nothing is lost when this stops: due rows stay due.

use std::{collections::BTreeSet, time::Duration};

use bellhop_store::Store;
use bellhop_workflows::{
    contract::notifications::{Deliver, TASK_QUEUE},
    messages::{self, Messages},
};
use jiff::Timestamp;
use temporalio_client::{
    Client, UntypedWorkflow, WorkflowGetResultOptions, WorkflowStartOptions,
    errors::WorkflowStartError,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often due shards are looked for.
const INTERVAL: Duration = Duration::from_millis(200);

/// Starts `messages/<shard>` whenever messages of the shard are due and it is not running, until
/// `stop`. Errors of the database or of Temporal are logged and tried again at the next look.
pub async fn watch(store: Store, client: Client, stop: CancellationToken) {
    let mut looks = tokio::time::interval(INTERVAL);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut running, mut runs) = (BTreeSet::new(), JoinSet::new());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            Some(ended) = runs.join_next() => {
                if let Ok(shard) = ended {
                    running.remove(&shard);
                }
                continue;
            }
            _ = looks.tick() => {}
        }
        let due = match store.due_shards(Timestamp::now()).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "due messages unknown");
                continue;
            }
        };
        for shard in due {
            if running.insert(shard) {
                runs.spawn(run(client.clone(), shard));
            }
        }
    }
}

/// Runs a shard's workflow, or joins the one that runs, and answers the shard when it has ended.
async fn run(client: Client, shard: i16) -> i16 {
    let id = messages::workflow_id(shard);
    let options = WorkflowStartOptions::new(TASK_QUEUE, id.clone())
        .enable_eager_workflow_start(true)
        .static_summary(format!("messages of shard {shard}"))
        .build();
    match client.start_workflow(Messages::run, Deliver { shard }, options).await {
        Ok(_) | Err(WorkflowStartError::AlreadyStarted { .. }) => {
            let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
            // However it ended: if anything is still due, the next look starts it again.
            let _ = handle.get_result(WorkflowGetResultOptions::default()).await;
        }
        Err(error) => {
            tracing::warn!(shard, error = &error as &dyn std::error::Error, "messages not started");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    shard
}
