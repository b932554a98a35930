//! A running Bellhop: started on free ports with throw-away data, ended with its test.

use std::{
    cell::RefCell,
    fs::OpenOptions,
    ops::Deref,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use bellhop_store::Store;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, ChildStdin, Command},
    sync::{Semaphore, SemaphorePermit},
};

use crate::{desk::Desk, faults::Faults};

/// Names the folder that the process under test removes when its test is gone without a word.
pub const FOLDER: &str = "BELLHOP_TEST_FOLDER";

/// How long a test waits for something that has to come.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How many stacks of a test process run at a time: an engine takes most of a core while it works,
/// and what it cannot do in time would look like a fault of ours.
static SEATS: Semaphore = Semaphore::const_new(3);

/// What a stack is started with.
#[derive(Debug, Default)]
pub struct Options {
    /// Environment variables: settings that the test needs otherwise.
    pub settings: Vec<(&'static str, String)>,
    /// Service files that replace those that ship: name and text.
    pub services: Vec<(&'static str, String)>,
    /// A folder that outlives the stack, so that it can be started again on its data.
    pub keep_data: bool,
    /// A file that its log is appended to; else the test's standard error.
    pub log: Option<PathBuf>,
}

/// A running Bellhop, which ends with this value.
#[derive(Debug)]
pub struct Stack {
    program: PathBuf,
    options: Options,
    folder: TempDir,
    child: Child,
    /// The process ends when this is closed, which waiting for it would do.
    _leash: Option<ChildStdin>,
    access: Access,
    _seat: SemaphorePermit<'static>,
}

/// A way into a running Bellhop.
#[derive(Clone, Debug)]
pub struct Access {
    places: Places,
    faults: Faults,
    /// Speaks HTTP for the test.
    pub http: reqwest::Client,
}

impl Deref for Stack {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
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
    /// Starts Bellhop with everything that it needs, and waits until it is ready. A test that needs
    /// more than one of them starts the next when it has dropped the one before.
    pub async fn start(program: &str) -> anyhow::Result<Self> {
        Self::start_with(program, Options::default()).await
    }

    /// The same, with settings of the test.
    pub async fn start_with(program: &str, options: Options) -> anyhow::Result<Self> {
        // A second provider is only refused; the first one is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seat = SEATS.acquire().await?;
        let folder = TempDir::new()?;
        if !options.services.is_empty() {
            let services = folder.path().join("services");
            std::fs::create_dir(&services)?;
            for (name, text) in &options.services {
                std::fs::write(services.join(name), text)?;
            }
        }
        let program = PathBuf::from(program);
        let (mut child, places) = launch(&program, &options, &folder).await?;
        let leash = child.stdin.take();
        let faults = Faults::new(folder.path().join("faults"));
        let access = Access { places, faults, http: client()? };
        Ok(Self { program, options, folder, child, _leash: leash, access, _seat: seat })
    }

    /// Changes a service file of its folder, which counts from the next start on.
    pub fn put_service(&self, file: &str, text: &str) -> anyhow::Result<()> {
        Ok(std::fs::write(self.folder.path().join("services").join(file), text)?)
    }

    /// Kills the process without a word, and the engine with it.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.start_kill()?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits until the process has ended by itself: a deadly fault was met.
    pub async fn died(&mut self) -> anyhow::Result<()> {
        // Waiting would close it, and end a process that is about to die of something else.
        let _lifeline = self.child.stdin.take();
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("it is still alive")??;
        Ok(())
    }

    /// Waits until the process has ended by itself, however long that takes.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        self.child.wait().await?;
        Ok(())
    }

    /// Kills everything and judges the database that is left, as if everything had settled: the
    /// rules that leave out what has just changed leave out nothing.
    pub async fn judge_remains(mut self) -> anyhow::Result<()> {
        self.kill().await?;
        let folders = std::fs::read_dir(self.folder.path())?.flatten();
        let database = folders.map(|it| it.path().join("bellhop.db")).find(|it| it.exists());
        let database = database.context("it has left no database")?;
        let store = Store::open(&format!("sqlite://{}", database.display())).await?;
        let settled = Timestamp::now() + SignedDuration::from_hours(1);
        let broken = store.invariants(settled).await?;
        ensure!(broken.is_empty(), "broken once settled: {broken:#?}");
        store.close().await;
        Ok(())
    }

    /// Which of its files have one of these texts: its databases, the engine's, and its log.
    pub fn mentions(&self, texts: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
        let (mut found, mut folders) = (vec![], vec![self.folder.path().to_owned()]);
        let mut files: Vec<_> = self.options.log.iter().cloned().collect();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() {
                    files.push(entry.path());
                }
            }
        }
        for file in files {
            let bytes = std::fs::read(&file)?;
            let has = |text: &&str| bytes.windows(text.len()).any(|it| it == text.as_bytes());
            if texts.iter().any(has) {
                found.push(file);
            }
        }
        Ok(found)
    }

    /// Starts Bellhop again on the data it left behind.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        ensure!(self.options.keep_data, "this stack's data are thrown away");
        let launched = launch(&self.program, &self.options, &self.folder).await?;
        (self.child, self.access.places) = launched;
        self._leash = self.child.stdin.take();
        Ok(())
    }
}

impl Access {
    /// The same for another test: its connections live in that test's runtime.
    pub fn again(&self) -> anyhow::Result<Self> {
        Ok(Self { http: client()?, ..self.clone() })
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

    /// Where the partners are.
    pub fn simulator_url(&self) -> &str {
        &self.places.simulator
    }

    /// The folder of its faults.
    pub fn faults(&self) -> Faults {
        self.faults.clone()
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

    /// Waits until the provider's books say of a booking's payment what the booking says of it.
    pub async fn settled(&self, id: &str) -> anyhow::Result<()> {
        let (operator, what) = (self.desk("dev-operator"), format!("{id} agrees with its payment"));
        let why = RefCell::new(None);
        let agrees = eventually(&what, async || {
            let mut ledger = self.ledger().await?;
            let payments = ledger["payments"].as_array_mut().context("the ledger has payments")?;
            payments.retain(|payment| payment["reference"] == id);
            let judged = crate::desk::judge(&ledger, &operator).await;
            Ok(judged.map_err(|error| why.replace(Some(error))).ok())
        });
        agrees.await.with_context(|| format!("{:?}", why.take()))
    }
}

fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(PATIENCE).build()?)
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
    if let Some(log) = &options.log {
        command.stderr(OpenOptions::new().create(true).append(true).open(log)?);
    }
    command.env(FOLDER, folder.path());
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
