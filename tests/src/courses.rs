//! The courses that a booking can take, played on the real engine: what the saved histories and the
//! event budgets are made of.

mod beside;
mod play;
mod request;
mod table;

use temporalio_client::Client;
use temporalio_common::protos::temporal::api::{enums::v1::EventType, history::v1::HistoryEvent};

pub use self::{
    beside::{messages, withdrawal},
    request::services,
    table::ALL,
};
use self::{play::Play, request::Request};
use crate::{
    faults::Fault,
    history,
    stack::{Options, Stack},
};

/// A way that a booking can go, from the call to its end.
#[derive(Debug)]
pub struct Course {
    /// Its name, as its saved history is called.
    pub name: &'static str,
    /// What it needs.
    pub setting: Setting,
    request: Request,
    steps: &'static [Step],
    /// How the booking stands whenever nothing goes on by itself, and how many events its history has
    /// then. One more fails, and one less too: then write the better figure down.
    pub budget: &'static [(&'static str, usize)],
}

/// What a course needs to be different from `bellhop dev`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Nothing.
    Plain,
    /// What failed is tried again only after everything else has happened.
    Away,
    /// Only these families are tried inline.
    Inline(&'static str),
}

/// What is done next in a course. Those that say so note how the booking stands.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Somebody who serves (`drivers`, `cleaners`) is free, so many metres away.
    Staff(&'static str, f64),
    /// Books, waits until that is decided, and notes how it stands.
    Book,
    /// Books, and waits no longer than until it stands in one of these ways.
    Call(&'static [&'static str]),
    /// The manager approves; notes.
    Approve,
    /// The manager declines; notes.
    Decline,
    /// The manager tells that a stage is reached; notes.
    Advance(&'static str),
    /// Waits until the time of grace is over, and the manager tells that nobody came; notes.
    Miss,
    /// Somebody cancels; notes.
    Cancel(&'static str),
    /// The customer cancels, and waits no longer than until that is decided.
    BeginCancel,
    /// Somebody cancels in Temporal's web UI.
    CancelInTemporal,
    /// Somebody is asked, in the order in which they were put: it is waited for, and noted.
    Asked(usize),
    /// Somebody answers that they serve it; notes.
    Accept(usize),
    /// Somebody answers that they do not, or takes back that they do; notes.
    Refuse(usize),
    /// Waits until it stands so, and notes it.
    Until(&'static str),
    /// Waits until the visitor's confirmation of entry has followed, and notes that.
    Entry,
    /// The payment provider answers (`ok`) or refuses (`unavailable`).
    Provider(&'static str),
    /// Something happens to the next so many runs of an activity.
    Fault(&'static str, Fault, u32),
    /// Waits until an act on its queue has failed: what is cancelled while it is under way goes
    /// another way each time.
    RetryWaits,
    /// Waits until an activity has done its work and its answer is held.
    Held(&'static str),
    /// Lets an answer come that is held.
    LetGo(&'static str),
    /// Waits until the engine knows of no activity that is under way on a queue.
    NoneWaits,
}

/// How a booking stood, and how many events its history had then.
pub type Mark = (String, usize);

/// A course that was played.
#[derive(Debug)]
pub struct Played {
    /// The history from its first event to its last.
    pub history: Vec<HistoryEvent>,
    /// How it stood each time that nothing went on by itself.
    pub marks: Vec<Mark>,
}

impl Setting {
    /// Starts Bellhop so.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(self, program: &str) -> anyhow::Result<Stack> {
        let settings = match self {
            Self::Plain => vec![],
            // A breaker that opened would refuse the next course at the door; a retry that runs
            // while the hold expires would make its history another one each time.
            Self::Away => vec![
                ("BELLHOP_BREAKER_PAUSE_MS", "100".to_owned()),
                ("BELLHOP_RETRY_AFTER_MS", "20000".to_owned()),
            ],
            Self::Inline(families) => vec![("BELLHOP_INLINE", families.to_owned())],
        };
        let options = Options { settings, services: services(), ..Options::default() };
        Stack::start_with(program, options).await
    }
}

impl Course {
    /// The course of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|it| it.name == name)
    }

    /// The service that it books.
    pub fn service(&self) -> &'static str {
        self.request.service()
    }

    /// Plays it from the call to the end of its workflow.
    ///
    /// # Errors
    /// It goes another way.
    pub async fn play(&self, stack: &Stack, client: &Client) -> anyhow::Result<Played> {
        let mut play = Play::new(stack, client)?;
        for step in self.steps {
            play.step(*step, self.request).await?;
        }
        play.end().await
    }
}

/// A history in words, an event a line, to be read where it is not as expected.
pub fn outline(events: &[HistoryEvent]) -> String {
    let mut activities = history::activities(events).into_iter();
    let mut text = String::new();
    for event in events {
        let kind = event.event_type();
        text.push_str(&format!("{:>4} {}", event.event_id, kind.as_str_name()));
        if matches!(kind, EventType::MarkerRecorded | EventType::ActivityTaskScheduled) {
            text.push_str(&format!(" {}", activities.next().unwrap_or_default()));
        }
        text.push('\n');
    }
    text
}
