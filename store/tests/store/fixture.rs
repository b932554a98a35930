//! Bookings of the call taxi that ships, and what happens to them.

use std::collections::BTreeMap;

use bellhop_domain::{
    act::{Append, Assign, Expire, Firm, Open, Opened, Release},
    event::{Actor, Event, NewEvent, Role},
    id::{BookingId, PoolId},
    key::{ActKey, Purpose},
    money::{Currency, Money},
    plan::{Customer, Means, Pace, Place, Plan, Request},
    service::Service,
    status::{Status, Trigger},
    text::Language,
};
use bellhop_store::{Pool, PoolRow, Store, testing::TestDb};
use jiff::{SignedDuration, Timestamp};

/// Runs a test on each database.
pub(crate) async fn on_both(test: impl AsyncFn(&TestDb)) {
    for db in TestDb::all().await {
        eprintln!("on {}", db.name);
        test(&db).await;
        db.store.close().await;
    }
}

/// A moment: so many seconds after the tests' beginning.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_secs(seconds)
}

/// Long after everything has settled.
pub(crate) fn later() -> Timestamp {
    at(1_000_000)
}

pub(crate) fn won(minor: i64) -> Money {
    Money { minor, currency: Currency::KRW }
}

pub(crate) fn service() -> Service {
    let text = include_str!("../../../services/call-taxi.toml");
    Service::parse("call-taxi.toml", text).unwrap()
}

pub(crate) fn plan() -> Plan {
    let service = service();
    Plan {
        revision: service.revision().unwrap(),
        service,
        request: Request {
            customer: Customer {
                id: "cus_kim".parse().unwrap(),
                name: "Kim".to_owned(),
                phone: "010-1234-5678".parse().unwrap(),
                language: Language::Ko,
            },
            options: BTreeMap::from([("grade".to_owned(), "prime".to_owned())]),
            starts_at: at(86_400),
            place: Some(Place {
                address: "서울 마포구".to_owned(), lat: 37.5563, lon: 126.9236
            }),
            quantity: 1,
            agreed_cost: None,
            payment: Some(Means {
                token: "tok_ok".to_owned(),
                kind: None,
                method: None,
                store: false,
            }),
        },
        fingerprint: "f".to_owned(),
        pace: Pace::default(),
    }
}

/// A company's prime taxis.
pub(crate) fn taxis(id: &str, company: &str, price: i64, capacity: u32) -> Pool {
    Pool {
        id: id.parse().unwrap(),
        kind: "taxi".to_owned(),
        company: company.parse().unwrap(),
        variant: Some("prime".to_owned()),
        label: format!("Taxi {id}"),
        place: None,
        starts_at: None,
        price: won(price),
        capacity,
        open: true,
    }
}

pub(crate) async fn put(store: &Store, pool: Pool) {
    store.put_pool(&pool, at(0)).await.unwrap();
}

pub(crate) async fn pool(store: &Store, id: &str) -> PoolRow {
    store.pool(&id.parse::<PoolId>().unwrap()).await.unwrap().unwrap()
}

/// What a pool has held and taken.
pub(crate) async fn used(store: &Store, id: &str) -> (u32, u32) {
    let row = pool(store, id).await;
    (row.held, row.taken)
}

/// A booking, and the acts of its workflow.
#[derive(Clone, Debug)]
pub(crate) struct Booking {
    pub(crate) id: BookingId,
    pub(crate) plan: Plan,
}

impl Booking {
    pub(crate) fn new(name: &str) -> Self {
        Self { id: format!("bk_{name}").parse().unwrap(), plan: plan() }
    }

    pub(crate) fn with(name: &str, change: impl FnOnce(&mut Plan)) -> Self {
        let mut booking = Self::new(name);
        change(&mut booking.plan);
        booking
    }

    pub(crate) fn key(&self, purpose: Purpose, ordinal: u32) -> ActKey {
        ActKey::new(&self.id, purpose, ordinal)
    }

    /// The hold is until `at(900)`.
    pub(crate) fn open(&self) -> Open {
        Open {
            key: self.key(Purpose::Open, 1),
            booking: self.id.clone(),
            first_run_id: "run_1".to_owned(),
            plan: self.plan.clone(),
            hold_expires_at: at(900),
            actor: customer(),
        }
    }

    pub(crate) fn firm(&self) -> Firm {
        let key = self.key(Purpose::Firm, 1);
        Firm { key, booking: self.id.clone(), events: vec![authorized()], store: None }
    }

    pub(crate) fn expire(&self, ordinal: u32) -> Expire {
        Expire { key: self.key(Purpose::Expire, ordinal), booking: self.id.clone() }
    }

    pub(crate) fn assign(&self) -> Assign {
        Assign { key: self.key(Purpose::Assign, 1), booking: self.id.clone(), events: vec![] }
    }

    pub(crate) fn release(&self) -> Release {
        Release { key: self.key(Purpose::Release, 1), booking: self.id.clone(), served: false }
    }

    pub(crate) fn append(&self, events: &[NewEvent]) -> Append {
        let known = i64::MAX;
        Append { booking: self.id.clone(), events: events.to_vec(), known }
    }

    /// Opens it, which must succeed.
    pub(crate) async fn opened(self, store: &Store) -> Self {
        let opened = store.open_booking(&self.open(), at(1)).await.unwrap();
        assert!(matches!(opened, Opened::Ready { .. }), "{opened:?}");
        self
    }

    /// Opens it, and brings it to `Dispatching`.
    pub(crate) async fn approved(self, store: &Store) -> Self {
        let booking = self.opened(store).await;
        store.firm_hold(&booking.firm(), at(2)).await.unwrap();
        store.append_events(&booking.append(&[approved()]), at(3)).await.unwrap();
        booking
    }

    /// Brings it to `Confirmed`.
    pub(crate) async fn confirmed(self, store: &Store) -> Self {
        let booking = self.approved(store).await;
        store.assign_from_hold(&booking.assign(), at(4)).await.unwrap();
        booking
    }

    pub(crate) async fn status(&self, store: &Store) -> Status {
        store.booking(&self.id).await.unwrap().unwrap().view.status
    }
}

pub(crate) fn customer() -> Actor {
    Actor::new(Role::Customer, "cus_kim")
}

pub(crate) fn authorized() -> NewEvent {
    NewEvent::new(Event::PaymentAuthorized { amount: won(9_800) }, 1)
        .moving(Trigger::Accepted, Status::AwaitingApproval)
}

pub(crate) fn approved() -> NewEvent {
    NewEvent::new(Event::ApprovalGranted, 1)
        .by(Actor::new(Role::Manager, "mgr_1"))
        .moving(Trigger::Approve, Status::Dispatching)
}

pub(crate) fn cancelling() -> NewEvent {
    NewEvent::new(Event::Cancelling { reason: None, keep: Some(won(0)) }, 1)
        .by(customer())
        .moving(Trigger::Cancel, Status::Cancelling)
}

pub(crate) fn cancelled() -> NewEvent {
    NewEvent::new(Event::Cancelled, 1).moving(Trigger::Undone, Status::Cancelled)
}

pub(crate) fn rejected(code: &str) -> NewEvent {
    NewEvent::new(Event::Rejected { code: code.to_owned() }, 1)
        .moving(Trigger::Reject, Status::Rejected)
}

/// A fact that moves nothing.
pub(crate) fn fact(ordinal: u32) -> NewEvent {
    NewEvent::new(Event::PaymentUnknown, ordinal)
}

pub(crate) fn code(opened: &Opened) -> &str {
    match opened {
        Opened::Refused { code, .. } => code,
        other => panic!("not refused: {other:?}"),
    }
}
