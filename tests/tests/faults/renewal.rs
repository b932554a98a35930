//! Workers that are worn out are replaced by fresh ones amid many bookings: nobody notices.

use anyhow::ensure;
use bellhop_tests::{
    desk::{a_taxi, booking_id, new_key},
    stack::Stack,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::{
    PROGRAM,
    cancels::nothing_is_kept,
    end::{ended, hears},
    services::quick,
    users::Users,
};

/// After how many activities a worker is replaced; a booking here has about ten.
const ACTIVITIES: u32 = 50;

#[tokio::test]
async fn workers_are_replaced_under_load() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let mut options = quick()?;
    options.settings.push(("BELLHOP_RENEW_AFTER", ACTIVITIES.to_string()));
    options.log = Some(log.clone());
    let stack = Stack::start_with(PROGRAM, options).await?;
    let (_sign, users) = Users::of(&stack);
    let bookings = stream::iter(0..120).map(async |_| {
        let key = new_key();
        let id = booking_id(&key)?;
        let booked = users.post("dev-customer", "/bookings", &key, a_taxi("tok_ok")).await?;
        hears(&booked, 201, "awaiting_approval", "/status")?;
        let approve = format!("/approvals/{id}/approve");
        let approved = users.post("dev-manager", &approve, &new_key(), json!({})).await?;
        hears(&approved, 200, "confirmed", "/status")?;
        let cancel = format!("/bookings/{id}/cancel");
        let cancelled = users.post("dev-customer", &cancel, &new_key(), json!({})).await?;
        hears(&cancelled, 200, "cancelled", "/status")?;
        ended(&users, &id).await?;
        nothing_is_kept(&users, &id).await
    });
    bookings.buffer_unordered(10).try_collect::<Vec<()>>().await?;
    let log = std::fs::read_to_string(&log)?;
    let replaced = log.matches("a fresh worker takes its place").count();
    ensure!(replaced >= 10, "workers were replaced {replaced} times");
    stack.assert_invariants().await?;
    stack.judge_remains().await
}
