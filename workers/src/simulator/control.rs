//! What tests and operators do to the partners, and see of them. No partner's call goes here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    availability::Mode,
    books::Books,
    desk::Desk,
    pauses::{Paused, When},
    refusal::Refusal,
    request::{Operation, Partner},
    wire,
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/control/availability", put(set_availability).get(availability))
        .route("/control/pause", post(pause))
        .route("/control/paused", get(paused))
        .route("/control/release", post(release))
        .route("/control/clock", get(clock).post(advance))
        .route("/control/ledger", get(ledger))
        .route("/control/calls", delete(forget_calls))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetAvailability {
    partner: Partner,
    mode: Mode,
}

#[derive(Serialize)]
struct Modes {
    payments: Mode,
    messages: Mode,
}

async fn set_availability(
    State(desk): State<Arc<Desk>>,
    body: Bytes,
) -> Result<Json<Modes>, Refusal> {
    let SetAvailability { partner, mode } = wire::read(&body)?;
    desk.availability.set(partner, mode);
    tracing::info!(?partner, ?mode, "a partner's availability is set");
    Ok(availability(State(desk)).await)
}

async fn availability(State(desk): State<Arc<Desk>>) -> Json<Modes> {
    let mode = |partner| desk.availability.mode(partner);
    Json(Modes { payments: mode(Partner::Payments), messages: mode(Partner::Messages) })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    partner: Partner,
    operation: Operation,
    when: When,
}

async fn pause(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Json<Paused>, Refusal> {
    let Pause { partner, operation, when } = wire::read(&body)?;
    if operation.partner() != partner {
        return Err(Refusal::InvalidRequest("the partner has no such operation".into()));
    }
    desk.pauses.arm(operation, when);
    Ok(paused(State(desk)).await)
}

async fn paused(State(desk): State<Arc<Desk>>) -> Json<Paused> {
    Json(desk.pauses.paused())
}

async fn release(State(desk): State<Arc<Desk>>) -> Json<Paused> {
    desk.pauses.release();
    paused(State(desk)).await
}

#[derive(Serialize)]
struct Time {
    now: Timestamp,
    advanced_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    advance_ms: u64,
}

async fn clock(State(desk): State<Arc<Desk>>) -> Json<Time> {
    // A hundred years of milliseconds, the most there can be, fit many times over.
    let advanced_ms = desk.clock.advanced().as_millis() as u64;
    Json(Time { now: desk.clock.now(), advanced_ms })
}

async fn advance(State(desk): State<Arc<Desk>>, body: Bytes) -> Result<Json<Time>, Refusal> {
    let Advance { advance_ms } = wire::read(&body)?;
    if !desk.clock.advance(Duration::from_millis(advance_ms)) {
        return Err(Refusal::InvalidRequest("a hundred years are enough".into()));
    }
    Ok(clock(State(desk)).await)
}

#[derive(Serialize)]
struct View<'a> {
    #[serde(flatten)]
    books: &'a Books,
    calls: BTreeMap<&'static str, u64>,
}

/// Everything that has happened, written out under the lock: one moment, no copies.
async fn ledger(State(desk): State<Arc<Desk>>) -> Response {
    let view = {
        let state = desk.lock();
        let count = |operation: Operation| (operation.name(), state.calls[operation as usize]);
        let calls = Operation::ALL.map(count).into();
        serde_json::to_vec(&View { books: &state.books, calls })
    };
    match view {
        Ok(view) => ([(header::CONTENT_TYPE, "application/json")], view).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot show the ledger");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn forget_calls(State(desk): State<Arc<Desk>>) -> StatusCode {
    desk.lock().calls = Default::default();
    StatusCode::NO_CONTENT
}
