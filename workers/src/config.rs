//! Settings: flags and environment variables, read once. A bad one ends the process before a port is
//! bound.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use bellhop_activities::{PaymentSettings, partner};
use bellhop_domain::plan::{Family, Pace};
use bellhop_workflows::contract::BOOKINGS_QUEUE;
use clap::Args;
use secrecy::SecretString;

use crate::telemetry::LogFormat;

/// Settings of every role.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// How logs are written to standard error.
    #[arg(long = "log", env = "BELLHOP_LOG", value_enum, default_value_t, global = true)]
    pub format: LogFormat,
}

/// Where the database is.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// `postgres://user:password@host/database`; `sqlite:///path/bellhop.db` serves one process
    /// only, so separate processes need PostgreSQL.
    #[arg(long, env = "BELLHOP_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
}

/// Where Temporal is.
#[derive(Args, Clone, Debug)]
pub struct TemporalArgs {
    /// Host and port of Temporal's frontend. TLS and API keys are set by Temporal's own environment
    /// variables (`TEMPORAL_TLS…`, `TEMPORAL_API_KEY`).
    #[arg(long, env = "TEMPORAL_ADDRESS", default_value = "127.0.0.1:7233")]
    pub temporal_address: String,
    /// The namespace; it must have the search attribute `BellhopService` (Keyword).
    #[arg(long, env = "TEMPORAL_NAMESPACE", default_value = "default")]
    pub temporal_namespace: String,
    /// The task queue of booking workflows. All its workers carry the same inline families, so a
    /// deployment that changes them names another queue.
    #[arg(long, env = "BELLHOP_BOOKINGS_QUEUE", default_value = "bookings")]
    pub bookings_queue: String,
    /// Where the Temporal SDK's own metrics are served at `/metrics`, for Prometheus: slots, pollers,
    /// latencies (`temporal_…`). Nowhere unless it is set.
    #[arg(long, env = "BELLHOP_SDK_METRICS_LISTEN")]
    pub sdk_metrics_listen: Option<SocketAddr>,
}

impl TemporalArgs {
    /// Those of a development server.
    pub fn development(address: SocketAddr) -> Self {
        Self {
            temporal_address: address.to_string(),
            temporal_namespace: "default".to_owned(),
            bookings_queue: BOOKINGS_QUEUE.to_owned(),
            sdk_metrics_listen: None,
        }
    }
}

/// Which families the workers of the bookings queue carry inline.
#[derive(Args, Clone, Debug)]
pub struct InlineArgs {
    /// Families whose acts bookings workers try inline, separated by commas: payments, dispatch.
    /// Empty: every act of theirs goes through its queue.
    #[arg(
        long,
        env = "BELLHOP_INLINE",
        default_value = "payments,dispatch",
        value_parser = families
    )]
    pub inline: Families,
}

/// A set of families, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Families(pub Vec<Family>);

impl std::fmt::Display for Families {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<_> = self.0.iter().map(|family| family.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

/// Where the partners are.
#[derive(Args, Clone, Debug)]
pub struct PartnerArgs {
    /// The payment provider's base URL.
    #[arg(long, env = "BELLHOP_PAYMENTS_URL", default_value = "http://127.0.0.1:8089")]
    pub payments_url: String,
    /// The credential for it.
    #[arg(long, env = "BELLHOP_PAYMENTS_KEY", default_value = "", hide_env_values = true)]
    pub payments_key: SecretString,
    /// The messaging gateway's base URL.
    #[arg(long, env = "BELLHOP_MESSAGES_URL", default_value = "http://127.0.0.1:8089")]
    pub messages_url: String,
    /// The credential for it.
    #[arg(long, env = "BELLHOP_MESSAGES_KEY", default_value = "", hide_env_values = true)]
    pub messages_key: SecretString,
    /// How long a partner may take for one call on a queue, in milliseconds, up to 10000.
    #[arg(long, env = "BELLHOP_PARTNER_TIMEOUT_MS", default_value = "5000", value_parser = millis)]
    pub partner_timeout: Duration,
    /// How long a partner may take inline, in milliseconds, up to 4000.
    #[arg(
        long,
        env = "BELLHOP_PARTNER_INLINE_TIMEOUT_MS",
        default_value = "3000",
        value_parser = millis
    )]
    pub partner_inline_timeout: Duration,
    /// How long a breaker that has opened lets no call through, in milliseconds.
    #[arg(long, env = "BELLHOP_BREAKER_PAUSE_MS", default_value = "5000", value_parser = millis)]
    pub breaker_pause: Duration,
    /// How long a payment that was sent and not answered may still appear at the provider, in
    /// milliseconds: the provider's own limit.
    #[arg(long, env = "BELLHOP_UNKNOWN_LIMIT_MS", default_value = "3600000", value_parser = millis)]
    pub unknown_limit: Duration,
}

/// Which services are offered.
#[derive(Args, Clone, Debug)]
pub struct ServiceArgs {
    /// A folder of service files (`*.toml`) that replaces those that ship.
    #[arg(long, env = "BELLHOP_SERVICES_DIR")]
    pub services_dir: Option<PathBuf>,
}

/// How bookings are paced. The defaults are right outside tests.
#[derive(Args, Clone, Debug)]
pub struct PaceArgs {
    /// How long one workflow task may go on starting inline calls to partners, in milliseconds.
    /// Half of Temporal's workflow task time-out (10 s).
    #[arg(long, env = "BELLHOP_INLINE_BUDGET_MS", default_value = "5000", value_parser = millis)]
    pub inline_budget: Duration,
    /// How long a step may keep failing before its booking raises attention, in milliseconds.
    #[arg(long, env = "BELLHOP_ATTENTION_AFTER_MS", default_value = "30000", value_parser = millis)]
    pub attention_after: Duration,
    /// How long the first retry on a queue waits, in milliseconds; each further one twice as long.
    #[arg(long, env = "BELLHOP_RETRY_AFTER_MS", default_value = "1000", value_parser = millis)]
    pub retry_after: Duration,
    /// How long a retry on a queue waits at most, in milliseconds.
    #[arg(long, env = "BELLHOP_RETRY_AT_MOST_MS", default_value = "60000", value_parser = millis)]
    pub retry_at_most: Duration,
}

impl PaceArgs {
    /// The pace of new bookings.
    pub fn pace(&self, inline: &InlineArgs) -> Pace {
        Pace {
            inline: inline.inline.0.clone(),
            inline_budget: self.inline_budget,
            attention_after: self.attention_after,
            retry_after: self.retry_after,
            retry_at_most: self.retry_at_most,
        }
    }
}

/// How long workers live, and how they end.
#[derive(Args, Clone, Copy, Debug)]
pub struct LifeArgs {
    /// How long running work may go on after SIGTERM, in seconds. Keep it below the pod's
    /// `terminationGracePeriodSeconds`.
    #[arg(long, env = "BELLHOP_DRAIN_SECONDS", default_value = "25", value_parser = seconds)]
    pub drain: Duration,
    /// After how many activities a worker is replaced by a fresh one, 20 to 100000000. The SDK keeps
    /// about 200 bytes for each that a worker has run.
    #[arg(
        long,
        env = "BELLHOP_RENEW_AFTER",
        default_value_t = 250_000,
        value_parser = clap::value_parser!(u64).range(20..=100_000_000)
    )]
    pub renew_after: u64,
}

/// How much the API takes on at once.
#[derive(Args, Clone, Debug)]
pub struct LimitArgs {
    /// How many bookings may be waited for at once. More hear "come back shortly", and nothing of
    /// them is kept.
    #[arg(long, env = "BELLHOP_MAX_IN_FLIGHT", default_value_t = 1_000)]
    pub max_in_flight: usize,
}

impl LimitArgs {
    /// How an API goes about its work whose bookings run on `bookings_queue`.
    pub fn settings(&self, bookings_queue: &str) -> bellhop_api::Settings {
        bellhop_api::Settings {
            bookings_queue: bookings_queue.to_owned(),
            max_in_flight: self.max_in_flight,
            ..bellhop_api::Settings::default()
        }
    }
}

/// Where the API listens, and whom it knows.
#[derive(Args, Clone, Debug)]
pub struct ApiArgs {
    /// The address to listen on.
    #[arg(long, env = "BELLHOP_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The token file: who may call, and as whom.
    #[arg(long, env = "BELLHOP_TOKENS_FILE")]
    pub tokens_file: PathBuf,
}

impl PartnerArgs {
    /// The payment provider's settings.
    pub fn payments(&self) -> partner::Settings {
        let settings = partner::Settings::new(&self.payments_url, self.payments_key.clone());
        self.with_time_outs(settings)
    }

    /// The messaging gateway's settings.
    pub fn messages(&self) -> partner::Settings {
        let settings = partner::Settings::new(&self.messages_url, self.messages_key.clone());
        self.with_time_outs(settings)
    }

    fn with_time_outs(&self, settings: partner::Settings) -> partner::Settings {
        partner::Settings {
            timeout: self.partner_timeout,
            inline_timeout: self.partner_inline_timeout,
            breaker_pause: self.breaker_pause,
            ..settings
        }
    }

    /// When the provider is asked again about a payment that it has not told of.
    pub fn payment_settings(&self) -> PaymentSettings {
        PaymentSettings { unknown_limit: self.unknown_limit, ..PaymentSettings::default() }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 0..=3_600) => Ok(Duration::from_secs(seconds)),
        _ => Err("use whole seconds from 0 to 3600".to_owned()),
    }
}

fn millis(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(millis @ 1..=86_400_000) => Ok(Duration::from_millis(millis)),
        _ => Err("use whole milliseconds from 1 to 86400000".to_owned()),
    }
}

fn families(text: &str) -> Result<Families, String> {
    let mut families = vec![];
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match Family::ALL.iter().find(|family| family.as_str() == word) {
            Some(family) => families.push(*family),
            None => return Err(format!("there is no family {word}: use payments, dispatch")),
        }
    }
    families.sort_unstable();
    families.dedup();
    Ok(Families(families))
}
