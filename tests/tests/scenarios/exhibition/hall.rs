//! What the tests share: an exhibition that is only one test's.

use anyhow::ensure;
use bellhop_tests::{
    desk::{Answer, Desk, new_key},
    stack::{Access, eventually},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::world::OURS;

/// An exhibition, and who looks after it.
#[derive(Clone)]
pub(crate) struct Hall {
    pub(crate) manager: Desk,
    pub(crate) id: String,
    starts_at: Timestamp,
}

impl Hall {
    /// Registers an exhibition of our museum in a month.
    pub(crate) async fn open(bellhop: &Access, price: i64, capacity: u32) -> anyhow::Result<Self> {
        Self::starting(bellhop, SignedDuration::from_hours(24 * 30), price, capacity).await
    }

    /// The same, starting in so long.
    pub(crate) async fn starting(
        bellhop: &Access,
        starts_in: SignedDuration,
        price: i64,
        capacity: u32,
    ) -> anyhow::Result<Self> {
        let id = format!("exh_{}", new_key());
        let starts_at = Timestamp::from_second((Timestamp::now() + starts_in).as_second())?;
        let hall = Self { manager: bellhop.desk("dev-manager"), id, starts_at };
        let put = hall.put(&hall.manager, hall.offer(price, capacity)).await?;
        ensure!(put.status == 201, "the exhibition is registered: {put:?}");
        Ok(hall)
    }

    /// What the museum says of it.
    pub(crate) fn offer(&self, price: i64, capacity: u32) -> Value {
        json!({
            "company": OURS, "title": "한강의 밤", "hall": "제2전시실", "starts_at": self.starts_at,
            "price": {"minor": price, "currency": "KRW"}, "capacity": capacity,
        })
    }

    /// Registers it anew, as somebody.
    pub(crate) async fn put(&self, desk: &Desk, offer: Value) -> anyhow::Result<Answer> {
        desk.put(&self.path(""), offer).await
    }

    pub(crate) fn path(&self, what: &str) -> String {
        format!("/exhibitions/{}{what}", self.id)
    }

    /// A request for places that are not paid for here.
    pub(crate) fn request(&self, quantity: u32) -> Value {
        json!({
            "service": "exhibition",
            "customer": {"name": "Kim", "phone": "010-1234-5678"},
            "exhibition_id": self.id,
            "quantity": quantity,
        })
    }

    /// The same, paid up front.
    pub(crate) fn paid(&self, quantity: u32, token: &str) -> Value {
        let mut request = self.request(quantity);
        request["payment"] = json!({ "token": token });
        request
    }

    /// Books what has to be confirmed, waits for its confirmation of entry, and answers the booking.
    pub(crate) async fn confirmed(&self, desk: &Desk, request: Value) -> anyhow::Result<Value> {
        let answer = desk.book(request).await?;
        ensure!(answer.status == 201 && answer.body["status"] == "confirmed", "{answer:?}");
        issued(desk, &answer.id()?).await
    }

    /// How many places are held, used and free.
    pub(crate) async fn places(&self) -> anyhow::Result<(i64, i64, i64)> {
        let shown = self.manager.get(&self.path("")).await?.body;
        let count = |name: &str| shown[name].as_i64().unwrap_or(-1);
        Ok((count("held"), count("taken"), count("free")))
    }

    /// Withdraws it, or tries to.
    pub(crate) async fn withdraw(&self, desk: &Desk, key: &str) -> anyhow::Result<Answer> {
        desk.post_as(&self.path("/withdraw"), key, json!({"reason": "the roof leaks"})).await
    }

    /// Withdraws it, and waits until that is done; answers the operation.
    pub(crate) async fn withdrawn(&self, desk: &Desk) -> anyhow::Result<Value> {
        let begun = self.withdraw(desk, &new_key()).await?;
        ensure!(matches!(begun.status, 200 | 202), "the withdrawal has begun: {begun:?}");
        done(desk, &begun.id()?).await
    }
}

/// Waits until a booking's confirmation of entry is issued; answers the booking.
pub(crate) async fn issued(desk: &Desk, id: &str) -> anyhow::Result<Value> {
    eventually(&format!("a confirmation of entry for {id}"), async || {
        let booking = desk.booking(id).await?;
        Ok((booking["confirmation"]["status"] == "issued").then_some(booking))
    })
    .await
}

/// Waits until an operation is done; answers it.
pub(crate) async fn done(desk: &Desk, id: &str) -> anyhow::Result<Value> {
    eventually(&format!("{id} is done"), async || {
        let operation = desk.get(&format!("/operations/{id}")).await?;
        ensure!(operation.status == 200, "the operation can be read: {operation:?}");
        Ok((operation.body["state"] == "done").then_some(operation.body))
    })
    .await
}
