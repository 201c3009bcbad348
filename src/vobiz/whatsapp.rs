//! WhatsApp: messages, their statuses, and calls, as Meta reports them.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, vobiz::whatsapp::{self, Event, Whatsapp}};
//!
//! let body = r#"{"event_id":"f4c1a0d2","event_type":"message.inbound","payload":{"entry":[{"changes":[{"value":
//!     {"messages":[{"from":"919800000001","id":"wamid.1","type":"text","text":{"body":"hi"}}]}}]}]}}"#;
//! let request = Request::post("/vobiz/whatsapp").body(Bytes::from(body))?;
//! let signer = whatsapp::Signer::new("a subscription's secret")?;
//! let request = signer.sign(request, SystemTime::now());
//!
//! let delivery = Whatsapp::new("a subscription's secret")?.verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("message.inbound", Covers::Body));
//! let Event::MessageInbound(envelope) = delivery.event() else {
//!     return Err("another event".into());
//! };
//! let message = envelope.messages().next().ok_or("no message")?;
//! assert_eq!(message.from.as_deref(), Some("919800000001"));
//! assert_eq!(message.text.as_ref().and_then(|text| text.body.as_deref()), Some("hi"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An event may be sent again, with the same `event_id`. The header `X-Webhook-Event` is not signed
//! and not read.
//!
//! Pages: <https://docs.vobiz.ai/whatsapp/webhooks>,
//! <https://docs.vobiz.ai/whatsapp/webhooks/events>.

use super::body::family;
use crate::{
    Json, UnixSeconds,
    payload::{events, payload, words},
};

family! {
    /// The rules of WhatsApp callbacks: `X-Webhook-Signature: <hex>`, with the subscription's
    /// `secret`, which the API never returns.
    pub struct Whatsapp: "vobiz.whatsapp", "x-webhook-signature", "", secret: Event
}

events! {
    /// A WhatsApp callback.
    pub enum Event in "event_type" {
        /// A message was received.
        "message.inbound" => MessageInbound(Envelope) key |it| [it.event_id],
        /// The status of a message that you sent changed.
        "message.status" => MessageStatus(Envelope) key |it| [it.event_id],
        /// A call began.
        "call.connect" => CallConnect(Envelope) key |it| [it.event_id],
        /// The status of a call changed.
        "call.status_change" => CallStatusChange(Envelope) key |it| [it.event_id],
        /// A call ended.
        "call.terminate" => CallTerminate(Envelope) key |it| [it.event_id],
        _ => Unknown(Unknown),
    }
}

payload! {
    /// Vobiz's envelope around Meta's payload.
    pub struct Envelope {
        /// The event's id, the same for every delivery.
        pub event_id: Option<String>,
        /// The account, `MA_…`.
        pub account_id: Option<String>,
        /// When this happened, RFC 3339.
        pub occurred_at: Option<String>,
        /// The body of Meta's Cloud API.
        pub payload: Option<Payload>,
        ..rest
    }

    /// The body of Meta's Cloud API.
    pub struct Payload {
        /// `whatsapp_business_account`.
        pub object: Option<String>,
        /// An entry for each WhatsApp Business account.
        pub entry: Vec<Entry>,
        ..rest
    }

    /// What happened to one WhatsApp Business account.
    pub struct Entry {
        /// The account's id.
        pub id: Option<String>,
        /// The changes.
        pub changes: Vec<Change>,
        ..rest
    }

    /// One change.
    pub struct Change {
        /// What changed: `messages`, `calls`.
        pub field: Option<String>,
        /// The change itself.
        pub value: Option<Value>,
        ..rest
    }

    /// The messages, statuses or calls of a change.
    pub struct Value {
        /// The business's phone number.
        pub metadata: Option<Json>,
        /// The people that the change is about.
        pub contacts: Option<Json>,
        /// Messages that were received.
        pub messages: Vec<Message>,
        /// Statuses of messages that were sent.
        pub statuses: Vec<Status>,
        /// Calls.
        pub calls: Vec<Call>,
        ..rest
    }

    /// A message that was received. Content other than text is in [`rest`](Self::rest), under the
    /// name of its [`kind`](Self::kind).
    pub struct Message {
        /// The sender.
        pub from: Option<String>,
        /// The message's id.
        pub id: Option<String>,
        /// When it was sent.
        pub timestamp: Option<UnixSeconds>,
        /// The kind of message, such as `text`.
        pub kind: Option<String> = "type",
        /// The content of a `text`.
        pub text: Option<Text>,
        ..rest
    }

    /// The content of a text message.
    pub struct Text {
        /// The text.
        pub body: Option<String>,
        ..rest
    }

    /// The status of a message that was sent.
    pub struct Status {
        /// The message's id.
        pub id: Option<String>,
        /// The status.
        pub status: Option<MessageStatus>,
        /// When it got this status.
        pub timestamp: Option<UnixSeconds>,
        /// The recipient.
        pub recipient_id: Option<String>,
        ..rest
    }

    /// A call.
    pub struct Call {
        /// The call's id.
        pub id: Option<String>,
        /// The caller.
        pub from: Option<String>,
        /// The callee.
        pub to: Option<String>,
        /// What happened, such as `connect`.
        pub event: Option<String>,
        /// The call's state, such as `ringing` or `accepted`.
        pub status: Option<String>,
        /// Who called, such as `USER_INITIATED`.
        pub direction: Option<String>,
        /// When it happened.
        pub timestamp: Option<UnixSeconds>,
        ..rest
    }
}

impl Envelope {
    /// All messages in it.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.values().flat_map(|value| &value.messages)
    }

    /// All statuses in it.
    pub fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.values().flat_map(|value| &value.statuses)
    }

    /// All calls in it.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.values().flat_map(|value| &value.calls)
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        let entries = self.payload.iter().flat_map(|payload| &payload.entry);
        entries.flat_map(|entry| &entry.changes).filter_map(|change| change.value.as_ref())
    }
}

words! {
    /// The status of a message.
    pub enum MessageStatus {
        /// Sent.
        Sent = "sent",
        /// Delivered.
        Delivered = "delivered",
        /// Read.
        Read = "read",
        /// Not sent, or not delivered.
        Failed = "failed",
    }
}
