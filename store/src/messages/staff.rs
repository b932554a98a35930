//! What the staff is told of a booking: that it is theirs, or may be, or is not any more.

use bellhop_domain::{
    event::Event,
    id::SubjectId,
    plan::Plan,
    status::Status,
    text::{self, News, Text, Unrenderable},
    view::BookingView,
};

use crate::{
    Result,
    db::Tx,
    events::Told,
    staff::{self, Reach},
};

/// Whether one of the staff may have to be told of an event.
pub(super) fn is_told(event: &Event) -> bool {
    matches!(
        event,
        Event::Assigned { .. } | Event::Offered { .. } | Event::AssignmentReleased { .. }
    )
}

/// Who is told of an event, how they are reached, and what they read.
pub(super) async fn told(
    tx: &mut Tx,
    plan: &Plan,
    told: &Told,
) -> Result<Option<(SubjectId, Reach, Result<Text, Unrenderable>)>> {
    let Some((subject, news)) = news(told) else { return Ok(None) };
    let Some(reach) = staff::reach(tx, subject).await? else { return Ok(None) };
    let text = text::render_to_staff(plan, &told.view, news, reach.language);
    Ok(Some((subject.clone(), reach, text)))
}

/// Who is told what. Nobody is told of what came too late to be, nor of the end of what they have
/// declined themselves.
fn news(told: &Told) -> Option<(&SubjectId, News)> {
    let status = told.view.status;
    match &told.event.event.event {
        Event::Assigned { assignment } if status == Status::Confirmed => {
            Some((assignment.subject.as_ref()?, News::Assigned))
        }
        Event::Offered { offer } if status == Status::Dispatching => {
            Some((offer.assignment.subject.as_ref()?, News::Offered))
        }
        Event::AssignmentReleased { subject: Some(subject) }
            if status.is_undone() && concerns(&told.before, subject) =>
        {
            Some((subject, News::Released))
        }
        _ => None,
    }
}

/// Whether somebody serves a booking, or is asked to.
fn concerns(view: &BookingView, subject: &SubjectId) -> bool {
    view.involved().any(|it| it.subject.as_ref() == Some(subject))
}
