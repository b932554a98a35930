//! Whether a partner takes calls.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{refusal::Refusal, request::Partner};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    Ok,
    /// Every call is refused at once.
    Unavailable,
    /// No call is answered until the mode changes; then those that waited are refused.
    Hang,
}

pub(super) struct Availability {
    payments: watch::Sender<Mode>,
    messages: watch::Sender<Mode>,
}

impl Availability {
    pub(super) fn new() -> Availability {
        Availability {
            payments: watch::Sender::new(Mode::Ok),
            messages: watch::Sender::new(Mode::Ok),
        }
    }

    pub(super) fn set(&self, partner: Partner, mode: Mode) {
        self.of(partner).send_if_modified(|now| std::mem::replace(now, mode) != mode);
    }

    pub(super) fn mode(&self, partner: Partner) -> Mode {
        *self.of(partner).borrow()
    }

    /// Lets a call in, or refuses it, in its own time.
    pub(super) async fn admit(&self, partner: Partner) -> Result<(), Refusal> {
        match self.mode(partner) {
            Mode::Ok => return Ok(()),
            Mode::Unavailable => return Err(Refusal::Unavailable),
            Mode::Hang => {}
        }
        // Only real changes are sent: whatever comes after `hang` is another mode, even when
        // `hang` has come back by the time this wakes.
        let mut mode = self.of(partner).subscribe();
        if *mode.borrow_and_update() == Mode::Hang {
            let _ = mode.changed().await;
        }
        Err(Refusal::Unavailable)
    }

    fn of(&self, partner: Partner) -> &watch::Sender<Mode> {
        match partner {
            Partner::Payments => &self.payments,
            Partner::Messages => &self.messages,
        }
    }
}
