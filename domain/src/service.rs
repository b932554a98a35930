//! A service: which phases its bookings have and with what options, read from a TOML file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    money::{Currency, Money},
    policy::Tier,
    span::Span,
    text::{Channel, Words},
};

/// A service, as its file describes it. The order of the phases is fixed: quote, hold, payment,
/// approval, dispatch, fulfilment; each but the quote may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its id, in URLs and requests: `call-taxi`.
    pub id: String,
    /// What people call it.
    pub name: Words,
    /// The options that a request may name.
    #[serde(default)]
    pub options: BTreeMap<String, OptionRule>,
    /// What else a request has to say.
    #[serde(default)]
    pub request: RequestRule,
    /// What a booking costs.
    pub quote: Quote,
    /// What is held for it.
    pub hold: Option<Hold>,
    /// How it is paid.
    pub payment: Option<Payment>,
    /// Who has to agree.
    pub approval: Option<Approval>,
    /// Who or what is assigned.
    pub dispatch: Option<Dispatch>,
    /// Which stages the service goes through.
    pub fulfilment: Option<Fulfilment>,
    /// What goes back to a customer who cancels: the first tier that applies. The end of a tier ends
    /// those before it as well; after the end of the last it is refused.
    #[serde(default)]
    pub cancel: Vec<Tier>,
    /// Who is told, and how.
    #[serde(default)]
    pub messages: Messages,
}

/// What a request may say for one option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionRule {
    /// Whether it must be named.
    #[serde(default)]
    pub required: bool,
    /// The values there are; any word, if none are listed.
    #[serde(default)]
    pub values: Vec<String>,
}

/// What a request has to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestRule {
    /// Whether it must name a place.
    pub place: bool,
    /// How many may be booked at once, at least 1.
    pub max_quantity: u32,
}

impl Default for RequestRule {
    fn default() -> Self {
        Self { place: false, max_quantity: 1 }
    }
}

/// What a booking costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Quote {
    /// The price of the pool that is held from, times the quantity.
    Pool {
        /// In which currency.
        currency: Currency,
        /// At least this, in the minor unit.
        #[serde(default)]
        minimum: i64,
    },
}

/// What is held for a booking until it is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The kind of pool: `taxi`.
    pub pool: String,
    /// The option that names the pool's variant: `grade`.
    pub variant: Option<String>,
    /// The option that names the pool's company. A request that names none gets the cheapest.
    pub company: Option<String>,
    /// How long it is held without being paid for.
    pub expires_after: Span,
    /// What becomes of it once the booking is served.
    #[serde(default)]
    pub at_completion: AtCompletion,
}

/// What becomes of what was held once the booking is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtCompletion {
    /// It is used up: a coffee, a place at a session.
    #[default]
    Consume,
    /// It is free again: a taxi.
    Return,
}

/// How a booking is paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// When it is charged.
    pub capture: Capture,
    /// What a new booking meets while the provider is known to be away (its breaker is open).
    pub when_away: WhenAway,
}

/// When a payment is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// With the booking.
    AtOnce,
    /// Reserved with the booking, charged once it is approved.
    OnApproval,
}

/// What a new booking meets while the payment provider is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenAway {
    /// "Come back shortly", before anything is started (call-taxi 14).
    Refuse,
    /// It is taken and waits for the payment.
    Wait,
}

/// Who has to agree, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// How long the company's manager has. A lapse declines the booking.
    pub deadline: Span,
}

/// Who or what is assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Dispatch {
    /// What the hold set aside is taken from its pool.
    FromHold,
}

/// Which stages the service goes through, from confirmed to completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    /// The stages in their order.
    pub stages: Vec<Stage>,
}

/// A stage of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its id: `on_the_way`.
    pub id: String,
    /// What people call it.
    pub name: Words,
}

/// Who is told of a booking's changes, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Messages {
    /// The channels to the customer in the order of preference: each stands in for the one before.
    pub customer: Vec<Channel>,
}

/// The stage name that means "the service is over" in an `advance`.
pub const COMPLETED: &str = "completed";

/// Why a service file is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidService {
    /// The text is no TOML or does not fit the format.
    #[error("{file} does not fit the format of service files")]
    Format {
        /// The file.
        file: String,
        /// Where in it and why.
        source: Box<toml::de::Error>,
    },
    /// A value makes no sense.
    #[error("{file}: {key}: {reason}")]
    Value {
        /// The file.
        file: String,
        /// The key, from the top.
        key: String,
        /// Why, and what would.
        reason: String,
    },
}

impl Service {
    /// Reads a service from the text of `file` (a name for messages only).
    ///
    /// # Errors
    /// What does not fit the format, or the first value that makes no sense.
    pub fn parse(file: &str, text: &str) -> Result<Self, InvalidService> {
        let service: Self = toml::from_str(text).map_err(|source| InvalidService::Format {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
        service.check().map_err(|(key, reason)| InvalidService::Value {
            file: file.to_owned(),
            key,
            reason: reason.to_owned(),
        })?;
        Ok(service)
    }

    /// A hash of the whole definition: two services with one revision behave the same.
    ///
    /// # Errors
    /// None that can happen: a service is made of what JSON can say.
    pub fn revision(&self) -> Result<String, serde_json::Error> {
        let digest = Sha256::digest(serde_json::to_vec(self)?);
        Ok(digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// What the least booking costs at `price` a piece.
    pub fn price(&self, price: Money) -> Money {
        let Quote::Pool { minimum, .. } = self.quote;
        Money { minor: price.minor.max(minimum), ..price }
    }

    /// The currency of its prices.
    pub fn currency(&self) -> Currency {
        let Quote::Pool { currency, .. } = self.quote;
        currency
    }

    /// Where `stage` stands among the stages.
    pub fn stage_index(&self, stage: &str) -> Option<usize> {
        self.fulfilment.as_ref()?.stages.iter().position(|it| it.id == stage)
    }

    /// The stage by its id.
    pub fn stage(&self, id: &str) -> Option<&Stage> {
        self.fulfilment.as_ref()?.stages.iter().find(|it| it.id == id)
    }

    /// What comes after `stage` (`None`: before the first): a stage's id, or [`COMPLETED`].
    pub fn stage_after(&self, stage: Option<&str>) -> &str {
        let stages = self.fulfilment.as_ref().map_or(&[][..], |it| &it.stages);
        let next = match stage {
            None => 0,
            Some(stage) => self.stage_index(stage).map_or(stages.len(), |index| index + 1),
        };
        stages.get(next).map_or(COMPLETED, |stage| &stage.id)
    }

    fn check(&self) -> Result<(), (String, &'static str)> {
        let wrong = |key: &str, reason| Err((key.to_owned(), reason));
        if !is_word(&self.id, '-') {
            return wrong("id", "use lower-case letters, digits and '-', as in call-taxi");
        }
        if self.request.max_quantity == 0 {
            return wrong("request.max_quantity", "must be at least 1");
        }
        let Quote::Pool { minimum, .. } = self.quote;
        if minimum < 0 {
            return wrong("quote.minimum", "must not be negative");
        }
        if self.hold.is_none() {
            return wrong("quote.kind", "\"pool\" prices what is held: add a [hold] section");
        }
        if let Some(hold) = &self.hold {
            let named = [("hold.variant", &hold.variant), ("hold.company", &hold.company)];
            for (key, option) in named {
                if option.as_ref().is_some_and(|it| !self.options.contains_key(it)) {
                    return wrong(key, "names an option that [options] does not have");
                }
            }
        }
        let on_approval = |it: &Payment| it.capture == Capture::OnApproval;
        if self.payment.as_ref().is_some_and(on_approval) && self.approval.is_none() {
            return wrong("payment.capture", "\"on_approval\" needs an [approval] section");
        }
        self.check_stages()?;
        self.check_tiers()
    }

    fn check_stages(&self) -> Result<(), (String, &'static str)> {
        let stages = self.fulfilment.as_ref().map_or(&[][..], |it| &it.stages);
        for (index, stage) in stages.iter().enumerate() {
            let key = format!("fulfilment.stages[{index}].id");
            if !is_word(&stage.id, '_') {
                return Err((key, "use lower-case letters, digits and '_', as in on_the_way"));
            }
            if stage.id == COMPLETED {
                return Err((key, "\"completed\" follows the last stage by itself"));
            }
            if stages[..index].iter().any(|it| it.id == stage.id) {
                return Err((key, "stands there twice"));
            }
        }
        Ok(())
    }

    fn check_tiers(&self) -> Result<(), (String, &'static str)> {
        for (index, tier) in self.cancel.iter().enumerate() {
            if tier.refund_percent > 100 {
                return Err((format!("cancel[{index}].refund_percent"), "must be 0 to 100"));
            }
            if let Some(stage) = tier.until.stage()
                && self.stage_index(stage).is_none()
            {
                let key = format!("cancel[{index}].until.stage");
                return Err((key, "names a stage that [fulfilment] does not have"));
            }
        }
        Ok(())
    }
}

fn is_word(text: &str, joint: char) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joint;
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL_TAXI: &str = include_str!("../../services/call-taxi.toml");

    #[test]
    fn the_file_that_ships_is_valid() -> Result<(), InvalidService> {
        let service = Service::parse("call-taxi.toml", CALL_TAXI)?;
        assert_eq!(service.stage_after(None), "on_the_way");
        assert_eq!(service.stage_after(Some("on_the_way")), "riding");
        assert_eq!(service.stage_after(Some("riding")), COMPLETED);
        let price = |minor| service.price(Money { minor, currency: service.currency() }).minor;
        assert_eq!((price(9_800), price(100)), (9_800, 3_800), "call-taxi 1: at least 3,800 won");
        Ok(())
    }

    #[test]
    fn an_error_names_the_file_the_key_and_the_reason() {
        let refused = |from: &str, to: &str, expected: &[&str]| {
            let text = CALL_TAXI.replace(from, to);
            assert_ne!(text, CALL_TAXI, "{from} is in the file");
            let error = Service::parse("taxi.toml", &text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let error = format!("{error}: {}", source.unwrap_or_default());
            for part in expected {
                assert!(error.contains(part), "{error:?} names {part:?}");
            }
        };
        refused("deadline = \"30m\"", "deadline = \"soon\"", &["taxi.toml", "deadline", "30m"]);
        refused("deadline = \"30m\"", "deadlines = \"30m\"", &["taxi.toml", "deadlines"]);
        refused("stage = \"on_the_way\"", "stage = \"x\"", &["taxi.toml: cancel[1].until.stage:"]);
        refused("refund_percent = 50", "refund_percent = 101", &["refund_percent", "100"]);
        refused("variant = \"grade\"", "variant = \"colour\"", &["hold.variant", "[options]"]);
        refused("id = \"call-taxi\"", "id = \"Call Taxi\"", &["taxi.toml: id:"]);
    }

    #[test]
    fn another_definition_is_another_revision() -> Result<(), Box<dyn std::error::Error>> {
        let ours = Service::parse("a", CALL_TAXI)?.revision()?;
        let other = Service::parse("b", &CALL_TAXI.replace("30m", "29m"))?.revision()?;
        assert_ne!(ours, other);
        Ok(())
    }
}
