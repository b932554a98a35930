//! Every activity × every fault that leaves the process alive, on every course of every service. Which
//! activities there are is read from the histories of undisturbed courses and from the contract, so
//! that a new one is swept without a word here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, ensure};
use bellhop_store::SHARDS;
use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    history,
    stack::Stack,
};
use futures::{
    future::try_join_all,
    stream::{self, StreamExt as _, TryStreamExt as _},
};

use crate::{
    PROGRAM,
    course::Course,
    end::{activities_of, ended, messages_of},
    ground::Ground,
    services::quick,
    users::Users,
};

/// How many bookings are on their way at the same time.
const ABREAST: usize = 24;

/// What a course does when nothing fails.
#[derive(Debug, Default)]
pub(crate) struct Normal {
    /// Its activities.
    pub(crate) activities: BTreeSet<String>,
    /// Its events, sorted.
    events: Vec<String>,
    /// What was told of it, sorted.
    told: Vec<String>,
}

/// One booking of the sweep: a course, and the fault that it meets.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) course: Course,
    pub(crate) activity: String,
    pub(crate) fault: Fault,
    pub(crate) times: u32,
    pub(crate) key: String,
    pub(crate) ground: Ground,
}

/// Activities of other workflows than a booking's: [`crate::withdrawal`] puts faults to them.
pub(crate) const OF_WITHDRAWALS: [&str; 1] = ["operations.withdraw_batch"];

/// Runs every course undisturbed, and makes sure that together they run every activity there is.
pub(crate) async fn undisturbed(users: &Users) -> anyhow::Result<BTreeMap<Course, Normal>> {
    let runs = Course::ALL.map(|course| async move {
        let normal = normal(course, users).await;
        anyhow::Ok((course, normal.with_context(|| format!("undisturbed {course:?}"))?))
    });
    let normal: BTreeMap<_, _> = try_join_all(runs).await?.into_iter().collect();
    let run: BTreeSet<_> = normal.values().flat_map(|it| it.activities.clone()).collect();
    let mut contract = contract()?;
    for activity in OF_WITHDRAWALS {
        ensure!(contract.remove(activity), "{activity} is an activity");
    }
    ensure!(run == contract, "the courses run {run:?}, the contract has {contract:?}");
    Ok(normal)
}

async fn normal(course: Course, users: &Users) -> anyhow::Result<Normal> {
    let key = new_key();
    let ground = course.ground(&key);
    ground.lay(users, 1).await?;
    let id = course.run(users, &key, ground.request(course.service)).await?;
    let told = course.check(users, &ground, &id).await?;
    ground.is_left(users, course.used).await?;
    let client = history::connect(users.access().temporal()).await?;
    let run = activities_of(&client, &id, &told).await?;
    let mut activities: BTreeSet<_> = run.into_iter().collect();
    course.occupies().map(|it| activities.remove(it));
    Ok(Normal { activities, events: events_of(users, &id).await?, told })
}

/// The names of all activities, as the contract's files have them.
fn contract() -> anyhow::Result<BTreeSet<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows/src/contract");
    let mut names = BTreeSet::new();
    for file in fs::read_dir(folder)? {
        let text = fs::read_to_string(file?.path())?;
        let found = text.split(r#"#[activity(name = ""#).skip(1);
        names.extend(found.filter_map(|it| Some(it.split_once('"')?.0.to_owned())));
    }
    Ok(names)
}

/// A booking's events but for those that tell of a fault, sorted: faults may change their order.
async fn events_of(users: &Users, id: &str) -> anyhow::Result<Vec<String>> {
    let mut events = users.events(id).await?;
    events.retain(|it| {
        !it.starts_with("attention.") && !matches!(&**it, "payment.awaited" | "payment.unknown")
    });
    events.sort();
    Ok(events)
}

/// What was told but for that of a payment that is awaited, which tells of a fault.
fn lasting(told: &[String]) -> Vec<&String> {
    told.iter().filter(|it| !it.ends_with(" awaiting_payment")).collect()
}

impl Case {
    /// Every activity of every course with each of these faults, so many times. What lasts is the
    /// same for an activity whichever course it is on, and takes long: it is put on the first one.
    pub(crate) fn all(
        normal: &BTreeMap<Course, Normal>,
        faults: &[(Fault, u32)],
    ) -> anyhow::Result<Vec<Self>> {
        let (mut taken, mut lasted) = (BTreeSet::new(), BTreeSet::new());
        let mut cases = vec![];
        for course in Course::ALL {
            for activity in &normal[&course].activities {
                for (fault, times) in faults {
                    if *times < LASTING || lasted.insert(activity) {
                        cases.push(Self::new(course, activity, *fault, *times, &mut taken)?);
                    }
                }
            }
        }
        Ok(cases)
    }

    /// A case, under a key of its own. Deliveries are shared by the bookings of a shard: each such
    /// case of a [wave](waves) gets a shard of its own.
    fn new(
        course: Course,
        activity: &str,
        fault: Fault,
        times: u32,
        taken: &mut BTreeSet<String>,
    ) -> anyhow::Result<Self> {
        let mut key = new_key();
        if activity == DELIVERY {
            if taken.len() == WAVE {
                taken.clear();
            }
            while !taken.insert(messages_of(&booking_id(&key)?)?) {
                key = new_key();
            }
        }
        // A delivery is retried at its own, slower pace.
        let times = if activity == DELIVERY { times.min(2) } else { times };
        let ground = course.ground(&key);
        Ok(Self { course, activity: activity.to_owned(), fault, times, key, ground })
    }

    pub(crate) fn id(&self) -> anyhow::Result<String> {
        booking_id(&self.key)
    }

    /// The workflow that runs the activity.
    pub(crate) fn workflow(&self) -> anyhow::Result<String> {
        let id = self.id()?;
        if self.activity == DELIVERY { messages_of(&id) } else { Ok(id) }
    }

    /// Puts the fault. A delivery that is under way would not meet it: its end is waited for.
    pub(crate) async fn put(&self, users: &Users) -> anyhow::Result<()> {
        let workflow = self.workflow()?;
        if self.activity == DELIVERY {
            ended(users, &workflow).await?;
        }
        users.access().faults().put(&workflow, &self.activity, self.fault, self.times)
    }

    /// Lays the ground for so many bookings, and puts the fault.
    pub(crate) async fn begin(&self, users: &Users, capacity: u32) -> anyhow::Result<()> {
        self.ground.lay(users, capacity).await?;
        self.put(users).await
    }

    /// Goes the course.
    pub(crate) async fn go(&self, users: &Users) -> anyhow::Result<()> {
        let request = self.ground.request(self.course.service);
        self.course.run(users, &self.key, request).await.map(drop)
    }

    /// Judges the booking once its course is through: as if nothing had happened, but something has.
    pub(crate) async fn check(&self, users: &Users, normal: &Normal) -> anyhow::Result<()> {
        let id = self.id()?;
        let told = self.course.check(users, &self.ground, &id).await?;
        let (told, due) = (lasting(&told), lasting(&normal.told));
        ensure!(told == due, "{told:#?} told instead of {due:#?}");
        let (faults, workflow) = (users.access().faults(), self.workflow()?);
        ensure!(!faults.is_due(&workflow, &self.activity), "it was to happen {} times", self.times);
        let (fired, times) = (faults.fired(&workflow, &self.activity), self.times as usize);
        // A shard has had those of the waves before.
        let is_right = fired == times || (self.activity == DELIVERY && fired > times);
        ensure!(is_right, "it was to happen {times} times, and has {fired} times");
        let events = events_of(users, &id).await?;
        ensure!(events == normal.events, "{events:#?} instead of {:#?}", normal.events);
        Ok(())
    }

    /// Runs it, and judges it.
    pub(crate) async fn run(&self, users: &Users, normal: &Normal) -> anyhow::Result<()> {
        self.begin(users, 1).await?;
        self.go(users).await?;
        self.check(users, normal).await?;
        self.ground.is_left(users, self.course.used).await?;
        if self.is_lasting() {
            let id = self.id()?;
            let events = users.events(&id).await?;
            for event in ["attention.raised", "attention.cleared"] {
                ensure!(events.iter().any(|it| it == event), "no {event} in {events:?}");
            }
        }
        Ok(())
    }

    /// Whether it goes on for so long that somebody is told.
    fn is_lasting(&self) -> bool {
        self.fault == Fault::Refuse && self.times > 1 && self.activity != DELIVERY
    }
}

/// The one activity that no booking waits for: it is run by a workflow of its own.
pub(crate) const DELIVERY: &str = "notifications.deliver";

/// How many deliveries can be met by a fault at a time: there is one for each shard.
const WAVE: usize = SHARDS as usize;

/// Splits cases in those that may run at the same time: all but the deliveries, which would be met
/// by each other's faults, then those, wave by wave.
pub(crate) fn waves(cases: Vec<Case>) -> (Vec<Case>, Vec<Vec<Case>>) {
    let (deliveries, acts): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|it| it.activity == DELIVERY);
    (acts, deliveries.chunks(WAVE).map(<[_]>::to_vec).collect())
}

/// So many refusals outlast the time after which attention is raised.
const LASTING: u32 = 8;

#[tokio::test]
async fn every_activity_may_be_refused_or_lose_its_answer() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    let normal = undisturbed(&users).await?;
    let faults = [(Fault::Refuse, 1), (Fault::LoseAnswer, 1), (Fault::Refuse, LASTING)];
    let (acts, deliveries) = waves(Case::all(&normal, &faults)?);
    for cases in [vec![acts], deliveries].concat() {
        let runs = stream::iter(&cases).map(async |case| {
            let ran = case.run(&users, &normal[&case.course]).await;
            ran.with_context(|| format!("{case:?}"))
        });
        runs.buffer_unordered(ABREAST).try_collect::<Vec<()>>().await?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}
