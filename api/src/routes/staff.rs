//! Staff: the people whom companies register to be assigned (designated-driver 2, home-cleaning 6).
//! Drivers and cleaners have paths of their own; `/staff` is for every kind.

use axum::{Extension, Json, extract::State, http::StatusCode};
use bellhop_domain::{
    event::Role,
    id::{CompanyId, SubjectId},
    message::Audience,
    phone::Phone,
    plan::{Violation, is_option_value},
    text::Language,
};
use bellhop_store::{Location, Staff, StaffRow, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::customers::Paging;
use crate::{
    body::{Body, is_line},
    caller::Caller,
    extract::{Asked, Named, paging},
    problem::{Kind, Problem},
    state::Api,
    view::{Items, Message},
};

/// How many things somebody can do at most.
const MOST_SKILLS: usize = 20;

/// The kind of staff that the path names; none where the body does.
#[derive(Clone, Copy)]
pub(super) struct OfKind(Option<&'static str>);

/// The routes for staff of a kind, or of any.
pub(super) fn routes(kind: Option<&'static str>) -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(list))
        .routes(routes!(read, register))
        .routes(routes!(set_availability))
        .routes(routes!(set_location))
        .routes(routes!(messages))
        .layer(Extension(OfKind(kind)))
}

/// Somebody who can be assigned.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Person {
    id: SubjectId,
    /// `driver`, `cleaner`, …
    kind: String,
    company: CompanyId,
    name: String,
    /// Masked.
    phone: String,
    /// In which they are told of their work.
    language: Language,
    /// What they can do: `automatic`.
    skills: Vec<String>,
    /// Whether they take work.
    available: bool,
    /// Whether they have work, or are asked to take some.
    busy: bool,
    location: Option<Point>,
    created_at: Timestamp,
}

/// Where somebody was last.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Location)]
struct Point {
    /// Degrees north.
    lat: f64,
    /// Degrees east.
    lon: f64,
    at: Timestamp,
}

impl From<StaffRow> for Person {
    fn from(row: StaffRow) -> Self {
        let Staff { id, kind, company, name, phone, language, skills } = row.staff;
        let point = |Location { lat, lon, at }| Point { lat, lon, at };
        Self {
            id,
            kind,
            company,
            name,
            phone: phone.masked(),
            language,
            skills,
            available: row.available,
            busy: row.busy,
            location: row.location.map(point),
            created_at: row.created_at,
        }
    }
}

/// Whom to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of which kind; only where the path does not say it.
    kind: Option<String>,
    company: Option<CompanyId>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many, 1 to 100; 20 without.
    limit: Option<u32>,
}

/// The staff of the companies that the caller acts for, oldest first.
#[utoipa::path(
    get, path = "",
    params(Filter),
    responses((status = 200, body = Items<Person>), (status = 403))
)]
pub(super) async fn list(
    State(api): State<Api>,
    Extension(of): Extension<OfKind>,
    caller: Caller,
    Asked(asked): Asked<Filter>,
) -> Result<Json<Items<Person>>, Problem> {
    caller.require(&[Role::Manager, Role::Operator], "see staff")?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let kind = match (of.0, asked.kind) {
        (Some(_), Some(_)) => {
            return Err(Problem::new(Kind::InvalidQuery, "kind: the path names it already"));
        }
        (Some(kind), None) => Some(kind.to_owned()),
        (None, kind) => kind,
    };
    let companies: Option<Vec<CompanyId>> = match (caller.role, asked.company) {
        (Role::Operator, None) => None,
        (_, Some(company)) => Some([company].into_iter().filter(|it| caller.manages(it)).collect()),
        (_, None) => Some(caller.companies.into_iter().collect()),
    };
    let (kind, companies) = (kind.as_deref(), companies.as_deref());
    let page = api.store().staff_of(kind, companies, cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Person::from)))
}

/// Somebody who can be assigned, as they, their company and the operators see them.
#[utoipa::path(get, path = "/{id}", responses((status = 200, body = Person), (status = 403)))]
pub(super) async fn read(
    State(api): State<Api>,
    Extension(of): Extension<OfKind>,
    caller: Caller,
    Named(id): Named<SubjectId>,
) -> Result<Json<Person>, Problem> {
    Ok(Json(visible(&api, of, &caller, &id).await?.into()))
}

/// What a company says of somebody.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPerson {
    /// Needed where the path does not say it.
    kind: Option<String>,
    company: CompanyId,
    name: String,
    /// As it is written in Korea, or with its country code.
    phone: String,
    /// In which they are told of their work.
    #[serde(default)]
    language: Language,
    /// What they can do: `automatic`.
    #[serde(default)]
    skills: Vec<String>,
}

/// Registers somebody or changes what is said of them: 201 for somebody new, else 200. A repeat
/// changes nothing. Who is new takes no work before they say so, and where they are.
#[utoipa::path(
    put, path = "/{id}",
    request_body = NewPerson,
    responses((status = 200, body = Person), (status = 201, body = Person), (status = 403))
)]
pub(super) async fn register(
    State(api): State<Api>,
    Extension(of): Extension<OfKind>,
    caller: Caller,
    Named(id): Named<SubjectId>,
    Body { value: new, .. }: Body<NewPerson>,
) -> Result<(StatusCode, Json<Person>), Problem> {
    caller.require(&[Role::Manager, Role::Operator], "register staff")?;
    let before = api.store().staff(&id).await?;
    let employers = before.iter().map(|it| &it.staff.company).chain([&new.company]);
    if employers.into_iter().any(|it| !caller.manages(it)) {
        return Err(Problem::new(Kind::Forbidden, "you do not decide for that company"));
    }
    let staff = new.staff(id, of, before.as_ref()).map_err(|violations| {
        Problem::new(Kind::InvalidRequest, "the person does not fit").violating(violations)
    })?;
    api.store().put_staff(&staff, Timestamp::now()).await.map_err(|error| match error {
        StoreError::StaffFixed(_) => Problem::new(Kind::InvalidRequest, error.to_string()),
        error => error.into(),
    })?;
    let status = if before.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(after(&api, &staff.id).await?)))
}

impl NewPerson {
    /// Who is meant, or everything that is wrong.
    fn staff(
        self,
        id: SubjectId,
        of: OfKind,
        before: Option<&StaffRow>,
    ) -> Result<Staff, Vec<Violation>> {
        let mut found = vec![];
        let mut wrong = |pointer: &str, detail: &str| {
            found.push(Violation { pointer: pointer.to_owned(), detail: detail.to_owned() });
        };
        let kind = match (of.0, self.kind) {
            (Some(kind), None) => kind.to_owned(),
            (Some(kind), Some(said)) if said == kind => said,
            (Some(kind), Some(_)) => {
                wrong("/kind", &format!("must be {kind} here, or left out"));
                kind.to_owned()
            }
            (None, kind) => kind.unwrap_or_default(),
        };
        let in_kind = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !(1..=64).contains(&kind.len()) || !kind.chars().all(in_kind) {
            wrong("/kind", "use lower-case letters, digits and '_', as in driver");
        }
        if !is_line(&self.name, 100) {
            wrong("/name", "write 1 to 100 characters");
        }
        if self.skills.len() > MOST_SKILLS {
            wrong("/skills", &format!("name at most {MOST_SKILLS}"));
        }
        for (index, skill) in self.skills.iter().enumerate() {
            let pointer = format!("/skills/{index}");
            if !is_option_value(skill) {
                wrong(&pointer, "use 1 to 64 letters, digits, '_' or '-'");
            } else if self.skills[..index].contains(skill) {
                wrong(&pointer, "stands there twice");
            }
        }
        let is_other = |it: &StaffRow| it.staff.kind != kind || it.staff.company != self.company;
        if before.is_some_and(is_other) {
            wrong("/company", "the id stands for somebody of another company or kind");
        }
        let phone: Option<Phone> = self
            .phone
            .parse()
            .map_err(|error| {
                wrong("/phone", &format!("{error}"));
            })
            .ok();
        let Some(phone) = phone.filter(|_| found.is_empty()) else { return Err(found) };
        let (company, name, language, skills) =
            (self.company, self.name, self.language, self.skills);
        Ok(Staff { id, kind, company, name, phone, language, skills })
    }
}

/// Whether somebody takes work.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAvailability {
    available: bool,
}

/// Notes whether somebody takes work. Work that they have stays theirs.
#[utoipa::path(
    put, path = "/{id}/availability",
    request_body = NewAvailability,
    responses((status = 200, body = Person), (status = 403))
)]
pub(super) async fn set_availability(
    State(api): State<Api>,
    Extension(of): Extension<OfKind>,
    caller: Caller,
    Named(id): Named<SubjectId>,
    Body { value: NewAvailability { available }, .. }: Body<NewAvailability>,
) -> Result<Json<Person>, Problem> {
    visible(&api, of, &caller, &id).await?;
    api.store().set_staff_available(&id, available).await?;
    Ok(Json(after(&api, &id).await?))
}

/// Where somebody is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewLocation {
    /// Degrees north, -90 to 90.
    lat: f64,
    /// Degrees east, -180 to 180.
    lon: f64,
}

/// Notes where somebody is.
#[utoipa::path(
    put, path = "/{id}/location",
    request_body = NewLocation,
    responses((status = 200, body = Person), (status = 403))
)]
pub(super) async fn set_location(
    State(api): State<Api>,
    Extension(of): Extension<OfKind>,
    caller: Caller,
    Named(id): Named<SubjectId>,
    Body { value: NewLocation { lat, lon }, .. }: Body<NewLocation>,
) -> Result<Json<Person>, Problem> {
    let mut violations = vec![];
    for (pointer, value, most) in [("/lat", lat, 90.0), ("/lon", lon, 180.0)] {
        if !(-most..=most).contains(&value) {
            let detail = format!("use -{most} to {most} degrees");
            violations.push(Violation { pointer: pointer.to_owned(), detail });
        }
    }
    if !violations.is_empty() {
        let detail = "there is no such place";
        return Err(Problem::new(Kind::InvalidRequest, detail).violating(violations));
    }
    visible(&api, of, &caller, &id).await?;
    api.store().set_staff_location(&id, lat, lon, Timestamp::now()).await?;
    Ok(Json(after(&api, &id).await?))
}

/// What somebody was told of their work, newest first.
#[utoipa::path(
    get, path = "/{id}/messages",
    params(Paging),
    responses((status = 200, body = Items<Message>), (status = 403))
)]
pub(super) async fn messages(
    State(api): State<Api>,
    Extension(of): Extension<OfKind>,
    caller: Caller,
    Named(id): Named<SubjectId>,
    Asked(asked): Asked<Paging>,
) -> Result<Json<Items<Message>>, Problem> {
    visible(&api, of, &caller, &id).await?;
    let (cursor, limit) = paging(asked.cursor.as_deref(), asked.limit)?;
    let page = api.store().messages_to(Audience::Staff, &id, cursor.as_ref(), limit).await?;
    Ok(Json(Items::of(page, Message::from)))
}

/// Somebody, for themselves, their company and the operators. For others there is nobody.
async fn visible(
    api: &Api,
    of: OfKind,
    caller: &Caller,
    id: &SubjectId,
) -> Result<StaffRow, Problem> {
    caller.require(&[Role::Driver, Role::Manager, Role::Operator], "know of staff")?;
    let is_self = caller.role == Role::Driver && caller.subject == *id;
    let row = api.store().staff(id).await?;
    row.filter(|it| of.0.is_none_or(|kind| it.staff.kind == kind))
        .filter(|it| is_self || caller.manages(&it.staff.company))
        .ok_or_else(|| Problem::not_found(of.0.unwrap_or("person")))
}

async fn after(api: &Api, id: &SubjectId) -> Result<Person, Problem> {
    let row = api.store().staff(id).await?;
    row.map(Person::from).ok_or_else(|| Problem::not_found("person"))
}
