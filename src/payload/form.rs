//! Converts a form or a query to JSON text.

use serde::{Serialize, Serializer};
use std::borrow::Cow;

/// Converts a form to a JSON object: a string for each name, a list of strings for a repeated one.
/// `None` above 1,024 fields.
///
/// A scalar is not read from a list, so a repeated name with a typed field becomes a misfit.
///
/// Invalid UTF-8 in a value becomes U+FFFD. A name with invalid UTF-8 stays percent-encoded, so
/// that different names stay different.
pub(crate) fn form_to_json(form: &[u8]) -> Option<String> {
    let mut fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(TYPICAL_FIELDS);
    for field in form.split(|byte| *byte == b'&') {
        // There is no field between `&&`.
        let Some((name, value)) = form_urlencoded::parse(field).next() else { continue };
        if fields.len() == MAX_FIELDS {
            return None;
        }
        let name = match name.contains(char::REPLACEMENT_CHARACTER) {
            true => String::from_utf8_lossy(
                field.split(|byte| *byte == b'=').next().unwrap_or_default(),
            ),
            false => name,
        };
        fields.push((name, value));
    }
    // Vobiz sends fields in this order.
    fields.sort_by(|(one, _), (two, _)| one.cmp(two));
    let mut json = Vec::with_capacity(form.len().saturating_mul(2));
    let members = fields
        .chunk_by(|(one, _), (two, _)| one == two)
        .filter_map(|same| Some((&same.first()?.0, Values(same))));
    serde_json::Serializer::new(&mut json).collect_map(members).ok()?;
    String::from_utf8(json).ok()
}

struct Values<'f>(&'f [(Cow<'f, str>, Cow<'f, str>)]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            [(_, value)] => out.serialize_str(value),
            values => out.collect_seq(values.iter().map(|(_, value)| value)),
        }
    }
}

const MAX_FIELDS: usize = 1024;
const TYPICAL_FIELDS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_an_object() {
        for (form, json) in [
            ("", "{}"),
            ("&&", "{}"),
            ("b=2&a=1", r#"{"a":"1","b":"2"}"#),
            ("a=&b&=c", r#"{"":"c","a":"","b":""}"#),
            ("a=1=2&b=%26%3d+%2B", r#"{"a":"1=2","b":"&= +"}"#),
            ("a=2&b=x&a=1&%61=3", r#"{"a":["2","1","3"],"b":"x"}"#),
            ("a=10%&b=%4&c=%zz", r#"{"a":"10%","b":"%4","c":"%zz"}"#),
            (r#"a="\%0A%00"#, r#"{"a":"\"\\\n\u0000"}"#),
            ("a=%E9ric&b=%c3%A9", "{\"a\":\"\u{fffd}ric\",\"b\":\"é\"}"),
            ("%ff=1&%fe=2&a%ff+b", r#"{"%fe":"2","%ff":"1","a%ff+b":""}"#),
        ] {
            assert_eq!(form_to_json(form.as_bytes()).as_deref(), Some(json), "{form}");
        }
        assert_eq!(form_to_json(b"\xff=\xfe").as_deref(), Some("{\"\u{fffd}\":\"\u{fffd}\"}"));
    }

    #[test]
    fn attack_many_fields_are_no_form() {
        assert!(form_to_json("a=&".repeat(1024).as_bytes()).is_some());
        assert!(form_to_json("a=&".repeat(1025).as_bytes()).is_none());
    }
}
