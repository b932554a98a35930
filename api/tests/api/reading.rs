//! Reading: who sees which bookings, and what of them.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use bellhop_api::Settings;
use serde_json::json;

use crate::world::{Response, World, a_taxi};

fn ids(response: &Response) -> Vec<&str> {
    let items = response.body["items"].as_array().expect("items");
    items.iter().map(|it| it["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn everybody_sees_what_is_theirs() {
    let world = World::new().await;
    let kim = world.book("a1").await.id().to_owned();
    let lee = world.post("/v1/bookings", "dev-customer-lee", "a1", a_taxi()).await;
    let lee = lee.id().to_owned();

    let list = |token| world.get("/v1/bookings", token);
    assert_eq!(ids(&list("dev-customer").await), [&kim]);
    assert_eq!(ids(&list("dev-manager").await), [&lee, &kim]);
    assert_eq!(ids(&list("dev-operator").await), [&lee, &kim]);
    assert!(ids(&list("dev-driver").await).is_empty(), "nothing is assigned yet");
    let others = world.get("/v1/bookings?customer=cus_lee", "dev-customer").await;
    assert!(ids(&others).is_empty());
    let theirs = world.get("/v1/bookings?customer=cus_lee", "dev-operator").await;
    assert_eq!(ids(&theirs), [&lee]);
    let hangang = world.get("/v1/bookings?company=com_hangang", "dev-manager").await;
    assert!(ids(&hangang).is_empty());
    let stranger = world.get("/v1/bookings?company=com_other", "dev-manager").await;
    assert!(ids(&stranger).is_empty());

    for path in ["", "/timeline", "/messages", "/receipts", "/cancellation-quote"] {
        let path = format!("/v1/bookings/{kim}{path}");
        assert_eq!(world.get(&path, "dev-customer").await.status, StatusCode::OK, "{path}");
        let response = world.get(&path, "dev-customer-lee").await;
        assert_eq!((response.status.as_u16(), response.code()), (404, "not_found"), "{path}");
    }
}

#[tokio::test]
async fn lists_come_in_pages_over_all_companies() {
    let world = World::new().await;
    let taxi = json!({"company": "com_hangang", "grade": "basic", "name": "Hangang",
        "price": {"minor": 5_000, "currency": "KRW"}, "capacity": 5});
    world.put("/v1/taxis/tx_hangang", "dev-manager", taxi).await;
    let mut booked = vec![];
    for (key, grade) in [("a1", "prime"), ("a2", "basic"), ("a3", "prime"), ("a4", "basic")] {
        let mut body = a_taxi();
        body["options"]["grade"] = json!(grade);
        let response = world.post("/v1/bookings", "dev-customer", key, body).await;
        booked.push(response.id().to_owned());
    }
    for (path, token) in [
        ("/v1/approvals", "dev-manager"),
        ("/v1/bookings", "dev-manager"),
        ("/v1/bookings", "dev-customer"),
        ("/v1/customers/cus_kim/bookings", "dev-customer"),
    ] {
        for limit in 1..=4 {
            let mut seen: Vec<String> = vec![];
            let mut next = format!("{path}?limit={limit}");
            loop {
                let page = world.get(&next, token).await;
                assert_eq!(page.status, StatusCode::OK, "{page:?}");
                assert!(ids(&page).len() <= limit);
                seen.extend(ids(&page).into_iter().map(str::to_owned));
                let Some(cursor) = page.body["next_cursor"].as_str() else { break };
                next = format!("{path}?limit={limit}&cursor={cursor}");
            }
            let (mut seen, mut expected) = (seen.clone(), booked.clone());
            seen.sort();
            expected.sort();
            assert_eq!(seen, expected, "{path} by {limit}");
        }
    }
    let customer = world.get("/v1/approvals", "dev-customer").await;
    assert_eq!((customer.status.as_u16(), customer.code()), (403, "forbidden"));
}

#[tokio::test]
async fn a_timeline_says_who_did_what_and_when() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let timeline = world.get(&format!("/v1/bookings/{id}/timeline"), "dev-customer").await;
    let events = timeline.body["events"].as_array().expect("events");
    assert_eq!(events[0]["type"], "booking.created");
    assert_eq!(events[0]["seq"], 1);
    assert_eq!(events[0]["actor"], json!({"role": "customer", "id": "cus_kim"}));
    assert!(events[0]["at"].is_string());
    let last = events.last().expect("an event");
    assert_eq!(
        (&last["type"], &last["status"]),
        (&json!("payment.authorized"), &json!("awaiting_approval"))
    );
    assert_eq!(last["amount"], json!({"minor": 9_800, "currency": "KRW"}));
}

#[tokio::test]
async fn who_follows_a_booking_is_let_go_when_the_process_ends() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let path = format!("/v1/bookings/{id}/events");
    let drain = async {
        while world.store.feed().waiting() == 0 {
            tokio::task::yield_now().await;
        }
        world.api.drain();
    };
    let (stream, ()) = tokio::join!(world.get(&path, "dev-customer"), drain);
    assert_eq!(stream.status, StatusCode::OK);
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    assert_eq!(world.store.feed().waiting(), 0, "nothing is left behind");
}

#[tokio::test]
async fn a_method_that_is_made_up_makes_no_metric() {
    let world = World::new().await;
    let request = Request::builder().method("MADEUP").uri("/v1/bookings");
    world.send(request.body(Body::empty()).expect("a request")).await;
    let request = Request::get("/metrics").body(Body::empty()).expect("a request");
    assert_eq!(world.send(request).await.status, StatusCode::OK);
    let told = bellhop_api::metrics().expect("the metrics are written");
    assert!(told.contains(r#"method="other""#), "{told}");
    assert!(!told.contains("MADEUP"), "{told}");
}

#[tokio::test]
async fn so_many_bookings_are_followed_at_once() {
    for (all, each) in [(0, 9), (9, 0)] {
        let settings = Settings { max_streams: all, max_streams_each: each, ..Settings::default() };
        let world = World::with(settings).await;
        let id = world.book("a1").await.id().to_owned();
        let refused = world.get(&format!("/v1/bookings/{id}/events"), "dev-customer").await;
        assert_eq!((refused.status.as_u16(), refused.code()), (503, "overloaded"));
        assert!(refused.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn messages_are_shown_with_masked_numbers() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let messages = world.get(&format!("/v1/bookings/{id}/messages"), "dev-customer").await;
    let message = &messages.body["messages"][0];
    assert_eq!((&message["channel"], &message["to"]), (&json!("sms"), &json!("+8210****5678")));
    assert_eq!(message["template"], "awaiting_approval");
    let page = world.get("/v1/customers/cus_kim/messages", "dev-customer").await;
    assert_eq!(page.body["items"][0]["booking_id"], json!(id));
    for path in ["/v1/customers/cus_kim/messages", "/v1/customers/cus_kim/bookings"] {
        for token in ["dev-customer-lee", "dev-manager"] {
            assert_eq!(world.get(path, token).await.status, StatusCode::NOT_FOUND);
        }
        assert_eq!(world.get(path, "dev-operator").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn drivers_see_their_company_s_rides_without_names() {
    let world = World::new().await;
    let id = world.book("a1").await.id().to_owned();
    let path = format!("/v1/bookings/{id}");
    assert_eq!(world.get(&path, "dev-driver").await.status, StatusCode::NOT_FOUND);
    world.post(&format!("/v1/approvals/{id}/approve"), "dev-manager", "m1", json!({})).await;
    let seen = world.get(&path, "dev-driver").await;
    assert_eq!(seen.status, StatusCode::OK);
    assert_eq!(seen.body["customer"], json!({"id": "cus_kim", "phone": "+8210****5678"}));
    assert_eq!(seen.body["allowed_actions"], json!(["advance"]));
}

#[tokio::test]
async fn services_are_shown_with_options_and_price_rules() {
    let world = World::new().await;
    let list = world.get("/v1/services", "dev-customer").await;
    assert_eq!(ids(&list), ["call-taxi", "exhibition"]);
    let taxi = world.get("/v1/services/call-taxi", "dev-customer").await.body;
    assert_eq!(taxi["name"]["en"], "Call taxi");
    assert_eq!(taxi["options"]["grade"], json!({"required": true, "values": []}));
    assert_eq!(taxi["quote"], json!({"kind": "pool", "currency": "KRW", "minimum": 3_800}));
    assert_eq!(taxi["cancel"][0]["refund_percent"], 100);
    assert_eq!(world.get("/v1/services/ferry", "dev-customer").await.code(), "not_found");
}

#[tokio::test]
async fn invariants_are_for_operators() {
    let world = World::new().await;
    world.book("a1").await;
    let held = world.get("/v1/invariants", "dev-operator").await;
    assert_eq!((held.status, &held.body["holds"]), (StatusCode::OK, &json!(true)), "{held:?}");
    assert_eq!(world.get("/v1/invariants", "dev-customer").await.code(), "forbidden");
}
