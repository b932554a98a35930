//! The services that are offered, with their options and rules.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use bellhop_domain::{
    policy::Tier,
    service::{Approval, OptionRule, Payment, Quote, RequestRule, Stage},
    text::Words,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    caller::Caller, extract::Named, problem::Problem, services::Offered, state::Api, view::Items,
};

/// A service as callers see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Service)]
pub(super) struct ServiceView {
    id: String,
    name: Words,
    /// Changes whenever anything of the service does.
    revision: String,
    /// What a request may choose.
    options: BTreeMap<String, OptionRule>,
    /// What else it has to say.
    request: RequestRule,
    /// How its price is found.
    quote: Quote,
    /// How it is paid; nothing where it is not, or not by Bellhop.
    payment: Option<Payment>,
    /// Who has to agree, and until when.
    approval: Option<Approval>,
    /// What it goes through once it is confirmed.
    stages: Vec<Stage>,
    /// What goes back to a customer who cancels: the first tier that applies.
    cancel: Vec<Tier>,
}

impl From<&Offered> for ServiceView {
    fn from(Offered { service, revision }: &Offered) -> Self {
        let service = service.clone();
        Self {
            id: service.id,
            name: service.name,
            revision: revision.clone(),
            options: service.options,
            request: service.request,
            quote: service.quote,
            payment: service.payment,
            approval: service.approval,
            stages: service.fulfilment.map(|it| it.stages).unwrap_or_default(),
            cancel: service.cancel,
        }
    }
}

/// All services.
#[utoipa::path(get, path = "/services", responses((status = 200, body = Items<ServiceView>)))]
pub(super) async fn list(State(api): State<Api>, _: Caller) -> Json<Items<ServiceView>> {
    let items = api.services().all().map(ServiceView::from).collect();
    Json(Items { items, next_cursor: None })
}

/// One service.
#[utoipa::path(get, path = "/services/{id}", responses((status = 200, body = ServiceView)))]
pub(super) async fn get(
    State(api): State<Api>,
    _: Caller,
    Named(id): Named<String>,
) -> Result<Json<ServiceView>, Problem> {
    let service = api.services().get(&id).ok_or_else(|| Problem::not_found("service"))?;
    Ok(Json(service.into()))
}
