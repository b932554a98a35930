//! designated-driver 9: calls are taken while assignment is down.

use std::collections::BTreeSet;

use bellhop_tests::{
    desk::{booking_id, new_key},
    faults::Fault,
    stack::eventually,
};
use futures::future::try_join_all;

use crate::{
    staff::{Town, assert_rules, assignee},
    world::{bellhop, cancel},
};

/// designated-driver 9: they stay 호출중, can be cancelled, and become 호출확정 when it is back.
#[tokio::test]
async fn designated_driver_09_calls_wait_for_an_assignment_that_is_down() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let drivers = try_join_all((0..3).map(|_| town.driver(200.0))).await?;
    let mut ids = vec![];
    for _ in 0..4 {
        let key = new_key();
        let id = booking_id(&key)?;
        bellhop.faults().put(&id, "dispatch.claim", Fault::Refuse, 1_000)?;
        let call = town.call("designated-driver");
        let answer = people.kim.post_as("/bookings", &key, call).await?;
        answer.assert_booking(201, "dispatching");
        ids.push(id);
    }
    // Each is tried again and again, on its queue.
    for id in &ids {
        let tried = async || Ok((bellhop.faults().fired(id, "dispatch.claim") >= 2).then_some(()));
        eventually("it is tried again", tried).await?;
        assert_eq!(people.kim.booking(id).await?["status"], "dispatching");
    }
    let (gone, left) = ids.split_last().expect("there are four");
    cancel(&people.kim, gone).await?.assert_booking(200, "cancelled");
    for driver in &drivers {
        assert!(!town.is_busy(&driver.id).await?, "nothing half-done");
    }

    for id in left {
        bellhop.faults().lift(id, "dispatch.claim");
    }
    let served = try_join_all(left.iter().map(|id| people.kim.until(id, &["confirmed"]))).await?;
    let busy: BTreeSet<_> = served.iter().map(assignee).collect();
    assert_eq!(busy, drivers.iter().map(|it| it.id.as_str()).collect(), "each once");
    assert_eq!(people.kim.booking(gone).await?["status"], "cancelled", "and stays so");
    assert_rules(&people.operator).await
}

/// designated-driver 9: a claim whose answer is lost is the same claim when it is tried again.
#[tokio::test]
async fn designated_driver_09_a_claim_whose_answer_was_lost_is_made_once() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let (near, far) = (town.driver(10.0).await?, town.driver(20.0).await?);
    let key = new_key();
    let id = booking_id(&key)?;
    bellhop.faults().put(&id, "dispatch.claim", Fault::LoseAnswer, 2)?;
    people.kim.post_as("/bookings", &key, town.call("designated-driver")).await?;
    eventually("both answers are lost", async || {
        Ok((bellhop.faults().fired(&id, "dispatch.claim") == 2).then_some(()))
    })
    .await?;
    let booking = people.kim.until(&id, &["confirmed"]).await?;
    assert_eq!(assignee(&booking), near.id);
    assert!(!town.is_busy(&far.id).await?);
    let made = people.kim.events(&id).await?;
    assert_eq!(made.iter().filter(|it| *it == "assignment.made").count(), 1);
    // The workflow has heard of it, too: it goes on.
    let advance = crate::world::advance(&people.manager, &id, "on_the_way").await?;
    advance.assert_booking(200, "in_progress");
    Ok(())
}
