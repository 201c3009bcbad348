//! ZEGOCLOUD's layer and what it accepts, for tests that need some provider.

use bytes::Bytes;
use http::Request;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::SystemTime,
};
use tower_webhooks::{
    Signer as _, WebhookLayer,
    zegocloud::{Signer, Zegocloud},
};

pub const SECRET: &str = "a callback secret";

pub fn layer() -> WebhookLayer<Zegocloud> {
    WebhookLayer::new(Zegocloud::new(SECRET).unwrap())
}

/// A genuine delivery; every call makes another one.
pub fn signed(uri: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    super::signed(&Signer::new(SECRET).unwrap(), uri, body)
}

/// An event with a room of its own.
pub fn room(number: usize) -> Request<Bytes> {
    signed("/zegocloud", format!(r#"{{"event":"room_create","room_id":"{number}"}}"#))
}

/// Two bodies under one signature.
pub fn pair() -> (Request<Bytes>, Request<Bytes>) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    // A last digit could begin a timestamp, split elsewhere, and the claim would last 30 days.
    let signer = Signer::new(SECRET).unwrap().nonce(format!("{}-{number}-", std::process::id()));
    let now = SystemTime::now();
    let sign = |body: &'static str| {
        signer.sign(Request::post("/zegocloud").body(Bytes::from(body)).unwrap(), now)
    };
    (
        sign(r#"{"event":"room_create","room_id":"a"}"#),
        sign(r#"{"event":"room_create","room_id":"b"}"#),
    )
}
