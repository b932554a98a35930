//! What waits for a manager (call-taxi 4).

use axum::{Json, extract::State};
use bellhop_domain::{event::Role, id::CompanyId};
use serde::Deserialize;

use super::lists::{self, List};
use crate::{
    caller::Caller,
    extract::{Asked, page_size},
    problem::Problem,
    state::Api,
    view::{Booking, Items},
};

/// Whose approvals to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    company: Option<CompanyId>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The bookings that wait for a manager, oldest first.
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
