//! One event of any family, and how the families are told apart.

use super::{
    ai_agent::AiAgentEvent,
    asr::AsrEvent,
    auth::is_consumed,
    board::BoardEvent,
    cdn::CdnEvent,
    digital_human::DigitalHumanEvent,
    mixing::MixingEvent,
    moderation::ModerationEvent,
    player::PlayerEvent,
    recording::{LegacyRecordingEvent, RecordingEvent},
    room::RoomEvent,
    stream::StreamEvent,
    transcoding::TranscodingEvent,
    zim::ZimEvent,
};
use crate::{
    Json,
    wire::{Members, scalar},
};
use serde::Serialize;
use serde_json::Value;
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
    /// CDN recordings and on-demand media.
    Cdn(CdnEvent),
    /// Moderation of streams.
    Moderation(ModerationEvent),
    /// Digital Human.
    DigitalHuman(DigitalHumanEvent),
    /// AI Agent.
    AiAgent(AiAgentEvent),
    /// Real-time speech recognition.
    Asr(AsrEvent),
    /// Cloud recording.
    Recording(RecordingEvent),
    /// Cloud recording for services opened before 2021-11-29.
    LegacyRecording(LegacyRecordingEvent),
    /// Cloud player.
    Player(PlayerEvent),
    /// In-app chat.
    Zim(ZimEvent),
    /// Super board.
    Board(BoardEvent),
    /// Everything else that was rightly signed.
    Unknown(Unknown),
}

macro_rules! known {
    ($self:ident, $event:ident => $known:expr, else $unknown:expr) => {
        match $self {
            Self::Room($event) => $known,
            Self::Stream($event) => $known,
            Self::Mixing($event) => $known,
            Self::Transcoding($event) => $known,
            Self::Cdn($event) => $known,
            Self::Moderation($event) => $known,
            Self::DigitalHuman($event) => $known,
            Self::AiAgent($event) => $known,
            Self::Asr($event) => $known,
            Self::Recording($event) => $known,
            Self::LegacyRecording($event) => $known,
            Self::Player($event) => $known,
            Self::Zim($event) => $known,
            Self::Board($event) => $known,
            Self::Unknown(_) => $unknown,
        }
    };
}

/// The first family that knows the name.
macro_rules! first {
    ($name:expr, $members:expr; $($family:ident($event:ty)),* $(,)?) => {
        'known: {
            $(if let Some(event) = <$event>::parse($name, $members)? {
                break 'known Some(Event::$family(event));
            })*
            None
        }
    };
}

impl Event {
    /// The provider's name of the event, prefixed with the family for all but rooms, streams, mixing, transcoding, CDN
    /// and moderation; in snake_case where the provider has a number only; `unknown` for an [`Unknown`]. The
    /// [module](super) lists them all.
    pub fn kind(&self) -> &'static str {
        known!(self, event => event.kind(), else "unknown")
    }

    /// A text that is the same for two callbacks that tell of one and the same occurrence, within one app.
    ///
    /// ZEGOCLOUD documents neither a delivery id nor whether a retry is signed anew. The layer's replay guard knows a
    /// repeat by its signature; where retries are signed anew, only these keys can tell. They are **inferred** from the
    /// fields' meaning, not promised by ZEGOCLOUD, and no better than the body, which is not signed. `None` if a field
    /// that the key needs is missing or blank, for an [`Unknown`], and for `asr.Exception`, whose fields tell no two
    /// exceptions of a task apart.
    ///
    /// The key holds the [`kind`](Self::kind) and these fields (those in brackets if they are there):
    ///
    /// | family | fields |
    /// | --- | --- |
    /// | `room_create`, `room_close` | `room_session_id` |
    /// | `room_login`, `room_logout` | `room_seq`, `session_id`, `login_time` or `logout_time` |
    /// | streams | `room_session_id`, `stream_sid` (`stream_seq`) |
    /// | mixing | `task_id`, `seq` |
    /// | transcoding | `TaskId`, `Sequence` |
    /// | `record` | `stream_alias`, `replay_url`: two configured formats are two honest callbacks |
    /// | `compose`, `procedure`, `snapshot` | `task_id` |
    /// | moderation | `ResultTaskId` of a result, `TaskId` of a status |
    /// | Digital Human | `TaskId`, `EventTime`, `Status`, `DriveId` of a drive task |
    /// | AI Agent | `AgentInstanceId`, `Sequence` |
    /// | real-time ASR | `TaskId`, `Round` (`StreamId`) |
    /// | cloud recording | `task_id`, `sequence`; of the legacy form `task_id` (`sequence`) |
    /// | cloud player | `EventTime`, `PlayerId` or `UploadTaskId` |
    /// | `user_action` | `session_id`, `action` (`login_time`, `logout_time`, `offline_time`) |
    /// | `send_msg`, `bot_msg` | `msg_id`, or the `user_list` of a batch |
    /// | `before_send_msg` | `request_id` |
    /// | `call_create` | `call_id` |
    /// | the other calls | `call_id` (the users whom it is about, `invite_time`) |
    /// | groups and rooms of ZIM | `group_id` or `room_id`, `timestamp` (the users who come or go) |
    /// | super board | `task_id` |
    pub fn dedup_key(&self) -> Option<String> {
        known!(self, event => event.dedup_key(), else None)
    }

    /// An event's name decides. Where two families share it, or it is a mere number, a member decides that only one of
    /// them has.
    pub(super) fn from_members(members: &Members<'_>) -> serde_json::Result<Self> {
        let has = |name| members.has(name);
        let event = match Discriminator::of(members) {
            // Both have a `room_create`.
            Discriminator::Event(name) if has("operator_account") => {
                first!(&name, members; Zim(ZimEvent), Room(RoomEvent), Stream(StreamEvent), Mixing(MixingEvent),
                    Cdn(CdnEvent), Board(BoardEvent))
            }
            Discriminator::Event(name) => {
                first!(&name, members; Room(RoomEvent), Stream(StreamEvent), Mixing(MixingEvent), Cdn(CdnEvent),
                    Zim(ZimEvent), Board(BoardEvent))
            }
            // Both have an `ASRResult` and an `Exception`.
            Discriminator::PascalEvent(name) if has("AgentInstanceId") => {
                first!(&name, members; AiAgent(AiAgentEvent))
            }
            Discriminator::PascalEvent(name) if has("TaskId") => {
                first!(&name, members; Transcoding(TranscodingEvent), Moderation(ModerationEvent), Asr(AsrEvent))
            }
            Discriminator::PascalEvent(name) => {
                first!(&name, members; Transcoding(TranscodingEvent), Moderation(ModerationEvent))
            }
            // Both have the types 3 and 4.
            Discriminator::PascalEventType(code) if has("PlayerId") || has("UploadTaskId") => {
                first!(&code, members; Player(PlayerEvent))
            }
            Discriminator::PascalEventType(code) => first!(&code, members; DigitalHuman(DigitalHumanEvent)),
            // Both have the types 1, 2 and 3, and the newer form has a `detail` with each of them.
            Discriminator::EventType(code) if has("detail") => first!(&code, members; Recording(RecordingEvent)),
            Discriminator::EventType(code) => {
                first!(&code, members; LegacyRecording(LegacyRecordingEvent), Recording(RecordingEvent))
            }
            Discriminator::Missing => None,
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
    EventType(i64),
    PascalEvent(Cow<'a, str>),
    PascalEventType(i64),
    Missing,
}

impl<'a> Discriminator<'a> {
    fn of(members: &Members<'a>) -> Self {
        let code = |text: Cow<'_, str>, known: fn(i64) -> Self| text.parse().map_or(Self::Missing, known);
        let mut found = [None; 4];
        for (name, value) in members.iter() {
            let [event, pascal_event, event_type, pascal_event_type] = &mut found;
            let slot = match name {
                "event" => event,
                "Event" => pascal_event,
                "event_type" => event_type,
                "EventType" => pascal_event_type,
                _ => continue,
            };
            *slot = Some(value);
        }
        match found.map(|value| scalar(value?)) {
            [Some(name), None, None, None] => Self::Event(name),
            [None, Some(name), None, None] => Self::PascalEvent(name),
            [None, None, Some(text), None] => code(text, Self::EventType),
            [None, None, None, Some(text)] => code(text, Self::PascalEventType),
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
        Ok(Self { raw: Json::from_text(&pieces.concat()).unwrap_or_default() })
    }
}

/// The kind and the parts as the text of a JSON list: no two lists of parts have the same text.
pub(super) fn key(kind: &str, needed: &[Value], further: &[Value]) -> Option<String> {
    let is_there = |part: &Value| !part.is_null() && *part != "";
    if !needed.iter().all(is_there) || !needed.iter().chain(further).any(is_there) {
        return None;
    }
    serde_json::to_string(&(kind, needed, further)).ok()
}

/// A field as a part of a key: `null` if it, or what it is in, is missing.
macro_rules! part {
    ($of:expr, $field:ident $(. $inner:ident)?) => {
        serde_json::to_value($of.$field.as_ref()$(.and_then(|it| it.$inner.as_ref()))?).unwrap_or_default()
    };
}

/// The events of one family: the member that names them, and a row for each.
///
/// `"name" => Variant(Struct) as "kind" by [fields that the deduplication key needs; fields that it takes if there]`;
/// further names after `|` are read but not written.
macro_rules! family {
    (
        $(#[$meta:meta])*
        pub enum $family:ident in $member:literal: $tag:ty {$(
            $(#[$row_meta:meta])*
            $name:literal $(| $alias:literal)* => $variant:ident($payload:ty) as $kind:literal
                by [$($needed:ident $(. $needed_inner:ident)?),* $(; $($further:ident $(. $further_inner:ident)?),*)?],
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

            pub(super) fn dedup_key(&self) -> Option<String> {
                match self {
                    $(Self::$variant(_payload) => super::event::key(
                        $kind,
                        &[$(super::event::part!(_payload, $needed $(. $needed_inner)?)),*],
                        &[$($(super::event::part!(_payload, $further $(. $further_inner)?)),*)?],
                    ),)*
                }
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

pub(super) use {family, part};
