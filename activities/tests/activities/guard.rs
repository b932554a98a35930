//! The bulkhead and the breaker.

use std::time::Duration;

use bellhop_store::testing::TestDb;
use jiff::Timestamp;
use serde_json::json;

use crate::stage::{Stage, booking, paid, payment, unavailable};

const PAY: &str = "POST /payments";

/// Waits for the news that the breaker spreads on its own.
async fn until_told(db: &TestDb, is_right: impl Fn(Option<Timestamp>) -> bool) {
    for _ in 0..200 {
        if is_right(db.store.partner_away_until("payments").await.unwrap()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the other processes were not told");
}

const PAUSE: Duration = Duration::from_millis(300);

async fn open_after_two() -> Stage {
    Stage::with(|settings, _| {
        settings.breaker_calls = 2;
        settings.breaker_pause = PAUSE;
    })
    .await
}

/// A stage whose breaker two refusals have opened.
async fn opened() -> Stage {
    let stage = open_after_two().await;
    for _ in 0..2 {
        stage.partner.answers(PAY, 503, unavailable());
        assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable");
    }
    stage
}

#[tokio::test]
async fn the_breaker_opens_tells_tries_once_and_closes() {
    let stage = opened().await;
    until_told(&stage.db, |until| until.is_some_and(|it| it > Timestamp::now())).await;
    let refused = stage.authorize().await.unwrap_err();
    assert_eq!((refused.kind.as_str(), refused.delay), ("unavailable", None));
    assert_eq!(stage.partner.calls().await.len(), 2, "nothing is sent while it is open");

    tokio::time::sleep(PAUSE).await;
    stage.partner.answers(PAY, 503, unavailable());
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable");
    assert_eq!(stage.partner.calls().await.len(), 3, "one call tries");
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable");
    assert_eq!(stage.partner.calls().await.len(), 3, "a failed trial opens it again");

    tokio::time::sleep(PAUSE).await;
    stage.partner.answers(PAY, 201, payment("authorized", 0, 0));
    assert_eq!(stage.authorize().await, Ok(paid()));
    until_told(&stage.db, |until| until.is_none()).await;
    assert_eq!(stage.partner.calls().await.len(), 4);
}

#[tokio::test]
async fn while_one_call_tries_the_others_begin_nothing() {
    let stage = opened().await;
    let attempts = stage.db.store.attempts_of(&booking()).await.unwrap().len();
    tokio::time::sleep(PAUSE).await;
    stage.partner.hangs(PAY);
    let other = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let turned = stage.authorize().await.unwrap_err();
        (turned.kind, stage.db.store.attempts_of(&booking()).await.unwrap().len())
    };
    let (tried, (turned, during)) = tokio::join!(stage.authorize(), other);
    assert_eq!((tried.unwrap_err().kind.as_str(), turned.as_str()), ("unknown", "unavailable"));
    assert_eq!(during, attempts + 1, "the trial is written down, and nothing else");
    assert_eq!(stage.partner.calls().await.len(), 3);
}

#[tokio::test]
async fn a_time_out_speaks_against_the_partner() {
    let stage = open_after_two().await;
    stage.partner.hangs(PAY);
    stage.partner.hangs("GET /payments");
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unknown");
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unknown");
    assert_eq!(stage.authorize().await.unwrap_err().kind, "unavailable", "the breaker is open");
}

#[tokio::test]
async fn a_no_does_not_speak_against_the_partner() {
    let stage = open_after_two().await;
    for _ in 0..4 {
        stage.partner.answers(PAY, 401, json!({}));
        assert_eq!(stage.authorize().await.unwrap_err().kind, "misconfigured");
    }
    stage.partner.answers(PAY, 402, json!({ "code": "card_declined" }));
    assert_eq!(stage.authorize().await, Ok(crate::stage::declined("card_declined")));
}

#[tokio::test]
async fn calls_wait_for_a_place_but_not_for_long() {
    let stage = Stage::with(|settings, _| {
        settings.places = 1;
        settings.timeout = Duration::from_millis(600);
    })
    .await;
    stage.partner.hangs(PAY);
    let (first, second) = tokio::join!(stage.authorize(), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.settle(0).await
    });
    assert_eq!(first.unwrap_err().kind, "unknown");
    assert_eq!(second.unwrap_err().kind, "unavailable", "its place was taken");
    stage.partner.answers("GET /payments", 200, payment("authorized", 0, 0));
    assert_eq!(stage.authorize().await, Ok(paid()), "it is free again");
}
