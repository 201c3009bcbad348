//! Cloud recording: files are being uploaded or are there, a task ended, paused or met a problem.
//!
//! Pages: <https://www.zegocloud.com/docs/cloud-recording-server/recording-status-callback>, legacy
//! <https://doc-zh.zego.im/article/5861>.

use super::event::family;
use crate::{
    Json,
    wire::{codes, number, payload, text, words},
};

family! {
    /// A callback of the family *cloud recording*.
    pub enum RecordingEvent in "event_type": i64 {
        /// The files were uploaded, or some of them were not.
        1 => Uploaded(Recording<RecordingUpload>) as "recording.uploaded" by [task_id, sequence],
        /// The task ended abnormally.
        2 => Aborted(Recording<RecordingAbort>) as "recording.aborted" by [task_id, sequence],
        /// A background or a watermark could not be downloaded.
        3 => ImageFailed(Recording<RecordingImage>) as "recording.image_failed" by [task_id, sequence],
        /// There is no stream in the room: told within 30 s, then every 30 s.
        4 => NoStream(Recording<Json>) as "recording.no_stream" by [task_id, sequence],
        /// The task ended normally.
        5 => Finished(Recording<Json>) as "recording.finished" by [task_id, sequence],
        /// The stream to record does not exist.
        6 => StreamMissing(Recording<RecordingStream>) as "recording.stream_missing" by [task_id, sequence],
        /// The recording stopped; the files are being uploaded.
        7 => Uploading(Recording<Json>) as "recording.uploading" by [task_id, sequence],
        /// Pieces are uploaded while the recording runs; this is the M3U8 file's address.
        102 => LiveUpload(Recording<RecordingPlaylist>) as "recording.live_upload" by [task_id, sequence],
        /// The recording paused.
        201 => Paused(Recording<Json>) as "recording.paused" by [task_id, sequence],
        /// The recording went on.
        202 => Resumed(Recording<Json>) as "recording.resumed" by [task_id, sequence],
    }
}

family! {
    /// A callback of the family *cloud recording* in its legacy form.
    ///
    /// Services opened before 2021-11-29 get it. It has no `detail`, and its event types mean other things than the
    /// same numbers of a [`RecordingEvent`].
    pub enum LegacyRecordingEvent in "event_type": i64 {
        /// The task ended and all files were uploaded.
        1 => Uploaded(LegacyRecording) as "recording.legacy_uploaded" by [task_id; sequence],
        /// The task ended and some files could not be uploaded.
        2 => PartlyUploaded(LegacyRecording) as "recording.legacy_partly_uploaded" by [task_id; sequence],
        /// The task ended and there is no file, because nobody published a stream.
        3 => NoFile(LegacyRecording) as "recording.legacy_no_file" by [task_id; sequence],
    }
}

payload! {
    /// What all events have in common.
    pub struct Recording<D> {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The task, 16 characters.
        pub task_id: String => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// The event in words.
        pub message: String => "text",
        /// The number of the task's callback, from 0.
        pub sequence: u64 => "number",
        /// The event itself; [`Json`] where the page says that it is empty.
        pub detail: D,
    }

    /// The legacy form of all events.
    pub struct LegacyRecording {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The task, 16 characters.
        pub task_id: String => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// The event in words.
        pub message: String => "text",
        /// The number of the task's callback, from 0; with screenshots only.
        pub sequence: u64 => "number",
        /// The files.
        pub file_info: Vec<RecordedFile>,
    }

    /// `event_type` 1.
    pub struct RecordingUpload {
        /// Whether all files were uploaded.
        pub upload_status: UploadStatus => "number",
        /// The files; none if nobody published a stream.
        pub file_info: Vec<RecordedFile>,
    }

    /// A recorded file.
    pub struct RecordedFile {
        /// The publisher's id; of mixed streams the mixed stream's.
        pub user_id: String => "text",
        /// The publisher's name; of mixed streams the mixed stream's id.
        pub user_name: String => "text",
        /// The stream's id.
        pub stream_id: String => "text",
        /// The file's name.
        pub file_id: String => "text",
        /// The id that Ali VOD or Tencent VOD gave it.
        pub video_id: String => "text",
        /// The file's address; not with Qiniu or Ali VOD.
        pub file_url: String => "text",
        /// The file's format.
        pub output_file_format: FileFormat => "text",
        /// The file's size in bytes.
        pub file_size: u64 => "number",
        /// How long the recording is, in milliseconds.
        pub duration: u64 => "number",
        /// The video's width in pixels.
        pub resolution_width: u64 => "number",
        /// The video's height in pixels.
        pub resolution_height: u64 => "number",
        /// What it holds.
        pub media_track_type: MediaTrackType => "number",
        /// When the stream began, in Unix milliseconds.
        pub begin_timestamp: u64 => "number",
        /// The time that the publisher put into the stream's SEI, in the publisher's unit.
        pub custom_begin_timestamp: u64 => "number",
        /// Where it was uploaded to.
        pub status: FileStatus => "number",
    }

    /// `event_type` 2.
    pub struct RecordingAbort {
        /// Why the task ended.
        pub quit_reason: QuitReason => "number",
    }

    /// `event_type` 3.
    pub struct RecordingImage {
        /// What the image is for.
        pub image_type: ImageType => "number",
        /// The image's address.
        pub image_url: String => "text",
    }

    /// `event_type` 6.
    pub struct RecordingStream {
        /// The stream's id.
        pub stream_id: String => "text",
    }

    /// `event_type` 102.
    pub struct RecordingPlaylist {
        /// The stream's id.
        pub stream_id: String => "text",
        /// The file's name.
        pub file_id: String => "text",
        /// The M3U8 file's address.
        pub file_url: String => "text",
        /// What it holds.
        pub media_track_type: MediaTrackType => "number",
    }
}

codes! {
    /// Whether all files were uploaded.
    pub enum UploadStatus {
        /// All.
        All = 1,
        /// Not all; each file's status tells.
        Partial = 2,
    }

    /// What a file holds.
    pub enum MediaTrackType {
        /// Audio.
        Audio = 1,
        /// Video.
        Video = 2,
        /// Audio and video.
        Both = 3,
    }

    /// Where a file was uploaded to.
    pub enum FileStatus {
        /// To the storage that was asked for.
        Uploaded = 3,
        /// To ZEGOCLOUD's backup only.
        BackupOnly = 4,
        /// Nowhere.
        Failed = 5,
    }

    /// Why a recording ended abnormally.
    pub enum QuitReason {
        /// It could not be started.
        StartFailed = 1,
        /// The room could not be entered.
        LoginFailed = 2,
        /// Nothing to record for longer than `MaxIdleTime`.
        Idle = 3,
        /// It was as long as `MaxRecordTime`.
        TooLong = 4,
        /// The engine could not be started.
        EngineStart = 5,
        /// The connection broke.
        Disconnected = 6,
        /// Unknown to ZEGOCLOUD.
        Unknown = 1001,
        /// The file's name is too long.
        NameTooLong = 1002,
        /// The file could not be opened.
        OpenFailed = 1003,
        /// The disk is full.
        DiskFull = 1004,
        /// The engine could not be set up.
        EngineInit = 1005,
        /// The file's header could not be written.
        HeaderFailed = 1006,
        /// Writing failed with EBADF.
        BadDescriptor = 1007,
        /// Writing failed with EIO.
        InputOutput = 1008,
        /// A channel inside the recorder failed.
        Channel = 1009,
        /// The file format is not supported.
        BadFormat = 1010,
        /// The recorder was in a state in which it cannot record.
        IllegalState = 1011,
    }

    /// What an image is for.
    pub enum ImageType {
        /// The background of the canvas.
        CanvasBackground = 1,
        /// The watermark.
        Watermark = 2,
        /// The default background of a stream.
        StreamBackground = 3,
        /// The background of a stream in a layout of one's own.
        LayoutBackground = 4,
    }
}

words! {
    /// A file's format.
    pub enum FileFormat {
        /// MP4.
        Mp4 = "mp4",
        /// FLV.
        Flv = "flv",
        /// HLS.
        Hls = "hls",
        /// JPEG.
        Jpg = "jpg",
        /// AAC.
        Aac = "aac",
    }
}
