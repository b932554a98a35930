//! `bellhop dev`: everything in one process, seeded, with the engine and its web UI.

use std::{fs::File, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    api,
    config::{InlineArgs, LifeArgs, LimitArgs, PaceArgs, PartnerArgs, ServiceArgs, TemporalArgs},
    engine::{self, Engine},
    services,
    stack::{Ready, Stack},
    stop,
    worker::Interceptor,
};

/// Settings of `bellhop dev`.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// Free ports, and a throw-away folder unless one is named. Once ready, one JSON line on standard output says where
    /// everything is.
    #[arg(long)]
    pub ephemeral: bool,
    /// The folder that keeps Temporal's data, ours and the simulator's ledger: `.bellhop/dev` unless
    /// named, or a throw-away one with `--ephemeral`.
    #[arg(long, env = "BELLHOP_DATA")]
    pub data: Option<PathBuf>,
    /// A database other than SQLite in the data folder.
    #[arg(long, env = "BELLHOP_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Where the API listens.
    #[arg(long, env = "BELLHOP_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Temporal's port on loopback.
    #[arg(long, env = "BELLHOP_TEMPORAL_PORT", default_value_t = 7233)]
    pub temporal_port: u16,
    /// The port of Temporal's web UI on loopback.
    #[arg(long, env = "BELLHOP_TEMPORAL_UI_PORT", default_value_t = 8233)]
    pub ui_port: u16,
    /// The port of the partner simulator on loopback.
    #[arg(long, env = "BELLHOP_SIMULATOR_PORT", default_value_t = 8089)]
    pub simulator_port: u16,
    #[command(flatten)]
    inline: InlineArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    services: ServiceArgs,
    #[command(flatten)]
    life: LifeArgs,
    #[command(flatten)]
    partners: PartnerArgs,
}

/// Where `bellhop dev` keeps its data unless told otherwise.
const DATA: &str = ".bellhop/dev";

/// The folder that one process keeps its data in.
struct Folder {
    path: PathBuf,
    _lock: File,
    _throw_away: Option<TempDir>,
}

impl Folder {
    /// Makes the folder ours.
    fn claim(args: &DevArgs) -> anyhow::Result<Self> {
        let throw_away = (args.ephemeral && args.data.is_none()).then(TempDir::new).transpose()?;
        let path = match (&throw_away, &args.data) {
            (Some(folder), _) => folder.path().to_owned(),
            (None, Some(folder)) => folder.clone(),
            (None, None) => PathBuf::from(DATA),
        };
        let shown = path.display().to_string();
        std::fs::create_dir_all(&path)
            .with_context(|| format!("the data folder {shown} cannot be made"))?;
        let lock = File::create(path.join("lock"))
            .with_context(|| format!("the data folder {shown} cannot be written"))?;
        if lock.try_lock().is_err() {
            bail!(
                "another bellhop uses the data folder {shown}: stop it, or choose another folder \
                 with --data"
            );
        }
        Ok(Self { path, _lock: lock, _throw_away: throw_away })
    }
}

/// Runs everything until Ctrl-C or SIGTERM, or until a part of it fails. What ran is ended in the
/// order of who needs whom, and started again on the same folder it goes on where it was.
///
/// # Errors
/// A port that is taken, a tool that is missing, a bad setting, or the part that failed.
pub async fn run(args: DevArgs, interceptor: Option<Interceptor>) -> anyhow::Result<()> {
    let (stop, as_json) = (stop::on_signal()?, args.ephemeral);
    let tell = async |ready: Ready<'_>| {
        Places::of(&ready).tell(as_json);
        Ok(())
    };
    run_with(args, None, stop, interceptor, tell).await
}

/// The same until `stop`, with `then` beside it once it is ready; on a `cluster` where one is
/// named, rather than on an engine of its own.
///
/// # Errors
/// The same, and what `then` fails with.
pub async fn run_with(
    args: DevArgs,
    cluster: Option<TemporalArgs>,
    stop: CancellationToken,
    interceptor: Option<Interceptor>,
    then: impl AsyncFnOnce(Ready<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let services = services::load(args.services.services_dir.as_deref())?;
    if cluster.is_none() {
        engine::find_program()?;
    }
    let folder = Folder::claim(&args)?;
    let mut doors = Doors::open(&args).await?;
    let mut engine = match cluster {
        None => Some(doors.engine(&args, &folder).await?),
        Some(_) => None,
    };
    let own = |engine: &Engine| TemporalArgs::development(engine.address);
    let temporal = cluster.or(engine.as_ref().map(own)).context("there is one of the two")?;
    let at_home = || format!("sqlite://{}", folder.path.join("bellhop.db").display());
    let stack = Stack {
        api: doors.api,
        simulator: doors.simulator,
        ledger: folder.path.join("partners.jsonl"),
        database_url: args.database_url.unwrap_or_else(at_home),
        pace: args.pace.pace(&args.inline),
        inline: args.inline.inline,
        partners: args.partners,
        limits: args.limits,
        life: args.life,
        temporal_ui: engine.as_ref().map(|it| it.ui.clone()),
        temporal,
        services,
        interceptor,
    };
    let ended = async {
        match &mut engine {
            Some(engine) => engine.ended().await,
            None => std::future::pending().await,
        }
    };
    let served = tokio::select! {
        ended = ended => ended,
        served = stack.serve(stop, then) => served,
    };
    if let Some(engine) = engine {
        engine.stop().await;
    }
    served
}

/// The ports of one process: ours are bound, Temporal's are known to be free.
struct Doors {
    api: TcpListener,
    simulator: TcpListener,
    temporal_port: u16,
    ui_port: u16,
}

/// How often an engine is started on other free ports: between the choice of a free port and its use
/// somebody else may take it, and the engine chooses some of its own.
const STARTS: u32 = 3;

impl Doors {
    /// Starts the engine behind its doors.
    async fn engine(&mut self, args: &DevArgs, folder: &Folder) -> anyhow::Result<Engine> {
        let mut start = 1;
        loop {
            let options = engine::Options {
                folder: folder.path.clone(),
                port: self.temporal_port,
                ui_port: self.ui_port,
            };
            match Engine::start(&options).await {
                Err(error) if args.ephemeral && start < STARTS => {
                    tracing::warn!(%error, start, "the engine is started on other ports");
                    start += 1;
                    (self.temporal_port, self.ui_port) = free_ports().await?;
                }
                started => return started,
            }
        }
    }

    async fn open(args: &DevArgs) -> anyhow::Result<Self> {
        if args.ephemeral {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let (temporal_port, ui_port) = free_ports().await?;
            return Ok(Self {
                api: TcpListener::bind(any).await?,
                simulator: TcpListener::bind(any).await?,
                temporal_port,
                ui_port,
            });
        }
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        drop(api::bind(local(args.temporal_port), "BELLHOP_TEMPORAL_PORT").await?);
        drop(api::bind(local(args.ui_port), "BELLHOP_TEMPORAL_UI_PORT").await?);
        Ok(Self {
            api: api::bind(args.listen, "BELLHOP_LISTEN").await?,
            simulator: api::bind(local(args.simulator_port), "BELLHOP_SIMULATOR_PORT").await?,
            temporal_port: args.temporal_port,
            ui_port: args.ui_port,
        })
    }
}

/// Two ports that nobody listens on.
async fn free_ports() -> anyhow::Result<(u16, u16)> {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (one, other) = (TcpListener::bind(any).await?, TcpListener::bind(any).await?);
    Ok((one.local_addr()?.port(), other.local_addr()?.port()))
}

/// Where everything is.
#[derive(serde::Serialize)]
struct Places {
    api: String,
    temporal: String,
    temporal_ui: String,
    simulator: String,
    pid: u32,
}

impl Places {
    fn of(ready: &Ready<'_>) -> Self {
        Self {
            api: ready.api.clone(),
            temporal: ready.temporal.temporal_address.clone(),
            temporal_ui: ready.temporal_ui.unwrap_or_default().to_owned(),
            simulator: ready.simulator.clone(),
            pid: std::process::id(),
        }
    }

    fn tell(&self, as_json: bool) {
        if as_json {
            println!("{}", serde_json::json!(self));
            return;
        }
        let Self { api, temporal_ui, temporal, simulator, .. } = self;
        println!(
            r#"
Bellhop is ready.

  API           {api}/v1
  Temporal UI   {temporal_ui}
  Temporal      {temporal}
  Simulator     {simulator}

  Tokens        dev-customer, dev-customer-lee, dev-manager, dev-driver, dev-cleaner, dev-operator

Book a taxi:

  curl -i {api}/v1/bookings -H 'Authorization: Bearer dev-customer' \
    -H 'Idempotency-Key: a1' -H 'Content-Type: application/json' -d '{{
      "service": "call-taxi", "customer": {{"name": "Kim", "phone": "010-1234-5678"}},
      "options": {{"grade": "prime"}}, "quantity": 1, "payment": {{"token": "tok_ok"}},
      "place": {{"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236}}}}'

Ctrl-C ends all of it; the data stay, and `bellhop dev` goes on with them.
"#
        );
    }
}
