//! Holds: what a booking has of a pool. Each booking has one row; once it is closed it stays so,
//! and every late act on it is refused.

use std::str::FromStr;

use bellhop_domain::{
    act::{Assign, Assigned, Expire, Expiry, Firm, Firmed, Release, Released},
    event::{Assignment, Event, NewEvent},
    id::{BookingId, PoolId},
    status::{Status, Trigger},
};
use jiff::Timestamp;

use crate::{
    Result, Store, StoreError, acts, bookings,
    column::{Instant, Word},
    db::{Tx, execute, lock},
    events, pools,
};

/// How a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Until it expires.
    Held,
    /// For as long as the booking wants it.
    Firm,
    /// Assigned.
    Taken,
    /// Gone back because its time was over; may be taken again by a payment that came late.
    Expired,
    /// Gone back for good.
    Released,
    /// There was nothing to hold.
    Refused,
    /// Undone before it was placed.
    Closed,
}

impl Store {
    /// Makes a hold last, and journals what it allows.
    ///
    /// A hold that has expired is taken again if there is still room, else it is lost and nothing
    /// is journalled. An event that may not move the booking any more is journalled without its
    /// move. A repeat answers the first outcome.
    ///
    /// # Errors
    /// [`StoreError::NoBooking`] when the booking was never opened, or any database error.
    pub async fn firm_hold(&self, firm: &Firm, now: Timestamp) -> Result<Firmed> {
        let mut tx = self.begin().await?;
        let booking = bookings::lock(&mut tx, &firm.booking).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &firm.key).await? {
            return Ok(outcome);
        }
        let hold = find(&mut tx, &firm.booking).await?;
        let is_firm = match &hold {
            None => return Err(StoreError::NoBooking(firm.booking.clone())),
            Some(hold) => match (hold.state, &hold.pool) {
                (State::Held | State::Firm | State::Taken, _) => true,
                (State::Expired, Some(pool)) => {
                    pools::hold_again(&mut tx, pool, hold.quantity).await?
                }
                _ => false,
            },
        };
        let outcome = match booking.filter(|_| is_firm) {
            None => Firmed::Lost,
            Some(mut booking) => {
                if hold.is_some_and(|it| it.state != State::Taken) {
                    change(&mut tx, &firm.booking, State::Firm, now).await?;
                }
                let events = firm.events.clone();
                let events = events::append_facts(&mut tx, &mut booking, events, now).await?;
                Firmed::Firm { events }
            }
        };
        acts::finish(tx, &firm.key, &firm.booking, outcome, now).await
    }

    /// Gives a hold back if its time is over and it is not firm.
    ///
    /// A repeat answers the first outcome: whoever looks again uses another key.
    ///
    /// # Errors
    /// Any database error.
    pub async fn expire_hold(&self, expire: &Expire, now: Timestamp) -> Result<Expiry> {
        let mut tx = self.begin().await?;
        bookings::lock(&mut tx, &expire.booking).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &expire.key).await? {
            return Ok(outcome);
        }
        let is_over = |hold: &Hold| {
            hold.state == State::Held && hold.expires_at.is_some_and(|at| at <= Instant::from(now))
        };
        let hold = find(&mut tx, &expire.booking).await?;
        let outcome = match hold.filter(is_over) {
            Some(Hold { pool: Some(pool), quantity, .. }) => {
                pools::give_back(&mut tx, &pool, quantity, 0).await?;
                change(&mut tx, &expire.booking, State::Expired, now).await?;
                Expiry::Expired
            }
            _ => Expiry::Kept,
        };
        acts::finish(tx, &expire.key, &expire.booking, outcome, now).await
    }

    /// Takes what is held, and journals the events that come before, then the assignment as
    /// `assignment.made/1`, without its move where the booking was cancelled meanwhile.
    ///
    /// A hold that went back is lost. A repeat answers the first outcome.
    ///
    /// # Errors
    /// [`StoreError::NoBooking`] when the booking was never opened, or any database error.
    pub async fn assign_from_hold(&self, assign: &Assign, now: Timestamp) -> Result<Assigned> {
        let mut tx = self.begin().await?;
        let booking = bookings::lock(&mut tx, &assign.booking).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &assign.key).await? {
            return Ok(outcome);
        }
        let no_booking = || StoreError::NoBooking(assign.booking.clone());
        let hold = find(&mut tx, &assign.booking).await?.ok_or_else(no_booking)?;
        let outcome = match hold {
            Hold { state: State::Held | State::Firm, pool: Some(pool), quantity, .. } => {
                let mut booking = booking.ok_or_else(no_booking)?;
                let (company, label) = pools::take(&mut tx, &pool, quantity).await?;
                change(&mut tx, &assign.booking, State::Taken, now).await?;
                let assignment = Assignment { company: Some(company), label, subject: None };
                let event = NewEvent::new(Event::Assigned { assignment: assignment.clone() }, 1)
                    .moving(Trigger::Assign, Status::Confirmed);
                let events = assign.events.iter().cloned().chain([event]).collect();
                let events = events::append_facts(&mut tx, &mut booking, events, now).await?;
                Assigned::Made { assignment, events }
            }
            _ => Assigned::Lost,
        };
        acts::finish(tx, &assign.key, &assign.booking, outcome, now).await
    }

    /// Gives back whatever a booking holds or has taken, and closes it to any late act, the
    /// opening included.
    ///
    /// A repeat answers the first outcome.
    ///
    /// # Errors
    /// Any database error.
    pub async fn release_hold(&self, release: &Release, now: Timestamp) -> Result<Released> {
        let mut tx = self.begin().await?;
        bookings::lock(&mut tx, &release.booking).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &release.key).await? {
            return Ok(outcome);
        }
        let mut hold = find(&mut tx, &release.booking).await?;
        if hold.is_none() && !close(&mut tx, &release.booking, now).await? {
            // An opening that was under way has placed it while we looked.
            hold = find(&mut tx, &release.booking).await?;
        }
        let quantity = match &hold {
            Some(Hold { state, pool: Some(pool), quantity, .. }) => {
                let (held, taken) = match state {
                    State::Held | State::Firm => (*quantity, 0),
                    State::Taken => (0, *quantity),
                    _ => (0, 0),
                };
                if held + taken > 0 {
                    pools::give_back(&mut tx, pool, held, taken).await?;
                }
                change(&mut tx, &release.booking, State::Released, now).await?;
                held + taken
            }
            _ => 0,
        };
        acts::finish(tx, &release.key, &release.booking, Released { quantity }, now).await
    }
}

struct Hold {
    pool: Option<PoolId>,
    quantity: u32,
    state: State,
    expires_at: Option<Instant>,
}

/// A booking's hold, locked until the transaction ends.
async fn find(tx: &mut Tx, booking: &BookingId) -> Result<Option<Hold>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        pool_id: Option<Word<PoolId>>,
        #[sqlx(try_from = "i64")]
        quantity: u32,
        state: Word<State>,
        expires_at: Option<Instant>,
    }
    let row: Option<Row> = lock!(
        tx,
        "SELECT pool_id, quantity, state, expires_at FROM holds WHERE booking_id = $1",
        booking.as_str(),
    )?;
    Ok(row.map(|row| Hold {
        pool: row.pool_id.map(|it| it.0),
        quantity: row.quantity,
        state: row.state.0,
        expires_at: row.expires_at,
    }))
}

/// Changes a hold; only one that is [`State::Held`] has an expiry.
async fn change(tx: &mut Tx, booking: &BookingId, state: State, now: Timestamp) -> Result<()> {
    execute!(
        tx,
        "UPDATE holds SET state = $1, expires_at = NULL, changed_at = $2 WHERE booking_id = $3",
        state.as_str(),
        Instant::from(now),
        booking.as_str(),
    )?;
    Ok(())
}

/// Inserts a booking's hold; answers whether there was none.
pub(crate) async fn place(
    tx: &mut Tx,
    booking: &BookingId,
    pool: &PoolId,
    quantity: u32,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let inserted = execute!(
        tx,
        "INSERT INTO holds (booking_id, pool_id, quantity, state, expires_at, changed_at)
         VALUES ($1, $2, $3, 'held', $4, $5)
         ON CONFLICT (booking_id) DO NOTHING",
        booking.as_str(),
        pool.as_str(),
        i64::from(quantity),
        Instant::from(expires_at),
        Instant::from(now),
    )?;
    Ok(inserted == 1)
}

/// Inserts a hold that was refused; answers whether there was none.
pub(crate) async fn refuse(
    tx: &mut Tx,
    booking: &BookingId,
    quantity: u32,
    code: &str,
    now: Timestamp,
) -> Result<bool> {
    let inserted = execute!(
        tx,
        "INSERT INTO holds (booking_id, quantity, state, code, changed_at)
         VALUES ($1, $2, 'refused', $3, $4)
         ON CONFLICT (booking_id) DO NOTHING",
        booking.as_str(),
        i64::from(quantity),
        code,
        Instant::from(now),
    )?;
    Ok(inserted == 1)
}

/// Inserts a closed row; answers whether there was none.
async fn close(tx: &mut Tx, booking: &BookingId, now: Timestamp) -> Result<bool> {
    let inserted = execute!(
        tx,
        "INSERT INTO holds (booking_id, quantity, state, changed_at) VALUES ($1, 0, 'closed', $2)
         ON CONFLICT (booking_id) DO NOTHING",
        booking.as_str(),
        Instant::from(now),
    )?;
    Ok(inserted == 1)
}

impl State {
    const ALL: [Self; 7] = [
        Self::Held,
        Self::Firm,
        Self::Taken,
        Self::Expired,
        Self::Released,
        Self::Refused,
        Self::Closed,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Firm => "firm",
            Self::Taken => "taken",
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Refused => "refused",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("no hold stands so: {0}")]
pub(crate) struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        let found = Self::ALL.into_iter().find(|it| it.as_str() == word);
        found.ok_or_else(|| UnknownState(word.to_owned()))
    }
}
