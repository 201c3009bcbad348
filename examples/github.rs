//! A provider of your own: GitHub, which signs the body and names the event in an unsigned header.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use sha2::Sha256;
use std::time::SystemTime;
use tower_webhooks::{
    ConfigError, Content, Covers, Delivery, Identity, Proof, Provider, Rejection, RejectionKind,
    Secret, exactly_one, from_hex, parse_json,
};

/// Holds the HMAC key, prepared once from the webhook's secret.
pub struct GitHub {
    key: Hmac<Sha256>,
}

#[derive(Debug, PartialEq)]
pub enum Event {
    /// The first delivery of every webhook, a test whether it arrives.
    Ping,
    Push(Push),
    Issues(Issues),
    /// Any other event, or a body of another shape: every authentic request is delivered.
    Other(Bytes),
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct Push {
    pub r#ref: String,
    pub after: String,
}

#[derive(Debug, PartialEq, Deserialize)]
pub struct Issues {
    pub action: String,
}

impl GitHub {
    pub fn new(secret: &str) -> Result<Self, ConfigError> {
        let secret = Secret::new(secret)?;
        let key = Hmac::new_from_slice(secret.expose_secret());
        Ok(Self { key: key.map_err(|_| ConfigError::new("not a key"))? })
    }
}

impl Provider for GitHub {
    const NAME: &'static str = "github";
    const CREDENTIALS: &'static [&'static str] = &["x-hub-signature-256"];
    type FromHead = [u8; 32];
    type Event = Event;

    fn check_head(&self, head: &Parts, _: SystemTime) -> Result<[u8; 32], Rejection> {
        let text = exactly_one(&head.headers, "x-hub-signature-256")?;
        from_hex(text.strip_prefix("sha256=").unwrap_or_default(), "signature: not 64 hex digits")
    }

    fn check_body(
        &self,
        mac: [u8; 32],
        head: &Parts,
        body: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<Event>, Rejection> {
        let wrong = |_| Rejection::new(RejectionKind::CredentialWrong);
        self.key.clone().chain_update(body).verify_slice(&mac).map_err(wrong)?;
        let name = exactly_one(&head.headers, "x-github-event")?;
        let (kind, event) = match name {
            "ping" => ("ping", Event::Ping),
            "push" => ("push", read(body, Event::Push)),
            "issues" => ("issues", read(body, Event::Issues)),
            _ => ("unknown", Event::Other(body.clone())),
        };
        // The name is not signed, so it is bound to the first request: the same signature with
        // another name is a conflict.
        let identity = Identity::new(&[&mac], Content::Signed).with_unsigned(name);
        let (covers, identity) = (Covers::Body, Some(identity));
        let proof = Proof { covers, key_index: 0, signed_at: None, identity };
        Ok(Delivery::new(event, kind, proof))
    }
}

fn read<T: DeserializeOwned>(body: &Bytes, event: impl FnOnce(T) -> Event) -> Event {
    parse_json(body).map_or_else(|_| Event::Other(body.clone()), event)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let github = GitHub::new("It's a Secret to Everybody")?;
    for body in ["Hello, World!", "Hullo, World!"] {
        let request = Request::post("/github").header("x-hub-signature-256", PUBLISHED);
        let request = request.header("x-github-event", "x").body(Bytes::from(body))?;
        let verified = github.verify(&request, SystemTime::now());
        println!("{body}: {:?}", verified.map(Delivery::into_event));
    }
    Ok(())
}

const PUBLISHED: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
