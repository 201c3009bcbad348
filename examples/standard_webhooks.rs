//! A provider of your own, with the symmetric scheme of <https://www.standardwebhooks.com>.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, request::Parts};
use sha2::Sha256;
use std::time::{Duration, SystemTime};
use tower_webhooks::{
    ConfigError, Content, Covers, Delivery, Identity, Proof, Provider, Rejection, RejectionKind,
    Secret, Timestamp, Window, exactly_one,
};

/// Retries may come for days: set the layer's `retention` to as long.
pub struct StandardWebhooks(Vec<(Secret, Hmac<Sha256>)>);

/// Any payload; `kind` is the member `type` if the payload is a JSON object.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Message {
    #[serde(skip)]
    pub id: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(skip)]
    pub payload: Bytes,
}

impl StandardWebhooks {
    /// Takes the newest secret, with or without its `whsec_`.
    pub fn new(secret: &str) -> Result<Self, ConfigError> {
        Self(Vec::new()).also_accept(secret)
    }

    /// Takes an older secret too.
    pub fn also_accept(mut self, secret: &str) -> Result<Self, ConfigError> {
        let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
        let key = key.ok().filter(|key| (24..=64).contains(&key.len()));
        let key = key.ok_or(ConfigError::new("the secret is not base64 of 24 to 64 bytes"))?;
        let mac = Hmac::new_from_slice(&key).map_err(|_| ConfigError::new("not a key"))?;
        self.0.push((Secret::from_bytes(&key)?, mac));
        Ok(self)
    }
}

impl Provider for StandardWebhooks {
    const NAME: &'static str = "standard_webhooks";
    const CREDENTIALS: &'static [&'static str] = &["webhook-signature"];
    type FromHead = (String, String, Timestamp, Vec<[u8; 32]>);
    type Event = Message;

    fn check_head(&self, head: &Parts, _: SystemTime) -> Result<Self::FromHead, Rejection> {
        let header = |name| exactly_one(&head.headers, name);
        let (id, digits) = (header("webhook-id")?, header("webhook-timestamp")?);
        let mac = |text: &str| BASE64.decode(text.strip_prefix("v1,")?).ok()?.try_into().ok();
        let macs: Vec<_> = header("webhook-signature")?.split(' ').filter_map(mac).collect();
        // The signed parts are joined with points. Without one in the id they split in one way only.
        match Timestamp::from_digits(digits) {
            Some(time @ Timestamp::Seconds(_)) if !id.contains('.') && !macs.is_empty() => {
                Ok((id.to_owned(), format!("{id}.{digits}."), time, macs))
            }
            _ => Err(Rejection::new(RejectionKind::CredentialMalformed)),
        }
    }

    fn check_body(
        &self,
        (id, start, time, macs): Self::FromHead,
        _: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<Message>, Rejection> {
        let signs = |(_, key): &(Secret, Hmac<Sha256>)| {
            let signed = key.clone().chain_update(&start).chain_update(body);
            macs.iter().any(|mac| signed.clone().verify_slice(mac).is_ok())
        };
        let wrong = Rejection::new(RejectionKind::CredentialWrong);
        let key_index = self.0.iter().position(signs).ok_or(wrong)?;
        let signed_at = Some(Window::default().check(time, now)?);
        // A retry is signed anew, perhaps with another key: the id and the first key stay.
        let identity = Some(Identity::new(&[self.0[0].0.id(), id.as_bytes()], Content::Bound));
        let proof = Proof { covers: Covers::Body, key_index, signed_at, identity };
        let Message { kind, .. } = serde_json::from_slice(body).unwrap_or_default();
        let label = kind.clone().unwrap_or_else(|| "unknown".to_owned());
        Ok(Delivery::new(Message { id, kind, payload: body.clone() }, label, proof))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
    for body in [r#"{"test": 2432232314}"#, r#"{"test": 2432232315}"#] {
        let request = Request::post("/hooks").header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
        let request = request.header("webhook-timestamp", "1614265330");
        let mac = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let request = request.header("webhook-signature", mac).body(Bytes::from(body))?;
        let sender = StandardWebhooks::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
        println!("{:?}", sender.verify(&request, then).map(Delivery::into_event));
    }
    Ok(())
}
