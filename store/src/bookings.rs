//! Bookings: who booked what, and the view of how it stands.

use bellhop_domain::{
    id::{BookingId, CompanyId, MethodId, PoolId, SubjectId},
    plan::Plan,
    status::Status,
    view::BookingView,
};
use jiff::Timestamp;

use crate::{
    Cursor, Page, Result, Store,
    column::{Instant, Json, Word},
    db::{Tx, build, execute, lock, query},
    page::page_by,
};

/// A booking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingRow {
    /// Its id, which is the workflow's.
    pub id: BookingId,
    /// The customer it is for.
    pub owner: SubjectId,
    /// The body of the request that made it, hashed.
    pub fingerprint: String,
    /// The first run of its workflow.
    pub first_run_id: String,
    /// The service's id.
    pub service: String,
    /// What it goes by.
    pub plan: Plan,
    /// The stored method that it is paid with: from the start, or since it was stored.
    pub method: Option<MethodId>,
    /// How it stands: the fold of its events.
    pub view: BookingView,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// Which bookings to list: those that fit everything that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookingFilter {
    /// Whose.
    pub owner: Option<SubjectId>,
    /// Of which service.
    pub service: Option<String>,
    /// In which state.
    pub status: Option<Status>,
    /// Served by which company.
    pub company: Option<CompanyId>,
    /// Holding from which pool, or having held.
    pub pool: Option<PoolId>,
    /// Opened at this instant or later.
    pub from: Option<Timestamp>,
    /// Opened before this instant.
    pub to: Option<Timestamp>,
    /// Where the id begins with this, or the assignment's label has it, in upper or lower case.
    pub q: Option<String>,
}

macro_rules! columns {
    () => {
        "id, owner, fingerprint, first_run_id, service, plan, method, view, created_at"
    };
}

impl Store {
    /// A booking, or `None` while it is not opened.
    ///
    /// # Errors
    /// Any database error.
    pub async fn booking(&self, id: &BookingId) -> Result<Option<BookingRow>> {
        let sql = concat!("SELECT ", columns!(), " FROM bookings WHERE id = $1");
        let row: Option<Row> = query!(fetch_optional, self.reader().await?, sql, id.as_str())?;
        Ok(row.map(BookingRow::from))
    }

    /// The bookings that fit, newest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn bookings(
        &self,
        filter: &BookingFilter,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<BookingRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM bookings WHERE 1 = 1"));
            if let Some(owner) = &filter.owner {
                sql.push(" AND owner = ").push_bind(owner.as_str());
            }
            if let Some(service) = &filter.service {
                sql.push(" AND service = ").push_bind(service);
            }
            if let Some(status) = filter.status {
                sql.push(" AND status = ").push_bind(status.as_str());
            }
            if let Some(company) = &filter.company {
                sql.push(" AND company = ").push_bind(company.as_str());
            }
            if let Some(pool) = &filter.pool {
                sql.push(" AND id IN (SELECT booking_id FROM holds WHERE pool_id = ");
                sql.push_bind(pool.as_str()).push(")");
            }
            if let Some(from) = filter.from {
                sql.push(" AND created_at >= ").push_bind(Instant::from(from));
            }
            if let Some(to) = filter.to {
                sql.push(" AND created_at < ").push_bind(Instant::from(to));
            }
            if let Some(q) = &filter.q {
                let q = literally(q);
                sql.push(r" AND (id LIKE ").push_bind(format!("{q}%")).push(r" ESCAPE '\'");
                sql.push(r" OR lower(assignee) LIKE ").push_bind(format!("%{}%", q.to_lowercase()));
                sql.push(r" ESCAPE '\')");
            }
            page_by!(sql, ("created_at", "id"), newest, cursor, limit);
        })?;
        Ok(page(rows, limit))
    }

    /// The bookings that wait for a manager, of one company or of all, oldest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn approvals(
        &self,
        company: Option<&CompanyId>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<BookingRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM bookings"));
            sql.push(" WHERE status = 'awaiting_approval'");
            if let Some(company) = company {
                sql.push(" AND company = ").push_bind(company.as_str());
            }
            page_by!(sql, ("created_at", "id"), oldest, cursor, limit);
        })?;
        Ok(page(rows, limit))
    }

    /// The bookings that somebody should look at, of one company or of all, those with the oldest
    /// trouble first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn bookings_in_trouble(
        &self,
        company: Option<&CompanyId>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<BookingRow>> {
        #[derive(sqlx::FromRow)]
        struct InTrouble {
            #[sqlx(flatten)]
            row: Row,
            attention_since: Instant,
        }
        let mut db = self.reader().await?;
        let rows: Vec<InTrouble> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), ", attention_since FROM bookings"));
            sql.push(" WHERE attention_since IS NOT NULL");
            if let Some(company) = company {
                sql.push(" AND company = ").push_bind(company.as_str());
            }
            page_by!(sql, ("attention_since", "id"), oldest, cursor, limit);
        })?;
        let cursor = |it: &InTrouble| Cursor::new(it.attention_since.timestamp(), &it.row.id.0);
        Ok(Page::of(rows, limit, cursor).map(|it| it.row.into()))
    }
}

/// A booking's row, locked until the transaction ends.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) id: BookingId,
    pub(crate) first_run_id: String,
    /// The number of its last event.
    pub(crate) seq: i64,
    pub(crate) view: BookingView,
    /// The plan as JSON: most acts do not need it.
    plan: String,
}

impl Locked {
    pub(crate) fn plan(&self) -> Result<Plan> {
        Ok(serde_json::from_str(&self.plan)?)
    }
}

/// Inserts the booking, or answers `None` where its row is there.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: &BookingId,
    first_run_id: &str,
    plan: &Plan,
    now: Timestamp,
) -> Result<Option<Locked>> {
    let now = Instant::from(now);
    let view = BookingView::default();
    let text = serde_json::to_string(plan)?;
    let (request, means) = (&plan.request, plan.request.payment.as_ref());
    let method = means.filter(|it| !it.store).and_then(|it| it.method.as_ref());
    let inserted = execute!(
        tx,
        "INSERT INTO bookings (id, first_run_id, owner, fingerprint, service, plan, created_at,
                               place, pay_kind, method, view, seq, status, starts_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $7)
         ON CONFLICT (id) DO NOTHING",
        id.as_str(),
        first_run_id,
        request.customer.id.as_str(),
        &plan.fingerprint,
        &plan.service.id,
        &text,
        now,
        request.place.as_ref().map(|it| it.address.as_str()),
        means.and_then(|it| it.kind.as_deref()),
        method.map(MethodId::as_str),
        Json(&view),
        view.status.as_str(),
        Instant::from(request.starts_at),
    )?;
    let first_run_id = first_run_id.to_owned();
    let locked = Locked { id: id.clone(), first_run_id, seq: 0, view, plan: text };
    Ok((inserted == 1).then_some(locked))
}

/// Locks a booking's row; `None` where there is none yet.
pub(crate) async fn lock(tx: &mut Tx, id: &BookingId) -> Result<Option<Locked>> {
    let row: Option<(String, i64, Json<BookingView>, String)> =
        lock!(tx, "SELECT first_run_id, seq, view, plan FROM bookings WHERE id = $1", id.as_str())?;
    Ok(row.map(|(first_run_id, seq, Json(view), plan)| Locked {
        id: id.clone(),
        first_run_id,
        seq,
        view,
        plan,
    }))
}

/// Writes the view of a booking that was locked, and what lists look for in it.
pub(crate) async fn update(
    tx: &mut Tx,
    id: &BookingId,
    view: &BookingView,
    now: Timestamp,
) -> Result<()> {
    execute!(
        tx,
        "UPDATE bookings
         SET view = $1, seq = $2, status = $3, company = $4, assignee = $5,
             starts_at = COALESCE($6, starts_at), amount = $7, currency = $8,
             attention_since = $9, changed_at = $10
         WHERE id = $11",
        Json(view),
        view.seq,
        view.status.as_str(),
        view.company.as_ref().map(CompanyId::as_str),
        view.assignment.as_ref().map(|it| it.label.as_str()),
        view.starts_at.map(Instant::from),
        view.amount.map(|it| it.minor),
        view.currency().map(|it| it.code()),
        view.attention.as_ref().map(|it| Instant::from(it.since)),
        Instant::from(now),
        id.as_str(),
    )?;
    tx.changes(id);
    Ok(())
}

/// Notes the method that a booking's payment was stored as.
pub(crate) async fn set_method(tx: &mut Tx, id: &BookingId, method: &MethodId) -> Result<()> {
    let sql = "UPDATE bookings SET method = $1 WHERE id = $2";
    execute!(tx, sql, method.as_str(), id.as_str())?;
    Ok(())
}

/// The text for LIKE, where it means nothing but itself.
fn literally(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

fn page(rows: Vec<Row>, limit: u32) -> Page<BookingRow> {
    let rows: Vec<BookingRow> = rows.into_iter().map(BookingRow::from).collect();
    Page::of(rows, limit, |it| Cursor::new(it.created_at, &it.id))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<BookingId>,
    owner: Word<SubjectId>,
    fingerprint: String,
    first_run_id: String,
    service: String,
    plan: Json<Plan>,
    method: Option<Word<MethodId>>,
    view: Json<BookingView>,
    created_at: Instant,
}

impl From<Row> for BookingRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.0,
            owner: row.owner.0,
            fingerprint: row.fingerprint,
            first_run_id: row.first_run_id,
            service: row.service,
            plan: row.plan.0,
            method: row.method.map(|it| it.0),
            view: row.view.0,
            created_at: row.created_at.timestamp(),
        }
    }
}
