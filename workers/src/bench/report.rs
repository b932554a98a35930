//! What was measured, and how it is told.

use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use super::{
    BenchArgs,
    customers::Footprint,
    load::Load,
    shape::{Payments, Service, Until},
};

/// What was measured: the medians of its runs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    pub(super) service: Service,
    pub(super) until: Until,
    pub(super) payments: Payments,
    /// `sqlite` or `postgres`.
    pub(super) database: &'static str,
    pub(super) clients: u32,
    pub(super) bookings: u32,
    #[serde(flatten)]
    median: Figures,
    runs: Vec<Run>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    #[serde(flatten)]
    pub(super) figures: Figures,
    /// Commands to the bookings, where they were measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) commands: Vec<Commands>,
}

/// How commands of a kind went.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Commands {
    pub(super) command: &'static str,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    stalls: usize,
}

/// The figures of a run, or the medians of several.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Figures {
    bookings_per_second: f64,
    noop_per_second: f64,
    ratio: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Answers near 5 s or 10 s: Temporal's own timers, so a task was lost.
    stalls: usize,
    events_per_booking: f64,
    history_bytes_per_booking: f64,
    /// Statements of the process during the bookings, deliveries of messages included.
    statements_per_booking: f64,
    pub(super) failed: usize,
}

impl Figures {
    pub(super) fn of(bookings: &Load, noops: &Load, footprint: Footprint, statements: f64) -> Self {
        let (of_bookings, of_noops) = (bookings.per_second(), noops.per_second());
        Self {
            bookings_per_second: round(of_bookings, 1),
            noop_per_second: round(of_noops, 1),
            ratio: round(of_bookings / of_noops, 3),
            p50_ms: ms(bookings.percentile(50.0)),
            p99_ms: ms(bookings.percentile(99.0)),
            max_ms: ms(bookings.percentile(100.0)),
            stalls: bookings.stalls(),
            events_per_booking: round(footprint.events, 1),
            history_bytes_per_booking: round(footprint.bytes, 0),
            statements_per_booking: round(statements, 1),
            failed: bookings.failed,
        }
    }

    /// The median of each figure; the largest of what must not happen at all.
    fn median(runs: &[Run]) -> Self {
        let median = |figure: fn(&Self) -> f64| {
            let mut values: Vec<_> = runs.iter().map(|it| figure(&it.figures)).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        let most = |figure: fn(&Self) -> usize| {
            runs.iter().map(|it| figure(&it.figures)).max().unwrap_or_default()
        };
        Self {
            bookings_per_second: median(|it| it.bookings_per_second),
            noop_per_second: median(|it| it.noop_per_second),
            ratio: median(|it| it.ratio),
            p50_ms: median(|it| it.p50_ms),
            p99_ms: median(|it| it.p99_ms),
            max_ms: median(|it| it.max_ms),
            stalls: most(|it| it.stalls),
            events_per_booking: median(|it| it.events_per_booking),
            history_bytes_per_booking: median(|it| it.history_bytes_per_booking),
            statements_per_booking: median(|it| it.statements_per_booking),
            failed: most(|it| it.failed),
        }
    }
}

impl Commands {
    pub(super) fn of(command: &'static str, load: &Load) -> Self {
        Self {
            command,
            per_second: round(load.per_second(), 1),
            p50_ms: ms(load.percentile(50.0)),
            p99_ms: ms(load.percentile(99.0)),
            max_ms: ms(load.percentile(100.0)),
            stalls: load.stalls(),
        }
    }
}

impl Report {
    pub(super) fn of(args: &BenchArgs, database: &'static str, runs: Vec<Run>) -> Self {
        let BenchArgs { service, until, payments, clients, bookings, .. } = *args;
        let median = Figures::median(&runs);
        Self { service, until, payments, database, clients, bookings, median, runs }
    }

    /// How many bookings failed in the worst run.
    pub(super) fn failed(&self) -> usize {
        self.median.failed
    }

    /// Tells it: one JSON line on standard output, or for people.
    pub(super) fn tell(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            eprintln!("{}", self.text());
            println!("{}", serde_json::to_string(self).context("a report is JSON")?);
        } else {
            println!("{}", self.text());
        }
        Ok(())
    }

    fn text(&self) -> String {
        let Self { service, until, database, clients, bookings, median, runs, .. } = self;
        let service = serde_word(service);
        let mut text = format!(
            "\n{service} until {}: {bookings} bookings by {clients} clients on {database}, {} \
             failed\n{} bookings/s, {} no-ops/s, ratio {}{}\n\
             answered within p50 {} ms, p99 {} ms, at most {} ms; {} stalls\n\
             {} history events, {} bytes of history, {} database statements a booking\n",
            serde_word(until),
            median.failed,
            median.bookings_per_second,
            median.noop_per_second,
            median.ratio,
            spread(runs),
            median.p50_ms,
            median.p99_ms,
            median.max_ms,
            median.stalls,
            median.events_per_booking,
            median.history_bytes_per_booking,
            median.statements_per_booking,
        );
        for it in runs.iter().flat_map(|run| &run.commands) {
            text.push_str(&format!(
                "{}: {}/s, p50 {} ms, p99 {} ms, at most {} ms, {} stalls\n",
                it.command, it.per_second, it.p50_ms, it.p99_ms, it.max_ms, it.stalls
            ));
        }
        text.push_str(&note(self.service));
        text
    }

    /// Its line of a table.
    pub(super) fn row(&self) -> String {
        let Self { service, until, payments, clients, bookings, median: it, .. } = self;
        format!(
            "| {} until {}, payments {} | {clients} | {bookings} | {} | {} | {}{} | {} | {} | {} \
             | {} | {} |",
            serde_word(service),
            serde_word(until),
            serde_word(payments),
            it.bookings_per_second,
            it.noop_per_second,
            it.ratio,
            spread(&self.runs),
            it.p50_ms,
            it.p99_ms,
            it.max_ms,
            it.stalls,
            it.events_per_booking,
        )
    }

    /// The lines of its commands, in a table of their own.
    pub(super) fn command_rows(&self) -> Vec<String> {
        let commands = self.runs.iter().flat_map(|run| &run.commands);
        let row = |it: &Commands| {
            format!(
                "| {} | {} | {} | {} | {} | {} | {} |",
                it.command, self.clients, it.per_second, it.p50_ms, it.p99_ms, it.max_ms, it.stalls
            )
        };
        commands.map(row).collect()
    }
}

/// The heads of the tables.
pub(super) const HEAD: &str = "\
| what | clients | bookings | bookings/s | no-ops/s | ratio | p50 ms | p99 ms | max ms | stalls | events |
|---|---|---|---|---|---|---|---|---|---|---|";
pub(super) const COMMANDS_HEAD: &str = "\
| command | clients | per second | p50 ms | p99 ms | max ms | stalls |
|---|---|---|---|---|---|---|";

/// The least and the greatest ratio, where there were several runs.
fn spread(runs: &[Run]) -> String {
    let mut ratios: Vec<_> = runs.iter().map(|it| it.figures.ratio).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    match ratios[..] {
        [least, .., most] => format!(" ({least} to {most} in {} runs)", ratios.len()),
        _ => String::new(),
    }
}

/// What the figures are of.
pub(super) fn note(service: Service) -> String {
    format!(
        "\nA booking: POST /v1/bookings over HTTP with keep-alive until its 201: {}. A no-op: a \
         workflow\nthat returns at once, on the same server, connection, process and slots, started \
         eagerly by as many\nclients and awaited by its result; five events, no HTTP.\n",
        service.answered()
    )
}

/// The word that JSON has for it.
fn serde_word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

pub(super) fn ms(latency: Duration) -> f64 {
    round(latency.as_secs_f64() * 1_000.0, 1)
}

pub(super) fn round(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}
