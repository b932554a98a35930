//! The simulator's clock: the machine's, plus what it was advanced by.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// A hundred years: enough for any test, and far from where timestamps end.
const FARTHEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

pub(super) struct Clock {
    advanced: watch::Sender<Duration>,
}

impl Clock {
    pub(super) fn new() -> Clock {
        Clock { advanced: watch::Sender::new(Duration::ZERO) }
    }

    /// The time, in whole microseconds.
    pub(super) fn now(&self) -> Timestamp {
        let now = Timestamp::now() + self.advanced();
        Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
    }

    pub(super) fn advanced(&self) -> Duration {
        *self.advanced.borrow()
    }

    /// Advances the clock and wakes all who wait for a time that has come by it. False, and no
    /// change, beyond a hundred years in all.
    pub(super) fn advance(&self, by: Duration) -> bool {
        self.advanced.send_if_modified(|advanced| {
            let sum = advanced.saturating_add(by);
            let possible = sum <= FARTHEST;
            if possible {
                *advanced = sum;
            }
            possible
        })
    }

    /// Waits for a time of this clock.
    pub(super) async fn reach(&self, time: Timestamp) {
        let mut advanced = self.advanced.subscribe();
        loop {
            // Seen before the time is read: an advance after this line wakes the wait below.
            advanced.borrow_and_update();
            let left = Duration::try_from(time.duration_since(self.now())).unwrap_or_default();
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                _ = advanced.changed() => {}
            }
        }
    }
}
