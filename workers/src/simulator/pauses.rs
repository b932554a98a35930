//! Stopping one call right before or right after its effect.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::request::Operation;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    Before,
    After,
}

pub(super) struct Pauses {
    state: Mutex<State>,
    releases: watch::Sender<()>,
}

#[derive(Default)]
struct State {
    /// What the next call to stop looks like: one at a time, taken by the first that matches.
    armed: Option<(Operation, When)>,
    held: usize,
    /// How often calls were released: who was held before the last time is held no more.
    round: u64,
}

/// `GET /control/paused`.
#[derive(Serialize)]
pub(super) struct Paused {
    armed: bool,
    holding: bool,
}

impl Pauses {
    pub(super) fn new() -> Pauses {
        Pauses { state: Mutex::default(), releases: watch::Sender::new(()) }
    }

    /// The next such call stops. A pause that was armed and not met is replaced.
    pub(super) fn arm(&self, operation: Operation, when: When) {
        self.lock().armed = Some((operation, when));
    }

    /// Lets go of all that is held, and disarms.
    pub(super) fn release(&self) {
        let mut state = self.lock();
        state.armed = None;
        state.held = 0;
        state.round += 1;
        self.releases.send_replace(());
    }

    pub(super) fn paused(&self) -> Paused {
        let state = self.lock();
        Paused { armed: state.armed.is_some(), holding: state.held > 0 }
    }

    /// The place where a call stops until it is released, if it is the one.
    pub(super) async fn pass(&self, operation: Operation, when: When) {
        let Some((_held, mut releases)) = self.take(operation, when) else { return };
        let _ = releases.changed().await;
    }

    fn take(&self, operation: Operation, when: When) -> Option<(Held<'_>, watch::Receiver<()>)> {
        let mut state = self.lock();
        state.armed.take_if(|armed| *armed == (operation, when))?;
        state.held += 1;
        // Subscribed under the lock: no release can slip in between.
        Some((Held { pauses: self, round: state.round }, self.releases.subscribe()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is stopped. It may also go because its client went.
struct Held<'a> {
    pauses: &'a Pauses,
    round: u64,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut state = self.pauses.lock();
        if state.round == self.round {
            state.held -= 1;
        }
    }
}
