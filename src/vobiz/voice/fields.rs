//! The fields of a callback, from a query, a form or a flat JSON object: names and text.

use super::Field;
use crate::{
    Rejection, RejectionKind,
    vobiz::Unknown,
    wire::{Members, Text},
};
use http::{Method, request::Parts};
use percent_encoding::percent_decode;
use serde::{Serialize, ser::SerializeMap};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map::Entry},
    str::Utf8Error,
};

/// Each name once; what is not taken out is not copied.
pub(super) struct Fields<'a> {
    map: BTreeMap<Cow<'a, str>, Value<'a>>,
    /// The JSON object that they come from, if it is one.
    json: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Value<'a> {
    Text(Cow<'a, str>),
    /// JSON that is no string.
    Json(&'a RawValue),
}

impl Value<'_> {
    /// A string's content, else the JSON; `null` is the same as missing.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(json) => Some(json.get()).filter(|json| *json != "null"),
        }
    }

    fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.into_owned()),
            json => json.text().map(str::to_owned),
        }
    }
}

impl<'a> Fields<'a> {
    /// A GET's fields are its query, a POST's are its body; the other is not looked at.
    pub(super) fn of(head: &'a Parts, body: &'a [u8]) -> Result<Self, Rejection> {
        if head.method == Method::GET {
            Self::from_form(head.uri.query().unwrap_or_default().as_bytes())
        } else if body.starts_with(b"{") {
            Self::from_json(std::str::from_utf8(body).map_err(invalid)?)
        } else {
            Self::from_form(body)
        }
    }

    fn from_form(form: &'a [u8]) -> Result<Self, Rejection> {
        let is_escape = |rest: &[u8]| matches!(rest, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        if !form.split(|byte| *byte == b'%').skip(1).all(is_escape) {
            return Err(Rejection::new(RejectionKind::Invalid).with_detail("bad percent-encoding"));
        }
        // `form_urlencoded` would put U+FFFD where the text is not UTF-8.
        percent_decode(form).decode_utf8().map_err(invalid)?;
        let mut fields = Self { map: BTreeMap::new(), json: None };
        for (name, value) in form_urlencoded::parse(form) {
            fields.insert(name, Value::Text(value))?;
        }
        Ok(fields)
    }

    fn from_json(json: &'a str) -> Result<Self, Rejection> {
        let mut fields = Self { map: BTreeMap::new(), json: Some(json) };
        for (name, value) in serde_json::from_str::<Members<'_>>(json)?.iter() {
            let value = match value.get().starts_with('"') {
                true => Value::Text(serde_json::from_str::<Text<'_>>(value.get())?.0),
                false => Value::Json(value),
            };
            fields.insert(Cow::Owned(name.to_owned()), value)?;
        }
        Ok(fields)
    }

    fn insert(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Result<(), Rejection> {
        if self.map.len() == MAX_FIELDS {
            return Err(Rejection::new(RejectionKind::Invalid).with_detail("more than 256 fields"));
        }
        match self.map.entry(name) {
            Entry::Vacant(place) => place.insert(value),
            Entry::Occupied(_) => {
                return Err(Rejection::new(RejectionKind::Invalid).with_detail("a field is there twice"));
            }
        };
        Ok(())
    }

    pub(super) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.text(name).is_some())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.map.get(name)?.text()
    }

    /// Takes the field out, of the first of these names that it has; lists and objects are no field's value.
    fn take(&mut self, names: &[&str]) -> Result<Option<String>, Rejection> {
        let Some(name) = names.iter().find(|name| self.has_any(&[name])) else { return Ok(None) };
        match self.map.remove(*name) {
            Some(Value::Json(json)) if json.get().starts_with(['{', '[']) => {
                Err(Rejection::new(RejectionKind::Invalid).with_detail("a field is no scalar"))
            }
            value => Ok(value.and_then(Value::into_text)),
        }
    }

    pub(super) fn into_unknown(self) -> serde_json::Result<Unknown> {
        match self.json {
            Some(json) => Unknown::new(json),
            None => Unknown::new(&serde_json::to_string(&self.map)?),
        }
    }

    /// What nobody has taken: custom SIP headers, then the others.
    pub(super) fn rest(self) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let text = |(name, value): (Cow<'_, str>, Value<'_>)| Some((name.into_owned(), value.into_text()?));
        self.map.into_iter().filter_map(text).partition(|(name, _)| name.starts_with("X-VH-"))
    }
}

/// A typed place for one field, or for several.
pub(super) trait Slot: Sized {
    fn read(fields: &mut Fields<'_>, names: &[&str]) -> Result<Self, Rejection>;

    /// The text on the wire.
    fn text(&self) -> Option<&str>;

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error> {
        self.text().map_or(Ok(()), |text| map.serialize_entry(name, text))
    }
}

impl Slot for Option<String> {
    fn read(fields: &mut Fields<'_>, names: &[&str]) -> Result<Self, Rejection> {
        fields.take(names)
    }

    fn text(&self) -> Option<&str> {
        self.as_deref()
    }
}

impl<T> Slot for Field<T> {
    fn read(fields: &mut Fields<'_>, names: &[&str]) -> Result<Self, Rejection> {
        Ok(fields.take(names)?.map_or_else(Self::default, Self::from))
    }

    fn text(&self) -> Option<&str> {
        self.text()
    }
}

fn invalid(error: Utf8Error) -> Rejection {
    Rejection::new(RejectionKind::Invalid).with_source(error)
}

const MAX_FIELDS: usize = 256;
