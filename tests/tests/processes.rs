//! Separate processes on PostgreSQL: the queue as fall-back, draining, roll-outs and deaths.

use std::time::Duration;

use bellhop_tests::{
    cluster::{Cluster, free_port},
    desk::{Answer, Desk, a_taxi, booking_id, new_key},
    faults::Fault,
    history,
    stack::eventually,
};
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
    cluster.stock("api", "prime", 5_000).await?;
    cluster.api("new-api").await?;
    let old = cluster.desk("api", "dev-customer")?;
    let new = cluster.desk("new-api", "dev-customer")?;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let clients: Vec<_> = (0..8)
        .map(|_| tokio::spawn(book_until(stopped.clone(), old.clone(), new.clone())))
        .collect();

    eventually("load is on", async || {
        let calls = cluster.ledger().await?["calls"]["payments.authorize"].as_i64();
        Ok((calls >= Some(20)).then_some(()))
    })
    .await?;
    cluster.worker("new-bookings", "bookings", &[]).await?;
    for name in ["api", "bookings"] {
        assert_eq!(cluster.terminate(name).await?, Some(0), "{name} is drained and ends well");
    }
    let before = cluster.ledger().await?["calls"]["payments.authorize"].as_i64();
    eventually("load goes on", async || {
        let calls = cluster.ledger().await?["calls"]["payments.authorize"].as_i64();
        Ok((calls >= before.map(|it| it + 20)).then_some(()))
    })
    .await?;
    stop.send(true)?;
    let mut booked = 0;
    for client in clients {
        for answer in client.await?? {
            assert!(matches!(answer.status, 201 | 202), "answered: {answer:?}");
            new.until(&answer.id()?, &["awaiting_approval"]).await?;
            booked += 1;
        }
    }
    assert!(booked >= 40, "{booked} were booked meanwhile");
    cluster.assert_invariants("new-api").await
}

/// common 12: a process that hangs answers no probe. Whoever watches it replaces it for that, and what it
/// had taken is done by the next.
#[tokio::test]
async fn what_a_process_had_that_hangs_is_done_by_its_replacement() -> anyhow::Result<()> {
    let mut cluster = Cluster::start_all(PROGRAM).await?;
    cluster.stock("api", "prime", 20).await?;
    let customer = cluster.desk("api", "dev-customer")?;
    cluster.signal("payments", Signal::STOP)?;
    eventually("its probe tells that it hangs", async || {
        Ok((!cluster.is_alive("payments").await?).then_some(()))
    })
    .await?;
    // Not done inline, it goes to the queue, where the one that hangs still asks for work.
    cluster.partner("payments", "unavailable").await?;
    let taken = customer.post_without_waiting(&new_key(), a_taxi("tok_ok")).await?;
    assert_eq!(taken.status, 202, "{taken:?}");
    let id = taken.id()?;
    customer.until(&id, &["awaiting_payment"]).await?;
    cluster.partner("payments", "ok").await?;
    cluster.signal("payments", Signal::KILL)?;
    cluster.ended("payments").await?;
    let sdk = format!("127.0.0.1:{}", free_port()?);
    let settings = [("BELLHOP_SDK_METRICS_LISTEN", sdk.as_str())];
    cluster.worker("payments-again", "payments", &settings).await?;
    customer.until(&id, &["awaiting_approval"]).await?;
    let ledger = cluster.ledger().await?;
    assert_eq!(ledger["payments"].as_array().map(Vec::len), Some(1), "one charge");
    let series = r#"_count{activity="payments.authorize",outcome="done",way="queued"}"#;
    let told = cluster.metrics("payments-again").await?;
    assert!(told.contains(series), "{told}");
    let told = cluster.http.get(format!("http://{sdk}/metrics")).send().await?.text().await?;
    assert!(told.contains("temporal_worker_task_slots_available"), "{told}");
    cluster.assert_invariants("api").await
}

/// Books again and again: at the old API for as long as it takes connections, then at the new one, a
/// request whose connection broke with the same key.
async fn book_until(
    stop: tokio::sync::watch::Receiver<bool>,
    mut desk: Desk,
    new: Desk,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = vec![];
    while !*stop.borrow() {
        let key = new_key();
        let answer = match desk.post_as("/bookings", &key, a_taxi("tok_ok")).await {
            Ok(answer) => answer,
            Err(_) => {
                desk = new.clone();
                desk.post_as("/bookings", &key, a_taxi("tok_ok")).await?
            }
        };
        answers.push(answer);
    }
    Ok(answers)
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
        let answer = customer.post_as("/bookings", &key, a_taxi("tok_ok")).await;
        let is_promised = answer.is_ok_and(|it| it.status == 201);
        assert!(activity == "bookings.firm" || !is_promised, "{activity} is before the answer");
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

/// exhibition 10: the bookings of what is withdrawn are cancelled by whichever processes there are: a
/// worker writes the commands down, and the APIs give them.
#[tokio::test]
async fn a_withdrawal_goes_through_separate_processes() -> anyhow::Result<()> {
    let mut cluster = Cluster::start_all(PROGRAM).await?;
    cluster.api("other-api").await?;
    let (customer, manager) =
        (cluster.desk("api", "dev-customer")?, cluster.desk("api", "dev-manager")?);
    let exhibition = json!({
        "company": "com_mapo", "title": "one", "hall": "small", "capacity": 20,
        "starts_at": "2099-01-01T10:00:00+09:00", "price": {"minor": 12_000, "currency": "KRW"},
    });
    assert_eq!(manager.put("/exhibitions/exh_one", exhibition).await?.status, 201);
    let visit = json!({
        "service": "exhibition", "exhibition_id": "exh_one", "quantity": 1,
        "customer": {"name": "Kim", "phone": "010-1234-5678"}, "payment": {"token": "tok_ok"},
    });
    let booked = (0..20).map(|_| customer.book(visit.clone()));
    let booked = futures::future::try_join_all(booked).await?;
    assert!(booked.iter().all(|it| it.status == 201), "{booked:?}");
    let begun = manager.post("/exhibitions/exh_one/withdraw", json!({})).await?;
    assert_eq!(begun.status, 202, "{begun:?}");
    // Whoever began it may go.
    assert_eq!(cluster.terminate("api").await?, Some(0));
    let manager = cluster.desk("other-api", "dev-manager")?;
    let path = format!("/operations/{}", begun.id()?);
    let done = eventually("the withdrawal is done", async || {
        let operation = manager.get(&path).await?.body;
        Ok((operation["state"] == "done").then_some(operation))
    });
    assert_eq!(done.await?["done"], 20);
    for booking in &booked {
        let booking = manager.booking(&booking.id()?).await?;
        assert_eq!(
            (&booking["status"], &booking["payment"]["refunded"]),
            (&json!("cancelled"), &json!(12_000))
        );
    }
    cluster.assert_invariants("other-api").await
}
