//! What was charged for a booking, and what of it went back: the ledger, as the customer reads it.

use axum::{Json, extract::State};
use bellhop_domain::{event::Role, id::BookingId, money::Money};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::commands::visible;
use crate::{caller::Caller, extract::Named, observe, problem::Problem, state::Api};

/// The receipts of a booking.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Receipts {
    receipts: Vec<Receipt>,
}

/// A charge, or a refund.
#[derive(Debug, Serialize, ToSchema)]
struct Receipt {
    /// Unique, and the same at every look.
    number: String,
    /// `charge` or `refund`.
    kind: &'static str,
    amount: Money,
    at: Timestamp,
}

impl From<bellhop_store::Receipt> for Receipt {
    fn from(it: bellhop_store::Receipt) -> Self {
        let kind = if it.is_refund { "refund" } else { "charge" };
        Self { number: it.number, kind, amount: it.amount, at: it.at }
    }
}

/// The receipts of a booking, oldest first. A reservation that was never charged has none.
#[utoipa::path(
    get, path = "/bookings/{id}/receipts",
    responses((status = 200, body = Receipts), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
) -> Result<Json<Receipts>, Problem> {
    caller.require(&[Role::Customer, Role::Manager, Role::Operator], "see receipts")?;
    observe::about(&id);
    visible(&api, &caller, &id).await?;
    let receipts = api.store().receipts_of(&id).await?;
    Ok(Json(Receipts { receipts: receipts.into_iter().map(Receipt::from).collect() }))
}
