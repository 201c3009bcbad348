//! Reads JSON with serde_json, as the reference for the crate's own index.

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::fmt;

/// The members of an object in their order. The names are as written, with quotes and escapes.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(&'a str, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                    members.push((name.get(), value.get()));
                }
                Ok(Members(members))
            }
        }

        input.deserialize_map(All)
    }
}

/// The members, if the text is an object.
pub fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

/// The elements, if the text is a list.
pub fn elements(text: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// Whether the text is JSON.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The content of a JSON string; a lone surrogate becomes U+FFFD. Decoded by way of UTF-16, as in
/// JavaScript.
pub fn content(string: &str) -> String {
    let mut units = Vec::with_capacity(string.len());
    let mut letters = string[1..string.len() - 1].chars();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        let unit = match escaped {
            None => {
                units.extend_from_slice(letter.encode_utf16(&mut [0; 2]));
                continue;
            }
            Some('b') => 8,
            Some('f') => 12,
            Some('n') => 10,
            Some('r') => 13,
            Some('t') => 9,
            Some('u') => (0..4).fold(0, |code, _| {
                code * 16 + letters.next().and_then(|it| it.to_digit(16)).unwrap() as u16
            }),
            Some(itself) => itself as u16,
        };
        units.push(unit);
    }
    String::from_utf16_lossy(&units)
}
