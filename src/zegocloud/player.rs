//! Cloud player: players in rooms, and the upload of files for them.
//!
//! Page: `extended_services/cloud_player/en/server/Callback/callback.mdx` of
//! <https://github.com/ZEGOCLOUD/docs_all>.

use crate::{
    Json, UnixMillis, UnixSeconds,
    payload::{codes, events, payload},
};

events! {
    /// A callback of the family *cloud player*; `EventTime` orders them.
    pub enum PlayerEvent in "EventType" {
        /// A player was created.
        1 => Created(Player<PlayerCreated>) as "player.created" key |it| [it.event_time, it.task()],
        /// A player was destroyed.
        2 => Destroyed(Player<PlayerDestroyed>) as "player.destroyed"
            key |it| [it.event_time, it.task()],
        /// A player changed its state.
        3 => Status(Player<PlayerStatus>) as "player.status"
            key |it| [it.event_time, it.task(); it.detail.as_ref().map(|detail| detail.status)],
        /// A player had a problem.
        4 => Exception(Player<PlayerException>) as "player.exception"
            key |it| [it.event_time, it.task(); it.detail.as_ref().map(|detail| detail.code)],
        /// A file was uploaded.
        10001 => Uploaded(Player<Json>) as "player.uploaded" key |it| [it.event_time, it.task()],
        /// A file could not be uploaded.
        10002 => UploadFailed(Player<PlayerUploadFailed>) as "player.upload_failed"
            key |it| [it.event_time, it.task()],
        /// An upload changed its state.
        10003 => UploadStatus(Player<PlayerUploadStatus>) as "player.upload_status"
            key |it| [it.event_time, it.task(); it.detail.as_ref().map(|detail| detail.status)],
        /// An upload could not be cancelled.
        10004 => CancelFailed(Player<PlayerCancelFailed>) as "player.upload_cancel_failed"
            key |it| [it.event_time, it.task()],
        /// An upload had a problem and is tried again.
        10005 => UploadException(Player<PlayerUploadException>) as "player.upload_exception"
            key |it| [it.event_time, it.task(); it.detail.as_ref().map(|detail| detail.code)],
        /// An uploaded file expired.
        10006 => UploadExpired(Player<Json>) as "player.upload_expired"
            key |it| [it.event_time, it.task()],
    }
}

payload! {
    /// The members that all events share.
    pub struct Player<D> {
        /// The app's id.
        pub app_id: Option<String> = "AppID",
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds> = "Timestamp",
        /// The room's id; of players only.
        pub room_id: Option<String> = "RoomId",
        /// The player's id; of players only.
        pub player_id: Option<String> = "PlayerId",
        /// The player's name; in the page's example only.
        pub player_name: Option<String> = "PlayerName",
        /// The upload task's id; of uploads only.
        pub upload_task_id: Option<String> = "UploadTaskId",
        /// The file's source; in the page's example of an upload only.
        pub stream_url: Option<String> = "StreamUrl",
        /// The file's title; in the page's example of an upload only.
        pub title: Option<String> = "Title",
        /// When it happened.
        pub event_time: Option<UnixMillis> = "EventTime",
        /// The event's own data; [`Json`] where the page says that it is empty.
        pub detail: Option<D> = "Detail",
        ..rest
    }

    /// Detail of `EventType` 1.
    pub struct PlayerCreated {
        /// When the player was created.
        pub create_time: Option<UnixSeconds> = "CreateTime",
        /// When it began to play.
        pub play_time: Option<UnixSeconds> = "PlayTime",
        /// How long it may play nothing, in seconds.
        pub max_idle_time: Option<u64> = "MaxIdleTime",
        /// The media's address.
        pub stream_url: Option<String> = "StreamUrl",
        ..rest
    }

    /// Detail of `EventType` 2.
    pub struct PlayerDestroyed {
        /// When the player began to play.
        pub play_time: Option<UnixSeconds> = "PlayTime",
        /// Why it was destroyed.
        pub reason: Option<DestroyReason> = "Reason",
        ..rest
    }

    /// Detail of `EventType` 3.
    pub struct PlayerStatus {
        /// The state.
        pub status: Option<PlayerState> = "Status",
        /// The index of the media that is played; with [`PlayerState::Playing`] and
        /// [`PlayerState::Paused`].
        pub play_index: Option<i64> = "PlayIndex",
        ..rest
    }

    /// Detail of `EventType` 4.
    pub struct PlayerException {
        /// The problem.
        pub code: Option<PlayerExceptionCode> = "Code",
        /// The index of the media; with [`PlayerExceptionCode::LoadFailed`].
        pub play_index: Option<i64> = "PlayIndex",
        ..rest
    }

    /// Detail of `EventType` 10002.
    pub struct PlayerUploadFailed {
        /// Why the upload failed.
        pub reason: Option<UploadFailure> = "Reason",
        ..rest
    }

    /// Detail of `EventType` 10003.
    pub struct PlayerUploadStatus {
        /// The state.
        pub status: Option<UploadState> = "Status",
        ..rest
    }

    /// Detail of `EventType` 10004.
    pub struct PlayerCancelFailed {
        /// Why the upload was not cancelled.
        pub reason: Option<CancelFailure> = "Reason",
        ..rest
    }

    /// Detail of `EventType` 10005.
    pub struct PlayerUploadException {
        /// The problem.
        pub code: Option<UploadExceptionCode> = "Code",
        ..rest
    }
}

impl<D> Player<D> {
    fn task(&self) -> Option<&String> {
        self.player_id.as_ref().or(self.upload_task_id.as_ref())
    }
}

codes! {
    /// Why a player was destroyed.
    pub enum DestroyReason {
        /// The DeletePlayer API was called.
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
        /// Being created.
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
        /// Destroyed.
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
        /// Audio and video are out of sync.
        OutOfSync = -6,
        /// Playing stutters.
        Stutter = -7,
        /// The play position does not advance as it should.
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
