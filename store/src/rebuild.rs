//! Rebuilding: every view folded anew from its journal, for a fold that changed.

use std::collections::HashMap;

use bellhop_domain::{
    event::StoredEvent,
    id::{BookingId, CompanyId},
    view::BookingView,
};

use jiff::Timestamp;

use crate::{
    Result, Store, bookings,
    column::{Instant, Json, Word},
    db::{On, Tx, query},
    events,
};

/// How many bookings are read at once.
pub(crate) const BATCH: usize = 200;

/// How rebuilding went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// How many bookings there are.
    pub bookings: u64,
    /// How many of them had another view than their events fold to.
    pub changed: u64,
}

impl Store {
    /// Folds all views anew from the journal, while everything else goes on. Begun again after a
    /// failure, it does what is left.
    ///
    /// # Errors
    /// Any database error.
    pub async fn rebuild(&self, now: Timestamp) -> Result<Rebuilt> {
        let mut rebuilt = Rebuilt::default();
        let mut after = String::new();
        loop {
            let mut tx = self.begin().await?;
            let batch = batch(&mut tx, &after, true).await?;
            let Some(last) = batch.last() else { return Ok(rebuilt) };
            last.id.as_str().clone_into(&mut after);
            for booking in &batch {
                rebuilt.bookings += 1;
                rebuilt.changed += u64::from(booking.rebuild(&mut tx, now).await?);
            }
            tx.commit().await?;
        }
    }
}

/// A booking as it is stored, with its journal.
pub(crate) struct Journalled {
    pub(crate) id: BookingId,
    /// The view, and what lists look for in it.
    pub(crate) view: BookingView,
    pub(crate) seq: i64,
    pub(crate) status: String,
    pub(crate) company: Option<String>,
    pub(crate) assignee: Option<String>,
    pub(crate) starts_at: Timestamp,
    pub(crate) amount: Option<i64>,
    pub(crate) currency: Option<String>,
    pub(crate) attention_since: Option<Timestamp>,
    /// When its last event arrived, or its view was rebuilt.
    pub(crate) changed_at: Timestamp,
    pub(crate) events: Vec<StoredEvent>,
}

impl Journalled {
    /// What its events fold to.
    pub(crate) fn fold(&self) -> BookingView {
        let mut view = BookingView::default();
        for event in &self.events {
            // It was logged when it arrived.
            _ = view.fold(event);
        }
        view
    }

    /// Whether everything that is folded is stored as `view` has it.
    pub(crate) fn is(&self, view: &BookingView) -> bool {
        self.view == *view
            && self.seq == view.seq
            && self.status == view.status.as_str()
            && self.company.as_deref() == view.company.as_ref().map(CompanyId::as_str)
            && self.assignee.as_ref() == view.assignment.as_ref().map(|it| &it.label)
            && view.starts_at.is_none_or(|it| Instant::from(it).timestamp() == self.starts_at)
            && self.amount == view.amount.map(|it| it.minor)
            && self.currency.as_deref() == view.currency().map(|it| it.code())
            && self.attention_since.map(Instant::from)
                == view.attention.as_ref().map(|it| Instant::from(it.since))
    }

    /// Stores what its events fold to; answers whether that is a change.
    async fn rebuild(&self, tx: &mut Tx, now: Timestamp) -> Result<bool> {
        let view = self.fold();
        if self.is(&view) {
            return Ok(false);
        }
        bookings::update(tx, &self.id, &view, now).await?;
        Ok(true)
    }
}

/// The bookings that follow `after` in the order of their ids, locked if they are to change.
pub(crate) async fn batch(tx: &mut Tx, after: &str, is_locked: bool) -> Result<Vec<Journalled>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: Word<BookingId>,
        view: Json<BookingView>,
        seq: i64,
        status: String,
        company: Option<String>,
        assignee: Option<String>,
        starts_at: Instant,
        amount: Option<i64>,
        currency: Option<String>,
        attention_since: Option<Instant>,
        changed_at: Instant,
    }
    macro_rules! batch {
        () => {
            "SELECT id, view, seq, status, company, assignee, starts_at, amount, currency,
                    attention_since, changed_at
             FROM bookings WHERE id > $1 ORDER BY id LIMIT $2"
        };
    }
    let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
    let sql = match &tx.on {
        On::Postgres(_) if is_locked => concat!(batch!(), " FOR UPDATE"),
        _ => batch!(),
    };
    let rows: Vec<Row> = query!(fetch_all, tx, sql, after, limit)?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(vec![]) };
    // By id, not by order: PostgreSQL may sort otherwise than Rust does.
    let mut events: HashMap<BookingId, Vec<StoredEvent>> = HashMap::with_capacity(rows.len());
    for (id, event) in events::of_bookings(tx, &first.id.0, &last.id.0).await? {
        events.entry(id).or_default().push(event);
    }
    let journalled = |row: Row| Journalled {
        events: events.remove(&row.id.0).unwrap_or_default(),
        id: row.id.0,
        view: row.view.0,
        seq: row.seq,
        status: row.status,
        company: row.company,
        assignee: row.assignee,
        starts_at: row.starts_at.timestamp(),
        amount: row.amount,
        currency: row.currency,
        attention_since: row.attention_since.map(|it| it.timestamp()),
        changed_at: row.changed_at.timestamp(),
    };
    Ok(rows.into_iter().map(journalled).collect())
}
