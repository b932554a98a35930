//! Every activity × every fault that leaves the process alive, on every course. Which activities
//! there are is read from the histories of undisturbed courses and from the contract, so that a new
//! one is swept without a word here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    history,
    stack::Stack,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use crate::{
    PROGRAM,
    course::{self, Course, activities_of, messages_of, quick},
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
}

/// One booking of the sweep: a course, and the fault that it meets.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) course: Course,
    pub(crate) activity: String,
    pub(crate) fault: Fault,
    pub(crate) times: u32,
    pub(crate) key: String,
}

/// Enough taxis for every booking of a test.
pub(crate) async fn stock_up(users: &Users) -> anyhow::Result<()> {
    let taxi = json!({
        "company": "com_mapo", "grade": "prime", "name": "마포 우등 택시",
        "price": {"minor": 9_800, "currency": "KRW"}, "capacity": 1_000,
    });
    let put = users.desk("dev-manager").put("/taxis/taxi_mapo_prime", taxi).await?;
    ensure!(put.status == 200, "there are taxis enough: {put:?}");
    Ok(())
}

/// Runs every course undisturbed, and makes sure that together they run every activity there is.
pub(crate) async fn undisturbed(users: &Users) -> anyhow::Result<BTreeMap<Course, Normal>> {
    let runs = Course::ALL.map(|course| async move {
        let id = course.run(users, &new_key(), course.request()).await?;
        course.check(users, &id).await.with_context(|| format!("undisturbed {course:?}"))?;
        let client = history::connect(users.access().temporal()).await?;
        let mut activities: BTreeSet<_> = activities_of(&client, &id).await?.into_iter().collect();
        course.occupies().map(|it| activities.remove(it));
        anyhow::Ok((course, Normal { activities, events: events_of(users, &id).await? }))
    });
    let normal: BTreeMap<_, _> = futures::future::try_join_all(runs).await?.into_iter().collect();
    let run: BTreeSet<_> = normal.values().flat_map(|it| it.activities.clone()).collect();
    let contract = contract()?;
    ensure!(run == contract, "the courses run {run:?}, the contract has {contract:?}");
    Ok(normal)
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

impl Case {
    /// Every activity of every course with each of these faults, so many times.
    pub(crate) fn all(
        normal: &BTreeMap<Course, Normal>,
        faults: &[(Fault, u32)],
    ) -> anyhow::Result<Vec<Self>> {
        let mut taken = BTreeSet::new();
        let mut cases = vec![];
        for (course, normal) in normal {
            for activity in &normal.activities {
                for (fault, times) in faults {
                    cases.push(Self::new(*course, activity, *fault, *times, &mut taken)?);
                }
            }
        }
        Ok(cases)
    }

    /// A case, under a key of its own. Deliveries are shared by the bookings of a shard: each such
    /// case gets a shard that is not in `taken`.
    fn new(
        course: Course,
        activity: &str,
        fault: Fault,
        times: u32,
        taken: &mut BTreeSet<String>,
    ) -> anyhow::Result<Self> {
        let mut key = new_key();
        if activity == DELIVERY {
            while !taken.insert(messages_of(&booking_id(&key)?)?) {
                key = new_key();
            }
        }
        // A delivery is retried at its own, slower pace.
        let times = if activity == DELIVERY { times.min(2) } else { times };
        Ok(Self { course, activity: activity.to_owned(), fault, times, key })
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
            course::ended(users, &workflow).await?;
        }
        users.access().faults().put(&workflow, &self.activity, self.fault, self.times)
    }

    /// Judges the booking once its course is through: as if nothing had happened, but something has.
    pub(crate) async fn check(&self, users: &Users, normal: &Normal) -> anyhow::Result<()> {
        let id = self.id()?;
        self.course.check(users, &id).await?;
        let fired = users.access().faults().fired(&self.workflow()?, &self.activity);
        ensure!(fired == self.times as usize, "it was to happen {} times: {fired}", self.times);
        let events = events_of(users, &id).await?;
        ensure!(events == normal.events, "{events:#?} instead of {:#?}", normal.events);
        Ok(())
    }

    /// Runs it, and judges it.
    pub(crate) async fn run(&self, users: &Users, normal: &Normal) -> anyhow::Result<()> {
        self.put(users).await?;
        self.course.run(users, &self.key, self.course.request()).await?;
        self.check(users, normal).await?;
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

/// So many refusals outlast the time after which attention is raised.
const LASTING: u32 = 8;

#[tokio::test]
async fn every_activity_may_be_refused_or_lose_its_answer() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    stock_up(&users).await?;
    let normal = undisturbed(&users).await?;
    let faults = [(Fault::Refuse, 1), (Fault::LoseAnswer, 1), (Fault::Refuse, LASTING)];
    let cases = Case::all(&normal, &faults)?;
    // Deliveries are shared: theirs have the shards to themselves.
    let (deliveries, acts): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|it| it.activity == DELIVERY);
    for cases in [acts, deliveries] {
        let runs = stream::iter(&cases).map(async |case| {
            let ran = case.run(&users, &normal[&case.course]).await;
            ran.with_context(|| format!("{case:?}"))
        });
        runs.buffer_unordered(ABREAST).try_collect::<Vec<()>>().await?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}
