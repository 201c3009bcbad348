//! GeeLark: callbacks of cloud phones.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     Covers, Provider, Signer as _,
//!     geelark::{self, Event, GeeLark},
//! };
//!
//! let now = SystemTime::now();
//! let body = r#"{"type":6,"taskId":"528715748189668352","result":true}"#;
//! let request = Request::post("/geelark").body(Bytes::from(body))?;
//! let request =
//!     geelark::Signer::new("a team's AppId", "the team's AppKey")?.sign(request, now);
//!
//! let delivery =
//!     GeeLark::new("a team's AppId", "the team's AppKey")?.verify(&request, now)?;
//! assert_eq!(delivery.kind(), "task_completed");
//! assert_eq!(delivery.covers(), Covers::Nothing);
//! let Event::TaskCompleted(task) = delivery.event() else {
//!     return Err("another event".into());
//! };
//! assert_eq!(task.result, Some(true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a mode proves
//!
//! GeeLark authenticates callbacks in the way clients authenticate API requests: with a key or with
//! a token. Each layer accepts exactly one mode and never falls back to the other, even if a
//! callback carries the headers of both. Both modes check the headers only, so a forged request is
//! refused before its body is read.
//!
//! | | [`GeeLark`], key mode | [`GeeLarkToken`], token mode |
//! | --- | --- | --- |
//! | headers | `appId`, `traceId`, `ts`, `nonce`, `sign` | `Authorization: Bearer TOKEN`, also with a colon after `Bearer` |
//! | proves | somebody who knows the AppKey signed this `traceId` and `ts` | the sender knows the token |
//! | covers | neither the event nor the URL | neither the event nor the URL |
//! | fresh | within the [`Window`] | no |
//! | single use | has an [`Identity`](crate::Identity): the recomputed `sign` | has none |
//!
//! Whoever captures a **key mode** request can send any event with its headers until `ts` leaves
//! the window. The replay guard binds the signature to the request that comes first, so an attacker
//! who is faster than GeeLark wins. Whoever captures a **token mode** request has the token and can
//! send any event, undetected, until the token is replaced. Prefer key mode. In both modes treat an
//! event as a hint: query GeeLark's API before you act on anything important, and serve the route
//! over TLS only.
//!
//! `sign` is the SHA-256 of `appId`, `traceId`, `ts`, `nonce` and the AppKey, joined without
//! separators. The format is therefore checked before the hash: `traceId` is 32 hex digits, or 36
//! characters with hyphens as 8-4-4-4-12; `ts` is 13 digits; `nonce` is the first 6 characters of
//! `traceId`. With these lengths fixed, the signed text can be split in one way only. `traceId` is
//! hashed as received: GeeLark's own clients use several forms, and not all are version 4 UUIDs.
//! Layers that share a key accept each other's requests, so let them share a replay store.
//!
//! # Delivery
//!
//! Set one URL for the team and all its events with
//! `POST https://openapi.geelark.com/open/v1/callback/set` and `{"url": "https://…"}`
//! (`openapi.geelark.cn` for China). Neither retries nor the expected status is documented. Assume
//! that **a refused callback is lost**, also if the receiver dies while the handler runs, and that
//! a callback may arrive twice or never. Answer 200 quickly, and query the API for missed events.
//!
//! # Events
//!
//! See [`Event`]. Every field is an `Option` or a list: only types 1 and 8 document required
//! members, some of which were added later. `type` 3 is not documented and arrives as
//! [`Unknown`](crate::Unknown).
//!
//! The desktop client's own webhook (`browser start --webhook`) is not supported: it has no
//! credentials and no `type`.
//!
//! Pages: <https://open.geelark.com/api>, "Webhook";
//! <https://github.com/geelark-tech/geelark-openapi>.

pub use self::event::*;

#[cfg(feature = "test-util")]
pub use self::auth::{Signer, TokenSigner};

use self::auth::{CREDENTIALS, Pair};
use crate::{ConfigError, Delivery, Proof, Provider, Rejection, Secret, Window, token};
use bytes::Bytes;
use http::request::Parts;
use std::time::SystemTime;

mod auth;
mod event;

/// The rules of GeeLark's callbacks in key mode: a signature over the AppId, the request's id and
/// the time.
///
/// `Authorization` is ignored.
#[derive(Clone, Debug)]
pub struct GeeLark {
    pairs: Vec<Pair>,
    window: Window,
}

impl GeeLark {
    /// Rules with a team's AppId and AppKey (the API's "ApiKey") and the default [`Window`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a value that is empty or has white space around it, and for an AppId
    /// that is not a valid header value.
    pub fn new(app_id: impl Into<String>, app_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { pairs: vec![Pair::new(app_id, app_key)?], window: Window::default() })
    }

    /// Accepts a further pair: another team's, or the same team's next key during a rotation.
    /// [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a delivery.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(
        mut self,
        app_id: impl Into<String>,
        app_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        self.pairs.push(Pair::new(app_id, app_key)?);
        Ok(self)
    }

    /// Sets how far `ts` may be from the current time.
    ///
    /// GeeLark documents no window.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

impl Provider for GeeLark {
    const NAME: &'static str = "geelark";
    const CREDENTIALS: &'static [&'static str] = CREDENTIALS;
    type FromHead = Proof;
    type Event = Event;

    fn check_head(&self, head: &Parts, now: SystemTime) -> Result<Proof, Rejection> {
        auth::verify(&head.headers, &self.pairs, self.window, now)
    }

    fn check_body(
        &self,
        proof: Proof,
        _: &Parts,
        body: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<Event>, Rejection> {
        Ok(Delivery::of(Event::from_body(body).unwrap_or_else(Event::Unknown), proof))
    }
}

/// The rules of GeeLark's callbacks in token mode: a bearer token only.
///
/// A token has no time and no nonce, so a delivery is neither fresh nor single-use: whoever has
/// seen one request can repeat it, or send any other, until the token is replaced. If you can,
/// accept requests from known addresses only, and deduplicate with
/// [`dedup_key`](crate::WebhookEvent::dedup_key). `traceId` and the headers of key mode are
/// ignored.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Provider, geelark::GeeLarkToken};
///
/// let request = Request::post("/geelark")
///     .header("authorization", "Bearer an-api-token")
///     .body(Bytes::from(r#"{"type":8,"id":"528086321789535232"}"#))?;
/// let delivery =
///     GeeLarkToken::new("an-api-token")?.verify(&request, SystemTime::now())?;
/// assert_eq!(delivery.kind(), "phone_stopped");
/// assert!(delivery.proof().identity.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct GeeLarkToken {
    tokens: Vec<Secret>,
}

impl GeeLarkToken {
    /// Rules with a team's token, without `Bearer`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a token that is empty, has white space around it or is not a valid
    /// header value.
    pub fn new(token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { tokens: vec![token::new(token)?] })
    }

    /// Accepts a further token: another team's, or the next one during a rotation.
    /// [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a delivery.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(mut self, token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.tokens.push(token::new(token)?);
        Ok(self)
    }
}

impl Provider for GeeLarkToken {
    const NAME: &'static str = "geelark.token";
    const CREDENTIALS: &'static [&'static str] = CREDENTIALS;
    const CHALLENGE: Option<&'static str> = Some("Bearer");
    type FromHead = Proof;
    type Event = Event;

    fn check_head(&self, head: &Parts, _: SystemTime) -> Result<Proof, Rejection> {
        auth::verify_token(&head.headers, &self.tokens)
    }

    fn check_body(
        &self,
        proof: Proof,
        _: &Parts,
        body: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<Event>, Rejection> {
        Ok(Delivery::of(Event::from_body(body).unwrap_or_else(Event::Unknown), proof))
    }
}
