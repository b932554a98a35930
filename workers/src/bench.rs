//! `bellhop bench`: bookings a second and how long customers wait, beside what the engine does with
//! a workflow that does nothing.

mod cluster;
mod customers;
mod load;
pub mod noop;
mod reads;
mod report;
mod shape;

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::{Args, Parser};
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use self::{
    customers::Customers,
    load::Load,
    report::{COMMANDS_HEAD, Commands, Figures, HEAD, Report, Run},
    shape::{Payments, Service, Until},
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
    /// Measure the shapes of docs/performance.md one after the other, and print them as a table.
    #[arg(long, conflicts_with_all = ["rate", "database_url", "temporal_address"])]
    table: bool,
    /// Measure reading instead: in a database of so many bookings, by id and by customer.
    #[arg(
        long,
        conflicts_with_all = ["table", "rate", "temporal_address"],
        value_parser = clap::value_parser!(u32).range(1_000..=10_000_000)
    )]
    reads: Option<u32>,
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

/// The shapes of the table: service, how far, how paid, clients, bookings, and whether commands are
/// measured.
const TABLE: [(Service, Until, Payments, u32, u32, bool); 8] = [
    (Service::CallTaxi, Until::Answered, Payments::Inline, 20, 600, true),
    (Service::Exhibition, Until::Answered, Payments::Inline, 20, 600, false),
    (Service::Coffee, Until::Answered, Payments::Inline, 20, 600, false),
    (Service::CallTaxi, Until::Completed, Payments::Inline, 20, 200, false),
    (Service::CallTaxi, Until::Answered, Payments::Queue, 20, 300, false),
    (Service::CallTaxi, Until::Answered, Payments::Inline, 1, 150, true),
    (Service::CallTaxi, Until::Answered, Payments::Inline, 80, 1_600, true),
    (Service::CallTaxi, Until::Answered, Payments::Inline, 200, 2_000, true),
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
        return reading(&args, bookings, &stop).await;
    }
    let reports =
        if args.table { table(&args, &stop).await? } else { vec![median(&args, &stop).await?] };
    if args.table && !args.json {
        tell_table(&reports);
    } else {
        reports.iter().try_for_each(|it| it.tell(args.json))?;
    }
    let failed: usize = reports.iter().map(Report::failed).sum();
    if failed > 0 {
        bail!("{failed} bookings failed");
    }
    Ok(())
}

async fn reading(args: &BenchArgs, bookings: u32, stop: &CancellationToken) -> anyhow::Result<()> {
    let measured = async |ready: Ready<'_>| {
        let reads = reads::measure(bookings, &ready, stop).await?;
        stop.cancel();
        reads.tell(args.json)
    };
    dev::run_with(args.dev()?, None, stop.clone(), None, measured).await
}

async fn table(args: &BenchArgs, stop: &CancellationToken) -> anyhow::Result<Vec<Report>> {
    let mut reports = vec![];
    for (service, until, payments, clients, bookings, commands) in TABLE {
        let shape =
            BenchArgs { service, until, payments, clients, bookings, commands, ..args.clone() };
        reports.push(median(&shape, stop).await?);
    }
    Ok(reports)
}

fn tell_table(reports: &[Report]) {
    println!("{HEAD}");
    reports.iter().for_each(|it| println!("{}", it.row()));
    println!("\n{COMMANDS_HEAD}");
    reports.iter().flat_map(Report::command_rows).for_each(|it| println!("{it}"));
    println!("{}", report::note(Service::CallTaxi));
}

/// Measures as often as asked.
async fn median(args: &BenchArgs, stop: &CancellationToken) -> anyhow::Result<Report> {
    let mut runs = vec![];
    for _ in 0..args.runs {
        runs.push(once(args, stop).await?);
    }
    let database = match &args.database_url {
        Some(url) if url.starts_with("postgres") => "postgres",
        _ => "sqlite",
    };
    Ok(Report::of(args, database, runs))
}

/// Measures once, on an engine and a database of its own unless they are named.
async fn once(args: &BenchArgs, stop: &CancellationToken) -> anyhow::Result<Run> {
    let cluster = match args.cluster() {
        Some(cluster) => Some(cluster::alone(cluster).await?),
        None => None,
    };
    let (ended, mut run) = (stop.child_token(), None);
    let measured = async |ready: Ready<'_>| {
        run = Some(measure(args, &ready, &ended).await?);
        ended.cancel();
        Ok(())
    };
    dev::run_with(args.dev()?, cluster, ended.clone(), None, measured).await?;
    run.ok_or_else(|| anyhow!("stopped before the end"))
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
        let inline: &[&str] = match self.payments {
            Payments::Inline => &[],
            Payments::Queue => &["--inline", "dispatch"],
        };
        let parsed = Alone::try_parse_from(["bellhop", "--ephemeral"].iter().chain(inline));
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
) -> anyhow::Result<Run> {
    let stock = args.bookings + args.warm_up();
    let customers = Customers::stock_up(&ready.api, args.service, stock).await?;
    let worker_stop = CancellationToken::new();
    let measured = async {
        let run = tokio::select! {
            run = loads(args, ready.hands, &customers) => run,
            () = stop.cancelled() => Err(anyhow!("stopped before the end")),
        };
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

/// Half of the no-ops come before the bookings and half after, so that neither has the emptier
/// engine.
async fn loads(args: &BenchArgs, hands: &Hands, customers: &Customers) -> anyhow::Result<Run> {
    let (clients, until) = (args.clients, args.until);
    let customer = customers.clone();
    let book = move || {
        let customer = customer.clone();
        async move { customer.book(until).await }
    };
    let noop = noop::starter(hands.client.clone());
    load::closed("warm-up", clients, args.warm_up(), book.clone()).await.require()?;
    load::closed("warm-up, no-op", clients, args.warm_up(), noop.clone()).await.require()?;
    messages_sent(hands).await?;
    customers.forget_warm_up();

    let half = args.bookings.div_ceil(2);
    let mut noops = load::closed("no-op", clients, half, noop.clone()).await;
    let before = bellhop_store::statements();
    let bookings = match args.rate {
        None => load::closed("bookings", clients, args.bookings, book.clone()).await,
        Some(rate) => load::open("bookings", rate, args.bookings, book).await,
    };
    messages_sent(hands).await?;
    let statements = bellhop_store::statements().saturating_sub(before);
    if half < args.bookings {
        noops.add(load::closed("no-op", clients, args.bookings - half, noop.clone()).await);
    }
    noops.require()?;
    let footprint = customers.footprint(&hands.client).await;
    if let Some(error) = &bookings.error {
        eprintln!("the first that failed: {error:#}");
    }
    let commands = if args.commands { commands(args, customers).await? } else { vec![] };
    customers.judge().await?;
    let statements = statements as f64 / f64::from(args.bookings);
    Ok(Run { figures: Figures::of(&bookings, &noops, footprint, statements), commands })
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
        measured.push(Commands::of(command, &load));
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
