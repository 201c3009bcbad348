//! The members of an object that are not typed.

use super::{Json, Misfits};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// What of an object is not typed: undocumented members, and members that did not fit their type.
/// As they came, in their order.
///
/// Equality is that of the members; order does not count.
#[derive(Clone, Debug, Default)]
pub struct Rest(Option<Box<Inner>>);

#[derive(Clone, Debug, Default)]
struct Inner {
    members: Vec<(Box<str>, Json)>,
    misfits: Misfits,
}

impl Rest {
    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.members().iter().map(|(name, value)| (&**name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    pub(crate) fn new(members: Vec<(Box<str>, Json)>) -> Self {
        match members.is_empty() {
            true => Self(None),
            false => Self(Some(Box::new(Inner { members, misfits: Misfits::default() }))),
        }
    }

    /// What did not fit, if this is the rest of what was read as a whole, as an event is.
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
