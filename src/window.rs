//! How old, and how far ahead of the clock, a signed timestamp may be.

use crate::{ConfigError, Rejection, RejectionKind};
use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// The accepted range of timestamps: by default 300 s back and 60 s ahead, both ends included.
///
/// It cannot be switched off. If a provider retries under the old signature for longer, widen it:
/// [`Window::new`] takes up to 25 hours. A wider window also gives a captured request more time to
/// be tried with another body, and makes the replay guard keep signatures for longer.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::{Timestamp, Window};
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_300);
/// let signed = Timestamp::Seconds(1_700_000_000);
/// assert!(Window::default().check(signed, now).is_ok());
///
/// let narrow = Window::new(Duration::from_secs(60), Duration::from_secs(5))?;
/// assert!(narrow.check(signed, now).is_err());
/// # Ok::<(), tower_webhooks::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    past: Duration,
    future: Duration,
}

impl Window {
    /// A window that reaches `past` back and `future` ahead.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if either is longer than 25 hours.
    pub const fn new(past: Duration, future: Duration) -> Result<Self, ConfigError> {
        if past.as_secs() > MAX_SECONDS || future.as_secs() > MAX_SECONDS {
            return Err(ConfigError::new("the window is longer than 25 hours"));
        }
        Ok(Self { past, future })
    }

    /// Checks that a timestamp is inside the window, and returns it as a time.
    ///
    /// `now` is truncated to the timestamp's unit first: a timestamp in seconds that is 300 s old
    /// passes for the whole of that second.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::Stale`] with the [`age`](Rejection::age); without it for a clock before
    /// 1970.
    pub fn check(&self, signed: Timestamp, now: SystemTime) -> Result<SystemTime, Rejection> {
        let stale = || Rejection::new(RejectionKind::Stale);
        let clock = now.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| stale())?;
        let (clock, signed) = match signed {
            Timestamp::Seconds(seconds) => {
                (Duration::from_secs(clock.as_secs()), Duration::from_secs(seconds))
            }
            Timestamp::Milliseconds(millis) => {
                let clock = u64::try_from(clock.as_millis()).map_err(|_| stale())?;
                (Duration::from_millis(clock), Duration::from_millis(millis))
            }
        };
        let allowed = if signed <= clock { self.past } else { self.future };
        if signed.abs_diff(clock) > allowed {
            return Err(stale().with_age(Some(Age::since(signed, clock))));
        }
        SystemTime::UNIX_EPOCH.checked_add(signed).ok_or_else(stale)
    }

    /// The first instant at which [`check`](Self::check) no longer passes `signed`; less than a
    /// unit of the timestamp later if the window is not a whole number of them.
    ///
    /// # Errors
    ///
    /// [`RejectionKind::Stale`] if a [`SystemTime`] cannot represent it.
    pub fn ends(&self, signed: Timestamp) -> Result<SystemTime, Rejection> {
        let (signed, unit) = match signed {
            Timestamp::Seconds(seconds) => (Duration::from_secs(seconds), Duration::from_secs(1)),
            Timestamp::Milliseconds(millis) => {
                (Duration::from_millis(millis), Duration::from_millis(1))
            }
        };
        let end = signed.checked_add(self.past).and_then(|end| end.checked_add(unit));
        end.and_then(|end| SystemTime::UNIX_EPOCH.checked_add(end))
            .ok_or(Rejection::new(RejectionKind::Stale))
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { past: Duration::from_secs(300), future: Duration::from_secs(60) }
    }
}

/// A Unix time in the unit in which it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timestamp {
    /// Seconds since 1970.
    Seconds(u64),
    /// Milliseconds since 1970.
    Milliseconds(u64),
}

impl Timestamp {
    /// Reads exactly 10 ASCII digits as seconds and exactly 13 as milliseconds.
    ///
    /// Everything else is `None`: signs, points, blanks, other scripts' digits and other lengths.
    /// If the signed text has no separators, extra digits could belong to another field.
    pub fn from_digits(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match text.len() {
            10 => text.parse().ok().map(Self::Seconds),
            13 => text.parse().ok().map(Self::Milliseconds),
            _ => None,
        }
    }
}

/// The age of a signed time by the local clock; negative if it lies ahead. `Display` is in seconds:
/// `412.5 s`.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::{Timestamp, Window};
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_400);
/// let refused =
///     Window::default().check(Timestamp::Seconds(1_700_000_000), now).unwrap_err();
/// assert_eq!(refused.age().map(|age| age.to_string()).as_deref(), Some("400.0 s"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Age {
    millis: i64,
}

impl Age {
    /// The time from `signed_at` to `now`.
    pub fn between(signed_at: SystemTime, now: SystemTime) -> Self {
        match now.duration_since(signed_at) {
            Ok(age) => Self::since(Duration::ZERO, age),
            Err(ahead) => Self::since(ahead.duration(), Duration::ZERO),
        }
    }

    fn since(signed: Duration, clock: Duration) -> Self {
        let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        Self { millis: millis(clock).saturating_sub(millis(signed)) }
    }

    /// The age in milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.millis
    }

    /// The age in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.millis as f64 / 1000.0
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} s", self.as_secs_f64())
    }
}

const MAX_SECONDS: u64 = 25 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn both_ends_are_included() {
        let window = Window::default();
        let seconds = Timestamp::Seconds(1_700_000_000);
        for (now, fresh) in [
            (1_700_000_300_999, true),
            (1_700_000_301_000, false),
            (1_699_999_940_000, true),
            (1_699_999_939_999, false),
        ] {
            assert_eq!(window.check(seconds, at(now)).is_ok(), fresh, "{now}");
        }
        let millis = Timestamp::Milliseconds(1_700_000_000_000);
        assert!(window.check(millis, at(1_700_000_300_000)).is_ok());
        assert!(window.check(millis, at(1_700_000_300_001)).is_err());
        assert_eq!(window.ends(seconds).unwrap(), at(1_700_000_301_000));
        assert_eq!(window.ends(millis).unwrap(), at(1_700_000_300_001));
    }

    #[test]
    fn attack_clock_before_1970_refuses() {
        let now = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let error = Window::default().check(Timestamp::Seconds(0), now).unwrap_err();
        assert_eq!(error.kind(), RejectionKind::Stale);
    }

    #[test]
    fn attack_timestamp_spellings() {
        for bad in [
            "",
            "-170000000",
            "+170000000",
            "170000000",
            "17000000000",
            "1700000000.0",
            "1.70000e9",
            " 1700000000",
            "١٧٠٠٠٠٠٠٠٠",
            "99999999999999999999999999",
            "-9223372036854775808",
        ] {
            assert_eq!(Timestamp::from_digits(bad), None, "{bad}");
        }
        assert_eq!(Timestamp::from_digits("1700000000"), Some(Timestamp::Seconds(1_700_000_000)));
        assert_eq!(
            Timestamp::from_digits("1700000000123"),
            Some(Timestamp::Milliseconds(1_700_000_000_123))
        );
        assert!(Window::default().check(Timestamp::Milliseconds(u64::MAX), at(0)).is_err());
        assert!(Window::default().ends(Timestamp::Seconds(u64::MAX)).is_err());
    }

    #[test]
    fn an_age_is_negative_if_the_signed_time_is_ahead() {
        for (signed_at, now, millis, seconds, printed) in [
            (1_000, 3_500, 2_500, 2.5, "2.5 s"),
            (3_500, 1_000, -2_500, -2.5, "-2.5 s"),
            (7, 7, 0, 0.0, "0.0 s"),
        ] {
            let age = Age::between(at(signed_at), at(now));
            assert_eq!((age.as_millis(), age.as_secs_f64()), (millis, seconds));
            assert_eq!(age.to_string(), printed);
        }
    }

    #[test]
    fn longer_than_25_hours_is_an_error() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        assert!(Window::new(hours(25), hours(25)).is_ok());
        assert!(Window::new(hours(26), hours(0)).is_err());
        assert!(Window::new(hours(0), Duration::MAX).is_err());
    }
}
