//! Invariants: what must be true of the database whatever failed (design, section 11). Those that
//! need the engine or the provider are checked where these are known.

use std::collections::HashMap;

use bellhop_domain::{
    event::{Event, StoredEvent},
    status::{Status, may_move},
    view::BookingView,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Balance, ClaimRow, Result, Store, claims,
    column::Instant,
    db::{Tx, query},
    ledger,
    rebuild::{self, Journalled},
};

/// How long what follows an event may take before it counts as missing: the end of a booking is
/// published before what it held is given back.
const GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Something that must never be, and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which rule: a stable word.
    pub rule: &'static str,
    /// The booking, pool or posting that breaks it.
    pub subject: String,
    /// How.
    pub detail: String,
}

impl Store {
    /// Everything that breaks a rule; empty when all is well. Safe while everything else goes on.
    ///
    /// Rules on what follows an event leave out bookings that changed in the minute before `now`.
    /// A caller who knows that everything has settled says a later `now`.
    ///
    /// # Errors
    /// Any database error.
    pub async fn invariants(&self, now: Timestamp) -> Result<Vec<Broken>> {
        let settled = now.checked_sub(GRACE).unwrap_or(Timestamp::MIN);
        let mut tx = self.snapshot().await?;
        let mut broken = postings(&mut tx).await?;
        broken.extend(pools(&mut tx).await?);
        broken.extend(finished_holds(&mut tx, settled).await?);
        broken.extend(shared_claims(&mut tx).await?);
        broken.extend(finished_claims(&mut tx, settled).await?);
        broken.extend(messages(&mut tx).await?);
        drop(tx);

        let mut after = String::new();
        loop {
            let mut tx = self.snapshot().await?;
            let batch = rebuild::batch(&mut tx, &after, false).await?;
            let (Some(first), Some(last)) = (batch.first(), batch.last()) else {
                return Ok(broken);
            };
            last.id.as_str().clone_into(&mut after);
            let mut balances = HashMap::new();
            for row in ledger::of_bookings(&mut tx, &first.id, &last.id).await? {
                balances.insert(row.booking_id.0.clone(), (row.balance(), row.at.timestamp()));
            }
            let mut claims = HashMap::new();
            for claim in claims::active(&mut tx, &first.id, &last.id).await? {
                claims.insert(claim.booking.clone(), claim);
            }
            for booking in &batch {
                broken.extend(journal(booking));
                broken.extend(assignment(booking, claims.get(&booking.id)));
                broken.extend(money(booking, balances.get(&booking.id), settled));
            }
        }
    }
}

fn broken(rule: &'static str, subject: impl ToString, detail: impl Into<String>) -> Broken {
    Broken { rule, subject: subject.to_string(), detail: detail.into() }
}

/// The entries of every posting sum to zero.
async fn postings(tx: &mut Tx) -> Result<Vec<Broken>> {
    let rows: Vec<(String, i64)> = query!(
        fetch_all,
        tx,
        "SELECT posting_key, CAST(SUM(minor) AS BIGINT) FROM ledger
         GROUP BY posting_key, currency HAVING SUM(minor) <> 0",
    )?;
    let unbalanced = |(key, sum)| broken("ledger_balances", key, format!("entries sum to {sum}"));
    Ok(rows.into_iter().map(unbalanced).collect())
}

/// What a pool has held and taken is what its holds say, and never above its capacity.
async fn pools(tx: &mut Tx) -> Result<Vec<Broken>> {
    #[derive(sqlx::FromRow)]
    struct Row {
        id: String,
        capacity: i64,
        held: i64,
        taken: i64,
        holds_held: i64,
        holds_taken: i64,
    }
    let rows: Vec<Row> = query!(
        fetch_all,
        tx,
        "SELECT id, capacity, held, taken,
                CAST(COALESCE(SUM(CASE WHEN state IN ('held', 'firm') THEN quantity ELSE 0 END), 0)
                     AS BIGINT) AS holds_held,
                CAST(COALESCE(SUM(CASE WHEN state IN ('taken', 'used') THEN quantity ELSE 0 END), 0)
                     AS BIGINT) AS holds_taken
         FROM pools LEFT JOIN holds
              ON holds.pool_id = pools.id AND holds.state IN ('held', 'firm', 'taken', 'used')
         GROUP BY id, capacity, held, taken",
    )?;
    let mut found = vec![];
    for row in rows {
        let Row { id, capacity, held, taken, holds_held, holds_taken } = row;
        if (held, taken) != (holds_held, holds_taken) {
            let detail = format!(
                "counts {held} held and {taken} taken, its holds are {holds_held} and {holds_taken}"
            );
            found.push(broken("pools_count_holds", &id, detail));
        }
        if held < 0 || taken < 0 || held + taken > capacity {
            let detail = format!("{held} held and {taken} taken of {capacity}");
            found.push(broken("pools_within_capacity", &id, detail));
        }
    }
    Ok(found)
}

/// No booking that ended has anything of a pool but what is used up.
async fn finished_holds(tx: &mut Tx, settled: Timestamp) -> Result<Vec<Broken>> {
    let rows: Vec<(String, String, String)> = query!(
        fetch_all,
        tx,
        "SELECT booking_id, state, status
         FROM holds JOIN bookings ON bookings.id = holds.booking_id
         WHERE state IN ('held', 'firm', 'taken') AND bookings.changed_at <= $1
           AND status IN ('completed', 'cancelled', 'rejected', 'expired', 'no_show', 'unfulfilled')",
        Instant::from(settled),
    )?;
    let held = |(booking, state, status): (String, String, String)| {
        broken("no_hold_after_end", booking, format!("is {status} and its hold is {state}"))
    };
    Ok(rows.into_iter().map(held).collect())
}

/// Nobody has two claims on them, and no booking has two.
async fn shared_claims(tx: &mut Tx) -> Result<Vec<Broken>> {
    let staff: Vec<(String, i64)> = query!(
        fetch_all,
        tx,
        "SELECT staff_id, COUNT(*) FROM claims WHERE ended_at IS NULL
         GROUP BY staff_id HAVING COUNT(*) > 1",
    )?;
    let bookings: Vec<(String, i64)> = query!(
        fetch_all,
        tx,
        "SELECT booking_id, COUNT(*) FROM claims WHERE ended_at IS NULL
         GROUP BY booking_id HAVING COUNT(*) > 1",
    )?;
    let shared = |rule| {
        move |(subject, count): (String, i64)| {
            broken(rule, subject, format!("has {count} claims at a time"))
        }
    };
    let staff = staff.into_iter().map(shared("one_claim_per_person"));
    Ok(staff.chain(bookings.into_iter().map(shared("one_claim_per_booking"))).collect())
}

/// Nobody is claimed for a booking that ended.
async fn finished_claims(tx: &mut Tx, settled: Timestamp) -> Result<Vec<Broken>> {
    let rows: Vec<(String, String, String)> = query!(
        fetch_all,
        tx,
        "SELECT booking_id, staff_id, status
         FROM claims JOIN bookings ON bookings.id = claims.booking_id
         WHERE ended_at IS NULL AND bookings.changed_at <= $1
           AND status IN ('completed', 'cancelled', 'rejected', 'expired', 'no_show', 'unfulfilled')",
        Instant::from(settled),
    )?;
    let claimed = |(booking, staff, status): (String, String, String)| {
        broken("no_claim_after_end", booking, format!("is {status} and {staff} is claimed for it"))
    };
    Ok(rows.into_iter().map(claimed).collect())
}

/// Who serves a booking, or is asked to, is who is claimed for it.
fn assignment(booking: &Journalled, claim: Option<&ClaimRow>) -> Option<Broken> {
    let view = &booking.view;
    let assigned = match view.status {
        Status::Dispatching => &view.offer.as_ref()?.assignment,
        Status::Confirmed | Status::InProgress => view.assignment.as_ref()?,
        _ => return None,
    };
    let (subject, offer) = (assigned.subject.as_ref()?, assigned.offer.as_ref());
    let is_claimed = claim.is_some_and(|it| it.staff == *subject && Some(&it.id) == offer);
    let detail = || match claim {
        Some(claim) => format!("{subject} should serve it, and {} is claimed", claim.staff),
        None => format!("{subject} should serve it, and nobody is claimed"),
    };
    (!is_claimed).then(|| broken("assignment_is_claimed", &booking.id, detail()))
}

/// Nobody is told twice of one event.
async fn messages(tx: &mut Tx) -> Result<Vec<Broken>> {
    let rows: Vec<(String, String, i64)> = query!(
        fetch_all,
        tx,
        "SELECT booking_id, event_key, COUNT(*) FROM messages WHERE status = 'delivered'
         GROUP BY booking_id, event_key, recipient, audience HAVING COUNT(*) > 1",
    )?;
    let twice = |(booking, event, count): (String, String, i64)| {
        broken("told_once", booking, format!("{event} was delivered {count} times"))
    };
    Ok(rows.into_iter().map(twice).collect())
}

/// The journal has no gaps, its view is its fold, and what is no move of the table raised
/// attention.
fn journal(booking: &Journalled) -> Vec<Broken> {
    let mut found = vec![];
    let count = i64::try_from(booking.events.len()).unwrap_or(i64::MAX);
    let is_dense = (1..).zip(&booking.events).all(|(number, it)| it.seq == number);
    if !is_dense || booking.seq != count {
        let detail = format!("{count} events, the last should be {}", booking.seq);
        found.push(broken("journal_dense", &booking.id, detail));
    }
    let view = booking.fold();
    if !booking.is(&view) {
        let detail = format!("stands as {}, folds to {}", booking.status, view.status);
        found.push(broken("view_is_fold", &booking.id, detail));
    }
    if let Some(event) = unnoticed(booking) {
        let detail = format!("{} is no move of the table, and nobody was told", event.event.key);
        found.push(broken("moves_of_table", &booking.id, detail));
    }
    found
}

/// The last event that is no move of the table, if no attention was raised for it.
fn unnoticed(booking: &Journalled) -> Option<&StoredEvent> {
    let mut view = BookingView::default();
    let mut unnoticed = None;
    for stored in &booking.events {
        let event = &stored.event;
        let is_move = event.change.is_none_or(|change| {
            may_move(view.status, change.trigger, event.actor.role, change.status)
        });
        if !is_move {
            unnoticed = Some(stored);
        } else if matches!(event.event, Event::AttentionCleared) {
            unnoticed = None;
        }
        _ = view.fold(stored);
    }
    unnoticed.filter(|_| booking.view.attention.is_none())
}

/// What the ledger keeps of a payment is what the booking's last word on it says: the settlement,
/// whenever what came before it was told.
fn money(
    booking: &Journalled,
    balance: Option<&(Balance, Timestamp)>,
    settled: Timestamp,
) -> Option<Broken> {
    let events = || booking.events.iter().rev();
    let settled_with = events().find_map(|it| match &it.event.event {
        Event::PaymentSettled { kept, .. } => Some(kept.minor),
        _ => None,
    });
    let charged_with = || {
        events().find_map(|it| match &it.event.event {
            Event::PaymentCaptured { amount } => Some(amount.minor),
            _ => None,
        })
    };
    let last = settled_with.or_else(charged_with)?;
    let (balance, posted_at) = balance.copied().unwrap_or_default();
    if booking.changed_at > settled || posted_at > settled {
        return None;
    }
    let kept = balance.captured - balance.refunded;
    let detail = || format!("the ledger keeps {kept}, the journal says {last}");
    (kept != last).then(|| broken("ledger_keeps_what_journal_says", &booking.id, detail()))
}
