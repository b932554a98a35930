//! Who may do what to a booking now, and what a cancellation costs.

use jiff::{Timestamp, civil::Time};
use serde::{Deserialize, Serialize};

use crate::{
    event::{Actor, Assignment, Role},
    id::OfferId,
    money::Money,
    service::{COMPLETED, Dispatch, NO_SHOW, Service},
    span::Span,
    status::{Status, Trigger, may},
    view::BookingView,
};

/// What goes back to a customer who cancels in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Until when it applies.
    pub until: Until,
    /// How much of the price goes back, in percent.
    pub refund_percent: u8,
    /// What is kept besides, in the minor unit; never more than the price in all.
    #[serde(default)]
    pub fee: i64,
}

/// The end of a tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// This long before the start.
    BeforeStart(Span),
    /// The start itself.
    Start,
    /// A time of day before the start, in the time zone of the service.
    LocalTime(LocalTime),
    /// Until a stage is reached.
    Stage(String),
}

/// A time of day some days before the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LocalTime {
    /// How many days before the day of the start.
    pub days_before: u8,
    /// When on that day: `18:00`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, examples("18:00:00")))]
    pub at: Time,
}

impl Until {
    /// The stage, where one ends the tier.
    pub fn stage(&self) -> Option<&str> {
        match self {
            Self::Stage(stage) => Some(stage),
            Self::BeforeStart(_) | Self::Start | Self::LocalTime(_) => None,
        }
    }

    /// The point in time, where one ends the tier; `None` also where no time was named.
    fn time(&self, service: &Service, view: &BookingView) -> Option<Timestamp> {
        let start = view.starts_at?;
        match self {
            Self::Stage(_) => None,
            Self::Start => Some(start),
            Self::BeforeStart(span) => start.checked_sub(span.signed()).ok(),
            Self::LocalTime(LocalTime { days_before, at }) => {
                let zone = service.time_zone.as_ref()?;
                let day = zone.civil(start)?.date();
                let day = day.checked_sub(jiff::Span::new().days(i64::from(*days_before))).ok()?;
                zone.timestamp(day.to_datetime(*at))
            }
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
        let all_of_it = Tier { until: Until::Start, refund_percent: 100, fee: 0 };
        return Some(terms(view, &all_of_it, None));
    }
    let applies = |tier: &Tier| {
        let until = match tier.until.stage() {
            Some(stage) => before_stage(service, view, stage).then_some(None),
            None => tier.until.time(service, view).filter(|limit| now <= *limit).map(Some),
        };
        until.map(|until| terms(view, tier, until))
    };
    // From the last back to the first: a taxi that is on its way an hour before the start is on its way.
    service.cancel.iter().rev().map_while(applies).last()
}

fn terms(view: &BookingView, tier: &Tier, until: Option<Timestamp>) -> Terms {
    let keep = view.amount.map(|amount| Money {
        minor: kept(amount, tier.refund_percent).saturating_add(tier.fee).min(amount.minor),
        ..amount
    });
    Terms { refund_percent: tier.refund_percent, keep, until }
}

/// What of an amount is kept where `refund_percent` of it go back, in the minor unit.
fn kept(amount: Money, refund_percent: u8) -> i64 {
    amount.minor - amount.percent(refund_percent).minor
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

/// What is kept of the price when `role` says at `now` that nobody came, or `None` when they may
/// not say so: before the time of grace is over, or where a service misses nobody.
pub fn missed(service: &Service, view: &BookingView, role: Role, now: Timestamp) -> Option<Missed> {
    let rule = service.fulfilment.as_ref()?.no_show.as_ref()?;
    let limit = view.starts_at?.checked_add(rule.after.signed()).ok()?;
    if !may(view.status, Trigger::Miss, role) || now < limit {
        return None;
    }
    let keep = |amount: Money| Money { minor: kept(amount, rule.refund_percent), ..amount };
    Some(Missed { keep: view.amount.map(keep) })
}

/// What it costs not to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missed {
    /// What is kept of the price; none while the price is not known.
    pub keep: Option<Money>,
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
        (NO_SHOW, missed(service, view, role, now).is_some()),
        ("accept_offer", view.offer.is_some() && may(view.status, Trigger::Assign, role)),
        ("decline_offer", may_decline_offer(service, view, role)),
        ("cancel", cancellation(service, view, role, now).is_some()),
    ];
    actions.into_iter().filter_map(|(action, allowed)| allowed.then_some(action)).collect()
}

/// Whether `role` may decline to serve the booking: when asked, or after it was assigned, until it
/// is begun.
pub fn may_decline_offer(service: &Service, view: &BookingView, role: Role) -> bool {
    let is_asked = view.offer.is_some() && may(view.status, Trigger::Assign, role);
    is_asked || (service.sends_person() && may(view.status, Trigger::Unassign, role))
}

/// Whether `actor` may answer the question `offer` now: the one that stands, and as who was asked.
/// A decline may come after an acceptance, or an assignment without a question.
pub fn may_answer_offer(
    service: &Service,
    view: &BookingView,
    actor: &Actor,
    offer: &OfferId,
    accept: bool,
) -> bool {
    let is_theirs = |it: &Assignment| {
        it.offer.as_ref() == Some(offer)
            && (actor.role != Role::Driver
                || it.subject.as_ref().is_some_and(|it| it.as_str() == actor.id))
    };
    let may = if accept {
        view.offer.is_some() && may(view.status, Trigger::Assign, actor.role)
    } else {
        may_decline_offer(service, view, actor.role)
    };
    may && view.involved().next().is_some_and(is_theirs)
}

/// The state that follows once everything the customer waits for is done: the first phase of the
/// plan that is still ahead decides.
pub fn accepted_as(service: &Service) -> Status {
    if service.approval.is_some() { Status::AwaitingApproval } else { approved_as(service) }
}

/// The state that follows an approval.
pub fn approved_as(service: &Service) -> Status {
    match service.dispatch {
        Some(Dispatch::FromHold | Dispatch::Nearest(_)) => Status::Dispatching,
        Some(Dispatch::EntryConfirmation) | None => Status::Confirmed,
    }
}

#[cfg(test)]
mod tests;
