//! A limit on the bytes of unverified bodies.

use crate::{Rejection, RejectionKind};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// A limit on the bytes of bodies that are being read; clones share it.
///
/// A body is charged once reading it has to wait. Until then it is only checked for room, so each
/// polling thread can exceed the budget by one body. A small event that arrives in one piece is not
/// even checked, up to a 16,384th of the budget (4 KiB of 64 MiB): strangers who hold all of it with
/// slow bodies do not shut such events out.
///
/// A quarter is reserved for bodies of up to 64 KiB, so that large forged requests cannot shut out
/// real events, which are a few KiB. Layers can share a budget. Many tenants need only one layer:
/// [`PerRequest`](crate::PerRequest).
///
/// ```
/// use tower_webhooks::{ReadBudget, WebhookLayer, zegocloud::Zegocloud};
///
/// let budget = ReadBudget::new(64 << 20);
/// for secret in ["of one tenant", "of another"] {
///     let layer =
///         WebhookLayer::new(Zegocloud::new(secret)?).read_budget(budget.clone());
/// }
/// assert_eq!((budget.held(), budget.capacity()), (0, 64 << 20));
/// # Ok::<(), tower_webhooks::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ReadBudget {
    shared: Arc<Shared>,
}

struct Shared {
    capacity: usize,
    held: AtomicUsize,
    /// The part that bodies above [`SMALL_BODY`] hold.
    held_by_large: AtomicUsize,
    /// When it was last reported that there is no room.
    reported: Mutex<Option<Instant>>,
}

impl ReadBudget {
    /// Creates a budget of this many bytes.
    pub fn new(bytes: usize) -> Self {
        let shared = Shared {
            capacity: bytes,
            held: AtomicUsize::new(0),
            held_by_large: AtomicUsize::new(0),
            reported: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The bytes that bodies hold now.
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// The most bytes that can be held at once.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// The most bytes that a body of this size class can hold.
    pub(crate) fn share_for(&self, bytes: usize) -> usize {
        if bytes > SMALL_BODY { self.for_large() } else { self.capacity().min(SMALL_BODY) }
    }

    /// The largest body that is read without room if it does not have to be waited for.
    pub(crate) fn spared(&self) -> usize {
        self.capacity() >> 14
    }

    fn no_room(&self) -> Rejection {
        Rejection::new(RejectionKind::ReadBudget)
            .with_retry_after(Duration::from_secs(1))
            .with_news(self.is_news(Instant::now()))
    }

    /// Once per second: strangers can cause any number of refusals.
    fn is_news(&self, now: Instant) -> bool {
        let mut reported = self.shared.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = reported.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        if is_news {
            *reported = Some(now);
        }
        is_news
    }

    fn for_large(&self) -> usize {
        self.capacity().saturating_sub(self.capacity().checked_div(4).unwrap_or_default())
    }
}

impl fmt::Debug for ReadBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBudget")
            .field("held", &self.held())
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// One body's charge on a budget, released on drop.
#[derive(Default)]
pub(crate) struct Held {
    budget: Option<ReadBudget>,
    bytes: usize,
}

impl Held {
    /// Fails if there is no room for a body of `bytes`. Charges nothing.
    pub(crate) fn check(&self, budget: &ReadBudget, bytes: usize) -> Result<(), Rejection> {
        let Shared { capacity, held, held_by_large, .. } = &*budget.shared;
        let has_room = |sum: &AtomicUsize, more, limit| {
            sum.load(Ordering::Relaxed).saturating_add(more) <= limit
        };
        let of_large = self.more_of_large(bytes);
        let is_room = (of_large == 0 || has_room(held_by_large, of_large, budget.for_large()))
            && has_room(held, bytes.saturating_sub(self.bytes), *capacity);
        if is_room { Ok(()) } else { Err(budget.no_room()) }
    }

    pub(crate) fn grow_to(&mut self, budget: &ReadBudget, bytes: usize) -> Result<(), Rejection> {
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(());
        }
        let Shared { capacity, held, held_by_large, .. } = &*budget.shared;
        let of_large = self.more_of_large(bytes);
        if !(of_large == 0 || add(held_by_large, of_large, budget.for_large())) {
            return Err(budget.no_room());
        }
        if !add(held, more, *capacity) {
            held_by_large.fetch_sub(of_large, Ordering::Relaxed);
            return Err(budget.no_room());
        }
        self.budget.get_or_insert_with(|| budget.clone());
        self.bytes = bytes;
        crate::trace::reading(more as f64);
        Ok(())
    }

    /// Above [`SMALL_BODY`] all bytes of a body count as large, not only the excess.
    fn more_of_large(&self, bytes: usize) -> usize {
        by_large(bytes).saturating_sub(by_large(self.bytes))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(budget) = &self.budget else { return };
        let Shared { held, held_by_large, .. } = &*budget.shared;
        held.fetch_sub(self.bytes, Ordering::Relaxed);
        held_by_large.fetch_sub(by_large(self.bytes), Ordering::Relaxed);
        crate::trace::reading(-(self.bytes as f64));
    }
}

fn by_large(bytes: usize) -> usize {
    if bytes > SMALL_BODY { bytes } else { 0 }
}

/// Adds to the sum; `false`, and no change, beyond the limit.
pub(crate) fn add(sum: &AtomicUsize, more: usize, limit: usize) -> bool {
    let add = |sum: usize| sum.checked_add(more).filter(|sum| *sum <= limit);
    sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
}

/// The largest body, in bytes, that may use the reserved quarter.
pub(crate) const SMALL_BODY: usize = 64 << 10;
const PAUSE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn held(budget: &ReadBudget, bytes: usize) -> Option<Held> {
        let mut held = Held::default();
        let checked = held.check(budget, bytes);
        let grown = held.grow_to(budget, bytes);
        assert_eq!(checked.is_ok(), grown.is_ok());
        grown.is_ok().then_some(held)
    }

    #[test]
    fn a_full_budget_is_news_once_per_second() {
        let (budget, start) = (ReadBudget::new(0), Instant::now());
        let after = |millis| budget.clone().is_news(start + Duration::from_millis(millis));
        assert_eq!(
            [0, 1, 999, 1000, 1001, 1999, 5000].map(after),
            [true, false, false, true, false, false, true]
        );
        assert!(ReadBudget::new(0).is_news(start), "each budget tells of itself");
    }

    #[test]
    fn attack_large_bodies_leave_a_quarter() {
        let budget = ReadBudget::new(16 * SMALL_BODY);
        let large = held(&budget, 12 * SMALL_BODY).unwrap();
        assert!(held(&budget, SMALL_BODY + 1).is_none());
        let mut small: Vec<_> = (0..4).map(|_| held(&budget, SMALL_BODY).unwrap()).collect();
        assert!(held(&budget, 1).is_none());
        assert_eq!(budget.held(), budget.capacity());
        // A body that grows large counts as a whole. If there is no room, it keeps its charge.
        drop(large);
        let mut growing = small.pop().unwrap();
        growing.grow_to(&budget, 12 * SMALL_BODY).unwrap();
        assert!(growing.grow_to(&budget, 12 * SMALL_BODY + 1).is_err());
        assert!(small[0].grow_to(&budget, SMALL_BODY + 1).is_err());
        assert_eq!(budget.held(), 15 * SMALL_BODY);
        drop((growing, small));
        assert_eq!(budget.held(), 0);
        assert_eq!(budget.shared.held_by_large.load(Ordering::Relaxed), 0);
    }
}
