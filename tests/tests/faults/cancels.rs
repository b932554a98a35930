//! Cancelling before, during and after every step: by the customer, by the operator, and from
//! Temporal's own web UI.

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{Answer, a_taxi, booking_id, new_key},
    history,
    stack::{Options, Stack, eventually},
};
use serde_json::{Value, json};
use temporalio_client::{UntypedWorkflow, WorkflowCancelOptions};

use crate::{
    PROGRAM,
    end::{End, ended, hears, outcome_of},
    services::quick,
    users::Users,
};

/// Options of a stack that does not wait long for the provider.
pub(crate) fn impatient() -> anyhow::Result<Options> {
    let mut options = quick()?;
    let more = [
        ("BELLHOP_PARTNER_INLINE_TIMEOUT_MS", "500"),
        ("BELLHOP_PARTNER_TIMEOUT_MS", "1000"),
        ("BELLHOP_BREAKER_PAUSE_MS", "1"),
    ];
    options.settings.extend(more.map(|(name, value)| (name, value.to_owned())));
    Ok(options)
}

/// Cancelled, and nothing kept: lifted before it was charged, or given back.
pub(crate) async fn nothing_is_kept(users: &Users, id: &str) -> anyhow::Result<()> {
    ended(users, id).await?;
    let booking = users.get("dev-operator", &format!("/bookings/{id}")).await?.body;
    let payment = booking["payment"]["status"].as_str().unwrap_or_default();
    let end =
        |payment, minor| End { status: "cancelled", payment, captured: minor, refunded: minor };
    let end = match payment {
        "refunded" => end("refunded", booking["amount"]["minor"].as_i64().unwrap_or_default()),
        "none" => end("none", 0),
        _ => end("voided", 0),
    };
    end.check(users, id).await
}

/// The provider stops right before or after the next call of an operation.
struct Pause<'a>(&'a Stack);

impl<'a> Pause<'a> {
    async fn arm(stack: &'a Stack, operation: &str, when: &str) -> anyhow::Result<Self> {
        let pause = json!({"partner": "payments", "operation": operation, "when": when});
        stack.simulator(reqwest::Method::POST, "/control/pause", pause).await?;
        Ok(Self(stack))
    }

    async fn is_met(&self) -> anyhow::Result<()> {
        eventually("a call is stopped", async || {
            let paused = self.0.simulator(reqwest::Method::GET, "/control/paused", json!({}));
            Ok((paused.await?["holding"] == true).then_some(()))
        })
        .await
    }

    async fn release(self) -> anyhow::Result<()> {
        self.0.simulator(reqwest::Method::POST, "/control/release", json!({})).await?;
        Ok(())
    }
}

/// One booking, and who has a say in it.
struct Booking<'a> {
    users: &'a Users,
    id: String,
}

impl<'a> Booking<'a> {
    async fn awaiting_approval(users: &'a Users) -> anyhow::Result<Self> {
        Ok(Self { users, id: users.desk("dev-customer").taxi().await? })
    }

    async fn confirmed(users: &'a Users) -> anyhow::Result<Self> {
        let booking = Self::awaiting_approval(users).await?;
        hears(&booking.approve().await?, 200, "confirmed", "/status")?;
        Ok(booking)
    }

    async fn on_the_way(users: &'a Users) -> anyhow::Result<Self> {
        let booking = Self::confirmed(users).await?;
        hears(&booking.advance("on_the_way").await?, 200, "in_progress", "/status")?;
        Ok(booking)
    }

    async fn completed(users: &'a Users) -> anyhow::Result<Self> {
        let booking = Self::on_the_way(users).await?;
        booking.advance("riding").await?;
        hears(&booking.advance("completed").await?, 200, "completed", "/status")?;
        Ok(booking)
    }

    async fn approve(&self) -> anyhow::Result<Answer> {
        let path = format!("/approvals/{}/approve", self.id);
        self.users.post("dev-manager", &path, &new_key(), json!({})).await
    }

    async fn advance(&self, to: &str) -> anyhow::Result<Answer> {
        let path = format!("/bookings/{}/advance", self.id);
        self.users.post("dev-manager", &path, &new_key(), json!({ "to": to })).await
    }

    async fn cancel(&self, token: &str) -> anyhow::Result<Answer> {
        self.cancel_as(token, &new_key()).await
    }

    async fn cancel_as(&self, token: &str, key: &str) -> anyhow::Result<Answer> {
        self.users.post(token, &format!("/bookings/{}/cancel", self.id), key, json!({})).await
    }

    async fn until(&self, states: &[&str]) -> anyhow::Result<Value> {
        self.users.desk("dev-operator").until(&self.id, states).await
    }

    /// How often it has an event.
    async fn count(&self, event: &str) -> anyhow::Result<usize> {
        Ok(self.users.events(&self.id).await?.iter().filter(|it| *it == event).count())
    }
}

#[tokio::test]
async fn a_cancel_between_any_two_steps() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);

    let booking = Booking::awaiting_approval(&users).await?;
    let key = new_key();
    for _ in 0..2 {
        let cancelled = booking.cancel_as("dev-customer", &key).await?;
        hears(&cancelled, 200, "cancelled", "/status").context("a repeat hears the same")?;
    }
    hears(&booking.cancel("dev-customer").await?, 409, "not_allowed", "/code")?;
    hears(&booking.approve().await?, 409, "not_allowed", "/code")?;
    nothing_is_kept(&users, &booking.id).await?;

    let booking = Booking::confirmed(&users).await?;
    hears(&booking.cancel("dev-customer").await?, 200, "cancelled", "/status")?;
    nothing_is_kept(&users, &booking.id).await?;

    let booking = Booking::on_the_way(&users).await?;
    let refused = booking.cancel("dev-customer").await?;
    hears(&refused, 409, "not_allowed", "/code")?;
    assert_eq!(refused.body["allowed_actions"], json!([]), "{refused:?}");
    hears(&booking.cancel("dev-operator").await?, 200, "cancelled", "/status")?;
    nothing_is_kept(&users, &booking.id).await?;

    let booking = Booking::completed(&users).await?;
    for token in ["dev-customer", "dev-operator"] {
        hears(&booking.cancel(token).await?, 409, "not_allowed", "/code")?;
    }
    let end = End { status: "completed", payment: "captured", captured: 9_800, refunded: 0 };
    end.check(&users, &booking.id).await?;
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

#[tokio::test]
async fn a_cancel_while_the_provider_works() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, impatient()?).await?;
    let (_sign, users) = Users::of(&stack);
    for when in ["before", "after"] {
        let during = |operation| async move { format!("{operation}, stopped {when} its effect") };
        cancel_during_authorize(&stack, &users, when).await.context(during("authorize").await)?;
        cancel_during_capture(&stack, &users, when).await.context(during("capture").await)?;
        for operation in ["find", "void"] {
            let booking = Booking::awaiting_approval(&users).await?;
            let cancelled = cancel_during_settle(&stack, &booking, operation, when).await;
            cancelled.context(during(operation).await)?;
        }
        let booking = Booking::confirmed(&users).await?;
        let cancelled = cancel_during_settle(&stack, &booking, "refund", when).await;
        cancelled.context(during("refund").await)?;
    }
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

async fn cancel_during_authorize(stack: &Stack, users: &Users, when: &str) -> anyhow::Result<()> {
    let pause = Pause::arm(stack, "authorize", when).await?;
    let key = new_key();
    let booking = Booking { users, id: booking_id(&key)? };
    let book = async {
        let booked = users.post("dev-customer", "/bookings", &key, a_taxi("tok_ok")).await?;
        hears(&booked, 201, "cancel", "/status")
    };
    let cancel = async {
        pause.is_met().await?;
        hears(&booking.cancel("dev-customer").await?, 200, "cancelled", "/status")
    };
    let release = async {
        booking.until(&["cancelling", "cancelled"]).await?;
        pause.0.simulator(reqwest::Method::POST, "/control/release", json!({})).await?;
        anyhow::Ok(())
    };
    futures::try_join!(book, cancel, release)?;
    nothing_is_kept(users, &booking.id).await
}

async fn cancel_during_capture(stack: &Stack, users: &Users, when: &str) -> anyhow::Result<()> {
    let booking = Booking::awaiting_approval(users).await?;
    let pause = Pause::arm(stack, "capture", when).await?;
    let approve = async { hears(&booking.approve().await?, 200, "cancel", "/status") };
    let cancel = async {
        pause.is_met().await?;
        hears(&booking.cancel("dev-customer").await?, 200, "cancelled", "/status")
    };
    let release = async {
        booking.until(&["cancelling", "cancelled"]).await?;
        pause.0.simulator(reqwest::Method::POST, "/control/release", json!({})).await?;
        anyhow::Ok(())
    };
    futures::try_join!(approve, cancel, release)?;
    nothing_is_kept(users, &booking.id).await
}

/// A second cancel comes while the first is being carried out.
async fn cancel_during_settle(
    stack: &Stack,
    booking: &Booking<'_>,
    operation: &str,
    when: &str,
) -> anyhow::Result<()> {
    let pause = Pause::arm(stack, operation, when).await?;
    let first =
        async { hears(&booking.cancel("dev-customer").await?, 200, "cancelled", "/status") };
    let second = async {
        pause.is_met().await?;
        booking.until(&["cancelling", "cancelled"]).await?;
        hears(&booking.cancel("dev-operator").await?, 409, "not_allowed", "/code")?;
        pause.release().await
    };
    futures::try_join!(first, second)?;
    ensure!(booking.count("booking.cancelling").await? == 1, "cancelled once");
    nothing_is_kept(booking.users, &booking.id).await
}

#[tokio::test]
async fn two_that_decide_at_once() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, quick()?).await?;
    let (_sign, users) = Users::of(&stack);
    for round in 0..10 {
        two_cancel(&users).await.with_context(|| format!("two cancels, round {round}"))?;
    }
    let mut granted = 0;
    for round in 0..20 {
        // Which of the two is first differs; who is first on the wire takes turns.
        let won = approve_and_cancel(&users, round % 2 == 0).await;
        granted += usize::from(won.with_context(|| format!("approve or cancel, {round}"))?);
        let raced = approve_and_decline(&users, round % 2 == 0).await;
        raced.with_context(|| format!("approve or decline, round {round}"))?;
    }
    eprintln!("{granted} of 20 were approved before they were cancelled");
    stack.assert_invariants().await?;
    stack.judge_remains().await
}

async fn two_cancel(users: &Users) -> anyhow::Result<()> {
    let booking = Booking::confirmed(users).await?;
    let (one, two) =
        futures::try_join!(booking.cancel("dev-customer"), booking.cancel("dev-operator"))?;
    let heard = [one.status, two.status];
    ensure!(matches!(heard, [200, 409] | [409, 200]), "one of them cancels: {one:?} {two:?}");
    ensure!(booking.count("booking.cancelling").await? == 1, "cancelled once");
    nothing_is_kept(users, &booking.id).await
}

/// An approval may come before the cancel, and is followed by it then; never after it.
async fn approve_and_cancel(users: &Users, approve_first: bool) -> anyhow::Result<bool> {
    let booking = Booking::awaiting_approval(users).await?;
    let (approved, cancelled) = match approve_first {
        true => futures::try_join!(booking.approve(), booking.cancel("dev-customer"))?,
        false => {
            let cancel = booking.cancel("dev-customer");
            let (cancelled, approved) = futures::try_join!(cancel, booking.approve())?;
            (approved, cancelled)
        }
    };
    hears(&cancelled, 200, "cancelled", "/status")?;
    let granted = booking.count("approval.granted").await?;
    let heard = (approved.status, granted);
    ensure!(matches!(heard, (200, 1) | (409, 0)), "{approved:?} with {granted} approvals");
    nothing_is_kept(users, &booking.id).await?;
    Ok(granted == 1)
}

async fn approve_and_decline(users: &Users, approve_first: bool) -> anyhow::Result<()> {
    let booking = Booking::awaiting_approval(users).await?;
    let path = format!("/approvals/{}/decline", booking.id);
    let key = new_key();
    let decline = users.post("dev-operator", &path, &key, json!({}));
    let (approved, declined) = match approve_first {
        true => futures::try_join!(booking.approve(), decline)?,
        false => {
            let (declined, approved) = futures::try_join!(decline, booking.approve())?;
            (approved, declined)
        }
    };
    match (approved.status, declined.status) {
        (200, 409) => {
            let paid = booking.until(&["confirmed"]).await?;
            ensure!(paid["payment"]["captured"] == 9_800, "it is charged: {paid:#}");
            hears(&booking.cancel("dev-operator").await?, 200, "cancelled", "/status")?;
            nothing_is_kept(users, &booking.id).await
        }
        (409, 200) => {
            let end = End { status: "rejected", payment: "voided", captured: 0, refunded: 0 };
            end.check(users, &booking.id).await
        }
        _ => anyhow::bail!("exactly one of them decides: {approved:?} {declined:?}"),
    }
}

#[tokio::test]
async fn a_cancel_from_temporals_web_ui() -> anyhow::Result<()> {
    let stack = Stack::start_with(PROGRAM, impatient()?).await?;
    let (_sign, users) = Users::of(&stack);
    let client = history::connect(stack.temporal()).await?;
    let cancel = async |id: &str| {
        let handle = client.get_workflow_handle::<UntypedWorkflow>(id);
        handle.cancel(WorkflowCancelOptions::builder().reason("from the web UI").build()).await
    };

    for booking in [
        Booking::awaiting_approval(&users).await?,
        Booking::confirmed(&users).await?,
        Booking::on_the_way(&users).await?,
    ] {
        cancel(&booking.id).await?;
        nothing_is_kept(&users, &booking.id).await?;
        ensure!(booking.count("booking.cancelling").await? == 1, "cancelled once");
    }

    for (operation, when) in [("authorize", "before"), ("authorize", "after"), ("capture", "after")]
    {
        let pause = Pause::arm(&stack, operation, when).await?;
        let key = new_key();
        let booking = Booking { users: &users, id: booking_id(&key)? };
        let book = async {
            let booked = users.post("dev-customer", "/bookings", &key, a_taxi("tok_ok")).await?;
            ensure!(booked.status == 201, "{booked:?}");
            if operation == "capture" {
                let approved = booking.approve().await?;
                ensure!(approved.status == 200, "{approved:?}");
            }
            Ok(())
        };
        let ui = async {
            pause.is_met().await?;
            cancel(&booking.id).await?;
            booking.until(&["cancelling", "cancelled"]).await?;
            stack.simulator(reqwest::Method::POST, "/control/release", json!({})).await?;
            Ok(())
        };
        futures::try_join!(book, ui)?;
        let ended = nothing_is_kept(&users, &booking.id).await;
        ended.with_context(|| format!("{operation}, stopped {when} its effect"))?;
    }

    let booking = Booking::completed(&users).await?;
    let outcome = outcome_of(&users, &booking.id).await?;
    let _ = cancel(&booking.id).await; // whatever the engine says, nothing changes
    assert_eq!(outcome_of(&users, &booking.id).await?, outcome);
    assert_eq!(outcome.result, "completed");
    stack.assert_invariants().await?;
    stack.judge_remains().await
}
