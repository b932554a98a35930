//! The services that are offered, and the plan that a request makes of one.

use std::collections::BTreeMap;

use bellhop_domain::{
    id::{MethodId, PoolId},
    money::Money,
    plan::{Customer, Means, Pace, Place, Plan, Request, Violation, is_option_value},
    service::{InvalidService, Service},
    text::Language,
};
use bellhop_store::PaymentMethod;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    body::is_line,
    caller::Caller,
    problem::{Kind, Problem},
};

/// How far in the past a start may lie, for clocks that differ.
const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_mins(5);

/// The option that a request may also name as a member of its own.
const EXHIBITION: &str = "exhibition_id";

/// The services that are offered, by their ids.
#[derive(Clone, Debug, Default)]
pub struct Services(BTreeMap<String, Offered>);

/// A service and the hash of its definition.
#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) service: Service,
    pub(crate) revision: String,
}

/// Why services cannot be offered together.
#[derive(Debug, thiserror::Error)]
pub enum InvalidServices {
    /// A file is refused.
    #[error(transparent)]
    File(#[from] InvalidService),
    /// Two files describe one service.
    #[error("{file}: id: {id} is described by another file as well")]
    Twice {
        /// The second of them.
        file: String,
        /// The service.
        id: String,
    },
    /// A definition cannot be hashed: a defect.
    #[error("{file}: it cannot be written as JSON")]
    Unwritable {
        /// The file.
        file: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Services {
    /// Reads service files: pairs of a name, for messages only, and a text.
    ///
    /// # Errors
    /// The first file that is refused, or two that describe one service.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, InvalidServices> {
        let mut services = BTreeMap::new();
        for (file, text) in files {
            let service = Service::parse(file, text)?;
            let file = file.to_owned();
            let revision = service
                .revision()
                .map_err(|source| InvalidServices::Unwritable { file: file.clone(), source })?;
            let id = service.id.clone();
            if services.insert(id.clone(), Offered { service, revision }).is_some() {
                return Err(InvalidServices::Twice { file, id });
            }
        }
        Ok(Self(services))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Offered> {
        self.0.values()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Offered> {
        self.0.get(id)
    }

    /// The service that holds from pools of a kind.
    pub(crate) fn holding(&self, pool: &str) -> Option<&Service> {
        let mut services = self.0.values().map(|it| &it.service);
        services.find(|it| it.hold.as_ref().is_some_and(|hold| hold.pool == pool))
    }

    /// The plan of a booking; `method` is the caller's stored method that it names.
    ///
    /// # Errors
    /// `invalid_booking` with everything that does not fit the service.
    pub(crate) fn plan(
        &self,
        new: NewBooking,
        method: Option<PaymentMethod>,
        fingerprint: String,
        caller: &Caller,
        pace: &Pace,
        now: Timestamp,
    ) -> Result<Plan, Problem> {
        let Some(Offered { service, revision }) = self.get(&new.service) else {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            let detail = format!("use one of {}", known.join(", "));
            return Err(invalid(vec![violation("/service", detail)]));
        };
        let mut violations = new.violations(method.as_ref(), now);
        let phone = new.customer.phone.parse();
        if let Err(error) = &phone {
            violations.push(violation("/customer/phone", format!("{error}")));
        }
        let Ok(phone) = phone else { return Err(invalid(violations)) };
        let customer = Customer {
            id: caller.subject.clone(),
            name: new.customer.name,
            phone,
            language: new.customer.language,
        };
        let mut options = new.options;
        options.extend(new.exhibition_id.map(|it| (EXHIBITION.to_owned(), it.to_string())));
        let request = Request {
            customer,
            options,
            starts_at: new.starts_at.unwrap_or_else(|| to_the_second(now)),
            place: new.place,
            quantity: new.quantity,
            agreed_cost: new.agreed_cost,
            payment: new.payment.map(|it| it.means(method)),
        };
        violations.extend(service.violations(&request));
        // What names its pool goes by the start of that, which is known when it is held.
        let names_pool = service.hold.as_ref().is_some_and(|it| it.id.is_some());
        let in_time = service.request.in_time(request.starts_at, now);
        if let Err(untimely) = in_time
            && !names_pool
        {
            violations.push(violation("/starts_at", untimely.to_string()));
        }
        if !violations.is_empty() {
            return Err(invalid(violations));
        }
        let (service, revision) = (service.clone(), revision.clone());
        Ok(Plan { service, revision, request, fingerprint, pace: pace.clone() })
    }
}

/// A booking as it is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBooking {
    /// The id of the service: `call-taxi`.
    service: String,
    customer: NewCustomer,
    /// What the service lets choose: `grade = prime`.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// When it is for; now, if left out.
    starts_at: Option<Timestamp>,
    place: Option<Place>,
    /// How many; one, if left out.
    #[serde(default = "one")]
    quantity: u32,
    /// What was agreed that it costs, where the service asks for that.
    agreed_cost: Option<Money>,
    /// The option `exhibition_id`, as a member of its own.
    exhibition_id: Option<PoolId>,
    /// How it is paid; left out where it is paid on the spot.
    payment: Option<NewPayment>,
}

/// For whom a booking is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCustomer {
    name: String,
    /// As it is written in Korea, or with its country code.
    phone: String,
    /// In which they are told how it stands.
    #[serde(default)]
    language: Language,
}

/// What a booking is paid with: a token, or a stored method.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPayment {
    /// A token of the payment provider, never a card number.
    token: Option<String>,
    /// A stored method of the caller's.
    method_id: Option<MethodId>,
    /// What people call it: `credit`.
    kind: Option<String>,
    /// Whether it is stored once it has paid.
    #[serde(default)]
    store: bool,
}

impl NewPayment {
    /// What is paid with, once nothing is wrong with it.
    fn means(self, method: Option<PaymentMethod>) -> Means {
        let Self { token, kind, store, .. } = self;
        match method {
            Some(it) => {
                Means { token: it.token, kind: Some(it.kind), method: Some(it.id), store: false }
            }
            None => Means { token: token.unwrap_or_default(), kind, method: None, store },
        }
    }

    fn violations(&self, method: Option<&PaymentMethod>) -> Vec<Violation> {
        let mut found = means_violations("/payment", self.kind.as_deref(), self.token.as_deref());
        let mut wrong = |pointer: &str, detail: &str| {
            found.push(violation(pointer, detail.to_owned()));
        };
        if self.token.is_some() == self.method_id.is_some() {
            wrong("/payment", "name a token, or the method_id of a stored method");
        }
        if self.method_id.is_some() && method.is_none() {
            wrong("/payment/method_id", "you have no such payment method");
        }
        if self.method_id.is_some() && (self.store || self.kind.is_some()) {
            wrong("/payment/method_id", "is stored already, and has its kind");
        }
        if self.store && self.method_id.is_none() && self.kind.is_none() {
            wrong("/payment/kind", "name the kind of what is stored: credit");
        }
        found
    }
}

/// What is wrong with the kind and the token of something to pay with.
pub(crate) fn means_violations(
    within: &str,
    kind: Option<&str>,
    token: Option<&str>,
) -> Vec<Violation> {
    let mut found = vec![];
    let mut wrong = |name: &str, detail| found.push(violation(&format!("{within}/{name}"), detail));
    if kind.is_some_and(|it| it.chars().count() > 32 || !is_option_value(it)) {
        wrong("kind", "use 1 to 32 letters, digits, '_' or '-'".to_owned());
    }
    if !token.is_none_or(|it| is_line(it, 200)) {
        wrong("token", "write 1 to 200 characters".to_owned());
    }
    found
}

const fn one() -> u32 {
    1
}

impl NewBooking {
    /// The stored method that it names, if it names one.
    pub(crate) fn method_id(&self) -> Option<&MethodId> {
        self.payment.as_ref()?.method_id.as_ref()
    }

    /// What is wrong with it whatever the service.
    fn violations(&self, method: Option<&PaymentMethod>, now: Timestamp) -> Vec<Violation> {
        let mut found = self.payment.as_ref().map_or(vec![], |it| it.violations(method));
        let mut text = |pointer, text: &str, longest| {
            if !is_line(text, longest) {
                found.push(violation(pointer, format!("write 1 to {longest} characters")));
            }
        };
        text("/customer/name", &self.customer.name, 100);
        if let Some(place) = &self.place {
            text("/place/address", &place.address, 300);
        }
        if let Some(place) = &self.place {
            let mut degrees = |pointer, value: f64, most: f64| {
                if !(-most..=most).contains(&value) {
                    found.push(violation(pointer, format!("use -{most} to {most} degrees")));
                }
            };
            degrees("/place/lat", place.lat, 90.0);
            degrees("/place/lon", place.lon, 180.0);
        }
        let is_past = |it: Timestamp| now.duration_since(it) > CLOCKS_DIFFER_BY;
        if self.starts_at.is_some_and(is_past) {
            found.push(violation("/starts_at", "is in the past".to_owned()));
        }
        found
    }
}

fn to_the_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn violation(pointer: &str, detail: String) -> Violation {
    Violation { pointer: pointer.to_owned(), detail }
}

fn invalid(violations: Vec<Violation>) -> Problem {
    let said: Vec<_> =
        violations.iter().map(|it| format!("{}: {}", it.pointer, it.detail)).collect();
    Problem::new(Kind::InvalidBooking, said.join("; ")).violating(violations)
}
