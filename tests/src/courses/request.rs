//! What courses book: the services that ship, and variants that go where those go only later.

use bellhop_workers::seed::COMPANY;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::desk::{Desk, a_driver, a_taxi, a_visit, new_key};

const CALL_TAXI: &str = include_str!("../../../services/call-taxi.toml");
const COFFEE: &str = include_str!("../../../services/coffee.toml");
const DESIGNATED_DRIVER: &str = include_str!("../../../services/designated-driver.toml");
const EXHIBITION: &str = include_str!("../../../services/exhibition.toml");
const HOME_CLEANING: &str = include_str!("../../../services/home-cleaning.toml");

/// What is booked. `None` for a token pays on the spot.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request {
    Taxi {
        service: &'static str,
        token: &'static str,
    },
    /// A taxi of a grade of which a company has none.
    NoTaxi,
    Driver(&'static str),
    Cleaning(&'static str),
    Coffee(Option<&'static str>),
    Visit(Option<&'static str>),
    /// A visit to an exhibition that is about to begin.
    SoonVisit(&'static str),
}

impl Request {
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Taxi { service, .. } | Self::Driver(service) | Self::Cleaning(service) => service,
            Self::NoTaxi => "call-taxi",
            Self::Coffee(_) => "coffee",
            Self::Visit(_) => "exhibition",
            Self::SoonVisit(_) => "missed-exhibition",
        }
    }

    /// Its body, where it takes place, once there is what it books.
    pub(super) async fn body(self, operator: &Desk, place: &Value) -> anyhow::Result<Value> {
        let mut body = match self {
            Self::Taxi { token, .. } => a_taxi(token),
            Self::NoTaxi => a_taxi_of_none(operator).await?,
            Self::Driver(_) => a_driver("automatic"),
            Self::Cleaning(_) => with(json!({}), Some("tok_ok")),
            Self::Coffee(token) => with(json!({"options": {"product": "americano"}}), token),
            Self::Visit(token) => a_visit(token),
            Self::SoonVisit(token) => a_visit_soon(operator, token).await?,
        };
        if matches!(self, Self::Driver(_) | Self::Cleaning(_)) {
            body["place"] = place.clone();
        }
        body["service"] = json!(self.service());
        Ok(body)
    }
}

fn with(mut body: Value, token: Option<&str>) -> Value {
    body["customer"] = json!({"name": "Kim", "phone": "010-1234-5678"});
    if let Some(token) = token {
        body["payment"] = json!({ "token": token });
    }
    body
}

async fn a_taxi_of_none(operator: &Desk) -> anyhow::Result<Value> {
    let taxi = json!({
        "company": COMPANY, "grade": "none", "name": "none", "capacity": 0,
        "price": {"minor": 4_800, "currency": "KRW"},
    });
    let put = operator.put("/taxis/taxi_none", taxi).await?;
    anyhow::ensure!(put.status < 300, "the taxi is registered: {put:?}");
    let mut body = a_taxi("tok_ok");
    body["options"]["grade"] = json!("none");
    Ok(body)
}

async fn a_visit_soon(operator: &Desk, token: &str) -> anyhow::Result<Value> {
    let id = format!("exh_{}", new_key());
    let exhibition = json!({
        "company": COMPANY, "title": "soon", "hall": "small", "capacity": 5,
        "starts_at": Timestamp::from_second(Timestamp::now().as_second() + 3)?,
        "price": {"minor": 12_000, "currency": "KRW"},
    });
    let put = operator.put(&format!("/exhibitions/{id}"), exhibition).await?;
    anyhow::ensure!(put.status < 300, "the exhibition is registered: {put:?}");
    let mut body = a_visit(Some(token));
    body["exhibition_id"] = json!(id);
    Ok(body)
}

/// The services that ship, and their variants: name and text of their files.
pub fn services() -> Vec<(&'static str, String)> {
    let lenient = "deadline = \"2s\"\nwhen_lapsed = \"approve\"";
    let asking = "mode = \"offer\"\nanswer_within = \"60s\"";
    let hurried = "mode = \"offer\"\nanswer_within = \"2s\"";
    let brief = [("rounds = 20", "rounds = 3"), ("pause = \"30s\"", "pause = \"200ms\"")];
    let auto = "mode = \"auto\"";
    let (deadline, expires) = ("deadline = \"30m\"", "expires_after = \"15m\"");
    vec![
        ("call-taxi.toml", CALL_TAXI.to_owned()),
        ("coffee.toml", COFFEE.to_owned()),
        ("designated-driver.toml", DESIGNATED_DRIVER.to_owned()),
        ("exhibition.toml", EXHIBITION.to_owned()),
        ("home-cleaning.toml", HOME_CLEANING.to_owned()),
        variant(CALL_TAXI, "hasty-taxi.toml", &[(deadline, "deadline = \"2s\"")]),
        variant(CALL_TAXI, "lenient-taxi.toml", &[(deadline, lenient)]),
        variant(CALL_TAXI, "brief-taxi.toml", &[(expires, "expires_after = \"3s\"")]),
        variant(DESIGNATED_DRIVER, "brief-driver.toml", &brief),
        variant(DESIGNATED_DRIVER, "asking-driver.toml", &[(auto, asking)]),
        variant(DESIGNATED_DRIVER, "hurried-driver.toml", &[(auto, hurried)]),
        variant(HOME_CLEANING, "hurried-cleaning.toml", &[("within = \"4s\"", "within = \"2s\"")]),
        variant(EXHIBITION, "missed-exhibition.toml", &[("after = \"2h\"", "after = \"1s\"")]),
    ]
}

/// A service under the id that its file is called by, with other words in some places.
fn variant(text: &str, file: &'static str, changes: &[(&str, &str)]) -> (&'static str, String) {
    let id = text.lines().find(|line| line.starts_with("id = ")).expect("a service has an id");
    let ours = format!("id = \"{}\"", file.trim_end_matches(".toml"));
    let changed = changes.iter().fold(text.replacen(id, &ours, 1), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from} is there once");
        text.replace(from, to)
    });
    (file, changed)
}
