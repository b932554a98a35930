//! A customer's page: their bookings, cancelled ones too, and what they were told.

use axum::{Json, extract::State};
use bellhop_domain::{event::Role, id::SubjectId, message::Audience};
use bellhop_store::BookingFilter;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    caller::Caller,
    extract::{Asked, Named, paging},
    problem::Problem,
    state::Api,
    view::{Booking, Items, Message},
};

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    pub(super) limit: Option<u32>,
}

/// The bookings of a customer, newest first.
#[utoipa::path(
    get, path = "/customers/{id}/bookings",
    params(Paging),
    responses((status = 200, body = Items<Booking>))
)]
pub(super) async fn bookings(
    State(api): State<Api>,
    caller: Caller,
    Named(customer): Named<SubjectId>,
    Asked(asked): Asked<Paging>,
) -> Result<Json<Items<Booking>>, Problem> {
    may_see(&caller, &customer)?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let filter = BookingFilter { owner: Some(customer), ..BookingFilter::default() };
    let page = api.store().bookings(&filter, cursor.as_ref(), limit).await?;
    let now = Timestamp::now();
    Ok(Json(Items::of(page, |row| Booking::of(&row, &caller, now))))
}

/// The messages to a customer, newest first.
#[utoipa::path(
    get, path = "/customers/{id}/messages",
    params(Paging),
    responses((status = 200, body = Items<Message>))
)]
pub(super) async fn messages(
    State(api): State<Api>,
    caller: Caller,
    Named(customer): Named<SubjectId>,
    Asked(asked): Asked<Paging>,
) -> Result<Json<Items<Message>>, Problem> {
    may_see(&caller, &customer)?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let page = api.store().messages_to(Audience::Customer, &customer, cursor.as_ref(), limit);
    let page = page.await?;
    Ok(Json(Items::of(page, Message::from)))
}

/// A customer's page is theirs and the operators'; for others there is no such customer.
pub(super) fn may_see(caller: &Caller, customer: &SubjectId) -> Result<(), Problem> {
    let is_self = caller.role == Role::Customer && caller.subject == *customer;
    if is_self || caller.role == Role::Operator {
        return Ok(());
    }
    Err(Problem::not_found("customer"))
}
