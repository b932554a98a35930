//! What the tests stand in: an API with a database and the fake Temporal, and requests to it.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use bellhop_api::{Api, Services, Settings, Tokens, router};
use bellhop_domain::plan::Pace;
use bellhop_store::{Store, testing::TestDb};
use serde_json::{Value, json};
use temporalio_client::Client;
use tower::ServiceExt;

use crate::temporal::Temporal;

pub(crate) const CALL_TAXI: &str = include_str!("../../../services/call-taxi.toml");

const EXHIBITION: &str = include_str!("../../../services/exhibition.toml");

pub(crate) struct World {
    pub(crate) api: Api,
    pub(crate) temporal: Temporal,
    pub(crate) store: Store,
    router: Router,
    _db: TestDb,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|it| it.to_str().ok())
    }

    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn is_replay(&self) -> bool {
        self.header("idempotent-replayed") == Some("true")
    }

    /// The id of the booking, which a problem names as well.
    pub(crate) fn id(&self) -> &str {
        let id = self.body["id"].as_str().or_else(|| self.body["booking_id"].as_str());
        id.expect("an id")
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// With one taxi of Mapo's and short waits.
    pub(crate) async fn with(settings: Settings) -> Self {
        let db = TestDb::sqlite().await;
        let temporal = Temporal::new(db.store.clone());
        let client = temporal.client().await;
        Self::of(db, temporal, client, settings).await
    }

    /// On a Temporal of the test's own.
    pub(crate) async fn on(client: Client, settings: Settings) -> Self {
        let db = TestDb::sqlite().await;
        let temporal = Temporal::new(db.store.clone());
        Self::of(db, temporal, client, settings).await
    }

    async fn of(db: TestDb, temporal: Temporal, client: Client, settings: Settings) -> Self {
        let store = db.store.clone();
        let files = [("call-taxi.toml", CALL_TAXI), ("exhibition.toml", EXHIBITION)];
        let services = Services::parse(files).expect("they ship");
        let settings = Settings { wait: Duration::from_secs(1), ..settings };
        let pace = Pace::default();
        let api = Api::new(store.clone(), client, services, Tokens::dev(), pace, settings);
        let world = Self { router: router(api.clone()), api, temporal, store, _db: db };
        let taxi = json!({"company": "com_mapo", "grade": "prime", "name": "Mapo Prime",
            "price": {"minor": 9_800, "currency": "KRW"}, "capacity": 5});
        let put = world.put("/v1/taxis/tx_mapo", "dev-manager", taxi).await;
        assert_eq!(put.status, StatusCode::CREATED, "{put:?}");
        world
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        let response = self.router.clone().oneshot(request).await.expect("it never fails");
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Response { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Response {
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::empty()).expect("a request")).await
    }

    pub(crate) async fn put(&self, path: &str, token: &str, body: Value) -> Response {
        let request = Request::put(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, key: &str, body: Value) -> Response {
        self.post_waiting(path, token, key, None, body).await
    }

    pub(crate) async fn post_waiting(
        &self,
        path: &str,
        token: &str,
        key: &str,
        prefer: Option<&str>,
        body: Value,
    ) -> Response {
        let mut request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key);
        if let Some(prefer) = prefer {
            request = request.header("prefer", prefer);
        }
        self.send(request.body(Body::from(body.to_string())).expect("a request")).await
    }

    /// Books a taxi for Kim.
    pub(crate) async fn book(&self, key: &str) -> Response {
        self.post("/v1/bookings", "dev-customer", key, a_taxi()).await
    }
}

/// A request for a taxi.
pub(crate) fn a_taxi() -> Value {
    json!({
        "service": "call-taxi",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "options": {"grade": "prime"},
        "starts_at": "2099-12-24T18:00:00+09:00",
        "place": {"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236},
        "quantity": 1,
        "payment": {"token": "tok_ok"},
    })
}
