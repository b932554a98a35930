//! Taxis: what companies register as available (call-taxi 11), as pools that bookings hold.

use axum::{Json, extract::State, http::StatusCode};
use bellhop_domain::{
    event::Role,
    id::{CompanyId, PoolId},
    money::Money,
    plan::Violation,
};
use bellhop_store::{Pool, PoolRow, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    body::Body,
    caller::Caller,
    extract::{Asked, Named, cursor, page_size},
    problem::{Kind, Problem},
    state::Api,
    view::Items,
};

/// The kind of pool that taxis are, as services name it.
const TAXI: &str = "taxi";

/// How many there may be of one.
const LARGEST: u32 = 1_000_000;

/// A company's taxis of one grade.
#[derive(Debug, Serialize)]
pub(super) struct Taxi {
    id: PoolId,
    company: CompanyId,
    grade: Option<String>,
    name: String,
    price: Money,
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

/// Which taxis to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    company: Option<CompanyId>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// All taxis, or a company's.
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Taxi>>, Problem> {
    let limit = page_size(asked.limit)?;
    let cursor = asked.cursor.as_deref().map(cursor).transpose()?;
    let company = asked.company.as_ref();
    let page = api.store().pools(Some(TAXI), company, cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Taxi::from)))
}

/// One company's taxis of one grade.
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<PoolId>,
) -> Result<Json<Taxi>, Problem> {
    Ok(Json(read(&api, &id).await?.ok_or_else(|| Problem::not_found("taxi"))?.into()))
}

/// What a company says of its taxis.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutTaxi {
    company: CompanyId,
    grade: String,
    name: String,
    price: Money,
    capacity: u32,
    #[serde(default = "yes")]
    open: bool,
}

const fn yes() -> bool {
    true
}

/// Registers taxis or changes them: 201 for new ones, else 200. A repeat changes nothing.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    Body { value: new, .. }: Body<PutTaxi>,
) -> Result<(StatusCode, Json<Taxi>), Problem> {
    caller.require(&[Role::Manager, Role::Operator], "register taxis")?;
    let before = api.store().pool(&id).await?;
    let owners = before.iter().map(|it| &it.pool.company).chain([&new.company]);
    if owners.into_iter().any(|it| !caller.manages(it)) {
        return Err(Problem::new(Kind::Forbidden, "you do not decide for that company"));
    }
    let is_other = |it: &PoolRow| it.pool.kind != TAXI || it.pool.company != new.company;
    let mut violations = new.violations(&api);
    if before.as_ref().is_some_and(is_other) {
        let detail = "the id stands for something of another company or kind".to_owned();
        violations.push(Violation { pointer: "/company".to_owned(), detail });
    }
    if !violations.is_empty() {
        let detail = "the taxi does not fit".to_owned();
        return Err(Problem::new(Kind::InvalidRequest, detail).violating(violations));
    }
    let pool = Pool {
        id,
        kind: TAXI.to_owned(),
        company: new.company,
        variant: Some(new.grade),
        label: new.name,
        place: None,
        starts_at: None,
        price: new.price,
        capacity: new.capacity,
        open: new.open,
    };
    api.store().put_pool(&pool, Timestamp::now()).await.map_err(|error| match error {
        StoreError::PoolInUse { held, taken } => {
            let detail = format!("{held} are held and {taken} are taken: name at least as many");
            Problem::new(Kind::PoolInUse, detail)
        }
        error => error.into(),
    })?;
    let after = read(&api, &pool.id).await?.ok_or_else(|| Problem::not_found("taxi"))?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(after.into())))
}

impl PutTaxi {
    fn violations(&self, api: &Api) -> Vec<Violation> {
        let mut found = vec![];
        let mut wrong = |pointer: &str, detail: String| {
            found.push(Violation { pointer: pointer.to_owned(), detail });
        };
        let in_grade = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let grade = self.grade.chars().count();
        if !(1..=64).contains(&grade) || !self.grade.chars().all(in_grade) {
            wrong("/grade", "use 1 to 64 letters, digits, '_' or '-'".to_owned());
        }
        let name = self.name.trim().chars().count();
        if !(1..=100).contains(&name) || self.name.chars().any(char::is_control) {
            wrong("/name", "write 1 to 100 characters".to_owned());
        }
        if self.price.minor < 0 {
            wrong("/price/minor", "must not be negative".to_owned());
        }
        let currency = api.services().holding(TAXI).map(|it| it.currency());
        if let Some(currency) = currency.filter(|it| *it != self.price.currency) {
            wrong("/price/currency", format!("taxis are priced in {}", currency.code()));
        }
        if self.capacity > LARGEST {
            wrong("/capacity", format!("name at most {LARGEST}"));
        }
        found
    }
}

async fn read(api: &Api, id: &PoolId) -> Result<Option<PoolRow>, Problem> {
    let row = api.store().pool(id).await?;
    Ok(row.filter(|it| it.pool.kind == TAXI))
}
