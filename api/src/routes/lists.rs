//! Lists of bookings: a manager of several companies reads them one company after the other.

use bellhop_domain::{event::Role, id::CompanyId};
use bellhop_store::{BookingFilter, BookingRow, Cursor, Page, Store, StoreError};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    caller::Caller,
    extract,
    problem::{Kind, Problem},
    state::Api,
    view::{Booking, Items},
};

/// Stands between the company that a page ends in and the cursor within its list.
const JOINT: char = '~';

/// Whose bookings to list, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OfCompany {
    company: Option<CompanyId>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

/// What is listed.
pub(super) enum List {
    /// Bookings that fit, newest first.
    Bookings(BookingFilter),
    /// Bookings that wait for a manager, oldest first.
    Approvals,
    /// Bookings that somebody should look at, those with the oldest trouble first.
    InTrouble,
}

impl List {
    async fn read(
        &self,
        store: &Store,
        company: Option<&CompanyId>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<BookingRow>, StoreError> {
        match self {
            Self::Bookings(filter) => {
                let filter = BookingFilter { company: company.cloned(), ..filter.clone() };
                store.bookings(&filter, cursor, limit).await
            }
            Self::Approvals => store.approvals(company, cursor, limit).await,
            Self::InTrouble => store.bookings_in_trouble(company, cursor, limit).await,
        }
    }
}

/// A page of what managers and operators look after; nobody else may, what `to` says.
pub(super) async fn of_company(
    api: &Api,
    caller: &Caller,
    to: &str,
    list: List,
    asked: OfCompany,
) -> Result<Items<Booking>, Problem> {
    caller.require(&[Role::Manager, Role::Operator], to)?;
    let limit = extract::page_size(asked.limit)?;
    page(api, caller, list, asked.company, asked.cursor.as_deref(), limit).await
}

/// A page of what the caller may see.
pub(super) async fn page(
    api: &Api,
    caller: &Caller,
    list: List,
    company: Option<CompanyId>,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Items<Booking>, Problem> {
    let now = Timestamp::now();
    let companies = companies(caller, company);
    let (first, mut cursor) = begin(&companies, cursor)?;
    let mut items = vec![];
    for company in companies.iter().skip(first) {
        let left = limit.saturating_sub(u32::try_from(items.len()).unwrap_or(limit));
        if left == 0 {
            return Ok(Items { items, next_cursor: Some(written(company.as_ref(), None)) });
        }
        let page = list.read(api.store(), company.as_ref(), cursor.take().as_ref(), left).await?;
        let seen = page.items.iter().filter(|it| caller.may_see(it));
        items.extend(seen.map(|it| Booking::of(it, caller, now)));
        if let Some(next) = page.next {
            let next_cursor = Some(written(company.as_ref(), Some(&next)));
            return Ok(Items { items, next_cursor });
        }
    }
    Ok(Items { items, next_cursor: None })
}

/// The companies whose lists a caller reads, in their order; `None` is the list of all.
fn companies(caller: &Caller, wanted: Option<CompanyId>) -> Vec<Option<CompanyId>> {
    match caller.role {
        Role::Manager | Role::Driver => {
            let is_wanted = |it: &&CompanyId| wanted.as_ref().is_none_or(|wanted| wanted == *it);
            caller.companies.iter().filter(is_wanted).cloned().map(Some).collect()
        }
        Role::Customer | Role::Operator | Role::System => vec![wanted],
    }
}

/// The company to begin with, and where in its list.
fn begin(
    companies: &[Option<CompanyId>],
    text: Option<&str>,
) -> Result<(usize, Option<Cursor>), Problem> {
    let Some(text) = text else { return Ok((0, None)) };
    let (company, cursor) = text.split_once(JOINT).unwrap_or(("", text));
    let found =
        companies.iter().position(|it| it.as_ref().map_or("", CompanyId::as_str) == company);
    let Some(found) = found else {
        let detail = "cursor: it is of another list: use next_cursor of the page before, as it is";
        return Err(Problem::new(Kind::InvalidQuery, detail));
    };
    let cursor = (!cursor.is_empty()).then(|| extract::cursor(cursor)).transpose()?;
    Ok((found, cursor))
}

fn written(company: Option<&CompanyId>, cursor: Option<&Cursor>) -> String {
    let cursor = cursor.map(Cursor::to_string).unwrap_or_default();
    match company {
        Some(company) => format!("{company}{JOINT}{cursor}"),
        None => cursor,
    }
}
