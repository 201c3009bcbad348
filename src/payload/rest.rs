//! The members of an object that have no field.

use super::{Json, Misfits};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// The members of an object that have no field, and those that did not fit their field's type,
/// unchanged and in their order.
///
/// Equality compares the members; their order does not count.
#[derive(Clone, Debug, Default)]
pub struct Rest(Option<Box<Inner>>);

#[derive(Clone, Debug, Default)]
struct Inner {
    members: Vec<(Box<str>, Json)>,
    misfits: Misfits,
}

impl Rest {
    /// The value of the member of that name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All members, as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members().iter().map(|(name, value)| (&**name, value))
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    pub(crate) fn new(members: Vec<(Box<str>, Json)>) -> Self {
        match members.is_empty() {
            true => Self(None),
            false => Self(Some(Box::new(Inner { members, misfits: Misfits::default() }))),
        }
    }

    /// The misfits of the whole event, if this is the rest of its outermost payload; otherwise
    /// empty.
    pub fn misfits(&self) -> &Misfits {
        self.0.as_ref().map_or(Misfits::none(), |inner| &inner.misfits)
    }

    pub(crate) fn set_misfits(&mut self, misfits: Misfits) {
        if !misfits.is_empty() {
            self.0.get_or_insert_default().misfits = misfits;
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.iter_mut().for_each(|inner| inner.members.retain(|(key, _)| &**key != name));
    }

    pub(crate) fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        self.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))
    }

    fn members(&self) -> &[(Box<str>, Json)] {
        self.0.as_ref().map_or(&[], |inner| &inner.members)
    }
}

impl PartialEq for Rest {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl Serialize for Rest {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_map(self.iter())
    }
}
