//! Admission of a delivery: it is claimed in this process, then in the shared store.

use super::{
    CENTURY, Claim, ClaimGuard, Claimed, MemoryStore, OutagePolicy, ReplayCheck, ReplayStore,
    ReplayedResponse, StoreError,
    latest::{CLOCK_SKEW, kept},
    memory::Hold,
    outcomes::Outcomes,
    shared::{Answer, Limits, SharedStore},
    trace,
};
use crate::{Content, Identity, Input, Proof, Rejection, RejectionKind};
use bytes::Bytes;
use http::{header, request::Parts};
use sha2::{Digest, Sha256};
use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// The guard's settings and stores.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) on: bool,
    pub(crate) outage: OutagePolicy,
    pub(crate) replayed_body_limit: usize,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
    pub(crate) local: MemoryStore,
    shared: Option<SharedStore>,
    limits: Limits,
    /// The next claim's token: distinct in this process and, by the random start, between
    /// processes.
    tokens: Arc<AtomicI64>,
    /// Whether it was reported that the memory store fills up.
    is_high: Arc<AtomicBool>,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self {
            on: true,
            outage: OutagePolicy::default(),
            replayed_body_limit: 4 << 10,
            lease: Duration::from_secs(15),
            retention: Duration::from_secs(24 * 60 * 60),
            local: MemoryStore::new(),
            shared: None,
            limits: Limits { timeout: Duration::from_millis(250), outcomes: 16_384 },
            tokens: Arc::new(AtomicI64::new(RandomState::new().hash_one(()) as i64)),
            is_high: Arc::default(),
        }
    }

    pub(crate) fn set_shared(&mut self, store: impl ReplayStore) {
        self.shared = Some(SharedStore::new(store, self.limits));
    }

    pub(crate) fn set_limits(&mut self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.limits);
        if let Some(shared) = &mut self.shared {
            shared.limits = self.limits;
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Resolves when no outcome waits to be recorded.
    pub(crate) fn drained(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared = self.shared.clone();
        async move {
            if let Some(shared) = &shared {
                Outcomes::drained(shared).await;
            }
        }
    }

    /// Claims a delivery in this process, and starts to claim it in the shared store.
    pub(crate) fn enter(
        &self,
        provider: &'static str,
        proof: &Proof,
        keys: Option<Keys>,
        now: SystemTime,
    ) -> Admission {
        let Some((identity, keys)) = proof.identity.as_ref().zip(keys).filter(|_| self.on) else {
            return Admission::Admitted {
                claim: None,
                attempt: 1,
                checked: ReplayCheck::Unguarded,
            };
        };
        let uptime = self.local.uptime();
        let retention = match identity.valid_until {
            Some(end) if self.local.latest().has_passed(end, uptime) => {
                return Admission::Refused(Rejection::new(RejectionKind::Stale));
            }
            // A clock that is ahead may be set back: count from the signed time if it is earlier.
            Some(end) => {
                let from = proof.signed_at.map_or(now, |signed_at| signed_at.min(now));
                self.local.latest().note(from, uptime);
                kept(end.duration_since(from).unwrap_or_default().saturating_add(CLOCK_SKEW))
            }
            None => self.retention,
        };
        let Keys { key, signature, fingerprint } = keys;
        let claim = Claim {
            key,
            signature,
            fingerprint,
            // Wraps around at the end.
            token: self.tokens.fetch_add(1, Ordering::Relaxed),
            lease: self.lease.min(CENTURY),
            retention: retention.min(CENTURY),
        };
        let here = |hold| self.local.claim_at(&claim, hold, uptime);
        let mut contested = false;
        let claimed = match &self.shared {
            None => here(Hold::UntilFinished),
            Some(_) => match here(Hold::UntilAnswered { contested }) {
                // Only the shared store knows which content came first. If whoever waits for its
                // answer could refuse the others, a forger would keep the sender's retry out.
                Claimed::Conflict => {
                    contested = true;
                    here(Hold::UntilAnswered { contested })
                }
                claimed => claimed,
            },
        };
        let attempt = match claimed {
            Claimed::Won { attempt } => attempt,
            refused => return Admission::refused(refused),
        };
        let answer =
            self.shared.as_ref().map(|shared| shared.claim(provider, claim.clone(), contested));
        let claim = ClaimGuard::new(provider, claim, self.local.clone(), self.shared.clone());
        trace::claims(provider, &self.local, &self.is_high);
        match answer {
            Some(answer) => Admission::Waiting(Waiting { answer, claim, outage: self.outage }),
            None => {
                Admission::Admitted { claim: Some(claim), attempt, checked: ReplayCheck::Local }
            }
        }
    }
}

/// The digests that identify a delivery: see [`Claim`].
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub(crate) key: [u8; 16],
    signature: [u8; 16],
    fingerprint: [u8; 16],
}

impl Keys {
    /// An unguarded delivery needs no fingerprint, unless it is part of the key.
    pub(crate) fn new(
        provider: &'static str,
        identity: &Identity,
        head: &Parts,
        body: &Bytes,
        guarded: bool,
    ) -> Self {
        let part = identity.content == Content::Part;
        let mut content = [0; 16];
        if guarded || part {
            if identity.content != Content::Signed {
                content = fingerprint(identity, head, body);
            }
            if let Some(unsigned) = identity.unsigned {
                content = truncate(Sha256::new_with_prefix(content).chain_update(unsigned));
            }
        }
        let mut key = Sha256::new_with_prefix(KEY_VERSION);
        key.update(provider);
        key.update([u8::from(part)]);
        identity.hash_into(&mut key);
        let signature = truncate(key);
        let key = if part {
            truncate(Sha256::new_with_prefix(signature).chain_update(content))
        } else {
            signature
        };
        Self { key, signature, fingerprint: content }
    }
}

/// Whether a delivery is admitted.
pub(crate) enum Admission {
    /// It is admitted. Without a claim it is not guarded.
    Admitted { claim: Option<Box<ClaimGuard>>, attempt: u32, checked: ReplayCheck },
    /// It is claimed in this process and waits for the shared store.
    Waiting(Waiting),
    /// It was acknowledged before.
    Repeated(Option<ReplayedResponse>),
    /// It is not admitted.
    Refused(Rejection),
}

impl Admission {
    fn refused(claimed: Claimed) -> Self {
        let refused = |kind, after| Self::Refused(Rejection::new(kind).with_retry_after(after));
        match claimed {
            Claimed::Done { answer } => Self::Repeated(answer),
            Claimed::InFlight { retry_after } => refused(RejectionKind::InFlight, retry_after),
            Claimed::TooManyContents => refused(RejectionKind::TooManyContents, RETRY_AFTER),
            Claimed::Full => refused(RejectionKind::StoreFull, RETRY_AFTER),
            Claimed::Conflict | Claimed::Won { .. } => {
                Self::Refused(Rejection::new(RejectionKind::Conflict).with_detail(
                    "a replay, or honest requests that share a nonce: see the security model",
                ))
            }
        }
    }
}

/// A delivery that is claimed in this process and waits for the shared store.
pub(crate) struct Waiting {
    pub(crate) answer: Answer<(Claimed, Instant)>,
    claim: Box<ClaimGuard>,
    outage: OutagePolicy,
}

impl Waiting {
    /// Applies the shared store's answer.
    pub(crate) fn answered(self, answer: Result<(Claimed, Instant), StoreError>) -> Admission {
        let Self { answer: _, mut claim, outage } = self;
        match answer {
            Ok((Claimed::Won { attempt }, asked)) => {
                // With the fallback an event may rather run twice than be lost.
                claim.won(asked, outage == OutagePolicy::Reject);
                match claim.hold_here() {
                    Claimed::Won { .. } => Admission::Admitted {
                        claim: Some(claim),
                        attempt,
                        checked: ReplayCheck::Shared,
                    },
                    refused => Admission::refused(refused),
                }
            }
            Ok((refused, _)) => {
                claim.lost_to(&refused);
                Admission::refused(refused)
            }
            Err(error) => {
                claim.unanswered(&error);
                // A store that is busy is no outage: whoever sends a burst could replay.
                if outage == OutagePolicy::LocalFallback && !error.busy {
                    return match claim.hold_in_outage() {
                        Claimed::Won { attempt } => Admission::Admitted {
                            claim: Some(claim),
                            attempt,
                            checked: ReplayCheck::LocalFallback,
                        },
                        refused => Admission::refused(refused),
                    };
                }
                let rejection =
                    Rejection::new(RejectionKind::StoreUnavailable).with_retry_after(RETRY_AFTER);
                Admission::Refused(rejection.with_source(error))
            }
        }
    }
}

/// The digest of the content that a signature is bound to: see [`Content`].
fn fingerprint(identity: &Identity, head: &Parts, body: &Bytes) -> [u8; 16] {
    let counted = |input, part| if identity.has_input(input) { part } else { &b""[..] };
    let content_type =
        head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let mut hash = Sha256::new();
    for part in [
        head.method.as_str().as_bytes(),
        counted(Input::Path, head.uri.path().as_bytes()),
        counted(Input::Query, head.uri.query().unwrap_or_default().as_bytes()),
        counted(Input::ContentType, content_type),
        body,
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    truncate(hash)
}

fn truncate(hash: Sha256) -> [u8; 16] {
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// Changes whenever the hashed data changes. With a provider's name and a MAC it fits into one
/// block of SHA-256.
const KEY_VERSION: &[u8] = b"tw1\0";
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(1);
