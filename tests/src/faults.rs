//! Faults before and after the activities of a booking, put by a test into the process under test.
//!
//! A fault is a file: `<folder>/<workflow id>/<activity>` holds what happens and how often. The test
//! writes it, the process under test reads it at each activity and notes in `fired` what it did, so a
//! fault outlives the processes that it ends and a test can tell that it was met.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use temporalio_sdk::{
    activities::ActivityError,
    interceptors::{ActivityInboundInterceptor, ExecuteActivityInput, ExecuteActivityOutput, Next},
};

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
    /// The process ends before it does anything.
    DieBefore,
    /// The process ends after it did its work, before that is reported.
    DieAfter,
}

impl Fault {
    /// Those that leave the process alive.
    pub const SURVIVED: [Self; 2] = [Self::Refuse, Self::LoseAnswer];
    /// Those that do not.
    pub const DEADLY: [Self; 2] = [Self::DieBefore, Self::DieAfter];
}

#[derive(Serialize, Deserialize)]
struct Planned {
    fault: Fault,
    times: u32,
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
        fs::write(file, serde_json::to_vec(&Planned { fault, times })?)?;
        Ok(())
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

/// What the process under test runs around its activities, if a test asks for it.
pub fn interceptor() -> Option<Arc<dyn ActivityInboundInterceptor>> {
    let folder = PathBuf::from(std::env::var_os(VARIABLE)?);
    Some(Arc::new(Interceptor { folder }))
}

struct Interceptor {
    folder: PathBuf,
}

impl Interceptor {
    /// The fault that is due now; counts it down and notes it.
    fn due(&self, workflow: &str, activity: &str) -> Option<Fault> {
        let file = file(&self.folder, workflow, activity);
        let mut planned: Planned = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
        planned.times -= 1;
        let left = if planned.times == 0 {
            fs::remove_file(&file)
        } else {
            fs::write(&file, serde_json::to_vec(&planned).ok()?)
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
        Box::pin(async move {
            match fault {
                None => next.run(input).await,
                Some(Fault::Refuse) => Err(injected("refused")),
                Some(Fault::DieBefore) => die(),
                Some(Fault::LoseAnswer) => {
                    let _ = next.run(input).await;
                    Err(injected("answer lost"))
                }
                Some(Fault::DieAfter) => {
                    let _ = next.run(input).await;
                    die()
                }
            }
        })
    }
}

fn injected(what: &str) -> ActivityError {
    anyhow::anyhow!("{what} by a test").into()
}

/// Ends the process as the kernel would: nothing is flushed, nobody is told.
fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}
