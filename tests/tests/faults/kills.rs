//! `kill -9` of everything amid many bookings, and between an act and its report with a cancel
//! waiting: who was told something finds it so, and who was told nothing repeats and finds one
//! booking.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    stack::{Access, Options, Stack, eventually},
};
use futures::future::try_join_all;
use serde_json::json;

use crate::{
    PROGRAM,
    cancels::nothing_is_kept,
    course::Course,
    deaths::outlive,
    end::{End, hears},
    ground::Ground,
    services::quick,
    users::Users,
};

/// How many bookings are under way.
const MANY: usize = 100;

#[tokio::test]
async fn everything_is_killed_amid_a_hundred_bookings() -> anyhow::Result<()> {
    let mut options = Options { keep_data: true, ..quick()? };
    // A payment that was cut off before it was sent is not waited for long.
    options.settings.push(("BELLHOP_UNKNOWN_LIMIT_MS", "3000".to_owned()));
    let mut stack = Stack::start_with(PROGRAM, options).await?;
    let (sign, users) = Users::of(&stack);
    let taxis = &Course::COMPLETED.ground(&new_key());
    taxis.lay(&users, 1_000).await?;
    let keys: Vec<_> = (0..MANY).map(|_| new_key()).collect();
    let courses = [Course::COMPLETED, Course::CANCELLED, Course::DECLINED, Course::CANCELLED];
    let (answered, running) = (&AtomicUsize::new(0), &users);
    let work = try_join_all(keys.iter().zip(courses.iter().cycle()).enumerate().map(
        async |(number, (key, course))| {
            let went = go(running, *course, taxis, key, answered).await;
            went.with_context(|| format!("{course:?} {number} {key}"))
        },
    ));
    let killing = async {
        eventually("a fifth is answered", async || {
            Ok((answered.load(Ordering::Relaxed) > MANY / 5).then_some(()))
        })
        .await
    };
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => { done?; anyhow::bail!("it was to be killed before") }
        killing = killing => killing?,
    }
    // Twice, the second time as soon as it is back.
    for _ in 0..2 {
        let kill = async {
            stack.kill().await?;
            stack.restart().await?;
            sign.send_replace(Access::clone(&stack));
            tokio::time::sleep(Duration::from_millis(500)).await; // some of it is under way again
            anyhow::Ok(())
        };
        tokio::select! {
            done = &mut work => { done?; anyhow::bail!("it was to be killed before") }
            killed = kill => killed?,
        }
    }
    let unpaid = work.await?.iter().filter(|is_paid| !**is_paid).count();
    let ledger = users.ledger().await?;
    let payments = ledger["payments"].as_array().context("the ledger has payments")?;
    ensure!(payments.len() + unpaid == MANY, "{} charges, {unpaid} unpaid", payments.len());
    eprintln!("{unpaid} of {MANY} payments were cut off before they were sent");
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

/// Goes a course, and answers whether it was paid for: a payment that was written down and cut off
/// before it was sent is one that the provider has not received.
async fn go(
    users: &Users,
    course: Course,
    taxis: &Ground,
    key: &str,
    answered: &AtomicUsize,
) -> anyhow::Result<bool> {
    let id = booking_id(key)?;
    let request = taxis.request(course.service);
    let booked = users.post("dev-customer", "/bookings", key, request.clone()).await?;
    answered.fetch_add(1, Ordering::Relaxed);
    if booked.status == 402 {
        let unpaid = End { status: "rejected", payment: "declined", captured: 0, refunded: 0 };
        return unpaid.check(users, &id).await.map(|()| false);
    }
    hears(&booked, 201, "awaiting_approval", "/status")?;
    course.run(users, key, request).await?;
    course.check_alone(users, &id).await.map(|_told| true)
}

/// The activities between whose act and report a cancel waits.
const ACTS: [(Course, &str); 5] = [
    (Course::CANCELLED, "bookings.open"),
    (Course::CANCELLED, "payments.authorize"),
    (Course::CANCELLED, "bookings.firm"),
    (Course::CALLED_OFF, "dispatch.claim"),
    (Course::UNVISITED, "dispatch.confirm"),
];

#[tokio::test]
async fn death_between_act_and_report_with_a_cancel_waiting() -> anyhow::Result<()> {
    let mut stack = Stack::start_with(PROGRAM, Options { keep_data: true, ..quick()? }).await?;
    let (sign, users) = Users::of(&stack);
    let cases: Vec<_> = ACTS.iter().map(|act| (act, new_key())).collect();
    let running = &users;
    let runs = cases.iter().map(async |((course, activity), key)| {
        let ran = cancelled_amid(running, *course, activity, key).await;
        ran.with_context(|| (*activity).to_owned())
    });
    let work = async { try_join_all(runs).await.map(drop) };
    let deaths = outlive(&mut stack, &sign, work).await?;
    ensure!(deaths > 0, "somebody was to die");
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

async fn cancelled_amid(
    users: &Users,
    course: Course,
    activity: &str,
    key: &str,
) -> anyhow::Result<()> {
    let (id, ground) = (booking_id(key)?, course.ground(key));
    ground.lay(users, 1).await?;
    let request = ground.request(course.service);
    users.access().faults().put(&id, activity, Fault::DieAfter, 1)?;
    let book = async {
        let booked = users.post("dev-customer", "/bookings", key, request).await?;
        ensure!(booked.status == 201, "it is taken: {booked:?}");
        Ok(())
    };
    let cancel = async {
        let faults = users.access().faults();
        let fired = async || Ok((faults.fired(&id, activity) > 0).then_some(()));
        eventually("the act is done", fired).await?;
        let (path, key) = (format!("/bookings/{id}/cancel"), format!("{key}-cancel"));
        loop {
            let cancelled = users.post("dev-customer", &path, &key, json!({})).await?;
            if cancelled.status != 404 {
                return hears(&cancelled, 200, "cancelled", "/status");
            }
            // It is not taken down yet: whoever asked for it asks again.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    futures::try_join!(book, cancel)?;
    nothing_is_kept(users, &id).await?;
    ground.is_left(users, 0).await
}
