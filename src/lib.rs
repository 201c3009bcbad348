//! tower layers for the webhooks of GeeLark, Stardust, Vobiz and ZEGOCLOUD.
//!
//! A [`WebhookLayer`] wraps a route or a service. The handler gets typed events whose signature was
//! verified. If the scheme signs a time, an event is fresh; if it allows replay detection, an
//! acknowledged event is not delivered again. The layer answers all other requests itself.
//!
//! ```
//! use axum::{Router, body::Body, routing::post};
//! use bytes::Bytes;
//! use http::{Request, StatusCode};
//! use std::time::SystemTime;
//! use tower::ServiceExt;
//! use tower_webhooks::{
//!     Signer as _, Verified, WebhookLayer,
//!     zegocloud::{self, Event, Zegocloud, room::RoomEvent},
//! };
//!
//! async fn on_event(event: Verified<Event>) -> StatusCode {
//!     match &*event {
//!         Event::Room(RoomEvent::Create(room)) => {
//!             println!("{:?} is open", room.room_id)
//!         }
//!         _ => println!("{} is of no interest", event.kind()),
//!     }
//!     StatusCode::OK
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let webhooks = WebhookLayer::new(Zegocloud::new("a callback secret")?);
//! let app = Router::new().route("/zegocloud", post(on_event).route_layer(webhooks));
//!
//! // Signed as ZEGOCLOUD does (feature `test-util`).
//! let body = r#"{"event":"room_create","room_id":"lobby"}"#;
//! let request = Request::post("/zegocloud").body(Bytes::from(body))?;
//! let request =
//!     zegocloud::Signer::new("a callback secret")?.sign(request, SystemTime::now());
//! assert_eq!(app.clone().oneshot(request.map(Body::from)).await?.status(), 200);
//!
//! let body = r#"{"event":"room_create","room_id":"vault"}"#;
//! let forged = Request::post("/zegocloud").body(Body::from(body))?;
//! assert_eq!(app.oneshot(forged).await?.status(), 401);
//! # Ok(()) }
//! ```
//!
//! ```toml
//! tower-webhooks = { version = "0.1", features = ["axum"] }
//! ```
//!
//! Without axum, get the event with `request.extensions().get::<Verified<Event>>()`. Without tower,
//! call [`Provider::verify`]. For a sender that is not built in, implement [`Provider`].
//!
//! **Most of these signatures do not cover the body.** [`Verified::covers`] tells what a signature
//! covers; the [security model](guide::security_model) explains what that means for an event.
//!
//! **Every field of an event is optional.** A member that is not of its documented type is absent,
//! and [`Metadata::misfits`] names it; the event is delivered all the same.
//!
//! # The path of a request
//!
//! ```text
//!             provider's rules             bounds              provider's rules        replay guard
//!           ┌──────────────────┐     ┌───────────────┐     ┌─────────────────────┐     ┌─────────┐
//! request ─►│ method, headers, │────►│ read the body │────►│ signature, time,    │────►│ claim   │──┐
//!           │ length           │     │ into one piece│     │ grammar, typed event│     │ it once │  │
//!           └──────────────────┘     └───────────────┘     └─────────────────────┘     └─────────┘  │
//!           405 404 401 415 413        413 408 400 503       401 400                 200 401 409 503  │
//!                                                                                                   ▼
//!                                                                       Request<Full<Bytes>> + Verified<Event>
//!                                                                                                   │
//!           ┌──────────────────┐     ┌───────────────────────────────────────────┐                  │
//! answer ◄──│ record: 2xx done,│◄────│ your layers and handler, first made ready │◄─────────────────┘
//!           │ else failed      │     └───────────────────────────────────────────┘
//!           └──────────────────┘
//! ```
//!
//! The layer is always ready, so unauthenticated requests never hold the inner service's capacity.
//! It does not change the handler's response. If the handler fails, panics or is dropped, the claim
//! is recorded as failed and the sender's retry is delivered.
//!
//! # What the layer answers itself
//!
//! A refusal has a status and an empty body. Its [`Rejection`] is in the response's extensions, for
//! logs, metrics or a [body of your own](Rejection).
//!
//! | [`RejectionKind`] | status | when |
//! | --- | --- | --- |
//! | `applied_twice` | 500 | two layers for the same event type are on one route |
//! | `method_not_allowed` | 405 | the method is not one of [`Provider::METHODS`] |
//! | `no_rules` | 404 | the request has no rules, as for an unknown tenant: [`PerRequest`] |
//! | `credential_missing` | 401 | a credential is absent |
//! | `credential_malformed` | 401 | a credential is not of the documented form, or occurs twice |
//! | `credential_wrong` | 401 | no configured key matches |
//! | `stale` | 401 | the signed time is outside the [`Window`] |
//! | `unsupported_content_encoding` | 415 | the body is compressed |
//! | `body_too_large` | 413 | above [`body_limit`](WebhookLayer::body_limit); not read if the length is declared |
//! | `read_timeout` | 408 | slower than [`read_timeout`](WebhookLayer::read_timeout) |
//! | `read_budget` | 503 | too many unverified bytes at once: [`ReadBudget`] |
//! | `body_unreadable` | 400 | reading the body failed |
//! | `invalid` | 400 | the body holds the credentials and cannot be parsed |
//! | `conflict` | 409 | the signature was used with other content |
//! | `in_flight` | 409 | the same delivery is being handled |
//! | `too_many_contents` | 503 | the signature was used with 64 contents already, or comes with many at once |
//! | `store_full` | 503 | the replay store is full of claims that have not expired |
//! | `store_unavailable` | 503 | the shared store is unavailable, or has no turn for the claim |
//!
//! With feature `tracing` each refusal is logged (target `tower_webhooks`): at `DEBUG` what a
//! stranger can cause, such as a 401 or `too_many_contents`; at `INFO` what else was rightly
//! signed; at `WARN` a full read budget; at `ERROR` a store that is full or unavailable, and
//! `applied_twice`. Set `RUST_LOG=tower_webhooks=debug` while you set up a sender: at `INFO`
//! neither a wrong secret nor a wrong clock leaves a line. See also
//! [what to watch](guide::what_to_watch).
//!
//! An authentic event is delivered whatever its shape. When an acknowledged delivery is sent again,
//! the layer answers 200 with [`Duplicate`](replay::Duplicate) in the extensions. If the handler
//! left a [`ReplayedResponse`](replay::ReplayedResponse), it is there too, and its status replaces
//! the 200.
//!
//! # Where it goes
//!
//! Outermost first:
//!
//! 1. tracing, metrics, a `map_response` that reads [`Rejection`] or
//!    [`ReplayedResponse`](replay::ReplayedResponse): they see the layer's own responses;
//! 2. an [address allow-list](guide::allow_listing_addresses), rate limits, an outer body limit;
//! 3. **the webhook layer**. Layers outside of it must not change the body (decompression) or a URI
//!    that the provider signs;
//! 4. timeouts, concurrency limits, buffers, panic catchers: they see verified requests only, and
//!    their errors, and every response that is not a 2xx, count as failures;
//! 5. the handler.
//!
//! With axum, `route_layer` on the method router (`post(handler).route_layer(layer)`) leaves 404
//! and 405 to axum. `layer` on a whole router answers unknown paths with 401. `any(handler)` needs
//! `layer`, because axum treats it as a fallback.
//!
//! Inside the layer the body is a [`Full<Bytes>`](http_body_util::Full). axum's routes accept it. A
//! `from_fn` in the same `ServiceBuilder` needs `MapRequestBodyLayer::new(axum::body::Body::new)`
//! in between; a `from_fn` in a `route_layer` of its own does not.
//!
//! The layer's own responses have the inner service's body type, which must be [`Default`]. The
//! body type of tower-http's `TraceLayer` is not. Map it to axum's body, or add that layer with a
//! `route_layer` of its own:
//!
//! ```
//! use axum::{Router, body::Body, http::StatusCode, routing::post};
//! use tower::ServiceBuilder;
//! use tower_http::{
//!     limit::RequestBodyLimitLayer, map_response_body::MapResponseBodyLayer,
//!     trace::TraceLayer,
//! };
//! use tower_webhooks::{
//!     Verified, WebhookLayer,
//!     zegocloud::{Event, Zegocloud},
//! };
//!
//! async fn on_event(_: Verified<Event>) -> StatusCode {
//!     StatusCode::OK
//! }
//!
//! let webhooks = WebhookLayer::new(Zegocloud::new("a callback secret")?);
//! let inside = ServiceBuilder::new()
//!     .layer(TraceLayer::new_for_http())
//!     .layer(RequestBodyLimitLayer::new(64 << 10));
//!
//! let in_one = ServiceBuilder::new()
//!     .layer(webhooks.clone())
//!     .layer(MapResponseBodyLayer::new(Body::new))
//!     .layer(inside.clone());
//! let app: Router = Router::new()
//!     .route("/in-one", post(on_event).route_layer(in_one))
//!     // The layer added last is outermost.
//!     .route("/apart", post(on_event).route_layer(inside).route_layer(webhooks));
//! # Ok::<(), tower_webhooks::ConfigError>(())
//! ```
//!
//! ## Rate limiters
//!
//! Outside the layer a limiter cannot tell the sender from others: forged requests use up the
//! sender's share, and a refused event is lost if the sender does not retry (Vobiz trunk, perhaps
//! GeeLark). Limit by address there, above the sender's bursts. Refusing a forged request costs
//! this layer microseconds, and the memory it uses is bounded.
//!
//! Inside the layer a limiter counts verified requests only. A refusal counts as a failure, and the
//! sender's retry is delivered. tower's `RateLimitLayer` waits instead of refusing, and is not
//! `Clone`: put a buffer in front of it. While the buffer is full, the delivery waits and holds its
//! claim:
//!
//! ```
//! use axum::{Router, error_handling::HandleErrorLayer, http::StatusCode, routing::post};
//! use std::time::Duration;
//! use tower::{BoxError, ServiceBuilder};
//! use tower_webhooks::{Verified, WebhookLayer, zegocloud::{Event, Zegocloud}};
//!
//! async fn on_event(_: Verified<Event>) -> StatusCode {
//!     StatusCode::OK
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_webhooks::ConfigError> {
//! let webhooks = WebhookLayer::new(Zegocloud::new("a callback secret")?);
//! let limited = ServiceBuilder::new()
//!     // A 503 when the sender has stopped waiting: a failure, so its retry is delivered.
//!     .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::SERVICE_UNAVAILABLE))
//!     .timeout(Duration::from_secs(3))
//!     .buffer(256)
//!     .rate_limit(100, Duration::from_secs(1));
//! let route = post(on_event).route_layer(limited).route_layer(webhooks);
//! let app: Router = Router::new().route("/zegocloud", route);
//! # Ok(()) }
//! ```
//!
//! ## AWS Lambda
//!
//! `lambda_http::run(app)` takes the router as it is. Give the layer a shared store: each instance
//! has its own memory, and a second instance does not know what the first has delivered.
//!
//! ## Which keys, which store
//!
//! For keys that change while the layer runs use [`Reloadable`]; for tenants' keys, [`PerRequest`].
//!
//! Layers that share a secret must share a [`MemoryStore`](replay::MemoryStore). Processes that
//! serve one route must share a `RedisStore` (feature `redis`) or a `PostgresStore` (feature
//! `postgres`).
//!
//! # Needs a tokio timer
//!
//! Waiting for a body, calling a shared store and renewing a lease there use tokio timers. Without
//! a tokio runtime, or in one without `enable_time`, tokio panics. `#[tokio::main]` and
//! `#[tokio::test]` enable timers.
//!
//! # Features
//!
//! | feature | brings |
//! | --- | --- |
//! | `geelark`, `stardust`, `vobiz`, `zegocloud` | one provider each; all on by default |
//! | `axum` | [`Verified<E>`] as an extractor, `ReplayedResponse` as a response |
//! | `redis` | a replay store that processes share, in Redis 7 or later or in Valkey |
//! | `redis-tls` | the same over TLS, `rediss://` |
//! | `postgres` | the same in Postgres, where a claim commits with what the handler writes |
//! | `tracing` | a span around each delivery, an event for each refusal |
//! | `metrics` | counters and histograms: `metric_names` lists them |
//! | `test-util` | signers, `Verified::test`, a clock that can be set, a conformance suite for replay stores |
//! | `full` | all but `test-util` |
//!
//! # Guides
//!
//! * [Writing a provider](Provider#writing-one): a sender that is not built in
//! * [Security model](guide::security_model): what a signature proves
//! * [Acknowledging fast](guide::acknowledging_fast): queues, senders that hang up, shutdown
//! * [Exactly once](guide::exactly_once): effects in Postgres that happen once
//! * [Choosing limits and retention](guide::limits_and_retention)
//! * [Rotating keys](guide::rotating_keys)
//! * [What to watch](guide::what_to_watch): metrics and log lines to alert on
//! * [Allow-listing addresses](guide::allow_listing_addresses)
//! * [Testing your handlers](guide::testing_your_handlers)
//! * [How it is tested](guide::how_it_is_tested): fuzzing, mutation, timing and long runs

#![cfg_attr(
    feature = "vobiz",
    doc = "* [Behind a proxy](guide::behind_a_proxy), where the signature is over the URL"
)]
// `arithmetic_side_effects` is denied where untrusted numbers are counted, at the modules below.
#![forbid(unsafe_code)]
#![deny(missing_docs, unreachable_pub)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use self::{
    budget::ReadBudget,
    delivery_id::DeliveryId,
    future::ResponseFuture,
    header::exactly_one,
    layer::WebhookLayer,
    live::{PerRequest, Reloadable},
    payload::{Json, Misfit, Misfits, Rest, UnixMillis, UnixSeconds, Unknown, WebhookEvent},
    proof::{Content, Covers, Identity, Input, Proof},
    provider::{Delivery, Provider, parse_json},
    rejection::{Rejection, RejectionKind},
    secret::{ConfigError, Secret},
    service::Webhook,
    signature::from_hex,
    verified::{Metadata, Verified},
    window::{Age, Timestamp, Window},
};

#[cfg(feature = "axum")]
pub use self::axum::NotVerified;
#[cfg(feature = "metrics")]
pub use self::trace::metric_names;
#[cfg(feature = "test-util")]
pub use self::{clock::TestClock, signer::Signer, verified::VerifiedBuilder};

#[cfg(feature = "geelark")]
pub mod geelark;
pub mod guide;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod replay;
#[cfg(feature = "stardust")]
pub mod stardust;
#[cfg(feature = "vobiz")]
pub mod vobiz;
#[cfg(feature = "zegocloud")]
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod zegocloud;

/// Private items that the targets in `fuzz/` need.
#[cfg(fuzzing)]
#[doc(hidden)]
#[allow(missing_docs)]
pub mod fuzzing {
    pub use crate::payload::fuzzing::*;

    pub fn zegocloud_body(body: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
        crate::zegocloud::encoding::to_json(body).ok()
    }

    pub fn claim_without_lease(
        store: &crate::replay::MemoryStore,
        claim: &crate::replay::Claim,
    ) -> crate::replay::Claimed {
        store.claim_at(claim, crate::replay::Hold::UntilFinished, store.uptime())
    }
}

#[cfg(feature = "axum")]
mod axum;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
mod budget;
mod clock;
mod delivery_id;
mod future;
mod header;
mod layer;
mod live;
#[cfg_attr(
    not(feature = "full"),
    allow(dead_code, unused_imports, unused_macros, reason = "not every provider uses every form")
)]
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
mod payload;
mod proof;
mod provider;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
mod read;
mod rejection;
mod secret;
mod service;
mod settings;
#[cfg_attr(not(feature = "full"), allow(dead_code, reason = "not every scheme uses every part"))]
mod signature;
#[cfg(feature = "test-util")]
#[cfg_attr(not(feature = "full"), allow(dead_code, reason = "not every scheme has a nonce"))]
mod signer;
#[cfg_attr(not(feature = "full"), allow(dead_code, reason = "not every scheme sends its secret"))]
mod token;
mod trace;
mod verified;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
mod window;

#[cfg(all(doctest, feature = "axum", feature = "zegocloud"))]
#[doc = include_str!("../README.md")]
mod readme {}
