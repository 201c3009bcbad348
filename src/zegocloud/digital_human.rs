//! Digital Human: the states of stream tasks and of drive tasks.
//!
//! Page:
//! <https://www.zegocloud.com/docs/aigc-digital-human-server/streaming-apis/receiving-callback>.

use crate::{
    UnixMillis,
    payload::{codes, events, payload},
};

events! {
    /// A callback of the family *Digital Human*.
    pub enum DigitalHumanEvent in "EventType" {
        /// A stream task changed its state.
        3 => StreamTask(DigitalHuman<StreamTask>) as "digital_human.stream_task"
            key |it| [it.task_id, it.event_time, it.detail.as_ref()?.status],
        /// A drive task changed its state.
        4 => DriveTask(DigitalHuman<DriveTask>) as "digital_human.drive_task"
            key |it| [
                it.task_id, it.event_time, it.detail.as_ref()?.status, it.detail.as_ref()?.drive_id
            ],
    }
}

payload! {
    /// The members that all events share.
    pub struct DigitalHuman<D> {
        /// The app's id.
        pub app_id: Option<String> = "AppId",
        /// When the callback was signed.
        pub timestamp: Option<UnixMillis> = "Timestamp",
        /// When it happened.
        pub event_time: Option<UnixMillis> = "EventTime",
        /// The stream task's id.
        pub task_id: Option<String> = "TaskId",
        /// The event's own data.
        pub detail: Option<D> = "Detail",
        ..rest
    }

    /// `EventType` 3: the state of a stream task.
    pub struct StreamTask {
        /// The state.
        pub status: Option<StreamTaskStatus> = "Status",
        /// The room's id.
        pub room_id: Option<String> = "RoomId",
        /// The stream's id.
        pub stream_id: Option<String> = "StreamId",
        /// Why it failed; meaningful with [`StreamTaskStatus::InitFailed`] only.
        pub fail_reason: Option<String> = "FailReason",
        ..rest
    }

    /// `EventType` 4: the state of a drive task.
    pub struct DriveTask {
        /// The drive task's id.
        pub drive_id: Option<String> = "DriveId",
        /// The state.
        pub status: Option<DriveStatus> = "Status",
        ..rest
    }
}

codes! {
    /// The state of a stream task.
    pub enum StreamTaskStatus {
        /// Being set up.
        Initialising = 1,
        /// Could not be set up.
        InitFailed = 2,
        /// Streaming.
        Streaming = 3,
        /// Being stopped.
        Stopping = 4,
        /// Stopped.
        Stopped = 5,
    }

    /// The state of a drive task.
    pub enum DriveStatus {
        /// Waiting for its turn.
        Queued = 1,
        /// Driving: the digital human begins to speak.
        Driving = 2,
        /// Failed.
        Failed = 3,
        /// Ended: the digital human finished speaking.
        Ended = 4,
    }
}
