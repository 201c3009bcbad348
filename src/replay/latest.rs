//! What time it is at least, whatever the wall clock says.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The latest instant that has certainly passed: the signed times of claims, moved on by the
/// store's monotonic clock. It belongs to the store, because layers that share the claims have to
/// share it too.
///
/// A claim is forgotten once its signature has expired. If the wall clock is then set back, the
/// signature looks fresh and unused. This instant shows that it is not.
pub(super) struct Latest(AtomicI64);

impl Default for Latest {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Latest {
    /// Notes that `stamp` has passed.
    pub(super) fn note(&self, stamp: SystemTime, uptime: Millis) {
        let start = unix_millis(stamp).saturating_sub_unsigned(at_least(uptime));
        self.0.fetch_max(start, Ordering::Relaxed);
    }

    /// Whether claims that end at `end` may have been forgotten.
    pub(super) fn has_passed(&self, end: SystemTime, uptime: Millis) -> bool {
        let forgotten = unix_millis(end.checked_add(CLOCK_SKEW).unwrap_or(end));
        forgotten <= self.0.load(Ordering::Relaxed).saturating_add_unsigned(at_least(uptime))
    }
}

/// The uptime by the slowest clock that is allowed for: one that runs fast must not count as proof
/// that time has passed.
fn at_least(uptime: Millis) -> Millis {
    uptime.saturating_sub(uptime / 1000)
}

/// How long a claim is kept that matters for so long: until [`Latest::has_passed`] says so.
pub(super) fn kept(matters: Duration) -> Duration {
    matters.saturating_add(matters.checked_div(500).unwrap_or_default())
}

fn unix_millis(time: SystemTime) -> i64 {
    let age = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since the store was made.
pub(super) type Millis = u64;

/// By how much the clocks of machines that share claims may differ.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// A delivery each hour by a clock that gains 50 seconds in a million, as hardware may.
    #[test]
    fn a_clock_that_runs_fast_shuts_nobody_out() {
        let (latest, start) = (Latest::default(), UNIX_EPOCH + 20_000 * DAY);
        for hour in 0..365 * 24 {
            let age = Duration::from_secs(3600 * hour);
            let (now, uptime) = (start + age, (age + age / 20_000).as_millis() as Millis);
            latest.note(now, uptime);
            assert!(!latest.has_passed(now + Duration::from_secs(300), uptime), "hour {hour}");
        }
    }

    /// What is kept for so long by such a clock is known to be over when it is forgotten.
    #[test]
    fn what_is_forgotten_has_passed() {
        for matters in [60, 360, 86_460].map(Duration::from_secs) {
            let (latest, start) = (Latest::default(), UNIX_EPOCH + 20_000 * DAY);
            let noted = 100 * 86_400_000;
            latest.note(start, noted);
            let forgotten = noted + kept(matters).as_millis() as Millis;
            assert!(latest.has_passed(start + matters - CLOCK_SKEW, forgotten));
        }
    }
}
