//! A running Bellhop: started on free ports with throw-away data, ended with its test.

use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::desk::Desk;

/// How long a test waits for something that has to come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a stack is started with.
#[derive(Debug, Default)]
pub struct Options {
    /// Environment variables: settings that the test needs otherwise.
    pub settings: Vec<(&'static str, String)>,
    /// Service files that replace those that ship: name and text.
    pub services: Vec<(&'static str, String)>,
    /// A folder that outlives the stack, so that it can be started again on its data.
    pub keep_data: bool,
}

/// A running Bellhop.
#[derive(Debug)]
pub struct Stack {
    program: PathBuf,
    options: Options,
    folder: TempDir,
    child: Child,
    places: Places,
    /// Speaks HTTP for the test.
    pub http: reqwest::Client,
}

/// Where everything is, as `bellhop dev --ephemeral` tells it.
#[derive(Clone, Debug, Deserialize)]
struct Places {
    api: String,
    temporal: String,
    temporal_ui: String,
    simulator: String,
}

impl Stack {
    /// Starts Bellhop with everything that it needs, and waits until it is ready.
    pub async fn start(program: &str) -> anyhow::Result<Self> {
        Self::start_with(program, Options::default()).await
    }

    /// The same, with settings of the test.
    pub async fn start_with(program: &str, options: Options) -> anyhow::Result<Self> {
        // A second provider is only refused; the first one is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new()?;
        if !options.services.is_empty() {
            let services = folder.path().join("services");
            std::fs::create_dir(&services)?;
            for (name, text) in &options.services {
                std::fs::write(services.join(name), text)?;
            }
        }
        let program = PathBuf::from(program);
        let (child, places) = launch(&program, &options, &folder).await?;
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Self { program, options, folder, child, places, http })
    }

    /// Kills the process without a word, and the engine with it.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits until the process has ended by itself: a deadly fault was met.
    pub async fn died(&mut self) -> anyhow::Result<()> {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it is still alive")??;
        Ok(())
    }

    /// Starts Bellhop again on the data it left behind.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        ensure!(self.options.keep_data, "this stack's data are thrown away");
        (self.child, self.places) = launch(&self.program, &self.options, &self.folder).await?;
        Ok(())
    }

    /// The desk, as one of its users.
    pub fn desk(&self, token: &str) -> Desk {
        Desk::new(self.http.clone(), self.places.api.clone(), token)
    }

    /// Where the API is.
    pub fn api(&self) -> &str {
        &self.places.api
    }

    /// Where Temporal is: host and port.
    pub fn temporal(&self) -> &str {
        &self.places.temporal
    }

    /// Where Temporal's web UI is.
    pub fn temporal_ui(&self) -> &str {
        &self.places.temporal_ui
    }

    /// The folder of its faults.
    pub fn faults(&self) -> crate::faults::Faults {
        crate::faults::Faults::new(self.folder.path().join("faults"))
    }

    /// Tells the simulator something.
    pub async fn simulator(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.places.simulator);
        let answer = self.http.request(method, url).json(&body).send().await?;
        ensure!(answer.status().is_success(), "the simulator refuses {path}: {}", answer.status());
        Ok(answer.json().await.unwrap_or(Value::Null))
    }

    /// The partners' books: who was charged, who was told what, how often each was called.
    pub async fn ledger(&self) -> anyhow::Result<Value> {
        self.simulator(reqwest::Method::GET, "/control/ledger", json!({})).await
    }

    /// Makes a partner answer (`ok`), refuse (`unavailable`) or say nothing (`hang`).
    pub async fn partner(&self, partner: &str, mode: &str) -> anyhow::Result<()> {
        let body = json!({"partner": partner, "mode": mode});
        self.simulator(reqwest::Method::PUT, "/control/availability", body).await?;
        Ok(())
    }

    /// The judge: every invariant of the database, and every booking against the partners' books.
    pub async fn assert_invariants(&self) -> anyhow::Result<()> {
        let report = self.desk("dev-operator").get("/invariants").await?;
        ensure!(report.status == 200, "invariants cannot be read: {report:?}");
        ensure!(report.body["broken"] == json!([]), "broken: {:#}", report.body["broken"]);
        crate::desk::judge(&self.ledger().await?, &self.desk("dev-operator")).await
    }
}

async fn launch(
    program: &PathBuf,
    options: &Options,
    folder: &TempDir,
) -> anyhow::Result<(Child, Places)> {
    let mut command = Command::new(program);
    command.arg("dev").arg("--ephemeral").kill_on_drop(true);
    if options.keep_data {
        command.arg("--data").arg(folder.path().join("data"));
    }
    if !options.services.is_empty() {
        command.env("BELLHOP_SERVICES_DIR", folder.path().join("services"));
    }
    command.env(crate::faults::VARIABLE, folder.path().join("faults"));
    command.env("TMPDIR", folder.path());
    command.envs(options.settings.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{} is built", program.display()))?;
    let output = child.stdout.take().context("its output is piped")?;
    let mut lines = BufReader::new(output).lines();
    let first = tokio::time::timeout(PATIENCE, lines.next_line()).await;
    match first.context("it is not ready in time")?? {
        Some(line) => Ok((child, serde_json::from_str(&line)?)),
        None => bail!("it has ended before it was ready ({})", child.wait().await?),
    }
}

/// Waits until `ask` answers something.
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        ensure!(started.elapsed() < PATIENCE, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
