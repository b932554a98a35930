//! A service: which phases its bookings have and with what options, read from a TOML file.

mod check;
mod phases;

pub use phases::{
    Approval, AtCompletion, Capture, Dispatch, Fulfilment, Hold, Messages, Mode, Nearest, NoShow,
    OptionRule, Payment, Quote, RequestRule, Stage, Untimely, WhenAway, WhenLapsed,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{money::Currency, policy::Tier, text::Words, zone::Zone};

/// A service, as its file describes it. The order of the phases is fixed: quote, hold, payment,
/// approval, dispatch, fulfilment; each but the quote may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its id, in URLs and requests: `call-taxi`.
    pub id: String,
    /// What people call it.
    pub name: Words,
    /// Where its local times are.
    #[serde(default)]
    pub time_zone: Option<Zone>,
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

/// The stage name that means "the service is over" in an `advance`.
pub const COMPLETED: &str = "completed";

/// The stage name that means "nobody came" in an `advance`.
pub const NO_SHOW: &str = "no_show";

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
            reason,
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

    /// The currency of its prices.
    pub fn currency(&self) -> Currency {
        match &self.quote {
            Quote::Pool { currency, .. }
            | Quote::Agreed { currency, .. }
            | Quote::Tariff { currency, .. } => *currency,
        }
    }

    /// Whether somebody is sent who may yet decline.
    pub fn sends_person(&self) -> bool {
        matches!(self.dispatch, Some(Dispatch::Nearest(_)))
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
        Ok(())
    }

    #[test]
    fn all_files_that_ship_are_valid() -> Result<(), InvalidService> {
        for (file, text) in [
            ("designated-driver.toml", include_str!("../../services/designated-driver.toml")),
            ("exhibition.toml", include_str!("../../services/exhibition.toml")),
            ("home-cleaning.toml", include_str!("../../services/home-cleaning.toml")),
            ("coffee.toml", include_str!("../../services/coffee.toml")),
        ] {
            Service::parse(file, text)?;
        }
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
    fn somebody_is_only_assigned_where_there_is_something_to_complete() {
        let text = include_str!("../../services/designated-driver.toml");
        assert!(Service::parse("driver.toml", text).is_ok());
        let (head, rest) = text.split_once("[fulfilment]").expect("it has stages");
        let (_, tail) = rest.split_once("[[cancel]]").expect("it can be cancelled");
        let error = Service::parse("driver.toml", &format!("{head}[[cancel]]{tail}")).unwrap_err();
        assert!(error.to_string().contains("driver.toml: fulfilment:"), "{error}");
    }

    #[test]
    fn another_definition_is_another_revision() -> Result<(), Box<dyn std::error::Error>> {
        let ours = Service::parse("a", CALL_TAXI)?.revision()?;
        let other = Service::parse("b", &CALL_TAXI.replace("30m", "29m"))?.revision()?;
        assert_ne!(ours, other);
        Ok(())
    }
}
