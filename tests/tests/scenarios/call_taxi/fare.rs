//! call-taxi 1: a grade, a company if one likes, and what it costs.

use serde_json::json;

use crate::world::{Fleet, accepted, bellhop, payments};

/// call-taxi 1: the named company's price, else the cheapest.
#[tokio::test]
async fn call_taxi_01_the_cheapest_company_serves_unless_one_is_named() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let dear = Fleet::register(&bellhop, "com_dear", 12_000, 5).await?;
    let cheap = dear.also("com_cheap", 9_100, 1).await?;

    let mut named = dear.request("tok_ok");
    named["options"]["company"] = json!(dear.company);
    let id = accepted(&people.kim, named.clone()).await?;
    let booking = people.kim.booking(&id).await?;
    assert_eq!(booking["amount"], json!({"minor": 12_000, "currency": "KRW"}));
    assert_eq!(booking["company"], "com_dear");
    assert_eq!(payments(&bellhop, &id).await?[0]["amount"], booking["amount"]);

    let id = cheap.reserve(&people.kim).await?;
    let booking = people.kim.booking(&id).await?;
    assert_eq!(
        (&booking["amount"]["minor"], &booking["company"]),
        (&json!(9_100), &json!("com_cheap"))
    );

    // The cheapest has none left: the cheapest that has one.
    let id = cheap.reserve(&people.kim).await?;
    let booking = people.kim.booking(&id).await?;
    assert_eq!(
        (&booking["amount"]["minor"], &booking["company"]),
        (&json!(12_000), &json!("com_dear"))
    );

    // Who names a company gets no other.
    named["options"]["company"] = json!(cheap.company);
    people.kim.book(named).await?.assert_problem(409, "sold_out");
    Ok(())
}

/// call-taxi 1: at least 3,800 won.
#[tokio::test]
async fn call_taxi_01_a_fare_is_at_least_3800_won() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    for (price, fare) in [(2_500, 3_800), (0, 3_800), (3_800, 3_800), (3_801, 3_801)] {
        let fleet = Fleet::register(&bellhop, "com_dear", price, 1).await?;
        let id = fleet.reserve(&people.kim).await?;
        let fare = json!({"minor": fare, "currency": "KRW"});
        assert_eq!(people.kim.booking(&id).await?["amount"], fare, "at a price of {price}");
        assert_eq!(payments(&bellhop, &id).await?[0]["amount"], fare, "at a price of {price}");
    }
    Ok(())
}

/// call-taxi 1: the grade has to be picked, and somebody has to offer it.
#[tokio::test]
async fn call_taxi_01_a_grade_that_nobody_offers_is_refused() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let with = |options| {
        let mut request = fleet.request("tok_ok");
        request["options"] = options;
        people.kim.book(request)
    };
    let unknown = with(json!({"grade": "submarine"})).await?;
    unknown.assert_problem(422, "not_offered");
    let elsewhere = with(json!({"grade": fleet.grade, "company": "com_dear"})).await?;
    elsewhere.assert_problem(422, "not_offered");
    for refused in [unknown, elsewhere] {
        let booking = people.kim.booking(&refused.id()?).await?;
        assert_eq!(
            (&booking["status"], &booking["code"]),
            (&json!("rejected"), &json!("not_offered"))
        );
        assert!(payments(&bellhop, &refused.id()?).await?.is_empty());
    }
    let missing = with(json!({})).await?;
    missing.assert_problem(422, "invalid_booking");
    assert_eq!(missing.body["violations"][0]["pointer"], "/options/grade");
    Ok(())
}
