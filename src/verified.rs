//! The proof, in a request's extensions, that the layer accepted it.
//!
//! ```
//! use tower_webhooks::{Covers, Verified};
//!
//! fn handle(event: &Verified<String>) -> bool {
//!     // A signature that covers nothing makes the event a hint: ask the provider before acting on it.
//!     event.covers() == Covers::Body && event.starts_with("paid")
//! }
//!
//! let event = Verified::for_test("paid 12.50".to_owned());
//! assert!(!handle(&event));
//! ```

use crate::{Covers, Delivery, DeliveryId, rejection::Kind, replay::{Claim, ReplayCheck}};
use bytes::Bytes;
use std::{fmt, ops::Deref, sync::Arc, time::SystemTime};

/// A typed event that was verified, is fresh where its signature holds a time, and has not been acknowledged before where
/// its signature can tell ([`Metadata::checked`]).
///
/// It is made by the layer only, derefs to the event and is cheap to clone. `Debug` prints the event and the facts,
/// never the raw body.
pub struct Verified<E> {
    inner: Arc<Inner<E>>,
}

struct Inner<E> {
    event: E,
    metadata: Metadata,
    body: Bytes,
    /// The claim that was won for it.
    #[cfg(feature = "postgres")]
    claim: Option<Claim>,
}

impl<E> Verified<E> {
    pub(crate) fn new(
        provider: &'static str,
        delivery: Delivery<E>,
        body: Bytes,
        attempt: u32,
        checked: ReplayCheck,
        claim: Option<&Claim>,
    ) -> Self {
        let Delivery { event, kind, covers, key_index, signed_at, identity: _ } = delivery;
        let metadata = Metadata { provider, kind, covers, key_index, signed_at, attempt, checked, delivery_id: claim.map(|claim| DeliveryId::new(*claim.key())) };
        Self {
            inner: Arc::new(Inner {
                event,
                metadata,
                body,
                #[cfg(feature = "postgres")]
                claim: claim.cloned(),
            }),
        }
    }

    /// What is known of the delivery beside its event.
    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// What the signature is over; [`Covers::Nothing`] means that the event is a hint.
    pub fn covers(&self) -> Covers {
        self.inner.metadata.covers
    }

    /// The body as received.
    ///
    /// Where the credentials travel in it (ZEGOCLOUD), it still holds them: keep it out of logs.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn claim(&self) -> Option<&Claim> {
        self.inner.claim.as_ref()
    }

    /// An event for the test of a handler, as if a layer had accepted it just now.
    #[cfg(feature = "test-util")]
    pub fn for_test(event: E) -> Self {
        Self::new("test", Delivery::new(event, "test", Covers::Nothing), Bytes::new(), 1, ReplayCheck::Unguarded, None)
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
            .field("facts", &self.inner.metadata)
            .finish_non_exhaustive()
    }
}

/// What the layer knows of a delivery beside its event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Metadata {
    /// The provider's [`NAME`](crate::Provider::NAME).
    pub provider: &'static str,
    /// The event's kind, as in the provider's documentation; `unknown` for one that this crate does not know.
    pub kind: Kind,
    /// What the signature is over.
    pub covers: Covers,
    /// Which of the configured keys verified it, counted from 0.
    pub key_index: usize,
    /// The signed time; `None` where the scheme has none.
    pub signed_at: Option<SystemTime>,
    /// Which attempt at this delivery it is, counted from 1 under the same signature. A retry that the sender signed
    /// anew counts from 1 again.
    pub attempt: u32,
    /// How its single use was checked.
    pub checked: ReplayCheck,
    /// What names the delivery, whichever attempt it is; `None` where the scheme has nothing to tell deliveries apart by.
    pub delivery_id: Option<DeliveryId>,
}
