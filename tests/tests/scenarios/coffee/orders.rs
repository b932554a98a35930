//! coffee 1, 4 and 6: ordering, seeing the order, and what is ordered before.

use serde_json::{Value, json};

use crate::world::{Shelf, accepted, bellhop, cancel, pages, payments, told, words};

/// coffee 1: a customer orders a product and a quantity, and hears at once that it is taken.
#[tokio::test]
async fn coffee_01_a_customer_orders_a_product_and_a_quantity() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let answer = people.kim.book(shelf.order(3)).await?;
    answer.assert_booking(201, "confirmed");
    assert_eq!(answer.body["amount"], json!({"minor": 13_500, "currency": "KRW"}));
    assert_eq!(answer.body["quantity"], 3);
    assert_eq!(shelf.stock().await?, (10, 7), "none is made, and three are spoken for");

    people.kim.book(shelf.order(8)).await?.assert_problem(409, "sold_out");
    let mut unknown = shelf.order(1);
    unknown["options"]["product"] = json!("flat_white_of_nobody");
    people.kim.book(unknown).await?.assert_problem(422, "not_offered");
    people.kim.book(shelf.order(0)).await?.assert_problem(422, "invalid_booking");
    assert_eq!(shelf.stock().await?, (10, 7));
    Ok(())
}

/// coffee 1: the coffees of the seed are there to be ordered.
#[tokio::test]
async fn coffee_01_the_seed_has_an_americano() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let products = pages(&people.kim, "/products?company=com_mapo", 2).await?;
    let mut names = words(&products, "product");
    names.sort_unstable();
    assert_eq!(names, ["americano", "cold_brew", "latte"]);
    let order = json!({
        "service": "coffee",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "options": {"product": "americano"},
        "quantity": 1,
    });
    let id = accepted(&people.kim, order).await?;
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    Ok(())
}

/// coffee 1: it is paid up front or at the counter; who pays up front is charged once.
#[tokio::test]
async fn coffee_01_it_is_paid_up_front_or_at_the_counter() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let paid = people.kim.book(shelf.paid_order(2)).await?;
    paid.assert_booking(201, "confirmed");
    let shown = json!({"status": "captured", "captured": 9_000, "refunded": 0});
    assert_eq!(paid.body["payment"], shown);
    let charged = payments(&bellhop, &paid.id()?).await?;
    assert_eq!((charged.len(), &charged[0]["captured"]), (1, &json!(9_000)));

    let later = people.kim.book(shelf.order(1)).await?;
    later.assert_booking(201, "confirmed");
    assert_eq!(later.body["payment"]["status"], "none");
    assert!(payments(&bellhop, &later.id()?).await?.is_empty());

    let mut declined = shelf.paid_order(1);
    declined["payment"]["token"] = json!("tok_declined");
    people.kim.book(declined).await?.assert_problem(402, "payment_declined");
    shelf.until_stock((10, 7)).await
}

/// coffee 4: the customer sees the order, with where it stands in words, and is told.
#[tokio::test]
async fn coffee_04_the_customer_sees_the_order() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let id = accepted(&people.kim, shelf.order(2)).await?;
    let order = people.kim.booking(&id).await?;
    for (member, value) in [
        ("service", json!("coffee")),
        ("status", json!("confirmed")),
        ("options", json!({"product": shelf.product})),
        ("quantity", json!(2)),
        ("amount", json!({"minor": 9_000, "currency": "KRW"})),
        ("company", json!("com_hangang")),
        ("allowed_actions", json!(["cancel"])),
    ] {
        assert_eq!(order[member], value, "{member}");
    }
    let told = told(&bellhop, &id, &["confirmed"]).await?;
    assert_eq!(told[0]["channel"], "page");
    people.lee.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    Ok(())
}

/// coffee 6: the history keeps every order, cancelled ones too, and shows it to its customer only.
#[tokio::test]
async fn coffee_06_the_history_keeps_cancelled_orders() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 10).await?;
    let mut ids = vec![];
    for _ in 0..3 {
        ids.push(accepted(&people.lee, shelf.order(1)).await?);
    }
    cancel(&people.lee, &ids[1]).await?.assert_booking(200, "cancelled");
    let history = pages(&people.lee, "/customers/cus_lee/bookings", 50).await?;
    let ours: Vec<Value> =
        history.into_iter().filter(|it| it["options"]["product"] == shelf.product).collect();
    ids.reverse();
    assert_eq!(words(&ours, "id"), ids, "newest first");
    assert_eq!(words(&ours, "status"), ["confirmed", "cancelled", "confirmed"]);
    let others = people.kim.get("/customers/cus_lee/bookings").await?;
    others.assert_problem(404, "not_found");
    Ok(())
}
