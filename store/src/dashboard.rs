//! The dashboard: one line a request, with what it is paid with as that stands now (home-cleaning 3
//! and 4). It reads columns only, never the plans and views.

use bellhop_domain::{
    id::{BookingId, CompanyId, MethodId, SubjectId},
    money::{Currency, Money},
    status::Status,
};
use jiff::Timestamp;

use crate::{
    Cursor, Page, Result, Store,
    column::{Instant, Word},
    db::build,
    page::page_by,
};

/// A request, as the dashboard shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DashboardRow {
    /// The booking.
    pub id: BookingId,
    /// Whose.
    pub owner: SubjectId,
    /// Of which service.
    pub service: String,
    /// Where, as people write it.
    pub place: Option<String>,
    /// What it costs, once that is known.
    pub price: Option<Money>,
    /// When it is for.
    pub starts_at: Timestamp,
    /// What people call its payment: the kind of the stored method as it is now, or of the request.
    pub pay_kind: Option<String>,
    /// The stored method that it is paid with.
    pub method: Option<MethodId>,
    /// Whether its owner still has that method.
    pub is_attached: bool,
    /// How it stands.
    pub status: Status,
}

/// Which requests to show: those that fit everything that is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DashboardFilter {
    /// Whose.
    pub owner: Option<SubjectId>,
    /// Served by one of these.
    pub companies: Option<Vec<CompanyId>>,
    /// Of which service.
    pub service: Option<String>,
    /// In which state.
    pub status: Option<Status>,
    /// For this instant or later.
    pub from: Option<Timestamp>,
    /// For before this instant.
    pub to: Option<Timestamp>,
}

impl Store {
    /// The requests that fit, those with the latest start first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn dashboard(
        &self,
        filter: &DashboardFilter,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<DashboardRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(
                "SELECT bookings.id AS id, bookings.owner AS owner, service, place, amount,
                        currency, starts_at, pay_kind, method, status,
                        payment_methods.kind AS method_kind, detached_at
                 FROM bookings LEFT JOIN payment_methods ON payment_methods.id = method
                 WHERE 1 = 1",
            );
            if let Some(owner) = &filter.owner {
                sql.push(" AND bookings.owner = ").push_bind(owner.as_str());
            }
            if let Some(companies) = &filter.companies {
                sql.push(" AND company IN (''");
                for company in companies {
                    sql.push(", ").push_bind(company.as_str());
                }
                sql.push(")");
            }
            if let Some(service) = &filter.service {
                sql.push(" AND service = ").push_bind(service);
            }
            if let Some(status) = filter.status {
                sql.push(" AND status = ").push_bind(status.as_str());
            }
            if let Some(from) = filter.from {
                sql.push(" AND starts_at >= ").push_bind(Instant::from(from));
            }
            if let Some(to) = filter.to {
                sql.push(" AND starts_at < ").push_bind(Instant::from(to));
            }
            page_by!(sql, ("starts_at", "bookings.id"), newest, cursor, limit);
        })?;
        let page = Page::of(rows, limit, |it| Cursor::new(it.starts_at.timestamp(), &it.id.0));
        Ok(page.map(DashboardRow::from))
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Word<BookingId>,
    owner: Word<SubjectId>,
    service: String,
    place: Option<String>,
    amount: Option<i64>,
    currency: Option<Word<Currency>>,
    starts_at: Instant,
    pay_kind: Option<String>,
    method: Option<Word<MethodId>>,
    method_kind: Option<String>,
    detached_at: Option<Instant>,
    status: Word<Status>,
}

impl From<Row> for DashboardRow {
    fn from(row: Row) -> Self {
        let price = row.amount.zip(row.currency);
        Self {
            id: row.id.0,
            owner: row.owner.0,
            service: row.service,
            place: row.place,
            price: price.map(|(minor, currency)| Money { minor, currency: currency.0 }),
            starts_at: row.starts_at.timestamp(),
            is_attached: row.method_kind.is_some() && row.detached_at.is_none(),
            pay_kind: row.method_kind.or(row.pay_kind),
            method: row.method.map(|it| it.0),
            status: row.status.0,
        }
    }
}
