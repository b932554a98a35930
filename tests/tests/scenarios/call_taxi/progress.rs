//! call-taxi 9 and 10: following progress, and being told of it.

use anyhow::Context as _;
use bellhop_tests::stack::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{
    Fleet, accepted, advance, approve, bellhop, cancel, decline, sent, timeline, told, words,
};

/// What a customer is told of a ride that goes well.
const A_RIDE: [&str; 6] =
    ["awaiting_approval", "dispatching", "confirmed", "in_progress", "in_progress", "completed"];

/// call-taxi 9: at every moment the customer can see how it stands.
#[tokio::test]
async fn call_taxi_09_a_customer_follows_the_ride() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    let seen = async || {
        let it = people.kim.booking(&id).await?;
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let text = format!("{} {}", word(&it["status_text"]["ko"]), word(&it["status_text"]["en"]));
        anyhow::Ok((word(&it["status"]), it["stage"].clone(), text, it["seq"].as_i64()))
    };
    let mut all = vec![seen().await?];
    approve(&people.manager, &id).await?;
    all.push(seen().await?);
    for stage in ["on_the_way", "riding", "completed"] {
        let status = if stage == "completed" { "completed" } else { "in_progress" };
        advance(&people.driver, &id, stage).await?.assert_booking(200, status);
        all.push(seen().await?);
    }
    let shown: Vec<_> = all.iter().map(|it| (it.0.as_str(), it.1.clone(), it.2.as_str())).collect();
    let (way, ride) = (json!("on_the_way"), json!("riding"));
    assert_eq!(
        shown,
        [
            ("awaiting_approval", Value::Null, "승인 대기 awaiting approval"),
            ("confirmed", Value::Null, "확정 confirmed"),
            ("in_progress", way, "택시 출발 on the way"),
            ("in_progress", ride.clone(), "승차 riding"),
            ("completed", ride, "완료 completed"),
        ]
    );
    assert!(all.is_sorted_by(|a, b| a.3 < b.3), "every step is counted: {all:?}");
    assert_eq!(people.kim.booking(&id).await?["allowed_actions"], json!([]));
    Ok(())
}

/// call-taxi 9: who listens hears of each change as it happens, and after a lost connection of what
/// they missed and nothing else.
#[tokio::test]
async fn call_taxi_09_changes_are_told_as_they_happen() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    let mut stream = people.kim.follow(&id, None).await?;
    let first = stream.until("payment.authorized").await?;
    approve(&people.manager, &id).await?;
    let more = stream.until("assignment.made").await?;
    let last = more.last().context("it was assigned")?.id.clone();
    drop(stream);
    advance(&people.driver, &id, "on_the_way").await?;
    let missed = people.kim.follow(&id, Some(&last)).await?.until("stage.reached").await?;

    let timeline = people.kim.get(&format!("/bookings/{id}/timeline")).await?.body;
    let told = [first, more, missed].concat();
    let data: Vec<_> = told.iter().map(|it| it.data.clone()).collect();
    assert_eq!(json!(data), timeline["events"], "each once, in their order, as in the timeline");
    for event in &told {
        assert_eq!(event.data["seq"].to_string(), event.id);
        assert_eq!(event.data["type"], event.kind);
    }
    let events = format!("/bookings/{id}/events");
    people.lee.get(&events).await?.assert_problem(404, "not_found");
    let headers = [("last-event-id", "soon")];
    let asked = people.kim.raw(Method::GET, &events, &headers, "").await?;
    asked.assert_problem(400, "invalid_query");
    Ok(())
}

/// call-taxi 9: what was charged, and what of it went back, is on receipts.
#[tokio::test]
async fn call_taxi_09_there_are_receipts() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    let path = format!("/bookings/{id}/receipts");
    let receipts = async || anyhow::Ok(people.kim.get(&path).await?.body["receipts"].clone());
    assert_eq!(receipts().await?, json!([]), "it is reserved, not charged");
    approve(&people.manager, &id).await?;
    let charged = receipts().await?;
    people.kim.post(&format!("/bookings/{id}/cancel"), json!({})).await?;
    let all = receipts().await?;
    assert_eq!(all[0], charged[0], "what is told stays");
    let amount = &people.kim.booking(&id).await?["amount"];
    for (receipt, kind) in [(&all[0], "charge"), (&all[1], "refund")] {
        assert_eq!((&receipt["kind"], &receipt["amount"]), (&json!(kind), amount), "{all:#}");
    }
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    people.lee.get(&path).await?.assert_problem(404, "not_found");
    people.driver.get(&path).await?.assert_problem(403, "forbidden");
    Ok(())
}

/// call-taxi 9: stages come one after the other, and not from the customer.
#[tokio::test]
async fn call_taxi_09_stages_come_in_their_order() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    advance(&people.manager, &id, "on_the_way").await?.assert_problem(409, "not_allowed");
    approve(&people.manager, &id).await?;
    for stage in ["riding", "completed", "flying"] {
        advance(&people.manager, &id, stage).await?.assert_problem(409, "not_next_stage");
    }
    advance(&people.kim, &id, "on_the_way").await?.assert_problem(403, "forbidden");
    advance(&people.lee, &id, "on_the_way").await?.assert_problem(404, "not_found");
    advance(&people.driver, &id, "on_the_way").await?.assert_booking(200, "in_progress");
    advance(&people.driver, &id, "on_the_way").await?.assert_problem(409, "not_next_stage");
    assert_eq!(people.kim.booking(&id).await?["stage"], "on_the_way");
    Ok(())
}

/// call-taxi 10: a text message for every change, in their order, once.
#[tokio::test]
async fn call_taxi_10_every_change_is_told_by_sms_once_and_in_order() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    let ride = fleet.confirmed(&people.kim).await?;
    for stage in ["on_the_way", "riding", "completed"] {
        advance(&people.driver, &ride, stage).await?;
    }
    let declined = fleet.reserve(&people.kim).await?;
    decline(&people.manager, &declined).await?;
    let cancelled = fleet.confirmed(&people.kim).await?;
    cancel(&people.kim, &cancelled).await?;
    let cancelled_states =
        ["awaiting_approval", "dispatching", "confirmed", "cancelling", "cancelled"];
    for (id, states) in [
        (&ride, &A_RIDE[..]),
        (&declined, &["awaiting_approval", "rejected"]),
        (&cancelled, &cancelled_states),
    ] {
        let messages = told(&bellhop, id, states).await?;
        assert!(messages.iter().all(|it| it["attempts"] == 1 && it["maybe_sent_twice"] == false));
        // The gateway has the same, in the same order, and nothing else.
        let gateway = sent(&bellhop, id).await?;
        assert_eq!(words(&gateway, "template"), states);
        assert_eq!(words(&gateway, "text"), words(&messages, "text"));
        assert_eq!(words(&gateway, "key"), words(&messages, "id"));
        assert!(gateway.iter().all(|it| it["channel"] == "sms" && it["to"] == "+821012345678"));
        // One for each change of state in the timeline.
        let timeline = timeline(&people.kim, id).await?;
        let changes: Vec<_> = timeline.iter().filter_map(|it| it["status"].as_str()).collect();
        assert_eq!(changes, states);
    }
    Ok(())
}

/// call-taxi 10: in the customer's language, Korean unless they say otherwise.
#[tokio::test]
async fn call_taxi_10_messages_come_in_the_customers_language() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    for (language, first, second) in [
        (
            Some("ko"),
            "[콜택시] 결제가 승인되었습니다 (9,800 KRW). 담당자가 확인 중입니다.",
            "[콜택시] 예약이 접수되지 않았습니다. 담당자가 받지 못했습니다. 결제된 금액은 없습니다.",
        ),
        (
            Some("en"),
            "[Call taxi] Your payment is authorised (9,800 KRW). A manager is reviewing the booking.",
            "[Call taxi] Your booking was not accepted: the company could not take it. You are not \
             charged.",
        ),
        (
            None,
            "[콜택시] 결제가 승인되었습니다 (9,800 KRW). 담당자가 확인 중입니다.",
            "[콜택시] 예약이 접수되지 않았습니다. 담당자가 받지 못했습니다. 결제된 금액은 없습니다.",
        ),
    ] {
        let mut request = fleet.request("tok_ok");
        if let Some(language) = language {
            request["customer"]["language"] = json!(language);
        }
        let id = accepted(&people.kim, request).await?;
        decline(&people.manager, &id).await?;
        let messages = told(&bellhop, &id, &["awaiting_approval", "rejected"]).await?;
        assert_eq!(words(&messages, "text"), [first, second]);
    }
    let mut request = fleet.request("tok_ok");
    request["customer"]["language"] = json!("fr");
    people.kim.book(request).await?.assert_problem(422, "invalid_request");
    Ok(())
}

/// call-taxi 10: the customer's messages are theirs to read, and their number is not shown.
#[tokio::test]
async fn call_taxi_10_messages_show_no_phone_number() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let mut request = fleet.request("tok_ok");
    request["customer"]["phone"] = json!("+82 10 9876 5432");
    let id = accepted(&people.lee, request).await?;
    let messages = told(&bellhop, &id, &["awaiting_approval"]).await?;
    assert_eq!(messages[0]["to"], "+8210****5432");
    assert_eq!(sent(&bellhop, &id).await?[0]["to"], "+821098765432");
    let paths = [
        format!("/bookings/{id}"),
        format!("/bookings/{id}/messages"),
        format!("/bookings/{id}/timeline"),
        "/customers/cus_lee/messages".to_owned(),
        "/customers/cus_lee/bookings".to_owned(),
    ];
    for desk in [&people.lee, &people.operator] {
        for path in &paths {
            let answer = desk.get(path).await?;
            assert_eq!(answer.status, 200, "{path}");
            assert!(!answer.body.to_string().contains("9876"), "{path} tells the number");
        }
    }
    // A customer's page has the messages of all their bookings, the newest first.
    eventually("the message on the customer's page", async || {
        let page = people.lee.get("/customers/cus_lee/messages?limit=100").await?;
        let items = page.body["items"].as_array().cloned().unwrap_or_default();
        Ok(words(&items, "booking_id").contains(&id.as_str()).then_some(()))
    })
    .await?;
    people.kim.get("/customers/cus_lee/messages").await?.assert_problem(404, "not_found");
    people.kim.get(&paths[1]).await?.assert_problem(404, "not_found");
    Ok(())
}
