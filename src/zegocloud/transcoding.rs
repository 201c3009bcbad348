//! Transcoding of single streams: started or updated, stopped.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/transcoding/started>.

use crate::{
    UnixSeconds,
    payload::{codes, events, payload, words},
};

events! {
    /// A callback of the family *single-stream transcoding*.
    pub enum TranscodingEvent in "Event" {
        /// A task started, or was changed. The key of a change holds the time of signing: a retry
        /// that is signed anew has another key.
        "transcode_start" => Start(TranscodeStart)
            key |it| [it.task_id, it.sequence, it.status; it.updated_at()],
        /// A task stopped.
        "transcode_stop" => Stop(TranscodeStop) key |it| [it.task_id, it.sequence],
    }
}

payload! {
    /// Payload of `transcode_start`.
    pub struct TranscodeStart {
        /// The app's id.
        pub appid: Option<String> = "Appid",
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds> = "Timestamp",
        /// The task's id.
        pub task_id: Option<String> = "TaskId",
        /// The user's id.
        pub user_id: Option<String> = "UserId",
        /// How many times the task was started; an update does not count.
        pub sequence: Option<u64> = "Sequence",
        /// Started or updated.
        pub status: Option<TranscodeStatus> = "Status",
        /// What is transcoded, and into what.
        pub details: Option<TranscodeDetails> = "Details",
        ..rest
    }

    /// Payload of `transcode_stop`.
    pub struct TranscodeStop {
        /// The app's id.
        pub appid: Option<String> = "Appid",
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds> = "Timestamp",
        /// The task's id.
        pub task_id: Option<String> = "TaskId",
        /// The user's id.
        pub user_id: Option<String> = "UserId",
        /// How many times the task was started.
        pub sequence: Option<u64> = "Sequence",
        /// Stopped; the page's example prints `TranscodeStarted`.
        pub status: Option<TranscodeStatus> = "Status",
        /// Why the task stopped.
        pub stop_reason: Option<StopReason> = "StopReason",
        ..rest
    }

    /// What is transcoded, and into what.
    pub struct TranscodeDetails {
        /// The source.
        pub input: Option<TranscodeInput> = "Input",
        /// The results.
        pub outputs: Vec<TranscodeOutput> = "Outputs",
        ..rest
    }

    /// A source: a stream id or an address.
    pub struct TranscodeInput {
        /// The stream's id.
        pub stream_id: Option<String> = "StreamId",
        /// The stream's address.
        pub stream_url: Option<String> = "StreamUrl",
        ..rest
    }

    /// A result: a stream id or an address, and how it is encoded.
    pub struct TranscodeOutput {
        /// The stream's id.
        pub stream_id: Option<String> = "StreamId",
        /// The stream's address.
        pub stream_url: Option<String> = "StreamUrl",
        /// The video codec's id.
        pub video_enc_id: Option<i64> = "VideoEncId",
        /// The video's bitrate; the page gives no unit.
        pub video_bitrate: Option<i64> = "VideoBitrate",
        /// Whether width and height follow the short edge.
        pub short_edge_adaption: Option<i64> = "ShortEdgeAdaption",
        /// Frames per second.
        pub fps: Option<i64> = "Fps",
        /// Width in pixels.
        pub width: Option<i64> = "Width",
        /// Height in pixels.
        pub height: Option<i64> = "Height",
        /// The interval of key frames; the page gives no unit.
        pub gop: Option<i64> = "GOP",
        ..rest
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

impl TranscodeStart {
    /// Tells the updates of one start apart, as no other member does.
    fn updated_at(&self) -> Option<UnixSeconds> {
        self.timestamp.filter(|_| self.status == Some(TranscodeStatus::Updated))
    }
}

codes! {
    /// Why a transcoding task stopped.
    pub enum StopReason {
        /// The user stopped it.
        User = 0,
        /// An exception in the task.
        Exception = 1,
    }
}
