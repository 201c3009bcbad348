//! Stream mixing: started, stopped. There is no callback for a mix that fails to stop or breaks off.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/stream-mixing/started>.

use super::event::family;
use crate::wire::{payload, text};

family! {
    /// A callback of the family *stream mixing*.
    pub enum MixingEvent in "event": str {
        /// Mixing started.
        "mix_start" => Start(MixStart) as "mix_start" by [task_id, seq],
        /// Mixing stopped.
        "mix_stop" => Stop(MixStop) as "mix_stop" by [task_id, seq],
    }
}

payload! {
    /// `mix_start`.
    pub struct MixStart {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// Grows with every callback for the task.
        pub seq: u64 => "text",
        /// The task, `<appid>:<id>`.
        pub task_id: String => "text",
        /// The room's id.
        pub channel_id: String => "text",
        /// The publisher's id.
        pub publish_id: String => "text",
        /// The mixed stream's address.
        pub mix_url: String => "text",
        /// The mixed stream's id.
        pub mix_stream_alias: String => "text",
        /// The stream's id.
        pub stream_alias: String => "text",
        /// Play URLs.
        pub rtmp_urls: Vec<String>,
        /// Play URLs.
        pub hls_urls: Vec<String>,
        /// Play URLs.
        pub hdl_urls: Vec<String>,
        /// In the page's example only.
        pub rtmp_url: String => "text",
        /// In the page's example only.
        pub hls_url: String => "text",
        /// In the page's example only.
        pub hdl_url: String => "text",
    }

    /// `mix_stop`.
    pub struct MixStop {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// Grows with every callback for the task.
        pub seq: u64 => "text",
        /// The task, `<appid>:<id>`.
        pub task_id: String => "text",
        /// The room's id.
        pub channel_id: String => "text",
        /// The publisher's id.
        pub publish_id: String => "text",
        /// The mixed stream's address.
        pub mix_url: String => "text",
        /// The mixed stream's id.
        pub mix_stream_alias: String => "text",
    }
}
