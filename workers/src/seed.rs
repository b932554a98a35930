//! What `bellhop dev` starts with: a taxi company with three grades.

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

/// Adds what is missing of the seed, and leaves what is there as it is.
///
/// # Errors
/// Any database error.
pub async fn sow(store: &Store) -> anyhow::Result<()> {
    let company: CompanyId = COMPANY.parse()?;
    for (grade, label, price, capacity) in TAXIS {
        let id: PoolId = format!("taxi_mapo_{grade}").parse()?;
        if store.pool(&id).await?.is_some() {
            continue;
        }
        let pool = Pool {
            id,
            kind: "taxi".to_owned(),
            company: company.clone(),
            variant: Some(grade.to_owned()),
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
