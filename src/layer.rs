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

    /// The largest body in bytes; a larger one is 413, unread where its length was declared.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.bounds.limit = bytes)
    }

    /// How long a body may take to arrive, from the first time that it has to be waited for; then
    /// 408.
    #[must_use]
    pub fn read_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.bounds.timeout = timeout)
    }

    /// How many bytes of bodies that are still being read may be held at once, by this layer or by
    /// all that share the budget; beyond it 503.
    #[must_use]
    pub fn read_budget(self, budget: ReadBudget) -> Self {
        self.with(|settings| settings.bounds.budget = budget)
    }

    /// Keeps claims in `store` instead of one of the layer's own: layers that share a secret share
    /// a store.
    #[must_use]
    pub fn local_store(self, store: MemoryStore) -> Self {
        self.with(|settings| settings.guard.set_local(store))
    }

    /// Sets a store that processes share, such as `RedisStore`. It is asked after the one in
    /// memory.
    #[must_use]
    pub fn shared_store(self, store: impl ReplayStore) -> Self {
        self.with(|settings| settings.guard.set_shared(store))
    }

    /// How long a call of the shared store may take, its second try included; 250 ms by default.
    ///
    /// Before that a claim waits at most half as long for its turn, where the store works on a
    /// number of them at a time ([`max_claims`](crate::replay::ReplayStore::max_claims)). A call
    /// whose connection broke is sent once more. After three failures in a row claims fail without a call for a second, so
    /// that a store that hangs does not slow every request down.
    #[must_use]
    pub fn store_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.guard.set_store_timeout(timeout))
    }

    /// How many outcomes may wait for a shared store that cannot be asked; 16,384 by default.
    ///
    /// What was acknowledged or withdrawn is recorded later, within its retention; a failure,
    /// within its lease. Beyond this number the oldest one that was not acknowledged is given up,
    /// and where there is none, the oldest. An acknowledged one is then open to a replay at another
    /// process: it is counted and logged as an error. See [`drained`](Self::drained).
    #[must_use]
    pub fn unrecorded_limit(self, outcomes: usize) -> Self {
        self.with(|settings| settings.guard.set_unrecorded_limit(outcomes))
    }

    /// What to do while the shared store cannot be asked; [`OutagePolicy::Reject`] by default.
    #[must_use]
    pub fn on_outage(self, outage: OutagePolicy) -> Self {
        self.with(|settings| settings.guard.outage = outage)
    }

    /// How long a signature that never expires is remembered; 24 h by default.
    ///
    /// It can be replayed after that. Where signatures expire (GeeLark, Stardust, ZEGOCLOUD) they
    /// are remembered until then and 60 s longer, and this setting plays no part; a provider of
    /// your own says so with [`Identity::with_valid_until`](crate::Identity::with_valid_until).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a retention of zero: that would switch the guard off.
    pub fn retention(self, retention: Duration) -> Result<Self, ConfigError> {
        self.try_with(|settings| settings.guard.set_retention(retention))
    }

    /// How long a delivery stays claimed in the shared store after its process has died; 15 s by
    /// default.
    ///
    /// While the process lives the lease is renewed. A sender whose last retry comes before the
    /// lease has run out loses the delivery with the process. Without a shared store there is no
    /// lease: a claim is held until the handler's future is over.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for less than a second.
    pub fn lease(self, lease: Duration) -> Result<Self, ConfigError> {
        self.try_with(|settings| settings.guard.set_lease(lease))
    }

    /// The longest body of a [`ReplayedResponse`](crate::replay::ReplayedResponse) that is kept, in
    /// bytes; 4 KiB by default.
    #[must_use]
    pub fn replayed_body_limit(self, bytes: usize) -> Self {
        self.with(|settings| settings.guard.replayed_body_limit = bytes)
    }

    /// Switches the replay guard off: whoever captures one request can have it delivered any number
    /// of times, and, where the signature does not cover the body, any other body with it, for as
    /// long as the signature is accepted.
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

    /// Resolves when the shared store has heard of every outcome: for the end of a shutdown, after
    /// the server has ended.
    ///
    /// Without it an acknowledged delivery that could not be recorded yet can be replayed at
    /// another process. Put a bound on it: a store that never comes back never resolves it.
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
    /// let layer = WebhookLayer::new(Zegocloud::new("a callback secret")?);
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
        self.replaced(settings)
    }

    fn try_with<E>(self, change: impl FnOnce(&mut Settings) -> Result<(), E>) -> Result<Self, E> {
        let mut settings = self.shared.settings.clone();
        change(&mut settings)?;
        Ok(self.replaced(settings))
    }

    fn replaced(self, settings: Settings) -> Self {
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
        Webhook::new(inner, Arc::clone(&self.shared))
    }
}
