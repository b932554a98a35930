//! How long a caller waits for an outcome: `Prefer: wait=N` (RFC 7240).

use std::time::Duration;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, request::Parts},
};
use tokio::time::Instant;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    openapi::header_parameter,
    problem::{Kind, Problem},
    state::Api,
};

const PREFER: &str = "Prefer";

/// When a caller wants to hear something, whatever it is. Counted from the request's arrival.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Instant);

impl FromRequestParts<Api> for Deadline {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let settings = api.settings();
        let longest = settings.longest_wait.as_secs();
        let wait = match preferred(parts.headers.get_all(PREFER)) {
            Some(Some(seconds)) if seconds <= longest => Duration::from_secs(seconds),
            Some(_) => {
                let detail = format!("prefer a wait of 0 to {longest} seconds, as in wait=10");
                return Err(Problem::new(Kind::WaitInvalid, detail));
            }
            None => settings.wait,
        };
        Ok(Self(Instant::now() + wait))
    }
}

impl IntoParams for Deadline {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "`wait=N` (RFC 7240): how many seconds the outcome is waited for before \
            the answer is 202.";
        vec![header_parameter(PREFER, Required::False, description)]
    }
}

/// The first `wait` among the preferences: `Some(None)` when it is none that can be read.
fn preferred<'a>(headers: impl IntoIterator<Item = &'a HeaderValue>) -> Option<Option<u64>> {
    headers.into_iter().flat_map(|it| it.as_bytes().split(|byte| *byte == b',')).find_map(|it| {
        let preference = std::str::from_utf8(it).ok()?;
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| seconds(value.trim().trim_matches('"')))
    })
}

fn seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_found_among_the_preferences() {
        let of = |text| preferred([&HeaderValue::from_static(text)]);
        assert_eq!(of("wait=10"), Some(Some(10)));
        assert_eq!(of("respond-async, Wait = \"0\"; x=y, wait=7"), Some(Some(0)));
        assert_eq!(of("respond-async"), None);
        for text in ["wait", "wait=", "wait=-1", "wait=+1", "wait=soon", "wait=1.5"] {
            assert_eq!(of(text), Some(None), "{text:?}");
        }
    }
}
