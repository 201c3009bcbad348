//! Vobiz: callbacks of the voice platform and of what has grown around it.
//!
//! Vobiz has six families of callbacks, and one header name, `X-Vobiz-Signature`, means four
//! different things in them. So the **family is chosen where the route is made**; no layer guesses
//! it from a request:
//!
//! | family | proves | key |
//! | --- | --- | --- |
//! | [`Voice`](voice::Voice) | the URL, **no field** | the account's auth token, or the main account's |
//! | [`Kyc`](kyc::Kyc) | the body | the main account's auth token |
//! | [`Campaign`](campaign::Campaign) | the body | the account's auth token |
//! | [`Ndnc`](ndnc::Ndnc) | the body | a secret that you have sent to Vobiz |
//! | [`Trunk`](trunk::Trunk) | the body | the trunk's signing secret |
//! | [`Whatsapp`](whatsapp::Whatsapp) | the body | the subscription's secret |
//!
//! ```
//! use axum::{
//!     Router,
//!     http::{Request, header::CONTENT_TYPE},
//!     response::IntoResponse,
//!     routing::{any, post},
//! };
//! use bytes::Bytes;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     Provider, Signer as _, Verified, WebhookLayer,
//!     vobiz::{
//!         kyc::{self, Kyc},
//!         voice::{self, Voice},
//!     },
//! };
//!
//! async fn on_call(event: Verified<voice::Event>) -> impl IntoResponse {
//!     let xml = match &*event {
//!         voice::Event::StartApp(_) => "<Response><Hangup/></Response>",
//!         _ => "<Response/>",
//!     };
//!     ([(CONTENT_TYPE, "application/xml")], xml)
//! }
//!
//! async fn on_kyc(event: Verified<kyc::Event>) -> String {
//!     event.kind().to_owned()
//! }
//!
//! let voice = Voice::new("an auth token", "https://hooks.example.com")?;
//! let kyc = Kyc::new("the main account's auth token")?;
//! let app: Router = Router::new()
//!     .route("/vobiz/call", any(on_call).layer(WebhookLayer::new(voice.clone())))
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
//! # Retries, and where the URL goes
//!
//! | events | retries | where Vobiz wants the URL |
//! | --- | --- | --- |
//! | [`voice::Event`] | up to 3, with growing pauses, unless 200 comes within 3 s | an application's or a call's `answer_url`, `hangup_url`, `ring_url`, `fallback_url`, `machine_detection_url`; the `action` and `callbackUrl` attributes of XML verbs; `callback_url` of the recording and stream APIs |
//! | [`kyc::Event`] | with growing pauses; how many is not documented | with the session |
//! | [`campaign::Event`] | at about 5 and 30 s | a campaign's `notify_url` |
//! | [`ndnc::Event`] | not documented; wants a 2xx within 5 s | by e-mail to Vobiz, with the secret |
//! | [`trunk::Event`] | none: what is refused is lost | a trunk's `webhook_url` |
//! | [`whatsapp::Event`] | there may be some, with the same `event_id` | a webhook subscription, HTTPS only |
//!
//! A receiver that is killed while its handler runs frees the delivery after the
//! [lease](crate::WebhookLayer::lease), 15 s by default. Campaign's last attempt comes later than
//! that and is delivered; voice's are over by then, unless the lease is made shorter, and the event
//! is lost, as a trunk's is in any case.
//!
//! # Signatures over the body
//!
//! The five other families sign the raw bytes of the body with HMAC-SHA256 and send the hex digits,
//! KYC and campaign with `sha256=` in front, the others without. A captured request can be sent
//! again, but not changed. None of them has a time in the signature: a repeat, byte for byte, is
//! not delivered again while the layer remembers the first.
//!
//! Neither is the family signed. Families with the same form and the same key (KYC and campaign
//! with the main account's token) pass each other's requests; what comes from the other is an
//! [`Unknown`](crate::Unknown).
//!
//! Vobiz writes callbacks' bodies with `Event` or `event` in them; headers that name the event as
//! well (`X-Vobiz-Event`, `X-Webhook-Event`) are not signed and not read.

pub mod campaign;
pub mod kyc;
pub mod ndnc;
pub mod trunk;
pub mod voice;
pub mod whatsapp;

mod body;
mod key;
mod origin;
