//! What is shown: the JSON of bookings, their timelines and their messages.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_domain::{
    event::{Actor, Assignment, Event, Offer, Role, StoredEvent},
    id::{BookingId, CompanyId, MethodId, OfferId, SubjectId},
    message::{Audience, Channel, MessageStatus},
    money::Money,
    plan::Place,
    policy::allowed_actions,
    service::Dispatch,
    status::Status,
    text::Words,
    view::{Attention, ConfirmationStatus, PaymentView},
};
use bellhop_store::{BookingRow, MessageRow, Page};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{caller::Caller, idempotency::REPLAYED, openapi::list_of, temporal::Remembered};

/// A booking as a caller sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Booking {
    id: BookingId,
    service: String,
    status: Status,
    /// The state in words; while it is being served, the stage.
    status_text: Words,
    /// The stage of its service, once one is reached.
    stage: Option<String>,
    /// Why it ended as it did: a stable code.
    code: Option<String>,
    /// How many are booked.
    quantity: u32,
    /// What it costs, once that is known.
    amount: Option<Money>,
    payment: Payment,
    customer: Option<CustomerView>,
    options: BTreeMap<String, String>,
    /// When it is for.
    starts_at: Option<Timestamp>,
    place: Option<Place>,
    /// Which company serves it, once known.
    company: Option<CompanyId>,
    /// Who or what serves it.
    assignment: Option<AssignmentView>,
    /// Who is asked to serve it, for those whom it concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<OfferView>,
    confirmation: Option<ConfirmationView>,
    /// What fails at the moment, for somebody to look at.
    attention: Option<Attention>,
    /// What the caller may do now: `cancel`.
    allowed_actions: Vec<&'static str>,
    /// The number of its last event.
    seq: i64,
    created_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
}

/// How a booking is paid.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookingPayment)]
struct Payment {
    #[serde(flatten)]
    view: PaymentView,
    /// The stored method that it is paid with.
    #[serde(skip_serializing_if = "Option::is_none")]
    method_id: Option<MethodId>,
}

/// Who booked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookingCustomer)]
struct CustomerView {
    id: SubjectId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Masked.
    phone: String,
}

/// Who or what serves a booking, or is asked to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookingAssignment)]
struct AssignmentView {
    company: Option<CompanyId>,
    /// The taxi's or the driver's name.
    label: String,
    /// The person, where one is assigned.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<SubjectId>,
}

impl From<&Assignment> for AssignmentView {
    fn from(it: &Assignment) -> Self {
        let Assignment { company, label, subject, .. } = it.clone();
        Self { company, label, subject }
    }
}

/// A question to somebody, whether they serve a booking.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BookingOffer)]
struct OfferView {
    id: OfferId,
    #[serde(flatten)]
    to: AssignmentView,
    /// Until when they can answer.
    expires_at: Timestamp,
}

impl From<&Offer> for OfferView {
    fn from(it: &Offer) -> Self {
        Self { id: it.id.clone(), to: (&it.assignment).into(), expires_at: it.expires_at }
    }
}

/// The visitor's confirmation of entry, which has a state of its own.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Confirmation)]
struct ConfirmationView {
    /// What is written on it, once it is issued.
    number: Option<String>,
    status: Entry,
}

/// How a confirmation of entry stands.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ConfirmationStatus)]
enum Entry {
    /// It follows.
    Pending,
    /// It is good.
    Issued,
    /// It is not good any more.
    Cancelled,
}

impl ConfirmationView {
    /// It as it stands; `pending` where one is to follow.
    fn of(row: &BookingRow) -> Option<Self> {
        let (view, dispatch) = (&row.view, &row.plan.service.dispatch);
        if let Some(it) = &view.confirmation {
            // Undone before it was issued, it has no number.
            let number = Some(it.number.clone()).filter(|it| !it.is_empty());
            let status = match it.status {
                ConfirmationStatus::Issued => Entry::Issued,
                ConfirmationStatus::Cancelled => Entry::Cancelled,
            };
            return Some(Self { number, status });
        }
        let follows =
            matches!(dispatch, Some(Dispatch::EntryConfirmation)) && !view.status.is_over();
        follows.then_some(Self { number: None, status: Entry::Pending })
    }
}

impl Booking {
    /// The booking of a row.
    pub(crate) fn of(row: &BookingRow, caller: &Caller, now: Timestamp) -> Self {
        let (view, plan) = (&row.view, &row.plan);
        let customer = &plan.request.customer;
        let may_know_name = caller.role != Role::Driver;
        let stage = view.stage.as_deref().and_then(|it| plan.service.stage(it));
        let in_words = stage.filter(|_| view.status == Status::InProgress);
        Self {
            id: row.id.clone(),
            service: row.service.clone(),
            status: view.status,
            status_text: in_words.map_or_else(|| words(view.status), |it| it.name.clone()),
            stage: view.stage.clone(),
            code: view.code.clone(),
            quantity: view.quantity,
            amount: view.amount,
            payment: Payment { view: view.payment, method_id: row.method.clone() },
            customer: Some(CustomerView {
                id: row.owner.clone(),
                name: may_know_name.then(|| customer.name.clone()),
                phone: customer.phone.masked(),
            }),
            options: plan.request.options.clone(),
            starts_at: Some(view.starts_at.unwrap_or(plan.request.starts_at)),
            place: plan.request.place.clone(),
            company: view.company.clone(),
            assignment: view.assignment.as_ref().map(AssignmentView::from),
            offer: view.offer.as_ref().filter(|it| caller.may_see_offer(it)).map(OfferView::from),
            confirmation: ConfirmationView::of(row),
            attention: view.attention.clone(),
            allowed_actions: allowed_actions(&plan.service, view, caller.role, now),
            seq: view.seq,
            created_at: Some(view.created_at.unwrap_or(row.created_at)),
            updated_at: Some(view.updated_at.unwrap_or(row.created_at)),
        }
    }

    /// A booking that is started and has no row yet.
    pub(crate) fn pending(id: &BookingId, service: &str, quantity: u32) -> Self {
        let view = bellhop_domain::view::BookingView::default();
        Self {
            id: id.clone(),
            service: service.to_owned(),
            status: view.status,
            status_text: words(view.status),
            stage: None,
            code: None,
            quantity,
            amount: None,
            payment: Payment { view: view.payment, method_id: None },
            customer: None,
            options: BTreeMap::new(),
            starts_at: None,
            place: None,
            company: None,
            assignment: None,
            offer: None,
            confirmation: None,
            attention: None,
            allowed_actions: vec![],
            seq: 0,
            created_at: None,
            updated_at: None,
        }
    }

    /// What somebody hears of a booking that was theirs to serve and is not any more.
    pub(crate) fn outline(row: &BookingRow) -> Self {
        let BookingRow { id, service, view, .. } = row;
        let (status, seq) = (view.status, view.seq);
        let status_text = words(status);
        Self { status, status_text, seq, ..Self::pending(id, service, view.quantity) }
    }

    /// The same, of what Temporal remembers.
    pub(crate) fn remembered(id: &BookingId, it: &Remembered) -> Self {
        Self::pending(id, &it.service, it.quantity)
    }
}

fn words(status: Status) -> Words {
    let (ko, en) = match status {
        Status::Pending => ("접수", "received"),
        Status::AwaitingPayment => ("결제 대기", "awaiting payment"),
        Status::AwaitingApproval => ("승인 대기", "awaiting approval"),
        Status::Dispatching => ("배정 중", "being assigned"),
        Status::Confirmed => ("확정", "confirmed"),
        Status::InProgress => ("진행 중", "in progress"),
        Status::Cancelling => ("취소 중", "being cancelled"),
        Status::Completed => ("완료", "completed"),
        Status::Cancelled => ("취소됨", "cancelled"),
        Status::Rejected => ("거절됨", "rejected"),
        Status::Expired => ("만료됨", "expired"),
        Status::NoShow => ("미이용", "no show"),
        Status::Unfulfilled => ("이행 불가", "could not be served"),
    };
    Words { ko: ko.to_owned(), en: en.to_owned() }
}

/// An answer about a booking.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) is_replay: bool,
    pub(crate) booking: Booking,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let location = format!("/v1/bookings/{}", self.booking.id);
        let mut response = (self.status, Json(self.booking)).into_response();
        let headers = response.headers_mut();
        if matches!(self.status, StatusCode::CREATED | StatusCode::ACCEPTED)
            && let Ok(location) = HeaderValue::try_from(location)
        {
            headers.insert(header::LOCATION, location);
        }
        if self.is_replay {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Items<T> {
    #[schema(schema_with = list_of::<T>)]
    pub(crate) items: Vec<T>,
    /// What `cursor` says for the next page; nothing on the last one.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Items<T> {
    /// A page of rows, as they are shown.
    pub(crate) fn of<R>(page: Page<R>, show: impl FnMut(R) -> T) -> Self {
        let next_cursor = page.next.map(|it| it.to_string());
        Self { items: page.items.into_iter().map(show).collect(), next_cursor }
    }
}

/// An event of a booking's timeline: who did what, when (common 2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TimelineEvent {
    /// Its number in the booking, from 1 without gaps.
    seq: i64,
    #[serde(flatten)]
    event: Event,
    at: Timestamp,
    actor: Actor,
    /// The state that it moved the booking to.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

impl From<StoredEvent> for TimelineEvent {
    fn from(stored: StoredEvent) -> Self {
        let StoredEvent { seq, at, event } = stored;
        let status = event.change.map(|it| it.status);
        Self { seq, event: event.event, at, actor: event.actor, status }
    }
}

/// A message to a customer, or to one of the staff.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Message {
    id: String,
    booking_id: BookingId,
    channel: Channel,
    /// Whom it is for.
    audience: Audience,
    /// The recipient, masked.
    to: String,
    /// What it tells: the state that the booking changed to, or the news for the staff.
    template: String,
    /// What is read.
    text: String,
    /// How it stands.
    status: MessageStatus,
    /// How often it was tried.
    attempts: u32,
    /// Whether a gateway may have sent it twice: its answer was lost.
    maybe_sent_twice: bool,
    /// Why the last try failed.
    error: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: row.id,
            booking_id: row.booking,
            channel: row.channel,
            audience: row.audience,
            to: row.recipient.masked(),
            template: row.template,
            text: row.body,
            status: row.status,
            attempts: row.attempts,
            maybe_sent_twice: row.maybe_sent_twice,
            error: row.error,
            created_at: row.created_at,
            updated_at: row.changed_at,
        }
    }
}
