//! Load: a number of tasks, by clients that wait for each or at a rate that waits for none.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::report::round;

/// How a load went.
#[derive(Debug)]
pub(super) struct Load {
    /// How long each task took that succeeded, shortest first.
    latencies: Vec<Duration>,
    /// When each of them ended, from the first start, earliest first.
    ends: Vec<Duration>,
    /// The memory of this process after each tenth of the tasks.
    memory: Vec<Bytes>,
    /// From the first start to the last answer.
    took: Duration,
    pub(super) failed: usize,
    /// Why the first one failed.
    pub(super) error: Option<anyhow::Error>,
}

/// Bytes of memory.
pub(super) type Bytes = u64;

/// A tenth of a load.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Tenth {
    pub(super) per_second: f64,
    /// What this process had in memory at its end, load generator and simulator included.
    pub(super) memory_mb: f64,
}

/// What became of a task: when it ended and how long it took.
type Done = anyhow::Result<(Instant, Duration)>;

/// Lets `clients` do `tasks` of them, each the next when its last is done.
pub(super) async fn closed<W, F>(what: &'static str, clients: u32, tasks: u32, work: W) -> Load
where
    W: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let (progress, left) = (Progress::begin(what, tasks), Arc::new(AtomicU32::new(tasks)));
    let (started, mut running) = (Instant::now(), JoinSet::new());
    for _ in 0..clients {
        let (work, progress, left) = (work.clone(), progress.clone(), left.clone());
        running.spawn(async move {
            let mut done = vec![];
            while left
                .try_update(Ordering::Relaxed, Ordering::Relaxed, |it| it.checked_sub(1))
                .is_ok()
            {
                done.push(timed(Instant::now(), work()).await);
                progress.step();
            }
            done
        });
    }
    let done: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    Load::of(started, done, &progress)
}

/// Lets `clients` work on each of `inputs` once.
pub(super) async fn each<I, W, F>(what: &'static str, clients: u32, inputs: Vec<I>, work: W) -> Load
where
    I: Send + 'static,
    W: Fn(I) -> F + Clone + Send + 'static,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let tasks = u32::try_from(inputs.len()).unwrap_or(u32::MAX);
    let inputs = Arc::new(Mutex::new(inputs));
    closed(what, clients, tasks, move || {
        let next = inputs.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let work = next.map(&work);
        async move {
            match work {
                Some(work) => work.await,
                None => Ok(()),
            }
        }
    })
    .await
}

/// Starts `tasks` of them at a rate a second, however many are under way. What starts late because
/// the machine is busy counts from when it should have started.
pub(super) async fn open<F>(what: &'static str, rate: f64, tasks: u32, work: impl Fn() -> F) -> Load
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let progress = Progress::begin(what, tasks);
    let (started, mut running) = (Instant::now(), JoinSet::new());
    for task in 0..tasks {
        let due = started + Duration::from_secs_f64(f64::from(task) / rate);
        let (progress, work) = (progress.clone(), work());
        sleep_until(due).await;
        running.spawn(async move {
            let done = timed(due, work).await;
            progress.step();
            done
        });
    }
    let done = running.join_all().await;
    Load::of(started, done, &progress)
}

async fn timed(from: Instant, task: impl Future<Output = anyhow::Result<()>>) -> Done {
    task.await.map(|()| (Instant::now(), from.elapsed()))
}

impl Load {
    fn of(started: Instant, tasks: impl IntoIterator<Item = Done>, progress: &Progress) -> Self {
        let (took, memory) = (started.elapsed(), progress.memory());
        let mut load =
            Self { latencies: vec![], ends: vec![], memory, took, failed: 0, error: None };
        for task in tasks {
            match task {
                Ok((ended, latency)) => {
                    load.latencies.push(latency);
                    load.ends.push(ended - started);
                }
                Err(error) => {
                    load.failed += 1;
                    load.error.get_or_insert(error);
                }
            }
        }
        load.latencies.sort_unstable();
        load.ends.sort_unstable();
        load
    }

    /// Takes in another load of the same, that came after it.
    pub(super) fn add(&mut self, mut other: Self) {
        self.latencies.append(&mut other.latencies);
        self.latencies.sort_unstable();
        self.ends.extend(other.ends.iter().map(|it| self.took + *it));
        self.memory.append(&mut other.memory);
        self.took += other.took;
        self.failed += other.failed;
        self.error = self.error.take().or(other.error);
    }

    /// # Errors
    /// A task failed.
    pub(super) fn require(&mut self) -> anyhow::Result<()> {
        match self.error.take() {
            Some(error) => Err(error).with_context(|| format!("{} failed", self.failed)),
            None => Ok(()),
        }
    }

    /// How many succeeded each second.
    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    /// How fast each tenth of it went, and the memory after it: whether cost grows with age. None of
    /// a load too short to tell.
    pub(super) fn tenths(&self) -> Vec<Tenth> {
        let size = self.ends.len() / 10;
        if size < 100 {
            return vec![];
        }
        let mut began = Duration::ZERO;
        let tenths = self.ends.chunks_exact(size).take(10).enumerate().map(|(number, ends)| {
            let ended = ends.last().copied().unwrap_or_default();
            let took = (ended - began).as_secs_f64().max(f64::EPSILON);
            began = ended;
            let memory = self.memory.get(number).copied().unwrap_or_default();
            Tenth {
                per_second: round(size as f64 / took, 1),
                memory_mb: round(memory as f64 / 1e6, 1),
            }
        });
        tenths.collect()
    }

    /// How many took about as long as Temporal's own timers last: 5 s or 10 s.
    pub(super) fn stalls(&self) -> usize {
        let is_stall = |it: &&Duration| {
            let seconds = it.as_secs_f64();
            (4.5..=5.5).contains(&seconds) || (9.5..=11.5).contains(&seconds)
        };
        self.latencies.iter().filter(is_stall).count()
    }

    /// The latency that `percent` of the tasks did not exceed (nearest rank); 100 is the longest.
    pub(super) fn percentile(&self, percent: f64) -> Duration {
        let rank = (percent / 100.0 * self.latencies.len() as f64).ceil() as usize;
        self.latencies.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Tells on standard error how far a load is.
#[derive(Clone)]
struct Progress(Arc<Inner>);

struct Inner {
    what: &'static str,
    tasks: u32,
    done: AtomicU32,
    memory: Mutex<Vec<Bytes>>,
}

impl Progress {
    fn begin(what: &'static str, tasks: u32) -> Self {
        eprintln!("{what}: {tasks}");
        Self(Arc::new(Inner { what, tasks, done: AtomicU32::new(0), memory: Mutex::default() }))
    }

    /// A line every tenth of the way.
    fn step(&self) {
        let Inner { what, tasks, done, memory } = &*self.0;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        let tenth = |done: u32| u64::from(done) * 10 / u64::from(*tasks);
        if *tasks >= 100 && tenth(done) > tenth(done - 1) {
            eprintln!("{what}: {done}/{tasks}");
            memory.lock().unwrap_or_else(PoisonError::into_inner).push(resident());
        }
    }

    fn memory(&self) -> Vec<Bytes> {
        std::mem::take(&mut self.0.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The memory of this process, or 0 where Linux is not there to tell.
fn resident() -> Bytes {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.trim().strip_suffix("kB")?.trim().parse::<Bytes>().ok());
    kib.unwrap_or_default() * 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_task_is_done_once_whoever_does_it() {
        let done = Arc::new(AtomicU32::new(0));
        let counted = done.clone();
        let work = move || {
            let done = counted.clone();
            async move {
                let before = done.fetch_add(1, Ordering::Relaxed);
                if before == 3 { Err(anyhow::anyhow!("the fourth")) } else { Ok(()) }
            }
        };
        let mut load = closed("test", 4, 10, work.clone()).await;
        load.add(open("test", 1_000.0, 5, &work).await);
        assert_eq!((done.load(Ordering::Relaxed), load.failed, load.latencies.len()), (15, 1, 14));
        assert!(load.require().is_err() && load.per_second() > 0.0);
    }

    #[test]
    fn percentiles_are_latencies_that_were_met() {
        let load = lasting((1..=200).rev().map(Duration::from_secs));
        let found = [50.0, 99.0, 100.0].map(|it| load.percentile(it).as_secs());
        assert_eq!(found, [100, 198, 200]);
        assert_eq!(lasting([]).percentile(99.0), Duration::ZERO);
    }

    #[test]
    fn a_load_that_gets_slower_shows_in_its_tenths() {
        let load = lasting((0..1_000).map(|it| Duration::from_millis(it + it.max(500))));
        let rates: Vec<_> = load.tenths().iter().map(|it| it.per_second).collect();
        assert_eq!((rates.len(), rates[1], rates[9]), (10, 1_000.0, 500.0));
        assert!(lasting([]).tenths().is_empty());
    }

    /// A load whose tasks all start at once and last so long.
    fn lasting(latencies: impl IntoIterator<Item = Duration>) -> Load {
        let started = Instant::now();
        let done = latencies.into_iter().map(|it| Ok((started + it, it)));
        Load::of(started, done, &Progress::begin("test", 0))
    }
}
