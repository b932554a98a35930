//! The plan of one booking: the service as it was when the booking was made, and what was asked for.

use std::{collections::BTreeMap, fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    id::{CompanyId, MethodId, PoolId, SubjectId},
    money::Money,
    phone::Phone,
    service::{Dispatch, Quote, Service},
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
    /// What was agreed that it costs, where the service asks for that.
    #[serde(default)]
    pub agreed_cost: Option<Money>,
    /// How it is paid; nothing where it is paid on the spot.
    pub payment: Option<Means>,
}

/// What a booking is paid with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Means {
    /// A token of the payment provider, never a card number.
    pub token: String,
    /// What people call it: `credit`.
    #[serde(default)]
    pub kind: Option<String>,
    /// The stored method that it is, or becomes.
    #[serde(default)]
    pub method: Option<MethodId>,
    /// Whether the method is stored once it has paid (home-cleaning 1).
    #[serde(default)]
    pub store: bool,
}

impl fmt::Debug for Means {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, method, store, token: _ } = self;
        let mut means = f.debug_struct("Means");
        means.field("kind", kind).field("method", method).field("store", store);
        means.finish_non_exhaustive()
    }
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

    /// The pool that the request names, if it names one.
    pub fn pool(&self) -> Option<PoolId> {
        self.option(self.service.hold.as_ref()?.id.as_deref())?.parse().ok()
    }

    /// What somebody must be able to do to be assigned, if that matters.
    pub fn skill(&self) -> Option<&str> {
        match self.service.dispatch.as_ref()? {
            Dispatch::Nearest(nearest) => self.option(nearest.skill.as_deref()),
            Dispatch::FromHold | Dispatch::EntryConfirmation => None,
        }
    }

    /// What the booking costs; `pool` is the price of the pool that is held from.
    ///
    /// # Errors
    /// [`Unpriced`] when it depends on what the request or the pool does not say, or is too much.
    pub fn amount(&self, pool: Option<Money>) -> Result<Money, Unpriced> {
        let piece = match &self.service.quote {
            Quote::Pool { minimum, .. } => {
                let price = pool.ok_or(Unpriced)?;
                Money { minor: price.minor.max(*minimum), ..price }
            }
            Quote::Agreed { .. } => return self.request.agreed_cost.ok_or(Unpriced),
            Quote::Tariff { currency, price, option, prices } => {
                let special = self.option(option.as_deref()).and_then(|it| prices.get(it));
                Money { minor: *special.unwrap_or(price), currency: *currency }
            }
        };
        piece.times(self.request.quantity).map_err(|_too_much| Unpriced)
    }

    /// What the provider is to be paid of `amount`, and by what; nothing where nothing is due or it
    /// is paid on the spot.
    pub fn due(&self, amount: Money) -> Option<(&Means, Money)> {
        let means = self.request.payment.as_ref()?;
        (self.service.payment.is_some() && amount.minor > 0).then_some((means, amount))
    }

    fn option(&self, name: Option<&str>) -> Option<&str> {
        self.request.options.get(name?).map(String::as_str)
    }
}

/// The price of a booking cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the price of the booking cannot be told")]
pub struct Unpriced;

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
        // What cannot be an id names nothing: it must not pass for naming nobody in particular.
        let hold = self.hold.as_ref();
        for name in hold.iter().flat_map(|it| [&it.id, &it.company]).flatten() {
            let value = request.options.get(name).filter(|it| is_option_value(it));
            if value.is_some_and(|it| it.parse::<PoolId>().is_err()) {
                wrong(&format!("/options/{name}"), "is no id".to_owned());
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
        match (&self.payment, &request.payment) {
            (Some(rule), None) if !rule.optional => {
                let detail = "name a payment: its token, or the method_id of a stored method";
                wrong("/payment", detail.to_owned());
            }
            (None, Some(_)) => wrong("/payment", format!("{} takes no payment", self.id)),
            _ => {}
        }
        match (&self.quote, request.agreed_cost) {
            (Quote::Agreed { currency, minimum, maximum }, cost) => {
                let fits = |it: Money| {
                    it.currency == *currency && (*minimum..=*maximum).contains(&it.minor)
                };
                if !cost.is_some_and(fits) {
                    let money = |minor| Money { minor, currency: *currency };
                    let (least, most) = (money(*minimum), money(*maximum));
                    wrong("/agreed_cost", format!("name what was agreed: {least} to {most}"));
                }
            }
            (_, Some(_)) => wrong("/agreed_cost", format!("{} has its own prices", self.id)),
            _ => {}
        }
        found
    }
}

/// Whether it is the value of an option: 1 to 64 letters, digits, `_` or `-`. Whatever options name
/// (variants of pools, skills of staff) is written so, too.
pub fn is_option_value(text: &str) -> bool {
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
                agreed_cost: None,
                payment: Some(Means {
                    token: "tok_ok".to_owned(),
                    kind: None,
                    method: None,
                    store: false,
                }),
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
        (request.place, request.quantity, request.payment) = (None, 2, None);
        let found = plan.service.violations(&request);
        let pointers: Vec<_> = found.iter().map(|it| it.pointer.as_str()).collect();
        let expected = ["/options/grade", "/options/colour", "/place", "/quantity"];
        assert_eq!(pointers, [&expected[..], &["/payment"]].concat());
        Ok(())
    }

    #[test]
    fn a_piece_costs_at_least_the_minimum() -> Result<(), Box<dyn std::error::Error>> {
        let plan = a_taxi()?;
        let price = |minor| {
            let pool = Money { minor, currency: plan.service.currency() };
            plan.amount(Some(pool)).map(|it| it.minor)
        };
        assert_eq!((price(9_800), price(100)), (Ok(9_800), Ok(3_800)), "call-taxi 1: 3,800 won");
        assert_eq!(plan.amount(None), Err(Unpriced));
        Ok(())
    }

    #[test]
    fn a_plan_survives_its_way_through_the_engine() -> Result<(), Box<dyn std::error::Error>> {
        let plan = a_taxi()?;
        assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&plan)?)?, plan);
        Ok(())
    }
}
