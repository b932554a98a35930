//! Measuring on a cluster: only in a namespace where no Bellhop runs. Its workers would take over the
//! bookings there with a database that does not know them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bellhop_domain::plan::Family;
use bellhop_workflows::contract::{BOOKINGS_QUEUE, notifications};
use jiff::Timestamp;
use temporalio_client::{Client, WorkflowCountOptions, tonic::IntoRequest as _};
use temporalio_common::protos::temporal::api::{
    enums::v1::TaskQueueType,
    taskqueue::v1::{PollerInfo, TaskQueue},
    workflowservice::v1::DescribeTaskQueueRequest,
};
use tokio::time::Instant;

use crate::{config::TemporalArgs, temporal};

/// How long a worker's poll lasts. The server lists a poller for minutes; one that is alive has
/// polled within this time.
const POLL: Duration = Duration::from_secs(65);

/// The cluster, once it is known that nobody is disturbed.
///
/// # Errors
/// It does not answer, is not set up, or a Bellhop is there.
pub(super) async fn alone(cluster: TemporalArgs) -> anyhow::Result<TemporalArgs> {
    let (address, namespace) = (&cluster.temporal_address, &cluster.temporal_namespace);
    let client = temporal::connect(address, namespace).await?;
    temporal::check_attribute(&client, namespace).await?;
    let running = "WorkflowType IN ('booking', 'messages') AND ExecutionStatus = 'Running'";
    let count = client.count_workflows(running, WorkflowCountOptions::default()).await;
    let count = count.context("what runs cannot be counted")?.count();
    if count > 0 {
        bail!("{count} workflows of Bellhop run in the namespace {namespace}: name another one");
    }
    let (started, mut told) = (Instant::now(), false);
    while let Some(queue) = served(&client, namespace).await? {
        if started.elapsed() > POLL + Duration::from_secs(5) {
            bail!("a worker serves the queue {queue} of {namespace}: name another namespace");
        }
        if !told {
            eprintln!("a worker served the queue {queue} a moment ago: waiting until it is gone");
            told = true;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
    Ok(cluster)
}

/// A queue of Bellhop that somebody serves.
async fn served(client: &Client, namespace: &str) -> anyhow::Result<Option<&'static str>> {
    let families = Family::ALL.iter().map(|it| it.as_str());
    for queue in families.chain([BOOKINGS_QUEUE, notifications::TASK_QUEUE]) {
        for kind in [TaskQueueType::Workflow, TaskQueueType::Activity] {
            if is_polled(client, namespace, queue, kind).await? {
                return Ok(Some(queue));
            }
        }
    }
    Ok(None)
}

async fn is_polled(
    client: &Client,
    namespace: &str,
    queue: &str,
    kind: TaskQueueType,
) -> anyhow::Result<bool> {
    let request = DescribeTaskQueueRequest {
        namespace: namespace.to_owned(),
        task_queue: Some(TaskQueue { name: queue.to_owned(), ..TaskQueue::default() }),
        task_queue_type: kind.into(),
        ..DescribeTaskQueueRequest::default()
    };
    let mut service = client.connection().workflow_service();
    let described = service.describe_task_queue(request.into_request()).await;
    let described = described.with_context(|| format!("the queue {queue} cannot be described"))?;
    let now = Timestamp::now().as_second();
    let since = |poller: &PollerInfo| poller.last_access_time.map_or(0, |it| now - it.seconds);
    let pollers = described.into_inner().pollers;
    Ok(pollers.iter().any(|it| since(it) <= POLL.as_secs().cast_signed()))
}
