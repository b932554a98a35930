//! Answers that say no and are kept nowhere: the same call may come again and do better.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

/// Why a call was not taken. A partner's own no (a decline, a wrong state) is an `Answer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Unavailable,
    InvalidRequest(String),
    InvalidToken,
    /// Another call with this key is still being worked on.
    InProgress,
    /// The key belongs to another call.
    KeyReused,
    NotFound,
    /// The ledger could not be written, so nothing has happened.
    Unwritten,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Refusal::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "come back later".into())
            }
            Refusal::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Refusal::InvalidToken => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid_token", "tokens are tok_…".into())
            }
            Refusal::InProgress => {
                (StatusCode::CONFLICT, "in_progress", "this key is being worked on".into())
            }
            Refusal::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "key_reused",
                "this key came with another request".into(),
            ),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "not_found", "nothing is there".into()),
            Refusal::Unwritten => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "unwritten",
                "the ledger cannot be written".into(),
            ),
        };
        (status, Json(json!({ "code": code, "message": message }))).into_response()
    }
}

/// Drops the connection without an answer.
///
/// Unwinding past the server ends the task that owns the connection. It is no panic: no hook runs
/// and nothing is printed.
pub(super) fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("the simulator drops this connection"))
}
