//! The wall clock, or a clock that a test sets.

use std::time::SystemTime;

#[derive(Clone)]
pub(crate) enum Clock {
    System,
    #[cfg(feature = "test-util")]
    Test(TestClock),
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        match self {
            Self::System => SystemTime::now(),
            #[cfg(feature = "test-util")]
            Self::Test(clock) => clock.now(),
        }
    }
}

/// A clock that moves only when told to; clones share it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::TestClock;
///
/// let clock = TestClock::at(SystemTime::UNIX_EPOCH);
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(clock.now(), SystemTime::UNIX_EPOCH + Duration::from_secs(5));
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct TestClock {
    now: std::sync::Arc<std::sync::Mutex<SystemTime>>,
}

#[cfg(feature = "test-util")]
impl TestClock {
    /// Creates a clock that shows `now`.
    pub fn at(now: SystemTime) -> Self {
        Self { now: std::sync::Arc::new(std::sync::Mutex::new(now)) }
    }

    /// The time that the clock shows.
    pub fn now(&self) -> SystemTime {
        *self.hands()
    }

    /// Sets the time.
    pub fn set(&self, now: SystemTime) {
        *self.hands() = now;
    }

    /// Moves the clock forward by `step`; does nothing if the time would overflow.
    pub fn advance(&self, step: std::time::Duration) {
        let mut hands = self.hands();
        *hands = hands.checked_add(step).unwrap_or(*hands);
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, SystemTime> {
        self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
