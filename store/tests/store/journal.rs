//! The journal keeps every event once, in order, and the view follows.

use bellhop_domain::{
    act::Append,
    event::{CommandRef, Event, NewEvent},
    status::Status,
};
use bellhop_store::Rebuilt;

use crate::fixture::*;

#[tokio::test]
async fn events_the_journal_has_stay_as_they_are_and_the_lost_ones_are_added() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let append = async |events: &[NewEvent], now| {
            store.append_events(&booking.append(events), at(now)).await.unwrap().last_seq
        };
        assert_eq!(append(&[fact(1)], 2).await, 3);
        assert_eq!(append(&[fact(1)], 9).await, 3, "a repeat");
        assert_eq!(append(&[fact(1), fact(2), fact(3), fact(2)], 5).await, 5, "the lost ones");
        let timeline = store.timeline(&booking.id).await.unwrap();
        let told: Vec<_> = timeline[2..].iter().map(|it| (it.event.key.as_str(), it.at)).collect();
        let expected = [("unknown/1", at(2)), ("unknown/2", at(5)), ("unknown/3", at(5))];
        assert_eq!(told, expected.map(|(key, at)| (format!("payment.{key}").leak() as &str, at)));
        let row = store.booking(&booking.id).await.unwrap().unwrap();
        assert_eq!((row.view.seq, row.view.updated_at), (5, Some(at(5))));
    })
    .await;
}

#[tokio::test]
async fn a_workflow_that_knows_less_than_the_journal_gets_all_of_it() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let append = async |known, ordinal| {
            let append = Append { booking: booking.id.clone(), events: vec![fact(ordinal)], known };
            store.append_events(&append, at(2)).await.unwrap()
        };
        assert_eq!(append(3, 1).await.more, [], "it knows everything");
        let answer = append(3, 2).await;
        assert_eq!(answer.last_seq, 4);
        assert_eq!(answer.more, store.timeline(&booking.id).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_event_that_cannot_follow_is_kept_and_raises_attention() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let events = [approved(), fact(1)];
        let appended = store.append_events(&booking.append(&events), at(2)).await.unwrap();
        assert_eq!(appended.last_seq, 4);
        let view = store.booking(&booking.id).await.unwrap().unwrap().view;
        assert_eq!(view.status, Status::Pending);
        assert!(view.attention.is_some());
        assert_eq!(store.messages_of(&booking.id).await.unwrap(), [], "nobody is told");
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_command_is_known_for_as_long_as_the_journal_is() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let command = CommandRef { id: "cmd_1".to_owned(), fingerprint: "body_1".to_owned() };
        let cancel = NewEvent { command: Some(command.clone()), ..cancelling() };
        store.append_events(&booking.append(&[cancel]), at(2)).await.unwrap();
        let known = store.command(&booking.id, "cmd_1").await.unwrap().unwrap();
        assert_eq!((known.command, known.seq), (command, 3));
        assert_eq!(store.command(&booking.id, "cmd_2").await.unwrap(), None);
        assert_eq!(store.command(&Booking::new("2").id, "cmd_1").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_command_that_is_written_down_is_new_once() {
    on_both(async |db| {
        let (store, id) = (&db.store, Booking::new("1").id);
        assert!(store.put_command("cmd_1", &id, &"cancel", at(1)).await.unwrap());
        assert!(!store.put_command("cmd_1", &id, &"cancel", at(2)).await.unwrap());
        store.forget_command("cmd_1").await.unwrap();
        assert!(store.put_command("cmd_1", &id, &"cancel", at(3)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_event_is_read_back_as_it_was_written() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let reason = Some("바빠요; DROP TABLE events --'\"".to_owned());
        let event = NewEvent { event: Event::Cancelling { reason, keep: None }, ..cancelling() };
        let fine = at(2) + jiff::SignedDuration::from_nanos(1_234_567);
        store.append_events(&booking.append(std::slice::from_ref(&event)), fine).await.unwrap();
        let stored = store.timeline(&booking.id).await.unwrap().remove(2);
        assert_eq!(stored.event, event);
        assert_eq!(stored.at, at(2) + jiff::SignedDuration::from_micros(1_234));
        let view = store.booking(&booking.id).await.unwrap().unwrap().view;
        assert_eq!(view.updated_at, Some(stored.at), "to the microsecond, as it is rebuilt");
    })
    .await;
}

#[tokio::test]
async fn rebuilding_folds_every_view_anew() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 300)).await;
        for number in 0..210 {
            Booking::new(&number.to_string()).opened(store).await;
        }
        let booking = Booking::new("x").confirmed(store).await;
        let sound = store.booking(&booking.id).await.unwrap();
        assert_eq!(store.rebuild(at(9)).await.unwrap(), Rebuilt { bookings: 211, changed: 0 });

        db.corrupt(
            r#"UPDATE bookings SET view = REPLACE(view, '"confirmed"', '"completed"')
               WHERE id = 'bk_x';
               UPDATE bookings SET status = 'cancelled' WHERE id = 'bk_7'"#,
        )
        .await
        .unwrap();
        assert_ne!(store.booking(&booking.id).await.unwrap(), sound);
        assert_eq!(store.rebuild(at(9)).await.unwrap(), Rebuilt { bookings: 211, changed: 2 });
        assert_eq!(store.booking(&booking.id).await.unwrap(), sound);
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}
