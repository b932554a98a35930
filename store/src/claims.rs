//! Claims: who serves a booking, or is asked to. One per booking and one per person at a time: two
//! unique indexes decide every race.

mod nearest;

use bellhop_domain::{
    act::{Claim, Claimed},
    event::{Assignment, Event, NewEvent, Offer},
    id::{BookingId, OfferId, SubjectId},
    plan::Plan,
    status::{Status, Trigger},
};
use jiff::Timestamp;

use self::nearest::{Near, Sought};
use crate::{
    BookingRow, Cursor, Page, Result, Store, StoreError, acts, bookings,
    column::{Instant, Word},
    db::{Tx, build, execute, query},
    events,
    page::page_by,
};

/// A claim on somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// Its id.
    pub id: OfferId,
    /// The booking that is to be served.
    pub booking: BookingId,
    /// On whom.
    pub staff: SubjectId,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when they can answer, where they are asked.
    pub expires_at: Option<Timestamp>,
    /// When it ended, if it did: they are free for others since.
    pub ended_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "offer_id, booking_id, staff_id, made_at, expires_at, ended_at"
    };
}

impl Store {
    /// Claims the nearest free person who can serve a booking, and journals the events that come
    /// before, then the assignment as `assignment.made/<ordinal>` (or the question as
    /// `offer.made/<ordinal>`), without its move where the booking was cancelled meanwhile.
    ///
    /// Whom the booking had claimed before is free again. A repeat answers the first outcome, also
    /// that there was nobody; a booking that ended or was released is closed.
    ///
    /// # Errors
    /// [`StoreError::NoBooking`] when the booking was never opened, or any database error.
    pub async fn claim_nearest(&self, claim: &Claim, now: Timestamp) -> Result<Claimed> {
        let (mut tx, id) = (self.begin().await?, &claim.booking);
        let booking = bookings::lock(&mut tx, id).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &claim.key).await? {
            return Ok(outcome);
        }
        let mut booking = booking.ok_or_else(|| StoreError::NoBooking(id.clone()))?;
        let status = booking.view.status;
        if status.is_over() || acts::is_released(&mut tx, id).await? {
            return acts::finish(tx, &claim.key, id, Claimed::Closed, now).await;
        }
        end(&mut tx, id, now).await?;
        let outcome = match take_nearest(&mut tx, claim, &booking.plan()?, now).await? {
            None => Claimed::Nobody,
            Some(near) => {
                let assignment = near.assignment(claim);
                let event = event(claim, assignment.clone());
                let events = claim.events.iter().cloned().chain([event]).collect();
                let events = events::append_facts(&mut tx, &mut booking, events, now).await?;
                Claimed::Made { assignment, events }
            }
        };
        acts::finish(tx, &claim.key, id, outcome, now).await
    }

    /// A claim, whether or not it has ended.
    ///
    /// # Errors
    /// Any database error.
    pub async fn claim(&self, id: &OfferId) -> Result<Option<ClaimRow>> {
        let sql = concat!("SELECT ", columns!(), " FROM claims WHERE offer_id = $1");
        let row: Option<Row> = query!(fetch_optional, self.reader().await?, sql, id.as_str())?;
        Ok(row.map(ClaimRow::from))
    }

    /// The claims on somebody, or on everybody, newest first, each with its booking.
    ///
    /// # Errors
    /// Any database error.
    pub async fn claims(
        &self,
        staff: Option<&SubjectId>,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<(ClaimRow, BookingRow)>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM claims WHERE 1 = 1"));
            if let Some(staff) = staff {
                sql.push(" AND staff_id = ").push_bind(staff.as_str());
            }
            page_by!(sql, ("made_at", "offer_id"), newest, cursor, limit);
        })?;
        drop(db);
        let page = Page::of(rows, limit, |it| Cursor::new(it.made_at.timestamp(), &it.offer_id.0));
        let mut items = Vec::with_capacity(page.items.len());
        for claim in page.items.into_iter().map(ClaimRow::from) {
            let booking = self.booking(&claim.booking).await?;
            let booking = booking.ok_or_else(|| StoreError::NoBooking(claim.booking.clone()))?;
            items.push((claim, booking));
        }
        Ok(Page { items, next: page.next })
    }
}

/// What is journalled of a claim: the assignment, or the question whether they serve it.
fn event(claim: &Claim, assignment: Assignment) -> NewEvent {
    match claim.expires_at {
        None => NewEvent::new(Event::Assigned { assignment }, claim.ordinal)
            .moving(Trigger::Assign, Status::Confirmed),
        Some(expires_at) => {
            let id = OfferId::new(&claim.booking, claim.ordinal);
            let offer = Offer { id, assignment, expires_at };
            NewEvent::new(Event::Offered { offer }, claim.ordinal)
        }
    }
}

/// Claims the nearest who is free. Whom somebody else claims while we look is passed over for the
/// next; where all of those who were near are lost so, we look again.
async fn take_nearest(
    tx: &mut Tx,
    claim: &Claim,
    plan: &Plan,
    now: Timestamp,
) -> Result<Option<Near>> {
    let Some(sought) = Sought::of(claim, plan) else { return Ok(None) };
    loop {
        let near = sought.find(tx).await?;
        if near.is_empty() {
            return Ok(None);
        }
        for near in near {
            if insert(tx, claim, &near.id, now).await? {
                return Ok(Some(near));
            }
        }
    }
}

/// Inserts a claim on somebody who is still available; answers whether nobody else has one.
async fn insert(tx: &mut Tx, claim: &Claim, staff: &SubjectId, now: Timestamp) -> Result<bool> {
    let inserted = execute!(
        tx,
        "INSERT INTO claims (offer_id, booking_id, ordinal, staff_id, made_at, expires_at)
         SELECT $1, $2, $3, id, $4, $5 FROM staff WHERE id = $6 AND available
         ON CONFLICT (staff_id) WHERE ended_at IS NULL DO NOTHING",
        OfferId::new(&claim.booking, claim.ordinal).as_str(),
        claim.booking.as_str(),
        i64::from(claim.ordinal),
        Instant::from(now),
        claim.expires_at.map(Instant::from),
        staff.as_str(),
    )?;
    Ok(inserted == 1)
}

/// Ends the claim of a booking; answers on whom it was, if there was one.
pub(crate) async fn end(
    tx: &mut Tx,
    booking: &BookingId,
    now: Timestamp,
) -> Result<Option<SubjectId>> {
    let row: Option<(Word<SubjectId>,)> = query!(
        fetch_optional,
        tx,
        "UPDATE claims SET ended_at = $1 WHERE booking_id = $2 AND ended_at IS NULL
         RETURNING staff_id",
        Instant::from(now),
        booking.as_str(),
    )?;
    Ok(row.map(|(subject,)| subject.0))
}

/// The claims that have not ended, of the bookings from `first` to `last`.
pub(crate) async fn active(
    tx: &mut Tx,
    first: &BookingId,
    last: &BookingId,
) -> Result<Vec<ClaimRow>> {
    let rows: Vec<Row> = query!(
        fetch_all,
        tx,
        concat!(
            "SELECT ",
            columns!(),
            " FROM claims WHERE booking_id >= $1 AND booking_id <= $2 AND ended_at IS NULL"
        ),
        first.as_str(),
        last.as_str(),
    )?;
    Ok(rows.into_iter().map(ClaimRow::from).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    offer_id: Word<OfferId>,
    booking_id: Word<BookingId>,
    staff_id: Word<SubjectId>,
    made_at: Instant,
    expires_at: Option<Instant>,
    ended_at: Option<Instant>,
}

impl From<Row> for ClaimRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.offer_id.0,
            booking: row.booking_id.0,
            staff: row.staff_id.0,
            made_at: row.made_at.timestamp(),
            expires_at: row.expires_at.map(Instant::timestamp),
            ended_at: row.ended_at.map(Instant::timestamp),
        }
    }
}
