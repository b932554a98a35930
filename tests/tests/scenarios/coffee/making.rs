//! coffee 2, 3 and 5: the coffee is made, the stock falls with it, and what is begun is not cancelled.

use bellhop_tests::desk::new_key;
use futures::future::try_join;
use serde_json::json;

use crate::world::{Shelf, accepted, advance, bellhop, cancel, payments};

/// coffee 2: it is made, ready and picked up, one after the other, and by those who make it only.
#[tokio::test]
async fn coffee_02_the_coffee_is_made() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let id = accepted(&people.kim, shelf.order(1)).await?;
    advance(&people.kim, &id, "making").await?.assert_problem(403, "forbidden");
    advance(&people.manager, &id, "ready").await?.assert_problem(409, "not_next_stage");
    for (stage, status, text) in [
        ("making", "in_progress", "제조 중"),
        ("ready", "in_progress", "제조 완료"),
        ("completed", "completed", "완료"),
    ] {
        advance(&people.manager, &id, stage).await?.assert_booking(200, status);
        assert_eq!(people.kim.booking(&id).await?["status_text"]["ko"], text);
    }
    Ok(())
}

/// coffee 3: the stock falls by the quantity when it is made: not before, and once.
#[tokio::test]
async fn coffee_03_the_stock_falls_when_it_is_made() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let id = accepted(&people.kim, shelf.paid_order(3)).await?;
    assert_eq!(shelf.stock().await?, (10, 7));
    let key = new_key();
    let (path, to) = (format!("/bookings/{id}/advance"), json!({"to": "making"}));
    for _ in 0..2 {
        people.manager.post_as(&path, &key, to.clone()).await?.assert_booking(200, "in_progress");
    }
    shelf.until_stock((7, 7)).await?;
    for stage in ["ready", "completed"] {
        advance(&people.manager, &id, stage).await?;
    }
    // The booking's end leaves the stock alone; what it waits for comes before the next order is made.
    let next = accepted(&people.kim, shelf.order(2)).await?;
    advance(&people.manager, &next, "making").await?;
    shelf.until_stock((5, 5)).await?;
    let events = people.kim.events(&id).await?;
    assert_eq!(events.iter().filter(|it| *it == "hold.used").count(), 1, "{events:?}");
    Ok(())
}

/// coffee 5: an order that nobody has begun is cancelled: it is not made, and nothing is missing.
#[tokio::test]
async fn coffee_05_what_is_not_begun_is_cancelled() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let id = accepted(&people.kim, shelf.paid_order(2)).await?;
    let cancelled = cancel(&people.kim, &id).await?;
    cancelled.assert_booking(200, "cancelled");
    assert_eq!(cancelled.body["payment"]["refunded"], 9_000);
    assert_eq!(payments(&bellhop, &id).await?[0]["refunded"], 9_000);
    assert_eq!(shelf.stock().await?, (10, 10));
    advance(&people.manager, &id, "making").await?.assert_problem(409, "not_allowed");
    assert_eq!(shelf.stock().await?, (10, 10));
    Ok(())
}

/// coffee 5: once it is begun the cancel is refused; the chain may still, gives the money back, and
/// what is made is gone.
#[tokio::test]
async fn coffee_05_what_is_begun_is_not_cancelled() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let id = accepted(&people.kim, shelf.paid_order(2)).await?;
    advance(&people.manager, &id, "making").await?.assert_booking(200, "in_progress");
    let refused = cancel(&people.kim, &id).await?;
    refused.assert_problem(409, "not_allowed");
    assert_eq!(refused.body["allowed_actions"], json!([]));
    shelf.until_stock((8, 8)).await?;

    let cancelled = cancel(&people.operator, &id).await?;
    cancelled.assert_booking(200, "cancelled");
    assert_eq!(cancelled.body["payment"]["refunded"], 9_000);
    assert_eq!(shelf.stock().await?, (8, 8), "it does not come back");
    bellhop.settled(&id).await
}

/// coffee 5: when it is begun at the moment of the cancellation, it is one or the other, and the
/// stock says which.
#[tokio::test]
async fn coffee_05_a_race_with_the_barista_has_one_winner() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let mut left = 10;
    for _ in 0..6 {
        let id = accepted(&people.kim, shelf.order(1)).await?;
        let begin = advance(&people.manager, &id, "making");
        let (begun, cancelled) = try_join(begin, cancel(&people.kim, &id)).await?;
        match (begun.status, cancelled.status) {
            (200, 409) => left -= 1,
            (409, 200) => {}
            _ => panic!("both or neither: {begun:?}, {cancelled:?}"),
        }
        shelf.until_stock((left, left)).await?;
    }
    Ok(())
}
