//! Delivering messages.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bellhop_activities::{
    BookingActivities, NotificationActivities, NotificationSettings, partner::MessagingGateway,
};
use bellhop_domain::{
    act::{Append, Open, Opened, Release},
    event::{Actor, Event, NewEvent, Role},
    id::BookingId,
    key::{ActKey, Purpose},
    message::{Channel, MessageStatus},
    plan::{Customer, Means, Pace, Place, Plan, Request},
    service::Service,
    status::{Status, Trigger},
    text::Language,
};
use bellhop_store::{MessageRow, Pool, shard, testing::TestDb};
use bellhop_workflows::contract::notifications::{Deliver, Delivered};
use jiff::Timestamp;
use serde_json::{Value, json};
use temporalio_common::ActivityError;
use temporalio_sdk::testing::{ActivityEnvironment, ActivityEnvironmentError};

use crate::stage::{Failure, Partner, failed, settings, unavailable, won};

const SEND: &str = "POST /messages";

struct Post {
    db: TestDb,
    gateway: Partner,
    environment: ActivityEnvironment,
    heartbeats: Arc<AtomicU32>,
}

impl Post {
    async fn new() -> Self {
        Self::with(|_| ()).await
    }

    async fn with(change: impl FnOnce(&mut NotificationSettings)) -> Self {
        let (db, gateway) = (TestDb::sqlite().await, Partner::start().await);
        let mut chosen = NotificationSettings {
            retry_after: Duration::from_millis(50),
            linger: Duration::ZERO,
            ..Default::default()
        };
        change(&mut chosen);
        let client = MessagingGateway::new(&settings(gateway.url())).unwrap();
        let heartbeats = Arc::new(AtomicU32::new(0));
        let counter = heartbeats.clone();
        let environment = ActivityEnvironment::builder_with_default()
            .register_activities(NotificationActivities::new(db.store.clone(), client, chosen))
            .register_activities(BookingActivities::new(db.store.clone()))
            .on_heartbeat(move |_| {
                counter.fetch_add(1, Ordering::Relaxed);
            })
            .build();
        let post = Self { db, gateway, environment, heartbeats };
        put_taxis(&post.db).await;
        post
    }

    /// A booking that has told its customer `messages` things.
    async fn booking(&self, id: &str, channels: &[Channel], messages: usize) -> BookingId {
        let booking: BookingId = id.parse().unwrap();
        let open = a_taxi(&booking, channels);
        let opened = self.environment.run(BookingActivities::open, open).await.unwrap();
        assert!(matches!(opened, Opened::Ready { .. }), "{opened:?}");
        let told = [
            NewEvent::new(Event::PaymentAwaited, 1)
                .moving(Trigger::PaymentAwaited, Status::AwaitingPayment),
            NewEvent::new(Event::PaymentAuthorized { amount: won(9_800) }, 1)
                .moving(Trigger::Accepted, Status::AwaitingApproval),
        ];
        let events = told[..messages].to_vec();
        let append = Append { booking: booking.clone(), known: 2, events };
        self.environment.run(BookingActivities::append, append).await.unwrap();
        booking
    }

    async fn deliver(&self, booking: &BookingId) -> Result<Delivered, Failure> {
        let deliver = Deliver { shard: shard(booking) };
        failed(self.environment.run(NotificationActivities::deliver, deliver).await)
    }

    async fn rows(&self, booking: &BookingId) -> Vec<MessageRow> {
        self.db.store.messages_of(booking).await.unwrap()
    }

    async fn row(&self, booking: &BookingId) -> MessageRow {
        let mut rows = self.rows(booking).await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    async fn until_due(&self, booking: &BookingId) {
        for _ in 0..200 {
            let due = self.db.store.due_shards(Timestamp::now()).await.unwrap();
            if due.contains(&shard(booking)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not become due");
    }
}

pub(crate) async fn put_taxis(db: &TestDb) {
    let pool = Pool {
        id: "pool_1".parse().unwrap(),
        kind: "taxi".to_owned(),
        company: "co_1".parse().unwrap(),
        variant: Some("prime".to_owned()),
        label: "Prime".to_owned(),
        place: None,
        starts_at: None,
        price: won(9_800),
        capacity: 100,
        open: true,
    };
    db.store.put_pool(&pool, Timestamp::now()).await.unwrap();
}

pub(crate) fn a_taxi(booking: &BookingId, channels: &[Channel]) -> Open {
    Open {
        key: ActKey::new(booking, Purpose::Open, 1),
        booking: booking.clone(),
        first_run_id: "run".to_owned(),
        plan: plan(channels),
        hold_expires_at: Timestamp::now() + Duration::from_secs(900),
        actor: Actor::new(Role::Customer, "cus_kim"),
    }
}

fn plan(channels: &[Channel]) -> Plan {
    let text = include_str!("../../../services/call-taxi.toml");
    let mut service = Service::parse("call-taxi.toml", text).unwrap();
    service.messages.customer = channels.to_vec();
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
            starts_at: Timestamp::now() + Duration::from_secs(86_400),
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

fn accepted() -> Value {
    json!({ "id": "msg_at_gateway", "status": "accepted" })
}

fn delivered(messages: u32) -> Result<Delivered, Failure> {
    Ok(Delivered { messages, more: false })
}

#[tokio::test]
async fn messages_are_sent_in_their_order_until_none_is_due() {
    let post = Post::new().await;
    let booking = post.booking("bk_1", &[Channel::Sms], 2).await;
    post.gateway.answers(SEND, 202, accepted());
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, delivered(2));
    assert_eq!(post.deliver(&booking).await, delivered(0), "a repeat");

    let requests = post.gateway.requests().await;
    let sent: Vec<Value> = requests.iter().map(|it| it.body_json().unwrap()).collect();
    let templates: Vec<_> = sent.iter().map(|it| &it["template"]).collect();
    assert_eq!(templates, ["awaiting_payment", "awaiting_approval"]);
    assert_eq!((&sent[0]["to"], &sent[0]["channel"]), (&json!("+821012345678"), &json!("sms")));
    assert_eq!(sent[0]["reference"], "bk_1");
    assert_eq!(sent[0].as_object().unwrap().len(), 5, "and nothing else");
    let rows = post.rows(&booking).await;
    assert!(rows.iter().all(|it| it.status == MessageStatus::Delivered), "{rows:?}");
    assert_eq!(rows[0].gateway_id.as_deref(), Some("msg_at_gateway"));
    assert_eq!(requests[0].headers["idempotency-key"], rows[0].id.as_str());
    assert!(post.heartbeats.load(Ordering::Relaxed) >= 2);
}

#[tokio::test]
async fn a_channel_that_fails_falls_back_to_the_next() {
    let post = Post::new().await;
    let booking = post.booking("bk_1", &[Channel::KakaoTalk, Channel::Sms], 1).await;
    post.gateway.answers(SEND, 422, json!({ "code": "not_a_user" }));
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, delivered(2));
    let rows = post.rows(&booking).await;
    let told: Vec<_> = rows.iter().map(|it| (it.channel, it.status)).collect();
    let expected =
        [(Channel::KakaoTalk, MessageStatus::Failed), (Channel::Sms, MessageStatus::Delivered)];
    assert_eq!(told, expected);
    assert_eq!(rows[0].error.as_deref(), Some("not_a_user"));
}

#[tokio::test]
async fn a_gateway_that_is_away_is_tried_again_before_anything_else_of_the_booking() {
    let post = Post::new().await;
    let booking = post.booking("bk_1", &[Channel::Sms], 2).await;
    post.gateway.answers(SEND, 503, unavailable());
    assert_eq!(post.deliver(&booking).await, delivered(1));
    let first = post.rows(&booking).await.remove(0);
    assert_eq!((first.status, first.attempts), (MessageStatus::Retrying, 1));
    assert_eq!(first.error.as_deref(), Some("unavailable"));
    assert!(!first.maybe_sent_twice);

    post.until_due(&booking).await;
    post.gateway.answers(SEND, 202, accepted());
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, delivered(2));
    let rows = post.rows(&booking).await;
    assert!(rows.iter().all(|it| it.status == MessageStatus::Delivered), "{rows:?}");
}

#[tokio::test]
async fn after_a_lost_answer_the_message_is_sent_under_the_same_key_and_says_so() {
    let post = Post::new().await;
    let booking = post.booking("bk_1", &[Channel::Sms], 1).await;
    post.gateway.hangs(SEND);
    assert_eq!(post.deliver(&booking).await, delivered(1));
    assert!(post.row(&booking).await.maybe_sent_twice);
    post.until_due(&booking).await;
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, delivered(1));
    let requests = post.gateway.requests().await;
    let key = |index: usize| requests[index].headers["idempotency-key"].clone();
    assert_eq!(key(0), key(1));
    assert_eq!(post.row(&booking).await.status, MessageStatus::Delivered);
}

#[tokio::test]
async fn a_refused_credential_is_tried_again_later() {
    let post = Post::new().await;
    let booking = post.booking("bk_1", &[Channel::Sms], 1).await;
    post.gateway.answers(SEND, 401, json!({}));
    assert_eq!(post.deliver(&booking).await, delivered(1));
    let row = post.row(&booking).await;
    assert_eq!(
        (row.status, row.error.as_deref()),
        (MessageStatus::Retrying, Some("misconfigured"))
    );
    let due = post.db.store.due_shards(Timestamp::now() + Duration::from_secs(50)).await.unwrap();
    assert!(due.is_empty(), "not within the minute");
}

#[tokio::test]
async fn a_run_ends_after_so_many_messages_and_says_that_more_are_due() {
    let post = Post::with(|settings| settings.at_most = 1).await;
    let booking = post.booking("bk_1", &[Channel::Sms], 2).await;
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, Ok(Delivered { messages: 1, more: true }));
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, delivered(1));
}

#[tokio::test]
async fn a_run_stays_a_while_for_what_is_due_soon() {
    let post = Post::with(|settings| {
        settings.linger = Duration::from_secs(5);
        settings.look = Duration::from_millis(10);
        settings.at_most = 2;
    })
    .await;
    let booking = post.booking("bk_1", &[Channel::Sms], 1).await;
    post.gateway.answers(SEND, 503, unavailable());
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&booking).await, delivered(2), "the retry, too");
}

#[tokio::test]
async fn one_booking_does_not_hold_up_another() {
    let post = Post::new().await;
    let slow = post.booking("bk_1", &[Channel::Sms], 1).await;
    let same_shard = (2..).map(|it| format!("bk_{it}"));
    let mut same_shard = same_shard.filter(|it| shard(&it.parse().unwrap()) == shard(&slow));
    let quick = post.booking(&same_shard.next().unwrap(), &[Channel::Sms], 1).await;
    post.gateway.hangs(SEND);
    post.gateway.answers(SEND, 202, accepted());
    assert_eq!(post.deliver(&slow).await, delivered(2));
    let statuses = [post.row(&slow).await.status, post.row(&quick).await.status];
    assert!(statuses.contains(&MessageStatus::Retrying), "{statuses:?}");
    assert!(statuses.contains(&MessageStatus::Delivered), "{statuses:?}");
}

#[tokio::test]
async fn a_cancelled_run_takes_no_more_messages() {
    let post = Post::new().await;
    let booking = post.booking("bk_1", &[Channel::Sms], 1).await;
    post.environment.cancel();
    let deliver = Deliver { shard: shard(&booking) };
    let done = post.environment.run(NotificationActivities::deliver, deliver).await;
    let cancelled = ActivityEnvironmentError::Activity(ActivityError::cancelled());
    assert_eq!(format!("{done:?}"), format!("{:?}", Err::<Delivered, _>(cancelled)));
    assert!(post.gateway.calls().await.is_empty());
}

#[tokio::test]
async fn a_database_that_fails_is_tried_again() {
    let post = Post::new().await;
    let booking: BookingId = "bk_unknown".parse().unwrap();
    let key = ActKey::new(&booking, Purpose::Release, 1);
    post.db.store.close().await;
    let release = Release { key, booking: booking.clone(), served: false };
    let done = post.environment.run(BookingActivities::release, release).await;
    assert_eq!(failed(done), Err(Failure::new("unavailable", None)));
    assert_eq!(post.deliver(&booking).await, Err(Failure::new("unavailable", None)));
}
