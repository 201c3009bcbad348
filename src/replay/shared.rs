//! The one way to a store that several processes share: time limit, circuit breaker, one more try,
//! and what is told of it.

use super::{
    Claim, Claimed, Outcome, ReplayStore, StoreError,
    outcomes::{Outcomes, Unrecorded},
    trace::{self, Operation, Watch},
};
use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

/// A shared store with all that is the same for every store. Clones share the breaker and the
/// outcomes that wait.
#[derive(Clone)]
pub(super) struct SharedStore {
    store: Arc<dyn DynStore>,
    limits: Limits,
    link: Arc<Link>,
}

/// What may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For one call, with its second try.
    pub(super) timeout: Duration,
    /// How many outcomes may wait to be recorded.
    pub(super) outcomes: usize,
}

struct Link {
    breaker: Mutex<Breaker>,
    outcomes: Outcomes,
    /// For as many claims as the store works on at a time.
    turns: Semaphore,
    max_claims: usize,
}

pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;
pub(super) type Recorded = Pin<Box<dyn Future<Output = Result<(), Unrecorded>> + Send>>;

impl SharedStore {
    pub(super) fn new(store: impl ReplayStore, limits: Limits) -> Self {
        let max_claims = store.max_claims().clamp(1, Semaphore::MAX_PERMITS);
        let link = Link {
            breaker: Mutex::default(),
            outcomes: Outcomes::default(),
            turns: Semaphore::new(max_claims),
            max_claims,
        };
        Self { store: Arc::new(store), limits, link: Arc::new(link) }
    }

    pub(super) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    pub(super) fn outcomes(&self) -> &Outcomes {
        &self.link.outcomes
    }

    /// How many claims the store works on at a time.
    pub(super) fn max_claims(&self) -> usize {
        self.link.max_claims
    }

    pub(super) fn claim(&self, provider: &'static str, claim: Claim) -> Answer<Claimed> {
        let this = self.clone();
        Box::pin(async move {
            this.check_breaker()?;
            // A busy store is not one that fails: it is asked again at once.
            let watch = Watch::start();
            let half = this.limits.timeout.checked_div(2).unwrap_or_default();
            let Ok(Ok(_turn)) = timeout(half, this.link.turns.acquire()).await else {
                let busy = StoreError::unsent(Busy);
                trace::store_called(provider, Operation::Claim, watch, Some(&busy));
                return Err(busy);
            };
            this.call(provider, Operation::Claim, Caller::Request, || this.store.claim(&claim))
                .await
        })
    }

    pub(super) fn renew(&self, provider: &'static str, claim: Claim) -> Answer<bool> {
        let this = self.clone();
        Box::pin(async move {
            this.call(provider, Operation::Renew, Caller::Background, || this.store.renew(&claim))
                .await
        })
    }

    /// Records an outcome while the response waits for it, or gives it back.
    pub(super) fn record(&self, mut outcome: Unrecorded) -> Recorded {
        let this = self.clone();
        Box::pin(async move {
            if this.check_breaker().is_err() {
                return Err(outcome);
            }
            this.record_now(&mut outcome, Caller::Request).await.map_err(|_| outcome)
        })
    }

    /// Records an outcome in the background, and tries until it is recorded or no longer matters.
    pub(super) fn record_later(&self, outcome: Unrecorded) {
        self.link.outcomes.push(outcome, self.limits.outcomes);
        Outcomes::start(self);
    }

    /// Resolves when no outcome waits to be recorded.
    pub(super) async fn drained(self) {
        Outcomes::drained(&self).await;
    }

    /// What was acknowledged must not run again: where the store knows nothing of the claim,
    /// because it forgot it or could not be asked at the time, the claim is made and finished at
    /// once.
    ///
    /// Without an error the outcome is in the store, or never will be.
    pub(super) async fn record_now(
        &self,
        unrecorded: &mut Unrecorded,
        caller: Caller,
    ) -> Result<(), StoreError> {
        let claim = unrecorded.claim_now();
        let Unrecorded { provider, outcome, held, .. } = unrecorded;
        let outcome = &*outcome;
        let finish = || self.store.finish(&claim, outcome);
        if self.call(provider, Operation::Finish, caller, finish).await? {
            return Ok(());
        }
        // However often this is tried, the lease is lost once.
        if std::mem::take(held) {
            trace::lease_lost(provider, Operation::Finish);
        }
        if !matches!(outcome, Outcome::Done { .. }) {
            return Ok(());
        }
        match self.call(provider, Operation::Claim, caller, || self.store.claim(&claim)).await? {
            Claimed::Done { .. } => Ok(()),
            Claimed::Won { .. }
                if self.call(provider, Operation::Finish, caller, finish).await? =>
            {
                Ok(())
            }
            Claimed::Conflict => {
                trace::conflicting(provider);
                Ok(())
            }
            // Another attempt runs, or there is no room: that may change.
            _ => Err(StoreError::new(
                "the acknowledged delivery is claimed by another attempt, or there is no room",
            )),
        }
    }

    async fn call<'a, T>(
        &'a self,
        provider: &'static str,
        operation: Operation,
        caller: Caller,
        call: impl Fn() -> Call<'a, T>,
    ) -> Result<T, StoreError> {
        let watch = Watch::start();
        let called = timeout(self.limits.timeout, async {
            match call().await {
                // The first to notice that a connection broke while nothing was sent is the next
                // delivery. Claims can be repeated under their token, and so can the rest.
                Err(broken) if broken.is_disconnected() => {
                    let sent = !broken.is_unsent();
                    call().await.map_err(|again| if sent { again.sent() } else { again })
                }
                answer => answer,
            }
        });
        let answer =
            called.await.unwrap_or_else(|_| Err(StoreError::new(NoAnswer(self.limits.timeout))));
        trace::store_called(provider, operation, watch, answer.as_ref().err());
        match (answer.is_ok(), caller) {
            (true, caller) => {
                if self.breaker().close() && caller == Caller::Request {
                    self.link.outcomes.wake();
                }
            }
            (false, Caller::Request) => self.breaker().count_failure(Instant::now()),
            (false, Caller::Background) => {}
        }
        answer
    }

    fn check_breaker(&self) -> Result<(), StoreError> {
        if self.breaker().lets_through(Instant::now(), self.limits.timeout) {
            Ok(())
        } else {
            Err(StoreError::unsent(Skipped))
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.link.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who waits for a call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Request,
    /// Nobody. It is no reason to refuse requests when such a call fails, and an open breaker is
    /// none to leave it.
    Background,
}

/// After three failures in a row nothing is asked for a second, so that a store that hangs does not
/// slow every request down.
#[derive(Default)]
struct Breaker {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    fn lets_through(&mut self, now: Instant, timeout: Duration) -> bool {
        match self.open_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                // One call tries it. The others wait for what it finds.
                self.open_until = now.checked_add(timeout);
                true
            }
        }
    }

    fn count_failure(&mut self, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES_BEFORE_SKIP {
            self.open_until = now.checked_add(SKIP);
        }
    }

    /// The store has answered; whether it had failed before.
    fn close(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }
}

#[derive(Debug)]
struct NoAnswer(Duration);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer within {:?}", self.0)
    }
}

impl std::error::Error for NoAnswer {}

#[derive(Debug)]
struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("as many claims as it takes are under way")
    }
}

impl std::error::Error for Busy {}

#[derive(Debug)]
struct Skipped;

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it has just failed several times")
    }
}

impl std::error::Error for Skipped {}

type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A [`ReplayStore`] of any type.
trait DynStore: Send + Sync {
    fn claim(&self, claim: &Claim) -> Call<'_, Claimed>;
    fn renew(&self, claim: &Claim) -> Call<'_, bool>;
    fn finish(&self, claim: &Claim, outcome: &Outcome) -> Call<'_, bool>;
}

impl<S: ReplayStore> DynStore for S {
    fn claim(&self, claim: &Claim) -> Call<'_, Claimed> {
        Box::pin(ReplayStore::claim(self, claim.clone()))
    }

    fn renew(&self, claim: &Claim) -> Call<'_, bool> {
        Box::pin(ReplayStore::renew(self, claim.clone()))
    }

    fn finish(&self, claim: &Claim, outcome: &Outcome) -> Call<'_, bool> {
        Box::pin(ReplayStore::finish(self, claim.clone(), outcome.clone()))
    }
}

const FAILURES_BEFORE_SKIP: u32 = 3;
const SKIP: Duration = Duration::from_secs(1);
