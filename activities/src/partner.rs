//! The partners, over HTTP: how a call is made, how long it may take, and what its failure means.

mod guard;
mod messages;
mod meter;
mod payments;

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bellhop_domain::id::BookingId;
use bellhop_store::Store;
use reqwest::{Client, Method, Response, StatusCode, Url, header, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::{
    guard::{Manner, Place, Turned},
    messages::{Letter, Taken},
    payments::{Changed, Found, Payment, State},
};
pub use self::{messages::MessagingGateway, payments::PaymentProvider};
use guard::Guard;

/// Where a partner is, and how much of us it gets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its address: `https://pay.example/v1`.
    pub url: String,
    /// Our key there, sent as a bearer token.
    pub key: SecretString,
    /// How long a connection may take. Past it nothing was sent, for certain.
    pub connect_timeout: Duration,
    /// How long one call may take on the family's queue.
    pub timeout: Duration,
    /// How long all calls of one act may take on the family's queue: less than its attempt there.
    pub queue_budget: Duration,
    /// How long all calls of one act may take inline.
    pub inline_timeout: Duration,
    /// How many acts of this process may be at the partner at the same time.
    pub places: usize,
    /// How long an act on the queue waits for one of these places.
    pub wait_for_place: Duration,
    /// How many calls the window must have before the breaker looks at it. It opens when half of
    /// them failed: a connection refused, a 503, an answer that did not come. A partner's no is none.
    pub breaker_calls: usize,
    /// How long the breaker remembers a call.
    pub breaker_window: Duration,
    /// How long it stays open before it lets one call try.
    pub breaker_pause: Duration,
}

impl Settings {
    /// The defaults, for a partner at `url`.
    pub fn new(url: impl Into<String>, key: SecretString) -> Self {
        Self {
            url: url.into(),
            key,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(5),
            queue_budget: Duration::from_secs(11),
            inline_timeout: Duration::from_secs(3),
            places: 64,
            wait_for_place: Duration::from_secs(2),
            breaker_calls: 5,
            breaker_window: Duration::from_secs(10),
            breaker_pause: Duration::from_secs(5),
        }
    }
}

/// Why a call has no answer that settles anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    /// The connection could not be made, or the partner said that it takes no calls.
    #[error("the partner is not available")]
    Unavailable { retry_after: Option<Duration> },
    /// It may have happened.
    #[error("the partner was asked and has not told what became of it")]
    Unknown,
    #[error("the partner works on the same key at this moment")]
    InProgress,
    /// The key came with another request before, of which this tells nothing.
    #[error("the partner has seen the key with another request")]
    KeyReused,
    /// A wrong credential, address or request.
    #[error("the partner refuses our calls with status {status}")]
    Misconfigured { status: u16 },
}

impl CallError {
    /// Whether it is certain that this call did nothing, so that it may be made again.
    pub(crate) fn did_nothing(self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Misconfigured { .. })
    }

    /// Whether it speaks against the partner's health.
    fn is_outage(self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unknown)
    }

    fn unexpected(answer: &Answer) -> Self {
        Self::Misconfigured { status: answer.status.as_u16() }
    }
}

/// One partner's HTTP client behind its guard.
#[derive(Clone)]
struct Http {
    name: &'static str,
    client: Client,
    base: Url,
    key: SecretString,
    guard: Guard,
}

/// What a partner said, where it said something that settles a call.
struct Answer {
    status: StatusCode,
    body: Value,
}

/// A call on its way.
struct Call<'a> {
    method: Method,
    path: Vec<&'a str>,
    query: Option<(&'a str, &'a str)>,
    booking: &'a BookingId,
    /// The idempotency key, for a call that has an effect.
    key: Option<&'a str>,
    body: Option<Value>,
}

impl Http {
    /// `announce` is told when the breaker opens and closes, under the partner's name.
    fn new(
        name: &'static str,
        settings: &Settings,
        announce: Option<Store>,
    ) -> anyhow::Result<Self> {
        let base = Url::parse(&settings.url)
            .with_context(|| format!("the address of {name} is not a URL"))?;
        ensure!(
            matches!(base.scheme(), "http" | "https") && base.has_host(),
            "the address of {name} must begin with http:// or https://"
        );
        // The process may have chosen its provider already; reqwest panics where there is none.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .with_context(|| format!("the HTTP client of {name} cannot be made"))?;
        let guard = Guard::new(name, settings, announce)?;
        Ok(Self { name, client, base, key: settings.key.clone(), guard })
    }

    /// Makes one call within the time that `place` has left.
    async fn call(&self, place: &Place, call: Call<'_>) -> Result<Answer, CallError> {
        let Some(timeout) = place.time_left() else {
            return Err(CallError::Unavailable { retry_after: None });
        };
        let (name, request) = (self.name, self.request(call).timeout(timeout));
        self.guard
            .call(async move {
                let began = Instant::now();
                let result = match request.send().await {
                    Ok(response) => read(response).await,
                    Err(error) => Err(silence(&error)),
                };
                meter::called(name, &result, began.elapsed());
                result
            })
            .await
    }

    fn request(&self, call: Call<'_>) -> reqwest::RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(call.path);
        }
        if let Some((name, value)) = call.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let mut request = self
            .client
            .request(call.method, url)
            .bearer_auth(self.key.expose_secret())
            .header("x-booking-id", call.booking.as_str());
        if let Some(key) = call.key {
            request = request.header("idempotency-key", key);
        }
        match &call.body {
            Some(body) => request.json(body),
            None => request,
        }
    }
}

impl<'a> Call<'a> {
    fn post(
        path: impl Into<Vec<&'a str>>,
        booking: &'a BookingId,
        key: &'a str,
        body: Value,
    ) -> Self {
        let (path, key, body) = (path.into(), Some(key), Some(body));
        Self { method: Method::POST, path, query: None, booking, key, body }
    }

    fn get(
        path: impl Into<Vec<&'a str>>,
        query: (&'a str, &'a str),
        booking: &'a BookingId,
    ) -> Self {
        let (path, query) = (path.into(), Some(query));
        Self { method: Method::GET, path, query, booking, key: None, body: None }
    }
}

impl Answer {
    /// The partner's stable code; empty where it gave none.
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The code, where it may be shown and kept: a word, not a text that could tell more.
    fn word(&self, otherwise: &str) -> String {
        let is_word = |code: &&str| {
            (1..=64).contains(&code.len())
                && code.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        };
        Some(self.code()).filter(is_word).unwrap_or(otherwise).to_owned()
    }

    /// A yes that cannot be read is no answer: it has happened, we know not what.
    fn read<T: DeserializeOwned>(self) -> Result<T, CallError> {
        serde_json::from_value(self.body).map_err(|_| CallError::Unknown)
    }
}

/// What it means that there is no response.
fn silence(error: &reqwest::Error) -> CallError {
    if error.is_connect() || error.is_builder() {
        CallError::Unavailable { retry_after: None }
    } else {
        CallError::Unknown
    }
}

/// What it means that there is one. A 503 is the partner's own word only with its code: a proxy's,
/// like any other failure on the way, leaves open what happened behind it.
async fn read(response: Response) -> Result<Answer, CallError> {
    let status = response.status();
    let retry_after = retry_after(&response);
    let body = match response.bytes().await {
        Ok(body) => serde_json::from_slice(&body).unwrap_or_default(),
        Err(_) if status.is_success() || status.is_server_error() => {
            return Err(CallError::Unknown);
        }
        Err(_) => Value::Null,
    };
    let answer = Answer { status, body };
    match (status.as_u16(), answer.code()) {
        (409, "in_progress") => Err(CallError::InProgress),
        (422, "key_reused") => Err(CallError::KeyReused),
        (503, "unavailable") | (429, _) => Err(CallError::Unavailable { retry_after }),
        (408 | 500.., _) => Err(CallError::Unknown),
        (300..=399 | 400 | 401 | 403, _) | (422, "invalid_request") => {
            Err(CallError::unexpected(&answer))
        }
        _ => Ok(answer),
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    // A partner that asks for more is asked again anyway: an hour is long enough to forget it.
    Some(Duration::from_secs(seconds).min(Duration::from_secs(3_600)))
}
