//! Booking at the API as one of its users, and judging what came of it.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, ensure};
use bellhop_domain::id::{BookingId, SubjectId};
use serde_json::{Value, json};

use crate::{described, stack::eventually};

/// One user's access to the API.
#[derive(Clone, Debug)]
pub struct Desk {
    http: reqwest::Client,
    api: String,
    token: String,
}

/// What the API answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The JSON body; null when there is none.
    pub body: Value,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
}

impl Answer {
    /// The id of the booking, also where it was refused.
    pub fn id(&self) -> anyhow::Result<String> {
        let id = self.body["id"].as_str().or(self.body["booking_id"].as_str());
        Ok(id.with_context(|| format!("a booking id in {self:?}"))?.to_owned())
    }

    /// Asserts that it is a booking in a state.
    #[track_caller]
    pub fn assert_booking(&self, status: u16, state: &str) {
        assert_eq!((self.status, self.body["status"].as_str()), (status, Some(state)), "{self:?}");
    }

    /// Asserts that it is a problem (RFC 9457) with a code, and that a caller who is put off hears
    /// when to come back.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        assert_eq!(self.body["status"], status, "{self:?}");
        let header = |name: &str| self.headers.get(name).map(String::as_str);
        assert_eq!(header("content-type"), Some("application/problem+json"), "{self:?}");
        let is_put_off = matches!(status, 429 | 503);
        let retry_after = header("retry-after").and_then(|it| it.parse::<u32>().ok());
        assert_eq!(retry_after.is_some(), is_put_off, "{self:?}");
    }

    /// Whether it says that it answers a repeat.
    pub fn is_replay(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|it| it == "true")
    }
}

/// A key that no other request of this test process has.
pub fn new_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("key-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A request for a prime taxi, paid with `token`.
pub fn a_taxi(token: &str) -> Value {
    json!({
        "service": "call-taxi",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "options": {"grade": "prime"},
        "starts_at": "2030-12-24T18:00:00+09:00",
        "place": {"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236},
        "quantity": 1,
        "payment": {"token": token},
    })
}

/// A call for a designated driver to Mapo.
pub fn a_driver(gearbox: &str) -> Value {
    json!({
        "service": "designated-driver",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "options": {"gearbox": gearbox},
        "agreed_cost": {"minor": 25_000, "currency": "KRW"},
        "place": {"address": "서울 마포구", "lat": 37.5563, "lon": 126.9236},
    })
}

/// A request for a place at the exhibition of the seed, paid with `token` or at the museum.
pub fn a_visit(token: Option<&str>) -> Value {
    let mut visit = json!({
        "service": "exhibition",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "exhibition_id": bellhop_workers::seed::EXHIBITION,
        "quantity": 1,
    });
    if let Some(token) = token {
        visit["payment"] = json!({ "token": token });
    }
    visit
}

/// The id of the booking that `dev-customer` makes with `key`.
pub fn booking_id(key: &str) -> anyhow::Result<String> {
    let customer: SubjectId = "cus_kim".parse()?;
    Ok(BookingId::from_key(&customer, key).to_string())
}

impl Desk {
    pub(crate) fn new(http: reqwest::Client, api: String, token: &str) -> Self {
        Self { http, api, token: token.to_owned() }
    }

    /// Reads a path below `/v1`.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(reqwest::Method::GET, path)).await
    }

    /// Puts a path below `/v1`.
    pub async fn put(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(self.request(reqwest::Method::PUT, path).json(&body)).await
    }

    /// Deletes a path below `/v1`.
    pub async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.request(reqwest::Method::DELETE, path)).await
    }

    /// Posts to a path below `/v1`, under a new key.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.post_as(path, &new_key(), body).await
    }

    /// Posts to a path below `/v1`, under `key`.
    pub async fn post_as(&self, path: &str, key: &str, body: Value) -> anyhow::Result<Answer> {
        self.post_within(30, path, key, body).await
    }

    /// Sends a body below `/v1` with these headers and the token only.
    pub async fn raw(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<Answer> {
        let request =
            headers.iter().fold(self.request(method, path), |it, (k, v)| it.header(*k, *v));
        self.send(request.body(body)).await
    }

    /// Posts JSON below `/v1` under `key` and waits at most so many seconds for the outcome.
    pub async fn post_within(
        &self,
        seconds: u32,
        path: &str,
        key: &str,
        body: Value,
    ) -> anyhow::Result<Answer> {
        let request = self.request(reqwest::Method::POST, path).header("Idempotency-Key", key);
        self.send(request.header("Prefer", format!("wait={seconds}")).json(&body)).await
    }

    /// Books under `key`, and waits for nothing but that it is taken.
    pub async fn post_without_waiting(&self, key: &str, body: Value) -> anyhow::Result<Answer> {
        let request = self.request(reqwest::Method::POST, "/bookings");
        let request = request.header("Idempotency-Key", key).header("Prefer", "wait=0");
        self.send(request.json(&body)).await
    }

    /// Books, under a new key.
    pub async fn book(&self, body: Value) -> anyhow::Result<Answer> {
        self.post("/bookings", body).await
    }

    /// Books a prime taxi that has to be accepted, and answers its id.
    pub async fn taxi(&self) -> anyhow::Result<String> {
        let answer = self.book(a_taxi("tok_ok")).await?;
        ensure!(answer.status == 201, "the taxi is accepted: {answer:?}");
        answer.id()
    }

    /// A booking as it is now.
    pub async fn booking(&self, id: &str) -> anyhow::Result<Value> {
        let answer = self.get(&format!("/bookings/{id}")).await?;
        ensure!(answer.status == 200, "the booking can be read: {answer:?}");
        Ok(answer.body)
    }

    /// Waits until a booking is in one of `states`.
    pub async fn until(&self, id: &str, states: &[&str]) -> anyhow::Result<Value> {
        let what = format!("{id} in {states:?}");
        eventually(&what, async || {
            let answer = self.get(&format!("/bookings/{id}")).await?;
            let state = answer.body["status"].as_str().unwrap_or_default().to_owned();
            Ok(states.contains(&state.as_str()).then_some(answer.body))
        })
        .await
    }

    /// The types of a booking's events, in their order.
    pub async fn events(&self, id: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.get(&format!("/bookings/{id}/timeline")).await?;
        let events = answer.body["events"].as_array().cloned().unwrap_or_default();
        Ok(events.iter().filter_map(|it| it["type"].as_str().map(str::to_owned)).collect())
    }

    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/v1{path}", self.api)).bearer_auth(&self.token)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        let request = request.build()?;
        let sent = request.try_clone().context("a body that can be sent again")?;
        let answer = self.http.execute(sent).await?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("").to_owned()))
            .collect();
        let body = serde_json::from_str(&answer.text().await?).unwrap_or(Value::Null);
        let answer = Answer { status, body, headers };
        // No error: tests of faults would take it for one of the network.
        if let Err(error) = described::check(&request, &answer) {
            panic!("{error:?}");
        }
        Ok(answer)
    }
}

/// Holds every payment at the provider against its booking: at most one a booking, none without a
/// booking, and of each what the booking says.
pub(crate) async fn judge(ledger: &Value, operator: &Desk) -> anyhow::Result<()> {
    let mut bookings = BTreeMap::new();
    for payment in payments(ledger)? {
        let reference = reference(payment)?;
        if !bookings.contains_key(reference) {
            bookings.insert(reference, operator.booking(reference).await?);
        }
    }
    agree(ledger, &bookings)
}

/// The judgement itself: a ledger against the bookings that it names.
fn agree(ledger: &Value, bookings: &BTreeMap<&str, Value>) -> anyhow::Result<()> {
    let mut seen = BTreeMap::new();
    for payment in payments(ledger)? {
        let reference = reference(payment)?;
        let before = seen.insert(reference, &payment["key"]);
        ensure!(before.is_none(), "{reference} is charged twice: {before:?} and {payment:#}");
        let booking = bookings.get(reference);
        let booking = booking.with_context(|| format!("no booking is behind {payment:#}"))?;
        let net = |value: &Value| {
            value["captured"].as_i64().unwrap_or(0) - value["refunded"].as_i64().unwrap_or(0)
        };
        ensure!(
            net(&booking["payment"]) == net(payment),
            "{reference} says {:#}, the provider {payment:#}",
            booking["payment"]
        );
        let ended = matches!(
            booking["status"].as_str(),
            Some("rejected" | "cancelled" | "expired" | "unfulfilled")
        );
        ensure!(
            !(ended && payment["status"] == "authorized"),
            "{reference} has ended and is still reserved for: {payment:#}"
        );
    }
    Ok(())
}

fn payments(ledger: &Value) -> anyhow::Result<&Vec<Value>> {
    ledger["payments"].as_array().context("the ledger has payments")
}

fn reference(payment: &Value) -> anyhow::Result<&str> {
    payment["reference"].as_str().context("a payment has a reference")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payment(key: &str, status: &str, captured: i64, refunded: i64) -> Value {
        json!({"reference": "bk_1", "key": key, "status": status, "captured": captured,
               "refunded": refunded})
    }

    fn judged(payments: &[Value], status: &str, captured: i64, refunded: i64) -> Option<String> {
        let paid = json!({"captured": captured, "refunded": refunded});
        let bookings = [("bk_1", json!({"status": status, "payment": paid}))].into();
        agree(&json!({ "payments": payments }), &bookings).err().map(|it| it.to_string())
    }

    #[test]
    fn the_judge_lets_pass_what_is_right() {
        assert_eq!(judged(&[], "confirmed", 0, 0), None);
        let reserved = payment("a", "authorized", 0, 0);
        assert_eq!(judged(&[reserved], "awaiting_approval", 0, 0), None);
        let refunded = payment("a", "refunded", 9_800, 9_800);
        assert_eq!(judged(&[refunded], "cancelled", 9_800, 9_800), None);
    }

    #[test]
    fn the_judge_finds_what_is_wrong() {
        let found = |payments: &[Value], status, captured, refunded| {
            judged(payments, status, captured, refunded).expect("something is wrong")
        };
        let charged = || payment("a", "captured", 9_800, 0);
        let twice = [charged(), payment("b", "captured", 9_800, 0)];
        assert!(found(&twice, "confirmed", 9_800, 0).contains("charged twice"));
        assert!(found(&[charged()], "confirmed", 4_900, 0).contains("the provider"));
        assert!(found(&[charged()], "cancelled", 0, 0).contains("the provider"));
        let reserved = [payment("a", "authorized", 0, 0)];
        assert!(found(&reserved, "expired", 0, 0).contains("still reserved"));
        let mut stray = charged();
        stray["reference"] = json!("bk_2");
        assert!(found(&[stray], "confirmed", 0, 0).contains("no booking"));
        assert!(judged(&[json!({})], "confirmed", 0, 0).is_some(), "it has no reference");
    }
}
