//! A service as a drawing: the course that its bookings take, with each step's undo, as a Mermaid
//! state diagram.

use std::fmt::Write as _;

use crate::{
    policy::{self, Tier, Until},
    service::{
        AtCompletion, Capture, Dispatch, Mode, Nearest, Quote, Service, WhenAway, WhenLapsed,
    },
    status::Status,
};

/// A move that bookings of the service make.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    from: Status,
    to: Status,
    why: String,
}

/// Draws the course of a service's bookings.
pub fn mermaid(service: &Service) -> String {
    let mut text = format!("---\ntitle: {}\n---\nstateDiagram-v2\n", service.name.en);
    line(&mut text, "[*] --> pending : called");
    for Edge { from, to, why } in edges(service) {
        line(&mut text, &format!("{from} --> {to} : {why}"));
    }
    for (at, undo) in notes(service) {
        line(&mut text, &format!("note right of {at}"));
        for part in undo {
            line(&mut text, &format!("  {part}"));
        }
        line(&mut text, "end note");
    }
    for end in ends(service) {
        line(&mut text, &format!("{end} --> [*]"));
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "    {line}");
}

fn edges(service: &Service) -> Vec<Edge> {
    let mut edges = vec![];
    let mut edge = |from, to, why: String| edges.push(Edge { from, to, why });
    let accepted = policy::accepted_as(service);
    if service.hold.is_some() {
        edge(Status::Pending, Status::Rejected, "sold out, or not offered".to_owned());
    }
    edge(Status::Pending, accepted, opening(service));
    if let Some(payment) = &service.payment {
        edge(Status::Pending, Status::Rejected, "payment declined".to_owned());
        edge(Status::Pending, Status::AwaitingPayment, "payment does not come at once".to_owned());
        edge(Status::AwaitingPayment, accepted, "paid".to_owned());
        edge(Status::AwaitingPayment, Status::Rejected, "payment declined".to_owned());
        if let Some(hold) = &service.hold {
            let why = format!("not paid within {}", hold.expires_after);
            edge(Status::AwaitingPayment, Status::Expired, why);
        }
        if let Some(within) = payment.within {
            let why = format!("not paid within {within}");
            edge(Status::AwaitingPayment, Status::Rejected, why);
        }
    }
    let approved = policy::approved_as(service);
    if let Some(approval) = &service.approval {
        edge(Status::AwaitingApproval, approved, "approved by the manager".to_owned());
        edge(Status::AwaitingApproval, Status::Rejected, "declined by the manager".to_owned());
        let lapsed = match approval.when_lapsed {
            WhenLapsed::Decline => Status::Rejected,
            WhenLapsed::Approve => approved,
        };
        let why = format!("nobody decides within {}", approval.deadline);
        edge(Status::AwaitingApproval, lapsed, why);
    }
    match &service.dispatch {
        Some(Dispatch::FromHold) => {
            edge(Status::Dispatching, Status::Confirmed, "assigned from what is held".to_owned());
        }
        Some(Dispatch::Nearest(rule)) => {
            edge(Status::Dispatching, Status::Confirmed, assigning(rule));
            let why = format!("nobody in {} rounds", rule.rounds);
            edge(Status::Dispatching, Status::Unfulfilled, why);
            let why = format!("the {} declines", rule.staff);
            edge(Status::Confirmed, Status::Dispatching, why);
        }
        Some(Dispatch::EntryConfirmation) | None => {}
    }
    if let Some(fulfilment) = &service.fulfilment {
        let done = fulfilment.completed.as_ref().map_or("done", |it| &it.en);
        let mut from = Status::Confirmed;
        for stage in &fulfilment.stages {
            edge(from, Status::InProgress, stage.id.clone());
            from = Status::InProgress;
        }
        edge(from, Status::Completed, done.to_owned());
        if let Some(no_show) = &fulfilment.no_show {
            let why = format!(
                "nobody came within {}, {} % go back",
                no_show.after, no_show.refund_percent
            );
            edge(Status::Confirmed, Status::NoShow, why);
        }
    }
    for from in cancellable(service, accepted) {
        edge(from, Status::Cancelling, "cancelled".to_owned());
    }
    edge(Status::Cancelling, Status::Cancelled, "undone".to_owned());
    edges
}

/// The states that a booking of the service can be cancelled in.
fn cancellable(service: &Service, accepted: Status) -> Vec<Status> {
    let mut states = vec![];
    if service.payment.is_some() {
        states.push(Status::AwaitingPayment);
    }
    states.push(accepted);
    for next in [policy::approved_as(service), Status::Confirmed] {
        if !states.contains(&next) {
            states.push(next);
        }
    }
    if service.fulfilment.as_ref().is_some_and(|it| !it.stages.is_empty()) {
        states.push(Status::InProgress);
    }
    states
}

fn opening(service: &Service) -> String {
    let quote = match &service.quote {
        Quote::Pool { .. } => "priced",
        Quote::Agreed { .. } => "price agreed",
        Quote::Tariff { .. } => "priced by tariff",
    };
    let hold = service.hold.as_ref().map_or("", |_| ", held");
    let paid = match service.payment.as_ref() {
        None => "",
        Some(it) if it.optional && it.capture == Capture::AtOnce => ", charged if paid up front",
        Some(it) if it.capture == Capture::AtOnce => ", charged",
        Some(_) => ", payment reserved",
    };
    format!("{quote}{hold}{paid}")
}

fn assigning(rule: &Nearest) -> String {
    let how = match rule.mode {
        Mode::Auto => "is assigned",
        Mode::Offer => "accepts",
    };
    format!("the nearest free {} {how}", rule.staff)
}

/// What has been done once a state is reached, and what undoes it.
fn notes(service: &Service) -> Vec<(Status, Vec<String>)> {
    let mut notes = vec![];
    let accepted = policy::accepted_as(service);
    let mut opened = vec![];
    if let Some(hold) = &service.hold {
        opened.push(format!("hold from {}, undo - give it back", hold.pool));
        if let Some(stage) = &hold.used_at {
            opened.push(format!("used up at {stage} - never goes back"));
        } else if hold.at_completion == AtCompletion::Return {
            opened.push("goes back when it is done".to_owned());
        }
    }
    if let Some(payment) = &service.payment {
        opened.push(match payment.capture {
            Capture::AtOnce => "charge, undo - refund to what the policy keeps".to_owned(),
            Capture::OnApproval => "reserve, undo - void".to_owned(),
        });
        if payment.when_away == WhenAway::Refuse {
            opened.push("provider away - refused before anything is started".to_owned());
        }
    }
    if !opened.is_empty() {
        notes.push((accepted, opened));
    }
    let mut confirmed = vec![];
    let on_approval = |it: &crate::service::Payment| it.capture == Capture::OnApproval;
    if service.payment.as_ref().is_some_and(on_approval) {
        confirmed.push("capture, undo - refund to what the policy keeps".to_owned());
    }
    match &service.dispatch {
        None => {}
        Some(Dispatch::FromHold) => confirmed.push("take, undo - return to stock".to_owned()),
        Some(Dispatch::EntryConfirmation) => {
            confirmed.push("entry confirmation follows, undo - cancel it".to_owned());
        }
        Some(Dispatch::Nearest(rule)) => {
            confirmed.push(format!("claim a {}, undo - release and tell", rule.staff));
        }
    }
    if !confirmed.is_empty() {
        notes.push((Status::Confirmed, confirmed));
    }
    let mut refunds: Vec<_> = service.cancel.iter().map(tier).collect();
    refunds.push("by the company or the operator - 100 %".to_owned());
    notes.push((Status::Cancelling, refunds));
    // One note a state: what comes later stands below.
    let mut merged: Vec<(Status, Vec<String>)> = vec![];
    for (at, parts) in notes {
        match merged.iter_mut().find(|it| it.0 == at) {
            Some((_, known)) => known.extend(parts),
            None => merged.push((at, parts)),
        }
    }
    merged
}

fn tier(tier: &Tier) -> String {
    let until = match &tier.until {
        Until::Start => "the start".to_owned(),
        Until::BeforeStart(span) => format!("{span} before the start"),
        Until::Stage(stage) => stage.clone(),
        Until::LocalTime(time) => {
            format!("{} of {} days before", time.at.strftime("%H.%M"), time.days_before)
        }
    };
    let fee = if tier.fee > 0 { format!(", less {}", tier.fee) } else { String::new() };
    format!("until {until} - {} %{fee}", tier.refund_percent)
}

fn ends(service: &Service) -> Vec<Status> {
    let reached = edges(service);
    let is_reached = |it: &&Status| reached.iter().any(|edge| edge.to == **it);
    Status::ALL.iter().filter(|it| it.is_end()).filter(is_reached).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::MOVES;

    const SERVICES: [(&str, &str); 5] = [
        ("call-taxi.toml", include_str!("../../services/call-taxi.toml")),
        ("coffee.toml", include_str!("../../services/coffee.toml")),
        ("designated-driver.toml", include_str!("../../services/designated-driver.toml")),
        ("exhibition.toml", include_str!("../../services/exhibition.toml")),
        ("home-cleaning.toml", include_str!("../../services/home-cleaning.toml")),
    ];

    #[test]
    fn nothing_is_drawn_that_the_table_of_moves_does_not_have()
    -> Result<(), crate::service::InvalidService> {
        for (file, text) in SERVICES {
            let service = Service::parse(file, text)?;
            for edge in edges(&service) {
                let is_move = MOVES
                    .iter()
                    .any(|row| row.from.contains(&edge.from) && row.to.contains(&edge.to));
                assert!(is_move, "{file}: {edge:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn every_state_that_is_drawn_is_reached_and_left() -> Result<(), crate::service::InvalidService>
    {
        for (file, text) in SERVICES {
            let service = Service::parse(file, text)?;
            let edges = edges(&service);
            for Edge { from, .. } in &edges {
                let is_reached = *from == Status::Pending || edges.iter().any(|it| it.to == *from);
                assert!(is_reached, "{file}: {from} is never reached");
            }
            for Edge { to, .. } in &edges {
                let is_left = to.is_end() || edges.iter().any(|it| it.from == *to);
                assert!(is_left, "{file}: {to} is never left");
            }
        }
        Ok(())
    }
}
