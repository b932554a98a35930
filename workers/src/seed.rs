//! What `bellhop dev` starts with: a company with three grades of taxis and three kinds of coffee.

use bellhop_domain::{
    id::{CompanyId, PoolId},
    money::{Currency, Money},
};
use bellhop_store::{Pool, Store};
use jiff::Timestamp;

/// The company of the seed, whose manager is `dev-manager`.
pub const COMPANY: &str = "com_mapo";

/// Grade, name, price in won, stock.
const TAXIS: [(&str, &str, i64, u32); 3] = [
    ("basic", "마포 일반 택시", 4_800, 50),
    ("prime", "마포 우등 택시", 9_800, 20),
    ("platinum", "마포 고급 택시", 15_000, 5),
];

/// Product, name, price in won. There are [`CUPS`] of each.
const COFFEES: [(&str, &str, i64); 3] = [
    ("americano", "아메리카노", 4_500),
    ("latte", "카페 라테", 5_000),
    ("cold_brew", "콜드 브루", 5_500),
];

const CUPS: u32 = 100;

/// Adds what is missing of the seed, and leaves what is there as it is.
///
/// # Errors
/// Any database error.
pub async fn sow(store: &Store) -> anyhow::Result<()> {
    let company: CompanyId = COMPANY.parse()?;
    let coffees = COFFEES.map(|(product, label, price)| ("product", product, label, price, CUPS));
    let taxis =
        TAXIS.map(|(grade, label, price, capacity)| ("taxi", grade, label, price, capacity));
    for (kind, variant, label, price, capacity) in taxis.into_iter().chain(coffees) {
        let id: PoolId = format!("{kind}_mapo_{variant}").parse()?;
        if store.pool(&id).await?.is_some() {
            continue;
        }
        let pool = Pool {
            id,
            kind: kind.to_owned(),
            company: company.clone(),
            variant: Some(variant.to_owned()),
            label: label.to_owned(),
            place: None,
            starts_at: None,
            price: Money { minor: price, currency: Currency::KRW },
            capacity,
            open: true,
        };
        store.put_pool(&pool, Timestamp::now()).await?;
    }
    Ok(())
}
