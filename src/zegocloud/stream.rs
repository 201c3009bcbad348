//! Streams: published, ended. Mixed streams have no callbacks here.
//!
//! Pages: <https://www.zegocloud.com/docs/real-time-video-server/callback/stream/stream-created>.

use super::JsonText;
use crate::{
    UnixMillis, UnixSeconds,
    payload::{codes, events, payload},
};

events! {
    /// A callback of the family *stream*.
    ///
    /// Neither arrival nor order is guaranteed. Of two callbacks for one `stream_id`, the one with
    /// the larger `stream_seq` is the newer one. Hold back callbacks that arrive before their
    /// room's [`RoomEvent::Create`](super::room::RoomEvent::Create).
    pub enum StreamEvent in "event" {
        /// A stream is published.
        "stream_create" => Create(StreamCreate)
            key |it| [it.room_session_id, it.stream_sid, it.stream_seq],
        /// A stream ended.
        "stream_close" => Close(StreamClose)
            key |it| [it.room_session_id, it.stream_sid, it.stream_seq],
    }
}

payload! {
    /// Payload of `stream_create`.
    pub struct StreamCreate {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The room's id, at most 127 bytes.
        pub room_id: Option<String>,
        /// The id of the room's session.
        pub room_session_id: Option<String>,
        /// The publisher's id, at most 255 bytes.
        pub user_id: Option<String>,
        /// The publisher's name, at most 255 bytes.
        pub user_name: Option<String>,
        /// The room's id again.
        pub channel_id: Option<String>,
        /// The client's stream id.
        pub stream_id: Option<String>,
        /// The client's stream id again.
        pub stream_alias: Option<String>,
        /// The server's own id of the stream.
        pub stream_sid: Option<String>,
        /// The stream's title.
        pub title: Option<String>,
        /// A [`StreamAttr`] as JSON text.
        pub stream_attr: Option<JsonText>,
        /// The number of this change of the server's stream list; it grows by 1 with each change.
        pub stream_seq: Option<u64>,
        /// When it was published, to the second.
        pub create_time: Option<UnixSeconds>,
        /// When it was published.
        pub create_time_ms: Option<UnixMillis>,
        /// What the client attached before publishing, else empty.
        pub extra_info: Option<String>,
        /// Whether the SDK published an existing stream again.
        pub recreate: Option<Recreate>,
        /// The publisher's id again.
        pub publish_id: Option<String>,
        /// The publisher's name again.
        pub publish_name: Option<String>,
        /// RTMP play URLs, at most 1024 bytes each.
        pub rtmp_url: Vec<String>,
        /// HLS play URLs, at most 1024 bytes each.
        pub hls_url: Vec<String>,
        /// HTTP-FLV play URLs, at most 1024 bytes each.
        pub hdl_url: Vec<String>,
        /// Screenshots, taken anew about every 20 s and valid while the stream is published.
        pub pic_url: Vec<String>,
        ..rest
    }

    /// Payload of `stream_close`.
    pub struct StreamClose {
        /// The app's id.
        pub appid: Option<String>,
        /// When the callback was signed.
        pub timestamp: Option<UnixSeconds>,
        /// The room's id.
        pub room_id: Option<String>,
        /// The id of the room's session.
        pub room_session_id: Option<String>,
        /// The publisher's id.
        pub user_id: Option<String>,
        /// The publisher's name.
        pub user_name: Option<String>,
        /// The room's id again.
        pub channel_id: Option<String>,
        /// The client's stream id.
        pub stream_alias: Option<String>,
        /// The client's stream id again.
        pub stream_id: Option<String>,
        /// The server's own id of the stream.
        pub stream_sid: Option<String>,
        /// The number of this change of the server's stream list; it grows by 1 with each change.
        pub stream_seq: Option<u64>,
        /// Free text of the client, usually JSON.
        pub third_define_data: Option<JsonText>,
        /// When it was published.
        pub create_time_ms: Option<UnixMillis>,
        /// When it ended.
        pub destroy_timemillis: Option<UnixMillis>,
        /// Why it ended.
        pub r#type: Option<StreamCloseType> = "type",
        ..rest
    }

    /// The JSON in [`StreamCreate::stream_attr`].
    pub struct StreamAttr {
        /// The video codec.
        pub cid: Option<VideoCodec>,
        ..rest
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
