//! What a booking of these tests has to itself: a pool that nobody else holds from, or a place so far
//! away that nobody else is served there, with its own people.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::ensure;
use bellhop_tests::{
    desk::{a_driver, a_taxi, a_visit},
    stack::eventually,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::users::Users;

/// What is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trade {
    Taxi,
    Driver,
    Visit,
    Cleaning,
    Coffee,
}

/// The ground of one booking.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    pub(crate) trade: Trade,
    /// Part of every id on it.
    pub(crate) key: String,
    /// How many people are there, the first one nearest.
    people: u32,
    /// Degrees north and east.
    place: (f64, f64),
}

/// Whose all of it is: the company whose manager is `dev-manager`.
const COMPANY: &str = "com_mapo";

/// A degree along a meridian, in metres.
const DEGREE: f64 = 111_195.0;

impl Ground {
    /// Ground for what goes by `key`. It is there once it is laid.
    pub(crate) fn new(trade: Trade, key: &str, people: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // South of the equator, and farther apart than anybody is looked for at first.
        let (row, column) = (f64::from(number / 80), f64::from(number % 80));
        let place = (-60.0 + 0.5 * row, -170.0 + 4.0 * column);
        Self { trade, key: key.to_owned(), people, place }
    }

    /// Lays it: places for `capacity` bookings, or the people.
    pub(crate) async fn lay(&self, users: &Users, capacity: u32) -> anyhow::Result<()> {
        if self.pool().is_some() {
            return self.offer(users, "", self.price(), capacity, true).await;
        }
        for number in 0..self.people {
            let nearest = self.person(number);
            self.bring(users, &nearest, 100.0 * f64::from(number + 1)).await?;
        }
        Ok(())
    }

    /// A request for what is here, of a service of this trade.
    pub(crate) fn request(&self, service: &str) -> Value {
        let mut request = match self.trade {
            Trade::Taxi => a_taxi("tok_ok"),
            Trade::Driver => a_driver("automatic"),
            Trade::Visit => a_visit(Some("tok_ok")),
            Trade::Cleaning => json!({
                "customer": {"name": "Kim", "phone": "010-1234-5678"},
                "starts_at": Timestamp::now() + SignedDuration::from_hours(26),
                "payment": {"token": "tok_ok"},
            }),
            Trade::Coffee => json!({
                "customer": {"name": "Kim", "phone": "010-1234-5678"},
                "options": {"product": self.key},
                "quantity": 1,
                "payment": {"token": "tok_ok"},
            }),
        };
        request["service"] = json!(service);
        match self.trade {
            Trade::Taxi => request["options"]["grade"] = json!(self.key),
            Trade::Visit => request["exhibition_id"] = json!(self.pool()),
            Trade::Coffee => {}
            Trade::Driver | Trade::Cleaning => {
                let (lat, lon) = self.place;
                request["place"] = json!({"address": "먼 곳", "lat": lat, "lon": lon});
            }
        }
        request
    }

    /// The price of what is here, which those who drive agree on with the customer.
    pub(crate) fn price(&self) -> i64 {
        match self.trade {
            Trade::Taxi => 9_800,
            Trade::Driver => 25_000,
            Trade::Visit => 12_000,
            Trade::Cleaning => 60_000,
            Trade::Coffee => 4_500,
        }
    }

    /// The kind of its pool, where it has one.
    fn kind(&self) -> Option<&'static str> {
        match self.trade {
            Trade::Taxi => Some("taxi"),
            Trade::Visit => Some("exhibition"),
            Trade::Coffee => Some("product"),
            Trade::Driver | Trade::Cleaning => None,
        }
    }

    fn pool(&self) -> Option<String> {
        Some(format!("{}_{}", self.kind()?, self.key))
    }

    /// Registers its pool anew, or another beside it that bookings may hold from as well.
    pub(crate) async fn offer(
        &self,
        users: &Users,
        beside: &str,
        price: i64,
        capacity: u32,
        is_open: bool,
    ) -> anyhow::Result<()> {
        let (Some(kind), Some(id)) = (self.kind(), self.pool()) else { return Ok(()) };
        let is_visit = self.trade == Trade::Visit;
        let pool = json!({
            "kind": kind, "company": COMPANY, "name": format!("{kind} for {price}"),
            "variant": (!is_visit).then_some(&self.key), "open": is_open,
            "starts_at": is_visit.then_some("2099-01-01T10:00:00+09:00"),
            "price": {"minor": price, "currency": "KRW"}, "capacity": capacity,
        });
        users.put("dev-manager", &format!("/pools/{id}{beside}"), pool).await.map(drop)
    }

    /// Who is there, the nearest first.
    pub(crate) fn person(&self, number: u32) -> String {
        format!("{}-{number}", self.key)
    }

    /// Registers somebody who is so many metres away, and free.
    pub(crate) async fn bring(&self, users: &Users, id: &str, metres: f64) -> anyhow::Result<()> {
        let (many, skills) = match self.trade {
            Trade::Driver => ("drivers", json!(["automatic"])),
            _ => ("cleaners", json!([])),
        };
        let person = json!({
            "company": COMPANY, "name": format!("somebody {metres} m away"), "skills": skills,
            "phone": "010-3000-1001", "language": "en",
        });
        users.put("dev-operator", &format!("/{many}/{id}"), person).await?;
        let to = json!({"lat": self.place.0 + metres / DEGREE, "lon": self.place.1});
        users.put("dev-operator", &format!("/staff/{id}/location"), to).await?;
        self.set_available(users, id, true).await
    }

    pub(crate) async fn set_available(
        &self,
        users: &Users,
        id: &str,
        available: bool,
    ) -> anyhow::Result<()> {
        let set = json!({ "available": available });
        users.put("dev-operator", &format!("/staff/{id}/availability"), set).await.map(drop)
    }

    /// Checks that so many are used up for good.
    pub(crate) async fn is_used(&self, users: &Users, used: u32) -> anyhow::Result<()> {
        let Some(id) = self.pool() else { return Ok(()) };
        let pool = users.get("dev-operator", &format!("/pools/{id}")).await?.body;
        ensure!(pool["taken"] == used, "{used} are to be used up: {pool:#}");
        Ok(())
    }

    /// Checks that nothing but what is used up is missing, and that everybody is free.
    pub(crate) async fn is_left(&self, users: &Users, used: u32) -> anyhow::Result<()> {
        self.is_used(users, used).await?;
        if let Some(id) = self.pool() {
            let pool = users.get("dev-operator", &format!("/pools/{id}")).await?.body;
            ensure!(pool["held"] == 0, "nothing is held any more: {pool:#}");
        }
        for number in 0..self.people {
            let path = format!("/staff/{}", self.person(number));
            let person = users.get("dev-operator", &path).await?.body;
            ensure!(person["busy"] == false, "somebody is to be free: {person:#}");
        }
        Ok(())
    }

    /// How the world changes while nobody looks: another customer takes what is free, what is sold
    /// costs otherwise and is sold no more, and something cheaper appears.
    pub(crate) async fn resell(
        &self,
        users: &Users,
        service: &str,
        is_free: bool,
    ) -> anyhow::Result<()> {
        let rival = users.desk("dev-customer-lee").book(self.request(service)).await?;
        ensure!(rival.status == 201 || !is_free, "the place is free again: {rival:?}");
        // What is left of a product is counted anew.
        let capacity = if self.trade == Trade::Coffee { 3 } else { 1 };
        self.offer(users, "", self.price() + 2_200, capacity, false).await?;
        match self.trade {
            Trade::Visit => Ok(()), // visitors name their exhibition
            _ => self.offer(users, "-cheaper", 4_000, 1, true).await,
        }
    }

    /// The same where people serve: the nearest has other work and does not take more, and, if they
    /// may, somebody nearer is free.
    pub(crate) async fn move_people(
        &self,
        users: &Users,
        service: &str,
        is_free: bool,
        may_come: bool,
    ) -> anyhow::Result<()> {
        if is_free {
            let rival = users.desk("dev-customer-lee").book(self.request(service)).await?.id()?;
            eventually("the nearest is free again", async || {
                let rival = users.get("dev-operator", &format!("/bookings/{rival}")).await?.body;
                let found = ["assignment", "offer"].map(|it| rival[it]["subject"].is_string());
                Ok(found.contains(&true).then_some(()))
            })
            .await?;
        }
        if self.people > 0 {
            self.set_available(users, &self.person(0), false).await?;
        }
        if may_come {
            self.bring(users, &format!("{}-nearer", self.key), 10.0).await?;
        }
        Ok(())
    }
}
