//! What `bellhop dev` starts with: a company with three grades of taxis, drivers, a cleaner and three
//! kinds of coffee, and an exhibition.

use bellhop_domain::{
    id::{CompanyId, PoolId, SubjectId},
    money::{Currency, Money},
    text::Language,
};
use bellhop_store::{Pool, Staff, Store};
use jiff::{SignedDuration, Timestamp};

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

/// The exhibition of the seed.
pub const EXHIBITION: &str = "exh_mapo_light";

/// How far ahead it takes place when it is sown.
const UNTIL_EXHIBITION: SignedDuration = SignedDuration::from_hours(24 * 120);

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
    let now = Timestamp::now();
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
        store.put_pool(&pool, now).await?;
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
    let id: PoolId = EXHIBITION.parse()?;
    if store.pool(&id).await?.is_some() {
        return Ok(());
    }
    let exhibition = Pool {
        id,
        kind: "exhibition".to_owned(),
        company,
        variant: None,
        label: "마포의 빛".to_owned(),
        place: Some("제1전시실".to_owned()),
        starts_at: Some(on_the_hour(now.checked_add(UNTIL_EXHIBITION)?)?),
        price: Money { minor: 12_000, currency: Currency::KRW },
        capacity: 20,
        open: true,
    };
    store.put_pool(&exhibition, now).await?;
    Ok(())
}

fn on_the_hour(at: Timestamp) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(3_600))?)
}
