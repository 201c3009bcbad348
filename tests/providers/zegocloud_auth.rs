//! ZEGOCLOUD's signature, grammar and window.
#![cfg(feature = "zegocloud")]

use crate::support::at;
use bytes::Bytes;
use http::Request;
use tower_webhooks::{
    Delivery, Provider, Rejection,
    zegocloud::{Event, Zegocloud},
};

fn verify(secret: &str, body: String, unix: u64) -> Result<Delivery<Event>, Rejection> {
    let request = Request::post("/")
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap();
    Zegocloud::new(secret).unwrap().verify(&request, at(unix))
}

#[test]
fn vectors() {
    let vectors: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../vectors/zegocloud.json")).unwrap();
    let mut verified = 0;
    for vector in vectors.iter().filter(|vector| vector["alg"] == "sha1-sorted") {
        let text = |name: &str| vector[name].as_str().unwrap();
        let body = serde_json::json!({
            "event": "x", "timestamp": text("timestamp"), "nonce": text("nonce"), "signature": text("signature"),
        });
        let stamp: u64 = text("timestamp").parse().unwrap();
        let now = if stamp > 100_000_000_000 && text("timestamp").len() == 13 {
            stamp / 1000
        } else {
            stamp
        };
        let result = verify(text("secret"), body.to_string(), now);
        let refused = text("nonce") == "é" || text("note").starts_with("BOUNDARY");
        assert_eq!(result.is_err(), refused, "{}: {result:?}", text("note"));
        verified += usize::from(!refused);
    }
    assert_eq!(verified, 11);
}
