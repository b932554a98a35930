//! common 1 and 4: a booking ends whole or as if it had never been; and what the customer has to
//! know is answered, what may follow later follows.

use bellhop_tests::{
    desk::new_key,
    stack::{Stack, eventually},
};
use futures::future::{try_join, try_join_all};
use reqwest::Method;
use serde_json::json;

use crate::{
    PROGRAM,
    world::{Fleet, People, advance, approve, bellhop, cancel, decline, entries, payments, told},
};

/// common 1: whichever way a booking ends, nothing is left of what it held and paid, except of one
/// that was served.
#[tokio::test]
async fn common_01_a_booking_ends_whole_or_as_if_it_had_never_been() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    for (way, status, code, payment) in [
        ("payment declined", "rejected", json!("payment_declined"), None),
        ("sold out", "rejected", json!("sold_out"), None),
        ("declined", "rejected", json!("approval_declined"), Some((0, 0))),
        ("lapsed", "rejected", json!("approval_lapsed"), Some((0, 0))),
        ("cancelled early", "cancelled", json!(null), Some((0, 0))),
        ("cancelled late", "cancelled", json!(null), Some((9_800, 9_800))),
        ("served", "completed", json!(null), Some((9_800, 0))),
    ] {
        let capacity = i64::from(way != "sold out");
        let fleet = Fleet::ours(&bellhop, u32::try_from(capacity)?).await?;
        let token = if way == "payment declined" { "tok_declined" } else { "tok_ok" };
        let mut request = fleet.request(token);
        if way == "lapsed" {
            request["service"] = json!("hasty-taxi");
        }
        let id = people.kim.book(request).await?.id()?;
        match way {
            "declined" => drop(decline(&people.manager, &id).await?),
            "cancelled early" => drop(cancel(&people.kim, &id).await?),
            "cancelled late" => {
                approve(&people.manager, &id).await?;
                cancel(&people.kim, &id).await?;
            }
            "served" => {
                approve(&people.manager, &id).await?;
                for stage in ["on_the_way", "riding", "completed"] {
                    advance(&people.driver, &id, stage).await?;
                }
            }
            _ => {}
        }
        let ended = people.kim.until(&id, &[status]).await?;
        assert_eq!(ended["code"], code, "{way}");
        fleet.until_stock((0, 0, capacity)).await?;
        bellhop.settled(&id).await?;
        let payments = payments(&bellhop, &id).await?;
        let net = payments.first().map(|it| (it["captured"].as_i64(), it["refunded"].as_i64()));
        assert_eq!(net, payment.map(|(paid, back)| (Some(paid), Some(back))), "{way}");
        assert_eq!(ended["attention"], json!(null), "{way}");
    }
    Ok(())
}

/// common 1: the same in a crowd, where the manager approves what the customer cancels.
#[tokio::test]
async fn common_01_a_crowd_leaves_nothing_half_done() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 6).await?;
    let requests =
        (0..12).map(|n| fleet.request(if n % 3 == 0 { "tok_declined" } else { "tok_ok" }));
    let answers = try_join_all(requests.map(|it| people.kim.book(it))).await?;
    let (mut kept, mut gone) = (vec![], vec![]);
    for answer in answers {
        match answer.status {
            201 => kept.push(answer.id()?),
            402 | 409 => gone.push(answer.id()?),
            _ => panic!("{answer:?}"),
        }
    }
    let half = kept.split_off(kept.len() / 2);
    let both = async |id| {
        let path = format!("/approvals/{id}/approve");
        try_join(people.manager.post(&path, json!({})), cancel(&people.kim, id)).await
    };
    for (approved, cancelled) in try_join_all(half.iter().map(|id| both(id))).await? {
        assert!(matches!(approved.status, 200 | 409), "{approved:?}");
        cancelled.assert_booking(200, "cancelled");
    }
    for id in &kept {
        approve(&people.manager, id).await?;
    }
    let taken = i64::try_from(kept.len())?;
    fleet.until_stock((0, taken, 6 - taken)).await?;
    for id in kept.iter().chain(&half) {
        bellhop.settled(id).await?;
    }
    for id in &gone {
        assert!(entries(&bellhop, "payments", id).await?.is_empty(), "{id}");
    }
    Ok(())
}

/// common 4: a customer is not answered before the provider has said yes; messages follow when the
/// gateway lets them.
#[tokio::test]
async fn common_04_what_must_be_known_is_answered_and_the_rest_follows() -> anyhow::Result<()> {
    let bellhop = Stack::start(PROGRAM).await?;
    let people = People::of(&bellhop);
    let fleet = Fleet::ours(&bellhop, 2).await?;
    bellhop.partner("messages", "hang").await?;

    let pause = |operation| {
        let pause = json!({"partner": "payments", "operation": operation, "when": "before"});
        bellhop.simulator(Method::POST, "/control/pause", pause)
    };
    let held = async || {
        eventually("a call that is held", async || {
            let paused = bellhop.simulator(Method::GET, "/control/paused", json!({})).await?;
            Ok((paused["holding"] == true).then_some(()))
        })
        .await
    };
    let release = async || bellhop.simulator(Method::POST, "/control/release", json!({})).await;

    pause("authorize").await?;
    let key = new_key();
    let mut answer = Box::pin(people.kim.post_as("/bookings", &key, fleet.request("tok_ok")));
    tokio::select! {
        answer = &mut answer => panic!("answered before it is paid: {answer:?}"),
        held = held() => held?,
    }
    release().await?;
    let answer = answer.await?;
    answer.assert_booking(201, "awaiting_approval");
    assert_eq!(answer.body["payment"]["status"], "authorized");
    let id = answer.id()?;
    assert_eq!(payments(&bellhop, &id).await?[0]["status"], "authorized");

    pause("void").await?;
    let mut cancelled = Box::pin(cancel(&people.kim, &id));
    tokio::select! {
        cancelled = &mut cancelled => panic!("answered before it is paid back: {cancelled:?}"),
        held = held() => held?,
    }
    // The decision can be seen meanwhile.
    people.kim.until(&id, &["cancelling"]).await?;
    release().await?;
    cancelled.await?.assert_booking(200, "cancelled");
    assert_eq!(payments(&bellhop, &id).await?[0]["status"], "voided");

    let messages = people.kim.get(&format!("/bookings/{id}/messages")).await?;
    let messages = messages.body["messages"].as_array().cloned().unwrap_or_default();
    assert_eq!(messages.len(), 3, "all are written down");
    assert!(messages.iter().all(|it| it["status"] != "delivered"), "none is sent: {messages:?}");
    bellhop.partner("messages", "ok").await?;
    told(&bellhop, &id, &["awaiting_approval", "cancelling", "cancelled"]).await?;
    bellhop.assert_invariants().await
}
