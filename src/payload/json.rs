//! JSON text that is kept as it was sent.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
    ser::Error as _,
};
use serde_json::{Map, Value, value::RawValue};
use std::{any::type_name, borrow::Cow, fmt, sync::OnceLock};

/// JSON text as the provider sent it, for members without a type of their own.
///
/// Numbers keep all their digits when the text is written as JSON and read from JSON. Any other
/// serde format ([`serde_json::Value`], CBOR, a `#[serde(tag = "…")]` enum around the event) has
/// numbers of its own: a decimal loses the digits that an `f64` cannot hold, one beyond its range
/// (`1e999`) is an error, only the last of repeated members remains, and the order of members may
/// change. Nesting deeper than 128 is also an error there. So it is behind `erased_serde`, which
/// hides that the format is JSON. RON, and formats that are not self-describing, such as bincode
/// and postcard, are not supported. A `Json` cannot be a `#[serde(flatten)]` field, nor the content of
/// a `#[serde(tag = "…")]` enum.
///
/// Equality compares [`serde_json::Value`]s: white space and the order of members do not count.
///
/// ```
/// use tower_webhooks::Json;
///
/// let json: Json = serde_json::from_str(r#"{"score": 0.30000000000000000004}"#)?;
/// assert_eq!(json.get(), r#"{"score": 0.30000000000000000004}"#);
///
/// #[derive(serde::Deserialize)]
/// struct Scored {
///     score: f64,
/// }
/// assert_eq!(json.parse::<Scored>()?.score, 0.3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct Json(Box<str>);

impl Json {
    /// The JSON text.
    pub fn get(&self) -> &str {
        &self.0
    }

    /// Deserializes the text into `T`.
    ///
    /// # Errors
    ///
    /// serde_json's error if the text does not have the shape of `T`.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.get())
    }

    /// The text, if it is JSON.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Self::mended(raw.get()))
    }

    /// Takes text that is known to be JSON without lone surrogates.
    pub(crate) fn from_checked(text: &str) -> Self {
        Self(text.into())
    }

    /// Takes text that is known to be JSON. Lone surrogates become U+FFFD.
    pub(crate) fn mended(text: &str) -> Self {
        Self(mend(text).into())
    }

    /// A JSON string with this content.
    pub(crate) fn from_string(text: &str) -> Self {
        serde_json::to_string(text).map(|json| Self(json.into())).unwrap_or_default()
    }
}

impl Default for Json {
    /// `null`.
    fn default() -> Self {
        Self("null".into())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let value = |json: &Self| json.parse::<Plain>().ok();
        self.get() == other.get() || value(self).is_some_and(|one| value(other) == Some(one))
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Only serde_json's serializers understand a `RawValue`. Most adapters around them have
        // their error. A serializer that returns something, as that of `to_value`, parses the text
        // again, and misreads names that are serde_json's own.
        let is_serde_json = type_name::<S::Error>() == type_name::<serde_json::Error>();
        let writes_text = size_of::<S::Ok>() == 0;
        if is_serde_json && (writes_text || !has_reserved_name(self.get())) {
            return self.parse::<&RawValue>().map_err(S::Error::custom)?.serialize(serializer);
        }
        self.parse::<Plain>().map_err(S::Error::custom)?.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(AnyFormat(deserializer)).map(|raw| Self(Box::<str>::from(raw)))
    }
}

/// Lets a `RawValue` deserialize from any format: it asks for raw text by a name that only
/// serde_json's deserializers know.
struct AnyFormat<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for AnyFormat<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Raw { name, visitor })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Passes serde_json's raw text on, and writes the value of another format as JSON text.
struct Raw<V> {
    name: &'static str,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Raw<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(map)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, input: D) -> Result<V::Value, D::Error> {
        let text = Plain::deserialize(input)?.0.to_string();
        self.visitor.visit_map(MapDeserializer::new(std::iter::once((self.name, text))))
    }
}

/// Whether a name in the JSON text may be one that serde_json takes for a mark of its own.
fn has_reserved_name(json: &str) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::Array(list) => list.iter().any(any),
            Value::Object(members) => {
                members.iter().any(|(name, value)| name.contains(RESERVED) || any(value))
            }
            _ => false,
        }
    }

    // Its letters may be escaped.
    (json.contains(RESERVED) || json.contains("\\u00"))
        && serde_json::from_str::<Plain>(json).is_ok_and(|plain| any(&plain.0))
}

/// A [`Value`] in which no name has a special meaning: a `Value` is replaced by the text in its
/// member if that is named as serde_json marks raw text.
#[derive(PartialEq)]
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Self)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        Plain::deserialize(input).map(|plain| plain.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Plain(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            if members.is_empty() && name == NUMBER && numbers_are_maps() {
                let digits: String = map.next_value()?;
                return digits.parse().map(Value::Number).map_err(de::Error::custom);
            }
            let Plain(value) = map.next_value()?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

/// Whether serde_json's feature `arbitrary_precision` is on. Numbers then come as maps with one
/// member.
fn numbers_are_maps() -> bool {
    static ARE_MAPS: OnceLock<bool> = OnceLock::new();
    *ARE_MAPS.get_or_init(|| {
        let map = MapDeserializer::<_, serde_json::Error>::new([(NUMBER, "1")].into_iter());
        Value::deserialize(map).is_ok_and(|value| value.is_number())
    })
}

/// Replaces each escaped lone surrogate by U+FFFD.
///
/// JSON allows `"\ud83d"` alone, and a chat user can send it, but no `String` can hold it.
pub(crate) fn mend(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        let escape = at.saturating_add(found);
        at = escape.saturating_add(2);
        let Some(code) = surrogate(text, escape) else { continue };
        let after = escape.saturating_add(ESCAPE);
        if code < LOW && surrogate(text, after).is_some_and(|next| next >= LOW) {
            at = after.saturating_add(ESCAPE);
            continue;
        }
        mended.push_str(text.get(copied..escape).unwrap_or_default());
        mended.push('\u{fffd}');
        copied = after;
        at = after;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(mended)
}

/// The surrogate whose escape begins at `at`.
fn surrogate(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at.checked_add(ESCAPE)?)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok().filter(|code| (0xd800..=0xdfff).contains(code))
}

// The names by which serde_json marks numbers, and raw text as well.
const NUMBER: &str = "$serde_json::private::Number";
const RESERVED: &str = "serde_json::private::";
// The length of `\uXXXX`.
const ESCAPE: usize = 6;
// The first low surrogate.
const LOW: u16 = 0xdc00;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_serde_json_reserves_are_kept() {
        let text = r#"{"$serde_json::private::RawValue":1.50}"#;
        assert_eq!(serde_json::to_string(&Json::from_text(text).unwrap()).unwrap(), text);
        // This is a number where serde_json takes it for one.
        let text = r#"{"$serde_json::private::Number":"1"}"#;
        let Plain(value) = Json::from_text(text).unwrap().parse().unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
    }

    /// A formatter is a serializer for scalars, and not serde_json's.
    #[test]
    fn other_formats_get_the_parsed_value() {
        struct Shown(Json);

        impl fmt::Display for Shown {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.serialize(f)
            }
        }

        let mut all = vec![(r#""a\u0062""#, "ab"), ("true", "true")];
        if !numbers_are_maps() {
            all.push(("1.50", "1.5"));
        }
        for (text, shown) in all {
            assert_eq!(Shown(Json::from_text(text).unwrap()).to_string(), shown);
        }
    }

    #[test]
    fn lone_surrogates_are_mended_and_nothing_else() {
        for (text, mended) in [
            (r#""plain""#, r#""plain""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""a\ud83d""#, "\"a\u{fffd}\""),
            (r#""\uDE00b""#, "\"\u{fffd}b\""),
            (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}\\ud83d\\ude00\""),
            (r#""\ude00\ud83d""#, "\"\u{fffd}\u{fffd}\""),
            (r#""\udc00\udc00""#, "\"\u{fffd}\u{fffd}\""),
            (r#""\u00e9\n\ud83dé""#, "\"\\u00e9\\n\u{fffd}é\""),
        ] {
            assert_eq!(mend(text), mended, "{text}");
            assert!(serde_json::from_str::<String>(&mend(text)).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_value_is_an_error_that_says_so() {
        use serde::de::{IntoDeserializer, value::Error};

        let error = Json::deserialize(IntoDeserializer::<Error>::into_deserializer(true));
        assert_eq!(
            error.unwrap_err().to_string(),
            "invalid type: boolean `true`, expected a JSON value"
        );
    }

    #[test]
    fn equality_is_of_values() {
        let json = |text| Json::from_text(text).unwrap();
        assert_eq!(json(r#"{"a":1,"b":[1.0]}"#), json(r#"{ "b": [1.0], "a": 1 }"#));
        assert_ne!(json(r#"{"a":1}"#), json(r#"{"a":2}"#));
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert_eq!(json(&deep), json(&deep));
    }
}
