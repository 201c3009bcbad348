//! The voice callbacks, and how their kinds are told apart.

use super::payload::*;
use crate::{
    Json, Rest, Unknown,
    payload::{Object, Tape, events, form_to_json, text, unmarked},
};
use bytes::Bytes;
use http::{HeaderValue, Method, header::CONTENT_TYPE, request::Parts};

events! {
    /// A voice callback.
    ///
    /// Those with a name in snake_case have no `Event` and are recognized by their other fields. A
    /// callback that can occur twice in one call with the same ids has no
    /// [`dedup_key`](crate::WebhookEvent::dedup_key): Gather, digits, wait sounds, Redirect,
    /// Transfer.
    pub enum Event {
        /// An outbound call rings.
        "Ring" => Ring(CallEvent) key |it| [it.call.call_uuid],
        /// A call requests its XML.
        "StartApp" => StartApp(StartApp) key |it| [it.call.call_uuid],
        /// A call ended.
        "Hangup" => Hangup(Hangup) key |it| [it.call.call_uuid],
        /// The caller entered or said something, or the time ran out.
        "gather" => Gather(Gather),
        /// Part of the caller's speech was recognised.
        "gather_interim" => GatherInterim(GatherInterim)
            key |it| [
                it.call.call_uuid, it.sequence_number;
                it.stable_speech, it.unstable_speech, it.stability
            ],
        /// A second leg was answered.
        "DialAnswer" => DialAnswer(Dial) key |it| [it.call.call_uuid, it.dial_b_leg_uuid],
        /// A second leg was connected to the first.
        "DialConnected" => DialConnected(Dial) key |it| [it.call.call_uuid, it.dial_b_leg_uuid],
        /// Digits were pressed during a `<Dial>`.
        "DialDigitsMatch" => DialDigitsMatch(Dial),
        /// A second leg ended.
        "DialHangup" => DialHangup(Dial) key |it| [it.call.call_uuid, it.dial_b_leg_uuid],
        /// A `<Dial>` ended.
        "DialAction" => DialAction(DialAction) key |it| [it.dial_a_leg_uuid, it.dial_b_leg_uuid],
        /// A recording began.
        "Record" => Record(Record) key |it| [it.recording_id],
        /// A recording is ready.
        "RecordStop" => RecordStop(RecordStop) key |it| [it.recording_id],
        /// A recording that the REST API started is ready.
        "recording" => Recording(Recording) key |it| [it.recording_id],
        /// The transcription of a recording is ready.
        "transcription" => Transcription(Transcription)
            key |it| [it.recording_id; it.transcription_id],
        /// A member entered a conference.
        "ConferenceEnter" => ConferenceEnter(Conference)
            key |it| [it.call.call_uuid, it.conference_uuid, it.conference_member_id],
        /// A member left a conference.
        "ConferenceExit" => ConferenceExit(Conference)
            key |it| [it.call.call_uuid, it.conference_uuid, it.conference_member_id],
        /// Digits were pressed in a conference.
        "ConferenceDigitsMatch" => ConferenceDigitsMatch(Conference),
        /// A member waits for a conference and requests XML to listen to.
        "ConferenceRemoteSounds" => ConferenceRemoteSounds(Conference),
        /// A `<Conference>` ended for this call.
        "conference_action" => ConferenceAction(Conference)
            key |it| [it.call.call_uuid, it.conference_uuid, it.conference_member_id],
        /// An audio stream began.
        "StartStream" => StartStream(Stream) key |it| [it.stream_id],
        /// An audio stream was played up to a checkpoint.
        "PlayedStream" => PlayedStream(Stream) key |it| [it.stream_id, it.timestamp, it.name],
        /// An audio stream's buffer was cleared.
        "ClearedAudio" => ClearedAudio(Stream) key |it| [it.stream_id, it.timestamp],
        /// An audio stream's connection is degraded.
        "DegradedStream" => DegradedStream(Stream) key |it| [it.stream_id, it.timestamp],
        /// An audio stream's connection is lost.
        "DroppedStream" => DroppedStream(Stream) key |it| [it.stream_id, it.timestamp],
        /// The application stopped an audio stream.
        "StopStream" => StopStream(Stream) key |it| [it.stream_id],
        /// A `<Redirect>` requests its XML.
        "Redirect" => Redirect(CallEvent),
        /// A transferred call requests its XML.
        "Transfer" => Transfer(CallEvent),
        /// A person or a machine answered.
        "MachineDetection" => MachineDetection(MachineDetection) key |it| [it.call.call_uuid],
        _ => Unknown(Unknown),
    }
}

impl Event {
    /// The fields about the call; `None` for an [`Unknown`].
    pub fn call(&self) -> Option<&Call> {
        self.common().map(|(call, _)| call)
    }

    /// Custom SIP headers and a stream's `extraHeaders`, with full names (`X-VH-…`) and once per
    /// value.
    pub fn sip_headers(&self) -> impl Iterator<Item = (&str, String)> {
        let rest = self.common().into_iter().flat_map(|(_, rest)| rest.iter());
        let headers = rest.filter(|(name, _)| name.starts_with("X-VH-"));
        headers.flat_map(|(name, value)| {
            let list = value.parse().or_else(|_| value.parse().map(|text: String| vec![text]));
            list.unwrap_or_else(|_| vec![value.get().to_owned()])
                .into_iter()
                .map(move |text| (name, text))
        })
    }

    fn common(&self) -> Option<(&Call, &Rest)> {
        Some(match self {
            Self::Ring(it) | Self::Redirect(it) | Self::Transfer(it) => (&it.call, &it.rest),
            Self::StartApp(it) => (&it.call, &it.rest),
            Self::Hangup(it) => (&it.call, &it.rest),
            Self::Gather(it) => (&it.call, &it.rest),
            Self::GatherInterim(it) => (&it.call, &it.rest),
            Self::DialAnswer(it)
            | Self::DialConnected(it)
            | Self::DialDigitsMatch(it)
            | Self::DialHangup(it) => (&it.call, &it.rest),
            Self::DialAction(it) => (&it.call, &it.rest),
            Self::Record(it) => (&it.call, &it.rest),
            Self::RecordStop(it) => (&it.call, &it.rest),
            Self::Recording(it) => (&it.call, &it.rest),
            Self::Transcription(it) => (&it.call, &it.rest),
            Self::ConferenceEnter(it)
            | Self::ConferenceExit(it)
            | Self::ConferenceDigitsMatch(it)
            | Self::ConferenceRemoteSounds(it)
            | Self::ConferenceAction(it) => (&it.call, &it.rest),
            Self::StartStream(it)
            | Self::PlayedStream(it)
            | Self::ClearedAudio(it)
            | Self::DegradedStream(it)
            | Self::DroppedStream(it)
            | Self::StopStream(it) => (&it.call, &it.rest),
            Self::MachineDetection(it) => (&it.call, &it.rest),
            Self::Unknown(_) => return None,
        })
    }

    /// Reads a GET's query or a POST's body; the other one is ignored.
    pub(super) fn from_request(head: &Parts, body: &Bytes) -> Result<Self, Unknown> {
        if head.method == Method::GET {
            let query = head.uri.query().unwrap_or_default().as_bytes();
            return Self::from_form(query, || Bytes::copy_from_slice(query));
        }
        let trimmed = unmarked(body).trim_ascii();
        match is_form(head.headers.get(CONTENT_TYPE), trimmed) {
            true => Self::from_form(trimmed, || body.clone()),
            false => Self::from_body(body),
        }
    }

    fn from_form(form: &[u8], bytes: impl Fn() -> Bytes) -> Result<Self, Unknown> {
        let json = form_to_json(form).ok_or_else(|| Unknown::new(bytes()))?;
        Self::of_text(Some(&json), || Unknown::new(bytes()).meaning(Json::from_text(&json)))
    }

    fn from_body(body: &Bytes) -> Result<Self, Unknown> {
        Self::of_text(text(body), || Unknown::new(body.clone()))
    }

    fn of_text(json: Option<&str>, unknown: impl Fn() -> Unknown) -> Result<Self, Unknown> {
        let tape = json.and_then(Tape::new);
        let object = tape.as_ref().and_then(Tape::object).ok_or_else(&unknown)?;
        let event = object.scalar("Event");
        let row = match event.as_deref() {
            // The Dial action of a transferred call has the `Event` of a `<Redirect>`.
            Some("Redirect") if tells(&object, DIAL_ACTION) => Some(("DialAction", DIAL_ACTION)),
            Some(blank) if blank.trim().is_empty() => shape(&object),
            // The lower-case names of rows without `Event` are not valid as an `Event`.
            Some(event) if event.starts_with(char::is_lowercase) => None,
            Some(event) => Some((event, &[][..])),
            None if object.has("Event") => None,
            None => shape(&object),
        };
        let known = row.and_then(|(row, told_by)| {
            // If only blank fields tell the row, they are kept, so that it can be read back.
            if told_by
                .iter()
                .all(|name| object.scalar(name).is_none_or(|text| text.trim().is_empty()))
            {
                object.keep_blank(told_by);
            }
            Self::of(row, object).ok()
        });
        known.ok_or_else(|| match event.filter(|event| !event.is_empty()) {
            Some(event) => unknown().claiming(event),
            None => unknown(),
        })
    }
}

/// Whether a POST's body is a form: neither JSON nor markup, and a form by its content type or by
/// its first field.
fn is_form(content_type: Option<&HeaderValue>, body: &[u8]) -> bool {
    // A form has no control characters; every multipart body does.
    if body.iter().any(u8::is_ascii_control)
        || matches!(body.first(), Some(b'{' | b'[' | b'"' | b'<'))
    {
        return false;
    }
    let essence =
        content_type.and_then(|value| value.as_bytes().split(|byte| *byte == b';').next());
    if essence.is_some_and(|essence| essence.trim_ascii().eq_ignore_ascii_case(FORM)) {
        return true;
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"%*+-._".contains(byte);
    let mut parts = body.splitn(2, |byte| *byte == b'=');
    parts.next().is_some_and(|name| name.iter().all(is_name)) && parts.next().is_some()
}

fn tells(object: &Object<'_>, names: &[&str]) -> bool {
    names.iter().any(|name| object.get(name).is_some_and(|value| !value.is_null()))
}

/// The row of a callback without `Event`, and the names of the fields that tell it.
fn shape(object: &Object<'_>) -> Option<(&'static str, &'static [&'static str])> {
    if tells(object, NEVER_WITHOUT_EVENT) {
        return None;
    }
    let mut shapes = SHAPES.iter().copied().filter(|(_, names)| tells(object, names));
    match (shapes.next()?, shapes.next(), shapes.next()) {
        (shape, None, _) => Some(shape),
        // A Conference action may name a recording.
        (shape @ ("conference_action", _), Some(("Record", _)), None) => Some(shape),
        _ => None,
    }
}

const DIAL_ACTION: &[&str] =
    &["DialStatus", "DialRingStatus", "DialHangupCause", "DialALegUUID", "DialBLegUUID"];

const SHAPES: &[(&str, &[&str])] = &[
    ("gather", &["InputType", "Digits", "Speech", "SpeechConfidenceScore"]),
    ("gather_interim", &["StableSpeech", "UnstableSpeech", "Stability", "SequenceNumber"]),
    ("conference_action", &["ConferenceUUID", "ConferenceName", "ConferenceMemberID"]),
    ("Record", &["RecordingID"]),
    (
        "recording",
        &[
            "record_url",
            "recording_duration",
            "recording_duration_ms",
            "recording_start_ms",
            "recording_end_ms",
        ],
    ),
    (
        "transcription",
        &[
            "transcription",
            "transcription_id",
            "transcription_url",
            "transcription_charge",
            "transcription_rate",
        ],
    ),
];

/// Fields of callbacks that are documented with an `Event`: without one they are unknown.
const NEVER_WITHOUT_EVENT: &[&str] =
    &["ConferenceAction", "DialAction", "DialStatus", "RecordingEndReason", "StreamID", "Machine"];

const FORM: &[u8] = b"application/x-www-form-urlencoded";
