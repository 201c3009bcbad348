//! Digital Human: the states of stream tasks and of drive tasks.
//!
//! Page: <https://www.zegocloud.com/docs/aigc-digital-human-server/streaming-apis/receiving-callback>.

use super::event::family;
use crate::wire::{codes, number, payload, text};

family! {
    /// A callback of the family *Digital Human*.
    pub enum DigitalHumanEvent in "EventType": i64 {
        /// A stream task changed its state.
        3 => StreamTask(DigitalHuman<StreamTask>) as "digital_human.stream_task"
            by [task_id, event_time, detail.status],
        /// A drive task changed its state.
        4 => DriveTask(DigitalHuman<DriveTask>) as "digital_human.drive_task"
            by [task_id, event_time, detail.status; detail.drive_id],
    }
}

payload! {
    /// What all events have in common.
    #[serde(rename_all = "PascalCase")]
    pub struct DigitalHuman<D> {
        /// The app's id.
        pub app_id: u64 => "number",
        /// When the callback was signed: 10 digits are Unix seconds, 13 are milliseconds.
        pub timestamp: u64 => "text",
        /// When it happened, in Unix milliseconds.
        pub event_time: u64 => "number",
        /// The stream task.
        pub task_id: String => "text",
        /// The event itself.
        pub detail: D,
    }

    /// `EventType` 3: the state of a stream task.
    #[serde(rename_all = "PascalCase")]
    pub struct StreamTask {
        /// The state.
        pub status: StreamTaskStatus => "number",
        /// The room's id.
        pub room_id: String => "text",
        /// The stream's id.
        pub stream_id: String => "text",
        /// Why it failed; means something with [`StreamTaskStatus::InitFailed`] only.
        pub fail_reason: String => "text",
    }

    /// `EventType` 4: the state of a drive task.
    #[serde(rename_all = "PascalCase")]
    pub struct DriveTask {
        /// The drive task.
        pub drive_id: String => "text",
        /// The state.
        pub status: DriveStatus => "number",
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
        /// Over: the digital human has spoken.
        Ended = 4,
    }
}
