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
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    body, observe, openapi,
    problem::{Kind, Problem},
    state::Api,
};

/// The whole HTTP API: `/v1`, and the probes, the metrics and the description beside it.
pub fn router(api: Api) -> Router {
    let (router, description) = described();
    router
        .merge(openapi::routes(&description))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(from_fn_with_state(api.clone(), observe::in_time))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(from_fn(observe::observe))
        .with_state(api)
}

/// The routes, and the description that they make. Each says its path and its method where it is.
pub(crate) fn described() -> (Router<Api>, OpenApi) {
    let v1 = OpenApiRouter::default()
        .routes(routes!(services::list))
        .routes(routes!(services::get))
        .routes(routes!(bookings::list, create::create))
        .routes(routes!(bookings::get))
        .routes(routes!(commands::cancel))
        .routes(routes!(commands::advance))
        .routes(routes!(bookings::cancellation_quote))
        .routes(routes!(bookings::timeline))
        .routes(routes!(bookings::messages))
        .routes(routes!(receipts::list))
        .routes(routes!(events::follow))
        .routes(routes!(approvals::list))
        .routes(routes!(commands::approve))
        .routes(routes!(commands::decline))
        .routes(routes!(exhibitions::list))
        .routes(routes!(exhibitions::get, exhibitions::put))
        .routes(routes!(exhibitions::withdraw))
        .routes(routes!(operations::get))
        .routes(routes!(pools::list))
        .routes(routes!(pools::get, pools::put))
        .nest("/staff", staff::routes(None))
        .nest("/drivers", staff::routes(Some("driver")))
        .nest("/cleaners", staff::routes(Some("cleaner")))
        .routes(routes!(offers::list))
        .routes(routes!(commands::accept_offer))
        .routes(routes!(commands::decline_offer))
        .routes(routes!(taxis::list))
        .routes(routes!(taxis::get, taxis::put))
        .routes(routes!(products::list))
        .routes(routes!(products::get, products::put))
        .routes(routes!(customers::bookings))
        .routes(routes!(customers::messages))
        .routes(routes!(payment_methods::list, payment_methods::register))
        .routes(routes!(payment_methods::get, payment_methods::change, payment_methods::detach))
        .routes(routes!(dashboard::list))
        .routes(routes!(attention::list))
        .routes(routes!(attention::retry))
        .routes(routes!(platform::invariants));
    let (router, description) = OpenApiRouter::default()
        .nest("/v1", v1)
        .routes(routes!(platform::healthz))
        .routes(routes!(platform::readyz))
        .routes(routes!(platform::metrics))
        .split_for_parts();
    (router, openapi::complete(description))
}

async fn no_route(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("nothing is at {}", uri.path()))
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{method} is not offered at {}", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
