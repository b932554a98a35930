//! Every activity runs twice, in a world that has changed between the two runs: its first answer
//! stands.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    history,
    stack::{Stack, eventually},
};
use futures::{
    future::try_join_all,
    stream::{self, StreamExt as _, TryStreamExt as _},
};
use serde_json::{Value, json};

use crate::{
    PROGRAM,
    course::Course,
    end::{ended, hears},
    ground::Trade,
    services::quick,
    sweep::{Case, DELIVERY, Normal, undisturbed},
    users::Users,
};

/// Changes everything that a booking could look at: what is free has another, what is sold is dearer
/// and sold no more, the nearest takes no more work, and somebody nearer or something cheaper appears.
async fn change(users: &Users, case: &Case) -> anyhow::Result<()> {
    let (course, ground, activity) = (case.course, &case.ground, &*case.activity);
    let is_free = matches!(activity, "bookings.release" | "bookings.expire") && course.used == 0;
    if !matches!(ground.trade, Trade::Driver | Trade::Cleaning) {
        return ground.resell(users, course.service, is_free).await;
    }
    let is_claim = activity == "dispatch.claim";
    if course.finds_nobody() && !is_claim {
        return Ok(()); // who came would rightly be found
    }
    let may_come = !course.finds_nobody() || course.has_nobody();
    ground.move_people(users, course.service, is_free && !course.has_nobody(), may_come).await
}

/// Runs a course to the end in a world that `change`s while the answer of its activity is held.
async fn twice(
    users: &Users,
    case: &Case,
    normal: &Normal,
    change: impl AsyncFnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    case.begin(users, 1).await?;
    let world = async {
        held(users, case).await?;
        change().await?;
        users.access().faults().let_go(&case.workflow()?, &case.activity)
    };
    futures::try_join!(case.go(users), world)?;
    case.check(users, normal).await?;
    first_claim_stands(users, case).await
}

/// Whoever appeared since: who was claimed first is who was near then.
async fn first_claim_stands(users: &Users, case: &Case) -> anyhow::Result<()> {
    if case.activity != "dispatch.claim" || case.course.has_nobody() {
        return Ok(());
    }
    let path = format!("/bookings/{}/timeline", case.id()?);
    let events = users.get("dev-operator", &path).await?.body;
    let events = events["events"].as_array().context("a booking has events")?;
    let is_claim = |it: &&Value| it["type"] == "assignment.made" || it["type"] == "offer.made";
    let first = events.iter().find(is_claim).context("somebody was claimed")?;
    let nearest = case.ground.person(0);
    ensure!(first.to_string().contains(&nearest), "{nearest} is to be claimed: {first:#}");
    Ok(())
}

/// How many answers are held at the same time: each is for a few seconds at most, and the world has to
/// change in that time.
const ABREAST: usize = 8;

async fn held(users: &Users, case: &Case) -> anyhow::Result<()> {
    let (faults, workflow) = (users.access().faults(), case.workflow()?);
    let what = format!("{} of {workflow} is done", case.activity);
    eventually(&what, async || Ok(faults.is_held(&workflow, &case.activity).then_some(()))).await
}

async fn has_fired(users: &Users, case: &Case) -> anyhow::Result<()> {
    let (faults, workflow) = (users.access().faults(), case.workflow()?);
    let what = format!("{} of {workflow} is met", case.activity);
    eventually(&what, async || Ok((faults.fired(&workflow, &case.activity) > 0).then_some(())))
        .await
}

#[tokio::test]
async fn the_first_answer_stands_in_a_changed_world() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    let normal = undisturbed(&users).await?;
    let cases = Case::all(&normal, &[(Fault::HoldAnswer, 1)])?;
    let (partners, ours): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|it| partner(it).is_some());
    let runs = stream::iter(&ours).map(async |case| {
        let ran = twice(&users, case, &normal[&case.course], async || change(&users, case).await);
        ran.await.with_context(|| format!("{case:?}"))
    });
    runs.buffer_unordered(ABREAST).try_collect::<Vec<()>>().await?;
    let mut by_activity = BTreeMap::<_, Vec<_>>::new();
    for case in &partners {
        by_activity.entry(&case.activity).or_default().push(case);
    }
    for cases in by_activity.values().flat_map(|cases| cases.chunks(ABREAST)) {
        with_partner_away(&stack, &users, cases, &normal).await?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

/// Whom an activity calls.
fn partner(case: &Case) -> Option<&'static str> {
    match &*case.activity {
        DELIVERY => Some("messages"),
        activity if activity.starts_with("payments.") => Some("payments"),
        _ => None,
    }
}

/// The same for acts at a partner: it goes away between the two runs, and the second answers
/// without it.
async fn with_partner_away(
    stack: &Stack,
    users: &Users,
    cases: &[&Case],
    normal: &BTreeMap<Course, Normal>,
) -> anyhow::Result<()> {
    let name = cases.first().and_then(|it| partner(it)).context("a partner")?;
    let all_held = tokio::sync::Barrier::new(cases.len());
    let all_done = tokio::sync::Barrier::new(cases.len());
    let runs = cases.iter().map(async |case| {
        let answered = async {
            let client = history::connect(stack.temporal()).await?;
            let (workflow, what) = (case.workflow()?, format!("{case:?} answers again"));
            eventually(&what, async || {
                let completed = history::completed(&history::of(&client, &workflow).await?);
                Ok((completed > 0).then_some(()))
            })
            .await?;
            if all_done.wait().await.is_leader() {
                stack.partner(name, "ok").await?;
            }
            anyhow::Ok(())
        };
        let ran = twice(users, case, &normal[&case.course], async || {
            all_held.wait().await;
            stack.partner(name, "unavailable").await
        });
        let ran = futures::try_join!(ran, async {
            // Its answer may be let go of before anybody else sees that it is held.
            has_fired(users, case).await?;
            answered.await
        });
        ran.with_context(|| format!("{case:?}"))
    });
    try_join_all(runs).await?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_stands_in_a_changed_world() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    let (customer, faults) = (stack.desk("dev-customer"), stack.faults());
    let (sold_out, declined) = (new_key(), new_key());
    let taxi = Course::CANCELLED.ground(&sold_out);
    taxi.lay(&users, 1).await?;
    let request = taxi.request("call-taxi");
    let rival = customer.book(request.clone()).await?.id()?;

    // The only place is freed between the two runs.
    let id = booking_id(&sold_out)?;
    faults.put(&id, "bookings.open", Fault::HoldAnswer, 1)?;
    let book = async {
        let answer = users.post("dev-customer", "/bookings", &sold_out, request);
        hears(&answer.await?, 409, "sold_out", "/code")
    };
    let free = async {
        eventually("it is refused", async || {
            Ok(faults.is_held(&id, "bookings.open").then_some(()))
        })
        .await?;
        let cancelled = customer.post(&format!("/bookings/{rival}/cancel"), json!({})).await?;
        hears(&cancelled, 200, "cancelled", "/status")?;
        faults.let_go(&id, "bookings.open")
    };
    futures::try_join!(book, free)?;
    assert_eq!(faults.fired(&id, "bookings.open"), 1);

    // The provider goes away between the two runs: the second does not need it.
    let id = booking_id(&declined)?;
    faults.put(&id, "payments.authorize", Fault::HoldAnswer, 1)?;
    let book = async {
        let mut request = taxi.request("call-taxi");
        request["payment"]["token"] = json!("tok_declined");
        let answer = users.post("dev-customer", "/bookings", &declined, request).await?;
        hears(&answer, 402, "payment_declined", "/code")
    };
    let away = async {
        let is_held = async || Ok(faults.is_held(&id, "payments.authorize").then_some(()));
        eventually("it is declined", is_held).await?;
        stack.partner("payments", "unavailable").await?;
        faults.let_go(&id, "payments.authorize")
    };
    futures::try_join!(book, away)?;
    assert_eq!(faults.fired(&id, "payments.authorize"), 1);
    for key in [&sold_out, &declined] {
        ended(&users, &booking_id(key)?).await?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}
