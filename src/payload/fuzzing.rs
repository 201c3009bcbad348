//! The index of a text and the parsing of a form, for the fuzz targets.

use super::{Object, Tape, Value};

/// See [`form_to_json`](super::form_to_json).
pub fn form(form: &[u8]) -> Option<String> {
    super::form_to_json(form)
}

/// An item of a JSON text, in document order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen<'t> {
    /// The name of the member that follows.
    Name(&'t str),
    /// The text of a value that is neither a list nor an object, and its scalar.
    Scalar(&'t str, Option<&'t str>),
    /// The text of a list or an object, and the number of its values if it is indexed. They follow.
    Several(&'t str, Option<usize>),
}

/// Visits all items of the text; `false` if it is not JSON.
pub fn walk(text: &str, see: &mut dyn FnMut(Seen<'_>)) -> bool {
    let tape = Tape::new(text);
    tape.as_ref().and_then(|tape| tape.value(0)).map(|root| visit(root, 0, see)).is_some()
}

fn visit(value: Value<'_>, depth: usize, see: &mut dyn FnMut(Seen<'_>)) {
    if !value.is_list() && !value.is_object() {
        return see(Seen::Scalar(value.text(), value.scalar().as_deref()));
    }
    let mut own = None;
    let several = value.indexed(&mut own);
    let count = (several.is_indexed() && depth < WALKED).then(|| several.values().count());
    see(Seen::Several(value.text(), count));
    if count.is_none() {
        return;
    }
    match Object::of(several) {
        Some(object) => object.iter().for_each(|(name, value)| {
            see(Seen::Name(&name));
            visit(value, depth + 1, see);
        }),
        None => several.values().for_each(|value| visit(value, depth + 1, see)),
    }
}

/// The depth to which [`walk`] descends.
pub const WALKED: usize = 40;
