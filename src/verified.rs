//! The proof, in a request's extensions, that the layer accepted it.

use crate::{
    Covers, Delivery, DeliveryId, Misfits, Proof, WebhookEvent,
    replay::{Claim, ReplayCheck},
};
use bytes::Bytes;
use std::{borrow::Cow, fmt, ops::Deref, sync::Arc, time::SystemTime};

/// An event whose signature was verified. If the scheme signs a time it is fresh; if it allows
/// replay detection ([`Metadata::checked`]) it was not acknowledged before.
///
/// It is made by the layer only, derefs to the event and is cheap to clone. `Debug` prints the
/// event and the metadata, never the raw body.
///
/// ```
/// use tower_webhooks::{Covers, Verified};
///
/// fn handle(event: &Verified<String>) -> bool {
///     // A signature that covers nothing makes the event a hint: ask the provider first.
///     event.covers() == Covers::Body && event.starts_with("paid")
/// }
///
/// let event = Verified::test("paid 12.50".to_owned()).build();
/// assert!(!handle(&event));
/// ```
pub struct Verified<E> {
    inner: Arc<Inner<E>>,
}

struct Inner<E> {
    event: E,
    metadata: Metadata,
    body: Bytes,
    claim: Option<Claim>,
}

/// An authentic delivery that nobody has seen yet. It is made in its last place: an event can be
/// large to move.
pub(crate) struct Authentic<E> {
    inner: Arc<Inner<E>>,
}

impl<E> Authentic<E> {
    pub(crate) fn new(
        provider: &'static str,
        delivery: Delivery<E>,
        body: Bytes,
        id: Option<DeliveryId>,
    ) -> Self {
        let Delivery { event, kind, proof, misfits } = delivery;
        let Proof { covers, key_index, signed_at, identity: _ } = proof;
        let metadata = Metadata {
            provider,
            kind,
            covers,
            key_index,
            signed_at,
            attempt: 1,
            checked: ReplayCheck::Unguarded,
            delivery_id: id,
            misfits,
        };
        Self { inner: Arc::new(Inner { event, metadata, body, claim: None }) }
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// It was claimed for an attempt, if it is guarded.
    pub(crate) fn admitted(
        mut self,
        attempt: u32,
        checked: ReplayCheck,
        claim: Option<&Claim>,
    ) -> Verified<E> {
        // There is no other yet.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            (inner.metadata.attempt, inner.metadata.checked) = (attempt, checked);
            inner.claim = claim.cloned();
        }
        Verified { inner: self.inner }
    }
}

impl<E> Verified<E> {
    /// What is known of the delivery beside its event.
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// What the signature is over; [`Covers::Nothing`] means that the event is a hint.
    pub fn covers(&self) -> Covers {
        self.inner.metadata.covers
    }

    /// The event's kind, as in the provider's documentation; `unknown` for an event that its rules
    /// do not know.
    pub fn kind(&self) -> &str {
        &self.inner.metadata.kind
    }

    /// See [`WebhookEvent::dedup_key`].
    pub fn dedup_key(&self) -> Option<String>
    where
        E: WebhookEvent,
    {
        self.inner.event.dedup_key()
    }

    /// The body as received.
    ///
    /// Where the credentials travel in it (ZEGOCLOUD), it still holds them: keep it out of logs.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// The event itself; a clone of it if it is shared with another `Verified`.
    pub fn into_event(self) -> E
    where
        E: Clone,
    {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.event,
            Err(shared) => shared.event.clone(),
        }
    }

    /// What this attempt holds the delivery by; `None` if it is not guarded. For a store of one's
    /// own that records the outcome itself, as `PostgresStore` does.
    pub fn claim(&self) -> Option<&Claim> {
        self.inner.claim.as_ref()
    }

    /// An event for the test of a handler, as if a layer had accepted it just now.
    ///
    /// ```
    /// use tower_webhooks::{Covers, Verified};
    ///
    /// let second = Verified::test("paid 12.50")
    ///     .attempt(2)
    ///     .covers(Covers::Body)
    ///     .body("paid 12.50")
    ///     .build();
    /// assert_eq!((second.metadata().attempt, second.into_event()), (2, "paid 12.50"));
    /// ```
    #[cfg(feature = "test-util")]
    pub fn test(event: E) -> VerifiedBuilder<E> {
        let proof =
            Proof { covers: Covers::Nothing, key_index: 0, signed_at: None, identity: None };
        VerifiedBuilder {
            delivery: Delivery::new(event, "test", proof),
            body: Bytes::new(),
            attempt: 1,
        }
    }
}

/// What a layer would have learnt of an event, for the test of a handler: see [`Verified::test`].
///
/// Unless it is told otherwise the event has the kind `test`, is covered by nothing, has no body
/// and comes for the first time.
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
#[must_use]
pub struct VerifiedBuilder<E> {
    delivery: Delivery<E>,
    body: Bytes,
    attempt: u32,
}

#[cfg(feature = "test-util")]
impl<E> VerifiedBuilder<E> {
    /// See [`Metadata::kind`].
    pub fn kind(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.delivery.kind = kind.into();
        self
    }

    /// See [`Metadata::attempt`].
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// See [`Metadata::covers`].
    pub fn covers(mut self, covers: Covers) -> Self {
        self.delivery.proof.covers = covers;
        self
    }

    /// See [`Metadata::key_index`].
    pub fn key_index(mut self, key_index: usize) -> Self {
        self.delivery.proof.key_index = key_index;
        self
    }

    /// See [`Metadata::signed_at`].
    pub fn signed_at(mut self, signed_at: SystemTime) -> Self {
        self.delivery.proof.signed_at = Some(signed_at);
        self
    }

    /// See [`Verified::body`].
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The event with what was said of it.
    pub fn build(self) -> Verified<E> {
        let authentic = Authentic::new("test", self.delivery, self.body, None);
        authentic.admitted(self.attempt, ReplayCheck::Unguarded, None)
    }
}

impl<E> Deref for Verified<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.inner.event
    }
}

impl<E> Clone for Verified<E> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<E: fmt::Debug> fmt::Debug for Verified<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("event", &self.inner.event)
            .field("metadata", &self.inner.metadata)
            .finish_non_exhaustive()
    }
}

/// What the layer knows of a delivery beside its event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The provider's [`NAME`](crate::Provider::NAME).
    pub provider: &'static str,
    /// The event's kind, as in the provider's documentation; `unknown` for one that this crate does
    /// not know.
    pub kind: Cow<'static, str>,
    /// What the signature is over.
    pub covers: Covers,
    /// Which of the configured keys verified it, counted from 0 in the order in which they were
    /// given.
    pub key_index: usize,
    /// The signed time; `None` where the scheme has none.
    pub signed_at: Option<SystemTime>,
    /// Which attempt at this delivery it is, counted from 1 under the same signature. A retry that
    /// the sender signed anew counts from 1 again.
    pub attempt: u32,
    /// How its single use was checked.
    pub checked: ReplayCheck,
    /// What names the delivery, whichever attempt it is; `None` where the scheme has nothing to
    /// tell deliveries apart by.
    pub delivery_id: Option<DeliveryId>,
    /// The members that did not fit their documented type, and so are absent from the event.
    pub misfits: Misfits,
}
