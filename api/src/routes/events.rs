//! A booking's timeline as it grows: server-sent events, each with its number as its id, so that a
//! browser that lost its connection goes on where it was (`Last-Event-ID`).

use std::{collections::VecDeque, time::Duration};

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use bellhop_domain::{event::StoredEvent, id::BookingId};
use bellhop_store::{StoreError, feed::Watch};
use futures::stream::{self, Stream};
use tokio::time::Instant;
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterIn},
    },
};

use super::commands::visible;
use crate::{
    caller::Caller,
    extract::Named,
    observe,
    openapi::header_parameter,
    problem::{Kind, Problem},
    state::{Api, StreamPlace},
    view::TimelineEvent,
};

/// For how long one stream is kept: its caller is asked for their token again.
const LONGEST: Duration = Duration::from_secs(600);

/// For how long a database that is away is waited for; whoever follows asks again.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a silent stream says that it is there, before proxies take it for dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// The header that a browser sends when it takes a stream up again.
const LAST: &str = "Last-Event-ID";

/// The number of the last event that the caller has, 0 at first.
pub(super) struct LastEvent(i64);

impl<S: Sync> FromRequestParts<S> for LastEvent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(given) = parts.headers.get(LAST) else { return Ok(Self(0)) };
        let number = given.to_str().ok().and_then(|it| it.parse().ok()).filter(|it| *it >= 0);
        let detail = "Last-Event-ID: send the id of the last event that you have, as it is";
        number.map(Self).ok_or_else(|| Problem::new(Kind::InvalidQuery, detail))
    }
}

impl IntoParams for LastEvent {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "The id of the last event that the caller has: what came after it is told.";
        vec![header_parameter(LAST, Required::False, description)]
    }
}

/// Tells a booking's events, those that happened after `Last-Event-ID` and then each as it happens.
/// Ends when the process does, or after ten minutes: to go on, ask again.
#[utoipa::path(
    get, path = "/bookings/{id}/events",
    params(LastEvent),
    responses((status = 200, content_type = "text/event-stream", body = TimelineEvent))
)]
pub(super) async fn follow(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<BookingId>,
    LastEvent(last): LastEvent,
) -> Result<impl IntoResponse, Problem> {
    observe::about(&id);
    let watch = api.watch(&id);
    visible(&api, &caller, &id).await?;
    let _place = api.take_stream(&caller.subject)?;
    let until = Instant::now() + LONGEST;
    let follower = Follower { api, caller, id, watch, last, read: VecDeque::new(), until, _place };
    Ok(Sse::new(follower.events()).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)))
}

/// Somebody who follows a booking.
struct Follower {
    api: Api,
    caller: Caller,
    id: BookingId,
    watch: Watch,
    /// The number of the last event that was read for them.
    last: i64,
    /// What was read and not told yet.
    read: VecDeque<StoredEvent>,
    until: Instant,
    _place: StreamPlace,
}

impl Follower {
    /// The events until the stream's time is over, or until nothing more can be read: whoever follows
    /// asks again, and hears then what is the matter.
    fn events(self) -> impl Stream<Item = Result<Event, axum::Error>> {
        stream::unfold(self, |mut it| async move {
            let event = it.next().await?;
            let sent = Event::default().id(event.seq.to_string());
            let sent = sent.event(event.event.event.kind());
            Some((sent.json_data(TimelineEvent::from(event)), it))
        })
    }

    async fn next(&mut self) -> Option<StoredEvent> {
        while self.read.is_empty() {
            let events = self.more().await;
            let ends = |error: &StoreError| {
                tracing::warn!(booking.id = %self.id, %error, "a stream ends");
            };
            let events = events.inspect_err(ends).ok()??;
            self.last = events.last()?.seq;
            self.read.extend(events);
        }
        self.read.pop_front()
    }

    /// The events that came since the last; `None` once the stream is over.
    async fn more(&mut self) -> Result<Option<Vec<StoredEvent>>, StoreError> {
        let last = self.last;
        while Instant::now() < self.until && !self.api.is_draining() {
            let soon = self.until.min(Instant::now() + PATIENCE);
            let row = self.api.until(&mut self.watch, |it| it.view.seq > last, soon).await?;
            match row {
                // Who drives a booking no more hears no more of it.
                Some(row) if !self.caller.may_see(&row) => return Ok(None),
                Some(_) => return self.api.store().timeline_after(&self.id, last).await.map(Some),
                None => {}
            }
        }
        Ok(None)
    }
}
