//! The description of the API, held against what is asked and answered: it must be true.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use anyhow::{Context as _, bail, ensure};
use jsonschema::Validator;
use reqwest::Request;
use serde_json::{Value, json};

use crate::desk::Answer;

/// As it is served: a test of the API holds the file to that.
static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../docs/openapi.json");
    let mut description: Value = serde_json::from_str(text).expect("the description is JSON");
    let schemas = description["components"]["schemas"].as_object_mut().expect("it has schemas");
    schemas.values_mut().for_each(close_within);
    description
});

/// Whether an answer, and a request that was done, are as the description says.
///
/// # Errors
/// What is not described, or described otherwise.
pub(crate) fn check(request: &Request, answer: &Answer) -> anyhow::Result<()> {
    let (method, path) = (request.method(), request.url().path());
    let told = || format!("{method} {path} is not as docs/openapi.json says");
    let Some(item) = item(path) else {
        ensure!(answer.status == 404, "{path} is not described");
        return Ok(());
    };
    let operation = &item[method.as_str().to_lowercase()];
    if operation.is_null() {
        ensure!(answer.status == 405, "{method} {path} is not described");
        return Ok(());
    }
    check_answer(operation, answer).with_context(told)?;
    if (200..300).contains(&answer.status) {
        check_request(operation, request).with_context(told)?;
    }
    Ok(())
}

/// What is described of a path: the one that says it in words before one with a part that may vary.
fn item(path: &str) -> Option<&'static Value> {
    let fits = |template: &str| {
        let (given, described) = (path.split('/'), template.split('/'));
        given.clone().count() == described.clone().count()
            && given.zip(described).all(|(it, of)| it == of || of.starts_with('{'))
    };
    let paths = DESCRIPTION["paths"].as_object()?;
    let found = paths.iter().filter(|(template, _)| fits(template));
    found.min_by_key(|(template, _)| template.matches('{').count()).map(|(_, item)| item)
}

fn check_answer(operation: &'static Value, answer: &Answer) -> anyhow::Result<()> {
    let response = &operation["responses"][answer.status.to_string()];
    ensure!(!response.is_null(), "it does not answer {}: {answer:?}", answer.status);
    let response = match response["$ref"].as_str() {
        Some(name) => DESCRIPTION.pointer(&name[1..]).context("what it refers to")?,
        None => response,
    };
    let kind = answer.headers.get("content-type").map_or("", String::as_str);
    match response["content"].as_object() {
        Some(content) => {
            let content =
                content.get(kind).with_context(|| format!("it does not answer {kind}"))?;
            fits(&content["schema"], &answer.body)?;
        }
        None => ensure!(answer.body.is_null(), "it answers nothing: {answer:?}"),
    }
    if response["headers"].get("Location").is_some() {
        ensure!(answer.headers.contains_key("location"), "it has a location: {answer:?}");
    }
    Ok(())
}

fn check_request(operation: &'static Value, request: &Request) -> anyhow::Result<()> {
    let parameters = || operation["parameters"].as_array().into_iter().flatten();
    for (name, _) in request.url().query_pairs() {
        let is_it = |it: &Value| it["in"] == "query" && it["name"] == *name;
        ensure!(parameters().any(is_it), "its query has no {name}");
    }
    for header in parameters().filter(|it| it["in"] == "header" && it["required"] == true) {
        let name = header["name"].as_str().unwrap_or_default();
        ensure!(request.headers().contains_key(name), "it is done without {name}");
    }
    let body = request.body().and_then(|it| it.as_bytes()).unwrap_or_default();
    let described = &operation["requestBody"];
    if body.is_empty() {
        ensure!(described["required"] != true, "it is done without a body");
        return Ok(());
    }
    let schema = &described["content"]["application/json"]["schema"];
    ensure!(!schema.is_null(), "it reads a body");
    fits(schema, &serde_json::from_slice(body)?)
}

/// Whether a value is what a schema says, and has nothing that it does not say.
fn fits(schema: &'static Value, value: &Value) -> anyhow::Result<()> {
    let validator = validator(schema)?;
    let wrong: Vec<_> = validator
        .iter_errors(value)
        .map(|it| format!("{} at {:?}", it, it.instance_path().as_str()))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}\nin {value:#}", wrong.join("\n"));
}

/// What judges by a schema, made once.
fn validator(schema: &'static Value) -> anyhow::Result<Arc<Validator>> {
    static MADE: Mutex<BTreeMap<String, Arc<Validator>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let name = schema.to_string();
    if let Some(validator) = made.get(&name) {
        return Ok(validator.clone());
    }
    let mut whole = schema.clone();
    close(&mut whole);
    whole["components"] = DESCRIPTION["components"].clone();
    let validator = Arc::new(jsonschema::draft202012::new(&whole)?);
    made.insert(name, validator.clone());
    Ok(validator)
}

/// Lets a value have nothing but what its schema says, here and deeper.
fn close(schema: &mut Value) {
    close_within(schema);
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

/// The same deeper, but not here: what a value is may be said by several schemas together.
fn close_within(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    for (name, said) in schema {
        match (name.as_str(), said) {
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(close_within);
            }
            ("properties", Value::Object(members)) => members.values_mut().for_each(close),
            ("items" | "additionalProperties", it) => close(it),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &str, path: &str, status: u16, body: Value) -> Option<String> {
        let method = method.parse().expect("a method");
        let request = Request::new(method, format!("http://bellhop{path}").parse().expect("a URL"));
        let kind = if status < 400 { "application/json" } else { "application/problem+json" };
        let headers = [("content-type".to_owned(), kind.to_owned())].into();
        let checked = check(&request, &Answer { status, body, headers });
        checked.err().map(|error| format!("{error:?}"))
    }

    #[test]
    fn what_is_as_it_is_described_passes() {
        assert_eq!(found("GET", "/healthz", 200, json!({"status": "ok"})), None);
        let problem = json!({"status": 404, "title": "", "detail": "", "code": "not_found"});
        assert_eq!(found("GET", "/v1/bookings/bk_1", 404, problem.clone()), None);
        assert_eq!(found("GET", "/v1/nowhere", 404, problem), None);
    }

    #[test]
    fn what_is_not_described_is_found() {
        let is_found = |method, path, status, body, why: &str| {
            let found = found(method, path, status, body).unwrap_or_default();
            assert!(found.contains(why), "{method} {path}: {found}");
        };
        is_found("GET", "/v1/nowhere", 200, json!({}), "is not described");
        is_found("PUT", "/healthz", 200, json!({}), "is not described");
        is_found("GET", "/healthz", 201, json!({"status": "ok"}), "does not answer 201");
        is_found("GET", "/healthz", 200, json!({}), "\"status\" is a required property");
        is_found("GET", "/healthz", 200, json!({"status": "ok", "x": 1}), "'x'");
        let event = json!({"type": "booking.accepted", "seq": 1, "at": "", "x": 1,
            "actor": {"role": "system", "id": "bellhop", "y": 1}});
        let timeline = json!({ "events": [event] });
        is_found("GET", "/v1/bookings/bk_1/timeline", 200, timeline.clone(), "'x'");
        is_found("GET", "/v1/bookings/bk_1/timeline", 200, timeline, "'y'");
        let page = json!({"items": [], "next_cursor": null});
        is_found("GET", "/v1/taxis?colour=red", 200, page, "its query has no colour");
    }
}
