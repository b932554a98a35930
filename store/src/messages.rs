//! Messages: rows first, in the transaction of the event that they tell of; delivered later.

mod delivery;
mod staff;

pub use delivery::{DueMessage, MessageOutcome};

use bellhop_domain::{
    event::{NewEvent, StoredEvent},
    id::{BookingId, SubjectId},
    message::{Audience, Channel, MessageStatus},
    phone::Phone,
    plan::Plan,
    text::{self, Text, Unrenderable},
};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    Cursor, Page, Result, Store,
    column::{Instant, Word},
    db::{Tx, build, insert_rows, query},
    events::Told,
    page::page_by,
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
    /// Whether that is the customer, or one of the staff.
    pub audience: Audience,
    /// Who that is.
    pub subject: SubjectId,
    /// The template that it was made from.
    pub template: String,
    /// What they read.
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
        "id, booking_id, event_key, channel, recipient, audience, customer, template, body, status,
         attempts, maybe_sent_twice, gateway_id, error, created_at, changed_at"
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
                " FROM messages WHERE booking_id = $1 ORDER BY seq, audience, step"
            ),
            booking.as_str(),
        )?;
        Ok(rows.into_iter().map(MessageRow::from).collect())
    }

    /// The messages to a customer, or to one of the staff, newest first.
    ///
    /// # Errors
    /// Any database error.
    pub async fn messages_to(
        &self,
        audience: Audience,
        subject: &SubjectId,
        cursor: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<MessageRow>> {
        let mut db = self.reader().await?;
        let rows: Vec<Row> = build!(db, |sql| {
            sql.push(concat!("SELECT ", columns!(), " FROM messages WHERE customer = "));
            sql.push_bind(subject.as_str());
            sql.push(" AND audience = ").push_bind(audience.as_str());
            page_by!(sql, ("created_at", "id"), newest, cursor, limit);
        })?;
        let rows: Vec<MessageRow> = rows.into_iter().map(MessageRow::from).collect();
        Ok(Page::of(rows, limit, |it| Cursor::new(it.created_at, &it.id)))
    }
}

/// Whether anybody is told of an event.
pub(crate) fn is_told(event: &NewEvent) -> bool {
    is_told_to_customer(event) || staff::is_told(&event.event)
}

fn is_told_to_customer(event: &NewEvent) -> bool {
    event.change.is_some_and(|it| text::is_told(it.status))
}

/// Inserts what the customer and the staff are told, each over the first channel that the service
/// has to them; nothing if it has none.
pub(crate) async fn insert(
    tx: &mut Tx,
    booking: &BookingId,
    plan: &Plan,
    told: &[Told],
) -> Result<()> {
    let customer = &plan.request.customer;
    let mut rows = vec![];
    for it in told {
        if is_told_to_customer(&it.event.event) {
            let (text, subject) = (text::render(plan, &it.view), customer.id.clone());
            let to = (Audience::Customer, customer.phone.clone(), subject);
            rows.extend(New::of(booking, plan, &it.event, to, text));
        }
        if let Some((subject, reach, text)) = staff::told(tx, plan, it).await? {
            let to = (Audience::Staff, reach.phone, subject);
            rows.extend(New::of(booking, plan, &it.event, to, text));
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    insert_rows!(
        tx,
        "INSERT INTO messages (id, booking_id, event_key, seq, step, channel, recipient, audience,
                               customer, template, body, status, shard, due_at, attempts,
                               maybe_sent_twice, created_at, changed_at) ",
        &rows,
        |row, new| {
            let (event, recipient) = (new.event, new.recipient.e164());
            let at = Instant::from(event.at);
            let (status, due_at) = begin(new.channel, at);
            row.push_bind(id(booking, &event.event.key, new.channel, recipient, new.audience))
                .push_bind(booking.as_str())
                .push_bind(&event.event.key)
                .push_bind(event.seq)
                .push_bind(0_i64)
                .push_bind(new.channel.as_str())
                .push_bind(recipient)
                .push_bind(new.audience.as_str())
                .push_bind(new.subject.as_str())
                .push_bind(new.text.template)
                .push_bind(&new.text.body)
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

/// A message that is to be inserted.
struct New<'a> {
    event: &'a StoredEvent,
    audience: Audience,
    channel: Channel,
    recipient: Phone,
    subject: SubjectId,
    text: Text,
}

impl<'a> New<'a> {
    /// The message, unless the service has no channel to its audience.
    fn of(
        booking: &BookingId,
        plan: &Plan,
        event: &'a StoredEvent,
        (audience, recipient, subject): (Audience, Phone, SubjectId),
        text: Result<Text, Unrenderable>,
    ) -> Option<Self> {
        let channel = *audience.channels(&plan.service).first()?;
        match text {
            Ok(text) => Some(Self { event, audience, channel, recipient, subject, text }),
            // A defect of a template must not stop the booking.
            Err(error) => {
                tracing::error!(booking.id = %booking, ?error, "message cannot be rendered");
                None
            }
        }
    }
}

/// How a new message stands, and when it is due: what is on the customer's page is there at once.
fn begin(channel: Channel, at: Instant) -> (MessageStatus, Option<Instant>) {
    match channel {
        Channel::Page => (MessageStatus::Delivered, None),
        Channel::Sms | Channel::KakaoTalk => (MessageStatus::Due, Some(at)),
    }
}

fn id(
    booking: &BookingId,
    event_key: &str,
    channel: Channel,
    recipient: &str,
    audience: Audience,
) -> String {
    let mut name = format!("{booking}\0{event_key}\0{}\0{recipient}", channel.as_str());
    if audience == Audience::Staff {
        name.push_str("\0staff"); // who books may serve others
    }
    format!("msg_{}", Uuid::new_v5(&NAMESPACE, name.as_bytes()).simple())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    booking_id: Word<BookingId>,
    event_key: String,
    channel: Word<Channel>,
    recipient: String,
    audience: Word<Audience>,
    customer: Word<SubjectId>,
    template: String,
    body: String,
    status: Word<MessageStatus>,
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
            channel: row.channel.0,
            recipient: Phone::written(row.recipient),
            audience: row.audience.0,
            subject: row.customer.0,
            template: row.template,
            body: row.body,
            status: row.status.0,
            attempts: row.attempts,
            maybe_sent_twice: row.maybe_sent_twice,
            gateway_id: row.gateway_id,
            error: row.error,
            created_at: row.created_at.timestamp(),
            changed_at: row.changed_at.timestamp(),
        }
    }
}
