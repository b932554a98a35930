//! Messages: due with their event, in order per booking, and each told once.

use bellhop_domain::{
    message::{Audience, Channel, MessageStatus},
    status::Status,
    text,
    view::BookingView,
};
use bellhop_store::{
    DueMessage, MessageOutcome, MessageRow, SHARDS, Store, shard, testing::TestDb,
};
use jiff::Timestamp;

use crate::fixture::*;

async fn due(store: &Store, now: Timestamp) -> Vec<DueMessage> {
    let mut due = vec![];
    for shard in store.due_shards(now).await.unwrap() {
        let found = store.take_due_messages(shard, now, 100).await.unwrap();
        assert!(!found.is_empty(), "a shard that is due has something to send");
        due.extend(found);
    }
    due
}

async fn finish(store: &Store, message: &DueMessage, outcome: MessageOutcome, now: i64) {
    store.finish_message(&message.id, &outcome, at(now)).await.unwrap();
}

fn delivered() -> MessageOutcome {
    MessageOutcome::Delivered { gateway_id: "gw_1".to_owned() }
}

/// A booking of a service that writes by KakaoTalk and else by SMS, with two messages due.
async fn booked(db: &TestDb) -> Booking {
    put(&db.store, taxis("one", "com_a", 9_800, 100)).await;
    let booking = Booking::with("1", |plan| {
        plan.service.messages.customer = vec![Channel::KakaoTalk, Channel::Sms];
    });
    booking.approved(&db.store).await
}

async fn messages(store: &Store, booking: &Booking) -> Vec<MessageRow> {
    store.messages_of(&booking.id).await.unwrap()
}

#[tokio::test]
async fn each_change_that_is_told_becomes_a_message_in_the_customers_words() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").confirmed(store).await;
        let rows = messages(store, &booking).await;
        let told: Vec<_> = rows.iter().map(|it| it.template.as_str()).collect();
        assert_eq!(told, ["awaiting_approval", "dispatching", "confirmed"]);
        let view = store.booking(&booking.id).await.unwrap().unwrap().view;
        assert_eq!(rows[2].body, text::render(&booking.plan, &view).unwrap().body);
        let before = BookingView { status: Status::Dispatching, assignment: None, ..view };
        let dispatching = text::render(&booking.plan, &before).unwrap().body;
        assert_eq!(rows[1].body, dispatching, "as it stood then");
        assert_eq!(rows[2].channel, Channel::Sms);
        assert_eq!(rows[2].recipient.e164(), "+821012345678");
        assert_eq!(rows[2].event_key, "assignment.made/1");
        assert_eq!(rows[2].status, MessageStatus::Due);
        assert_eq!(rows[2].created_at, at(4));

        // What repeats is told once.
        let repeat = booking.append(&[authorized(), approved()]);
        store.append_events(&repeat, at(9)).await.unwrap();
        assert_eq!(messages(store, &booking).await, rows);
    })
    .await;
}

#[tokio::test]
async fn a_service_without_channels_tells_nobody() {
    on_both(async |db| {
        put(&db.store, taxis("one", "com_a", 9_800, 1)).await;
        let silent = Booking::with("1", |plan| plan.service.messages.customer = vec![]);
        let silent = silent.approved(&db.store).await;
        assert_eq!(messages(&db.store, &silent).await, []);
        assert_eq!(db.store.due_shards(later()).await.unwrap(), [] as [i16; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_bookings_messages_go_out_one_after_the_other() {
    on_both(async |db| {
        let store = &db.store;
        booked(db).await;
        assert_eq!(due(store, at(1)).await, [], "not yet");
        let first = due(store, at(3)).await;
        assert_eq!(first.len(), 1);
        assert_eq!((first[0].template.as_str(), first[0].attempts), ("awaiting_approval", 0));
        assert_eq!(due(store, at(3)).await, first, "until it is finished");

        let retry = MessageOutcome::Retry { at: at(60), error: "busy".to_owned() };
        finish(store, &first[0], retry, 4).await;
        assert_eq!(store.due_shards(at(59)).await.unwrap(), [] as [i16; 0]);
        assert_eq!(due(store, at(59)).await, [], "the second waits for the first");
        let again = due(store, at(60)).await;
        assert_eq!((again[0].id.as_str(), again[0].attempts), (first[0].id.as_str(), 1));

        finish(store, &again[0], delivered(), 61).await;
        let second = due(store, at(61)).await;
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].template, "dispatching");
        finish(store, &second[0], delivered(), 62).await;
        assert_eq!(due(store, later()).await, []);
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_fails_is_followed_by_the_next_before_later_messages() {
    on_both(async |db| {
        let store = &db.store;
        let booking = booked(db).await;
        let first = due(store, at(3)).await.remove(0);
        assert_eq!(first.channel, Channel::KakaoTalk);
        let failed = || MessageOutcome::Failed { code: "no_such_user".to_owned() };
        finish(store, &first, failed(), 4).await;
        let fallback = due(store, at(4)).await.remove(0);
        assert_eq!((fallback.channel, &fallback.body), (Channel::Sms, &first.body));
        assert_ne!(fallback.id, first.id);

        // There is no third channel.
        finish(store, &fallback, failed(), 5).await;
        let next = due(store, at(5)).await.remove(0);
        assert_eq!((next.template.as_str(), next.channel), ("dispatching", Channel::KakaoTalk));
        let rows = messages(store, &booking).await;
        let told: Vec<_> = rows.iter().map(|it| (it.channel, it.status)).collect();
        assert_eq!(
            told,
            [
                (Channel::KakaoTalk, MessageStatus::Failed),
                (Channel::Sms, MessageStatus::Failed),
                (Channel::KakaoTalk, MessageStatus::Due),
            ]
        );
        assert_eq!(rows[0].error.as_deref(), Some("no_such_user"));
    })
    .await;
}

#[tokio::test]
async fn a_late_word_on_a_message_that_is_finished_changes_nothing() {
    on_both(async |db| {
        let store = &db.store;
        let booking = booked(db).await;
        let first = due(store, at(3)).await.remove(0);
        finish(store, &first, delivered(), 4).await;
        let rows = messages(store, &booking).await;
        finish(store, &first, MessageOutcome::Failed { code: "late".to_owned() }, 5).await;
        finish(store, &first, MessageOutcome::Unknown { at: at(9) }, 5).await;
        assert_eq!(messages(store, &booking).await, rows);
        store.finish_message("msg_none", &delivered(), at(5)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_message_that_may_have_gone_out_says_so_when_it_goes_out_again() {
    on_both(async |db| {
        let store = &db.store;
        let booking = booked(db).await;
        let first = due(store, at(3)).await.remove(0);
        assert!(!first.maybe_sent_twice);
        finish(store, &first, MessageOutcome::Unknown { at: at(9) }, 4).await;
        assert_eq!(due(store, at(8)).await, []);
        let again = due(store, at(9)).await.remove(0);
        assert!(again.maybe_sent_twice);
        finish(store, &again, delivered(), 10).await;
        let row = messages(store, &booking).await.remove(0);
        assert!(row.maybe_sent_twice);
        assert_eq!((row.status, row.attempts), (MessageStatus::Delivered, 2));
        assert_eq!(row.gateway_id.as_deref(), Some("gw_1"));
    })
    .await;
}

#[tokio::test]
async fn bookings_spread_over_the_shards_and_do_not_wait_for_each_other() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 100)).await;
        for number in 0..60 {
            Booking::new(&number.to_string()).approved(store).await;
        }
        let shards = store.due_shards(at(9)).await.unwrap();
        assert!(shards.len() > 10 && shards.iter().all(|it| (0..SHARDS).contains(it)));
        let due = due(store, at(9)).await;
        assert_eq!(due.len(), 60, "one for each");
        let first = store.take_due_messages(shard(&due[0].booking), at(9), 1).await.unwrap();
        assert_eq!(first.len(), 1, "no more than were asked for");
    })
    .await;
}

#[test]
fn a_bookings_shard_never_changes() {
    let shards = ["bk_1", "bk_2", "bk_kim"].map(|it| shard(&it.parse().unwrap()));
    assert_eq!(shards, [shard(&"bk_1".parse().unwrap()), shards[1], shards[2]]);
}

#[tokio::test]
async fn a_customers_messages_are_listed_newest_first() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 100)).await;
        for number in 0..3 {
            Booking::new(&number.to_string()).approved(store).await;
        }
        let lee = "cus_lee".parse().unwrap();
        let other =
            Booking::with("lee", |plan| plan.request.customer.id = "cus_lee".parse().unwrap());
        other.approved(store).await;
        let kim = "cus_kim".parse().unwrap();
        let (mut all, mut cursor) = (vec![], None);
        loop {
            let page =
                store.messages_to(Audience::Customer, &kim, cursor.as_ref(), 4).await.unwrap();
            all.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(all.len(), 6);
        assert!(all.is_sorted_by(|a, b| (b.created_at, &b.id) < (a.created_at, &a.id)));
        assert_eq!(
            store.messages_to(Audience::Customer, &lee, None, 9).await.unwrap().items.len(),
            2
        );
    })
    .await;
}
