//! home-cleaning 1 and 2: payment methods, what is paid with them, and what the customer is told.

use anyhow::ensure;
use bellhop_tests::desk::{Desk, new_key};
use futures::future::try_join_all;
use serde_json::{Value, json};

use crate::world::{
    a_cleaning, accepted, bellhop, cancel, entries, pages, payments, pointers, told, words,
};

const KIMS: &str = "/customers/cus_kim/payment-methods";

/// Registers a method for Kim, and answers its id.
async fn registered(kim: &Desk) -> anyhow::Result<String> {
    let answer = kim.post(KIMS, json!({"kind": "credit", "token": "tok_ok"})).await?;
    ensure!(answer.status == 201, "it is registered: {answer:?}");
    answer.id()
}

/// home-cleaning 1: a method is registered under the request's key; the first is the default.
#[tokio::test]
async fn home_cleaning_01_a_method_is_registered() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let path = format!("/customers/cus_{}/payment-methods", new_key());
    let (key, body) = (new_key(), json!({"kind": "credit", "token": "tok_ok"}));
    let first = people.operator.post_as(&path, &key, body.clone()).await?;
    assert_eq!((first.status, &first.body["kind"]), (201, &json!("credit")), "{first:?}");
    assert_eq!((&first.body["default"], &first.body["attached"]), (&json!(true), &json!(true)));
    let id = first.id()?;
    assert!(id.starts_with("pm_"));
    assert_eq!(first.headers["location"], format!("/v1{path}/{id}"));

    let again = people.operator.post_as(&path, &key, body).await?;
    assert_eq!((again.status, &again.body, again.is_replay()), (201, &first.body, true));
    let other = json!({"kind": "debit", "token": "tok_ok"});
    let other = people.operator.post_as(&path, &key, other).await?;
    other.assert_problem(422, "idempotency_key_reused");
    let second = json!({"kind": "debit", "token": "tok_slow"});
    let second = people.operator.post(&path, second).await?;
    assert_eq!((second.status, &second.body["default"]), (201, &json!(false)));
    let listed = pages(&people.operator, &path, 1).await?;
    assert_eq!(words(&listed, "id"), [id, second.id()?]);

    let at_once = (0..6).map(|_| {
        people.operator.post_as(&path, "the-same", json!({"kind": "card", "token": "tok_ok"}))
    });
    for answer in try_join_all(at_once).await? {
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    assert_eq!(pages(&people.operator, &path, 9).await?.len(), 3, "one of them, however often");
    for (pointer, body) in [
        ("/kind", json!({"kind": "a b", "token": "tok_ok"})),
        ("/token", json!({"kind": "credit", "token": " "})),
    ] {
        let refused = people.operator.post(&path, body).await?;
        refused.assert_problem(422, "invalid_request");
        assert_eq!(pointers(&refused), [pointer]);
    }
    Ok(())
}

/// home-cleaning 1: what is paid with a stored method is charged when it is booked, and never before.
#[tokio::test]
async fn home_cleaning_01_a_stored_method_pays_at_once() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let method = registered(&people.kim).await?;
    let answer = people.kim.book(a_cleaning(json!({"method_id": method}))).await?;
    answer.assert_booking(201, "dispatching");
    let paid = json!({
        "status": "captured", "captured": 60_000, "refunded": 0, "method_id": method,
    });
    assert_eq!(answer.body["payment"], paid);
    let charged = payments(&bellhop, &answer.id()?).await?;
    assert_eq!((charged.len(), &charged[0]["captured"]), (1, &json!(60_000)));

    let id = answer.id()?;
    let cancelled = cancel(&people.kim, &id).await?;
    cancelled.assert_booking(200, "cancelled");
    let listed = pages(&people.kim, KIMS, 50).await?;
    assert!(words(&listed, "id").contains(&method.as_str()), "it is kept for the next time");
    Ok(())
}

/// home-cleaning 1: registering for a request charges it, and stores the method once it has paid.
#[tokio::test]
async fn home_cleaning_01_registering_for_a_request_charges_it() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let storing = |token| a_cleaning(json!({"kind": "credit", "token": token, "store": true}));
    let key = new_key();
    let answer = people.kim.post_as("/bookings", &key, storing("tok_ok")).await?;
    answer.assert_booking(201, "dispatching");
    let method = answer.body["payment"]["method_id"].as_str().unwrap_or_default().to_owned();
    let shown = people.kim.get(&format!("{KIMS}/{method}")).await?;
    assert_eq!((shown.status, &shown.body["kind"]), (200, &json!("credit")), "{shown:?}");
    let again = people.kim.post_as("/bookings", &key, storing("tok_ok")).await?;
    assert_eq!(again.body["payment"], answer.body["payment"]);
    assert_eq!(payments(&bellhop, &answer.id()?).await?.len(), 1);
    let next = people.kim.book(a_cleaning(json!({"method_id": method}))).await?;
    next.assert_booking(201, "dispatching");

    // What did not pay is not stored.
    let before = pages(&people.lee, "/customers/cus_lee/payment-methods", 50).await?;
    let declined = people.lee.book(storing("tok_declined")).await?;
    declined.assert_problem(402, "payment_declined");
    let id = declined.id()?;
    assert_eq!(entries(&bellhop, "declines", &id).await?.len(), 1);
    let rejected = people.lee.booking(&id).await?;
    assert_eq!(
        (&rejected["status"], &rejected["payment"]["method_id"]),
        (&json!("rejected"), &Value::Null)
    );
    assert_eq!(pages(&people.lee, "/customers/cus_lee/payment-methods", 50).await?, before);
    Ok(())
}

/// home-cleaning 1: a booking pays with its customer's own method, and one that they still have.
#[tokio::test]
async fn home_cleaning_01_nobody_pays_with_anothers_method() -> anyhow::Result<()> {
    let (_, people) = bellhop().await?;
    let method = registered(&people.kim).await?;
    let path = format!("{KIMS}/{method}");
    for desk in [&people.lee, &people.manager, &people.driver] {
        desk.get(KIMS).await?.assert_problem(404, "not_found");
        desk.get(&path).await?.assert_problem(404, "not_found");
        desk.put(&path, json!({"kind": "mine"})).await?.assert_problem(404, "not_found");
        desk.delete(&path).await?.assert_problem(404, "not_found");
    }
    let by_lee = format!("/customers/cus_lee/payment-methods/{method}");
    people.lee.get(&by_lee).await?.assert_problem(404, "not_found");
    people.lee.delete(&by_lee).await?.assert_problem(404, "not_found");

    let refused = async |desk: &Desk, payment: Value| {
        let answer = desk.book(a_cleaning(payment)).await?;
        answer.assert_problem(422, "invalid_booking");
        anyhow::Ok(pointers(&answer).join(" "))
    };
    let with = |id: &str| json!({"method_id": id});
    assert_eq!(refused(&people.lee, with(&method)).await?, "/payment/method_id");
    assert_eq!(refused(&people.kim, with("pm_none")).await?, "/payment/method_id");
    assert_eq!(refused(&people.kim, json!({})).await?, "/payment");
    let both = json!({"method_id": method, "token": "tok_ok"});
    assert_eq!(refused(&people.kim, both).await?, "/payment");
    let again = json!({"method_id": method, "store": true});
    assert_eq!(refused(&people.kim, again).await?, "/payment/method_id");
    let nameless = json!({"token": "tok_ok", "store": true});
    assert_eq!(refused(&people.kim, nameless).await?, "/payment/kind");

    let key = new_key();
    let booked = people.kim.post_as("/bookings", &key, a_cleaning(with(&method))).await?;
    booked.assert_booking(201, "dispatching");
    assert_eq!(people.kim.delete(&path).await?.status, 204);
    assert_eq!(refused(&people.kim, with(&method)).await?, "/payment/method_id");
    // What was booked with it is booked, and the same key still answers it.
    let repeat = people.kim.post_as("/bookings", &key, a_cleaning(with(&method))).await?;
    assert_eq!((repeat.status, repeat.id()?, repeat.is_replay()), (201, booked.id()?, true));
    Ok(())
}

/// home-cleaning 2: what becomes of a request is in the customer's message history at once.
#[tokio::test]
async fn home_cleaning_02_a_message_enters_the_history() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let payment = json!({"kind": "credit", "token": "tok_ok", "store": true});
    let id = accepted(&people.kim, a_cleaning(payment)).await?;
    // No wait: the row came with the event.
    let history = pages(&people.kim, "/customers/cus_kim/messages", 50).await?;
    let about: Vec<_> = history.iter().filter(|it| it["booking_id"] == *id).cloned().collect();
    assert_eq!(words(&about, "template"), ["dispatching"]);
    assert_eq!(words(&about, "channel"), ["page"]);
    assert_eq!(words(&about, "status"), ["delivered"]);
    assert!(words(&about, "text")[0].contains("홈클리닝"), "{about:?}");

    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    told(&bellhop, &id, &["dispatching", "cancelling", "cancelled"]).await?;
    assert!(entries(&bellhop, "messages", &id).await?.is_empty(), "no gateway is asked");
    people.lee.get("/customers/cus_kim/messages").await?.assert_problem(404, "not_found");
    Ok(())
}
