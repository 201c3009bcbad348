//! Stardust: callbacks of the annotation platform, as its API had them before version 2.
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
//! The first callback page (May 2024) had a key only; since July 2024 it points to the API's own
//! signature. Each layer accepts exactly one mode and never falls back to the other. Both check the
//! head: a forged request is refused before a byte of its body is read.
//!
//! | | [`Stardust`], signed mode | [`StardustKeyOnly`], key-only mode |
//! | --- | --- | --- |
//! | headers | `X-STARDUST-KEY`, `X-TS`, `X-SIGN` | `X-STARDUST-KEY` |
//! | proves | somebody who knows the SecretKey signed this time | somebody knows the AccessKey ID |
//! | covers | neither the event nor the URL | neither the event nor the URL |
//! | fresh | within the [`Window`] | no |
//! | single use | has an [`Identity`](crate::Identity): the keys and the recomputed `X-SIGN`, with the body | has none |
//!
//! `X-SIGN` is the MD5 of `X-TS`, the SecretKey and the AccessKey ID with `&` between them. It
//! covers **nothing** but the time: who captured one request in **signed mode** can send any event
//! of their own under its headers until `X-TS` leaves the window. Single use does not stop that
//! here, only a repetition of the same body: two honest callbacks of one millisecond have one
//! signature, so another body under a used signature is another delivery.
//!
//! The AccessKey ID is an identifier, sent in clear with every call of the API, and no secret. Who
//! knows it, and who captured one request in **key-only mode**, can send any event, at any time, as
//! often as they like. Prefer signed mode. In either mode an event is a hint: ask Get Task before
//! you act on it where it matters, and serve the route over TLS only.
//!
//! The keys are those of the task's **creator**, which is why several pairs can be accepted.
//!
//! # Delivery
//!
//! A task's callback goes to the `callbackUrl` in `metadata.additionalInfo` of its record, in the
//! JSONL that `POST /task/send` imports. Without a 2xx answer it is sent up to 8 times more over 24
//! hours; `POST /task/{taskId}/callback` sends it once again by hand. So one change can arrive
//! often: see [`dedup_key`](crate::WebhookEvent::dedup_key).
//!
//! Nobody documents whether a retry is signed anew. If it is not, a retry later than the window's 5
//! minutes is refused as stale, and so lost after the eighth: see [`Stardust::window`]. A delivery
//! whose receiver is killed in mid-handler is delivered again by a retry that comes later than the
//! [lease](crate::WebhookLayer::lease).
//!
//! # Payload
//!
//! `{"taskId", "status", "task"}`, of which one of `taskId` and `status` is enough, here or in
//! `task`; no example of a real callback is published. What holds neither is [`Event::Unknown`]: so
//! is the page's "Example Callback Body", a record for `POST /task/send`. A body is at most 16 MiB
//! unless the layer's limit says otherwise. The annotations are nearly all of it: they are kept as
//! text, digit for digit, and [typed one by one](Elements::iter) when they are asked for.
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

pub use self::{
    annotation::{Annotation, Elements, Plane, Point, Slot},
    event::{
        AppendInfo, AttachmentType, Callback, Event, PoolInfo, PoolType, ProjectInfo, Record,
        RecordMetadata, State, Status, Task, TaskParams, TaskResult,
    },
};

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
/// All three headers are required; a request with the right key alone is refused.
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
    /// [`ConfigError`] for an empty or blank value, for white space around one, and for an
    /// AccessKey ID that no header can carry.
    pub fn new(
        access_key: impl AsRef<[u8]>,
        secret_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { pairs: vec![Pair::new(access_key, secret_key)?], window: Window::default() })
    }

    /// Accepts a further pair: another creator's, or the same ID with another secret, for the time
    /// of a rotation. [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified
    /// a delivery.
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

    /// Sets how old `X-TS` may be: 300 s if it is not called.
    ///
    /// Stardust retries for 24 hours. If a retry carries its first signature, one that comes after
    /// the window is refused with 401, which Stardust answers with its next retry. Widen the window
    /// (it takes up to 25 hours) if you see that happen. It has a price: for as long, a captured
    /// request lends its headers to any other body, and the replay guard has to remember every
    /// delivery.
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

/// The rules of Stardust's callbacks in key-only mode: an AccessKey ID, and nothing else.
///
/// An AccessKey ID identifies, it does not prove; and without a time and a nonce a delivery is
/// neither fresh nor single-use. Use [`Stardust`] where Stardust signs. `X-TS` and `X-SIGN` are not
/// looked at.
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
    /// [`ConfigError`] for an empty or blank ID, one with white space around it, and one that no
    /// header can carry.
    pub fn new(access_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { access_keys: vec![token::new(access_key)?] })
    }

    /// Accepts a further AccessKey ID: another creator's, or the next one, for the time of a
    /// rotation. [`Metadata::key_index`](crate::Metadata::key_index) tells which one a delivery
    /// carried.
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
