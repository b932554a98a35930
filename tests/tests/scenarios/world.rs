//! What the tests share: one running Bellhop, and taxis and products that no other test counts.

use anyhow::ensure;
use bellhop_tests::{
    desk::{Answer, Desk, a_taxi, new_key},
    stack::{Access, Options, Stack, eventually},
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::PROGRAM;

/// The services that ship.
pub(crate) const CALL_TAXI: &str = include_str!("../../../services/call-taxi.toml");
pub(crate) const COFFEE: &str = include_str!("../../../services/coffee.toml");
pub(crate) const HOME_CLEANING: &str = include_str!("../../../services/home-cleaning.toml");

/// Another service that ships.
const EXHIBITION: &str = include_str!("../../../services/exhibition.toml");

/// The company whose manager is `dev-manager` and that has no taxis but those of the tests.
pub(crate) const OURS: &str = "com_hangang";

/// Everybody who has a token.
pub(crate) struct People {
    pub(crate) kim: Desk,
    pub(crate) lee: Desk,
    pub(crate) manager: Desk,
    pub(crate) driver: Desk,
    pub(crate) operator: Desk,
}

impl People {
    pub(crate) fn of(bellhop: &Access) -> Self {
        Self {
            kim: bellhop.desk("dev-customer"),
            lee: bellhop.desk("dev-customer-lee"),
            manager: bellhop.desk("dev-manager"),
            driver: bellhop.desk("dev-driver"),
            operator: bellhop.desk("dev-operator"),
        }
    }
}

/// The Bellhop that all tests share who leave its partners and settings alone. It ends with the
/// test process.
pub(crate) async fn bellhop() -> anyhow::Result<(Access, People)> {
    static SHARED: OnceCell<Stack> = OnceCell::const_new();
    let start =
        || Stack::start_with(PROGRAM, Options { services: services(), ..Options::default() });
    let bellhop = SHARED.get_or_try_init(start).await?.again()?;
    let people = People::of(&bellhop);
    Ok((bellhop, people))
}

/// The services that ship, and variants of them that go where those go only after half an hour.
pub(crate) fn services() -> Vec<(&'static str, String)> {
    let hasty = variant("hasty-taxi", &[("deadline = \"30m\"", "deadline = \"700ms\"")]);
    let hasty_exhibition = changed(
        EXHIBITION,
        &[
            ("id = \"exhibition\"", "id = \"hasty-exhibition\""),
            ("expires_after = \"15m\"", "expires_after = \"1s\""),
        ],
    );
    let mut services = vec![
        ("call-taxi.toml", CALL_TAXI.to_owned()),
        ("coffee.toml", COFFEE.to_owned()),
        ("home-cleaning.toml", HOME_CLEANING.to_owned()),
        ("exhibition.toml", EXHIBITION.to_owned()),
        ("hasty-taxi.toml", hasty),
        ("hasty-exhibition.toml", hasty_exhibition),
        ("lenient-taxi.toml", lenient_taxi()),
        ("missed-taxi.toml", missed_taxi()),
        ("costly-taxi.toml", costly_taxi()),
        ("missed-coffee.toml", missed_coffee()),
    ];
    services.extend(crate::staff::services());
    services
}

/// A taxi that is confirmed where its manager is silent.
fn lenient_taxi() -> String {
    let lapse = "deadline = \"700ms\"\nwhen_lapsed = \"approve\"";
    variant("lenient-taxi", &[("deadline = \"30m\"", lapse)])
}

/// A taxi that waits for a minute, and gives 30 % back to who does not come.
fn missed_taxi() -> String {
    let missed = "[fulfilment]\nno_show = { after = \"1m\", refund_percent = 30 }\n";
    variant("missed-taxi", &[("[fulfilment]\n", missed)])
}

/// A taxi that is booked an hour to two days ahead, and whose cancellation costs a fee.
fn costly_taxi() -> String {
    variant(
        "costly-taxi",
        &[
            ("[request]\n", "[request]\ncut_off = \"1h\"\nhorizon = \"48h\"\n"),
            ("refund_percent = 100\n", "refund_percent = 100\nfee = 1000\n"),
            ("refund_percent = 50\n", "refund_percent = 50\nfee = 1000\n"),
        ],
    )
}

/// A coffee that waits for a minute.
fn missed_coffee() -> String {
    let changes = [
        ("id = \"coffee\"", "id = \"missed-coffee\""),
        ("after = \"1h\"", "after = \"1m\", refund_percent = 100"),
    ];
    changed(COFFEE, &changes)
}

/// The call taxi under another id, with other words in some places.
pub(crate) fn variant(id: &str, changes: &[(&str, &str)]) -> String {
    let id = format!("id = \"{id}\"");
    let id = [("id = \"call-taxi\"", id.as_str())];
    changed(CALL_TAXI, &[&id, changes].concat())
}

/// A service file with other words in some places.
pub(crate) fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from} is there once");
        text.replace(from, to)
    })
}

/// A company's taxis of a grade that is only this test's.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) operator: Desk,
    pub(crate) id: String,
    pub(crate) grade: String,
    pub(crate) company: String,
}

impl Fleet {
    /// Registers taxis of a new grade.
    pub(crate) async fn register(
        bellhop: &Access,
        company: &str,
        price: i64,
        capacity: u32,
    ) -> anyhow::Result<Self> {
        let operator = bellhop.desk("dev-operator");
        Self::of_grade(operator, new_key(), company, price, capacity).await
    }

    /// Taxis at 9,800 won of the company whose manager is `dev-manager`.
    pub(crate) async fn ours(bellhop: &Access, capacity: u32) -> anyhow::Result<Self> {
        Self::register(bellhop, OURS, 9_800, capacity).await
    }

    /// Taxis of the same grade that another company has.
    pub(crate) async fn also(
        &self,
        company: &str,
        price: i64,
        capacity: u32,
    ) -> anyhow::Result<Self> {
        let (operator, grade) = (self.operator.clone(), self.grade.clone());
        Self::of_grade(operator, grade, company, price, capacity).await
    }

    async fn of_grade(
        operator: Desk,
        grade: String,
        company: &str,
        price: i64,
        capacity: u32,
    ) -> anyhow::Result<Self> {
        let (id, company) = (format!("taxi-{}", new_key()), company.to_owned());
        let fleet = Self { operator, id, grade, company };
        let put = fleet.put(&fleet.operator, fleet.offer(price, capacity)).await?;
        ensure!(put.status == 201, "the taxis are registered: {put:?}");
        Ok(fleet)
    }

    /// What the company says of its taxis.
    pub(crate) fn offer(&self, price: i64, capacity: u32) -> Value {
        json!({
            "company": self.company,
            "grade": self.grade,
            "name": "한강 택시",
            "price": {"minor": price, "currency": "KRW"},
            "capacity": capacity,
        })
    }

    /// Registers the taxis anew, as somebody.
    pub(crate) async fn put(&self, desk: &Desk, offer: Value) -> anyhow::Result<Answer> {
        desk.put(&format!("/taxis/{}", self.id), offer).await
    }

    /// A request for one of these taxis, of any company.
    pub(crate) fn request(&self, token: &str) -> Value {
        let mut request = a_taxi(token);
        request["options"]["grade"] = json!(self.grade);
        request
    }

    /// Reserves one, and answers the booking's id.
    pub(crate) async fn reserve(&self, desk: &Desk) -> anyhow::Result<String> {
        accepted(desk, self.request("tok_ok")).await
    }

    /// Reserves one and has it approved.
    pub(crate) async fn confirmed(&self, desk: &Desk) -> anyhow::Result<String> {
        let id = self.reserve(desk).await?;
        approve(&self.operator, &id).await?;
        Ok(id)
    }

    /// How many are held, taken and free.
    pub(crate) async fn stock(&self) -> anyhow::Result<(i64, i64, i64)> {
        let taxi = self.operator.get(&format!("/taxis/{}", self.id)).await?.body;
        let count = |name: &str| taxi[name].as_i64().unwrap_or(-1);
        Ok((count("held"), count("taken"), count("free")))
    }

    /// Waits until so many are held, taken and free.
    pub(crate) async fn until_stock(&self, wanted: (i64, i64, i64)) -> anyhow::Result<()> {
        eventually(&format!("a stock of {wanted:?}"), async || {
            Ok((self.stock().await? == wanted).then_some(()))
        })
        .await
    }
}

/// A company's product that is only this test's.
pub(crate) struct Shelf {
    operator: Desk,
    pub(crate) id: String,
    pub(crate) product: String,
}

impl Shelf {
    /// Puts so many cups at 4,500 won on the shelf of the company whose manager is `dev-manager`.
    pub(crate) async fn with(bellhop: &Access, stock: u32) -> anyhow::Result<Self> {
        let (operator, id) = (bellhop.desk("dev-operator"), format!("product-{}", new_key()));
        let shelf = Self { operator, id, product: new_key() };
        let put = shelf.put(&shelf.operator, shelf.offer(stock)).await?;
        ensure!(put.status == 201, "the product is registered: {put:?}");
        Ok(shelf)
    }

    /// What the company says of its product.
    pub(crate) fn offer(&self, stock: u32) -> Value {
        json!({
            "company": OURS,
            "product": self.product,
            "name": "아메리카노",
            "price": {"minor": 4_500, "currency": "KRW"},
            "stock": stock,
        })
    }

    /// Registers the product anew, as somebody.
    pub(crate) async fn put(&self, desk: &Desk, offer: Value) -> anyhow::Result<Answer> {
        desk.put(&format!("/products/{}", self.id), offer).await
    }

    /// An order of so many, paid at the counter.
    pub(crate) fn order(&self, quantity: u32) -> Value {
        json!({
            "service": "coffee",
            "customer": {"name": "Kim", "phone": "010-1234-5678"},
            "options": {"product": self.product},
            "quantity": quantity,
        })
    }

    /// The same, paid up front.
    pub(crate) fn paid_order(&self, quantity: u32) -> Value {
        let mut order = self.order(quantity);
        order["payment"] = json!({"token": "tok_ok"});
        order
    }

    /// How many are on the shelf, and how many of them no order waits for.
    pub(crate) async fn stock(&self) -> anyhow::Result<(i64, i64)> {
        let product = self.operator.get(&format!("/products/{}", self.id)).await?.body;
        let count = |name: &str| product[name].as_i64().unwrap_or(-1);
        Ok((count("stock"), count("available")))
    }

    /// Waits until so many are there and available.
    pub(crate) async fn until_stock(&self, wanted: (i64, i64)) -> anyhow::Result<()> {
        eventually(&format!("a stock of {wanted:?}"), async || {
            Ok((self.stock().await? == wanted).then_some(()))
        })
        .await
    }
}

/// A cleaning where no cleaner is near, so that none is found while a test looks.
pub(crate) fn a_cleaning(payment: Value) -> Value {
    json!({
        "service": "home-cleaning",
        "customer": {"name": "Kim", "phone": "010-1234-5678"},
        "place": {"address": "제주시 첨단로 242", "lat": 33.4507, "lon": 126.5707},
        "payment": payment,
    })
}

/// What is wrong with a request, by where it is.
pub(crate) fn pointers(answer: &Answer) -> Vec<&str> {
    let violations = answer.body["violations"].as_array().map_or(&[][..], Vec::as_slice);
    words(violations, "pointer")
}

/// Books what has to be accepted, and answers the booking's id.
pub(crate) async fn accepted(desk: &Desk, request: Value) -> anyhow::Result<String> {
    let answer = desk.book(request).await?;
    ensure!(answer.status == 201, "the booking is accepted: {answer:?}");
    answer.id()
}

/// Approves what has to be confirmed by it.
pub(crate) async fn approve(desk: &Desk, id: &str) -> anyhow::Result<Value> {
    let answer = desk.post(&format!("/approvals/{id}/approve"), json!({})).await?;
    ensure!(answer.status == 200 && answer.body["status"] == "confirmed", "{answer:?}");
    Ok(answer.body)
}

/// Declines a booking, or tries to.
pub(crate) async fn decline(desk: &Desk, id: &str) -> anyhow::Result<Answer> {
    desk.post(&format!("/approvals/{id}/decline"), json!({"reason": "no driver"})).await
}

/// Cancels a booking, or tries to.
pub(crate) async fn cancel(desk: &Desk, id: &str) -> anyhow::Result<Answer> {
    desk.post(&format!("/bookings/{id}/cancel"), json!({"reason": "changed_plans"})).await
}

/// Brings a booking to a stage, or tries to.
pub(crate) async fn advance(desk: &Desk, id: &str, to: &str) -> anyhow::Result<Answer> {
    desk.post(&format!("/bookings/{id}/advance"), json!({ "to": to })).await
}

/// What the payment provider has for a booking: reservations and charges, refusals left out.
pub(crate) async fn payments(bellhop: &Access, id: &str) -> anyhow::Result<Vec<Value>> {
    entries(bellhop, "payments", id).await
}

/// What the messaging gateway was given for a booking, in the order in which it came.
pub(crate) async fn sent(bellhop: &Access, id: &str) -> anyhow::Result<Vec<Value>> {
    entries(bellhop, "messages", id).await
}

/// What the partners' books say of a booking.
pub(crate) async fn entries(bellhop: &Access, what: &str, id: &str) -> anyhow::Result<Vec<Value>> {
    let ledger = bellhop.ledger().await?;
    let all = ledger[what].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|it| it["reference"] == id).collect())
}

/// How often the partners were called for something.
pub(crate) async fn calls(bellhop: &Access, operation: &str) -> anyhow::Result<u64> {
    Ok(bellhop.ledger().await?["calls"][operation].as_u64().unwrap_or_default())
}

/// Waits until the customer was sent the messages of these states, all of them delivered, and
/// answers how the API shows them.
pub(crate) async fn told(
    bellhop: &Access,
    id: &str,
    states: &[&str],
) -> anyhow::Result<Vec<Value>> {
    let operator = bellhop.desk("dev-operator");
    eventually(&format!("{id} told of {states:?}"), async || {
        let messages = operator.get(&format!("/bookings/{id}/messages")).await?;
        let messages = messages.body["messages"].as_array().cloned().unwrap_or_default();
        let is_told = words(&messages, "template") == states
            && messages.iter().all(|it| it["status"] == "delivered");
        Ok(is_told.then_some(messages))
    })
    .await
}

/// One member of each.
pub(crate) fn words<'a>(values: &'a [Value], member: &str) -> Vec<&'a str> {
    values.iter().map(|it| it[member].as_str().unwrap_or_default()).collect()
}

/// A booking's timeline.
pub(crate) async fn timeline(desk: &Desk, id: &str) -> anyhow::Result<Vec<Value>> {
    let answer = desk.get(&format!("/bookings/{id}/timeline")).await?;
    ensure!(answer.status == 200, "the timeline can be read: {answer:?}");
    Ok(answer.body["events"].as_array().cloned().unwrap_or_default())
}

/// All items of a list, page by page, with `limit` on a page.
pub(crate) async fn pages(desk: &Desk, path: &str, limit: usize) -> anyhow::Result<Vec<Value>> {
    let joint = if path.contains('?') { '&' } else { '?' };
    let (mut items, mut cursor) = (vec![], String::new());
    loop {
        let page = desk.get(&format!("{path}{joint}limit={limit}{cursor}")).await?;
        ensure!(page.status == 200, "the page can be read: {page:?}");
        let found = page.body["items"].as_array().cloned().unwrap_or_default();
        ensure!(found.len() <= limit, "a page of {limit} has {}", found.len());
        items.extend(found);
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(items),
        }
    }
}

/// Asks at the API's address, without a token.
pub(crate) async fn knock(bellhop: &Access, method: Method, path: &str) -> anyhow::Result<u16> {
    let answer = bellhop.http.request(method, format!("{}{path}", bellhop.api())).send().await?;
    Ok(answer.status().as_u16())
}
