//! Operations: what was asked for and goes on for a while.

use axum::{
    Json, extract,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_domain::{
    event::Actor,
    id::{CompanyId, OperationId, PoolId},
};
use bellhop_store::OperationRow;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{caller::Caller, extract::Named, idempotency::REPLAYED, problem::Problem, state::Api};

/// An operation, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Operation {
    id: OperationId,
    /// What it does: `withdrawal`.
    kind: String,
    /// To what: the exhibition.
    subject: PoolId,
    company: CompanyId,
    state: State,
    /// How many bookings it is about, and how many of them have ended.
    total: u32,
    done: u32,
    remaining: u32,
    /// Why, in the words of who asked for it.
    reason: Option<String>,
    /// Who asked for it.
    actor: Actor,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Whether an operation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OperationState)]
enum State {
    Running,
    Done,
}

impl From<OperationRow> for Operation {
    fn from(row: OperationRow) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            subject: row.subject,
            company: row.company,
            state: if row.is_done { State::Done } else { State::Running },
            total: row.total,
            done: row.done,
            remaining: row.total.saturating_sub(row.done),
            reason: row.reason,
            actor: row.actor,
            created_at: row.created_at,
            updated_at: row.changed_at,
        }
    }
}

/// The answer to who began an operation.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) operation: Operation,
    pub(super) is_replay: bool,
}

impl IntoResponse for Started {
    fn into_response(self) -> Response {
        let is_done = self.operation.state == State::Done;
        let status = if is_done { StatusCode::OK } else { StatusCode::ACCEPTED };
        let location = format!("/v1/operations/{}", self.operation.id);
        let mut response = (status, Json(self.operation)).into_response();
        let headers = response.headers_mut();
        if let Ok(location) = HeaderValue::try_from(location) {
            headers.insert(header::LOCATION, location);
        }
        if self.is_replay {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// An operation, for those who decide for its company.
#[utoipa::path(get, path = "/operations/{id}", responses((status = 200, body = Operation)))]
pub(super) async fn get(
    extract::State(api): extract::State<Api>,
    caller: Caller,
    Named(id): Named<OperationId>,
) -> Result<Json<Operation>, Problem> {
    let row = api.store().operation(&id).await?;
    let row = row.filter(|it| caller.manages(&it.company));
    row.map(|it| Json(it.into())).ok_or_else(|| Problem::not_found("operation"))
}
