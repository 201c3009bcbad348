//! How many bytes of bodies that nobody has verified yet may be held.

use crate::{Rejection, RejectionKind};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A bound on the bytes of bodies that are still being read; clones share it.
///
/// A quarter is kept for bodies of up to 64 KiB, so that strangers with large ones cannot shut out real events, which are
/// a few KiB. Many layers can share one: then it bounds what all of them hold.
///
/// ```
/// use tower_webhooks::{ReadBudget, WebhookLayer, zegocloud::Zegocloud};
///
/// let budget = ReadBudget::new(64 << 20);
/// for secret in ["of one tenant", "of another"] {
///     let layer = WebhookLayer::new(Zegocloud::new(secret)?).read_budget(budget.clone());
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
    /// By bodies that are not small.
    held_by_large: AtomicUsize,
}

impl ReadBudget {
    /// A budget of that many bytes.
    pub fn new(bytes: usize) -> Self {
        let shared = Shared { capacity: bytes, held: AtomicUsize::new(0), held_by_large: AtomicUsize::new(0) };
        Self { shared: Arc::new(shared) }
    }

    /// How many bytes are held.
    pub fn held(&self) -> usize {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// How many bytes can be held.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }
}

impl fmt::Debug for ReadBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBudget").field("held", &self.held()).field("capacity", &self.capacity()).finish()
    }
}

/// What one body holds of a budget, given back when dropped.
pub(crate) struct Held {
    budget: ReadBudget,
    bytes: usize,
}

impl Held {
    pub(crate) fn nothing(budget: ReadBudget) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Leaves nothing behind.
    pub(crate) fn take(&mut self) -> Self {
        Self { budget: self.budget.clone(), bytes: std::mem::take(&mut self.bytes) }
    }

    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Rejection> {
        let more = bytes.saturating_sub(self.bytes);
        let Shared { capacity, held, held_by_large } = &*self.budget.shared;
        // With its first byte beyond the small ones a body is large as a whole.
        let of_large = by_large(bytes).saturating_sub(by_large(self.bytes));
        let for_large = capacity.saturating_sub(capacity.checked_div(4).unwrap_or_default());
        if !(of_large == 0 || add(held_by_large, of_large, for_large)) {
            return Err(no_room());
        }
        if !add(held, more, *capacity) {
            held_by_large.fetch_sub(of_large, Ordering::Relaxed);
            return Err(no_room());
        }
        self.bytes = self.bytes.saturating_add(more);
        crate::trace::reading(more as f64);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let Shared { held, held_by_large, .. } = &*self.budget.shared;
        held.fetch_sub(self.bytes, Ordering::Relaxed);
        held_by_large.fetch_sub(by_large(self.bytes), Ordering::Relaxed);
        crate::trace::reading(-(self.bytes as f64));
    }
}

fn by_large(bytes: usize) -> usize {
    if bytes > SMALL_BODY { bytes } else { 0 }
}

fn add(sum: &AtomicUsize, more: usize, limit: usize) -> bool {
    let add = |sum: usize| sum.checked_add(more).filter(|sum| *sum <= limit);
    sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
}

fn no_room() -> Rejection {
    Rejection::new(RejectionKind::ReadBudget).with_retry_after(Duration::from_secs(1))
}

/// The largest body that the quarter is kept for.
pub(crate) const SMALL_BODY: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn held(budget: &ReadBudget, bytes: usize) -> Option<Held> {
        let mut held = Held::nothing(budget.clone());
        held.grow_to(bytes).ok()?;
        Some(held)
    }

    #[test]
    fn attack_large_bodies_leave_a_quarter() {
        let budget = ReadBudget::new(16 * SMALL_BODY);
        let large = held(&budget, 12 * SMALL_BODY).unwrap();
        assert!(held(&budget, SMALL_BODY + 1).is_none());
        let mut small: Vec<_> = (0..4).map(|_| held(&budget, SMALL_BODY).unwrap()).collect();
        assert!(held(&budget, 1).is_none());
        assert_eq!(budget.held(), budget.capacity());
        // One that grows out of its class counts as a whole, and keeps what it has if that finds no room.
        drop(large);
        let mut growing = small.pop().unwrap();
        growing.grow_to(12 * SMALL_BODY).unwrap();
        assert!(growing.grow_to(12 * SMALL_BODY + 1).is_err());
        assert!(small[0].grow_to(SMALL_BODY + 1).is_err());
        assert_eq!(budget.held(), 15 * SMALL_BODY);
        drop((growing, small));
        assert_eq!(budget.held(), 0);
        assert_eq!(budget.shared.held_by_large.load(Ordering::Relaxed), 0);
    }
}
