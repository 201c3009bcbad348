//! Calls of a shared store: time limit, circuit breaker, one retry, logs and metrics.

use super::{
    Claim, ClaimLimit, Claimed, Outcome, ReplayStore, StoreError, lock,
    outcomes::{Outcomes, Unrecorded},
    trace::{self, Operation},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::AcquireError,
    time::{Instant, timeout},
};

/// A shared store, and what every store needs. Clones share the breaker and the queued outcomes.
#[derive(Clone)]
pub(super) struct SharedStore {
    store: Arc<dyn DynStore>,
    pub(super) limits: Limits,
    link: Arc<Link>,
}

/// The layer's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For one call, its retry included.
    pub(crate) timeout: Duration,
    /// How many outcomes may wait to be recorded.
    pub(crate) outcomes: usize,
}

struct Link {
    breaker: Mutex<Breaker>,
    outcomes: Outcomes,
    limit: ClaimLimit,
}

pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;
/// Records an outcome.
pub(crate) type Recording = Pin<Box<dyn Future<Output = ()> + Send>>;

impl SharedStore {
    pub(super) fn new(store: impl ReplayStore, limits: Limits) -> Self {
        let link = Link {
            breaker: Mutex::default(),
            outcomes: Outcomes::default(),
            limit: store.claim_limit(),
        };
        Self { store: Arc::new(store), limits, link: Arc::new(link) }
    }

    pub(super) fn outcomes(&self) -> &Outcomes {
        &self.link.outcomes
    }

    /// How many claims the store works on at a time.
    pub(super) fn max_claims(&self) -> usize {
        self.link.limit.claims()
    }

    /// The answer, and when the store was asked. A claim is `contested` if its signature is being
    /// claimed with other content.
    pub(super) fn claim(
        &self,
        provider: &'static str,
        claim: Claim,
        contested: bool,
    ) -> Answer<(Claimed, Instant)> {
        let this = self.clone();
        Box::pin(async move {
            this.check_breaker()?;
            // A busy store has not failed: the breaker does not count this.
            let since = std::time::Instant::now();
            let half = this.limits.timeout.checked_div(2).unwrap_or_default();
            let ClaimLimit { turns, contested: few, .. } = &this.link.limit;
            let turn = async {
                let one_of_few = if contested { Some(few.acquire().await?) } else { None };
                Ok::<_, AcquireError>((turns.acquire().await?, one_of_few))
            };
            let _turn = match timeout(half, turn).await {
                Ok(Ok(turn)) => turn,
                // Anybody who has captured a signature can cause this.
                _ if contested => return Ok((Claimed::TooManyContents, Instant::now())),
                _ => {
                    let busy = StoreError::busy();
                    trace::store_called(provider, trace::CLAIM, since, Some(&busy));
                    return Err(busy);
                }
            };
            let asked = Instant::now();
            let call = || this.store.claim(&claim);
            let claimed = this.call(provider, trace::CLAIM, Caller::Request, call).await?;
            Ok((claimed, asked))
        })
    }

    pub(super) async fn renew(
        &self,
        provider: &'static str,
        claim: Claim,
    ) -> Result<bool, StoreError> {
        let renew = || self.store.renew(&claim);
        self.call(provider, trace::RENEW, Caller::Renewal, renew).await
    }

    /// Records an outcome while the response waits for it.
    pub(super) fn record(&self, outcome: Unrecorded) -> Recording {
        Box::pin(NowOrLater { store: self.clone(), outcome: Some(outcome) }.record())
    }

    /// Records an outcome in the background, with retries until it is recorded or expires.
    pub(super) fn record_later(&self, outcome: Unrecorded) {
        self.link.outcomes.push(outcome, self.limits.outcomes);
        Outcomes::start(self);
    }

    /// Records an outcome. If the store does not know the claim, because it forgot it or was
    /// unavailable, the claim is made and finished at once: an acknowledged delivery does not run
    /// again, and of one that failed in an outage the content is bound.
    ///
    /// `Ok` means that the outcome is in the store, or never will be.
    pub(super) async fn record_now(
        &self,
        unrecorded: &mut Unrecorded,
        caller: Caller,
    ) -> Result<(), StoreError> {
        let claim = unrecorded.claim_now();
        let Unrecorded { provider, outcome, held, .. } = unrecorded;
        let outcome = &*outcome;
        let finish = || self.store.finish(&claim, outcome);
        if self.call(provider, trace::FINISH, caller, finish).await? {
            return Ok(());
        }
        // However often this is tried, the lost lease is reported once.
        let was_held = std::mem::take(held);
        let (is_lost, is_made) = match outcome {
            Outcome::Done { .. } => (was_held, true),
            Outcome::Failed => (was_held, !was_held),
            // Perhaps it was withdrawn before, by a call whose answer was lost.
            Outcome::Withdrawn => (false, false),
        };
        if is_lost {
            trace::lease_lost(provider, trace::FINISH);
        }
        if !is_made {
            return Ok(());
        }
        match self.call(provider, trace::CLAIM, caller, || self.store.claim(&claim)).await? {
            Claimed::Done { .. } => Ok(()),
            Claimed::Won { .. } if self.call(provider, trace::FINISH, caller, finish).await? => {
                Ok(())
            }
            Claimed::Conflict => {
                if matches!(outcome, Outcome::Done { .. }) {
                    trace::outcome_lost(
                        provider,
                        "the store has other content under the signature",
                    );
                }
                Ok(())
            }
            // Another attempt runs, or there is no room: that may change.
            _ => Err(StoreError::new(
                "the delivery is claimed by another attempt, or there is no room",
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
        let since = std::time::Instant::now();
        let called = timeout(self.limits.timeout, async {
            match call().await {
                // An idle connection that broke shows with the next call, so try once more. Every
                // call can be repeated with its token.
                Err(broken) if broken.is_disconnected() => {
                    let sent = !broken.is_unsent();
                    call().await.map_err(|again| if sent { again.sent() } else { again })
                }
                answer => answer,
            }
        });
        let answer = called.await.unwrap_or_else(|_| {
            Err(StoreError::new(format!("no answer within {:?}", self.limits.timeout)))
        });
        trace::store_called(provider, operation, since, answer.as_ref().err());
        match (answer.is_ok(), caller) {
            (true, caller) => {
                let was_away = lock(&self.link.breaker).close();
                // The task that records outcomes knows by itself.
                if caller != Caller::Queue {
                    Outcomes::answered(self, was_away);
                }
            }
            (false, Caller::Request) => lock(&self.link.breaker).count_failure(Instant::now()),
            (false, Caller::Renewal | Caller::Queue) => {}
        }
        answer
    }

    fn check_breaker(&self) -> Result<(), StoreError> {
        if lock(&self.link.breaker).lets_through(Instant::now(), self.limits.timeout) {
            Ok(())
        } else {
            Err(StoreError::unsent("skipped, because the last calls failed"))
        }
    }
}

/// An outcome that is recorded in the background if recording it now fails or is dropped.
struct NowOrLater {
    store: SharedStore,
    /// `None` once it is recorded.
    outcome: Option<Unrecorded>,
}

impl NowOrLater {
    async fn record(mut self) {
        let Some(outcome) = &mut self.outcome else { return };
        if self.store.check_breaker().is_ok()
            && self.store.record_now(outcome, Caller::Request).await.is_ok()
        {
            self.outcome = None;
        }
    }
}

impl Drop for NowOrLater {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.store.record_later(outcome);
        }
    }
}

/// Who calls. Only a request waits for the answer: other failures do not open the breaker, and an
/// open breaker does not stop the others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Request,
    Renewal,
    /// The task that records outcomes.
    Queue,
}

/// After three failures in a row requests skip the store for a second, so that a store that hangs
/// does not slow down every request.
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
                // One call tries the store. Until it has an answer, the others skip the store.
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

    /// Closes the breaker after an answer; `true` if the store had failed before.
    fn close(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }
}

type Call<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A [`ReplayStore`] as a trait object.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_breaker_lets_one_through_at_the_end_of_its_time() {
        let (limit, moment) = (Duration::from_millis(250), Duration::from_nanos(1));
        let mut breaker = Breaker::default();
        let failed = Instant::now();
        for _ in 0..3 {
            assert!(breaker.lets_through(failed, limit));
            breaker.count_failure(failed);
        }
        let tried = failed + SKIP;
        assert!(!breaker.lets_through(tried - moment, limit));
        assert!(breaker.lets_through(tried, limit));
        assert!(!breaker.lets_through(tried + limit - moment, limit));
        assert!(breaker.lets_through(tried + limit, limit));
        assert!(breaker.close());
        assert!(breaker.lets_through(tried, limit));
        assert!(!breaker.close());
    }
}
