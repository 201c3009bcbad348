//! Annotations, which are parsed one by one: a task can hold many MiB of them.

use crate::{
    Json,
    payload::{FromValue, Reader, Value, payload},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::{fmt, iter, marker::PhantomData};

/// A list that is kept as JSON text and whose elements are parsed on demand.
///
/// ```
/// use tower_webhooks::stardust::{Annotation, Elements};
///
/// let list: Elements<Annotation> = serde_json::from_str(
///     r#"[{"label":"Car","slots":[{"id":"s1","type":"box2d"}]}]"#,
/// )?;
/// for annotation in list.iter() {
///     let annotation = annotation?;
///     assert_eq!(annotation.label.as_deref(), Some("Car"));
///     let slots = annotation.slots.ok_or("no slots")?;
///     let slot = slots.iter().next().ok_or("no slot")??;
///     assert_eq!(slot.id.as_deref(), Some("s1"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Elements<T> {
    json: Json,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Elements<T> {
    /// The list as JSON text.
    pub fn json(&self) -> &Json {
        &self.json
    }
}

impl<T: DeserializeOwned> Elements<T> {
    /// Parses the elements in their order; one that is not a `T` is an error.
    pub fn iter(&self) -> impl Iterator<Item = serde_json::Result<T>> {
        let mut text = self.json.get().strip_prefix('[').unwrap_or_default();
        iter::from_fn(move || {
            text = text.trim_start_matches([' ', '\t', '\n', '\r', ',']);
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
            // The list's end is not a value.
            let value = values.next()?.ok()?;
            text = text.get(values.byte_offset()..)?;
            Some(T::deserialize(value))
        })
    }
}

impl<T> fmt::Debug for Elements<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.json.fmt(f)
    }
}

impl<T> FromValue for Elements<T> {
    const EXPECTED: &'static str = "a list";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        value.is_list().then(|| Self { json: value.json(), of: PhantomData })
    }
}

payload! {
    /// An annotation made with one of the project's tools.
    pub struct Annotation {
        /// The tool's key, such as `box2d-[e3030]`.
        pub key: Option<String>,
        /// The tool's label.
        pub label: Option<String>,
        /// `slot`.
        pub r#type: Option<String> = "type",
        /// What was drawn or marked.
        pub slots: Option<Elements<Slot>>,
        ..rest
    }

    /// An element that was drawn or marked. Members that depend on its type, other than a plane,
    /// are in [`rest`](Self::rest).
    pub struct Slot {
        /// The slot's id.
        pub id: Option<String>,
        /// The slot's label.
        pub label: Option<String>,
        /// Who made it.
        pub user_id: Option<String> = "userId",
        /// The team of that user.
        pub team_id: Option<String> = "teamId",
        /// The pool in which it was made.
        pub pool_id: Option<String> = "poolId",
        /// `box2d`, `box3d`, `polygon`, `line`, `point`, `cuboid`, `text` and more.
        pub r#type: Option<String> = "type",
        /// The corners of a `box2d`.
        pub plane: Option<Plane>,
        /// The source of a text or audio.
        pub source: Option<String>,
        /// Where it starts.
        pub start: Option<f64>,
        /// How long it is.
        pub length: Option<f64>,
        /// The text.
        pub text: Option<String>,
        /// An algorithm's confidence.
        pub confidence: Option<f64>,
        /// Whether somebody has confirmed it.
        pub confirmed: Option<bool>,
        /// An algorithm's confidence as a word, such as `High`.
        pub hint_confidence: Option<String> = "hintConfidence",
        /// Whether somebody has confirmed the hint, such as `Unconfirmed`.
        pub hint_status: Option<String> = "hintStatus",
        ..rest
    }

    /// The corners of a `box2d`.
    pub struct Plane {
        /// Top left.
        pub top_left: Option<Point> = "topLeft",
        /// Top right.
        pub top_right: Option<Point> = "topRight",
        /// Bottom right.
        pub bottom_right: Option<Point> = "bottomRight",
        /// Bottom left.
        pub bottom_left: Option<Point> = "bottomLeft",
        ..rest
    }

    /// A point of an image; Stardust documents no unit.
    pub struct Point {
        /// From the left.
        pub x: Option<f64>,
        /// From the top.
        pub y: Option<f64>,
        ..rest
    }
}
