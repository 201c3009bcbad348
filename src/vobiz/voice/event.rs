//! One voice callback of any kind, and how the kinds are told apart.

use super::{
    fields::{Fields, Slot as _},
    payload::*,
};
use crate::{
    Rejection,
    vobiz::{Unknown, dedup_key},
};
use serde::Serialize;

/// A row for each callback: its `Event`, and its kind where it comes without one and is told by its shape; then the
/// fields that tell one such callback from another.
macro_rules! events {
    ($(
        $(#[$meta:meta])*
        $variant:ident($payload:ident): $(event $event:literal)? $(shape $shape:literal)? key [$($($key:ident).+),*];
    )*) => {
        /// A voice callback.
        ///
        /// Serialised, it has Vobiz's field names and, as strings, its values.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        pub enum Event {
            $($(#[$meta])* $variant($payload),)*
            /// Everything else that was rightly signed.
            Unknown(Unknown),
        }

        impl Event {
            /// `Event` as sent; the variant in snake_case for a callback that has none; `unknown` for an [`Unknown`].
            pub fn kind(&self) -> &'static str {
                let (event, kinds): (_, &[&'static str]) = match self {
                    $(Self::$variant(payload) => (payload.call.event.as_deref(), &[$($event,)? $($shape,)?]),)*
                    Self::Unknown(_) => (None, &["unknown"]),
                };
                let sent = EVENTS.iter().find(|name| Some(**name) == event);
                sent.or(kinds.last()).copied().unwrap_or_default()
            }

            /// What this callback says of its call; `None` for an [`Unknown`].
            pub fn call(&self) -> Option<&Call> {
                match self {
                    $(Self::$variant(payload) => Some(&payload.call),)*
                    Self::Unknown(_) => None,
                }
            }

            /// A key that is the same for every delivery of one and the same callback, as far as that can be told.
            ///
            /// Vobiz sends no such key: this one is inferred from the documented ids (the kind with `CallUUID`,
            /// `DialBLegUUID`, `RecordingID`, `StreamID`, …). `None` where an id is missing, and for callbacks that one
            /// call can honestly cause twice with the same ids: Gather, digits, wait sounds, Redirect, Transfer.
            pub fn dedup_key(&self) -> Option<String> {
                match self {
                    $(Self::$variant(_payload) => dedup_key(self.kind(), &[$(_payload.$($key).+.text()),*]),)*
                    Self::Unknown(_) => None,
                }
            }

            pub(super) fn from_fields(fields: Fields<'_>) -> Result<Self, Rejection> {
                Ok(match Tag::of(&fields) {
                    $(
                        $(Tag::Event($event) => Self::$variant(Callback::read(fields)?),)?
                        $(Tag::Shape($shape) => Self::$variant(Callback::read(fields)?),)?
                    )*
                    _ => Self::Unknown(fields.into_unknown()?),
                })
            }
        }

        const EVENTS: &[&str] = &[$($($event,)?)*];
    };
}

events! {
    /// An outbound call rings.
    Ring(Ring): event "Ring" key [call.call_uuid];
    /// A call wants its XML.
    StartApp(StartApp): event "StartApp" key [call.call_uuid];
    /// A call is over.
    Hangup(Hangup): event "Hangup" key [call.call_uuid];
    /// What the caller entered or said.
    Gather(Gather): shape "gather" key [];
    /// What was said so far.
    GatherInterim(GatherInterim): shape "gather_interim" key [call.call_uuid, sequence_number];
    /// A second leg was answered.
    DialAnswer(Dial): event "DialAnswer" key [call.call_uuid, dial_b_leg_uuid];
    /// A second leg was connected to the first.
    DialConnected(Dial): event "DialConnected" key [call.call_uuid, dial_b_leg_uuid];
    /// Digits were pressed during a `<Dial>`.
    DialDigitsMatch(Dial): event "DialDigitsMatch" key [];
    /// A second leg is over.
    DialHangup(Dial): event "DialHangup" key [call.call_uuid, dial_b_leg_uuid];
    /// A `<Dial>` is over.
    DialAction(DialAction): event "DialAction" key [dial_a_leg_uuid, dial_b_leg_uuid];
    /// A recording has begun.
    Record(Record): event "Record" shape "record" key [recording_id];
    /// A recording can be fetched.
    RecordStop(RecordStop): event "RecordStop" key [recording_id];
    /// A recording that the REST API began can be fetched.
    Recording(Recording): shape "recording" key [recording_id];
    /// What was said in a recording.
    Transcription(Transcription): shape "transcription" key [recording_id];
    /// A member came into a conference.
    ConferenceEnter(Conference): event "ConferenceEnter" key [call.call_uuid, conference_uuid, conference_member_id];
    /// A member left a conference.
    ConferenceExit(Conference): event "ConferenceExit" key [call.call_uuid, conference_uuid, conference_member_id];
    /// Digits were pressed in a conference.
    ConferenceDigitsMatch(Conference): event "ConferenceDigitsMatch" key [];
    /// Somebody waits for a conference and wants XML to hear.
    ConferenceRemoteSounds(Conference): event "ConferenceRemoteSounds" key [];
    /// A `<Conference>` is over for this call.
    ConferenceAction(ConferenceAction): shape "conference_action"
        key [call.call_uuid, conference_uuid, conference_member_id];
    /// An audio stream began.
    StartStream(Stream): event "StartStream" key [stream_id];
    /// An audio stream has played up to a checkpoint.
    PlayedStream(Stream): event "PlayedStream" key [stream_id, timestamp, name];
    /// An audio stream's buffer was cleared.
    ClearedAudio(Stream): event "ClearedAudio" key [stream_id, timestamp];
    /// An audio stream's connection is bad.
    DegradedStream(Stream): event "DegradedStream" key [stream_id, timestamp];
    /// An audio stream's connection is lost.
    DroppedStream(Stream): event "DroppedStream" key [stream_id, timestamp];
    /// The application has stopped an audio stream.
    StopStream(Stream): event "StopStream" key [stream_id];
    /// A `<Redirect>` wants its XML.
    Redirect(Redirect): event "Redirect" key [];
    /// A transferred call wants its XML.
    Transfer(Transfer): event "Transfer" key [];
    /// Man or machine.
    MachineDetection(MachineDetection): event "MachineDetection" key [call.call_uuid];
}

enum Tag<'a> {
    Event(&'a str),
    Shape(&'static str),
    None,
}

impl<'a> Tag<'a> {
    fn of(fields: &'a Fields<'_>) -> Self {
        match fields.text("Event") {
            // A transferred call's Dial action comes under the name of `<Redirect>`.
            Some("Redirect") if fields.has_any(DIAL_ACTION) => Self::Event("DialAction"),
            Some(event) if !event.is_empty() => Self::Event(event),
            _ if fields.has_any(NEVER_WITHOUT_EVENT) => Self::None,
            _ => {
                let mut shapes = SHAPES.iter().filter(|(_, names)| fields.has_any(names));
                match (shapes.next(), shapes.next()) {
                    (Some((shape, _)), None) => Self::Shape(shape),
                    // A Conference action may name a recording.
                    (Some(("conference_action", _)), Some(("record", _))) if shapes.next().is_none() => {
                        Self::Shape("conference_action")
                    }
                    _ => Self::None,
                }
            }
        }
    }
}

const DIAL_ACTION: &[&str] = &["DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"];

/// What tells a callback that has no `Event`.
const SHAPES: &[(&str, &[&str])] = &[
    ("gather", &["InputType", "Digits", "Speech", "SpeechConfidenceScore"]),
    ("gather_interim", &["StableSpeech", "UnstableSpeech", "Stability", "SequenceNumber"]),
    ("conference_action", &["ConferenceUUID", "ConferenceName", "ConferenceMemberID"]),
    ("record", &["RecordingID"]),
    (
        "recording",
        &["record_url", "recording_duration", "recording_duration_ms", "recording_start_ms", "recording_end_ms"],
    ),
    (
        "transcription",
        &["transcription", "transcription_id", "transcription_url", "transcription_charge", "transcription_rate"],
    ),
];

/// Callbacks with these fields are documented with an `Event`: without one they are something new.
const NEVER_WITHOUT_EVENT: &[&str] =
    &["ConferenceAction", "DialAction", "DialStatus", "RecordingEndReason", "StreamID", "Machine"];
