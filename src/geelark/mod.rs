//! GeeLark: callbacks of the cloud phones.
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
//! GeeLark authenticates its callbacks as a client authenticates its API requests, with a key or
//! with a token, and says that only one of them needs handling. Each layer accepts exactly one mode
//! and never falls back to the other, also where a callback carries the headers of both. Both check
//! the head: a forged request is refused before a byte of its body is read.
//!
//! | | [`GeeLark`], key mode | [`GeeLarkToken`], token mode |
//! | --- | --- | --- |
//! | headers | `appId`, `traceId`, `ts`, `nonce`, `sign` | `Authorization: Bearer TOKEN`, also with a colon after `Bearer` |
//! | proves | somebody who knows the AppKey signed this `traceId` at this `ts` | somebody knows the token |
//! | covers | neither the event nor the URL | neither the event nor the URL |
//! | fresh | within the [`Window`] | no |
//! | single use | has an [`Identity`](crate::Identity): the AppKey and the recomputed `sign` | has none |
//!
//! Who captured one request in **key mode** can send any event of their own under its headers until
//! `ts` leaves the window. The replay guard binds the signature to the request that came first; a
//! thief who is first wins. Who captured one request in **token mode** has the token: they can send
//! any event, at any time, as often as they like, and nothing here can tell, until the token is
//! replaced. Prefer key mode. In either mode an event is a hint: ask GeeLark's API for the state
//! before you act on it where it matters, and serve the route over TLS only.
//!
//! `sign` is the SHA-256 of `appId`, `traceId`, `ts`, `nonce` and the AppKey without anything
//! between them. So the grammar comes before the hash: `traceId` is 32 hex digits, or 36 characters
//! with hyphens as 8-4-4-4-12; `ts` is 13 digits; `nonce` is the first 6 characters of `traceId`.
//! No other cut of one signed text passes. `traceId` is hashed as it came: GeeLark's own clients
//! send every form of it, and not all are UUIDs of version 4. Layers that share a key accept each
//! other's requests, so let them share a replay store.
//!
//! # Delivery
//!
//! Set one URL for the team and all its events with
//! `POST https://openapi.geelark.com/open/v1/callback/set` and `{"url": "https://…"}`
//! (`openapi.geelark.cn` for China). No retry is documented, nor which answer counts: **a refused
//! callback is lost**, so is one whose receiver is killed while the handler runs, and an accepted
//! one may come twice or never. Answer 200 soon, and ask the query API for what did not come.
//!
//! # Events
//!
//! See [`Event`]. Every member is an `Option` or a list: only types 1 and 8 document which members
//! are required, and of those some came later. `type` 3 is documented nowhere, so it is
//! [`Unknown`](crate::Unknown).
//!
//! The desktop client's own webhook (`browser start --webhook`) is something else: it has no
//! credentials and no `type`.
//!
//! Pages: <https://open.geelark.com/api>, "Webhook";
//! <https://github.com/geelark-tech/geelark-openapi>.

pub use self::event::{
    AppInstalled, Channel, ContactsImported, DeletedPhone, Event, FileUploaded, Outcome,
    PatchInstalled, PaymentCompleted, PhoneStarted, PhoneStopped, Phones, RenamedPhone, Screenshot,
    TagsChanged, TaskCompleted, Tasks,
};

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
/// `Authorization` is not looked at.
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
    /// [`ConfigError`] for an empty or blank value, for white space around one, and for an AppId
    /// that no header can carry.
    pub fn new(app_id: impl Into<String>, app_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { pairs: vec![Pair::new(app_id, app_key)?], window: Window::default() })
    }

    /// Accepts a further pair: another team's, or the same team's with another key, for the time of
    /// a rotation. [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a
    /// delivery.
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

    /// Sets how old `ts` may be.
    ///
    /// GeeLark documents no window of its own.
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

/// The rules of GeeLark's callbacks in token mode: a bearer token, and nothing else.
///
/// A token has no time and no nonce, so a delivery is neither fresh nor single-use: who has seen
/// one request can repeat it, or send any other, until the token is replaced. Accept it from known
/// addresses only where you can, and de-duplicate with
/// [`dedup_key`](crate::WebhookEvent::dedup_key). `traceId` and the headers of key mode are not
/// looked at.
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
    /// [`ConfigError`] for an empty or blank token, one with white space around it, and one that no
    /// header can carry.
    pub fn new(token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { tokens: vec![token::new(token)?] })
    }

    /// Accepts a further token: another team's, or the next one, for the time of a rotation.
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
