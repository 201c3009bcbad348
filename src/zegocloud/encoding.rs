//! Converts the three forms of a body to the text of a JSON object.

use crate::{Rejection, RejectionKind, payload::unmarked};
use percent_encoding::percent_decode;
use serde::{Serializer as _, ser::SerializeMap as _};
use std::borrow::Cow;

/// A body that starts with `{` is JSON, one that starts with `%7B` is percent-encoded JSON, any
/// other is a form. Invalid UTF-8 becomes U+FFFD.
pub(crate) fn to_json(body: &[u8]) -> Result<Cow<'_, str>, Rejection> {
    let body = unmarked(body.trim_ascii()).trim_ascii();
    if body.starts_with(b"{") {
        return Ok(
            std::str::from_utf8(body).map_or_else(|_| String::from_utf8_lossy(body), Cow::Borrowed)
        );
    }
    if body.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"%7B")) {
        return Ok(percent_decode(body).decode_utf8_lossy());
    }
    form_to_json(body).map(Cow::Owned)
}

/// Every value becomes a string, `name[]` and `name[0]` a list of strings. A repeated name stays
/// repeated. With too many elements in all, none is put into a list, as a list that lacks some of
/// its elements would look complete.
fn form_to_json(form: &[u8]) -> Result<String, Rejection> {
    if form.len() > MAX_FORM || !(form.is_empty() || form.contains(&b'=')) {
        return Err(Rejection::new(RejectionKind::Invalid)
            .with_detail("neither JSON nor a form of at most 256 KiB"));
    }
    let mut json = Vec::with_capacity(form.len().saturating_mul(2));
    let mut writer = serde_json::Serializer::new(&mut json);
    let mut members = writer.serialize_map(None)?;
    let mut elements = Vec::new();
    let is_element = |(name, _): &(Cow<'_, str>, _)| list_place(name).is_some();
    let has_room = form_urlencoded::parse(form).filter(is_element).count() <= MAX_ELEMENTS;
    for (name, value) in form_urlencoded::parse(form) {
        match list_place(&name).filter(|_| has_room) {
            Some((list, place)) => elements.push((list.to_owned(), place, value)),
            None => members.serialize_entry(&name, &value)?,
        }
    }
    elements.sort_by(|(a, at, _), (b, bt, _)| (a, at).cmp(&(b, bt)));
    for list in elements.chunk_by(|(a, ..), (b, ..)| a == b) {
        let values: Vec<_> = list.iter().map(|(_, _, value)| value).collect();
        members.serialize_entry(list.first().map_or("", |(name, ..)| name), &values)?;
    }
    members.end()?;
    String::from_utf8(json)
        .map_err(|error| Rejection::new(RejectionKind::Invalid).with_source(error.utf8_error()))
}

fn list_place(name: &str) -> Option<(&str, Option<u32>)> {
    let (list, place) = name.strip_suffix(']')?.split_once('[')?;
    match place {
        "" => Some((list, None)),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((list, Some(digits.parse().unwrap_or(u32::MAX))))
        }
        _ => None,
    }
}

// Only flat events are sent as forms, and a control character in one takes six bytes of JSON.
const MAX_FORM: usize = 256 << 10;
// More than the reader takes, so that a list that is only too long for it is a misfit.
const MAX_ELEMENTS: usize = 16_384;
