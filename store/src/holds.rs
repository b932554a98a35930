//! Holds: what a booking has of a pool. Each booking has one row; once it is closed it stays so,
//! and every late act on it is refused.

use std::str::FromStr;

use bellhop_domain::{
    act::{Assign, Assigned, Expire, Expiry, Firm, Firmed, UseUp, UsedUp},
    event::{Assignment, Event, NewEvent},
    id::{BookingId, PoolId},
    status::{Status, Trigger},
};
use jiff::Timestamp;

use crate::{
    Result, Store, StoreError, acts, bookings,
    column::{Instant, Word},
    db::{Tx, execute, lock},
    events, payment_methods, pools,
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
    /// Used up: it never goes back.
    Used,
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
    /// move. What has paid is stored as a method where that was asked for. A repeat answers the first outcome.
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
            None if booking.is_none() => return Err(StoreError::NoBooking(firm.booking.clone())),
            None => true, // its service holds nothing
            Some(hold) => match (hold.state, &hold.pool) {
                (State::Held | State::Firm | State::Taken | State::Used, _) => true,
                (State::Expired, Some(pool)) => {
                    pools::hold_again(&mut tx, pool, hold.quantity).await?
                }
                _ => false,
            },
        };
        let outcome = match booking.filter(|_| is_firm) {
            None => Firmed::Lost,
            Some(mut booking) => {
                if hold.is_some_and(|it| !matches!(it.state, State::Taken | State::Used)) {
                    change(&mut tx, &firm.booking, State::Firm, now).await?;
                }
                let events = firm.events.clone();
                let events = events::append_facts(&mut tx, &mut booking, events, now).await?;
                if let Some(means) = &firm.store {
                    payment_methods::store(&mut tx, &booking, means, now).await?;
                }
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
                let assignment =
                    Assignment { company: Some(company), label, subject: None, offer: None };
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

    /// Uses up what a booking holds or has taken: it never goes back. A repeat answers the first
    /// outcome.
    ///
    /// # Errors
    /// Any database error.
    pub async fn use_up_hold(&self, use_up: &UseUp, now: Timestamp) -> Result<UsedUp> {
        let mut tx = self.begin().await?;
        bookings::lock(&mut tx, &use_up.booking).await?;
        if let Some(outcome) = acts::outcome(&mut tx, &use_up.key).await? {
            return Ok(outcome);
        }
        let quantity = use_up_rest(&mut tx, &use_up.booking, now).await?;
        acts::finish(tx, &use_up.key, &use_up.booking, UsedUp { quantity }, now).await
    }
}

/// Uses up what a booking holds or has taken; answers how many.
pub(crate) async fn use_up_rest(tx: &mut Tx, booking: &BookingId, now: Timestamp) -> Result<u32> {
    let Some(Hold { state, pool: Some(pool), quantity, .. }) = find(tx, booking).await? else {
        return Ok(0);
    };
    match state {
        State::Held | State::Firm => _ = pools::take(tx, &pool, quantity).await?,
        State::Taken => {}
        _ => return Ok(0),
    }
    change(tx, booking, State::Used, now).await?;
    Ok(quantity)
}

/// Gives back what a booking holds or has taken; answers how many. What is used up stays so. Where
/// there was nothing, the booking is closed to an opening that comes late.
pub(crate) async fn give_back(tx: &mut Tx, booking: &BookingId, now: Timestamp) -> Result<u32> {
    let mut hold = find(tx, booking).await?;
    if hold.is_none() && !close(tx, booking, now).await? {
        // An opening that was under way has placed it while we looked.
        hold = find(tx, booking).await?;
    }
    let Some(Hold { state, pool: Some(pool), quantity, .. }) = hold else { return Ok(0) };
    let (held, taken) = match state {
        State::Held | State::Firm => (quantity, 0),
        State::Taken => (0, quantity),
        State::Used => return Ok(0),
        _ => (0, 0),
    };
    if held + taken > 0 {
        pools::give_back(tx, &pool, held, taken).await?;
    }
    change(tx, booking, State::Released, now).await?;
    Ok(held + taken)
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

/// Inserts a booking's hold, firm unless it expires; answers whether there was none.
pub(crate) async fn place(
    tx: &mut Tx,
    booking: &BookingId,
    pool: &PoolId,
    quantity: u32,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<bool> {
    let state = if expires_at.is_some() { State::Held } else { State::Firm };
    let inserted = execute!(
        tx,
        "INSERT INTO holds (booking_id, pool_id, quantity, state, expires_at, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (booking_id) DO NOTHING",
        booking.as_str(),
        pool.as_str(),
        i64::from(quantity),
        state.as_str(),
        expires_at.map(Instant::from),
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
    const ALL: [Self; 8] = [
        Self::Held,
        Self::Firm,
        Self::Taken,
        Self::Used,
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
            Self::Used => "used",
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
