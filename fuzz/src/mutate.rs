//! Mutations of JSON that keep it valid: byte flips hardly ever put a value of another type in a
//! member's place.

use crate::Random;
use libfuzzer_sys::fuzzer_mutate;
use std::cell::RefCell;

/// Changes the JSON in `data`, sometimes only its bytes; starts from one of the seeds if it is not
/// JSON.
pub fn json(data: &mut [u8], size: usize, max_size: usize, seed: u32, seeds: &[Vec<u8>]) -> usize {
    let mut random = Random::new(seed);
    if random.one_in(10) {
        return fuzzer_mutate(data, size, max_size);
    }
    WORK.with_borrow_mut(|Work { values, text }| {
        text.clear();
        text.extend_from_slice(&data[..size]);
        if !scan(text, values) || values.is_empty() || random.one_in(500) {
            if size > 0 && random.one_in(4) {
                return fuzzer_mutate(data, size, max_size);
            }
            text.clear();
            text.extend_from_slice(random.of::<Vec<u8>>(seeds));
            if !scan(text, values) {
                return fuzzer_mutate(data, size, max_size);
            }
        }
        for _ in 0..=random.below(3) {
            change(text, values, &mut random, seeds);
            if text.len() > max_size || !scan(text, values) || values.is_empty() {
                break;
            }
        }
        let size = text.len().min(max_size);
        data[..size].copy_from_slice(&text[..size]);
        size
    })
}

struct Work {
    values: Vec<Value>,
    text: Vec<u8>,
}

thread_local! {
    static WORK: RefCell<Work> = const { RefCell::new(Work { values: Vec::new(), text: Vec::new() }) };
}

/// The place of a value, and of its name if it is a member.
#[derive(Clone, Copy)]
struct Value {
    name: Option<(usize, usize)>,
    from: usize,
    to: usize,
    depth: usize,
}

impl Value {
    /// The place of the value with its name.
    fn whole(self) -> (usize, usize) {
        (self.name.map_or(self.from, |(from, _)| from), self.to)
    }
}

fn change(text: &mut Vec<u8>, values: &[Value], random: &mut Random, seeds: &[Vec<u8>]) {
    let value = *random.of(values);
    let other = *random.of(values);
    let copy = |text: &[u8], (from, to): (usize, usize)| text[from..to].to_vec();
    let bytes = copy(text, (value.from, value.to));
    match random.below(16) {
        // A value of another type.
        0..=3 => splice(text, value.from, value.to, random.of(ODD).as_bytes()),
        4 => splice(text, value.from, value.to, &[b"[", &*bytes, b"]"].concat()),
        5 => splice(text, value.from, value.to, &[br#"{"a":"#, &*bytes, b"}"].concat()),
        // A number becomes a string, and a string becomes its content.
        6 => match &*bytes {
            [b'"', inner @ .., b'"'] => splice(text, value.from, value.to, inner),
            scalar if !scalar.starts_with(b"[") && !scalar.starts_with(b"{") => {
                splice(text, value.from, value.to, &[b"\"", scalar, b"\""].concat());
            }
            // A list or an object becomes JSON inside a string.
            several => {
                let quoted =
                    serde_json::to_vec(&String::from_utf8_lossy(several)).unwrap_or_default();
                splice(text, value.from, value.to, &quoted);
            }
        },
        // The value of another member.
        7 => {
            let theirs = copy(text, (other.from, other.to));
            splice(text, value.from, value.to, &theirs);
        }
        8 => {
            let seed = random.of(seeds);
            let mut theirs = Vec::new();
            if scan(seed, &mut theirs) && !theirs.is_empty() {
                let theirs = random.of(&theirs);
                splice(text, value.from, value.to, &seed[theirs.from..theirs.to]);
            }
        }
        // A copy of a member, beside itself or before another one.
        9 | 10 => {
            let theirs = [&text[value.whole().0..value.whole().1], b","].concat();
            let at = if random.one_in(2) { value } else { other };
            if at.name.is_some() == value.name.is_some() && at.depth > 0 {
                splice(text, at.whole().0, at.whole().0, &theirs);
            }
        }
        11 => {
            let (from, to) = value.whole();
            if value.depth > 0 {
                let comma_behind = text.get(to) == Some(&b',');
                let comma_before = from > 0 && text[from - 1] == b',';
                splice(
                    text,
                    from - usize::from(comma_before && !comma_behind),
                    to + usize::from(comma_behind),
                    b"",
                );
            }
        }
        // The name of another member.
        12 => {
            if let (Some((from, to)), Some(theirs)) = (value.name, other.name) {
                let theirs = copy(text, theirs);
                splice(text, from, to, &theirs);
            }
        }
        13 => {
            if let Some((from, _)) = value.name {
                let at = from + 1;
                // The same name with an escape, or a changed name.
                match text.get(at) {
                    Some(letter) if letter.is_ascii_alphanumeric() && random.one_in(2) => {
                        let spelt = format!("\\u{:04x}", letter);
                        splice(text, at, at + 1, spelt.as_bytes());
                    }
                    _ => splice(text, at, at, b"x"),
                }
            }
        }
        // Characters inside a value.
        14 => {
            let inside = value.from + random.below(bytes.len().max(1));
            let piece = random.of(PIECES).as_bytes();
            let till = inside + random.below(2);
            splice(text, inside, till.min(value.to), piece);
        }
        // Many copies of a value, or white space after it.
        _ => {
            if value.depth > 0 && random.one_in(4) {
                let theirs = [&text[value.whole().0..value.whole().1], b","].concat();
                let count = *random.of(&[2, 8, 17, 65, 257]);
                if theirs.len() * count < 4096 {
                    splice(text, value.whole().0, value.whole().0, &theirs.repeat(count));
                }
            } else {
                splice(text, value.to, value.to, random.of(BLANKS).as_bytes());
            }
        }
    }
}

fn splice(text: &mut Vec<u8>, from: usize, to: usize, with: &[u8]) {
    text.splice(from..to, with.iter().copied());
}

/// Finds all values; `false` if this is not JSON, as far as that matters here.
fn scan(text: &[u8], values: &mut Vec<Value>) -> bool {
    values.clear();
    // For each open list or object: its place in `values`, and whether it is an object.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let mut name = None;
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let from = at;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => at += 1,
            b'{' | b'[' => {
                open.push((values.len(), *byte == b'{'));
                values.push(Value { name: name.take(), from, to: from, depth: open.len() - 1 });
                at += 1;
            }
            b'}' | b']' => {
                let Some((place, _)) = open.pop() else { return false };
                at += 1;
                values[place].to = at;
                name = None;
            }
            b'"' => {
                at += 1;
                loop {
                    match text.get(at) {
                        None => return false,
                        Some(b'\\') => at += 2,
                        Some(b'"') => break,
                        Some(_) => at += 1,
                    }
                }
                at += 1;
                let is_name =
                    name.is_none() && open.last().is_some_and(|(_, is_object)| *is_object);
                if is_name {
                    name = Some((from, at));
                } else {
                    values.push(Value { name: name.take(), from, to: at, depth: open.len() });
                }
            }
            _ => {
                while text.get(at).is_some_and(|byte| !b",:]} \t\r\n[{\"".contains(byte)) {
                    at += 1;
                }
                values.push(Value { name: name.take(), from, to: at, depth: open.len() });
            }
        }
        if values.len() > 4096 {
            return false;
        }
    }
    open.is_empty()
}

const ODD: &[&str] = &[
    "null",
    "\"\"",
    "\" \"",
    "\"\\u0020\"",
    "\"\\n\"",
    "\"some text\"",
    "\"12.50\"",
    "\"1\"",
    "\"0\"",
    "\"-1\"",
    "\"1e3\"",
    "\"007\"",
    "\"True\"",
    "\"NaN\"",
    "\"a\\ud83d\"",
    "\"\\ude00\\ud83d\\ude00\"",
    "\"\\\\ud83d\"",
    "\"\u{feff}\"",
    "\"é☃😀\"",
    "\"{\\\"a\\\":1}\"",
    "\"\\u0000\"",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1",
    "1.0",
    "1e3",
    "1.5",
    "1E+2",
    "12.50",
    "1e999",
    "-1e-999",
    "1700000000",
    "1700000000123",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.30000000000000000004",
    "[]",
    "[null]",
    "[[1]]",
    "[\"x\",2]",
    "[{}]",
    "{}",
    "{\"a\":{\"b\":[1]}}",
    "{\"a\":1,\"a\":2}",
    "{\"\":null}",
    "{\"\\u0061\":1,\"a\":2}",
];

const PIECES: &[&str] = &[
    "", "0", "1", "9", "-", "+", ".", "e", "E", " ", "\\", "\"", "\\u", "\\ud83d", "\\ude00",
    "\\u0041", "\\n", "\\/", "é", "\u{feff}", "\0", "\n", "[", "]", "{", "}", ":", ",", "/", "*",
    "a", "T", "true", "null",
];

const BLANKS: &[&str] = &[" ", "\n", "\t", "\r\n", "  ", "\u{a0}", "\u{c}", ",", "/**/"];
