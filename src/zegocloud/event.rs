//! The event of any family, and how the families are told apart.

use super::{
    ai_agent::AiAgentEvent,
    asr::AsrEvent,
    auth::CONSUMED,
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
    Misfits, Unknown, WebhookEvent,
    payload::{Object, Tape, only, read_back, text},
};
use serde::{Deserialize, Deserializer, Serialize};

/// A callback of any family.
///
/// It serializes with ZEGOCLOUD's member names, without `nonce` and `signature`.
///
/// # Deduplication
///
/// ZEGOCLOUD documents neither a delivery id nor whether a retry is signed anew. The layer's replay
/// guard recognizes a repeat by its signature; if retries are signed anew, only
/// [`dedup_key`](WebhookEvent::dedup_key) does. It holds the kind and these members, and is `None`
/// if one is missing (those in brackets may be):
///
/// | family | members |
/// | --- | --- |
/// | `room_create`, `room_close` | `room_session_id` |
/// | `room_login`, `room_logout` | `room_seq`, `session_id`, `login_time` or `logout_time` |
/// | streams | `room_session_id`, `stream_sid`, `stream_seq` |
/// | mixing | `task_id`, `seq` |
/// | transcoding | `TaskId`, `Sequence`, the `Status` of a start or an update (`Timestamp` of an update, see below) |
/// | `record` | `stream_alias`, `replay_url`: two configured formats are two honest callbacks |
/// | `compose`, `procedure`, `snapshot` | `task_id` |
/// | moderation | `ResultTaskId` of a result, `TaskId` of a status |
/// | Digital Human | `TaskId`, `EventTime`, `Status`, `DriveId` of a drive task |
/// | AI Agent | `AgentInstanceId`, `Sequence` |
/// | real-time ASR | `TaskId`, `Round` (`StreamId`, `UserId`); none of an `Exception` |
/// | cloud recording | `task_id`, `sequence`; of the legacy form `task_id` (`sequence`) |
/// | cloud player | `EventTime`, `PlayerId` or `UploadTaskId` (`Status` or `Code` of the detail) |
/// | `user_action` | `session_id`, `action` (`login_time`, `logout_time`, `offline_time`) |
/// | `send_msg`, `bot_msg` | `msg_id`, or the `user_list` of a batch |
/// | `before_send_msg` | `request_id` |
/// | `call_create` | `call_id` |
/// | the other calls | `call_id`, the users whom it is about, `invite_time` of an invitation (see below) |
/// | groups and rooms of ZIM | `group_id` or `room_id`, `timestamp`, the users who come or go |
/// | super board | `task_id` |
///
/// Two kinds of keys are weaker, because the pages offer no better member:
///
/// * The `Timestamp` of a transcoding update is the time of signing: a retry that is signed anew
///   has another key. Without it, all updates of a task would have one.
/// * Cancelled, accepted, rejected and timed-out calls have no time of their own: if a user is
///   invited twice into one call and both invitations end the same, two events have one key.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "it moves once, into an `Arc`")]
pub enum Event {
    /// Rooms: created, closed, entered, left.
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
    /// Any other validly signed body, without `nonce` and `signature`.
    Unknown(Unknown),
}

impl Event {
    /// Reads the event from the text. The object is its index; `None` if it has too many members.
    pub(super) fn of(text: &str, object: Option<Object<'_>>) -> Self {
        let (is_indexed, mut claimed) = (object.is_some(), None);
        if let Some(event) = object.and_then(|object| Self::known(object, &mut claimed)) {
            return event;
        }
        let text = only(text, |name| !CONSUMED.contains(name)).unwrap_or_else(|| text.to_owned());
        // Without the signing members there may be few enough, as when this is read back.
        let tape = if is_indexed { None } else { Tape::new(&text) };
        let object = tape.as_ref().and_then(Tape::object);
        object.and_then(|object| Self::known(object, &mut claimed)).unwrap_or_else(|| {
            let unknown = Unknown::new(text);
            Self::Unknown(match claimed {
                Some(name) => unknown.claiming(name),
                None => unknown,
            })
        })
    }

    /// Takes the first member that holds a known name.
    fn known(mut object: Object<'_>, claimed: &mut Option<String>) -> Option<Self> {
        object.hide(&CONSUMED);
        for tag in ["event", "Event", "event_type", "EventType"] {
            let Some(name) = object.name(tag) else { continue };
            match family(tag, &name, object) {
                Ok(event) => return Some(event),
                Err(other) => object = other,
            }
            claimed.get_or_insert_with(|| name.into_owned());
        }
        None
    }

    fn family(&self) -> &dyn WebhookEvent {
        match self {
            Self::Room(event) => event,
            Self::Stream(event) => event,
            Self::Mixing(event) => event,
            Self::Transcoding(event) => event,
            Self::Cdn(event) => event,
            Self::Moderation(event) => event,
            Self::DigitalHuman(event) => event,
            Self::AiAgent(event) => event,
            Self::Asr(event) => event,
            Self::Recording(event) => event,
            Self::LegacyRecording(event) => event,
            Self::Player(event) => event,
            Self::Zim(event) => event,
            Self::Board(event) => event,
            Self::Unknown(event) => event,
        }
    }
}

/// The kind is the provider's name of the event, or a name in snake_case if it has only a number.
/// It is prefixed with the family, except for rooms, streams, mixing, transcoding, CDN and
/// moderation.
impl WebhookEvent for Event {
    fn kind(&self) -> &'static str {
        self.family().kind()
    }

    fn dedup_key(&self) -> Option<String> {
        self.family().dedup_key()
    }

    fn misfits(&self) -> &Misfits {
        self.family().misfits()
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<In: Deserializer<'de>>(input: In) -> Result<Self, In::Error> {
        let from_body = |body: &bytes::Bytes| match text(body) {
            Some(text) => Self::of(text, Tape::new(text).as_ref().and_then(Tape::object)),
            None => Self::Unknown(Unknown::new(body.clone())),
        };
        read_back(input, from_body, Self::Unknown)
    }
}

/// Reads the event of the family that knows the name. If several do, a member decides that only one
/// of them has. Gives the object back if none does.
fn family<'t>(tag: &str, name: &str, object: Object<'t>) -> Result<Event, Object<'t>> {
    // Blank is missing, as in payloads: an event that is read back is then of the same family.
    let has = |member: &str| {
        object.get(member).is_some_and(|value| !value.is_null() && !value.is_empty())
    };
    let is_zim = || ZimEvent::knows(name) && has("operator_account");
    let is_player =
        || PlayerEvent::knows(name) && ["AppID", "PlayerId", "UploadTaskId"].into_iter().any(has);
    let is_legacy =
        || LegacyRecordingEvent::knows(name) && object.iter().all(|(member, _)| member != "detail");
    match tag {
        // Rooms and ZIM both have a `room_create`.
        "event" if RoomEvent::knows(name) && !is_zim() => {
            RoomEvent::of(name, object).map(Event::Room)
        }
        "event" if StreamEvent::knows(name) => StreamEvent::of(name, object).map(Event::Stream),
        "event" if MixingEvent::knows(name) => MixingEvent::of(name, object).map(Event::Mixing),
        "event" if CdnEvent::knows(name) => CdnEvent::of(name, object).map(Event::Cdn),
        "event" if ZimEvent::knows(name) => ZimEvent::of(name, object).map(Event::Zim),
        "event" if BoardEvent::knows(name) => BoardEvent::of(name, object).map(Event::Board),
        // AI Agent and ASR both have an `ASRResult` and an `Exception`.
        "Event" if AiAgentEvent::knows(name) && has("AgentInstanceId") => {
            AiAgentEvent::of(name, object).map(Event::AiAgent)
        }
        "Event" if AsrEvent::knows(name) && has("TaskId") => {
            AsrEvent::of(name, object).map(Event::Asr)
        }
        "Event" if TranscodingEvent::knows(name) => {
            TranscodingEvent::of(name, object).map(Event::Transcoding)
        }
        "Event" if ModerationEvent::knows(name) => {
            ModerationEvent::of(name, object).map(Event::Moderation)
        }
        // Both forms have the types 1, 2 and 3, but only the newer one has a `detail`.
        "event_type" if is_legacy() => {
            LegacyRecordingEvent::of(name, object).map(Event::LegacyRecording)
        }
        "event_type" if RecordingEvent::knows(name) => {
            RecordingEvent::of(name, object).map(|event| Event::Recording(event.with_detail()))
        }
        // Player and Digital Human both have the types 3 and 4.
        "EventType" if is_player() => PlayerEvent::of(name, object).map(Event::Player),
        "EventType" if DigitalHumanEvent::knows(name) => {
            DigitalHumanEvent::of(name, object).map(Event::DigitalHuman)
        }
        _ => Err(object),
    }
}
