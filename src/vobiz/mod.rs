//! Vobiz: callbacks of the voice platform and its related services.
//!
//! Vobiz has six families of callbacks, and the header `X-Vobiz-Signature` has four different
//! meanings in them. So **each route is set up for one family**; no layer guesses it from a
//! request:
//!
//! | family | proves | key |
//! | --- | --- | --- |
//! | [`Voice`](voice::Voice) | the URL, **no field** | the account's auth token, or the main account's |
//! | [`Kyc`](kyc::Kyc) | the body | the main account's auth token |
//! | [`Campaign`](campaign::Campaign) | the body | the account's auth token |
//! | [`Ndnc`](ndnc::Ndnc) | the body | a secret that you sent to Vobiz |
//! | [`Trunk`](trunk::Trunk) | the body | the trunk's signing secret |
//! | [`Whatsapp`](whatsapp::Whatsapp) | the body | the subscription's secret |
//!
//! ```
//! use axum::{
//!     Router,
//!     http::{HeaderValue, Request},
//!     middleware::map_response,
//!     routing::{any, post},
//! };
//! use bytes::Bytes;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     Provider, Signer as _, Verified, WebhookLayer,
//!     replay::ReplayedResponse,
//!     vobiz::{
//!         kyc::{self, Kyc},
//!         voice::{self, Voice},
//!     },
//! };
//!
//! // A retry of `StartApp` gets the same document, without a call.
//! async fn on_call(event: Verified<voice::Event>) -> ReplayedResponse {
//!     let xml = match &*event {
//!         voice::Event::StartApp(_) => "<Response><Hangup/></Response>",
//!         _ => "<Response/>",
//!     };
//!     ReplayedResponse::new(HeaderValue::from_static("application/xml"), xml)
//! }
//!
//! async fn on_kyc(event: Verified<kyc::Event>) -> String {
//!     event.kind().to_owned()
//! }
//!
//! let voice = Voice::new("an auth token", "https://hooks.example.com")?;
//! let kyc = Kyc::new("the main account's auth token")?;
//! let restore = map_response(async |response| ReplayedResponse::restore(response));
//! let app: Router = Router::new()
//!     .route("/vobiz/call", any(on_call).layer((restore, WebhookLayer::new(voice.clone()))))
//!     .route("/vobiz/kyc", post(on_kyc).layer(WebhookLayer::new(kyc)));
//!
//! // What Vobiz would send to `/vobiz/call`.
//! let request = Request::post("/vobiz/call")
//!     .body(Bytes::from("Event=StartApp&CallUUID=12d86ccd"))?;
//! let signer = voice::Signer::new("an auth token", "https://hooks.example.com")?;
//! let request = signer.sign(request, SystemTime::now());
//! assert_eq!(voice.verify(&request, SystemTime::now())?.kind(), "StartApp");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Retries, and where to set the URL
//!
//! | events | retries | where to set the URL |
//! | --- | --- | --- |
//! | [`voice::Event`] | up to 3 with exponential backoff, unless 200 comes within 3 s | an application's or a call's `answer_url`, `hangup_url`, `ring_url`, `fallback_url`, `machine_detection_url`; the `action` and `callbackUrl` attributes of XML verbs; `callback_url` of the recording and stream APIs |
//! | [`kyc::Event`] | exponential backoff; the number is not documented | with the session |
//! | [`campaign::Event`] | 2, at about 5 and 30 s | a campaign's `notify_url` |
//! | [`ndnc::Event`] | not documented; a 2xx is due within 5 s | by e-mail to Vobiz, with the secret |
//! | [`trunk::Event`] | none: what is refused is lost | a trunk's `webhook_url` |
//! | [`whatsapp::Event`] | possible, with the same `event_id` | a webhook subscription, HTTPS only |
//!
//! If a receiver dies while its handler runs, its claim ends after the
//! [lease](crate::WebhookLayer::lease), 15 s by default. Campaign's last attempt comes later and is
//! delivered. Voice's backoff times are not documented: if its retries end before the lease, the
//! event is lost, so consider a shorter lease. A trunk's event is lost in any case.
//!
//! # Signatures over the body
//!
//! All families but voice send an HMAC-SHA256 of the raw body in hex; KYC and campaign put
//! `sha256=` before it. A captured request can be sent again, but not changed. The signature has no
//! time: an identical request is not delivered again for as long as the layer remembers the first
//! one.
//!
//! The family is not signed either. Families with the same header, prefix and key (KYC and campaign
//! with the main account's token) accept each other's requests; an event of the other family is an
//! [`Unknown`](crate::Unknown).
//!
//! The event's name is read from the body only: headers that also name it (`X-Vobiz-Event`,
//! `X-Webhook-Event`) are not signed.

pub mod campaign;
pub mod kyc;
pub mod ndnc;
pub mod trunk;
pub mod voice;
pub mod whatsapp;

mod body;
mod key;
mod origin;
