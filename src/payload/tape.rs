//! JSON text, checked in one pass that notes where everything in it is.

use super::{Object, mend};
use serde::de::IgnoredAny;
use std::{borrow::Cow, cell::Cell};

/// The index of a whole JSON text: its values in their order, each before what is in it.
///
/// What is nested too deep, or beyond the first 16,384 values, is checked and not indexed: whoever reads it gives it an
/// index of its own. Lists of more than 4,096 elements and objects of more than 256 members are never indexed.
pub(crate) struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    /// Whether any name has to be read before it can be compared.
    has_escaped_names: bool,
}

struct Node {
    name: Span,
    value: Span,
    /// Where on the tape the next one is that is not in this one.
    next: u32,
    kind: Kind,
    marks: Cell<u8>,
}

#[derive(Clone, Copy)]
struct Span {
    from: u32,
    to: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Null,
    /// True or false.
    Word,
    Number,
    /// A string without escapes.
    Plain,
    Escaped,
    /// A list or an object of so many values, which follow.
    Indexed(u32),
    NotIndexed,
    TooLong,
}

impl<'a> Tape<'a> {
    /// `None` if the text is no JSON.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        let nodes = Vec::with_capacity(TYPICAL_NODES);
        let tape = Self { text, nodes, has_escaped_names: false };
        let mut scan = Scan { tape, bytes: text.as_bytes(), at: 0 };
        scan.blank();
        scan.value(NO_NAME, 0)?;
        scan.blank();
        (scan.at == text.len()).then_some(scan.tape)
    }

    /// The whole text.
    pub(crate) fn root(&self) -> Value<'_> {
        self.value(0)
    }

    /// The whole text, if it is an object of at most 256 members.
    pub(crate) fn object(&self) -> Option<Object<'_>> {
        Object::of(self.root())
    }

    pub(super) fn value(&self, place: usize) -> Value<'_> {
        let (span, kind) = self.nodes.get(place).map_or((NO_NAME, Kind::Null), |node| (node.value, node.kind));
        Value { tape: self, place, text: self.slice(span), kind }
    }

    /// The place after the value and all that is in it.
    pub(super) fn next(&self, place: usize) -> usize {
        self.nodes.get(place).map_or(usize::MAX, |node| node.next as usize)
    }

    pub(super) fn name(&self, place: usize) -> Cow<'_, str> {
        let name = self.nodes.get(place).map_or("", |node| self.slice(node.name));
        if self.has_escaped_names { unescape(name).unwrap_or(Cow::Borrowed(name)) } else { Cow::Borrowed(name) }
    }

    pub(super) fn is_named(&self, place: usize, name: &str) -> bool {
        self.find(name, place, place.saturating_add(1)).is_some()
    }

    /// The first value of this name, among those side by side from here to there.
    pub(super) fn find(&self, name: &str, from: usize, to: usize) -> Option<usize> {
        let mut place = from;
        while place < to {
            let node = self.nodes.get(place)?;
            let Span { from, to } = node.name;
            // Most names differ in length.
            let is_it = match self.has_escaped_names {
                true => self.name(place) == name,
                false => {
                    to.wrapping_sub(from) as usize == name.len()
                        && self.text.as_bytes().get(from as usize..to as usize) == Some(name.as_bytes())
                }
            };
            if is_it {
                return Some(place);
            }
            place = node.next as usize;
        }
        None
    }

    /// What a reader has noted here.
    pub(super) fn marks(&self, place: usize) -> u8 {
        self.nodes.get(place).map_or(0, |node| node.marks.get())
    }

    pub(super) fn set_marks(&self, place: usize, marks: u8) {
        if let Some(node) = self.nodes.get(place) {
            node.marks.set(marks);
        }
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.from as usize..span.to as usize).unwrap_or_default()
    }
}

/// A value in a text that was checked.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t> {
    tape: &'t Tape<'t>,
    place: usize,
    text: &'t str,
    kind: Kind,
}

impl<'t> Value<'t> {
    /// Its text.
    pub(crate) fn text(self) -> &'t str {
        self.text
    }

    pub(crate) fn is_null(self) -> bool {
        self.kind == Kind::Null
    }

    pub(crate) fn is_string(self) -> bool {
        matches!(self.kind, Kind::Plain | Kind::Escaped)
    }

    pub(crate) fn is_list(self) -> bool {
        self.text.starts_with('[')
    }

    pub(super) fn tape(self) -> &'t Tape<'t> {
        self.tape
    }

    pub(super) fn place(self) -> usize {
        self.place
    }

    /// A string's content, or a number's text as it was sent.
    pub(crate) fn scalar(self) -> Option<Cow<'t, str>> {
        match self.kind {
            Kind::Plain => Some(Cow::Borrowed(inner(self.text))),
            Kind::Escaped => scalar(self.text),
            Kind::Number => Some(Cow::Borrowed(self.text)),
            _ => None,
        }
    }

    /// How many values are in this list or object, if it is indexed.
    pub(super) fn count(self) -> Option<usize> {
        match self.kind {
            Kind::Indexed(count) => Some(count as usize),
            _ => None,
        }
    }

    /// This list or object with an index: `own` if it is not on the tape yet.
    pub(crate) fn indexed<'s>(self, own: &'s mut Option<Tape<'t>>) -> Value<'s>
    where
        't: 's,
    {
        match self.kind {
            Kind::NotIndexed => {
                *own = Tape::new(self.text);
                own.as_ref().map_or(self, Tape::root)
            }
            _ => self,
        }
    }

    /// Removes what readers have noted of what is in it.
    pub(super) fn forget(self) {
        (self.place.saturating_add(1)..self.tape.next(self.place)).for_each(|place| self.tape.set_marks(place, 0));
    }

    /// The values in a list or object that is indexed, with their places.
    pub(crate) fn values(self) -> impl Iterator<Item = Value<'t>> {
        let mut place = self.place;
        (0..self.count().unwrap_or_default()).map(move |number| {
            place = if number == 0 { place.saturating_add(1) } else { self.tape.next(place) };
            self.tape.value(place)
        })
    }
}

/// See [`Value::scalar`].
pub(crate) fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => unescape(inner(json)),
        b'0'..=b'9' | b'-' => Some(Cow::Borrowed(json)),
        _ => None,
    }
}

/// A string's text without its quotes.
fn inner(string: &str) -> &str {
    string.get(1..string.len().saturating_sub(1)).unwrap_or_default()
}

/// The content of a string with escapes; a lone surrogate is U+FFFD.
fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(&mend(&["\"", inner, "\""].concat())).ok().map(Cow::Owned)
}

struct Scan<'a> {
    tape: Tape<'a>,
    bytes: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    /// Checks one value and puts it on the tape.
    fn value(&mut self, name: Span, depth: usize) -> Option<()> {
        let place = self.tape.nodes.len();
        let from = self.here()?;
        let value = Span { from, to: from };
        self.tape.nodes.push(Node { name, value, next: 0, kind: Kind::Null, marks: Cell::new(0) });
        let kind = match self.peek()? {
            b'{' if depth < MAX_DEPTH => self.inside(b'}', MAX_MEMBERS, place, depth)?,
            b'[' if depth < MAX_DEPTH => self.inside(b']', MAX_ELEMENTS, place, depth)?,
            first => self.skip(first)?,
        };
        let (to, next) = (self.here()?, u32::try_from(self.tape.nodes.len()).ok()?);
        let node = self.tape.nodes.get_mut(place)?;
        (node.value.to, node.next, node.kind) = (to, next, kind);
        Some(())
    }

    /// Checks a list or an object and puts what is in it on the tape, unless that is too much.
    fn inside(&mut self, end: u8, most: u32, place: usize, depth: usize) -> Option<Kind> {
        let mut kind = Kind::Indexed(0);
        self.step();
        self.blank();
        if self.peek()? == end {
            self.step();
            return Some(kind);
        }
        loop {
            let name = if end == b'}' { self.name()? } else { NO_NAME };
            let is_room = depth == 0 || self.tape.nodes.len() < MAX_NODES;
            kind = match kind {
                Kind::Indexed(count) if count < most && is_room => {
                    self.value(name, depth.saturating_add(1))?;
                    Kind::Indexed(count.saturating_add(1))
                }
                kind => {
                    self.tape.nodes.truncate(place.saturating_add(1));
                    let first = self.peek()?;
                    self.skip(first)?;
                    match kind {
                        Kind::Indexed(count) if count < most => Kind::NotIndexed,
                        Kind::Indexed(_) => Kind::TooLong,
                        kind => kind,
                    }
                }
            };
            self.blank();
            let after = self.peek()?;
            self.step();
            match after {
                b',' => self.blank(),
                _ if after == end => return Some(kind),
                _ => return None,
            }
        }
    }

    /// Checks a name and its colon, up to the value.
    fn name(&mut self) -> Option<Span> {
        if self.peek()? != b'"' {
            return None;
        }
        self.step();
        let from = self.here()?;
        self.tape.has_escaped_names |= self.string()? == Kind::Escaped;
        let name = Span { from, to: self.here()?.checked_sub(1)? };
        self.blank();
        if self.peek()? != b':' {
            return None;
        }
        self.step();
        self.blank();
        Some(name)
    }

    /// Checks one value.
    fn skip(&mut self, first: u8) -> Option<Kind> {
        match first {
            b'"' => {
                self.step();
                self.string()
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null", Kind::Null),
            b't' => self.word("true", Kind::Word),
            b'f' => self.word("false", Kind::Word),
            _ => {
                let rest = self.tape.text.get(self.at..)?;
                let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
                values.next()?.ok()?;
                self.at = self.at.saturating_add(values.byte_offset());
                Some(Kind::NotIndexed)
            }
        }
    }

    /// Checks a string from behind its first quote to behind its last one.
    fn string(&mut self) -> Option<Kind> {
        let mut kind = Kind::Plain;
        loop {
            self.at = self.at.saturating_add(plain(self.bytes.get(self.at..)?));
            let byte = self.peek()?;
            self.step();
            match byte {
                b'"' => return Some(kind),
                b'\\' => {
                    kind = Kind::Escaped;
                    let escape = self.peek()?;
                    self.step();
                    match escape {
                        b'u' => {
                            let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
                            self.at = self.at.saturating_add(4);
                            digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                        }
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        _ => return None,
                    }
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Kind> {
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.step();
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.step();
            }
            self.digits()?;
        }
        Some(Kind::Number)
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.step();
        }
        (self.at > from).then_some(())
    }

    fn word(&mut self, word: &str, kind: Kind) -> Option<Kind> {
        self.bytes.get(self.at..)?.starts_with(word.as_bytes()).then_some(())?;
        self.at = self.at.saturating_add(word.len());
        Some(kind)
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn here(&self) -> Option<u32> {
        u32::try_from(self.at).ok()
    }
}

/// How many bytes there are before the first quote, backslash or control character.
fn plain(text: &[u8]) -> usize {
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    let mut at = 0_usize;
    // Most strings are short.
    for eight in text.chunks_exact(8).take(WORDS) {
        let special = special(eight.try_into().map_or(0, u64::from_le_bytes));
        if special != 0 {
            return at.saturating_add((special.trailing_zeros() / 8) as usize);
        }
        at = at.saturating_add(8);
    }
    let rest = text.get(at..).unwrap_or_default();
    let blocks =
        rest.chunks_exact(BLOCK).take_while(|block| !block.iter().fold(false, |any, byte| any | is_special(byte)));
    at = at.saturating_add(blocks.count().saturating_mul(BLOCK));
    let rest = text.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(is_special).unwrap_or(rest.len()))
}

/// The lowest bit that is set is in the first of eight bytes that is a quote, a backslash or a control character.
fn special(eight: u64) -> u64 {
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES.wrapping_mul(limit.into())) & !bytes;
    let is = |byte: u8| below(eight ^ ONES.wrapping_mul(byte.into()), 1);
    (below(eight, b' ') | is(b'"') | is(b'\\')) & ONES.wrapping_mul(0x80)
}

const WORDS: usize = 6;
const BLOCK: usize = 32;
const ONES: u64 = 0x0101_0101_0101_0101;
const NO_NAME: Span = Span { from: 0, to: 0 };
const MAX_MEMBERS: u32 = 256;
const MAX_ELEMENTS: u32 = 4096;
const MAX_NODES: usize = 16_384;
// No payload is typed deeper.
const MAX_DEPTH: usize = 16;
// Less than 1 KiB: glibc tidies its heap up for every larger allocation.
const TYPICAL_NODES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::object::each_member;
    use proptest::{collection::vec, prelude::*, sample::Index};
    use serde_json::value::RawValue;

    /// Whether the text is JSON, by serde_json as well; if so, that the tape has what serde_json finds.
    fn agree(text: &str) -> bool {
        let (tape, raw) = (Tape::new(text), serde_json::from_str::<&RawValue>(text));
        assert_eq!(tape.is_some(), raw.is_ok(), "{text:?}");
        if let (Some(tape), Ok(raw)) = (&tape, &raw) {
            same(tape.root(), raw.get());
        }
        tape.is_some()
    }

    fn same(value: Value<'_>, text: &str) {
        assert_eq!(value.text(), text);
        assert_eq!((value.is_null(), value.is_string()), (text == "null", text.starts_with('"')));
        let strings = |text| serde_json::from_str::<String>(&mend(text)).ok();
        assert_eq!(value.scalar().filter(|_| value.is_string()).map(Cow::into_owned), strings(text));
        if value.is_list() && value.count().is_some() {
            let elements: Vec<&RawValue> = serde_json::from_str(text).unwrap();
            assert_eq!(value.values().count(), elements.len());
            value.values().zip(elements).for_each(|(value, element)| same(value, element.get()));
        } else if let Some(object) = Object::of(value) {
            let mut members = Vec::new();
            each_member(text, |name, value| {
                members.push((name, value));
                Some(())
            });
            assert_eq!(object.iter().count(), members.len());
            for ((name, value), (expected, text)) in object.iter().zip(members) {
                assert_eq!(name, expected);
                same(value, text.get());
            }
        } else if !text.starts_with(['[', '{']) {
            assert!(value.count().is_none());
        }
    }

    #[test]
    fn what_is_json_and_what_is_not() {
        for text in [
            "{}",
            " [\t]\r\n",
            "7",
            r#""""#,
            r#"{"a":1}"#,
            r#" { "a" : [ 1 , { } , [ ] ] , "b" : null } "#,
            r#"[-0.0e+10,0,1E5,12.50,-7e-1,true,false,null]"#,
            r#"{"\u00e9\ud83d":"\"\\\/\b\f\n\r\t\uABcd\udc00","é":"☃"}"#,
            r#"{"a":1,"a":2,"":{"":[[],{}]}}"#,
            "\"sixteen letters, and é more\"",
        ] {
            assert!(agree(text), "{text}");
        }
        for text in [
            "",
            " ",
            "{",
            "}",
            "{}{}",
            "{}x",
            "[}",
            "{]",
            "-",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "-a",
            "NaN",
            "tru",
            "True",
            "nulll",
            "\"",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\\u123\"",
            "\"\n\"",
            "\"seven..\u{0}\"",
            "'a'",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{,\"a\":1}",
            "{\"a\":1 \"b\":2}",
            "{a:1}",
            "{1:1}",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1",
            "\u{feff}{}",
            "{\u{a0}}",
            "[1\u{c}]",
            "{\"a\u{1}\":1}",
            "[1,2}",
            "{\"a\":[1}",
        ] {
            assert!(!agree(text), "{text}");
        }
    }

    #[test]
    fn attack_deep_and_wide_text() {
        for depth in [15, 16, 17, 18, 100_000] {
            for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
                let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                assert!(Tape::new(&text).is_some() && Tape::new(&text[..text.len() - 1]).is_none());
                assert!(depth > 100 || agree(&text));
            }
        }
        let elements = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        let members = |count: usize| format!("{{{}\"a\":0}}", "\"a\":0,".repeat(count - 1));
        for (text, count) in
            [(elements(4096), Some(4096)), (elements(4097), None), (members(256), Some(256)), (members(257), None)]
        {
            assert_eq!(Tape::new(&text).unwrap().root().count(), count);
            assert!(agree(&text) && agree(&format!("[{text},{text}]")));
        }
        // What does not fit on the tape has an index of its own, and its neighbours are not lost.
        let full = format!("{},", elements(4000)).repeat(4);
        let wide = format!("[{full}{},[[1,2],{{\"a\":3}}],4]", elements(378));
        assert!(agree(&wide));
        let tape = Tape::new(&wide).unwrap();
        assert!(tape.nodes.len() <= MAX_NODES + 4096);
        let [.., list, last] = &tape.root().values().collect::<Vec<_>>()[..] else { panic!() };
        assert_eq!((list.count(), last.text()), (None, "4"));
        assert_eq!(list.indexed(&mut None).values().map(Value::text).collect::<Vec<_>>(), ["[1,2]", r#"{"a":3}"#]);
    }

    fn json() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            "null|true|false|-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?",
            r#""([ -!#-\[\]-~é☃]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|\\ud[89ab]3d\\ude0[0-9]){0,20}""#,
        ];
        let blank = "[ \t\r\n]{0,2}";
        leaf.prop_recursive(6, 40, 6, move |inner| {
            let member = (r#""([a-z]|\\u006[1-9]){0,9}""#, blank, inner.clone());
            prop_oneof![
                vec((inner, blank), 0..6).prop_map(|list| {
                    let list: Vec<_> =
                        list.into_iter().map(|(value, blank)| format!("{blank}{value}{blank}")).collect();
                    format!("[{}]", list.join(","))
                }),
                vec(member, 0..6).prop_map(|members| {
                    let members: Vec<_> = members
                        .into_iter()
                        .map(|(name, blank, value)| format!("{name}{blank}:{blank}{value}"))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_is_what_serde_json_takes_for_it(text in json()) {
            prop_assert!(agree(&text));
        }

        #[test]
        fn broken_json_is_refused_where_serde_json_refuses_it(
            text in json(),
            other in json(),
            edits in vec((any::<Index>(), any::<Index>(), 0..5_u8, prop_oneof![any::<char>(), "[\\[\\]{}\",:0-9eE+. \\\\\\-tfnu]".prop_map(|one| one.chars().next().unwrap())]), 1..4),
        ) {
            let mut text: Vec<char> = text.chars().collect();
            let other: Vec<char> = other.chars().collect();
            for (one, two, edit, letter) in edits {
                if text.is_empty() {
                    break;
                }
                let (one, two) = (one.index(text.len()), two.index(text.len()));
                match edit {
                    0 => text[one] = letter,
                    1 => text.truncate(one),
                    2 => text.insert(one, letter),
                    3 => text.swap(one, two),
                    _ => drop(text.splice(one.min(two)..one.max(two), other.iter().copied())),
                }
            }
            agree(&text.into_iter().collect::<String>());
        }
    }
}
