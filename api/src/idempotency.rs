//! What makes a repeat of a request recognisable: its key, and the fingerprint of its body.

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, request::Parts},
};
use bellhop_domain::id::SubjectId;
use serde_json::Value;
use sha2::{Digest, Sha256};
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
};

/// Says that an answer is one to a repeat.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The header, as the description writes it.
pub(crate) const KEY: &str = "Idempotency-Key";

/// The longest key that is accepted.
const MAX_LENGTH: usize = 255;

/// The caller's key of a request, from the header `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let is_valid = (1..=MAX_LENGTH).contains(&text.len())
            && text.iter().all(|byte| byte.is_ascii_graphic());
        is_valid.then(|| Self(text.iter().copied().map(char::from).collect()))
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut given = parts.headers.get_all(KEY).iter();
        let Some(key) = given.next() else {
            let detail = "send the header Idempotency-Key, and the same one with a repeat";
            return Err(Problem::new(Kind::KeyRequired, detail));
        };
        let key = Self::parse(key.as_bytes()).filter(|_| given.next().is_none());
        key.ok_or_else(|| {
            let detail =
                format!("send one Idempotency-Key of 1 to {MAX_LENGTH} visible characters");
            Problem::new(Kind::KeyInvalid, detail)
        })
    }
}

impl IntoParams for IdempotencyKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "A key of the caller's choice for this request, 1 to 255 visible \
            characters: the same key again answers the same, whenever it arrives.";
        vec![header_parameter(KEY, Required::True, description)]
    }
}

/// The hash of a body: of what it says, not of how it is written.
pub(crate) fn fingerprint(body: &Value) -> String {
    let mut text = String::new();
    canonical(body, &mut text);
    hex(&Sha256::digest(text.as_bytes()))
}

/// The hash that a command is known by: who gave which command by which key.
pub(crate) fn command_id(caller: &SubjectId, command: &str, key: &IdempotencyKey) -> String {
    let name = format!("{caller}\0{command}\0{}", key.as_str());
    hex(&Sha256::digest(name.as_bytes()))
}

/// Hashes whatever shall be recognised without being told.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// JSON with sorted members and no white space, whichever map `serde_json` was built with.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut names: Vec<_> = members.keys().collect();
            names.sort_unstable();
            text.push('{');
            for name in names {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(&members[name], text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        fingerprint(&serde_json::from_str(text).expect("JSON"))
    }

    #[test]
    fn a_fingerprint_is_of_what_is_said_not_of_how() {
        let first = of(r#"{"a": {"x": 1, "y": [1, 2]}, "b": "c"}"#);
        assert_eq!(first, of(r#"{"b":"\u0063","a":{"y":[1,2],"x":1}}"#));
        assert_ne!(first, of(r#"{"a": {"x": 1, "y": [2, 1]}, "b": "c"}"#));
        assert_ne!(of(r#"["a,b"]"#), of(r#"["a","b"]"#));
        assert_ne!(of("1"), of("\"1\""));
    }

    #[test]
    fn a_key_is_what_can_be_seen() {
        for key in ["a1", "\"quoted\"", "!~", &"x".repeat(255)] {
            assert!(IdempotencyKey::parse(key.as_bytes()).is_some(), "{key:?}");
        }
        for key in ["", "a b", "\u{e9}", "a\tb", &"x".repeat(256)] {
            assert!(IdempotencyKey::parse(key.as_bytes()).is_none(), "{key:?}");
        }
    }

    #[test]
    fn a_command_is_known_by_who_what_and_key() -> Result<(), Box<dyn std::error::Error>> {
        let (kim, lee): (SubjectId, SubjectId) = ("cus_kim".parse()?, "cus_lee".parse()?);
        let key = IdempotencyKey("k".to_owned());
        assert_eq!(command_id(&kim, "cancel", &key), command_id(&kim, "cancel", &key));
        assert_ne!(command_id(&kim, "cancel", &key), command_id(&kim, "approve", &key));
        assert_ne!(command_id(&kim, "cancel", &key), command_id(&lee, "cancel", &key));
        Ok(())
    }
}
