//! How a worker wears out: the SDK keeps an entry for every activity that a worker has run, local ones
//! included, for as long as the worker lives (docs/performance.md has what a million cost).

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};
use tokio_util::sync::CancellationToken;

/// Counts the activities of one worker.
#[derive(Clone)]
pub(super) struct Wear {
    left: Arc<AtomicU64>,
    over: CancellationToken,
}

impl Wear {
    /// A worker that lives for so many.
    pub(super) fn after(activities: u64) -> Self {
        Self { left: Arc::new(activities.into()), over: CancellationToken::new() }
    }

    /// Waits until it has run them.
    pub(super) async fn is_over(&self) {
        self.over.cancelled().await;
    }
}

impl ActivityInboundInterceptor for Wear {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.over.cancel();
        }
        next.run(input)
    }
}
