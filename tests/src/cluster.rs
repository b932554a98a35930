//! Bellhop as separate processes on PostgreSQL, as it runs in production: an API, a worker per queue,
//! the engine, the partners.

use std::{collections::BTreeMap, net::TcpListener, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, ensure};
use bellhop_store::testing::TestPostgres;
use bellhop_workers::engine::{self, Engine};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{desk::Desk, faults::Faults, partners, stack::eventually};

/// Separate processes, each known by its name.
#[derive(Debug)]
pub struct Cluster {
    program: PathBuf,
    folder: TempDir,
    engine: Engine,
    /// The database's address.
    pub database: String,
    simulator: String,
    processes: BTreeMap<String, Process>,
    /// Speaks HTTP for the test.
    pub http: reqwest::Client,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// Where it answers probes; an API also everything else.
    url: String,
}

/// The tokens of a cluster: the words of `bellhop dev`, hashed as a token file has them.
const TOKENS: &str = include_str!("tokens.toml");

impl Cluster {
    /// Starts the engine, the partners and a migrated database, and no other process yet.
    pub async fn start(program: &str) -> anyhow::Result<Self> {
        // A second provider is only refused; the first one is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new()?;
        std::fs::write(folder.path().join("tokens.toml"), TOKENS)?;
        let engine = Engine::start(&engine::Options {
            folder: folder.path().to_owned(),
            port: free_port()?,
            ui_port: free_port()?,
        })
        .await?;
        let mut cluster = Self {
            program: PathBuf::from(program),
            engine,
            database: TestPostgres::shared().database().await,
            simulator: String::new(),
            processes: BTreeMap::new(),
            http: reqwest::Client::builder().timeout(crate::stack::PATIENCE).build()?,
            folder,
        };
        let ledger = cluster.folder.path().join("partners.jsonl");
        let at = format!("127.0.0.1:{}", free_port()?);
        cluster.simulator = format!("http://{at}");
        let simulator = ["simulator", "--listen", &at, "--ledger", &ledger.to_string_lossy()];
        cluster.spawn("simulator", &simulator, cluster.simulator.clone(), &[])?;
        let migrated = cluster.command(&["migrate"]).status().await?;
        ensure!(migrated.success(), "the database is migrated: {migrated}");
        cluster.alive("simulator").await?;
        Ok(cluster)
    }

    /// Everything: an API and a worker per queue.
    pub async fn start_all(program: &str) -> anyhow::Result<Self> {
        let mut cluster = Self::start(program).await?;
        for queue in ["bookings", "payments", "dispatch", "notifications"] {
            cluster.worker(queue, queue, &[]).await?;
        }
        cluster.api("api").await?;
        Ok(cluster)
    }

    /// Starts an API and waits until it is ready.
    pub async fn api(&mut self, name: &str) -> anyhow::Result<()> {
        let at = format!("127.0.0.1:{}", free_port()?);
        self.spawn(name, &["api", "--listen", &at], format!("http://{at}"), &[])?;
        self.ready(name).await
    }

    /// Starts a worker with settings of the test, and waits until it is ready.
    pub async fn worker(
        &mut self,
        name: &str,
        queue: &str,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let at = format!("127.0.0.1:{}", free_port()?);
        let arguments = ["worker", "--queue", queue, "--health-listen", &at];
        self.spawn(name, &arguments, format!("http://{at}"), settings)?;
        self.ready(name).await
    }

    /// Asks a process to end (SIGTERM), as Kubernetes does; answers its exit code once it has.
    pub async fn terminate(&mut self, name: &str) -> anyhow::Result<Option<i32>> {
        self.signal(name, Signal::TERM)?;
        self.ended(name).await
    }

    /// Sends a process a signal and goes on.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        let pid = self.process(name)?.child.id().context("it runs")?;
        let pid = Pid::from_raw(i32::try_from(pid)?).context("it has a pid")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until a process has ended; answers its exit code.
    pub async fn ended(&mut self, name: &str) -> anyhow::Result<Option<i32>> {
        let mut process = self.processes.remove(name).context("it was started")?;
        // Waiting would close it, and end a process that is about to die of something else.
        let _lifeline = process.child.stdin.take();
        let ended = tokio::time::timeout(crate::stack::PATIENCE, process.child.wait()).await;
        Ok(ended.context("it ends in time")??.code())
    }

    /// The desk of an API, as one of its users.
    pub fn desk(&self, api: &str, token: &str) -> anyhow::Result<Desk> {
        Ok(Desk::new(self.http.clone(), self.process(api)?.url.clone(), token))
    }

    /// Where the engine is.
    pub fn temporal(&self) -> String {
        self.engine.address.to_string()
    }

    /// The faults of its processes.
    pub fn faults(&self) -> Faults {
        Faults::new(self.folder.path().join("faults"))
    }

    /// The partners' books.
    pub async fn ledger(&self) -> anyhow::Result<Value> {
        partners::tell(&self.http, &self.simulator, "GET", "/control/ledger", json!({})).await
    }

    /// Makes a partner answer (`ok`), refuse (`unavailable`) or say nothing (`hang`).
    pub async fn partner(&self, partner: &str, mode: &str) -> anyhow::Result<()> {
        let body = json!({"partner": partner, "mode": mode});
        let path = "/control/availability";
        partners::tell(&self.http, &self.simulator, "PUT", path, body).await.map(drop)
    }

    /// Adds a taxi company's stock, as the operator does.
    pub async fn stock(&self, api: &str, grade: &str, capacity: u32) -> anyhow::Result<()> {
        let taxi = json!({
            "company": "com_mapo", "grade": grade, "name": grade,
            "price": {"minor": 9_800, "currency": "KRW"}, "capacity": capacity,
        });
        let path = format!("/taxis/taxi_mapo_{grade}");
        let answer = self.desk(api, "dev-operator")?.put(&path, taxi).await?;
        ensure!(matches!(answer.status, 200 | 201), "the stock is taken down: {answer:?}");
        Ok(())
    }

    /// The judge: every invariant of the database, and every booking against the partners' books.
    pub async fn assert_invariants(&self, api: &str) -> anyhow::Result<()> {
        let operator = self.desk(api, "dev-operator")?;
        let report = operator.get("/invariants").await?;
        ensure!(report.body["broken"] == json!([]), "broken: {:#}", report.body);
        crate::desk::judge(&self.ledger().await?, &operator).await
    }

    fn process(&self, name: &str) -> anyhow::Result<&Process> {
        self.processes.get(name).with_context(|| format!("{name} was started"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("BELLHOP_DATABASE_URL", &self.database)
            .env("TEMPORAL_ADDRESS", self.temporal())
            .env("BELLHOP_PAYMENTS_URL", &self.simulator)
            .env("BELLHOP_MESSAGES_URL", &self.simulator)
            .env("BELLHOP_TOKENS_FILE", self.folder.path().join("tokens.toml"))
            .env("BELLHOP_RETRY_AFTER_MS", "100")
            .env("BELLHOP_BREAKER_PAUSE_MS", "500")
            .env(crate::faults::VARIABLE, self.folder.path().join("faults"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        command
    }

    fn spawn(
        &mut self,
        name: &str,
        arguments: &[&str],
        url: String,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let mut command = self.command(arguments);
        let child = command.envs(settings.iter().copied()).spawn()?;
        self.processes.insert(name.to_owned(), Process { child, url });
        Ok(())
    }

    /// Whether a process answers its liveness probe within a second.
    pub async fn is_alive(&self, name: &str) -> anyhow::Result<bool> {
        self.answers(name, "/healthz").await
    }

    /// What a process tells Prometheus.
    pub async fn metrics(&self, name: &str) -> anyhow::Result<String> {
        let url = format!("{}/metrics", self.process(name)?.url);
        Ok(self.http.get(url).send().await?.error_for_status()?.text().await?)
    }

    async fn ready(&self, name: &str) -> anyhow::Result<()> {
        self.probe(name, "/readyz").await
    }

    async fn alive(&self, name: &str) -> anyhow::Result<()> {
        self.probe(name, "/healthz").await
    }

    async fn probe(&self, name: &str, path: &str) -> anyhow::Result<()> {
        let what = format!("{name} answers {path}");
        eventually(&what, async || Ok(self.answers(name, path).await?.then_some(()))).await
    }

    async fn answers(&self, name: &str, path: &str) -> anyhow::Result<bool> {
        let url = format!("{}{path}", self.process(name)?.url);
        let answer = self.http.get(url).timeout(Duration::from_secs(1)).send().await;
        Ok(answer.is_ok_and(|it| it.status().is_success()))
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
