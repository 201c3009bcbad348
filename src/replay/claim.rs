//! The life cycle of a claim: its lease in the shared store, its outcome, and the future's drop.

use super::{
    Claim, Claimed, MemoryStore, Outcome, StoreError,
    memory::Hold,
    outcomes::Unrecorded,
    shared::{Recording, SharedStore},
    trace,
};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
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
    /// Whether the claim counts as lost when its lease is over.
    expires: bool,
    /// The next renewal; it waits until it is due.
    renewal: Option<Renewal>,
    /// How it ends if it is dropped; `None` once it has ended.
    if_dropped: Option<Outcome>,
}

/// When the store was asked, and its answer.
type Renewal = Pin<Box<dyn Future<Output = (Instant, Result<bool, StoreError>)> + Send>>;

/// Whether the shared store has the claim.
#[derive(Clone, Copy, PartialEq)]
enum InShared {
    /// It may have: the call has no answer yet, or failed.
    Perhaps,
    /// It has granted the claim, when it was asked at this instant for the last time.
    Since(Instant),
    /// It has granted the claim, and no longer holds it for this attempt.
    Lost,
    /// It has not granted the claim.
    No,
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
            expires: false,
            renewal: None,
            // Until the handler is called, the claim can be undone.
            if_dropped: Some(Outcome::Withdrawn),
        })
    }

    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The shared store, asked at this instant, has granted the claim. If it `expires`, it counts
    /// as lost when its lease is over.
    pub(super) fn won(&mut self, asked: Instant, expires: bool) {
        (self.in_shared, self.expires) = (InShared::Since(asked), expires);
    }

    /// Holds the claim in this process until it is finished, in place of whoever still waits for
    /// the shared store. Another one may have been admitted meanwhile.
    pub(super) fn hold_here(&self) -> Claimed {
        self.local.claim_at(&self.claim, Hold::UntilFinished, self.local.uptime())
    }

    /// Holds the claim in this process although the shared store has not granted it. Who came here
    /// first and still waits for the shared store keeps its place.
    pub(super) fn hold_in_outage(&self) -> Claimed {
        let hold = Hold::UntilAnswered { contested: false };
        match self.local.claim_at(&self.claim, hold, self.local.uptime()) {
            Claimed::Won { .. } => self.hold_here(),
            refused => refused,
        }
    }

    /// Whether another attempt may have the claim: the shared store says so, or the lease is over.
    /// What it never granted, as in an outage, is not lost.
    pub(crate) fn is_lost(&self) -> bool {
        match self.in_shared {
            InShared::Since(asked) => {
                let until = asked.checked_add(self.claim.lease);
                self.expires && until.is_some_and(|until| until <= Instant::now())
            }
            InShared::Lost => true,
            InShared::Perhaps | InShared::No => false,
        }
    }

    /// The shared store has refused the claim.
    pub(super) fn lost_to(mut self: Box<Self>, refused: &Claimed) {
        // The shared store is right: the content that this process has just bound to the signature
        // may be a forger's.
        let outcome = match refused {
            Claimed::Done { answer } => {
                self.hold_here();
                Outcome::Done { answer: answer.clone() }
            }
            _ => Outcome::Withdrawn,
        };
        self.local.finish_now(&self.claim, &outcome);
        self.if_dropped = None;
    }

    /// The call of the shared store failed.
    pub(super) fn unanswered(&mut self, error: &StoreError) {
        if error.is_unsent() {
            self.in_shared = InShared::No;
        }
    }

    /// From here on a drop is a failure.
    pub(crate) fn called(&mut self) {
        self.if_dropped = Some(Outcome::Failed);
    }

    /// Renews the lease, polled while the inner service is pending.
    pub(crate) fn hold(&mut self, cx: &mut Context<'_>) {
        let third = self.claim.lease.checked_div(3).unwrap_or_default();
        loop {
            let granted = match self.in_shared {
                InShared::Since(asked) => Some(asked),
                InShared::Perhaps => None,
                InShared::Lost | InShared::No => return,
            };
            if self.renewal.is_none() {
                // Counted from the grant: the handler may have blocked its thread since.
                self.renewal = self.renew_after(granted.unwrap_or_else(Instant::now), third);
            }
            let Some(renewal) = &mut self.renewal else { return };
            let Poll::Ready((asked, answer)) = renewal.as_mut().poll(cx) else { return };
            self.renewal = None;
            match answer {
                Ok(true) => self.in_shared = InShared::Since(asked),
                // The lease is running out: try again soon.
                Err(_) => {
                    self.renewal = self.renew_after(Instant::now(), third.min(RETRY_RENEWAL));
                }
                // There is nothing to renew. An acknowledgement is recorded all the same.
                Ok(false) if granted.is_none() => self.in_shared = InShared::No,
                Ok(false) => {
                    self.in_shared = InShared::Lost;
                    trace::lease_lost(self.provider, trace::RENEW);
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

    /// Records the outcome in this process. The returned future records it in the shared store.
    pub(crate) fn finish(mut self: Box<Self>, outcome: Outcome) -> Option<Recording> {
        // The renewal ends with this: what it holds, such as a lock, the outcome may need.
        self.if_dropped = None;
        let (shared, unrecorded) = self.end(outcome)?;
        Some(shared.record(unrecorded))
    }

    /// Records the outcome in this process. Returns what the shared store has to know, if anything.
    fn end(&self, outcome: Outcome) -> Option<(&SharedStore, Unrecorded)> {
        self.local.finish_now(&self.claim, &outcome);
        let shared = self.shared.as_ref()?;
        let is_news = match (&outcome, self.in_shared) {
            (Outcome::Done { .. }, _) => true,
            // What was delivered in an outage: only this process has bound the content.
            (Outcome::Failed, in_shared) => in_shared != InShared::Lost,
            (Outcome::Withdrawn, in_shared) => {
                matches!(in_shared, InShared::Perhaps | InShared::Since(_))
            }
        };
        let held = matches!(self.in_shared, InShared::Since(_));
        is_news.then(|| (shared, Unrecorded::new(self.provider, self.claim.clone(), outcome, held)))
    }
}

impl Drop for ClaimGuard {
    fn drop(&mut self) {
        let Some(outcome) = self.if_dropped.take() else { return };
        if let Some((shared, unrecorded)) = self.end(outcome) {
            shared.record_later(unrecorded);
        }
    }
}

const RETRY_RENEWAL: Duration = Duration::from_millis(500);
