//! The simulator over real HTTP, on a loopback port.

mod control;
mod ledger;
mod messages;
mod payments;
mod tokens;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Once,
    time::{Duration, Instant},
};

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use super::{Options, Simulator};

/// A running simulator and a client of it. Its file goes when it is dropped.
struct Stand {
    folder: Folder,
    address: SocketAddr,
    client: Client,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<anyhow::Result<()>>,
}

/// A folder of its own, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        Folder(std::env::temp_dir().join(format!("bellhop-simulator-{}", Uuid::now_v7())))
    }

    fn options(&self) -> Options {
        Options { ledger: self.0.join("some/where/ledger.jsonl") }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What came back: status, whether it was a replay, body (null when empty).
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    status: u16,
    replayed: bool,
    body: Value,
}

impl Heard {
    fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
    }
}

impl Stand {
    async fn start() -> Stand {
        Stand::start_in(Folder::new()).await
    }

    async fn start_in(folder: Folder) -> Stand {
        static RING: Once = Once::new();
        RING.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let simulator = Simulator::open(folder.options()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(simulator.serve(listener, async {
            let _ = stopped.await;
        }));
        Stand { folder, address, client: Client::new(), stop: Some(stop), served }
    }

    /// Ends the server and starts another over the same file.
    async fn restart(self) -> Stand {
        Stand::start_in(self.stop().await).await
    }

    async fn stop(mut self) -> Folder {
        self.stop.take().unwrap().send(()).unwrap();
        drop(self.client);
        self.served.await.unwrap().unwrap();
        self.folder
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.address))
    }

    async fn get(&self, path: &str) -> Heard {
        hear(self.request(Method::GET, path)).await.unwrap()
    }

    async fn put(&self, path: &str, body: Value) -> Heard {
        hear(self.request(Method::PUT, path).json(&body)).await.unwrap()
    }

    async fn post(&self, path: &str, body: Value) -> Heard {
        hear(self.request(Method::POST, path).json(&body)).await.unwrap()
    }

    async fn keyed(&self, path: &str, key: &str, body: Value) -> Heard {
        self.try_keyed(path, key, body).await.unwrap()
    }

    async fn try_keyed(&self, path: &str, key: &str, body: Value) -> reqwest::Result<Heard> {
        hear(self.request(Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    }

    /// A call that goes on beside the test.
    fn begin(&self, path: &str, key: &str, body: Value) -> JoinHandle<reqwest::Result<Heard>> {
        let call = self.request(Method::POST, path).header("Idempotency-Key", key).json(&body);
        tokio::spawn(hear(call))
    }

    async fn pay(&self, key: &str, token: &str) -> Heard {
        self.keyed("/payments", key, payment(token, false)).await
    }

    async fn charge(&self, key: &str, token: &str) -> Heard {
        self.keyed("/payments", key, payment(token, true)).await
    }

    async fn find(&self, key: &str) -> Heard {
        self.get(&format!("/payments?key={key}")).await
    }

    async fn advance(&self, milliseconds: u64) {
        let heard = self.post("/control/clock", json!({ "advance_ms": milliseconds })).await;
        assert_eq!(heard.status, 200);
    }

    async fn mode(&self, partner: &str, mode: &str) {
        let body = json!({ "partner": partner, "mode": mode });
        assert_eq!(self.put("/control/availability", body).await.status, 200);
    }

    async fn pause(&self, operation: &str, when: &str) {
        let partner = if operation == "send" { "messages" } else { "payments" };
        let body = json!({ "partner": partner, "operation": operation, "when": when });
        let heard = self.post("/control/pause", body).await;
        assert_eq!((heard.status, heard.body), (200, json!({ "armed": true, "holding": false })));
    }

    async fn release(&self) {
        let heard = self.post("/control/release", json!({})).await;
        assert_eq!((heard.status, heard.body), (200, json!({ "armed": false, "holding": false })));
    }

    async fn until_holding(&self) {
        until(async || self.get("/control/paused").await.body["holding"] == true).await;
    }

    /// Waits until the key is being worked on.
    async fn until_in_progress(&self, key: &str) {
        until(async || self.find(key).await.status == 409).await;
    }

    async fn until_arrived(&self, operation: &str, calls: u64) {
        until(async || self.ledger().await["calls"][operation] == calls).await;
    }

    async fn ledger(&self) -> Value {
        self.get("/control/ledger").await.body
    }

    async fn count(&self, what: &str) -> usize {
        self.ledger().await[what].as_array().unwrap().len()
    }
}

fn won(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "KRW" })
}

/// The body of `POST /payments` for 9,800 won.
fn payment(token: &str, capture: bool) -> Value {
    json!({ "token": token, "amount": won(9800), "capture": capture, "reference": "bk_1" })
}

fn part(minor: i64) -> Value {
    json!({ "amount": won(minor) })
}

async fn hear(call: RequestBuilder) -> reqwest::Result<Heard> {
    let response = call.send().await?;
    let status = response.status().as_u16();
    let replayed = response.headers().get("idempotent-replayed").is_some_and(|v| v == "true");
    let body = serde_json::from_slice(&response.bytes().await?).unwrap_or(Value::Null);
    Ok(Heard { status, replayed, body })
}

async fn until(condition: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !condition().await {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
