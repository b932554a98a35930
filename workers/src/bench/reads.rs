//! Reading among many bookings: one by its id, and a page of a customer's own.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use bellhop_domain::id::{BookingId, SubjectId};
use bellhop_store::Store;
use serde::Serialize;
use serde_json::Value;

use super::{
    customers::{CUSTOMER, Customers},
    load,
    report::{self, Latency},
    shape::{Service, Until},
};
use crate::stack::Ready;

/// How many requests a second each of the two reads is asked for.
const RATE: f64 = 200.0;

/// For how many seconds at most; a small database is soon read.
const LONGEST: u32 = 20;

/// How reading went.
#[derive(Debug, Serialize)]
pub(super) struct Reads {
    bookings: u32,
    rate: f64,
    seconds: u32,
    fill_seconds: f64,
    by_id: Latency,
    page: Latency,
}

impl Reads {
    /// Tells it: one JSON line on standard output, or for people.
    pub(super) fn tell(&self, as_json: bool) -> anyhow::Result<()> {
        let text = format!(
            "\n{} bookings (filled in {} s), each read {} times a second for {} s\n\
             GET /bookings/{{id}}: {}\nGET /customers/{{id}}/bookings?limit=20: {}\n",
            self.bookings, self.fill_seconds, self.rate, self.seconds, self.by_id, self.page,
        );
        report::tell(self, &text, as_json)
    }
}

/// Fills the database with `bookings` copies of one, and reads among them.
pub(super) async fn measure(bookings: u32, ready: &Ready<'_>) -> anyhow::Result<Reads> {
    let customers = Customers::stock_up(&ready.api, Service::Coffee, 10).await?;
    customers.book(Until::Completed).await?;
    let ids = customers.ids();
    let like: BookingId = ids.first().context("one is booked")?.parse()?;
    let reader: SubjectId = CUSTOMER.parse()?;
    eprintln!("filling the database with {bookings} bookings");
    let started = tokio::time::Instant::now();
    ready.hands.store.fill(&like, &reader, bookings.into()).await?;
    let fill_seconds = started.elapsed();

    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let read = |token: &str, url: String| {
        let get = http.get(url).bearer_auth(token);
        async move {
            let answer = get.send().await?;
            let (status, body) = (answer.status(), answer.json::<Value>().await?);
            ensure!(status.is_success(), "{status}: {body}");
            Ok(())
        }
    };
    let next = AtomicI64::new(0);
    // Any of them, in an order that no cache likes: steps of a prime.
    let by_id = || {
        let number = next.fetch_add(611_953, Ordering::Relaxed) % i64::from(bookings) + 1;
        read("dev-operator", format!("{}/v1/bookings/{}", ready.api, Store::filled(number)))
    };
    let mine = format!("{}/v1/customers/{CUSTOMER}/bookings?limit=20", ready.api);
    let page = || read("dev-customer", mine.clone());
    let seconds = (bookings / 1_000).clamp(1, LONGEST);
    let reads = RATE as u32 * seconds;
    load::open("warm-up", RATE, RATE as u32, by_id).await.require()?;
    let by_id = load::open("by id", RATE, reads, by_id).await;
    let page = load::open("page", RATE, reads, page).await;
    Ok(Reads {
        bookings,
        rate: RATE,
        seconds,
        fill_seconds: report::round(fill_seconds.as_secs_f64(), 1),
        by_id: Latency::of(&by_id),
        page: Latency::of(&page),
    })
}
