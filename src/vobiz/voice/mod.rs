//! Voice: events of calls, recordings, conferences and audio streams.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     Covers, Provider, Signer as _,
//!     vobiz::voice::{self, CallStatus, Event, Voice},
//! };
//!
//! let now = SystemTime::now();
//! let form = "Event=Hangup&CallUUID=12d86ccd&CallStatus=completed&Duration=42";
//! let request = Request::post("/vobiz/hangup").body(Bytes::from(form))?;
//! let request = voice::Signer::new("an auth token", "https://hooks.example.com")?
//!     .sign(request, now);
//!
//! let delivery = Voice::new("an auth token", "https://hooks.example.com")?
//!     .verify(&request, now)?;
//! assert_eq!(delivery.kind(), "Hangup");
//! assert_eq!(delivery.covers(), Covers::Url);
//! let Event::Hangup(hangup) = delivery.event() else {
//!     return Err("another event".into());
//! };
//! assert_eq!(hangup.call.call_status, Some(CallStatus::Completed));
//! assert_eq!(hangup.duration, Some(42));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the signature proves
//!
//! `X-Vobiz-Signature-V3` is an HMAC of the callback's URL, without its query, and a nonce. It
//! proves that a holder of the auth token called **this path**. It covers **no field**: not
//! `Event`, `From` or `CallUUID`, and on a GET not the query. It never expires: whoever has seen
//! one request can send its signature to the same path again with other fields, unless the replay
//! guard remembers its nonce. So serve the route over TLS only, treat an event as a hint, and query
//! the API before you act on anything important. Vobiz publishes its callbacks' addresses; let only
//! these through your firewall.
//!
//! According to a warning on Vobiz's page, callbacks are signed only if auth credentials are
//! configured on their URL, and not all kinds of callbacks are; it does not say how to configure
//! them. An unsigned callback is always a 401: test yours before you rely on them.
//!
//! # Which signatures are accepted
//!
//! V3, and with [`Voice::also_accept_parent`] also MA-V3; one valid signature is enough.
//! [`Voice::v2`] accepts V2 and MA-V2 *instead*. The legacy `X-Vobiz-Signature` is ignored: what it
//! signs is not documented.
//!
//! # Answers and retries
//!
//! Vobiz expects a 200 within 3 s and otherwise retries up to 3 times with exponential backoff;
//! whether with the same nonce is not documented. `answer_url`, `action`, `Redirect`, transfer and
//! `waitSound` URLs need a `<Response>` document as `application/xml`, at most 100 KB. A
//! `hangup_url` that is not set falls back to `answer_url`, so one route can get both [`StartApp`]
//! and [`Hangup`].
//!
//! The layer answers a retry under the same nonce itself, and the call needs the document again. So
//! return it as a [`ReplayedResponse`](crate::replay::ReplayedResponse), and add
//! `ReplayedResponse::restore` outside of the layer, as [`vobiz`](super) shows. A document of more
//! than 4 KiB needs a higher
//! [`replayed_body_limit`](crate::WebhookLayer::replayed_body_limit).
//!
//! # Fields
//!
//! A GET carries them in its query, a POST in a form or in a flat JSON object; the other place is
//! ignored. A POST's body is JSON if it begins with `{`, whatever its content type. It is a form if
//! its content type says so, or if it begins with `name=`. Everything else is an
//! [`Unknown`](crate::Unknown) with its bytes.
//!
//! All values are text on the wire. Invalid UTF-8 in a form (a caller's name can hold any bytes)
//! becomes U+FFFD; [`Verified::body`](crate::Verified::body) has the bytes. Fields without a type
//! are in the payload's `rest`: on a GET also your own query's, and as a list if a name was sent
//! twice. [`Event::sip_headers`] are the custom SIP headers in it. Prices are decimal text.
//!
//! An older page lists `recording.completed`, `conference.started` and `conference.ended` without
//! their fields; newer pages say that no such conference events exist. They arrive as an
//! [`Unknown`](crate::Unknown).
//!
//! **Two time zones:** `SessionStart` is in UTC; `StartTime`, `AnswerTime` and `EndTime` are in the
//! console's local zone. The values do not name their zone.
//!
//! Pages: <https://docs.vobiz.ai/concepts/validating-callbacks>,
//! <https://docs.vobiz.ai/concepts/callbacks>.

pub use self::{event::Event, payload::*};

#[cfg(feature = "test-util")]
pub use self::signer::Signer;

use self::auth::{CREDENTIALS, Rules, V2, V3};
use super::{key::Key, origin::Target};
use crate::{ConfigError, Delivery, Input, Proof, Provider, Rejection};
use bytes::Bytes;
use http::{Method, request::Parts};
use std::time::SystemTime;

mod auth;
mod event;
mod payload;
#[cfg(feature = "test-util")]
mod signer;

/// The rules of voice callbacks.
///
/// The whole signature is checked before the body is read.
/// [`Metadata::key_index`](crate::Metadata::key_index) counts the account's tokens first, then the
/// main account's.
#[derive(Clone, Debug)]
pub struct Voice {
    rules: Rules,
    target: Target,
}

impl Voice {
    /// Rules with the auth token of the account (or sub-account) and the public origin of its
    /// callback URLs: `https://hooks.example.com`, with a port or a prefix where the URLs at Vobiz
    /// have one.
    ///
    /// Vobiz signs the callback URL as it is configured. Behind a proxy a request arrives under
    /// another URL, so the origin is a setting: `Host`, `Forwarded` and `X-Forwarded-*` are
    /// ignored. The request's path is appended to it unchanged. See [Behind a
    /// proxy](crate::guide::behind_a_proxy).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a token that is empty or has white space around it; for an origin
    /// without `https://` or `http://`, or with userinfo, query or fragment. One `/` at its end is
    /// dropped.
    pub fn new(auth_token: impl AsRef<[u8]>, public_origin: &str) -> Result<Self, ConfigError> {
        let keys = vec![Key::new(auth_token)?];
        let rules = Rules { scheme: &V3, keys, parents: Vec::new(), any_nonce_length: false };
        Ok(Self { rules, target: Target::origin(public_origin)? })
    }

    /// Accepts a further auth token, for a rotation or another sub-account.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a token that is empty or has white space around it.
    pub fn also_accept(mut self, auth_token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.rules.keys.push(Key::new(auth_token)?);
        Ok(self)
    }

    /// Also accepts the main account's signature (MA-V3); on a sub-account's callbacks either
    /// signature is enough. Call it again to accept a further main token, for a rotation.
    ///
    /// # Errors
    ///
    /// As for [`also_accept`](Self::also_accept).
    pub fn also_accept_parent(mut self, auth_token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.rules.parents.push(Key::new(auth_token)?);
        Ok(self)
    }

    /// Uses this as the signed URL of every request, for proxies that rewrite paths.
    ///
    /// It is used unchanged. Vobiz does not document whether it signs `/a%20b` or `/a b`, and its
    /// own samples differ: if an encoded path does not verify, try it decoded here.
    ///
    /// The request's own path is ignored: put the layer on one route only, or a request that was
    /// captured at another route passes here.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] as for the origin of [`new`](Self::new).
    pub fn exact_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.target = Target::exact(url)?;
        Ok(self)
    }

    /// Checks V2 and MA-V2 instead of V3 and MA-V3.
    #[must_use]
    pub fn v2(mut self) -> Self {
        self.rules.scheme = &V2;
        self
    }

    /// Accepts nonces of 1 to 64 digits; Vobiz's have 20.
    ///
    /// [V2](Self::v2) signs URL and nonce without a separator, so a request for `/cb/1` can then be
    /// turned into one for `/cb/12`: the signature stays valid if a digit moves from the nonce to
    /// the path.
    #[must_use]
    pub fn dangerous_any_nonce_length(mut self) -> Self {
        self.rules.any_nonce_length = true;
        self
    }
}

impl Provider for Voice {
    const NAME: &'static str = "vobiz.voice";
    const CREDENTIALS: &'static [&'static str] = CREDENTIALS;
    const METHODS: &'static [Method] = &[Method::GET, Method::POST];
    type FromHead = Proof;
    type Event = Event;

    fn check_head(&self, head: &Parts, _now: SystemTime) -> Result<Proof, Rejection> {
        let fields = if head.method == Method::GET { Input::Query } else { Input::ContentType };
        self.rules.verify(&head.headers, &self.target.url(head.uri.path()), fields)
    }

    fn check_body(
        &self,
        proof: Proof,
        head: &Parts,
        body: &Bytes,
        _now: SystemTime,
    ) -> Result<Delivery<Event>, Rejection> {
        let event = Event::from_request(head, body).unwrap_or_else(Event::Unknown);
        Ok(Delivery::of(event, proof))
    }
}
