//! designated-driver 5 and 6: cancelling, and who is told.

use serde_json::{Value, json};

use crate::{
    staff::{Town, accept, assigned, called, heard},
    world::{advance, bellhop, cancel, timeline, words},
};

/// designated-driver 5: free of charge until the car is driven.
#[tokio::test]
async fn designated_driver_05_a_customer_cancels_until_the_car_is_driven() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    // Nobody is found yet.
    let waits = called(&people.kim, town.call("designated-driver")).await?;
    cancel(&people.kim, &waits).await?.assert_booking(200, "cancelled");
    cancel(&people.kim, &waits).await?.assert_problem(409, "not_allowed");

    let driver = town.driver(100.0).await?;
    for stages in [&[][..], &["on_the_way"]] {
        let (id, found) = assigned(&people.kim, town.call("designated-driver")).await?;
        assert_eq!(found, driver.id, "free again");
        for stage in stages {
            advance(&people.manager, &id, stage).await?.assert_booking(200, "in_progress");
        }
        cancel(&people.lee, &id).await?.assert_problem(404, "not_found");
        let cancelled = cancel(&people.kim, &id).await?;
        cancelled.assert_booking(200, "cancelled");
        assert_eq!(cancelled.body["assignment"], Value::Null);
        let paid = json!({"status": "none", "captured": 0, "refunded": 0});
        assert_eq!(cancelled.body["payment"], paid);
        town.until_free(&driver.id).await?;
    }

    let (id, _) = assigned(&people.kim, town.call("designated-driver")).await?;
    for stage in ["on_the_way", "driving"] {
        advance(&people.manager, &id, stage).await?;
    }
    cancel(&people.kim, &id).await?.assert_problem(409, "not_allowed");
    assert!(town.is_busy(&driver.id).await?, "and is driven on");
    advance(&people.manager, &id, "completed").await?.assert_booking(200, "completed");
    town.until_free(&driver.id).await
}

/// designated-driver 5: who is asked whether they come keeps nobody from cancelling.
#[tokio::test]
async fn designated_driver_05_a_customer_cancels_while_a_driver_is_asked() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let driver = town.driver(100.0).await?;
    let id = called(&people.kim, town.call("asking-driver")).await?;
    let offer = town.asked(&driver.id, &id).await?;
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    town.until_free(&driver.id).await?;
    accept(&people.operator, &offer).await?.assert_problem(409, "not_allowed");
    Ok(())
}

/// designated-driver 6: the driver is released and told, once each.
#[tokio::test]
async fn designated_driver_06_cancelling_releases_the_driver_who_is_told() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let driver = town.driver(100.0).await?;
    let (id, _) = assigned(&people.kim, town.call("designated-driver")).await?;
    assert!(town.is_busy(&driver.id).await?);
    heard(&bellhop, &id, &driver.phone, &["staff_assigned"]).await?;
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    town.until_free(&driver.id).await?;
    let sent = heard(&bellhop, &id, &driver.phone, &["staff_assigned", "staff_released"]).await?;
    assert!(sent.iter().all(|it| it["channel"] == "sms"));
    let text = sent[0]["text"].as_str().unwrap_or_default();
    assert_eq!(text, "[Designated driver] This job is yours: 먼 곳, 25,000 KRW.");
    let events = timeline(&people.kim, &id).await?;
    let released: Vec<_> = events.iter().filter(|it| it["type"] == "assignment.released").collect();
    assert_eq!((released.len(), &released[0]["subject"]), (1, &json!(driver.id)));

    // The customer reads nothing of what the driver was told, and the other way round.
    let shown = people.kim.get(&format!("/bookings/{id}/messages")).await?;
    let shown = shown.body["messages"].as_array().cloned().unwrap_or_default();
    assert!(shown.iter().all(|it| it["audience"] == "customer"), "{shown:?}");
    let page = people.kim.get("/customers/cus_kim/messages?limit=100").await?;
    assert!(!page.body.to_string().contains("staff_"), "{page:?}");
    let all = people.operator.get(&format!("/bookings/{id}/messages")).await?;
    let all = all.body["messages"].as_array().cloned().unwrap_or_default();
    assert_eq!(all.len(), shown.len() + 2);
    let theirs = people.operator.get(&format!("/drivers/{}/messages", driver.id)).await?;
    let theirs = theirs.body["items"].as_array().cloned().unwrap_or_default();
    assert_eq!(words(&theirs, "template"), ["staff_released", "staff_assigned"]);

    // Released means free for the next.
    let (_, next) = assigned(&people.lee, town.call("designated-driver")).await?;
    assert_eq!(next, driver.id);
    Ok(())
}
