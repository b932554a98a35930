//! Users who do not give up: each repeats a request under its key until it is answered, whatever
//! died meanwhile, and wherever Bellhop came up again.

use std::time::{Duration, Instant};

use anyhow::ensure;
use bellhop_tests::{
    desk::{Answer, Desk},
    stack::{Access, PATIENCE, Stack, eventually},
};
use serde_json::Value;
use tokio::sync::watch;

/// All users of a stack; a clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct Users(watch::Receiver<Access>);

/// Tells the users where Bellhop is now.
pub(crate) type Sign = watch::Sender<Access>;

impl Users {
    /// Users of a stack that may be started again.
    pub(crate) fn of(stack: &Stack) -> (Sign, Self) {
        let (sign, access) = watch::channel(Access::clone(stack));
        (sign, Self(access))
    }

    /// The way into Bellhop, where it is now.
    pub(crate) fn access(&self) -> Access {
        self.0.borrow().clone()
    }

    /// The desk, where it is now.
    pub(crate) fn desk(&self, token: &str) -> Desk {
        self.access().desk(token)
    }

    /// Posts under `key` until there is an answer that settles it.
    pub(crate) async fn post(
        &self,
        token: &str,
        path: &str,
        key: &str,
        body: Value,
    ) -> anyhow::Result<Answer> {
        self.again(
            |desk| {
                let (desk, path, key, body) = (desk, path.to_owned(), key.to_owned(), body.clone());
                async move { desk.post_as(&path, &key, body).await }
            },
            token,
        )
        .await
    }

    /// Puts until it is done: a repeat changes nothing.
    pub(crate) async fn put(&self, token: &str, path: &str, body: Value) -> anyhow::Result<Answer> {
        let put = |desk: Desk| {
            let body = body.clone();
            async move { desk.put(path, body).await }
        };
        let done = self.again(put, token).await?;
        ensure!(matches!(done.status, 200 | 201), "{path} is refused: {done:?}");
        Ok(done)
    }

    /// Reads until there is an answer.
    pub(crate) async fn get(&self, token: &str, path: &str) -> anyhow::Result<Answer> {
        self.again(|desk| async move { desk.get(path).await }, token).await
    }

    /// The partners' books, once they can be read.
    pub(crate) async fn ledger(&self) -> anyhow::Result<Value> {
        eventually("the ledger can be read", async || Ok(self.access().ledger().await.ok())).await
    }

    /// The types of a booking's events, in their order.
    pub(crate) async fn events(&self, id: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.get("dev-operator", &format!("/bookings/{id}/timeline")).await?;
        let events = answer.body["events"].as_array().cloned().unwrap_or_default();
        Ok(events.iter().filter_map(|it| it["type"].as_str().map(str::to_owned)).collect())
    }

    async fn again<F>(&self, ask: impl Fn(Desk) -> F, token: &str) -> anyhow::Result<Answer>
    where
        F: Future<Output = anyhow::Result<Answer>>,
    {
        let started = Instant::now();
        loop {
            let answer = ask(self.desk(token)).await;
            match answer {
                Ok(answer) if settles(answer.status) => return Ok(answer),
                answer => ensure!(started.elapsed() < 5 * PATIENCE, "never settled: {answer:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether the caller knows now what became of the request.
fn settles(status: u16) -> bool {
    !matches!(status, 202 | 429 | 500..)
}
