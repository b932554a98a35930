//! Taxis: companies register what they have (call-taxi 11).

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::world::World;

fn taxi(company: &str) -> Value {
    json!({"company": company, "grade": "prime", "name": "Prime",
        "price": {"minor": 9_000, "currency": "KRW"}, "capacity": 3})
}

#[tokio::test]
async fn a_manager_registers_and_changes_taxis_of_their_company() {
    let world = World::new().await;
    let path = "/v1/taxis/tx_1";
    let put = world.put(path, "dev-manager", taxi("com_hangang")).await;
    assert_eq!(put.status, StatusCode::CREATED, "{put:?}");
    assert_eq!((&put.body["free"], &put.body["open"]), (&json!(3), &json!(true)));
    let mut less = taxi("com_hangang");
    (less["capacity"], less["open"]) = (json!(2), json!(false));
    let put = world.put(path, "dev-manager", less).await;
    assert_eq!(put.status, StatusCode::OK);
    let seen = world.get(path, "dev-customer").await;
    assert_eq!((&seen.body["capacity"], &seen.body["open"]), (&json!(2), &json!(false)));
    let list = world.get("/v1/taxis?company=com_hangang", "dev-customer").await;
    assert_eq!(list.body["items"][0]["id"], "tx_1");
    assert_eq!(world.get("/v1/taxis/tx_9", "dev-customer").await.code(), "not_found");
}

#[tokio::test]
async fn nobody_else_touches_them() {
    let world = World::new().await;
    let path = "/v1/taxis/tx_1";
    for (token, company) in
        [("dev-customer", "com_mapo"), ("dev-driver", "com_mapo"), ("dev-manager", "com_other")]
    {
        let put = world.put(path, token, taxi(company)).await;
        assert_eq!((put.status.as_u16(), put.code()), (403, "forbidden"), "{token}");
    }
    let put = world.put(path, "dev-operator", taxi("com_other")).await;
    assert_eq!(put.status, StatusCode::CREATED);
    let stolen = world.put(path, "dev-manager", taxi("com_mapo")).await;
    assert_eq!((stolen.status.as_u16(), stolen.code()), (403, "forbidden"));
    let moved = world.put(path, "dev-operator", taxi("com_mapo")).await;
    assert_eq!((moved.status.as_u16(), moved.code()), (422, "invalid_request"));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_its_place() {
    let world = World::new().await;
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut body = taxi("com_mapo");
        change(&mut body);
        let put = world.put("/v1/taxis/tx_1", "dev-manager", body).await;
        assert_eq!((put.status.as_u16(), put.code()), (422, "invalid_request"), "{put:?}");
        put.body["violations"][0]["pointer"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(refused(&|it| it["grade"] = json!("a b")).await, "/grade");
    assert_eq!(refused(&|it| it["name"] = json!(" ")).await, "/name");
    assert_eq!(refused(&|it| it["price"]["minor"] = json!(-1)).await, "/price/minor");
    assert_eq!(refused(&|it| it["price"]["currency"] = json!("EUR")).await, "/price/currency");
    assert_eq!(refused(&|it| it["capacity"] = json!(-1)).await, "");
    assert_eq!(refused(&|it| it["capacity"] = json!(2_000_000)).await, "/capacity");
}

#[tokio::test]
async fn capacity_never_falls_below_what_is_in_use() {
    let world = World::new().await;
    world.book("a1").await;
    let mut body = taxi("com_mapo");
    body["capacity"] = json!(0);
    let put = world.put("/v1/taxis/tx_mapo", "dev-manager", body).await;
    assert_eq!((put.status.as_u16(), put.code()), (409, "pool_in_use"), "{put:?}");
}

#[tokio::test]
async fn a_pool_of_any_kind_that_a_service_holds_from_is_registered_by_its_kind() {
    let world = World::new().await;
    let pool = json!({"kind": "taxi", "company": "com_mapo", "variant": "prime", "name": "Prime",
        "price": {"minor": 9_000, "currency": "KRW"}, "capacity": 3});
    let put = world.put("/v1/pools/tx_2", "dev-manager", pool.clone()).await;
    assert_eq!((put.status, &put.body["kind"]), (StatusCode::CREATED, &json!("taxi")), "{put:?}");
    assert_eq!(world.get("/v1/taxis/tx_2", "dev-customer").await.body["grade"], "prime");
    assert_eq!(world.get("/v1/pools/tx_2", "dev-customer").await.body["variant"], "prime");
    let listed = world.get("/v1/pools?kind=taxi&company=com_mapo", "dev-customer").await;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(world.get("/v1/taxis?kind=taxi", "dev-customer").await.code(), "invalid_query");
    assert_eq!(world.put("/v1/pools/tx_2", "dev-customer", pool.clone()).await.code(), "forbidden");
    for (pointer, change) in [
        ("/kind", json!({"kind": "boat"})),
        ("/variant", json!({"variant": "a b"})),
        ("/place", json!({"place": " "})),
        ("/starts_at", json!({"starts_at": "2020-01-01T00:00:00Z"})),
        ("/price/minor", json!({"price": {"minor": 1_000_000_001, "currency": "KRW"}})),
    ] {
        let mut body = pool.clone();
        for (name, value) in change.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let put = world.put("/v1/pools/tx_2", "dev-manager", body).await;
        assert_eq!((put.status.as_u16(), put.code()), (422, "invalid_request"), "{pointer}");
        assert_eq!(put.body["violations"][0]["pointer"], pointer);
    }
}
