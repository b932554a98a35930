//! The routes, and what surrounds each of them.

mod approvals;
mod attention;
mod bookings;
mod commands;
mod create;
mod customers;
mod dashboard;
mod events;
mod exhibitions;
mod lists;
mod offers;
mod operations;
mod payment_methods;
mod platform;
mod pools;
mod products;
mod receipts;
mod services;
mod staff;
mod taxis;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    middleware::{from_fn, from_fn_with_state},
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    body, observe,
    problem::{Kind, Problem},
    state::Api,
};

/// The whole HTTP API: `/v1`, and `/healthz`, `/readyz` and `/metrics` beside it.
pub fn router(api: Api) -> Router {
    let v1 = Router::new()
        .route("/services", get(services::list))
        .route("/services/{id}", get(services::get))
        .route("/bookings", get(bookings::list).post(create::create))
        .route("/bookings/{id}", get(bookings::get))
        .route("/bookings/{id}/cancel", post(commands::cancel))
        .route("/bookings/{id}/advance", post(commands::advance))
        .route("/bookings/{id}/cancellation-quote", get(bookings::cancellation_quote))
        .route("/bookings/{id}/timeline", get(bookings::timeline))
        .route("/bookings/{id}/messages", get(bookings::messages))
        .route("/bookings/{id}/receipts", get(receipts::list))
        .route("/bookings/{id}/events", get(events::follow))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}/approve", post(commands::approve))
        .route("/approvals/{id}/decline", post(commands::decline))
        .route("/exhibitions", get(exhibitions::list))
        .route("/exhibitions/{id}", get(exhibitions::get).put(exhibitions::put))
        .route("/exhibitions/{id}/withdraw", post(exhibitions::withdraw))
        .route("/operations/{id}", get(operations::get))
        .route("/pools", get(pools::list))
        .route("/pools/{id}", get(pools::get).put(pools::put))
        .nest("/staff", staff::routes(None))
        .nest("/drivers", staff::routes(Some("driver")))
        .nest("/cleaners", staff::routes(Some("cleaner")))
        .route("/offers", get(offers::list))
        .route("/offers/{id}/accept", post(commands::accept_offer))
        .route("/offers/{id}/decline", post(commands::decline_offer))
        .route("/taxis", get(taxis::list))
        .route("/taxis/{id}", get(taxis::get).put(taxis::put))
        .route("/products", get(products::list))
        .route("/products/{id}", get(products::get).put(products::put))
        .route("/customers/{id}/bookings", get(customers::bookings))
        .route("/customers/{id}/messages", get(customers::messages))
        .route(
            "/customers/{id}/payment-methods",
            get(payment_methods::list).post(payment_methods::register),
        )
        .route(
            "/customers/{id}/payment-methods/{pm}",
            get(payment_methods::get).put(payment_methods::change).delete(payment_methods::detach),
        )
        .route("/dashboard", get(dashboard::list))
        .route("/attention", get(attention::list))
        .route("/attention/{id}/retry", post(attention::retry))
        .route("/invariants", get(platform::invariants));
    Router::new()
        .nest("/v1", v1)
        .route("/healthz", get(platform::healthz))
        .route("/readyz", get(platform::readyz))
        .route("/metrics", get(platform::metrics))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(from_fn_with_state(api.clone(), observe::in_time))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn(observe::observe))
        .with_state(api)
}

async fn no_route(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("nothing is at {}", uri.path()))
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not offered at {}", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
