//! Transcoding of single streams: started or updated, stopped.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/transcoding/started>.

use super::event::family;
use crate::wire::{codes, number, payload, text, words};

family! {
    /// A callback of the family *single-stream transcoding*.
    pub enum TranscodingEvent in "Event": str {
        /// A task started, or was changed.
        "transcode_start" => Start(TranscodeStart) as "transcode_start" by [task_id, sequence],
        /// A task stopped.
        "transcode_stop" => Stop(TranscodeStop) as "transcode_stop" by [task_id, sequence],
    }
}

payload! {
    /// `transcode_start`.
    #[serde(rename_all = "PascalCase")]
    pub struct TranscodeStart {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The task.
        pub task_id: String => "text",
        /// The user's id.
        pub user_id: String => "text",
        /// Grows with every callback for the task.
        pub sequence: u64 => "number",
        /// Started or updated.
        pub status: TranscodeStatus => "text",
        /// What is transcoded, and into what.
        pub details: TranscodeDetails,
    }

    /// `transcode_stop`.
    #[serde(rename_all = "PascalCase")]
    pub struct TranscodeStop {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The task.
        pub task_id: String => "text",
        /// The user's id.
        pub user_id: String => "text",
        /// Grows with every callback for the task.
        pub sequence: u64 => "number",
        /// Stopped; the page's example prints `TranscodeStarted`.
        pub status: TranscodeStatus => "text",
        /// Why.
        pub stop_reason: StopReason => "number",
    }

    /// What is transcoded, and into what.
    #[serde(rename_all = "PascalCase")]
    pub struct TranscodeDetails {
        /// The source.
        pub input: TranscodeInput,
        /// The results.
        pub outputs: Vec<TranscodeOutput>,
    }

    /// A source: a stream id or an address.
    #[serde(rename_all = "PascalCase")]
    pub struct TranscodeInput {
        /// The stream's id.
        pub stream_id: String => "text",
        /// The stream's address.
        pub stream_url: String => "text",
    }

    /// A result: a stream id or an address, and how it is encoded.
    #[serde(rename_all = "PascalCase")]
    pub struct TranscodeOutput {
        /// The stream's id.
        pub stream_id: String => "text",
        /// The stream's address.
        pub stream_url: String => "text",
        /// The video codec's id.
        pub video_enc_id: i64 => "number",
        /// The video's bitrate.
        pub video_bitrate: i64 => "number",
        /// Whether width and height follow the short edge.
        pub short_edge_adaption: i64 => "number",
        /// Frames a second.
        pub fps: i64 => "number",
        /// Width in pixels.
        pub width: i64 => "number",
        /// Height in pixels.
        pub height: i64 => "number",
        /// Group of pictures.
        #[serde(rename = "GOP")]
        pub gop: i64 => "number",
    }
}

words! {
    /// The state of a transcoding task.
    pub enum TranscodeStatus {
        /// Started.
        Started = "TranscodeStarted",
        /// Changed.
        Updated = "TranscodeUpdated",
        /// Stopped.
        Stopped = "TranscodeStopped",
    }
}

codes! {
    /// Why a transcoding task stopped.
    pub enum StopReason {
        /// By its user.
        User = 0,
        /// An exception in the task.
        Exception = 1,
    }
}
