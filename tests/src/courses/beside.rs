//! The workflows beside a booking's: they deliver messages, and withdraw exhibitions.

use anyhow::ensure;
use bellhop_store::SHARDS;
use bellhop_workflows::messages::workflow_id;
use serde_json::json;
use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};

use crate::{
    desk::a_visit,
    history,
    stack::{Stack, eventually},
};

/// The history of a shard's workflow that has delivered messages.
///
/// # Errors
/// None has within the time that a test waits.
pub async fn messages(client: &Client) -> anyhow::Result<Vec<HistoryEvent>> {
    eventually("a messages workflow that has ended", async || {
        for shard in 0..SHARDS {
            let found = history::of(client, &workflow_id(shard)).await.unwrap_or_default();
            let last = found.last().map(|event| event.event_type());
            if last == Some(EventType::WorkflowExecutionCompleted) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    })
    .await
}

/// The history of the withdrawal of an exhibition that some have booked.
///
/// # Errors
/// It is not withdrawn.
pub async fn withdrawal(stack: &Stack, client: &Client) -> anyhow::Result<Vec<HistoryEvent>> {
    let (manager, customer) = (stack.desk("dev-manager"), stack.desk("dev-customer"));
    let exhibition = json!({
        "company": "com_mapo", "title": "withdrawn", "hall": "small", "capacity": 5,
        "starts_at": "2030-12-24T18:00:00+09:00", "price": {"minor": 0, "currency": "KRW"},
    });
    let path = "/exhibitions/exh_withdrawn";
    let put = manager.put(path, exhibition).await?;
    ensure!(put.status < 300, "the exhibition is registered: {put:?}");
    let mut visit = a_visit(None);
    visit["exhibition_id"] = json!("exh_withdrawn");
    for _ in 0..3 {
        let booked = customer.book(visit.clone()).await?;
        ensure!(booked.status == 201, "it is booked: {booked:?}");
    }
    let begun = manager.post(&format!("{path}/withdraw"), json!({})).await?;
    ensure!(begun.status == 202, "it is withdrawn: {begun:?}");
    let workflow = bellhop_workflows::withdrawal::workflow_id(&begun.id()?.parse()?);
    eventually("the withdrawal is done", async || {
        let found = history::of(client, &workflow).await?;
        let last = found.last().map(|event| event.event_type());
        Ok((last == Some(EventType::WorkflowExecutionCompleted)).then_some(found))
    })
    .await
}
