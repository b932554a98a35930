//! Every activity runs twice, in a world that has changed between the two runs: its first answer
//! stands.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{Desk, a_taxi, booking_id, new_key},
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
    course::{Course, ended, hears, quick},
    sweep::{Case, DELIVERY, Normal, undisturbed},
    users::Users,
};

/// A grade of taxi that one case has to itself: there is one.
struct Grade(String);

impl Grade {
    fn of(case: &Case) -> Self {
        Self(case.key.clone())
    }

    async fn put(&self, manager: &Desk, price: i64, is_open: bool) -> anyhow::Result<()> {
        self.put_as(manager, &self.0, price, is_open).await
    }

    async fn put_as(
        &self,
        manager: &Desk,
        id: &str,
        price: i64,
        is_open: bool,
    ) -> anyhow::Result<()> {
        let name = format!("a taxi for {price}");
        let taxi = json!({
            "company": "com_mapo", "grade": self.0, "name": name, "open": is_open,
            "price": {"minor": price, "currency": "KRW"}, "capacity": 1,
        });
        let put = manager.put(&format!("/taxis/taxi_{id}"), taxi).await?;
        ensure!(matches!(put.status, 200 | 201), "{put:?}");
        Ok(())
    }

    /// A request for a taxi of this grade.
    fn ask(&self, mut request: Value) -> Value {
        request["options"]["grade"] = json!(self.0);
        request
    }
}

/// Changes everything that a booking could look at: somebody else takes the place if it is free, the
/// tariff and the name change, nothing more is sold, and a cheaper taxi appears.
async fn change(users: &Users, case: &Case, grade: &Grade) -> anyhow::Result<()> {
    let rival = users.desk("dev-customer-lee");
    let booked = rival.book(grade.ask(a_taxi("tok_ok"))).await?;
    let is_free = matches!(&*case.activity, "bookings.release" | "bookings.expire");
    ensure!(booked.status == 201 || !is_free, "the place is free again: {booked:?}");
    let manager = users.desk("dev-manager");
    grade.put(&manager, 12_000, false).await?;
    grade.put_as(&manager, &format!("{}-cheaper", grade.0), 4_000, true).await
}

/// Runs a course to the end in a world that `change`s while the answer of its activity is held.
async fn twice(
    users: &Users,
    case: &Case,
    normal: &Normal,
    change: impl AsyncFnOnce(&Grade) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let grade = Grade::of(case);
    grade.put(&users.desk("dev-manager"), 9_800, true).await?;
    case.put(users).await?;
    let course = case.course.run(users, &case.key, grade.ask(case.course.request()));
    let world = async {
        held(users, case).await?;
        change(&grade).await?;
        users.access().faults().let_go(&case.workflow()?, &case.activity)
    };
    futures::try_join!(course, world)?;
    case.check(users, normal).await
}

async fn held(users: &Users, case: &Case) -> anyhow::Result<()> {
    let (faults, workflow) = (users.access().faults(), case.workflow()?);
    let what = format!("{} of {workflow} is done", case.activity);
    eventually(&what, async || Ok(faults.is_held(&workflow, &case.activity).then_some(()))).await
}

#[tokio::test]
async fn the_first_answer_stands_in_a_changed_world() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    let normal = undisturbed(&users).await?;
    let cases = Case::all(&normal, &[(Fault::HoldAnswer, 1)])?;
    let (partners, ours): (Vec<_>, Vec<_>) =
        cases.into_iter().partition(|it| partner(it).is_some());
    // An answer is held for a few seconds at most: few at a time, so that the world changes in time.
    let runs = stream::iter(&ours).map(async |case| {
        let ran = twice(&users, case, &normal[&case.course], async |grade| {
            change(&users, case, grade).await
        });
        ran.await.with_context(|| format!("{case:?}"))
    });
    runs.buffer_unordered(8).try_collect::<Vec<()>>().await?;
    let mut by_activity = BTreeMap::<_, Vec<_>>::new();
    for case in &partners {
        by_activity.entry(&case.activity).or_default().push(case);
    }
    for cases in by_activity.values() {
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
        let ran = twice(users, case, &normal[&case.course], async |_| {
            all_held.wait().await;
            stack.partner(name, "unavailable").await
        });
        let ran = futures::try_join!(ran, async {
            held(users, case).await?;
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
    let grade = Grade(sold_out.clone());
    grade.put(&stack.desk("dev-manager"), 9_800, true).await?;
    let rival = customer.book(grade.ask(a_taxi("tok_ok"))).await?.id()?;

    // The only place is freed between the two runs.
    let id = booking_id(&sold_out)?;
    faults.put(&id, "bookings.open", Fault::HoldAnswer, 1)?;
    let book = async {
        let answer =
            users.post("dev-customer", "/bookings", &sold_out, grade.ask(a_taxi("tok_ok")));
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
        let request = grade.ask(a_taxi("tok_declined"));
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
