//! The plan of one booking: the service as it was when the booking was made, and what was asked for.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{CompanyId, SubjectId},
    phone::Phone,
    service::Service,
    text::Language,
};

/// Everything a booking goes by. It is the workflow's input, so an edited service file never
/// touches a booking in flight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The service.
    pub service: Service,
    /// The hash of its definition.
    pub revision: String,
    /// What was asked for.
    pub request: Request,
    /// The body of the request that made it, hashed: another body under the same key is refused.
    pub fingerprint: String,
    /// How the workflow paces its work.
    #[serde(default)]
    pub pace: Pace,
}

/// What a customer asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// For whom.
    pub customer: Customer,
    /// The options of the service: `grade = prime`.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// When it is for.
    pub starts_at: Timestamp,
    /// Where.
    pub place: Option<Place>,
    /// How many.
    pub quantity: u32,
    /// How it is paid: a token of the payment provider, never a card number.
    pub payment_token: Option<String>,
}

/// Who books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// The subject of their token.
    pub id: SubjectId,
    /// What they are called.
    pub name: String,
    /// Where messages go.
    pub phone: Phone,
    /// The language of their messages.
    #[serde(default)]
    pub language: Language,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// As people write it.
    pub address: String,
    /// Degrees north, -90 to 90.
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lon: f64,
}

// A place is only ever built from finite numbers: JSON has no others.
impl Eq for Place {}

/// A family of activities that `bookings` workers may carry inline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Calls to the payment provider.
    Payments,
    /// Assignments.
    Dispatch,
}

impl Family {
    /// Every family.
    pub const ALL: &[Self] = &[Self::Payments, Self::Dispatch];

    /// The word in settings, and the family's task queue.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Dispatch => "dispatch",
        }
    }
}

/// How the workflow paces its work. Part of the input, so that every life of it goes the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pace {
    /// The families that the workers of the bookings queue carry inline.
    pub inline: Vec<Family>,
    /// How long one workflow task may go on starting inline calls to partners.
    pub inline_budget: Duration,
    /// How long a step may keep failing before it raises attention.
    pub attention_after: Duration,
    /// How long the first retry on a family's queue waits; each further one waits twice as long.
    pub retry_after: Duration,
    /// How long a retry waits at most.
    pub retry_at_most: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            inline: Family::ALL.to_vec(),
            inline_budget: Duration::from_secs(5),
            attention_after: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(60),
        }
    }
}

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The member of the request, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What it should be.
    pub detail: String,
}

impl Plan {
    /// The value of the option that the service's hold is selected by, if it has one.
    pub fn variant(&self) -> Option<&str> {
        self.option(self.service.hold.as_ref()?.variant.as_deref())
    }

    /// The company that the request names, if it names one.
    pub fn company(&self) -> Option<CompanyId> {
        self.option(self.service.hold.as_ref()?.company.as_deref())?.parse().ok()
    }

    fn option(&self, name: Option<&str>) -> Option<&str> {
        self.request.options.get(name?).map(String::as_str)
    }
}

impl Service {
    /// What of a request does not fit the service; empty when it fits.
    pub fn violations(&self, request: &Request) -> Vec<Violation> {
        let mut found = vec![];
        let mut wrong = |pointer: &str, detail: String| {
            found.push(Violation { pointer: pointer.to_owned(), detail });
        };
        for (name, rule) in &self.options {
            let pointer = format!("/options/{name}");
            match request.options.get(name) {
                None if rule.required => wrong(&pointer, format!("name a {name}")),
                Some(value) if !rule.values.is_empty() && !rule.values.contains(value) => {
                    wrong(&pointer, format!("use one of {}", rule.values.join(", ")));
                }
                Some(value) if !is_option_value(value) => {
                    wrong(&pointer, "use 1 to 64 letters, digits, '_' or '-'".to_owned());
                }
                _ => {}
            }
        }
        for name in request.options.keys().filter(|name| !self.options.contains_key(*name)) {
            wrong(&format!("/options/{name}"), format!("{} has no such option", self.id));
        }
        if self.request.place && request.place.is_none() {
            wrong("/place", "name a place: address, lat and lon".to_owned());
        }
        if !(1..=self.request.max_quantity).contains(&request.quantity) {
            wrong("/quantity", format!("book 1 to {}", self.request.max_quantity));
        }
        match (&self.payment, &request.payment_token) {
            (Some(_), None) => wrong("/payment/token", "name a payment token".to_owned()),
            (None, Some(_)) => wrong("/payment", format!("{} takes no payment", self.id)),
            _ => {}
        }
        found
    }
}

fn is_option_value(text: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&text.chars().count()) && text.chars().all(allowed)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn a_taxi() -> Result<Plan, Box<dyn std::error::Error>> {
        let text = include_str!("../../services/call-taxi.toml");
        let service = Service::parse("call-taxi.toml", text)?;
        Ok(Plan {
            revision: service.revision()?,
            service,
            request: Request {
                customer: Customer {
                    id: "cus_kim".parse()?,
                    name: "Kim".to_owned(),
                    phone: "010-1234-5678".parse()?,
                    language: Language::Ko,
                },
                options: BTreeMap::from([("grade".to_owned(), "prime".to_owned())]),
                starts_at: "2026-12-24T18:00:00+09:00".parse()?,
                place: Some(Place {
                    address: "서울 마포구".to_owned(),
                    lat: 37.5563,
                    lon: 126.9236,
                }),
                quantity: 1,
                payment_token: Some("tok_ok".to_owned()),
            },
            fingerprint: "f".to_owned(),
            pace: Pace::default(),
        })
    }

    #[test]
    fn a_request_that_does_not_fit_is_told_where() -> Result<(), Box<dyn std::error::Error>> {
        let plan = a_taxi()?;
        assert_eq!(plan.service.violations(&plan.request), []);

        let mut request = plan.request.clone();
        request.options = BTreeMap::from([("colour".to_owned(), "red".to_owned())]);
        (request.place, request.quantity, request.payment_token) = (None, 2, None);
        let found = plan.service.violations(&request);
        let pointers: Vec<_> = found.iter().map(|it| it.pointer.as_str()).collect();
        let expected = ["/options/grade", "/options/colour", "/place", "/quantity"];
        assert_eq!(pointers, [&expected[..], &["/payment/token"]].concat());
        Ok(())
    }

    #[test]
    fn a_plan_survives_its_way_through_the_engine() -> Result<(), Box<dyn std::error::Error>> {
        let plan = a_taxi()?;
        assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan)?)?, plan);
        Ok(())
    }
}
