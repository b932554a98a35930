//! The messaging gateways' one route.

use std::sync::Arc;

use axum::{
    Router, body::Bytes, extract::State, http::HeaderMap, response::Response, routing::post,
};

use super::{
    desk::Desk,
    refusal::Refusal,
    request::{Operation, Partner, Request},
    wire,
};

pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new().route("/messages", post(send))
}

async fn send(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    desk.arrives(Operation::Send).await?;
    let key = wire::key(Partner::Messages, &headers)?;
    desk.perform(key, Request::Send(wire::read(&body)?)).await
}
