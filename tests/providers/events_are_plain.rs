//! What every event, and all that is in it, can do: it goes to another thread, is cloned, printed,
//! compared, written and read back. Where that does not hold, this does not compile.

use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Debug;
use tower_webhooks::{Json, UnixMillis, UnixSeconds, Unknown};

const fn holds<T: Send + Sync + Clone + Debug + PartialEq + Serialize + DeserializeOwned>() {}

/// For types of each module, behind its feature.
macro_rules! hold {
    ($($feature:literal $($module:ident)::+: $($type:ty),*;)*) => {$(
        #[cfg(feature = $feature)]
        const _: () = {
            use tower_webhooks::$($module)::+::*;

            $(holds::<$type>();)*
        };
    )*};
}

const _: () = {
    holds::<Json>();
    holds::<UnixMillis>();
    holds::<UnixSeconds>();
    holds::<Unknown>();
};

hold! {
    "geelark" geelark:
        AppInstalled, Channel, ContactsImported, DeletedPhone, Event, Outcome, PaymentCompleted,
        PhoneState, PhoneTask, Phones<DeletedPhone>, Phones<RenamedPhone>, RenamedPhone,
        TagsChanged, TaskCompleted, Tasks;
    "stardust" stardust:
        Annotation, AppendInfo, AttachmentType, Callback, Elements<Annotation>, Event, Plane,
        Point, PoolInfo, PoolType, ProjectInfo, Record, RecordMetadata, Slot, State, Status,
        Task, TaskParams, TaskResult;
    "vobiz" vobiz::campaign:
        Contact, Event, Update;
    "vobiz" vobiz::kyc:
        Event, KycType, Session;
    "vobiz" vobiz::ndnc:
        Alert, Complaint, Event;
    "vobiz" vobiz::trunk:
        CallInitiated, Event, Hangup;
    "vobiz" vobiz::voice:
        Call, CallEvent, CallStatus, Conference, ConferenceStep, Dial, DialAction, DialStep,
        Direction, Event, Gather, GatherInterim, Hangup, HangupSource,
        IfMachine, InputType, Leg, MachineDetection, Record, RecordStop, Recording,
        RecordingEndReason, StartApp, StirVerification, Stream, Transcription;
    "vobiz" vobiz::whatsapp:
        Call, Change, Entry, Envelope, Event, Message, MessageStatus, Payload, Status, Text,
        Value;
    "zegocloud" zegocloud:
        Event, JsonText;
    "zegocloud" zegocloud::ai_agent:
        AgentCreated, AgentDeleted, AgentException, AgentInterrupted, AgentLatency, AgentMetaInfo,
        AgentState, AgentStatus, AgentText, AiAgent<AgentStatus>, AiAgentEvent, DeletionCode,
        ExceptionCode, InterruptReason, SpeakAction, UserAudioData, UserSpeakAction;
    "zegocloud" zegocloud::asr:
        Asr<AsrText>, AsrEvent, AsrException, AsrText;
    "zegocloud" zegocloud::board:
        BoardConverted, BoardEvent, Conversion, ConversionStatus;
    "zegocloud" zegocloud::cdn:
        CdnEvent, Compose, ComposeCode, Procedure, ProcedureExtra, ProcedureMedia,
        ProcedureStatus, Record, RecordExtra, Snapshot, SnapshotPicture, TranscodedAudio,
        TranscodedFile, TranscodedVideo, Vendor;
    "zegocloud" zegocloud::digital_human:
        DigitalHuman<StreamTask>, DigitalHumanEvent, DriveStatus, DriveTask, StreamTask,
        StreamTaskStatus;
    "zegocloud" zegocloud::mixing:
        Mix, MixingEvent;
    "zegocloud" zegocloud::moderation:
        BusinessDetail, BusinessInfo, FaceInfo, MatchedList, ModerationDetail, ModerationEvent,
        ModerationResult, ModerationSource, ModerationState, ModerationStatus, ModerationTotal,
        OcrInfo, RiskDetail, RiskInfo, RiskLevel, RiskSource, VadStatus;
    "zegocloud" zegocloud::player:
        CancelFailure, DestroyReason, Player<PlayerStatus>, PlayerCancelFailed, PlayerCreated,
        PlayerDestroyed, PlayerEvent, PlayerException, PlayerExceptionCode, PlayerState,
        PlayerStatus, PlayerUploadException, PlayerUploadFailed, PlayerUploadStatus,
        UploadExceptionCode, UploadFailure, UploadState;
    "zegocloud" zegocloud::recording:
        FileFormat, FileStatus, ImageType, LegacyRecording, LegacyRecordingEvent, MediaTrackType,
        QuitReason, RecordedFile, Recording<RecordingUpload>, RecordingAbort, RecordingEvent,
        RecordingImage, RecordingPlaylist, RecordingStream, RecordingUpload, UploadStatus;
    "zegocloud" zegocloud::room:
        AuthLevel, CloseReason, LogoutReason, Relogin, RoomClose, RoomCreate, RoomEvent,
        RoomLogin, RoomLogout, TerminalType, UserRole;
    "zegocloud" zegocloud::stream:
        Recreate, StreamAttr, StreamClose, StreamCloseType, StreamCreate, StreamEvent, VideoCodec;
    "zegocloud" zegocloud::transcoding:
        StopReason, TranscodeDetails, TranscodeInput, TranscodeOutput, TranscodeStart,
        TranscodeStatus, TranscodeStop, TranscodingEvent;
    "zegocloud" zegocloud::zim:
        Attribute, AutoDelete, BeforeSendMsg, CallAnswer, CallCancelReason, CallCreate, CallEnd,
        CallInvite, CombinedBody, ConversationType, ExitType, Group, GroupExit, GroupJoin,
        JoinType, MediaBody, MessageReceiver, MessageSource, MessageType, MultiBody, MultiPart,
        Os, Presence, Room, RoomEnter, RoomExit, SendDecision, SendMsg, UserAction, ZimEvent;
}
