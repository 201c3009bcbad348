//! One event of any family, and how the families are told apart.

use super::{
    auth::is_consumed, digital_human::DigitalHumanEvent, mixing::MixingEvent, room::RoomEvent, stream::StreamEvent,
    transcoding::TranscodingEvent,
};
use crate::{Json, wire::Members};
use serde::Serialize;
use std::borrow::Cow;

/// A callback of any family.
///
/// Serialised, it has ZEGOCLOUD's member names and values; `nonce` and `signature` are in none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Event {
    /// Rooms: opened, closed, entered, left.
    Room(RoomEvent),
    /// Streams: published, ended.
    Stream(StreamEvent),
    /// Stream mixing.
    Mixing(MixingEvent),
    /// Transcoding of single streams.
    Transcoding(TranscodingEvent),
    /// Digital Human.
    DigitalHuman(DigitalHumanEvent),
    /// Everything else that was rightly signed.
    Unknown(Unknown),
}

impl Event {
    /// The provider's name of the event, prefixed with the family for all but rooms, streams, mixing and
    /// transcoding; `unknown` for an [`Unknown`].
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Room(event) => event.kind(),
            Self::Stream(event) => event.kind(),
            Self::Mixing(event) => event.kind(),
            Self::Transcoding(event) => event.kind(),
            Self::DigitalHuman(event) => event.kind(),
            Self::Unknown(_) => "unknown",
        }
    }

    /// The families overlap in their events' names, so the members that only one of them has decide.
    pub(super) fn from_members(members: &Members<'_>) -> serde_json::Result<Self> {
        let has = |name| members.has(name);
        let event = match Discriminator::of(members) {
            // ZIM has a `room_create` of its own.
            Discriminator::Event(_) if has("operator_account") => None,
            Discriminator::Event(name) => {
                if let Some(event) = RoomEvent::parse(&name, members)? {
                    Some(Self::Room(event))
                } else if let Some(event) = StreamEvent::parse(&name, members)? {
                    Some(Self::Stream(event))
                } else {
                    MixingEvent::parse(&name, members)?.map(Self::Mixing)
                }
            }
            Discriminator::PascalEvent(name) if has("Appid") => {
                TranscodingEvent::parse(&name, members)?.map(Self::Transcoding)
            }
            // The cloud player has event types 3 and 4 too.
            Discriminator::PascalEventType(_) if has("PlayerId") || has("UploadTaskId") => None,
            Discriminator::PascalEventType(code) => DigitalHumanEvent::parse(&code, members)?.map(Self::DigitalHuman),
            _ => None,
        };
        match event {
            Some(event) => Ok(event),
            None => Unknown::from_members(members).map(Self::Unknown),
        }
    }
}

/// The member that names the event.
enum Discriminator<'a> {
    Event(Cow<'a, str>),
    PascalEvent(Cow<'a, str>),
    PascalEventType(i64),
    Missing,
}

impl<'a> Discriminator<'a> {
    fn of(members: &Members<'a>) -> Self {
        match (members.scalar("event"), members.scalar("Event"), members.scalar("EventType")) {
            (Some(name), None, None) => Self::Event(name),
            (None, Some(name), None) => Self::PascalEvent(name),
            (None, None, Some(code)) => code.parse().map_or(Self::Missing, Self::PascalEventType),
            _ => Self::Missing,
        }
    }
}

/// A callback that this version does not know, without `nonce` and `signature` and otherwise as it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Unknown {
    raw: Json,
}

impl Unknown {
    /// The JSON object; of a form, with every value a string.
    pub fn raw(&self) -> &Json {
        &self.raw
    }

    fn from_members(members: &Members<'_>) -> serde_json::Result<Self> {
        let mut pieces: Vec<Cow<'_, str>> = Vec::new();
        for (name, value) in members.iter().filter(|(name, _)| !is_consumed(name)) {
            pieces.push(if pieces.is_empty() { "{" } else { "," }.into());
            pieces.push(serde_json::to_string(name)?.into());
            pieces.push(":".into());
            pieces.push(value.get().into());
        }
        pieces.push(if pieces.is_empty() { "{}" } else { "}" }.into());
        // A buffer that grows would hold several times the body.
        Json::from_text(pieces.concat()).map(|raw| Self { raw })
    }
}

/// The events of one family: the member that names them, and a row for each.
///
/// `"name" => Variant(Struct) as "kind"`; further names after `|` are read but not written.
macro_rules! family {
    (
        $(#[$meta:meta])*
        pub enum $family:ident in $member:literal: $tag:ty {$(
            $(#[$row_meta:meta])*
            $name:literal $(| $alias:literal)* => $variant:ident($payload:ty) as $kind:literal,
        )*}
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum $family {
            $($(#[$row_meta])* $variant($payload),)*
        }

        impl $family {
            /// The event's kind.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind,)* }
            }

            pub(super) fn parse(
                name: &$tag,
                members: &crate::wire::Members<'_>,
            ) -> serde_json::Result<Option<Self>> {
                Ok(Some(match name {
                    $($name $(| $alias)* => Self::$variant(members.parse()?),)*
                    _ => return Ok(None),
                }))
            }
        }

        impl serde::Serialize for $family {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                struct Tagged<'a, T> {
                    #[serde(rename = $member)]
                    name: &'a $tag,
                    #[serde(flatten)]
                    payload: &'a T,
                }

                match self {
                    $(Self::$variant(payload) => Tagged { name: std::borrow::Borrow::<$tag>::borrow(&$name), payload }.serialize(out),)*
                }
            }
        }
    };
}

pub(super) use family;
