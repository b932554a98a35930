//! The description of the API (OpenAPI 3.1), made of the routes and of the types that they read and
//! show.
//!
//! A route says in its `utoipa::path` what it reads, what it answers once it is done, and which
//! problems are its own: `(status = 409)` is all it takes. What follows from that, or is true of
//! every route, is added by [`complete`]. `docs/openapi.json` is what comes of it: write it anew by
//! `BELLHOP_WRITE_DOCS=1 cargo test -p bellhop-api openapi`.

use axum::{
    Router,
    body::Bytes,
    http::{StatusCode, header},
    routing::get,
};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Array, Components, Content, Header, Info, Object, ObjectBuilder, OpenApi, PathItem, Ref,
        RefOr, Required, Response, ResponseBuilder, Schema, Type,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBody,
        security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::{
    idempotency,
    problem::{Kind, ProblemBody},
};

/// Where the description is.
const PATH: &str = "/openapi.json";

/// What reads it, before anything else.
const ABOUT: &str = "Durable bookings. Every POST but a retry needs an `Idempotency-Key`: the same \
key again answers the same. What is refused is a problem (RFC 9457) with a stable `code`. A \
request with a member that is not described is refused.";

/// The token, as the description calls it.
const TOKEN: &str = "token";

/// The description, and the page that shows it: neither takes a token.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(description: &OpenApi) -> Router<S> {
    let text = Bytes::from(text(description));
    let json = [(header::CONTENT_TYPE, "application/json")];
    // The page would ask a validator on the internet.
    let page = SwaggerUi::new("/docs").config(Config::from(PATH).validator_url("none"));
    Router::new().route(PATH, get(async move || (json, text))).merge(page)
}

fn text(description: &OpenApi) -> String {
    let json = description.to_pretty_json();
    json.expect("a description is made of what JSON can say") + "\n"
}

/// The description of the whole API, once its routes have said what they say.
pub(crate) fn complete(mut api: OpenApi) -> OpenApi {
    api.info = Info::new("Bellhop", env!("CARGO_PKG_VERSION"));
    api.info.description = Some(ABOUT.to_owned());
    let components = api.components.get_or_insert_default();
    for (path, item) in &mut api.paths.paths {
        for (method, operation) in operations(item) {
            complete_operation(components, path, method, operation);
        }
    }
    let mut schemas = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    for kind in Kind::ALL {
        components.responses.insert(name(kind.status()), problem(kind.status()).into());
    }
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    components.add_security_scheme(TOKEN, bearer);
    api
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let PathItem { get, put, post, delete, .. } = item;
    let all = [("get", get), ("put", put), ("post", post), ("delete", delete)];
    all.into_iter().filter_map(|(method, it)| Some((method, it.as_mut()?)))
}

/// What a route need not say: it follows from what it says, or is true of every route.
fn complete_operation(
    components: &Components,
    path: &str,
    method: &str,
    operation: &mut Operation,
) {
    let is_public = !path.starts_with("/v1/");
    let parts: Vec<_> = path.strip_prefix("/v1").unwrap_or(path).split('/').skip(1).collect();
    operation.operation_id = Some(operation_id(method, &parts));
    operation.summary = operation.summary.take().map(|it| it.replace('\n', " "));
    operation.tags = Some(vec![tag(&parts).to_owned()]);
    let token = SecurityRequirement::new(TOKEN, Vec::<String>::new());
    operation.security = Some(if is_public { vec![] } else { vec![token] });
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        let is_required = requires_anything(components, body);
        body.required = Some(if is_required { Required::True } else { Required::False });
    }

    let parameters = operation.parameters.get_or_insert_default();
    let is_key = |it: &RefOr<Parameter>| matches!(it, RefOr::T(it) if it.name == idempotency::KEY);
    let has_key = parameters.iter().any(is_key);
    let (reads_body, asks) = (operation.request_body.is_some(), !parameters.is_empty());
    let ids = parts.iter().filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    let ids: Vec<_> = ids.map(|it| RefOr::T(id(it))).collect();

    let responses = &mut operation.responses.responses;
    for (may_meet, status) in [
        (true, StatusCode::UNPROCESSABLE_ENTITY), // a card number in its path
        (true, StatusCode::INTERNAL_SERVER_ERROR),
        (true, StatusCode::SERVICE_UNAVAILABLE),
        (!is_public, StatusCode::UNAUTHORIZED),
        (!ids.is_empty(), StatusCode::NOT_FOUND),
        (asks || reads_body, StatusCode::BAD_REQUEST),
        (reads_body, StatusCode::PAYLOAD_TOO_LARGE),
        (reads_body, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ] {
        if may_meet {
            responses.insert(status.as_str().to_owned(), Response::new("").into());
        }
    }
    for (status, response) in responses {
        let status: StatusCode = status.parse().expect("routes answer with numbers");
        match response {
            RefOr::T(response) if status.is_success() => {
                complete_response(status, method, has_key, response);
            }
            problem => *problem = Ref::from_response_name(name(status)).into(),
        }
    }
    parameters.splice(0..0, ids);
}

/// A name that no other route has: `get_bookings_id_timeline`.
fn operation_id(method: &str, parts: &[&str]) -> String {
    let words = parts.iter().map(|it| it.trim_matches(['{', '}']).replace('-', "_"));
    words.fold(method.to_owned(), |name, word| name + "_" + &word)
}

/// The resource that a route is about.
fn tag<'a>(parts: &[&'a str]) -> &'a str {
    match parts[0] {
        "healthz" | "readyz" | "metrics" | "invariants" => "platform",
        resource => resource,
    }
}

/// Whether a body has to be sent: none says `{}`.
fn requires_anything(components: &Components, body: &RequestBody) -> bool {
    let requires = |content: &RefOr<Content>| {
        let RefOr::T(Content { schema: Some(RefOr::Ref(it)), .. }) = content else { return true };
        let name = it.ref_location.rsplit('/').next().unwrap_or_default();
        let schema = components.schemas.get(name);
        !matches!(schema, Some(RefOr::T(Schema::Object(it))) if it.required.is_empty())
    };
    body.content.values().any(requires)
}

/// A part of the path.
fn id(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

/// A header that a request may have, or must.
pub(crate) fn header_parameter(name: &str, required: Required, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(description))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

fn complete_response(status: StatusCode, method: &str, has_key: bool, response: &mut Response) {
    if response.description.is_empty() {
        let said = match (status, method) {
            (StatusCode::CREATED, _) => "It is made.",
            (StatusCode::ACCEPTED, _) => "It is taken, and not done yet.",
            (_, "get") => "Here it is.",
            _ => "It is done.",
        };
        response.description = said.to_owned();
    }
    let mut add = |name: &str, description: &str| {
        response.headers.insert(name.to_owned(), told(description).into());
    };
    if method == "post" && matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED) {
        add("Location", "Where it is.");
    }
    if has_key {
        add("Idempotent-Replayed", "`true` where the request is a repeat.");
    }
}

fn told(description: &str) -> Header {
    let mut header = Header::new(Object::with_type(Type::String));
    header.description = Some(description.to_owned());
    header
}

/// How the description calls a problem's answer: `NotFound`.
fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().replace(' ', "")
}

/// The answer of the problems with a status.
fn problem(status: StatusCode) -> Response {
    let kinds = Kind::ALL.iter().filter(|it| it.status() == status);
    let codes: Vec<_> = kinds.map(|it| format!("`{}`", it.code())).collect();
    let content = Content::new(Some(Ref::from_schema_name(ProblemBody::name())));
    let response = ResponseBuilder::new()
        .description(codes.join(", "))
        .content("application/problem+json", content);
    match status {
        StatusCode::UNAUTHORIZED => {
            response.header("WWW-Authenticate", told("Which token is needed."))
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            response.header("Retry-After", told("When to come back, in seconds."))
        }
        _ => response,
    }
    .build()
}

/// A list whose items are described under their own name.
pub(crate) fn list_of<T: ToSchema>() -> Array {
    Array::new(Ref::from_schema_name(T::name()))
}

/// One of these words.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const PAGE: &str = "../docs/openapi.json";

    fn description() -> Value {
        serde_json::from_str(&text(&crate::routes::described().1)).expect("JSON")
    }

    /// Set `BELLHOP_WRITE_DOCS=1` to write it anew.
    #[test]
    fn the_description_in_docs_is_the_one_that_is_served() -> std::io::Result<()> {
        let now = text(&crate::routes::described().1);
        if std::env::var_os("BELLHOP_WRITE_DOCS").is_some() {
            return std::fs::write(PAGE, now);
        }
        let page = std::fs::read_to_string(PAGE).unwrap_or_default();
        let told = "write it anew: BELLHOP_WRITE_DOCS=1 cargo test -p bellhop-api openapi";
        assert!(page == now, "{PAGE} is not what the code says: {told}");
        Ok(())
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(members) => {
                    found.extend(members.get("$ref").and_then(Value::as_str));
                    members.values().for_each(|it| references(it, found));
                }
                Value::Array(items) => items.iter().for_each(|it| references(it, found)),
                _ => {}
            }
        }
        let description = description();
        let mut found = vec![];
        references(&description, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("it is within the description");
            assert!(description.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn an_operation_has_a_name_of_its_own_and_declares_its_path() {
        let description = description();
        let mut names = BTreeSet::new();
        for (path, item) in description["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let name = operation["operationId"].as_str().expect("a name");
                assert!(names.insert(name), "{name} is there twice");
                let summary = operation["summary"].as_str().unwrap_or_default();
                assert!(!summary.is_empty(), "{method} {path} says nothing of itself");
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let declared: BTreeSet<_> = parameters
                    .filter(|it| it["in"] == "path" && it["required"] == true)
                    .filter_map(|it| it["name"].as_str())
                    .collect();
                let named = path.split('/').filter_map(|it| it.strip_prefix('{'));
                let named = named.map(|it| it.trim_end_matches('}')).collect();
                assert_eq!(declared, named, "{method} {path}");
            }
        }
    }
}
