//! People and claims: who is nearest, one at a time, and told of it.

use std::collections::{BTreeMap, BTreeSet};

use bellhop_domain::{
    act::{Claim, Claimed, Release},
    event::{Actor, Event, NewEvent, Role},
    id::{CompanyId, OfferId, SubjectId},
    key::Purpose,
    message::{Audience, Channel},
    plan::Plan,
    service::Service,
    status::{Status, Trigger},
    text::Language,
};
use bellhop_store::{MessageOutcome, MessageRow, Staff, Store, StoreError, testing::TestDb};
use jiff::Timestamp;

use crate::fixture::*;

/// A degree along a meridian, in metres.
const DEGREE: f64 = 111_195.0;

pub(crate) fn subject(id: &str) -> SubjectId {
    id.parse().unwrap()
}

pub(crate) fn driver(id: &str) -> Staff {
    Staff {
        id: subject(id),
        kind: "driver".to_owned(),
        company: "com_a".parse().unwrap(),
        name: format!("Driver {id}"),
        phone: "010-2000-1001".parse().unwrap(),
        language: Language::En,
        skills: vec!["automatic".to_owned()],
    }
}

/// Puts a driver who is free, so many metres north of where the bookings are.
pub(crate) async fn put_driver(store: &Store, staff: Staff, metres: f64) {
    store.put_staff(&staff, at(0)).await.unwrap();
    let (lat, lon) = (37.5563 + metres / DEGREE, 126.9236);
    assert!(store.set_staff_location(&staff.id, lat, lon, at(0)).await.unwrap());
    assert!(store.set_staff_available(&staff.id, true).await.unwrap());
}

fn plan_of_a_drive() -> Plan {
    let text = include_str!("../../../services/designated-driver.toml");
    let service = Service::parse("designated-driver.toml", text).unwrap();
    let mut plan = Plan { revision: service.revision().unwrap(), service, ..plan() };
    plan.request.options = BTreeMap::from([("gearbox".to_owned(), "automatic".to_owned())]);
    plan.request.agreed_cost = Some(won(25_000));
    plan.request.payment = None;
    plan
}

/// A booking of a driver, called and not answered yet.
pub(crate) async fn called(store: &Store, name: &str) -> Booking {
    let booking = Booking::with(name, |plan| *plan = plan_of_a_drive()).opened(store).await;
    assert_eq!(booking.status(store).await, Status::Dispatching);
    booking
}

impl Booking {
    pub(crate) fn claim(&self, ordinal: u32) -> Claim {
        Claim {
            key: self.key(Purpose::Claim, ordinal),
            booking: self.id.clone(),
            ordinal,
            within: 3_000,
            excluded: vec![],
            expires_at: None,
            events: vec![],
        }
    }

    /// The same, as a question until `at(60)`.
    fn ask(&self, ordinal: u32) -> Claim {
        Claim { expires_at: Some(at(60)), ..self.claim(ordinal) }
    }

    fn declined(&self, staff: &str) -> NewEvent {
        NewEvent::new(Event::OfferDeclined { subject: subject(staff) }, 1)
            .by(Actor::new(Role::Driver, staff))
            .moving(Trigger::Unassign, Status::Dispatching)
    }

    fn released(&self, staff: &str) -> NewEvent {
        NewEvent::new(Event::AssignmentReleased { subject: Some(subject(staff)) }, 1)
    }
}

async fn claimed(store: &Store, claim: &Claim) -> Claimed {
    store.claim_nearest(claim, at(5)).await.unwrap()
}

/// Whom a claim was made on.
fn who(claimed: &Claimed) -> Option<&str> {
    match claimed {
        Claimed::Made { assignment, .. } => assignment.subject.as_ref().map(SubjectId::as_str),
        Claimed::Nobody | Claimed::Closed => None,
    }
}

async fn is_busy(store: &Store, id: &str) -> bool {
    store.staff(&subject(id)).await.unwrap().unwrap().busy
}

#[tokio::test]
async fn a_person_is_changed_and_keeps_kind_and_company() {
    on_both(async |db| {
        let store = &db.store;
        store.put_staff(&driver("drv_1"), at(1)).await.unwrap();
        let row = store.staff(&subject("drv_1")).await.unwrap().unwrap();
        assert_eq!(row.staff, driver("drv_1"));
        assert_eq!((row.available, row.busy, row.location), (false, false, None));
        assert_eq!(row.created_at, at(1));

        assert!(store.set_staff_available(&subject("drv_1"), true).await.unwrap());
        store.set_staff_location(&subject("drv_1"), -37.123_456, 179.5, at(2)).await.unwrap();
        let changed = Staff { name: "Park".to_owned(), skills: vec![], ..driver("drv_1") };
        store.put_staff(&changed, at(3)).await.unwrap();
        let row = store.staff(&subject("drv_1")).await.unwrap().unwrap();
        assert_eq!((row.staff, row.available, row.created_at), (changed.clone(), true, at(1)));
        let location = row.location.unwrap();
        assert_eq!((location.lat, location.lon, location.at), (-37.123_456, 179.5, at(2)));

        let cleaner = Staff { kind: "cleaner".to_owned(), ..driver("drv_1") };
        let moved = Staff { company: "com_b".parse().unwrap(), ..driver("drv_1") };
        for other in [cleaner, moved] {
            let refused = store.put_staff(&other, at(4)).await.unwrap_err();
            assert!(matches!(refused, StoreError::StaffFixed(_)), "{refused}");
        }
        assert_eq!(store.staff(&subject("drv_1")).await.unwrap().unwrap().staff, changed);
        assert!(!store.set_staff_available(&subject("drv_9"), true).await.unwrap());
        assert!(!store.set_staff_location(&subject("drv_9"), 0.0, 0.0, at(4)).await.unwrap());
        assert_eq!(store.staff(&subject("drv_9")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn people_are_listed_by_kind_and_company_page_by_page() {
    on_both(async |db| {
        let store = &db.store;
        for number in 0..7 {
            let company = if number % 2 == 0 { "com_a" } else { "com_b" };
            let kind = if number == 6 { "cleaner" } else { "driver" };
            let (kind, company) = (kind.to_owned(), company.parse().unwrap());
            let staff = Staff { kind, company, ..driver(&format!("p_{number}")) };
            store.put_staff(&staff, at(1)).await.unwrap();
        }
        let listed = async |kind: Option<&str>, companies: Option<&[CompanyId]>| {
            let (mut ids, mut cursor) = (vec![], None);
            loop {
                let page = store.staff_of(kind, companies, cursor.as_ref(), 2).await.unwrap();
                assert!(page.items.len() <= 2);
                ids.extend(page.items.into_iter().map(|it| it.staff.id.to_string()));
                cursor = page.next;
                if cursor.is_none() {
                    return ids;
                }
            }
        };
        let (a, b): (CompanyId, CompanyId) = ("com_a".parse().unwrap(), "com_b".parse().unwrap());
        let all = ["p_0", "p_1", "p_2", "p_3", "p_4", "p_5", "p_6"];
        assert_eq!(listed(None, None).await, all);
        assert_eq!(listed(Some("driver"), Some(std::slice::from_ref(&a))).await, all_of("024"));
        assert_eq!(listed(None, Some(&[a, b.clone()])).await, all);
        assert_eq!(listed(Some("cleaner"), None).await, ["p_6"]);
        assert_eq!(listed(Some("cleaner"), Some(&[b])).await, [""; 0]);
        assert_eq!(listed(None, Some(&[])).await, [""; 0]);
    })
    .await;
}

fn all_of(numbers: &str) -> Vec<String> {
    numbers.chars().map(|it| format!("p_{it}")).collect()
}

#[tokio::test]
async fn the_nearest_who_is_free_and_can_is_assigned() {
    on_both(async |db| {
        let store = &db.store;
        let manual = Staff { skills: vec!["manual".to_owned()], ..driver("drv_manual") };
        put_driver(store, manual, 10.0).await;
        let cleaner = Staff { kind: "cleaner".to_owned(), ..driver("cln_1") };
        put_driver(store, cleaner, 20.0).await;
        put_driver(store, driver("drv_off"), 30.0).await;
        store.set_staff_available(&subject("drv_off"), false).await.unwrap();
        store.put_staff(&driver("drv_nowhere"), at(0)).await.unwrap();
        store.set_staff_available(&subject("drv_nowhere"), true).await.unwrap();
        put_driver(store, driver("drv_far"), 2_900.0).await;
        put_driver(store, driver("drv_near"), -900.0).await;
        put_driver(store, driver("drv_b"), 1_000.0).await;
        put_driver(store, driver("drv_a"), 1_000.0).await;
        put_driver(store, driver("drv_beyond"), 3_001.0).await;

        let first = called(store, "1").await;
        let made = claimed(store, &first.claim(1)).await;
        assert_eq!(who(&made), Some("drv_near"));
        let view = store.booking(&first.id).await.unwrap().unwrap().view;
        let assignment = view.assignment.clone().unwrap();
        assert_eq!(view.status, Status::Confirmed);
        assert_eq!((assignment.label.as_str(), view.offer), ("Driver drv_near", None));
        assert_eq!(assignment.company, Some("com_a".parse().unwrap()));
        assert_eq!(assignment.offer, Some(OfferId::new(&first.id, 1)));
        let timeline = store.timeline(&first.id).await.unwrap();
        assert_eq!(timeline.last().unwrap().event.key, "assignment.made/1");

        for (name, expected) in
            [("2", Some("drv_a")), ("3", Some("drv_b")), ("4", Some("drv_far")), ("5", None)]
        {
            let booking = called(store, name).await;
            assert_eq!(who(&claimed(store, &booking.claim(1)).await), expected, "{name}");
        }
        let farther = Claim { within: 6_000, ..called(store, "6").await.claim(1) };
        assert_eq!(who(&claimed(store, &farther).await), Some("drv_beyond"));
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn more_people_than_are_read_at_a_time_are_searched() {
    on_both(async |db| {
        let store = &db.store;
        // By their ids the nearest comes last.
        for number in 0..520 {
            let metres = 2_000.0 - f64::from(number);
            put_driver(store, driver(&format!("drv_{number:03}")), metres).await;
        }
        let made = claimed(store, &called(store, "1").await.claim(1)).await;
        assert_eq!(who(&made), Some("drv_519"));
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_repeats_answers_the_first_outcome_in_a_changed_world() {
    on_both(async |db| {
        let store = &db.store;
        let nobody = called(store, "1").await;
        assert_eq!(claimed(store, &nobody.claim(1)).await, Claimed::Nobody);
        put_driver(store, driver("drv_1"), 500.0).await;
        assert_eq!(claimed(store, &nobody.claim(1)).await, Claimed::Nobody, "as it was");

        let made = claimed(store, &nobody.claim(2)).await;
        assert_eq!(who(&made), Some("drv_1"));
        put_driver(store, driver("drv_nearer"), 1.0).await;
        assert_eq!(claimed(store, &nobody.claim(2)).await, made);
        assert!(!is_busy(store, "drv_nearer").await);
        let timeline = store.timeline(&nobody.id).await.unwrap();
        assert_eq!(timeline.last().unwrap().event.key, "assignment.made/2");
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn who_declines_is_free_again_and_not_asked_again() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        put_driver(store, driver("drv_2"), 200.0).await;
        let booking = called(store, "1").await;
        claimed(store, &booking.claim(1)).await;
        let declined = booking.declined("drv_1");
        store.append_events(&booking.append(&[declined]), at(6)).await.unwrap();
        let next = Claim { excluded: vec![subject("drv_1")], ..booking.claim(2) };
        assert_eq!(who(&claimed(store, &next).await), Some("drv_2"));
        assert_eq!((is_busy(store, "drv_1").await, is_busy(store, "drv_2").await), (false, true));
        let other = called(store, "2").await;
        assert_eq!(who(&claimed(store, &other.claim(1)).await), Some("drv_1"));

        // Nobody is left for the first booking once the second declines, too: both are free.
        let everybody = vec![subject("drv_1"), subject("drv_2")];
        let last = Claim { excluded: everybody, ..booking.claim(3) };
        let declined = NewEvent { key: "offer.declined/2".to_owned(), ..booking.declined("drv_2") };
        store.append_events(&booking.append(&[declined]), at(7)).await.unwrap();
        assert_eq!(claimed(store, &last).await, Claimed::Nobody);
        assert!(!is_busy(store, "drv_2").await, "free, although nobody follows");
        assert_eq!(store.invariants(later()).await.unwrap(), []);

        let claims = store.claims(Some(&subject("drv_1")), None, 10).await.unwrap().items;
        let of: Vec<_> = claims.iter().map(|(it, _)| (it.booking.as_str(), it.ended_at)).collect();
        assert_eq!(of.len(), 2);
        assert!(of.contains(&("bk_1", Some(at(5)))) && of.contains(&("bk_2", None)), "{of:?}");
    })
    .await;
}

#[tokio::test]
async fn a_question_does_not_confirm_and_stands_in_the_view() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        let booking = called(store, "1").await;
        let made = claimed(store, &booking.ask(1)).await;
        assert_eq!(who(&made), Some("drv_1"));
        let view = store.booking(&booking.id).await.unwrap().unwrap().view;
        let offer = view.offer.unwrap();
        assert_eq!((view.status, view.assignment), (Status::Dispatching, None));
        assert_eq!((offer.id, offer.expires_at), (OfferId::new(&booking.id, 1), at(60)));
        let claim = store.claim(&OfferId::new(&booking.id, 1)).await.unwrap().unwrap();
        assert_eq!((claim.staff, claim.expires_at), (subject("drv_1"), Some(at(60))));
        let timeline = store.timeline(&booking.id).await.unwrap();
        assert_eq!(timeline.last().unwrap().event.key, "offer.made/1");
        assert_eq!(store.invariants(later()).await.unwrap(), []);
        assert_eq!(store.claim(&OfferId::new(&booking.id, 2)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_booking_that_was_undone_claims_nobody() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        let cancelled = called(store, "1").await;
        store.append_events(&cancelled.append(&[cancelling()]), at(4)).await.unwrap();
        assert_eq!(claimed(store, &cancelled.claim(1)).await, Claimed::Closed);

        // Released by a life that was lost, before the journal says why.
        let released = called(store, "2").await;
        store.release_booking(&released.release(), at(4)).await.unwrap();
        assert_eq!(claimed(store, &released.claim(1)).await, Claimed::Closed);
        assert!(!is_busy(store, "drv_1").await);

        let unknown = Booking::new("3").claim(1);
        let error = store.claim_nearest(&unknown, at(5)).await.unwrap_err();
        assert!(matches!(error, StoreError::NoBooking(_)), "{error}");

        let served = called(store, "4").await;
        assert_eq!(who(&claimed(store, &served.claim(1)).await), Some("drv_1"));
        let release = Release { served: true, ..served.release() };
        let released = store.release_booking(&release, at(6)).await.unwrap();
        assert_eq!(released.subject, Some(subject("drv_1")));
        assert!(!is_busy(store, "drv_1").await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_bookings_at_once_share_twenty_drivers_and_none_has_two() {
    on_both(async |db| {
        let store = &db.store;
        for number in 0..20 {
            // Some as near as others, so that all want the same ones first.
            put_driver(store, driver(&format!("drv_{number}")), f64::from(number / 5)).await;
        }
        let claims = crate::races::all(store, 50, |store, number| async move {
            let booking = called(&store, &number.to_string()).await;
            crate::races::retried!(store.claim_nearest(&booking.claim(1), at(5)))
        })
        .await;
        let assigned: Vec<_> = claims.iter().filter_map(who).collect();
        let distinct: BTreeSet<_> = assigned.iter().collect();
        assert_eq!((assigned.len(), distinct.len()), (20, 20));
        let nobody = claims.iter().filter(|it| **it == Claimed::Nobody).count();
        assert_eq!(nobody, 30);
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claiming_again_and_letting_go_while_others_claim_leaves_each_driver_once() {
    on_both(async |db| {
        let store = &db.store;
        for number in 0..4 {
            put_driver(store, driver(&format!("drv_{number}")), f64::from(number)).await;
        }
        crate::races::all(store, 12, |store, number| async move {
            let booking = called(&store, &number.to_string()).await;
            for ordinal in 1..=5 {
                let claim = booking.ask(ordinal);
                _ = crate::races::retried!(store.claim_nearest(&claim, at(5)));
            }
            if number % 2 == 0 {
                let (release, cancel) = (booking.release(), booking.append(&[cancelling()]));
                _ = crate::races::retried!(store.append_events(&cancel, at(6)));
                _ = crate::races::retried!(store.release_booking(&release, at(6)));
            }
        })
        .await;
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

async fn to_staff(store: &Store, booking: &Booking) -> Vec<MessageRow> {
    let rows = store.messages_of(&booking.id).await.unwrap();
    rows.into_iter().filter(|it| it.audience == Audience::Staff).collect()
}

fn templates(rows: &[MessageRow]) -> Vec<&str> {
    rows.iter().map(|it| it.template.as_str()).collect()
}

#[tokio::test]
async fn who_is_assigned_is_told_and_told_when_it_is_taken_back() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        let booking = called(store, "1").await;
        claimed(store, &booking.claim(1)).await;
        let told = to_staff(store, &booking).await;
        assert_eq!(templates(&told), ["staff_assigned"]);
        assert_eq!((told[0].channel, &told[0].subject), (Channel::Sms, &subject("drv_1")));
        assert_eq!(told[0].recipient.e164(), "+821020001001");
        assert_eq!(told[0].event_key, "assignment.made/1");
        assert!(told[0].body.starts_with("[Designated driver] "), "in their language");
        assert!(told[0].body.contains("서울 마포구") && told[0].body.contains("25,000"));

        let end = [cancelling(), booking.released("drv_1"), cancelled()];
        store.append_events(&booking.append(&end), at(6)).await.unwrap();
        store.append_events(&booking.append(&end), at(7)).await.unwrap();
        let told = to_staff(store, &booking).await;
        assert_eq!(templates(&told), ["staff_assigned", "staff_released"], "once");

        // Neither history has the other's.
        let (kim, one) = (subject("cus_kim"), subject("drv_1"));
        let history = async |audience, who| {
            let page = store.messages_to(audience, who, None, 20).await.unwrap();
            page.items.into_iter().map(|it| it.template).collect::<BTreeSet<_>>()
        };
        let staff = ["staff_assigned", "staff_released"].map(str::to_owned);
        assert_eq!(history(Audience::Staff, &one).await, BTreeSet::from(staff));
        let states = ["dispatching", "confirmed", "cancelling", "cancelled"].map(str::to_owned);
        assert_eq!(history(Audience::Customer, &kim).await, BTreeSet::from(states));
        assert_eq!(history(Audience::Customer, &one).await, BTreeSet::new());
        assert_eq!(history(Audience::Staff, &kim).await, BTreeSet::new());
    })
    .await;
}

#[tokio::test]
async fn who_is_asked_is_told_and_who_declined_hears_no_more() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        let booking = called(store, "1").await;
        claimed(store, &booking.ask(1)).await;
        assert_eq!(templates(&to_staff(store, &booking).await), ["staff_offered"]);
        let declined = NewEvent { change: None, ..booking.declined("drv_1") };
        let end = [declined, cancelling(), booking.released("drv_1"), cancelled()];
        store.append_events(&booking.append(&end), at(6)).await.unwrap();
        assert_eq!(templates(&to_staff(store, &booking).await), ["staff_offered"]);

        let withdrawn = called(store, "2").await;
        store.release_booking(&booking.release(), at(7)).await.unwrap();
        claimed(store, &withdrawn.ask(1)).await;
        let end = [cancelling(), withdrawn.released("drv_1"), cancelled()];
        store.append_events(&withdrawn.append(&end), at(8)).await.unwrap();
        let told = to_staff(store, &withdrawn).await;
        assert_eq!(templates(&told), ["staff_offered", "staff_released"]);
    })
    .await;
}

#[tokio::test]
async fn a_service_without_channels_to_its_staff_tells_only_customers() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        let booking = Booking::with("1", |plan| {
            *plan = plan_of_a_drive();
            plan.service.messages.staff = vec![];
        });
        let booking = booking.opened(store).await;
        claimed(store, &booking.claim(1)).await;
        assert_eq!(to_staff(store, &booking).await, []);
        let rows = store.messages_of(&booking.id).await.unwrap();
        assert_eq!(templates(&rows), ["dispatching", "confirmed"]);
    })
    .await;
}

/// Sends everything that is due at `now`, until nothing is: KakaoTalk and the phone `lost` fail.
async fn send(db: &TestDb, lost: &str, now: Timestamp) {
    let store = &db.store;
    while let [shard, ..] = store.due_shards(now).await.unwrap()[..] {
        for message in store.take_due_messages(shard, now, 100).await.unwrap() {
            let fails = message.channel == Channel::KakaoTalk || message.recipient.e164() == lost;
            let outcome = match fails {
                true => MessageOutcome::Failed { code: "not_a_user".to_owned() },
                false => MessageOutcome::Delivered { gateway_id: "gw".to_owned() },
            };
            store.finish_message(&message.id, &outcome, now).await.unwrap();
        }
    }
}

#[tokio::test]
async fn customer_and_staff_fall_back_over_their_own_channels() {
    on_both(async |db| {
        let store = &db.store;
        // Who books drives, too: by the same phone, and is told as both.
        let same = Staff { phone: "010-1234-5678".parse().unwrap(), ..driver("drv_1") };
        put_driver(store, same, 100.0).await;
        let booking = Booking::with("1", |plan| {
            *plan = plan_of_a_drive();
            plan.service.messages.staff = vec![Channel::KakaoTalk, Channel::Sms];
            plan.service.messages.customer = vec![Channel::KakaoTalk, Channel::Page];
        });
        let booking = booking.opened(store).await;
        claimed(store, &booking.claim(1)).await;
        send(db, "", at(9)).await;
        let rows = store.messages_of(&booking.id).await.unwrap();
        let over = |audience| {
            let rows = rows.iter().filter(move |it| it.audience == audience);
            rows.map(|it| (it.template.as_str(), it.channel)).collect::<Vec<_>>()
        };
        let staff = [("staff_assigned", Channel::KakaoTalk), ("staff_assigned", Channel::Sms)];
        assert_eq!(over(Audience::Staff), staff);
        let confirmed = [("confirmed", Channel::KakaoTalk), ("confirmed", Channel::Page)];
        assert_eq!(over(Audience::Customer)[2..], confirmed);
        assert_eq!(store.invariants(later()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn nobody_waits_for_what_another_is_told() {
    on_both(async |db| {
        let store = &db.store;
        put_driver(store, driver("drv_1"), 100.0).await;
        let booking = called(store, "1").await;
        claimed(store, &booking.claim(1)).await;
        let shard = bellhop_store::shard(&booking.id);
        let due = store.take_due_messages(shard, at(9), 10).await.unwrap();
        let due: Vec<_> = due.iter().map(|it| it.template.as_str()).collect();
        assert_eq!(due.len(), 2, "the customer's first, and the driver's: {due:?}");
        assert!(due.contains(&"dispatching") && due.contains(&"staff_assigned"));
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_claims_is_found() {
    for (corruption, rules) in [
        (
            "INSERT INTO claims (offer_id, booking_id, ordinal, staff_id, made_at)
             VALUES ('of_x', 'bk_other', 1, 'drv_1', 0)",
            &["one_claim_per_person"][..],
        ),
        (
            "INSERT INTO claims (offer_id, booking_id, ordinal, staff_id, made_at)
             VALUES ('a_x', 'bk_2', 9, 'drv_9', 0)",
            &["one_claim_per_booking"],
        ),
        ("UPDATE claims SET ended_at = 1 WHERE booking_id = 'bk_1'", &["assignment_is_claimed"]),
        ("UPDATE claims SET ended_at = 1 WHERE booking_id = 'bk_3'", &["assignment_is_claimed"]),
        (
            "UPDATE claims SET staff_id = 'drv_9' WHERE booking_id = 'bk_1'",
            &["assignment_is_claimed"],
        ),
        ("UPDATE claims SET ended_at = NULL WHERE booking_id = 'bk_4'", &["no_claim_after_end"]),
    ] {
        on_both(async |db| {
            let store = &db.store;
            for number in 1..=4 {
                put_driver(store, driver(&format!("drv_{number}")), f64::from(number)).await;
                let booking = called(store, &number.to_string()).await;
                match number {
                    3 => _ = claimed(store, &booking.ask(1)).await,
                    _ => _ = claimed(store, &booking.claim(1)).await,
                }
                match number {
                    // Somebody is sought for it again.
                    2 => {
                        let declined = booking.declined("drv_2");
                        store.append_events(&booking.append(&[declined]), at(6)).await.unwrap();
                    }
                    4 => {
                        let end = [cancelling(), booking.released("drv_4"), cancelled()];
                        store.append_events(&booking.append(&end), at(6)).await.unwrap();
                        store.release_booking(&booking.release(), at(7)).await.unwrap();
                    }
                    _ => {}
                }
            }
            crate::invariants::is_found(db, corruption, rules).await;
        })
        .await;
    }
}
