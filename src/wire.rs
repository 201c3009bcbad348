//! What the providers' payloads have in common: loosely typed scalars, open code tables, JSON that is kept as it came.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, IntoDeserializer, MapAccess, Visitor, value::MapDeserializer},
    forward_to_deserialize_any,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, marker::PhantomData, str::FromStr};

/// The members of a JSON object, in their order, as slices of the text.
///
/// It allocates nothing but its own list, whatever the values hold.
#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
pub(crate) struct Members<'a>(Vec<(Text<'a>, &'a RawValue)>);

#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
#[allow(dead_code, reason = "not every provider uses every form")]
impl<'a> Members<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// See [`scalar`].
    pub(crate) fn scalar(&self, name: &str) -> Option<Cow<'a, str>> {
        scalar(self.get(name)?)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.get() != "null")
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&*key.0, *value))
    }

    pub(crate) fn has_duplicates(&self) -> bool {
        if self.0.len() > TYPICAL_MEMBERS {
            let mut names: Vec<&str> = self.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            return names.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
        }
        // Few names have their length and both ends in common; only those are compared, with the ones before them.
        let mut seen = 0_u128;
        self.iter().enumerate().any(|(at, (name, _))| {
            let end = |byte: Option<&u8>| u32::from(byte.copied().unwrap_or_default());
            let (first, last) = (end(name.as_bytes().first()), end(name.as_bytes().last()));
            let bit = 1_u128.rotate_left((name.len() as u32).wrapping_mul(31) ^ first.wrapping_mul(7) ^ last);
            let maybe = seen & bit != 0;
            seen |= bit;
            maybe && self.iter().take(at).any(|(other, _)| other == name)
        })
    }

    /// The typed form of the object, from the same slices.
    pub(crate) fn parse<T: Deserialize<'a>>(&self) -> serde_json::Result<T> {
        T::deserialize(MapDeserializer::new(self.iter().map(|(name, value)| (name, Member(value)))))
    }
}

/// A member's value, of which serde_json knows already that it is JSON: a string without escapes is taken as it stands.
#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
struct Member<'a>(&'a RawValue);

#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
impl<'de> IntoDeserializer<'de, serde_json::Error> for Member<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
impl<'de> Deserializer<'de> for Member<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        match plain(self.0) {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        if self.0.get() == "null" { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.0.deserialize_newtype_struct(name, visitor)
    }

    // A derived struct would read a list as its members in order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        match self.0.get().as_bytes().first() {
            Some(b'{') => self.0.deserialize_any(visitor),
            _ => Err(de::Error::invalid_type(de::Unexpected::Other("no object"), &visitor)),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> serde_json::Result<V::Value> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> serde_json::Result<V::Value> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Index;

        impl<'de> Visitor<'de> for Index {
            type Value = Vec<(Text<'de>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(TYPICAL_MEMBERS);
                while let Some(member) = map.next_entry()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(de::Error::custom("the object has more than 256 members"));
                    }
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Index).map(Self)
    }
}

/// A JSON string, borrowed where it holds no escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow<'a>(PhantomData<&'a ()>);

        impl<'de: 'a, 'a> Visitor<'de> for Borrow<'a> {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Borrow(PhantomData))
    }
}

/// A string's content, or the digits of a number that is not negative, as they were sent.
#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
pub(crate) fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    if let Some(text) = plain(value) {
        return Some(Cow::Borrowed(text));
    }
    match value.get().as_bytes().first() {
        Some(b'"') => serde_json::from_str::<Text<'_>>(value.get()).ok().map(|text| text.0),
        Some(b'0'..=b'9') => Some(Cow::Borrowed(value.get())),
        _ => None,
    }
}

/// The content of a string without escapes.
#[cfg(any(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]
fn plain(value: &RawValue) -> Option<&str> {
    let text = value.get().strip_prefix('"')?.strip_suffix('"')?;
    (!text.as_bytes().contains(&b'\\')).then_some(text)
}

/// A scalar that the provider sends as a string (and by some pages as a number): either is read, a string is written.
pub(crate) mod text {
    use super::*;

    pub(crate) use super::number::deserialize;

    pub(crate) fn serialize<T: fmt::Display, S: Serializer>(value: &Option<T>, out: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => out.collect_str(value),
            None => out.serialize_none(),
        }
    }
}

/// A scalar that the provider sends as a number (and by some pages as a string): either is read, a number is written.
pub(crate) mod number {
    use super::*;

    pub(crate) fn serialize<T: Serialize, S: Serializer>(value: &Option<T>, out: S) -> Result<S::Ok, S::Error> {
        value.serialize(out)
    }

    pub(crate) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(input: D) -> Result<Option<T>, D::Error> {
        input.deserialize_any(Scalar(PhantomData))
    }
}

/// A list of scalars that the provider sends as strings.
#[cfg(feature = "zegocloud")]
pub(crate) mod texts {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Vec<String>>, out: S) -> Result<S::Ok, S::Error> {
        value.serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<String>>, D::Error> {
        #[derive(Deserialize)]
        struct Item(#[serde(with = "text")] Option<String>);

        let items = Option::<Vec<Item>>::deserialize(input)?;
        Ok(items.map(|items| items.into_iter().filter_map(|item| item.0).collect()))
    }
}

/// An id: a string's content, or the digits of a whole number, however many; a string is written.
#[cfg(any(feature = "geelark", feature = "stardust"))]
pub(crate) struct Id(pub(crate) String);

#[cfg(any(feature = "geelark", feature = "stardust"))]
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(input)?;
        match raw.get().as_bytes() {
            [b'"', text @ .., b'"'] if text.contains(&b'\\') => {
                serde_json::from_str(raw.get()).map_err(de::Error::custom)
            }
            [b'"', .., b'"'] => {
                let mut text = String::from(Box::<str>::from(raw));
                text.pop();
                text.remove(0);
                Ok(text)
            }
            digits if digits.iter().all(u8::is_ascii_digit) => Ok(String::from(Box::<str>::from(raw))),
            _ => Err(de::Error::custom("an id is neither a string nor a whole number")),
        }
        .map(Self)
    }
}

#[cfg(any(feature = "geelark", feature = "stardust"))]
pub(crate) fn id<'de, D: Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    Id::deserialize(input).map(|id| id.0)
}

struct Scalar<T>(PhantomData<T>);

impl<'de, T: FromStr> Visitor<'de> for Scalar<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<T>, E> {
        match text.parse().or_else(|_| text.trim().parse()) {
            Ok(value) => Ok(Some(value)),
            Err(_) if text.trim().is_empty() => Ok(None),
            Err(_) => Err(E::custom("the value is not of its documented type")),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<T>, E> {
        self.visit_str(itoa(&mut [0; 20], number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<T>, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<T>, E> {
        // Past 2^53 the digits that were sent are lost.
        if number.abs() >= 9_007_199_254_740_992.0 {
            return Err(E::custom("the number is too large"));
        }
        self.visit_str(&number.to_string())
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    // Numbers come this way when serde_json's `arbitrary_precision` is on.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<T>, A::Error> {
        match map.next_entry::<Text<'_>, String>()? {
            Some((key, digits)) if key.0 == "$serde_json::private::Number" => {
                if let Ok(number) = digits.parse() {
                    return self.visit_u64(number);
                }
                match digits.parse() {
                    Ok(number) => self.visit_i64(number),
                    Err(_) => self.visit_f64(digits.parse().map_err(de::Error::custom)?),
                }
            }
            _ => Err(de::Error::invalid_type(de::Unexpected::Map, &self)),
        }
    }
}

fn itoa(buffer: &mut [u8; 20], mut number: u64) -> &str {
    let mut used = 0_usize;
    for place in buffer.iter_mut().rev() {
        *place = b'0'.wrapping_add((number % 10) as u8);
        used = used.saturating_add(1);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    let digits = buffer.len().saturating_sub(used);
    buffer.get(digits..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default()
}

/// Structs of a payload: every member optional, `null` the same as missing, unknown members ignored.
///
/// `=> "text"` and `=> "number"` name how a scalar is written; both are read either way. `=> "texts"` is a list of
/// strings, each of them read either way too.
macro_rules! payload {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(<$detail:ident>)? {$(
            $(#[$field_meta:meta])*
            pub $field:ident: $type:ty $(=> $with:literal)?,
        )*}
    )*) => {$(
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        $(#[$meta])*
        #[non_exhaustive]
        pub struct $name $(<$detail>)? {$(
            $(#[$field_meta])*
            #[serde($(default, with = $with,)? skip_serializing_if = "Option::is_none")]
            pub $field: Option<$type>,
        )*}
    )*};
}

/// A table of integer codes with room for codes that are not in it yet.
#[allow(unused_macros, reason = "not every provider uses every form")]
macro_rules! codes {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident {$(
            $(#[$code_meta:meta])*
            $variant:ident = $code:literal,
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$code_meta])* $variant,)*
            /// A code that the provider's page does not list.
            Other(i64),
        }

        impl $name {
            /// The code on the wire.
            pub const fn code(self) -> i64 {
                match self { $(Self::$variant => $code,)* Self::Other(code) => code }
            }
        }

        impl From<i64> for $name {
            fn from(code: i64) -> Self {
                match code { $($code => Self::$variant,)* code => Self::Other(code) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(|code: i64| Self::from(code))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.code().fmt(f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_i64(self.code())
            }
        }
    )*};
}

/// A table of words with room for words that are not in it yet.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        pub enum $name:ident {$(
            $(#[$word_meta:meta])*
            $variant:ident = $word:literal,
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_meta])* $variant,)*
            /// A word that the provider's page does not list.
            Other(String),
        }

        impl $name {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $word,)* Self::Other(word) => word }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word.trim() { $($word => Self::$variant,)* _ => Self::Other(word.to_owned()) }
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(word))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }
    )*};
}

#[allow(unused_imports, reason = "not every provider uses every form")]
pub(crate) use {codes, payload, words};

/// Of any object that is indexed or kept: it bounds what a body can make of its own size.
pub(crate) const MAX_MEMBERS: usize = 256;
const TYPICAL_MEMBERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn number<T: FromStr>(json: &str) -> Result<Option<T>, serde_json::Error> {
        number::deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    /// Also with `serde_json/arbitrary_precision`, which an application's other dependencies can switch on.
    #[test]
    fn numbers_are_read_alike_whatever_serde_json_makes_of_them() {
        for (json, expected) in [
            ("0", Some("0")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("1.0", Some("1")),
            ("1.5e3", Some("1500")),
            ("0.25", Some("0.25")),
            ("-1.5", Some("-1.5")),
            ("1234567.0", Some("1234567")),
            ("9007199254740994e3", None),
            ("18446744073709551616", None),
            ("-9223372036854775809", None),
            ("1e300", None),
            ("{\"$serde_json::private::Number\":\"1\",\"a\":1}", None),
            ("{\"a\":\"1\"}", None),
            ("[1]", None),
            ("true", None),
        ] {
            let read: Result<Option<String>, _> = number(json);
            assert_eq!(read.ok().flatten().as_deref(), expected, "{json}");
        }
        assert_eq!(number::<i64>("1.0").unwrap(), Some(1));
        assert_eq!(number::<i64>("1e3").unwrap(), Some(1000));
        assert_eq!(number::<u64>("18446744073709551615").unwrap(), Some(u64::MAX));
        assert!(number::<u64>("-1").is_err());
        assert!(number::<i64>("0.5").is_err());
        assert_eq!(number::<f64>("1e-7").unwrap(), Some(1e-7));
    }
}
