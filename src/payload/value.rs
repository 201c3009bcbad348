//! What a member's value is read as, one rule for all payloads.

use super::{Json, Object, Reader, mend};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    str::FromStr,
    time::{Duration, SystemTime},
};

/// A type of a member.
pub(crate) trait FromValue: Sized {
    /// What the value has to be: `a whole number`.
    const EXPECTED: &'static str;

    /// `None` if the value is something else.
    fn from_value(value: &RawValue, at: &mut Reader<'_>) -> Option<Self>;

    /// The same of an object that is indexed.
    fn from_object(_: &mut Object<'_>, _: &mut Reader<'_>) -> Option<Self> {
        None
    }

    /// All elements of a list in one go, which is faster; `None` if they have to be read one by one, or are too many.
    fn from_list(_: &RawValue, _most: usize) -> Option<Vec<Self>> {
        None
    }

    /// Whether the value stands for none at all, as `null` does: blank text, unless blank text is a value.
    fn is_absent(value: &RawValue) -> bool {
        let text = value.get().as_bytes();
        matches!(text, [b'"', inner @ .., b'"'] if inner.trim_ascii().is_empty())
    }
}

/// A string's content, or a number as it was sent; empty text is absent.
impl FromValue for String {
    const EXPECTED: &'static str = "text";

    fn from_value(value: &RawValue, _: &mut Reader<'_>) -> Option<Self> {
        scalar(value).map(Cow::into_owned)
    }

    /// Of strings without escapes and without blanks between them.
    fn from_list(list: &RawValue, most: usize) -> Option<Vec<Self>> {
        let mut rest = list.get().strip_prefix("[\"")?;
        let mut read = Vec::with_capacity(most.min(rest.len() / TYPICAL_ID));
        while read.len() < most {
            let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\')).filter(|end| *end > 0)?;
            let (text, after) = rest.split_at_checked(end)?;
            read.push(text.to_owned());
            match after.strip_prefix("\",\"") {
                Some(next) => rest = next,
                None => return (after == "\"]").then_some(read),
            }
        }
        None
    }

    fn is_absent(value: &RawValue) -> bool {
        value.get() == "\"\""
    }
}

/// True or false, 1 or 0, as text as well.
impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_value(value: &RawValue, at: &mut Reader<'_>) -> Option<Self> {
        let word = match value.get().as_bytes().first() {
            Some(b'"') => scalar(value)?,
            _ => value.get().into(),
        };
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

    fn from_value(value: &RawValue, _: &mut Reader<'_>) -> Option<Self> {
        whole(value)
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn from_value(value: &RawValue, _: &mut Reader<'_>) -> Option<Self> {
        whole(value)
    }
}

impl FromValue for f64 {
    const EXPECTED: &'static str = "a finite number";

    fn from_value(value: &RawValue, _: &mut Reader<'_>) -> Option<Self> {
        finite(scalar(value)?.trim())
    }
}

/// Any JSON but `null`.
impl FromValue for Json {
    const EXPECTED: &'static str = "JSON";

    fn from_value(value: &RawValue, _: &mut Reader<'_>) -> Option<Self> {
        Some(Self::from_raw(value))
    }

    fn is_absent(_: &RawValue) -> bool {
        false
    }
}

/// A time in whole seconds since 1970.
///
/// A number of 13 digits is taken for milliseconds and cut to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// The time; `None` past the end of the system's times.
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(self.0))
    }
}

impl FromValue for UnixSeconds {
    const EXPECTED: &'static str = "a Unix time in seconds";

    fn from_value(value: &RawValue, at: &mut Reader<'_>) -> Option<Self> {
        let number = u64::from_value(value, at)?;
        Some(Self(if MILLIS.contains(&number) { number / 1000 } else { number }))
    }
}

/// A time in milliseconds since 1970.
///
/// A number of 10 digits is taken for seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The time; `None` past the end of the system's times.
    pub fn to_system_time(self) -> Option<SystemTime> {
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(self.0))
    }
}

impl FromValue for UnixMillis {
    const EXPECTED: &'static str = "a Unix time in milliseconds";

    fn from_value(value: &RawValue, at: &mut Reader<'_>) -> Option<Self> {
        let number = u64::from_value(value, at)?;
        Some(Self(if SECONDS.contains(&number) { number.saturating_mul(1000) } else { number }))
    }
}

/// A string's content, or a number's text as it was sent.
pub(crate) fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.as_bytes() {
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => text.get(1..text.len().saturating_sub(1)).map(Cow::from),
        [b'"', ..] => serde_json::from_str(&mend(text)).ok().map(Cow::Owned),
        [b'0'..=b'9' | b'-', ..] => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// A whole number; `1.0` and `1e3` are whole, as long as a double holds them to the unit.
pub(crate) fn whole<T: FromStr + TryFrom<i64>>(value: &RawValue) -> Option<T> {
    let text = scalar(value)?;
    let text = text.trim();
    if let Some(number) = text.parse().ok().filter(|_| !text.starts_with('+')) {
        return Some(number);
    }
    let number = finite(text).filter(|number| number.fract() == 0.0 && number.abs() <= MAX_EXACT)?;
    T::try_from(number as i64).ok()
}

/// A number by JSON's rules, but for zeros in front: no infinity, no `NaN`, nothing that is too large.
fn finite(text: &str) -> Option<f64> {
    let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    if !digit(digits.first()) || !digit(digits.last()) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

// With its quotes and comma.
const TYPICAL_ID: usize = 20;
// Above it a double skips whole numbers.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;
const SECONDS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;
const MILLIS: std::ops::Range<u64> = 1_000_000_000_000..10_000_000_000_000;
