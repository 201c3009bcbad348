//! Streams: published, ended. Mixed streams have no callbacks here.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/stream/stream-created>.

use super::{event::family, json_text::JsonText};
use crate::wire::{codes, number, payload, text};

family! {
    /// A callback of the family *stream*.
    ///
    /// Neither arrival nor order is guaranteed. Of two callbacks for one `stream_id` the one with the larger
    /// `stream_seq` is the newer; what comes before its room's [`RoomEvent::Create`](super::RoomEvent::Create) waits
    /// for it.
    pub enum StreamEvent in "event": str {
        /// A stream is published.
        "stream_create" => Create(StreamCreate) as "stream_create" by [room_session_id, stream_sid; stream_seq],
        /// A stream ended.
        "stream_close" => Close(StreamClose) as "stream_close" by [room_session_id, stream_sid; stream_seq],
    }
}

payload! {
    /// `stream_create`.
    pub struct StreamCreate {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The room's id, at most 127 bytes.
        pub room_id: String => "text",
        /// The life of the room.
        pub room_session_id: u64 => "text",
        /// The publisher's id, at most 255 bytes.
        pub user_id: String => "text",
        /// The publisher's name, at most 255 bytes.
        pub user_name: String => "text",
        /// The room's id again.
        pub channel_id: String => "text",
        /// The client's stream id.
        pub stream_id: String => "text",
        /// The client's stream id again.
        pub stream_alias: String => "text",
        /// The server's own id of the stream.
        pub stream_sid: String => "text",
        /// The stream's title.
        pub title: String => "text",
        /// A [`StreamAttr`] as JSON text.
        pub stream_attr: JsonText,
        /// Grows with every callback for the stream.
        pub stream_seq: u64 => "text",
        /// When it was published, in Unix seconds.
        pub create_time: u64 => "text",
        /// When it was published, in Unix milliseconds.
        pub create_time_ms: u64 => "text",
        /// What the client attached before publishing, else empty.
        pub extra_info: String => "text",
        /// Whether the SDK published an existing stream again.
        pub recreate: Recreate => "text",
        /// The publisher's id again.
        pub publish_id: String => "text",
        /// The publisher's name again.
        pub publish_name: String => "text",
        /// Play URLs, at most 1024 bytes each.
        pub rtmp_url: Vec<String>,
        /// Play URLs, at most 1024 bytes each.
        pub hls_url: Vec<String>,
        /// Play URLs, at most 1024 bytes each.
        pub hdl_url: Vec<String>,
        /// Screenshots, taken anew about every 20 s and valid while the stream is published.
        pub pic_url: Vec<String>,
    }

    /// `stream_close`.
    pub struct StreamClose {
        /// The app's id.
        pub appid: u64 => "text",
        /// When the callback was signed, in Unix seconds.
        pub timestamp: u64 => "text",
        /// The room's id.
        pub room_id: String => "text",
        /// The life of the room.
        pub room_session_id: u64 => "text",
        /// The publisher's id.
        pub user_id: String => "text",
        /// The publisher's name.
        pub user_name: String => "text",
        /// The room's id again.
        pub channel_id: String => "text",
        /// The client's stream id.
        pub stream_alias: String => "text",
        /// The client's stream id again.
        pub stream_id: String => "text",
        /// The server's own id of the stream.
        pub stream_sid: String => "text",
        /// Grows with every callback for the stream.
        pub stream_seq: u64 => "text",
        /// Free text of the client, usually JSON.
        pub third_define_data: JsonText,
        /// When it was published, in Unix milliseconds.
        pub create_time_ms: u64 => "text",
        /// When it ended, in Unix milliseconds.
        pub destroy_timemillis: u64 => "text",
        /// Why it ended.
        pub r#type: StreamCloseType => "text",
    }

    /// What is inside [`StreamCreate::stream_attr`].
    pub struct StreamAttr {
        /// The video codec.
        pub cid: VideoCodec => "number",
    }
}

codes! {
    /// Whether a stream is new.
    pub enum Recreate {
        /// New.
        New = 0,
        /// An existing one, published again by the SDK within 90 s.
        Again = 1,
    }

    /// A video codec.
    pub enum VideoCodec {
        /// H.264.
        H264 = 0,
        /// H.264 with scalable layers.
        H264Svc = 1,
        /// VP8.
        Vp8 = 2,
        /// H.265.
        H265 = 3,
    }

    /// Why a stream ended.
    pub enum StreamCloseType {
        /// The publisher ended it.
        Normal = 0,
        /// The publisher's heartbeat timed out.
        HeartbeatTimeout = 1,
        /// The publisher logged in again and the old session's stream was closed.
        RepeatedLogin = 2,
        /// The server kicked the publisher.
        Kicked = 3,
        /// The TCP connection broke.
        Disconnected = 4,
        /// The room was cleared.
        RoomCleared = 5,
        /// The DeleteStream API was called.
        Deleted = 100,
    }
}
