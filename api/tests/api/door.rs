//! What happens at the door, before anything is looked up.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use bellhop_api::Settings;
use serde_json::{Value, json};

use crate::{
    temporal::OnStart,
    world::{World, a_taxi},
};

#[tokio::test]
async fn who_has_no_known_token_is_challenged() {
    let world = World::new().await;
    let naked = Request::get("/v1/bookings").body(Body::empty()).expect("a request");
    for response in [world.send(naked).await, world.get("/v1/bookings", "nobody").await] {
        assert_eq!((response.status, response.code()), (StatusCode::UNAUTHORIZED, "unauthorized"));
        assert_eq!(response.header("www-authenticate"), Some("Bearer realm=\"bellhop\""));
        assert_eq!(response.header("content-type"), Some("application/problem+json"));
    }
}

#[tokio::test]
async fn every_refusal_is_a_problem() {
    let world = World::new().await;
    let nowhere = world.get("/v1/nowhere", "dev-customer").await;
    assert_eq!((nowhere.status, nowhere.code()), (StatusCode::NOT_FOUND, "not_found"));
    assert_eq!(world.get("/nowhere", "dev-customer").await.code(), "not_found");
    assert_eq!(world.get("/v1/bookings/a%20b", "dev-customer").await.code(), "not_found");

    let method = world.put("/v1/bookings", "dev-customer", json!({})).await;
    assert_eq!(
        (method.status, method.code()),
        (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
    );
    let allowed = method.header("allow").expect("what is allowed");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");

    let query = world.get("/v1/bookings?colour=red", "dev-customer").await;
    assert_eq!((query.status, query.code()), (StatusCode::BAD_REQUEST, "invalid_query"));
    for query in ["limit=0", "limit=101", "cursor=x", "status=lost"] {
        let path = format!("/v1/bookings?{query}");
        assert_eq!(world.get(&path, "dev-customer").await.code(), "invalid_query", "{query}");
    }
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let world = World::new().await;
    let post = async |kind: &str, body: String| {
        let request = Request::post("/v1/bookings")
            .header(header::AUTHORIZATION, "Bearer dev-customer")
            .header(header::CONTENT_TYPE, kind)
            .header("idempotency-key", "k");
        world.send(request.body(Body::from(body)).expect("a request")).await
    };
    let json = "application/json";
    let cases = [
        (json, "{".to_owned(), 400, "malformed_json"),
        ("text/plain", a_taxi().to_string(), 415, "unsupported_media_type"),
        (json, format!("\"{}\"", "x".repeat(70_000)), 413, "body_too_large"),
        (json, r#"{"service": 1}"#.to_owned(), 422, "invalid_request"),
        (json, String::new(), 422, "invalid_request"),
    ];
    for (kind, body, status, code) in cases {
        let response = post(kind, body).await;
        assert_eq!((response.status.as_u16(), response.code()), (status, code), "{response:?}");
    }
    let mut unknown = a_taxi();
    unknown["colour"] = json!("red");
    let response = post(json, unknown.to_string()).await;
    assert_eq!(response.code(), "invalid_request");
    let detail = response.body["detail"].as_str().expect("a detail");
    assert!(detail.contains("colour") && detail.contains("starts_at"), "{detail}");
    assert!(world.temporal.calls().is_empty());
}

#[tokio::test]
async fn card_numbers_are_refused_before_anything_is_read() {
    let world = World::new().await;
    let mut body = a_taxi();
    body["payment"] = json!({"card": "4111 1111 1111 1111"});
    let response = world.post("/v1/bookings", "dev-customer", "k", body).await;
    assert_eq!((response.status.as_u16(), response.code()), (422, "card_number_refused"));
    assert!(!response.body.to_string().contains("4111"));
    let response =
        world.post("/v1/bookings", "dev-customer", "4111-1111-1111-1111", a_taxi()).await;
    assert_eq!((response.status.as_u16(), response.code()), (422, "card_number_refused"));
    let response = world.get("/v1/bookings/4111111111111111", "dev-customer").await;
    assert_eq!((response.status.as_u16(), response.code()), (422, "card_number_refused"));
    assert!(world.temporal.calls().is_empty());
}

#[tokio::test]
async fn bookings_and_commands_need_a_key_and_a_sensible_wait() {
    let world = World::new().await;
    for path in ["/v1/bookings", "/v1/bookings/bk_1/cancel", "/v1/bookings/bk_1/advance"] {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, "Bearer dev-customer")
            .header(header::CONTENT_TYPE, "application/json");
        let request = request.body(Body::from("{}")).expect("a request");
        let response = world.send(request).await;
        assert_eq!(response.code(), "idempotency_key_required", "{path}");
        let response = world.post(path, "dev-customer", "a b", json!({})).await;
        assert_eq!(response.code(), "idempotency_key_invalid", "{path}");
    }
    for prefer in ["wait=31", "wait=soon", "wait"] {
        let body = a_taxi();
        let path = "/v1/bookings";
        let response = world.post_waiting(path, "dev-customer", "k", Some(prefer), body).await;
        assert_eq!((response.status.as_u16(), response.code()), (400, "wait_invalid"), "{prefer}");
    }
}

#[tokio::test]
async fn a_request_id_comes_back_and_is_made_where_there_is_none() {
    let world = World::new().await;
    let send = async |id: Option<&str>| {
        let mut request = Request::get("/healthz");
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let response = world.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(response.status, StatusCode::OK);
        response.header("x-request-id").expect("an id").to_owned()
    };
    assert_eq!(send(Some("abc-1")).await, "abc-1");
    assert_eq!(send(None).await.len(), 32);
    assert_ne!(send(Some("a b")).await, "a b");
}

#[tokio::test]
async fn it_is_ready_until_it_drains() {
    let world = World::new().await;
    let ready = async || world.get("/readyz", "").await;
    assert_eq!(ready().await.status, StatusCode::OK);
    world.api.drain();
    let response = ready().await;
    assert_eq!((response.status.as_u16(), response.code()), (503, "not_ready"));
    assert!(response.header("retry-after").is_some());
}

#[tokio::test]
async fn it_is_not_ready_without_its_database() {
    let world = World::new().await;
    world.store.close().await;
    let response = world.get("/readyz", "").await;
    assert_eq!((response.status.as_u16(), response.code()), (503, "not_ready"));
    assert_eq!(world.get("/healthz", "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_takes_too_long_is_ended() {
    let request_timeout = Duration::from_millis(700);
    let world = World::with(Settings { request_timeout, ..Settings::default() }).await;
    world.temporal.next_start(OnStart::Stall);
    let wait = Some("wait=20");
    let ended = world.post_waiting("/v1/bookings", "dev-customer", "k", wait, a_taxi()).await;
    assert_eq!((ended.status.as_u16(), ended.code()), (503, "timed_out"));
    assert!(ended.header("retry-after").is_some());
}

#[tokio::test]
async fn the_description_and_its_page_take_no_token() {
    let world = World::new().await;
    let get = async |path: &str| {
        world.send(Request::get(path).body(Body::empty()).expect("a request")).await
    };
    let description = get("/openapi.json").await;
    assert_eq!(description.status, StatusCode::OK);
    assert_eq!(description.header("content-type"), Some("application/json"));
    let committed = include_str!("../../../docs/openapi.json");
    let committed: Value = serde_json::from_str(committed).expect("JSON");
    assert_eq!(description.body, committed);

    let page = get("/docs").await;
    assert_eq!((page.status, page.header("location")), (StatusCode::SEE_OTHER, Some("/docs/")));
    for asset in ["", "swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert_eq!(get(&format!("/docs/{asset}")).await.status, StatusCode::OK, "{asset}");
    }
    assert_eq!(world.put("/docs", "nobody", json!({})).await.code(), "method_not_allowed");
}
