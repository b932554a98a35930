//! A workflow that does nothing: what the engine costs whatever a booking does.

#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use anyhow::Context as _;
use futures::{FutureExt as _, future::BoxFuture};
use temporalio_client::{Client, UntypedWorkflow, WorkflowGetResultOptions, WorkflowStartOptions};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowResult};

/// The queue of the no-op.
pub(crate) const TASK_QUEUE: &str = "bench-noop";

/// Does nothing.
#[workflow]
#[derive(Default)]
pub struct Noop;

#[workflow_methods]
impl Noop {
    /// Ends at once.
    #[run(name = "bench-noop")]
    pub async fn run(_ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        Ok(())
    }
}

/// What starts one and waits for its result, again and again.
pub(super) fn starter(
    client: Client,
) -> impl Fn() -> BoxFuture<'static, anyhow::Result<()>> + Clone + Send + 'static {
    move || once(client.clone()).boxed()
}

async fn once(client: Client) -> anyhow::Result<()> {
    let id = format!("bench-noop/{}", uuid::Uuid::now_v7());
    let options =
        WorkflowStartOptions::new(TASK_QUEUE, id.clone()).enable_eager_workflow_start(true).build();
    client.start_workflow(Noop::run, (), options).await.context("a no-op is started")?;
    let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
    handle.get_result(WorkflowGetResultOptions::default()).await.context("a no-op ends")?;
    Ok(())
}
