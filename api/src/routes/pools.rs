//! Pools: what companies register and bookings hold. Taxis, exhibitions and products are pools, each
//! shown in its own words; pools of other kinds, for services of one's own, are shown as they are.

use axum::{Json, extract::State, http::StatusCode};
use bellhop_domain::{
    event::Role,
    id::{CompanyId, PoolId},
    money::Money,
    plan::{Plan, Violation, is_option_value},
};
use bellhop_store::{Pool, PoolRow, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::{Body, is_line},
    caller::Caller,
    extract::{Asked, Named, paging},
    problem::{Kind, Problem},
    state::Api,
    view::Items,
};

/// How many there may be of one.
const LARGEST: u32 = 1_000_000;

/// What one costs at most, in the minor unit.
const DEAREST: i64 = 1_000_000_000;

/// A kind of pool, and what callers call it.
pub(super) struct Wares {
    /// As services name it; empty for all kinds.
    pub(super) kind: &'static str,
    /// One of them, and several.
    pub(super) one: &'static str,
    pub(super) many: &'static str,
    /// The members of a request that say its variant, its label, its place and how many there are.
    pub(super) variant: &'static str,
    pub(super) label: &'static str,
    pub(super) place: &'static str,
    pub(super) capacity: &'static str,
    /// What that number counts.
    pub(super) counts: Counts,
}

/// What the number counts that a company names.
#[derive(Clone, Copy)]
pub(super) enum Counts {
    /// All that there are, those in use included.
    All,
    /// What is on the shelf now: what was taken counts besides.
    Shelf,
}

impl Counts {
    async fn put(self, api: &Api, pool: &Pool, now: Timestamp) -> Result<(), StoreError> {
        match self {
            Self::All => api.store().put_pool(pool, now).await,
            Self::Shelf => api.store().put_stock(pool, now).await,
        }
    }

    /// Why it cannot be less.
    fn least(self, held: u32, taken: u32) -> String {
        match self {
            Self::All => format!("{held} are held and {taken} are taken: name at least as many"),
            Self::Shelf => format!("orders hold {held} of them: name at least as many"),
        }
    }
}

/// Pools of every kind.
const POOLS: Wares = Wares {
    kind: "",
    one: "pool",
    many: "pools",
    variant: "/variant",
    label: "/name",
    place: "/place",
    capacity: "/capacity",
    counts: Counts::All,
};

/// Which pools to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of which kind; only where the path does not say it.
    kind: Option<String>,
    company: Option<CompanyId>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

impl Wares {
    /// All of the kind, or a company's.
    pub(super) async fn list<T: From<PoolRow>>(
        &self,
        api: &Api,
        asked: Filter,
    ) -> Result<Json<Items<T>>, Problem> {
        let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
        if !self.kind.is_empty() && asked.kind.is_some() {
            return Err(Problem::new(Kind::InvalidQuery, "kind: is what the path says"));
        }
        let kind = asked.kind.as_deref().or(Some(self.kind).filter(|it| !it.is_empty()));
        let page = api.store().pools(kind, asked.company.as_ref(), cursor.as_ref(), limit).await?;
        Ok(Json(Items::of(page, T::from)))
    }

    /// One of the kind.
    pub(super) async fn get(&self, api: &Api, id: &PoolId) -> Result<PoolRow, Problem> {
        let row = api.store().pool(id).await?;
        let row = row.filter(|it| self.kind.is_empty() || it.pool.kind == self.kind);
        row.ok_or_else(|| Problem::not_found(self.one))
    }

    /// Registers a pool or changes it: 201 for a new one, else 200. A repeat changes nothing.
    pub(super) async fn put<T: From<PoolRow>>(
        &self,
        api: &Api,
        caller: &Caller,
        pool: Pool,
    ) -> Result<(StatusCode, Json<T>), Problem> {
        caller.require(&[Role::Manager, Role::Operator], &format!("register {}", self.many))?;
        let (before, now) = (api.store().pool(&pool.id).await?, Timestamp::now());
        let owners = before.iter().map(|it| &it.pool.company).chain([&pool.company]);
        if owners.into_iter().any(|it| !caller.manages(it)) {
            return Err(Problem::new(Kind::Forbidden, "you do not decide for that company"));
        }
        let violations = self.violations(api, before.as_ref(), &pool, now);
        if !violations.is_empty() {
            let detail = format!("the {} does not fit", self.one);
            return Err(Problem::new(Kind::InvalidRequest, detail).violating(violations));
        }
        self.counts.put(api, &pool, now).await.map_err(|error| match error {
            StoreError::PoolInUse { held, taken } => {
                Problem::new(Kind::PoolInUse, self.counts.least(held, taken))
            }
            StoreError::PoolFixed(_) => {
                let detail = "it was withdrawn, for good: register another under an id of its own";
                Problem::new(Kind::Withdrawn, detail)
            }
            error => error.into(),
        })?;
        let after = self.get(api, &pool.id).await?;
        let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
        Ok((status, Json(after.into())))
    }

    fn violations(
        &self,
        api: &Api,
        before: Option<&PoolRow>,
        pool: &Pool,
        now: Timestamp,
    ) -> Vec<Violation> {
        let mut found = vec![];
        let mut wrong = |pointer: &str, detail: String| {
            found.push(Violation { pointer: pointer.to_owned(), detail });
        };
        let Some(service) = api.services().holding(&pool.kind) else {
            wrong("/kind", "no service holds from pools of this kind".to_owned());
            return found;
        };
        if pool.variant.as_deref().is_some_and(|it| !is_option_value(it)) {
            wrong(self.variant, "use 1 to 64 letters, digits, '_' or '-'".to_owned());
        }
        if !is_line(&pool.label, 100) {
            wrong(self.label, "write 1 to 100 characters".to_owned());
        }
        if pool.place.as_deref().is_some_and(|it| !is_line(it, 100)) {
            wrong(self.place, "write 1 to 100 characters".to_owned());
        }
        if !(0..=DEAREST).contains(&pool.price.minor) {
            wrong("/price/minor", format!("use 0 to {DEAREST}"));
        }
        if service.currency() != pool.price.currency {
            let code = service.currency().code();
            wrong("/price/currency", format!("{} are priced in {code}", self.many));
        }
        if pool.capacity > LARGEST {
            wrong(self.capacity, format!("name at most {LARGEST}"));
        }
        let known_start = before.and_then(|it| it.pool.starts_at);
        if pool.starts_at.is_some_and(|it| it <= now) && pool.starts_at != known_start {
            wrong("/starts_at", "is in the past".to_owned());
        }
        let is_other = |it: &&PoolRow| it.pool.kind != pool.kind || it.pool.company != pool.company;
        if before.filter(is_other).is_some() {
            let detail = "the id stands for something of another company or kind".to_owned();
            wrong("/company", detail);
        }
        found
    }
}

/// Refuses a booking that names its pool where there is no such pool, or where it is not offered now.
/// Whether there is room is decided when it is held. With the database away nobody knows.
pub(super) async fn check_offer(api: &Api, plan: &Plan, now: Timestamp) -> Result<(), Problem> {
    let Some((hold, id)) = plan.service.hold.as_ref().zip(plan.pool()) else { return Ok(()) };
    let row = match api.store().pool(&id).await {
        Ok(row) => row.filter(|it| it.pool.kind == hold.pool),
        Err(error) => {
            tracing::debug!(%error, "not known whether it is offered");
            return Ok(());
        }
    };
    let Some(PoolRow { pool, withdrawn_at, .. }) = row else {
        let pointer = format!("/options/{}", hold.id.as_deref().unwrap_or_default());
        let detail = format!("there is no such {}: {id}", hold.pool);
        let problem = Problem::new(Kind::InvalidBooking, detail.clone());
        return Err(problem.violating(vec![Violation { pointer, detail }]));
    };
    let why = match pool.starts_at {
        _ if withdrawn_at.is_some() => "it was withdrawn",
        Some(at) if at <= now => "it has begun, or is over",
        _ if !pool.open => "it cannot be booked at the moment",
        _ => return Ok(()),
    };
    Err(Problem::new(Kind::NoLongerOffered, format!("{}: {why}", pool.label)))
}

pub(super) const fn yes() -> bool {
    true
}

/// A pool of any kind.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Pool)]
pub(super) struct PoolView {
    id: PoolId,
    /// As services name it: `taxi`.
    kind: String,
    company: CompanyId,
    /// Which of its kind, as an option of the service names it.
    variant: Option<String>,
    name: String,
    place: Option<String>,
    starts_at: Option<Timestamp>,
    /// Of one.
    price: Money,
    /// How many there are.
    capacity: u32,
    /// Held for bookings.
    held: u32,
    /// Taken by bookings.
    taken: u32,
    free: u32,
    /// Whether new bookings may hold from it.
    open: bool,
    withdrawn_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl From<PoolRow> for PoolView {
    fn from(row: PoolRow) -> Self {
        let (held, taken, free) = (row.held, row.taken, row.free());
        let (withdrawn_at, created_at) = (row.withdrawn_at, row.created_at);
        let Pool { id, kind, company, variant, label, place, starts_at, price, .. } = row.pool;
        let (name, capacity, open) = (label, row.pool.capacity, row.pool.open);
        Self {
            id,
            kind,
            company,
            variant,
            name,
            place,
            starts_at,
            price,
            capacity,
            held,
            taken,
            free,
            open,
            withdrawn_at,
            created_at,
        }
    }
}

/// What a company says of a pool.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutPool {
    /// As services name it: `taxi`.
    kind: String,
    company: CompanyId,
    /// Which of its kind, as an option of the service names it.
    variant: Option<String>,
    name: String,
    place: Option<String>,
    starts_at: Option<Timestamp>,
    /// Of one.
    price: Money,
    /// How many there are, those in use included.
    capacity: u32,
    /// Whether new bookings may hold from it.
    #[serde(default = "yes")]
    open: bool,
}

/// All pools, those of a kind, or a company's.
#[utoipa::path(
    get, path = "/pools",
    params(Filter),
    responses((status = 200, body = Items<PoolView>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<PoolView>>, Problem> {
    POOLS.list(&api, asked).await
}

/// One pool.
#[utoipa::path(get, path = "/pools/{id}", responses((status = 200, body = PoolView)))]
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<PoolId>,
) -> Result<Json<PoolView>, Problem> {
    Ok(Json(POOLS.get(&api, &id).await?.into()))
}

/// Registers a pool of any kind that a service holds from, or changes it.
#[utoipa::path(
    put, path = "/pools/{id}",
    request_body = PutPool,
    responses(
        (status = 200, body = PoolView), (status = 201, body = PoolView),
        (status = 403), (status = 409)
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    Body { value: new, .. }: Body<PutPool>,
) -> Result<(StatusCode, Json<PoolView>), Problem> {
    let pool = Pool {
        id,
        kind: new.kind,
        company: new.company,
        variant: new.variant,
        label: new.name,
        place: new.place,
        starts_at: new.starts_at,
        price: new.price,
        capacity: new.capacity,
        open: new.open,
    };
    POOLS.put(&api, &caller, pool).await
}
