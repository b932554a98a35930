//! Commands that are refused cost the history nothing, however many there are.

use bellhop_tests::{
    desk::{a_taxi, new_key},
    history,
    stack::{Options, Stack},
};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{PROGRAM, end::hears, services::variant, users::Users};

/// How many commands are refused: more than the 2,000 updates that a run may complete.
const REFUSED: usize = 3_000;

#[tokio::test]
async fn refused_commands_leave_no_trace() -> anyhow::Result<()> {
    // Nobody may cancel within an hour of the start.
    let tier = "[[cancel]]\nuntil = { stage = \"on_the_way\" }\nrefund_percent = 50\n";
    let services = vec![("call-taxi.toml", variant("call-taxi", &[(tier, "")])?)];
    let stack = Stack::start_with(PROGRAM, Options { services, ..Options::default() }).await?;
    let (_sign, users) = Users::of(&stack);
    let mut taxi = a_taxi("tok_ok");
    taxi["starts_at"] = json!(Timestamp::now() + SignedDuration::from_mins(10));
    let id = stack.desk("dev-customer").book(taxi).await?.id()?;
    let client = history::connect(stack.temporal()).await?;
    let before = history::of(&client, &id).await?.len();

    let path = format!("/bookings/{id}/cancel");
    let refused = stream::iter(0..REFUSED).map(async |_| {
        let refused = users.post("dev-customer", &path, &new_key(), json!({})).await?;
        hears(&refused, 409, "not_allowed", "/code")
    });
    // The engine takes ten updates of a workflow at a time.
    refused.buffer_unordered(8).try_collect::<Vec<()>>().await?;

    assert_eq!(history::of(&client, &id).await?.len(), before, "the history has not grown");
    let path = format!("/approvals/{id}/approve");
    let approved = users.post("dev-manager", &path, &new_key(), json!({})).await?;
    hears(&approved, 200, "confirmed", "/status")?;
    stack.assert_invariants().await
}
