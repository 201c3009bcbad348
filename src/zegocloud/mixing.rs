//! Stream mixing: started, stopped. A mix that fails to stop or breaks off has no callback.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/stream-mixing/started>.

use crate::{
    UnixSeconds,
    payload::{events, payload},
};

events! {
    /// A callback of the family *stream mixing*.
    pub enum MixingEvent in "event" {
        /// Mixing started.
        "mix_start" => Start(Mix) key |it| [it.task_id, it.seq],
        /// Mixing stopped.
        "mix_stop" => Stop(Mix) key |it| [it.task_id, it.seq],
    }
}

payload! {
    /// Payload of `mix_start` and `mix_stop`.
    pub struct Mix {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The number of the mixing request: it grows, and no two requests have the same.
        pub seq: Option<u64>,
        /// The task's id, `<appid>:<id>`.
        pub task_id: Option<String>,
        /// The room's id.
        pub channel_id: Option<String>,
        /// The publisher's id.
        pub publish_id: Option<String>,
        /// The mixed stream's address.
        pub mix_url: Option<String>,
        /// The mixed stream's id.
        pub mix_stream_alias: Option<String>,
        /// The stream's id; on start.
        pub stream_alias: Option<String>,
        /// RTMP play URLs; on start.
        pub rtmp_urls: Vec<String>,
        /// HLS play URLs; on start.
        pub hls_urls: Vec<String>,
        /// HTTP-FLV play URLs; on start.
        pub hdl_urls: Vec<String>,
        /// On start, in the page's example only.
        pub rtmp_url: Option<String>,
        /// On start, in the page's example only.
        pub hls_url: Option<String>,
        /// On start, in the page's example only.
        pub hdl_url: Option<String>,
        ..rest
    }
}
