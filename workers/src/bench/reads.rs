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
use tokio_util::sync::CancellationToken;

use super::{
    customers::{CUSTOMER, Customers},
    load::{self, Load},
    report::ms,
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

#[derive(Debug, Serialize)]
struct Latency {
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    failed: usize,
}

impl Latency {
    fn of(load: &Load) -> Self {
        Self {
            p50_ms: ms(load.percentile(50.0)),
            p99_ms: ms(load.percentile(99.0)),
            max_ms: ms(load.percentile(100.0)),
            failed: load.failed,
        }
    }
}

impl Reads {
    /// Tells it: one JSON line on standard output, or for people.
    pub(super) fn tell(&self, as_json: bool) -> anyhow::Result<()> {
        let line = |what: &str, it: &Latency| {
            format!(
                "{what}: p50 {} ms, p99 {} ms, at most {} ms, {} failed\n",
                it.p50_ms, it.p99_ms, it.max_ms, it.failed
            )
        };
        let text = format!(
            "\n{} bookings (filled in {} s), each read {} times a second for {} s\n{}{}",
            self.bookings,
            self.fill_seconds,
            self.rate,
            self.seconds,
            line("GET /bookings/{id}", &self.by_id),
            line("GET /customers/{id}/bookings?limit=20", &self.page),
        );
        if as_json {
            eprintln!("{text}");
            println!("{}", serde_json::to_string(self).context("a report is JSON")?);
        } else {
            println!("{text}");
        }
        Ok(())
    }
}

/// Fills the database with `bookings` copies of one, and reads among them.
pub(super) async fn measure(
    bookings: u32,
    ready: &Ready<'_>,
    stop: &CancellationToken,
) -> anyhow::Result<Reads> {
    let customers = Customers::stock_up(&ready.api, Service::Coffee, 10).await?;
    customers.book(Until::Completed).await?;
    let ids = customers.ids();
    let like: BookingId = ids.first().context("one is booked")?.parse()?;
    let reader: SubjectId = CUSTOMER.parse()?;
    eprintln!("filling the database with {bookings} bookings");
    let started = tokio::time::Instant::now();
    let filled = tokio::select! {
        filled = ready.hands.store.fill(&like, &reader, bookings.into()) => Ok(filled?),
        () = stop.cancelled() => Err(anyhow::anyhow!("stopped before the end")),
    };
    filled?;
    let fill_seconds = started.elapsed();

    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let read = |url: String| {
        let get = http.get(url).bearer_auth("dev-customer");
        async move {
            let answer = get.send().await?;
            let (status, body) = (answer.status(), answer.json::<Value>().await?);
            ensure!(status.is_success(), "{status}: {body}");
            Ok(())
        }
    };
    let (next, mine) = (AtomicI64::new(0), i64::from(bookings / 1_000).max(1));
    // Those of the reader in an order that no cache likes: steps of a prime.
    let by_id = || {
        let number = next.fetch_add(7_919, Ordering::Relaxed) % mine + 1;
        read(format!("{}/v1/bookings/{}", ready.api, Store::filled(number)))
    };
    let page = || read(format!("{}/v1/customers/{CUSTOMER}/bookings?limit=20", ready.api));
    let seconds = (bookings / 1_000).clamp(1, LONGEST);
    let reads = RATE as u32 * seconds;
    load::open("warm-up", RATE, RATE as u32, by_id).await.require()?;
    let by_id = load::open("by id", RATE, reads, by_id).await;
    let page = load::open("page", RATE, reads, page).await;
    Ok(Reads {
        bookings,
        rate: RATE,
        seconds,
        fill_seconds: super::report::round(fill_seconds.as_secs_f64(), 1),
        by_id: Latency::of(&by_id),
        page: Latency::of(&page),
    })
}
