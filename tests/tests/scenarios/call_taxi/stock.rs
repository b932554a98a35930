//! call-taxi 11 and 12: what companies have, and what of it is taken.

use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::world::{
    Fleet, OURS, advance, approve, bellhop, cancel, decline, entries, pages, words,
};

/// call-taxi 11: a company registers its taxis: name, company, stock, price.
#[tokio::test]
async fn call_taxi_11_a_company_registers_its_taxis() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    let first = fleet.reserve(&people.kim).await?;

    let shown = people.kim.get(&format!("/taxis/{}", fleet.id)).await?;
    assert_eq!(shown.status, 200);
    for (member, value) in [
        ("company", json!(OURS)),
        ("grade", json!(fleet.grade)),
        ("name", json!("한강 택시")),
        ("price", json!({"minor": 9_800, "currency": "KRW"})),
        ("capacity", json!(2)),
        ("free", json!(1)),
        ("open", json!(true)),
    ] {
        assert_eq!(shown.body[member], value, "{member}");
    }
    let listed = pages(&people.kim, &format!("/taxis?company={OURS}"), 3).await?;
    assert!(words(&listed, "id").contains(&fleet.id.as_str()));
    assert!(listed.iter().all(|it| it["company"] == OURS));

    // A new price is the price of the next reservation.
    let changed = fleet.put(&people.manager, fleet.offer(11_000, 3)).await?;
    assert_eq!((changed.status, &changed.body["free"]), (200, &json!(2)));
    let again = fleet.put(&people.manager, fleet.offer(11_000, 3)).await?;
    assert_eq!((again.status, &again.body), (200, &changed.body), "a repeat changes nothing");
    let second = fleet.reserve(&people.kim).await?;
    assert_eq!(people.kim.booking(&first).await?["amount"]["minor"], 9_800);
    assert_eq!(people.kim.booking(&second).await?["amount"]["minor"], 11_000);

    // A closed stock is not offered, and keeps what it has.
    let mut closed = fleet.offer(11_000, 3);
    closed["open"] = json!(false);
    assert_eq!(fleet.put(&people.manager, closed).await?.status, 200);
    people.kim.book(fleet.request("tok_ok")).await?.assert_problem(422, "not_offered");
    approve(&people.manager, &first).await?;
    Ok(())
}

/// call-taxi 11: what a company has is its own to say.
#[tokio::test]
async fn call_taxi_11_nobody_registers_for_another_company() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let ours = Fleet::ours(&bellhop, 2).await?;
    let theirs = Fleet::register(&bellhop, "com_other", 9_800, 2).await?;
    for desk in [&people.kim, &people.driver] {
        ours.put(desk, ours.offer(1, 2)).await?.assert_problem(403, "forbidden");
    }
    theirs.put(&people.manager, theirs.offer(1, 2)).await?.assert_problem(403, "forbidden");
    // Neither by taking over the other's id, nor by giving away one's own.
    theirs.put(&people.manager, ours.offer(1, 2)).await?.assert_problem(403, "forbidden");
    ours.put(&people.manager, theirs.offer(1, 2)).await?.assert_problem(403, "forbidden");
    let moved = ours.put(&people.operator, theirs.offer(1, 2)).await?;
    moved.assert_problem(422, "invalid_request");
    for fleet in [&ours, &theirs] {
        let taxi = people.kim.get(&format!("/taxis/{}", fleet.id)).await?.body;
        assert_eq!(
            (&taxi["company"], &taxi["price"]["minor"]),
            (&json!(fleet.company), &json!(9_800))
        );
    }
    people.kim.get("/taxis/none").await?.assert_problem(404, "not_found");
    Ok(())
}

/// call-taxi 11: what makes no sense is refused, with where it does not.
#[tokio::test]
async fn call_taxi_11_a_stock_that_makes_no_sense_is_refused() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    for (pointer, value) in [
        ("/price/minor", json!(-1)),
        ("/price/currency", json!("EUR")),
        ("/name", json!("")),
        ("/grade", json!("a b")),
        ("/capacity", json!(1_000_001)),
    ] {
        let mut offer = fleet.offer(9_800, 2);
        *offer.pointer_mut(pointer).expect("the offer has it") = value;
        let refused = fleet.put(&people.manager, offer).await?;
        refused.assert_problem(422, "invalid_request");
        assert_eq!(refused.body["violations"][0]["pointer"], pointer);
    }
    let mut negative = fleet.offer(9_800, 2);
    negative["capacity"] = json!(-1);
    fleet.put(&people.manager, negative).await?.assert_problem(422, "invalid_request");

    // Never less than is in use.
    fleet.confirmed(&people.kim).await?;
    fleet.reserve(&people.kim).await?;
    fleet.put(&people.manager, fleet.offer(9_800, 1)).await?.assert_problem(409, "pool_in_use");
    assert_eq!(fleet.stock().await?, (1, 1, 0));
    Ok(())
}

/// call-taxi 12: a reservation holds one, its assignment takes it, its end gives it back.
#[tokio::test]
async fn call_taxi_12_a_taxi_is_taken_from_the_stock_and_comes_back() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    let ride = fleet.reserve(&people.kim).await?;
    assert_eq!(fleet.stock().await?, (1, 0, 1));
    approve(&people.manager, &ride).await?;
    assert_eq!(fleet.stock().await?, (0, 1, 1));
    let cancelled = fleet.confirmed(&people.kim).await?;
    assert_eq!(fleet.stock().await?, (0, 2, 0));
    people.kim.book(fleet.request("tok_ok")).await?.assert_problem(409, "sold_out");
    cancel(&people.kim, &cancelled).await?;
    assert_eq!(fleet.stock().await?, (0, 1, 1));
    // Cancelling again returns nothing more.
    cancel(&people.kim, &cancelled).await?.assert_problem(409, "not_allowed");
    let declined = fleet.reserve(&people.kim).await?;
    decline(&people.manager, &declined).await?;
    fleet.until_stock((0, 1, 1)).await?;
    for stage in ["on_the_way", "riding", "completed"] {
        advance(&people.driver, &ride, stage).await?;
    }
    fleet.until_stock((0, 0, 2)).await
}

/// call-taxi 12: whoever races for it, the stock never falls below nothing.
#[tokio::test]
async fn call_taxi_12_a_race_for_the_last_taxis_sells_each_once() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    let racers = [&people.kim, &people.lee].into_iter().cycle().take(10);
    let answers = try_join_all(racers.map(|it| it.book(fleet.request("tok_ok")))).await?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 201);
    assert_eq!(won.len(), 3, "{lost:?}");
    assert_eq!(fleet.stock().await?, (3, 0, 0));
    for refused in lost {
        refused.assert_problem(409, "sold_out");
        let charged: Vec<Value> = entries(&bellhop, "payments", &refused.id()?).await?;
        assert!(charged.is_empty(), "who gets nothing pays nothing: {charged:?}");
    }
    for winner in &won {
        approve(&people.manager, &winner.id()?).await?;
    }
    assert_eq!(fleet.stock().await?, (0, 3, 0));
    Ok(())
}
