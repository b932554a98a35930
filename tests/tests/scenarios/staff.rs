//! People who serve bookings, each in a place that no other test looks for somebody in.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use bellhop_tests::{
    desk::{Answer, Desk, a_driver, new_key},
    stack::{Access, eventually},
};
use serde_json::{Value, json};

use crate::world::{OURS, changed, entries, words};

const DRIVER: &str = include_str!("../../../services/designated-driver.toml");

/// Metres of a degree along a meridian.
const DEGREE: f64 = 111_195.0;

/// The services that ship, and drivers who are sought in less time, or asked.
pub(crate) fn services() -> Vec<(&'static str, String)> {
    let brief = [("rounds = 20", "rounds = 3"), ("pause = \"30s\"", "pause = \"200ms\"")];
    let patient = [("rounds = 20", "rounds = 200"), ("pause = \"30s\"", "pause = \"300ms\"")];
    let asking = ("mode = \"auto\"", "mode = \"offer\"\nanswer_within = \"60s\"");
    let hurried = ("mode = \"auto\"", "mode = \"offer\"\nanswer_within = \"700ms\"");
    vec![
        ("designated-driver.toml", DRIVER.to_owned()),
        ("brief-driver.toml", variant("brief-driver", &brief)),
        ("patient-driver.toml", variant("patient-driver", &patient)),
        ("asking-driver.toml", variant("asking-driver", &[brief[0], brief[1], asking])),
        ("hurried-driver.toml", variant("hurried-driver", &[brief[0], brief[1], hurried])),
    ]
}

fn variant(id: &str, changes: &[(&str, &str)]) -> String {
    let id = format!("id = \"{id}\"");
    let id = [("id = \"designated-driver\"", id.as_str())];
    changed(DRIVER, &[&id, changes].concat())
}

/// A place far from everybody else's, and who serves there.
pub(crate) struct Town {
    pub(crate) operator: Desk,
    lat: f64,
    lon: f64,
}

/// Somebody who serves, and the phone that they are told by.
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) phone: String,
}

impl Town {
    pub(crate) fn new(bellhop: &Access) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // So far apart that no round of any service reaches the next.
        let (row, column) = (f64::from(number / 40), f64::from(number % 40));
        let operator = bellhop.desk("dev-operator");
        Self { operator, lat: -45.0 + 5.0 * row, lon: -160.0 + 8.0 * column }
    }

    fn place(&self) -> Value {
        json!({"address": "먼 곳", "lat": self.lat, "lon": self.lon})
    }

    /// A call for a driver to this place.
    pub(crate) fn call(&self, service: &str) -> Value {
        let mut request = a_driver("automatic");
        request["service"] = json!(service);
        request["place"] = self.place();
        request
    }

    /// A cleaning at this place.
    pub(crate) fn cleaning(&self, starts_at: jiff::Timestamp) -> Value {
        json!({
            "service": "home-cleaning",
            "customer": {"name": "Kim", "phone": "010-1234-5678"},
            "starts_at": starts_at,
            "place": self.place(),
            "payment": {"token": "tok_ok"},
        })
    }

    /// A free driver with an automatic gearbox, so many metres from the place.
    pub(crate) async fn driver(&self, metres: f64) -> anyhow::Result<Person> {
        self.driver_who("automatic", metres).await
    }

    /// A free driver who can drive that gearbox.
    pub(crate) async fn driver_who(&self, can: &str, metres: f64) -> anyhow::Result<Person> {
        static NEXT: AtomicU32 = AtomicU32::new(1001);
        let phone = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = format!("drv-{}", new_key());
        let person = json!({
            "company": OURS, "name": format!("Driver {id}"), "skills": [can],
            "phone": format!("010-3000-{phone}"), "language": "en",
        });
        let put = self.operator.put(&format!("/drivers/{id}"), person).await?;
        ensure!(put.status == 201, "the driver is registered: {put:?}");
        self.bring(&id, metres).await?;
        Ok(Person { id, phone: format!("+82103000{phone}") })
    }

    /// Brings somebody of the seed here, to take work.
    pub(crate) async fn bring(&self, id: &str, metres: f64) -> anyhow::Result<()> {
        let to = json!({"lat": self.lat + metres / DEGREE, "lon": self.lon});
        let moved = self.operator.put(&format!("/staff/{id}/location"), to).await?;
        ensure!(moved.status == 200, "they are here: {moved:?}");
        self.set_available(id, true).await
    }

    pub(crate) async fn set_available(&self, id: &str, available: bool) -> anyhow::Result<()> {
        let path = format!("/staff/{id}/availability");
        let set = self.operator.put(&path, json!({ "available": available })).await?;
        ensure!(set.status == 200 && set.body["available"] == available, "{set:?}");
        Ok(())
    }

    /// Whether somebody has work, or is asked to take some.
    pub(crate) async fn is_busy(&self, id: &str) -> anyhow::Result<bool> {
        let person = self.operator.get(&format!("/staff/{id}")).await?;
        person.body["busy"].as_bool().with_context(|| format!("somebody: {person:?}"))
    }

    pub(crate) async fn until_free(&self, id: &str) -> anyhow::Result<()> {
        let is_free = async || Ok((!self.is_busy(id).await?).then_some(()));
        eventually(&format!("{id} is free"), is_free).await
    }

    /// Waits until somebody is asked to serve a booking, and answers the offer's id.
    pub(crate) async fn asked(&self, id: &str, booking: &str) -> anyhow::Result<String> {
        eventually(&format!("{id} asked for {booking}"), async || {
            let offer = self.operator.booking(booking).await?["offer"].clone();
            let is_asked = offer["subject"] == id;
            Ok(is_asked.then(|| offer["id"].as_str().unwrap_or_default().to_owned()))
        })
        .await
    }
}

/// Calls, which has to be acknowledged, and answers the booking's id.
pub(crate) async fn called(desk: &Desk, request: Value) -> anyhow::Result<String> {
    crate::world::accepted(desk, request).await
}

/// Who serves a booking.
pub(crate) fn assignee(booking: &Value) -> &str {
    booking["assignment"]["subject"].as_str().unwrap_or_default()
}

/// Calls, and waits until a driver is assigned; answers the booking's id and the driver's.
pub(crate) async fn assigned(desk: &Desk, request: Value) -> anyhow::Result<(String, String)> {
    let id = called(desk, request).await?;
    let booking = desk.until(&id, &["confirmed"]).await?;
    Ok((id, assignee(&booking).to_owned()))
}

/// Accepts an offer, or tries to.
pub(crate) async fn accept(desk: &Desk, offer: &str) -> anyhow::Result<Answer> {
    desk.post(&format!("/offers/{offer}/accept"), json!({})).await
}

/// Declines an offer, or tries to.
pub(crate) async fn decline(desk: &Desk, offer: &str) -> anyhow::Result<Answer> {
    desk.post(&format!("/offers/{offer}/decline"), json!({})).await
}

/// Waits until the gateway has sent a phone exactly this of a booking, in this order.
pub(crate) async fn heard(
    bellhop: &Access,
    id: &str,
    phone: &str,
    templates: &[&str],
) -> anyhow::Result<Vec<Value>> {
    eventually(&format!("{phone} hears {templates:?} of {id}"), async || {
        let sent = entries(bellhop, "messages", id).await?;
        let sent: Vec<_> = sent.into_iter().filter(|it| it["to"] == phone).collect();
        Ok((words(&sent, "template") == templates).then_some(sent))
    })
    .await
}

/// Asserts that the database breaks no rule.
pub(crate) async fn assert_rules(operator: &Desk) -> anyhow::Result<()> {
    let report = operator.get("/invariants").await?;
    ensure!(report.body["broken"] == json!([]), "broken: {report:?}");
    Ok(())
}
