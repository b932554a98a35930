//! Products: what a chain has on its shelves, as pools that orders hold (coffee 3).

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

const PRODUCTS: Wares = Wares {
    kind: "product",
    one: "product",
    many: "products",
    variant: "/product",
    label: "/name",
    place: "/place",
    capacity: "/stock",
    counts: Counts::Shelf,
};

/// A company's product.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Product {
    id: PoolId,
    company: CompanyId,
    /// What orders call it.
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

/// All products, or a company's.
#[utoipa::path(
    get, path = "/products",
    params(Filter),
    responses((status = 200, body = Items<Product>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    _: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Product>>, Problem> {
    PRODUCTS.list(&api, asked).await
}

/// One product.
#[utoipa::path(get, path = "/products/{id}", responses((status = 200, body = Product)))]
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<PoolId>,
) -> Result<Json<Product>, Problem> {
    Ok(Json(PRODUCTS.get(&api, &id).await?.into()))
}

/// What a company says of its product.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutProduct {
    company: CompanyId,
    /// What orders call it.
    product: String,
    name: String,
    price: Money,
    /// How many are on the shelf now.
    stock: u32,
    /// Whether new orders may hold from it.
    #[serde(default = "yes")]
    open: bool,
}

/// Registers a product or changes it: 201 for a new one, else 200. Its stock is never less than what
/// orders hold.
#[utoipa::path(
    put, path = "/products/{id}",
    request_body = PutProduct,
    responses(
        (status = 200, body = Product), (status = 201, body = Product),
        (status = 403), (status = 409)
    )
)]
pub(super) async fn put(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<PoolId>,
    Body { value: new, .. }: Body<PutProduct>,
) -> Result<(StatusCode, Json<Product>), Problem> {
    let pool = Pool {
        id,
        kind: PRODUCTS.kind.to_owned(),
        company: new.company,
        variant: Some(new.product),
        label: new.name,
        place: None,
        starts_at: None,
        price: new.price,
        capacity: new.stock,
        open: new.open,
    };
    PRODUCTS.put(&api, &caller, pool).await
}
