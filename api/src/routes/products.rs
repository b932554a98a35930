//! Products: what a chain has on its shelves, as pools that orders hold (coffee 3).

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

/// The kind of pool that products are, as services name it.
const PRODUCT: &str = "product";

/// How many there may be of one on the shelf.
const LARGEST: u32 = 1_000_000;

/// A company's product.
#[derive(Debug, Serialize)]
pub(super) struct Product {
    id: PoolId,
    company: CompanyId,
    product: Option<String>,
    name: String,
    price: Money,
    /// How many are on the shelf; it falls when an order is made.
    stock: u32,
    /// How many of them no order waits for.
    available: u32,
    /// Whether new orders may hold from it.
    open: bool,
    created_at: Timestamp,
}

impl From<PoolRow> for Product {
    fn from(row: PoolRow) -> Self {
        let (stock, available) = (row.pool.capacity.saturating_sub(row.taken), row.free());
        let Pool { id, company, variant, label, price, open, .. } = row.pool;
        let (product, name, created_at) = (variant, label, row.created_at);
        Self { id, company, product, name, price, stock, available, open, created_at }
    }
}

/// Which products to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    company: Option<CompanyId>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// All products, or a company's.
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Product>>, Problem> {
    let limit = page_size(asked.limit)?;
    let cursor = asked.cursor.as_deref().map(cursor).transpose()?;
    let company = asked.company.as_ref();
    let page = api.store().pools(Some(PRODUCT), company, cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Product::from)))
}

/// One product.
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<PoolId>,
) -> Result<Json<Product>, Problem> {
    Ok(Json(read(&api, &id).await?.ok_or_else(|| Problem::not_found("product"))?.into()))
}

/// What a company says of its product.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutProduct {
    company: CompanyId,
    product: String,
    name: String,
    price: Money,
    /// How many are on the shelf now.
    stock: u32,
    #[serde(default = "yes")]
    open: bool,
}

const fn yes() -> bool {
    true
}

/// Registers a product or changes it: 201 for a new one, else 200. Its stock is never less than what
/// orders hold.
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    Body { value: new, .. }: Body<PutProduct>,
) -> Result<(StatusCode, Json<Product>), Problem> {
    caller.require(&[Role::Manager, Role::Operator], "register products")?;
    let before = api.store().pool(&id).await?;
    let owners = before.iter().map(|it| &it.pool.company).chain([&new.company]);
    if owners.into_iter().any(|it| !caller.manages(it)) {
        return Err(Problem::new(Kind::Forbidden, "you do not decide for that company"));
    }
    let is_other = |it: &PoolRow| it.pool.kind != PRODUCT || it.pool.company != new.company;
    let mut violations = new.violations(&api);
    if before.as_ref().is_some_and(is_other) {
        let detail = "the id stands for something of another company or kind".to_owned();
        violations.push(Violation { pointer: "/company".to_owned(), detail });
    }
    if !violations.is_empty() {
        let problem = Problem::new(Kind::InvalidRequest, "the product does not fit");
        return Err(problem.violating(violations));
    }
    let pool = Pool {
        id,
        kind: PRODUCT.to_owned(),
        company: new.company,
        variant: Some(new.product),
        label: new.name,
        place: None,
        starts_at: None,
        price: new.price,
        capacity: new.stock,
        open: new.open,
    };
    api.store().put_stock(&pool, Timestamp::now()).await.map_err(|error| match error {
        StoreError::PoolInUse { held, .. } => {
            let detail = format!("orders hold {held} of them: name at least as many");
            Problem::new(Kind::PoolInUse, detail)
        }
        error => error.into(),
    })?;
    let after = read(&api, &pool.id).await?.ok_or_else(|| Problem::not_found("product"))?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(after.into())))
}

impl PutProduct {
    fn violations(&self, api: &Api) -> Vec<Violation> {
        let mut found = vec![];
        let mut wrong = |pointer: &str, detail: String| {
            found.push(Violation { pointer: pointer.to_owned(), detail });
        };
        let in_product = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let product = self.product.chars().count();
        if !(1..=64).contains(&product) || !self.product.chars().all(in_product) {
            wrong("/product", "use 1 to 64 letters, digits, '_' or '-'".to_owned());
        }
        let name = self.name.trim().chars().count();
        if !(1..=100).contains(&name) || self.name.chars().any(char::is_control) {
            wrong("/name", "write 1 to 100 characters".to_owned());
        }
        if self.price.minor < 0 {
            wrong("/price/minor", "must not be negative".to_owned());
        }
        let currency = api.services().holding(PRODUCT).map(|it| it.currency());
        if let Some(currency) = currency.filter(|it| *it != self.price.currency) {
            wrong("/price/currency", format!("products are priced in {}", currency.code()));
        }
        if self.stock > LARGEST {
            wrong("/stock", format!("name at most {LARGEST}"));
        }
        found
    }
}

async fn read(api: &Api, id: &PoolId) -> Result<Option<PoolRow>, Problem> {
    let row = api.store().pool(id).await?;
    Ok(row.filter(|it| it.pool.kind == PRODUCT))
}
