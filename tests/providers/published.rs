//! Material that others have published: the JSON test suite, the big list of naughty strings, and
//! Wycheproof's vectors of HMAC-SHA256. Standard Webhooks' vectors are in
//! `tests/examples/standard_webhooks.rs`.

use super::nothing_lost::{Asked, of_each, paths};
use crate::support::{events::payloads, signed};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};
use std::{collections::BTreeMap, fmt::Debug, time::SystemTime};
use tower_webhooks::{Json, Provider, RejectionKind, Signer, WebhookEvent};

#[derive(Deserialize)]
struct Suite {
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    name: String,
    text: Option<String>,
    hex: Option<String>,
    #[serde(default = "once")]
    times: usize,
}

fn once() -> usize {
    1
}

fn suite() -> Vec<(String, Vec<u8>)> {
    let suite: Suite = serde_json::from_str(include_str!("../data/json_test_suite.json")).unwrap();
    let files: Vec<_> = suite
        .files
        .into_iter()
        .map(|file| {
            let content = match (file.text, file.hex) {
                (Some(text), None) => text.into_bytes(),
                (None, hex) => hex::decode(hex.unwrap()).unwrap(),
                _ => panic!("{} is two things", file.name),
            };
            (file.name, content.repeat(file.times))
        })
        .collect();
    let count = |kind: &str| files.iter().filter(|(name, _)| name.starts_with(kind)).count();
    assert_eq!((count("y_"), count("n_"), count("i_")), (95, 188, 35));
    files
}

/// What each file is, in the suite's names: `y_` is JSON, `n_` is none, and of `i_`, which the
/// suite leaves open, these are none.
fn is_json(name: &str) -> bool {
    name.starts_with("y_")
        || name.starts_with("i_") && !ILL_FORMED.contains(&name) && !OTHER_ENCODING.contains(&name)
}

/// Not UTF-8. ZEGOCLOUD's are read with U+FFFD, since without the members that sign nothing would
/// be authentic.
const ILL_FORMED: [&str; 10] = [
    "i_string_UTF-8_invalid_sequence",
    "i_string_UTF8_surrogate_U+D800",
    "i_string_invalid_utf-8",
    "i_string_iso_latin_1",
    "i_string_lone_utf8_continuation_byte",
    "i_string_not_in_unicode_range",
    "i_string_overlong_sequence_2_bytes",
    "i_string_overlong_sequence_6_bytes",
    "i_string_overlong_sequence_6_bytes_null",
    "i_string_truncated-utf-8",
];
const OTHER_ENCODING: [&str; 4] = [
    "i_string_UTF-16LE_with_BOM",
    "i_string_utf16BE_no_BOM",
    "i_string_utf16LE_no_BOM",
    "i_structure_UTF-8_BOM_empty_object",
];

mod json_test_suite {
    use super::*;

    of_each!(|asked, file| super::reads_the_suite(&asked, file));
}

/// As a member that nobody knows, beside a documented event.
fn reads_the_suite<P, S: Signer>(asked: &Asked<P, S>, file: &str)
where
    P: Provider<Event: WebhookEvent + Serialize + DeserializeOwned + PartialEq + Clone + Debug>,
{
    let (mut body, kind) = payloads(file).swap_remove(0);
    body[NAME] = json!(PLACE);
    let template = body.to_string();
    for (name, content) in suite() {
        let fill = |body: &[u8]| {
            let (before, after) =
                std::str::from_utf8(body).unwrap().split_once(&json!(PLACE).to_string()).unwrap();
            Bytes::from([before.as_bytes(), &content, after.as_bytes()].concat())
        };
        // Where the signature is in the body it does not cover it.
        let plain = signed(&asked.signer, "/hook", template.clone());
        let is_in_body = plain.body() != &template;
        let request = if is_in_body {
            plain.map(|body| fill(&body))
        } else {
            signed(&asked.signer, "/hook", fill(template.as_bytes()))
        };
        let delivery = asked.provider.verify(&request, SystemTime::now());
        if is_json(&name) || is_in_body && ILL_FORMED.contains(&name.as_str()) {
            let event = delivery.unwrap_or_else(|error| panic!("{name}: {error}")).into_event();
            assert_eq!(event.kind(), kind, "{name}");
            assert!(event.misfits().is_empty(), "{name}: {:?}", event.misfits());
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<P::Event>(&text).unwrap(), event, "{name}");
            let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&text).unwrap();
            let kept: Json = serde_json::from_str(members[NAME].get()).unwrap();
            let sent =
                MENDED.iter().find(|(mended, _)| *mended == name).map(|(_, text)| (*text).into());
            let sent = sent.unwrap_or_else(|| String::from_utf8_lossy(&content));
            assert_eq!(kept, serde_json::from_str(&sent).unwrap(), "{name}");
        } else if is_in_body {
            // Nothing can be authenticated.
            let refused = delivery.expect_err(&name);
            assert_eq!(refused.kind(), RejectionKind::Invalid, "{name}");
        } else {
            let event = delivery.unwrap_or_else(|error| panic!("{name}: {error}")).into_event();
            assert_eq!(event.kind(), "unknown", "{name}");
            let text = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<P::Event>(&text).unwrap(), event, "{name}");
        }
    }
}

/// What no string can hold as it came.
const MENDED: &[(&str, &str)] = &[
    ("i_object_key_lone_2nd_surrogate", r#"{"\ufffd":0}"#),
    ("i_string_1st_surrogate_but_2nd_missing", r#"["\ufffd"]"#),
    ("i_string_1st_valid_surrogate_2nd_invalid", r#"["\ufffd\u1234"]"#),
    ("i_string_incomplete_surrogate_and_escape_valid", r#"["\ufffd\n"]"#),
    ("i_string_incomplete_surrogate_pair", r#"["\ufffda"]"#),
    ("i_string_incomplete_surrogates_escape_valid", r#"["\ufffd\ufffd\n"]"#),
    ("i_string_invalid_lonely_surrogate", r#"["\ufffd"]"#),
    ("i_string_invalid_surrogate", r#"["\ufffdabc"]"#),
    ("i_string_inverted_surrogates_U+1D11E", r#"["\ufffd\ufffd"]"#),
    ("i_string_lone_second_surrogate", r#"["\ufffd"]"#),
];
const NAME: &str = "published";
const PLACE: &str = "what stands here is replaced";

mod naughty_strings {
    use super::*;

    of_each!(|asked, file| super::reads_the_strings(&asked, file));
}

/// Strings in every member that is text: all of them in each with `PUBLISHED_FULL`, else every
/// sixteenth, and so all in one member or another. Blank ones are absent everywhere, and are not
/// asked for here.
fn reads_the_strings<P, S: Signer>(asked: &Asked<P, S>, file: &str)
where
    P: Provider<Event: WebhookEvent + Serialize + DeserializeOwned + PartialEq + Clone + Debug>,
{
    let strings: Vec<_> =
        ::naughty_strings::BLNS.iter().filter(|string| !string.trim().is_empty()).collect();
    assert!(strings.len() > 500);
    let every = if std::env::var_os("PUBLISHED_FULL").is_some() { 1 } else { 16 };
    let mut read = 0;
    for (whole, kind) in payloads(file) {
        // A member that is a code in digits may tell the event apart, and some do so only together.
        let (mut texts, mut all) = (Vec::new(), whole.clone());
        for path in paths(&whole) {
            let mut more = all.clone();
            let is_text =
                !whole.pointer(&path).is_some_and(|value| value.is_object() || value.is_array())
                    && ["09", "some text"].iter().all(|probe| {
                        *more.pointer_mut(&path).unwrap() = json!(probe);
                        let event = asked.event(&more.to_string());
                        let is_read = || {
                            Value::Object(asked.comes_back(&event)).pointer(&path)
                                == Some(&json!(probe))
                        };
                        event.kind() == kind && event.misfits().is_empty() && is_read()
                    });
            if is_text {
                texts.push(path);
                all = more;
            }
        }
        for turn in (0..strings.len()).step_by(every) {
            let string = |place: usize| strings[(turn + place) % strings.len()];
            let mut naughty = whole.clone();
            for (place, path) in texts.iter().enumerate() {
                *naughty.pointer_mut(path).unwrap() = json!(string(place));
            }
            let event = asked.event(&naughty.to_string());
            assert_eq!(event.kind(), kind, "{naughty}");
            assert!(event.misfits().is_empty(), "{:?} {naughty}", event.misfits());
            let back = Value::Object(asked.comes_back(&event));
            for (place, path) in texts.iter().enumerate() {
                assert_eq!(back.pointer(path), Some(&json!(string(place))), "{path}");
                read += 1;
            }
        }
    }
    println!("{file}: {read} strings read");
    assert!(read > strings.len());
}

/// Every tag of Wycheproof's through the family whose header holds an HMAC-SHA256 of the body and
/// nothing else.
#[cfg(feature = "vobiz")]
#[test]
fn attack_wycheproof_hmac_sha256() {
    use tower_webhooks::vobiz::ndnc::Ndnc;
    use wycheproof::{TestResult, mac};

    let (mut accepted, mut wrong, mut truncated) = (0, 0, 0);
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            // A secret that begins or ends with white space is refused when it is set.
            let Ok(provider) = Ndnc::new(&test.key) else {
                assert!(test.key.trim_ascii().len() < test.key.len(), "{}", test.tc_id);
                continue;
            };
            let request =
                http::Request::post("/hook").header("x-vobiz-signature", hex::encode(&test.tag));
            let request = request.body(Bytes::from(test.msg.to_vec())).unwrap();
            let kind =
                provider.verify(&request, SystemTime::now()).map_err(|refused| refused.kind());
            let id = format!("{} {}: {kind:?}", test.tc_id, test.comment);
            match (group.tag_size, test.result) {
                (256, TestResult::Valid) => {
                    assert!(kind.is_ok(), "{id}");
                    accepted += 1;
                }
                (256, _) => {
                    assert_eq!(kind.unwrap_err(), RejectionKind::CredentialWrong, "{id}");
                    wrong += 1;
                }
                // The right beginning is not enough, whatever the standard allows.
                _ => {
                    assert_eq!(kind.unwrap_err(), RejectionKind::CredentialMalformed, "{id}");
                    truncated += 1;
                }
            }
        }
    }
    println!("{accepted} accepted, {wrong} wrong, {truncated} truncated");
    assert!(accepted > 20 && wrong > 20 && truncated > 50);
}
