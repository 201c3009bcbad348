//! A provider of one's own, for `WebhookLayer::new`: GitHub's push events, signed with HMAC-SHA256 over the body.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, request::Parts};
use sha2::Sha256;
use std::{error::Error, time::SystemTime};
use tower_webhooks::{
    ConfigError, Content, Covers, Delivery, Identity, Proof, Provider, Rejection, RejectionKind, Secret,
};

pub struct GitHub {
    secret: Secret,
    key: Hmac<Sha256>,
}

#[derive(Debug, serde::Deserialize)]
pub struct Push {
    pub after: String,
}

impl GitHub {
    pub fn new(secret: &str) -> Result<Self, ConfigError> {
        let key = Hmac::new_from_slice(secret.as_bytes()).map_err(|_| ConfigError::new("not a key"))?;
        Ok(Self { secret: Secret::new(secret)?, key })
    }
}

impl Provider for GitHub {
    const NAME: &'static str = "github";
    const CREDENTIALS: &'static [&'static str] = &[SIGNATURE];
    type FromHead = [u8; 32];
    type Event = Push;
    fn check_head(&self, head: &Parts, _now: SystemTime) -> Result<[u8; 32], Rejection> {
        let text = tower_webhooks::exactly_one(&head.headers, SIGNATURE)?;
        let digits = text.strip_prefix("sha256=").unwrap_or_default();
        let mut mac = [0; 32];
        hex::decode_to_slice(digits, &mut mac).map_err(|_| Rejection::new(RejectionKind::CredentialMalformed))?;
        Ok(mac)
    }
    fn check_body(&self, mac: [u8; 32], _: &Parts, body: &Bytes, _: SystemTime) -> Result<Delivery<Push>, Rejection> {
        let wrong = |_| Rejection::new(RejectionKind::CredentialWrong);
        self.key.clone().chain_update(body).verify_slice(&mac).map_err(wrong)?;
        let identity = Identity::new(&[self.secret.id(), &mac], Content::Signed);
        let proof = Proof { covers: Covers::Body, key_index: 0, signed_at: None, identity: Some(identity) };
        Ok(Delivery::new(tower_webhooks::parse_json(body)?, "push", proof))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    for body in [r#"{"after":"6113728f"}"#, r#"{"after":"f0f0f0f0"}"#] {
        let request = Request::post("/github").header(SIGNATURE, OF_THE_FIRST).body(Bytes::from(body))?;
        let verified = GitHub::new("It's a Secret to Everybody")?.verify(&request, SystemTime::now());
        println!("{body}: {:?}", verified.map(Delivery::into_event));
    }
    Ok(())
}

const SIGNATURE: &str = "x-hub-signature-256";
const OF_THE_FIRST: &str = "sha256=79d05e5daf6587e2999e63e1b635231ed427224692205bddcba35e4038036268";
