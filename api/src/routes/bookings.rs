//! Reading bookings, and asking what a cancellation would cost. Reads never touch the workflow.

use axum::{Json, extract::State};
use bellhop_domain::{
    event::Role,
    id::{BookingId, CompanyId, PoolId, QuoteId, SubjectId},
    message::Audience,
    money::Money,
    policy::{allowed_actions, cancellation},
    status::Status,
};
use bellhop_store::{BookingFilter, CancellationQuote, MessageRow};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    commands::visible,
    lists::{self, List},
};
use crate::{
    caller::Caller,
    extract::{Asked, Named, page_size},
    observe,
    problem::{Kind, Problem},
    state::Api,
    view::{Booking, Items, Message, TimelineEvent},
};

/// Which bookings to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    service: Option<String>,
    status: Option<Status>,
    customer: Option<SubjectId>,
    company: Option<CompanyId>,
    exhibition_id: Option<PoolId>,
    /// Those that were made then or later.
    from: Option<Timestamp>,
    /// Those that were made before then.
    to: Option<Timestamp>,
    /// What their id begins with, or a part of the name of who or what serves them.
    q: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

/// The bookings that the caller may know of, newest first.
#[utoipa::path(
    get, path = "/bookings",
    params(Filter),
    responses((status = 200, body = Items<Booking>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Booking>>, Problem> {
    let limit = page_size(asked.limit)?;
    let owner = match (caller.role, asked.customer) {
        (Role::Customer, Some(customer)) if customer != caller.subject => {
            return Ok(Json(Items { items: vec![], next_cursor: None }));
        }
        (Role::Customer, _) => Some(caller.subject.clone()),
        (_, customer) => customer,
    };
    let filter = BookingFilter {
        owner,
        service: asked.service,
        status: asked.status,
        company: None,
        pool: asked.exhibition_id,
        from: asked.from,
        to: asked.to,
        q: asked.q,
    };
    let (list, cursor) = (List::Bookings(filter), asked.cursor.as_deref());
    lists::page(&api, &caller, list, asked.company, cursor, limit).await.map(Json)
}

/// A booking as it is. One that is started and not taken down yet is known to Temporal.
#[utoipa::path(get, path = "/bookings/{id}", responses((status = 200, body = Booking)))]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
) -> Result<Json<Booking>, Problem> {
    observe::about(&id);
    if let Some(row) = api.store().booking(&id).await? {
        let is_seen = caller.may_see(&row);
        let booking = is_seen.then(|| Booking::of(&row, &caller, Timestamp::now()));
        return booking.map(Json).ok_or_else(|| Problem::not_found("booking"));
    }
    let remembered = api.engine().remembered(&id).await?;
    let remembered = remembered
        .filter(|it| it.is_running)
        .filter(|it| caller.role == Role::Operator || it.is_owned_by(&caller.subject));
    let booking = remembered.map(|it| Booking::remembered(&id, &it));
    booking.map(Json).ok_or_else(|| Problem::not_found("booking"))
}

/// What happened to a booking.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Timeline {
    events: Vec<TimelineEvent>,
}

/// What happened to a booking, with who and when.
#[utoipa::path(get, path = "/bookings/{id}/timeline", responses((status = 200, body = Timeline)))]
pub(super) async fn timeline(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
) -> Result<Json<Timeline>, Problem> {
    observe::about(&id);
    visible(&api, &caller, &id).await?;
    let events = api.store().timeline(&id).await?;
    Ok(Json(Timeline { events: events.into_iter().map(TimelineEvent::from).collect() }))
}

/// Who was told what of a booking.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookingMessages)]
pub(super) struct Messages {
    messages: Vec<Message>,
}

/// Who was told what of a booking, in the order of the events: customers see what they were told,
/// drivers what they were, managers both.
#[utoipa::path(get, path = "/bookings/{id}/messages", responses((status = 200, body = Messages)))]
pub(super) async fn messages(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
) -> Result<Json<Messages>, Problem> {
    observe::about(&id);
    visible(&api, &caller, &id).await?;
    let messages = api.store().messages_of(&id).await?;
    let is_seen = |it: &MessageRow| match (caller.role, it.audience) {
        (Role::Operator | Role::Manager, _) | (Role::Customer, Audience::Customer) => true,
        (Role::Driver, Audience::Staff) => it.subject == caller.subject,
        _ => false,
    };
    let messages = messages.into_iter().filter(is_seen).map(Message::from).collect();
    Ok(Json(Messages { messages }))
}

/// What a cancellation would cost, and until when that is honoured.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CancellationQuote)]
pub(super) struct Quote {
    id: QuoteId,
    booking_id: BookingId,
    /// How much of the price would go back.
    refund_percent: u8,
    /// What would go back; none while the price is not known.
    refund: Option<Money>,
    /// What would be kept.
    fee: Option<Money>,
    /// Until when a cancel that names it gets these terms.
    expires_at: Timestamp,
}

/// Quotes a cancellation. The quote is kept: a cancel that names it in time gets its terms.
#[utoipa::path(
    get, path = "/bookings/{id}/cancellation-quote",
    responses((status = 200, body = Quote), (status = 409))
)]
pub(super) async fn cancellation_quote(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
) -> Result<Json<Quote>, Problem> {
    observe::about(&id);
    let row = visible(&api, &caller, &id).await?;
    let (service, view, now) = (&row.plan.service, &row.view, Timestamp::now());
    let Some(terms) = cancellation(service, view, caller.role, now) else {
        let detail = format!("the booking is {}: it cannot be cancelled", view.status);
        let actions = allowed_actions(service, view, caller.role, now);
        return Err(Problem::new(Kind::NotAllowed, detail).about(&id).allowing(actions));
    };
    let validity = SignedDuration::try_from(api.settings().quote_validity);
    let validity = validity.map_err(Problem::internal)?;
    let expires_at = now.checked_add(validity).map_err(Problem::internal)?;
    let quote =
        CancellationQuote { id: QuoteId::new(Uuid::now_v7()), booking: id, terms, expires_at };
    api.store().put_cancellation_quote(&quote).await?;
    let refund = view
        .amount
        .zip(terms.keep)
        .map(|(amount, keep)| Money { minor: amount.minor - keep.minor, ..amount });
    let CancellationQuote { id, booking, .. } = quote;
    let refund_percent = terms.refund_percent;
    Ok(Json(Quote { id, booking_id: booking, refund_percent, refund, fee: terms.keep, expires_at }))
}
