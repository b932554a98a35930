//! How long a caller waits for an outcome: `Prefer: wait`.

use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Fleet, bellhop};

#[tokio::test]
async fn who_does_not_wait_is_told_where_to_look() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let key = new_key();
    let id = booking_id(&key)?;
    // It is started, and its first act does not succeed at once.
    bellhop.faults().put(&id, "bookings.open", Fault::Refuse, 2)?;
    let request = fleet.request("tok_ok");
    let taken = people.kim.post_within(0, "/bookings", &key, request.clone()).await?;
    taken.assert_booking(202, "pending");
    assert_eq!(taken.headers["location"], format!("/v1/bookings/{id}"));
    assert_eq!((taken.id()?, &taken.body["amount"]), (id.clone(), &Value::Null));
    assert!(!taken.is_replay());

    // There it is, for its owner: the engine remembers what the database does not know yet.
    let seen = people.kim.get(&format!("/bookings/{id}")).await?;
    seen.assert_booking(200, "pending");
    people.lee.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    let again = people.kim.post_within(0, "/bookings", &key, request.clone()).await?;
    again.assert_booking(202, "pending");
    assert!(again.is_replay());
    let mut other = request.clone();
    other["customer"]["name"] = json!("Park");
    let refused = people.kim.post_within(0, "/bookings", &key, other).await?;
    refused.assert_problem(422, "idempotency_key_reused");

    let decided = people.kim.until(&id, &["awaiting_approval"]).await?;
    assert_eq!(decided["amount"]["minor"], 9_800);
    assert_eq!(bellhop.faults().fired(&id, "bookings.open"), 2);
    let now = people.kim.post_as("/bookings", &key, request).await?;
    now.assert_booking(201, "awaiting_approval");
    assert!(now.is_replay());
    assert_eq!(fleet.stock().await?, (1, 0, 0));
    Ok(())
}

#[tokio::test]
async fn who_waits_is_answered_with_the_outcome() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let key = new_key();
    bellhop.faults().put(&booking_id(&key)?, "bookings.firm", Fault::Refuse, 1)?;
    let answer = people.kim.post_within(30, "/bookings", &key, fleet.request("tok_ok")).await?;
    answer.assert_booking(201, "awaiting_approval");
    assert_eq!(answer.headers["location"], format!("/v1/bookings/{}", answer.id()?));
    Ok(())
}

#[tokio::test]
async fn a_wait_that_makes_no_sense_is_refused() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    for wait in ["wait=31", "wait=soon", "wait=-1", "respond-async, wait=1.5"] {
        let key = new_key();
        let headers = [
            ("content-type", "application/json"),
            ("idempotency-key", key.as_str()),
            ("prefer", wait),
        ];
        let body = fleet.request("tok_ok").to_string();
        let refused = people.kim.raw(Method::POST, "/bookings", &headers, body).await?;
        refused.assert_problem(400, "wait_invalid");
    }
    assert_eq!(fleet.stock().await?, (0, 0, 1));
    Ok(())
}
