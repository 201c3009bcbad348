//! Real-time speech recognition: recognised text, translations and errors.
//!
//! Pages: <https://www.zegocloud.com/docs/cloud-realtime-asr/callbacks/receiving-callback>.

use super::ai_agent::ExceptionCode;
use crate::{
    UnixMillis,
    payload::{events, payload},
};

events! {
    /// A callback of the family *real-time ASR*.
    pub enum AsrEvent in "Event" {
        /// A user's words were recognised.
        "ASRResult" => Result(Asr<AsrText>) as "asr.ASRResult"
            key |it| [
                it.task_id, it.data.as_ref()?.round;
                it.data.as_ref()?.stream_id, it.data.as_ref()?.user_id
            ],
        /// A user's words were translated.
        "TranslationResult" => Translation(Asr<AsrText>) as "asr.TranslationResult"
            key |it| [
                it.task_id, it.data.as_ref()?.round;
                it.data.as_ref()?.stream_id, it.data.as_ref()?.user_id
            ],
        /// Something went wrong.
        "Exception" => Exception(Asr<AsrException>) as "asr.Exception",
    }
}

payload! {
    /// The members that all events share.
    pub struct Asr<D> {
        /// The app's id.
        pub app_id: Option<String> = "AppId",
        /// When the callback was signed.
        pub timestamp: Option<UnixMillis> = "Timestamp",
        /// The task's id.
        pub task_id: Option<String> = "TaskId",
        /// The room's id.
        pub room_id: Option<String> = "RoomId",
        /// The event's own data.
        pub data: Option<D> = "Data",
        ..rest
    }

    /// Data of `ASRResult` and `TranslationResult`.
    pub struct AsrText {
        /// The speaker.
        pub user_id: Option<String> = "UserId",
        /// The stream's id; not in the page's examples.
        pub stream_id: Option<String> = "StreamId",
        /// The round's number.
        pub round: Option<i64> = "Round",
        /// The text.
        pub text: Option<String> = "Text",
        ..rest
    }

    /// Data of `Exception`.
    pub struct AsrException {
        /// The error: 1001, 1004, 1201, 1202, 1204, 1207 or 2101.
        pub code: Option<ExceptionCode> = "Code",
        /// The error in words.
        pub message: Option<String> = "Message",
        ..rest
    }
}
