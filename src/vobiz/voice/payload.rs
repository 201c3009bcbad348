//! The fields of each callback.

use crate::{
    UnixMillis,
    payload::{payload, words},
};

payload! {
    /// The fields about the call that most callbacks have.
    ///
    /// An answered outbound call has several ids: `CallUUID` names the leg that the callback is
    /// about.
    pub struct Call {
        /// The event's name; Gather, Conference action and the REST callbacks have none.
        pub event: Option<String> = "Event",
        /// The call's id; the API's `request_uuid` of an outbound call is the same.
        pub call_uuid: Option<String> = "CallUUID",
        /// The caller, as the network gave it: with or without `+`, national or international.
        pub from: Option<String> = "From",
        /// The callee, as the network gave it: with or without `+`, national or international.
        pub to: Option<String> = "To",
        /// The call's direction.
        pub direction: Option<Direction> = "Direction",
        /// The call's state; one page spells it `Status`. Still `ringing` in an inbound call's
        /// StartApp.
        pub call_status: Option<CallStatus> = "CallStatus" | "Status",
        /// The caller's name.
        pub caller_name: Option<String> = "CallerName",
        /// The account, `MA_…` or `SA_…`; documented as a standard parameter, but not observed.
        pub auth_id: Option<String>,
        /// The main account, `MA_…`.
        pub parent_auth_id: Option<String> = "ParentAuthID",
        /// The API request that made the call.
        pub request_uuid: Option<String> = "RequestUUID",
        /// The first leg's id.
        pub a_leg_uuid: Option<String> = "ALegUUID",
        /// The API request that made the first leg.
        pub a_leg_request_uuid: Option<String> = "ALegRequestUUID",
        /// When this happened, ISO 8601; documented as a standard parameter, but not observed.
        pub timestamp: Option<String>,
        /// When the session began: `YYYY-MM-DD HH:MM:SS.ffffff` in **UTC**.
        pub session_start: Option<String> = "SessionStart",
        /// The call's rate, as decimal text; no page gives its unit.
        pub bill_rate: Option<String> = "BillRate",
        /// The STIR/SHAKEN attestation.
        pub stir_attestation: Option<String> = "STIRAttestation",
        /// The STIR/SHAKEN verification of the caller; one page spells it `stir_verification`.
        pub stir_verification: Option<StirVerification> = "STIRVerification" | "stir_verification",
    }

    /// An event with no other fields than those about the call.
    ///
    /// `Ring`: an outbound call rings. Sent to `ring_url`. `Redirect`: a `<Redirect>` requests its
    /// XML. `Transfer`: a transferred call requests its XML. Sent to the API's `aleg_url` or
    /// `bleg_url`.
    pub struct CallEvent {
        /// The fields about the call.
        pub call: Call,
        ..rest
    }

    /// `StartApp`: a call requests its XML. Sent to `answer_url` or `fallback_url`.
    pub struct StartApp {
        /// The fields about the call.
        pub call: Call,
        /// Who forwarded the call.
        pub forwarded_from: Option<String> = "ForwardedFrom",
        /// The caller's country.
        pub country_code: Option<String> = "CountryCode",
        /// Undocumented.
        pub route_type: Option<String> = "RouteType",
        ..rest
    }

    /// `Hangup`: a call ended. Sent once for each first leg, to `hangup_url` or else to
    /// `answer_url`.
    pub struct Hangup {
        /// The fields about the call.
        pub call: Call,
        /// When the call was made: `YYYY-MM-DD HH:MM:SS` in the **console's local zone**, which is
        /// not that of [`Call::session_start`].
        pub start_time: Option<String> = "StartTime",
        /// When it was answered, in the format and zone of `StartTime`; `None` if it was not.
        pub answer_time: Option<String> = "AnswerTime",
        /// When it ended, in the format and zone of `StartTime`.
        pub end_time: Option<String> = "EndTime",
        /// The call's length in seconds.
        pub duration: Option<u64> = "Duration",
        /// Billed seconds, rounded up to the pulse.
        pub bill_duration: Option<u64> = "BillDuration",
        /// Such as `NORMAL_CLEARING`.
        pub hangup_cause: Option<String> = "HangupCause",
        /// Such as `4000`; listed on the page *hangup causes*.
        pub hangup_cause_code: Option<i64> = "HangupCauseCode",
        /// Such as `Normal Hangup`.
        pub hangup_cause_name: Option<String> = "HangupCauseName",
        /// Who ended the call.
        pub hangup_source: Option<HangupSource> = "HangupSource",
        /// The price of the call, as decimal text.
        pub total_cost: Option<String> = "TotalCost",
        ..rest
    }

    /// What the caller entered or said, or neither after the timeout. Sent to `<Gather action>`,
    /// without `Event`.
    pub struct Gather {
        /// The fields about the call.
        pub call: Call,
        /// Keys or speech.
        pub input_type: Option<InputType> = "InputType",
        /// The keys that were pressed, without the finish key.
        pub digits: Option<String> = "Digits",
        /// What was said.
        pub speech: Option<String> = "Speech",
        /// The recognition's confidence, 0 to 1.
        pub speech_confidence_score: Option<f64> = "SpeechConfidenceScore",
        /// The price of the recognition, as decimal text.
        pub billed_amount: Option<String> = "BilledAmount",
        ..rest
    }

    /// What was said so far. Sent to `<Gather interimSpeechResultsCallback>`, without `Event`.
    pub struct GatherInterim {
        /// The fields about the call.
        pub call: Call,
        /// The part that is final.
        pub stable_speech: Option<String> = "StableSpeech",
        /// The part that may still change.
        pub unstable_speech: Option<String> = "UnstableSpeech",
        /// How certain the unstable part is, 0 to 1.
        pub stability: Option<f64> = "Stability",
        /// The callback's sequence number.
        pub sequence_number: Option<u64> = "SequenceNumber",
        ..rest
    }

    /// The state of a second leg: `DialAnswer`, `DialConnected`, `DialDigitsMatch`, `DialHangup`.
    /// Sent to `<Dial callbackUrl>`.
    pub struct Dial {
        /// The fields about the call.
        pub call: Call,
        /// What happened.
        pub dial_action: Option<DialStep> = "DialAction",
        /// The first leg's id.
        pub dial_a_leg_uuid: Option<String> = "DialALegUUID",
        /// The second leg's id.
        pub dial_b_leg_uuid: Option<String> = "DialBLegUUID",
        /// The second leg's caller.
        pub dial_b_leg_from: Option<String> = "DialBLegFrom",
        /// The second leg's callee.
        pub dial_b_leg_to: Option<String> = "DialBLegTo",
        /// The leg's state; optional on digits.
        pub dial_b_leg_status: Option<String> = "DialBLegStatus",
        /// The number's place in the `<Dial>`; optional on digits.
        pub dial_b_leg_position: Option<u64> = "DialBLegPosition",
        /// The digits that were pressed; on digits.
        pub dial_digits_match: Option<String> = "DialDigitsMatch",
        /// Who pressed them; on digits.
        pub dial_digits_pressed_by: Option<Leg> = "DialDigitsPressedBy",
        /// Seconds; on hangup.
        pub dial_b_leg_duration: Option<u64> = "DialBLegDuration",
        /// Billed seconds; on hangup.
        pub dial_b_leg_bill_duration: Option<u64> = "DialBLegBillDuration",
        /// Such as `NO_ANSWER`; on hangup.
        pub dial_b_leg_hangup_cause: Option<String> = "DialBLegHangupCause",
        /// Such as `6010`; on hangup.
        pub dial_b_leg_hangup_cause_code: Option<i64> = "DialBLegHangupCauseCode",
        /// Such as `Ring Timeout Reached`; on hangup.
        pub dial_b_leg_hangup_cause_name: Option<String> = "DialBLegHangupCauseName",
        /// Who ended the leg; on hangup.
        pub dial_b_leg_hangup_source: Option<HangupSource> = "DialBLegHangupSource",
        ..rest
    }

    /// `DialAction`: a `<Dial>` ended. Sent to `<Dial action>`, also with `redirect="false"`; a
    /// transferred call's has the `Event` `Redirect`.
    pub struct DialAction {
        /// The fields about the call.
        pub call: Call,
        /// How it ended; not [`CallStatus::Ringing`] or [`CallStatus::InProgress`].
        pub dial_status: Option<CallStatus> = "DialStatus",
        /// Vobiz's own ring status; no proof that the other side's phone rang.
        pub dial_ring_status: Option<bool> = "DialRingStatus",
        /// Such as `NORMAL_CLEARING`; `HangupCause` in the page's sample.
        pub dial_hangup_cause: Option<String> = "DialHangupCause" | "HangupCause",
        /// The first leg's id.
        pub dial_a_leg_uuid: Option<String> = "DialALegUUID",
        /// The second leg's id.
        pub dial_b_leg_uuid: Option<String> = "DialBLegUUID",
        ..rest
    }

    /// `Record`: a recording began. Sent to `<Record action>`, sometimes without `Event`.
    pub struct Record {
        /// The fields about the call.
        pub call: Call,
        /// The recording's id.
        pub recording_id: Option<String> = "RecordingID",
        ..rest
    }

    /// `RecordStop`: a recording is ready. Sent to `<Record callbackUrl>`, after the call's
    /// `Hangup`.
    pub struct RecordStop {
        /// The fields about the call.
        pub call: Call,
        /// The recording's id.
        pub recording_id: Option<String> = "RecordingID",
        /// The recording's URL.
        pub record_file: Option<String> = "RecordFile",
        /// The recording's URL.
        pub record_url: Option<String> = "RecordUrl",
        /// The recording's length in seconds.
        pub recording_duration: Option<u64> = "RecordingDuration",
        /// The recording's length in milliseconds.
        pub recording_duration_ms: Option<u64> = "RecordingDurationMs",
        /// When the recording began.
        pub recording_start_ms: Option<UnixMillis> = "RecordingStartMs",
        /// When the recording ended.
        pub recording_end_ms: Option<UnixMillis> = "RecordingEndMs",
        /// Why the recording ended.
        pub recording_end_reason: Option<RecordingEndReason> = "RecordingEndReason",
        ..rest
    }

    /// A recording that the REST API started is ready. Sent to its `callback_url`, without `Event`
    /// and `CallUUID`.
    pub struct Recording {
        /// The fields about the call.
        pub call: Call,
        /// The API request's id.
        pub api_id: Option<String>,
        /// The recording's URL.
        pub record_url: Option<String>,
        /// The call's id.
        pub call_uuid: Option<String>,
        /// The recording's id.
        pub recording_id: Option<String>,
        /// The recording's length in seconds.
        pub recording_duration: Option<u64>,
        /// The recording's length in milliseconds.
        pub recording_duration_ms: Option<u64>,
        /// When the recording began.
        pub recording_start_ms: Option<UnixMillis>,
        /// When the recording ended.
        pub recording_end_ms: Option<UnixMillis>,
        ..rest
    }

    /// The transcription of a recording. Sent to a `transcriptionUrl` or the REST API's
    /// `transcription_url`, with different fields, but without `Event` and `CallUUID`.
    pub struct Transcription {
        /// The fields about the call.
        pub call: Call,
        /// The text.
        pub transcription: Option<String>,
        /// The transcription's id; from `<Record>`.
        pub transcription_id: Option<String>,
        /// The transcription's URL; from `<Record>`.
        pub transcription_url: Option<String>,
        /// The recording's id.
        pub recording_id: Option<String>,
        /// The call's id; from the REST API.
        pub call_uuid: Option<String>,
        /// The recording's length in seconds; from the REST API.
        pub duration: Option<f64>,
        /// The price, as decimal text; from the REST API.
        pub transcription_charge: Option<String>,
        /// The price of a minute, as decimal text; from the REST API.
        pub transcription_rate: Option<String>,
        /// What failed; from the REST API.
        pub error: Option<String>,
        ..rest
    }

    /// An event of a conference. `ConferenceEnter`, `ConferenceExit` and `ConferenceDigitsMatch`
    /// (whose own fields are not documented) are sent to `<Conference callbackUrl>`,
    /// `ConferenceRemoteSounds` to its `waitSound`.
    ///
    /// They may arrive out of order. The Conference action, without `Event`, tells that a
    /// `<Conference>` ended for this call. It is sent to `<Conference action>`, not reliably.
    pub struct Conference {
        /// The fields about the call.
        pub call: Call,
        /// What happened.
        pub conference_action: Option<ConferenceStep> = "ConferenceAction",
        /// The conference's id.
        pub conference_uuid: Option<String> = "ConferenceUUID",
        /// The conference's name.
        pub conference_name: Option<String> = "ConferenceName",
        /// The member's id.
        pub conference_member_id: Option<String> = "ConferenceMemberID",
        /// Whether the member is the first; on enter.
        pub conference_first_member: Option<bool> = "ConferenceFirstMember",
        /// Whether the room was empty at the instant of this event; on exit. It does not say that
        /// this member was the last to leave.
        pub conference_last_member: Option<bool> = "ConferenceLastMember",
        /// The recording's id; on the Conference action.
        pub recording_id: Option<String> = "RecordingID",
        /// The recording's URL; on the Conference action.
        pub record_url: Option<String> = "RecordUrl",
        /// The recording's URL; on the Conference action.
        pub record_file: Option<String> = "RecordFile",
        ..rest
    }

    /// An event of an audio stream: `StartStream`, `PlayedStream`, `ClearedAudio`,
    /// `DegradedStream`, `DroppedStream`, `StopStream`. Sent to `<Stream statusCallbackUrl>` or the
    /// REST API's `status_callback_url`.
    ///
    /// `StopStream` is sent only if the application stopped the stream.
    pub struct Stream {
        /// The fields about the call.
        pub call: Call,
        /// The stream's id.
        pub stream_id: Option<String> = "StreamID",
        /// When this happened: `YYYY-MM-DD HH:MM:SS`; the zone is not documented.
        pub timestamp: Option<String> = "Timestamp",
        /// The WebSocket's address; on StartStream.
        pub service_url: Option<String> = "ServiceURL",
        /// The checkpoint's name; on PlayedStream.
        pub name: Option<String> = "Name",
        /// What is wrong, such as `connection degraded`.
        pub error: Option<String> = "Error",
        /// The URL that this was sent to.
        pub status_callback_url: Option<String>,
        /// The method that this was sent with.
        pub status_callback_method: Option<String>,
        ..rest
    }

    /// `MachineDetection`: whether a person or a machine answered. Sent to `machine_detection_url`.
    pub struct MachineDetection {
        /// The fields about the call.
        pub call: Call,
        /// Whether a machine answered.
        pub machine: Option<bool> = "Machine",
        /// What the call was told to do if a machine answers.
        pub if_machine: Option<IfMachine> = "IfMachine",
        ..rest
    }
}

words! {
    /// A call's direction.
    pub enum Direction {
        /// To you: `To` is your number.
        Inbound = "inbound",
        /// From you: `To` is the destination.
        Outbound = "outbound",
    }

    /// A call's state, or how it ended.
    pub enum CallStatus {
        /// Ringing.
        Ringing = "ringing",
        /// Answered.
        InProgress = "in-progress",
        /// Answered and ended.
        Completed = "completed",
        /// Busy.
        Busy = "busy",
        /// Failed.
        Failed = "failed",
        /// Timed out.
        Timeout = "timeout",
        /// Not answered.
        NoAnswer = "no-answer",
        /// Cancelled.
        Cancel = "cancel",
    }

    /// The result of a STIR/SHAKEN verification.
    pub enum StirVerification {
        /// Verified.
        Verified = "Verified",
        /// Not verified.
        NotVerified = "Not Verified",
        /// Not applicable.
        NotApplicable = "Not Applicable",
    }

    /// Who ended a call.
    pub enum HangupSource {
        /// The caller.
        Caller = "Caller",
        /// The callee.
        Callee = "Callee" | "Call recipient" | "Call Recipient",
        /// Vobiz.
        Vobiz = "Vobiz",
        /// A carrier.
        Carrier = "Carrier",
        /// An API request.
        ApiRequest = "API Request",
        /// The answer XML.
        AnswerXml = "Answer XML",
        /// An error.
        Error = "Error",
        /// Not known to Vobiz.
        Unknown = "Unknown",
    }

    /// How the caller gave input.
    pub enum InputType {
        /// By keys.
        Dtmf = "dtmf",
        /// By voice.
        Speech = "speech",
    }

    /// What happened to a second leg.
    pub enum DialStep {
        /// Answered.
        Answer = "answer",
        /// Connected to the first leg.
        Connected = "connected",
        /// Digits were pressed.
        Digits = "digits",
        /// Ended.
        Hangup = "hangup",
    }

    /// One side of a `<Dial>`.
    pub enum Leg {
        /// The first.
        A = "aleg",
        /// The second.
        B = "bleg",
    }

    /// Why a recording ended.
    pub enum RecordingEndReason {
        /// Silence.
        Timeout = "RecordingTimeout",
        /// The maximum length.
        MaxLength = "maxLength",
        /// The finish key.
        FinishedOnKey = "FinishedOnKey",
        /// The call ended.
        HungUp = "HungUp",
    }

    /// What happened in a conference.
    pub enum ConferenceStep {
        /// A member entered.
        Enter = "enter",
        /// A member left.
        Exit = "exit",
        /// A member waits and requests XML to listen to.
        WaitSound = "waitSound",
    }

    /// What to do when a machine answers.
    pub enum IfMachine {
        /// Continue the call.
        Continue = "continue",
        /// Hang up.
        Hangup = "hangup",
    }
}
