//! What outlives the process.

use std::{fs, io::Write, time::Duration};

use serde_json::json;

use super::{Folder, Simulator, Stand, part, payment};

fn append(folder: &Folder, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(folder.options().ledger).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_restart_forgets_nothing_that_was_answered() {
    let stand = Stand::start().await;
    let first = stand.pay("k", "tok_ok").await;
    let id = first.id();
    stand.keyed(&format!("/payments/{id}/refund"), "r", part(1)).await.is(409, "invalid_state");
    stand.keyed(&format!("/payments/{id}/capture"), "c", part(9000)).await;
    stand.pay("d", "tok_declined").await.is(402, "card_declined");
    stand.try_keyed("/payments", "l", payment("tok_lost_answer", true)).await.unwrap_err();
    let message = json!({
        "channel": "kakaotalk", "to": "+821012345678", "template": "t", "text": "\n\"호출확정\"",
        "reference": "bk_1",
    });
    let sent = stand.keyed("/messages", "k", message.clone()).await;
    stand.advance(1000).await;
    let mut before = stand.ledger().await;
    before["calls"].take();

    let stand = stand.restart().await;
    let mut after = stand.ledger().await;
    assert_eq!(after["calls"]["payments.authorize"], 0);
    after["calls"].take();
    assert_eq!(after, before);
    assert_eq!(stand.get("/control/clock").await.body["advanced_ms"], 0);

    let repeat = stand.pay("k", "tok_ok").await;
    assert_eq!((repeat.status, repeat.replayed, repeat.body), (201, true, first.body));
    stand.charge("k", "tok_ok").await.is(422, "key_reused");
    assert!(stand.keyed(&format!("/payments/{id}/refund"), "r", part(1)).await.replayed);
    assert!(stand.pay("d", "tok_declined").await.replayed);
    assert_eq!(stand.charge("l", "tok_lost_answer").await.status, 201);
    assert_eq!(stand.find("d").await.body["status"], "declined");
    let repeat = stand.keyed("/messages", "k", message).await;
    assert_eq!((repeat.replayed, repeat.body), (true, sent.body));
    let refunded = stand.keyed(&format!("/payments/{id}/refund"), "r2", part(9000)).await;
    assert_eq!(refunded.body["status"], "refunded");
    let stand = stand.restart().await;
    assert_eq!(stand.find("k").await.body, refunded.body);
}

#[tokio::test]
async fn an_unfinished_last_line_is_dropped() {
    let stand = Stand::start().await;
    stand.pay("k", "tok_ok").await;
    let folder = stand.stop().await;
    let whole = fs::read_to_string(folder.options().ledger).unwrap();
    append(&folder, &whole.replace("\"k\"", "\"torn\"")[..whole.len() - 20]);

    let stand = Stand::start_in(folder).await;
    assert_eq!(stand.count("payments").await, 1);
    stand.find("torn").await.is(404, "not_found");
    assert_eq!(stand.pay("torn", "tok_ok").await.status, 201);
    let stand = stand.restart().await;
    assert_eq!(stand.count("payments").await, 2);
}

#[tokio::test]
async fn any_other_bad_line_is_an_error_with_its_place() {
    let stand = Stand::start().await;
    let id = stand.pay("k", "tok_ok").await.id();
    stand.keyed(&format!("/payments/{id}/void"), "v", json!({})).await;
    let folder = stand.stop().await;
    let path = folder.options().ledger;
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    for (text, line) in [
        (format!("{whole}{{\n"), 3),
        (format!("{whole}\n"), 3),
        (format!("{}\nnonsense\n{}\n", lines[0], lines[1]), 2),
        (format!("{whole}{}\n", lines[0]), 3), // the same key twice
        (format!("{}\n", lines[1]), 1),        // a void of what is not there
    ] {
        fs::write(&path, &text).unwrap();
        let error = format!("{:#}", Simulator::open(folder.options()).err().unwrap());
        assert!(error.contains(&format!("ledger.jsonl, line {line}:")), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "a bad file is left as it is");
    }
}

#[tokio::test]
async fn what_was_not_answered_when_it_stopped_did_not_happen() {
    let stand = Stand::start().await;
    stand.pause("charge", "before").await;
    let paused = stand.begin("/payments", "p", payment("tok_ok", true));
    stand.until_holding().await;
    let late = stand.begin("/payments", "l", payment("tok_late", false));
    stand.until_arrived("payments.authorize", 1).await;
    stand.mode("messages", "hang").await;
    let hung = stand.begin("/messages", "m", json!({}));
    stand.until_arrived("messages.send", 1).await;

    let stopped = tokio::time::timeout(Duration::from_secs(2), stand.stop());
    let stand = Stand::start_in(stopped.await.unwrap()).await;
    for call in [paused, late, hung] {
        call.await.unwrap().unwrap_err();
    }
    stand.find("p").await.is(404, "not_found");
    assert_eq!(stand.pay("l", "tok_ok").await.status, 201);
    assert_eq!(stand.count("payments").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_at_once_with_one_key_pay_once() {
    let stand = Stand::start().await;
    for round in 0..20 {
        let key = format!("k{round}");
        let calls: Vec<_> =
            (0..8).map(|_| stand.begin("/payments", &key, payment("tok_ok", true))).collect();
        for call in calls {
            let heard = call.await.unwrap().unwrap();
            assert!(matches!(heard.status, 201 | 409), "{heard:?}");
        }
    }
    assert_eq!(stand.count("payments").await, 20);
    let path = stand.folder.options().ledger;
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 20);
}
