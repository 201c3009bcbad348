//! The three forms of a body, made one: the text of a JSON object.

use crate::{Rejection, RejectionKind};
use http::{HeaderMap, header};
use percent_encoding::percent_decode;
use std::{borrow::Cow, collections::HashMap};

pub(super) fn to_json<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, str>, Rejection> {
    let body = body.trim_ascii();
    if body.starts_with(b"{") {
        return std::str::from_utf8(body).map(Cow::Borrowed).map_err(invalid);
    }
    if body.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"%7B")) {
        if !is_percent_encoded(body) {
            return Err(Rejection::new(RejectionKind::Invalid).with_detail("bad percent-encoding"));
        }
        return percent_decode(body).decode_utf8().map_err(invalid);
    }
    let form = match headers.get(header::CONTENT_TYPE) {
        None => true,
        Some(value) => {
            let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
        }
    };
    if !form {
        return Err(Rejection::new(RejectionKind::Invalid).with_detail("neither JSON nor a form"));
    }
    form_to_json(body).map(Cow::Owned)
}

/// Every value becomes a string, `name[]` and `name[0]` a list of strings.
fn form_to_json(body: &[u8]) -> Result<String, Rejection> {
    enum Value<'a> {
        One(Vec<Cow<'a, str>>),
        List(Vec<(Option<u16>, Cow<'a, str>)>),
    }

    if !is_percent_encoded(body) {
        return Err(Rejection::new(RejectionKind::Invalid).with_detail("bad percent-encoding"));
    }
    // Each of them would become six bytes of JSON.
    if body.iter().any(u8::is_ascii_control) {
        return Err(Rejection::new(RejectionKind::Invalid).with_detail("a control character in a form"));
    }
    // `form_urlencoded` would put U+FFFD where the text is not UTF-8.
    percent_decode(body).decode_utf8().map_err(invalid)?;
    let pairs: Vec<_> = form_urlencoded::parse(body).take(MAX_PAIRS).collect();
    if pairs.len() == MAX_PAIRS {
        return Err(Rejection::new(RejectionKind::Invalid).with_detail("the form has more than 1023 fields"));
    }
    let mut order = Vec::new();
    let mut fields: HashMap<&str, Value<'_>> = HashMap::new();
    for (name, value) in &pairs {
        let (name, place) = list_place(name);
        let field = fields.entry(name).or_insert_with(|| {
            order.push(name);
            if place.is_some() { Value::List(Vec::new()) } else { Value::One(Vec::new()) }
        });
        match (field, place) {
            (Value::One(values), None) => values.push(Cow::Borrowed(value)),
            (Value::List(values), Some(place)) => values.push((place, Cow::Borrowed(value))),
            _ => return Err(Rejection::new(RejectionKind::Invalid).with_detail("a form field is scalar and list")),
        }
    }

    // A scalar that was sent twice stays there twice, for the rules on duplicates to see.
    let mut json = Vec::with_capacity(body.len().saturating_mul(2));
    json.push(b'{');
    for name in order {
        match fields.get_mut(name) {
            Some(Value::One(values)) => {
                for value in values {
                    write_member(&mut json, name, &*value)?;
                }
            }
            Some(Value::List(values)) => {
                values.sort_by_key(|(place, _)| *place);
                let repeated = |pair: &[(Option<u16>, _)]| matches!(pair, [(a, _), (b, _)] if a.is_some() && a == b);
                if values.windows(2).any(repeated) {
                    return Err(Rejection::new(RejectionKind::Invalid).with_detail("a list place is there twice"));
                }
                let values: Vec<&str> = values.iter().map(|(_, value)| &**value).collect();
                write_member(&mut json, name, &values)?;
            }
            None => {}
        }
    }
    json.push(b'}');
    String::from_utf8(json).map_err(|error| invalid(error.utf8_error()))
}

fn list_place(name: &str) -> (&str, Option<Option<u16>>) {
    let Some((list, place)) = name.strip_suffix(']').and_then(|name| name.split_once('[')) else { return (name, None) };
    match place {
        "" => (list, Some(None)),
        place if place.len() <= 4 && place.bytes().all(|byte| byte.is_ascii_digit()) => {
            (list, Some(place.parse().ok()))
        }
        _ => (name, None),
    }
}

fn write_member<T: serde::Serialize + ?Sized>(json: &mut Vec<u8>, name: &str, value: &T) -> Result<(), Rejection> {
    if json.len() > 1 {
        json.push(b',');
    }
    serde_json::to_writer(&mut *json, name)?;
    json.push(b':');
    serde_json::to_writer(json, value)?;
    Ok(())
}

fn is_percent_encoded(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'%')
        .skip(1)
        .all(|rest| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}

fn invalid(error: std::str::Utf8Error) -> Rejection {
    Rejection::new(RejectionKind::Invalid).with_source(error)
}

const MAX_PAIRS: usize = 1024;
