//! Letting go of what a booking has: what it holds, whom it has claimed, what lets it in. One act
//! lets go of all of it, so that none of it outlives the booking and a cancel costs one step.

use bellhop_domain::{
    act::{Release, Released, UseUp},
    event::Event,
    key::Purpose,
};

use crate::{
    contract::bookings::Bookings,
    record::{Fact, Record},
    saga::{Home, Saga},
};

/// Gives back what a served booking does not use up, and uses up the rest.
pub(crate) async fn served(booking: &Saga) {
    let service = &booking.plan().service;
    if service.hold.is_some() || service.sends_person() {
        release(booking, true).await;
    }
}

/// Gives everything back, and closes the booking to acts that come late.
pub(crate) async fn undo(booking: &Saga) {
    let plan = booking.plan();
    if plan.service.hold.is_none() && plan.service.dispatch.is_none() {
        return;
    }
    use_up(booking).await; // what was begun is begun, whoever cancels
    release(booking, false).await;
}

/// Uses up what is held, once the stage is reached that does so (coffee 3).
pub(crate) async fn use_up(booking: &Saga) {
    let plan = booking.plan();
    let Some(at) = plan.service.hold.as_ref().and_then(|it| it.used_at.as_deref()) else { return };
    let is_reached = |record: &Record| {
        let reached = record.view.stage.as_deref().and_then(|it| plan.service.stage_index(it));
        reached.is_some() && reached >= plan.service.stage_index(at)
    };
    if booking.record(|record| !is_reached(record) || record.is_used_up()) {
        return;
    }
    let use_up = UseUp { key: booking.key(Purpose::Use, 1), booking: booking.id() };
    let used = booking.act(Bookings::use_up, use_up, Home::Bookings).await;
    booking.publish(Fact::new(Event::HoldUsed { quantity: used.quantity }));
}

async fn release(booking: &Saga, served: bool) {
    let key = booking.key(Purpose::Release, 1);
    let release = Release { key, booking: booking.id(), served };
    let Released { quantity, used, subject, confirmation } =
        booking.act(Bookings::release, release, Home::Bookings).await;
    if quantity > 0 {
        booking.publish(Fact::new(Event::HoldReleased { quantity }));
    }
    if used > 0 {
        booking.publish(Fact::new(Event::HoldUsed { quantity: used }));
    }
    let is_assigned = booking.record(|record| record.view.assignment.is_some());
    if !served && (subject.is_some() || is_assigned) {
        booking.publish(Fact::new(Event::AssignmentReleased { subject }));
    }
    if confirmation {
        booking.publish(Fact::new(Event::ConfirmationCancelled));
    }
}
