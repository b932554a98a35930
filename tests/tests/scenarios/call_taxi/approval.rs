//! call-taxi 3, 4 and 13: the company's manager.

use bellhop_tests::{desk::new_key, faults::Fault};
use serde_json::json;

use crate::world::{
    Fleet, OURS, accepted, advance, approve, bellhop, cancel, decline, pages, payments, told, words,
};

/// call-taxi 3: the company sees what waits for it, and nobody else's.
#[tokio::test]
async fn call_taxi_03_the_request_reaches_the_company() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    let other = Fleet::register(&bellhop, "com_other", 9_800, 1).await?;
    let (first, second) = (fleet.reserve(&people.kim).await?, fleet.reserve(&people.lee).await?);
    let theirs = other.reserve(&people.kim).await?;

    let approvals = pages(&people.manager, &format!("/approvals?company={OURS}"), 3).await?;
    let of_ours = |it: &&serde_json::Value| it["options"]["grade"] == json!(fleet.grade);
    let ours: Vec<_> = approvals.iter().filter(of_ours).cloned().collect();
    assert_eq!(words(&ours, "id"), [&first, &second], "oldest first");
    let request = &ours[0];
    assert_eq!(request["allowed_actions"], json!(["approve", "decline", "cancel"]));
    assert_eq!(request["place"]["address"], "서울 마포구");
    assert_eq!(request["starts_at"], "2030-12-24T09:00:00Z");
    assert_eq!((&request["quantity"], &request["company"]), (&json!(1), &json!(OURS)));
    assert_eq!(request["customer"]["name"], "Kim");
    assert_eq!(request["payment"]["status"], "authorized");

    let managed = pages(&people.manager, "/approvals", 100).await?;
    assert!(words(&managed, "id").contains(&first.as_str()));
    assert!(!words(&managed, "id").contains(&theirs.as_str()), "another company's");
    let all = pages(&people.operator, "/approvals?company=com_other", 100).await?;
    assert!(words(&all, "id").contains(&theirs.as_str()));
    let asked = people.manager.get("/approvals?company=com_other").await?;
    assert_eq!((asked.status, &asked.body["items"]), (200, &json!([])));
    for desk in [&people.kim, &people.driver] {
        desk.get("/approvals").await?.assert_problem(403, "forbidden");
    }

    approve(&people.manager, &first).await?;
    decline(&people.manager, &second).await?.assert_booking(200, "rejected");
    let left = pages(&people.manager, "/approvals", 100).await?;
    assert!(!words(&left, "id").iter().any(|it| [first.as_str(), second.as_str()].contains(it)));
    Ok(())
}

/// call-taxi 4: a manager confirms, and what was reserved is charged.
#[tokio::test]
async fn call_taxi_04_a_manager_confirms() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    let booking = approve(&people.manager, &id).await?;
    let paid = json!({"status": "captured", "captured": 9_800, "refunded": 0});
    assert_eq!(booking["payment"], paid);
    assert_eq!(booking["assignment"], json!({"company": OURS, "label": "한강 택시"}));
    let payments = payments(&bellhop, &id).await?;
    assert_eq!((payments.len(), &payments[0]["captured"]), (1, &json!(9_800)));
    Ok(())
}

/// call-taxi 4: a manager declines, and nothing is charged.
#[tokio::test]
async fn call_taxi_04_a_manager_declines() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let id = fleet.reserve(&people.kim).await?;
    let declined = decline(&people.manager, &id).await?;
    declined.assert_booking(200, "rejected");
    assert_eq!(declined.body["code"], "approval_declined");
    fleet.until_stock((0, 0, 1)).await?;
    bellhop.settled(&id).await?;
    assert_eq!(payments(&bellhop, &id).await?[0]["status"], "voided");
    told(&bellhop, &id, &["awaiting_approval", "rejected"]).await?;

    let late = people.manager.post(&format!("/approvals/{id}/approve"), json!({})).await?;
    late.assert_problem(409, "not_allowed");
    assert_eq!(late.body["allowed_actions"], json!([]));
    assert_eq!(late.body["booking_id"], json!(id));
    Ok(())
}

/// call-taxi 4: nobody decides in time, and nothing is charged.
#[tokio::test]
async fn call_taxi_04_a_silent_manager_declines_when_the_deadline_comes() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let mut hasty = fleet.request("tok_ok");
    hasty["service"] = json!("hasty-taxi");
    let id = accepted(&people.kim, hasty).await?;
    let lapsed = people.kim.until(&id, &["rejected"]).await?;
    assert_eq!(lapsed["code"], "approval_lapsed");
    fleet.until_stock((0, 0, 1)).await?;
    bellhop.settled(&id).await?;
    assert_eq!(payments(&bellhop, &id).await?[0]["status"], "voided");
    told(&bellhop, &id, &["awaiting_approval", "rejected"]).await?;
    let late = people.manager.post(&format!("/approvals/{id}/approve"), json!({})).await?;
    late.assert_problem(409, "not_allowed");
    Ok(())
}

/// call-taxi 4: it is the manager who confirms: no customer, no driver, no other company.
#[tokio::test]
async fn call_taxi_04_nobody_but_the_companys_manager_decides() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 1).await?;
    let other = Fleet::register(&bellhop, "com_other", 9_800, 1).await?;
    let (ours, theirs) = (fleet.reserve(&people.kim).await?, other.reserve(&people.kim).await?);
    for verb in ["approve", "decline"] {
        let decide = async |desk: &bellhop_tests::desk::Desk, id: &str| {
            desk.post(&format!("/approvals/{id}/{verb}"), json!({})).await
        };
        decide(&people.kim, &ours).await?.assert_problem(403, "forbidden");
        decide(&people.lee, &ours).await?.assert_problem(404, "not_found");
        decide(&people.driver, &ours).await?.assert_problem(404, "not_found");
        decide(&people.manager, &theirs).await?.assert_problem(404, "not_found");
    }
    for id in [&ours, &theirs] {
        assert_eq!(people.kim.booking(id).await?["status"], "awaiting_approval", "by itself");
    }
    approve(&people.operator, &theirs).await?;
    Ok(())
}

/// call-taxi 13: the manager is away; reservations are taken, and decided when the manager is back.
#[tokio::test]
async fn call_taxi_13_reservations_are_taken_while_the_manager_is_away() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 6).await?;
    let mut taken = vec![];
    for _ in 0..5 {
        taken.push(fleet.reserve(&people.kim).await?);
    }
    assert_eq!(fleet.stock().await?, (5, 0, 1));
    for id in &taken {
        let booking = people.kim.booking(id).await?;
        assert_eq!(booking["status"], "awaiting_approval");
        assert_eq!(booking["status_text"]["ko"], "승인 대기");
    }
    cancel(&people.kim, &taken[0]).await?.assert_booking(200, "cancelled");
    for id in &taken[1..] {
        approve(&people.manager, id).await?;
    }
    assert_eq!(fleet.stock().await?, (0, 4, 2));
    Ok(())
}

/// call-taxi 13: the assignment is down; what is approved waits, more is taken, and all of it goes
/// on when the assignment is back.
#[tokio::test]
async fn call_taxi_13_what_is_approved_waits_for_an_assignment_that_is_down() -> anyhow::Result<()>
{
    let (bellhop, people) = bellhop().await?;
    let fleet = Fleet::ours(&bellhop, 3).await?;
    let id = fleet.reserve(&people.kim).await?;
    bellhop.faults().put(&id, "dispatch.assign", Fault::Refuse, 3)?;
    let path = format!("/approvals/{id}/approve");
    let approved = people.manager.post_within(0, &path, &new_key(), json!({})).await?;
    approved.assert_booking(202, "dispatching");
    assert_eq!(approved.headers["location"], format!("/v1/bookings/{id}"));
    assert_eq!(approved.body["status_text"]["ko"], "배정 중");

    let meanwhile = fleet.confirmed(&people.lee).await?;
    advance(&people.driver, &meanwhile, "on_the_way").await?.assert_booking(200, "in_progress");

    let booking = people.kim.until(&id, &["confirmed"]).await?;
    assert_eq!(booking["payment"]["captured"], 9_800);
    assert_eq!(bellhop.faults().fired(&id, "dispatch.assign"), 3);
    assert_eq!(fleet.stock().await?, (0, 2, 1));
    Ok(())
}
