//! Each provider: its published vectors, its events, and the attacks on its scheme.

#[path = "../support/mod.rs"]
mod support;

mod events_are_plain;
mod geelark_auth;
mod geelark_events;
mod head_auth;
mod nothing_lost;
mod published;
mod stardust_auth;
mod stardust_events;
mod vobiz_layer;
mod vobiz_signed;
mod vobiz_voice_auth;
mod vobiz_voice_events;
mod zegocloud_attacks;
mod zegocloud_auth;
mod zegocloud_events;
mod zegocloud_proptest;
