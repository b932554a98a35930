//! The magic tokens.

use std::time::{Duration, Instant};

use super::{Stand, payment, until};

#[tokio::test]
async fn a_lost_answer_has_paid_and_is_lost_once() {
    let stand = Stand::start().await;
    for (key, capture) in [("a", false), ("c", true)] {
        let body = payment("tok_lost_answer", capture);
        let lost = stand.try_keyed("/payments", key, body.clone()).await.unwrap_err();
        assert!(lost.is_request() && !lost.is_timeout() && !lost.is_connect(), "{lost:?}");
        let found = stand.find(key).await;
        assert_eq!(found.status, 200);
        let repeat = stand.keyed("/payments", key, body).await;
        assert_eq!((repeat.status, repeat.replayed, repeat.body), (201, true, found.body));
    }
    assert_eq!(stand.count("payments").await, 2);
}

#[tokio::test]
async fn a_late_payment_is_not_found_until_it_appears() {
    let stand = Stand::start().await;
    let call = stand.begin("/payments", "k", payment("tok_late", true));
    stand.until_arrived("payments.charge", 1).await;
    stand.charge("k", "tok_late").await.is(409, "in_progress");
    stand.find("k").await.is(404, "not_found");
    assert_eq!(stand.count("payments").await, 0);

    stand.advance(3000).await;
    until(async || stand.find("k").await.status == 200).await;
    assert_eq!(stand.find("k").await.body["status"], "captured");
    assert!(!call.is_finished());
    let repeat = stand.charge("k", "tok_late").await;
    assert_eq!((repeat.status, repeat.replayed), (201, true));

    stand.advance(27_000).await;
    call.await.unwrap().unwrap_err();
    assert_eq!(stand.count("payments").await, 1);
}

#[tokio::test]
async fn a_late_payment_comes_though_its_client_is_gone() {
    let stand = Stand::start().await;
    let call = stand.begin("/payments", "k", payment("tok_late", false));
    stand.until_arrived("payments.authorize", 1).await;
    call.abort();
    stand.find("k").await.is(404, "not_found");
    stand.advance(3000).await;
    until(async || stand.find("k").await.status == 200).await;
}

#[tokio::test]
async fn a_slow_payment_is_in_progress_until_it_is_answered() {
    let stand = Stand::start().await;
    let call = stand.begin("/payments", "k", payment("tok_slow", false));
    stand.until_in_progress("k").await;
    stand.find("k").await.is(409, "in_progress");
    stand.pay("k", "tok_slow").await.is(409, "in_progress");
    stand.pay("k", "tok_ok").await.is(422, "key_reused");
    stand.advance(2000).await;
    stand.find("k").await.is(409, "in_progress");
    assert!(!call.is_finished());
    stand.advance(1000).await;
    let answer = call.await.unwrap().unwrap();
    assert_eq!((answer.status, answer.replayed), (201, false));
    assert_eq!(stand.find("k").await.body, answer.body);
}

#[tokio::test]
async fn a_slow_payment_takes_three_seconds() {
    let stand = Stand::start().await;
    let began = Instant::now();
    assert_eq!(stand.pay("k", "tok_slow").await.status, 201);
    assert!(began.elapsed() >= Duration::from_secs(3));
}

#[tokio::test]
async fn a_slow_payment_is_made_though_its_client_is_gone() {
    let stand = Stand::start().await;
    let call = stand.begin("/payments", "k", payment("tok_slow", true));
    stand.until_in_progress("k").await;
    call.abort();
    stand.advance(3000).await;
    until(async || stand.find("k").await.status == 200).await;
    let repeat = stand.charge("k", "tok_slow").await;
    assert_eq!((repeat.status, repeat.replayed), (201, true));
}

#[tokio::test]
async fn some_tokens_never_pay() {
    let stand = Stand::start().await;
    for _ in 0..2 {
        stand.pay("k", "tok_unavailable").await.is(503, "unavailable");
        stand.pay("k", "card").await.is(422, "invalid_token");
    }
    stand.find("k").await.is(404, "not_found");
    assert_eq!(stand.pay("k", "tok_anything").await.status, 201);
}
