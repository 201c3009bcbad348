//! Macros that define the providers' event types, and the reader that they share.
//!
//! An event file uses up to four macros:
//!
//! * [`events!`]: the enum of events, one row per event with its name, variant, payload and
//!   deduplication key;
//! * [`payload!`]: payload structs;
//! * [`codes!`] and [`words!`]: enums of numbers and of words, with `Other` for unlisted values.
//!
//! All events are read in the same way. [`Tape`] checks and indexes the body in one pass; each
//! field takes its member from its [`Object`] and converts it ([`FromValue`]). `null` counts as
//! missing, and so does blank text unless it is a value of the field's type. Numbers are read from
//! text and text from numbers. A member that does not convert is absent and recorded as a
//! [`Misfit`]; a member without a field is kept in [`Rest`]. None of this is an error.

pub use self::{
    event::{Unknown, WebhookEvent},
    json::Json,
    misfit::{Misfit, Misfits},
    rest::Rest,
    value::{UnixMillis, UnixSeconds},
};

#[cfg(feature = "vobiz")]
pub(crate) use self::form::form_to_json;
pub(crate) use self::{
    event::{dedup_key, part, read_back, text, unmarked},
    json::mend,
    object::{Field, Names, Object, Payload, Reader, only},
    tape::{MAX_MEMBERS, Tape, Value},
    value::{FromValue, whole},
};

mod event;
#[cfg(feature = "vobiz")]
mod form;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod json;
mod misfit;
mod object;
mod rest;
mod tape;
mod value;

/// Defines an enum of events, one row per event:
/// `"name" | "other name" => Variant(Payload) as "kind" key |it| [it.needed; it.further],`.
///
/// The first name is the one that is serialized; it may be a number. Without `as` it is the kind.
/// The [key](WebhookEvent::dedup_key) is `None` unless all parts before the semicolon are present;
/// without `key` always. `in "member"` after the enum's name is the member that holds the name;
/// without `in`, a `from_body` of its own finds it. A last row `_ => Unknown(Unknown),` takes all
/// other events. Generates the enum with a table of its rows, `WebhookEvent`, `Serialize`,
/// `Deserialize`, `knows(name)`, `of(name, object)` and, with `in`, `from_body`.
macro_rules! events {
    (
        $(#[$meta:meta])*
        pub enum $enum:ident $(in $tag:literal)? {
            $(
                $(#[doc = $doc:literal])*
                $name:literal $(| $alias:literal)* => $variant:ident($payload:ty)
                    $(as $kind:literal)?
                    $(key |$it:ident| [$($needed:expr),* $(; $($further:expr),*)?])?,
            )*
            $(_ => $unknown:ident(Unknown),)?
        }
    ) => {
        $(#[$meta])*
        ///
        /// | name | variant | when |
        /// | --- | --- | --- |
        $(#[doc = concat!(
            "| `", $name, "`", $(", `", $kind, "`",)?
            " | [`", stringify!($variant), "`](Self::", stringify!($variant), ") |", $($doc,)* " |"
        )])*
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "it moves once, into an `Arc`")]
        pub enum $enum {
            $($(#[doc = $doc])* $variant($payload),)*
            $(
                /// Any other authentic body.
                $unknown($crate::Unknown),
            )?
        }

        impl $enum {
            const TAG: &[&str] = &[$($tag)?];

            fn unknown(unknown: $crate::Unknown) -> Result<Self, $crate::Unknown> {
                Err(unknown)$(.or_else(|unknown| Ok(Self::$unknown(unknown))))?
            }

            #[allow(dead_code, reason = "for enums of which several share a member for the name")]
            pub(crate) fn knows(name: &str) -> bool {
                match name {
                    $(concat!($name) $(| concat!($alias))* => true,)*
                    _ => false,
                }
            }

            /// Reads the event of that name; gives the object back if the name is unknown.
            pub(crate) fn of<'t>(
                name: &str,
                object: $crate::payload::Object<'t>,
            ) -> Result<Self, $crate::payload::Object<'t>> {
                match name {
                    $(concat!($name) $(| concat!($alias))* => {
                        object.hide(const { &$crate::payload::Names::new(Self::TAG, &[]) });
                        Ok(Self::$variant(object.into_event()))
                    })*
                    _ => Err(object),
                }
            }
        }

        impl $crate::WebhookEvent for $enum {
            fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $crate::payload::either(&[$($kind)?], concat!($name)),)*
                    $(Self::$unknown(_) => "unknown",)?
                }
            }

            fn dedup_key(&self) -> Option<String> {
                match self {
                    $(Self::$variant(_payload) => None$(.or({
                        let $it = _payload;
                        let needed = [$($crate::payload::part(&$needed)),*];
                        let further = [$($($crate::payload::part(&$further)),*)?];
                        $crate::payload::dedup_key(self.kind(), &needed, &further)
                    }))?,)*
                    $(Self::$unknown(_) => None,)?
                }
            }

            fn misfits(&self) -> &$crate::Misfits {
                match self {
                    $(Self::$variant(payload) => payload.rest.misfits(),)*
                    $(Self::$unknown(_) => $crate::Misfits::none(),)?
                }
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;

                $(if let Self::$unknown(unknown) = self {
                    return unknown.serialize(out);
                })?
                let mut map = out.serialize_map(None)?;
                match self {
                    $(Self::$variant(payload) => {
                        Self::TAG.iter().try_for_each(|tag| map.serialize_entry(tag, &$name))?;
                        $crate::payload::Payload::write(payload, &mut map)?;
                    })*
                    $(Self::$unknown(_) => {})?
                }
                map.end()
            }
        }

        $(
            impl $enum {
                /// Reads the body as the event that its name member says.
                pub(crate) fn from_body(body: &bytes::Bytes) -> Result<Self, $crate::Unknown> {
                    let unknown = || $crate::Unknown::new(body.clone());
                    let tape = $crate::payload::text(body).and_then($crate::payload::Tape::new);
                    let tape = tape.ok_or_else(unknown)?;
                    let object = tape.object().ok_or_else(unknown)?;
                    let name = object.name($tag).ok_or_else(unknown)?;
                    Self::of(&name, object).map_err(|_| unknown().claiming(name))
                }
            }
        )?

        impl<'de> serde::Deserialize<'de> for $enum {
            fn deserialize<In: serde::Deserializer<'de>>(input: In) -> Result<Self, In::Error> {
                let no_event = |_| serde::de::Error::custom("not an event of this family");
                let read = $crate::payload::read_back(input, Self::from_body, Err)?;
                read.or_else(Self::unknown).map_err(no_event)
            }
        }
    };
}

/// Defines payload structs.
///
/// `= "Name" | "other"` after a type is the member's name if it is not the field's, and further
/// names that are also read; the first one present wins. A field is an `Option`, a `Vec`, or a
/// flattened payload. `..rest` at the end keeps the members without a field.
///
/// Generates the struct, `Payload`, `Serialize` and `Deserialize`.
macro_rules! payload {
    ($(
        $(#[$meta:meta])*
        pub struct $struct:ident $(<$detail:ident>)? {
            $(
                $(#[$field_meta:meta])*
                pub $field:ident: $type:ty $(= $name:literal $(| $alias:literal)*)?,
            )*
            $(..$rest:ident)?
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $struct $(<$detail>)? {
            $(
                $(#[$field_meta])*
                pub $field: $type,
            )*
            $(
                /// Members without a field here, and members that did not fit their type.
                pub $rest: $crate::Rest,
            )?
        }

        impl $(<$detail: $crate::payload::FromValue + serde::Serialize>)? $crate::payload::Payload
            for $struct $(<$detail>)?
        {
            fn read(
                _object: &mut $crate::payload::Object<'_>,
                _at: &mut $crate::payload::Reader<'_>,
            ) -> Self {
                use $crate::payload::{Field, Names};

                Self {
                    $($field: Field::read(
                        _object,
                        const { &Names::new(&[$($name $(, $alias)*)?], &[stringify!($field)]) },
                        _at,
                    ),)*
                    $($rest: $crate::Rest::default(),)?
                }
            }

            fn write<M: serde::ser::SerializeMap>(&self, _map: &mut M) -> Result<(), M::Error> {
                use $crate::payload::{Field, either};

                $(Field::write(&self.$field, either(&[$($name)?], stringify!($field)), _map)?;)*
                $(self.$rest.write(_map)?;)?
                Ok(())
            }

            fn rest_mut(&mut self) -> Option<&mut $crate::Rest> {
                None$(.or(Some(&mut self.$rest)))?
            }
        }

        impl $(<$detail: $crate::payload::FromValue + serde::Serialize>)? serde::Serialize
            for $struct $(<$detail>)?
        {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                let mut map = out.serialize_map(None)?;
                $crate::payload::Payload::write(self, &mut map)?;
                serde::ser::SerializeMap::end(map)
            }
        }

        impl<'de $(, $detail: $crate::payload::FromValue + serde::Serialize)?>
            serde::Deserialize<'de> for $struct $(<$detail>)?
        {
            fn deserialize<In: serde::Deserializer<'de>>(input: In) -> Result<Self, In::Error> {
                $crate::payload::from_json(&$crate::Json::deserialize(input)?)
            }
        }
    )*};
}

/// Defines enums of whole numbers, with `Other` for unlisted ones. A table of 0 and 1 also reads
/// `false` and `true`.
///
/// Generates the enum, `code`, `From<i64>`, `Display`, `Serialize` and `Deserialize`.
macro_rules! codes {
    ($(
        $(#[$meta:meta])*
        pub enum $enum:ident {$(
            $(#[$code_meta:meta])*
            $variant:ident = $code:literal,
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "i64", into = "i64")]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$code_meta])* $variant,)*
            /// A code that the provider's page does not list.
            Other(i64),
        }

        impl $enum {
            /// The code on the wire.
            pub const fn code(self) -> i64 {
                match self { $(Self::$variant => $code,)* Self::Other(code) => code }
            }
        }

        impl From<i64> for $enum {
            fn from(code: i64) -> Self {
                match code { $($code => Self::$variant,)* code => Self::Other(code) }
            }
        }

        impl From<$enum> for i64 {
            fn from(code: $enum) -> Self {
                code.code()
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.code().fmt(f)
            }
        }

        impl $crate::payload::FromValue for $enum {
            const EXPECTED: &'static str = <i64 as $crate::payload::FromValue>::EXPECTED;

            fn from_value(
                value: $crate::payload::Value<'_>,
                at: &mut $crate::payload::Reader<'_>,
            ) -> Option<Self> {
                let is_flag = matches!([$($code),*].as_slice(), [0, 1]);
                let code = i64::from_value(value, at);
                code.or_else(|| bool::from_value(value, at).filter(|_| is_flag).map(i64::from))
                    .map(Self::from)
            }
        }
    )*};
}

/// Defines enums of words, with `Other` for unlisted ones. Spellings after `|` are read but never
/// written.
///
/// Generates the enum, `as_str`, `From<&str>`, `Display`, `Serialize` and `Deserialize`.
macro_rules! words {
    ($(
        $(#[$meta:meta])*
        pub enum $enum:ident {$(
            $(#[$word_meta:meta])*
            $variant:ident = $word:literal $(| $alias:literal)*,
        )*}
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Deserialize)]
        #[serde(from = "String")]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$word_meta])* $variant,)*
            /// A word that the provider's page does not list.
            Other(String),
        }

        impl $enum {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $word,)* Self::Other(word) => word }
            }
        }

        impl From<&str> for $enum {
            fn from(word: &str) -> Self {
                match word.trim() {
                    $($word $(| $alias)* => Self::$variant,)*
                    _ => Self::Other(word.to_owned()),
                }
            }
        }

        impl From<String> for $enum {
            fn from(word: String) -> Self {
                Self::from(&*word)
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }

        impl $crate::payload::FromValue for $enum {
            const EXPECTED: &'static str = <String as $crate::payload::FromValue>::EXPECTED;

            fn from_value(
                value: $crate::payload::Value<'_>,
                _: &mut $crate::payload::Reader<'_>,
            ) -> Option<Self> {
                value.scalar().map(|word| Self::from(&*word))
            }
        }
    )*};
}

pub(crate) use {codes, events, payload, words};

pub(crate) const fn either(given: &[&'static str], own: &'static str) -> &'static str {
    match given {
        [given, ..] => given,
        [] => own,
    }
}

pub(crate) fn from_json<T: Payload, E: serde::de::Error>(json: &Json) -> Result<T, E> {
    let tape = Tape::new(json.get());
    let payload = tape.as_ref().and_then(Tape::object).map(Object::into_event);
    payload.ok_or_else(|| E::custom(T::EXPECTED))
}

#[cfg(test)]
mod tests;
