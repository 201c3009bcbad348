//! The rules of one sender: how it proves a request, and what its payload means.

use crate::{Covers, Misfits, Proof, Rejection, RejectionKind, WebhookEvent};
use bytes::Bytes;
use http::{HeaderName, Method, Request, header, request::Parts};
use serde::Deserialize;
use std::{borrow::Cow, str, time::SystemTime};

/// The rules of one sender, usable with and without tower: pure, synchronous, without clock and
/// sockets.
///
/// The two steps mirror what a request can prove and when: [`check_head`](Self::check_head) sees
/// the request line and the headers and refuses before a byte of the body is read;
/// [`check_body`](Self::check_body) sees the rest. Neither reads the clock: `now` comes from the
/// caller.
///
/// # Writing one
///
/// For a sender that signs the body with HMAC-SHA256, GitHub (`examples/github.rs`; with `hmac`
/// 0.13, `sha2` 0.11 and `serde` 1):
///
/// ```
#[doc = include_str!("../examples/github.rs")]
/// ```
///
/// Step by step:
///
/// 1. **The rules** are a struct with the secret and what is made of it once.
///    `WebhookLayer::new(GitHub::new(secret)?)` is the layer.
/// 2. **[`check_head`](Self::check_head)** reads the credential: one line, one grammar, decoded
///    into an array of its length. What it returns is what the next step needs.
/// 3. **[`check_body`](Self::check_body)** computes the MAC over the body and compares in constant
///    time, never with `==`.
/// 4. **The event** is made after that. What is authentic is delivered, also an event that the
///    rules do not know and one of another shape.
/// 5. **The [`Identity`](crate::Identity)** makes it single-use: the key, and the MAC as it was
///    computed. [`Content::Signed`](crate::Content::Signed) says that no other body can be under
///    it. The event's name is in a header that nobody signs, so
///    [`with_unsigned`](crate::Identity::with_unsigned) binds the name to the first request.
///
/// A scheme with a time, several keys and an id that makes a retry, signed anew, the same delivery:
/// `examples/standard_webhooks.rs`.
///
/// The layer does the rest: bounds, order, single use, and [`Verified<Event>`](crate::Verified) for
/// the handler. What it cannot do for a provider:
///
/// * **Take the event type from signed bytes**: an unsigned header can be forged. Where there is no
///   other, [`with_unsigned`](crate::Identity::with_unsigned) keeps the first one.
/// * **Give an [`Identity`](crate::Identity).** A delivery without one can be sent again by whoever
///   captured it.
/// * **Say what the event is made of** where the body is not signed: the body always counts, path,
///   query and `Content-Type` with [`with_input`](crate::Identity::with_input). See
///   [`Content`](crate::Content).
/// * **Accept exactly one encoding of each credential**, so that a signature cannot be re-encoded
///   and used twice: read each header with [`exactly_one`](crate::exactly_one), then decode it into
///   an array, hex with [`from_hex`](crate::from_hex), or hold it to a grammar before it is hashed
///   or compared.
/// * **Check a signed time**, if there is one, against a [`Window`](crate::Window), and say until
///   when it passes ([`Identity::with_valid_until`](crate::Identity::with_valid_until)).
/// * **Try every configured key** and report which one matched ([`Proof::key_index`]).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a webhook provider",
    label = "expected the rules of a sender, such as `Zegocloud`",
    note = "hand `WebhookLayer::new` the provider itself, already unwrapped from its constructor's `Result`"
)]
pub trait Provider: Send + Sync + 'static {
    /// Metrics label and prefix of every replay key. Renaming it makes past deliveries replayable;
    /// providers of one name share their keys.
    const NAME: &'static str;
    /// The names, in lower case, of the headers that carry credentials: they are marked sensitive
    /// before the inner service sees them.
    const CREDENTIALS: &'static [&'static str];
    /// The `WWW-Authenticate` of every 401, for a scheme that has a registered name, such as
    /// `Bearer`; signatures have none.
    const CHALLENGE: Option<&'static str> = None;
    /// The body limit in bytes unless the layer sets another; 1 MiB by default.
    const BODY_LIMIT: usize = 1 << 20;
    /// The methods that the provider uses, `POST` alone by default; any other is 405.
    const METHODS: &'static [Method] = &[Method::POST];
    /// What [`check_head`](Self::check_head) learnt and [`check_body`](Self::check_body) needs,
    /// such as the decoded MAC or the whole [`Proof`]; `()` where that is nothing.
    type FromHead: Send;
    /// The typed event.
    type Event: Send + Sync + 'static;

    /// Whether a header carries a credential: one of [`CREDENTIALS`](Self::CREDENTIALS). For rules
    /// whose header is a setting.
    fn is_credential(&self, from_head: &Self::FromHead, name: &HeaderName) -> bool {
        let _ = from_head;
        Self::CREDENTIALS.contains(&name.as_str())
    }

    /// Checks what the head alone can prove: that credentials are there and well formed, and, where
    /// the body is not signed, that they are right and fresh.
    ///
    /// # Errors
    ///
    /// A 401 kind of [`Rejection`]: [`CredentialMissing`](RejectionKind::CredentialMissing),
    /// [`CredentialMalformed`](RejectionKind::CredentialMalformed),
    /// [`CredentialWrong`](RejectionKind::CredentialWrong) or [`Stale`](RejectionKind::Stale).
    fn check_head(&self, head: &Parts, now: SystemTime) -> Result<Self::FromHead, Rejection>;

    /// Checks what needs the body, then parses it.
    ///
    /// # Errors
    ///
    /// A 401 kind of [`Rejection`], or [`RejectionKind::Invalid`] where the body holds the
    /// credentials and cannot be read: `?` makes it of serde's error, and
    /// [`parse_json`](crate::parse_json) does by itself. What was authenticated is delivered, as an
    /// event of its own where the provider does not know it or it has another shape: refused, it
    /// would be lost, or sent again and again.
    fn check_body(
        &self,
        from_head: Self::FromHead,
        head: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<Self::Event>, Rejection>;

    /// Checks a whole request in one call, in the order in which the layer does: for use without
    /// tower.
    ///
    /// Single use is not part of it; the layer does it. Without the layer, keep the
    /// [`digest`](crate::Identity::digest) of what was accepted until
    /// [`valid_until`](crate::Identity::valid_until), or for as long as you choose where there is
    /// none, and refuse it the next time. Where the identity's content is
    /// [`Part`](crate::Content::Part), as Stardust's is, two honest requests can have one digest:
    /// keep it together with a digest of the body, and refuse that pair. The digest does not tell
    /// providers apart: put [`NAME`](Self::NAME) before it where several share a table.
    ///
    /// # Errors
    ///
    /// Whatever the layer would have answered.
    fn verify(
        &self,
        request: &Request<Bytes>,
        now: SystemTime,
    ) -> Result<Delivery<Self::Event>, Rejection> {
        let (head, body) = request.clone().into_parts();
        check_head(self, &head, body.len() as u64, Self::BODY_LIMIT, now)
            .and_then(|from_head| self.check_body(from_head, &head, &body, now))
            .map_err(|rejection| rejection.of(Self::NAME))
    }
}

/// The checks that need no body, in the order in which every provider's requests get them.
pub(crate) fn check_head<P: Provider + ?Sized>(
    provider: &P,
    head: &Parts,
    declared: u64,
    limit: usize,
    now: SystemTime,
) -> Result<P::FromHead, Rejection> {
    if !P::METHODS.contains(&head.method) {
        return Err(Rejection::new(RejectionKind::MethodNotAllowed));
    }
    let from_head = provider.check_head(head, now)?;
    // `utf-8` and an empty value, which clients send by mistake, are no compression.
    let is_known = |coding: &[u8]| {
        COMPRESSIONS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(coding))
    };
    let codings = head.headers.get_all(header::CONTENT_ENCODING).iter();
    if codings
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .any(is_known)
    {
        return Err(Rejection::new(RejectionKind::UnsupportedContentEncoding));
    }
    if declared > limit as u64 {
        return Err(Rejection::new(RejectionKind::BodyTooLarge));
    }
    Ok(from_head)
}

/// Deserializes a JSON body, for [`Provider::check_body`]: checks once that it is UTF-8, which is
/// faster than [`serde_json::from_slice`], which checks each string.
///
/// ```
/// use tower_webhooks::{RejectionKind, parse_json};
///
/// let (name, count): (&str, u8) = parse_json(br#"["orders",3]"#)?;
/// assert_eq!((name, count), ("orders", 3));
/// assert_eq!(parse_json::<u8>(b"three").unwrap_err().kind(), RejectionKind::Invalid);
/// # Ok::<(), tower_webhooks::Rejection>(())
/// ```
///
/// # Errors
///
/// [`RejectionKind::Invalid`] for what is not UTF-8, not JSON or not a `T`.
pub fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    let text = str::from_utf8(body)
        .map_err(|error| Rejection::new(RejectionKind::Invalid).with_source(error))?;
    Ok(serde_json::from_str(text)?)
}

/// A verified event and the proof under it.
#[derive(Clone, Debug)]
pub struct Delivery<E> {
    pub(crate) event: E,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) proof: Proof,
    pub(crate) misfits: Misfits,
}

impl<E> Delivery<E> {
    /// An event, its kind and what authentication learnt.
    ///
    /// `kind` is the provider's own name for the event where there is one, else snake_case;
    /// `"unknown"` for an event that the rules do not know. Pass a `&'static str`: kinds taken from
    /// a body are unbounded, so in metrics they share the label `other`.
    pub fn new(event: E, kind: impl Into<Cow<'static, str>>, proof: Proof) -> Self {
        Self { event, kind: kind.into(), proof, misfits: Misfits::default() }
    }

    /// An event that says itself of what kind it is and what did not fit.
    pub fn of(event: E, proof: Proof) -> Self
    where
        E: WebhookEvent,
    {
        let (kind, misfits) = (event.kind(), event.misfits().clone());
        Self::new(event, kind, proof).with_misfits(misfits)
    }

    /// Adds the members that did not fit their documented type, for logs, metrics and the handler.
    #[must_use]
    pub fn with_misfits(mut self, misfits: Misfits) -> Self {
        self.misfits = misfits;
        self
    }

    /// The typed event.
    pub fn event(&self) -> &E {
        &self.event
    }

    /// The same delivery with another event made of this one.
    pub fn map<T>(self, to: impl FnOnce(E) -> T) -> Delivery<T> {
        let Self { event, kind, proof, misfits } = self;
        Delivery { event: to(event), kind, proof, misfits }
    }

    /// Gives the event away.
    pub fn into_event(self) -> E {
        self.event
    }

    /// The event's kind, as in the provider's documentation.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the signature is over; [`Covers::Nothing`] means that the event is a hint.
    pub fn covers(&self) -> Covers {
        self.proof.covers
    }

    /// The members that did not fit their documented type.
    pub fn misfits(&self) -> &Misfits {
        &self.misfits
    }

    /// What authentication learnt: key, signed time, identity.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

// Those of IANA's registry.
const COMPRESSIONS: [&str; 12] = [
    "aes128gcm",
    "br",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "pack200-gzip",
    "x-compress",
    "x-gzip",
    "zstd",
];
