//! What the page shows of a request: text of limited length, without credentials.

use axum::http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt, io};

/// A text, or its beginning.
#[derive(Serialize)]
pub struct Text {
    text: String,
    cut: bool,
}

impl Text {
    /// The part of `bytes` that is shown; `cut` if that is not all of them.
    pub fn of(bytes: &[u8], cut: bool) -> Self {
        let shown = bytes.get(..LONGEST_TEXT).unwrap_or(bytes);
        Self {
            text: String::from_utf8_lossy(shown).into_owned(),
            cut: cut || shown.len() < bytes.len(),
        }
    }

    /// Indented JSON; writing stops when it is too long.
    pub fn of_json(value: &impl Serialize) -> Option<Self> {
        let mut start = Start { bytes: Vec::new(), full: false };
        match serde_json::to_writer_pretty(&mut start, value) {
            Ok(()) => Some(Self::of(&start.bytes, false)),
            Err(_) if start.full => Some(Self::of(&start.bytes, true)),
            Err(_) => None,
        }
    }
}

/// Headers by name; the value is `None` for one that is a credential of any provider.
pub fn headers(headers: &HeaderMap, credentials: &[&str]) -> Vec<(String, Option<String>)> {
    let shown = headers.iter().map(|(name, value)| {
        let secret = value.is_sensitive()
            || credentials.contains(&name.as_str())
            || ALWAYS_SECRET.contains(name);
        (
            name.to_string(),
            (!secret).then(|| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        )
    });
    shown.collect()
}

/// A body without ZEGOCLOUD's `signature` and `nonce`, whichever route it was sent to; `None` if it
/// may contain them and they cannot be told from the rest.
pub fn without_signature(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = body.trim_ascii();
    let decoded: Cow<'_, [u8]> = percent_decode(text).into();
    if let Some(object) =
        [text, &decoded].iter().find_map(|text| serde_json::from_slice::<Members<'_>>(text).ok())
    {
        if !object.0.iter().any(|(name, _)| signs(name)) {
            return Some(Cow::Borrowed(body));
        }
        let rest = object.0.iter().filter(|(name, _)| !signs(name));
        let members: Vec<_> =
            rest.map(|(name, value)| format!("  {}: {value}", quoted(name))).collect();
        return Some(Cow::Owned(format!("{{\n{}\n}}", members.join(",\n")).into_bytes()));
    }
    let pairs: Vec<_> = form_urlencoded::parse(text).collect();
    if pairs.iter().any(|(name, _)| signs(name)) {
        let rest = pairs.iter().filter(|(name, _)| !signs(name));
        return Some(Cow::Owned(
            form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish().into(),
        ));
    }
    let may_be_signed = decoded
        .windows(SIGNATURE.len())
        .any(|part| part.eq_ignore_ascii_case(SIGNATURE.as_bytes()));
    (!may_be_signed).then_some(Cow::Borrowed(body))
}

fn signs(name: &str) -> bool {
    [SIGNATURE, "nonce"].iter().any(|secret| name.trim().eq_ignore_ascii_case(secret))
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// An object's members as they came, in their order, repeated names included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

struct Start {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > LONGEST_TEXT {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub const LONGEST_TEXT: usize = 128 << 10;
const SIGNATURE: &str = "signature";
const ALWAYS_SECRET: [HeaderName; 3] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
