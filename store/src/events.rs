//! The journal: events, unique by key, numbered and stamped as they arrive. Views, messages and
//! waiting readers follow from it in the same transaction.

use bellhop_domain::{
    act::{Append, Appended},
    event::{CommandRef, NewEvent, StoredEvent},
    id::BookingId,
    status::may_move,
    view::BookingView,
};
use jiff::Timestamp;

use crate::{
    Result, Store, StoreError,
    bookings::{self, Locked},
    column::{Instant, Json, Word},
    db::{Tx, insert_rows, query},
    messages,
};

/// An event that a command caused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCommand {
    /// The command.
    pub command: CommandRef,
    /// The number of the event.
    pub seq: i64,
}

impl Store {
    /// Adds events to a booking's journal, with all that follows from them.
    ///
    /// Events whose key the journal has stay as they are, so a repeat changes nothing. An event
    /// that cannot follow is kept and raises attention; see [`BookingView::fold`]. Where the
    /// journal has events that the caller does not know of, all of it is answered.
    ///
    /// # Errors
    /// [`StoreError::NoBooking`] before the booking is opened, or any database error.
    pub async fn append_events(&self, append: &Append, now: Timestamp) -> Result<Appended> {
        let mut tx = self.begin().await?;
        let booking = bookings::lock(&mut tx, &append.booking).await?;
        let mut booking = booking.ok_or_else(|| StoreError::NoBooking(append.booking.clone()))?;
        self::append(&mut tx, &mut booking, append.events.clone(), now).await?;
        let more = if booking.seq > append.known {
            journal(&mut tx, &append.booking).await?
        } else {
            vec![]
        };
        tx.commit().await?;
        Ok(Appended { last_seq: booking.seq, more })
    }

    /// Everything that happened to a booking, in order; empty for one that is not opened.
    ///
    /// # Errors
    /// Any database error.
    pub async fn timeline(&self, booking: &BookingId) -> Result<Vec<StoredEvent>> {
        self.timeline_after(booking, 0).await
    }

    /// The same, of the events with a number above `seq`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn timeline_after(&self, booking: &BookingId, seq: i64) -> Result<Vec<StoredEvent>> {
        let rows: Vec<(i64, Instant, Json<NewEvent>)> = query!(
            fetch_all,
            self.reader().await?,
            "SELECT seq, at, event FROM events WHERE booking_id = $1 AND seq > $2 ORDER BY seq",
            booking.as_str(),
            seq,
        )?;
        Ok(rows.into_iter().map(stored).collect())
    }

    /// The first event that a command caused, so that its repeat is known for as long as the
    /// journal is; `None` for a command that caused none.
    ///
    /// # Errors
    /// Any database error.
    pub async fn command(
        &self,
        booking: &BookingId,
        command_id: &str,
    ) -> Result<Option<KnownCommand>> {
        let row: Option<(i64, Json<NewEvent>)> = query!(
            fetch_optional,
            self.reader().await?,
            "SELECT seq, event FROM events WHERE booking_id = $1 AND command_id = $2
             ORDER BY seq LIMIT 1",
            booking.as_str(),
            command_id,
        )?;
        let known = |(seq, Json(event)): (i64, Json<NewEvent>)| {
            event.command.map(|command| KnownCommand { command, seq })
        };
        Ok(row.and_then(known))
    }
}

/// Adds those of `events` that the journal does not have, folds the view and inserts the messages
/// that are due. Answers all of `events` as they stand in the journal.
pub(crate) async fn append(
    tx: &mut Tx,
    booking: &mut Locked,
    events: Vec<NewEvent>,
    now: Timestamp,
) -> Result<Vec<StoredEvent>> {
    let now = Instant::from(now).timestamp();
    // A single event, the most frequent case, is tried without looking.
    let mut answer =
        if events.len() > 1 { journalled(tx, booking, &events).await? } else { vec![] };
    let mut new = vec![];
    for event in events {
        if answer.iter().any(|it| it.event.key == event.key) {
            continue;
        }
        booking.seq += 1;
        let stored = StoredEvent { seq: booking.seq, at: now, event };
        new.push(stored.clone());
        answer.push(stored);
    }
    answer.sort_by_key(|it| it.seq);
    if new.is_empty() {
        return Ok(answer);
    }
    if insert(tx, &booking.id, &new).await? == 0 {
        booking.seq -= 1;
        let events: Vec<NewEvent> = new.into_iter().map(|it| it.event).collect();
        return journalled(tx, booking, &events).await;
    }
    let told = fold(booking, &new);
    bookings::update(tx, &booking.id, &booking.view, now).await?;
    if !told.is_empty() {
        messages::insert(tx, &booking.id, &booking.plan()?, &told).await?;
    }
    Ok(answer)
}

/// The same for events of an act that was done whatever became of the booking meanwhile: one that
/// may not move it any more is journalled as a fact, without its move.
pub(crate) async fn append_facts(
    tx: &mut Tx,
    booking: &mut Locked,
    mut events: Vec<NewEvent>,
    now: Timestamp,
) -> Result<Vec<StoredEvent>> {
    let mut status = booking.view.status;
    for event in &mut events {
        let role = event.actor.role;
        event.change = event.change.filter(|it| may_move(status, it.trigger, role, it.status));
        status = event.change.map_or(status, |it| it.status);
    }
    append(tx, booking, events, now).await
}

/// An event that somebody is told of, and how the booking stood before it and after it.
pub(crate) struct Told {
    pub(crate) event: StoredEvent,
    pub(crate) before: BookingView,
    pub(crate) view: BookingView,
}

fn fold(booking: &mut Locked, events: &[StoredEvent]) -> Vec<Told> {
    let mut told = vec![];
    for event in events {
        let before = messages::is_told(&event.event).then(|| booking.view.clone());
        if let Err(misplaced) = booking.view.fold(event) {
            let (id, key) = (&booking.id, &event.event.key);
            tracing::warn!(booking.id = %id, event.key = %key, %misplaced, "event is misplaced");
        } else if let Some(before) = before {
            told.push(Told { event: event.clone(), before, view: booking.view.clone() });
        }
    }
    told
}

/// Those of `events` that the journal has, as they stand there.
async fn journalled(
    tx: &mut Tx,
    booking: &Locked,
    events: &[NewEvent],
) -> Result<Vec<StoredEvent>> {
    if booking.seq == 0 {
        return Ok(vec![]);
    }
    let keys: Vec<(String, i64)> = query!(
        fetch_all,
        tx,
        "SELECT event_key, seq FROM events WHERE booking_id = $1",
        booking.id.as_str(),
    )?;
    let mut found = vec![];
    for (_, seq) in keys.iter().filter(|(key, _)| events.iter().any(|it| it.key == *key)) {
        let row = query!(
            fetch_one,
            tx,
            "SELECT seq, at, event FROM events WHERE booking_id = $1 AND seq = $2",
            booking.id.as_str(),
            seq,
        )?;
        found.push(stored(row));
    }
    Ok(found)
}

/// The whole journal of a booking.
async fn journal(tx: &mut Tx, booking: &BookingId) -> Result<Vec<StoredEvent>> {
    let sql = "SELECT seq, at, event FROM events WHERE booking_id = $1 ORDER BY seq";
    let rows: Vec<_> = query!(fetch_all, tx, sql, booking.as_str())?;
    Ok(rows.into_iter().map(stored).collect())
}

/// Inserts events; answers how many. One that the journal has is left as it is.
async fn insert(tx: &mut Tx, booking: &BookingId, events: &[StoredEvent]) -> Result<u64> {
    Ok(insert_rows!(
        tx,
        "INSERT INTO events (booking_id, seq, event_key, at, command_id, event) ",
        events,
        |row, stored| {
            row.push_bind(booking.as_str())
                .push_bind(stored.seq)
                .push_bind(&stored.event.key)
                .push_bind(Instant::from(stored.at))
                .push_bind(stored.event.command.as_ref().map(|it| &it.id))
                .push_bind(Json(&stored.event));
        },
        " ON CONFLICT (booking_id, event_key) DO NOTHING"
    )?)
}

/// The journals of the bookings from `first` to `last`, in the order of their ids.
pub(crate) async fn of_bookings(
    tx: &mut Tx,
    first: &BookingId,
    last: &BookingId,
) -> Result<Vec<(BookingId, StoredEvent)>> {
    let rows: Vec<(Word<BookingId>, i64, Instant, Json<NewEvent>)> = query!(
        fetch_all,
        tx,
        "SELECT booking_id, seq, at, event FROM events
         WHERE booking_id >= $1 AND booking_id <= $2 ORDER BY booking_id, seq",
        first.as_str(),
        last.as_str(),
    )?;
    Ok(rows.into_iter().map(|(id, seq, at, event)| (id.0, stored((seq, at, event)))).collect())
}

fn stored((seq, at, Json(event)): (i64, Instant, Json<NewEvent>)) -> StoredEvent {
    StoredEvent { seq, at: at.timestamp(), event }
}
