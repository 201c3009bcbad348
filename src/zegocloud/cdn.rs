//! CDN recordings and on-demand media: recorded, merged and transcoded files, screenshots.
//!
//! Pages:
//! <https://www.zegocloud.com/docs/real-time-video-server/callback/cdn/cdn-record-completed>.

use super::JsonText;
use crate::{
    UnixSeconds,
    payload::{codes, events, payload, words},
};

events! {
    /// A callback of the family *CDN and on-demand*.
    pub enum CdnEvent in "event" {
        /// A recording is ready. Each configured file format has a callback of its own.
        "record" => Record(Record) key |it| [it.stream_alias, it.replay_url],
        /// Files were merged, or merging failed. The page advises waiting 5 s before fetching the
        /// result.
        "compose" => Compose(Compose) key |it| [it.task_id],
        /// A file was transcoded, or transcoding failed.
        "procedure" => Procedure(Procedure) key |it| [it.task_id],
        /// Screenshots of a file are ready.
        "snapshot" => Snapshot(Snapshot) key |it| [it.task_id],
    }
}

payload! {
    /// Payload of `record`.
    pub struct Record {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The client's stream id, at most 255 bytes.
        pub stream_alias: Option<String>,
        /// The recording's address, at most 1024 bytes.
        pub replay_url: Option<String>,
        /// When the recording began.
        pub begin_time: Option<UnixSeconds>,
        /// When the recording ended.
        pub end_time: Option<UnixSeconds>,
        /// A [`RecordExtra`] as JSON text.
        pub extra_params: Option<JsonText>,
        ..rest
    }

    /// The JSON in [`Record::extra_params`]; its fields depend on the CDN vendor.
    pub struct RecordExtra {
        /// Tencent: the recording task's id.
        pub task_id: Option<String> = "TaskId",
        /// Tencent: the file's id.
        pub file_id: Option<String> = "FileID",
        /// Wangsu: the recording's id.
        pub persistent_id: Option<String> = "PersistentId",
        /// How long the recording is: Huawei's in seconds; the page gives no unit for the others.
        pub duration: Option<f64> = "Duration",
        /// Huawei: the object's name in OBS.
        pub obs_object: Option<String> = "ObsObject",
        /// Huawei: the file's size in bytes.
        pub file_size: Option<u64> = "FileSize",
        ..rest
    }

    /// Payload of `compose`.
    pub struct Compose {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The merged file's address, at most 1024 bytes.
        pub replay_url: Option<String>,
        /// The task's id.
        pub task_id: Option<String>,
        /// The file's id; with Tencent only.
        pub file_id: Option<String>,
        /// Whether it worked; meaningful with Tencent only.
        pub code: Option<ComposeCode>,
        /// What went wrong; meaningful with Tencent only.
        pub message: Option<String>,
        ..rest
    }

    /// Payload of `procedure`.
    pub struct Procedure {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The task's id.
        pub task_id: Option<String>,
        /// Whether it worked.
        pub status: Option<ProcedureStatus>,
        /// The source file's id. The page's table calls it `fileId`, which is read too.
        pub file_id: Option<String> = "file_id" | "fileId",
        /// A [`ProcedureExtra`] as JSON text; empty with [`ProcedureStatus::Failed`].
        pub extra_params: Option<JsonText>,
        ..rest
    }

    /// The JSON in [`Procedure::extra_params`].
    pub struct ProcedureExtra {
        /// The results.
        pub media: Option<ProcedureMedia>,
        ..rest
    }

    /// The results of a task by their kind.
    pub struct ProcedureMedia {
        /// The results of transcoding.
        pub transcode: Vec<TranscodedFile>,
        ..rest
    }

    /// A transcoded file.
    pub struct TranscodedFile {
        /// 0 if it worked.
        pub code: Option<i64>,
        /// What went wrong.
        pub message: Option<String>,
        /// The file's address.
        pub replay_url: Option<String>,
        /// Its size in bytes.
        pub size: Option<u64>,
        /// How long it is, in seconds.
        pub duration: Option<f64>,
        /// Its video.
        pub video: Option<TranscodedVideo>,
        /// Its audio.
        pub audio: Option<TranscodedAudio>,
        ..rest
    }

    /// The video of a transcoded file.
    pub struct TranscodedVideo {
        /// Width in pixels.
        pub width: Option<u64>,
        /// Height in pixels.
        pub height: Option<u64>,
        /// Bits per second.
        pub bitrate: Option<u64>,
        /// The codec's name.
        pub codec: Option<String>,
        /// Frames per second.
        pub fps: Option<f64>,
        ..rest
    }

    /// The audio of a transcoded file.
    pub struct TranscodedAudio {
        /// Bits per second.
        pub bitrate: Option<u64>,
        /// The codec's name.
        pub codec: Option<String>,
        /// Samples per second.
        pub sampling_rate: Option<u64>,
        ..rest
    }

    /// Payload of `snapshot`.
    pub struct Snapshot {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The task's id.
        pub task_id: Option<String>,
        /// The CDN vendor.
        pub vendor: Option<Vendor>,
        /// The source file's id, with Tencent only. The page spells it `field_id`; `file_id` and
        /// `fileId` are read too.
        pub field_id: Option<String> = "field_id" | "file_id" | "fileId",
        /// A list of [`SnapshotPicture`] as JSON text.
        pub snapshot_pic_list: Option<JsonText>,
        ..rest
    }

    /// An element of the list in [`Snapshot::snapshot_pic_list`].
    pub struct SnapshotPicture {
        /// The picture's address.
        pub url: Option<String>,
        /// Where in the file it was taken, in milliseconds; with Tencent's time points only.
        pub offset: Option<f64>,
        ..rest
    }
}

codes! {
    /// The result of a merge.
    pub enum ComposeCode {
        /// The files were merged.
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
        /// The file was transcoded.
        Success = "SUCCESS",
        /// Transcoding failed.
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
