//! Faults before and after the activities of a booking, put by a test into the process under test.
//!
//! A fault is a file: `<folder>/<workflow id>/<activity>` holds what happens and how often. The test
//! writes it, the process under test reads it at each activity and notes in `fired` what it did, so a
//! fault outlives the processes that it ends and a test can tell that it was met.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use temporalio_sdk::{
    activities::ActivityError,
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
};
use tokio::sync::watch;

/// The variable that names the folder of faults to the process under test.
pub const VARIABLE: &str = "BELLHOP_TEST_FAULTS";

/// What happens to an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// It is refused before it does anything.
    Refuse,
    /// It does its work, and its answer is lost.
    LoseAnswer,
    /// It does its work, and its answer is lost once the test lets go of it: the world can be
    /// changed before it runs again.
    HoldAnswer,
    /// It does its work, and its answer comes once the test lets go of it.
    LateAnswer,
    /// The process ends before it does anything.
    DieBefore,
    /// The process ends after it did its work, before that is reported.
    DieAfter,
}

impl Fault {
    /// Those that leave the process alive, and need nothing of the test.
    pub const SURVIVED: [Self; 2] = [Self::Refuse, Self::LoseAnswer];
}

/// How long a process that is to end waits for others that meet such a fault: they end with it, so
/// that a test of many needs few processes.
const GATHERING: Duration = Duration::from_millis(300);

/// How long such a process waits for what is at work. A `kill -9` by a test waits for nothing.
const LONGEST_WORK: Duration = Duration::from_secs(1);

/// How long an answer is held at most: less than an activity may take inline.
const LONGEST_HOLD: Duration = Duration::from_secs(4);

#[derive(Serialize, Deserialize)]
struct Planned {
    fault: Fault,
    times: u32,
}

impl Planned {
    /// Writes it whole or not at all: the process may be killed at any moment.
    fn write(&self, file: &Path) -> anyhow::Result<()> {
        let whole = file.with_added_extension("new");
        fs::write(&whole, serde_json::to_vec(self)?)?;
        Ok(fs::rename(whole, file)?)
    }
}

/// The folder of faults, from the test's side.
#[derive(Clone, Debug)]
pub struct Faults(PathBuf);

impl Faults {
    /// Faults in a folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Where the process under test finds them.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Lets `fault` happen to the next `times` runs of an activity of a workflow.
    pub fn put(
        &self,
        workflow: &str,
        activity: &str,
        fault: Fault,
        times: u32,
    ) -> anyhow::Result<()> {
        let file = file(&self.0, workflow, activity);
        fs::create_dir_all(file.parent().context("a fault is in a folder")?)?;
        Planned { fault, times }.write(&file)
    }

    /// Takes back what was put and has not happened.
    pub fn lift(&self, workflow: &str, activity: &str) {
        let _ = fs::remove_file(file(&self.0, workflow, activity));
    }

    /// Whether a fault put to an activity of a workflow is still to happen.
    pub fn is_due(&self, workflow: &str, activity: &str) -> bool {
        file(&self.0, workflow, activity).exists()
    }

    /// Whether an activity has done its work and its answer is held.
    pub fn is_held(&self, workflow: &str, activity: &str) -> bool {
        held(&self.0, workflow, activity).exists()
    }

    /// Lets go of an answer that is held: it is lost now, or comes, as the fault says.
    pub fn let_go(&self, workflow: &str, activity: &str) -> anyhow::Result<()> {
        Ok(fs::remove_file(held(&self.0, workflow, activity))?)
    }

    /// How often the fault put to an activity of a workflow has happened.
    pub fn fired(&self, workflow: &str, activity: &str) -> usize {
        let notes = fs::read_to_string(self.0.join("fired")).unwrap_or_default();
        let note = format!("{workflow} {activity}");
        notes.lines().filter(|line| *line == note).count()
    }
}

fn file(folder: &Path, workflow: &str, activity: &str) -> PathBuf {
    folder.join(workflow.replace('/', "_")).join(activity)
}

/// Stands there while an answer is held.
fn held(folder: &Path, workflow: &str, activity: &str) -> PathBuf {
    file(folder, workflow, activity).with_added_extension("held")
}

/// What the process under test runs around its activities, if a test asks for it.
pub fn interceptor() -> Option<Arc<dyn ActivityInboundInterceptor>> {
    let folder = PathBuf::from(std::env::var_os(VARIABLE)?);
    let (working, is_dying) = (watch::Sender::new(0), watch::Sender::new(false));
    Some(Arc::new(Interceptor { folder, counting: Mutex::default(), working, is_dying }))
}

struct Interceptor {
    folder: PathBuf,
    counting: Mutex<()>,
    /// How many activities are at work.
    working: watch::Sender<usize>,
    /// Whether the process is about to end: nothing more begins.
    is_dying: watch::Sender<bool>,
}

impl Interceptor {
    /// The fault that is due now; counts it down and notes it.
    fn due(&self, workflow: &str, activity: &str) -> Option<Fault> {
        let _one_at_a_time = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
        let file = file(&self.folder, workflow, activity);
        let mut planned: Planned = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
        planned.times -= 1;
        let left = if planned.times == 0 {
            fs::remove_file(&file).map_err(anyhow::Error::from)
        } else {
            planned.write(&file)
        };
        left.ok()?;
        let notes = self.folder.join("fired");
        let mut notes = fs::OpenOptions::new().create(true).append(true).open(notes).ok()?;
        writeln!(notes, "{workflow} {activity}").ok()?;
        Some(planned.fault)
    }
}

impl ActivityInboundInterceptor for Interceptor {
    fn execute_activity<'a>(
        &'a self,
        input: ExecuteActivityInput,
        next: Next<'a, ExecuteActivityInput, ExecuteActivityOutput<'a>>,
    ) -> ExecuteActivityOutput<'a> {
        let info = input.activity_info();
        let workflow = info.workflow_id.as_deref().unwrap_or_default();
        let fault = self.due(workflow, &info.activity_type);
        let held = held(&self.folder, workflow, &info.activity_type);
        Box::pin(async move {
            let work = async {
                let _at_work = AtWork::new(&self.working);
                next.run(input).await
            };
            match fault {
                None => {
                    self.stop_if_dying().await;
                    work.await
                }
                Some(Fault::Refuse) => Err(injected("refused")),
                Some(Fault::DieBefore) => self.die().await,
                Some(Fault::LoseAnswer) => {
                    let _ = work.await;
                    Err(injected("answer lost"))
                }
                Some(Fault::HoldAnswer) => {
                    let _ = work.await;
                    hold(&held).await;
                    Err(injected("answer lost"))
                }
                Some(Fault::LateAnswer) => {
                    let done = work.await;
                    hold(&held).await;
                    done
                }
                Some(Fault::DieAfter) => {
                    let _ = work.await;
                    self.die().await
                }
            }
        })
    }
}

impl Interceptor {
    async fn stop_if_dying(&self) {
        if *self.is_dying.borrow() {
            std::future::pending().await
        }
    }

    /// Ends the process as the kernel would: nothing is flushed, nobody is told. Others that meet
    /// such a fault end with it, and nothing is cut off in the middle that ends soon.
    async fn die(&self) -> ! {
        self.is_dying.send_replace(true);
        tokio::time::sleep(GATHERING).await;
        let mut working = self.working.subscribe();
        let nothing_works = working.wait_for(|it| *it == 0);
        let _ = tokio::time::timeout(LONGEST_WORK, nothing_works).await;
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
        std::process::abort()
    }
}

/// Counts an activity for as long as it is at work.
struct AtWork<'a>(&'a watch::Sender<usize>);

impl<'a> AtWork<'a> {
    fn new(working: &'a watch::Sender<usize>) -> Self {
        working.send_modify(|it| *it += 1);
        Self(working)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|it| *it -= 1);
    }
}

fn injected(what: &str) -> ActivityError {
    anyhow::anyhow!("{what} by a test").into()
}

/// Waits until the test lets go.
async fn hold(held: &Path) {
    let _ = fs::write(held, []);
    let looks = async {
        while held.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let _ = tokio::time::timeout(LONGEST_HOLD, looks).await;
}
