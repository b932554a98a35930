//! What waits for a manager (call-taxi 4).

use axum::{Json, extract::State};
use bellhop_domain::{event::Role, id::CompanyId};
use serde::Deserialize;
use utoipa::IntoParams;

use super::lists::{self, List};
use crate::{
    caller::Caller,
    extract::{Asked, page_size},
    problem::Problem,
    state::Api,
    view::{Booking, Items},
};

/// Whose approvals to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    company: Option<CompanyId>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

/// The bookings that wait for a manager, oldest first.
#[utoipa::path(
    get, path = "/approvals",
    params(Filter),
    responses((status = 200, body = Items<Booking>), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Booking>>, Problem> {
    caller.require(&[Role::Manager, Role::Operator], "see approvals")?;
    let limit = page_size(asked.limit)?;
    let cursor = asked.cursor.as_deref();
    lists::page(&api, &caller, List::Approvals, asked.company, cursor, limit).await.map(Json)
}
