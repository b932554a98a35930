//! The messaging gateways.

use serde_json::{Value, json};

use super::Stand;

fn message(channel: &str, to: &str) -> Value {
    json!({ "channel": channel, "to": to, "template": "t", "text": "hello", "reference": "bk_1" })
}

#[tokio::test]
async fn a_message_is_accepted_once_per_key() {
    let stand = Stand::start().await;
    let body = message("sms", "+821012345678");
    let first = stand.keyed("/messages", "k", body.clone()).await;
    assert_eq!((first.status, first.replayed), (202, false));
    assert!(first.id().starts_with("msg_"));
    assert_eq!(first.body["status"], "accepted");
    let repeat = stand.keyed("/messages", "k", body.clone()).await;
    assert_eq!((repeat.status, repeat.replayed, &repeat.body), (202, true, &first.body));
    let other = message("kakaotalk", "+821012345678");
    stand.keyed("/messages", "k", other).await.is(422, "key_reused");
    // The payment provider knows nothing of the gateways' keys.
    assert_eq!(stand.pay("k", "tok_ok").await.status, 201);

    let messages = stand.ledger().await["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 1);
    assert!(messages[0]["at"].is_string());
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&messages[0][field], value);
    }
    assert_eq!((&messages[0]["id"], &messages[0]["key"]), (&first.body["id"], &json!("k")));
}

#[tokio::test]
async fn some_numbers_cannot_be_reached() {
    let stand = Stand::start().await;
    for (channel, to, status, code) in [
        ("kakaotalk", "+821000009999", 422, Some("not_a_user")),
        ("sms", "+821000009999", 202, None),
        ("kakaotalk", "+821000000000", 422, Some("undeliverable")),
        ("sms", "+821000000000", 422, Some("undeliverable")),
    ] {
        let key = format!("{channel}{to}");
        for replayed in [false, true] {
            let heard = stand.keyed("/messages", &key, message(channel, to)).await;
            assert_eq!((heard.status, heard.body["code"].as_str()), (status, code));
            assert_eq!(heard.replayed, replayed);
        }
    }
    assert_eq!(stand.count("messages").await, 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let stand = Stand::start().await;
    let body = message("sms", "+821012345678");
    stand.post("/messages", body.clone()).await.is(400, "invalid_request");
    for body in [message("fax", "+821012345678"), message("sms", "01012345678"), json!({})] {
        stand.keyed("/messages", "k", body).await.is(400, "invalid_request");
    }
    assert_eq!(stand.keyed("/messages", "k", body).await.status, 202);
}

#[tokio::test]
async fn each_partner_is_away_on_its_own() {
    let stand = Stand::start().await;
    stand.mode("messages", "unavailable").await;
    let body = message("sms", "+821012345678");
    stand.keyed("/messages", "k", body.clone()).await.is(503, "unavailable");
    assert_eq!(stand.pay("p", "tok_ok").await.status, 201);
    stand.mode("messages", "ok").await;
    let heard = stand.keyed("/messages", "k", body).await;
    assert_eq!((heard.status, heard.replayed), (202, false));
}

#[tokio::test]
async fn a_message_can_be_paused() {
    let stand = Stand::start().await;
    stand.pause("send", "before").await;
    let body = message("sms", "+821012345678");
    let call = stand.begin("/messages", "k", body.clone());
    stand.until_holding().await;
    assert_eq!(stand.count("messages").await, 0);
    stand.keyed("/messages", "k", body).await.is(409, "in_progress");
    stand.release().await;
    assert_eq!(call.await.unwrap().unwrap().status, 202);
}
