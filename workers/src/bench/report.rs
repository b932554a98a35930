//! What was measured, and how it is told.

use std::{fmt, time::Duration};

use anyhow::Context as _;
use serde::Serialize;

use super::{
    BenchArgs,
    customers::Footprint,
    load::{Load, Tenth},
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
    /// How the bookings went from tenth to tenth, where there were enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tenths: Vec<Tenth>,
    /// Commands to the bookings, where they were measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) commands: Vec<Commands>,
}

/// How commands of a kind went.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Commands {
    command: &'static str,
    /// Whether the worker that held the bookings was drained before.
    drained: bool,
    per_second: f64,
    #[serde(flatten)]
    latency: Latency,
    stalls: usize,
}

/// How long something took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
    pub(super) failed: usize,
}

/// The figures of a run, or the medians of several.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Figures {
    bookings_per_second: f64,
    noop_per_second: f64,
    ratio: f64,
    /// How long the no-ops took: the engine's own tail.
    noop_p50_ms: f64,
    noop_p99_ms: f64,
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
            noop_p50_ms: ms(noops.percentile(50.0)),
            noop_p99_ms: ms(noops.percentile(99.0)),
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
        let median = |figure: fn(&Self) -> f64| median(runs.iter().map(|it| figure(&it.figures)));
        let most = |figure: fn(&Self) -> usize| {
            runs.iter().map(|it| figure(&it.figures)).max().unwrap_or_default()
        };
        Self {
            bookings_per_second: median(|it| it.bookings_per_second),
            noop_per_second: median(|it| it.noop_per_second),
            ratio: median(|it| it.ratio),
            noop_p50_ms: median(|it| it.noop_p50_ms),
            noop_p99_ms: median(|it| it.noop_p99_ms),
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
    pub(super) fn of(command: &'static str, drained: bool, load: &Load) -> Self {
        Self {
            command,
            drained,
            per_second: round(load.per_second(), 1),
            latency: Latency::of(load),
            stalls: load.stalls(),
        }
    }

    /// The median of each figure; the most stalls of all.
    fn median(runs: &[&Self]) -> Option<Self> {
        let first = **runs.first()?;
        let of = |figure: fn(&Self) -> f64| median(runs.iter().map(|it| figure(it)));
        Some(Self {
            per_second: of(|it| it.per_second),
            latency: Latency {
                p50_ms: of(|it| it.latency.p50_ms),
                p99_ms: of(|it| it.latency.p99_ms),
                max_ms: of(|it| it.latency.max_ms),
                ..first.latency
            },
            stalls: runs.iter().map(|it| it.stalls).max().unwrap_or_default(),
            ..first
        })
    }
}

impl Latency {
    pub(super) fn of(load: &Load) -> Self {
        Self {
            p50_ms: ms(load.percentile(50.0)),
            p99_ms: ms(load.percentile(99.0)),
            max_ms: ms(load.percentile(100.0)),
            failed: load.failed,
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { p50_ms, p99_ms, max_ms, failed } = self;
        write!(f, "p50 {p50_ms} ms, p99 {p99_ms} ms, at most {max_ms} ms, {failed} failed")
    }
}

impl Report {
    pub(super) fn of(args: &BenchArgs, runs: Vec<Run>) -> Self {
        let BenchArgs { service, until, payments, clients, bookings, .. } = *args;
        let database = if args.database_url.is_some() { "postgres" } else { "sqlite" };
        let median = Figures::median(&runs);
        Self { service, until, payments, database, clients, bookings, median, runs }
    }

    /// How many bookings failed in the worst run.
    pub(super) fn failed(&self) -> usize {
        self.median.failed
    }

    /// Tells it: one JSON line on standard output, or for people.
    pub(super) fn tell(&self, as_json: bool) -> anyhow::Result<()> {
        tell(self, &self.text(), as_json)
    }

    fn text(&self) -> String {
        let Self { service, until, database, clients, bookings, median, runs, .. } = self;
        let service = serde_word(service);
        let mut text = format!(
            "\n{service} until {}: {bookings} bookings by {clients} clients on {database}, {} \
             failed\n{} bookings/s, {} no-ops/s, ratio {}{}\n\
             answered within p50 {} ms, p99 {} ms, at most {} ms; {} stalls; the no-ops within p50 \
             {} ms, p99 {} ms\n\
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
            median.noop_p50_ms,
            median.noop_p99_ms,
            median.events_per_booking,
            median.history_bytes_per_booking,
            median.statements_per_booking,
        );
        for it in self.commands() {
            let Commands { command, per_second, latency, stalls, .. } = it;
            text.push_str(&format!("{command}: {per_second}/s, {latency}, {stalls} stalls\n"));
        }
        for run in runs {
            text.push_str(&ageing(&run.tenths));
        }
        text.push_str(&note(self.service));
        text
    }

    /// Its line of a table.
    fn row(&self) -> String {
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

    /// The medians of its commands.
    fn commands(&self) -> Vec<Commands> {
        let kinds = self.runs.first().map_or(0, |it| it.commands.len());
        let runs = |kind: usize| self.runs.iter().filter_map(move |it| it.commands.get(kind));
        (0..kinds).filter_map(|kind| Commands::median(&runs(kind).collect::<Vec<_>>())).collect()
    }

    /// The lines of its commands, in a table of their own.
    fn command_rows(&self) -> Vec<String> {
        let row = |it: &Commands| {
            let Commands { command, drained, per_second, latency, stalls } = it;
            let drained = if *drained { ", after its worker was drained" } else { "" };
            let Latency { p50_ms, p99_ms, max_ms, .. } = latency;
            let clients = self.clients;
            format!(
                "| {command}{drained} | {clients} | {per_second} | {p50_ms} | {p99_ms} | {max_ms} \
                 | {stalls} |",
            )
        };
        self.commands().iter().map(row).collect()
    }
}

/// Prints a report: its text for people, or one JSON line on standard output and the text beside it.
pub(super) fn tell(report: &impl Serialize, text: &str, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        eprintln!("{text}");
        println!("{}", serde_json::to_string(report).context("a report is JSON")?);
    } else {
        println!("{text}");
    }
    Ok(())
}

/// Prints several reports as the tables of docs/performance.md.
pub(super) fn tell_table(reports: &[Report]) {
    println!("{HEAD}");
    reports.iter().for_each(|it| println!("{}", it.row()));
    println!("\n{COMMANDS_HEAD}");
    reports.iter().flat_map(Report::command_rows).for_each(|it| println!("{it}"));
    if let Some(report) = reports.first() {
        println!("{}\nThe database: {}.", note(report.service), report.database);
    }
}

/// The heads of the tables.
const HEAD: &str = "\
| what | clients | bookings | bookings/s | no-ops/s | ratio | p50 ms | p99 ms | max ms | stalls | events |
|---|---|---|---|---|---|---|---|---|---|---|";
const COMMANDS_HEAD: &str = "\
| command | clients | per second | p50 ms | p99 ms | max ms | stalls |
|---|---|---|---|---|---|---|";

/// How the last tenth of a run went beside the first.
fn ageing(tenths: &[Tenth]) -> String {
    let [first, .., last] = tenths else { return String::new() };
    format!(
        "from the first tenth to the last: {} to {} bookings/s ({}), memory {} to {} MB\n",
        first.per_second,
        last.per_second,
        round(last.per_second / first.per_second, 2),
        first.memory_mb,
        last.memory_mb,
    )
}

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
fn note(service: Service) -> String {
    format!(
        "\nA booking: POST /v1/bookings over HTTP with keep-alive until its 201: {}. A no-op: a \
         workflow\nthat returns at once, on the same server, connection, process and slots, started \
         eagerly by as many\nclients and awaited by its result; five events, no HTTP.\n",
        service.answered()
    )
}

/// The value in the middle.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The word that JSON has for it.
fn serde_word(value: &impl Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}

fn ms(latency: Duration) -> f64 {
    round(latency.as_secs_f64() * 1_000.0, 1)
}

pub(super) fn round(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}
