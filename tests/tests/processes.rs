//! Separate processes on PostgreSQL: the queue as fall-back, draining, roll-outs and deaths.

use std::time::Duration;

use bellhop_tests::{
    cluster::Cluster,
    desk::{a_taxi, booking_id, new_key},
    faults::Fault,
    history,
    stack::eventually,
};
use futures::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use temporalio_common::protos::temporal::api::enums::v1::EventType;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bellhop-under-test");

/// design section 2, rule 1: what does not succeed inline at once goes on through its family's queue,
/// which another process serves.
#[tokio::test]
async fn what_fails_inline_is_done_by_the_worker_of_its_queue() -> anyhow::Result<()> {
    let cluster = Cluster::start_all(PROGRAM).await?;
    cluster.stock("api", "prime", 20).await?;
    let customer = cluster.desk("api", "dev-customer")?;
    cluster.partner("payments", "unavailable").await?;
    let key = new_key();
    let booking = tokio::spawn({
        let (customer, key) = (customer.clone(), key.clone());
        async move { customer.post_as("/bookings", &key, a_taxi("tok_ok")).await }
    });
    let id = booking_id(&key)?;
    customer.until(&id, &["awaiting_payment"]).await?;
    cluster.partner("payments", "ok").await?;
    let booking = booking.await??;
    assert_eq!((booking.status, &booking.body["status"]), (201, &json!("awaiting_approval")));

    let client = history::connect(&cluster.temporal()).await?;
    let events = history::of(&client, &id).await?;
    let scheduled = events.iter().find(|it| it.event_type() == EventType::ActivityTaskScheduled);
    let scheduled = format!("{:?}", scheduled.map(|it| &it.attributes));
    assert!(scheduled.contains("payments.authorize"), "{scheduled}");
    let ledger = cluster.ledger().await?;
    assert_eq!(ledger["payments"].as_array().map(Vec::len), Some(1), "one charge");
    cluster.assert_invariants("api").await
}

/// common 9: no request fails while processes are replaced under load.
#[tokio::test]
async fn no_request_fails_while_processes_are_replaced() -> anyhow::Result<()> {
    let mut cluster = Cluster::start_all(PROGRAM).await?;
    cluster.stock("api", "prime", 500).await?;
    cluster.api("new-api").await?;
    let (old, new) =
        (cluster.desk("api", "dev-customer")?, cluster.desk("new-api", "dev-customer")?);

    // What is under way at the old API when it is asked to end is answered, and finished.
    let under_way: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let old = old.clone();
                async move { old.book(a_taxi("tok_slow")).await }
            })
        })
        .collect();
    eventually("all are under way", async || {
        let calls = cluster.ledger().await?["calls"]["payments.authorize"].as_i64();
        Ok((calls >= Some(10)).then_some(()))
    })
    .await?;
    cluster.worker("new-bookings", "bookings", &[]).await?;
    cluster.signal("api", Signal::TERM)?;
    cluster.signal("bookings", Signal::TERM)?;
    let meanwhile = join_all((0..20).map(|_| new.book(a_taxi("tok_ok")))).await;

    for answer in under_way {
        let answer = answer.await??;
        assert!(matches!(answer.status, 201 | 202), "answered: {answer:?}");
        let booking = new.until(&answer.id()?, &["awaiting_approval"]).await?;
        assert_eq!(booking["payment"]["status"], "authorized");
    }
    for answer in meanwhile {
        assert_eq!(answer?.status, 201);
    }
    assert_eq!(cluster.ended("api").await?, Some(0), "a drained API ends well");
    assert_eq!(cluster.ended("bookings").await?, Some(0), "a drained worker ends well");
    cluster.assert_invariants("new-api").await
}

/// design section 3: a worker that dies between act and report leaves effects that history does not
/// know, and a cancel may be waiting for the next life.
#[tokio::test]
async fn a_worker_that_dies_between_act_and_report_changes_nothing() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(PROGRAM).await?;
    for queue in ["payments", "dispatch", "notifications"] {
        cluster.worker(queue, queue, &[]).await?;
    }
    cluster.api("api").await?;
    cluster.stock("api", "prime", 20).await?;
    for activity in ["bookings.open", "payments.authorize", "bookings.firm"] {
        let key = new_key();
        let id = booking_id(&key)?;
        cluster.faults().put(&id, activity, Fault::DieAfter, 1)?;
        // The API runs the first workflow task itself, and dies of the fault.
        let customer = cluster.desk("api", "dev-customer")?;
        let broken = customer.post_as("/bookings", &key, a_taxi("tok_ok")).await;
        assert!(broken.is_err(), "{activity}: the connection broke: {broken:?}");
        assert_eq!(cluster.ended("api").await?, None, "killed");
        assert_eq!(cluster.faults().fired(&id, activity), 1);

        // A new process takes over; a cancel comes before it knows what happened.
        cluster.api("api").await?;
        let customer = cluster.desk("api", "dev-customer")?;
        customer.until(&id, &["pending", "awaiting_approval"]).await?;
        let cancelled = customer.post(&format!("/bookings/{id}/cancel"), json!({})).await?;
        assert_eq!(
            (cancelled.status, &cancelled.body["status"]),
            (200, &json!("cancelled")),
            "{activity}: {cancelled:?}"
        );
        let repeated = customer.post_as("/bookings", &key, a_taxi("tok_ok")).await?;
        assert_eq!(repeated.body["status"], "cancelled", "the key is good: {repeated:?}");
        cluster.assert_invariants("api").await?;
    }
    Ok(())
}

/// design section 2, rule 1: workers of one queue carry the same families.
#[tokio::test]
async fn a_worker_with_other_families_refuses_to_start() -> anyhow::Result<()> {
    let mut cluster = Cluster::start(PROGRAM).await?;
    cluster.worker("bookings", "bookings", &[]).await?;
    let other = cluster.worker("other", "bookings", &[("BELLHOP_INLINE", "dispatch")]);
    let refused = tokio::time::timeout(Duration::from_secs(5), other).await;
    assert!(!matches!(refused, Ok(Ok(()))), "it is not ready");
    assert_eq!(cluster.ended("other").await?, Some(1));
    Ok(())
}
