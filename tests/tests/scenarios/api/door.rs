//! Who may see and do what: routes, methods, tokens, and whose booking it is.

use bellhop_tests::desk::new_key;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Fleet, approve, bellhop, timeline};

#[tokio::test]
async fn what_is_not_there_is_a_problem() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    for path in [
        "/nowhere",
        "/bookings/bk_none",
        "/bookings/bk%20none",
        "/bookings/bk_none/timeline",
        "/bookings/bk_none/messages",
        "/bookings/bk_none/cancellation-quote",
        "/services/none",
        "/taxis/none",
        "/customers/cus_nobody/bookings",
    ] {
        people.kim.get(path).await?.assert_problem(404, "not_found");
    }
    for (method, path) in [
        (Method::DELETE, "/bookings"),
        (Method::PUT, "/bookings/bk_none"),
        (Method::GET, "/bookings/bk_none/cancel"),
        (Method::POST, "/services"),
        (Method::PATCH, "/taxis/none"),
        (Method::PUT, "/invariants"),
    ] {
        let refused = people.operator.raw(method, path, &[], "").await?;
        refused.assert_problem(405, "method_not_allowed");
        assert!(refused.headers.contains_key("allow"), "{path} says what is: {refused:?}");
    }
    for token in ["", "nobody", "dev-customer2"] {
        let refused = bellhop.desk(token).get("/bookings").await?;
        refused.assert_problem(401, "unauthorized");
        assert!(refused.headers["www-authenticate"].starts_with("Bearer"));
    }
    Ok(())
}

#[tokio::test]
async fn nobody_knows_of_a_booking_that_is_not_theirs() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::register(&bellhop, "com_other", 9_800, 1).await?;
    let id = fleet.confirmed(&people.kim).await?;
    let before = timeline(&people.kim, &id).await?;
    let strangers = [&people.lee, &people.manager, &people.driver];
    for desk in strangers {
        for path in ["", "/timeline", "/messages", "/cancellation-quote"] {
            let refused = desk.get(&format!("/bookings/{id}{path}")).await?;
            refused.assert_problem(404, "not_found");
            assert_eq!(refused.body["booking_id"], Value::Null, "it tells nothing");
        }
        for (path, body) in [
            (format!("/bookings/{id}/cancel"), json!({})),
            (format!("/bookings/{id}/advance"), json!({"to": "on_the_way"})),
            (format!("/approvals/{id}/approve"), json!({})),
            (format!("/approvals/{id}/decline"), json!({})),
        ] {
            desk.post(&path, body).await?.assert_problem(404, "not_found");
        }
        for list in ["/bookings?limit=100", &format!("/bookings?limit=100&q={id}")] {
            let listed = desk.get(list).await?;
            assert_eq!(listed.status, 200);
            assert!(!listed.body.to_string().contains(&id), "{list} tells of it");
        }
        for page in ["bookings", "messages"] {
            let refused = desk.get(&format!("/customers/cus_kim/{page}")).await?;
            refused.assert_problem(404, "not_found");
        }
    }
    assert_eq!(timeline(&people.kim, &id).await?, before, "and nothing has changed");
    Ok(())
}

#[tokio::test]
async fn each_role_does_its_own_and_no_more() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    for desk in [&people.manager, &people.driver] {
        desk.book(fleet.request("tok_ok")).await?.assert_problem(403, "forbidden");
    }
    for desk in [&people.kim, &people.manager, &people.driver] {
        desk.get("/invariants").await?.assert_problem(403, "forbidden");
    }
    let id = fleet.reserve(&people.kim).await?;
    people.driver.get(&format!("/bookings/{id}")).await?.assert_problem(404, "not_found");
    approve(&people.manager, &id).await?;
    for (desk, actions, name) in [
        (&people.kim, json!(["cancel"]), json!("Kim")),
        (&people.manager, json!(["advance", "cancel"]), json!("Kim")),
        // Drivers need no name, and see what the company's taxis do.
        (&people.driver, json!(["advance"]), Value::Null),
        (&people.operator, json!(["advance", "cancel"]), json!("Kim")),
    ] {
        let booking = desk.booking(&id).await?;
        assert_eq!(booking["allowed_actions"], actions);
        assert_eq!(booking["customer"]["name"], name);
        assert_eq!(booking["customer"]["phone"], "+8210****5678");
    }
    // An operator may do what the company may, and books, too.
    let path = format!("/bookings/{id}/advance");
    let advanced = people.operator.post_as(&path, &new_key(), json!({"to": "on_the_way"})).await?;
    advanced.assert_booking(200, "in_progress");
    Ok(())
}
