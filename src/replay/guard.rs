//! Between the layer and its stores: claims are minted, asked for, held and finished here.

use super::{
    Claim, Claimed, MemoryStore, OutagePolicy, Outcome, ReplayCheck, ReplayStore, ReplayedResponse, StoreError,
};
use crate::{Content, Identity, Rejection, RejectionKind, trace};
use bytes::Bytes;
use http::{header, request::Parts};
use sha2::{Digest, Sha256};
use std::{
    any::Any,
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::time::Sleep;

/// The guard's settings and stores.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) on: bool,
    pub(crate) outage: OutagePolicy,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) replayed_body_limit: usize,
    stores: Stores,
    tokens: Arc<Tokens>,
}

#[derive(Clone)]
struct Stores {
    local: MemoryStore,
    shared: Option<Arc<dyn DynStore>>,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self {
            on: true,
            outage: OutagePolicy::default(),
            lease: Duration::from_secs(15),
            retention: Duration::from_secs(24 * 60 * 60),
            replayed_body_limit: 4 << 10,
            stores: Stores { local: MemoryStore::new(), shared: None },
            tokens: Arc::default(),
        }
    }

    pub(crate) fn set_store(&mut self, store: impl ReplayStore) {
        // The memory store is known by its type: it is called without a box.
        match (&store as &dyn Any).downcast_ref::<MemoryStore>() {
            Some(local) => self.stores.local = local.clone(),
            None => self.stores.shared = Some(Arc::new(store)),
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.stores.shared.is_some()
    }

    /// Claims a delivery.
    pub(crate) fn enter(
        &self,
        provider: &'static str,
        identity: Option<&Identity>,
        head: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Admission {
        let Some(identity) = identity.filter(|_| self.on) else {
            return Admission::Open { ticket: None, attempt: 1, checked: ReplayCheck::Unguarded };
        };
        let claim = self.mint(provider, identity, head, body, now);
        let attempt = match self.stores.local.claim_now(&claim) {
            Claimed::Won { attempt } => attempt,
            refused => return Admission::Closed(Answered::by(refused)),
        };
        let asked = self.stores.shared.as_ref().map(|shared| Arc::clone(shared).claim(claim.clone()));
        let ticket = ClaimGuard {
            provider,
            claim,
            stores: self.stores.clone(),
            outage: self.outage,
            attempt,
            phase: Phase::Asking,
            hold: None,
            renewal: None,
        };
        match asked {
            Some(answer) => Admission::Asking { ticket, answer },
            None => Admission::Open { ticket: Some(ticket.delivering()), attempt, checked: ReplayCheck::Local },
        }
    }

    fn mint(&self, provider: &'static str, identity: &Identity, head: &Parts, body: &Bytes, now: SystemTime) -> Claim {
        let content = match identity.content {
            Content::Signed => [0; 16],
            Content::Bound | Content::Part => fingerprint(head, body),
        };
        let content = match identity.unsigned {
            Some(unsigned) => truncate(Sha256::new_with_prefix(content).chain_update(unsigned)),
            None => content,
        };
        let mut key = Sha256::new_with_prefix(KEY_VERSION);
        key.update(provider);
        key.update([0]);
        key.update(identity.digest);
        if identity.content == Content::Part {
            key.update(content);
        }
        let retention = match identity.valid_until {
            Some(end) => end.duration_since(now).unwrap_or_default().saturating_add(CLOCK_SKEW),
            None => self.retention,
        };
        Claim { key: truncate(key), fingerprint: content, token: self.tokens.next(), lease: self.lease, retention }
    }
}

/// The answer to a delivery that wants in.
pub(crate) enum Admission {
    Open { ticket: Option<ClaimGuard>, attempt: u32, checked: ReplayCheck },
    Asking { ticket: ClaimGuard, answer: Answer<Claimed> },
    Closed(Answered),
}

/// What to answer a delivery that does not get in.
pub(crate) enum Answered {
    Repeated(Option<ReplayedResponse>),
    Refused(Rejection),
}

impl Answered {
    fn by(claimed: Claimed) -> Self {
        let refused = |kind, after| Self::Refused(Rejection::new(kind).with_retry_after(after));
        match claimed {
            Claimed::Done { answer } => Self::Repeated(answer),
            Claimed::InFlight { retry_after } => refused(RejectionKind::InFlight, retry_after),
            Claimed::Full => refused(RejectionKind::StoreFull, RETRY_AFTER),
            Claimed::Conflict | Claimed::Won { .. } => Self::Refused(Rejection::new(RejectionKind::Conflict)),
        }
    }
}

/// A claim that was won, or may have been. Dropped, it finishes with the outcome known so far.
pub(crate) struct ClaimGuard {
    provider: &'static str,
    claim: Claim,
    stores: Stores,
    outage: OutagePolicy,
    attempt: u32,
    phase: Phase,
    hold: Option<Pin<Box<Sleep>>>,
    renewal: Option<Answer<bool>>,
}

enum Phase {
    /// Won here, and perhaps in the shared store.
    Asking,
    Delivering,
    /// Recorded here, and perhaps in the shared store.
    Finishing(Outcome),
    Over,
}

impl ClaimGuard {
    /// The shared store has answered.
    pub(crate) fn asked(mut self, answer: Result<Claimed, StoreError>) -> Admission {
        match answer {
            Ok(Claimed::Won { attempt }) => {
                Admission::Open { ticket: Some(self.delivering()), attempt, checked: ReplayCheck::Shared }
            }
            Ok(refused) => {
                // What this process knows must not outlive what the shared store says: the content that it has just
                // bound to the signature may be a forger's.
                match &refused {
                    Claimed::Done { answer } => {
                        self.stores.local.finish_now(&self.claim, &Outcome::Done { answer: answer.clone() });
                    }
                    _ => self.stores.local.forget(&self.claim),
                }
                self.phase = Phase::Over;
                Admission::Closed(Answered::by(refused))
            }
            Err(error) => {
                trace::store_error(self.provider, "claim");
                if error.is_unsent() {
                    self.stores.shared = None;
                }
                if self.outage == OutagePolicy::LocalFallback {
                    let attempt = self.attempt;
                    return Admission::Open {
                        ticket: Some(self.delivering()),
                        attempt,
                        checked: ReplayCheck::LocalFallback,
                    };
                }
                let rejection = Rejection::new(RejectionKind::StoreUnavailable).with_retry_after(RETRY_AFTER);
                Admission::Closed(Answered::Refused(rejection.with_source(error)))
            }
        }
    }

    fn delivering(mut self) -> Self {
        self.phase = Phase::Delivering;
        self
    }

    /// Keeps the lease while something else is being waited for.
    pub(crate) fn hold(&mut self, cx: &mut Context<'_>) {
        loop {
            if let Some(renewal) = &mut self.renewal {
                match renewal.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Err(_)) => trace::store_error(self.provider, "renew"),
                    Poll::Ready(Ok(_)) => {}
                }
                self.renewal = None;
            }
            let beat = self.claim.lease.checked_div(3).unwrap_or_default();
            let sleep = self.hold.get_or_insert_with(|| Box::pin(tokio::time::sleep(beat)));
            if sleep.as_mut().poll(cx).is_pending() {
                return;
            }
            self.hold = None;
            self.stores.local.renew_now(&self.claim);
            self.renewal = self.stores.shared.as_ref().map(|shared| Arc::clone(shared).renew(self.claim.clone()));
        }
    }

    /// Records the outcome here at once; the answer that is returned has to be waited for.
    pub(crate) fn finish(&mut self, outcome: Outcome) -> Option<Answer<bool>> {
        self.stores.local.finish_now(&self.claim, &outcome);
        let Some(shared) = &self.stores.shared else {
            self.phase = Phase::Over;
            return None;
        };
        self.phase = Phase::Finishing(outcome.clone());
        Some(Arc::clone(shared).finish(self.claim.clone(), outcome))
    }

    /// The shared store has answered. If it could not, dropping the ticket tries again in the background.
    pub(crate) fn finished(mut self, answer: &Result<bool, StoreError>) {
        match answer {
            Ok(_) => self.phase = Phase::Over,
            Err(_) => trace::store_error(self.provider, "finish"),
        }
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        let outcome = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => return,
            Phase::Asking => {
                self.stores.local.forget(&self.claim);
                Outcome::Failed
            }
            Phase::Delivering => {
                self.stores.local.finish_now(&self.claim, &Outcome::Failed);
                Outcome::Failed
            }
            Phase::Finishing(outcome) => outcome,
        };
        if let (Some(shared), Ok(runtime)) = (self.stores.shared.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(give_up(shared, self.claim.clone(), outcome));
        }
    }
}

/// Tries until the store has heard of the outcome, or the lease has run out and it no longer matters.
async fn give_up(shared: Arc<dyn DynStore>, claim: Claim, outcome: Outcome) {
    let mut waited = Duration::ZERO;
    let mut pause = FIRST_PAUSE;
    while Arc::clone(&shared).finish(claim.clone(), outcome.clone()).await.is_err() && waited < claim.lease {
        tokio::time::sleep(pause).await;
        waited = waited.saturating_add(pause);
        pause = pause.saturating_mul(2).min(LAST_PAUSE);
    }
}

/// Distinct in this process and, by the random start, between processes.
#[derive(Default)]
struct Tokens {
    seed: RandomState,
    minted: AtomicU64,
}

impl Tokens {
    fn next(&self) -> u64 {
        self.seed.hash_one(self.minted.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) type Answer<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// A [`ReplayStore`] of any type.
trait DynStore: Send + Sync {
    fn claim(self: Arc<Self>, claim: Claim) -> Answer<Claimed>;
    fn renew(self: Arc<Self>, claim: Claim) -> Answer<bool>;
    fn finish(self: Arc<Self>, claim: Claim, outcome: Outcome) -> Answer<bool>;
}

impl<S: ReplayStore> DynStore for S {
    fn claim(self: Arc<Self>, claim: Claim) -> Answer<Claimed> {
        Box::pin(async move { ReplayStore::claim(&*self, claim).await })
    }

    fn renew(self: Arc<Self>, claim: Claim) -> Answer<bool> {
        Box::pin(async move { ReplayStore::renew(&*self, claim).await })
    }

    fn finish(self: Arc<Self>, claim: Claim, outcome: Outcome) -> Answer<bool> {
        Box::pin(async move { ReplayStore::finish(&*self, claim, outcome).await })
    }
}

/// The content that a signature is bound to: all of the request that means something and that nobody signed.
fn fingerprint(head: &Parts, body: &Bytes) -> [u8; 16] {
    let content_type = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let mut hash = Sha256::new();
    for part in [
        head.method.as_str().as_bytes(),
        head.uri.path().as_bytes(),
        head.uri.query().unwrap_or_default().as_bytes(),
        content_type,
        body,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    truncate(hash)
}

fn truncate(hash: Sha256) -> [u8; 16] {
    let digest: [u8; 32] = hash.finalize().into();
    let mut start = [0; 16];
    start.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    start
}

// A change of what is hashed is a change of this.
const KEY_VERSION: &[u8] = b"tower-webhooks replay key 1\0";
const CLOCK_SKEW: Duration = Duration::from_secs(60);
const RETRY_AFTER: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
