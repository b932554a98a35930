//! What operators and their tools ask: is it alive, is it ready, is everything as it must be.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use bellhop_domain::event::Role;
use bellhop_store::Broken;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    caller::Caller,
    metrics as counted,
    problem::{Kind, Problem},
    state::Api,
};

/// Answers as long as the process does anything at all.
pub(super) async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether requests should come here: the database is there and migrated, Temporal answers, and
/// the process is not about to end.
pub(super) async fn readyz(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    if api.is_draining() {
        return Err(Problem::new(Kind::NotReady, "the process is about to end"));
    }
    match api.readiness().await {
        Ok(()) => Ok(Json(json!({ "status": "ready" }))),
        Err(missing) => Err(Problem::new(Kind::NotReady, missing)),
    }
}

/// What Prometheus scrapes.
pub(super) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    counted::look(&api).await;
    let text = counted::text().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

/// What must always hold and does not: nothing, or somebody has to look.
pub(super) async fn invariants(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Value>, Problem> {
    caller.require(&[Role::Operator], "see the invariants")?;
    let broken = api.store().invariants(Timestamp::now()).await?;
    let shown =
        |it: &Broken| json!({ "rule": it.rule, "subject": it.subject, "detail": it.detail });
    let broken: Vec<Value> = broken.iter().map(shown).collect();
    Ok(Json(json!({ "holds": broken.is_empty(), "broken": broken })))
}
