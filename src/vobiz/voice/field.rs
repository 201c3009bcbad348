//! A value that is kept as it was sent and read on demand.

use serde::de::DeserializeOwned;
use std::{fmt, marker::PhantomData};

/// A number or boolean of a voice callback: the text that was sent, if any, and what it means.
///
/// ```
/// use tower_webhooks::vobiz::voice::Field;
///
/// let duration = Field::<u64>::from("42");
/// assert_eq!((duration.text(), duration.get()), (Some("42"), Some(42)));
///
/// let duration = Field::<u64>::from("n/a");
/// assert_eq!((duration.text(), duration.get()), (Some("n/a"), None));
/// assert_eq!(Field::<u64>::default().text(), None);
/// ```
pub struct Field<T> {
    text: Option<String>,
    value: PhantomData<fn() -> T>,
}

impl<T> Field<T> {
    /// The text, which may be empty; `None` where the field is missing.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The value, by JSON's rules for numbers and booleans; `None` where the field is missing, empty or something else.
    pub fn get(&self) -> Option<T>
    where
        T: DeserializeOwned,
    {
        serde_json::from_str(self.text()?).ok()
    }
}

impl<T, S: Into<String>> From<S> for Field<T> {
    fn from(text: S) -> Self {
        Self { text: Some(text.into()), value: PhantomData }
    }
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self { text: None, value: PhantomData }
    }
}

impl<T> Clone for Field<T> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), value: PhantomData }
    }
}

impl<T> PartialEq for Field<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Field<T> {}

impl<T> fmt::Debug for Field<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
