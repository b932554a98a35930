//! Staff: companies register them, they say themselves whether and where they take work
//! (designated-driver 2), and what they are asked is theirs to see.

use axum::http::StatusCode;
use bellhop_domain::{
    act::{Claim, Claimed, Open, Opened},
    event::{Actor, Role},
    id::{BookingId, OfferId},
    key::{ActKey, Purpose},
    plan::{Customer, Pace, Place, Plan, Request},
    service::Service,
    text::Language,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::World;

fn driver(company: &str) -> Value {
    json!({"company": company, "name": "Park", "phone": "010-2000-1001", "skills": ["automatic"]})
}

/// Registers `drv_park`, whose token is `dev-driver`, and brings them to Mapo.
async fn park(world: &World) {
    let put = world.put("/v1/drivers/drv_park", "dev-manager", driver("com_mapo")).await;
    assert_eq!(put.status, StatusCode::CREATED, "{put:?}");
    for (path, body) in [
        ("location", json!({"lat": 37.556_3, "lon": 126.923_6})),
        ("availability", json!({"available": true})),
    ] {
        let path = format!("/v1/drivers/drv_park/{path}");
        let put = world.put(&path, "dev-driver", body).await;
        assert_eq!(put.status, StatusCode::OK, "{put:?}");
    }
}

/// A call that asks the nearest, journalled as its workflow would.
async fn called(world: &World, id: &str) -> (BookingId, Claimed) {
    let text = include_str!("../../../services/designated-driver.toml");
    let service = Service::parse("designated-driver.toml", text).expect("it ships");
    let now = Timestamp::now();
    let plan = Plan {
        revision: service.revision().expect("it can be hashed"),
        service,
        request: Request {
            customer: Customer {
                id: "cus_kim".parse().expect("an id"),
                name: "Kim".to_owned(),
                phone: "010-1234-5678".parse().expect("a phone"),
                language: Language::Ko,
            },
            options: [("gearbox".to_owned(), "automatic".to_owned())].into(),
            starts_at: now,
            place: Some(Place { address: "마포".to_owned(), lat: 37.5563, lon: 126.9236 }),
            quantity: 1,
            agreed_cost: Some(
                serde_json::from_value(json!({"minor": 25_000, "currency": "KRW"})).expect("money"),
            ),
            payment: None,
        },
        fingerprint: "f".to_owned(),
        pace: Pace::default(),
    };
    let booking: BookingId = id.parse().expect("an id");
    let open = Open {
        key: ActKey::new(&booking, Purpose::Open, 1),
        booking: booking.clone(),
        first_run_id: "run".to_owned(),
        plan,
        hold_expires_at: now,
        actor: Actor::new(Role::Customer, "cus_kim"),
    };
    let opened = world.store.open_booking(&open, now).await.expect("it is stored");
    assert!(matches!(opened, Opened::Ready { .. }), "{opened:?}");
    let claim = Claim {
        key: ActKey::new(&booking, Purpose::Claim, 1),
        booking: booking.clone(),
        ordinal: 1,
        within: 3_000,
        excluded: vec![],
        expires_at: Some(now + SignedDuration::from_secs(60)),
        events: vec![],
    };
    let claimed = world.store.claim_nearest(&claim, now).await.expect("it is stored");
    (booking, claimed)
}

#[tokio::test]
async fn a_person_says_whether_and_where_they_take_work() {
    let world = World::new().await;
    park(&world).await;
    let seen = world.get("/v1/drivers/drv_park", "dev-driver").await;
    assert_eq!(seen.body["available"], true);
    assert_eq!(seen.body["location"]["lat"], 37.556_3);
    assert_eq!(seen.body["phone"], "+8210****1001", "masked");
    assert_eq!(world.get("/v1/staff/drv_park", "dev-manager").await.body, seen.body);

    for (path, token, status) in [
        ("/v1/drivers/drv_park", "dev-driver-choi", 404),
        ("/v1/drivers/drv_park", "dev-customer", 403),
        ("/v1/cleaners/drv_park", "dev-driver", 404),
        ("/v1/drivers/drv_none", "dev-operator", 404),
        ("/v1/drivers", "dev-driver", 403),
    ] {
        assert_eq!(world.get(path, token).await.status, status, "{path} {token}");
    }
    let path = "/v1/drivers/drv_park/availability";
    for (token, status) in [("dev-driver-choi", 404), ("dev-customer", 403)] {
        let put = world.put(path, token, json!({"available": false})).await;
        assert_eq!(put.status, status, "{token}");
    }
    assert_eq!(world.get("/v1/drivers/drv_park", "dev-driver").await.body["available"], true);
    for body in [json!({"available": "yes"}), json!({}), json!({"available": true, "x": 1})] {
        assert_eq!(world.put(path, "dev-driver", body).await.code(), "invalid_request");
    }
}

#[tokio::test]
async fn who_manages_sees_and_registers_their_own() {
    let world = World::new().await;
    park(&world).await;
    let put = world.put("/v1/drivers/drv_other", "dev-operator", driver("com_other")).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let mut cleaner = driver("com_mapo");
    cleaner["kind"] = json!("cleaner");
    let put = world.put("/v1/staff/cln_1", "dev-manager", cleaner).await;
    assert_eq!((put.status, &put.body["kind"]), (StatusCode::CREATED, &json!("cleaner")));
    let unnamed = world.put("/v1/staff/cln_2", "dev-manager", driver("com_mapo")).await;
    assert_eq!(unnamed.body["violations"][0]["pointer"], "/kind");

    let ids = async |path: &str, token: &str| {
        let list = world.get(path, token).await;
        assert_eq!(list.status, StatusCode::OK, "{list:?}");
        let items = list.body["items"].as_array().expect("a list").clone();
        items.iter().map(|it| it["id"].as_str().unwrap_or("").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids("/v1/drivers", "dev-manager").await, ["drv_park"]);
    assert_eq!(ids("/v1/drivers", "dev-operator").await, ["drv_park", "drv_other"]);
    assert_eq!(ids("/v1/staff", "dev-manager").await, ["drv_park", "cln_1"]);
    assert_eq!(ids("/v1/staff?kind=cleaner", "dev-operator").await, ["cln_1"]);
    assert_eq!(ids("/v1/drivers?company=com_other", "dev-manager").await, [""; 0]);
    assert_eq!(world.get("/v1/drivers?kind=x", "dev-manager").await.code(), "invalid_query");

    let stolen = world.put("/v1/drivers/drv_other", "dev-manager", driver("com_mapo")).await;
    assert_eq!((stolen.status.as_u16(), stolen.code()), (403, "forbidden"));
    let moved = world.put("/v1/drivers/drv_other", "dev-operator", driver("com_mapo")).await;
    assert_eq!(moved.body["violations"][0]["pointer"], "/company");
}

#[tokio::test]
async fn an_offer_is_for_who_is_asked() {
    let world = World::new().await;
    park(&world).await;
    let (booking, claimed) = called(&world, "bk_1").await;
    assert!(matches!(claimed, Claimed::Made { .. }), "{claimed:?}");
    let offer = OfferId::new(&booking, 1);

    let offers = world.get("/v1/offers", "dev-driver").await;
    let it = &offers.body["items"][0];
    assert_eq!((&it["id"], &it["state"]), (&json!(offer.as_str()), &json!("open")), "{offers:?}");
    assert_eq!((&it["booking_id"], &it["place"]["address"]), (&json!("bk_1"), &json!("마포")));
    assert!(!offers.body.to_string().contains("5678"), "nothing of the customer: {offers:?}");
    let others = world.get("/v1/offers", "dev-driver-choi").await;
    assert_eq!(others.body["items"], json!([]));
    assert_eq!(world.get("/v1/offers", "dev-customer").await.code(), "forbidden");

    let path = "/v1/bookings/bk_1";
    for (token, is_shown) in [
        ("dev-driver", true),
        ("dev-manager", true),
        ("dev-operator", true),
        ("dev-customer", false),
    ] {
        let seen = world.get(path, token).await;
        assert_eq!(seen.status, StatusCode::OK, "{token}");
        assert_eq!(seen.body["offer"]["id"] == offer.as_str(), is_shown, "{token}");
    }
    assert_eq!(world.get(path, "dev-driver-choi").await.code(), "not_found");

    // Each reads what they were told.
    let told = async |token: &str| {
        let messages = world.get(&format!("{path}/messages"), token).await.body;
        let messages = messages["messages"].as_array().expect("messages").clone();
        messages
            .iter()
            .map(|it| it["template"].as_str().unwrap_or("").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(told("dev-customer").await, ["dispatching"]);
    assert_eq!(told("dev-driver").await, ["staff_offered"]);
    assert_eq!(told("dev-operator").await, ["dispatching", "staff_offered"]);
    let history = world.get("/v1/drivers/drv_park/messages", "dev-driver").await;
    assert_eq!(history.body["items"][0]["template"], "staff_offered");
    let history = world.get("/v1/customers/cus_kim/messages", "dev-customer").await;
    assert_eq!(history.body["items"].as_array().map(Vec::len), Some(1), "{history:?}");

    let answer = format!("/v1/offers/{offer}/accept");
    for (token, status) in [("dev-driver-choi", 404), ("dev-customer", 403), ("dev-manager", 403)] {
        assert_eq!(world.post(&answer, token, "k1", json!({})).await.status, status, "{token}");
    }
    let unread = world.post(&answer, "dev-driver", "k2", json!({"yes": true})).await;
    assert_eq!(unread.code(), "invalid_request");
}
