//! The probes of a worker: alive while its process answers, ready while its database does. What it
//! counts for Prometheus is beside them.

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use bellhop_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Health {
    store: Store,
    stopping: CancellationToken,
}

/// Serves `/healthz`, `/readyz` and `/metrics` until `done`. A worker that is stopping is alive and
/// not ready.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    stopping: CancellationToken,
    done: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route("/healthz", get(async || StatusCode::OK))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Health { store, stopping });
    axum::serve(listener, router).with_graceful_shutdown(done.cancelled_owned()).await?;
    Ok(())
}

async fn metrics() -> impl IntoResponse {
    match bellhop_api::metrics() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text)),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            Err(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

async fn ready(State(health): State<Health>) -> StatusCode {
    let ready = !health.stopping.is_cancelled() && health.store.ping().await.is_ok();
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
