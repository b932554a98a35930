//! Acts answer their first outcome, whatever the world has come to.

use bellhop_domain::{
    act::{Assign, Assigned, Expiry, Firmed, Opened, Released},
    event::Event,
    plan::Plan,
    span::Span,
    status::Status,
};
use bellhop_store::{Pool, StoreError};

use crate::fixture::*;

#[tokio::test]
async fn opening_holds_and_prices_and_journals_what_is_cheapest() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("dear", "com_b", 12_000, 5)).await;
        put(store, taxis("cheap", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;

        assert_eq!((used(store, "cheap").await, used(store, "dear").await), ((1, 0), (0, 0)));
        let row = store.booking(&booking.id).await.unwrap().unwrap();
        assert_eq!((row.owner.as_str(), row.service.as_str()), ("cus_kim", "call-taxi"));
        assert_eq!((row.first_run_id.as_str(), row.created_at), ("run_1", at(1)));
        assert_eq!(row.plan, booking.plan);
        assert_eq!(row.view.amount, Some(won(9_800)));
        assert_eq!(row.view.company.as_ref().map(|it| it.as_str()), Some("com_a"));
        assert_eq!((row.view.status, row.view.seq), (Status::Pending, 2));
        let timeline = store.timeline(&booking.id).await.unwrap();
        let keys: Vec<_> = timeline.iter().map(|it| it.event.key.as_str()).collect();
        assert_eq!(keys, ["booking.created/1", "hold.placed/1"]);
        assert_eq!(timeline[0].event.actor, customer());

        // The cheapest is full: the next one.
        let Opened::Ready { amount, pool, company, events } =
            store.open_booking(&Booking::new("2").open(), at(1)).await.unwrap()
        else {
            panic!("refused")
        };
        let (pool, company) = (pool.unwrap(), company.unwrap());
        assert_eq!((amount, pool.as_str(), company.as_str()), (won(12_000), "dear", "com_b"));
        assert_eq!(events.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_request_may_name_its_company_and_gets_no_other() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("cheap", "com_a", 9_800, 9)).await;
        put(store, taxis("dear", "com_b", 12_000, 1)).await;
        let by_b = |name| {
            Booking::with(name, |plan| {
                plan.request.options.insert("company".to_owned(), "com_b".to_owned());
            })
        };
        by_b("1").opened(store).await;
        assert_eq!(used(store, "dear").await, (1, 0));
        let refused = store.open_booking(&by_b("2").open(), at(1)).await.unwrap();
        assert_eq!(code(&refused), "sold_out");
    })
    .await;
}

#[tokio::test]
async fn a_price_is_at_least_the_minimum_and_counts_every_piece() {
    on_both(async |db| {
        put(&db.store, taxis("bargain", "com_a", 100, 9)).await;
        let three = Booking::with("1", |plan| plan.request.quantity = 3).opened(&db.store).await;
        let row = db.store.booking(&three.id).await.unwrap().unwrap();
        assert_eq!(row.view.amount, Some(won(3 * 3_800)), "call-taxi 1: at least 3,800 won");
        assert_eq!(used(&db.store, "bargain").await, (3, 0));
    })
    .await;
}

#[tokio::test]
async fn what_nobody_offers_is_refused_with_another_code_than_what_is_sold_out() {
    on_both(async |db| {
        let store = &db.store;
        let open =
            async |name| store.open_booking(&Booking::new(name).open(), at(1)).await.unwrap();
        assert_eq!(code(&open("1").await), "not_offered", "there are no taxis");
        put(store, taxis("one", "com_a", 9_800, 0)).await;
        assert_eq!(code(&open("2").await), "sold_out");
        assert!(store.set_pool_open(&"one".parse().unwrap(), false).await.unwrap());
        assert_eq!(code(&open("3").await), "not_offered", "they are not open");
        assert!(!store.set_pool_open(&"none".parse().unwrap(), false).await.unwrap());

        let timeline = store.timeline(&Booking::new("2").id).await.unwrap();
        assert!(matches!(&timeline[..], [only] if matches!(
            only.event.event, Event::Created { amount: None, .. })));
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_was_held_is_answered_the_same_though_the_price_changed() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1");
        let first = store.open_booking(&booking.open(), at(1)).await.unwrap();
        put(store, taxis("one", "com_a", 15_000, 9)).await;
        put(store, taxis("two", "com_c", 4_000, 9)).await;

        assert_eq!(store.open_booking(&booking.open(), at(9)).await.unwrap(), first);
        assert_eq!((used(store, "one").await, used(store, "two").await), ((1, 0), (0, 0)));
        assert_eq!(store.timeline(&booking.id).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_stays_one_though_a_place_was_freed() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let lucky = Booking::new("lucky").opened(store).await;
        let late = Booking::new("late");
        let first = store.open_booking(&late.open(), at(2)).await.unwrap();
        assert_eq!(code(&first), "sold_out");
        store.release_booking(&lucky.release(), at(3)).await.unwrap();

        assert_eq!(store.open_booking(&late.open(), at(4)).await.unwrap(), first);
        assert_eq!(used(store, "one").await, (0, 0));
        let firm = store.firm_hold(&late.firm(), at(5)).await.unwrap();
        assert_eq!(firm, Firmed::Lost, "nothing was ever held");
    })
    .await;
}

#[tokio::test]
async fn a_booking_of_another_first_run_is_foreign_and_untouched() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 9)).await;
        let booking = Booking::new("1").opened(store).await;
        let mut open = booking.open();
        "run_2".clone_into(&mut open.first_run_id);
        assert_eq!(store.open_booking(&open, at(2)).await.unwrap(), Opened::Foreign);
        assert_eq!(store.open_booking(&open, at(3)).await.unwrap(), Opened::Foreign);
        assert_eq!(used(store, "one").await, (1, 0));
        assert_eq!(store.timeline(&booking.id).await.unwrap().len(), 2);
        // The other still gets its own answer.
        let again = store.open_booking(&booking.open(), at(4)).await.unwrap();
        assert!(matches!(again, Opened::Ready { .. }));
    })
    .await;
}

#[tokio::test]
async fn what_was_undone_before_it_was_opened_is_refused() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 9)).await;
        let booking = Booking::new("1");
        for now in [1, 2] {
            let released = store.release_booking(&booking.release(), at(now)).await.unwrap();
            assert_eq!(released, Released { quantity: 0, ..Released::default() });
        }
        let opened = store.open_booking(&booking.open(), at(3)).await.unwrap();
        assert_eq!(code(&opened), "closed");
        assert_eq!(store.open_booking(&booking.open(), at(4)).await.unwrap(), opened);
        assert_eq!(used(store, "one").await, (0, 0));
        assert_eq!(store.firm_hold(&booking.firm(), at(5)).await.unwrap(), Firmed::Lost);
        assert_eq!(store.assign_from_hold(&booking.assign(), at(5)).await.unwrap(), Assigned::Lost);
        assert_eq!(store.invariants(later()).await.unwrap(), []);

        // The same where there was nothing to hold anyway.
        let other = Booking::with("2", |plan| {
            plan.request.options.insert("grade".to_owned(), "flying".to_owned());
        });
        store.release_booking(&other.release(), at(1)).await.unwrap();
        assert_eq!(code(&store.open_booking(&other.open(), at(2)).await.unwrap()), "closed");
    })
    .await;
}

#[tokio::test]
async fn a_start_of_the_pools_own_is_booked_in_time_or_not_at_all() {
    on_both(async |db| {
        let store = &db.store;
        let starting = |id, at| Pool { starts_at: Some(at), ..taxis(id, "com_a", 9_800, 9) };
        put(store, starting("one", at(7_200))).await;
        let rule = |cut_off: &str, horizon: &str| {
            let span = |text: &str| Span::try_from(text.to_owned()).ok();
            let (cut_off, horizon) = (span(cut_off), span(horizon));
            move |plan: &mut Plan| {
                let request = &mut plan.service.request;
                (request.cut_off, request.horizon) = (cut_off, horizon);
            }
        };
        let open = async |name: &str, now| {
            let booking = Booking::with(name, rule("1h", "90m"));
            store.open_booking(&booking.open(), at(now)).await.unwrap()
        };
        assert_eq!(code(&open("1", 1_799).await), "too_early");
        assert!(matches!(open("2", 1_800).await, Opened::Ready { .. }));
        assert!(matches!(open("3", 3_600).await, Opened::Ready { .. }), "the last moment");
        assert_eq!(code(&open("4", 3_601).await), "too_late");
        assert_eq!(code(&open("4", 1_800).await), "too_late", "a repeat answers the same");
        assert_eq!(code(&open("5", 7_200).await), "not_offered", "it has begun");
        assert_eq!(used(store, "one").await, (2, 0));
        // Another of its kind that is in time is booked instead.
        put(store, starting("two", at(7_300))).await;
        assert!(matches!(open("6", 3_601).await, Opened::Ready { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_firm_hold_never_expires() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let first = store.firm_hold(&booking.firm(), at(2)).await.unwrap();
        let Firmed::Firm { events } = &first else { panic!("lost") };
        assert_eq!((events[0].seq, events[0].at), (3, at(2)));
        assert_eq!(booking.status(store).await, Status::AwaitingApproval);
        assert_eq!(store.expire_hold(&booking.expire(1), at(9_999)).await.unwrap(), Expiry::Kept);
        assert_eq!(used(store, "one").await, (1, 0));

        // A repeat answers the same, even when the hold is gone meanwhile.
        store.release_booking(&booking.release(), at(3)).await.unwrap();
        assert_eq!(store.firm_hold(&booking.firm(), at(4)).await.unwrap(), first);
        assert_eq!(used(store, "one").await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_hold_expires_when_its_time_is_over_and_not_before() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let expire = async |ordinal, now| {
            store.expire_hold(&booking.expire(ordinal), at(now)).await.unwrap()
        };
        assert_eq!(expire(1, 899).await, Expiry::Kept);
        assert_eq!(expire(1, 901).await, Expiry::Kept, "the same look answers the same");
        assert_eq!(used(store, "one").await, (1, 0));
        assert_eq!(expire(2, 900).await, Expiry::Expired);
        assert_eq!(expire(2, 901).await, Expiry::Expired);
        assert_eq!(expire(3, 902).await, Expiry::Kept, "it went back before");
        assert_eq!(used(store, "one").await, (0, 0), "once");
    })
    .await;
}

#[tokio::test]
async fn a_late_payment_takes_an_expired_hold_again_while_there_is_room() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        store.expire_hold(&booking.expire(1), at(900)).await.unwrap();
        // Even from a pool that takes no new bookings.
        store.set_pool_open(&"one".parse().unwrap(), false).await.unwrap();
        let firm = store.firm_hold(&booking.firm(), at(901)).await.unwrap();
        assert!(matches!(firm, Firmed::Firm { .. }));
        assert_eq!(used(store, "one").await, (1, 0));
        assert_eq!(store.expire_hold(&booking.expire(2), at(9_999)).await.unwrap(), Expiry::Kept);
    })
    .await;
}

#[tokio::test]
async fn a_lost_hold_stays_lost_though_a_place_is_freed() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let late = Booking::new("late").opened(store).await;
        store.expire_hold(&late.expire(1), at(900)).await.unwrap();
        let other = Booking::new("other").opened(store).await;
        assert_eq!(store.firm_hold(&late.firm(), at(901)).await.unwrap(), Firmed::Lost);
        assert_eq!(store.timeline(&late.id).await.unwrap().len(), 2, "no payment is journalled");
        store.release_booking(&other.release(), at(902)).await.unwrap();
        assert_eq!(store.firm_hold(&late.firm(), at(903)).await.unwrap(), Firmed::Lost);
        assert_eq!(used(store, "one").await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_payment_that_may_not_move_a_cancelled_booking_is_journalled_as_a_fact() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        store.append_events(&booking.append(&[cancelling()]), at(2)).await.unwrap();
        let Firmed::Firm { events } = store.firm_hold(&booking.firm(), at(3)).await.unwrap() else {
            panic!("lost")
        };
        assert_eq!((events[0].seq, events[0].event.change), (4, None));
        let assigned = store.assign_from_hold(&booking.assign(), at(4)).await.unwrap();
        let Assigned::Made { events, .. } = assigned else { panic!("lost") };
        assert_eq!(events[0].event.change, None);
        let view = store.booking(&booking.id).await.unwrap().unwrap().view;
        assert_eq!((view.status, view.attention), (Status::Cancelling, None));
    })
    .await;
}

#[tokio::test]
async fn assigning_takes_what_was_held_once() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").approved(store).await;
        let first = store.assign_from_hold(&booking.assign(), at(4)).await.unwrap();
        let Assigned::Made { assignment, events } = &first else { panic!("lost") };
        assert_eq!(assignment.label, "Taxi one");
        assert_eq!(assignment.company.as_ref().map(|it| it.as_str()), Some("com_a"));
        assert_eq!(events[0].event.key, "assignment.made/1");
        assert_eq!(booking.status(store).await, Status::Confirmed);
        assert_eq!(used(store, "one").await, (0, 1));

        // In a changed world: renamed, then released.
        let mut renamed = taxis("one", "com_a", 9_800, 1);
        "Other".clone_into(&mut renamed.label);
        put(store, renamed).await;
        assert_eq!(store.assign_from_hold(&booking.assign(), at(5)).await.unwrap(), first);
        let released = store.release_booking(&booking.release(), at(6)).await.unwrap();
        assert_eq!(released, Released { quantity: 1, ..Released::default() });
        assert_eq!(store.assign_from_hold(&booking.assign(), at(7)).await.unwrap(), first);
        assert_eq!(used(store, "one").await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn what_was_released_cannot_be_assigned_or_made_firm() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        let release = async |now| store.release_booking(&booking.release(), at(now)).await.unwrap();
        assert_eq!(release(2).await, Released { quantity: 1, ..Released::default() });
        assert_eq!(
            release(3).await,
            Released { quantity: 1, ..Released::default() },
            "the first answer"
        );
        assert_eq!(used(store, "one").await, (0, 0));
        assert_eq!(store.firm_hold(&booking.firm(), at(4)).await.unwrap(), Firmed::Lost);
        assert_eq!(store.assign_from_hold(&booking.assign(), at(4)).await.unwrap(), Assigned::Lost);
        // A repeat of what was lost, with the place free again, is lost.
        assert_eq!(store.assign_from_hold(&booking.assign(), at(5)).await.unwrap(), Assigned::Lost);
    })
    .await;
}

#[tokio::test]
async fn an_expired_hold_that_was_undone_is_not_taken_again() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        store.expire_hold(&booking.expire(1), at(900)).await.unwrap();
        let released = store.release_booking(&booking.release(), at(901)).await.unwrap();
        assert_eq!(released, Released { quantity: 0, ..Released::default() });
        assert_eq!(store.firm_hold(&booking.firm(), at(902)).await.unwrap(), Firmed::Lost);
        assert_eq!(used(store, "one").await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_was_never_opened_is_not_there() {
    on_both(async |db| {
        let store = &db.store;
        let booking = Booking::new("1");
        let is_missing =
            |error: StoreError| matches!(error, StoreError::NoBooking(id) if id == booking.id);
        assert!(is_missing(store.firm_hold(&booking.firm(), at(1)).await.unwrap_err()));
        assert!(is_missing(store.assign_from_hold(&booking.assign(), at(1)).await.unwrap_err()));
        let append = booking.append(&[fact(1)]);
        assert!(is_missing(store.append_events(&append, at(1)).await.unwrap_err()));
        assert_eq!(store.expire_hold(&booking.expire(1), at(1)).await.unwrap(), Expiry::Kept);
        assert_eq!(store.booking(&booking.id).await.unwrap(), None);
        assert_eq!(store.timeline(&booking.id).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_booking_without_a_price_is_an_error_and_leaves_nothing() {
    on_both(async |db| {
        let booking = Booking::with("1", |plan| plan.service.hold = None);
        let error = db.store.open_booking(&booking.open(), at(1)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unpriced(_)), "{error}");
        assert_eq!(db.store.booking(&booking.id).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_came_before_an_assignment_is_journalled_with_it() {
    on_both(async |db| {
        let store = &db.store;
        put(store, taxis("one", "com_a", 9_800, 1)).await;
        let booking = Booking::new("1").opened(store).await;
        store.firm_hold(&booking.firm(), at(2)).await.unwrap();
        // The publisher was slower than the workflow.
        let assign = Assign { events: vec![authorized(), approved()], ..booking.assign() };
        let first = store.assign_from_hold(&assign, at(3)).await.unwrap();
        let Assigned::Made { events, .. } = &first else { panic!("lost") };
        let seqs: Vec<_> = events.iter().map(|it| (it.event.key.as_str(), it.seq)).collect();
        let expected =
            [("payment.authorized/1", 3), ("approval.granted/1", 4), ("assignment.made/1", 5)];
        assert_eq!(seqs, expected);
        assert_eq!(booking.status(store).await, Status::Confirmed);

        // It comes late, and changes nothing.
        let late = booking.append(&[approved()]);
        assert_eq!(store.append_events(&late, at(4)).await.unwrap().last_seq, 5);
        assert_eq!(store.assign_from_hold(&assign, at(5)).await.unwrap(), first);
        assert_eq!(store.timeline(&booking.id).await.unwrap().len(), 5);
    })
    .await;
}
