//! A claim's own life: its lease in the shared store, its outcome, and what becomes of it when the
//! future is dropped.

use super::{
    Claim, Claimed, MemoryStore, Outcome, StoreError,
    outcomes::Unrecorded,
    shared::{Answer, Recorded, SharedStore},
    trace::{self, Operation},
};
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// A claim that was won in this process, and perhaps in the shared store. Dropped, it ends with the
/// outcome known so far.
///
/// In this process it has no lease: it is held for as long as this exists. The lease in the shared
/// store is for the case that the process dies.
pub(crate) struct ClaimGuard {
    provider: &'static str,
    claim: Claim,
    local: MemoryStore,
    shared: Option<SharedStore>,
    in_shared: InShared,
    phase: Phase,
    beat: Option<Pin<Box<Sleep>>>,
    renewal: Option<Answer<bool>>,
}

/// Whether the shared store has the claim.
#[derive(Clone, Copy, PartialEq)]
enum InShared {
    /// It may have: the call was dropped or got no answer.
    Perhaps,
    Yes,
    No,
}

enum Phase {
    /// The handler was not called.
    Claimed,
    Called,
    /// Recorded here, and perhaps in the shared store.
    Recording(Outcome),
    Over,
}

impl ClaimGuard {
    pub(super) fn new(
        provider: &'static str,
        claim: Claim,
        local: MemoryStore,
        shared: Option<SharedStore>,
    ) -> Self {
        Self {
            provider,
            claim,
            local,
            shared,
            in_shared: InShared::Perhaps,
            phase: Phase::Claimed,
            beat: None,
            renewal: None,
        }
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The shared store has it.
    pub(super) fn won(&mut self) {
        self.in_shared = InShared::Yes;
    }

    /// The shared store gave it to nobody or to somebody else.
    pub(super) fn lost_to(mut self, refused: &Claimed) {
        // What this process knows must not outlive what the shared store says: the content that it
        // has just bound to the signature may be a forger's.
        let outcome = match refused {
            Claimed::Done { answer } => Outcome::Done { answer: answer.clone() },
            _ => Outcome::Withdrawn,
        };
        self.local.finish_now(&self.claim, &outcome);
        self.phase = Phase::Over;
    }

    /// The shared store could not be asked.
    pub(super) fn unanswered(&mut self, error: &StoreError) {
        if error.is_unsent() {
            self.in_shared = InShared::No;
        }
    }

    /// From here on it is a failure not to come to an end.
    pub(crate) fn called(&mut self) {
        self.phase = Phase::Called;
    }

    /// Keeps the lease while something else is being waited for.
    pub(crate) fn hold(&mut self, cx: &mut Context<'_>) {
        let Some(shared) = self.shared.as_ref().filter(|_| self.in_shared != InShared::No) else {
            return;
        };
        let third = self.claim.lease.checked_div(3).unwrap_or_default();
        let mut next = third;
        loop {
            if let Some(renewal) = &mut self.renewal {
                match renewal.as_mut().poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(true)) => next = third,
                    // The lease runs on while the store is away.
                    Poll::Ready(Err(_)) => next = third.min(RETRY_RENEWAL),
                    Poll::Ready(Ok(false)) => {
                        if self.in_shared == InShared::Yes {
                            trace::lease_lost(self.provider, Operation::Renew);
                        }
                        // There is nothing to renew. The outcome is recorded all the same.
                        self.in_shared = InShared::No;
                        self.renewal = None;
                        return;
                    }
                }
                self.renewal = None;
            }
            let beat = self.beat.get_or_insert_with(|| Box::pin(sleep(next)));
            if beat.as_mut().poll(cx).is_pending() {
                return;
            }
            self.beat = None;
            self.renewal = Some(shared.renew(self.provider, self.claim.clone()));
        }
    }

    /// Records the outcome here at once; what is returned has to be waited for.
    pub(crate) fn finish(mut self, outcome: Outcome) -> Option<Recording> {
        self.local.finish_now(&self.claim, &outcome);
        self.phase = Phase::Over;
        let shared = self.shared.as_ref()?;
        let unrecorded = self.unrecorded(outcome)?;
        let answer = shared.record(unrecorded.clone());
        self.phase = Phase::Recording(unrecorded.outcome);
        Some(Recording { claim: self, answer })
    }

    /// What the shared store has to hear.
    fn unrecorded(&self, outcome: Outcome) -> Option<Unrecorded> {
        let is_news = matches!(outcome, Outcome::Done { .. }) || self.in_shared != InShared::No;
        let held = self.in_shared == InShared::Yes;
        is_news.then(|| Unrecorded::new(self.provider, self.claim.clone(), outcome, held))
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        let (outcome, here) = match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Over => return,
            // It binds no content and takes no room: the handler has seen nothing of it.
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

/// An outcome that the shared store is told of. Where it cannot be, and when this is dropped, that
/// is tried again in the background.
pub(crate) struct Recording {
    claim: ClaimGuard,
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
