//! How the partners do, for those who watch over a deployment. Durations are in seconds.

use std::{sync::LazyLock, time::Duration};

use prometheus::{HistogramVec, IntGaugeVec, register_histogram_vec, register_int_gauge_vec};
use tower_resilience::circuitbreaker::CircuitState;

use super::CallError;

const ONCE: &str = "each metric is registered once, under a name of its own";

/// Up to what a call on a queue may take.
const CALL_SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

static CALLS: LazyLock<HistogramVec> = LazyLock::new(|| {
    let (name, help) = ("bellhop_partner_call_duration_seconds", "How long calls to partners took");
    let labels = ["partner", "outcome"];
    register_histogram_vec!(name, help, &labels, CALL_SECONDS.to_vec()).expect(ONCE)
});

static AWAY: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "1 from when the partner's breaker opens in this process until a call succeeds";
    register_int_gauge_vec!("bellhop_partner_away", help, &["partner"]).expect(ONCE)
});

/// Counts a call that was made.
pub(super) fn called<T>(partner: &str, result: &Result<T, CallError>, took: Duration) {
    let outcome = match result {
        Ok(_) => "answered",
        Err(CallError::Unavailable { .. }) => "unavailable",
        Err(CallError::Unknown) => "unknown",
        Err(CallError::InProgress) => "in_progress",
        Err(CallError::KeyReused) => "key_reused",
        Err(CallError::Misconfigured { .. }) => "misconfigured",
    };
    CALLS.with_label_values(&[partner, outcome]).observe(took.as_secs_f64());
}

/// Notes the state of a partner's breaker.
pub(super) fn breaker(partner: &str, state: CircuitState) {
    AWAY.with_label_values(&[partner]).set(i64::from(state != CircuitState::Closed));
}
