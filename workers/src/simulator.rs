//! The stand-in for the payment provider and the messaging gateways: `bellhop simulator`.
//!
//! It is a provider of its own, reached only over HTTP, and shares no code with the crates that call
//! it: what it has in its ledger is what judges them. It keeps its word about idempotency keys (one
//! key, one effect, the first answer again), and like real providers it knows no tombstones: a key
//! it never saw is simply not found.
//!
//! | token | what `POST /payments` does |
//! |---|---|
//! | `tok_declined` | 402, the same again under its key |
//! | `tok_lost_answer` | pays, then drops the connection; repeated, it answers |
//! | `tok_late` | no answer; not found for 3 s, then the payment appears |
//! | `tok_slow` | answers after 3 s, in progress until then |
//! | `tok_unavailable` | always 503, nothing is stored |
//! | any other `tok_…` | pays |
//!
//! Payments, declines, messages and answered keys outlive the process. Availability, pauses, the
//! clock and the counts do not; nor does work in hand: a `tok_late` not yet paid is forgotten.

mod availability;
mod books;
mod clock;
mod control;
mod desk;
mod ledger;
mod messages;
mod pauses;
mod payments;
mod refusal;
mod request;
mod rules;
#[cfg(test)]
mod tests;
mod wire;

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
    routing::get,
    serve::ListenerExt,
};
use tokio::net::TcpListener;

use self::{desk::Desk, refusal::Refusal};

/// How long calls that are about to be answered may still take once the simulator is stopped.
const LAST_ANSWERS: Duration = Duration::from_millis(200);

/// Where a simulator keeps what must outlive it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ledger: a file of JSON lines, created together with its folder. One simulator per file.
    pub ledger: PathBuf,
}

/// The partners, all in one. A clone is another handle on the same ones.
#[derive(Clone)]
pub struct Simulator {
    desk: Arc<Desk>,
}

impl Simulator {
    /// Brings the partners back to where the ledger file left them.
    ///
    /// An unfinished last line, as a killed process leaves it, is cut off with a warning: its call
    /// was never answered.
    ///
    /// # Errors
    /// When the file cannot be opened; with file and line when any other line makes no sense.
    pub fn open(options: Options) -> anyhow::Result<Simulator> {
        let (ledger, books) = ledger::open(&options.ledger)?;
        Ok(Simulator { desk: Arc::new(Desk::new(ledger, books)) })
    }

    /// Everything it serves. It must run over HTTP/1 and under no layer that catches panics:
    /// dropping a connection means unwinding the task that serves it.
    pub fn router(&self) -> Router {
        Router::new()
            .merge(payments::routes())
            .merge(messages::routes())
            .merge(control::routes())
            .route("/healthz", get(|| async { "ok" }))
            .fallback(|| async { Refusal::NotFound })
            .layer(middleware::from_fn_with_state(self.desk.clone(), until_stopped))
            .with_state(self.desk.clone())
    }

    /// Serves until `stop` is ready. Calls that are held by then (paused, hanging, late) lose their
    /// connection, and their work is abandoned where it stands.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> anyhow::Result<()> {
        let desk = self.desk.clone();
        let stopped = async move {
            stop.await;
            tokio::spawn(async move {
                tokio::time::sleep(LAST_ANSWERS).await;
                desk.stop();
            });
        };
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!(%error, "a connection keeps Nagle's delay");
            }
        });
        let served = axum::serve(listener, self.router()).with_graceful_shutdown(stopped).await;
        self.desk.stop();
        Ok(served?)
    }
}

/// Serves a call, unless the simulator stops first.
async fn until_stopped(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    tokio::select! {
        biased;
        response = next.run(request) => response,
        () = desk.stopped() => refusal::hang_up(),
    }
}
