//! Seeking the nearest free person: round by round in rings that widen, never twice the one who
//! declined (designated-driver 2 and 3).

use bellhop_domain::{
    act::{Claim, Claimed},
    event::Event,
    key::Purpose,
    plan::Family,
    service::Nearest,
    span::Span,
    status::Status,
};
use futures::{FutureExt, pin_mut};
use jiff::Timestamp;
use temporalio_workflow::{CancellableFuture, select};

use super::dispatch::lost;
use crate::{
    booking::End,
    contract::dispatch::Dispatch,
    record::{Fact, Record},
    saga::{Home, Saga},
};

/// So many people are asked at most, however many decline.
const MOST_CLAIMS: u32 = 200;

/// Assigns the nearest free person who can do it and has not declined. Where nobody is free the
/// next round looks farther, after a pause; after the last one the booking ends `unfulfilled`.
pub(crate) async fn find(booking: &Saga, rule: &Nearest) -> Result<(), End> {
    for round in 1..=rule.rounds {
        loop {
            let ordinal = booking.next_claim();
            if ordinal > MOST_CLAIMS {
                return nobody(booking).await;
            }
            match claim(booking, rule, round, ordinal).await? {
                Found::Somebody if is_taken(booking, rule).await? => return Ok(()),
                Found::Somebody => {}
                Found::Nobody => break,
            }
        }
        if round < rule.rounds {
            pause(booking, rule).await?;
        }
    }
    nobody(booking).await
}

enum Found {
    Somebody,
    Nobody,
}

async fn claim(booking: &Saga, rule: &Nearest, round: u32, ordinal: u32) -> Result<Found, End> {
    let before = booking.record(Record::unsent);
    let answer_until =
        |within: Span| booking.now().saturating_add(within.signed()).unwrap_or(Timestamp::MAX);
    let claim = Claim {
        key: booking.key(Purpose::Claim, ordinal),
        booking: booking.id(),
        ordinal,
        within: rule.reach(round),
        excluded: booking.record(Record::excluded),
        expires_at: rule.answer_within.map(answer_until),
        events: before.clone(),
    };
    let summary = format!("nearest {}, round {round}", rule.staff);
    let home = Home::Family(Family::Dispatch, &summary);
    match booking.act_unless_moved(Dispatch::claim, claim, home).await? {
        Claimed::Made { events, .. } => {
            booking.journalled(&before, &events);
            booking.stop_if_moved().map(|()| Found::Somebody)
        }
        Claimed::Nobody => booking.stop_if_moved().map(|()| Found::Nobody),
        Claimed::Closed => lost(booking).await.map(|()| Found::Nobody),
    }
}

/// Whether who was claimed serves the booking: at once, or once they accept in time.
async fn is_taken(booking: &Saga, rule: &Nearest) -> Result<bool, End> {
    let Some(within) = rule.answer_within else { return Ok(true) };
    let mut deadline = booking.timer(within.duration(), "answer to the offer");
    // A booking that is cancelled waits for nobody's answer.
    let is_answered = |it: &Record| it.view.offer.is_none() || it.view.status.is_over();
    let answered = booking.wait(is_answered).fuse();
    pin_mut!(answered);
    let lapsed = select! {
        () = answered => { deadline.cancel(); false }
        _ = deadline => true,
    };
    if lapsed {
        // A life of this workflow that was lost may have heard an answer: it counts.
        booking.look_at_journal().await;
        let asked = booking.record(|record| record.view.offer.clone());
        if let Some(subject) = asked.and_then(|it| it.assignment.subject) {
            booking.publish(Fact::new(Event::OfferLapsed { subject }));
        }
    }
    booking.stop_if_moved()?;
    Ok(booking.status() == Status::Confirmed)
}

async fn pause(booking: &Saga, rule: &Nearest) -> Result<(), End> {
    let mut pause = booking.timer(rule.pause.duration(), "until the next round");
    let moved = booking.moved().fuse();
    pin_mut!(moved);
    select! {
        () = moved => pause.cancel(),
        _ = pause => {}
    }
    booking.stop_if_moved()
}

async fn nobody(booking: &Saga) -> Result<(), End> {
    booking.look_at_journal().await;
    booking.stop_if_moved()?;
    Err(End::Unfulfilled("nobody_free".to_owned()))
}
