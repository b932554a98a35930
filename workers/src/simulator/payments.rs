//! The payment provider's routes.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    books::Found,
    desk::Desk,
    refusal::Refusal,
    request::{Key, Operation, Partner, Request},
    wire::{self, NewPayment, Nothing, Part},
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .route("/payments", post(pay).get(find))
        .route("/payments/{id}/capture", post(capture))
        .route("/payments/{id}/void", post(void))
        .route("/payments/{id}/refund", post(refund))
}

/// Authorises, or charges at once. A body that does not say which counts as an authorisation.
async fn pay(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request = wire::read::<NewPayment>(&body).map(Request::Pay);
    let operation = request.as_ref().map_or(Operation::Authorize, Request::operation);
    desk.arrives(operation).await?;
    let key = wire::key(Partner::Payments, &headers)?;
    desk.perform(key, request?).await
}

async fn capture(
    State(desk): State<Arc<Desk>>,
    Path(payment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    desk.arrives(Operation::Capture).await?;
    let key = wire::key(Partner::Payments, &headers)?;
    let Part { amount } = wire::read(&body)?;
    desk.perform(key, Request::Capture { payment, amount }).await
}

async fn void(
    State(desk): State<Arc<Desk>>,
    Path(payment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    desk.arrives(Operation::Void).await?;
    let key = wire::key(Partner::Payments, &headers)?;
    let Nothing {} = wire::read(&body)?;
    desk.perform(key, Request::Void { payment }).await
}

async fn refund(
    State(desk): State<Arc<Desk>>,
    Path(payment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    desk.arrives(Operation::Refund).await?;
    let key = wire::key(Partner::Payments, &headers)?;
    let Part { amount } = wire::read(&body)?;
    desk.perform(key, Request::Refund { payment, amount }).await
}

#[derive(Deserialize)]
struct ByKey {
    key: String,
}

/// What became of the payment with a key: for a caller that never heard the answer.
async fn find(
    State(desk): State<Arc<Desk>>,
    query: Result<Query<ByKey>, QueryRejection>,
) -> Result<Response, Refusal> {
    desk.arrives(Operation::Find).await?;
    let Query(ByKey { key }) = query.map_err(|no| Refusal::InvalidRequest(no.body_text()))?;
    let key = Key { partner: Partner::Payments, text: key };
    Ok(match desk.find(&key).await? {
        Found::Payment(payment) => Json(payment).into_response(),
        Found::Declined => {
            let code = "card_declined";
            Json(json!({ "key": key.text, "status": "declined", "code": code })).into_response()
        }
    })
}
