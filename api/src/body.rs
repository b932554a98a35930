//! Bodies of requests: JSON, strictly read.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, Request, rejection::JsonRejection},
    http::{StatusCode, header},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    cards::has_card_number,
    idempotency,
    problem::{Kind, Problem},
};

/// How long a body may be.
pub(crate) const LIMIT: usize = 64 * 1024;

/// What a request says, with the fingerprint of it. No body at all says `{}`.
pub(crate) struct Body<T> {
    pub(crate) value: T,
    pub(crate) fingerprint: String,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_json = is_json(&request);
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            let too_large = format!("a body has at most {LIMIT} bytes");
            match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Problem::new(Kind::BodyTooLarge, too_large),
                _ => Problem::new(Kind::MalformedJson, "the body broke off"),
            }
        })?;
        if bytes.is_empty() {
            return Self::read(b"{}");
        }
        if !is_json {
            let detail = "send the header Content-Type: application/json";
            return Err(Problem::new(Kind::MediaType, detail));
        }
        Self::read(&bytes)
    }
}

impl<T: DeserializeOwned> Body<T> {
    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        let body: Value = serde_json::from_slice(bytes)
            .map_err(|error| Problem::new(Kind::MalformedJson, error.to_string()))?;
        // Before anything else is read: an error message would repeat it.
        if has_card_number(&body) {
            let detail = "the body has what may be a card number: send the provider's token for it";
            return Err(Problem::new(Kind::CardNumber, detail));
        }
        let Json(value) = Json::from_bytes(bytes).map_err(refused)?;
        Ok(Self { value, fingerprint: idempotency::fingerprint(&body) })
    }
}

fn refused(rejection: JsonRejection) -> Problem {
    // The rejection's source says which member and why, without axum's words around it.
    let cause = std::error::Error::source(&rejection).map(ToString::to_string);
    let detail = cause.unwrap_or_else(|| rejection.body_text());
    Problem::new(Kind::InvalidRequest, detail)
}

fn is_json(request: &Request) -> bool {
    let declared = request.headers().get(header::CONTENT_TYPE);
    let Some(declared) = declared.and_then(|it| it.to_str().ok()) else { return false };
    let kind = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Whether a member of a body is a line of text: 1 to `longest` characters, none of them a control.
pub(crate) fn is_line(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control)
}
