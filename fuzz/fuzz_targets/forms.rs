//! Forms and queries, compared with a parser that is written from the standard, byte by byte.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use tower_webhooks::fuzzing::{form, zegocloud_body};
use tower_webhooks_fuzz::{forms, json};

fuzz_target!(|data: &[u8]| {
    let fields = fields(data);
    match form(data) {
        None => assert!(fields.len() > 1024),
        Some(json) => {
            assert!(fields.len() <= 1024);
            let mut expected: Vec<_> =
                fields.iter().map(|field| (vobiz_name(field), text(&field.value))).collect();
            expected.sort_by(|(one, _), (two, _)| one.cmp(two));
            let mut members = json::members(&json).expect("no object").into_iter();
            for same in expected.chunk_by(|(one, _), (two, _)| one == two) {
                let (name, value) = members.next().expect("a name is lost");
                assert_eq!(json::content(name), same[0].0);
                let values = json::elements(value).unwrap_or_else(|| vec![value]);
                assert_eq!((values.len(), value.starts_with('[')), (same.len(), same.len() > 1));
                values
                    .into_iter()
                    .zip(same)
                    .for_each(|(value, (_, sent))| assert_eq!(json::content(value), *sent));
            }
            assert_eq!(members.next(), None);
        }
    }
    zegocloud(data);
});

/// ZEGOCLOUD's forms: a repeated name stays repeated, and `name[]` and `name[0]` are lists.
fn zegocloud(data: &[u8]) {
    let body = data.trim_ascii();
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    let read = zegocloud_body(data);
    if body.starts_with(b"{") {
        assert_eq!(read.as_deref(), Some(&*String::from_utf8_lossy(body)));
        return;
    }
    if body.len() >= 3 && body[..3].eq_ignore_ascii_case(b"%7b") {
        assert_eq!(read.as_deref(), Some(&*text(&decode(body, false))));
        return;
    }
    if !body.is_empty() && !body.contains(&b'=') {
        assert_eq!(read, None);
        return;
    }
    let read = read.expect("a form");
    let mut members = json::members(&read).expect("no object").into_iter();
    let mut lists: Vec<(String, Option<u64>, String)> = Vec::new();
    let fields = fields(body);
    // With too many elements none is put into a list.
    let has_lists =
        fields.iter().filter(|field| place(&text(&field.name)).is_some()).count() <= 16_384;
    for field in fields {
        let (name, value) = (text(&field.name), text(&field.value));
        if has_lists && let Some((list, place)) = place(&name) {
            lists.push((list, place, value));
            continue;
        }
        let (found, its) = members.next().expect("a member is lost");
        assert_eq!((json::content(found), json::content(its)), (name, value));
    }
    lists.sort_by(|(one, at, _), (two, bt, _)| (one, at).cmp(&(two, bt)));
    for (name, its) in members {
        let name = json::content(name);
        for element in json::elements(its).expect("a list") {
            let (list, _, value) = lists.remove(0);
            assert_eq!((&list, json::content(element)), (&name, value));
        }
    }
    assert!(lists.is_empty());
}

/// `name[]` or `name[12]`.
fn place(name: &str) -> Option<(String, Option<u64>)> {
    let open = name.find('[')?;
    let inner = name[open + 1..].strip_suffix(']')?;
    if inner.is_empty() {
        return Some((name[..open].into(), None));
    }
    let mut number = 0_u64;
    for digit in inner.chars() {
        number = (number * 10 + u64::from(digit.to_digit(10)?)).min(u32::MAX.into());
    }
    Some((name[..open].into(), Some(number)))
}

struct Field {
    raw_name: Vec<u8>,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// By <https://url.spec.whatwg.org/#urlencoded-parsing>.
fn fields(form: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut rest = form;
    loop {
        let end = rest.iter().position(|byte| *byte == b'&').unwrap_or(rest.len());
        let field = &rest[..end];
        if !field.is_empty() {
            let at = field.iter().position(|byte| *byte == b'=');
            let (name, value) =
                (&field[..at.unwrap_or(end)], &field[at.map_or(end, |at| at + 1)..]);
            fields.push(Field {
                raw_name: name.into(),
                name: decode(name, true),
                value: decode(value, true),
            });
        }
        if end == rest.len() {
            return fields;
        }
        rest = &rest[end + 1..];
    }
}

fn decode(text: &[u8], plus: bool) -> Vec<u8> {
    let hex = |at: usize| text.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match (text[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(one), Some(two)) => {
                decoded.push((one * 16 + two) as u8);
                at += 3;
                continue;
            }
            (b'+', ..) if plus => decoded.push(b' '),
            (byte, ..) => decoded.push(byte),
        }
        at += 1;
    }
    decoded
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A name that is not UTF-8 stays as it was sent.
fn vobiz_name(field: &Field) -> String {
    let name = text(&field.name);
    if name.contains('\u{fffd}') { text(&field.raw_name) } else { name }
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    forms::mutate(data, size, max_size, seed, &[])
});
