//! The tower layer that puts a [`Provider`] in front of a service.

use crate::{
    Provider,
    read::Budget,
    replay::{OutagePolicy, ReplayStore},
    service::Webhook,
    settings::{Settings, Shared},
};
use std::{fmt, sync::Arc, time::Duration};
use tower_layer::Layer;

/// Verifies requests by a provider's rules before an inner service sees them.
///
/// Settings of the sender (keys, window, public URL) belong to the provider; limits, timeouts and replay belong here.
/// Clones, and all services that one layer wraps, share the read budget.
pub struct WebhookLayer<P> {
    shared: Arc<Shared<P>>,
}

impl<P: Provider> WebhookLayer<P> {
    /// A layer with the provider's body limit, a read deadline of 10 s, a read budget of 64 MiB and a replay guard in
    /// memory.
    pub fn new(provider: P) -> Self {
        Self { shared: Arc::new(Shared { provider: Arc::new(provider), settings: Settings::new(P::BODY_LIMIT) }) }
    }

    /// The largest body in bytes; a larger one is 413, unread where its length was declared.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.body_limit = bytes)
    }

    /// How long a body may take to arrive, from the first time that it has to be waited for; then 408.
    #[must_use]
    pub fn read_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.read_timeout = timeout)
    }

    /// How many bytes of bodies that are still being read this layer holds at once; beyond it 503.
    #[must_use]
    pub fn read_budget(self, bytes: usize) -> Self {
        self.with(|settings| settings.budget = Arc::new(Budget::new(bytes)))
    }

    /// Sets where claims are kept.
    ///
    /// A [`MemoryStore`](crate::replay::MemoryStore) takes the place of the layer's own: layers that share a secret
    /// must share it. Any other store is shared between processes and is asked after the one in memory.
    #[must_use]
    pub fn store(self, store: impl ReplayStore) -> Self {
        self.with(|settings| settings.guard.set_store(store))
    }

    /// What to do while the shared store cannot be asked; [`OutagePolicy::Reject`] by default.
    #[must_use]
    pub fn on_outage(self, outage: OutagePolicy) -> Self {
        self.with(|settings| settings.guard.outage = outage)
    }

    /// How long a signature that never expires is remembered; 24 h by default.
    ///
    /// It can be replayed after that. Where signatures expire (GeeLark, Stardust, ZEGOCLOUD) they are remembered until
    /// then and 60 s longer, and this setting plays no part; a provider of your own says so with
    /// [`Identity::with_valid_until`](crate::Identity::with_valid_until).
    #[must_use]
    pub fn retention(self, retention: Duration) -> Self {
        self.with(|settings| settings.guard.retention = retention)
    }

    /// How long a delivery stays claimed after its process has died; 15 s by default.
    ///
    /// While the process lives the lease is renewed. A sender whose last retry comes before the lease has run out loses
    /// the delivery with the process.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        self.with(|settings| settings.guard.lease = lease)
    }

    /// The longest body of a [`ReplayedResponse`](crate::replay::ReplayedResponse) that is kept, in bytes; 4 KiB by default.
    #[must_use]
    pub fn replayed_body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.guard.replayed_body_limit = bytes)
    }

    /// Switches the replay guard off: whoever captures one request can have it delivered any number of times, and, where
    /// the signature does not cover the body, any other body with it, for as long as the signature is accepted.
    #[must_use]
    pub fn dangerous_without_replay_guard(self) -> Self {
        self.with(|settings| settings.guard.on = false)
    }

    /// Reads the time from `clock`.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn clock(self, clock: crate::TestClock) -> Self {
        self.with(|settings| settings.clock = crate::clock::Clock::Test(clock))
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self { shared: Arc::new(Shared { provider: Arc::clone(&self.shared.provider), settings }) }
    }
}

impl<P> Clone for WebhookLayer<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Provider> fmt::Debug for WebhookLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookLayer")
            .field("provider", &P::NAME)
            .field("body_limit", &self.shared.settings.body_limit)
            .field("read_timeout", &self.shared.settings.read_timeout)
            .field("guarded", &self.shared.settings.guard.on)
            .field("shared", &self.shared.settings.guard.is_shared())
            .finish_non_exhaustive()
    }
}

impl<S, P> Layer<S> for WebhookLayer<P> {
    type Service = Webhook<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Webhook::new(inner, Arc::clone(&self.shared))
    }
}
