//! The messaging gateways' one call.

use bellhop_domain::{id::BookingId, message::Channel};
use serde::Deserialize;
use serde_json::json;

use super::{Call, CallError, Http, Manner, Settings, Turned};

/// The messaging gateways: text messages and KakaoTalk, behind one address.
#[derive(Clone)]
pub struct MessagingGateway {
    http: Http,
}

/// What a gateway said to a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is on its way.
    Accepted { id: String },
    /// It will not arrive by this channel.
    Refused { code: String },
}

/// A message on its way. Without `Debug`: it tells whom and what.
pub(crate) struct Letter<'a> {
    /// The gateway's idempotency key: sending again under it sends once.
    pub(crate) id: &'a str,
    pub(crate) booking: &'a BookingId,
    pub(crate) channel: Channel,
    /// In E.164.
    pub(crate) to: &'a str,
    pub(crate) template: &'a str,
    pub(crate) text: &'a str,
}

#[derive(Deserialize)]
struct Accepted {
    id: String,
}

impl MessagingGateway {
    /// The gateways at the settings' address.
    ///
    /// # Errors
    /// When the address is none, or no HTTP client can be made.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self { http: Http::new("messages", settings, None)? })
    }

    /// Sends a message, or says why not.
    pub(crate) async fn send(&self, letter: Letter<'_>) -> Result<Taken, CallError> {
        let place = self.http.guard.enter(Manner::Queued).await.map_err(|turned| match turned {
            Turned::Away { remaining } => CallError::Unavailable { retry_after: Some(remaining) },
            Turned::Busy | Turned::NotInline => CallError::Unavailable { retry_after: None },
        })?;
        let body = json!({
            "channel": letter.channel,
            "to": letter.to,
            "template": letter.template,
            "text": letter.text,
            "reference": letter.booking,
        });
        let call = Call::post(["messages"], letter.booking, letter.id, body);
        let answer = self.http.call(&place, call).await?;
        match answer.status.as_u16() {
            202 => answer.read().map(|Accepted { id }| Taken::Accepted { id }),
            422 => Ok(Taken::Refused { code: answer.word("refused") }),
            _ => Err(CallError::unexpected(&answer)),
        }
    }
}
