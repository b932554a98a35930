//! Messages: rows first, in the transaction of the event that they tell of; delivered later.

mod delivery;

pub use delivery::{DueMessage, MessageOutcome};

use std::str::FromStr;

use bellhop_domain::{
    id::{BookingId, SubjectId},
    phone::Phone,
    plan::Plan,
    text::{self, Channel},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Cursor, Page, Result, Store,
    column::{Instant, Word},
    db::{Tx, build, insert_rows, query},
    events::Told,
    page::one_more,
};

/// How many shards the bookings' messages are spread over; each has one deliverer at a time.
pub const SHARDS: i16 = 16;

/// The namespace of message ids (RFC 9562, version 5).
const NAMESPACE: Uuid = Uuid::from_u128(0x2f1d_90a4_4a3e_4c55_8b7e_60c9_7f7a_14d1);

/// The shard of a booking's messages, from 0 below [`SHARDS`]: the same in every process (FNV-1a).
pub fn shard(booking: &BookingId) -> i16 {
    let hash = booking.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    i16::try_from((hash ^ (hash >> 32)) & 0xf).unwrap_or_default()
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageStatus {
    /// It was not sent yet.
    Due,
    /// It was tried, and will be again.
    Retrying,
    /// The gateway took it.
    Delivered,
    /// It will not be sent; the next channel of the service stands in.
    Failed,
}

impl MessageStatus {
    const ALL: [Self; 4] = [Self::Due, Self::Retrying, Self::Delivered, Self::Failed];

    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A message and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Its id.
    pub id: String,
    /// The booking that it is about.
    pub booking: BookingId,
    /// The event that it tells of.
    pub event_key: String,
    /// How it travels.
    pub channel: Channel,
    /// To whom.
    pub recipient: Phone,
    /// The template that it was made from.
    pub template: String,
    /// What the customer reads.
    pub body: String,
    /// How it stands.
    pub status: MessageStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it was tried again although an earlier try may have arrived.
    pub maybe_sent_twice: bool,
    /// The gateway's id of it.
    pub gateway_id: Option<String>,
    /// Why it failed, or is tried again.
    pub error: Option<String>,
    /// When it became due.
    pub created_at: Timestamp,
    /// When it last changed.
    pub changed_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, booking_id, event_key, channel, recipient, template, body, status, attempts,
         maybe_sent_twice, gateway_id, error, created_at, changed_at"
    };
}
use columns;

impl Store {
    /// The messages of a booking, in the order in which they became due.
    ///
    /// # Errors
    /// Any database error.
    pub async fn messages_of(&self, booking: &BookingId) -> Result<Vec<MessageRow>> {
        let rows: Vec<Row> = query!(
            fetch_all,
            self.reader().await?,
            concat!(
                "SELECT ",
                columns!(),
                " FROM messages WHERE booking_id = $1 ORDER BY seq, step"
            ),
            booking.as_str(),
        )?;
        Ok(rows.into_iter().map(MessageRow::from).collect())
    }

    /// The messages to a customer, newest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn messages_of_customer(
        &self,
        customer: &SubjectId,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<MessageRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM messages WHERE customer = "));
            sql.push_bind(customer.as_str());
            if let Some(cursor) = cursor {
                sql.push(" AND (created_at, id) < (").push_bind(cursor.at());
                sql.push(", ").push_bind(cursor.id()).push(")");
            }
            sql.push(" ORDER BY created_at DESC, id DESC LIMIT ").push_bind(one_more(limit));
        })?;
        let rows: Vec<MessageRow> = rows.into_iter().map(MessageRow::from).collect();
        Ok(Page::of(rows, limit, |it| Cursor::new(it.created_at, &it.id)))
    }
}

/// Inserts what the customer is told, over the first channel of the service; nothing if it has
/// none.
pub(crate) async fn insert(
    tx: &mut Tx,
    booking: &BookingId,
    plan: &Plan,
    told: &[Told],
) -> Result<()> {
    let Some(channel) = plan.service.messages.customer.first() else { return Ok(()) };
    let customer = &plan.request.customer;
    let mut rows = Vec::with_capacity(told.len());
    for Told { event, view } in told {
        match text::render(plan, view) {
            Ok(text) => rows.push((event, text)),
            // A defect of a template must not stop the booking.
            Err(error) => {
                tracing::error!(booking.id = %booking, ?error, "message cannot be rendered");
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    insert_rows!(
        tx,
        "INSERT INTO messages (id, booking_id, event_key, seq, step, channel, recipient, customer,
                               template, body, status, shard, due_at, attempts, maybe_sent_twice,
                               created_at, changed_at) ",
        &rows,
        |row, (event, text)| {
            let at = Instant::from(event.at);
            let recipient = customer.phone.e164();
            let (status, due_at) = begin(*channel, at);
            row.push_bind(id(booking, &event.event.key, *channel, recipient))
                .push_bind(booking.as_str())
                .push_bind(&event.event.key)
                .push_bind(event.seq)
                .push_bind(0_i64)
                .push_bind(channel.as_str())
                .push_bind(recipient)
                .push_bind(customer.id.as_str())
                .push_bind(text.template)
                .push_bind(&text.body)
                .push_bind(status.as_str())
                .push_bind(i64::from(shard(booking)))
                .push_bind(due_at)
                .push_bind(0_i64)
                .push_bind(false)
                .push_bind(at)
                .push_bind(at);
        }
    )?;
    Ok(())
}

/// How a new message stands, and when it is due: what is on the customer's page is there at once.
fn begin(channel: Channel, at: Instant) -> (MessageStatus, Option<Instant>) {
    match channel {
        Channel::Page => (MessageStatus::Delivered, None),
        Channel::Sms | Channel::KakaoTalk => (MessageStatus::Due, Some(at)),
    }
}

fn id(booking: &BookingId, event_key: &str, channel: Channel, recipient: &str) -> String {
    let name = format!("{booking}\0{event_key}\0{}\0{recipient}", channel.as_str());
    format!("msg_{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).simple())
}

#[derive(Debug, thiserror::Error)]
#[error("unknown word: {0}")]
struct UnknownWord(String);

/// A channel, as it is read.
struct ReadChannel(Channel);

impl FromStr for ReadChannel {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = Channel::ALL.into_iter().find(|it| it.as_str() == word);
        found.map(Self).ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

/// A status, as it is read.
struct ReadStatus(MessageStatus);

impl FromStr for ReadStatus {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let found = MessageStatus::ALL.into_iter().find(|it| it.as_str() == word);
        found.map(Self).ok_or_else(|| UnknownWord(word.to_owned()))
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    booking_id: Word<BookingId>,
    event_key: String,
    channel: Word<ReadChannel>,
    recipient: Word<Phone>,
    template: String,
    body: String,
    status: Word<ReadStatus>,
    #[sqlx(try_from = "i64")]
    attempts: u32,
    maybe_sent_twice: bool,
    gateway_id: Option<String>,
    error: Option<String>,
    created_at: Instant,
    changed_at: Instant,
}

impl From<Row> for MessageRow {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            booking: row.booking_id.0,
            event_key: row.event_key,
            channel: row.channel.0.0,
            recipient: row.recipient.0,
            template: row.template,
            body: row.body,
            status: row.status.0.0,
            attempts: row.attempts,
            maybe_sent_twice: row.maybe_sent_twice,
            gateway_id: row.gateway_id,
            error: row.error,
            created_at: row.created_at.timestamp(),
            changed_at: row.changed_at.timestamp(),
        }
    }
}
