//! Cloud player: the life of a player in a room, and the upload of files for it.
//!
//! Page: `extended_services/cloud_player/en/server/Callback/callback.mdx` of <https://github.com/ZEGOCLOUD/docs_all>.

use super::event::family;
use crate::{
    Json,
    wire::{codes, number, payload, text},
};

family! {
    /// A callback of the family *cloud player*; `EventTime` orders them.
    pub enum PlayerEvent in "EventType": i64 {
        /// A player came to be.
        1 => Created(Player<PlayerCreated>) as "player.created" by [event_time; player_id, upload_task_id],
        /// A player ceased to be.
        2 => Destroyed(Player<PlayerDestroyed>) as "player.destroyed" by [event_time; player_id, upload_task_id],
        /// A player changed its state.
        3 => Status(Player<PlayerStatus>) as "player.status" by [event_time; player_id, upload_task_id],
        /// A player met a problem.
        4 => Exception(Player<PlayerException>) as "player.exception" by [event_time; player_id, upload_task_id],
        /// A file was uploaded.
        10001 => Uploaded(Player<Json>) as "player.uploaded" by [event_time; player_id, upload_task_id],
        /// A file could not be uploaded.
        10002 => UploadFailed(Player<PlayerUploadFailed>) as "player.upload_failed"
            by [event_time; player_id, upload_task_id],
        /// An upload changed its state.
        10003 => UploadStatus(Player<PlayerUploadStatus>) as "player.upload_status"
            by [event_time; player_id, upload_task_id],
        /// An upload could not be cancelled.
        10004 => CancelFailed(Player<PlayerCancelFailed>) as "player.upload_cancel_failed"
            by [event_time; player_id, upload_task_id],
        /// An upload met a problem and is tried again.
        10005 => UploadException(Player<PlayerUploadException>) as "player.upload_exception"
            by [event_time; player_id, upload_task_id],
        /// An uploaded file expired.
        10006 => UploadExpired(Player<Json>) as "player.upload_expired" by [event_time; player_id, upload_task_id],
    }
}

payload! {
    /// What all events have in common.
    #[serde(rename_all = "PascalCase")]
    pub struct Player<D> {
        /// The app's id.
        #[serde(rename = "AppID")]
        pub app_id: u64 => "number",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The room's id; of players.
        pub room_id: String => "text",
        /// The player; of players.
        pub player_id: String => "text",
        /// The player's name; in the page's example only.
        pub player_name: String => "text",
        /// The upload; of uploads.
        pub upload_task_id: String => "text",
        /// The file's source; in the page's example of an upload only.
        pub stream_url: String => "text",
        /// The file's title; in the page's example of an upload only.
        pub title: String => "text",
        /// When it happened, in Unix milliseconds.
        pub event_time: u64 => "text",
        /// The event itself; [`Json`] where the page says that it is empty.
        pub detail: D,
    }

    /// `EventType` 1.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerCreated {
        /// When the player came to be, in Unix seconds.
        pub create_time: u64 => "number",
        /// When it began to play, in Unix seconds.
        pub play_time: u64 => "number",
        /// How long it may play nothing, in seconds.
        pub max_idle_time: u64 => "number",
        /// The media's address.
        pub stream_url: String => "text",
    }

    /// `EventType` 2.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerDestroyed {
        /// When the player began to play, in Unix seconds.
        pub play_time: u64 => "number",
        /// Why it ceased to be.
        pub reason: DestroyReason => "number",
    }

    /// `EventType` 3.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerStatus {
        /// The state.
        pub status: PlayerState => "number",
        /// Which of the media is played; with [`PlayerState::Playing`] and [`PlayerState::Paused`].
        pub play_index: i64 => "number",
    }

    /// `EventType` 4.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerException {
        /// The problem.
        pub code: PlayerExceptionCode => "number",
        /// Which of the media it is with; with [`PlayerExceptionCode::LoadFailed`].
        pub play_index: i64 => "number",
    }

    /// `EventType` 10002.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerUploadFailed {
        /// Why.
        pub reason: UploadFailure => "number",
    }

    /// `EventType` 10003.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerUploadStatus {
        /// The state.
        pub status: UploadState => "number",
    }

    /// `EventType` 10004.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerCancelFailed {
        /// Why.
        pub reason: CancelFailure => "number",
    }

    /// `EventType` 10005.
    #[serde(rename_all = "PascalCase")]
    pub struct PlayerUploadException {
        /// The problem.
        pub code: UploadExceptionCode => "number",
    }
}

codes! {
    /// Why a player ceased to be.
    pub enum DestroyReason {
        /// The API DeletePlayer.
        Api = 1,
        /// It played nothing for longer than `MaxIdleTime`.
        Idle = 2,
        /// The media ended.
        Ended = 3,
        /// Its stream could not be published.
        PublishFailed = 4,
        /// It could not enter the room, or was kicked.
        RoomFailed = 5,
    }

    /// The state of a player.
    pub enum PlayerState {
        /// Being made.
        Creating = 1,
        /// Connecting to the media.
        Connecting = 2,
        /// About to play.
        Waiting = 3,
        /// Playing.
        Playing = 4,
        /// Paused.
        Paused = 5,
        /// Could not connect to the media.
        ConnectFailed = 6,
        /// The media ended.
        Ended = 7,
        /// Gone.
        Destroyed = 8,
    }

    /// The problem of a player.
    pub enum PlayerExceptionCode {
        /// Loading took too long.
        LoadTimeout = -1,
        /// Seeking took too long.
        SeekTimeout = -2,
        /// Seeking failed.
        SeekFailed = -3,
        /// The audio is rendered at the wrong rate.
        AudioRenderRate = -4,
        /// The data cannot be decoded.
        DecodeData = -5,
        /// Audio and video are apart.
        OutOfSync = -6,
        /// Playing stutters.
        Stutter = -7,
        /// Playing does not go on as it should.
        Progress = 1,
        /// Too few video frames, by the normal measure.
        VideoRate = 2,
        /// Too few video frames, by the strict measure, which support switches on.
        VideoRateStrict = 3,
        /// The audio is published at the wrong rate.
        AudioRate = 4,
        /// Flow control for more than 5 minutes.
        FlowControl = 5,
        /// Decoding failed.
        Decode = 6,
        /// One of several media could not be loaded.
        LoadFailed = 7,
    }

    /// Why a file could not be uploaded.
    pub enum UploadFailure {
        /// The source could not be downloaded.
        Download = 1,
        /// The upload itself failed.
        Upload = 2,
        /// The file is too large.
        TooLarge = 3,
    }

    /// The state of an upload.
    pub enum UploadState {
        /// Waiting for its turn.
        Pending = 1,
        /// Running.
        Uploading = 2,
        /// Cancelled.
        Cancelled = 3,
    }

    /// Why an upload could not be cancelled.
    pub enum CancelFailure {
        /// It is running.
        Uploading = 1,
        /// It is done.
        Uploaded = 2,
    }

    /// The problem of an upload.
    pub enum UploadExceptionCode {
        /// Unknown to ZEGOCLOUD.
        Unknown = 1,
        /// The upload itself failed.
        Upload = 2,
    }
}
