//! What Prometheus scrapes. Durations are in seconds. What is of the process is counted as it happens;
//! what is of the whole deployment is looked up when somebody scrapes, every few seconds at most, and
//! every process of the API tells the same of it: take the maximum, not the sum.

use std::{sync::LazyLock, time::Duration};

use axum::http::{Method, StatusCode};
use prometheus::{
    HistogramVec, IntGauge, IntGaugeVec, TextEncoder, register_histogram_vec, register_int_gauge,
    register_int_gauge_vec,
};

use tokio::time::timeout;

use crate::{state::Api, temporal::Queued};

const ONCE: &str = "each metric is registered once, under a name of its own";

/// How long looking things up may take: whoever scrapes has not much patience.
const LOOK_WITHIN: Duration = Duration::from_secs(2);

/// From what a read takes to what a caller waits at most.
const REQUEST_SECONDS: [f64; 12] =
    [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

static REQUESTS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let (name, help) = (
        "bellhop_http_request_duration_seconds",
        "How long requests took until their answer began",
    );
    let labels = ["method", "route", "status"];
    register_histogram_vec!(name, help, &labels, REQUEST_SECONDS.to_vec()).expect(ONCE)
});

static WAITING: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Bookings that callers of this process wait for";
    register_int_gauge!("bellhop_bookings_waiting", help).expect(ONCE)
});

static DUE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "What is due and not done: messages to deliver, commands to give, withdrawals";
    register_int_gauge_vec!("bellhop_due", help, &["what"]).expect(ONCE)
});

/// Without labels, but a vector all the same: only these can say nothing.
static IN_TROUBLE: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Bookings that somebody should look at (GET /v1/attention)";
    register_int_gauge_vec!("bellhop_bookings_in_trouble", help, &[]).expect(ONCE)
});

static BACKLOG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Tasks that wait in Temporal for a worker, about";
    register_int_gauge_vec!("bellhop_task_queue_backlog", help, &["queue", "kind"]).expect(ONCE)
});

/// Counts an answered request. `route` is the path as the router has it, with its placeholders.
pub(crate) fn answered(method: &Method, route: &str, status: StatusCode, took: Duration) {
    // Callers may make methods up, and each series stays.
    let is_known =
        matches!(method.as_str(), "GET" | "HEAD" | "POST" | "PUT" | "DELETE" | "OPTIONS");
    let method = if is_known { method.as_str() } else { "other" };
    let labels = [method, route, status.as_str()];
    REQUESTS.with_label_values(&labels).observe(took.as_secs_f64());
}

/// Looks up what is not counted as it happens. What cannot be told is left out.
pub(crate) async fn look(api: &Api) {
    WAITING.set(i64::try_from(api.waiting()).unwrap_or(i64::MAX));
    api.look_now_and_then(async || {
        let (due, queued) = tokio::join!(
            timeout(LOOK_WITHIN, api.store().outstanding(jiff::Timestamp::now())),
            timeout(LOOK_WITHIN, api.engine().queued()),
        );
        match due {
            Ok(Ok(it)) => {
                let due = |what| DUE.with_label_values(&[what]);
                due("messages").set(it.messages);
                due("commands").set(it.commands);
                due("withdrawals").set(it.withdrawals);
                IN_TROUBLE.with_label_values(&[] as &[&str]).set(it.in_trouble);
            }
            untold => {
                tracing::debug!(?untold, "not known what is due");
                DUE.reset();
                IN_TROUBLE.reset();
            }
        }
        match queued {
            Ok(Ok(queued)) => {
                for Queued { queue, kind, backlog } in queued {
                    BACKLOG.with_label_values(&[&*queue, kind]).set(backlog);
                }
            }
            untold => {
                let untold = untold.map(|it| it.err());
                tracing::debug!(?untold, "not known what waits for workers");
                BACKLOG.reset();
            }
        }
    })
    .await;
}

/// Everything that this process counts, in the text format of Prometheus.
///
/// # Errors
/// A metric that cannot be written.
pub fn text() -> Result<String, prometheus::Error> {
    TextEncoder::new().encode_to_string(&prometheus::gather())
}
