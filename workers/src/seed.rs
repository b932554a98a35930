//! What `bellhop dev` starts with: a taxi company with three grades, its drivers, and a cleaner.

use bellhop_domain::{
    id::{CompanyId, PoolId, SubjectId},
    money::{Currency, Money},
    text::Language,
};
use bellhop_store::{Pool, Staff, Store};
use jiff::Timestamp;

/// The company of the seed, whose manager is `dev-manager`.
pub const COMPANY: &str = "com_mapo";

/// Grade, name, price in won, stock.
const TAXIS: [(&str, &str, i64, u32); 3] = [
    ("basic", "마포 일반 택시", 4_800, 50),
    ("prime", "마포 우등 택시", 9_800, 20),
    ("platinum", "마포 고급 택시", 15_000, 5),
];

/// Id, kind, name, phone, skills, and where they are: degrees north and east.
type Person =
    (&'static str, &'static str, &'static str, &'static str, &'static [&'static str], (f64, f64));

/// Three drivers around Mapo, and a cleaner.
const STAFF: [Person; 4] = [
    (
        "drv_park",
        "driver",
        "박기사",
        "010-2000-1001",
        &["automatic", "manual"],
        (37.5571, 126.9254),
    ),
    ("drv_choi", "driver", "최기사", "010-2000-1002", &["automatic"], (37.5512, 126.9189)),
    ("drv_jung", "driver", "정기사", "010-2000-1003", &["manual"], (37.5624, 126.9318)),
    ("cln_han", "cleaner", "한여사", "010-2000-1004", &[], (37.5489, 126.9135)),
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
    for (id, kind, name, phone, skills, (lat, lon)) in STAFF {
        let id: SubjectId = id.parse()?;
        // Where they are comes last: who is somewhere is complete.
        if store.staff(&id).await?.is_some_and(|it| it.location.is_some()) {
            continue;
        }
        let staff = Staff {
            id,
            kind: kind.to_owned(),
            company: company.clone(),
            name: name.to_owned(),
            phone: phone.parse()?,
            language: Language::Ko,
            skills: skills.iter().map(ToString::to_string).collect(),
        };
        let now = Timestamp::now();
        store.put_staff(&staff, now).await?;
        store.set_staff_available(&staff.id, true).await?;
        store.set_staff_location(&staff.id, lat, lon, now).await?;
    }
    Ok(())
}
