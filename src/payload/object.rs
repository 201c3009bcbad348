//! A JSON object as slices of its text, and the payloads that are read from it.

use super::{
    FromValue, Json, Misfit, Misfits, Rest,
    value::{scalar, whole},
};
use serde::{
    Deserializer, Serialize,
    de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// The members of a JSON object, in their order, as slices of the text.
///
/// It allocates nothing but its own two lists, whatever the values hold.
pub(crate) struct Object<'a> {
    // Two lists, as each stays below 1 KiB for a common object: glibc tidies its heap up for every larger allocation.
    names: Vec<Cow<'a, str>>,
    values: Vec<&'a RawValue>,
    typed: Places,
    misfit: Places,
    hidden: Places,
    kept: Places,
    /// Where the next member is looked for first: members mostly come in the documented order.
    next: usize,
    /// The members that are indexed as well, by their places.
    opened: Vec<(usize, Object<'a>)>,
}

/// Which members of an object are objects, and which of theirs.
#[derive(Clone, Copy)]
pub(crate) struct Open(pub(crate) &'static [(&'static str, Open)]);

impl<'a> Object<'a> {
    /// `None` if the text is no JSON object, or one of more than 256 members.
    pub(crate) fn new(text: &'a str) -> Option<Self> {
        Self::opening(text, Open(&[]))
    }

    fn empty() -> Self {
        Self {
            names: Vec::with_capacity(TYPICAL_MEMBERS),
            values: Vec::with_capacity(TYPICAL_MEMBERS),
            typed: Places::default(),
            misfit: Places::default(),
            hidden: Places::default(),
            kept: Places::default(),
            next: 0,
            opened: Vec::new(),
        }
    }

    /// Of an object of any size these members; `None` if they are more than 256.
    pub(crate) fn only(text: &'a str, is_kept: impl Fn(&str) -> bool) -> Option<Self> {
        let mut object = Self::empty();
        each_member(text, |name, value| {
            if is_kept(&name) {
                if object.names.len() == MAX_MEMBERS {
                    return None;
                }
                object.names.push(name);
                object.values.push(value);
            }
            Some(())
        })?;
        Some(object)
    }

    /// As [`new`](Self::new), with these objects in it indexed in the same pass: else a body would be scanned once for each
    /// object that is around most of it. They have to be typed as objects.
    pub(crate) fn opening(text: &'a str, open: Open) -> Option<Self> {
        let mut input = serde_json::Deserializer::from_str(text);
        let object = open.deserialize(&mut input).ok().flatten().filter(|_| input.end().is_ok());
        // What should be opened and is no object has to be kept as text, and a name with escapes is no slice.
        object.or_else(|| Self::only(text, |_| true))
    }

    /// The object under this name, unless it is there twice.
    pub(crate) fn open(&mut self, name: &str) -> Option<&mut Self> {
        let value = self.get(name)?;
        let place = self.names.iter().position(|key| key == name)?;
        if !self.opened.iter().any(|(opened, _)| *opened == place) {
            self.opened.push((place, Self::new(value.get())?));
        }
        self.opened_at(place)
    }

    fn opened_at(&mut self, place: usize) -> Option<&mut Self> {
        self.opened.iter_mut().find(|(opened, _)| *opened == place).map(|(_, object)| object)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.names.iter().map(|name| &**name).zip(self.values.iter().copied())
    }

    /// The value under this name, unless it is there twice.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut found = self.iter().filter(|(key, _)| *key == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// See [`scalar`].
    pub(crate) fn scalar(&self, name: &str) -> Option<Cow<'a, str>> {
        scalar(self.get(name)?)
    }

    /// See [`scalar`]; a whole number in its shortest form, as where numbers are names `1.0` is one of them.
    pub(crate) fn name(&self, member: &str) -> Option<Cow<'a, str>> {
        let value = self.get(member)?;
        let name = scalar(value)?;
        let is_short = name.parse::<i64>().is_ok() || !name.ends_with(|last: char| last.is_ascii_digit());
        let number = if is_short { None } else { whole::<i64>(value) };
        Some(number.map_or(name, |number| number.to_string().into()))
    }

    /// Whether there is something other than `null` under this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.iter().any(|(key, value)| key == name && value.get() != "null")
    }

    /// Keeps these members out of the payload and its rest.
    pub(crate) fn hide(&mut self, is_hidden: impl Fn(&str) -> bool) {
        for (place, _) in self.names.iter().enumerate().filter(|(_, name)| is_hidden(name)) {
            self.hidden.add(place);
        }
    }

    /// Keeps these members in the rest where they are typed and blank.
    pub(crate) fn keep_blank(&mut self, names: &[&str]) {
        for (place, _) in self.names.iter().enumerate().filter(|(_, name)| names.contains(&&***name)) {
            self.kept.add(place);
        }
    }

    /// The payload of a whole event, with its misfits. `None` if it holds more values than fit into memory bounds.
    pub(crate) fn into_event<P: Payload>(self) -> Option<P> {
        let mut log = Log { misfits: Vec::new(), room: MAX_VALUES };
        let mut payload: P = self.into_payload(&mut Reader { log: &mut log, path: Path::ROOT })?;
        if let Some(rest) = payload.rest_mut() {
            rest.set_misfits(Misfits::new(log.misfits));
        }
        Some(payload)
    }

    fn into_payload<P: Payload>(mut self, at: &mut Reader<'_>) -> Option<P> {
        self.read(at)
    }

    fn read<P: Payload>(&mut self, at: &mut Reader<'_>) -> Option<P> {
        let misfits = at.log.misfits.len();
        (self.typed, self.misfit) = Default::default();
        let mut payload = P::read(self, at);
        // Every name was looked for once. So of two members of one name, one at least is left.
        if let Some(typed) = self.hide_duplicates() {
            at.log.misfits.truncate(misfits);
            typed.iter().for_each(|name| at.log.misfit(&at.path, Some(name), "one member of this name"));
            (self.typed, self.misfit) = Default::default();
            payload = P::read(self, at);
        }
        if let Some(rest) = payload.rest_mut() {
            *rest = self.rest(at.log)?;
        }
        Some(payload)
    }

    /// Hides the members whose name is there twice, and gives the names of the typed ones among them.
    fn hide_duplicates(&mut self) -> Option<Vec<String>> {
        let mut twice = Places::default();
        let mut typed: Option<Vec<String>> = None;
        for left in self.left() {
            let same = |place: &usize| *place != left && self.names.get(*place) == self.names.get(left);
            for other in (0..self.names.len()).filter(same) {
                twice.add(left);
                twice.add(other);
                let typed = typed.get_or_insert_default();
                if let Some(name) = self.names.get(other).filter(|_| self.typed.has(other)) {
                    typed.push(name.clone().into_owned());
                }
            }
        }
        self.hidden.add_all(twice);
        typed
    }

    fn rest(&self, log: &mut Log) -> Option<Rest> {
        let mut members = Vec::new();
        for place in self.left() {
            log.room = log.room.checked_sub(1)?;
            if let (Some(name), Some(value)) = (self.names.get(place), self.values.get(place)) {
                members.push((Box::from(&**name), Json::from_raw(value)));
            }
        }
        Some(Rest::new(members))
    }

    /// What is neither typed nor hidden: mostly nothing.
    fn left(&self) -> impl Iterator<Item = usize> + use<'a> {
        let done = self.typed.without(self.misfit).with(self.hidden);
        let end = if done.count() == self.names.len() { 0 } else { self.names.len() };
        (0..end).filter(move |place| !done.has(*place))
    }

    /// The place of the first of these names that is there with a value.
    fn take(&mut self, names: &[&str], is_absent: impl Fn(&RawValue) -> bool) -> Option<(usize, &'a RawValue)> {
        for name in names {
            let Some(place) = self.find(name) else { continue };
            self.typed.add(place);
            self.next = place.saturating_add(1);
            let is_opened = |place| self.opened.iter().any(|(at, _)| *at == place);
            match self.values.get(place).filter(|value| value.get() != "null" || is_opened(place)) {
                Some(value) if !is_absent(value) => return Some((place, value)),
                Some(_) if self.kept.has(place) => self.misfit.add(place),
                _ => {}
            }
        }
        None
    }

    fn find(&self, name: &str) -> Option<usize> {
        let (before, after) = self.names.split_at_checked(self.next)?;
        let position = |names: &[Cow<'_, str>]| names.iter().position(|key| *key == name);
        let found = position(after).map(|place| place.saturating_add(self.next)).or_else(|| position(before))?;
        (!self.hidden.has(found)).then_some(found)
    }
}

impl<'de> DeserializeSeed<'de> for Open {
    type Value = Option<Object<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<Object<'de>>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Open {
    type Value = Option<Object<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_unit<E>(self) -> Result<Option<Object<'de>>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<Object<'de>>, A::Error> {
        let mut object = Object::empty();
        while let Some(name) = map.next_key::<&str>()? {
            let place = object.names.len();
            if place == MAX_MEMBERS {
                return Err(A::Error::custom("the object has more than 256 members"));
            }
            object.values.push(match self.0.iter().find(|(opened, _)| *opened == name) {
                Some((_, open)) => {
                    object.opened.extend(map.next_value_seed(*open)?.map(|inner| (place, inner)));
                    RawValue::NULL
                }
                None => map.next_value()?,
            });
            object.names.push(name.into());
        }
        Ok(Some(object))
    }
}

/// The text of an object of any size without these members.
pub(crate) fn without(text: &str, is_hidden: impl Fn(&str) -> bool) -> Option<String> {
    let mut rest = String::with_capacity(text.len());
    rest.push('{');
    each_member(text, |name, value| {
        if !is_hidden(&name) {
            rest.push_str(if rest.len() > 1 { "," } else { "" });
            rest.push_str(&serde_json::to_string(&name).ok()?);
            rest.push(':');
            rest.push_str(value.get());
        }
        Some(())
    })?;
    rest.push('}');
    Some(rest)
}

/// Hands out the members in their order; `None` if the text is no JSON object, or once `member` gives `None`.
fn each_member<'a>(text: &'a str, member: impl FnMut(Cow<'a, str>, &'a RawValue) -> Option<()>) -> Option<()> {
    struct Each<F>(F);

    impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue) -> Option<()>> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                scalar(name).and_then(|name| self.0(name, value)).ok_or_else(|| A::Error::custom("not this member"))?;
            }
            Ok(())
        }
    }

    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Each(member)).ok()?;
    json.end().ok()
}

/// A struct that `payload!` has made.
pub(crate) trait Payload: Sized {
    /// Takes its members out of the object.
    fn read(object: &mut Object<'_>, at: &mut Reader<'_>) -> Self;

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    fn rest(&self) -> Option<&Rest>;

    fn rest_mut(&mut self) -> Option<&mut Rest>;
}

impl<P: Payload> FromValue for P {
    const EXPECTED: &'static str = "an object of at most 256 members";

    fn from_value(value: &RawValue, at: &mut Reader<'_>) -> Option<Self> {
        Object::new(value.get())?.into_payload(at)
    }

    fn from_object(object: &mut Object<'_>, at: &mut Reader<'_>) -> Option<Self> {
        let hidden = object.hidden;
        let read = object.read(at);
        // It may be read again.
        object.hidden = hidden;
        read
    }
}

/// A field of a payload.
pub(crate) trait Field: Sized {
    /// Takes the member out of the object: the first of these names that is there with a value.
    fn read(object: &mut Object<'_>, names: &[&'static str], at: &mut Reader<'_>) -> Self;

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error>;
}

impl<T: FromValue + Serialize> Field for Option<T> {
    fn read(object: &mut Object<'_>, names: &[&'static str], at: &mut Reader<'_>) -> Self {
        let (place, value) = object.take(names, T::is_absent)?;
        let read = at.value(Segment::member(names), T::EXPECTED, |at| match object.opened_at(place) {
            Some(object) => T::from_object(object, at),
            None => T::from_value(value, at),
        });
        if read.is_none() {
            object.misfit.add(place);
        }
        read
    }

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error> {
        self.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, value))
    }
}

/// A list; one value where a list belongs is a list of one.
impl<T: FromValue + Serialize> Field for Vec<T> {
    fn read(object: &mut Object<'_>, names: &[&'static str], at: &mut Reader<'_>) -> Self {
        let is_list = |value: &RawValue| value.get().starts_with('[');
        let is_absent = |value: &RawValue| !is_list(value) && (T::is_absent(value) || value.get() == "\"\"");
        let Some((place, value)) = object.take(names, is_absent) else { return Vec::new() };
        let most = MAX_ELEMENTS.min(at.log.room);
        if let Some(list) = if is_list(value) { T::from_list(value, most) } else { None } {
            at.log.room = at.log.room.saturating_sub(list.len());
            return list;
        }
        let read = match is_list(value) {
            true => at.value(Segment::member(names), LIST, |at| {
                serde_json::Deserializer::from_str(value.get()).deserialize_seq(List { at, list: Vec::new() }).ok()
            }),
            false => at.value(Segment::member(names), T::EXPECTED, |at| T::from_value(value, at).map(|one| vec![one])),
        };
        read.unwrap_or_else(|| {
            object.misfit.add(place);
            Vec::new()
        })
    }

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
    }
}

struct List<'l, 'r, T> {
    at: &'l mut Reader<'r>,
    list: Vec<T>,
}

impl<'de, T: FromValue> Visitor<'de> for List<'_, '_, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LIST)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut place = 0_usize;
        while let Some(value) = elements.next_element::<&RawValue>()? {
            self.at.log.room = self.at.log.room.checked_sub(1).ok_or_else(|| A::Error::custom(LIST))?;
            if place == MAX_ELEMENTS {
                return Err(A::Error::custom(LIST));
            }
            if value.get() != "null" && !T::is_absent(value) {
                self.list.extend(self.at.value(Segment::Element(place), T::EXPECTED, |at| T::from_value(value, at)));
            }
            place = place.saturating_add(1);
        }
        Ok(self.list)
    }
}

/// A payload among the fields of another one: its members are the other's own.
impl<P: Payload> Field for P {
    fn read(object: &mut Object<'_>, _: &[&'static str], at: &mut Reader<'_>) -> Self {
        P::read(object, at)
    }

    fn write<M: SerializeMap>(&self, _: &str, map: &mut M) -> Result<(), M::Error> {
        P::write(self, map)
    }
}

/// A place in the body, and where to note what does not fit there.
pub(crate) struct Reader<'r> {
    log: &'r mut Log,
    path: Path<'r>,
}

impl Reader<'_> {
    /// Reads what is at this segment. If that comes to nothing, it is one misfit and has taken no room.
    fn value<T>(
        &mut self,
        segment: Segment,
        expected: &'static str,
        read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
    ) -> Option<T> {
        let (misfits, room) = (self.log.misfits.len(), self.log.room);
        let mut at = Reader { log: self.log, path: Path { parent: Some(&self.path), segment } };
        let value = read(&mut at);
        if value.is_none() {
            at.log.misfits.truncate(misfits);
            at.log.room = room;
            at.log.misfit(&at.path, None, expected);
        }
        value
    }
}

struct Log {
    misfits: Vec<Misfit>,
    /// How many values the event may still hold in lists and rests.
    room: usize,
}

impl Log {
    fn misfit(&mut self, path: &Path<'_>, member: Option<&str>, expected: &'static str) {
        if self.misfits.len() < MAX_MISFITS {
            let mut text = String::new();
            path.write(&mut text);
            member.iter().for_each(|name| push_member(&mut text, name));
            self.misfits.push(Misfit::new(text, expected));
        }
    }
}

struct Path<'r> {
    parent: Option<&'r Path<'r>>,
    segment: Segment,
}

enum Segment {
    Root,
    Member(&'static str),
    Element(usize),
}

impl Segment {
    /// By the documented name, also where another one was found.
    fn member(names: &[&'static str]) -> Self {
        Self::Member(names.first().copied().unwrap_or_default())
    }
}

impl Path<'_> {
    const ROOT: Self = Self { parent: None, segment: Segment::Root };

    fn write(&self, text: &mut String) {
        self.parent.iter().for_each(|parent| parent.write(text));
        match self.segment {
            Segment::Root => {}
            Segment::Member(name) => push_member(text, name),
            Segment::Element(place) => text.push_str(&format!("[{place}]")),
        }
    }
}

fn push_member(text: &mut String, name: &str) {
    text.push_str(if text.is_empty() { "" } else { "." });
    text.push_str(name);
}

/// A set of an object's members.
#[derive(Clone, Copy, Default)]
struct Places([u64; MAX_MEMBERS / 64]);

impl Places {
    fn add(&mut self, place: usize) {
        if let Some(bits) = self.0.get_mut(place / 64) {
            *bits |= 1 << (place % 64);
        }
    }

    fn add_all(&mut self, others: Self) {
        self.0.iter_mut().zip(others.0).for_each(|(bits, others)| *bits |= others);
    }

    fn without(mut self, others: Self) -> Self {
        self.0.iter_mut().zip(others.0).for_each(|(bits, others)| *bits &= !others);
        self
    }

    fn with(mut self, others: Self) -> Self {
        self.add_all(others);
        self
    }

    fn count(self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|bits| bits & (1 << (place % 64)) != 0)
    }
}

const LIST: &str = "a list of at most 4096 elements, in an event of at most 16384 values";
const MAX_MEMBERS: usize = 256;
const TYPICAL_MEMBERS: usize = 32;
const MAX_ELEMENTS: usize = 4096;
const MAX_VALUES: usize = 16_384;
const MAX_MISFITS: usize = 64;
