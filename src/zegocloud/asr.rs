//! Real-time speech recognition: what was heard, its translation, and what went wrong.
//!
//! Pages: <https://www.zegocloud.com/docs/cloud-realtime-asr/callbacks/receiving-callback>.

use super::{ai_agent::ExceptionCode, event::family};
use crate::wire::{number, payload, text};

family! {
    /// A callback of the family *real-time ASR*.
    pub enum AsrEvent in "Event": str {
        /// A user's words were recognised.
        "ASRResult" => Result(Asr<AsrText>) as "asr.ASRResult" by [task_id, data.round; data.stream_id],
        /// A user's words were translated.
        "TranslationResult" => Translation(Asr<AsrText>) as "asr.TranslationResult"
            by [task_id, data.round; data.stream_id],
        /// Something went wrong.
        "Exception" => Exception(Asr<AsrException>) as "asr.Exception" by [],
    }
}

payload! {
    /// What all events have in common.
    #[serde(rename_all = "PascalCase")]
    pub struct Asr<D> {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix milliseconds.
        pub timestamp: u64 => "number",
        /// The task.
        pub task_id: String => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// The event itself.
        pub data: D,
    }

    /// `ASRResult` and `TranslationResult`.
    #[serde(rename_all = "PascalCase")]
    pub struct AsrText {
        /// The speaker.
        pub user_id: String => "text",
        /// The stream's id.
        pub stream_id: String => "text",
        /// The round.
        pub round: i64 => "number",
        /// The words.
        pub text: String => "text",
    }

    /// `Exception`.
    #[serde(rename_all = "PascalCase")]
    pub struct AsrException {
        /// What went wrong: 1001, 1004, 1201, 1202, 1204, 1207 or 2101 of the table that AI Agent has.
        pub code: ExceptionCode => "number",
        /// More on it.
        pub message: String => "text",
    }
}
