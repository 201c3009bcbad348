//! Mutations of forms.

use crate::Random;
use libfuzzer_sys::fuzzer_mutate;
use std::fmt::Write as _;

/// Changes the form in `data`, sometimes only its bytes; starts from one of the seeds if it is
/// empty.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    seeds: &[Vec<u8>],
) -> usize {
    let mut random = Random::new(seed);
    if random.one_in(3) {
        return fuzzer_mutate(data, size, max_size);
    }
    let mut form = data[..size].to_vec();
    if !seeds.is_empty() && (size < 2 || random.one_in(500)) {
        form.clone_from(random.of(seeds));
    }
    for _ in 0..=random.below(3) {
        let at = random.below(form.len() + 1);
        let till = (at + random.below(4)).min(form.len());
        let piece = match random.below(8) {
            0 => form[at..(at + random.below(16)).min(form.len())].to_vec(),
            _ => random.of(PIECES).to_vec(),
        };
        let till = if random.one_in(2) { at } else { till };
        form.splice(at..till, piece);
    }
    let size = form.len().min(max_size);
    data[..size].copy_from_slice(&form[..size]);
    size
}

/// A form with the members of a JSON object.
pub fn of(json: &[u8]) -> Vec<u8> {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(json).unwrap();
    let mut form = String::new();
    for (name, value) in members {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let _ = write!(form, "&{}={}", encode(&name), encode(&value));
    }
    form.split_off(1).into()
}

fn encode(text: &str) -> String {
    let letter = |byte| {
        if u8::is_ascii_alphanumeric(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(letter).collect()
}

const PIECES: &[&[u8]] = &[
    b"&",
    b"=",
    b"%",
    b"+",
    b"&a=",
    b"&a=1",
    b"&b=2&a=1",
    b"&%61=3",
    b"&a[]=1",
    b"&a[0]=x",
    b"&a[12]=y",
    b"[",
    b"]",
    b"[]",
    b"&a[99999]=z",
    b"%5B0%5D",
    b"%E9",
    b"%c3%A9",
    b"%ff",
    b"\xff",
    b"\xc3",
    b"%00",
    b"\0",
    b"\"",
    b"\\",
    b"%zz",
    b"%4",
    b"{",
    b"%7B",
    b"%7D",
    b" ",
    b"\n",
    b"\xef\xbb\xbf",
    b"\xe2\x98\x83",
    b"&&",
    b"a",
    b"Event=Hangup",
    b"%22",
    b"%5c",
    b"&=",
    b"%ef%bf%bd",
    b"\xef\xbf\xbd",
];
