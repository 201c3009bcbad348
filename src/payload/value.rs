//! How a member's value is converted, the same for all payloads.

use super::{Json, Reader, Value};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    str::FromStr,
    time::{Duration, SystemTime},
};

/// A type that a member's value converts to.
pub(crate) trait FromValue: Sized {
    /// What the value has to be, such as `a whole number`.
    const EXPECTED: &'static str;

    /// Converts the value; `None` if it is something else.
    fn from_value(value: Value<'_>, at: &mut Reader<'_>) -> Option<Self>;

    /// Whether the value counts as missing, as `null` always does. So does blank text, unless the
    /// type can hold it.
    fn is_absent(value: Value<'_>) -> bool {
        value.is_string() && value.scalar().is_some_and(|text| text.trim().is_empty())
    }
}

/// A string's content, or a number as it was sent; only empty text counts as missing.
impl FromValue for String {
    const EXPECTED: &'static str = "text";

    #[inline]
    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        value.scalar().map(Cow::into_owned)
    }

    fn is_absent(value: Value<'_>) -> bool {
        value.is_empty()
    }
}

/// `true`, `false`, 1 or 0, also as text.
impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: Value<'_>, at: &mut Reader<'_>) -> Option<Self> {
        let word = value.scalar().unwrap_or_else(|| value.text().into());
        match word.trim() {
            word if word.eq_ignore_ascii_case("true") => Some(true),
            word if word.eq_ignore_ascii_case("false") => Some(false),
            _ => match i64::from_value(value, at)? {
                1 => Some(true),
                0 => Some(false),
                _ => None,
            },
        }
    }
}

impl FromValue for u64 {
    const EXPECTED: &'static str = "a whole number that is not negative";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        whole(&value.scalar()?)
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        whole(&value.scalar()?)
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a finite number";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        finite(value.scalar()?.trim())
    }
}

/// Any JSON; `null` and empty text count as missing.
impl FromValue for Json {
    const EXPECTED: &'static str = "JSON";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        Some(value.json())
    }

    fn is_absent(value: Value<'_>) -> bool {
        value.is_empty()
    }
}

/// A Unix time in whole seconds.
///
/// In an event, a number of 13 digits is read as milliseconds and truncated to the second.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// Converts to a [`SystemTime`]; `None` if it is out of its range.
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0))
    }
}

impl FromValue for UnixSeconds {
    const EXPECTED: &'static str = "a Unix time in seconds";

    fn from_value(value: Value<'_>, at: &mut Reader<'_>) -> Option<Self> {
        let number = u64::from_value(value, at)?;
        Some(Self(if MILLIS.contains(&number) { number / 1000 } else { number }))
    }
}

/// A Unix time in milliseconds.
///
/// In an event, a number of 10 digits is read as seconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// Converts to a [`SystemTime`]; `None` if it is out of its range.
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

impl FromValue for UnixMillis {
    const EXPECTED: &'static str = "a Unix time in milliseconds";

    fn from_value(value: Value<'_>, at: &mut Reader<'_>) -> Option<Self> {
        let number = u64::from_value(value, at)?;
        Some(Self(if SECONDS.contains(&number) { number.saturating_mul(1000) } else { number }))
    }
}

/// Parses a whole number; `1.0` and `1e3` are accepted up to 2^53 - 1.
pub(crate) fn whole<T: FromStr + TryFrom<i64>>(text: &str) -> Option<T> {
    let text = text.trim();
    if let Some(number) = text.parse().ok().filter(|_| !text.starts_with('+')) {
        return Some(number);
    }
    let number =
        finite(text).filter(|number| number.fract() == 0.0 && number.abs() <= MAX_EXACT)?;
    T::try_from(number as i64).ok()
}

/// Parses a finite number as JSON writes it, but also with leading zeros.
fn finite(text: &str) -> Option<f64> {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let mut parts = digits.split(|byte| *byte == b'.');
    if !digit(digits.last()) || !parts.all(|part| digit(part.first())) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

// Above it an `f64` skips whole numbers.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
const SECONDS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;
const MILLIS: std::ops::Range<u64> = 1_000_000_000_000..10_000_000_000_000;
