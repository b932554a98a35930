//! The probes of a worker: alive while its process answers, ready while its database does.

use axum::{Router, extract::State, http::StatusCode, routing::get};
use bellhop_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Health {
    store: Store,
    stopping: CancellationToken,
}

/// Serves `/healthz` and `/readyz` until `done`. A worker that is stopping is alive and not ready.
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
        .with_state(Health { store, stopping });
    axum::serve(listener, router).with_graceful_shutdown(done.cancelled_owned()).await?;
    Ok(())
}

async fn ready(State(health): State<Health>) -> StatusCode {
    let ready = !health.stopping.is_cancelled() && health.store.ping().await.is_ok();
    if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}
