//! What a policy says of bookings, at the boundaries and of any table.

use proptest::prelude::*;

use super::*;
use crate::{
    money::Currency,
    service::{RequestRule, Untimely},
    zone::Zone,
};

fn taxi() -> Service {
    Service::parse("call-taxi.toml", include_str!("../../../services/call-taxi.toml"))
        .expect("the file that ships is valid")
}

fn view(status: Status, stage: Option<&str>) -> BookingView {
    BookingView {
        status,
        stage: stage.map(str::to_owned),
        amount: Some(Money { minor: 9_800, currency: Currency::KRW }),
        starts_at: Some(at("2026-12-24T18:00:00+09:00")),
        ..BookingView::default()
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn a_cancelled_taxi_refunds_by_the_time_before_start() {
    let terms = |now, status, stage| {
        cancellation(&taxi(), &view(status, stage), Role::Customer, at(now))
            .map(|it| (it.refund_percent, it.keep.map(|keep| keep.minor)))
    };
    let (early, late) = ("2026-12-24T16:59:59+09:00", "2026-12-24T17:30:00+09:00");
    assert_eq!(terms(early, Status::Confirmed, None), Some((100, Some(0))));
    assert_eq!(terms(late, Status::Confirmed, None), Some((50, Some(4_900))));
    assert_eq!(terms(late, Status::Pending, None), Some((100, Some(0))));
    assert_eq!(terms(late, Status::InProgress, Some("on_the_way")), None);
    assert_eq!(terms(late, Status::Completed, Some("riding")), None);
    assert_eq!(terms(early, Status::InProgress, Some("on_the_way")), None, "early, and too late");
}

#[test]
fn the_company_gives_everything_back() {
    let late = at("2026-12-24T19:00:00+09:00");
    let booking = view(Status::InProgress, Some("riding"));
    let terms = cancellation(&taxi(), &booking, Role::Manager, late);
    assert_eq!(terms.map(|it| it.refund_percent), Some(100));
}

#[test]
fn each_role_is_offered_what_it_may_do() {
    let now = at("2026-12-24T12:00:00+09:00");
    let actions = |status, role| allowed_actions(&taxi(), &view(status, None), role, now);
    assert_eq!(actions(Status::AwaitingApproval, Role::Customer), ["cancel"]);
    assert_eq!(actions(Status::AwaitingApproval, Role::Manager), ["approve", "decline", "cancel"]);
    assert_eq!(actions(Status::Confirmed, Role::Driver), ["advance"]);
    assert!(actions(Status::Completed, Role::Operator).is_empty());
}

/// The taxi with other tiers, and in a place whose clocks change.
fn with_tiers(zone: &str, tiers: &str) -> Service {
    let text = include_str!("../../../services/call-taxi.toml");
    let (before, after) = text.split_once("[[cancel]]").expect("it has tiers");
    let (_, messages) = after.split_once("[messages]").expect("it has messages");
    let before = before.replace("[options]", &format!("time_zone = \"{zone}\"\n\n[options]"));
    Service::parse("tiers.toml", &format!("{before}{tiers}\n[messages]{messages}"))
        .expect("the tiers make sense")
}

fn starting(start: &str) -> BookingView {
    BookingView { starts_at: Some(at(start)), ..view(Status::Confirmed, None) }
}

/// What is kept of 9,800 won, at each of these moments.
fn kept_at(service: &Service, booking: &BookingView, moments: &[&str]) -> Vec<Option<i64>> {
    let keep = |it: &&str| cancellation(service, booking, Role::Customer, at(it));
    moments.iter().map(|it| keep(it).map(|it| it.keep.map_or(0, |keep| keep.minor))).collect()
}

#[test]
fn a_tier_ends_at_a_time_of_day_where_the_place_is() {
    let tiers = r#"
        [[cancel]]
        until = { local_time = { days_before = 1, at = "18:00" } }
        refund_percent = 100
        [[cancel]]
        until = "start"
        refund_percent = 20
    "#;
    let seoul = with_tiers("Asia/Seoul", tiers);
    // In London it is the evening of the day before; what counts is the day in Seoul.
    let booking = starting("2026-12-24T02:00:00+09:00");
    let moments = [
        "2026-12-23T18:00:00+09:00",
        "2026-12-23T18:00:01+09:00",
        "2026-12-24T02:00:00+09:00",
        "2026-12-24T02:00:01+09:00",
    ];
    assert_eq!(kept_at(&seoul, &booking, &moments), [Some(0), Some(7_840), Some(7_840), None]);

    // The clocks of Berlin go back in the night before the start: 18:00 is summer time.
    let berlin = with_tiers("Europe/Berlin", tiers);
    let booking = starting("2026-10-25T12:00:00+01:00");
    let moments = ["2026-10-24T16:00:00Z", "2026-10-24T16:00:01Z", "2026-10-25T11:00:00Z"];
    assert_eq!(kept_at(&berlin, &booking, &moments), [Some(0), Some(7_840), Some(7_840)]);
}

#[test]
fn a_time_of_day_that_clocks_show_twice_or_never_is_the_later() {
    let tier = r#"
        [[cancel]]
        until = { local_time = { days_before = 0, at = "02:30" } }
        refund_percent = 100
    "#;
    let berlin = with_tiers("Europe/Berlin", tier);
    let twice = starting("2026-10-25T12:00:00+01:00");
    let moments = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T01:30:01Z"];
    assert_eq!(kept_at(&berlin, &twice, &moments), [Some(0), Some(0), None]);
    let never = starting("2026-03-29T12:00:00+02:00");
    let moments = ["2026-03-29T01:30:00Z", "2026-03-29T01:30:01Z"];
    assert_eq!(kept_at(&berlin, &never, &moments), [Some(0), None], "03:30 follows 01:59");
}

#[test]
fn a_fee_is_kept_besides_and_never_more_than_the_price() {
    let tiers = r#"
        [[cancel]]
        until = { before_start = "24h" }
        refund_percent = 100
        fee = 1000
        [[cancel]]
        until = { before_start = "1h" }
        refund_percent = 50
        fee = 1000
        [[cancel]]
        until = "start"
        refund_percent = 1
        fee = 1000
    "#;
    let service = with_tiers("Asia/Seoul", tiers);
    let booking = starting("2026-12-24T18:00:00+09:00");
    let moments = [
        "2026-12-23T18:00:00+09:00",
        "2026-12-23T18:00:01+09:00",
        "2026-12-24T17:00:01+09:00",
        "2026-12-24T18:00:01+09:00",
    ];
    let kept = [Some(1_000), Some(5_900), Some(9_800), None];
    assert_eq!(kept_at(&service, &booking, &moments), kept);
    for role in [Role::Manager, Role::Operator] {
        let late = at("2026-12-24T19:00:00+09:00");
        let terms = cancellation(&service, &booking, role, late).expect("they may");
        assert_eq!(terms.keep.map(|it| it.minor), Some(0), "whoever serves pays no fee: {role:?}");
    }
    for role in [Role::Driver, Role::System] {
        assert_eq!(cancellation(&service, &booking, role, at(moments[0])), None, "{role:?}");
    }
}

#[test]
fn who_does_not_come_is_missed_after_the_time_of_grace_and_not_before() {
    let text = include_str!("../../../services/coffee.toml");
    let text = text.replace("after = \"1h\"", "after = \"1h\", refund_percent = 30");
    let service = Service::parse("coffee.toml", &text).expect("it makes sense");
    let booking = starting("2026-12-24T18:00:00+09:00");
    let (early, late) = (at("2026-12-24T18:59:59+09:00"), at("2026-12-24T19:00:00+09:00"));
    for role in [Role::Driver, Role::Manager, Role::Operator] {
        assert_eq!(missed(&service, &booking, role, early), None, "{role:?}");
        let keep = missed(&service, &booking, role, late).and_then(|it| it.keep);
        assert_eq!(keep.map(|it| it.minor), Some(6_860), "{role:?}");
    }
    assert_eq!(missed(&service, &booking, Role::Customer, late), None);
    let begun = view(Status::InProgress, Some("making"));
    assert_eq!(missed(&service, &begun, Role::Operator, late), None, "they came");
    assert_eq!(missed(&taxi(), &booking, Role::Operator, late), None, "it has no such rule");
    let actions = allowed_actions(&service, &booking, Role::Manager, late);
    assert!(actions.contains(&NO_SHOW), "{actions:?}");
}

#[test]
fn a_request_is_in_time_between_the_cut_off_and_the_horizon() {
    let span = |text: &str| Span::try_from(text.to_owned()).ok();
    let rule = RequestRule { cut_off: span("1h"), horizon: span("48h"), ..RequestRule::default() };
    let now = at("2026-12-24T12:00:00Z");
    let code = |start| rule.in_time(at(start), now).err().map(Untimely::code);
    assert_eq!(code("2026-12-24T12:59:59Z"), Some("too_late"));
    assert_eq!(code("2026-12-24T13:00:00Z"), None);
    assert_eq!(code("2026-12-26T12:00:00Z"), None);
    assert_eq!(code("2026-12-26T12:00:01Z"), Some("too_early"));
    assert_eq!(RequestRule::default().in_time(at("1999-01-01T00:00:00Z"), now), Ok(()));
}

fn until() -> impl Strategy<Value = Until> {
    let span = |minutes| Span::try_from(format!("{minutes}m")).expect("a span");
    prop_oneof![
        Just(Until::Start),
        (1_u32..20_000).prop_map(move |it| Until::BeforeStart(span(it))),
        (0_u8..10, 0_i8..24, 0_i8..60).prop_map(|(days_before, hour, minute)| {
            let at = Time::new(hour, minute, 0, 0).expect("a time of day");
            Until::LocalTime(LocalTime { days_before, at })
        }),
    ]
}

/// Any table of tiers whose percents do not increase, each with the same fee.
fn table() -> impl Strategy<Value = Vec<Tier>> {
    let tiers = proptest::collection::vec((until(), 0_u8..=100), 0..6);
    (tiers, 0_i64..20_000).prop_map(|(mut tiers, fee)| {
        let mut percents: Vec<_> = tiers.iter().map(|it| it.1).collect();
        percents.sort_unstable();
        let tier =
            |(until, _)| Tier { until, refund_percent: percents.pop().unwrap_or_default(), fee };
        tiers.drain(..).map(tier).collect()
    })
}

proptest! {
    /// Whatever the tiers: nobody gets back more than the price or pays more, waiting never pays, and
    /// who may not cancel any more may not do so later.
    #[test]
    fn cancelling_later_is_never_cheaper(
        tiers in table(),
        price in 0_i64..1_000_000,
        start in 1_700_000_000_i64..1_900_000_000,
        mut before in proptest::collection::vec(-100_000_i64..2_000_000, 2..12),
    ) {
        let zone = Zone::try_from("Europe/Berlin".to_owned()).ok();
        let service = Service { cancel: tiers, time_zone: zone, ..taxi() };
        let amount = Money { minor: price, currency: Currency::KRW };
        let second = |it| Timestamp::from_second(it).expect("a time");
        let booking = BookingView {
            amount: Some(amount),
            starts_at: Some(second(start)),
            ..view(Status::Confirmed, None)
        };
        before.sort_unstable_by(|a, b| b.cmp(a)); // from long before the start to after it
        let mut last = Some(0);
        for seconds in before {
            let now = second(start - seconds);
            let terms = cancellation(&service, &booking, Role::Customer, now);
            let keep = terms.and_then(|it| it.keep).map(|it| it.minor);
            prop_assert!(keep.is_none_or(|it| (0..=price).contains(&it)), "{keep:?} of {price}");
            match (last, keep) {
                (Some(last), Some(keep)) => prop_assert!(last <= keep, "{last}, then {keep}"),
                (None, Some(keep)) => prop_assert!(false, "refused, then {keep}"),
                (_, None) => {}
            }
            last = keep;
        }
    }
}
