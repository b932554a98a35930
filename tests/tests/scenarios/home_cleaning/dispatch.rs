//! home-cleaning 6: the cleaner, the end, and what a cancellation gives back.

use bellhop_tests::stack::eventually;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    staff::{Town, assigned, heard},
    world::{advance, bellhop, cancel, payments, words},
};

/// home-cleaning 6: it is charged, dispatched to the nearest cleaner, done, and shown as done.
#[tokio::test]
async fn home_cleaning_06_a_cleaning_is_dispatched_done_and_shown_as_done() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let (town, cleaner) = (Town::new(&bellhop), bellhop.desk("dev-cleaner"));
    // A driver who is nearer cleans nothing.
    let driver = town.driver(10.0).await?;
    town.bring("cln_han", 100.0).await?;
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(26);
    let (id, found) = assigned(&people.kim, town.cleaning(tomorrow)).await?;
    assert_eq!(found, "cln_han");
    assert!(!town.is_busy(&driver.id).await?);
    let shown = people.kim.booking(&id).await?;
    let paid = json!({"status": "captured", "captured": 60_000, "refunded": 0});
    assert_eq!((&shown["payment"], &shown["assignment"]["label"]), (&paid, &json!("한여사")));
    heard(&bellhop, &id, "+821020001004", &["staff_assigned"]).await?;

    advance(&cleaner, &id, "started").await?.assert_booking(200, "in_progress");
    assert_eq!(people.kim.booking(&id).await?["status_text"]["ko"], "청소 시작");
    cancel(&people.kim, &id).await?.assert_problem(409, "not_allowed");
    advance(&cleaner, &id, "completed").await?.assert_booking(200, "completed");
    let done = people.kim.booking(&id).await?;
    assert_eq!(
        (&done["status"], &done["status_text"]["ko"]),
        (&json!("completed"), &json!("완료"))
    );
    town.until_free("cln_han").await?;
    let charged = payments(&bellhop, &id).await?;
    assert_eq!((charged.len(), &charged[0]["captured"]), (1, &json!(60_000)));

    // All of it stands on the customer's page; nothing was sent to them.
    let told = people.kim.get(&format!("/bookings/{id}/messages")).await?.body;
    let told = told["messages"].as_array().cloned().unwrap_or_default();
    assert!(told.iter().all(|it| it["channel"] == "page" && it["status"] == "delivered"));
    assert_eq!(words(&told, "template").last(), Some(&"completed"));
    heard(&bellhop, &id, "+821012345678", &[]).await?;
    Ok(())
}

/// home-cleaning 6: all of it goes back a day before, 70 % until it is started; the cleaner is free
/// again, and told.
#[tokio::test]
async fn home_cleaning_06_a_cancelled_cleaning_refunds_by_the_policy() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let phone = "010-4000-1234";
    let id = format!("cln-{}", bellhop_tests::desk::new_key());
    let cleaner = json!({"company": crate::world::OURS, "name": "김여사", "phone": phone});
    let put = people.manager.put(&format!("/cleaners/{id}"), cleaner).await?;
    assert_eq!((put.status, &put.body["kind"]), (201, &json!("cleaner")), "{put:?}");
    town.bring(&id, 9_000.0).await?;
    for (hours, refunded, status) in [(25, 60_000, "refunded"), (23, 42_000, "part_refunded")] {
        let starts_at = Timestamp::now() + SignedDuration::from_hours(hours);
        let (booking, found) = assigned(&people.kim, town.cleaning(starts_at)).await?;
        assert_eq!(found, id);
        let cancelled = cancel(&people.kim, &booking).await?;
        cancelled.assert_booking(200, "cancelled");
        let paid = json!({"status": status, "captured": 60_000, "refunded": refunded});
        assert_eq!(cancelled.body["payment"], paid, "{hours} hours before");
        town.until_free(&id).await?;
        heard(&bellhop, &booking, "+821040001234", &["staff_assigned", "staff_released"]).await?;
        let at_provider = eventually("the money is back", async || {
            let payment = payments(&bellhop, &booking).await?;
            Ok(payment.into_iter().find(|it| it["refunded"] == refunded))
        });
        assert_eq!(at_provider.await?["captured"], 60_000);
    }
    Ok(())
}
