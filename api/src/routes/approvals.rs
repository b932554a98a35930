//! What waits for a manager (call-taxi 4).

use axum::{Json, extract::State};

use super::lists::{self, List, OfCompany};
use crate::{
    caller::Caller,
    extract::Asked,
    problem::Problem,
    state::Api,
    view::{Booking, Items},
};

/// The bookings that wait for a manager, oldest first.
#[utoipa::path(
    get, path = "/approvals",
    params(OfCompany),
    responses((status = 200, body = Items<Booking>), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<OfCompany>,
) -> Result<Json<Items<Booking>>, Problem> {
    lists::of_company(&api, &caller, "see approvals", List::Approvals, asked).await.map(Json)
}
