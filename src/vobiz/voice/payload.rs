//! What each callback says, as a table of names and types.

use super::{
    Field,
    fields::{Fields, Slot},
};
use crate::{Rejection, wire::words};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::BTreeMap;

/// Structs of fields: read from [`Fields`] by their wire names (after `|` further ones, read but not written).
macro_rules! fields {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {$(
            $(#[$field_meta:meta])*
            pub $field:ident: $type:ty = $wire:literal $(| $alias:literal)*,
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {$(
            #[doc = concat!("`", $wire, "`: ")]
            $(#[$field_meta])*
            pub $field: $type,
        )*}

        impl $name {
            fn read(fields: &mut Fields<'_>) -> Result<Self, Rejection> {
                Ok(Self { $($field: Slot::read(fields, &[$wire $(, $alias)*])?,)* })
            }

            fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(self.$field.write($wire, map)?;)*
                Ok(())
            }
        }
    )*};
}

/// As `fields!`, with what every callback has.
macro_rules! callbacks {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident {$(
            $(#[$field_meta:meta])*
            pub $field:ident: $type:ty = $wire:literal,
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            /// What most callbacks say of their call.
            pub call: Call,
            $(
                #[doc = concat!("`", $wire, "`: ")]
                $(#[$field_meta])*
                pub $field: $type,
            )*
            /// Custom SIP headers and a stream's `extraHeaders`, under their whole names (`X-VH-…`).
            pub sip_headers: BTreeMap<String, String>,
            /// Every other field: undocumented ones, and on a GET your own query's. Of a JSON value that is no string,
            /// the JSON text.
            pub extra: BTreeMap<String, String>,
        }

        impl Callback for $name {
            fn read(mut fields: Fields<'_>) -> Result<Self, Rejection> {
                let call = Call::read(&mut fields)?;
                $(let $field = Slot::read(&mut fields, &[$wire])?;)*
                let (sip_headers, extra) = fields.rest();
                Ok(Self { call, $($field,)* sip_headers, extra })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let mut map = out.serialize_map(None)?;
                self.call.write(&mut map)?;
                $(self.$field.write($wire, &mut map)?;)*
                for (name, text) in self.sip_headers.iter().chain(&self.extra) {
                    map.serialize_entry(name, text)?;
                }
                map.end()
            }
        }
    )*};
}

/// As [`words!`], as the value of a field.
macro_rules! field_words {
    ($($(#[$meta:meta])* pub enum $name:ident $body:tt)*) => {
        words! {$($(#[$meta])* pub enum $name $body)*}

        $(impl Slot for Option<$name> {
            fn read(fields: &mut Fields<'_>, names: &[&str]) -> Result<Self, Rejection> {
                Ok(<Option<String> as Slot>::read(fields, names)?.map(|word| $name::from(&*word)))
            }

            fn text(&self) -> Option<&str> {
                self.as_ref().map($name::as_str)
            }
        })*
    };
}

pub(super) trait Callback: Sized {
    fn read(fields: Fields<'_>) -> Result<Self, Rejection>;
}

fields! {
    /// What most callbacks say of their call.
    ///
    /// An answered outbound call has several ids: `CallUUID` names the leg that the callback is about.
    pub struct Call {
        /// the event's name; Gather, Conference action and the REST callbacks have none.
        pub event: Option<String> = "Event",
        /// the call's id; the API's `request_uuid` of an outbound call is the same.
        pub call_uuid: Option<String> = "CallUUID",
        /// the caller, as the network gave it: with or without `+`, national or international.
        pub from: Option<String> = "From",
        /// the callee, as the network gave it: with or without `+`, national or international.
        pub to: Option<String> = "To",
        /// which way it goes, seen from Vobiz.
        pub direction: Option<Direction> = "Direction",
        /// how far it has come. An inbound call's StartApp is still `ringing`.
        pub call_status: Option<CallStatus> = "CallStatus",
        /// the caller's name.
        pub caller_name: Option<String> = "CallerName",
        /// the main account, `MA_…`.
        pub parent_auth_id: Option<String> = "ParentAuthID",
        /// the API request that made the call.
        pub request_uuid: Option<String> = "RequestUUID",
        /// the first leg's id.
        pub a_leg_uuid: Option<String> = "ALegUUID",
        /// the API request that made the first leg.
        pub a_leg_request_uuid: Option<String> = "ALegRequestUUID",
        /// when the session began: `YYYY-MM-DD HH:MM:SS.ffffff` in **UTC**.
        pub session_start: Option<String> = "SessionStart",
        /// the price of a minute, a decimal number.
        pub bill_rate: Option<String> = "BillRate",
        /// the STIR/SHAKEN attestation.
        pub stir_attestation: Option<String> = "STIRAttestation",
        /// whether STIR/SHAKEN vouches for the caller; one page spells it `stir_verification`.
        pub stir_verification: Option<StirVerification> = "STIRVerification" | "stir_verification",
    }
}

callbacks! {
    /// `Ring`: an outbound call rings. To `ring_url`.
    pub struct Ring {}

    /// `StartApp`: a call wants its XML. To `answer_url` or `fallback_url`.
    pub struct StartApp {
        /// who forwarded the call.
        pub forwarded_from: Option<String> = "ForwardedFrom",
        /// the caller's country; may be empty.
        pub country_code: Option<String> = "CountryCode",
        /// may be empty; undocumented.
        pub route_type: Option<String> = "RouteType",
    }

    /// `Hangup`: a call is over, once for each first leg. To `hangup_url`, or to `answer_url` where there is none.
    pub struct Hangup {
        /// when the call was made: `YYYY-MM-DD HH:MM:SS` in the **console's local zone**, which is not that of
        /// [`Call::session_start`].
        pub start_time: Option<String> = "StartTime",
        /// when it was answered, in the form and zone of `StartTime`; absent or empty if it was not.
        pub answer_time: Option<String> = "AnswerTime",
        /// when it ended, in the form and zone of `StartTime`.
        pub end_time: Option<String> = "EndTime",
        /// seconds.
        pub duration: Field<u64> = "Duration",
        /// billed seconds, rounded up to the pulse.
        pub bill_duration: Field<u64> = "BillDuration",
        /// such as `NORMAL_CLEARING`.
        pub hangup_cause: Option<String> = "HangupCause",
        /// such as `4000`; table on the page *hangup causes*.
        pub hangup_cause_code: Field<u64> = "HangupCauseCode",
        /// such as `Normal Hangup`.
        pub hangup_cause_name: Option<String> = "HangupCauseName",
        /// who ended it.
        pub hangup_source: Option<HangupSource> = "HangupSource",
        /// the price of the call, a decimal number.
        pub total_cost: Option<String> = "TotalCost",
    }

    /// What the caller entered or said, or that they did not. To `<Gather action>`; it has no `Event`.
    pub struct Gather {
        /// how.
        pub input_type: Option<InputType> = "InputType",
        /// what was pressed, without the finish key; empty for speech and after the timeout.
        pub digits: Option<String> = "Digits",
        /// what was said; empty for digits and after the timeout.
        pub speech: Option<String> = "Speech",
        /// 0 to 1.
        pub speech_confidence_score: Field<f64> = "SpeechConfidenceScore",
        /// the price of the recognition, a decimal number.
        pub billed_amount: Option<String> = "BilledAmount",
    }

    /// What was said so far. To `<Gather interimSpeechResultsCallback>`; it has no `Event`.
    pub struct GatherInterim {
        /// what will not change any more.
        pub stable_speech: Option<String> = "StableSpeech",
        /// what may still change.
        pub unstable_speech: Option<String> = "UnstableSpeech",
        /// 0 to 1.
        pub stability: Field<f64> = "Stability",
        /// the place in the order.
        pub sequence_number: Field<u64> = "SequenceNumber",
    }

    /// How far a second leg has come: `DialAnswer`, `DialConnected`, `DialDigitsMatch`, `DialHangup`. To
    /// `<Dial callbackUrl>`.
    pub struct Dial {
        /// what happened.
        pub dial_action: Option<DialStep> = "DialAction",
        /// the first leg's id.
        pub dial_a_leg_uuid: Option<String> = "DialALegUUID",
        /// the second leg's id.
        pub dial_b_leg_uuid: Option<String> = "DialBLegUUID",
        /// the second leg's caller.
        pub dial_b_leg_from: Option<String> = "DialBLegFrom",
        /// the second leg's callee.
        pub dial_b_leg_to: Option<String> = "DialBLegTo",
        /// on all but digits, and on digits perhaps.
        pub dial_b_leg_status: Option<String> = "DialBLegStatus",
        /// the number's place in the `<Dial>`; on all but digits, and on digits perhaps.
        pub dial_b_leg_position: Field<u64> = "DialBLegPosition",
        /// the digits; on digits.
        pub dial_digits_match: Option<String> = "DialDigitsMatch",
        /// on which leg; on digits.
        pub dial_digits_pressed_by: Option<Leg> = "DialDigitsPressedBy",
        /// seconds; on hangup.
        pub dial_b_leg_duration: Field<u64> = "DialBLegDuration",
        /// billed seconds; on hangup.
        pub dial_b_leg_bill_duration: Field<u64> = "DialBLegBillDuration",
        /// such as `NO_ANSWER`; on hangup.
        pub dial_b_leg_hangup_cause: Option<String> = "DialBLegHangupCause",
        /// such as `6010`; on hangup.
        pub dial_b_leg_hangup_cause_code: Field<u64> = "DialBLegHangupCauseCode",
        /// such as `Ring Timeout Reached`; on hangup.
        pub dial_b_leg_hangup_cause_name: Option<String> = "DialBLegHangupCauseName",
        /// who ended it; on hangup.
        pub dial_b_leg_hangup_source: Option<HangupSource> = "DialBLegHangupSource",
    }

    /// `DialAction`: a `<Dial>` is over. To `<Dial action>`, also with `redirect="false"`; that of a transferred call comes
    /// as `Redirect`.
    pub struct DialAction {
        /// how it ended.
        pub dial_status: Option<DialStatus> = "DialStatus",
        /// whether the other side rang.
        pub dial_ring_status: Field<bool> = "DialRingStatus",
        /// such as `NORMAL_CLEARING`.
        pub dial_hangup_cause: Option<String> = "DialHangupCause",
        /// the first leg's id.
        pub dial_a_leg_uuid: Option<String> = "DialALegUUID",
        /// the second leg's id; may be empty.
        pub dial_b_leg_uuid: Option<String> = "DialBLegUUID",
    }

    /// `Record`: a recording has begun, not ended. To `<Record action>`; it may come without `Event`.
    pub struct Record {
        /// the recording's id.
        pub recording_id: Option<String> = "RecordingID",
    }

    /// `RecordStop`: a recording can be fetched. To `<Record callbackUrl>`, after the call's `Hangup`.
    pub struct RecordStop {
        /// the recording's id.
        pub recording_id: Option<String> = "RecordingID",
        /// where it is.
        pub record_file: Option<String> = "RecordFile",
        /// where it is.
        pub record_url: Option<String> = "RecordUrl",
        /// seconds.
        pub recording_duration: Field<u64> = "RecordingDuration",
        /// milliseconds.
        pub recording_duration_ms: Field<u64> = "RecordingDurationMs",
        /// Unix milliseconds.
        pub recording_start_ms: Field<u64> = "RecordingStartMs",
        /// Unix milliseconds.
        pub recording_end_ms: Field<u64> = "RecordingEndMs",
        /// why it ended.
        pub recording_end_reason: Option<RecordingEndReason> = "RecordingEndReason",
    }

    /// A recording that the REST API began can be fetched. To its `callback_url`; without `Event` and `CallUUID`.
    pub struct Recording {
        /// the API request's id.
        pub api_id: Option<String> = "api_id",
        /// where it is.
        pub record_url: Option<String> = "record_url",
        /// the call's id.
        pub call_uuid: Option<String> = "call_uuid",
        /// the recording's id.
        pub recording_id: Option<String> = "recording_id",
        /// seconds.
        pub recording_duration: Field<u64> = "recording_duration",
        /// milliseconds.
        pub recording_duration_ms: Field<u64> = "recording_duration_ms",
        /// Unix milliseconds.
        pub recording_start_ms: Field<u64> = "recording_start_ms",
        /// Unix milliseconds.
        pub recording_end_ms: Field<u64> = "recording_end_ms",
    }

    /// What was said in a recording. To a `transcriptionUrl` or the REST API's `transcription_url`, which fill
    /// different fields; it has neither `Event` nor `CallUUID`.
    pub struct Transcription {
        /// the text.
        pub transcription: Option<String> = "transcription",
        /// the transcription's id; from `<Record>`.
        pub transcription_id: Option<String> = "transcription_id",
        /// where it is; from `<Record>`.
        pub transcription_url: Option<String> = "transcription_url",
        /// the recording's id.
        pub recording_id: Option<String> = "recording_id",
        /// the call's id; from the REST API.
        pub call_uuid: Option<String> = "call_uuid",
        /// seconds; from the REST API.
        pub duration: Field<f64> = "duration",
        /// the price, a decimal number; from the REST API.
        pub transcription_charge: Option<String> = "transcription_charge",
        /// the price of a unit, a decimal number; from the REST API.
        pub transcription_rate: Option<String> = "transcription_rate",
        /// empty on success; from the REST API.
        pub error: Option<String> = "error",
    }

    /// A conference: `ConferenceEnter`, `ConferenceExit`, `ConferenceDigitsMatch` (whose own fields nobody documents)
    /// to `<Conference callbackUrl>`, `ConferenceRemoteSounds` to its `waitSound`.
    ///
    /// Order of arrival is not order of events.
    pub struct Conference {
        /// what happened.
        pub conference_action: Option<ConferenceStep> = "ConferenceAction",
        /// the conference's id.
        pub conference_uuid: Option<String> = "ConferenceUUID",
        /// the conference's name.
        pub conference_name: Option<String> = "ConferenceName",
        /// the member's id.
        pub conference_member_id: Option<String> = "ConferenceMemberID",
        /// whether the member is the first; on enter.
        pub conference_first_member: Field<bool> = "ConferenceFirstMember",
        /// whether the member was the last; on exit.
        pub conference_last_member: Field<bool> = "ConferenceLastMember",
    }

    /// A `<Conference>` is over for this call. To `<Conference action>`, not reliably; it has no `Event`.
    pub struct ConferenceAction {
        /// the conference's id.
        pub conference_uuid: Option<String> = "ConferenceUUID",
        /// the conference's name.
        pub conference_name: Option<String> = "ConferenceName",
        /// the member's id.
        pub conference_member_id: Option<String> = "ConferenceMemberID",
        /// the recording's id.
        pub recording_id: Option<String> = "RecordingID",
        /// where it is.
        pub record_url: Option<String> = "RecordUrl",
        /// where it is.
        pub record_file: Option<String> = "RecordFile",
    }

    /// An audio stream: `StartStream`, `PlayedStream`, `ClearedAudio`, `DegradedStream`, `DroppedStream`, `StopStream`.
    /// To `<Stream statusCallbackUrl>` or the REST API's `status_callback_url`.
    ///
    /// `StopStream` comes only where the application stopped the stream.
    pub struct Stream {
        /// the stream's id.
        pub stream_id: Option<String> = "StreamID",
        /// when: `YYYY-MM-DD HH:MM:SS`; nobody documents the zone.
        pub timestamp: Option<String> = "Timestamp",
        /// the WebSocket's address; on StartStream.
        pub service_url: Option<String> = "ServiceURL",
        /// the checkpoint's name; on PlayedStream.
        pub name: Option<String> = "Name",
        /// what is wrong; empty if nothing is.
        pub error: Option<String> = "Error",
        /// where this was sent.
        pub status_callback_url: Option<String> = "status_callback_url",
        /// how.
        pub status_callback_method: Option<String> = "status_callback_method",
    }

    /// `Redirect`: a `<Redirect>` wants its XML.
    pub struct Redirect {}

    /// `Transfer`: a transferred call wants its XML. To the API's `aleg_url` or `bleg_url`.
    pub struct Transfer {}

    /// `MachineDetection`: man or machine. To `machine_detection_url`.
    pub struct MachineDetection {
        /// whether a machine answered.
        pub machine: Field<bool> = "Machine",
        /// what was asked for in that case.
        pub if_machine: Option<IfMachine> = "IfMachine",
    }
}

field_words! {
    /// Which way a call goes.
    pub enum Direction {
        /// To you.
        Inbound = "inbound",
        /// From you.
        Outbound = "outbound",
    }

    /// How far a call has come, or how it ended.
    pub enum CallStatus {
        /// It rings.
        Ringing = "ringing",
        /// It was answered.
        InProgress = "in-progress",
        /// It is over.
        Completed = "completed",
        /// The callee was busy.
        Busy = "busy",
        /// It failed.
        Failed = "failed",
        /// It took too long.
        Timeout = "timeout",
        /// Nobody answered.
        NoAnswer = "no-answer",
        /// It was given up.
        Cancel = "cancel",
    }

    /// Whether STIR/SHAKEN vouches for the caller.
    pub enum StirVerification {
        /// It does.
        Verified = "Verified",
        /// It does not.
        NotVerified = "Not Verified",
        /// It has no say.
        NotApplicable = "Not Applicable",
    }

    /// Who ended a call.
    pub enum HangupSource {
        /// The caller.
        Caller = "Caller",
        /// The callee; a table of the docs says `Call recipient`.
        Callee = "Callee",
        /// Vobiz.
        Vobiz = "Vobiz",
        /// A carrier.
        Carrier = "Carrier",
        /// An API request.
        ApiRequest = "API Request",
        /// The XML.
        AnswerXml = "Answer XML",
        /// An error.
        Error = "Error",
        /// Nobody knows.
        Unknown = "Unknown",
    }

    /// How a caller gave input.
    pub enum InputType {
        /// By keys.
        Dtmf = "dtmf",
        /// By voice.
        Speech = "speech",
    }

    /// What happened to a second leg.
    pub enum DialStep {
        /// It was answered.
        Answer = "answer",
        /// It was connected to the first.
        Connected = "connected",
        /// Digits were pressed.
        Digits = "digits",
        /// It is over.
        Hangup = "hangup",
    }

    /// One side of a `<Dial>`.
    pub enum Leg {
        /// The first.
        A = "aleg",
        /// The second.
        B = "bleg",
    }

    /// How a `<Dial>` ended.
    pub enum DialStatus {
        /// Answered and over.
        Completed = "completed",
        /// Busy.
        Busy = "busy",
        /// Failed.
        Failed = "failed",
        /// Given up.
        Cancel = "cancel",
        /// Took too long.
        Timeout = "timeout",
        /// Nobody answered.
        NoAnswer = "no-answer",
    }

    /// Why a recording ended.
    pub enum RecordingEndReason {
        /// Silence.
        Timeout = "RecordingTimeout",
        /// The longest that was allowed.
        MaxLength = "maxLength",
        /// The finish key.
        FinishedOnKey = "FinishedOnKey",
        /// The call ended.
        HungUp = "HungUp",
    }

    /// What happened in a conference.
    pub enum ConferenceStep {
        /// A member came.
        Enter = "enter",
        /// A member went.
        Exit = "exit",
        /// Somebody waits and wants XML to hear.
        WaitSound = "waitSound",
    }

    /// What to do when a machine answers.
    pub enum IfMachine {
        /// Carry on.
        Continue = "continue",
        /// Hang up.
        Hangup = "hangup",
    }
}
