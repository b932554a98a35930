//! Acts: what each answered, so that a repeat answers the same in a changed world.

use bellhop_domain::{
    id::BookingId,
    key::{ActKey, Purpose},
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Result,
    column::{Instant, Json},
    db::{Tx, execute, query},
};

/// What the act answered when it was done; `None` when it was not.
pub(crate) async fn outcome<T>(tx: &mut Tx, key: &ActKey) -> Result<Option<T>>
where
    T: DeserializeOwned + Send + Unpin,
{
    let row: Option<(Json<T>,)> =
        query!(fetch_optional, tx, "SELECT outcome FROM acts WHERE act_key = $1", key.as_str(),)?;
    Ok(row.map(|(Json(outcome),)| outcome))
}

/// Whether the booking has let go of what it had: it is closed to acts that come late.
pub(crate) async fn is_released(tx: &mut Tx, booking: &BookingId) -> Result<bool> {
    let key = ActKey::new(booking, Purpose::Release, 1);
    let row: Option<(i64,)> =
        query!(fetch_optional, tx, "SELECT at FROM acts WHERE act_key = $1", key.as_str(),)?;
    Ok(row.is_some())
}

/// Stores what the act answers, and commits it with its effect.
///
/// # Errors
/// Any database error. One that says that the key is there means that the same act was just
/// done elsewhere: transient, as a repeat answers its outcome.
pub(crate) async fn finish<T: Serialize>(
    mut tx: Tx,
    key: &ActKey,
    booking: &BookingId,
    outcome: T,
    now: Timestamp,
) -> Result<T> {
    execute!(
        tx,
        "INSERT INTO acts (act_key, booking_id, outcome, at) VALUES ($1, $2, $3, $4)",
        key.as_str(),
        booking.as_str(),
        Json(&outcome),
        Instant::from(now),
    )?;
    tx.commit().await?;
    Ok(outcome)
}
