//! designated-driver 2 and 3: who is sought, and who is found.

use std::collections::BTreeSet;

use bellhop_tests::desk::new_key;
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::{
    staff::{Town, assert_rules, assigned, assignee, called, heard},
    world::{OURS, bellhop, cancel, pages, words},
};

/// designated-driver 2: the nearest who is free and can drive the gearbox.
#[tokio::test]
async fn designated_driver_02_the_nearest_free_driver_with_the_gearbox_is_found()
-> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let manual = town.driver_who("manual", 50.0).await?;
    let off = town.driver(60.0).await?;
    town.set_available(&off.id, false).await?;
    let (far, near) = (town.driver(2_000.0).await?, town.driver(-900.0).await?);
    town.driver(40_000.0).await?;

    let (_, first) = assigned(&people.kim, town.call("designated-driver")).await?;
    assert_eq!(first, near.id);
    let (_, second) = assigned(&people.lee, town.call("designated-driver")).await?;
    assert_eq!(second, far.id, "the nearest is not free any more");
    let mut shift = town.call("designated-driver");
    shift["options"]["gearbox"] = json!("manual");
    let (_, third) = assigned(&people.kim, shift).await?;
    assert_eq!(third, manual.id);
    // Nobody who is free is near: it stays 호출중.
    let waits = called(&people.kim, town.call("designated-driver")).await?;
    assert_eq!(people.kim.booking(&waits).await?["status"], "dispatching");
    Ok(())
}

/// designated-driver 2: round by round the search goes farther, and ends.
#[tokio::test]
async fn designated_driver_02_the_search_widens_and_ends() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let far = town.driver(8_000.0).await?;
    town.driver(9_500.0).await?;
    let (_, found) = assigned(&people.kim, town.call("brief-driver")).await?;
    assert_eq!(found, far.id, "in the third round");

    let id = called(&people.kim, town.call("brief-driver")).await?;
    let ended = people.kim.until(&id, &["unfulfilled"]).await?;
    assert_eq!((&ended["code"], &ended["assignment"]), (&json!("nobody_free"), &Value::Null));
    heard(&bellhop, &id, "+821012345678", &["dispatching", "unfulfilled"]).await?;
    assert_eq!(people.kim.booking(&id).await?["allowed_actions"], json!([]));
    Ok(())
}

/// designated-driver 2: a company registers its drivers, who say themselves whether they take work.
#[tokio::test]
async fn designated_driver_02_a_company_registers_its_drivers() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let path = format!("/drivers/drv-{}", new_key());
    let driver = json!({"company": OURS, "name": "이기사", "phone": "010-3000-0001",
                        "skills": ["automatic"]});
    let new = people.manager.put(&path, driver.clone()).await?;
    assert_eq!((new.status, &new.body["available"]), (201, &json!(false)), "{new:?}");
    assert_eq!(
        (&new.body["phone"], &new.body["kind"]),
        (&json!("+8210****0001"), &json!("driver"))
    );
    assert_eq!((&new.body["location"], &new.body["busy"]), (&Value::Null, &json!(false)));
    let again = people.manager.put(&path, driver.clone()).await?;
    assert_eq!((again.status, again.body), (200, new.body.clone()), "a repeat changes nothing");
    let listed = pages(&people.manager, &format!("/drivers?company={OURS}"), 50).await?;
    let id = new.body["id"].as_str().unwrap_or_default();
    assert!(words(&listed, "id").contains(&id));
    let cleaners = pages(&people.operator, "/cleaners", 50).await?;
    assert!(!words(&cleaners, "id").contains(&id));
    let others = people.manager.get("/drivers?company=com_other").await?;
    assert_eq!((others.status, &others.body["items"]), (200, &json!([])));

    for desk in [&people.kim, &people.driver] {
        desk.put(&path, driver.clone()).await?.assert_problem(403, "forbidden");
    }
    let mut theirs = driver.clone();
    theirs["company"] = json!("com_other");
    people.manager.put(&path, theirs.clone()).await?.assert_problem(403, "forbidden");
    people.operator.put(&path, theirs).await?.assert_problem(422, "invalid_request");
    let cleaner = path.replace("drivers", "cleaners");
    people.operator.put(&cleaner, driver.clone()).await?.assert_problem(422, "invalid_request");
    people.operator.get(&cleaner).await?.assert_problem(404, "not_found");

    // Somebody else's whereabouts are nobody's business.
    people.driver.get(&path).await?.assert_problem(404, "not_found");
    people.kim.get(&path).await?.assert_problem(403, "forbidden");
    let (yes, here) = (json!({"available": true}), json!({"lat": 1.5, "lon": 2.5}));
    for (desk, status, code) in
        [(&people.kim, 403, "forbidden"), (&people.driver, 404, "not_found")]
    {
        let put = desk.put(&format!("{path}/availability"), yes.clone()).await?;
        put.assert_problem(status, code);
        let put = desk.put(&format!("{path}/location"), here.clone()).await?;
        put.assert_problem(status, code);
    }
    for wrong in [json!({"lat": 90.1, "lon": 0}), json!({"lat": 0, "lon": -181}), json!({"lat": 1})]
    {
        let put = people.manager.put(&format!("{path}/location"), wrong).await?;
        put.assert_problem(422, "invalid_request");
    }
    for (member, value) in [
        ("name", json!("")),
        ("phone", json!("12")),
        ("skills", json!(["a b"])),
        ("skills", json!(["a", "a"])),
        ("kind", json!("cleaner")),
    ] {
        let mut wrong = driver.clone();
        wrong[member] = value;
        let refused = people.manager.put(&path, wrong).await?;
        refused.assert_problem(422, "invalid_request");
        let pointer = refused.body["violations"][0]["pointer"].as_str().unwrap_or_default();
        assert!(pointer.starts_with(&format!("/{member}")), "{refused:?}");
    }
    let after = people.manager.get(&path).await?.body;
    assert_eq!(after, new.body, "and nothing has changed");
    Ok(())
}

/// designated-driver 3: ten call at once, and no driver gets two of them; who is free again gets the
/// next.
#[tokio::test]
async fn designated_driver_03_one_driver_never_has_two_jobs() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let drivers = try_join_all((0..4).map(|_| town.driver(500.0))).await?;
    let desks = [&people.kim, &people.lee].into_iter().cycle().take(10);
    let ids = try_join_all(desks.map(|it| called(it, town.call("patient-driver")))).await?;
    let jobs = async || {
        let bookings = try_join_all(ids.iter().map(|id| people.operator.booking(id))).await?;
        let served = bookings.into_iter().filter(|it| it["status"] == "confirmed");
        let served = served.map(|it| (it["id"].clone(), assignee(&it).to_owned()));
        anyhow::Ok(served.collect::<Vec<_>>())
    };
    let is_full = async || Ok(Some(jobs().await?).filter(|it| it.len() >= 4));
    let served = bellhop_tests::stack::eventually("four are served", is_full).await?;
    let busy: BTreeSet<_> = served.iter().map(|(_, driver)| driver.as_str()).collect();
    assert_eq!(busy, drivers.iter().map(|it| it.id.as_str()).collect());
    assert_eq!(served.len(), 4, "and the others wait");

    // All is well with the six that wait: a driver who is free again serves one of them.
    let (first, driver) = &served[0];
    let first = first.as_str().unwrap_or_default();
    cancel(&people.operator, first).await?.assert_booking(200, "cancelled");
    let again = bellhop_tests::stack::eventually("the next is served", async || {
        let jobs = jobs().await?;
        Ok(jobs.into_iter().find(|(id, it)| id != first && it == driver))
    })
    .await?;
    assert!(!served.contains(&again), "another booking");
    assert_eq!(jobs().await?.len(), 4);
    assert_rules(&people.operator).await?;
    try_join_all(ids.iter().filter(|it| *it != first).map(|id| cancel(&people.operator, id)))
        .await?;
    for driver in &drivers {
        town.until_free(&driver.id).await?;
    }
    Ok(())
}
