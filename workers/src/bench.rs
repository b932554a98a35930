//! `bellhop bench`: bookings a second and how long customers wait, beside what the engine does with
//! a workflow that does nothing.

mod cluster;
mod customers;
mod hanging;
mod load;
pub mod noop;
mod reads;
mod report;
mod shape;

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use bellhop_store::Scratch;
use clap::{Args, Parser};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::{
    customers::Customers,
    load::Load,
    report::{Commands, Figures, Report, Run},
    shape::{Payments, Service, Shape, Until},
};
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
    #[arg(long, default_value = "call-taxi")]
    service: Service,
    /// How far each booking goes.
    #[arg(long, default_value = "answered")]
    until: Until,
    /// How payments are made.
    #[arg(long, default_value = "inline")]
    payments: Payments,
    /// How many customers book at once, each the next when the last is answered.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    clients: u32,
    /// How many bookings are made.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    bookings: u32,
    /// How often it is measured, each time on an engine and a database of its own; the medians are
    /// told.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: u32,
    /// Then approve half of the bookings and cancel the other half, and measure that, too.
    #[arg(long)]
    commands: bool,
    /// Before the commands, drain the worker that holds the bookings: a fresh one goes on with them.
    #[arg(long, requires = "commands")]
    drained: bool,
    /// Measure the shapes of docs/performance.md one after the other, and print them as a table.
    #[arg(long, conflicts_with_all = ["rate", "temporal_address"])]
    table: bool,
    /// Measure reading instead: in a database of so many bookings, by id and by customer.
    #[arg(
        long,
        conflicts_with_all = ["table", "rate", "temporal_address"],
        value_parser = clap::value_parser!(u32).range(1_000..=10_000_000)
    )]
    reads: Option<u32>,
    /// Measure instead how long visitors of an exhibition wait while the payment provider of a busy
    /// taxi service hangs.
    #[arg(long, conflicts_with_all = ["table", "reads", "rate", "temporal_address"])]
    hanging: bool,
    /// Bookings started each second, however many are waiting; latency is counted from when each
    /// should have started. Without it, the customers set the pace.
    #[arg(long)]
    rate: Option<f64>,
    /// Print one JSON line on standard output and nothing else there.
    #[arg(long)]
    json: bool,
    /// A database of a PostgreSQL server: each run makes one of its own beside it, and drops it.
    /// Without it, SQLite in a throw-away folder.
    #[arg(long, env = "BELLHOP_BENCH_DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// A Temporal cluster in whose namespace no Bellhop runs; without it, a development server.
    #[arg(long, env = "TEMPORAL_ADDRESS")]
    temporal_address: Option<String>,
    /// The namespace there.
    #[arg(long, env = "TEMPORAL_NAMESPACE", default_value = "default")]
    temporal_namespace: String,
}

/// The shapes of the table.
const TABLE: [Shape; 8] = [
    Shape { commands: true, ..Shape::new(Service::CallTaxi, 20, 600) },
    Shape::new(Service::Exhibition, 20, 600),
    Shape::new(Service::Coffee, 20, 600),
    Shape { until: Until::Completed, ..Shape::new(Service::CallTaxi, 20, 200) },
    Shape { payments: Payments::Queue, ..Shape::new(Service::CallTaxi, 20, 300) },
    Shape { commands: true, ..Shape::new(Service::CallTaxi, 1, 300) },
    Shape { commands: true, drained: true, ..Shape::new(Service::CallTaxi, 80, 2_000) },
    Shape { commands: true, drained: true, ..Shape::new(Service::CallTaxi, 200, 2_000) },
];

/// Measures, and tells.
///
/// # Errors
/// What is needed cannot be started, or a booking failed.
pub async fn run(args: BenchArgs) -> anyhow::Result<()> {
    if args.rate.is_some_and(|rate| !(rate > 0.0 && rate <= 100_000.0)) {
        bail!("--rate is a number of bookings a second above 0");
    }
    if args.commands && args.service != Service::CallTaxi {
        bail!("--commands approves and cancels: only --service call-taxi has both");
    }
    if cfg!(debug_assertions) {
        eprintln!("this is a debug build: its figures say little (use --release)");
    }
    let stop = stop::on_signal()?;
    if let Some(bookings) = args.reads {
        let measure =
            async |ready: Ready<'_>| unless(&stop, reads::measure(bookings, &ready)).await;
        return once(&args, &stop, measure).await?.tell(args.json);
    }
    if args.hanging {
        let measure = async |ready: Ready<'_>| unless(&stop, hanging::measure(&ready)).await;
        return once(&args, &stop, measure).await?.tell(args.json);
    }
    let reports =
        if args.table { table(&args, &stop).await? } else { vec![median(&args, &stop).await?] };
    if args.table && !args.json {
        report::tell_table(&reports);
    } else {
        reports.iter().try_for_each(|it| it.tell(args.json))?;
    }
    let failed: usize = reports.iter().map(Report::failed).sum();
    if failed > 0 {
        bail!("{failed} bookings failed");
    }
    Ok(())
}

async fn table(args: &BenchArgs, stop: &CancellationToken) -> anyhow::Result<Vec<Report>> {
    let mut reports = vec![];
    for shape in TABLE {
        reports.push(median(&args.shaped(shape), stop).await?);
    }
    Ok(reports)
}

/// Measures as often as asked.
async fn median(args: &BenchArgs, stop: &CancellationToken) -> anyhow::Result<Report> {
    let mut runs = vec![];
    for _ in 0..args.runs {
        runs.push(
            once(args, stop, async |ready: Ready<'_>| measure(args, &ready, stop).await).await?,
        );
    }
    Ok(Report::of(args, runs))
}

/// Does it, unless it is stopped before.
async fn unless<T>(
    stop: &CancellationToken,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    tokio::select! {
        done = work => done,
        () = stop.cancelled() => bail!("stopped before the end"),
    }
}

/// Measures once, on an engine and a database of its own; the engine may be named.
async fn once<T>(
    args: &BenchArgs,
    stop: &CancellationToken,
    measure: impl AsyncFnOnce(Ready<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let cluster = match args.cluster() {
        Some(cluster) => Some(cluster::alone(cluster).await?),
        None => None,
    };
    let scratch = match &args.database_url {
        Some(url) => Some(Scratch::create(url).await.context("--database-url")?),
        None => None,
    };
    let (ended, mut measured) = (stop.child_token(), None);
    let then = async |ready: Ready<'_>| {
        measured = Some(measure(ready).await?);
        ended.cancel();
        Ok(())
    };
    let dev = args.dev(scratch.as_ref().map(Scratch::url))?;
    let served = dev::run_with(dev, cluster, ended.clone(), None, then).await;
    if let Some(scratch) = scratch {
        scratch.remove().await?;
    }
    served?;
    measured.context("stopped before the end")
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
            sdk_metrics_listen: None,
        })
    }

    /// What `bellhop dev --ephemeral` goes by, but on our own data.
    fn dev(&self, database_url: Option<String>) -> anyhow::Result<DevArgs> {
        #[derive(Parser)]
        struct Alone {
            #[command(flatten)]
            dev: DevArgs,
        }
        let inline: &[&str] = match self.payments {
            Payments::Inline => &[],
            Payments::Queue => &["--inline", "dispatch"],
        };
        let parsed = Alone::try_parse_from(["bellhop", "--ephemeral"].iter().chain(inline));
        let mut dev = parsed.map_err(|error| anyhow!("{}", error.render()))?.dev;
        (dev.data, dev.database_url) = (None, database_url);
        Ok(dev)
    }

    /// The same of another shape.
    fn shaped(&self, shape: Shape) -> Self {
        let Shape { service, until, payments, clients, bookings, commands, drained } = shape;
        Self { service, until, payments, clients, bookings, commands, drained, ..self.clone() }
    }

    /// How much is done before anything counts: connections, caches and compiled statements.
    fn warm_up(&self) -> u32 {
        (2 * self.clients).clamp(20, 200)
    }
}

/// Measures with the no-op's worker beside.
async fn measure(
    args: &BenchArgs,
    ready: &Ready<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<Run> {
    let stock = args.bookings + args.warm_up();
    let customers = Customers::stock_up(&ready.api, args.service, stock).await?;
    let worker_stop = CancellationToken::new();
    let measured = async {
        let run = unless(stop, loads(args, ready.hands, &customers)).await;
        worker_stop.cancel();
        Ok(run)
    };
    let worker = ready.hands.serve(Queue::Bench, worker_stop.clone());
    let served = tokio::try_join!(worker, measured);
    if args.temporal_address.is_some() {
        customers.terminate(&ready.hands.client).await;
    }
    let ((), run) = served?;
    run
}

/// How many no-ops are enough to know their rate by.
const MOST_NOOPS: u32 = 4_000;

/// Half of the no-ops come before the bookings and half after, so that neither has the emptier
/// engine.
async fn loads(args: &BenchArgs, hands: &Hands, customers: &Customers) -> anyhow::Result<Run> {
    let (clients, until) = (args.clients, args.until);
    let book = customers.booking(until);
    let noop = noop::starter(hands.client.clone());
    load::closed("warm-up", clients, args.warm_up(), book.clone()).await.require()?;
    load::closed("warm-up, no-op", clients, args.warm_up(), noop.clone()).await.require()?;
    messages_sent(hands).await?;
    customers.forget_warm_up();

    let noops_in_all = args.bookings.min(MOST_NOOPS);
    let half = noops_in_all.div_ceil(2);
    let mut noops = load::closed("no-op", clients, half, noop.clone()).await;
    let before = bellhop_store::statements();
    let bookings = match args.rate {
        None => load::closed("bookings", clients, args.bookings, book.clone()).await,
        Some(rate) => load::open("bookings", rate, args.bookings, book).await,
    };
    messages_sent(hands).await?;
    let statements = bellhop_store::statements().saturating_sub(before);
    if half < noops_in_all {
        noops.add(load::closed("no-op", clients, noops_in_all - half, noop.clone()).await);
    }
    noops.require()?;
    let footprint = customers.footprint(&hands.client).await;
    if let Some(error) = &bookings.error {
        eprintln!("the first that failed: {error:#}");
    }
    if args.drained {
        hands.renew().await;
    }
    let commands = if args.commands { commands(args, customers).await? } else { vec![] };
    customers.judge().await?;
    let statements = statements as f64 / f64::from(args.bookings);
    let figures = Figures::of(&bookings, &noops, footprint, statements);
    Ok(Run { figures, tenths: bookings.tenths(), commands })
}

/// Approves the first half of the bookings, and cancels the second.
async fn commands(args: &BenchArgs, customers: &Customers) -> anyhow::Result<Vec<Commands>> {
    let ids = customers.ids();
    let (first, second) = ids.split_at(ids.len() / 2);
    let mut measured = vec![];
    for (command, token, path, ids) in [
        ("approve", "dev-operator", "approvals/{id}/approve", first),
        ("cancel", "dev-customer", "bookings/{id}/cancel", second),
    ] {
        let paths = ids.iter().map(|id| path.replace("{id}", id)).collect();
        let customers = customers.clone();
        let work = move |path: String| {
            let customers = customers.clone();
            async move { customers.command(token, &path, &json!({})).await }
        };
        let mut load: Load = load::each(command, args.clients, paths, work).await;
        load.require()?;
        measured.push(Commands::of(command, args.drained, &load));
    }
    Ok(measured)
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
