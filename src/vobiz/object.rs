//! A JSON object into an event, in one pass: bodies can be large.

use crate::{
    Json, Rejection, RejectionKind,
    wire::{Text, scalar},
};
use serde::{
    Deserializer, Serialize,
    de::{DeserializeSeed, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::VecDeque, fmt, marker::PhantomData};

/// A callback that this version does not know, as it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Unknown {
    raw: Json,
}

impl Unknown {
    /// The JSON object; of a query or a form, with every value a string.
    pub fn raw(&self) -> &Json {
        &self.raw
    }

    pub(super) fn new(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json).map(|raw| Self { raw })
    }
}

pub(super) trait Object: Sized {
    /// `whole` is the object's text, for an [`Unknown`].
    fn read<'de, A: MapAccess<'de>>(members: Members<'de, A>, whole: &str) -> Result<Self, A::Error>;
}

pub(super) fn parse<T: Object>(body: &[u8]) -> Result<T, Rejection> {
    let whole = std::str::from_utf8(body).map_err(|error| Rejection::new(RejectionKind::Invalid).with_source(error))?;
    let mut json = serde_json::Deserializer::from_str(whole);
    let object = json.deserialize_map(Read { whole, object: PhantomData })?;
    json.end()?;
    Ok(object)
}

struct Read<'a, T> {
    whole: &'a str,
    object: PhantomData<T>,
}

impl<'de, T: Object> Visitor<'de> for Read<'_, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let names = Vec::with_capacity(TYPICAL_MEMBERS);
        T::read(Members { map, names, early: VecDeque::new(), value: None }, self.whole)
    }
}

/// An object's members, each name once.
pub(super) struct Members<'de, A> {
    map: A,
    names: Vec<Cow<'de, str>>,
    /// What stood before the member that [`take`](Self::take) took.
    early: VecDeque<(Cow<'de, str>, &'de RawValue)>,
    value: Option<&'de RawValue>,
}

impl<'de, A: MapAccess<'de>> Members<'de, A> {
    /// The string under this name; the others can still be read.
    pub(super) fn take(&mut self, wanted: &str) -> Result<Option<Cow<'de, str>>, A::Error> {
        while let Some(name) = self.next_name()? {
            let value: &RawValue = self.map.next_value()?;
            if name == wanted {
                return Ok(scalar(value));
            }
            self.early.push_back((name, value));
        }
        Ok(None)
    }

    pub(super) fn skip(mut self) -> Result<(), A::Error> {
        while self.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn next_name(&mut self) -> Result<Option<Cow<'de, str>>, A::Error> {
        let Some(Text(name)) = self.map.next_key()? else { return Ok(None) };
        if self.names.contains(&name) {
            return Err(A::Error::custom("a top-level key is there twice"));
        }
        if self.names.len() == MAX_MEMBERS {
            return Err(A::Error::custom("the object has more than 256 members"));
        }
        self.names.push(name.clone());
        Ok(Some(name))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'de, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let name = match self.early.pop_front() {
            Some((name, value)) => {
                self.value = Some(value);
                Some(name)
            }
            None => self.next_name()?,
        };
        name.map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(value).map_err(A::Error::custom),
            None => self.map.next_value_seed(seed),
        }
    }
}

/// Events that one member tells apart: a row for each, with the fields that tell one delivery from another.
macro_rules! events {
    (
        $(#[$meta:meta])*
        pub enum Event in $tag:literal {$(
            $(#[$row_meta:meta])*
            $name:literal => $variant:ident($payload:ident) key [$($key:ident),*],
        )*}
    ) => {
        $(#[$meta])*
        ///
        /// Serialised, it has Vobiz's member names and values.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "it moves once, into an `Arc`")]
        pub enum Event {
            $($(#[$row_meta])* $variant($payload),)*
            /// Everything else that was rightly signed.
            Unknown(crate::vobiz::Unknown),
        }

        impl Event {
            #[doc = concat!("The body's `", $tag, "`; `unknown` for an [`Unknown`](crate::vobiz::Unknown).")]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                    Self::Unknown(_) => "unknown",
                }
            }

            /// A key that is the same for every delivery of one and the same event, as far as that can be told:
            #[doc = concat!("inferred from `", $tag, "` and the documented ids and times.")]
            ///
            /// `None` where one of them is missing.
            pub fn dedup_key(&self) -> Option<String> {
                match self {
                    $(Self::$variant(payload) => {
                        crate::vobiz::dedup_key(self.kind(), &[$(payload.$key.as_deref()),*])
                    })*
                    Self::Unknown(_) => None,
                }
            }
        }

        impl crate::vobiz::object::Object for Event {
            fn read<'de, A: serde::de::MapAccess<'de>>(
                mut members: crate::vobiz::object::Members<'de, A>,
                whole: &str,
            ) -> Result<Self, A::Error> {
                use serde::{Deserialize, de::{Error, value::MapAccessDeserializer}};

                match members.take($tag)?.as_deref() {
                    $(Some($name) => {
                        $payload::deserialize(MapAccessDeserializer::new(members)).map(Self::$variant)
                    })*
                    _ => {
                        members.skip()?;
                        crate::vobiz::Unknown::new(whole).map(Self::Unknown).map_err(A::Error::custom)
                    }
                }
            }
        }

        impl serde::Serialize for Event {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                struct Tagged<'a, T> {
                    #[serde(rename = $tag)]
                    name: &'static str,
                    #[serde(flatten)]
                    payload: &'a T,
                }

                match self {
                    $(Self::$variant(payload) => Tagged { name: $name, payload }.serialize(out),)*
                    Self::Unknown(unknown) => unknown.serialize(out),
                }
            }
        }
    };
}

pub(super) use events;

const MAX_MEMBERS: usize = 256;
const TYPICAL_MEMBERS: usize = 32;
