//! The command line: every role as a subcommand.

use std::{path::PathBuf, process::ExitCode};

use bellhop_store::Store;
use clap::{Parser, Subcommand};

use crate::{
    api,
    bench::{self, BenchArgs},
    client::{self, BookingArgs},
    config::{
        ApiArgs, DatabaseArgs, InlineArgs, LifeArgs, LimitArgs, LogArgs, PaceArgs, PartnerArgs,
        ServiceArgs, TemporalArgs,
    },
    dev::{self, DevArgs},
    doctor::{self, DoctorArgs},
    due, health,
    services::{self, command::ServicesCommand},
    simulator::{self, Simulator},
    stop, telemetry, temporal,
    worker::{Hands, Interceptor, Queue},
};

/// Durable booking orchestration on Temporal.
#[derive(Parser, Debug)]
#[command(name = "bellhop", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run everything in one process, seeded, with Temporal and its web UI.
    Dev(Box<DevArgs>),
    /// Serve the REST API, with a bookings worker beside it for eager starts.
    Api(Box<ApiRole>),
    /// Serve one task queue.
    Worker(Box<WorkerRole>),
    /// Bring the database to this version's schema. A second call does nothing.
    Migrate(DatabaseArgs),
    /// Fold every booking's view anew from the journal.
    Rebuild(DatabaseArgs),
    /// Stand in for the payment provider and the messaging gateways.
    Simulator(SimulatorRole),
    /// Check what Bellhop needs; a line each says whether it is there, or what to do.
    Doctor(Box<DoctorArgs>),
    /// Book, and look after bookings, over the API.
    Booking(BookingArgs),
    /// Look at service files.
    #[command(subcommand)]
    Services(ServicesCommand),
    /// Measure bookings a second beside what the engine does with a workflow that does nothing.
    Bench(BenchArgs),
}

#[derive(clap::Args, Debug)]
struct ApiRole {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    shared: Shared,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    services: ServiceArgs,
}

#[derive(clap::Args, Debug)]
struct WorkerRole {
    /// The task queue.
    #[arg(long, env = "BELLHOP_QUEUE", value_enum)]
    queue: Queue,
    /// Where `/healthz` and `/readyz` are served.
    #[arg(long, env = "BELLHOP_HEALTH_LISTEN", default_value = "127.0.0.1:8081")]
    health_listen: std::net::SocketAddr,
    #[command(flatten)]
    shared: Shared,
}

/// What API and workers share.
#[derive(clap::Args, Debug)]
struct Shared {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    temporal: TemporalArgs,
    #[command(flatten)]
    inline: InlineArgs,
    #[command(flatten)]
    partners: PartnerArgs,
    #[command(flatten)]
    life: LifeArgs,
}

#[derive(clap::Args, Debug)]
struct SimulatorRole {
    /// The address to listen on.
    #[arg(long, env = "BELLHOP_SIMULATOR_LISTEN", default_value = "127.0.0.1:8089")]
    listen: std::net::SocketAddr,
    /// The file that keeps what must outlive the process.
    #[arg(long, env = "BELLHOP_SIMULATOR_LEDGER", default_value = ".bellhop/partners.jsonl")]
    ledger: PathBuf,
}

/// Runs what the command line asks for. A failure is told on standard error with exit code 1; a
/// wrong command line with exit code 2.
///
/// `interceptor` runs around every activity of this process; only tests have one.
pub fn main(interceptor: Option<Interceptor>) -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    // A second provider is only refused; the first one is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match runtime.block_on(run(cli, interceptor)) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads our output, say `head`, has had enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("bellhop: {error:#}");
    ExitCode::FAILURE
}

async fn run(cli: Cli, interceptor: Option<Interceptor>) -> anyhow::Result<()> {
    let _telemetry = telemetry::init(cli.log.format)?;
    match cli.command {
        Command::Dev(args) => dev::run(*args, interceptor).await,
        Command::Api(role) => serve_api(*role, interceptor).await,
        Command::Worker(role) => serve_worker(*role, interceptor).await,
        Command::Migrate(database) => {
            let store = Store::open(&database.database_url).await?;
            store.migrate().await?;
            store.close().await;
            Ok(())
        }
        Command::Rebuild(database) => {
            let store = Store::open(&database.database_url).await?;
            let rebuilt = store.rebuild(jiff::Timestamp::now()).await?;
            println!("{} bookings folded anew, {} changed", rebuilt.bookings, rebuilt.changed);
            store.close().await;
            Ok(())
        }
        Command::Doctor(args) => doctor::run(*args).await,
        Command::Booking(args) => client::run(args).await,
        Command::Services(command) => services::command::run(&command),
        Command::Bench(args) => bench::run(args).await,
        Command::Simulator(role) => {
            let stop = stop::on_signal()?;
            let simulator = Simulator::open(simulator::Options { ledger: role.ledger })?;
            let listener = api::bind(role.listen, "--listen").await?;
            println!("the simulator listens on http://{}", listener.local_addr()?);
            simulator.serve(listener, stop.cancelled_owned()).await
        }
    }
}

impl Shared {
    /// Opens what every role needs. Several processes share a database, so it is PostgreSQL.
    async fn open(&self, interceptor: Option<Interceptor>) -> anyhow::Result<Hands> {
        let store = Store::open(&self.database.database_url).await?;
        if !store.is_postgres() {
            anyhow::bail!(
                "separate processes need PostgreSQL: set BELLHOP_DATABASE_URL to postgres://…, or \
                 run everything in one process with `bellhop dev`"
            );
        }
        if !store.is_migrated().await? {
            anyhow::bail!("the database is not of this version: run `bellhop migrate` first");
        }
        let temporal = &self.temporal;
        let client =
            temporal::connect(&temporal.temporal_address, &temporal.temporal_namespace).await?;
        Hands::new(
            store,
            client,
            temporal,
            self.inline.inline.clone(),
            &self.partners,
            self.life,
            interceptor,
        )
    }
}

async fn serve_api(role: ApiRole, interceptor: Option<Interceptor>) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let tokens = api::tokens(&role.api.tokens_file)?;
    let services = services::load(role.services.services_dir.as_deref())?;
    let listener = api::bind(role.api.listen, "BELLHOP_LISTEN").await?;
    let hands = role.shared.open(interceptor).await?;
    hands.join(Queue::Bookings).await?;
    let api = bellhop_api::Api::new(
        hands.store.clone(),
        hands.client.clone(),
        services,
        tokens,
        role.pace.pace(&role.shared.inline),
        role.limits.settings(&hands.bookings_queue),
    );
    let drain = role.shared.life.drain;
    let worker_stop = tokio_util::sync::CancellationToken::new();
    let serving = async {
        api::serve(api, listener, drain, stop).await?;
        worker_stop.cancel();
        Ok(())
    };
    tokio::try_join!(serving, hands.serve(Queue::Bookings, worker_stop.clone()))?;
    hands.store.close().await;
    Ok(())
}

async fn serve_worker(role: WorkerRole, interceptor: Option<Interceptor>) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let listener = api::bind(role.health_listen, "BELLHOP_HEALTH_LISTEN").await?;
    let hands = role.shared.open(interceptor).await?;
    hands.join(role.queue).await?;
    let done = tokio_util::sync::CancellationToken::new();
    let working = async {
        hands.serve(role.queue, stop.clone()).await?;
        done.cancel();
        Ok(())
    };
    let due = async {
        if role.queue == Queue::Notifications {
            due::watch(hands.store.clone(), hands.client.clone(), stop.clone()).await;
        }
        Ok(())
    };
    let health = health::serve(listener, hands.store.clone(), stop.clone(), done.clone());
    tokio::try_join!(working, due, health)?;
    hands.store.close().await;
    Ok(())
}
