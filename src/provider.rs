//! The rules of one sender: how it signs requests, and what its payload means.

use crate::{Covers, Misfits, Proof, Rejection, RejectionKind, WebhookEvent};
use bytes::Bytes;
use http::{HeaderName, Method, Request, header, request::Parts};
use serde::Deserialize;
use std::{borrow::Cow, str, time::SystemTime};

/// The rules of one sender: pure, synchronous, and usable with or without tower.
///
/// [`check_head`](Self::check_head) sees the request line and the headers, and refuses before the
/// body is read. [`check_body`](Self::check_body) sees the whole request. Neither reads the clock:
/// the caller passes `now`.
///
/// # Writing one
///
/// GitHub, which signs the body with HMAC-SHA256 (`examples/github.rs`; needs `hmac` 0.13, `sha2`
/// 0.11 and `serde` 1):
///
/// ```
#[doc = include_str!("../examples/github.rs")]
/// ```
///
/// Step by step:
///
/// 1. **The rules** are a struct with the HMAC key, prepared once.
///    `WebhookLayer::new(GitHub::new(secret)?)` is the layer.
/// 2. **[`check_head`](Self::check_head)** reads the credential from exactly one header line,
///    decodes it into an array, and returns what the next step needs.
/// 3. **[`check_body`](Self::check_body)** computes the MAC over the body and compares in constant
///    time, never with `==`.
/// 4. **The event** is parsed after that. Every authentic request is delivered, also an unknown
///    event and one of another shape.
/// 5. **The [`Identity`](crate::Identity)** makes it single-use: here it is the MAC.
///    [`Content::Signed`](crate::Content::Signed) says that no other body can have this MAC. The
///    event's name is in an unsigned header, so
///    [`with_unsigned`](crate::Identity::with_unsigned) binds the signature to the first name.
///
/// `examples/standard_webhooks.rs` has a signed time, several keys, and an id that makes a retry
/// the same delivery even if it is signed anew.
///
/// The layer does the rest: limits, the order of checks, single use, and
/// [`Verified<Event>`](crate::Verified) for the handler. The provider still has to:
///
/// * **Take the event type from signed bytes**: an unsigned header can be forged. If there is no
///   other, bind it with [`with_unsigned`](crate::Identity::with_unsigned).
/// * **Return an [`Identity`](crate::Identity)**: without one a captured request can be replayed.
/// * **Declare the content** if the body is not signed: method and body always count, path, query
///   and `Content-Type` with [`with_input`](crate::Identity::with_input). See
///   [`Content`](crate::Content).
/// * **Accept exactly one encoding of each credential**, so that a signature cannot be re-encoded
///   and used twice: read each header with [`exactly_one`](crate::exactly_one), then decode it into
///   an array (hex with [`from_hex`](crate::from_hex)) or check its grammar before it is hashed or
///   compared.
/// * **Check a signed time** against a [`Window`](crate::Window), and set when it expires
///   ([`Identity::with_valid_until`](crate::Identity::with_valid_until)).
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
    /// The headers that carry credentials, in lower case. They are marked sensitive before the
    /// inner service sees them.
    const CREDENTIALS: &'static [&'static str];
    /// The `WWW-Authenticate` value of every 401, for a scheme with a registered name such as
    /// `Bearer`; `None` for signatures.
    const CHALLENGE: Option<&'static str> = None;
    /// The body limit in bytes unless the layer sets another; 1 MiB by default.
    const BODY_LIMIT: usize = 1 << 20;
    /// The methods that the sender uses, only `POST` by default; any other is 405.
    const METHODS: &'static [Method] = &[Method::POST];
    /// What [`check_head`](Self::check_head) passes to [`check_body`](Self::check_body), such as
    /// the decoded MAC or the whole [`Proof`]; `()` if that is nothing.
    type FromHead: Send;
    /// The typed event.
    type Event: Send + Sync + 'static;

    /// Whether a header carries a credential; by default, if it is one of
    /// [`CREDENTIALS`](Self::CREDENTIALS). Override it if the header's name is a setting.
    fn is_credential(&self, from_head: &Self::FromHead, name: &HeaderName) -> bool {
        let _ = from_head;
        Self::CREDENTIALS.contains(&name.as_str())
    }

    /// Checks the head: that the credentials are present and well formed and, unless the body is
    /// needed for that, that they are right and fresh.
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
    /// A 401 kind of [`Rejection`], or [`RejectionKind::Invalid`] if the body holds the credentials
    /// and cannot be parsed: [`parse_json`](crate::parse_json) returns it, and `?` converts serde's
    /// errors to it. Do not refuse an authentic event because it is unknown or of another shape:
    /// deliver it as a variant of its own, or it is lost, or sent again and again.
    fn check_body(
        &self,
        from_head: Self::FromHead,
        head: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<Self::Event>, Rejection>;

    /// Checks a whole request in one call, in the same order as the layer: for use without tower.
    ///
    /// It does not check single use. Remember the [`digest`](crate::Identity::digest) of each
    /// accepted identity until [`valid_until`](crate::Identity::valid_until), or for a time of your
    /// choice if there is none, and refuse it meanwhile. With [`Part`](crate::Content::Part), as
    /// for Stardust, two honest requests can have the same digest: remember it together with a
    /// digest of the body. The digest does not include the provider: if several share a table, put
    /// [`NAME`](Self::NAME) before it.
    ///
    /// # Errors
    ///
    /// The rejection that the layer would answer with, by the provider's own
    /// [`BODY_LIMIT`](Self::BODY_LIMIT).
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

/// Runs the checks that need no body, in the same order for every provider.
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

/// Deserializes a JSON body, for [`Provider::check_body`].
///
/// It validates UTF-8 once, which is faster than [`serde_json::from_slice`], which validates each
/// string.
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
/// [`RejectionKind::Invalid`] if the body is not UTF-8, not JSON or not a `T`.
pub fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Rejection> {
    let text = str::from_utf8(body)
        .map_err(|error| Rejection::new(RejectionKind::Invalid).with_source(error))?;
    Ok(serde_json::from_str(text)?)
}

/// A verified event and its proof.
#[derive(Clone, Debug)]
pub struct Delivery<E> {
    pub(crate) event: E,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) proof: Proof,
    pub(crate) misfits: Misfits,
}

impl<E> Delivery<E> {
    /// Creates a delivery from an event, its kind and its proof.
    ///
    /// `kind` is the provider's own name for the event if there is one, else a name in snake_case;
    /// `"unknown"` for an event that the rules do not know. Pass a `&'static str`: a `String` is
    /// labelled `other` in metrics, because kinds taken from a body are unbounded.
    pub fn new(event: E, kind: impl Into<Cow<'static, str>>, proof: Proof) -> Self {
        Self { event, kind: kind.into(), proof, misfits: Misfits::default() }
    }

    /// Creates a delivery from an event that knows its own kind and misfits.
    pub fn of(event: E, proof: Proof) -> Self
    where
        E: WebhookEvent,
    {
        let (kind, misfits) = (event.kind(), event.misfits().clone());
        Self { event, kind: kind.into(), proof, misfits }
    }

    /// The typed event.
    pub fn event(&self) -> &E {
        &self.event
    }

    /// Converts the event and keeps the rest.
    pub fn map<T>(self, to: impl FnOnce(E) -> T) -> Delivery<T> {
        let Self { event, kind, proof, misfits } = self;
        Delivery { event: to(event), kind, proof, misfits }
    }

    /// Returns the event.
    pub fn into_event(self) -> E {
        self.event
    }

    /// The event's kind, as in the provider's documentation.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What the signature covers; [`Covers::Nothing`] means that the event is a hint.
    pub fn covers(&self) -> Covers {
        self.proof.covers
    }

    /// The members that did not fit their documented type.
    pub fn misfits(&self) -> &Misfits {
        &self.misfits
    }

    /// The result of authentication: key, signed time, identity.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }
}

// The content codings of IANA's registry, without `identity`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Misfit;

    #[test]
    fn a_delivery_tells_what_it_was_given() {
        let proof = Proof { covers: Covers::Url, key_index: 1, signed_at: None, identity: None };
        let misfits = Misfits::new(vec![Misfit::new("a.b".to_owned(), "text")]);
        let delivery = Delivery { misfits, ..Delivery::new(7, "number", proof.clone()) };
        let delivery = delivery.map(|number| number + 1);
        assert_eq!((delivery.event(), delivery.kind()), (&8, "number"));
        assert_eq!((delivery.covers(), delivery.proof()), (Covers::Url, &proof));
        assert_eq!(delivery.misfits()[0].path(), "a.b");
    }
}
