//! The dashboard: a line a request, with what it is paid with as that stands now (home-cleaning 3).

use axum::{Json, extract::State};
use bellhop_domain::{
    event::Role,
    id::{BookingId, MethodId, SubjectId},
    money::Money,
    status::Status,
};
use bellhop_store::{DashboardFilter, DashboardRow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::Caller,
    extract::{Asked, paging},
    problem::Problem,
    state::Api,
    view::Items,
};

/// A request on the dashboard.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DashboardLine)]
pub(super) struct Line {
    /// The booking.
    request_id: BookingId,
    customer: SubjectId,
    service: String,
    /// Its address.
    place: Option<String>,
    price: Option<Money>,
    /// When it is for.
    date: Timestamp,
    /// What people call what it is paid with: `credit`.
    pay_kind: Option<String>,
    method: Option<LineMethod>,
    status: Status,
}

/// The stored method that a request is paid with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DashboardMethod)]
struct LineMethod {
    id: MethodId,
    /// Whether bookings can still be paid with it.
    attached: bool,
}

impl From<DashboardRow> for Line {
    fn from(row: DashboardRow) -> Self {
        let attached = row.is_attached;
        Self {
            request_id: row.id,
            customer: row.owner,
            service: row.service,
            place: row.place,
            price: row.price,
            date: row.starts_at,
            pay_kind: row.pay_kind,
            method: row.method.map(|id| LineMethod { id, attached }),
            status: row.status,
        }
    }
}

/// Which requests to show; `from` and `to` are of their dates.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    service: Option<String>,
    status: Option<Status>,
    customer: Option<SubjectId>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

/// The requests that the caller may know of, those with the latest date first.
#[utoipa::path(
    get, path = "/dashboard",
    params(Filter),
    responses((status = 200, body = Items<Line>), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Line>>, Problem> {
    caller.require(&[Role::Customer, Role::Manager, Role::Operator], "see the dashboard")?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let owner = match (caller.role, asked.customer) {
        (Role::Customer, Some(customer)) if customer != caller.subject => {
            return Ok(Json(Items { items: vec![], next_cursor: None }));
        }
        (Role::Customer, _) => Some(caller.subject),
        (_, customer) => customer,
    };
    let companies = (caller.role == Role::Manager).then(|| caller.companies.into_iter().collect());
    let filter = DashboardFilter {
        owner,
        companies,
        service: asked.service,
        status: asked.status,
        from: asked.from,
        to: asked.to,
    };
    let page = api.store().dashboard(&filter, cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Line::from)))
}
