//! What of a body must be in its event. The fuzz targets use it as well.

use super::json;
use std::fmt::{Debug, Write as _};
use tower_webhooks::{Misfit, WebhookEvent};

/// Checks that every member of the input is typed, in the rest or a misfit.
pub fn is_kept(input: &str, output: &str, event: &(impl WebhookEvent + Debug)) {
    let misfits = event.misfits();
    // At most 64 misfits are listed: then there may be more.
    if misfits.len() < 64 && json::is_json(input) {
        Kept { misfits, event }.object(input, output, &mut Vec::new());
    }
}

fn is_empty_object(json: &str) -> bool {
    json::members(json).is_some_and(|members| members.is_empty())
}

struct Kept<'a, E> {
    misfits: &'a [Misfit],
    event: &'a E,
}

enum Segment {
    Member(String),
    Element(usize),
}

impl<E: Debug> Kept<'_, E> {
    /// Compares two objects; `false` if one of them is none.
    fn object(&self, input: &str, output: &str, path: &mut Vec<Segment>) -> bool {
        let Some((members, found)) = json::members(input).zip(json::members(output)) else {
            return false;
        };
        // Larger objects are not indexed.
        if members.len() > 256 {
            return true;
        }
        let members: Vec<_> =
            members.into_iter().map(|(name, value)| (json::content(name), value)).collect();
        let found: Vec<_> =
            found.into_iter().map(|(name, value)| (json::content(name), value)).collect();
        for (name, value) in &members {
            let is_credential =
                path.is_empty() && ["nonce", "signature", "Nonce", "Signature"].contains(&&**name);
            // A repeated member may be kept in the body alone.
            if is_absent(value)
                || is_credential
                || members.iter().filter(|(other, _)| other == name).count() > 1
            {
                continue;
            }
            let documented = ALIASES.iter().filter(|(alias, _)| alias == name);
            let names: Vec<_> =
                std::iter::once(&**name).chain(documented.map(|(_, name)| *name)).collect();
            let of = |name: &str| found.iter().find(|(found, _)| found == name);
            // For one phone, the page's table has the members where its example has a list.
            let items = of("items")
                .and_then(|(_, items)| json::elements(items)?.pop())
                .and_then(json::members);
            let in_items = || items?.into_iter().find(|(item, _)| json::content(item) == *name);
            let kept = names.iter().find_map(|name| of(name));
            match kept.map(|(name, value)| (name.clone(), *value)) {
                Some((documented, found)) => {
                    path.push(Segment::Member(documented));
                    self.value(value, found, path);
                    path.pop();
                }
                // A misfit is in the rest.
                None => {
                    let mut is_misfit = |name: &&str| {
                        path.push(Segment::Member((*name).to_owned()));
                        let is_misfit = self.is_misfit(path);
                        path.pop();
                        is_misfit
                    };
                    // If no element of a list fits, the list may be absent. `{}` in its place is
                    // an empty one.
                    let is_kept = in_items().is_some()
                        || is_empty_object(value)
                        || json::elements(value).is_some() && names.iter().any(&mut is_misfit);
                    assert!(
                        is_kept,
                        "{name} is lost: {input}\n{output}\n{:?} {:?}",
                        self.misfits, self.event
                    );
                }
            }
        }
        true
    }

    fn value(&self, input: &str, output: &str, path: &mut Vec<Segment>) {
        let is_tag =
            path.len() == 1 && matches!(&path[0], Segment::Member(name) if TAGS.contains(&&**name));
        if is_tag || input == output || self.object(input, output, path) {
            return;
        }
        match (json::elements(input), json::elements(output)) {
            (Some(input), Some(output)) => {
                if input.len() == output.len() {
                    for (place, (input, output)) in input.iter().zip(&output).enumerate() {
                        path.push(Segment::Element(place));
                        self.value(input, output, path);
                        path.pop();
                    }
                } else {
                    let there = input.iter().filter(|element| !is_absent(element)).count();
                    let lost = there.saturating_sub(output.len());
                    assert!(
                        self.below(path) >= lost,
                        "{input:?} {output:?} {:?} {:?}",
                        self.misfits,
                        self.event
                    );
                }
            }
            // A single value in the place of a list.
            (None, Some(output)) if output.len() == 1 => self.value(input, output[0], path),
            (None, Some(output)) if output.is_empty() && is_empty_object(input) => {}
            _ => {
                // The answer of Get Task, which contains the task.
                let data = json::members(input)
                    .into_iter()
                    .flatten()
                    .find(|(name, _)| json::content(name) == "data");
                let is_same = is_same(input, output)
                    || data.is_some_and(|(_, data)| self.object(data, output, path));
                // If it does not fit, the value may come from another member.
                assert!(
                    is_same || self.is_misfit(path),
                    "{input} became {output}: {:?}",
                    self.event
                );
            }
        }
    }

    fn is_misfit(&self, path: &[Segment]) -> bool {
        let path = text(path);
        self.misfits.iter().any(|misfit| is_at_or_below(misfit.path(), &path))
    }

    fn below(&self, path: &[Segment]) -> usize {
        let path = text(path);
        self.misfits.iter().filter(|misfit| is_at_or_below(misfit.path(), &path)).count()
    }
}

fn is_at_or_below(misfit: &str, path: &str) -> bool {
    misfit.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn text(path: &[Segment]) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Member(name) if text.is_empty() => text.push_str(name),
            Segment::Member(name) => write!(text, ".{name}").unwrap(),
            Segment::Element(place) => write!(text, "[{place}]").unwrap(),
        }
    }
    text
}

/// `null`, blank text and lists of these count as absent.
fn is_absent(value: &str) -> bool {
    let is_blank = value.starts_with('"') && json::content(value).trim().is_empty();
    value == "null"
        || is_blank
        || json::elements(value)
            .is_some_and(|elements| elements.iter().all(|element| is_absent(element)))
}

/// Whether one scalar is another spelling of the other.
fn is_same(input: &str, output: &str) -> bool {
    let scalar =
        |value: &str| if value.starts_with('"') { json::content(value) } else { value.to_owned() };
    let (from, to) = (scalar(input), scalar(output));
    let (word, number) = (from.trim(), from.trim().parse::<f64>());
    let is_number = |expected: f64| to.trim().parse() == Ok(expected);
    from == to
        || word == to
        || WORDS.contains(&(word, &to))
        || ["true", "false"].contains(&&*to) && word.eq_ignore_ascii_case(&to)
        || to == "1" && word.eq_ignore_ascii_case("true")
        || to == "0" && word.eq_ignore_ascii_case("false")
        || number.is_ok_and(|number| {
            let is_bool = to == if number == 1.0 { "true" } else { "false" }
                && (number == 1.0 || number == 0.0);
            is_bool
                || is_number(number)
                || is_number(number * 1000.0)
                || is_number((number / 1000.0).floor())
        })
}

const TAGS: &[&str] = &["type", "event", "Event", "event_type", "EventType"];

/// Names that are read but written under another name.
const ALIASES: &[(&str, &str)] = &[
    ("callbackSucceeded", "callback_succeeded"),
    ("Status", "CallStatus"),
    ("stir_verification", "STIRVerification"),
    ("fileId", "file_id"),
    ("fileId", "field_id"),
    ("file_id", "field_id"),
    ("BusinessLabe3", "BusinessLabel3"),
];

const WORDS: &[(&str, &str)] = &[("Call recipient", "Callee"), ("Call Recipient", "Callee")];
