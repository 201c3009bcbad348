//! The index of JSON text, compared with serde_json: the same texts, values, names and contents.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use tower_webhooks::fuzzing::{Seen, WALKED, walk};
use tower_webhooks_fuzz::{json, mutate};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut expected =
        Expected { text: vec![(text.trim_matches([' ', '\t', '\n', '\r']), 0)], names: Vec::new() };
    let is_json = walk(text, &mut |seen| expected.meet(seen));
    assert_eq!(is_json, json::is_json(text));
    assert!(!is_json || expected.text.is_empty());
    // Every eighth length also too deep for the index.
    if data.len() % 8 == 0 {
        let deep = ["[".repeat(DEEP), text.to_owned(), "]".repeat(DEEP)].concat();
        assert_eq!(walk(&deep, &mut |_| {}), json::is_json(&deep));
    }
});

// The depth to which the index goes.
const DEEP: usize = 16;

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::json(data, size, max_size, seed, SEEDS.get_or_init(|| vec![SEED.into()]))
});

/// What the walk has still to visit; the last element is next.
struct Expected<'a> {
    text: Vec<(&'a str, usize)>,
    names: Vec<Option<&'a str>>,
}

impl<'a> Expected<'a> {
    fn meet(&mut self, seen: Seen<'_>) {
        if let Seen::Name(name) = seen {
            let expected = self.names.pop().flatten().expect("a name where none is");
            assert_eq!(name, json::content(expected));
            return;
        }
        let (text, depth) = self.text.pop().expect("more than there is");
        match seen {
            Seen::Scalar(same, scalar) => {
                assert_eq!(same, text);
                match text.as_bytes()[0] {
                    b'"' => assert_eq!(scalar, Some(&*json::content(text))),
                    b'-' | b'0'..=b'9' => assert_eq!(scalar, Some(text)),
                    _ => assert_eq!(scalar, None),
                }
            }
            Seen::Several(same, count) => {
                assert_eq!(same, text);
                let (values, names) = match json::members(text) {
                    Some(members) => {
                        members.into_iter().map(|(name, value)| (value, Some(name))).unzip()
                    }
                    None => {
                        let elements = json::elements(text).expect("neither list nor object");
                        let names = vec![None; elements.len()];
                        (elements, names)
                    }
                };
                let (values, names): (Vec<&'a str>, Vec<Option<&'a str>>) = (values, names);
                let most = if text.starts_with('{') { 256 } else { 4096 };
                let expected = (values.len() <= most && depth < WALKED).then_some(values.len());
                assert_eq!(count, expected);
                if count.is_some() {
                    self.text.extend(values.into_iter().rev().map(|value| (value, depth + 1)));
                    self.names.extend(names.into_iter().rev().filter(Option::is_some));
                }
            }
            Seen::Name(_) => unreachable!(),
        }
    }
}

static SEEDS: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
const SEED: &str = r#" { "a" : [1,-0.0e+10,true,false,null,"é\n",{}],"b\u00e9":{"a":"\ud83d\ude00","c":[[]]},"d":"sixteen letters, and é more" } "#;
