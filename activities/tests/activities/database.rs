//! Acts on our own database: each method is the store's, and a repeat answers the first outcome.

use bellhop_activities::{BookingActivities, DispatchActivities, OperationActivities};
use bellhop_domain::{
    act::{
        Assign, Assigned, Claim, Claimed, Confirm, Confirmed, Expire, Expiry, Firm, Firmed, Open,
        Opened, Release, Released,
    },
    event::{Actor, Role},
    id::{BookingId, OperationId},
    key::{ActKey, Purpose},
    message::Channel,
    service::Service,
    text::Language,
};
use bellhop_store::{Staff, Withdrawal, testing::TestDb};
use bellhop_workflows::{
    command::{Caller, Cancel, Command},
    contract::operations::{Batch, Withdraw},
};
use jiff::Timestamp;
use temporalio_sdk::testing::ActivityEnvironment;

use crate::{
    messages::{a_taxi, put_taxis},
    stage::{failed, won},
};

#[tokio::test]
async fn each_act_answers_twice_the_same() {
    let db = TestDb::sqlite().await;
    put_taxis(&db).await;
    let environment = ActivityEnvironment::builder_with_default()
        .register_activities(BookingActivities::new(db.store.clone()))
        .register_activities(DispatchActivities::new(db.store.clone()))
        .build();
    let booking: BookingId = "bk_1".parse().unwrap();
    let key = |purpose| ActKey::new(&booking, purpose, 1);

    let open = a_taxi(&booking, &[Channel::Sms]);
    let opened = failed(environment.run(BookingActivities::open, open.clone()).await).unwrap();
    assert!(matches!(opened, Opened::Ready { .. }), "{opened:?}");
    assert_eq!(failed(environment.run(BookingActivities::open, open).await), Ok(opened));

    let expire = Expire { key: key(Purpose::Expire), booking: booking.clone() };
    for _ in 0..2 {
        let expiry = environment.run(BookingActivities::expire, expire.clone()).await;
        assert_eq!(failed(expiry), Ok(Expiry::Kept));
    }

    let firm =
        Firm { key: key(Purpose::Firm), booking: booking.clone(), events: vec![], store: None };
    let firmed = failed(environment.run(BookingActivities::firm, firm.clone()).await).unwrap();
    assert!(matches!(firmed, Firmed::Firm { .. }), "{firmed:?}");
    assert_eq!(failed(environment.run(BookingActivities::firm, firm).await), Ok(firmed));

    let assign = Assign { key: key(Purpose::Assign), booking: booking.clone(), events: vec![] };
    let assigned = failed(environment.run(DispatchActivities::assign, assign.clone()).await);
    assert!(matches!(assigned, Ok(Assigned::Made { .. })), "{assigned:?}");
    assert_eq!(failed(environment.run(DispatchActivities::assign, assign).await), assigned);

    let confirm = Confirm { key: key(Purpose::Confirm), booking: booking.clone(), events: vec![] };
    let issued = failed(environment.run(DispatchActivities::confirm, confirm.clone()).await);
    assert!(matches!(issued, Ok(Confirmed::Issued { .. })), "{issued:?}");
    assert_eq!(failed(environment.run(DispatchActivities::confirm, confirm).await), issued);

    let release = Release { key: key(Purpose::Release), booking: booking.clone(), served: false };
    for _ in 0..2 {
        let released = environment.run(BookingActivities::release, release.clone()).await;
        let all = Released { quantity: 1, confirmation: true, ..Released::default() };
        assert_eq!(failed(released), Ok(all));
    }
}

#[tokio::test]
async fn a_claim_answers_twice_the_same_whoever_is_free_by_then() {
    let db = TestDb::sqlite().await;
    let environment = ActivityEnvironment::builder_with_default()
        .register_activities(BookingActivities::new(db.store.clone()))
        .register_activities(DispatchActivities::new(db.store.clone()))
        .build();
    let booking: BookingId = "bk_1".parse().unwrap();
    let open = a_drive(&booking);
    let opened = failed(environment.run(BookingActivities::open, open).await).unwrap();
    assert!(matches!(opened, Opened::Ready { .. }), "{opened:?}");
    let claim = |ordinal| Claim {
        key: ActKey::new(&booking, Purpose::Claim, ordinal),
        booking: booking.clone(),
        ordinal,
        within: 3_000,
        excluded: vec![],
        expires_at: None,
        events: vec![],
    };
    let run = async |claim| failed(environment.run(DispatchActivities::claim, claim).await);
    assert_eq!(run(claim(1)).await, Ok(Claimed::Nobody));
    put_driver(&db, "drv_1", 37.5563).await;
    assert_eq!(run(claim(1)).await, Ok(Claimed::Nobody), "as it was");

    let made = run(claim(2)).await;
    assert!(matches!(&made, Ok(Claimed::Made { assignment, .. }) if assignment.label == "drv_1"));
    put_driver(&db, "drv_0", 37.5563).await;
    assert_eq!(run(claim(2)).await, made);
    let unknown = Claim { booking: "bk_2".parse().unwrap(), ..claim(3) };
    assert_eq!(run(unknown).await.unwrap_err().kind, "unavailable", "tried until it is opened");
}

fn a_drive(booking: &BookingId) -> Open {
    let mut open = a_taxi(booking, &[Channel::Sms]);
    let text = include_str!("../../../services/designated-driver.toml");
    open.plan.service = Service::parse("designated-driver.toml", text).unwrap();
    open.plan.request.options = [("gearbox".to_owned(), "automatic".to_owned())].into();
    open.plan.request.agreed_cost = Some(won(25_000));
    open.plan.request.payment = None;
    open
}

/// Puts a driver who is free, in Mapo.
async fn put_driver(db: &TestDb, id: &str, lat: f64) {
    let staff = Staff {
        id: id.parse().unwrap(),
        kind: "driver".to_owned(),
        company: "co_1".parse().unwrap(),
        name: id.to_owned(),
        phone: "010-2000-1001".parse().unwrap(),
        language: Language::Ko,
        skills: vec!["automatic".to_owned()],
    };
    let now = Timestamp::now();
    db.store.put_staff(&staff, now).await.unwrap();
    assert!(db.store.set_staff_location(&staff.id, lat, 126.9236, now).await.unwrap());
    assert!(db.store.set_staff_available(&staff.id, true).await.unwrap());
}

#[tokio::test]
async fn a_withdrawal_tells_a_booking_once_in_the_name_of_who_withdrew() {
    let db = TestDb::sqlite().await;
    put_taxis(&db).await;
    let environment = ActivityEnvironment::builder_with_default()
        .register_activities(BookingActivities::new(db.store.clone()))
        .register_activities(OperationActivities::new(db.store.clone()))
        .build();
    let booking: BookingId = "bk_1".parse().unwrap();
    let open = a_taxi(&booking, &[Channel::Sms]);
    failed(environment.run(BookingActivities::open, open).await).unwrap();
    let manager = Actor::new(Role::Manager, "mgr_1");
    let operation = OperationId::from_key(&"mgr_1".parse().unwrap(), "k");
    let withdrawal = Withdrawal {
        operation: operation.clone(),
        pool: "pool_1".parse().unwrap(),
        actor: manager.clone(),
        fingerprint: "f".to_owned(),
        reason: Some("the roof leaks".to_owned()),
    };
    db.store.withdraw_pool(&withdrawal, Timestamp::now()).await.unwrap();
    for told in [1, 0] {
        let withdraw = Withdraw { operation: operation.clone() };
        let batch = environment.run(OperationActivities::withdraw_batch, withdraw).await;
        assert_eq!(failed(batch), Ok(Batch { told, remaining: 1 }));
    }
    let due = db.store.take_due_commands::<Command>(Timestamp::now(), 9).await.unwrap();
    assert_eq!(due.len(), 1, "{due:?}");
    assert_eq!((&due[0].id, &due[0].booking), (&format!("{operation}/{booking}"), &booking));
    let Command::Cancel(Cancel { caller: Caller { actor, command, .. }, reason, terms }) =
        &due[0].command
    else {
        panic!("no cancel: {due:?}")
    };
    assert_eq!((actor, &command.id), (&manager, &due[0].id));
    assert_eq!((reason.as_deref(), terms), (Some("the roof leaks"), &None));

    let unknown = Withdraw { operation: "op_none".parse().unwrap() };
    let batch = environment.run(OperationActivities::withdraw_batch, unknown).await;
    assert_eq!(failed(batch), Ok(Batch { told: 0, remaining: 0 }), "nothing is left to do");
}
