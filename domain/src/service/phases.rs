//! The phases of a service and their options.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{message::Channel, money::Currency, span::Span, text::Words};

/// What a request may say for one option.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RequestRule {
    /// Whether it must name a place.
    pub place: bool,
    /// How many may be booked at once, at least 1.
    pub max_quantity: u32,
    /// How long before its start it must be made at the latest; any time, if left out.
    pub cut_off: Option<Span>,
    /// How far ahead it may be made; any time, if left out.
    pub horizon: Option<Span>,
}

impl RequestRule {
    /// Whether what starts at `start` may be booked at `now`: the ends of both spans are in time.
    ///
    /// # Errors
    /// [`Untimely`] otherwise.
    pub fn in_time(&self, start: Timestamp, now: Timestamp) -> Result<(), Untimely> {
        let ahead = start.duration_since(now);
        match (self.cut_off, self.horizon) {
            (Some(span), _) if ahead < span.signed() => Err(Untimely::TooLate(span)),
            (_, Some(span)) if ahead > span.signed() => Err(Untimely::TooEarly(span)),
            _ => Ok(()),
        }
    }
}

/// A start that may not be booked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// It is too near.
    #[error("must be at least {0} ahead")]
    TooLate(Span),
    /// It is too far ahead.
    #[error("must be at most {0} ahead")]
    TooEarly(Span),
}

impl Untimely {
    /// The code of a booking that is refused for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLate(_) => "too_late",
            Self::TooEarly(_) => "too_early",
        }
    }
}

impl Default for RequestRule {
    fn default() -> Self {
        Self { place: false, max_quantity: 1, cut_off: None, horizon: None }
    }
}

/// What a booking costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Price))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Quote {
    /// The price of the pool that is held from, times the quantity.
    Pool {
        /// In which currency.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        currency: Currency,
        /// A piece costs at least this, in the minor unit.
        #[serde(default)]
        minimum: i64,
    },
    /// What the caller has agreed with whoever took the call.
    Agreed {
        /// In which currency.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        currency: Currency,
        /// At least this, in the minor unit.
        minimum: i64,
        /// At most this, in the minor unit.
        maximum: i64,
    },
    /// A price that stands in this file, times the quantity.
    Tariff {
        /// In which currency.
        #[cfg_attr(feature = "openapi", schema(value_type = String))]
        currency: Currency,
        /// The price of one, in the minor unit.
        price: i64,
        /// The option whose value may have a price of its own.
        #[serde(default)]
        option: Option<String>,
        /// The prices of its values; those that are not listed cost `price`.
        #[serde(default)]
        prices: BTreeMap<String, i64>,
    },
}

/// What is held for a booking until it is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The kind of pool: `taxi`.
    pub pool: String,
    /// The option that names the pool itself: `exhibition_id`.
    #[serde(default)]
    pub id: Option<String>,
    /// The option that names the pool's variant: `grade`.
    #[serde(default)]
    pub variant: Option<String>,
    /// The option that names the pool's company. A request that names none gets the cheapest.
    #[serde(default)]
    pub company: Option<String>,
    /// How long it is held without being paid for.
    pub expires_after: Span,
    /// The stage at which it is used up: from there on it never goes back, whoever cancels.
    #[serde(default)]
    pub used_at: Option<String>,
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PaymentRule))]
#[serde(deny_unknown_fields)]
pub struct Payment {
    /// When it is charged.
    pub capture: Capture,
    /// What a new booking meets while the provider is known to be away (its breaker is open).
    pub when_away: WhenAway,
    /// Whether a request may name no payment: it is paid on the spot, and not by Bellhop.
    #[serde(default)]
    pub optional: bool,
    /// How long it is waited for; then the booking is rejected as `payment_unavailable`. Without
    /// it, for as long as what is held.
    #[serde(default)]
    pub within: Option<Span>,
}

/// When a payment is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Capture {
    /// With the booking.
    AtOnce,
    /// Reserved with the booking, charged once it is approved.
    OnApproval,
}

/// What a new booking meets while the payment provider is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhenAway {
    /// "Come back shortly", before anything is started (call-taxi 14).
    Refuse,
    /// It is taken and waits for the payment.
    Wait,
}

/// Who has to agree, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// How long the company's manager has.
    pub deadline: Span,
    /// What a booking becomes that nobody has decided by then.
    #[serde(default)]
    pub when_lapsed: WhenLapsed,
}

/// What the end of an approval's deadline decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WhenLapsed {
    /// The booking is rejected, and undone.
    #[default]
    Decline,
    /// The booking goes on as if it had been approved.
    Approve,
}

/// Who or what is assigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Dispatch {
    /// What the hold set aside is taken from its pool.
    FromHold,
    /// A confirmation of entry with a number of its own follows the confirmed booking.
    EntryConfirmation,
    /// The nearest free person who can do it.
    Nearest(Nearest),
}

/// How the nearest free person is found: in rings around the place that widen round by round, until
/// somebody has it or the rounds are over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nearest {
    /// The kind of staff: `driver`.
    pub staff: String,
    /// The option that names what they must be able to do: `gearbox`.
    #[serde(default)]
    pub skill: Option<String>,
    /// Whether they are told or asked.
    #[serde(default)]
    pub mode: Mode,
    /// How long an offer stands (mode `offer`).
    #[serde(default)]
    pub answer_within: Option<Span>,
    /// How far from the place the first round looks, in metres.
    pub within: u32,
    /// How much farther each round looks than the one before, in metres.
    #[serde(default)]
    pub widen_by: u32,
    /// How many rounds there are, 1 to [`Nearest::MOST_ROUNDS`].
    pub rounds: u32,
    /// How long it is until the next round where nobody was free.
    pub pause: Span,
}

impl Nearest {
    /// So many rounds keep a booking's history below 2,000 events.
    pub const MOST_ROUNDS: u32 = 200;

    /// How far from the place the `round`th round looks, in metres; rounds count from 1.
    pub fn reach(&self, round: u32) -> u32 {
        self.within.saturating_add(self.widen_by.saturating_mul(round.saturating_sub(1)))
    }
}

/// Whether people are told or asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The nearest is assigned, and told.
    #[default]
    Auto,
    /// The nearest is asked, and accepts or declines.
    Offer,
}

/// Which stages the service goes through, from confirmed to completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fulfilment {
    /// The stages in their order; none where the booking is only to be completed.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// What people call its completion, where that has a word of its own: `admitted`.
    #[serde(default)]
    pub completed: Option<Words>,
    /// What happens to those who do not come; without it nobody can be missed.
    #[serde(default)]
    pub no_show: Option<NoShow>,
}

/// What happens to those who do not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoShow {
    /// How long after the start they may still come.
    pub after: Span,
    /// How much of the price goes back, in percent.
    #[serde(default)]
    pub refund_percent: u8,
}

/// A stage of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// The channels to who is assigned, likewise.
    pub staff: Vec<Channel>,
}
