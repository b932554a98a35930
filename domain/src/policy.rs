//! Who may do what to a booking now, and what a cancellation costs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    event::Role,
    money::Money,
    service::{COMPLETED, Service},
    span::Span,
    status::{Status, Trigger, may},
    view::BookingView,
};

/// What goes back to a customer who cancels in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Until when it applies.
    pub until: Until,
    /// How much of the price goes back, in percent.
    pub refund_percent: u8,
}

/// The end of a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// This long before the start.
    BeforeStart(Span),
    /// Until a stage is reached.
    Stage(String),
}

impl Until {
    /// The stage, where one ends the tier.
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Stage(stage) => Some(stage),
            Self::BeforeStart(_) => None,
        }
    }
}

/// What a cancellation costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How much of the price goes back, in percent.
    pub refund_percent: u8,
    /// What is kept of the price; none while the price is not known.
    pub keep: Option<Money>,
    /// Until when these terms hold, where time ends them.
    pub until: Option<Timestamp>,
}

/// The terms on which `role` may cancel at `now`, or `None` when they may not.
///
/// A booking that is not accepted yet costs nothing; neither does one that the company or the
/// operator cancels. Otherwise it is the first tier that applies; the end of a tier ends those
/// before it as well.
pub fn cancellation(
    service: &Service,
    view: &BookingView,
    role: Role,
    now: Timestamp,
) -> Option<Terms> {
    if !may(view.status, Trigger::Cancel, role) {
        return None;
    }
    if role != Role::Customer || !view.status.is_decided() {
        return Some(terms(view, 100, None));
    }
    let applies = |tier: &Tier| {
        let until = match &tier.until {
            Until::BeforeStart(span) => {
                let limit = view.starts_at?.checked_sub(span.signed()).ok()?;
                (now <= limit).then_some(Some(limit))
            }
            Until::Stage(stage) => before_stage(service, view, stage).then_some(None),
        };
        until.map(|until| terms(view, tier.refund_percent, until))
    };
    // From the last back to the first: a taxi that is on its way an hour before the start is on its way.
    service.cancel.iter().rev().map_while(applies).last()
}

fn terms(view: &BookingView, refund_percent: u8, until: Option<Timestamp>) -> Terms {
    let keep = view.amount.map(|amount| Money {
        minor: amount.minor - amount.percent(refund_percent).minor,
        ..amount
    });
    Terms { refund_percent, keep, until }
}

fn before_stage(service: &Service, view: &BookingView, stage: &str) -> bool {
    let reached = view.stage.as_deref().and_then(|it| service.stage_index(it));
    match (reached, service.stage_index(stage)) {
        (None, _) => true,
        (Some(reached), Some(limit)) => reached < limit,
        (Some(_), None) => false,
    }
}

/// Whether `role` may bring the booking to `stage` (or [`COMPLETED`]) now: only the next one.
pub fn may_advance(service: &Service, view: &BookingView, role: Role, stage: &str) -> bool {
    let trigger = if stage == COMPLETED { Trigger::Complete } else { Trigger::Advance };
    may(view.status, trigger, role) && service.stage_after(view.stage.as_deref()) == stage
}

/// The commands that `role` may give now, as the API names them.
pub fn allowed_actions(
    service: &Service,
    view: &BookingView,
    role: Role,
    now: Timestamp,
) -> Vec<&'static str> {
    let next = service.stage_after(view.stage.as_deref());
    let actions = [
        ("approve", may(view.status, Trigger::Approve, role)),
        ("decline", may(view.status, Trigger::Decline, role)),
        ("advance", may_advance(service, view, role, next)),
        ("cancel", cancellation(service, view, role, now).is_some()),
    ];
    actions.into_iter().filter_map(|(action, allowed)| allowed.then_some(action)).collect()
}

/// The state that follows once everything the customer waits for is done: the first phase of the
/// plan that is still ahead decides.
pub fn accepted_as(service: &Service) -> Status {
    if service.approval.is_some() { Status::AwaitingApproval } else { approved_as(service) }
}

/// The state that follows an approval.
pub fn approved_as(service: &Service) -> Status {
    if service.dispatch.is_some() { Status::Dispatching } else { Status::Confirmed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;

    fn taxi() -> Service {
        Service::parse("call-taxi.toml", include_str!("../../services/call-taxi.toml"))
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
        assert_eq!(
            terms(early, Status::InProgress, Some("on_the_way")),
            None,
            "early, and too late"
        );
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
        assert_eq!(
            actions(Status::AwaitingApproval, Role::Manager),
            ["approve", "decline", "cancel"]
        );
        assert_eq!(actions(Status::Confirmed, Role::Driver), ["advance"]);
        assert!(actions(Status::Completed, Role::Operator).is_empty());
    }
}
