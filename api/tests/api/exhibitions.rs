//! Exhibitions: the door before a booking, and a withdrawal whose start fails.

use bellhop_domain::id::OperationId;
use bellhop_workflows::command::{Caller, Cancel, Command};
use jiff::Timestamp;
use serde_json::{Value, json};
use temporalio_client::tonic::Code;

use crate::{temporal::OnStart, world::World};

const PATH: &str = "/v1/exhibitions/exh_1";

fn exhibition() -> Value {
    json!({"company": "com_mapo", "title": "Night", "hall": "Hall 2",
        "starts_at": "2099-01-01T10:00:00+09:00",
        "price": {"minor": 12_000, "currency": "KRW"}, "capacity": 20})
}

fn visit() -> Value {
    json!({"service": "exhibition", "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "exhibition_id": "exh_1", "quantity": 3})
}

async fn opened() -> World {
    let world = World::new().await;
    let put = world.put(PATH, "dev-manager", exhibition()).await;
    assert_eq!((put.status.as_u16(), &put.body["free"]), (201, &json!(20)), "{put:?}");
    world
}

#[tokio::test]
async fn what_cannot_be_booked_is_refused_before_anything_is_started() {
    let world = opened().await;
    let book = async |key: &str, body: Value| {
        let refused = world.post("/v1/bookings", "dev-customer", key, body).await;
        (refused.status.as_u16(), refused.code().to_owned())
    };
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let mut unknown = visit();
    unknown["exhibition_id"] = json!("tx_mapo");
    assert_eq!(book("a", unknown).await, refused(422, "invalid_booking"), "it is a taxi");
    let mut closed = exhibition();
    closed["open"] = json!(false);
    world.put(PATH, "dev-manager", closed).await;
    assert_eq!(book("b", visit()).await, refused(409, "not_offered"));
    assert_eq!(world.temporal.calls(), Vec::<String>::new());
    world.put(PATH, "dev-manager", exhibition()).await;
    assert_eq!(book("b", visit()).await.0, 201);
    world.post(&format!("{PATH}/withdraw"), "dev-manager", "w", json!({})).await;
    assert_eq!(book("c", visit()).await, refused(409, "not_offered"));
    assert_eq!(book("b", visit()).await.0, 201, "a repeat is answered as ever");
}

#[tokio::test]
async fn a_booking_that_finds_it_closed_after_all_hears_the_same() {
    let world = opened().await;
    world.temporal.next_start(OnStart::Reject("not_offered"));
    let mut paid = visit();
    paid["payment"] = json!({"token": "tok_ok"});
    let refused = world.post("/v1/bookings", "dev-customer", "a", paid).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "not_offered"), "{refused:?}");
}

#[tokio::test]
async fn a_confirmation_of_entry_is_awaited_until_it_is_issued() {
    let world = opened().await;
    let booked = world.post("/v1/bookings", "dev-customer", "a", visit()).await;
    let pending = json!({"number": null, "status": "pending"});
    assert_eq!((booked.status.as_u16(), &booked.body["confirmation"]), (201, &pending));
    assert_eq!(world.book("b").await.body["confirmation"], Value::Null, "a taxi has none");
}

#[tokio::test]
async fn a_withdrawal_whose_start_fails_is_on_record_and_is_started_later() {
    let world = opened().await;
    let booked = world.post("/v1/bookings", "dev-customer", "a", visit()).await;
    world.temporal.next_start(OnStart::Fail(Code::Unavailable));
    let path = format!("{PATH}/withdraw");
    let begun = world.post(&path, "dev-manager", "w", json!({})).await;
    assert_eq!(begun.status.as_u16(), 202, "{begun:?}");
    let at = begun.header("location").expect("where it is").to_owned();
    let running = world.get(&at, "dev-manager").await.body;
    assert_eq!((&running["state"], &running["remaining"]), (&json!("running"), &json!(1)));

    let id: OperationId = begun.id().parse().expect("an id");
    let starts =
        || world.temporal.calls().iter().filter(|it| *it == "StartWorkflowExecution").count();
    let before = starts();
    let outstanding = async || {
        let due = world.store.take_due_commands::<Command>(Timestamp::MAX, 9).await;
        due.expect("a database")
    };
    let booking = format!("/v1/bookings/{}", booked.id());
    let looked_after = async {
        while starts() == before {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // What its workflow does: it writes the command down, and the API gives it.
        let now = Timestamp::now();
        let told = world.store.withdraw_batch(
            &id,
            9,
            |operation, id| {
                let (id, fingerprint) = (id.to_owned(), "f".to_owned());
                let command = bellhop_domain::event::CommandRef { id, fingerprint };
                let caller = Caller { actor: operation.actor.clone(), command, at: now };
                Command::Cancel(Cancel { caller, reason: None, terms: None })
            },
            now,
        );
        told.await.expect("a database").expect("an operation");
        while world.get(&booking, "dev-customer").await.body["status"] != "cancelled" {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // It is forgotten a moment after its effect can be seen.
        while !outstanding().await.is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let looking = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        tokio::select! {
            () = world.api.look_after() => {}
            () = looked_after => {}
        }
    });
    looking.await.expect("it is looked after");
    assert_eq!(outstanding().await, [], "answered for good");
    let again = world.post(&path, "dev-manager", "w", json!({})).await;
    assert!(again.is_replay(), "{again:?}");
}
