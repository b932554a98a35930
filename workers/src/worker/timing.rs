//! How long activities take, for those who watch over a deployment.

use std::{sync::LazyLock, time::Instant};

use futures::FutureExt as _;
use prometheus::{HistogramVec, register_histogram_vec};
use temporalio_sdk::interceptors::{
    ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next,
};

/// From an act on our own database to a delivery that lingers.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

static ACTIVITIES: LazyLock<HistogramVec> = LazyLock::new(|| {
    let (name, help) = ("bellhop_activity_duration_seconds", "How long activities ran, by attempt");
    let labels = ["activity", "way", "outcome"];
    register_histogram_vec!(name, help, &labels, SECONDS.to_vec())
        .expect("each metric is registered once, under a name of its own")
});

/// Times every activity: whether it ran inline or from its queue, and whether it did what it should.
pub(super) struct Timing;

impl ActivityInboundInterceptor for Timing {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        let info = input.activity_info();
        let way = if info.is_local { "inline" } else { "queued" };
        let (activity, began) = (info.activity_type.clone(), Instant::now());
        let timed = async move {
            let result = next.run(input).await;
            let outcome = if result.is_ok() { "done" } else { "not_done" };
            let took = began.elapsed().as_secs_f64();
            ACTIVITIES.with_label_values(&[&*activity, way, outcome]).observe(took);
            result
        };
        timed.boxed()
    }
}
