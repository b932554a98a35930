//! A mounted folder of service files: a changed one counts from the restart on, and never for bookings
//! in flight.

use bellhop_tests::{
    desk::{Desk, a_taxi},
    stack::{Options, Stack},
};
use serde_json::json;

use crate::{
    PROGRAM,
    world::{CALL_TAXI, changed},
};

const FILE: &str = "call-taxi.toml";

async fn advance(manager: &Desk, id: &str, to: &str) -> anyhow::Result<u16> {
    let path = format!("/bookings/{id}/advance");
    Ok(manager.post(&path, json!({ "to": to })).await?.status)
}

#[tokio::test]
async fn a_changed_file_never_touches_bookings_in_flight() -> anyhow::Result<()> {
    let services = vec![(FILE, CALL_TAXI.to_owned())];
    let options = Options { services, keep_data: true, ..Options::default() };
    let mut bellhop = Stack::start_with(PROGRAM, options).await?;
    let before = bellhop.desk("dev-customer").taxi().await?;

    let boarding = changed(CALL_TAXI, &[(r#"id = "riding""#, r#"id = "boarded""#)]);
    bellhop.put_service(FILE, &boarding)?;
    bellhop.kill().await?;
    bellhop.restart().await?;

    let (customer, manager) = (bellhop.desk("dev-customer"), bellhop.desk("dev-manager"));
    let after = customer.taxi().await?;
    for id in [&before, &after] {
        let approved = manager.post(&format!("/approvals/{id}/approve"), json!({})).await?;
        approved.assert_booking(200, "confirmed");
        assert_eq!(advance(&manager, id, "on_the_way").await?, 200);
    }
    assert_eq!(advance(&manager, &before, "boarded").await?, 409, "it goes by the file of its day");
    assert_eq!(advance(&manager, &before, "riding").await?, 200);
    assert_eq!(advance(&manager, &after, "riding").await?, 409);
    assert_eq!(advance(&manager, &after, "boarded").await?, 200);
    let offered = customer.get("/services/call-taxi").await?.body.to_string();
    assert!(offered.contains("boarded"), "{offered}");
    let mut request = a_taxi("tok_ok");
    request["service"] = json!("coffee");
    let other = customer.book(request).await?;
    assert_eq!(other.status, 422, "the folder replaces the files that ship: {other:?}");
    bellhop.assert_invariants().await
}
