//! designated-driver 3, where drivers are asked, or take it back.

use bellhop_tests::desk::{Desk, new_key};
use serde_json::{Value, json};

use crate::{
    staff::{Town, accept, assert_rules, assigned, assignee, called, decline, heard},
    world::{advance, bellhop, words},
};

/// What somebody is asked about a booking, and has accepted.
async fn offer_of(desk: &Desk, booking: &str) -> anyhow::Result<Value> {
    let offers = desk.get("/offers?limit=100").await?.body["items"].clone();
    let mut offers = offers.as_array().cloned().unwrap_or_default().into_iter();
    Ok(offers.find(|it| it["booking_id"] == booking).unwrap_or(Value::Null))
}

/// designated-driver 3: a driver who is asked accepts, and drives.
#[tokio::test]
async fn designated_driver_03_a_driver_who_is_asked_accepts_and_drives() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let (town, choi) = (Town::new(&bellhop), bellhop.desk("dev-driver-choi"));
    town.bring("drv_choi", 100.0).await?;
    let id = called(&people.kim, town.call("asking-driver")).await?;
    let offer = town.asked("drv_choi", &id).await?;
    heard(&bellhop, &id, "+821020001002", &["staff_offered"]).await?;

    let open = offer_of(&choi, &id).await?;
    assert_eq!((&open["id"], &open["state"]), (&json!(offer), &json!("open")));
    assert_eq!(open["place"], town.call("")["place"]);
    assert_eq!(open["amount"], json!({"minor": 25_000, "currency": "KRW"}));
    assert!(open["expires_at"].is_string() && open["service"] == "asking-driver");
    let asked = choi.booking(&id).await?;
    assert_eq!(asked["offer"]["id"], json!(offer));
    assert_eq!(asked["allowed_actions"], json!(["accept_offer", "decline_offer"]));
    // Whom it does not concern neither sees nor answers it.
    assert_eq!(people.kim.booking(&id).await?["offer"], Value::Null);
    assert_eq!(offer_of(&people.driver, &id).await?, Value::Null);
    people.driver.get("/offers?staff=drv_choi").await?.assert_problem(403, "forbidden");
    people.driver.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    for (desk, status, code) in [
        (&people.driver, 404, "not_found"),
        (&people.kim, 403, "forbidden"),
        (&people.manager, 403, "forbidden"),
    ] {
        accept(desk, &offer).await?.assert_problem(status, code);
        decline(desk, &offer).await?.assert_problem(status, code);
    }
    accept(&choi, "of_none").await?.assert_problem(404, "not_found");
    assert_eq!(people.kim.booking(&id).await?["status"], "dispatching");

    let (path, key) = (format!("/offers/{offer}/accept"), new_key());
    let accepted = choi.post_as(&path, &key, json!({})).await?;
    accepted.assert_booking(200, "confirmed");
    assert_eq!(assignee(&accepted.body), "drv_choi");
    let again = choi.post_as(&path, &key, json!({})).await?;
    again.assert_booking(200, "confirmed");
    assert!(again.is_replay());
    let late = accept(&choi, &offer).await?;
    late.assert_problem(409, "not_allowed");
    assert_eq!(late.body["allowed_actions"], json!(["advance", "decline_offer"]));
    heard(&bellhop, &id, "+821012345678", &["dispatching", "confirmed"]).await?;
    assert_eq!(offer_of(&choi, &id).await?["state"], "assigned");

    for stage in ["on_the_way", "driving", "completed"] {
        advance(&people.driver, &id, stage).await?.assert_problem(404, "not_found");
        assert_eq!(advance(&choi, &id, stage).await?.status, 200, "{stage}");
        decline(&choi, &offer).await?.assert_problem(409, "not_allowed");
    }
    town.until_free("drv_choi").await?;
    assert_eq!(offer_of(&choi, &id).await?["state"], "completed");
    assert_rules(&people.operator).await
}

/// designated-driver 3: who declines is not asked again; once all have, the search is over, and
/// everybody is free.
#[tokio::test]
async fn designated_driver_03_who_declines_is_not_asked_again() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let (near, far) = (town.driver(100.0).await?, town.driver(200.0).await?);
    let id = called(&people.kim, town.call("asking-driver")).await?;
    let first = town.asked(&near.id, &id).await?;
    decline(&people.operator, &first).await?.assert_booking(200, "dispatching");
    let second = town.asked(&far.id, &id).await?;
    assert!(!town.is_busy(&near.id).await?, "free for others");
    accept(&people.operator, &first).await?.assert_problem(409, "not_allowed");
    decline(&people.operator, &second).await?;
    let ended = people.kim.until(&id, &["unfulfilled"]).await?;
    assert_eq!(ended["code"], "nobody_free");
    heard(&bellhop, &id, "+821012345678", &["dispatching", "unfulfilled"]).await?;
    for driver in [&near, &far] {
        town.until_free(&driver.id).await?;
        heard(&bellhop, &id, &driver.phone, &["staff_offered"]).await?;
    }
    let events = people.kim.events(&id).await?;
    assert_eq!(events.iter().filter(|it| *it == "offer.made").count(), 2, "{events:?}");
    Ok(())
}

/// designated-driver 3: who does not answer in time is passed over; a late answer changes nothing.
#[tokio::test]
async fn designated_driver_03_an_offer_that_nobody_answers_lapses() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let (near, far) = (town.driver(100.0).await?, town.driver(200.0).await?);
    let id = called(&people.kim, town.call("hurried-driver")).await?;
    let first = town.asked(&near.id, &id).await?;
    let ended = people.kim.until(&id, &["unfulfilled"]).await?;
    assert_eq!(ended["code"], "nobody_free");
    for driver in [&near, &far] {
        town.until_free(&driver.id).await?;
        heard(&bellhop, &id, &driver.phone, &["staff_offered"]).await?;
    }
    let late = accept(&people.operator, &first).await?;
    late.assert_problem(409, "not_allowed");
    assert_eq!(late.body["booking_id"], json!(id));
    let events = people.kim.events(&id).await?;
    let of_offers: Vec<_> = events.iter().filter(|it| it.starts_with("offer.")).collect();
    assert_eq!(of_offers, ["offer.made", "offer.lapsed", "offer.made", "offer.lapsed"]);
    Ok(())
}

/// designated-driver 3: who was assigned and cannot come is replaced by the next, and not found
/// again.
#[tokio::test]
async fn designated_driver_03_who_cannot_come_is_replaced() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let (town, jung) = (Town::new(&bellhop), bellhop.desk("dev-driver-jung"));
    let mut call = town.call("patient-driver");
    call["options"]["gearbox"] = json!("manual");
    town.bring("drv_jung", 10.0).await?;
    let next = town.driver_who("manual", 500.0).await?;
    let (id, first) = assigned(&people.kim, call).await?;
    assert_eq!(first, "drv_jung");
    let offer = offer_of(&jung, &id).await?;
    assert_eq!((&offer["state"], &offer["expires_at"]), (&json!("assigned"), &Value::Null));
    let offer = offer["id"].as_str().unwrap_or_default().to_owned();

    let key = new_key();
    let path = format!("/offers/{offer}/decline");
    let declined = jung.post_as(&path, &key, json!({})).await?;
    assert_eq!(declined.status, 200, "{declined:?}");
    let replaced = people.kim.until(&id, &["confirmed"]).await?;
    assert_eq!(assignee(&replaced), next.id);
    assert!(!town.is_busy("drv_jung").await?, "nearer and free, and not asked again");

    // It is not theirs to see or to do any more; of their answer they hear the same again.
    jung.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    advance(&jung, &id, "on_the_way").await?.assert_problem(404, "not_found");
    let again = jung.post_as(&path, &key, json!({})).await?;
    assert_eq!((again.status, again.is_replay()), (200, true));
    assert_eq!((&again.body["customer"], &again.body["place"]), (&Value::Null, &Value::Null));
    let late = decline(&jung, &offer).await?;
    late.assert_problem(409, "not_allowed");
    assert_eq!(late.body["allowed_actions"], json!([]));
    let closed = offer_of(&jung, &id).await?;
    assert_eq!((&closed["state"], &closed["place"]), (&json!("closed"), &Value::Null));

    let states = ["dispatching", "confirmed", "dispatching", "confirmed"];
    let told = heard(&bellhop, &id, "+821012345678", &states).await?;
    let last = words(&told, "text")[3];
    assert!(last.contains(&next.id), "who comes now: {last}");
    heard(&bellhop, &id, "+821020001003", &["staff_assigned"]).await?;
    heard(&bellhop, &id, &next.phone, &["staff_assigned"]).await?;
    assert_rules(&people.operator).await
}
