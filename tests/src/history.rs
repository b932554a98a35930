//! Reading a workflow's history from the engine.

use temporalio_client::{Client, UntypedWorkflow, WorkflowFetchHistoryOptions};
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;

/// Connects to a stack's engine.
///
/// # Errors
/// It does not answer.
pub async fn connect(address: &str) -> anyhow::Result<Client> {
    bellhop_workers::temporal::connect(address, "default").await
}

/// The history of a workflow's last run.
///
/// # Errors
/// There is no such workflow, or the engine does not answer.
pub async fn of(client: &Client, workflow: &str) -> anyhow::Result<Vec<HistoryEvent>> {
    let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow);
    Ok(handle.fetch_history(WorkflowFetchHistoryOptions::default()).into_events().await?)
}
