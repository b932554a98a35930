//! Commands that were given and never answered: they are given again until they are.
//!
//! Who commanded may have gone away, and workers and engine may have died after the command took
//! effect and before the engine recorded it. The engine knows a repeat by its id, so giving a command
//! once more does nothing that was not meant.

use std::time::Duration;

use bellhop_domain::id::BookingId;
use bellhop_store::StoreError;
use jiff::{SignedDuration, Timestamp};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{
    state::Api,
    temporal::{Command, NotDone},
};

/// How often unanswered commands are looked for.
const INTERVAL: Duration = Duration::from_secs(5);

/// How old a command is before it is given again: longer than any caller waits for its answer.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// How many are given again at a time; the others' turn comes with the next look.
const BATCH: u32 = 100;

impl Api {
    /// Gives every unanswered command again, for as long as it runs: drop it to stop. Every API
    /// process does; what two of them give at once is one command.
    pub async fn give_again(&self) {
        let mut looks = interval(INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            if let Err(error) = self.give_again_once().await {
                tracing::warn!(%error, "unanswered commands are not known");
            }
        }
    }

    async fn give_again_once(&self) -> Result<(), StoreError> {
        let before = Timestamp::now().saturating_sub(PATIENCE).unwrap_or(Timestamp::MIN);
        // Together: a booking whose worker died keeps each waiting for Temporal's time-out.
        let mut giving = JoinSet::new();
        for given in self.store().unanswered_commands::<Command>(before, BATCH).await? {
            let api = self.clone();
            giving.spawn(async move {
                let booking = given.booking;
                tracing::info!(booking.id = %booking, "giving a command again");
                let deadline = Instant::now() + api.settings().engine_timeout;
                // Whatever the answer is, it is written in the booking or refused for good.
                let _ = api.give(&booking, &given.id, given.command, deadline).await;
            });
        }
        while giving.join_next().await.is_some() {}
        Ok(())
    }

    /// Gives a command that is written down, and forgets it once it is answered for good.
    pub(crate) async fn give(
        &self,
        booking: &BookingId,
        id: &str,
        command: Command,
        deadline: Instant,
    ) -> Result<bellhop_workflows::command::Receipt, NotDone> {
        let answer = self.engine().command(booking, id, command, deadline).await;
        let is_final = !matches!(answer, Err(NotDone::Unknown));
        if is_final && let Err(error) = self.store().forget_command(id).await {
            // It is given once more later, which changes nothing.
            tracing::debug!(%error, "an answered command is not forgotten yet");
        }
        answer
    }
}
