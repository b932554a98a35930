//! designated-driver 4 and 7: the customer follows, and is told.

use bellhop_tests::stack::eventually;
use serde_json::{Value, json};

use crate::{
    staff::{Town, assigned, called, heard},
    world::{advance, bellhop, cancel, words},
};

const KIM: &str = "+821012345678";

/// designated-driver 4: the customer learns at once who comes.
#[tokio::test]
async fn designated_driver_04_the_customer_learns_of_the_assignment() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let driver = town.driver(100.0).await?;
    let (id, _) = assigned(&people.kim, town.call("designated-driver")).await?;
    let shown = people.kim.booking(&id).await?;
    assert_eq!(shown["assignment"]["label"], format!("Driver {}", driver.id));
    assert_eq!(shown["status_text"]["ko"], "확정");
    let sent = heard(&bellhop, &id, KIM, &["dispatching", "confirmed"]).await?;
    let text = sent[1]["text"].as_str().unwrap_or_default();
    assert!(text.contains(&driver.id), "who comes: {text}");
    // Neither the driver's phone nor where they are.
    let digits = &driver.phone[9..];
    assert!(!shown.to_string().contains(digits) && !text.contains(digits));
    Ok(())
}

/// designated-driver 7: the state can be looked up at any time, and comes by KakaoTalk.
#[tokio::test]
async fn designated_driver_07_the_state_is_there_and_comes_by_kakaotalk() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    town.driver(100.0).await?;
    let (id, _) = assigned(&people.kim, town.call("designated-driver")).await?;
    for (stage, status, text) in [
        ("on_the_way", "in_progress", "기사 출발"),
        ("driving", "in_progress", "운행"),
        ("completed", "completed", "완료"),
    ] {
        advance(&people.manager, &id, stage).await?.assert_booking(200, status);
        let seen = people.kim.booking(&id).await?;
        assert_eq!((&seen["status"], &seen["status_text"]["ko"]), (&json!(status), &json!(text)));
    }
    let states = ["dispatching", "confirmed", "in_progress", "in_progress", "completed"];
    let sent = heard(&bellhop, &id, KIM, &states).await?;
    assert!(sent.iter().all(|it| it["channel"] == "kakaotalk"), "{sent:?}");
    Ok(())
}

/// designated-driver 7: who has no KakaoTalk is told by text message.
#[tokio::test]
async fn designated_driver_07_who_has_no_kakaotalk_hears_by_sms() -> anyhow::Result<()> {
    let (bellhop, people) = bellhop().await?;
    let town = Town::new(&bellhop);
    let mut call = town.call("designated-driver");
    call["customer"]["phone"] = json!("010-1234-9999");
    let id = called(&people.kim, call).await?;
    cancel(&people.kim, &id).await?.assert_booking(200, "cancelled");
    let states = ["dispatching", "cancelling", "cancelled"];
    let sent = heard(&bellhop, &id, "+821012349999", &states).await?;
    assert!(sent.iter().all(|it| it["channel"] == "sms"), "{sent:?}");

    let both = eventually("all of it is told", async || {
        let shown = people.kim.get(&format!("/bookings/{id}/messages")).await?.body;
        let shown = shown["messages"].as_array().cloned().unwrap_or_default();
        let is_told = |it: &Value| it["status"] == "delivered" || it["status"] == "failed";
        Ok((shown.len() == 6 && shown.iter().all(is_told)).then_some(shown))
    })
    .await?;
    assert_eq!(words(&both, "channel"), ["kakaotalk", "sms"].repeat(3));
    assert_eq!(words(&both, "status"), ["failed", "delivered"].repeat(3));
    assert_eq!(both[0]["error"], "not_a_user");
    Ok(())
}
