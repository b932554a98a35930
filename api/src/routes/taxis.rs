//! Taxis: what companies register as available (call-taxi 11), as pools that bookings hold.

use axum::{Json, extract::State, http::StatusCode};
use bellhop_domain::{
    id::{CompanyId, PoolId},
    money::Money,
};
use bellhop_store::{Pool, PoolRow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::pools::{Counts, Filter, Wares, yes};
use crate::{
    body::Body,
    caller::Caller,
    extract::{Asked, Named},
    problem::Problem,
    state::Api,
    view::Items,
};

const TAXIS: Wares = Wares {
    kind: "taxi",
    one: "taxi",
    many: "taxis",
    variant: "/grade",
    label: "/name",
    place: "/place",
    capacity: "/capacity",
    counts: Counts::All,
};

/// A company's taxis of one grade.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Taxi {
    id: PoolId,
    company: CompanyId,
    grade: Option<String>,
    name: String,
    /// Of one ride.
    price: Money,
    /// How many there are.
    capacity: u32,
    /// Held for reservations that wait for their approval.
    held: u32,
    /// Assigned to customers.
    taken: u32,
    free: u32,
    /// Whether new bookings may hold from it.
    open: bool,
    created_at: Timestamp,
}

impl From<PoolRow> for Taxi {
    fn from(row: PoolRow) -> Self {
        let (held, taken, free) = (row.held, row.taken, row.free());
        let Pool { id, company, variant, label, price, capacity, open, .. } = row.pool;
        let created_at = row.created_at;
        let (grade, name) = (variant, label);
        Self { id, company, grade, name, price, capacity, held, taken, free, open, created_at }
    }
}

/// All taxis, or a company's.
#[utoipa::path(
    get, path = "/taxis",
    params(Filter),
    responses((status = 200, body = Items<Taxi>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Taxi>>, Problem> {
    TAXIS.list(&api, asked).await
}

/// One company's taxis of one grade.
#[utoipa::path(get, path = "/taxis/{id}", responses((status = 200, body = Taxi)))]
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<PoolId>,
) -> Result<Json<Taxi>, Problem> {
    Ok(Json(TAXIS.get(&api, &id).await?.into()))
}

/// What a company says of its taxis.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutTaxi {
    company: CompanyId,
    grade: String,
    name: String,
    /// Of one ride.
    price: Money,
    /// How many there are, those in use included.
    capacity: u32,
    /// Whether new bookings may hold from it.
    #[serde(default = "yes")]
    open: bool,
}

/// Registers taxis or changes them: 201 for new ones, else 200. A repeat changes nothing.
#[utoipa::path(
    put, path = "/taxis/{id}",
    request_body = PutTaxi,
    responses(
        (status = 200, body = Taxi), (status = 201, body = Taxi),
        (status = 403), (status = 409)
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    Body { value: new, .. }: Body<PutTaxi>,
) -> Result<(StatusCode, Json<Taxi>), Problem> {
    let pool = Pool {
        id,
        kind: TAXIS.kind.to_owned(),
        company: new.company,
        variant: Some(new.grade),
        label: new.name,
        place: None,
        starts_at: None,
        price: new.price,
        capacity: new.capacity,
        open: new.open,
    };
    TAXIS.put(&api, &caller, pool).await
}
