//! Serving the API of a process, and draining it.

use std::{future::IntoFuture as _, path::Path, time::Duration};

use anyhow::Context as _;
use bellhop_api::{Api, Tokens, router};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Reads the token file.
///
/// # Errors
/// It cannot be read, or an entry of it cannot be used.
pub fn tokens(file: &Path) -> anyhow::Result<Tokens> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("the token file {} cannot be read", file.display()))?;
    Ok(Tokens::parse(&file.display().to_string(), &text)?)
}

/// Binds an address.
///
/// # Errors
/// It is taken or not ours; the message says which setting to change.
pub async fn bind(address: std::net::SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{address} cannot be listened on: choose another with {setting}"))
}

/// Serves the API until `stop`, then drains: no new connection is taken, waiting customers are
/// answered 202 at once, and what runs may finish within `drain`.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    api: Api,
    listener: TcpListener,
    drain: Duration,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (draining, outstanding) = (api.clone(), api.clone());
    let stopped = stop.clone();
    let signal = async move {
        stopped.cancelled().await;
        draining.drain();
    };
    let serving = axum::serve(listener, router(api)).with_graceful_shutdown(signal).into_future();
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = serving => served.context("the API has failed"),
        () = outstanding.look_after() => Ok(()),
        () = late => {
            tracing::warn!("some requests did not end in time and are dropped");
            Ok(())
        }
    }
}
