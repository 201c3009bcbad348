//! Outcomes that are not recorded in the shared store yet: a bounded queue with retries.

use super::{
    Claim, Outcome, lock,
    shared::{Caller, SharedStore},
    trace,
};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Mutex,
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};

/// An outcome to be recorded in the shared store.
#[derive(Clone)]
pub(super) struct Unrecorded {
    pub(super) provider: &'static str,
    pub(super) claim: Claim,
    pub(super) outcome: Outcome,
    /// Whether the store has granted the claim and not said otherwise since.
    pub(super) held: bool,
    /// From then on it no longer matters.
    until: Instant,
}

impl Unrecorded {
    pub(super) fn new(provider: &'static str, claim: Claim, outcome: Outcome, held: bool) -> Self {
        // Unless it is recorded, an acknowledged delivery can run again, a withdrawn one keeps its
        // content bound, and one that failed in an outage binds none. A failure of a claim that the
        // store has granted ends with the lease.
        let ends_with_lease = held && matches!(outcome, Outcome::Failed);
        let matters = if ends_with_lease { claim.lease } else { claim.retention };
        let now = Instant::now();
        let until = now.checked_add(matters).unwrap_or(now);
        Self { provider, claim, outcome, held, until }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Done { .. })
    }

    fn is_given_up(&self, why: &'static str) {
        // Only acknowledged deliveries count as lost: the others can be retried after the lease.
        trace::outcome_over(self.provider, self.is_done().then_some(why));
    }

    /// The claim; if it was acknowledged, with what is left of its retention.
    pub(super) fn claim_now(&self) -> Claim {
        let left = self.until.saturating_duration_since(Instant::now());
        Claim {
            retention: if self.is_done() { left } else { self.claim.retention },
            ..self.claim.clone()
        }
    }
}

/// The queue of outcomes, and the state of the one task that records them.
#[derive(Default)]
pub(super) struct Outcomes {
    queue: Mutex<Queue>,
    store_is_back: Notify,
    empty: Notify,
}

#[derive(Default)]
struct Queue {
    /// An outcome stays here while it is tried, so that none is lost if the task's runtime ends.
    waiting: BTreeMap<Place, Unrecorded>,
    pushed: u64,
    /// Where the next batch begins: an outcome that fails does not hold up the others.
    next: Place,
    working: bool,
}

/// Orders acknowledged outcomes before the others, then by age.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    unacknowledged: bool,
    number: u64,
}

impl Outcomes {
    /// Queues an outcome. Beyond the limit the oldest that was not acknowledged is dropped, or else
    /// the oldest.
    pub(super) fn push(&self, mut outcome: Unrecorded, limit: usize) {
        if let Outcome::Done { answer: Some(answer) } = &mut outcome.outcome {
            *answer = answer.copied();
        }
        let mut queue = lock(&self.queue);
        trace::outcome_waits(outcome.provider);
        let number = queue.pushed;
        queue.pushed = number.saturating_add(1);
        queue.waiting.insert(Place { unacknowledged: !outcome.is_done(), number }, outcome);
        while queue.waiting.len() > limit {
            let unacknowledged = Place { unacknowledged: true, number: 0 };
            let mut oldest = queue.waiting.range(unacknowledged..).chain(&queue.waiting);
            let Some(place) = oldest.next().map(|(place, _)| *place) else { break };
            if let Some(oldest) = queue.waiting.remove(&place) {
                oldest.is_given_up("too many outcomes wait");
            }
        }
    }

    /// Another call than the task's was answered: starts a task if there should be one. If the
    /// store was away, ends the task's pause.
    pub(super) fn answered(store: &SharedStore, was_away: bool) {
        Self::start(store);
        if was_away && lock(&store.outcomes().queue).working {
            store.outcomes().store_is_back.notify_one();
        }
    }

    /// Starts the task, unless it runs, nothing waits, or there is no runtime.
    pub(super) fn start(store: &SharedStore) {
        let mut queue = lock(&store.outcomes().queue);
        if queue.working || queue.waiting.is_empty() {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            queue.working = true;
            drop(queue);
            runtime.spawn(work(store.clone(), Working { store: store.clone(), ended: false }));
        }
    }

    /// Resolves when nothing waits.
    pub(super) async fn drained(store: &SharedStore) {
        loop {
            let empty = store.outcomes().empty.notified();
            if lock(&store.outcomes().queue).waiting.is_empty() {
                return;
            }
            // Outcomes may have been queued without a runtime.
            Self::start(store);
            empty.await;
        }
    }

    /// The next outcomes to try; `None` ends the task.
    fn batch(&self, size: usize) -> Option<Vec<(Place, Unrecorded)>> {
        let mut queue = lock(&self.queue);
        if queue.waiting.range(queue.next..).next().is_none() {
            queue.next = Place::default();
        }
        let some = queue.waiting.range(queue.next..).take(size);
        let mut batch: Vec<_> = some.map(|(place, outcome)| (*place, outcome.clone())).collect();
        let Some((last, _)) = batch.last() else {
            queue.working = false;
            drop(queue);
            self.empty.notify_waiters();
            return None;
        };
        queue.next = Place { number: last.number.saturating_add(1), ..*last };
        let now = Instant::now();
        batch.retain(|(place, outcome)| {
            let matters = now < outcome.until;
            if !matters {
                queue.waiting.remove(place);
                outcome.is_given_up("its retention is over");
            }
            matters
        });
        Some(batch)
    }

    /// Removes a recorded outcome, or puts it back, unless it was dropped meanwhile.
    fn tried(&self, place: Place, outcome: Unrecorded, recorded: bool) {
        let mut queue = lock(&self.queue);
        let Entry::Occupied(mut waiting) = queue.waiting.entry(place) else { return };
        if recorded {
            trace::outcome_over(waiting.remove().provider, None);
        } else {
            waiting.insert(outcome);
        }
    }
}

async fn work(store: SharedStore, mut working: Working) {
    // Most of the store's capacity is left to deliveries.
    let max_width = MAX_WIDTH.min(store.max_claims() / 4).max(1);
    let (mut width, mut pause) = (1, FIRST_PAUSE);
    while let Some(batch) = store.outcomes().batch(width) {
        let mut tries = JoinSet::new();
        let mut is_recorded = true;
        for (place, mut outcome) in batch {
            let store = store.clone();
            tries.spawn(async move {
                let recorded = store.record_now(&mut outcome, Caller::Queue).await.is_ok();
                store.outcomes().tried(place, outcome, recorded);
                recorded
            });
        }
        while let Some(recorded) = tries.join_next().await {
            is_recorded &= recorded.unwrap_or(false);
        }
        if is_recorded {
            (width, pause) = (width.saturating_mul(2).min(max_width), FIRST_PAUSE);
        } else {
            let _ = timeout(pause, store.outcomes().store_is_back.notified()).await;
            (width, pause) = (1, pause.saturating_mul(2).min(LAST_PAUSE));
        }
    }
    working.ended = true;
}

/// Marks the task as running. If its runtime ends, another runtime can start it again.
struct Working {
    store: SharedStore,
    ended: bool,
}

impl Drop for Working {
    fn drop(&mut self) {
        if !self.ended {
            let outcomes = self.store.outcomes();
            lock(&outcomes.queue).working = false;
            // Whoever waits in `drained` starts it again.
            outcomes.empty.notify_waiters();
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);
// How many are recorded at once when the store is back.
const MAX_WIDTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::ReplayedResponse;
    use bytes::Bytes;
    use http::HeaderValue;
    use tokio::time::advance;

    const SECOND: Duration = Duration::from_secs(1);

    /// To be kept for a minute.
    fn unrecorded(outcome: Outcome) -> Unrecorded {
        let claim = Claim {
            key: [1; 16],
            signature: [1; 16],
            fingerprint: [2; 16],
            token: 3,
            lease: SECOND,
            retention: 60 * SECOND,
        };
        Unrecorded::new("letterbox", claim, outcome, true)
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_acknowledgement_is_kept_for_what_is_left() {
        let [done, withdrawn] = [Outcome::done(None), Outcome::Withdrawn].map(unrecorded);
        advance(20 * SECOND).await;
        assert_eq!(done.claim_now().retention, 40 * SECOND);
        assert_eq!(withdrawn.claim_now().retention, 60 * SECOND);
    }

    #[test]
    fn an_answer_that_waits_is_a_copy() {
        let part = Bytes::from(vec![b'x'; 1000]).slice(..10);
        let answer = ReplayedResponse::new(HeaderValue::from_static("text/plain"), part.clone());
        let outcomes = Outcomes::default();
        outcomes.push(unrecorded(Outcome::done(Some(answer.clone()))), 1);
        let batch = outcomes.batch(1).unwrap();
        let Outcome::Done { answer: Some(waiting) } = &batch[0].1.outcome else { panic!() };
        assert_eq!(*waiting, answer);
        assert_ne!(waiting.body.as_ptr(), part.as_ptr());
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_is_tried_until_its_time_is_over() {
        let outcomes = Outcomes::default();
        outcomes.push(unrecorded(Outcome::done(None)), 1);
        let tried = |outcomes: &Outcomes| outcomes.batch(1).map(|batch| batch.len());
        advance(60 * SECOND - SECOND / 1000).await;
        assert_eq!(tried(&outcomes), Some(1));
        advance(SECOND / 1000).await;
        assert_eq!(tried(&outcomes), Some(0));
        assert_eq!(tried(&outcomes), None);
    }
}
