//! `bellhop bench`: bookings a second and how long customers wait, beside what the engine does with
//! a workflow that does nothing.

mod cluster;
mod load;
pub mod noop;
mod taxi;

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Parser};
use jiff::Timestamp;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::{load::Load, taxi::Taxis};
use crate::{
    config::TemporalArgs,
    dev::{self, DevArgs},
    stack::Ready,
    stop,
    worker::{Hands, Queue},
};

/// Settings of `bellhop bench`. How bookings are served is set as for `bellhop dev`, by the same
/// environment variables.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// The service that is booked.
    #[arg(long, default_value = taxi::SERVICE)]
    service: String,
    /// How many customers book at once, each the next when the last is answered.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// How many bookings are made.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    bookings: u32,
    /// Bookings started each second, however many are waiting; latency is counted from when each
    /// should have started. Without it, the customers set the pace.
    #[arg(long)]
    rate: Option<f64>,
    /// Print one JSON line on standard output and nothing else there.
    #[arg(long)]
    json: bool,
    /// A database that is filled and left as it is; without it, SQLite in a throw-away folder.
    #[arg(long)]
    database_url: Option<String>,
    /// A Temporal cluster in whose namespace no Bellhop runs; without it, a development server.
    #[arg(long, env = "TEMPORAL_ADDRESS")]
    temporal_address: Option<String>,
    /// The namespace there.
    #[arg(long, env = "TEMPORAL_NAMESPACE", default_value = "default")]
    temporal_namespace: String,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    service: String,
    clients: u32,
    bookings: u32,
    bookings_per_second: f64,
    noop_per_second: f64,
    ratio: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    events_per_booking: f64,
    failed: usize,
}

/// Measures, and tells.
///
/// # Errors
/// What is needed cannot be started, or a booking failed.
pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    if args.service != taxi::SERVICE {
        bail!("{} cannot be measured: --service {} can", args.service, taxi::SERVICE);
    }
    if args.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 100_000.0)) {
        bail!("--rate is a number of bookings a second above 0");
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures say little (use --release)");
    }
    let stop = stop::on_signal()?;
    let cluster = match args.cluster() {
        Some(cluster) => Some(cluster::alone(cluster).await?),
        None => None,
    };
    let measured = async |ready: Ready<'_>| {
        let report = measure(&args, &ready, &stop).await?;
        stop.cancel();
        tell(&report, args.json)?;
        if report.failed > 0 {
            bail!("{} of {} bookings failed", report.failed, report.bookings);
        }
        Ok(())
    };
    dev::run_with(args.dev()?, cluster, stop.clone(), None, measured).await
}

impl BenchArgs {
    /// The bookings of a cluster run on a queue of their own, so that nobody picks up what a bench
    /// that was killed has left behind.
    fn cluster(&self) -> Option<TemporalArgs> {
        let address = self.temporal_address.clone()?;
        Some(TemporalArgs {
            temporal_address: address,
            temporal_namespace: self.temporal_namespace.clone(),
            bookings_queue: format!("bench-{}", uuid::Uuid::now_v7()),
        })
    }

    /// What `bellhop dev --ephemeral` goes by, but on our own data.
    fn dev(&self) -> anyhow::Result<DevArgs> {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            dev: DevArgs,
        }
        let parsed = Alone::try_parse_from(["bellhop", "--ephemeral"]);
        let mut dev = parsed.map_err(|error| anyhow!("{}", error.render()))?.dev;
        (dev.data, dev.database_url) = (None, self.database_url.clone());
        Ok(dev)
    }

    /// How much is done before anything counts: connections, caches and compiled statements.
    fn warm_up(&self) -> u32 {
        (2 * self.clients).clamp(20, 200)
    }
}

/// Measures with the no-op's worker beside, until `stop`.
async fn measure(
    args: &BenchArgs,
    ready: &Ready<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<Report> {
    let taxis = Taxis::register(&ready.api, args.bookings + args.warm_up()).await?;
    let worker_stop = CancellationToken::new();
    let measured = async {
        let report = tokio::select! {
            report = loads(args, ready.hands, &taxis) => report,
            () = stop.cancelled() => Err(anyhow!("stopped before the end")),
        };
        worker_stop.cancel();
        Ok(report)
    };
    let worker = ready.hands.serve(Queue::Bench, worker_stop.clone());
    let served = tokio::try_join!(worker, measured);
    if args.temporal_address.is_some() {
        taxis.terminate(&ready.hands.client).await;
    }
    let ((), report) = served?;
    report
}

/// Half of the no-ops come before the bookings and half after, so that neither has the emptier
/// engine.
async fn loads(args: &BenchArgs, hands: &Hands, taxis: &Taxis) -> anyhow::Result<Report> {
    let clients = args.clients;
    let customer = taxis.clone();
    let book = move || {
        let customer = customer.clone();
        async move { customer.book().await }
    };
    let noop = noop::starter(hands.client.clone());
    load::closed("warm-up", clients, args.warm_up(), book.clone()).await.require()?;
    load::closed("warm-up, no-op", clients, args.warm_up(), noop.clone()).await.require()?;
    messages_sent(hands).await?;
    taxis.forget_warm_up();

    let half = args.bookings.div_ceil(2);
    let mut noops = load::closed("no-op", clients, half, noop.clone()).await;
    let bookings = match args.rate {
        None => load::closed("bookings", clients, args.bookings, book.clone()).await,
        Some(rate) => load::open("bookings", rate, args.bookings, book).await,
    };
    messages_sent(hands).await?;
    if half < args.bookings {
        noops.add(load::closed("no-op", clients, args.bookings - half, noop.clone()).await);
    }
    noops.require()?;
    let events = taxis.events_each(&hands.client).await;
    if let Some(error) = &bookings.error {
        eprintln!("the first that failed: {error:#}");
    }
    taxis.judge().await?;
    Ok(Report::of(args, &bookings, &noops, events))
}

/// Waits until every message that is due is sent: that is a part of the bookings' load.
async fn messages_sent(hands: &Hands) -> anyhow::Result<()> {
    let started = tokio::time::Instant::now();
    while !hands.store.due_shards(Timestamp::now()).await?.is_empty() {
        if started.elapsed() > Duration::from_secs(120) {
            bail!("messages are still due after 2 min");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

impl Report {
    fn of(args: &BenchArgs, bookings: &Load, noops: &Load, events: f64) -> Self {
        let (of_bookings, of_noops) = (bookings.per_second(), noops.per_second());
        let ms = |latency: Duration| round(latency.as_secs_f64() * 1_000.0, 1);
        Self {
            service: args.service.clone(),
            clients: args.clients,
            bookings: args.bookings,
            bookings_per_second: round(of_bookings, 1),
            noop_per_second: round(of_noops, 1),
            ratio: round(of_bookings / of_noops, 3),
            p50_ms: ms(bookings.percentile(50.0)),
            p99_ms: ms(bookings.percentile(99.0)),
            max_ms: ms(bookings.percentile(100.0)),
            events_per_booking: round(events, 1),
            failed: bookings.failed,
        }
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let unit = 10_f64.powi(digits);
    (value * unit).round() / unit
}

/// What the figures are of.
const NOTE: &str = "\
A booking: POST /v1/bookings over HTTP with keep-alive until its 201: priced, a taxi held, the fare
reserved with the provider (simulated in this process), all of it journalled; the manager's approval
is not waited for. A no-op: a workflow that returns at once, on the same server, connection, process
and slots, started eagerly by as many clients and awaited by its result; five events, no HTTP.";

fn tell(report: &Report, as_json: bool) -> anyhow::Result<()> {
    let Report { service, clients, bookings, failed, .. } = report;
    let Report { p50_ms, p99_ms, max_ms, events_per_booking, .. } = report;
    let Report { bookings_per_second, noop_per_second, ratio, .. } = report;
    let text = format!(
        "\n{service}: {bookings} bookings by {clients} clients, {failed} failed\n\
         {bookings_per_second} bookings/s, {noop_per_second} no-ops/s, ratio {ratio}\n\
         answered within p50 {p50_ms} ms, p99 {p99_ms} ms, at most {max_ms} ms\n\
         {events_per_booking} history events a booking\n\n{NOTE}\n"
    );
    if as_json {
        eprintln!("{text}");
        println!("{}", serde_json::to_string(report).context("a report is JSON")?);
    } else {
        println!("{text}");
    }
    Ok(())
}
