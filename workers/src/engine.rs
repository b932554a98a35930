//! Temporal's development server as a child process: the real engine, with its web UI, for
//! `bellhop dev` and tests.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, bail};
use bellhop_workflows::contract::SERVICE_ATTRIBUTE;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::temporal;

/// How long the server may take to answer its first call.
const PATIENCE: Duration = Duration::from_secs(60);

/// The namespace that the server comes with.
const NAMESPACE: &str = "default";

/// Where a server keeps its data and listens.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder of its database, log and pid file.
    pub folder: PathBuf,
    /// Its gRPC port on loopback.
    pub port: u16,
    /// The port of its web UI on loopback.
    pub ui_port: u16,
}

/// A running server. It ends with this value, and with this process however that ends.
#[derive(Debug)]
pub struct Engine {
    child: Child,
    pid_file: PathBuf,
    /// Where its gRPC frontend answers.
    pub address: SocketAddr,
    /// Where its web UI is.
    pub ui: String,
}

impl Engine {
    /// Starts the server and waits until it answers. One of ours that a killed process has left
    /// behind on this folder is ended first.
    ///
    /// Call it from a thread that lives as long as the process: the server ends with that thread.
    ///
    /// # Errors
    /// The server is not installed, cannot listen, or does not answer within a minute.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let program = find_program()?;
        let pid_file = options.folder.join("temporal.pid");
        end_stale(&pid_file)?;
        let log = options.folder.join("temporal.log");
        let output = std::fs::File::create(&log)
            .with_context(|| format!("{} cannot be written", log.display()))?;
        let mut command = command(&program, options);
        command.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null());
        let child =
            command.spawn().with_context(|| format!("{} cannot be started", program.display()))?;
        if let Some(pid) = child.id() {
            std::fs::write(&pid_file, format!("{pid} {}", started_at(pid).unwrap_or_default()))?;
        }
        let mut engine = Self {
            child,
            pid_file,
            address: SocketAddr::from(([127, 0, 0, 1], options.port)),
            ui: format!("http://127.0.0.1:{}", options.ui_port),
        };
        engine.answer(&log).await?;
        Ok(engine)
    }

    /// Waits until the frontend answers as Temporal: connections may be accepted by somebody else who
    /// took the port, or by a server that is about to end.
    async fn answer(&mut self, log: &Path) -> anyhow::Result<()> {
        let started = tokio::time::Instant::now();
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            if let Some(status) = self.child.try_wait()? {
                let tail = tail(log);
                bail!("Temporal's development server ended at once ({status}):\n{tail}");
            }
            if started.elapsed() > PATIENCE {
                bail!("Temporal's development server does not answer; see {}", log.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let address = self.address.to_string();
        let answers = temporal::connect_within(&address, NAMESPACE, PATIENCE);
        tokio::select! {
            answer = answers => answer.map(drop),
            status = self.child.wait() => {
                let (status, tail) = (status?, tail(log));
                bail!("Temporal's development server ended at once ({status}):\n{tail}")
            }
        }
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the server ends by itself, which it should not.
    ///
    /// # Errors
    /// Always, once it has ended.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait().await?;
        bail!("Temporal's development server has ended ({status})")
    }

    /// Ends the server: asks, and insists after 5 s.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(to_pid) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if tokio::time::timeout(Duration::from_secs(5), self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let _ = std::fs::remove_file(&self.pid_file);
    }
}

fn command(program: &Path, options: &Options) -> Command {
    let mut command = Command::new(program);
    command.args(["server", "start-dev", "--ip", "127.0.0.1", "--log-level", "error"]);
    command.arg("--db-filename").arg(options.folder.join("temporal.db"));
    command.args(["--port", &options.port.to_string(), "--ui-port", &options.ui_port.to_string()]);
    command.args(["--search-attribute", &format!("{SERVICE_ATTRIBUTE}=Keyword")]);
    // Twice to five times the speed of the default journal, and as safe as a development server.
    for pragma in ["journal_mode=WAL", "synchronous=1"] {
        command.args(["--sqlite-pragma", pragma]);
    }
    for value in [
        // With the default of four partitions, starts wait seconds for a poller of theirs.
        "matching.numTaskqueueReadPartitions=1",
        "matching.numTaskqueueWritePartitions=1",
        "system.enableActivityEagerExecution=true",
        // What its web UI lists is written in batches, 20 a second by default. The server has one
        // connection to its database, so each batch holds up whatever else is asked for 20 ms.
        "history.visibilityProcessorMaxPollRPS=60",
    ] {
        command.args(["--dynamic-config-value", value]);
    }
    command.kill_on_drop(true);
    end_with_us(&mut command);
    command
}

/// Lets the kernel end the child with the thread that starts it, even when that is killed. A process
/// group of its own keeps the terminal's Ctrl-C from it: it ends after what depends on it.
fn end_with_us(command: &mut Command) {
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let die = || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
                .map_err(std::io::Error::from)
        };
        #[expect(unsafe_code, reason = "pre_exec is unsafe; one system call is safe after fork")]
        // SAFETY: the closure makes one system call, allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(die)
        };
    }
}

/// Where the server's program is: `BELLHOP_TEMPORAL_CLI`, or `temporal` on the PATH.
///
/// # Errors
/// It is in neither place.
pub fn find_program() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("BELLHOP_TEMPORAL_CLI").filter(|it| !it.is_empty()) {
        return Ok(PathBuf::from(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|it| it.join("temporal")).find(|it| it.is_file());
    found.context(
        "Temporal's development server is missing: run `make dev`, which installs it, or put \
         Temporal's command line tool `temporal` on the PATH (or its path in BELLHOP_TEMPORAL_CLI)",
    )
}

/// Ends a server that a killed process of ours has left behind. The start time beside the pid tells
/// it from a stranger that has got the same pid.
fn end_stale(pid_file: &Path) -> anyhow::Result<()> {
    let Ok(text) = std::fs::read_to_string(pid_file) else { return Ok(()) };
    let mut words = text.split_whitespace();
    let pid = words.next().and_then(|word| word.parse::<u32>().ok());
    if let (Some(pid), Some(started)) = (pid, words.next())
        && started_at(pid).as_deref() == Some(started)
        && let Some(target) = to_pid(pid)
    {
        tracing::info!(pid, "ending a Temporal server left behind");
        let _ = kill_process(target, Signal::KILL);
        for _ in 0..100 {
            if started_at(pid).as_deref() != Some(started) {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    std::fs::remove_file(pid_file)?;
    Ok(())
}

/// When a process was started, in the kernel's ticks, unless it has ended (proc_pid_stat(5),
/// field 22; field 3 is its state).
fn started_at(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    (state != "Z").then_some(fields.nth(18)?.to_owned())
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}
