//! What those who serve are asked, and what they have accepted: their work.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bellhop_domain::{
    event::Role,
    id::{BookingId, OfferId, SubjectId},
    money::Money,
    plan::Place,
    status::Status,
};
use bellhop_store::{BookingRow, ClaimRow};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    caller::Caller,
    extract::{Asked, paging},
    problem::{Kind, Problem},
    state::Api,
    view::Items,
};

/// A question to somebody whether they serve a booking, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Offer {
    id: OfferId,
    /// Who is asked.
    staff: SubjectId,
    state: Standing,
    booking_id: BookingId,
    service: String,
    /// What they need to serve it; nothing of it once it is not theirs any more.
    #[serde(flatten)]
    #[schema(value_type = Work)]
    work: Option<Work>,
    made_at: Timestamp,
    /// Until when they can answer; none where they were assigned without being asked.
    expires_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}

/// How an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OfferState)]
enum Standing {
    /// It waits for their answer.
    Open,
    /// They serve the booking.
    Assigned,
    /// They have served it.
    Completed,
    /// Declined, lapsed, or taken back.
    Closed,
}

/// What they need to serve it.
#[derive(Debug, Serialize, ToSchema)]
struct Work {
    #[schema(required = false)]
    status: Status,
    place: Option<Place>,
    #[schema(required = false)]
    starts_at: Timestamp,
    #[schema(required = false)]
    options: BTreeMap<String, String>,
    amount: Option<Money>,
}

impl Offer {
    fn of((claim, booking): (ClaimRow, BookingRow)) -> Self {
        let state = Standing::of(&claim, &booking);
        let (view, request) = (booking.view, booking.plan.request);
        let work = Work {
            status: view.status,
            place: request.place,
            starts_at: view.starts_at.unwrap_or(request.starts_at),
            options: request.options,
            amount: view.amount,
        };
        Self {
            id: claim.id,
            staff: claim.staff,
            state,
            booking_id: booking.id,
            service: booking.service,
            work: (state != Standing::Closed).then_some(work),
            made_at: claim.made_at,
            expires_at: claim.expires_at,
            ended_at: claim.ended_at,
        }
    }
}

impl Standing {
    fn of(claim: &ClaimRow, booking: &BookingRow) -> Self {
        let view = &booking.view;
        let is_assigned =
            view.assignment.as_ref().is_some_and(|it| it.offer.as_ref() == Some(&claim.id));
        match view.status {
            Status::Dispatching if view.offer.as_ref().is_some_and(|it| it.id == claim.id) => {
                Self::Open
            }
            Status::Confirmed | Status::InProgress if is_assigned => Self::Assigned,
            Status::Completed if is_assigned => Self::Completed,
            _ => Self::Closed,
        }
    }
}

/// Whose offers to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Whose; drivers see their own only.
    staff: Option<SubjectId>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

/// What somebody is asked and has accepted, newest first; operators see everybody's.
#[utoipa::path(
    get, path = "/offers",
    params(Filter),
    responses((status = 200, body = Items<Offer>), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Offer>>, Problem> {
    caller.require(&[Role::Driver, Role::Operator], "see offers")?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let staff = match (caller.role, asked.staff) {
        (Role::Operator, staff) => staff,
        (_, Some(staff)) if staff != caller.subject => {
            return Err(Problem::new(Kind::Forbidden, "you see your own offers only"));
        }
        _ => Some(caller.subject),
    };
    let page = api.store().claims(staff.as_ref(), cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Offer::of)))
}
