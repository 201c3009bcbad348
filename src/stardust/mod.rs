//! Stardust: callbacks of the annotation platform, as its API had them before version 2.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{Covers, Provider, Signer as _, StardustSigned, stardust::{self, Status}};
//!
//! let now = SystemTime::now();
//! let body = r#"{"taskId":"329345877854392320","status":"completed","task":{"result":{"annotations":[]}}}"#;
//! let request = Request::post("/stardust").body(Bytes::from(body))?;
//! let request = stardust::SignedSigner::new("an AccessKey ID", "its secret")?.sign(request, now);
//!
//! let delivery = StardustSigned::new("an AccessKey ID", "its secret")?.verify(&request, now)?;
//! assert_eq!(delivery.kind(), "completed");
//! assert_eq!(delivery.covers(), Covers::Nothing);
//! let event = delivery.event();
//! assert_eq!((event.task_id.as_str(), &event.status), ("329345877854392320", &Status::Completed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a mode proves
//!
//! The first callback page (May 2024) had a key only; since July 2024 it points to the API's own signature. A layer
//! speaks one mode and never falls back to the other. Both check the head: a forged request is refused before a byte of
//! its body is read.
//!
//! | | [`StardustSigned`], signed mode | [`Stardust`], key-only mode |
//! | --- | --- | --- |
//! | headers | `X-STARDUST-KEY`, `X-TS`, `X-SIGN` | `X-STARDUST-KEY` |
//! | proves | somebody who knows the SecretKey signed this time | somebody knows the AccessKey ID |
//! | covers | neither the event nor the URL | neither the event nor the URL |
//! | fresh | within the [`Window`] | no |
//! | single use | has an [`Identity`](crate::Identity): the keys and the recomputed `X-SIGN`, with the body | has none |
//!
//! `X-SIGN` is the MD5 of `X-TS`, the SecretKey and the AccessKey ID with `&` between them. It covers **nothing** but
//! the time: who captured one request in **signed mode** can send any event of their own under its headers until `X-TS`
//! leaves the window. Single use does not stop that here, only a repetition of the same body: two honest callbacks of
//! one millisecond have one signature, so another body under a used signature is another delivery.
//!
//! The AccessKey ID is an identifier, sent in clear with every call of the API, and no secret. Who knows it, and who
//! captured one request in **key-only mode**, can send any event, at any time, as often as they like. Prefer signed
//! mode. In either mode an event is a hint: ask Get Task before you act on it where it matters, and serve the route over
//! TLS only.
//!
//! The keys are those of the task's **creator**, which is why several pairs can be accepted.
//!
//! # Delivery
//!
//! A task's callback goes to the `callbackUrl` in `metadata.additionalInfo` of its record, in the JSONL that `POST
//! /task/send` imports. Without a 2xx answer it is sent up to 8 times more over 24 hours; `POST
//! /task/{taskId}/callback` sends it once again by hand. So one change can arrive often: see
//! [`Event::dedup_key`].
//!
//! Nobody documents whether a retry is signed anew. If it is not, a retry later than the window's 5 minutes is refused
//! as stale, and so lost after the eighth: see [`StardustSigned::window`]. A delivery whose receiver is killed in
//! mid-handler is delivered again by a retry that comes later than the [lease](crate::WebhookLayer::lease).
//!
//! # Payload
//!
//! `{"taskId", "status", "task"}`, of which `taskId` and `status` are required; no example of a real callback is
//! published. Of `task` a handful is typed and the rest is kept as it came, digit for digit, and written again when the
//! event is serialised. A body is at most 16 MiB unless the layer's limit says otherwise. The page's "Example Callback
//! Body" is a record for `POST /task/send`: it is 400.
//!
//! | occasion on the page | kind | told by |
//! | --- | --- | --- |
//! | error on task creation | `task_error` | `status` `error` or 6 |
//! | audit status change | `audit_status_changed` | `approved`, `rejected` or `fixed` in `status`, else in `task.qualityStatus`, else in `task.auditStatus` |
//! | task completion | `completed` | `status` `completed` or 9 |
//! | | `other` | any other `status` |
//!
//! No member names the occasion, so the kind is a best effort: see [`Event::kind`].
//!
//! Pages: <https://docs-api.stardust.ai/tasks/callbacks>, <https://docs-api.stardust.ai/overview/authentication>.

pub use self::event::{Event, Record, RecordMetadata, Rest, Status, Task, TaskParams, TaskResult};

#[cfg(feature = "test-util")]
pub use self::auth::{SignedSigner, Signer};

use self::auth::{CREDENTIALS, Pair, Signed};
use crate::{ConfigError, Covers, Delivery, Provider, Rejection, Secret, WebhookLayer, Window, token};
use bytes::Bytes;
use http::{HeaderName, request::Parts};
use std::time::SystemTime;

mod auth;
mod event;

/// [`WebhookLayer`] with Stardust's rules for key-only mode.
pub type StardustLayer = WebhookLayer<Stardust>;

/// [`WebhookLayer`] with Stardust's rules for signed mode.
pub type StardustSignedLayer = WebhookLayer<StardustSigned>;

/// The rules of Stardust's callbacks in key-only mode: an AccessKey ID, and nothing else.
///
/// An AccessKey ID identifies, it does not prove; and without a time and a nonce a delivery is neither fresh nor
/// single-use. Use [`StardustSigned`] where Stardust signs. `X-TS` and `X-SIGN` are not looked at.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Provider, Stardust};
///
/// let request = Request::post("/stardust")
///     .header("x-stardust-key", "an-access-key-id")
///     .body(Bytes::from(r#"{"taskId":"329345877854392320","status":"error"}"#))?;
/// let delivery = Stardust::new("an-access-key-id")?.verify(&request, SystemTime::now())?;
/// assert_eq!(delivery.kind(), "task_error");
/// assert!(delivery.identity().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stardust {
    access_keys: Vec<Secret>,
}

impl Stardust {
    /// Rules with the AccessKey ID of the tasks' creator.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an empty or blank ID, one with white space around it, and one that no header can carry.
    pub fn new(access_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { access_keys: vec![token::new(access_key)?] })
    }

    /// Accepts a further AccessKey ID: another creator's, or the next one, for the time of a rotation.
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

impl Provider for Stardust {
    const NAME: &'static str = NAME;
    const BODY_LIMIT: usize = BODY_LIMIT;
    /// The index of the AccessKey ID.
    type Head = usize;
    type Event = Event;

    fn credentials(&self) -> &[HeaderName] {
        &CREDENTIALS
    }

    fn check_head(&self, head: &Parts, _: SystemTime) -> Result<usize, Rejection> {
        auth::verify_key(&head.headers, &self.access_keys)
    }

    fn check_body(&self, index: usize, _: &Parts, body: &Bytes, _: SystemTime) -> Result<Delivery<Event>, Rejection> {
        let event = Event::from_body(body)?;
        let kind = event.kind();
        Ok(Delivery::new(event, kind, Covers::Nothing).with_key_index(index))
    }
}

/// The rules of Stardust's callbacks in signed mode: a signature over the time.
///
/// All three headers are required; a request with the right key alone is refused.
#[derive(Clone, Debug)]
pub struct StardustSigned {
    pairs: Vec<Pair>,
    window: Window,
}

impl StardustSigned {
    /// Rules with the AccessKey ID of the tasks' creator, its SecretKey and the default [`Window`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an empty or blank value, for white space around one, and for an AccessKey ID that no header
    /// can carry.
    pub fn new(access_key: impl AsRef<[u8]>, secret_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { pairs: vec![Pair::new(access_key, secret_key)?], window: Window::default() })
    }

    /// Accepts a further pair: another creator's, or the same ID with another secret, for the time of a rotation.
    /// [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a delivery.
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
    /// Stardust retries for 24 hours. If a retry carries its first signature, one that comes after the window is
    /// refused with 401, which Stardust answers with its next retry. Widen the window (it takes up to 25 hours) if you
    /// see that happen. It has a price: for as long, a captured request lends its headers to any other body, and the
    /// replay guard has to remember every delivery.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }
}

impl Provider for StardustSigned {
    const NAME: &'static str = NAME;
    const BODY_LIMIT: usize = BODY_LIMIT;
    type Head = Signed;
    type Event = Event;

    fn credentials(&self) -> &[HeaderName] {
        &CREDENTIALS
    }

    fn check_head(&self, head: &Parts, now: SystemTime) -> Result<Signed, Rejection> {
        auth::verify(&head.headers, &self.pairs, self.window, now)
    }

    fn check_body(&self, proof: Signed, _: &Parts, body: &Bytes, _: SystemTime) -> Result<Delivery<Event>, Rejection> {
        let event = Event::from_body(body)?;
        let kind = event.kind();
        Ok(Delivery::new(event, kind, Covers::Nothing)
            .with_key_index(proof.key_index)
            .with_signed_at(proof.at)
            .with_identity(proof.identity))
    }
}

const NAME: &str = "stardust";
const BODY_LIMIT: usize = 16 << 20;
