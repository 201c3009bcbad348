//! The verified event in a request's extensions.

use crate::{
    Covers, Delivery, DeliveryId, Misfits, Proof, WebhookEvent,
    replay::{Claim, ReplayCheck},
};
use bytes::Bytes;
use std::{borrow::Cow, fmt, ops::Deref, sync::Arc, time::SystemTime};

/// An event whose signature was verified. If the scheme signs a time it is fresh; if it allows
/// replay detection ([`Metadata::checked`]) it was not acknowledged before.
///
/// Only the layer creates it. It derefs to the event and is cheap to clone. `Debug` prints the
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

/// An authentic delivery that is not admitted yet. It is allocated once, because an event can be
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

    /// Admits the delivery, with its claim if it is guarded.
    pub(crate) fn admitted(
        mut self,
        attempt: u32,
        checked: ReplayCheck,
        claim: Option<&Claim>,
    ) -> Verified<E> {
        // Nothing has cloned the `Arc` yet.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            (inner.metadata.attempt, inner.metadata.checked) = (attempt, checked);
            inner.claim = claim.cloned();
        }
        Verified { inner: self.inner }
    }
}

impl<E> Verified<E> {
    /// What the layer knows of the delivery besides its event.
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// What the signature covers; [`Covers::Nothing`] means that the event is a hint.
    pub fn covers(&self) -> Covers {
        self.inner.metadata.covers
    }

    /// The event's kind, as in the provider's documentation; `unknown` for an event that the
    /// provider's rules do not know.
    pub fn kind(&self) -> &str {
        &self.inner.metadata.kind
    }

    /// The event's [`dedup_key`](WebhookEvent::dedup_key).
    pub fn dedup_key(&self) -> Option<String>
    where
        E: WebhookEvent,
    {
        self.inner.event.dedup_key()
    }

    /// The body as received.
    ///
    /// ZEGOCLOUD's body still holds the credentials: keep it out of logs.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// Returns the event; a clone of it if another `Verified` shares it.
    pub fn into_event(self) -> E
    where
        E: Clone,
    {
        match Arc::try_unwrap(self.inner) {
            Ok(inner) => inner.event,
            Err(shared) => shared.event.clone(),
        }
    }

    /// This attempt's claim; `None` if the delivery is not guarded. For a store of your own that
    /// lets the handler record the outcome, as `PostgresStore::done_in` does.
    pub fn claim(&self) -> Option<&Claim> {
        self.inner.claim.as_ref()
    }

    /// Builds an event for the test of a handler, as if a layer had accepted it.
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
        VerifiedBuilder {
            delivery: Delivery::new(event, "test", Proof::of_nothing(0, None)),
            body: Bytes::new(),
            attempt: 1,
        }
    }
}

/// Builds an event for the test of a handler: see [`Verified::test`].
///
/// By default the kind is `test`, the signature covers nothing, the body is empty, and it is the
/// first attempt.
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
    /// Sets [`Metadata::kind`].
    pub fn kind(mut self, kind: impl Into<Cow<'static, str>>) -> Self {
        self.delivery.kind = kind.into();
        self
    }

    /// Sets [`Metadata::attempt`].
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Sets [`Metadata::covers`].
    pub fn covers(mut self, covers: Covers) -> Self {
        self.delivery.proof.covers = covers;
        self
    }

    /// Sets [`Metadata::key_index`].
    pub fn key_index(mut self, key_index: usize) -> Self {
        self.delivery.proof.key_index = key_index;
        self
    }

    /// Sets [`Metadata::signed_at`].
    pub fn signed_at(mut self, signed_at: SystemTime) -> Self {
        self.delivery.proof.signed_at = Some(signed_at);
        self
    }

    /// Sets [`Verified::body`].
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Returns the event.
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

/// What the layer knows of a delivery besides its event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The provider's [`NAME`](crate::Provider::NAME).
    pub provider: &'static str,
    /// The event's kind, as in the provider's documentation; `unknown` for one that this crate does
    /// not know.
    pub kind: Cow<'static, str>,
    /// What the signature covers.
    pub covers: Covers,
    /// The index of the key that verified it, counted from 0 in the order of configuration.
    pub key_index: usize,
    /// The signed time; `None` if the scheme signs none.
    pub signed_at: Option<SystemTime>,
    /// The number of this attempt, counted from 1 under the same signature. A retry that the sender
    /// signed anew counts from 1 again.
    pub attempt: u32,
    /// Where it was checked that the delivery is no replay.
    pub checked: ReplayCheck,
    /// The delivery's id, the same for every attempt; `None` if the scheme cannot tell deliveries
    /// apart.
    pub delivery_id: Option<DeliveryId>,
    /// The members that did not fit their documented type and are absent from the event.
    pub misfits: Misfits,
}
