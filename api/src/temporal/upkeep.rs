//! What those who look after a deployment ask of Temporal: to try again what fails, and how much waits.

use bellhop_domain::{id::BookingId, plan::Family};
use bellhop_workflows::contract::notifications;
use temporalio_client::{
    NamespacedClient as _,
    tonic::{Code, IntoRequest, Request, Response, Status},
};
use temporalio_common::protos::temporal::api::{
    common::v1::WorkflowExecution,
    enums::v1::TaskQueueType,
    taskqueue::v1::TaskQueue,
    workflowservice::v1::{
        DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest, ResetActivityRequest,
        reset_activity_request,
    },
};
use tokio::time::timeout;

use super::{Engine, NotDone, not_done};

/// How many tasks wait for a worker.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) queue: String,
    pub(crate) kind: &'static str,
    pub(crate) backlog: i64,
}

impl Engine {
    /// Has the acts of a booking that wait to be tried again tried at once; answers how many acts are
    /// not done, those that are just being tried included.
    pub(crate) async fn retry(&self, id: &BookingId) -> Result<usize, NotDone> {
        let (namespace, identity) = (self.client.namespace(), self.client.identity());
        let execution =
            WorkflowExecution { workflow_id: id.as_str().to_owned(), run_id: String::new() };
        let describe = DescribeWorkflowExecutionRequest {
            namespace: namespace.clone(),
            execution: Some(execution.clone()),
        };
        let mut service = self.client.connection().workflow_service();
        let described = match self
            .ask(describe, async |it| service.describe_workflow_execution(it).await)
            .await
        {
            Err(NotDone::Gone) => return Ok(0),
            described => described?,
        };
        let acts = described.pending_activities;
        for act in &acts {
            let reset = ResetActivityRequest {
                namespace: namespace.clone(),
                execution: Some(execution.clone()),
                identity: identity.clone(),
                activity: Some(reset_activity_request::Activity::Id(act.activity_id.clone())),
                ..ResetActivityRequest::default()
            };
            match self.ask(reset, async |it| service.reset_activity(it).await).await {
                // It was done meanwhile.
                Err(NotDone::Gone) => {}
                reset => _ = reset?,
            }
        }
        Ok(acts.len())
    }

    /// How many tasks wait for a worker, on each queue of a deployment.
    pub(crate) async fn queued(&self) -> Result<Vec<Queued>, NotDone> {
        let own = self.queue.as_str();
        let workflows = [own, notifications::TASK_QUEUE].map(|it| (it, TaskQueueType::Workflow));
        let families = Family::ALL.iter().map(|it| it.as_str());
        let acts = families.chain([own, notifications::TASK_QUEUE]);
        let acts = acts.map(|it| (it, TaskQueueType::Activity));
        let mut queued = vec![];
        for (queue, kind) in workflows.into_iter().chain(acts) {
            let name = TaskQueue { name: queue.to_owned(), ..TaskQueue::default() };
            let describe = DescribeTaskQueueRequest {
                namespace: self.client.namespace(),
                task_queue: Some(name),
                task_queue_type: kind.into(),
                report_stats: true,
                ..DescribeTaskQueueRequest::default()
            };
            let mut service = self.client.connection().workflow_service();
            let described =
                self.ask(describe, async |it| service.describe_task_queue(it).await).await?;
            let backlog = described.stats.map_or(0, |it| it.approximate_backlog_count);
            let kind = if kind == TaskQueueType::Workflow { "workflow" } else { "activity" };
            queued.push(Queued { queue: queue.to_owned(), kind, backlog });
        }
        Ok(queued)
    }

    /// One call of Temporal's own service.
    async fn ask<Q, A>(
        &self,
        request: Q,
        call: impl AsyncFnOnce(Request<Q>) -> Result<Response<A>, Status>,
    ) -> Result<A, NotDone> {
        let mut request = request.into_request();
        request.set_timeout(self.timeout);
        match timeout(self.timeout, call(request)).await {
            Err(_) => Err(NotDone::Unknown),
            Ok(Err(status)) if status.code() == Code::NotFound => Err(NotDone::Gone),
            Ok(Err(status)) => Err(not_done(status)),
            Ok(Ok(answer)) => Ok(answer.into_inner()),
        }
    }
}
