//! Around every request: its id, its span in the logs, its end in time, and what a panic answers.

use std::any::Any;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bellhop_domain::id::BookingId;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, Span, field, info_span};
use uuid::Uuid;

use crate::{
    cards, metrics,
    problem::{Kind, Problem},
    state::Api,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id that follows a request through every log line and into the booking's memo (common 3).
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    /// The caller's id where it can be passed on as it is, else a new one.
    fn of(request: &Request) -> Self {
        let given = request.headers().get(REQUEST_ID).and_then(|it| it.to_str().ok());
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let given = given.filter(|it| (1..=64).contains(&it.len()) && it.chars().all(allowed));
        Self(given.map_or_else(|| Uuid::now_v7().simple().to_string(), str::to_owned))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let id = parts.extensions.get::<Self>().cloned();
        id.ok_or_else(|| Problem::internal("the request has no id"))
    }
}

/// Gives the request its id and its span, and logs how it was answered.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // Before anything of it is written down, here or with a booking.
    if cards::is_in_head(&parts) {
        let detail = "the path, the query or a header has what may be a card number: leave it out";
        return Problem::new(Kind::CardNumber, detail).into_response();
    }
    let mut request = Request::from_parts(parts, body);
    let id = RequestId::of(&request);
    let span = info_span!(
        "request",
        request.id = id.0,
        http.method = %request.method(),
        http.path = request.uri().path(),
        booking.id = field::Empty,
    );
    let header = HeaderValue::from_str(&id.0);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id);
    async {
        let began = Instant::now();
        let mut response = next.run(request).await;
        if let Ok(id) = header {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        let took = began.elapsed();
        let duration_ms = took.as_millis();
        tracing::debug!(http.status = response.status().as_u16(), duration_ms, "answered");
        metrics::answered(
            &method,
            route.as_ref().map_or("", |it| it.as_str()),
            response.status(),
            took,
        );
        response
    }
    .instrument(span)
    .await
}

/// Says in the logs which booking a request is about.
pub(crate) fn about(booking: &BookingId) {
    Span::current().record("booking.id", booking.as_str());
}

/// Ends what takes too long.
pub(crate) async fn in_time(State(api): State<Api>, request: Request, next: Next) -> Response {
    match timeout(api.settings().request_timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = "repeat with the same key: it may have been done";
            Problem::new(Kind::TimedOut, detail).into_response()
        }
    }
}

/// What is answered where a handler panicked. The panic itself is logged by its hook.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    Problem::internal("a handler panicked").into_response()
}
