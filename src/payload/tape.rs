//! Checks JSON text and indexes its values in one pass.

use super::{Json, Object, mend};
use std::{borrow::Cow, cell::Cell};

/// The index of a JSON text: its values in their order, each before its contents.
///
/// Lists and objects that are nested too deep, or come after the first 16,384 values, are checked
/// but not indexed: their reader indexes them on demand. Lists of more than 4,096 elements and
/// objects of more than 256 members are never indexed.
pub(crate) struct Tape<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    /// Whether any indexed name contains an escape.
    has_escaped_names: bool,
    /// Whether any string may contain an escaped surrogate.
    has_surrogates: bool,
}

pub(super) struct Node {
    name: Span,
    value: Span,
    /// The index of the first node behind this one's contents.
    next: u32,
    /// The `tag` of the name, compared before the name.
    pub(super) tag: u16,
    kind: Kind,
    pub(super) marks: Cell<u8>,
}

#[derive(Clone, Copy)]
struct Span {
    from: u32,
    to: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Null,
    /// `true` or `false`.
    Word,
    Number,
    /// A string without escapes.
    Plain,
    Escaped,
    /// A list or an object; its contents follow.
    Indexed,
    NotIndexed,
    TooLong,
}

impl<'a> Tape<'a> {
    /// `None` if the text is not JSON.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        Self::without(&[], text)
    }

    /// Like [`new`](Self::new), but without indexing lists of these names: for lists that are kept
    /// as text.
    pub(crate) fn without(lists: &'static [&'static str], text: &'a str) -> Option<Self> {
        // Places are counted in 32 bits.
        u32::try_from(text.len()).ok()?;
        let nodes = Vec::with_capacity((text.len() / TYPICAL_LEN).clamp(MIN_NODES, MAX_NODES / 16));
        let tape = Self { text, nodes, has_escaped_names: false, has_surrogates: false };
        let mut scan = Scan { tape, bytes: text.as_bytes(), at: 0, lists, ends: Vec::new() };
        scan.blank();
        scan.value(NO_NAME, 0)?;
        scan.blank();
        (scan.at == text.len()).then_some(scan.tape)
    }

    /// The whole text, if it is an object of at most 256 members.
    pub(crate) fn object(&self) -> Option<Object<'_>> {
        Object::of(self.value(0)?)
    }

    pub(super) fn value(&self, place: usize) -> Option<Value<'_>> {
        Some(Value { tape: self, place, node: self.nodes.get(place)? })
    }

    pub(super) fn name(&self, node: &Node) -> Cow<'_, str> {
        let Span { from, to } = node.name;
        let quoted = Span { from: from.wrapping_sub(1), to: to.wrapping_add(1) };
        let unescaped = self.has_escaped_names.then(|| unescape(self.slice(quoted))).flatten();
        unescaped.unwrap_or(Cow::Borrowed(self.slice(node.name)))
    }

    /// The first of the siblings in `from..to` with this name.
    pub(super) fn find(&self, name: &str, from: usize, to: usize) -> Option<Value<'_>> {
        let (mut place, tag) = (from, tag(name.as_bytes()));
        while place < to {
            let node = self.nodes.get(place)?;
            if self.is_named(node, name, tag) {
                return Some(Value { tape: self, place, node });
            }
            place = node.next as usize;
        }
        None
    }

    #[inline]
    fn is_named(&self, node: &Node, name: &str, tag: u16) -> bool {
        match self.has_escaped_names {
            true => spells(self.bytes(node.name), name),
            false => node.tag == tag && self.bytes(node.name) == name.as_bytes(),
        }
    }

    /// Which of the names is the node's; `bits` are those of all names.
    pub(super) fn which(&self, node: &Node, names: &[&str], bits: u64) -> Option<usize> {
        if !self.has_escaped_names && bits & bit(node.tag) == 0 {
            return None;
        }
        names.iter().position(|name| self.is_named(node, name, tag(name.as_bytes())))
    }

    /// The [`bit`]s of the siblings' names, and those that more than one name has. A name whose bit
    /// is not set is absent.
    pub(super) fn bits(&self, from: usize, to: usize) -> (u64, u64) {
        if self.has_escaped_names {
            return (u64::MAX, u64::MAX);
        }
        let (mut once, mut twice, mut place) = (0, 0, from);
        while let Some(node) = self.nodes.get(place).filter(|_| place < to) {
            let bit = bit(node.tag);
            twice |= once & bit;
            once |= bit;
            place = node.next as usize;
        }
        (once, twice)
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        self.text.as_bytes().get(span.from as usize..span.to as usize).unwrap_or_default()
    }

    fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.from as usize..span.to as usize).unwrap_or_default()
    }
}

impl Span {
    fn len(self) -> usize {
        self.to.wrapping_sub(self.from) as usize
    }
}

/// A hash of the name's length and last two bytes, which differ in most names.
pub(super) const fn tag(name: &[u8]) -> u16 {
    let last = match name.last_chunk() {
        Some(last) => u16::from_le_bytes(*last),
        None => 0,
    };
    last.wrapping_mul(0x9e5).wrapping_add((name.len() as u16).wrapping_mul(0x5e3))
}

/// The bit of a tag in a 64-bit set.
pub(super) const fn bit(tag: u16) -> u64 {
    1 << (tag >> 10)
}

/// A value in checked text.
#[derive(Clone, Copy)]
pub(crate) struct Value<'t> {
    pub(super) tape: &'t Tape<'t>,
    place: usize,
    pub(super) node: &'t Node,
}

impl<'t> Value<'t> {
    pub(crate) fn text(self) -> &'t str {
        self.tape.slice(self.node.value)
    }

    /// The text, for keeping.
    pub(crate) fn json(self) -> Json {
        match self.tape.has_surrogates {
            true => Json::mended(self.text()),
            false => Json::from_checked(self.text()),
        }
    }

    pub(crate) fn is_null(self) -> bool {
        self.node.kind == Kind::Null
    }

    pub(crate) fn is_string(self) -> bool {
        matches!(self.node.kind, Kind::Plain | Kind::Escaped)
    }

    /// Whether it is `""`.
    pub(crate) fn is_empty(self) -> bool {
        self.node.kind == Kind::Plain && self.node.value.len() == 2
    }

    /// Whether it is `{}`.
    pub(super) fn is_empty_object(self) -> bool {
        self.is_indexed() && self.is_object() && self.values().next().is_none()
    }

    pub(crate) fn is_list(self) -> bool {
        self.tape.bytes(self.node.value).first() == Some(&b'[')
    }

    pub(crate) fn is_object(self) -> bool {
        self.tape.bytes(self.node.value).first() == Some(&b'{')
    }

    /// Whether the raw name equals `name`. The length is compared first: most names differ in it.
    pub(super) fn is_named(self, name: &str) -> bool {
        self.node.name.len() == name.len() && self.tape.bytes(self.node.name) == name.as_bytes()
    }

    /// Whether it is certainly not blank: neither `null` nor text that is empty or begins with an
    /// escape or with a byte that white space can begin with.
    pub(super) fn is_filled(self) -> bool {
        match self.node.kind {
            Kind::Null => false,
            Kind::Plain | Kind::Escaped => {
                self.tape.bytes(self.node.value).get(1).is_some_and(|first| {
                    *first > b' ' && !matches!(first, b'"' | b'\\' | 0xc2 | 0xe1..=0xe3)
                })
            }
            _ => true,
        }
    }

    /// The range of its contents' nodes.
    pub(super) fn inside(self) -> (usize, usize) {
        (self.place.saturating_add(1), self.node.next as usize)
    }

    /// A string's content, or a number's text as it was sent; `None` for other values.
    #[inline]
    pub(crate) fn scalar(self) -> Option<Cow<'t, str>> {
        let Span { from, to } = self.node.value;
        match self.node.kind {
            Kind::Plain => Some(Cow::Borrowed(
                self.tape.slice(Span { from: from.wrapping_add(1), to: to.wrapping_sub(1) }),
            )),
            Kind::Escaped => unescape(self.text()),
            Kind::Number => Some(Cow::Borrowed(self.text())),
            _ => None,
        }
    }

    /// Whether this is a list or an object whose contents are not indexed.
    pub(super) fn is_off_tape(self) -> bool {
        self.node.kind == Kind::NotIndexed
    }

    /// Whether this is a list or an object whose contents are indexed.
    pub(super) fn is_indexed(self) -> bool {
        self.node.kind == Kind::Indexed
    }

    /// This list or object with its contents indexed. If they were not, `own` takes the new index.
    #[inline]
    pub(crate) fn indexed<'s>(self, own: &'s mut Option<Tape<'t>>) -> Value<'s>
    where
        't: 's,
    {
        if self.is_off_tape() {
            *own = Tape::new(self.text());
        }
        own.as_ref().and_then(|own| own.value(0)).unwrap_or(self)
    }

    /// The nodes of all its contents, at any depth.
    pub(super) fn nodes(self) -> &'t [Node] {
        let (from, to) = self.inside();
        self.tape.nodes.get(from..to).unwrap_or_default()
    }

    /// The values in a list or object that is indexed.
    pub(crate) fn values(self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        let (tape, (mut place, end)) = (self.tape, self.inside());
        std::iter::from_fn(move || {
            let value = tape.value(place).filter(|_| place < end)?;
            place = value.node.next as usize;
            Some(value)
        })
    }
}

/// Whether the content of a string spells this name, which is ASCII. Nothing is decoded: names are
/// compared before the request is authenticated, and a sender can make them many.
fn spells(content: &[u8], name: &str) -> bool {
    let mut rest = content;
    let is_start = name.bytes().all(|expected| {
        let (byte, after) = match rest {
            [b'\\', b'u', b'0', b'0', high, low, after @ ..] => (hex(*high, *low), after),
            [b'\\', b'u', ..] | [] => return false,
            [b'\\', escaped, after @ ..] => (Some(control(*escaped)), after),
            [byte, after @ ..] => (Some(*byte), after),
        };
        rest = after;
        byte == Some(expected)
    });
    is_start && rest.is_empty()
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |digit| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// What stands after a backslash, unless it is `u`.
fn control(escaped: u8) -> u8 {
    match escaped {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        itself => itself,
    }
}

/// Decodes a string; a lone surrogate becomes U+FFFD.
pub(super) fn unescape(quoted: &str) -> Option<Cow<'_, str>> {
    if !quoted.contains('\\') {
        return quoted.get(1..quoted.len().saturating_sub(1)).map(Cow::Borrowed);
    }
    serde_json::from_str(&mend(quoted)).ok().map(Cow::Owned)
}

struct Scan<'a> {
    tape: Tape<'a>,
    bytes: &'a [u8],
    at: usize,
    /// The names of lists that are not indexed.
    lists: &'static [&'static str],
    /// The ends of what is open where nothing is indexed.
    ends: Vec<u8>,
}

impl Scan<'_> {
    /// Checks one value and adds it to the index.
    fn value(&mut self, name: Span, depth: usize) -> Option<()> {
        let (place, from, first) = (self.tape.nodes.len(), self.here(), self.peek()?);
        let tag = tag(self.tape.bytes(name));
        let end = match first {
            b'{' if depth < MAX_DEPTH => b'}',
            b'[' if depth < MAX_DEPTH && !self.is_only_kept(name) => b']',
            _ => {
                let kind = self.skip(first)?;
                let (value, next) =
                    (Span { from, to: self.here() }, (place as u32).wrapping_add(1));
                self.tape.nodes.push(Node { name, value, next, tag, kind, marks: Cell::new(0) });
                return Some(());
            }
        };
        let node = Node {
            name,
            value: Span { from, to: from },
            next: 0,
            tag,
            kind: Kind::Null,
            marks: Cell::new(0),
        };
        self.tape.nodes.push(node);
        let kind = self.inside(end, place, depth)?;
        let (to, next) = (self.here(), self.tape.nodes.len() as u32);
        let node = self.tape.nodes.get_mut(place)?;
        (node.value.to, node.next, node.kind) = (to, next, kind);
        Some(())
    }

    fn is_only_kept(&self, name: Span) -> bool {
        self.lists.iter().any(|list| self.tape.bytes(name) == list.as_bytes())
    }

    /// Checks a list or an object and indexes its contents, unless they exceed a limit.
    fn inside(&mut self, end: u8, place: usize, depth: usize) -> Option<Kind> {
        let most = if end == b'}' { MAX_MEMBERS } else { MAX_ELEMENTS };
        let (mut kind, mut count) = (Kind::Indexed, 0);
        self.step();
        self.blank();
        if self.peek()? == end {
            self.step();
            return Some(kind);
        }
        loop {
            let name = self.name_in(end)?;
            if kind == Kind::Indexed && count == most {
                kind = Kind::TooLong;
            } else if kind == Kind::Indexed && depth > 0 && self.tape.nodes.len() >= MAX_NODES {
                kind = Kind::NotIndexed;
            }
            if kind == Kind::Indexed {
                self.value(name, depth.saturating_add(1))?;
                count = count.saturating_add(1);
            } else {
                self.tape.nodes.truncate(place.saturating_add(1));
                let first = self.peek()?;
                self.skip(first)?;
            }
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

    /// Checks a member's name and colon; an element has nothing before it.
    fn name_in(&mut self, end: u8) -> Option<Span> {
        if end == b'}' { self.name() } else { Some(NO_NAME) }
    }

    /// Checks a name and its colon, up to the value.
    fn name(&mut self) -> Option<Span> {
        if self.peek()? != b'"' {
            return None;
        }
        self.step();
        let from = self.here();
        self.tape.has_escaped_names |= self.string()? == Kind::Escaped;
        let name = Span { from, to: self.here().wrapping_sub(1) };
        self.blank();
        if self.peek()? != b':' {
            return None;
        }
        self.step();
        self.blank();
        Some(name)
    }

    /// Checks one value without indexing its contents.
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
            b'{' | b'[' => self.nested(),
            _ => None,
        }
    }

    /// Checks a list or an object of any depth without indexing its contents.
    #[inline(never)]
    fn nested(&mut self) -> Option<Kind> {
        let has_escaped_names = self.tape.has_escaped_names;
        loop {
            let first = self.peek()?;
            if let b'{' | b'[' = first {
                let end = if first == b'{' { b'}' } else { b']' };
                self.ends.push(end);
                self.step();
                self.blank();
                if self.peek()? != end {
                    self.name_in(end)?;
                    continue;
                }
            } else {
                self.skip(first)?;
            }
            while let Some(end) = self.ends.last().copied() {
                self.blank();
                let after = self.peek()?;
                self.step();
                if after == b',' {
                    self.blank();
                    self.name_in(end)?;
                    break;
                }
                (after == end).then(|| self.ends.pop())?;
            }
            if self.ends.is_empty() {
                self.tape.has_escaped_names = has_escaped_names;
                return Some(Kind::NotIndexed);
            }
        }
    }

    /// Checks a string whose first quote was read already, through its last one.
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
                            self.tape.has_surrogates |= matches!(digits.first(), Some(b'd' | b'D'));
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

    fn here(&self) -> u32 {
        self.at as u32
    }
}

/// The number of bytes before the first quote, backslash or control character.
fn plain(text: &[u8]) -> usize {
    let (mut at, mut rest) = (0_usize, text);
    // Most strings are short: eight bytes at a time first.
    while let Some((eight, after)) = rest.split_first_chunk().filter(|_| at < SHORT) {
        let special = special(u64::from_le_bytes(*eight));
        if special != 0 {
            return at.wrapping_add((special.trailing_zeros() / 8) as usize);
        }
        (at, rest) = (at.wrapping_add(8), after);
    }
    at.saturating_add(plain_in_blocks(rest))
}

#[inline(never)]
fn plain_in_blocks(text: &[u8]) -> usize {
    let is_special = |byte: &u8| byte ^ QUOTE_BIT <= b' ' || *byte == b'\\';
    let blocks = text
        .chunks_exact(BLOCK)
        .take_while(|block| !block.iter().fold(false, |any, byte| any | is_special(byte)));
    let at = blocks.count().saturating_mul(BLOCK);
    let rest = text.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(is_special).unwrap_or(rest.len()))
}

/// Finds quotes, backslashes and control characters: the lowest set bit is in the first such byte.
fn special(eight: u64) -> u64 {
    let xor = |byte: u8| eight ^ ONES.wrapping_mul(byte.into());
    let up_to = |limit: u8, bytes: u64| {
        bytes.wrapping_sub(ONES.wrapping_mul(u64::from(limit) + 1)) & !bytes
    };
    (up_to(b' ', xor(QUOTE_BIT)) | up_to(0, xor(b'\\'))) & ONES.wrapping_mul(0x80)
}

// With this bit flipped, a quote is next to the control characters.
const QUOTE_BIT: u8 = b'"' ^ b' ';
const SHORT: usize = 48;
const BLOCK: usize = 64;
const ONES: u64 = 0x0101_0101_0101_0101;
const NO_NAME: Span = Span { from: 0, to: 0 };
pub(crate) const MAX_MEMBERS: usize = 256;
const MAX_ELEMENTS: usize = 4096;
const MAX_NODES: usize = 16_384;
// Deeper than any typed payload.
const MAX_DEPTH: usize = 16;
const TYPICAL_LEN: usize = 24;
// At most 1 KiB: larger allocations make glibc consolidate its heap.
const MIN_NODES: usize = 42;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::object::each_member;
    use proptest::{collection::vec, prelude::*, sample::Index};
    use serde_json::value::RawValue;

    /// Asserts that the tape and serde_json agree on the text. Returns whether it is JSON.
    fn agree(text: &str) -> bool {
        let (tape, raw) = (Tape::new(text), serde_json::from_str::<&RawValue>(text));
        assert_eq!(tape.is_some(), raw.is_ok(), "{text:?}");
        if let (Some(tape), Ok(raw)) = (&tape, &raw) {
            same(tape.value(0).unwrap(), raw.get());
        }
        // Too deep to be indexed.
        let deep = ["[".repeat(MAX_DEPTH), text.to_owned(), "]".repeat(MAX_DEPTH)].concat();
        let is_json = serde_json::from_str::<&RawValue>(&deep).is_ok();
        assert_eq!(Tape::new(&deep).is_some(), is_json, "{deep:?}");
        tape.is_some()
    }

    #[test]
    fn names_are_compared_as_they_are_decoded() {
        for content in [
            "nonce",
            r"\u006eonce",
            r"\u006Eonce",
            r"\u006\u0065",
            r"nonce\n",
            r"n\/",
            r"n\b\f\n\r\t",
            "nonc",
            "nonces",
            "noncé",
            r"\ud83dnonce",
            r"\u00e9",
            r"\u0100",
            r"\\u006e",
            r#"\""#,
            "",
            r"\u000a",
            r"nonc\u0065",
            r"nonc\u00g5",
        ] {
            for name in ["nonce", "n\n", "\n", "n/", "\"", "\\u006e", "", "n\u{8}\u{c}\n\r\t"] {
                let quoted = format!("\"{content}\"");
                let is_it = unescape(&quoted).is_some_and(|decoded| decoded == name);
                assert_eq!(spells(content.as_bytes(), name), is_it, "{content} {name:?}");
            }
        }
    }

    fn same(value: Value<'_>, text: &str) {
        assert_eq!(value.text(), text);
        assert_eq!((value.is_null(), value.is_string()), (text == "null", text.starts_with('"')));
        let strings = |text| serde_json::from_str::<String>(&mend(text)).ok();
        assert_eq!(
            value.scalar().filter(|_| value.is_string()).map(Cow::into_owned),
            strings(text)
        );
        if value.is_list() && value.is_indexed() {
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
            assert!(!value.is_indexed());
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
            r#"{"\u0061":1}"#,
            r#" { "a" : [ 1 , { } , [ ] ] , "b" : null } "#,
            r#"[-0.0e+10,0,1E5,12.50,-7e-1,true,false,null]"#,
            r#"{"\u00e9\ud83d":"\"\\\/\b\f\n\r\t\uABcd\udc00","é":"☃"}"#,
            r#"{"a":1,"a":2,"":{"":[[],{}]}}"#,
            "\"sixteen letters, and é more\"",
        ] {
            assert!(agree(text), "{text}");
        }
        #[rustfmt::skip]
        let none = [
            "", " ", "{", "}", "{}{}", "{}x", "[}", "{]", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x1",
            "-a", "NaN", "tru", "True", "nulll", "\"", "\"\\\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u123\"",
            "\"\n\"", "\"seven..\u{0}\"", "'a'", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,\"a\":1}",
            "{\"a\":1 \"b\":2}", "{a:1}", "{1:1}", "[1,]", "[,1]", "[1 2]", "[1", "\u{feff}{}", "{\u{a0}}",
            "[1\u{c}]", "{\"a\u{1}\":1}", "[1,2}", "{\"a\":[1}",
        ];
        for text in none {
            assert!(!agree(text), "{text}");
        }
    }

    #[test]
    fn scalars_are_strings_and_numbers() {
        for (json, expected) in [
            ("-7", Some("-7")),
            ("1e3", Some("1e3")),
            (r#""a\/b""#, Some("a/b")),
            ("true", None),
            ("[1]", None),
        ] {
            let tape = Tape::new(json).unwrap();
            assert_eq!(tape.value(0).unwrap().scalar().as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn plain_text_ends_at_its_first_special_byte() {
        for byte in 0..=u8::MAX {
            let is_special = byte < b' ' || byte == b'"' || byte == b'\\';
            for at in 0..200 {
                let mut text = [b'x'; 260];
                (text[at], text[at + 1]) = (byte, b'"');
                assert_eq!(plain(&text), if is_special { at } else { at + 1 }, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn attack_deep_and_wide_text() {
        for depth in [15, 16, 17, 18, 100_000] {
            for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
                let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                let nodes = Tape::new(&text).map(|tape| tape.nodes.len());
                assert_eq!(nodes, Some(depth.min(MAX_DEPTH) + 1));
                assert!(Tape::new(&text[..text.len() - 1]).is_none());
                assert!(depth > 100 || agree(&text));
            }
        }
        let elements = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        let members = |count: usize| format!("{{{}\"a\":0}}", "\"a\":0,".repeat(count - 1));
        for (text, count) in [
            (elements(4096), Some(4096)),
            (elements(4097), None),
            (members(256), Some(256)),
            (members(257), None),
        ] {
            let tape = Tape::new(&text).unwrap();
            let root = tape.value(0).unwrap();
            assert_eq!(root.is_indexed().then(|| root.values().count()), count);
            assert!(agree(&text) && agree(&format!("[{text},{text}]")));
        }
        // A list that does not fit gets an index of its own, and its neighbours are not lost.
        let full = format!("{},", elements(4000)).repeat(4);
        let wide = format!("[{full}{},[[1,2],{{\"a\":3}}],4]", elements(378));
        assert!(agree(&wide));
        let tape = Tape::new(&wide).unwrap();
        assert!(tape.nodes.len() <= MAX_NODES + 4096);
        let [.., list, last] = &tape.value(0).unwrap().values().collect::<Vec<_>>()[..] else {
            panic!()
        };
        assert_eq!((list.is_indexed(), last.text()), (false, "4"));
        assert_eq!(
            list.indexed(&mut None).values().map(Value::text).collect::<Vec<_>>(),
            ["[1,2]", r#"{"a":3}"#]
        );
    }

    #[test]
    fn what_is_kept_has_no_lone_surrogates() {
        let kept = |text| {
            let tape = Tape::without(&["list"], text).unwrap();
            let list = tape.object().unwrap().get("list").unwrap();
            (list.is_indexed(), list.json().get().to_owned())
        };
        for (text, mended) in [
            (r#"{"list":["\uD83D",{"\udc00":"\ud83d\ude00"}]}"#, r#"["�",{"�":"\ud83d\ude00"}]"#),
            (r#"{"list":["\n\u00e9\uD7ff"],"other":"\ud83d"}"#, r#"["\n\u00e9\uD7ff"]"#),
            (r#"{"list":["plain"]}"#, r#"["plain"]"#),
        ] {
            assert_eq!(kept(text), (false, mended.to_owned()));
        }
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
                    let list: Vec<_> = list
                        .into_iter()
                        .map(|(value, blank)| format!("{blank}{value}{blank}"))
                        .collect();
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
            edits in vec(
                (any::<Index>(), any::<Index>(), 0..5_u8, prop_oneof![
                    any::<char>(),
                    "[\\[\\]{}\",:0-9eE+. \\\\\\-tfnu]".prop_map(|one| one.chars().next().unwrap()),
                ]),
                1..4,
            ),
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
