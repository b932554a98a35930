//! A customer's payment methods: registering one charges nothing (home-cleaning 1), and what becomes
//! of it later shows on the dashboard (home-cleaning 4).

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellhop_domain::{
    id::{MethodId, SubjectId},
    plan::Violation,
};
use bellhop_store::{MethodChange, NewMethod, PaymentMethod};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::customers::{Paging, may_see};
use crate::{
    body::Body,
    caller::Caller,
    extract::{Asked, Named, paging},
    idempotency::{IdempotencyKey, REPLAYED},
    problem::{Kind, Problem},
    services::means_violations,
    state::Api,
    view::Items,
};

/// What is shown of a token.
const MASKED: &str = "****";

/// A payment method as its owner sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
pub(super) struct Method {
    id: MethodId,
    /// What people call it: `credit`.
    kind: String,
    /// Never shown.
    token: &'static str,
    /// Whether it is the one that they pay with first.
    default: bool,
    /// Whether bookings can be paid with it.
    attached: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl From<PaymentMethod> for Method {
    fn from(it: PaymentMethod) -> Self {
        Self {
            id: it.id,
            kind: it.kind,
            token: MASKED,
            default: it.is_default,
            attached: it.detached_at.is_none(),
            created_at: it.created_at,
            updated_at: it.changed_at,
        }
    }
}

/// What a customer can pay with, oldest first.
#[utoipa::path(
    get, path = "/customers/{id}/payment-methods",
    params(Paging),
    responses((status = 200, body = Items<Method>))
)]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Named(customer): Named<SubjectId>,
    Asked(asked): Asked<Paging>,
) -> Result<Json<Items<Method>>, Problem> {
    may_see(&caller, &customer)?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let page = api.store().payment_methods(&customer, cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Method::from)))
}

/// A method that is to be registered.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPaymentMethod)]
pub(super) struct Register {
    /// What people call it: `credit`.
    kind: String,
    /// The payment provider's token of it, never a card number.
    token: String,
}

/// Registers a method. Nothing is charged and the provider is not asked; the first is the default.
#[utoipa::path(
    post, path = "/customers/{id}/payment-methods",
    params(IdempotencyKey),
    request_body = Register,
    responses((status = 201, body = Method))
)]
pub(super) async fn register(
    State(api): State<Api>,
    caller: Caller,
    Named(customer): Named<SubjectId>,
    key: IdempotencyKey,
    Body { value: Register { kind, token }, fingerprint }: Body<Register>,
) -> Result<Response, Problem> {
    may_see(&caller, &customer)?;
    check(means_violations("", Some(&kind), Some(&token)))?;
    let id = MethodId::from_key(&customer, key.as_str());
    let new = NewMethod { id, owner: customer, kind, token, fingerprint };
    let (method, is_new) = api.store().add_payment_method(&new, Timestamp::now()).await?;
    if method.fingerprint != new.fingerprint {
        let detail = "another method was registered with this key: use a new key for a new one";
        return Err(Problem::new(Kind::KeyReused, detail));
    }
    let location = format!("/v1/customers/{}/payment-methods/{}", method.owner, method.id);
    let mut response = (StatusCode::CREATED, Json(Method::from(method))).into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::try_from(location) {
        headers.insert(header::LOCATION, location);
    }
    if !is_new {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// One method.
#[utoipa::path(
    get, path = "/customers/{id}/payment-methods/{pm}",
    responses((status = 200, body = Method))
)]
pub(super) async fn get(
    State(api): State<Api>,
    caller: Caller,
    Named(path): Named<Owned>,
) -> Result<Json<Method>, Problem> {
    may_see(&caller, &path.id)?;
    let method = api.store().payment_method(&path.id, &path.pm).await?;
    let method = method.filter(|it| it.detached_at.is_none()).ok_or_else(no_such)?;
    Ok(Json(method.into()))
}

/// A method and whose it is, in the path.
#[derive(Debug, Deserialize)]
pub(super) struct Owned {
    id: SubjectId,
    pm: MethodId,
}

/// What is to change of a method.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PaymentMethodChange)]
pub(super) struct Change {
    kind: Option<String>,
    token: Option<String>,
    /// `true` makes it the default; another one becomes it instead of this.
    default: Option<bool>,
}

/// Changes a method. Bookings that were made before pay as they were made.
#[utoipa::path(
    put, path = "/customers/{id}/payment-methods/{pm}",
    request_body = Change,
    responses((status = 200, body = Method))
)]
pub(super) async fn change(
    State(api): State<Api>,
    caller: Caller,
    Named(path): Named<Owned>,
    Body { value: new, .. }: Body<Change>,
) -> Result<Json<Method>, Problem> {
    may_see(&caller, &path.id)?;
    let mut violations = means_violations("", new.kind.as_deref(), new.token.as_deref());
    if new.default == Some(false) {
        let detail = "make another method the default instead".to_owned();
        violations.push(Violation { pointer: "/default".to_owned(), detail });
    }
    check(violations)?;
    let becomes_default = new.default == Some(true);
    let change = MethodChange { kind: new.kind, token: new.token, becomes_default };
    let now = Timestamp::now();
    let method = api.store().change_payment_method(&path.id, &path.pm, &change, now).await?;
    Ok(Json(method.ok_or_else(no_such)?.into()))
}

/// Removes a method; a repeat answers the same.
#[utoipa::path(delete, path = "/customers/{id}/payment-methods/{pm}", responses((status = 204)))]
pub(super) async fn detach(
    State(api): State<Api>,
    caller: Caller,
    Named(path): Named<Owned>,
) -> Result<StatusCode, Problem> {
    may_see(&caller, &path.id)?;
    let now = Timestamp::now();
    let is_there = api.store().detach_payment_method(&path.id, &path.pm, now).await?;
    if is_there { Ok(StatusCode::NO_CONTENT) } else { Err(no_such()) }
}

fn check(violations: Vec<Violation>) -> Result<(), Problem> {
    if violations.is_empty() {
        return Ok(());
    }
    let problem = Problem::new(Kind::InvalidRequest, "the payment method does not fit");
    Err(problem.violating(violations))
}

fn no_such() -> Problem {
    Problem::not_found("payment method")
}
