//! What the page shows of a request: text of limited length, without credentials.

use axum::http::{HeaderMap, HeaderName, header};
use percent_encoding::percent_decode;
use serde::{
    Deserializer, Serialize,
    de::{DeserializeSeed, MapAccess, Visitor},
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
        let (shown, cut) = beginning(bytes, cut);
        Self { text: String::from_utf8_lossy(shown).into_owned(), cut }
    }

    /// Indented JSON; writing stops when it is too long.
    pub fn of_json(value: &impl Serialize) -> Option<Self> {
        let mut start = Start::default();
        let written = serde_json::to_writer_pretty(&mut start, value);
        (written.is_ok() || start.full).then(|| Self::of(&start.bytes, start.full))
    }

    /// The part of `bytes` that is shown, without ZEGOCLOUD's `signature` and `nonce`; `None` if
    /// they cannot be told from the rest. Nothing but that part is read.
    pub fn of_body(bytes: &[u8], cut: bool) -> Option<Self> {
        let (shown, cut) = beginning(bytes, cut);
        Some(Self::of(&without_signature(shown, cut)?, cut))
    }
}

fn beginning(bytes: &[u8], cut: bool) -> (&[u8], bool) {
    bytes
        .get(..LONGEST_TEXT)
        .map_or((bytes, cut), |shown| (shown, cut || shown.len() < bytes.len()))
}

/// The beginning of a value's JSON, and whether that is not all of it.
pub fn beginning_of_json(value: &impl Serialize) -> Option<(Vec<u8>, bool)> {
    let mut start = Start::default();
    let written = serde_json::to_writer(&mut start, value);
    (written.is_ok() || start.full).then_some((start.bytes, start.full))
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

/// A body, or its beginning if it is `cut`, without ZEGOCLOUD's `signature` and `nonce`, whichever
/// route it was sent to; `None` if it may contain them and they cannot be told from the rest.
pub fn without_signature(body: &[u8], cut: bool) -> Option<Cow<'_, [u8]>> {
    let text = body.trim_ascii();
    let decoded: Cow<'_, [u8]> = percent_decode(text).into();
    let found = [text, &decoded].iter().find_map(|text| Some((*text, Members::of(text, cut)?)));
    if let Some((text, Members { list, whole })) = found {
        // What follows the last whole member is a part of one.
        if !list.iter().any(|(name, _)| signs(name)) && (whole || !may_sign(text)) {
            return Some(Cow::Borrowed(body));
        }
        let rest = list.iter().filter(|(name, _)| !signs(name));
        let members: Vec<_> =
            rest.map(|(name, value)| format!("  {}: {value}", quoted(name))).collect();
        let end = if whole { "\n}" } else { "" };
        return Some(Cow::Owned(format!("{{\n{}{end}", members.join(",\n")).into_bytes()));
    }
    let pairs: Vec<_> = form_urlencoded::parse(text).collect();
    if pairs.iter().any(|(name, _)| signs(name)) {
        let rest = pairs.iter().filter(|(name, _)| !signs(name));
        return Some(Cow::Owned(
            form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish().into(),
        ));
    }
    (!may_sign(&decoded)).then_some(Cow::Borrowed(body))
}

fn signs(name: &str) -> bool {
    SIGNING.iter().any(|secret| name.trim().eq_ignore_ascii_case(secret))
}

/// Either name is enough: a cut may have taken the other one.
fn may_sign(text: &[u8]) -> bool {
    let holds = |name: &str| {
        text.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name.as_bytes()))
    };
    SIGNING.iter().any(|name| holds(name))
}

fn quoted(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

/// An object's members as they came, in their order, repeated names included.
struct Members<'a> {
    list: Vec<(String, &'a RawValue)>,
    /// The object's end is there.
    whole: bool,
}

impl<'a> Members<'a> {
    /// The members of an object; if the text is `cut`, those before the cut.
    fn of(text: &'a [u8], cut: bool) -> Option<Self> {
        let mut list = Vec::new();
        let mut json = serde_json::Deserializer::from_slice(text);
        match Collecting(&mut list).deserialize(&mut json).and_then(|()| json.end()) {
            Ok(()) => Some(Self { list, whole: true }),
            Err(error) => {
                let begun = cut && error.is_eof() && text.starts_with(b"{");
                begun.then_some(Self { list, whole: false })
            }
        }
    }
}

/// Where an object's members go. What was read before an error stays there.
struct Collecting<'l, 'a>(&'l mut Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for Collecting<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Collecting<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Start {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LONGEST_TEXT - self.bytes.len();
        if let Some(fits) = bytes.get(..room).filter(|fits| fits.len() < bytes.len()) {
            self.bytes.extend_from_slice(fits);
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
const SIGNING: [&str; 2] = ["signature", "nonce"];
const ALWAYS_SECRET: [HeaderName; 3] =
    [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE];
