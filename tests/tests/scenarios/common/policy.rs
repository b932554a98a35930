//! Policies are data: what a service file says of fees, deadlines, cut-offs and those who do not come.

use bellhop_tests::{desk::Answer, stack::eventually};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{
    Fleet, Shelf, accepted, advance, approve, bellhop, cancel, payments, pointers, told,
};

/// A request for a taxi of a service, which starts in so long.
fn a_taxi_in(fleet: &Fleet, service: &str, ahead: SignedDuration) -> anyhow::Result<Value> {
    let mut request = fleet.request("tok_ok");
    request["service"] = json!(service);
    request["starts_at"] = json!(Timestamp::now().checked_add(ahead)?);
    Ok(request)
}

/// Where the service says so, a silent manager has approved: what was reserved is charged.
#[tokio::test]
async fn policy_a_silent_manager_approves_where_the_service_says_so() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let request = a_taxi_in(&fleet, "lenient-taxi", SignedDuration::from_hours(5))?;
    let id = accepted(&people.kim, request).await?;
    let booking = people.kim.until(&id, &["confirmed", "rejected"]).await?;
    assert_eq!((&booking["status"], &booking["code"]), (&json!("confirmed"), &Value::Null));
    assert_eq!(booking["payment"]["captured"], 9_800);
    assert_eq!(fleet.stock().await?, (0, 1, 0));
    let events = people.kim.events(&id).await?;
    assert!(events.iter().any(|it| it == "approval.lapsed"), "{events:?}");
    let late = people.manager.post(&format!("/approvals/{id}/decline"), json!({})).await?;
    late.assert_problem(409, "not_allowed");
    Ok(())
}

/// Who does not come is missed once the time of grace is over, by those who serve: a share goes
/// back, and so does the taxi.
#[tokio::test]
async fn policy_who_does_not_come_pays_their_share() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    let early = a_taxi_in(&fleet, "missed-taxi", SignedDuration::from_mins(30))?;
    let early = accepted(&people.kim, early).await?;
    approve(&people.manager, &early).await?;
    for desk in [&people.driver, &people.manager, &people.operator] {
        advance(desk, &early, "no_show").await?.assert_problem(409, "not_allowed");
    }
    advance(&people.kim, &early, "no_show").await?.assert_problem(403, "forbidden");
    assert_eq!(people.kim.booking(&early).await?["status"], "confirmed");

    let late = a_taxi_in(&fleet, "missed-taxi", -SignedDuration::from_mins(3))?;
    let late = accepted(&people.kim, late).await?;
    let waiting = advance(&people.operator, &late, "no_show").await?;
    waiting.assert_problem(409, "not_allowed"); // nobody has confirmed it
    approve(&people.manager, &late).await?;
    let offered = people.driver.booking(&late).await?;
    assert_eq!(offered["allowed_actions"], json!(["advance", "no_show"]));
    assert_eq!(fleet.stock().await?, (0, 2, 0));
    advance(&people.driver, &late, "no_show").await?.assert_booking(200, "no_show");
    fleet.until_stock((0, 1, 1)).await?;
    bellhop.settled(&late).await?;
    let paid = &payments(&bellhop, &late).await?[0];
    assert_eq!((&paid["captured"], &paid["refunded"]), (&json!(9_800), &json!(2_940)));
    told(&bellhop, &late, &["awaiting_approval", "dispatching", "confirmed", "no_show"]).await?;
    advance(&people.manager, &late, "no_show").await?.assert_problem(409, "not_allowed");
    cancel(&people.kim, &late).await?.assert_problem(409, "not_allowed");
    Ok(())
}

/// What nobody has come for is used up where the service says so, and who waits for the money gets it
/// as the service says.
#[tokio::test]
async fn policy_what_nobody_has_come_for_is_used_up() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let shelf = Shelf::with(&bellhop, 5).await?;
    let mut order = shelf.paid_order(2);
    order["service"] = json!("missed-coffee");
    let now = accepted(&people.kim, order.clone()).await?;
    advance(&people.manager, &now, "no_show").await?.assert_problem(409, "not_allowed");
    order["starts_at"] = json!(Timestamp::now() - SignedDuration::from_mins(3));
    let id = accepted(&people.kim, order).await?;
    assert_eq!(shelf.stock().await?, (5, 1));
    advance(&people.manager, &id, "no_show").await?.assert_booking(200, "no_show");
    shelf.until_stock((3, 1)).await?;
    bellhop.settled(&id).await?;
    assert_eq!(payments(&bellhop, &id).await?[0]["refunded"], 9_000);
    told(&bellhop, &id, &["confirmed", "no_show"]).await?;
    Ok(())
}

/// What starts too soon or too far ahead is not booked, and the request hears where it is wrong.
#[tokio::test]
async fn policy_what_is_too_late_or_too_early_is_not_booked() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    let book = async |minutes| {
        let request = a_taxi_in(&fleet, "costly-taxi", SignedDuration::from_mins(minutes))?;
        people.kim.book(request).await
    };
    let refused = |answer: Answer| {
        answer.assert_problem(422, "invalid_booking");
        assert_eq!(pointers(&answer), ["/starts_at"]);
    };
    refused(book(59).await?);
    refused(book(48 * 60 + 1).await?);
    let mut now = fleet.request("tok_ok");
    now["service"] = json!("costly-taxi");
    now.as_object_mut().expect("an object").remove("starts_at");
    refused(people.kim.book(now).await?);
    book(62).await?.assert_booking(201, "awaiting_approval");
    book(48 * 60 - 1).await?.assert_booking(201, "awaiting_approval");
    Ok(())
}

/// A cancellation's fee is told before; who names the quote gets its terms after its tier has ended,
/// who names none pays what applies.
#[tokio::test]
async fn policy_a_quoted_fee_is_honoured() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 9).await?;
    let quote = async |id: &str| {
        let quote = people.kim.get(&format!("/bookings/{id}/cancellation-quote")).await?;
        anyhow::Ok(quote.body)
    };
    // Its first tier ends in seconds; it takes some to get there.
    let mut found = None;
    for seconds in [3, 8, 20, 60] {
        let ahead = SignedDuration::from_hours(1) + SignedDuration::from_secs(seconds);
        let mut ids = vec![];
        for _ in 0..2 {
            let id = accepted(&people.kim, a_taxi_in(&fleet, "costly-taxi", ahead)?).await?;
            approve(&people.manager, &id).await?;
            ids.push(id);
        }
        let quoted = quote(&ids[0]).await?;
        if quoted["refund_percent"] == 100 {
            found = Some((ids, quoted));
            break;
        }
    }
    let (ids, quoted) = found.expect("a booking that is made within a minute");
    assert_eq!(
        (&quoted["fee"]["minor"], &quoted["refund"]["minor"]),
        (&json!(1_000), &json!(8_800))
    );
    for id in &ids {
        eventually("the tier's end", async || {
            Ok((quote(id).await?["refund_percent"] == 50).then_some(()))
        })
        .await?;
    }
    let dearer = quote(&ids[1]).await?;
    assert_eq!(
        (&dearer["fee"]["minor"], &dearer["refund"]["minor"]),
        (&json!(5_900), &json!(3_900))
    );

    let path = |id: &str| format!("/bookings/{id}/cancel");
    let honoured = people.kim.post(&path(&ids[0]), json!({"quote_id": quoted["id"]})).await?;
    honoured.assert_booking(200, "cancelled");
    assert_eq!(honoured.body["payment"]["refunded"], 8_800);
    let plain = people.kim.post(&path(&ids[1]), json!({})).await?;
    plain.assert_booking(200, "cancelled");
    assert_eq!(plain.body["payment"]["refunded"], 3_900);
    for (id, refunded) in ids.iter().zip([8_800, 3_900]) {
        assert_eq!(payments(&bellhop, id).await?[0]["refunded"], refunded);
    }
    Ok(())
}
