//! Exhibitions: what museums offer (exhibition 1), as pools whose places bookings hold, and their
//! withdrawal (exhibition 9 and 10).

use axum::{Json, extract::State, http::StatusCode};
use bellhop_domain::{
    event::Role,
    id::{CompanyId, OperationId, PoolId},
    money::Money,
};
use bellhop_store::{Pool, PoolRow, Withdrawal};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    commands::check_reason,
    operations::{Operation, Started},
    pools::{Counts, Filter, Wares, yes},
};
use crate::{
    body::Body,
    caller::Caller,
    extract::{Asked, Named},
    idempotency::IdempotencyKey,
    problem::{Kind, Problem},
    state::Api,
    view::Items,
};

const EXHIBITIONS: Wares = Wares {
    kind: "exhibition",
    one: "exhibition",
    many: "exhibitions",
    variant: "/variant",
    label: "/title",
    place: "/hall",
    capacity: "/capacity",
    counts: Counts::All,
};

/// An exhibition of a museum, at one date.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Exhibition {
    id: PoolId,
    /// The museum.
    company: CompanyId,
    title: String,
    hall: Option<String>,
    starts_at: Option<Timestamp>,
    /// Of one place; 0 is free.
    price: Money,
    capacity: u32,
    /// Places that are booked, and not used yet.
    held: u32,
    /// Places of visitors who were admitted.
    taken: u32,
    /// Places that are left.
    free: u32,
    /// Whether it can be booked.
    open: bool,
    withdrawn_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<PoolRow> for Exhibition {
    fn from(row: PoolRow) -> Self {
        let free = row.free();
        let PoolRow { pool, held, taken, withdrawn_at, created_at } = row;
        Self {
            id: pool.id,
            company: pool.company,
            title: pool.label,
            hall: pool.place,
            starts_at: pool.starts_at,
            price: pool.price,
            capacity: pool.capacity,
            held,
            taken,
            free,
            open: pool.open,
            withdrawn_at,
            created_at,
        }
    }
}

/// All exhibitions, or a museum's.
#[utoipa::path(
    get, path = "/exhibitions",
    params(Filter),
    responses((status = 200, body = Items<Exhibition>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Exhibition>>, Problem> {
    EXHIBITIONS.list(&api, asked).await
}

/// One exhibition, with the places that are left.
#[utoipa::path(get, path = "/exhibitions/{id}", responses((status = 200, body = Exhibition)))]
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<PoolId>,
) -> Result<Json<Exhibition>, Problem> {
    Ok(Json(EXHIBITIONS.get(&api, &id).await?.into()))
}

/// What a museum says of an exhibition.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutExhibition {
    company: CompanyId,
    title: String,
    hall: String,
    starts_at: Timestamp,
    /// Of one place; 0 is free.
    price: Money,
    /// How many places there are, booked ones included.
    capacity: u32,
    /// Whether it can be booked.
    #[serde(default = "yes")]
    open: bool,
}

/// Registers an exhibition or changes it: 201 for a new one, else 200. A repeat changes nothing.
#[utoipa::path(
    put, path = "/exhibitions/{id}",
    request_body = PutExhibition,
    responses(
        (status = 200, body = Exhibition), (status = 201, body = Exhibition),
        (status = 403), (status = 409)
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    Body { value: new, .. }: Body<PutExhibition>,
) -> Result<(StatusCode, Json<Exhibition>), Problem> {
    let pool = Pool {
        id,
        kind: EXHIBITIONS.kind.to_owned(),
        company: new.company,
        variant: None,
        label: new.title,
        place: Some(new.hall),
        starts_at: Some(new.starts_at),
        price: new.price,
        capacity: new.capacity,
        open: new.open,
    };
    EXHIBITIONS.put(&api, &caller, pool).await
}

/// Why an exhibition is withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewWithdrawal {
    /// At most 500 characters.
    reason: Option<String>,
}

/// Withdraws an exhibition: from now on it cannot be booked, and every booking of it is cancelled and
/// refunded in full.
///
/// Answers 202 with the operation that does so, and 200 once it is done. An exhibition is withdrawn
/// once: another withdrawal answers the operation of the first.
#[utoipa::path(
    post, path = "/exhibitions/{id}/withdraw",
    params(IdempotencyKey),
    request_body = NewWithdrawal,
    responses((status = 200, body = Operation), (status = 202, body = Operation), (status = 403))
)]
pub(super) async fn withdraw(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    key: IdempotencyKey,
    Body { value: new, fingerprint }: Body<NewWithdrawal>,
) -> Result<Started, Problem> {
    caller.require(&[Role::Manager, Role::Operator], "withdraw exhibitions")?;
    check_reason(new.reason.as_deref())?;
    let exhibition = EXHIBITIONS.get(&api, &id).await?;
    if !caller.manages(&exhibition.pool.company) {
        return Err(Problem::new(Kind::Forbidden, "you do not decide for that museum"));
    }
    let operation = OperationId::from_key(&caller.subject, key.as_str());
    let known = api.store().operation(&operation).await?;
    let withdrawal =
        Withdrawal { operation, pool: id, actor: caller.actor(), fingerprint, reason: new.reason };
    let row = api.store().withdraw_pool(&withdrawal, Timestamp::now()).await?;
    let row = row.ok_or_else(|| Problem::not_found(EXHIBITIONS.one))?;
    let is_same = (&row.subject, &row.fingerprint) == (&withdrawal.pool, &withdrawal.fingerprint);
    if row.id == withdrawal.operation && !is_same {
        let detail = "another operation was begun with this key: use a new key for a new one";
        return Err(Problem::new(Kind::KeyReused, detail));
    }
    if !row.is_done
        && let Err(error) = api.engine().withdraw(&row.id).await
    {
        // It is on record: it is started as soon as that can be done.
        tracing::warn!(operation.id = %row.id, %error, "a withdrawal is not started yet");
    }
    Ok(Started { operation: Operation::from(row), is_replay: known.is_some() })
}
