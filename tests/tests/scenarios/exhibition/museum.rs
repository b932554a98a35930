//! exhibition 1 and 11: what a museum registers, and what it and its visitors see.

use bellhop_tests::desk::new_key;
use serde_json::{Value, json};

use super::hall::Hall;
use crate::world::{OURS, bellhop, cancel, pages, words};

/// exhibition 1: a museum registers an exhibition: title, hall, date, capacity; everybody sees it with
/// the places that are left.
#[tokio::test]
async fn exhibition_01_a_museum_registers_an_exhibition() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 20).await?;
    hall.confirmed(&people.kim, hall.request(3)).await?;
    let shown = people.kim.get(&hall.path("")).await?;
    assert_eq!(shown.status, 200);
    let offer = hall.offer(12_000, 20);
    for member in ["company", "title", "hall", "starts_at", "price", "capacity"] {
        assert_eq!(shown.body[member], offer[member], "{member}");
    }
    assert_eq!(
        (&shown.body["free"], &shown.body["open"], &shown.body["withdrawn_at"]),
        (&json!(17), &json!(true), &Value::Null)
    );
    let listed = pages(&people.kim, &format!("/exhibitions?company={OURS}"), 3).await?;
    assert!(words(&listed, "id").contains(&hall.id.as_str()));
    let taxis = pages(&people.kim, &format!("/taxis?company={OURS}"), 100).await?;
    assert!(!words(&taxis, "id").contains(&hall.id.as_str()), "it is no taxi");
    people.kim.get(&format!("/taxis/{}", hall.id)).await?.assert_problem(404, "not_found");

    // A repeat changes nothing; more places and another price are for the next visitors.
    let again = hall.put(&people.manager, offer).await?;
    assert_eq!((again.status, &again.body), (200, &shown.body));
    assert_eq!(hall.put(&people.operator, hall.offer(9_000, 25)).await?.body["free"], 22);
    let next = hall.confirmed(&people.kim, hall.request(2)).await?;
    assert_eq!(next["amount"], json!({"minor": 18_000, "currency": "KRW"}));
    Ok(())
}

/// exhibition 1: what a museum has is its own to say, and has to make sense.
#[tokio::test]
async fn exhibition_01_what_is_not_the_museums_or_makes_no_sense_is_refused() -> anyhow::Result<()>
{
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 12_000, 20).await?;
    for desk in [&people.kim, &people.driver] {
        hall.put(desk, hall.offer(1, 1)).await?.assert_problem(403, "forbidden");
    }
    let mut theirs = hall.offer(12_000, 20);
    theirs["company"] = json!("com_other");
    hall.put(&people.manager, theirs.clone()).await?.assert_problem(403, "forbidden");
    hall.put(&people.operator, theirs).await?.assert_problem(422, "invalid_request");
    for (pointer, value) in [
        ("/title", json!(" ")),
        ("/hall", json!("x".repeat(101))),
        ("/starts_at", json!("2020-01-01T10:00:00+09:00")),
        ("/price/minor", json!(-1)),
        ("/price/currency", json!("EUR")),
        ("/capacity", json!(1_000_001)),
    ] {
        let mut offer = hall.offer(12_000, 20);
        *offer.pointer_mut(pointer).expect("the offer has it") = value;
        let refused = hall.put(&people.manager, offer).await?;
        refused.assert_problem(422, "invalid_request");
        assert_eq!(refused.body["violations"][0]["pointer"], pointer);
    }
    for missing in ["title", "hall", "starts_at", "company", "price", "capacity"] {
        let mut offer = hall.offer(12_000, 20);
        offer.as_object_mut().expect("an object").remove(missing);
        hall.put(&people.manager, offer).await?.assert_problem(422, "invalid_request");
    }
    hall.confirmed(&people.kim, hall.request(3)).await?;
    hall.put(&people.manager, hall.offer(12_000, 2)).await?.assert_problem(409, "pool_in_use");
    assert_eq!(hall.places().await?, (3, 0, 17));
    Ok(())
}

/// exhibition 11: the visitor looks the state up; the museum sees its bookings, and nobody else does.
#[tokio::test]
async fn exhibition_11_the_museum_sees_its_bookings() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let hall = Hall::open(&bellhop, 0, 20).await?;
    let other = Hall::open(&bellhop, 0, 20).await?;
    let mut ids = vec![];
    for desk in [&people.kim, &people.lee, &people.kim] {
        let booking = hall.confirmed(desk, hall.request(2)).await?;
        ids.push(booking["id"].as_str().unwrap_or_default().to_owned());
    }
    let stray = other.confirmed(&people.kim, other.request(1)).await?;
    cancel(&people.kim, &ids[2]).await?.assert_booking(200, "cancelled");

    let path = format!("/bookings?exhibition_id={}", hall.id);
    let seen = pages(&people.manager, &path, 2).await?;
    let mut newest_first = ids.clone();
    newest_first.reverse();
    assert_eq!(words(&seen, "id"), newest_first, "the cancelled one, too");
    assert_eq!(words(&seen, "status"), ["cancelled", "confirmed", "confirmed"]);
    assert!(seen.iter().all(|it| it["quantity"] == 2 && it["company"] == OURS));
    let all = pages(&people.manager, "/bookings?service=exhibition", 100).await?;
    let stray = stray["id"].as_str().unwrap_or_default();
    assert!(
        ids.iter().map(String::as_str).chain([stray]).all(|id| { words(&all, "id").contains(&id) })
    );
    let own = pages(&people.kim, &path, 100).await?;
    assert_eq!(words(&own, "id"), [&*ids[2], &*ids[0]], "a visitor sees their own");
    people.lee.get(&format!("/bookings/{}", ids[0])).await?.assert_problem(404, "not_found");

    let shown = people.manager.booking(&ids[0]).await?;
    assert_eq!(shown["options"]["exhibition_id"], hall.id.as_str());
    let exhibition = people.kim.get(&hall.path("")).await?.body;
    assert_eq!(shown["starts_at"], exhibition["starts_at"], "the exhibition's own start");
    people.manager.get("/operations/op_none").await?.assert_problem(404, "not_found");
    let begun = hall.withdraw(&people.manager, &new_key()).await?;
    let operation = format!("/operations/{}", begun.id()?);
    people.kim.get(&operation).await?.assert_problem(404, "not_found");
    super::hall::done(&people.operator, &begun.id()?).await?;
    Ok(())
}
