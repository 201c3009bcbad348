//! The tower layer that puts a [`Provider`] in front of a service.

use crate::{
    ConfigError, Provider, ReadBudget,
    replay::{MemoryStore, OutagePolicy, ReplayStore},
    service::Webhook,
    settings::{Settings, Shared},
};
use std::{fmt, future::Future, sync::Arc, time::Duration};
use tower_layer::Layer;

/// Verifies requests by a provider's rules before an inner service sees them.
///
/// Settings of the sender (keys, window, public URL) belong to the provider; limits, timeouts and
/// replay belong here. Clones, and all services that one layer wraps, share the read budget and the
/// memory store.
pub struct WebhookLayer<P> {
    shared: Arc<Shared<P>>,
}

impl<P: Provider> WebhookLayer<P> {
    /// A layer with the provider's body limit, a read deadline of 10 s, a read budget of 64 MiB and
    /// a replay guard in memory.
    pub fn new(provider: P) -> Self {
        Self {
            shared: Arc::new(Shared {
                provider: Arc::new(provider),
                settings: Settings::new(P::BODY_LIMIT),
            }),
        }
    }

    /// Sets the largest body in bytes. A larger one is 413, and is not read if its length is
    /// declared.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.bounds.limit = bytes)
    }

    /// Sets how long a body may take to arrive, from the first time that it is pending; then 408.
    #[must_use]
    pub fn read_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.bounds.timeout = timeout)
    }

    /// Limits the bytes of bodies that are being read, in all layers that share the budget; beyond
    /// it 503. A body above three quarters of it is always 503.
    #[must_use]
    pub fn read_budget(self, budget: ReadBudget) -> Self {
        self.with(|settings| settings.bounds.budget = budget)
    }

    /// Keeps claims in `store` instead of the layer's own. Layers that share a secret must share a
    /// store.
    #[must_use]
    pub fn local_store(self, store: MemoryStore) -> Self {
        self.with(|settings| settings.guard.local = store)
    }

    /// Sets a store that processes share, such as `RedisStore`. A delivery is claimed in memory
    /// first, then there.
    #[must_use]
    pub fn shared_store(self, store: impl ReplayStore) -> Self {
        self.with(|settings| settings.guard.set_shared(store))
    }

    /// Sets the time limit of a call of the shared store, its retry included; 250 ms by default.
    ///
    /// If the store limits concurrent claims
    /// ([`claim_limit`](crate::replay::ReplayStore::claim_limit)), a claim first waits at most half
    /// as long for its turn. A call whose connection broke is tried once more. After three failures
    /// in a row claims fail at once for a second, so that a store that hangs does not slow down
    /// every request. Keep it well below the [`lease`](Self::lease): a claim that takes as long as
    /// its lease is lost when it is granted.
    #[must_use]
    pub fn store_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.guard.set_limits(|limits| limits.timeout = timeout))
    }

    /// Sets how many outcomes may wait while the shared store is unavailable; 16,384 by default.
    ///
    /// They are recorded later: a failure within its lease; all else, and a failure of what was
    /// delivered in an outage, within its retention. If more wait, the oldest failure or withdrawal
    /// is dropped first. If there is none, the oldest acknowledgement is. An acknowledged delivery
    /// that is dropped can be replayed at another process; it is counted and logged as an error.
    /// See [`drained`](Self::drained).
    #[must_use]
    pub fn unrecorded_limit(self, outcomes: usize) -> Self {
        self.with(|settings| settings.guard.set_limits(|limits| limits.outcomes = outcomes))
    }

    /// Sets what to do while the shared store is unavailable; [`OutagePolicy::Reject`] by default.
    ///
    /// Until three calls have failed, a claim that waits for its turn is a 503 under either policy.
    #[must_use]
    pub fn on_outage(self, outage: OutagePolicy) -> Self {
        self.with(|settings| settings.guard.outage = outage)
    }

    /// Sets how long a signature that never expires is remembered; 24 h by default.
    ///
    /// After that it can be replayed. Signatures that expire (GeeLark, Stardust, ZEGOCLOUD) are
    /// remembered for at least 60 s longer than they are valid, whatever this setting is. A
    /// provider of your own sets their end with
    /// [`Identity::with_valid_until`](crate::Identity::with_valid_until).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for less than a second: that would switch the guard off.
    pub fn retention(self, retention: Duration) -> Result<Self, ConfigError> {
        if retention < SHORTEST {
            return Err(ConfigError::new("the retention is shorter than a second"));
        }
        Ok(self.with(|settings| settings.guard.retention = retention))
    }

    /// Sets how long a delivery stays claimed in the shared store after its process has died; 15 s
    /// by default.
    ///
    /// A live process renews the lease. If the sender's last retry comes before a dead process's
    /// lease has run out, the delivery is lost. Without a shared store there is no lease: a claim
    /// is held until the handler's future ends.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for less than a second.
    pub fn lease(self, lease: Duration) -> Result<Self, ConfigError> {
        if lease < SHORTEST {
            return Err(ConfigError::new("the lease is shorter than a second"));
        }
        Ok(self.with(|settings| settings.guard.lease = lease))
    }

    /// Sets the longest body of a [`ReplayedResponse`](crate::replay::ReplayedResponse) that is
    /// kept, in bytes; 4 KiB by default.
    #[must_use]
    pub fn replayed_body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.guard.replayed_body_limit = bytes)
    }

    /// Switches the replay guard off. While its signature is accepted, a captured request can then
    /// be delivered any number of times, with any body if the signature does not cover the body.
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

    /// Resolves when no outcome waits for the shared store: for a shutdown, after the server has
    /// ended. Each layer has outcomes of its own.
    ///
    /// Without it an acknowledged delivery that is not recorded yet can be replayed at another
    /// process. Add a timeout: while the store is unavailable, outcomes wait until they expire, and
    /// a withdrawal waits until its claim can take no effect any more. The server's end needs one
    /// too: [at shutdown](crate::guide::acknowledging_fast#at-shutdown) shows both.
    ///
    /// ```
    /// use axum::{Router, http::StatusCode, routing::post};
    /// use std::time::Duration;
    /// use tower_webhooks::{
    ///     Verified, WebhookLayer,
    ///     zegocloud::{Event, Zegocloud},
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let stop = async {};
    /// # let store = tower_webhooks::replay::MemoryStore::new();
    /// let layer =
    ///     WebhookLayer::new(Zegocloud::new("a callback secret")?).shared_store(store);
    /// let app = Router::new().route(
    ///     "/zegocloud",
    ///     post(async |_: Verified<Event>| StatusCode::OK).route_layer(layer.clone()),
    /// );
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    /// axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    /// if tokio::time::timeout(Duration::from_secs(10), layer.drained()).await.is_err() {
    ///     eprintln!("the replay store has not heard of every delivery");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn drained(&self) -> impl Future<Output = ()> + Send + use<P> {
        self.shared.settings.guard.drained()
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
            .field("body_limit", &self.shared.settings.bounds.limit)
            .field("read_timeout", &self.shared.settings.bounds.timeout)
            .field("guarded", &self.shared.settings.guard.on)
            .field("shared", &self.shared.settings.guard.is_shared())
            .finish_non_exhaustive()
    }
}

impl<S, P> Layer<S> for WebhookLayer<P> {
    type Service = Webhook<S, P>;

    fn layer(&self, inner: S) -> Self::Service {
        Webhook { inner, shared: Arc::clone(&self.shared) }
    }
}

const SHORTEST: Duration = Duration::from_secs(1);
