//! The one way to call the API.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

/// How long the API may wait for an outcome, in seconds; and we for the API, a little longer.
const WAIT: u64 = 20;

/// An API, and who calls it.
pub(super) struct Api {
    http: reqwest::Client,
    base: Url,
    token: SecretString,
}

/// A call, below `/v1`.
pub(super) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<(Value, String)>,
}

/// What may pass: the API was not reached, or has too much to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Passing(String);

/// Whether the same call may succeed in a moment.
pub(super) fn is_passing(error: &anyhow::Error) -> bool {
    error.is::<Passing>()
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, query: vec![], body: None }
    }

    /// A call that changes something, under a key.
    pub(super) fn post(path: String, body: Value, key: Option<String>) -> Self {
        let key = key.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        Self { method: Method::POST, path, query: vec![], body: Some((body, key)) }
    }

    pub(super) fn asking(self, query: Vec<(&'static str, String)>) -> Self {
        Self { query, ..self }
    }
}

impl Api {
    pub(super) fn new(base: &str, token: SecretString) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(WAIT + 15)).build()?;
        let base = Url::parse(base).with_context(|| format!("{base} is no address of an API"))?;
        Ok(Self { http, base, token })
    }

    /// Calls, and answers the body.
    ///
    /// # Errors
    /// The problem that was answered, or that nothing was. Where it is not known whether something
    /// was done, the error names the key to ask with again.
    pub(super) async fn call(&self, call: Call) -> anyhow::Result<Value> {
        let base = self.base.as_str().trim_end_matches('/');
        let mut url = Url::parse(&format!("{base}/v1{}", call.path))?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.http.request(call.method, url);
        request = request.header("Prefer", format!("wait={WAIT}"));
        if !self.token.expose_secret().is_empty() {
            request = request.bearer_auth(self.token.expose_secret());
        }
        let mut key = None;
        if let Some((body, its_key)) = &call.body {
            request = request.header("Idempotency-Key", its_key).json(body);
            key = Some(its_key.as_str());
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            // Nothing was sent where nobody listens.
            Err(error) if error.is_connect() => {
                return Err(Passing(format!("nobody answers at {base}")).into());
            }
            Err(error) => return Err(unknown(key, &format!("{base} has not answered: {error}"))),
        };
        let status = answer.status();
        let text = match answer.text().await {
            Ok(text) => text,
            Err(error) => return Err(unknown(key, &format!("{base} broke off: {error}"))),
        };
        let body = serde_json::from_str::<Value>(&text).ok();
        if status.is_success() {
            return body.with_context(|| format!("{base} is no API of Bellhop: no JSON"));
        }
        Err(refused(status, body.as_ref(), key))
    }
}

/// The problem that was answered (RFC 9457), in a line.
fn refused(status: StatusCode, problem: Option<&Value>, key: Option<&str>) -> anyhow::Error {
    let word = |member: &str| problem.and_then(|it| it[member].as_str());
    let Some(code) = word("code") else {
        return unknown(key, &format!("an answer of {status} that is none of Bellhop's"));
    };
    let mut text = word("detail").or(word("title")).unwrap_or_default().to_owned();
    for violation in problem.and_then(|it| it["violations"].as_array()).into_iter().flatten() {
        let part = |name: &str| violation[name].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("; {}: {}", part("pointer"), part("detail")));
    }
    if let Some(actions) = problem.and_then(|it| it["allowed_actions"].as_array()) {
        let actions: Vec<_> = actions.iter().filter_map(Value::as_str).collect();
        text.push_str(&format!("; allowed: {}", actions.join(", ")));
    }
    if let Some(id) = word("booking_id") {
        text.push_str(&format!("; booking {id}"));
    }
    text.push_str(&format!(" ({code})"));
    match code {
        "start_unknown" | "command_unknown" | "timed_out" | "internal" => unknown(key, &text),
        _ if status == StatusCode::SERVICE_UNAVAILABLE => Passing(text).into(),
        _ => anyhow!(text),
    }
}

/// It may have been done: the key tells the same request from a new one.
fn unknown(key: Option<&str>, what: &str) -> anyhow::Error {
    match key {
        None => Passing(what.to_owned()).into(),
        Some(key) => anyhow!("{what}; it may have been done: repeat with --key {key}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(status: u16, problem: Value, key: Option<&str>) -> String {
        let status = StatusCode::from_u16(status).expect("a status");
        refused(status, Some(&problem), key).to_string()
    }

    #[test]
    fn a_problem_is_told_with_its_code_and_what_can_be_done() {
        let problem = json!({"code": "not_allowed", "detail": "it has ended",
                             "booking_id": "bk_1", "allowed_actions": ["cancel"]});
        let text = told(409, problem, Some("k"));
        assert_eq!(text, "it has ended; allowed: cancel; booking bk_1 (not_allowed)");
        let violations = json!([{"pointer": "/place", "detail": "name a place"}]);
        let problem = json!({"code": "invalid_booking", "detail": "no", "violations": violations});
        assert_eq!(told(422, problem, Some("k")), "no; /place: name a place (invalid_booking)");
    }

    #[test]
    fn the_key_is_told_where_it_may_have_been_done() {
        let problem = || json!({"code": "start_unknown", "detail": "not known"});
        assert!(told(503, problem(), Some("k1")).ends_with("repeat with --key k1"));
        assert_eq!(told(503, problem(), None), "not known (start_unknown)");
        let proxy = refused(StatusCode::BAD_GATEWAY, None, Some("k1"));
        assert!(proxy.to_string().contains("--key k1") && !is_passing(&proxy));
        let busy = json!({"code": "overloaded", "detail": "come back"});
        assert!(is_passing(&refused(StatusCode::SERVICE_UNAVAILABLE, Some(&busy), None)));
    }
}
