//! The life cycle of a claim: its lease in the shared store, its outcome, and the future's drop.

use super::{
    Claim, Claimed, MemoryStore, Outcome, StoreError,
    memory::Hold,
    outcomes::Unrecorded,
    shared::{Recorded, SharedStore},
    trace::{self, Operation},
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// A claim that was won in this process, and perhaps in the shared store. On drop it is finished
/// with the outcome known so far.
///
/// In this process it has no lease: it is held until the guard is dropped. The lease in the shared
/// store is for the case that the process dies.
pub(crate) struct ClaimGuard {
    provider: &'static str,
    claim: Claim,
    local: MemoryStore,
    shared: Option<SharedStore>,
    in_shared: InShared,
    phase: Phase,
    /// When the shared store was asked for what it has granted last.
    granted: Option<Instant>,
    /// Whether the claim counts as lost when its lease is over.
    expires: bool,
    is_lost: bool,
    /// The next renewal; it waits until it is due.
    renewal: Option<Renewal>,
}

/// When the store was asked, and its answer.
type Renewal = Pin<Box<dyn Future<Output = (Instant, Result<bool, StoreError>)> + Send>>;

/// Whether the shared store has the claim.
#[derive(Clone, Copy, PartialEq)]
enum InShared {
    /// It may have: the call has no answer yet, or failed.
    Perhaps,
    Yes,
    No,
}

enum Phase {
    /// The handler is not called yet.
    Claimed,
    Called,
    /// Recorded in this process, and perhaps in the shared store.
    Recording(Outcome),
    Over,
}

impl ClaimGuard {
    pub(super) fn new(
        provider: &'static str,
        claim: Claim,
        local: MemoryStore,
        shared: Option<SharedStore>,
    ) -> Box<Self> {
        let in_shared = if shared.is_some() { InShared::Perhaps } else { InShared::No };
        Box::new(Self {
            provider,
            claim,
            local,
            shared,
            in_shared,
            phase: Phase::Claimed,
            granted: None,
            expires: false,
            is_lost: false,
            renewal: None,
        })
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The shared store, asked at this instant, has granted the claim. If it `expires`, it counts
    /// as lost when its lease is over.
    pub(super) fn won(&mut self, asked: Instant, expires: bool) {
        (self.in_shared, self.granted) = (InShared::Yes, Some(asked));
        self.expires = expires;
    }

    /// Holds the claim in this process until it is finished. Other content may have taken its place
    /// while the shared store was asked.
    pub(super) fn hold_here(&self) -> Claimed {
        self.local.claim_at(&self.claim, Hold::UntilFinished, self.local.uptime())
    }

    /// Whether another attempt may have the claim: the shared store says so, or the lease is over.
    /// What it never granted, as in an outage, is not lost.
    pub(crate) fn is_lost(&self) -> bool {
        let until = self.granted.and_then(|asked| asked.checked_add(self.claim.lease));
        self.is_lost || self.expires && until.is_some_and(|until| until <= Instant::now())
    }

    /// The shared store has refused the claim.
    pub(super) fn lost_to(mut self: Box<Self>, refused: &Claimed) {
        // The shared store is right: the content that this process has just bound to the signature
        // may be a forger's.
        let outcome = match refused {
            Claimed::Done { answer } => Outcome::Done { answer: answer.clone() },
            _ => Outcome::Withdrawn,
        };
        self.local.finish_now(&self.claim, &outcome);
        self.phase = Phase::Over;
    }

    /// The call of the shared store failed.
    pub(super) fn unanswered(&mut self, error: &StoreError) {
        if error.is_unsent() {
            self.in_shared = InShared::No;
        }
    }

    /// From here on a drop is a failure.
    pub(crate) fn called(&mut self) {
        self.phase = Phase::Called;
    }

    /// Renews the lease, polled while the inner service is pending.
    pub(crate) fn hold(&mut self, cx: &mut Context<'_>) {
        let third = self.claim.lease.checked_div(3).unwrap_or_default();
        while self.in_shared != InShared::No {
            if self.renewal.is_none() {
                // Counted from the grant: the handler may have blocked its thread since.
                let since = self.granted.unwrap_or_else(Instant::now);
                self.renewal = self.renew_after(since, third);
            }
            let Some(renewal) = &mut self.renewal else { return };
            let Poll::Ready((asked, answer)) = renewal.as_mut().poll(cx) else { return };
            self.renewal = None;
            match answer {
                Ok(true) => (self.in_shared, self.granted) = (InShared::Yes, Some(asked)),
                // The lease is running out: try again soon.
                Err(_) => {
                    self.renewal = self.renew_after(Instant::now(), third.min(RETRY_RENEWAL));
                }
                Ok(false) => {
                    if self.in_shared == InShared::Yes {
                        self.is_lost = true;
                        trace::lease_lost(self.provider, Operation::Renew);
                    }
                    // There is nothing to renew. An acknowledgement is recorded all the same.
                    self.in_shared = InShared::No;
                }
            }
        }
    }

    fn renew_after(&self, since: Instant, pause: Duration) -> Option<Renewal> {
        let (shared, due) = self.shared.clone().zip(since.checked_add(pause))?;
        let (provider, claim) = (self.provider, self.claim.clone());
        Some(Box::pin(async move {
            sleep_until(due).await;
            (Instant::now(), shared.renew(provider, claim).await)
        }))
    }

    /// Records the outcome in this process. The returned value records it in the shared store.
    pub(crate) fn finish(mut self: Box<Self>, outcome: Outcome) -> Option<Recording> {
        self.local.finish_now(&self.claim, &outcome);
        self.phase = Phase::Over;
        // Nobody polls it any more, and what it holds, such as a lock, the outcome may need.
        self.renewal = None;
        let shared = self.shared.as_ref()?;
        let unrecorded = self.unrecorded(outcome)?;
        let answer = shared.record(unrecorded.clone());
        self.phase = Phase::Recording(unrecorded.outcome);
        Some(Recording { claim: self, answer })
    }

    /// The outcome for the shared store; `None` if the store need not know it.
    fn unrecorded(&self, outcome: Outcome) -> Option<Unrecorded> {
        let is_news = match outcome {
            Outcome::Done { .. } => true,
            // Delivered in an outage: only this process has bound the content.
            Outcome::Failed if self.granted.is_none() => true,
            Outcome::Failed | Outcome::Withdrawn => self.in_shared != InShared::No,
        };
        let held = self.in_shared == InShared::Yes;
        is_news.then(|| Unrecorded::new(self.provider, self.claim.clone(), outcome, held))
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        let (outcome, here) = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => return,
            // The handler was not called, so the claim is undone.
            Phase::Claimed => (Outcome::Withdrawn, false),
            Phase::Called => (Outcome::Failed, false),
            Phase::Recording(outcome) => (outcome, true),
        };
        if !here {
            self.local.finish_now(&self.claim, &outcome);
        }
        let Some(shared) = &self.shared else { return };
        if let Some(unrecorded) = self.unrecorded(outcome) {
            shared.record_later(unrecorded);
        }
    }
}

/// Records an outcome in the shared store. If that fails, or this is dropped, it is retried in the
/// background.
pub(crate) struct Recording {
    claim: Box<ClaimGuard>,
    answer: Recorded,
}

impl Recording {
    pub(crate) fn poll_recorded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let recorded = ready!(self.answer.as_mut().poll(cx));
        self.claim.phase = Phase::Over;
        if let (Err(unrecorded), Some(shared)) = (recorded, &self.claim.shared) {
            shared.record_later(unrecorded);
        }
        Poll::Ready(())
    }
}

const RETRY_RENEWAL: Duration = Duration::from_millis(500);
