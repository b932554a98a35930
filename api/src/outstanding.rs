//! What was begun and is not over: commands that are given until they are answered, and operations
//! that are started until they are done.
//!
//! Who commanded may have gone away, and workers and engine may have died after the command took
//! effect and before the engine recorded it. The engine knows a repeat by its id, so giving a command
//! once more does nothing that was not meant. A withdrawal only writes its commands down: they are
//! given here, at once.

use std::time::Duration;

use bellhop_domain::id::BookingId;
use bellhop_store::{GivenCommand, StoreError};
use bellhop_workflows::command::{Command, Receipt};
use jiff::Timestamp;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::{state::Api, temporal::NotDone};

/// How often commands are looked for that are due.
const INTERVAL: Duration = Duration::from_millis(200);

/// How many are being given at a time.
const AT_ONCE: usize = 100;

/// How often operations are looked for that are not done.
const OPERATIONS_INTERVAL: Duration = Duration::from_secs(5);

/// How many operations are looked at: the others' turn comes when these are done.
const OPERATIONS: u32 = 100;

impl Api {
    /// Looks after what is outstanding, for as long as it runs: drop it to stop. Every API process
    /// does; what two of them do at once is done once.
    pub async fn look_after(&self) {
        tokio::join!(self.give_again(), self.start_again());
    }

    async fn give_again(&self) {
        let mut looks = interval(INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Together: a booking whose worker died keeps each waiting for Temporal's time-out.
        let mut giving = JoinSet::new();
        loop {
            looks.tick().await;
            while giving.try_join_next().is_some() {}
            match self.due_commands(AT_ONCE.saturating_sub(giving.len())).await {
                Ok(due) => {
                    for given in due {
                        giving.spawn(self.clone().give_due(given));
                    }
                }
                Err(error) => tracing::warn!(%error, "due commands are not known"),
            }
        }
    }

    async fn due_commands(&self, limit: usize) -> Result<Vec<GivenCommand<Command>>, StoreError> {
        match u32::try_from(limit) {
            Ok(limit @ 1..) => self.store().take_due_commands(Timestamp::now(), limit).await,
            _ => Ok(vec![]),
        }
    }

    async fn give_due(self, given: GivenCommand<Command>) {
        let booking = given.booking;
        tracing::info!(booking.id = %booking, "giving a command that nobody waits for");
        let deadline = Instant::now() + self.settings().engine_timeout;
        // Whatever the answer is, it is written in the booking or refused for good.
        let _ = self.give(&booking, &given.id, given.command, false, deadline).await;
    }

    /// Starts the operations that are not done and do not run: their start may have been lost.
    async fn start_again(&self) {
        let mut looks = interval(OPERATIONS_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let running = match self.store().running_operations(OPERATIONS).await {
                Ok(running) => running,
                Err(error) => {
                    tracing::warn!(%error, "running operations are not known");
                    continue;
                }
            };
            for operation in running {
                if let Err(error) = self.engine().withdraw(&operation).await {
                    tracing::warn!(operation.id = %operation, %error, "not started yet");
                }
            }
        }
    }

    /// Gives a command that is written down, and forgets it once it is answered for good. That one
    /// which is not new does not get through tells nothing of what became of it before.
    pub(crate) async fn give(
        &self,
        booking: &BookingId,
        id: &str,
        command: Command,
        is_new: bool,
        deadline: Instant,
    ) -> Result<Receipt, NotDone> {
        let answer = match self.engine().command(booking, id, command, deadline).await {
            Err(NotDone::Busy(_) | NotDone::Unreachable(_)) if !is_new => Err(NotDone::Unknown),
            answer => answer,
        };
        let is_final = !matches!(answer, Err(NotDone::Unknown));
        if is_final && let Err(error) = self.store().forget_command(id).await {
            // It is given once more later, which changes nothing.
            tracing::debug!(%error, "an answered command is not forgotten yet");
        }
        answer
    }
}
