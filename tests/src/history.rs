//! Reading a workflow's history from the engine.

use temporalio_client::{Client, UntypedWorkflow, WorkflowFetchHistoryOptions};
use temporalio_common::protos::{
    coresdk::common::extract_local_activity_marker_data,
    temporal::api::history::v1::{HistoryEvent, history_event::Attributes},
};

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

/// The activities of a history in their order: those on a queue by their schedule, those that were
/// done inline by their marker.
pub fn activities(history: &[HistoryEvent]) -> Vec<String> {
    let name = |event: &HistoryEvent| match event.attributes.as_ref()? {
        Attributes::ActivityTaskScheduledEventAttributes(it) => {
            Some(it.activity_type.as_ref()?.name.clone())
        }
        Attributes::MarkerRecordedEventAttributes(it) => {
            Some(extract_local_activity_marker_data(&it.details)?.activity_type)
        }
        _ => None,
    };
    history.iter().filter_map(name).collect()
}

/// How many activities of a history were done on a queue.
pub fn completed(history: &[HistoryEvent]) -> usize {
    let is_completed = |it: &&HistoryEvent| {
        matches!(&it.attributes, Some(Attributes::ActivityTaskCompletedEventAttributes(_)))
    };
    history.iter().filter(is_completed).count()
}
