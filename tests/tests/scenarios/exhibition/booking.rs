//! exhibition 2, 4 and 5: booking places, and the confirmation of entry that follows.

use bellhop_tests::{
    desk::{booking_id, new_key},
    stack::eventually,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::hall::{Hall, issued};
use crate::world::{advance, bellhop, entries, payments};

/// exhibition 2: a visitor books one place or more: free, paid at the museum, or paid up front.
#[tokio::test]
async fn exhibition_02_a_visitor_books_one_place_or_more() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let (free, dear) =
        (Hall::open(&bellhop, 0, 20).await?, Hall::open(&bellhop, 12_000, 20).await?);
    for (hall, request, amount, charged) in [
        (&free, free.request(1), 0, None),
        (&free, free.paid(10, "tok_ok"), 0, None),
        (&dear, dear.request(2), 24_000, None),
        (&dear, dear.paid(3, "tok_ok"), 36_000, Some(36_000)),
    ] {
        let booking = hall.confirmed(&people.kim, request).await?;
        assert_eq!(booking["amount"]["minor"], amount);
        assert_eq!(booking["payment"]["captured"], charged.unwrap_or(0));
        let id = booking["id"].as_str().unwrap_or_default();
        let paid = payments(&bellhop, id).await?;
        assert_eq!(paid.first().and_then(|it| it["captured"].as_i64()), charged, "{paid:?}");
    }
    assert_eq!((free.places().await?, dear.places().await?), ((11, 0, 9), (5, 0, 15)));
    for (request, pointer) in [(dear.request(0), "/quantity"), (dear.request(11), "/quantity")] {
        let refused = people.kim.book(request).await?;
        refused.assert_problem(422, "invalid_booking");
        assert_eq!(refused.body["violations"][0]["pointer"], pointer);
    }
    Ok(())
}

/// exhibition 2: whose payment is declined gets no places, and none are kept from others.
#[tokio::test]
async fn exhibition_02_a_declined_payment_books_nothing() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 3).await?;
    let refused = people.kim.book(hall.paid(3, "tok_declined")).await?;
    refused.assert_problem(402, "payment_declined");
    eventually("the places are free", async || {
        Ok((hall.places().await? == (0, 0, 3)).then_some(()))
    })
    .await?;
    let booking = people.kim.booking(&refused.id()?).await?;
    assert_eq!((&booking["status"], &booking["confirmation"]), (&json!("rejected"), &Value::Null));
    hall.confirmed(&people.lee, hall.paid(3, "tok_ok")).await?;
    Ok(())
}

/// exhibition 2: an exhibition that is not there, closed, over or withdrawn is refused before anything
/// is started.
#[tokio::test]
async fn exhibition_02_what_is_not_offered_is_refused_at_the_door() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 20).await?;
    let kept = new_key();
    let before = people.kim.post_as("/bookings", &kept, hall.request(1)).await?.id()?;
    for unknown in [json!("exh_none"), json!("taxi_mapo_prime")] {
        let (key, mut request) = (new_key(), hall.request(1));
        request["exhibition_id"] = unknown;
        let refused = people.kim.post_as("/bookings", &key, request).await?;
        refused.assert_problem(422, "invalid_booking");
        assert_eq!(refused.body["violations"][0]["pointer"], "/options/exhibition_id");
        let id = booking_id(&key)?;
        people.kim.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    }
    let mut nowhere = hall.request(1);
    nowhere.as_object_mut().expect("an object").remove("exhibition_id");
    people.kim.book(nowhere.clone()).await?.assert_problem(422, "invalid_booking");
    // What is no id is not taken for any exhibition.
    nowhere["options"] = json!({"exhibition_id": "전시"});
    people.kim.book(nowhere).await?.assert_problem(422, "invalid_booking");

    let mut closed = hall.offer(0, 20);
    closed["open"] = json!(false);
    hall.put(&people.manager, closed).await?;
    let key = new_key();
    let refused = people.kim.post_as("/bookings", &key, hall.request(1)).await?;
    refused.assert_problem(409, "not_offered");
    let id = booking_id(&key)?;
    people.kim.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    // Who has booked before is answered as ever; who comes later books when it is open again.
    let again = people.kim.post_as("/bookings", &kept, hall.request(1)).await?;
    again.assert_booking(201, "confirmed");
    assert_eq!(again.id()?, before);
    hall.put(&people.manager, hall.offer(0, 20)).await?;
    let answer = people.kim.post_as("/bookings", &key, hall.request(1)).await?;
    answer.assert_booking(201, "confirmed");

    let soon = Hall::starting(&bellhop, SignedDuration::from_secs(3), 0, 20).await?;
    eventually("it has begun", async || {
        let shown = people.kim.get(&soon.path("")).await?.body;
        let starts_at: Timestamp = shown["starts_at"].as_str().unwrap_or_default().parse()?;
        Ok((starts_at <= Timestamp::now()).then_some(()))
    })
    .await?;
    people.kim.book(soon.request(1)).await?.assert_problem(409, "not_offered");
    assert_eq!(soon.places().await?, (0, 0, 20));
    Ok(())
}

/// exhibition 4: the booking is completed (완료: confirmed) by itself, and once more when the visitor
/// is admitted, who has used the places up.
#[tokio::test]
async fn exhibition_04_a_booking_is_confirmed_by_itself() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 20).await?;
    let booked = people.kim.book(hall.paid(2, "tok_ok")).await?;
    booked.assert_booking(201, "confirmed");
    let id = booked.id()?;
    let booking = issued(&people.kim, &id).await?;
    assert_eq!(people.kim.booking(&id).await?["allowed_actions"], json!(["cancel"]));
    advance(&people.kim, &id, "completed").await?.assert_problem(403, "forbidden");
    advance(&people.manager, &id, "completed").await?.assert_booking(200, "completed");
    eventually("the places are used up", async || {
        Ok((hall.places().await? == (0, 2, 18)).then_some(()))
    })
    .await?;
    let admitted = people.kim.booking(&id).await?;
    assert_eq!(admitted["confirmation"], booking["confirmation"], "it was good, and stays so");
    assert_eq!(admitted["payment"]["refunded"], 0);
    let told: Vec<Value> = entries(&bellhop, "messages", &id).await?;
    assert!(told.is_empty(), "it stands on the visitor's page: {told:?}");
    Ok(())
}

/// exhibition 5: a confirmation of entry follows, with a number that is only this booking's.
#[tokio::test]
async fn exhibition_05_a_confirmation_of_entry_follows() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 20).await?;
    let mut numbers = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let booking = hall.confirmed(&people.kim, hall.request(1)).await?;
        let id = booking["id"].as_str().unwrap_or_default();
        let number = booking["confirmation"]["number"].as_str().unwrap_or_default();
        assert_eq!(number.len(), 14, "{number}");
        numbers.insert(number.to_owned());
        let events = people.kim.events(id).await?;
        assert_eq!(
            events,
            ["booking.created", "hold.placed", "booking.accepted", "confirmation.issued"]
        );
    }
    assert_eq!(numbers.len(), 3, "{numbers:?}");
    let taxi = people.kim.taxi().await;
    if let Ok(taxi) = taxi {
        assert_eq!(people.kim.booking(&taxi).await?["confirmation"], Value::Null);
    }
    Ok(())
}
