//! CDN recordings and on-demand media: a file is there, merged, transcoded, or has been photographed.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/cdn/cdn-record-completed>.

use super::{event::family, json_text::JsonText};
use crate::wire::{codes, number, payload, text, words};

family! {
    /// A callback of the family *CDN and on-demand*.
    pub enum CdnEvent in "event": str {
        /// A recording is there. Each configured file format has a callback of its own.
        "record" => Record(Record) as "record" by [stream_alias, replay_url],
        /// Files were merged, or could not be. The page advises to wait 5 s before fetching the result.
        "compose" => Compose(Compose) as "compose" by [task_id],
        /// A file was transcoded, or could not be.
        "procedure" => Procedure(Procedure) as "procedure" by [task_id],
        /// Screenshots of a file are there.
        "snapshot" => Snapshot(Snapshot) as "snapshot" by [task_id],
    }
}

payload! {
    /// `record`.
    pub struct Record {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The client's stream id, at most 255 bytes.
        pub stream_alias: String => "text",
        /// The recording's address, at most 1024 bytes.
        pub replay_url: String => "text",
        /// When the recording began, in Unix seconds.
        pub begin_time: u64 => "text",
        /// When the recording ended, in Unix seconds.
        pub end_time: u64 => "text",
        /// A [`RecordExtra`] as JSON text.
        pub extra_params: JsonText,
    }

    /// What is inside [`Record::extra_params`]; which fields there are depends on the CDN vendor.
    #[serde(rename_all = "PascalCase")]
    pub struct RecordExtra {
        /// Tencent: the recording task.
        pub task_id: String => "text",
        /// Tencent: the file.
        #[serde(rename = "FileID")]
        pub file_id: String => "text",
        /// Wangsu: the recording.
        pub persistent_id: String => "text",
        /// How long the recording is, in seconds.
        pub duration: f64 => "number",
        /// Huawei: the object's name in OBS.
        pub obs_object: String => "text",
        /// Huawei: the file's size in bytes.
        pub file_size: u64 => "number",
    }

    /// `compose`.
    pub struct Compose {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The merged file's address, at most 1024 bytes.
        pub replay_url: String => "text",
        /// The task.
        pub task_id: String => "text",
        /// The file's id; with Tencent only.
        pub file_id: String => "text",
        /// Whether it worked; means something with Tencent only.
        pub code: ComposeCode => "text",
        /// What went wrong; means something with Tencent only.
        pub message: String => "text",
    }

    /// `procedure`.
    pub struct Procedure {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The task.
        pub task_id: String => "text",
        /// Whether it worked.
        pub status: ProcedureStatus => "text",
        /// The source file's id. The page's table calls it `fileId`, which is read too.
        #[serde(alias = "fileId")]
        pub file_id: String => "text",
        /// A [`ProcedureExtra`] as JSON text; empty with [`ProcedureStatus::Failed`].
        pub extra_params: JsonText,
    }

    /// What is inside [`Procedure::extra_params`].
    pub struct ProcedureExtra {
        /// The results.
        pub media: ProcedureMedia,
    }

    /// The results of a task by their kind.
    pub struct ProcedureMedia {
        /// The results of transcoding.
        pub transcode: Vec<TranscodedFile>,
    }

    /// A transcoded file.
    pub struct TranscodedFile {
        /// 0 if it worked.
        pub code: i64 => "text",
        /// What went wrong.
        pub message: String => "text",
        /// The file's address.
        pub replay_url: String => "text",
        /// Its size in bytes.
        pub size: u64 => "number",
        /// How long it is, in seconds.
        pub duration: f64 => "number",
        /// Its video.
        pub video: TranscodedVideo,
        /// Its audio.
        pub audio: TranscodedAudio,
    }

    /// The video of a transcoded file.
    pub struct TranscodedVideo {
        /// Width in pixels.
        pub width: u64 => "number",
        /// Height in pixels.
        pub height: u64 => "number",
        /// Bits a second.
        pub bitrate: u64 => "number",
        /// The codec's name.
        pub codec: String => "text",
        /// Frames a second.
        pub fps: f64 => "number",
    }

    /// The audio of a transcoded file.
    pub struct TranscodedAudio {
        /// Bits a second.
        pub bitrate: u64 => "number",
        /// The codec's name.
        pub codec: String => "text",
        /// Samples a second.
        pub sampling_rate: u64 => "number",
    }

    /// `snapshot`.
    pub struct Snapshot {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The task.
        pub task_id: String => "text",
        /// The CDN vendor.
        pub vendor: Vendor => "text",
        /// The source file's id, spelt so by the page; with Tencent only. `file_id` and `fileId` are read too.
        #[serde(alias = "file_id", alias = "fileId")]
        pub field_id: String => "text",
        /// A list of [`SnapshotPicture`] as JSON text.
        pub snapshot_pic_list: JsonText,
    }

    /// A member of the list inside [`Snapshot::snapshot_pic_list`].
    pub struct SnapshotPicture {
        /// The picture's address.
        pub url: String => "text",
        /// Where in the file it was taken, in milliseconds; with Tencent's time points only.
        pub offset: u64 => "number",
    }
}

codes! {
    /// Whether files were merged.
    pub enum ComposeCode {
        /// They were.
        Ok = 0,
        /// The input is not valid.
        BadInput = 40000,
        /// A source file is broken.
        BadSource = 60000,
        /// An internal error; the page advises to try again.
        Internal = 70000,
    }
}

words! {
    /// Whether a file was transcoded; each [`TranscodedFile`] has a code of its own.
    pub enum ProcedureStatus {
        /// It was.
        Success = "SUCCESS",
        /// It was not.
        Failed = "FAILED",
    }

    /// A CDN vendor.
    pub enum Vendor {
        /// Tencent.
        Tencent = "tencent",
        /// Huawei.
        Huawei = "hw",
    }
}
