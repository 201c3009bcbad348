//! ZEGOCLOUD's events.

use crate::{
    Outgoing,
    vars::{self, Vars},
};
use std::error::Error;
use tower_webhooks::zegocloud::Signer;

#[derive(clap::Args)]
pub struct Args {
    /// Which event to send
    #[arg(default_value = DEFAULT_EVENT)]
    event: String,
    /// Where to post it [default: http://$RECEIVER_ADDR/zegocloud]
    #[arg(long)]
    url: Option<String>,
    /// The CallbackSecret [default: $ZEGOCLOUD_CALLBACK_SECRET, else the demo value]
    #[arg(long)]
    secret: Option<String>,
}

impl Default for Args {
    fn default() -> Self {
        Self { event: DEFAULT_EVENT.to_owned(), url: None, secret: None }
    }
}

impl Args {
    pub fn outgoing(self) -> Result<Outgoing, Box<dyn Error>> {
        let Self { event, url, secret } = self;
        let Some((_, body)) = EVENTS.iter().find(|(kind, _)| *kind == event) else {
            let known: Vec<_> = EVENTS.iter().map(|(kind, _)| *kind).collect();
            return Err(format!("zegocloud has no event {event:?}; there are {}", known.join(", ")).into());
        };
        let secret = secret
            .or_else(|| Vars::new(vars::ZEGOCLOUD).get("ZEGOCLOUD_CALLBACK_SECRET"))
            .ok_or("ZEGOCLOUD_CALLBACK_SECRET is not set")?;
        let signer = Signer::new(secret).map_err(|error| format!("the secret: {error}"))?;
        Outgoing::post(format!("zegocloud {event}"), url, "/zegocloud", "application/json", *body, signer)
    }
}

const DEFAULT_EVENT: &str = "stream_create";

const EVENTS: &[(&str, &str)] = &[
    (
        "stream_create",
        r#"{"event":"stream_create","appid":"1234567","room_id":"lobby","room_session_id":"858012925204410400","user_id":"u-17","user_name":"Ada","channel_id":"lobby","stream_id":"s-1","stream_alias":"s-1","stream_sid":"s-858012925204410400-17","title":"","stream_attr":"{\"cid\":0}","stream_seq":"1","create_time":"1763680000","create_time_ms":"1763680000123","extra_info":"","recreate":"0","publish_id":"u-17","publish_name":"Ada","rtmp_url":["rtmp://play.example.com/live/s-1"],"hls_url":["https://play.example.com/live/s-1/playlist.m3u8"],"hdl_url":["https://play.example.com/live/s-1.flv"],"pic_url":["https://pic.example.com/live/s-1.jpg"]}"#,
    ),
    (
        "room_create",
        r#"{"event":"room_create","appid":1234567,"room_id":"lobby","room_session_id":858012925204410400,"room_create_time":"1763680000123","id_name":"u-17"}"#,
    ),
];
