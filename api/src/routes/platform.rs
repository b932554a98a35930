//! What operators and their tools ask: is it alive, is it ready, is everything as it must be.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use bellhop_domain::event::Role;
use bellhop_store::Broken;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    caller::Caller,
    metrics as counted,
    problem::{Kind, Problem},
    state::Api,
};

/// How the process is.
#[derive(Serialize, ToSchema)]
pub(super) struct Probe {
    /// `ok`, or `ready`.
    status: &'static str,
}

/// Answers as long as the process does anything at all.
#[utoipa::path(get, path = "/healthz", responses((status = 200, body = Probe)))]
pub(super) async fn healthz() -> Json<Probe> {
    Json(Probe { status: "ok" })
}

/// Whether requests should come here: the database is there and migrated, Temporal answers, and
/// the process is not about to end.
#[utoipa::path(get, path = "/readyz", responses((status = 200, body = Probe)))]
pub(super) async fn readyz(State(api): State<Api>) -> Result<Json<Probe>, Problem> {
    if api.is_draining() {
        return Err(Problem::new(Kind::NotReady, "the process is about to end"));
    }
    match api.readiness().await {
        Ok(()) => Ok(Json(Probe { status: "ready" })),
        Err(missing) => Err(Problem::new(Kind::NotReady, missing)),
    }
}

/// What Prometheus scrapes.
#[utoipa::path(
    get, path = "/metrics",
    responses((status = 200, content_type = "text/plain", body = String))
)]
pub(super) async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, Problem> {
    counted::look(&api).await;
    let text = counted::text().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

/// What must always hold, and what of it does not.
#[derive(Serialize, ToSchema)]
pub(super) struct Invariants {
    /// Whether all is as it must be.
    holds: bool,
    broken: Vec<BrokenRule>,
}

/// A rule that does not hold.
#[derive(Serialize, ToSchema)]
struct BrokenRule {
    /// Which: a stable word.
    rule: &'static str,
    /// The booking, pool or posting that breaks it.
    subject: String,
    /// How.
    detail: String,
}

/// What must always hold and does not: nothing, or somebody has to look.
#[utoipa::path(
    get, path = "/invariants",
    responses((status = 200, body = Invariants), (status = 403))
)]
pub(super) async fn invariants(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Json<Invariants>, Problem> {
    caller.require(&[Role::Operator], "see the invariants")?;
    let broken = api.store().invariants(Timestamp::now()).await?;
    let shown = |Broken { rule, subject, detail }| BrokenRule { rule, subject, detail };
    Ok(Json(Invariants {
        holds: broken.is_empty(),
        broken: broken.into_iter().map(shown).collect(),
    }))
}
