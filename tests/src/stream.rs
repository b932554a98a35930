//! Following a booking, as a browser does.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::desk::Desk;

/// A stream of server-sent events.
#[derive(Debug)]
pub struct Stream {
    response: reqwest::Response,
    /// What has come and was not read yet.
    bytes: Vec<u8>,
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Its number, by which a stream is continued.
    pub id: String,
    /// What kind of event it is.
    pub kind: String,
    /// What happened.
    pub data: Value,
}

impl Desk {
    /// Follows a booking: from its beginning, or after the event with the id `last`.
    pub async fn follow(&self, booking: &str, last: Option<&str>) -> anyhow::Result<Stream> {
        let path = format!("/bookings/{booking}/events");
        let mut request = self.request(reqwest::Method::GET, &path);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await?;
        let kind = response.headers().get("content-type").and_then(|it| it.to_str().ok());
        ensure!(kind == Some("text/event-stream"), "it is a stream: {response:?}");
        Ok(Stream { response, bytes: vec![] })
    }
}

impl Stream {
    /// The next event; `None` once the stream has ended.
    pub async fn next(&mut self) -> anyhow::Result<Option<Told>> {
        loop {
            // An end of a block is never within a character, as the end of a chunk may be.
            if let Some(end) = self.bytes.windows(2).position(|it| it == b"\n\n") {
                let block: Vec<u8> = self.bytes.drain(..end + 2).collect();
                let block = String::from_utf8(block)?;
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|it| it.split_once(": "));
                    let mut found = lines.filter(|(key, _)| *key == name);
                    found.next().map(|(_, value)| value.to_owned())
                };
                let Some(id) = field("id") else { continue }; // a sign of life
                let kind = field("event").context("it has a kind")?;
                let data = serde_json::from_str(&field("data").context("it has data")?)?;
                return Ok(Some(Told { id, kind, data }));
            }
            let Some(more) = self.response.chunk().await? else { return Ok(None) };
            self.bytes.extend_from_slice(&more);
        }
    }

    /// The events up to the first of a kind.
    pub async fn until(&mut self, kind: &str) -> anyhow::Result<Vec<Told>> {
        let mut told = vec![];
        while told.last().is_none_or(|it: &Told| it.kind != kind) {
            told.push(self.next().await?.with_context(|| format!("no {kind} came: {told:?}"))?);
        }
        Ok(told)
    }
}
