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
//! let request = whatsapp::Signer::new("a subscription's secret")?.sign(request, SystemTime::now());
//!
//! let delivery = Whatsapp::new("a subscription's secret")?.verify(&request, SystemTime::now())?;
//! assert_eq!((delivery.kind(), delivery.covers()), ("message.inbound", Covers::Body));
//! let Event::MessageInbound(envelope) = delivery.event() else { panic!() };
//! let message = envelope.messages().next().unwrap();
//! assert_eq!(message.from.as_deref(), Some("919800000001"));
//! assert_eq!(message.text.as_ref().unwrap().body.as_deref(), Some("hi"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An event may be sent again, with the same `event_id`. The header `X-Webhook-Event` is not signed and not read.
//!
//! Pages: <https://docs.vobiz.ai/whatsapp/webhooks>, <https://docs.vobiz.ai/whatsapp/webhooks/events>.

use super::{body::family, object::events};
use crate::{
    Json,
    wire::{Text as Key, payload, text, words},
};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
    ser::SerializeMap,
};
use std::{collections::BTreeMap, fmt, str::FromStr};

family! {
    /// The rules of WhatsApp callbacks: `X-Webhook-Signature: <hex>`, with the subscription's `secret`, which the API
    /// never shows again.
    pub struct Whatsapp: "vobiz.whatsapp", "x-webhook-signature", "", secret: Event
}

events! {
    /// A WhatsApp callback.
    pub enum Event in "event_type" {
        /// Somebody wrote.
        "message.inbound" => MessageInbound(Envelope) key [event_id],
        /// What you wrote was sent, delivered, read, or not.
        "message.status" => MessageStatus(Envelope) key [event_id],
        /// A call begins.
        "call.connect" => CallConnect(Envelope) key [event_id],
        /// A call goes on.
        "call.status_change" => CallStatusChange(Envelope) key [event_id],
        /// A call is over.
        "call.terminate" => CallTerminate(Envelope) key [event_id],
    }
}

payload! {
    /// Vobiz's envelope around what Meta says.
    pub struct Envelope {
        /// The event's id, the same for every delivery.
        pub event_id: String => "text",
        /// The account, `MA_…`.
        pub account_id: String => "text",
        /// When this happened, RFC 3339.
        pub occurred_at: String => "text",
        /// The body of Meta's Cloud API.
        pub payload: Payload,
    }
}

impl Envelope {
    /// All messages in it.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.values().flat_map(|value| value.messages.iter().flatten())
    }

    /// All statuses in it.
    pub fn statuses(&self) -> impl Iterator<Item = &Status> {
        self.values().flat_map(|value| value.statuses.iter().flatten())
    }

    /// All calls in it.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.values().flat_map(|value| value.calls.iter().flatten())
    }

    fn values(&self) -> impl Iterator<Item = &Value> {
        let entries = self.payload.iter().flat_map(|payload| payload.entry.iter().flatten());
        entries.flat_map(|entry| entry.changes.iter().flatten()).filter_map(|change| change.value.as_ref())
    }
}

/// Structs of Meta's, with what is not typed kept beside: `scalars` are read from strings and numbers.
macro_rules! open {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {
            scalars {$($(#[$scalar_meta:meta])* $scalar:ident: $scalar_type:ty = $scalar_wire:literal,)*}
            members {$($(#[$member_meta:meta])* $member:ident: $member_type:ty = $member_wire:literal,)*}
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$scalar_meta])* pub $scalar: Option<$scalar_type>,)*
            $($(#[$member_meta])* pub $member: Option<$member_type>,)*
            /// Everything else, as it came.
            pub rest: BTreeMap<String, Json>,
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Open;

                impl<'de> Visitor<'de> for Open {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a JSON object")
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut read = $name::default();
                        while let Some(Key(name)) = map.next_key()? {
                            match &*name {
                                $($scalar_wire => read.$scalar = map.next_value::<Loose<_>>()?.0,)*
                                $($member_wire => read.$member = map.next_value()?,)*
                                _ => {
                                    read.rest.insert(name.into_owned(), map.next_value()?);
                                }
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_map(Open)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let mut map = out.serialize_map(None)?;
                $(if let Some(value) = &self.$scalar {
                    map.serialize_entry($scalar_wire, value)?;
                })*
                $(if let Some(value) = &self.$member {
                    map.serialize_entry($member_wire, value)?;
                })*
                for (name, value) in &self.rest {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    )*};
}

struct Loose<T>(Option<T>);

impl<'de, T: FromStr> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer).map(Self)
    }
}

open! {
    /// The body of Meta's Cloud API.
    pub struct Payload {
        scalars {
            /// `whatsapp_business_account`.
            object: String = "object",
        }
        members {
            /// What happened.
            entry: Vec<Entry> = "entry",
        }
    }

    /// What happened to one WhatsApp Business account.
    pub struct Entry {
        scalars {
            /// The account's id.
            id: String = "id",
        }
        members {
            /// What happened.
            changes: Vec<Change> = "changes",
        }
    }

    /// One thing that happened.
    pub struct Change {
        scalars {
            /// Of which kind: `messages`, `calls`.
            field: String = "field",
        }
        members {
            /// What.
            value: Value = "value",
        }
    }

    /// What happened.
    pub struct Value {
        scalars {}
        members {
            /// The business's phone number.
            metadata: Json = "metadata",
            /// The people that it is about.
            contacts: Json = "contacts",
            /// Messages that came in.
            messages: Vec<Message> = "messages",
            /// What became of messages that went out.
            statuses: Vec<Status> = "statuses",
            /// Calls.
            calls: Vec<Call> = "calls",
        }
    }

    /// A message that came in. The content of one that is no text is in [`rest`](Self::rest), under the name of its
    /// [`kind`](Self::kind).
    pub struct Message {
        scalars {
            /// The message's id.
            id: String = "id",
            /// Who wrote it.
            from: String = "from",
            /// When, in Unix seconds.
            timestamp: String = "timestamp",
            /// `type`: what it is, such as `text`.
            kind: String = "type",
        }
        members {
            /// What it says; of a `text`.
            text: Text = "text",
        }
    }

    /// The content of a text message.
    pub struct Text {
        scalars {
            /// The text.
            body: String = "body",
        }
        members {}
    }

    /// What became of a message that went out.
    pub struct Status {
        scalars {
            /// The message's id.
            id: String = "id",
            /// What became of it.
            status: MessageStatus = "status",
            /// When, in Unix seconds.
            timestamp: String = "timestamp",
            /// Who it was for.
            recipient_id: String = "recipient_id",
        }
        members {}
    }

    /// A call.
    pub struct Call {
        scalars {
            /// The call's id.
            id: String = "id",
            /// The caller.
            from: String = "from",
            /// The callee.
            to: String = "to",
            /// What happened, such as `connect`.
            event: String = "event",
            /// When, in Unix seconds.
            timestamp: String = "timestamp",
        }
        members {}
    }
}

words! {
    /// What became of a message.
    pub enum MessageStatus {
        /// It has left.
        Sent = "sent",
        /// It has arrived.
        Delivered = "delivered",
        /// It was read.
        Read = "read",
        /// It has not left, or not arrived.
        Failed = "failed",
    }
}
