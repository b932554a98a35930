//! Acts on our own database: each method is the store's, and a repeat answers the first outcome.

use bellhop_activities::{BookingActivities, DispatchActivities};
use bellhop_domain::{
    act::{Assign, Assigned, Expire, Expiry, Firm, Firmed, Opened, Release, Released},
    id::BookingId,
    key::{ActKey, Purpose},
    text::Channel,
};
use bellhop_store::testing::TestDb;
use temporalio_sdk::testing::ActivityEnvironment;

use crate::{
    messages::{a_taxi, put_taxis},
    stage::failed,
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

    let release = Release { key: key(Purpose::Release), booking: booking.clone(), served: false };
    for _ in 0..2 {
        let released = environment.run(BookingActivities::release, release.clone()).await;
        assert_eq!(failed(released), Ok(Released { quantity: 1, ..Released::default() }));
    }
}
