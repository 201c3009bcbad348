//! The rules of one sender: how it proves a request, and what its payload means.
//!
//! A [`Provider`] is pure and synchronous, and knows nothing of tower, clocks or sockets. One whose sender signs the
//! body with HMAC-SHA256 (with `hmac` 0.13, `sha2` 0.11, `hex` 0.4 and `serde_json` 1):
//!
//! ```
//! use bytes::Bytes;
//! use hmac::{Hmac, KeyInit, Mac};
//! use http::{HeaderName, Request, request::Parts};
//! use sha2::Sha256;
//! use std::time::SystemTime;
//! use tower_webhooks::{
//!     ConfigError, Content, Covers, Delivery, Identity, Provider, Rejection, RejectionKind, Secret, WebhookLayer,
//!     header::exactly_one,
//! };
//!
//! struct Letterbox {
//!     secret: Secret,
//!     // Prepared once, cloned for each request.
//!     key: Hmac<Sha256>,
//! }
//!
//! impl Letterbox {
//!     fn new(secret: &str) -> Result<Self, ConfigError> {
//!         let secret = Secret::new(secret)?;
//!         let key = Hmac::new_from_slice(secret.expose_secret())
//!             .map_err(|_| ConfigError::new("the secret is no key"))?;
//!         Ok(Self { secret, key })
//!     }
//! }
//!
//! static STAMP: HeaderName = HeaderName::from_static("x-stamp");
//!
//! impl Provider for Letterbox {
//!     const NAME: &'static str = "letterbox";
//!     // What the head says and the body has to prove.
//!     type Head = [u8; 32];
//!     type Event = String;
//!
//!     fn credentials(&self) -> &[HeaderName] {
//!         std::slice::from_ref(&STAMP)
//!     }
//!
//!     fn check_head(&self, head: &Parts, _now: SystemTime) -> Result<[u8; 32], Rejection> {
//!         let mut presented = [0; 32];
//!         hex::decode_to_slice(exactly_one(&head.headers, &STAMP)?, &mut presented)
//!             .map_err(|_| Rejection::new(RejectionKind::CredentialMalformed).with_detail("x-stamp: not 64 hex digits"))?;
//!         Ok(presented)
//!     }
//!
//!     fn check_body(
//!         &self,
//!         presented: [u8; 32],
//!         _head: &Parts,
//!         body: &Bytes,
//!         _now: SystemTime,
//!     ) -> Result<Delivery<String>, Rejection> {
//!         // In constant time; never `==`.
//!         self.key
//!             .clone()
//!             .chain_update(body)
//!             .verify_slice(&presented)
//!             .map_err(|_| Rejection::new(RejectionKind::CredentialWrong))?;
//!         let letter: String = serde_json::from_slice(body)?;
//!         // What was presented is what was computed, to the bit.
//!         let identity = Identity::new(&[self.secret.id(), &presented], Content::Signed);
//!         Ok(Delivery::new(letter, "letter", Covers::Body).with_identity(identity))
//!     }
//! }
//!
//! let letterbox = Letterbox::new("5f4dcc3b5aa765d6")?;
//! let stamp = "d1c3c5fe5a36104ff18c896b3f8a25cb42a6b2c56b2d00c8a015f84d3fca077b";
//! let request = |body: &'static str| Request::post("/").header("x-stamp", stamp).body(Bytes::from(body));
//! let delivery = letterbox.verify(&request("\"hello\"")?, SystemTime::now())?;
//! assert_eq!(delivery.event(), "hello");
//! let forged = letterbox.verify(&request("\"hullo\"")?, SystemTime::now());
//! assert_eq!(forged.unwrap_err().kind(), RejectionKind::CredentialWrong);
//!
//! let layer = WebhookLayer::new(letterbox);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The layer does the rest: bounds, order, single use, and [`Verified<String>`](crate::Verified) for the handler. What
//! it cannot do for a provider:
//!
//! * **Take the event from signed bytes.** A header that names the event is as good as its cover by the signature.
//! * **Give an [`Identity`].** A delivery without one can be sent again by whoever captured it.
//! * **Leave one spelling.** Text is decoded into an array or held to a grammar before it is hashed or compared, and each
//!   header is read with [`exactly_one`](crate::header::exactly_one).
//! * **Check a signed time**, if there is one, against a [`Window`](crate::Window), and say until when it passes
//!   ([`Identity::with_valid_until`]).
//! * **Say the same of all keys**: where a rotation leaves two, try each and report [`Delivery::with_key_index`].

use crate::rejection::{Kind, Rejection, RejectionKind};
use bytes::Bytes;
use http::{HeaderName, Method, Request, header, request::Parts};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

/// The rules of one sender, usable with and without tower.
///
/// The two steps mirror what a request can prove and when: [`check_head`](Self::check_head) sees the request line and
/// the headers and refuses before a byte of the body is read; [`check_body`](Self::check_body) sees the rest.
/// Neither reads the clock: `now` comes from the caller.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a webhook provider",
    label = "expected the rules of a sender, such as `Zegocloud`",
    note = "hand `WebhookLayer::new` the provider itself, already unwrapped from its constructor's `Result`"
)]
pub trait Provider: Send + Sync + 'static {
    /// The provider's name: a label, and what the layer puts in front of every [`Identity`] for the replay key. With
    /// another name, what was delivered can be replayed; providers of one name share their keys.
    const NAME: &'static str;
    /// The body limit in bytes unless the layer sets another; 1 MiB by default.
    const BODY_LIMIT: usize = 1 << 20;
    /// The methods that the provider uses, `POST` alone by default; any other is 405.
    const METHODS: &'static [Method] = &[Method::POST];
    /// What [`check_head`](Self::check_head) learnt and [`check_body`](Self::check_body) needs, such as the decoded MAC;
    /// `()` where that is nothing.
    type Head: Send;
    /// The typed event.
    type Event: Send + Sync + 'static;

    /// The headers that carry credentials; they are marked sensitive before the inner service sees them. Of one that is
    /// a `static`, [`std::slice::from_ref`] makes the slice.
    fn credentials(&self) -> &[HeaderName];

    /// Checks what the head alone can prove: that credentials are there and well formed, and, where the body is not
    /// signed, that they are right and fresh.
    ///
    /// # Errors
    ///
    /// A 401 kind of [`Rejection`]: [`CredentialMissing`](RejectionKind::CredentialMissing),
    /// [`CredentialMalformed`](RejectionKind::CredentialMalformed), [`CredentialWrong`](RejectionKind::CredentialWrong)
    /// or [`Stale`](RejectionKind::Stale).
    fn check_head(&self, head: &Parts, now: SystemTime) -> Result<Self::Head, Rejection>;

    /// Checks what needs the body, then parses it.
    ///
    /// # Errors
    ///
    /// A 401 kind of [`Rejection`], or [`RejectionKind::Invalid`] for a body that is not of the documented shape: `?`
    /// makes it of serde's error. An event that the provider does not know is an event, not an error, or the sender will
    /// send it again and again.
    fn check_body(
        &self,
        proof: Self::Head,
        head: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<Self::Event>, Rejection>;

    /// Checks a whole request in one call, in the order in which the layer does: for use without tower.
    ///
    /// Single use is not part of it: keep the [`Identity`] of what was accepted and refuse it the next time, or use
    /// the layer, which does.
    ///
    /// # Errors
    ///
    /// Whatever the layer would have answered.
    fn verify(&self, request: &Request<Bytes>, now: SystemTime) -> Result<Delivery<Self::Event>, Rejection> {
        let (head, body) = request.clone().into_parts();
        let proof = check_request(self, &head, body.len() as u64, Self::BODY_LIMIT, now)?;
        self.check_body(proof, &head, &body, now)
    }
}

/// The checks that need no body, in the order in which every provider's requests get them.
pub(crate) fn check_request<P: Provider + ?Sized>(
    provider: &P,
    head: &Parts,
    declared: u64,
    limit: usize,
    now: SystemTime,
) -> Result<P::Head, Rejection> {
    if !P::METHODS.contains(&head.method) {
        return Err(Rejection::new(RejectionKind::MethodNotAllowed));
    }
    let proof = provider.check_head(head, now)?;
    let identity = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !head.headers.get_all(header::CONTENT_ENCODING).iter().all(identity) {
        return Err(Rejection::new(RejectionKind::UnsupportedContentEncoding));
    }
    if declared > limit as u64 {
        return Err(Rejection::new(RejectionKind::BodyTooLarge));
    }
    Ok(proof)
}

/// A verified event and what is known of the signature under it.
#[derive(Clone, Debug)]
pub struct Delivery<E> {
    pub(crate) event: E,
    pub(crate) kind: Kind,
    pub(crate) covers: Covers,
    pub(crate) key_index: usize,
    pub(crate) signed_at: Option<SystemTime>,
    pub(crate) identity: Option<Identity>,
}

impl<E> Delivery<E> {
    /// A delivery without a time, made with the first key, that anybody may send again unless
    /// [`with_identity`](Self::with_identity) follows.
    ///
    /// `kind` is the provider's own name for the event where there is one, else snake_case; `"unknown"` for an event
    /// that the rules do not know. Pass a `&'static str`: an owned string, taken from a body, is counted as `other` in
    /// metrics, where each new label would cost memory.
    pub fn new(event: E, kind: impl Into<Kind>, covers: Covers) -> Self {
        Self { event, kind: kind.into(), covers, key_index: 0, signed_at: None, identity: None }
    }

    /// Says which of the configured keys verified it, counted from 0.
    #[must_use]
    pub fn with_key_index(mut self, index: usize) -> Self {
        self.key_index = index;
        self
    }

    /// Adds the signed time.
    #[must_use]
    pub fn with_signed_at(mut self, at: SystemTime) -> Self {
        self.signed_at = Some(at);
        self
    }

    /// Adds what makes it single-use. Without it the replay guard has nothing to go by, and
    /// [`Metadata::checked`](crate::Metadata::checked) is [`Unguarded`](crate::replay::ReplayCheck::Unguarded).
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The typed event.
    pub fn event(&self) -> &E {
        &self.event
    }

    /// Gives the event away.
    pub fn into_event(self) -> E {
        self.event
    }

    /// The event's kind, as in the provider's documentation.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the signature is over.
    pub fn covers(&self) -> Covers {
        self.covers
    }

    /// Which of the configured keys verified it, counted from 0.
    pub fn key_index(&self) -> usize {
        self.key_index
    }

    /// The signed time; `None` where the scheme has none.
    pub fn signed_at(&self) -> Option<SystemTime> {
        self.signed_at
    }

    /// What makes it single-use; `None` where the scheme has nothing of the kind.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }
}

/// What a valid signature is over, and so what of a request cannot have been made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Covers {
    /// Neither URL nor body: whoever captured the credentials could have sent any event under them.
    Nothing,
    /// The URL without its query; not one field of the event.
    Url,
    /// Every byte of the body.
    Body,
}

impl Covers {
    /// `nothing`, `url` or `body`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Url => "url",
            Self::Body => "body",
        }
    }
}

/// What makes a delivery single-use: a digest that is the same for every request that carries this signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub(crate) digest: [u8; 32],
    pub(crate) content: Content,
    pub(crate) valid_until: Option<SystemTime>,
}

impl Identity {
    /// Hashes `parts` with their lengths: the key's [`id`](crate::Secret::id) and the **recomputed** MAC, which is the
    /// presented one, decoded, once it was found equal.
    ///
    /// Text from the request does not belong here unless a grammar leaves it one spelling only: whoever can spell a
    /// signature in two ways can use it twice.
    pub fn new(parts: &[&[u8]], content: Content) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self { digest: hash.finalize().into(), content, valid_until: None }
    }

    /// Sets the first instant at which the signature is refused as stale, whatever way it is presented; without it the
    /// layer's retention setting decides how long the claim is kept.
    #[must_use]
    pub fn with_valid_until(mut self, instant: Option<SystemTime>) -> Self {
        self.valid_until = instant;
        self
    }

    /// The digest.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// What another body under the same digest would mean.
    pub fn content(&self) -> Content {
        self.content
    }

    /// The first instant at which the signature is refused as stale.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.valid_until
    }
}

/// What another body under the same signature means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// A conflict: the signature belongs to the request that came first. For a signature over a nonce or a request's id,
    /// which no two honest requests share.
    Bound,
    /// Another delivery: honest requests can share the signature. For a signature over little more than the time.
    Part,
    /// Impossible: the body is signed. Where neither a time nor a number is signed with it, two honest deliveries of the
    /// same bytes are one for as long as the first is remembered ([`retention`](crate::WebhookLayer::retention)).
    Signed,
}
