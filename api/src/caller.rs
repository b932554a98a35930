//! Who is asking, and which bookings they may know of.

use std::collections::BTreeSet;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use bellhop_domain::{
    event::{Actor, Offer, Role},
    id::{CompanyId, SubjectId},
};
use bellhop_store::BookingRow;

use crate::{
    problem::{Kind, Problem},
    state::Api,
};

/// Who is asking, as their token names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) subject: SubjectId,
    pub(crate) role: Role,
    /// The companies that a manager decides for, or whose vehicles a driver drives.
    pub(crate) companies: BTreeSet<CompanyId>,
}

impl Caller {
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(self.role, &self.subject)
    }

    /// Whether the caller may know of a booking. For those who may not there is no such booking.
    pub(crate) fn may_see(&self, booking: &BookingRow) -> bool {
        let view = &booking.view;
        let is_ours = |it: &Option<CompanyId>| it.as_ref().is_some_and(|it| self.acts_for(it));
        match self.role {
            Role::Customer => booking.owner == self.subject,
            Role::Manager => {
                is_ours(&view.company)
                    || view.offer.as_ref().is_some_and(|it| is_ours(&it.assignment.company))
            }
            // Who serves it, or is asked to; where only a vehicle is assigned, the company's drivers.
            Role::Driver => view.involved().any(|it| match &it.subject {
                Some(subject) => *subject == self.subject,
                None => is_ours(&view.company),
            }),
            Role::Operator => true,
            Role::System => false,
        }
    }

    /// Whether the caller may know that somebody is asked to serve a booking that they may know of.
    pub(crate) fn may_see_offer(&self, offer: &Offer) -> bool {
        match self.role {
            Role::Manager | Role::Operator => true,
            Role::Driver => offer.assignment.subject.as_ref() == Some(&self.subject),
            Role::Customer | Role::System => false,
        }
    }

    fn acts_for(&self, company: &CompanyId) -> bool {
        self.companies.contains(company)
    }

    /// Whether the caller acts for a company.
    pub(crate) fn manages(&self, company: &CompanyId) -> bool {
        match self.role {
            Role::Operator => true,
            Role::Manager => self.acts_for(company),
            Role::Customer | Role::Driver | Role::System => false,
        }
    }

    /// Refuses everybody whose role is not one of `roles`.
    pub(crate) fn require(&self, roles: &[Role], to: &str) -> Result<(), Problem> {
        if roles.contains(&self.role) {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, format!("your role may not {to}")))
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(|it| bearer(it.as_bytes()));
        let Some(token) = token else {
            let detail = "send the header Authorization: Bearer <token>";
            return Err(Problem::new(Kind::Unauthorized, detail));
        };
        let caller = api.tokens().caller(token);
        caller.cloned().ok_or_else(|| Problem::new(Kind::Unauthorized, "the token is not known"))
    }
}

fn bearer(header: &[u8]) -> Option<&str> {
    let (scheme, token) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        assert_eq!(bearer(b"Bearer abc"), Some("abc"));
        assert_eq!(bearer(b"bearer  abc "), Some("abc"));
        for header in [&b"abc"[..], b"Basic abc", b"Bearer ", b"Bearer", b"\xff abc"] {
            assert_eq!(bearer(header), None);
        }
    }
}
