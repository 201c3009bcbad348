//! ZEGOCLOUD: server callbacks of the real-time audio and video platform.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, Zegocloud, zegocloud::{self, Event, RoomEvent}};
//!
//! let now = SystemTime::now();
//! let body = r#"{"event":"room_close","appid":1234567,"room_id":"lobby","close_reason":2}"#;
//! let request = Request::post("/zegocloud").body(Bytes::from(body))?;
//! let request = zegocloud::Signer::new("a callback secret")?.sign(request, now);
//!
//! let delivery = Zegocloud::new("a callback secret")?.verify(&request, now)?;
//! assert_eq!(delivery.kind(), "room_close");
//! assert_eq!(delivery.covers(), Covers::Nothing);
//! let Event::Room(RoomEvent::Close(room)) = delivery.event() else { panic!() };
//! assert_eq!(room.room_id.as_deref(), Some("lobby"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the signature proves
//!
//! `signature` is the SHA-1 of the sorted concatenation of the CallbackSecret, `timestamp` and `nonce`, all of which
//! but the secret travel **in** the JSON body. It proves that somebody who knows the secret made that timestamp and
//! that nonce. It covers **nothing else**: not the event, not the URL. Whoever has seen one callback can put its three
//! members into a body of their own until the timestamp leaves the [`Window`]. So an event is a hint: fetch the state
//! from ZEGOCLOUD's server API before you act on it where it matters, and serve the route over TLS only.
//!
//! The secret is the console's CallbackSecret (not the ServerSecret), one for a project and all its callbacks.
//!
//! # Wire forms
//!
//! A body that starts with `{` is JSON and never percent-decoded; one that starts with `%7B` is percent-decoded once,
//! as a whole; else it is a form if its content type says so or is absent, with `name[]` and `name[0]` as lists. The
//! signing members may be spelt `timestamp`, `nonce`, `signature` or `Timestamp`, `Nonce`, `Signature`, and be strings
//! or numbers. `timestamp` stays in the event; `nonce` and `signature` are consumed and are in no event.
//!
//! ZEGOCLOUD documents no field as required, so all are `Option`s, and `null` is the same as missing. Strings and
//! integers are read alike and written as documented. JSON that the provider puts inside a string stays a string
//! ([`JsonText`], [`MessageBody`]) and is parsed on demand. A body of a known event that does not fit its fields is
//! [`RejectionKind::Invalid`]; an event that is not listed here is delivered as [`Unknown`].
//!
//! # Delivery
//!
//! ZEGOCLOUD guarantees neither arrival nor order, and documents no delivery id;
//! [`Event::dedup_key`] gives what can be inferred instead. [`RoomEvent`] and [`StreamEvent`] say how to reconcile.
//! Wait times not in the table are not documented.
//!
//! | family | a failure is | retries | where the console wants the URL |
//! | --- | --- | --- | --- |
//! | [rooms](RoomEvent), [streams](StreamEvent), [`record`](Record) | no answer, or a status other than 2xx | 5: after 2, 4, 8, 16, 32 s | *Project Configuration > Server Callback Configuration*, one for room creation, login, streams, recordings each |
//! | [mixing](MixingEvent), [transcoding](TranscodingEvent), [on-demand](CdnEvent), [Digital Human](DigitalHumanEvent) | the same | the same | through support |
//! | [moderation](ModerationEvent) | the same | the same | cloud market, Shumei |
//! | [AI Agent](AiAgentEvent), [real-time ASR](AsrEvent) | the same | the same | *Server Callback Configuration*; AI Agent takes two URLs, told apart by a tag |
//! | [ZIM](ZimEvent) | the same | the same | the service's configuration, or through support |
//! | `before_send_msg` of ZIM | no answer in 2.5 s (English page: 3 s) | 1, at once; then the message is by default not sent | through support |
//! | [cloud recording](RecordingEvent) | no answer | 2: 5 s apart (Chinese page) | when the service is opened |
//! | [cloud player](PlayerEvent) | no answer | 2, at once | through support |
//! | [super board](BoardEvent) | no answer | 2: after 15 s | through support, HTTPS only |
//!
//! For the last three any status is an answer: a 409, 500 or 503 may lose the event.
//!
//! A receiver that is killed while its handler runs frees the delivery after the [lease](crate::WebhookLayer::lease), 15 s
//! by default: the families with five retries deliver again. The others' last attempt may come before that and find the
//! delivery still claimed; then the event is lost.
//!
//! # Events
//!
//! In brackets the wire's number where the event has no name.
//!
//! | kind | variant | holds | when |
//! | --- | --- | --- | --- |
//! | `room_create` | [`RoomEvent::Create`] | [`RoomCreate`] | A room came to be |
//! | `room_close` | [`RoomEvent::Close`] | [`RoomClose`] | A room ceased to be |
//! | `room_login` | [`RoomEvent::Login`] | [`RoomLogin`] | A user entered |
//! | `room_logout` | [`RoomEvent::Logout`] | [`RoomLogout`] | A user left |
//! | `stream_create` | [`StreamEvent::Create`] | [`StreamCreate`] | A stream is published |
//! | `stream_close` | [`StreamEvent::Close`] | [`StreamClose`] | A stream ended |
//! | `mix_start` | [`MixingEvent::Start`] | [`MixStart`] | Mixing started |
//! | `mix_stop` | [`MixingEvent::Stop`] | [`MixStop`] | Mixing stopped |
//! | `transcode_start` | [`TranscodingEvent::Start`] | [`TranscodeStart`] | A task started, or was changed |
//! | `transcode_stop` | [`TranscodingEvent::Stop`] | [`TranscodeStop`] | A task stopped |
//! | `record` | [`CdnEvent::Record`] | [`Record`] | A recording is there |
//! | `compose` | [`CdnEvent::Compose`] | [`Compose`] | Files were merged, or could not be |
//! | `procedure` | [`CdnEvent::Procedure`] | [`Procedure`] | A file was transcoded, or could not be |
//! | `snapshot` | [`CdnEvent::Snapshot`] | [`Snapshot`] | Screenshots of a file are there |
//! | `censor_audio_v2_result` | [`ModerationEvent::AudioResult`] | [`ModerationResult`] | A piece of an audio stream was moderated |
//! | `censor_audio_v2_status` | [`ModerationEvent::AudioStatus`] | [`ModerationStatus`] | The moderation of an audio stream ended |
//! | `censor_video_v2_audio_result` | [`ModerationEvent::VideoAudioResult`] | [`ModerationResult`] | A piece of a video stream's audio was moderated |
//! | `censor_video_v2_img_result` | [`ModerationEvent::VideoImageResult`] | [`ModerationResult`] | A picture of a video stream was moderated |
//! | `censor_video_v2_audio_status` | [`ModerationEvent::VideoAudioStatus`] | [`ModerationStatus`] | The moderation of a video stream's audio ended |
//! | `censor_video_v2_img_status` | [`ModerationEvent::VideoImageStatus`] | [`ModerationStatus`] | The moderation of a video stream's pictures ended |
//! | `digital_human.stream_task` (3) | [`DigitalHumanEvent::StreamTask`] | [`DigitalHuman`]`<`[`StreamTask`]`>` | A stream task changed its state |
//! | `digital_human.drive_task` (4) | [`DigitalHumanEvent::DriveTask`] | [`DigitalHuman`]`<`[`DriveTask`]`>` | A drive task changed its state |
//! | `ai_agent.ASRResult` | [`AiAgentEvent::AsrResult`] | [`AiAgent`]`<`[`AgentAsrResult`]`>` | A user's words were recognised |
//! | `ai_agent.LLMResult` | [`AiAgentEvent::LlmResult`] | [`AiAgent`]`<`[`AgentLlmResult`]`>` | The language model gave a sentence |
//! | `ai_agent.Exception` | [`AiAgentEvent::Exception`] | [`AiAgent`]`<`[`AgentException`]`>` | Something went wrong |
//! | `ai_agent.Interrupted` | [`AiAgentEvent::Interrupted`] | [`AiAgent`]`<`[`AgentInterrupted`]`>` | The agent was interrupted |
//! | `ai_agent.UserSpeakAction` | [`AiAgentEvent::UserSpeakAction`] | [`AiAgent`]`<`[`UserSpeakAction`]`>` | A user began or ceased to speak |
//! | `ai_agent.AgentInstanceStatus` | [`AiAgentEvent::Status`] | [`AiAgent`]`<`[`AgentStatus`]`>` | The agent does something else now |
//! | `ai_agent.AgentSpeakAction` | [`AiAgentEvent::SpeakAction`] | [`AiAgent`]`<`[`AgentSpeakAction`]`>` | The agent began or ceased to speak |
//! | `ai_agent.UserAudioData` | [`AiAgentEvent::UserAudioData`] | [`AiAgent`]`<`[`UserAudioData`]`>` | The first sound of a user's round |
//! | `ai_agent.AgentInstanceCreated` | [`AiAgentEvent::Created`] | [`AiAgent`]`<`[`AgentCreated`]`>` | The instance came to be |
//! | `ai_agent.AgentInstanceDeleted` | [`AiAgentEvent::Deleted`] | [`AiAgent`]`<`[`AgentDeleted`]`>` | The instance ceased to be |
//! | `ai_agent.AgentInstanceMetaInfo` | [`AiAgentEvent::MetaInfo`] | [`AiAgent`]`<`[`AgentMetaInfo`]`>` | What the language model attached to its words |
//! | `asr.ASRResult` | [`AsrEvent::Result`] | [`Asr`]`<`[`AsrText`]`>` | A user's words were recognised |
//! | `asr.TranslationResult` | [`AsrEvent::Translation`] | [`Asr`]`<`[`AsrText`]`>` | A user's words were translated |
//! | `asr.Exception` | [`AsrEvent::Exception`] | [`Asr`]`<`[`AsrException`]`>` | Something went wrong |
//! | `recording.uploaded` (1) | [`RecordingEvent::Uploaded`] | [`Recording`]`<`[`RecordingUpload`]`>` | The files were uploaded, or some of them were not |
//! | `recording.aborted` (2) | [`RecordingEvent::Aborted`] | [`Recording`]`<`[`RecordingAbort`]`>` | The task ended abnormally |
//! | `recording.image_failed` (3) | [`RecordingEvent::ImageFailed`] | [`Recording`]`<`[`RecordingImage`]`>` | A background or a watermark could not be downloaded |
//! | `recording.no_stream` (4) | [`RecordingEvent::NoStream`] | [`Recording`]`<`[`Json`]`>` | There is no stream in the room: told within 30 s, then every 30 s |
//! | `recording.finished` (5) | [`RecordingEvent::Finished`] | [`Recording`]`<`[`Json`]`>` | The task ended normally |
//! | `recording.stream_missing` (6) | [`RecordingEvent::StreamMissing`] | [`Recording`]`<`[`RecordingStream`]`>` | The stream to record does not exist |
//! | `recording.uploading` (7) | [`RecordingEvent::Uploading`] | [`Recording`]`<`[`Json`]`>` | The recording stopped; the files are being uploaded |
//! | `recording.live_upload` (102) | [`RecordingEvent::LiveUpload`] | [`Recording`]`<`[`RecordingPlaylist`]`>` | Pieces are uploaded while the recording runs; this is the M3U8 file's address |
//! | `recording.paused` (201) | [`RecordingEvent::Paused`] | [`Recording`]`<`[`Json`]`>` | The recording paused |
//! | `recording.resumed` (202) | [`RecordingEvent::Resumed`] | [`Recording`]`<`[`Json`]`>` | The recording went on |
//! | `recording.legacy_uploaded` (1) | [`LegacyRecordingEvent::Uploaded`] | [`LegacyRecording`] | The task ended and all files were uploaded |
//! | `recording.legacy_partly_uploaded` (2) | [`LegacyRecordingEvent::PartlyUploaded`] | [`LegacyRecording`] | The task ended and some files could not be uploaded |
//! | `recording.legacy_no_file` (3) | [`LegacyRecordingEvent::NoFile`] | [`LegacyRecording`] | The task ended and there is no file, because nobody published a stream |
//! | `player.created` (1) | [`PlayerEvent::Created`] | [`Player`]`<`[`PlayerCreated`]`>` | A player came to be |
//! | `player.destroyed` (2) | [`PlayerEvent::Destroyed`] | [`Player`]`<`[`PlayerDestroyed`]`>` | A player ceased to be |
//! | `player.status` (3) | [`PlayerEvent::Status`] | [`Player`]`<`[`PlayerStatus`]`>` | A player changed its state |
//! | `player.exception` (4) | [`PlayerEvent::Exception`] | [`Player`]`<`[`PlayerException`]`>` | A player met a problem |
//! | `player.uploaded` (10001) | [`PlayerEvent::Uploaded`] | [`Player`]`<`[`Json`]`>` | A file was uploaded |
//! | `player.upload_failed` (10002) | [`PlayerEvent::UploadFailed`] | [`Player`]`<`[`PlayerUploadFailed`]`>` | A file could not be uploaded |
//! | `player.upload_status` (10003) | [`PlayerEvent::UploadStatus`] | [`Player`]`<`[`PlayerUploadStatus`]`>` | An upload changed its state |
//! | `player.upload_cancel_failed` (10004) | [`PlayerEvent::CancelFailed`] | [`Player`]`<`[`PlayerCancelFailed`]`>` | An upload could not be cancelled |
//! | `player.upload_exception` (10005) | [`PlayerEvent::UploadException`] | [`Player`]`<`[`PlayerUploadException`]`>` | An upload met a problem and is tried again |
//! | `player.upload_expired` (10006) | [`PlayerEvent::UploadExpired`] | [`Player`]`<`[`Json`]`>` | An uploaded file expired |
//! | `zim.user_action` | [`ZimEvent::UserAction`] | [`UserAction`] | A user came online, logged out or went offline |
//! | `zim.send_msg` | [`ZimEvent::SendMsg`] | [`SendMsg`] | A message was sent, or could not be |
//! | `zim.before_send_msg` | [`ZimEvent::BeforeSendMsg`] | [`BeforeSendMsg`] | A client wants to send a message and waits for a [`SendVerdict`] |
//! | `zim.bot_msg` | [`ZimEvent::BotMsg`] | [`SendMsg`] | A message was sent to a bot |
//! | `zim.call_create` | [`ZimEvent::CallCreate`] | [`CallCreate`] | A call was made |
//! | `zim.call_invite` | [`ZimEvent::CallInvite`] | [`CallInvite`] | Users were invited into a running call |
//! | `zim.call_cancel` | [`ZimEvent::CallCancel`] | [`CallCancel`] | A call was cancelled |
//! | `zim.call_accept` | [`ZimEvent::CallAccept`] | [`CallAnswer`] | A user accepted a call |
//! | `zim.call_reject` | [`ZimEvent::CallReject`] | [`CallAnswer`] | A user rejected a call |
//! | `zim.call_timeout` | [`ZimEvent::CallTimeout`] | [`CallTimeout`] | Users did not answer a call in time |
//! | `zim.group_create` | [`ZimEvent::GroupCreate`] | [`GroupCreate`] | A group came to be |
//! | `zim.group_destroy` | [`ZimEvent::GroupDestroy`] | [`GroupDestroy`] | A group ceased to be |
//! | `zim.group_join` | [`ZimEvent::GroupJoin`] | [`GroupJoin`] | Users joined a group |
//! | `zim.group_exit` | [`ZimEvent::GroupExit`] | [`GroupExit`] | Users left a group |
//! | `zim.room_create` | [`ZimEvent::RoomCreate`] | [`ZimRoomCreate`] | A room came to be |
//! | `zim.room_destroy` | [`ZimEvent::RoomDestroy`] | [`ZimRoomDestroy`] | A room ceased to be |
//! | `zim.room_enter` | [`ZimEvent::RoomEnter`] | [`ZimRoomEnter`] | A user entered a room |
//! | `zim.room_exit` | [`ZimEvent::RoomExit`] | [`ZimRoomExit`] | Users left a room |
//! | `board.cvt_finish` | [`BoardEvent::Converted`] | [`BoardConverted`] | The conversion of a file came to an end |
//!
//! # What stays out
//!
//! * **Mini game** signs with MD5 in a fixed order that ZEGOCLOUD's pages contradict each other about.
//! * **RoomKit**, a legacy product, carries the signing members in the query and may encrypt the body.
//!
//! Do not point either at this layer: it refuses both.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/callback-configuration-description>.
//!
//! [`Json`]: crate::Json

pub use self::{
    ai_agent::{
        AgentAsrResult, AgentCreated, AgentDeleted, AgentException, AgentInterrupted, AgentLatency, AgentLlmResult,
        AgentMetaInfo, AgentSpeakAction, AgentState, AgentStatus, AiAgent, AiAgentEvent, DeletionCode, ExceptionCode,
        InterruptReason, SpeakAction, UserAudioData, UserSpeakAction,
    },
    asr::{Asr, AsrEvent, AsrException, AsrText},
    board::{BoardConverted, BoardEvent, Conversion, ConversionStatus},
    cdn::{
        CdnEvent, Compose, ComposeCode, Procedure, ProcedureExtra, ProcedureMedia, ProcedureStatus, Record,
        RecordExtra, Snapshot, SnapshotPicture, TranscodedAudio, TranscodedFile, TranscodedVideo, Vendor,
    },
    digital_human::{DigitalHuman, DigitalHumanEvent, DriveStatus, DriveTask, StreamTask, StreamTaskStatus},
    event::{Event, Unknown},
    json_text::JsonText,
    mixing::{MixStart, MixStop, MixingEvent},
    moderation::{
        BusinessDetail, BusinessInfo, FaceInfo, MatchedList, ModerationDetail, ModerationEvent, ModerationResult,
        ModerationSource, ModerationState, ModerationStatus, ModerationTotal, OcrInfo, RiskDetail, RiskInfo, RiskLevel,
        RiskSource, VadStatus,
    },
    player::{
        CancelFailure, DestroyReason, Player, PlayerCancelFailed, PlayerCreated, PlayerDestroyed, PlayerEvent,
        PlayerException, PlayerExceptionCode, PlayerState, PlayerStatus, PlayerUploadException, PlayerUploadFailed,
        PlayerUploadStatus, UploadExceptionCode, UploadFailure, UploadState,
    },
    recording::{
        FileFormat, FileStatus, ImageType, LegacyRecording, LegacyRecordingEvent, MediaTrackType, QuitReason,
        RecordedFile, Recording, RecordingAbort, RecordingEvent, RecordingImage, RecordingPlaylist, RecordingStream,
        RecordingUpload, UploadStatus,
    },
    room::{
        AuthLevel, CloseReason, LogoutReason, Relogin, RoomClose, RoomCreate, RoomEvent, RoomLogin, RoomLogout,
        TerminalType, UserRole,
    },
    stream::{Recreate, StreamAttr, StreamClose, StreamCloseType, StreamCreate, StreamEvent, VideoCodec},
    transcoding::{
        StopReason, TranscodeDetails, TranscodeInput, TranscodeOutput, TranscodeStart, TranscodeStatus, TranscodeStop,
        TranscodingEvent,
    },
    zim::{
        AutoDelete, BeforeSendMsg, CallAnswer, CallCancel, CallCancelReason, CallCreate, CallInvite, CallTimeout,
        CombinedBody, ConversationType, ExitType, GroupAttribute, GroupCreate, GroupDestroy, GroupExit, GroupJoin,
        JoinType, MediaBody, MessageBody, MessageReceiver, MessageSource, MessageType, MultiBody, MultiPart, Os,
        Presence, RoomAttribute, SendDecision, SendMsg, SendVerdict, UserAction, ZimEvent, ZimRoomCreate,
        ZimRoomDestroy, ZimRoomEnter, ZimRoomExit,
    },
};

#[cfg(feature = "test-util")]
pub use self::auth::Signer;

use crate::{
    ConfigError, Covers, Delivery, Provider, Rejection, RejectionKind, Secret, WebhookLayer, Window, wire::Members,
};
use bytes::Bytes;
use http::{HeaderName, request::Parts};
use std::time::SystemTime;

mod ai_agent;
mod asr;
mod auth;
mod board;
mod cdn;
mod digital_human;
mod encoding;
mod event;
mod json_text;
mod mixing;
mod moderation;
mod player;
mod recording;
mod room;
mod stream;
mod transcoding;
mod zim;

/// [`WebhookLayer`] with ZEGOCLOUD's rules.
pub type ZegocloudLayer = WebhookLayer<Zegocloud>;

/// The rules of ZEGOCLOUD's server callbacks.
///
/// Any family may arrive at any URL: all of them share the secret and the signature, and are told apart by their
/// members. A body is at most 256 KiB unless the layer's limit says otherwise.
#[derive(Clone, Debug)]
pub struct Zegocloud {
    secrets: Vec<Secret>,
    window: Window,
}

impl Zegocloud {
    /// Rules with the project's CallbackSecret and the default [`Window`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an empty or blank secret, or one with white space around it.
    pub fn new(callback_secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { secrets: vec![Secret::new(callback_secret)?], window: Window::default() })
    }

    /// Accepts a further secret, for the time of a rotation. [`Metadata::key_index`](crate::Metadata::key_index) tells which
    /// one verified a delivery.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(mut self, callback_secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.secrets.push(Secret::new(callback_secret)?);
        Ok(self)
    }

    /// Sets how old a timestamp may be.
    ///
    /// ZEGOCLOUD's last retry leaves 62 s after the first attempt or later, and nobody documents whether a retry is
    /// signed anew: less than the default of 300 s may refuse honest retries.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

impl Provider for Zegocloud {
    const NAME: &'static str = "zegocloud";
    const BODY_LIMIT: usize = 256 << 10;
    type Head = ();
    type Event = Event;

    fn credentials(&self) -> &[HeaderName] {
        &[]
    }

    fn check_head(&self, _head: &Parts, _now: SystemTime) -> Result<(), Rejection> {
        Ok(())
    }

    fn check_body(&self, (): (), head: &Parts, body: &Bytes, now: SystemTime) -> Result<Delivery<Event>, Rejection> {
        let json = encoding::to_json(&head.headers, body)?;
        let members: Members<'_> = serde_json::from_str(&json)?;
        let signed = auth::verify(&members, &self.secrets, self.window, now)?;
        if members.has_duplicates() {
            return Err(Rejection::new(RejectionKind::Invalid).with_detail("a top-level key is there twice"));
        }
        let event = Event::from_members(&members)?;
        let kind = event.kind();
        Ok(Delivery::new(event, kind, Covers::Nothing)
            .with_key_index(signed.key_index)
            .with_signed_at(signed.at)
            .with_identity(signed.identity))
    }
}
