//! coffee 3: what is on the shelf is the company's to say.

use futures::future::try_join_all;
use serde_json::json;

use crate::world::{OURS, Shelf, accepted, advance, bellhop, pages, pointers, words};

/// coffee 3: putting a stock says what is on the shelf now, whatever was made before.
#[tokio::test]
async fn coffee_03_a_stock_is_what_is_on_the_shelf_now() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 3).await?;
    let made = accepted(&people.kim, shelf.order(2)).await?;
    advance(&people.manager, &made, "making").await?;
    shelf.until_stock((1, 1)).await?;
    accepted(&people.kim, shelf.order(1)).await?;
    assert_eq!(shelf.stock().await?, (1, 0));

    for _ in 0..2 {
        let put = shelf.put(&people.manager, shelf.offer(5)).await?;
        assert_eq!((put.status, &put.body["stock"]), (200, &json!(5)));
        assert_eq!(put.body["available"], 4);
    }
    shelf.put(&people.manager, shelf.offer(0)).await?.assert_problem(409, "pool_in_use");
    assert_eq!(shelf.stock().await?, (5, 4), "it stays as it was");

    let mut closed = shelf.offer(5);
    closed["open"] = json!(false);
    assert_eq!(shelf.put(&people.manager, closed).await?.status, 200);
    people.kim.book(shelf.order(1)).await?.assert_problem(422, "not_offered");
    let listed = pages(&people.kim, &format!("/products?company={OURS}"), 3).await?;
    assert!(words(&listed, "id").contains(&shelf.id.as_str()));
    Ok(())
}

/// coffee 3: whoever races for the last cups, each is sold once.
#[tokio::test]
async fn coffee_03_a_race_for_the_last_cups_sells_each_once() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 5).await?;
    let racers = [&people.kim, &people.lee].into_iter().cycle().take(8);
    let answers = try_join_all(racers.map(|it| it.book(shelf.order(2)))).await?;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|it| it.status == 201);
    assert_eq!(won.len(), 2, "{lost:?}");
    for refused in lost {
        refused.assert_problem(409, "sold_out");
    }
    assert_eq!(shelf.stock().await?, (5, 1));
    Ok(())
}

/// coffee 3: nobody says it for another company, and what makes no sense is refused.
#[tokio::test]
async fn coffee_03_a_shelf_is_its_companys() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 3).await?;
    for desk in [&people.kim, &people.driver] {
        shelf.put(desk, shelf.offer(9)).await?.assert_problem(403, "forbidden");
    }
    let mut theirs = shelf.offer(9);
    theirs["company"] = json!("com_other");
    shelf.put(&people.manager, theirs.clone()).await?.assert_problem(403, "forbidden");
    shelf.put(&people.operator, theirs).await?.assert_problem(422, "invalid_request");
    for (pointer, value) in [
        ("/price/minor", json!(-1)),
        ("/price/currency", json!("EUR")),
        ("/name", json!("")),
        ("/product", json!("a b")),
        ("/stock", json!(1_000_001)),
    ] {
        let mut offer = shelf.offer(3);
        *offer.pointer_mut(pointer).expect("the offer has it") = value;
        let refused = shelf.put(&people.manager, offer).await?;
        refused.assert_problem(422, "invalid_request");
        assert_eq!(pointers(&refused), [pointer]);
    }
    assert_eq!(shelf.stock().await?, (3, 3));
    // A product is no taxi.
    people.kim.get(&format!("/taxis/{}", shelf.id)).await?.assert_problem(404, "not_found");
    Ok(())
}
