//! call-taxi 5 to 8: cancelling, what goes back, and what stays.

use anyhow::ensure;
use bellhop_tests::{desk::Desk, stack::eventually};
use futures::future::try_join;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::{
    Fleet, accepted, advance, approve, bellhop, cancel, pages, payments, timeline, words,
};

/// call-taxi 5: the customer cancels before the manager decides, or after; once the taxi is on its
/// way it is too late.
#[tokio::test]
async fn call_taxi_05_a_customer_cancels_until_the_taxi_is_on_its_way() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 4).await?;
    let waiting = fleet.reserve(&people.kim).await?;
    cancel(&people.kim, &waiting).await?.assert_booking(200, "cancelled");
    let confirmed = fleet.confirmed(&people.kim).await?;
    cancel(&people.kim, &confirmed).await?.assert_booking(200, "cancelled");

    let id = fleet.confirmed(&people.kim).await?;
    let quoted = quote(&people.kim, &id).await?;
    for stage in ["on_the_way", "riding"] {
        advance(&people.driver, &id, stage).await?.assert_booking(200, "in_progress");
        let before = people.kim.booking(&id).await?;
        assert_eq!(before["allowed_actions"], json!([]), "at {stage}");
        let late = cancel(&people.kim, &id).await?;
        late.assert_problem(409, "not_allowed");
        assert_eq!(late.body["allowed_actions"], json!([]));
        let again = people.kim.get(&format!("/bookings/{id}/cancellation-quote")).await?;
        again.assert_problem(409, "not_allowed");
        // A quote says what it costs, not whether it may still be done.
        let (path, body) = (format!("/bookings/{id}/cancel"), json!({"quote_id": quoted["id"]}));
        people.kim.post(&path, body).await?.assert_problem(409, "not_allowed");
        assert_eq!(people.kim.booking(&id).await?, before, "nothing has changed at {stage}");
    }
    // The company may still, and gives everything back.
    let cancelled = cancel(&people.manager, &id).await?;
    cancelled.assert_booking(200, "cancelled");
    assert_eq!(cancelled.body["payment"]["refunded"], 9_800);
    cancel(&people.kim, &id).await?.assert_problem(409, "not_allowed");
    Ok(())
}

/// call-taxi 5: when the taxi leaves at the moment of the cancellation, it is one or the other,
/// also for a customer who has a quote.
#[tokio::test]
async fn call_taxi_05_a_taxi_that_leaves_is_not_cancelled() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 10).await?;
    for round in 0..10 {
        let id = fleet.confirmed(&people.kim).await?;
        let reason = match round % 2 {
            0 => json!({"quote_id": quote(&people.kim, &id).await?["id"]}),
            _ => json!({}),
        };
        let path = format!("/bookings/{id}/cancel");
        let cancelled = people.kim.post(&path, reason);
        let (left, cancelled) =
            try_join(advance(&people.manager, &id, "on_the_way"), cancelled).await?;
        let booking = people.kim.booking(&id).await?;
        match (left.status, cancelled.status) {
            (200, 409) => assert_eq!(booking["status"], "in_progress"),
            (409, 200) => assert_eq!(booking["status"], "cancelled"),
            _ => panic!("both or neither: {left:?}, {cancelled:?}"),
        }
    }
    Ok(())
}

/// call-taxi 5: what another customer has booked is not there for anybody else.
#[tokio::test]
async fn call_taxi_05_nobody_cancels_what_another_customer_booked() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    cancel(&people.lee, &id).await?.assert_problem(404, "not_found");
    cancel(&people.driver, &id).await?.assert_problem(404, "not_found");
    approve(&people.manager, &id).await?;
    // The driver knows of it now, and still may not.
    cancel(&people.driver, &id).await?.assert_problem(403, "forbidden");
    assert_eq!(people.kim.booking(&id).await?["status"], "confirmed");
    Ok(())
}

/// call-taxi 6: cancelling gives back the taxi that was held, and the one that was assigned.
#[tokio::test]
async fn call_taxi_06_cancelling_cancels_the_taxi() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let held = fleet.reserve(&people.kim).await?;
    assert_eq!(fleet.stock().await?, (1, 0, 0));
    cancel(&people.kim, &held).await?.assert_booking(200, "cancelled");
    assert_eq!(fleet.stock().await?, (0, 0, 1));

    let assigned = fleet.confirmed(&people.kim).await?;
    assert_eq!(fleet.stock().await?, (0, 1, 0));
    let cancelled = cancel(&people.kim, &assigned).await?;
    cancelled.assert_booking(200, "cancelled");
    assert_eq!(cancelled.body["assignment"], Value::Null);
    assert_eq!(fleet.stock().await?, (0, 0, 1));
    let events = people.kim.events(&assigned).await?;
    let undone = ["payment.settled", "hold.released", "assignment.released", "booking.cancelled"];
    assert!(events.ends_with(&undone.map(str::to_owned)), "{events:?}");
    // The next customer gets the taxi.
    fleet.reserve(&people.lee).await?;
    Ok(())
}

/// call-taxi 7: when the cancellation is answered the money is back: all of it until an hour before
/// the start, then half.
#[tokio::test]
async fn call_taxi_07_the_payment_is_given_back_by_the_time_before_the_start() -> anyhow::Result<()>
{
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::register(&bellhop, "com_dear", 9_801, 8).await?;
    let soon = SignedDuration::from_mins(30);
    let later = SignedDuration::from_hours(2);
    for (starts_in, is_approved, captured, refunded, status) in [
        (later, false, 0, 0, "voided"),
        (later, true, 9_801, 9_801, "refunded"),
        // Half is rounded down for the customer: 4,900 of 9,801 won.
        (soon, true, 9_801, 4_900, "part_refunded"),
        (soon, false, 4_901, 0, "captured"),
    ] {
        let what = format!("{starts_in} before the start, approved: {is_approved}");
        let id = accepted(&people.kim, starting(&fleet, starts_in)?).await?;
        if is_approved {
            approve(&people.operator, &id).await?;
        }
        let cancelled = cancel(&people.kim, &id).await?;
        cancelled.assert_booking(200, "cancelled");
        // At the provider at once: the answer did not come before the money.
        let payments = payments(&bellhop, &id).await?;
        assert_eq!(payments.len(), 1, "{what}");
        let net = |it: &Value| it["captured"].as_i64().zip(it["refunded"].as_i64());
        assert_eq!(net(&payments[0]), Some((captured, refunded)), "{what}: {payments:#?}");
        assert_eq!(payments[0]["status"], status, "{what}");
        assert_eq!(net(&cancelled.body["payment"]), Some((captured, refunded)), "{what}");
    }
    assert_eq!(fleet.stock().await?, (0, 0, 8));
    Ok(())
}

/// call-taxi 7: a quoted refund is honoured after its tier has ended.
#[tokio::test]
async fn call_taxi_07_a_quoted_refund_is_honoured() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 8).await?;
    let (id, quoted) = at_the_last_moment(&fleet, &people.kim).await?;
    assert_eq!(quoted["refund"], json!({"minor": 9_800, "currency": "KRW"}));
    assert_eq!(quoted["fee"], json!({"minor": 0, "currency": "KRW"}));
    let now = eventually("the tier's end", async || {
        let quote = quote(&people.kim, &id).await?;
        Ok((quote["refund_percent"] == 50).then_some(quote))
    });
    assert_eq!(now.await?["fee"]["minor"], 4_900);

    let path = format!("/bookings/{id}/cancel");
    let cancelled = people.kim.post(&path, json!({"quote_id": quoted["id"]})).await?;
    cancelled.assert_booking(200, "cancelled");
    assert_eq!(cancelled.body["payment"]["refunded"], 9_800);
    assert_eq!(payments(&bellhop, &id).await?[0]["status"], "refunded");
    Ok(())
}

/// call-taxi 7: a quote is good for its own booking only.
#[tokio::test]
async fn call_taxi_07_a_quote_of_another_booking_is_refused() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 2).await?;
    let (id, other) = (fleet.reserve(&people.kim).await?, fleet.reserve(&people.kim).await?);
    let path = format!("/bookings/{id}/cancel");
    for quote in [quote(&people.kim, &other).await?["id"].clone(), json!("cq_none")] {
        let refused = people.kim.post(&path, json!({ "quote_id": quote })).await?;
        refused.assert_problem(422, "quote_unknown");
    }
    let quote_path = format!("/bookings/{id}/cancellation-quote");
    people.lee.get(&quote_path).await?.assert_problem(404, "not_found");
    assert_eq!(people.kim.booking(&id).await?["status"], "awaiting_approval");
    Ok(())
}

/// call-taxi 8: the reservation is marked as cancelled, and its history stays.
#[tokio::test]
async fn call_taxi_08_a_cancelled_reservation_stays_in_the_history() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.confirmed(&people.kim).await?;
    let before = timeline(&people.kim, &id).await?;
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");

    let after = timeline(&people.kim, &id).await?;
    assert_eq!(after[..before.len()], before, "nothing of it is changed");
    let cancelling = &after[before.len()];
    assert_eq!(
        (&cancelling["type"], &cancelling["reason"]),
        (&json!("booking.cancelling"), &json!("changed_plans"))
    );
    let booking = people.kim.booking(&id).await?;
    assert_eq!(booking["status_text"]["ko"], "취소됨");
    assert_eq!(
        (&booking["amount"]["minor"], &booking["payment"]["captured"]),
        (&json!(9_800), &json!(9_800))
    );
    for list in ["/customers/cus_kim/bookings", "/bookings?status=cancelled"] {
        let listed = pages(&people.kim, list, 100).await?;
        assert!(words(&listed, "id").contains(&id.as_str()), "{list}");
    }
    Ok(())
}

/// A request for a taxi that starts in so long.
fn starting(fleet: &Fleet, starts_in: SignedDuration) -> anyhow::Result<Value> {
    let mut request = fleet.request("tok_ok");
    request["starts_at"] = json!(Timestamp::now().checked_add(starts_in)?);
    Ok(request)
}

/// A confirmed booking whose full refund ends in seconds, and the quote of it.
async fn at_the_last_moment(fleet: &Fleet, kim: &Desk) -> anyhow::Result<(String, Value)> {
    for seconds in [2, 5, 15, 45] {
        let starts_in = SignedDuration::from_hours(1) + SignedDuration::from_secs(seconds);
        let id = accepted(kim, starting(fleet, starts_in)?).await?;
        approve(&fleet.operator, &id).await?;
        let quoted = quote(kim, &id).await?;
        if quoted["refund_percent"] == 100 {
            return Ok((id, quoted));
        }
    }
    anyhow::bail!("bookings take too long to be quoted a full refund")
}

async fn quote(desk: &Desk, id: &str) -> anyhow::Result<Value> {
    let quote = desk.get(&format!("/bookings/{id}/cancellation-quote")).await?;
    ensure!(quote.status == 200, "it is quoted: {quote:?}");
    Ok(quote.body)
}
