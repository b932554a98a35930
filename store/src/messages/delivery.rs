//! Delivering messages, in their order per booking. What a gateway answers decides what becomes of
//! a row.

use bellhop_domain::{
    id::BookingId,
    message::{Audience, Channel, MessageStatus},
    phone::Phone,
    plan::Plan,
};
use jiff::Timestamp;

use super::{Row, columns, id};
use crate::{
    Result, Store,
    column::{Instant, Json, Word},
    db::{Tx, execute, query},
};

/// A message to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueMessage {
    /// Its id, which stays the same whenever it is sent: an idempotency key for gateways.
    pub id: String,
    /// The booking that it is about.
    pub booking: BookingId,
    /// How it travels.
    pub channel: Channel,
    /// To whom.
    pub recipient: Phone,
    /// The template that it was made from.
    pub template: String,
    /// What they read.
    pub body: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// Whether an earlier try may have arrived.
    pub maybe_sent_twice: bool,
}

/// How sending a message went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageOutcome {
    /// The gateway took it.
    Delivered {
        /// The gateway's id of it.
        gateway_id: String,
    },
    /// The gateway refuses it for good.
    Failed {
        /// The gateway's code.
        code: String,
    },
    /// It did not go out.
    Retry {
        /// When to try again.
        at: Timestamp,
        /// Why it did not.
        error: String,
    },
    /// It may have gone out, and nobody can tell.
    Unknown {
        /// When to try again.
        at: Timestamp,
    },
}

/// Rows that wait for nothing but their time: no earlier row of their booking to the same person is
/// unfinished. Nobody waits for what another is told.
macro_rules! is_first {
    () => {
        "NOT EXISTS (
             SELECT 1 FROM messages AS earlier
             WHERE earlier.booking_id = messages.booking_id AND earlier.due_at IS NOT NULL
               AND (earlier.audience, earlier.customer) = (messages.audience, messages.customer)
               AND (earlier.seq, earlier.step) < (messages.seq, messages.step))"
    };
}

impl Store {
    /// The shards that have something to send now.
    ///
    /// # Errors
    /// Any database error.
    pub async fn due_shards(&self, now: Timestamp) -> Result<Vec<i16>> {
        let rows: Vec<(i64,)> = query!(
            fetch_all,
            self.reader().await?,
            concat!(
                "SELECT DISTINCT shard FROM messages WHERE due_at <= $1 AND ",
                is_first!(),
                " ORDER BY shard"
            ),
            Instant::from(now),
        )?;
        Ok(rows.into_iter().filter_map(|(shard,)| i16::try_from(shard).ok()).collect())
    }

    /// What a shard has to send now, at most one message per booking and person: the next follows
    /// once this one is finished. Nothing is claimed: a shard has one deliverer at a time.
    ///
    /// # Errors
    /// Any database error.
    pub async fn take_due_messages(
        &self,
        shard: i16,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueMessage>> {
        let rows: Vec<Row> = query!(
            fetch_all,
            self.reader().await?,
            concat!(
                "SELECT ",
                columns!(),
                " FROM messages WHERE shard = $1 AND due_at <= $2 AND ",
                is_first!(),
                " ORDER BY due_at, booking_id LIMIT $3"
            ),
            i64::from(shard),
            Instant::from(now),
            i64::from(limit),
        )?;
        Ok(rows.into_iter().map(DueMessage::from).collect())
    }

    /// Stores how sending a message went. One that failed is followed by the same over the next
    /// channel that the booking's service has to that person, before later messages to them.
    ///
    /// A message that is delivered or failed stays so, and one that is not there is none.
    ///
    /// # Errors
    /// Any database error.
    pub async fn finish_message(
        &self,
        id: &str,
        outcome: &MessageOutcome,
        now: Timestamp,
    ) -> Result<()> {
        let (status, due_at, gateway_id, error, is_unknown) = match outcome {
            MessageOutcome::Delivered { gateway_id } => {
                (MessageStatus::Delivered, None, Some(gateway_id.as_str()), None, false)
            }
            MessageOutcome::Failed { code } => {
                (MessageStatus::Failed, None, None, Some(code.as_str()), false)
            }
            MessageOutcome::Retry { at, error } => {
                (MessageStatus::Retrying, Some(*at), None, Some(error.as_str()), false)
            }
            MessageOutcome::Unknown { at } => {
                (MessageStatus::Retrying, Some(*at), None, Some("unknown"), true)
            }
        };
        let mut tx = self.begin().await?;
        let changed = execute!(
            tx,
            "UPDATE messages
             SET status = $1, due_at = $2, gateway_id = $3, error = $4,
                 maybe_sent_twice = (maybe_sent_twice OR $5), attempts = attempts + 1,
                 changed_at = $6
             WHERE id = $7 AND due_at IS NOT NULL",
            status.as_str(),
            due_at.map(Instant::from),
            gateway_id,
            error,
            is_unknown,
            Instant::from(now),
            id,
        )?;
        if changed == 1 && status == MessageStatus::Failed {
            fall_back(&mut tx, id, now).await?;
        }
        tx.commit().await
    }
}

/// Inserts the message that failed once more, over the next channel, if the service has one.
async fn fall_back(tx: &mut Tx, failed: &str, now: Timestamp) -> Result<()> {
    #[derive(sqlx::FromRow)]
    struct Failed {
        booking_id: Word<BookingId>,
        event_key: String,
        channel: String,
        recipient: String,
        audience: Word<Audience>,
        plan: Json<Plan>,
    }
    let row: Option<Failed> = query!(
        fetch_optional,
        tx,
        "SELECT booking_id, event_key, channel, recipient, audience, plan
         FROM messages JOIN bookings ON bookings.id = messages.booking_id
         WHERE messages.id = $1",
        failed,
    )?;
    let Some(row) = row else { return Ok(()) };
    let audience = row.audience.0;
    let channels = audience.channels(&row.plan.0.service);
    let next = channels.iter().skip_while(|it| it.as_str() != row.channel).nth(1);
    let Some(next) = next else { return Ok(()) };
    execute!(
        tx,
        "INSERT INTO messages (id, booking_id, event_key, seq, step, channel, recipient, audience,
                               customer, template, body, status, shard, due_at, attempts,
                               maybe_sent_twice, created_at, changed_at)
         SELECT $1, booking_id, event_key, seq, step + 1, $2, recipient, audience, customer,
                template, body, 'due', shard, $3, 0, FALSE, $3, $3
         FROM messages WHERE id = $4
         ON CONFLICT (booking_id, event_key, channel, recipient, audience) DO NOTHING",
        id(&row.booking_id.0, &row.event_key, *next, &row.recipient, audience),
        next.as_str(),
        Instant::from(now),
        failed,
    )?;
    Ok(())
}

impl From<Row> for DueMessage {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            booking: row.booking_id.0,
            channel: row.channel.0,
            recipient: Phone::written(row.recipient),
            template: row.template,
            body: row.body,
            attempts: row.attempts,
            maybe_sent_twice: row.maybe_sent_twice,
        }
    }
}
