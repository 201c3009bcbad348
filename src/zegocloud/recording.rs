//! Cloud recording: uploads of files, and tasks that end, pause, resume or fail.
//!
//! Pages: <https://www.zegocloud.com/docs/cloud-recording-server/recording-status-callback>, legacy
//! <https://doc-zh.zego.im/article/5861>.

use crate::{
    Json, UnixMillis, UnixSeconds,
    payload::{codes, events, payload, words},
};

events! {
    /// A callback of the family *cloud recording*.
    pub enum RecordingEvent in "event_type" {
        /// The files were uploaded, or some of them were not.
        1 => Uploaded(Recording<RecordingUpload>) as "recording.uploaded"
            key |it| [it.task_id, it.sequence],
        /// The task ended abnormally.
        2 => Aborted(Recording<RecordingAbort>) as "recording.aborted"
            key |it| [it.task_id, it.sequence],
        /// A background or a watermark could not be downloaded.
        3 => ImageFailed(Recording<RecordingImage>) as "recording.image_failed"
            key |it| [it.task_id, it.sequence],
        /// There is no stream in the room: reported within 30 s, then every 30 s.
        4 => NoStream(Recording<Json>) as "recording.no_stream" key |it| [it.task_id, it.sequence],
        /// The task ended normally.
        5 => Finished(Recording<Json>) as "recording.finished" key |it| [it.task_id, it.sequence],
        /// The stream to record does not exist.
        6 => StreamMissing(Recording<RecordingStream>) as "recording.stream_missing"
            key |it| [it.task_id, it.sequence],
        /// The recording stopped; the files are being uploaded.
        7 => Uploading(Recording<Json>) as "recording.uploading" key |it| [it.task_id, it.sequence],
        /// Segments are uploaded while the recording runs; the event has the M3U8 file's URL.
        102 => LiveUpload(Recording<RecordingPlaylist>) as "recording.live_upload"
            key |it| [it.task_id, it.sequence],
        /// The recording paused.
        201 => Paused(Recording<Json>) as "recording.paused" key |it| [it.task_id, it.sequence],
        /// The recording resumed.
        202 => Resumed(Recording<Json>) as "recording.resumed" key |it| [it.task_id, it.sequence],
    }
}

events! {
    /// A callback of the family *cloud recording* in its legacy form.
    ///
    /// Services opened before 2021-11-29 get it. It has no `detail`, and its event types have other
    /// meanings than the same numbers of a [`RecordingEvent`].
    pub enum LegacyRecordingEvent in "event_type" {
        /// The task ended and all files were uploaded.
        1 => Uploaded(LegacyRecording) as "recording.legacy_uploaded"
            key |it| [it.task_id; it.sequence],
        /// The task ended and some files could not be uploaded.
        2 => PartlyUploaded(LegacyRecording) as "recording.legacy_partly_uploaded"
            key |it| [it.task_id; it.sequence],
        /// The task ended and there is no file, because nobody published a stream.
        3 => NoFile(LegacyRecording) as "recording.legacy_no_file"
            key |it| [it.task_id; it.sequence],
    }
}

impl RecordingEvent {
    /// Adds a missing `detail`. Without it, an event could be read back as a
    /// [`LegacyRecordingEvent`].
    pub(super) fn with_detail(mut self) -> Self {
        match &mut self {
            Self::Uploaded(it) => it.fill_detail(),
            Self::Aborted(it) => it.fill_detail(),
            Self::ImageFailed(it) => it.fill_detail(),
            _ => {}
        }
        self
    }
}

impl<D: Default> Recording<D> {
    fn fill_detail(&mut self) {
        if self.detail.is_none() && self.rest.get("detail").is_none() {
            self.detail = Some(D::default());
        }
    }
}

payload! {
    /// The members that all events share.
    pub struct Recording<D> {
        /// The app's id.
        pub app_id: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The task's id, 16 characters.
        pub task_id: Option<String>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The event in words.
        pub message: Option<String>,
        /// The callback's number in the task, from 0.
        pub sequence: Option<u64>,
        /// The event's own data; [`Json`] where the page says that it is empty.
        pub detail: Option<D>,
        ..rest
    }

    /// Payload of all legacy events.
    pub struct LegacyRecording {
        /// The app's id.
        pub app_id: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The task's id, 16 characters.
        pub task_id: Option<String>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The event in words.
        pub message: Option<String>,
        /// The callback's number in the task, from 0; with screenshots only.
        pub sequence: Option<u64>,
        /// The files.
        pub file_info: Vec<RecordedFile>,
        ..rest
    }

    /// Detail of `event_type` 1.
    pub struct RecordingUpload {
        /// Whether all files were uploaded.
        pub upload_status: Option<UploadStatus>,
        /// The files; none if nobody published a stream.
        pub file_info: Vec<RecordedFile>,
        ..rest
    }

    /// A recorded file.
    pub struct RecordedFile {
        /// The publisher's id; for a mixed stream, the stream's.
        pub user_id: Option<String>,
        /// The publisher's name; for a mixed stream, the stream's id.
        pub user_name: Option<String>,
        /// The stream's id.
        pub stream_id: Option<String>,
        /// The file's name.
        pub file_id: Option<String>,
        /// The id that Ali VOD or Tencent VOD gave it.
        pub video_id: Option<String>,
        /// The file's address; not with Qiniu or Ali VOD.
        pub file_url: Option<String>,
        /// The file's format.
        pub output_file_format: Option<FileFormat>,
        /// The file's size in bytes.
        pub file_size: Option<u64>,
        /// How long the recording is, in milliseconds.
        pub duration: Option<u64>,
        /// The video's width in pixels.
        pub resolution_width: Option<u64>,
        /// The video's height in pixels.
        pub resolution_height: Option<u64>,
        /// The kinds of media in it.
        pub media_track_type: Option<MediaTrackType>,
        /// When the stream began.
        pub begin_timestamp: Option<UnixMillis>,
        /// The time that the publisher put into the stream's SEI, in the publisher's unit.
        pub custom_begin_timestamp: Option<i64>,
        /// Where it was uploaded to.
        pub status: Option<FileStatus>,
        ..rest
    }

    /// Detail of `event_type` 2.
    pub struct RecordingAbort {
        /// Why the task ended.
        pub quit_reason: Option<QuitReason>,
        ..rest
    }

    /// Detail of `event_type` 3.
    pub struct RecordingImage {
        /// What the image is for.
        pub image_type: Option<ImageType>,
        /// The image's address.
        pub image_url: Option<String>,
        ..rest
    }

    /// Detail of `event_type` 6.
    pub struct RecordingStream {
        /// The stream's id.
        pub stream_id: Option<String>,
        ..rest
    }

    /// Detail of `event_type` 102.
    pub struct RecordingPlaylist {
        /// The stream's id.
        pub stream_id: Option<String>,
        /// The file's name.
        pub file_id: Option<String>,
        /// The M3U8 file's address.
        pub file_url: Option<String>,
        /// The kinds of media in it.
        pub media_track_type: Option<MediaTrackType>,
        ..rest
    }
}

codes! {
    /// Whether all files were uploaded.
    pub enum UploadStatus {
        /// All.
        All = 1,
        /// Not all; see each file's status.
        Partial = 2,
    }

    /// The kinds of media in a file.
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
        /// It reached `MaxRecordTime`.
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
        /// The background of a stream in a custom layout.
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
