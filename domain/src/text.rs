//! What customers and staff read: words in two languages, and the messages of each change of state.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, context};
use serde::{Deserialize, Serialize};

use crate::{plan::Plan, status::Status, view::BookingView};

/// A name in every language that Bellhop speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Korean.
    #[default]
    Ko,
    /// English.
    En,
}

/// The text of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The template that it was made from: the state that the booking changed to, or the news for
    /// the staff.
    pub template: &'static str,
    /// What is read.
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

/// A template per language and state that customers are told of, and what the staff is told.
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
    "staff_assigned",
    "staff_offered",
    "staff_released",
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
    fill(template, language, values)
}

/// What who serves a booking, or is asked to, is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It is theirs.
    Assigned,
    /// It is theirs if they accept.
    Offered,
    /// It is not theirs any more.
    Released,
}

impl News {
    /// Everything that they are told.
    pub const ALL: [Self; 3] = [Self::Assigned, Self::Offered, Self::Released];

    const fn template(self) -> &'static str {
        match self {
            Self::Assigned => "staff_assigned",
            Self::Offered => "staff_offered",
            Self::Released => "staff_released",
        }
    }
}

/// The message that tells who serves a booking, or is asked to, what they need: what, where, and
/// for how much. Of the customer it tells nothing.
///
/// # Errors
/// [`Unrenderable`], which the tests of this file rule out for the templates that ship.
pub fn render_to_staff(
    plan: &Plan,
    view: &BookingView,
    news: News,
    language: Language,
) -> Result<Text, Unrenderable> {
    let values = context! {
        service => plan.service.name.in_language(language),
        amount => view.amount.map(|amount| amount.to_string()),
        place => plan.request.place.as_ref().map(|it| shortened(&it.address)),
    };
    fill(news.template(), language, values)
}

/// As much of an address as fits a message.
fn shortened(address: &str) -> String {
    const LONGEST: usize = 100;
    match address.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &address[..end]),
        None => address.to_owned(),
    }
}

fn fill(
    template: &'static str,
    language: Language,
    values: minijinja::Value,
) -> Result<Text, Unrenderable> {
    let folder = match language {
        Language::Ko => "ko",
        Language::En => "en",
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
    use crate::{money::Money, plan::tests::a_taxi};

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

    #[test]
    fn the_staff_is_told_where_and_what_and_nothing_of_the_customer()
    -> Result<(), Box<dyn std::error::Error>> {
        let mut plan = a_taxi()?;
        plan.request.customer.name = "Hong Gildong".to_owned();
        let amount = Money { minor: 25_000, currency: plan.service.currency() };
        let view = BookingView { amount: Some(amount), ..BookingView::default() };
        let place = "서울 마포구".repeat(50);
        for (news, language) in
            News::ALL.into_iter().flat_map(|it| [(it, Language::Ko), (it, Language::En)])
        {
            for address in ["서울 마포구", &place] {
                plan.request.place.as_mut().ok_or("a place")?.address = address.to_owned();
                let text = render_to_staff(&plan, &view, news, language)?.body;
                assert!(text.contains(plan.service.name.in_language(language)), "{text}");
                assert!(text.contains("서울 마포구"), "{text}");
                assert!(text.chars().count() <= 200, "fits messages: {text}");
                for secret in ["Hong", "1234", "5678"] {
                    assert!(!text.contains(secret), "{text}");
                }
            }
            let amount = amount.to_string();
            let text = render_to_staff(&plan, &view, news, language)?.body;
            assert_eq!(text.contains(&amount), news != News::Released, "{text}");
        }
        Ok(())
    }
}
