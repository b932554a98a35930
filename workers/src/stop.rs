//! Stopping: one signal for every part of a process.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by Ctrl-C or SIGTERM. The second signal ends the process at once, for
/// people who do not want to wait.
///
/// # Errors
/// The handlers cannot be installed.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        for signal_number in 1.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if signal_number > 1 {
                std::process::exit(130);
            }
            tracing::info!("stopping; a second signal ends at once");
            token.cancel();
        }
    });
    Ok(stop)
}
