//! Every activity × death before and after it, on every course: the process and the engine are gone,
//! and everything goes on from what they left.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
};

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    faults::Fault,
    stack::{Access, Options, Stack},
};
use futures::future::try_join_all;

use crate::{
    PROGRAM,
    course::Course,
    ground::Trade,
    services::quick,
    sweep::{Case, Normal, undisturbed, waves},
    users::{Sign, Users},
};

#[tokio::test]
async fn every_activity_may_be_met_by_death() -> anyhow::Result<()> {
    dying(Fault::DieBefore).await
}

#[tokio::test]
async fn every_activity_may_be_followed_by_death() -> anyhow::Result<()> {
    dying(Fault::DieAfter).await
}

async fn dying(fault: Fault) -> anyhow::Result<()> {
    let mut stack = Stack::start_with(PROGRAM, Options { keep_data: true, ..quick()? }).await?;
    let (sign, users) = Users::of(&stack);
    let normal = undisturbed(&users).await?;
    let mut cases = Case::all(&normal, &[(fault, 1)])?;
    // A death costs all that is under way seconds: the taxis meet each, and of the others' activities
    // those that taxis do not have, each on its first course.
    let mut met = BTreeSet::new();
    let taxis = cases.iter().filter(|it| it.course.trade == Trade::Taxi);
    let of_taxis: BTreeSet<_> = taxis.map(|it| it.activity.clone()).collect();
    cases.retain(|it| {
        it.course.trade == Trade::Taxi
            || (!of_taxis.contains(&it.activity) && met.insert(it.activity.clone()))
    });
    let (acts, deliveries) = waves(cases);
    let deaths = outlive(&mut stack, &sign, run_all(&acts, &users, &normal)).await?;
    ensure!(deaths > 0, "somebody was to die");
    for deliveries in deliveries {
        // Nobody waits for a delivery: it may be all over when it is followed by death.
        let deaths = outlive(&mut stack, &sign, run_all(&deliveries, &users, &normal)).await?;
        if deaths == 0 {
            stack.died().await?;
            stack.restart().await?;
            sign.send_replace(Access::clone(&stack));
        }
        for case in &deliveries {
            case.check(&users, &normal[&case.course]).await?;
        }
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

async fn run_all(
    cases: &[Case],
    users: &Users,
    normal: &BTreeMap<Course, Normal>,
) -> anyhow::Result<()> {
    let runs = cases.iter().map(async |case| {
        let ran = case.run(users, &normal[&case.course]).await;
        ran.with_context(|| format!("{case:?}"))
    });
    try_join_all(runs).await?;
    Ok(())
}

/// Starts Bellhop again whenever it has died, until the work is done. Answers how often.
pub(crate) async fn outlive(
    stack: &mut Stack,
    sign: &Sign,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<u32> {
    let mut work = pin!(work);
    let mut deaths = 0;
    loop {
        tokio::select! {
            done = &mut work => return done.map(|()| deaths),
            ended = stack.ended() => ended?,
        }
        deaths += 1;
        stack.restart().await?;
        sign.send_replace(Access::clone(stack));
    }
}
