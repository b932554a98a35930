//! exhibition 6 to 8: a visitor cancels; the places return, and the confirmation is no longer good.

use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    stack::eventually,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::hall::Hall;
use crate::world::{bellhop, cancel, payments};

/// exhibition 6: until a day before the start everything goes back, then half until the start.
#[tokio::test]
async fn exhibition_06_cancelling_refunds_by_the_time_before_the_start() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    for (starts_in, refunded, status) in [
        (SignedDuration::from_hours(25), 24_000, "refunded"),
        (SignedDuration::from_hours(23), 12_000, "part_refunded"),
    ] {
        let hall = Hall::starting(&bellhop, starts_in, 12_000, 20).await?;
        let booking = hall.confirmed(&people.kim, hall.paid(2, "tok_ok")).await?;
        let id = booking["id"].as_str().unwrap_or_default();
        cancel(&people.lee, id).await?.assert_problem(404, "not_found");
        let cancelled = cancel(&people.kim, id).await?;
        cancelled.assert_booking(200, "cancelled");
        assert_eq!(cancelled.body["payment"]["refunded"], refunded);
        let paid = payments(&bellhop, id).await?;
        assert_eq!((paid.len(), &paid[0]["status"]), (1, &json!(status)));
        assert_eq!(paid[0]["refunded"], refunded);
        cancel(&people.kim, id).await?.assert_problem(409, "not_allowed");
    }
    Ok(())
}

/// exhibition 7: the places return when the cancellation is answered, once, to the next visitor.
#[tokio::test]
async fn exhibition_07_the_places_return() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 5).await?;
    let booking = hall.confirmed(&people.kim, hall.request(4)).await?;
    people.lee.book(hall.request(2)).await?.assert_problem(409, "sold_out");
    let id = booking["id"].as_str().unwrap_or_default();
    cancel(&people.kim, id).await?.assert_booking(200, "cancelled");
    assert_eq!(hall.places().await?, (0, 0, 5));
    cancel(&people.kim, id).await?.assert_problem(409, "not_allowed");
    hall.confirmed(&people.lee, hall.request(5)).await?;
    assert_eq!(hall.places().await?, (5, 0, 0));
    Ok(())
}

/// exhibition 8: the confirmation of entry is cancelled with the booking.
#[tokio::test]
async fn exhibition_08_the_confirmation_is_cancelled() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 20).await?;
    let booking = hall.confirmed(&people.kim, hall.paid(1, "tok_ok")).await?;
    let id = booking["id"].as_str().unwrap_or_default();
    let cancelled = cancel(&people.kim, id).await?;
    cancelled.assert_booking(200, "cancelled");
    let confirmation = &cancelled.body["confirmation"];
    assert_eq!(confirmation["status"], "cancelled");
    assert_eq!(confirmation["number"], booking["confirmation"]["number"]);
    let events = people.kim.events(id).await?;
    let undone =
        ["payment.settled", "hold.released", "confirmation.cancelled", "booking.cancelled"];
    assert!(events.ends_with(&undone.map(str::to_owned)), "{events:?}");
    Ok(())
}

/// exhibition 8: a confirmation that is issued while the visitor cancels is cancelled, too.
#[tokio::test]
async fn exhibition_08_a_confirmation_amid_a_cancellation_is_cancelled() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 20).await?;
    let (key, faults) = (new_key(), bellhop.faults());
    let id = booking_id(&key)?;
    // It is issued, and its workflow does not hear of that before the cancel comes.
    faults.put(&id, "dispatch.confirm", Fault::HoldAnswer, 1)?;
    let booked = people.kim.post_as("/bookings", &key, hall.request(1)).await?;
    booked.assert_booking(201, "confirmed");
    eventually("it is issued", async || Ok(faults.is_held(&id, "dispatch.confirm").then_some(())))
        .await?;
    let number = people.kim.booking(&id).await?["confirmation"]["number"].clone();
    let cancelling = async {
        loop {
            // Its workflow is busy with the confirmation: who is put off comes back.
            let answer = cancel(&people.kim, &id).await?;
            if answer.status != 429 {
                return anyhow::Ok(answer);
            }
        }
    };
    let letting_go = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        faults.let_go(&id, "dispatch.confirm")
    };
    let (cancelled, ()) = futures::future::try_join(cancelling, letting_go).await?;
    cancelled.assert_booking(200, "cancelled");
    assert_eq!(cancelled.body["confirmation"], json!({"number": number, "status": "cancelled"}));
    assert_eq!(hall.places().await?, (0, 0, 20));
    Ok(())
}

/// exhibition 8: a confirmation that would come late changes nothing.
#[tokio::test]
async fn exhibition_08_a_late_confirmation_changes_nothing() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 20).await?;
    let (key, faults) = (new_key(), bellhop.faults());
    let id = booking_id(&key)?;
    faults.put(&id, "dispatch.confirm", Fault::Refuse, 1_000)?;
    let booked = people.kim.post_as("/bookings", &key, hall.paid(1, "tok_ok")).await?;
    booked.assert_booking(201, "confirmed");
    assert_eq!(booked.body["confirmation"], json!({"number": null, "status": "pending"}));
    let cancelled = cancel(&people.kim, &id).await?;
    cancelled.assert_booking(200, "cancelled");
    faults.lift(&id, "dispatch.confirm");
    assert!(faults.fired(&id, "dispatch.confirm") > 0, "it was tried");
    // Longer than the pause before its next try.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let after = people.kim.booking(&id).await?;
    assert_eq!((&after["status"], &after["confirmation"]), (&json!("cancelled"), &Value::Null));
    let events = people.kim.events(&id).await?;
    assert!(!events.iter().any(|it| it.starts_with("confirmation.")), "{events:?}");
    assert_eq!(hall.places().await?, (0, 0, 20));
    Ok(())
}
