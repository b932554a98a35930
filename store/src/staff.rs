//! Staff: the people who can be assigned, what they can do, and where they are.

use bellhop_domain::{
    id::{CompanyId, SubjectId},
    phone::Phone,
    text::Language,
};
use jiff::Timestamp;

use crate::{
    Cursor, Page, Result, Store, StoreError,
    column::{Instant, Json, Word},
    db::{Tx, build, execute, query},
    page::page_by,
};

/// Millionths of a degree, as places stand in the database.
pub(crate) const MILLIONTHS: f64 = 1_000_000.0;

/// Somebody who can be assigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staff {
    /// The subject of their token.
    pub id: SubjectId,
    /// Of which kind, as services name it: `driver`.
    pub kind: String,
    /// For whom they work.
    pub company: CompanyId,
    /// What customers read.
    pub name: String,
    /// Where messages go.
    pub phone: Phone,
    /// The language of their messages.
    pub language: Language,
    /// What they can do: `automatic`.
    pub skills: Vec<String>,
}

/// Somebody who can be assigned, and how they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct StaffRow {
    /// Who.
    pub staff: Staff,
    /// Whether they take work.
    pub available: bool,
    /// Whether they are asked to serve a booking, or do.
    pub busy: bool,
    /// Where they are, once they have said so.
    pub location: Option<Location>,
    /// When they were first put.
    pub created_at: Timestamp,
}

/// Where somebody is, to a millionth of a degree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// When they said so.
    pub at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, kind, company, name, phone, language, skills, available, lat_e6, lon_e6, located_at,
         created_at,
         EXISTS (SELECT 1 FROM claims WHERE claims.staff_id = staff.id AND claims.ended_at IS NULL)
             AS busy"
    };
}

impl Store {
    /// Inserts a person, not available and nowhere yet, or changes who is there to this. Their kind
    /// and company stay what they are.
    ///
    /// # Errors
    /// [`StoreError::StaffFixed`] for a person of another kind or company, or any database error.
    pub async fn put_staff(&self, staff: &Staff, now: Timestamp) -> Result<()> {
        let mut db = self.writer().await?;
        let changed = execute!(
            db,
            "INSERT INTO staff (id, kind, company, name, phone, language, skills, available,
                                created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, FALSE, $8)
             ON CONFLICT (id) DO UPDATE
             SET name = excluded.name, phone = excluded.phone, language = excluded.language,
                 skills = excluded.skills
             WHERE staff.kind = excluded.kind AND staff.company = excluded.company",
            staff.id.as_str(),
            &staff.kind,
            staff.company.as_str(),
            &staff.name,
            staff.phone.e164(),
            Json(staff.language),
            Json(&staff.skills),
            Instant::from(now),
        )?;
        if changed == 1 { Ok(()) } else { Err(StoreError::StaffFixed(staff.id.clone())) }
    }

    /// Notes whether somebody takes work. Answers whether there is such a person.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_staff_available(&self, id: &SubjectId, available: bool) -> Result<bool> {
        let mut db = self.writer().await?;
        let sql = "UPDATE staff SET available = $1 WHERE id = $2";
        Ok(execute!(db, sql, available, id.as_str())? == 1)
    }

    /// Notes where somebody is, in degrees. Answers whether there is such a person.
    ///
    /// # Errors
    /// Any database error.
    pub async fn set_staff_location(
        &self,
        id: &SubjectId,
        lat: f64,
        lon: f64,
        now: Timestamp,
    ) -> Result<bool> {
        let mut db = self.writer().await?;
        let sql = "UPDATE staff SET lat_e6 = $1, lon_e6 = $2, located_at = $3 WHERE id = $4";
        let (lat, lon) = (millionths(lat), millionths(lon));
        Ok(execute!(db, sql, lat, lon, Instant::from(now), id.as_str())? == 1)
    }

    /// Somebody who can be assigned.
    ///
    /// # Errors
    /// Any database error.
    pub async fn staff(&self, id: &SubjectId) -> Result<Option<StaffRow>> {
        let sql = concat!("SELECT ", columns!(), " FROM staff WHERE id = $1");
        let row: Option<Row> = query!(fetch_optional, self.reader().await?, sql, id.as_str())?;
        Ok(row.map(StaffRow::from))
    }

    /// The people of a kind, or all, of some companies, or all, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn staff_of(
        &self,
        kind: Option<&str>,
        companies: Option<&[CompanyId]>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StaffRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM staff WHERE 1 = 1"));
            if let Some(kind) = kind {
                sql.push(" AND kind = ").push_bind(kind);
            }
            if let Some(companies) = companies {
                sql.push(" AND (1 = 0");
                for company in companies {
                    sql.push(" OR company = ").push_bind(company.as_str());
                }
                sql.push(")");
            }
            page_by!(sql, ("created_at", "id"), oldest, cursor, limit);
        })?;
        let page = Page::of(rows, limit, |it| Cursor::new(it.created_at.timestamp(), &it.id.0));
        Ok(page.map(StaffRow::from))
    }
}

/// How somebody is told something.
pub(crate) struct Reach {
    pub(crate) phone: Phone,
    pub(crate) language: Language,
}

/// How somebody is told something, if they are one of the staff.
pub(crate) async fn reach(tx: &mut Tx, id: &SubjectId) -> Result<Option<Reach>> {
    let sql = "SELECT phone, language FROM staff WHERE id = $1";
    let row: Option<(String, Json<Language>)> = query!(fetch_optional, tx, sql, id.as_str())?;
    Ok(row.map(|(phone, language)| Reach { phone: Phone::written(phone), language: language.0 }))
}

/// Degrees as they stand in the database.
pub(crate) fn millionths(degrees: f64) -> i64 {
    (degrees * MILLIONTHS).round() as i64
}

/// What stands in the database, in degrees.
pub(crate) fn degrees(millionths: i64) -> f64 {
    millionths as f64 / MILLIONTHS
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<SubjectId>,
    kind: String,
    company: Word<CompanyId>,
    name: String,
    phone: String,
    language: Json<Language>,
    skills: Json<Vec<String>>,
    available: bool,
    busy: bool,
    lat_e6: Option<i64>,
    lon_e6: Option<i64>,
    located_at: Option<Instant>,
    created_at: Instant,
}

impl From<Row> for StaffRow {
    fn from(row: Row) -> Self {
        let staff = Staff {
            id: row.id.0,
            kind: row.kind,
            company: row.company.0,
            name: row.name,
            phone: Phone::written(row.phone),
            language: row.language.0,
            skills: row.skills.0,
        };
        let location = match (row.lat_e6, row.lon_e6, row.located_at) {
            (Some(lat), Some(lon), Some(at)) => {
                Some(Location { lat: degrees(lat), lon: degrees(lon), at: at.timestamp() })
            }
            _ => None,
        };
        let (available, busy) = (row.available, row.busy);
        Self { staff, available, busy, location, created_at: row.created_at.timestamp() }
    }
}
