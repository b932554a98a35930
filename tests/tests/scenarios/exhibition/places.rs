//! exhibition 3: places fall with the booking, and never below zero.

use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    stack::eventually,
};
use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all, stream};
use serde_json::json;

use super::hall::Hall;
use crate::world::{bellhop, entries};

/// exhibition 3: of 20 places ten visitors want three each at once: six get them.
#[tokio::test]
async fn exhibition_03_ten_bookings_of_three_share_twenty_places() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    for is_paid in [false, true] {
        let hall = Hall::open(&bellhop, 12_000, 20).await?;
        let request = || if is_paid { hall.paid(3, "tok_ok") } else { hall.request(3) };
        let visitors = [&people.kim, &people.lee].into_iter().cycle().take(10);
        let answers = try_join_all(visitors.map(|it| it.book(request()))).await?;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 201);
        assert_eq!(won.len(), 6, "{lost:?}");
        won.iter().for_each(|it| it.assert_booking(201, "confirmed"));
        for refused in lost {
            refused.assert_problem(409, "sold_out");
            let charged = entries(&bellhop, "payments", &refused.id()?).await?;
            assert!(charged.is_empty(), "who gets nothing pays nothing: {charged:?}");
        }
        assert_eq!(hall.places().await?, (18, 0, 2));
        people.kim.book(hall.request(3)).await?.assert_problem(409, "sold_out");
        hall.confirmed(&people.kim, hall.request(2)).await?;
        assert_eq!(hall.places().await?, (20, 0, 0));
    }
    Ok(())
}

/// exhibition 3: five hundred visitors and a hundred places: each place is booked once.
#[tokio::test]
async fn exhibition_03_five_hundred_visitors_share_a_hundred_places() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 100).await?;
    let visits = stream::iter(0..500).map(async |number| {
        let desk = if number % 2 == 0 { &people.kim } else { &people.lee };
        let key = new_key();
        loop {
            let answer = desk.post_as("/bookings", &key, hall.request(1)).await?;
            // Who is put off, or answered before it is decided, asks again.
            if !matches!(answer.status, 202 | 503) {
                return anyhow::Ok(answer);
            }
        }
    });
    let answers: Vec<_> = visits.buffer_unordered(40).try_collect().await?;
    let won = answers.iter().filter(|it| it.status == 201).count();
    assert_eq!((won, hall.places().await?), (100, (100, 0, 0)));
    for refused in answers.iter().filter(|it| it.status != 201) {
        refused.assert_problem(409, "sold_out");
    }
    Ok(())
}

/// exhibition 3: places are not held for ever for a payment that nobody hears of; what was charged goes
/// back, and the next visitor gets them.
#[tokio::test]
async fn exhibition_03_places_are_not_held_for_a_payment_that_does_not_come() -> anyhow::Result<()>
{
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 2).await?;
    // The provider charges, its answer is lost again and again, and the hold lasts for a second.
    let (key, faults) = (new_key(), bellhop.faults());
    let id = booking_id(&key)?;
    faults.put(&id, "payments.authorize", Fault::LoseAnswer, 1_000)?;
    let mut late = hall.paid(2, "tok_ok");
    late["service"] = json!("hasty-exhibition");
    let answer = people.kim.post_as("/bookings", &key, late).await?;
    answer.assert_problem(409, "hold_expired");
    faults.lift(&id, "payments.authorize");
    eventually("the places are free", async || {
        Ok((hall.places().await? == (0, 0, 2)).then_some(()))
    })
    .await?;
    hall.confirmed(&people.lee, hall.paid(2, "tok_ok")).await?;
    let paid = eventually("what was charged went back", async || {
        let payments = entries(&bellhop, "payments", &id).await?;
        Ok(payments.into_iter().find(|it| it["status"] == "refunded"))
    });
    let paid = paid.await?;
    assert_eq!((&paid["captured"], &paid["refunded"]), (&json!(24_000), &json!(24_000)));
    bellhop.settled(&id).await?;
    assert_eq!(people.kim.booking(&id).await?["status"], "expired");
    assert_eq!(hall.places().await?, (2, 0, 0), "the next visitor keeps them");
    Ok(())
}
