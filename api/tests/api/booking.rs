//! Booking, and what a repeat of it answers.

use std::time::Duration;

use axum::http::StatusCode;
use bellhop_api::Settings;
use bellhop_domain::{
    event::{Event, NewEvent},
    id::BookingId,
    status::{Status, Trigger},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use temporalio_client::{Client, ClientOptions, Connection, ConnectionOptions, Url, tonic::Code};
use tokio::{net::TcpListener, time::Instant};

use crate::{
    temporal::OnStart,
    world::{World, a_taxi},
};

#[tokio::test]
async fn a_booking_is_answered_once_it_is_decided() {
    let world = World::new().await;
    let booked = world.book("a1").await;
    assert_eq!(booked.status, StatusCode::CREATED, "{booked:?}");
    assert_eq!(booked.header("location"), Some(&*format!("/v1/bookings/{}", booked.id())));
    assert!(!booked.is_replay());
    let body = &booked.body;
    assert_eq!(body["status"], "awaiting_approval");
    assert_eq!(body["status_text"]["ko"], "승인 대기");
    assert_eq!(body["amount"], json!({"minor": 9_800, "currency": "KRW"}));
    assert_eq!(body["payment"], json!({"status": "authorized", "captured": 0, "refunded": 0}));
    assert_eq!(body["allowed_actions"], json!(["cancel"]));
    let customer = json!({"id": "cus_kim", "name": "Kim", "phone": "+8210****5678"});
    assert_eq!(body["customer"], customer);
    assert_eq!(world.temporal.calls(), ["StartWorkflowExecution"], "nothing else is asked");
}

#[tokio::test]
async fn a_repeat_answers_the_same_booking_as_it_is_now() {
    let world = World::new().await;
    let booked = world.book("a1").await;
    let again = world.book("a1").await;
    assert_eq!((again.status, again.id()), (StatusCode::CREATED, booked.id()));
    assert!(again.is_replay());

    let mut other = a_taxi();
    other["customer"]["name"] = json!("Lee");
    let other = world.post("/v1/bookings", "dev-customer", "a1", other).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"));

    let lee = world.post("/v1/bookings", "dev-customer-lee", "a1", a_taxi()).await;
    assert_eq!(lee.status, StatusCode::CREATED);
    assert_ne!(lee.id(), booked.id(), "a key is the caller's own");
}

#[tokio::test]
async fn a_key_is_good_when_temporal_has_forgotten_the_booking() {
    let world = World::new().await;
    let booked = world.book("a1").await;
    world.temporal.forget();
    let again = world.book("a1").await;
    assert_eq!((again.status, again.id()), (StatusCode::CREATED, booked.id()));
    assert!(again.is_replay());
}

#[tokio::test]
async fn refusals_have_their_codes_and_repeat_themselves() {
    let world = World::new().await;
    let cases = [
        ("payment_declined", 402, "payment_declined"),
        ("sold_out", 409, "sold_out"),
        ("not_offered", 422, "not_offered"),
        ("payment_unavailable", 503, "payment_unavailable"),
        ("odd", 409, "odd"),
    ];
    for (rejected, status, code) in cases {
        world.temporal.next_start(OnStart::Reject(rejected));
        let first = world.book(rejected).await;
        assert_eq!((first.status.as_u16(), first.code()), (status, code), "{first:?}");
        assert_eq!(first.header("retry-after").is_some(), status == 503, "{first:?}");
        let again = world.book(rejected).await;
        assert_eq!((again.status, again.id()), (first.status, first.id()));
        assert!(!first.is_replay() && again.is_replay());
    }
}

#[tokio::test]
async fn what_is_not_decided_in_time_is_accepted() {
    let world = World::new().await;
    world.temporal.next_start(OnStart::Stall);
    let path = "/v1/bookings";
    let booked = world.post_waiting(path, "dev-customer", "a1", Some("wait=0"), a_taxi()).await;
    assert_eq!(booked.status, StatusCode::ACCEPTED);
    assert_eq!(booked.body["status"], "pending");
    let location = booked.header("location").expect("a place to look").to_owned();

    let seen = world.get(&location, "dev-customer").await;
    assert_eq!((seen.status, &seen.body["status"]), (StatusCode::OK, &json!("pending")));
    assert_eq!(world.get(&location, "dev-customer-lee").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&location, "dev-operator").await.status, StatusCode::OK);

    let again = world.post_waiting(path, "dev-customer", "a1", Some("wait=0"), a_taxi()).await;
    assert_eq!((again.status, again.is_replay()), (StatusCode::ACCEPTED, true));
    let other = json!({"service": "call-taxi", "customer": {"name": "K", "phone": "01012345678"},
        "options": {"grade": "prime"}, "place": a_taxi()["place"], "payment": {"token": "t"}});
    let other = world.post_waiting(path, "dev-customer", "a1", Some("wait=0"), other).await;
    assert_eq!(other.code(), "idempotency_key_reused");
}

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_tried_again() {
    let world = World::new().await;
    world.temporal.next_start(OnStart::Fail(Code::Unavailable));
    world.temporal.next_start(OnStart::Lose);
    let booked = world.book("a1").await;
    assert_eq!(booked.status, StatusCode::CREATED);
    assert_eq!(world.temporal.calls().len(), 3);
    assert!(!booked.is_replay(), "it was our own start that was there");
}

#[tokio::test]
async fn with_temporal_away_nothing_is_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let options = ConnectionOptions::new(Url::parse(&format!("http://{address}")).expect("a URL"))
        .skip_get_system_info(true)
        .build();
    let (connection, accepted) = tokio::join!(Connection::connect(options), listener.accept());
    drop((accepted.expect("a connection"), listener));
    let client = ClientOptions::new("default").build();
    let client = Client::new(connection.expect("a connection"), client).expect("a client");
    let world = World::on(client, Settings::default()).await;
    let booked = world.book("a1").await;
    assert_eq!((booked.status.as_u16(), booked.code()), (503, "unavailable"), "{booked:?}");
    assert!(booked.header("retry-after").is_some());
}

#[tokio::test]
async fn a_start_that_nobody_knows_of_says_so() {
    let world = World::new().await;
    for _ in 0..20 {
        world.temporal.next_start(OnStart::Fail(Code::DeadlineExceeded));
    }
    let began = Instant::now();
    let booked = world.book("a1").await;
    assert_eq!((booked.status.as_u16(), booked.code()), (503, "start_unknown"));
    assert!(booked.header("retry-after").is_some());
    assert!(began.elapsed() < Duration::from_secs(3), "it keeps to the caller's wait");
}

#[tokio::test]
async fn what_temporal_will_never_do_is_our_fault() {
    let world = World::new().await;
    world.temporal.next_start(OnStart::Fail(Code::InvalidArgument));
    let booked = world.book("a1").await;
    assert_eq!((booked.status.as_u16(), booked.code()), (500, "internal"));
    assert!(!booked.body.to_string().contains("as told"));
}

#[tokio::test]
async fn what_does_not_fit_the_service_is_refused_with_its_place() {
    let world = World::new().await;
    let mut body = a_taxi();
    body["options"] = json!({});
    body["place"]["lat"] = json!(91.0);
    body["quantity"] = json!(2);
    body["starts_at"] = json!("2020-01-01T00:00:00Z");
    let response = world.post("/v1/bookings", "dev-customer", "a1", body).await;
    assert_eq!((response.status.as_u16(), response.code()), (422, "invalid_booking"));
    let violations = response.body["violations"].as_array().expect("violations");
    let pointers: Vec<_> = violations.iter().map(|it| it["pointer"].as_str()).collect();
    for pointer in ["/options/grade", "/place/lat", "/quantity", "/starts_at"] {
        assert!(pointers.contains(&Some(pointer)), "{pointer} in {pointers:?}");
    }
    for (pointer, value) in [("/service", "submarine"), ("/customer/phone", "12")] {
        let mut body = a_taxi();
        *body.pointer_mut(pointer).expect("it is there") = json!(value);
        let response = world.post("/v1/bookings", "dev-customer", "a1", body).await;
        assert_eq!(response.body["violations"][0]["pointer"], pointer);
    }
    assert!(world.temporal.calls().is_empty());
}

#[tokio::test]
async fn with_payments_away_customers_are_held_off_but_repeats_are_answered() {
    let world = World::new().await;
    let booked = world.book("a1").await;
    let away = Timestamp::now() + SignedDuration::from_secs(60);
    world.store.set_partner_away("payments", Some(away)).await.expect("it is noted");
    tokio::time::sleep(Duration::from_millis(250)).await;
    let refused = world.book("a2").await;
    assert_eq!((refused.status.as_u16(), refused.code()), (503, "payment_unavailable"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(world.temporal.calls().len(), 1, "nothing is started");
    let again = world.book("a1").await;
    assert_eq!((again.status, again.id()), (StatusCode::CREATED, booked.id()));
    assert!(again.is_replay());
}

#[tokio::test]
async fn at_capacity_customers_are_told_to_come_back() {
    let world = World::with(Settings { max_in_flight: 0, ..Settings::default() }).await;
    let booked = world.book("a1").await;
    assert_eq!((booked.status.as_u16(), booked.code()), (503, "overloaded"));
    assert!(booked.header("retry-after").is_some());
}

#[tokio::test]
async fn draining_answers_whoever_waits_at_once() {
    let world = World::new().await;
    world.temporal.next_start(OnStart::Stall);
    let began = Instant::now();
    let wait = Some("wait=20");
    let waiting = world.post_waiting("/v1/bookings", "dev-customer", "a1", wait, a_taxi());
    let drain = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.api.drain();
    };
    let (booked, ()) = tokio::join!(waiting, drain);
    assert_eq!(booked.status, StatusCode::ACCEPTED);
    assert!(booked.header("location").is_some());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_booking_that_lapsed_is_still_the_one_of_its_key() {
    let world = World::new().await;
    let booked = world.book("a1").await;
    let id: BookingId = booked.id().parse().expect("an id");
    let lapsed = NewEvent::new(Event::ApprovalLapsed, 1).moving(Trigger::Lapse, Status::Rejected);
    world.temporal.append(&id, vec![lapsed]).await;
    let again = world.book("a1").await;
    assert_eq!((again.status.as_u16(), again.code()), (409, "approval_lapsed"));
    assert!(again.is_replay());
}

#[tokio::test]
async fn only_customers_and_operators_book() {
    let world = World::new().await;
    for token in ["dev-manager", "dev-driver"] {
        let response = world.post("/v1/bookings", token, "a1", a_taxi()).await;
        assert_eq!((response.status.as_u16(), response.code()), (403, "forbidden"));
    }
}
