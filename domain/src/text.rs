//! What customers read: words in two languages, and the messages of each change of state.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use crate::{plan::Plan, status::Status, view::BookingView};

/// A name in every language that Bellhop speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// In Korean.
    pub ko: String,
    /// In English.
    pub en: String,
}

impl Words {
    /// The word in a language.
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::Ko => &self.ko,
            Language::En => &self.en,
        }
    }
}

/// A language that Bellhop speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Korean.
    #[default]
    Ko,
    /// English.
    En,
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// A text message.
    #[serde(rename = "sms")]
    Sms,
    /// KakaoTalk (AlimTalk).
    #[serde(rename = "kakaotalk")]
    KakaoTalk,
    /// The customer's own page: it is there at once, and no gateway is asked.
    #[serde(rename = "page")]
    Page,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 3] = [Self::Sms, Self::KakaoTalk, Self::Page];

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::KakaoTalk => "kakaotalk",
            Self::Page => "page",
        }
    }
}

/// The text of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The template that it was made from: the state that the booking changed to.
    pub template: &'static str,
    /// What the customer reads.
    pub body: String,
}

/// A template that cannot be rendered: a defect of the templates that ship.
#[derive(Debug, thiserror::Error)]
#[error("message template {template} cannot be rendered")]
pub struct Unrenderable {
    template: &'static str,
    source: minijinja::Error,
}

macro_rules! templates {
    ($($status:literal),+ $(,)?) => {
        &[$(
            (concat!("ko/", $status), include_str!(concat!("text/ko/", $status, ".txt"))),
            (concat!("en/", $status), include_str!(concat!("text/en/", $status, ".txt"))),
        )+]
    };
}

/// A template per language and state that customers are told of.
const TEMPLATES: &[(&str, &str)] = templates![
    "awaiting_payment",
    "awaiting_approval",
    "dispatching",
    "confirmed",
    "in_progress",
    "cancelling",
    "completed",
    "cancelled",
    "rejected",
    "expired",
    "no_show",
    "unfulfilled",
];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source.trim_end()).expect("the templates that ship parse");
    }
    environment
});

/// The message that tells a customer how their booking stands now.
///
/// # Errors
/// [`Unrenderable`], which the tests of this file rule out for the templates that ship.
pub fn render(plan: &Plan, view: &BookingView) -> Result<Text, Unrenderable> {
    let language = plan.request.customer.language;
    let template = view.status.as_str();
    let stage = view.stage.as_deref().and_then(|id| plan.service.stage(id));
    let folder = match language {
        Language::Ko => "ko",
        Language::En => "en",
    };
    let values = context! {
        service => plan.service.name.in_language(language),
        quantity => view.quantity,
        amount => view.amount.map(|amount| amount.to_string()),
        refunded => view.currency().filter(|_| view.payment.refunded > 0).map(|currency| {
            crate::money::Money { minor: view.payment.refunded, currency }.to_string()
        }),
        assignment => view.assignment.as_ref().map(|it| it.label.as_str()),
        stage => stage.map(|it| it.name.in_language(language)),
        code => view.code.as_deref(),
        place => plan.request.place.as_ref().map(|it| it.address.as_str()),
    };
    ENVIRONMENT
        .get_template(&format!("{folder}/{template}"))
        .and_then(|it| it.render(values))
        .map(|body| Text { template, body })
        .map_err(|source| Unrenderable { template, source })
}

/// Whether customers are told of a change to this state.
pub const fn is_told(status: Status) -> bool {
    !matches!(status, Status::Pending)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::a_taxi;

    #[test]
    fn every_state_is_told_in_both_languages() -> Result<(), Box<dyn std::error::Error>> {
        for language in [Language::Ko, Language::En] {
            let mut plan = a_taxi()?;
            plan.request.customer.language = language;
            for status in Status::ALL.iter().copied().filter(|it| is_told(*it)) {
                let view = BookingView { status, ..BookingView::default() };
                let text = render(&plan, &view)?;
                assert!(text.body.contains(plan.service.name.in_language(language)), "{text:?}");
                assert!(text.body.chars().count() <= 200, "fits messages: {text:?}");
            }
        }
        Ok(())
    }
}
