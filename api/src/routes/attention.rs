//! Bookings that somebody should look at: a step of theirs has failed for a while and goes on being
//! tried, with pauses that grow. Who has mended the cause may have it tried at once.

use axum::{Json, extract::State, http::StatusCode};
use bellhop_domain::{event::Role, id::BookingId};
use jiff::Timestamp;

use super::{
    commands::visible,
    lists::{self, List, OfCompany},
};
use crate::{
    caller::Caller,
    extract::{Asked, Named},
    observe,
    problem::{Kind, Problem},
    state::Api,
    view::{Answer, Booking, Items},
};

/// The bookings that somebody should look at, those with the oldest trouble first.
#[utoipa::path(
    get, path = "/attention",
    params(OfCompany),
    responses((status = 200, body = Items<Booking>), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<OfCompany>,
) -> Result<Json<Items<Booking>>, Problem> {
    lists::of_company(&api, &caller, "see what needs attention", List::InTrouble, asked)
        .await
        .map(Json)
}

/// Has what fails of a booking tried again at once; 202, as what comes of it shows in the booking. It
/// is tried under the same key as before, so a repeat does no harm.
#[utoipa::path(
    post, path = "/attention/{id}/retry",
    responses((status = 202, body = Booking), (status = 403), (status = 409))
)]
pub(super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
) -> Result<Answer, Problem> {
    caller.require(&[Role::Manager, Role::Operator], "have bookings tried again")?;
    observe::about(&id);
    let row = visible(&api, &caller, &id).await?;
    let tried = api.engine().retry(&id).await?;
    if tried == 0 {
        // What failed for good, by a defect or a wrong setting, waits in its workflow.
        let detail = match row.view.attention {
            Some(_) => "what fails is tried again by itself, within a minute",
            None => "nothing of the booking waits to be tried again",
        };
        return Err(Problem::new(Kind::NotAllowed, detail).about(&id));
    }
    tracing::info!(role = ?caller.role, subject = %caller.subject, "a booking is tried again");
    let booking = Booking::of(&row, &caller, Timestamp::now());
    Ok(Answer { status: StatusCode::ACCEPTED, is_replay: false, booking })
}
