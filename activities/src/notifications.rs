//! The `notifications` family: delivering the messages that the journal wrote down.
#![expect(missing_docs, reason = "the marker types that the macro makes carry none")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bellhop_store::{DueMessage, MessageOutcome, Store};
use bellhop_workflows::contract::notifications::{Deliver, DeliverShard, Delivered};
use futures::{FutureExt, StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use temporalio_common::ActivityError;
use temporalio_macros::activities;
use temporalio_sdk::activities::ActivityContext;

use crate::{
    failure,
    partner::{CallError, Letter, MessagingGateway, Taken},
};

/// Activities of the `notifications` family.
pub struct NotificationActivities {
    store: Store,
    gateway: MessagingGateway,
    settings: Settings,
}

/// How messages are delivered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many messages are taken from the database at a time.
    pub batch: u32,
    /// How many of them are on their way at the same time, each of another booking.
    pub parallel: usize,
    /// How many messages one run delivers at most.
    pub at_most: u32,
    /// How long a run stays for more once nothing is due: a shard that is busy costs the engine one
    /// workflow for as long as it is, not one a message.
    pub linger: Duration,
    /// How often it looks meanwhile.
    pub look: Duration,
    /// How long the first retry of a message waits; each further one waits twice as long.
    pub retry_after: Duration,
    /// How long a retry waits at most.
    pub retry_at_most: Duration,
    /// How long a message waits when the gateway refuses our credential or our requests.
    pub misconfigured_retry: Duration,
    /// How often a sign of life is given; less than the contract's heartbeat time-out.
    pub heartbeat: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batch: 50,
            parallel: 8,
            at_most: 500,
            linger: Duration::from_secs(2),
            look: Duration::from_millis(250),
            retry_after: Duration::from_secs(1),
            retry_at_most: Duration::from_secs(300),
            misconfigured_retry: Duration::from_secs(60),
            heartbeat: Duration::from_secs(2),
        }
    }
}

impl NotificationActivities {
    /// Activities on a database and a gateway.
    pub fn new(store: Store, gateway: MessagingGateway, settings: Settings) -> Self {
        Self { store, gateway, settings }
    }
}

#[activities]
impl NotificationActivities {
    /// Sends the due messages of a shard, in order per booking, until none has been due for a while
    /// or enough are done.
    ///
    /// A repeat goes on where the first stopped. What a gateway got just before a crash is sent
    /// again under the same idempotency key. When cancelled, it finishes what is on its way.
    #[activity(definition = DeliverShard)]
    pub async fn deliver(
        self: Arc<Self>,
        ctx: ActivityContext,
        deliver: Deliver,
    ) -> Result<Delivered, ActivityError> {
        let mut messages = 0;
        let mut last_due = Instant::now();
        loop {
            if ctx.is_cancelled() {
                return Err(ActivityError::cancelled());
            }
            ctx.record_heartbeat(messages).await?;
            let limit = self.settings.batch.min(self.settings.at_most.saturating_sub(messages));
            // One more than there is time for tells whether more are due.
            let due = self.store.take_due_messages(deliver.shard, Timestamp::now(), limit.max(1));
            let due = due.await.map_err(failure::store)?;
            if limit > 0 && due.is_empty() && last_due.elapsed() < self.settings.linger {
                tokio::time::sleep(self.settings.look).await;
                continue;
            }
            if due.is_empty() || limit == 0 {
                return Ok(Delivered { messages, more: !due.is_empty() });
            }
            last_due = Instant::now();
            messages += self.send_all(&ctx, messages, due).await?;
        }
    }
}

impl NotificationActivities {
    /// Sends messages of as many bookings, giving signs of life meanwhile. Answers how many got
    /// their outcome: all, unless the activity is cancelled.
    async fn send_all(
        &self,
        ctx: &ActivityContext,
        before: u32,
        due: Vec<DueMessage>,
    ) -> Result<u32, ActivityError> {
        let sending = stream::iter(due)
            .take_until(ctx.cancelled())
            .map(|message| self.send(message).boxed())
            .buffer_unordered(self.settings.parallel.max(1));
        tokio::pin!(sending);
        let mut heartbeat = tokio::time::interval(self.settings.heartbeat);
        let mut sent = 0;
        loop {
            tokio::select! {
                done = sending.next() => match done {
                    Some(done) => { done?; sent += 1; }
                    None => return Ok(sent),
                },
                _ = heartbeat.tick() => ctx.record_heartbeat(before + sent).await?,
            }
        }
    }

    async fn send(&self, message: DueMessage) -> Result<(), ActivityError> {
        let letter = Letter {
            id: &message.id,
            booking: &message.booking,
            channel: message.channel,
            to: message.recipient.e164(),
            template: &message.template,
            text: &message.body,
        };
        let answer = self.gateway.send(letter).await;
        if let Err(error) = answer {
            tracing::warn!(
                booking.id = %message.booking,
                message.id = message.id,
                attempts = message.attempts,
                %error,
                "a message is not delivered yet"
            );
        }
        let now = Timestamp::now();
        let outcome = self.outcome(answer, message.attempts, now);
        self.store.finish_message(&message.id, &outcome, now).await.map_err(failure::store)
    }

    /// What becomes of a message. After a lost answer it is sent again, too: the gateway knows its
    /// key, and one that did not would have sent twice, which the row then says.
    fn outcome(
        &self,
        answer: Result<Taken, CallError>,
        attempts: u32,
        now: Timestamp,
    ) -> MessageOutcome {
        let backoff = self
            .settings
            .retry_after
            .saturating_mul(2_u32.saturating_pow(attempts))
            .min(self.settings.retry_at_most);
        let later = |wait: Duration| {
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
            now.saturating_add(wait).unwrap_or(Timestamp::MAX)
        };
        match answer {
            Ok(Taken::Accepted { id }) => MessageOutcome::Delivered { gateway_id: id },
            Ok(Taken::Refused { code }) => MessageOutcome::Failed { code },
            Err(CallError::Unavailable { retry_after }) => {
                let wait = retry_after.unwrap_or_default().max(backoff);
                MessageOutcome::Retry { at: later(wait), error: "unavailable".to_owned() }
            }
            Err(CallError::Unknown | CallError::InProgress) => {
                MessageOutcome::Unknown { at: later(backoff) }
            }
            Err(CallError::KeyReused | CallError::Misconfigured { .. }) => MessageOutcome::Retry {
                at: later(self.settings.misconfigured_retry.max(backoff)),
                error: "misconfigured".to_owned(),
            },
        }
    }
}
