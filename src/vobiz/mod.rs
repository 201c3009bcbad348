//! Vobiz: callbacks of the voice platform and of what has grown around it.
//!
//! Vobiz has six families of callbacks, and one header name, `X-Vobiz-Signature`, means four different things in them.
//! So the **family is chosen where the route is made**; no layer guesses it from a request:
//!
//! | family | proves | key |
//! | --- | --- | --- |
//! | [`Voice`] | the URL, **no field** | the account's auth token, or the main account's |
//! | [`Kyc`] | the body | the main account's auth token |
//! | [`Campaign`] | the body | the account's auth token |
//! | [`Ndnc`] | the body | a secret that you have sent to Vobiz |
//! | [`Trunk`] | the body | the trunk's signing secret |
//! | [`Whatsapp`] | the body | the subscription's secret |
//!
//! ```
//! use axum::{Router, routing::{any, post}};
//! use tower_webhooks::{Verified, WebhookLayer, vobiz::{Kyc, Voice, kyc, voice}};
//!
//! async fn on_call(event: Verified<voice::Event>) -> &'static str {
//!     match &*event {
//!         voice::Event::StartApp(_) => "<Response><Speak>Hello</Speak></Response>",
//!         _ => "",
//!     }
//! }
//!
//! async fn on_kyc(event: Verified<kyc::Event>) {
//!     println!("{}", event.kind());
//! }
//!
//! let voice = Voice::new("an auth token", "https://hooks.example.com")?;
//! let kyc = Kyc::new("the main account's auth token")?;
//! let app: Router = Router::new()
//!     .route("/vobiz/call", any(on_call).layer(WebhookLayer::new(voice)))
//!     .route("/vobiz/kyc", post(on_kyc).layer(WebhookLayer::new(kyc)));
//! # Ok::<(), tower_webhooks::ConfigError>(())
//! ```
//!
//! # Signatures over the body
//!
//! The five other families sign the raw bytes of the body with HMAC-SHA256 and send the hex digits, KYC and campaign
//! with `sha256=` in front, the others without. A captured request can be sent again, but not changed. None of them has
//! a time in the signature: a repeat is refused for as long as the layer remembers the first.
//!
//! Vobiz writes callbacks' bodies with `Event` or `event` in them; headers that name the event as well
//! (`X-Vobiz-Event`, `X-Webhook-Event`) are not signed and not read.

pub use self::{
    campaign::{Campaign, CampaignLayer},
    kyc::{Kyc, KycLayer},
    ndnc::{Ndnc, NdncLayer},
    object::Unknown,
    trunk::{Trunk, TrunkLayer},
    voice::{Voice, VoiceLayer},
    whatsapp::{Whatsapp, WhatsappLayer},
};

pub mod campaign;
pub mod kyc;
pub mod ndnc;
pub mod trunk;
pub mod voice;
pub mod whatsapp;

mod body;
mod key;
mod object;
mod origin;

/// The kind and the ids, if there is one and none is missing.
fn dedup_key(kind: &str, ids: &[Option<&str>]) -> Option<String> {
    let mut key = kind.to_owned();
    for id in ids {
        key.push(':');
        key.push_str(id.filter(|id| !id.is_empty())?);
    }
    (!ids.is_empty()).then_some(key)
}

const NAME: &str = "vobiz";
