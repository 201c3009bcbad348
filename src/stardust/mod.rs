//! Stardust: callbacks of the annotation platform's API before version 2.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, stardust::{self, Event, Stardust, State}};
//!
//! let now = SystemTime::now();
//! let body = r#"{"taskId":"329345877854392320","status":"completed","task":{"result":{"annotations":[]}}}"#;
//! let request = Request::post("/stardust").body(Bytes::from(body))?;
//! let request = stardust::Signer::new("an AccessKey ID", "its secret")?.sign(request, now);
//!
//! let delivery = Stardust::new("an AccessKey ID", "its secret")?.verify(&request, now)?;
//! assert_eq!(delivery.kind(), "completed");
//! assert_eq!(delivery.covers(), Covers::Nothing);
//! let Event::Callback(callback) = delivery.event() else { return Err("another event".into()) };
//! assert_eq!(callback.task_id.as_deref(), Some("329345877854392320"));
//! assert_eq!(callback.status.as_ref().map(|status| status.state()), Some(State::Completed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a mode proves
//!
//! The first callback page (May 2024) describes a key only; since July 2024 it refers to the API's
//! own signature. Each layer accepts exactly one mode and never falls back to the other. Both modes
//! check the headers only, so a forged request is refused before its body is read.
//!
//! | | [`Stardust`], signed mode | [`StardustKeyOnly`], key-only mode |
//! | --- | --- | --- |
//! | headers | `X-STARDUST-KEY`, `X-TS`, `X-SIGN` | `X-STARDUST-KEY` |
//! | proves | somebody who knows the SecretKey signed this time | the sender knows the AccessKey ID |
//! | covers | neither the event nor the URL | neither the event nor the URL |
//! | fresh | within the [`Window`] | no |
//! | single use | has an [`Identity`](crate::Identity): the recomputed `X-SIGN` and the body | has none |
//!
//! `X-SIGN` is the MD5 of `X-TS`, the SecretKey and the AccessKey ID, joined with `&`. It covers
//! **nothing** but the time: whoever captures a **signed mode** request can send any event with its
//! headers until `X-TS` leaves the window. The replay guard stops only repeats of the same body:
//! two genuine callbacks of one millisecond have the same signature, so another body under a used
//! signature is another delivery.
//!
//! The AccessKey ID is an identifier that is sent with every API call, not a secret. Whoever knows
//! it, or captures a **key-only mode** request, can send any event, any number of times. Prefer
//! signed mode. In both modes treat an event as a hint: call Get Task before you act on anything
//! important, and serve the route over TLS only.
//!
//! The keys are those of the task's **creator**, so a layer can accept several pairs.
//!
//! # Delivery
//!
//! A task's callback goes to the `callbackUrl` in `metadata.additionalInfo` of its record, in the
//! JSONL that `POST /task/send` imports. Without a 2xx answer it is retried up to 8 times within 24
//! hours; `POST /task/{taskId}/callback` sends it again on request. So one change can arrive
//! several times: see [`dedup_key`](crate::WebhookEvent::dedup_key).
//!
//! Whether a retry is signed anew is not documented. If it is not, retries after the window's 5
//! minutes are refused as stale, and the callback is lost after the eighth: see
//! [`Stardust::window`]. If the receiver dies while the handler runs, the first retry after the
//! [lease](crate::WebhookLayer::lease) is delivered again.
//!
//! # Payload
//!
//! A body is `{"taskId", "status", "task"}`; no real example is published. It needs a `taskId` or a
//! `status`, at the top level or in `task`. A body without either is [`Event::Unknown`], as is the
//! page's "Example Callback Body", a record for `POST /task/send`. The default body limit is 16
//! MiB. Annotations make up most of a body: they are kept as text, digit for digit, and [parsed one
//! by one](Elements::iter) on demand.
//!
//! | occasion on the page | kind | told by |
//! | --- | --- | --- |
//! | error on task creation | `task_error` | `status` `error` or 6 |
//! | audit status change | `audit_status_changed` | `approved`, `rejected` or `fixed` in `status`, else in `task.qualityStatus`, else in `task.auditStatus` |
//! | task completion | `completed` | `status` `completed` or 9 |
//! | | `other` | any other `status`, or none |
//! | | `unknown` | neither a `taskId` nor a `status` |
//!
//! No member names the occasion, so the kind is a best effort: see [`Event`].
//!
//! Pages: <https://docs-api.stardust.ai/tasks/callbacks>,
//! <https://docs-api.stardust.ai/overview/authentication>.

pub use self::{annotation::*, event::*};

#[cfg(feature = "test-util")]
pub use self::auth::{KeyOnlySigner, Signer};

use self::auth::{CREDENTIALS, Pair};
use crate::{ConfigError, Delivery, Proof, Provider, Rejection, Secret, Window, token};
use bytes::Bytes;
use http::request::Parts;
use std::time::SystemTime;

mod annotation;
mod auth;
mod event;

/// The rules of Stardust's callbacks in signed mode: a signature over the time.
///
/// All three headers are required; a request with only the right key is refused.
#[derive(Clone, Debug)]
pub struct Stardust {
    pairs: Vec<Pair>,
    window: Window,
}

impl Stardust {
    /// Rules with the AccessKey ID of the tasks' creator, its SecretKey and the default [`Window`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a value that is empty or has white space around it, and for an AccessKey
    /// ID that is not a valid header value.
    pub fn new(
        access_key: impl AsRef<[u8]>,
        secret_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { pairs: vec![Pair::new(access_key, secret_key)?], window: Window::default() })
    }

    /// Accepts a further pair: another creator's, or the same ID with its next secret during a
    /// rotation. [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a
    /// delivery.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(
        mut self,
        access_key: impl AsRef<[u8]>,
        secret_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        self.pairs.push(Pair::new(access_key, secret_key)?);
        Ok(self)
    }

    /// Sets how far `X-TS` may be from the current time.
    ///
    /// Stardust retries for 24 hours. If retries carry their first signature, those after the
    /// window are refused with 401. Widen the window (up to 25 hours) if you see that happen. For
    /// as long, a captured request's headers work with any other body, and the replay guard
    /// remembers every delivery.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

impl Provider for Stardust {
    const NAME: &'static str = "stardust";
    const CREDENTIALS: &'static [&'static str] = CREDENTIALS;
    const BODY_LIMIT: usize = BODY_LIMIT;
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
        Ok(Delivery::of(Event::from_body(body), proof))
    }
}

/// The rules of Stardust's callbacks in key-only mode: an AccessKey ID only.
///
/// An AccessKey ID is not a secret, and without a time and a nonce a delivery is neither fresh nor
/// single-use. Use [`Stardust`] if your callbacks are signed. `X-TS` and `X-SIGN` are ignored.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Provider, stardust::StardustKeyOnly};
///
/// let request = Request::post("/stardust")
///     .header("x-stardust-key", "an-access-key-id")
///     .body(Bytes::from(r#"{"taskId":"329345877854392320","status":"error"}"#))?;
/// let delivery =
///     StardustKeyOnly::new("an-access-key-id")?.verify(&request, SystemTime::now())?;
/// assert_eq!(delivery.kind(), "task_error");
/// assert!(delivery.proof().identity.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StardustKeyOnly {
    access_keys: Vec<Secret>,
}

impl StardustKeyOnly {
    /// Rules with the AccessKey ID of the tasks' creator.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an ID that is empty, has white space around it or is not a valid header
    /// value.
    pub fn new(access_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { access_keys: vec![token::new(access_key)?] })
    }

    /// Accepts a further AccessKey ID: another creator's, or the next one during a rotation.
    /// [`Metadata::key_index`](crate::Metadata::key_index) tells which one a delivery carried.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn also_accept(mut self, access_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.access_keys.push(token::new(access_key)?);
        Ok(self)
    }
}

impl Provider for StardustKeyOnly {
    const NAME: &'static str = "stardust.key_only";
    const CREDENTIALS: &'static [&'static str] = CREDENTIALS;
    const BODY_LIMIT: usize = BODY_LIMIT;
    type FromHead = Proof;
    type Event = Event;

    fn check_head(&self, head: &Parts, _: SystemTime) -> Result<Proof, Rejection> {
        auth::verify_key(&head.headers, &self.access_keys)
    }

    fn check_body(
        &self,
        proof: Proof,
        _: &Parts,
        body: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<Event>, Rejection> {
        Ok(Delivery::of(Event::from_body(body), proof))
    }
}

const BODY_LIMIT: usize = 16 << 20;
