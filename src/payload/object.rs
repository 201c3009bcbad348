//! A JSON object in the index, and how payloads are read from it.

use super::{
    FromValue, Misfit, Misfits, Rest,
    tape::{Node, Tape, Value, bit, tag, unescape},
    value::whole,
};
use serde::{
    Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The members of a JSON object, in their order.
pub(crate) struct Object<'t> {
    value: Value<'t>,
    /// All members before it are hidden, or taken without a misfit.
    first: usize,
    end: usize,
    /// Where the search for the next member starts: members mostly come in the documented order.
    hint: usize,
    /// See `Tape::bits`; computed on first use.
    bits: OnceCell<(u64, u64)>,
    replaced: Option<(usize, Value<'t>)>,
}

impl<'t> Object<'t> {
    /// `None` unless the value is an indexed object.
    pub(crate) fn of(value: Value<'t>) -> Option<Self> {
        let (first, end) = value.inside();
        let is_object = value.is_indexed() && value.is_object();
        is_object.then(|| Self {
            value,
            first,
            end,
            hint: first,
            bits: OnceCell::new(),
            replaced: None,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Cow<'t, str>, Value<'t>)> + use<'t> {
        let tape = self.value.tape;
        self.value.values().map(|value| (tape.name(value.node), value))
    }

    /// The members with one of these names, each with the name's place among them.
    pub(crate) fn among(&self, names: &Names) -> impl Iterator<Item = (usize, Value<'t>)> {
        let tape = self.value.tape;
        self.value
            .values()
            .filter_map(|value| Some((tape.which(value.node, names.names, names.bits)?, value)))
    }

    /// All values under this name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = Value<'t>> {
        let (bit, (once, twice)) = (bit(tag(name.as_bytes())), self.bits());
        let mut next = if once & bit == 0 { self.end } else { self.value.inside().0 };
        std::iter::from_fn(move || {
            let value = self.value.tape.find(name, next, self.end)?;
            next = if twice & bit == 0 { self.end } else { value.inside().1 };
            Some(value)
        })
    }

    /// The value under this name; `None` if the name is missing or repeated.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'t>> {
        let mut all = self.all(name);
        all.next().filter(|_| all.next().is_none())
    }

    pub(crate) fn scalar(&self, name: &str) -> Option<Cow<'t, str>> {
        self.get(name)?.scalar()
    }

    /// Like [`scalar`](Self::scalar), but with whole numbers in their shortest form: `1.0` names
    /// the event `1`.
    pub(crate) fn name(&self, member: &str) -> Option<Cow<'t, str>> {
        let name = self.scalar(member)?;
        let is_short =
            !name.ends_with(|last: char| last.is_ascii_digit()) || name.parse::<i64>().is_ok();
        let number = if is_short { None } else { whole::<i64>(&name) };
        Some(number.map_or(name, |number| number.to_string().into()))
    }

    /// Whether this name has a value other than `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).any(|value| !value.is_null())
    }

    /// Keeps these members out of the payload and its rest.
    pub(crate) fn hide(&self, names: &Names) {
        self.among(names).for_each(|(_, value)| mark(value.node, HIDDEN));
    }

    /// Keeps these members in the rest if they are typed but blank.
    pub(crate) fn keep_blank(&self, names: &[&str]) {
        names.iter().for_each(|name| self.all(name).for_each(|value| mark(value.node, KEPT)));
    }

    /// Reads `value` in place of the member's own.
    pub(crate) fn replace(&mut self, member: Value<'t>, value: Value<'t>) {
        self.replaced = Some((member.inside().0, value));
    }

    /// Reads the payload of a whole event, with its misfits.
    pub(crate) fn into_event<P: Payload>(mut self) -> P {
        let off_tape = self.value.text().len().saturating_mul(MAX_SCANS);
        let mut log = Log { misfits: Vec::new(), room: MAX_VALUES, off_tape, has_repeated: false };
        let mut payload: P = self.read(&mut Reader { log: &mut log, path: Path::ROOT });
        if let Some(rest) = payload.rest_mut() {
            rest.set_misfits(Misfits::new(log.misfits));
        }
        payload
    }

    #[inline]
    fn read<P: Payload>(&mut self, at: &mut Reader<'_>) -> P {
        let (misfits, room) = (at.log.misfits.len(), at.log.room);
        if at.log.has_repeated {
            self.log_repeated(at);
        }
        let mut payload = P::read(self, at);
        // A read takes each name at most once, so a repeated name leaves a member behind. Usually
        // nothing is left.
        if self.first != self.end && self.left().next().is_some() {
            if self.hide_repeated() {
                at.log.misfits.truncate(misfits);
                (at.log.room, at.log.has_repeated) = (room, true);
                self.log_repeated(at);
                self.forget();
                payload = P::read(self, at);
            }
            if let Some(rest) = payload.rest_mut() {
                *rest = self.rest();
            }
        }
        payload
    }

    /// Makes it as it was before it was read, but for what is known of repeated members: so they do
    /// not double what is read at each level.
    #[cold]
    fn forget(&mut self) {
        (self.first, _) = self.value.inside();
        let replaced = self.replaced.map_or(&[][..], |(_, value)| value.nodes());
        for Node { marks, .. } in self.value.nodes().iter().chain(replaced) {
            if marks.get() & REPEATED == 0 {
                marks.set(marks.get() & (HIDDEN | KEPT));
            }
        }
    }

    /// Hides the members with a repeated name. `true` if there are any.
    #[inline(never)]
    fn hide_repeated(&self) -> bool {
        let (_, twice) = self.bits();
        let may_be = |value: &Value<'t>| twice & bit(value.node.tag) != 0;
        if !self.left().any(|value| may_be(&value)) {
            return false;
        }
        let mut named: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for value in self.value.values().filter(may_be) {
            named.entry(self.value.tape.name(value.node)).or_default().push(value);
        }
        let mut found = false;
        for same in named.into_values().filter(|same| same.len() > 1 && same.iter().any(is_left)) {
            found = true;
            let is_typed = same.iter().any(|member| member.node.marks.get() & TYPED != 0);
            let repeated = REPEATED | HIDDEN | if is_typed { TYPED } else { 0 };
            same.iter().for_each(|member| mark(member.node, repeated));
        }
        found
    }

    /// Logs the repeated members that were found: each typed one and, once, all others, as their
    /// names are the sender's text.
    #[cold]
    fn log_repeated(&self, at: &mut Reader<'_>) {
        let repeated: BTreeSet<_> = (self.value.values())
            .filter(|value| value.node.marks.get() & REPEATED != 0)
            .map(|value| {
                let is_typed = value.node.marks.get() & TYPED != 0;
                is_typed.then(|| self.value.tape.name(value.node))
            })
            .collect();
        for name in repeated {
            at.log.misfit(&at.path, name.as_deref(), "one member of each name");
        }
    }

    fn rest(&self) -> Rest {
        let name = |value: Value<'t>| Box::from(&*value.tape.name(value.node));
        Rest::new(self.left().map(|value| (name(value), value.json())).collect())
    }

    /// The members for the rest.
    fn left(&self) -> impl Iterator<Item = Value<'t>> + use<'t> {
        self.value.values().filter(is_left)
    }

    /// Takes the member of the first of these names that has a value. Returns its node, the value
    /// to read, and the name that was found.
    #[inline(always)]
    fn take(
        &mut self,
        names: &Names,
        is_absent: fn(Value<'_>) -> bool,
    ) -> Option<(&'t Node, Value<'t>, &'static str)> {
        match self.next(names.first()) {
            Some(value) => Some((value.node, value, names.first())),
            None => self.search(names, is_absent),
        }
    }

    /// As [`take`](Self::take), for a member that is not the next one or needs further checks.
    #[inline(never)]
    fn search(
        &mut self,
        names: &Names,
        is_absent: fn(Value<'_>) -> bool,
    ) -> Option<(&'t Node, Value<'t>, &'static str)> {
        if self.first == self.end || self.bits().0 & names.bits == 0 {
            return None;
        }
        let tape = self.value.tape;
        for name in names.names {
            let found = tape
                .find(name, self.hint, self.end)
                .or_else(|| tape.find(name, self.first, self.hint));
            let Some(member) = found.filter(|member| member.node.marks.get() & HIDDEN == 0) else {
                continue;
            };
            let ((place, next), marks) = (member.inside(), &member.node.marks);
            self.hint = next;
            let value = match self.replaced {
                Some((replaced, value)) if replaced == place => value,
                _ => member,
            };
            let is_there = !value.is_null() && !is_absent(value);
            let is_kept = !value.is_null() && marks.get() & KEPT != 0;
            marks.set(marks.get() | if !is_there && is_kept { TYPED | MISFIT } else { TYPED });
            if is_there {
                return Some((member.node, value, *name));
            }
        }
        None
    }

    /// Fast path: takes the next member if it has this name and needs no further checks.
    #[inline(always)]
    fn next(&mut self, name: &str) -> Option<Value<'t>> {
        let value = loop {
            let value = self.value.tape.value(self.hint).filter(|_| self.hint < self.end)?;
            if value.node.marks.get() & HIDDEN == 0 {
                break value;
            }
            self.pass(value);
        };
        if !value.is_named(name) || !value.is_filled() || self.replaced.is_some() {
            return None;
        }
        mark(value.node, TYPED);
        self.pass(value);
        Some(value)
    }

    /// Keeps a member that was taken in the rest.
    #[cold]
    fn misfit(&mut self, member: &Node) {
        mark(member, MISFIT);
        (self.first, _) = self.value.inside();
    }

    fn pass(&mut self, next: Value<'_>) {
        let (_, after) = next.inside();
        if self.first == self.hint {
            self.first = after;
        }
        self.hint = after;
    }

    fn bits(&self) -> (u64, u64) {
        *self.bits.get_or_init(|| self.value.tape.bits(self.value.inside().0, self.end))
    }
}

/// The names of a member: the documented one, then aliases.
pub(crate) struct Names {
    names: &'static [&'static str],
    bits: u64,
}

impl Names {
    pub(crate) const fn new(given: &'static [&'static str], own: &'static [&'static str]) -> Self {
        let names = if given.is_empty() { own } else { given };
        let (mut bits, mut rest) = (0, names);
        while let [name, after @ ..] = rest {
            bits |= bit(tag(name.as_bytes()));
            rest = after;
        }
        Self { names, bits }
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    fn first(&self) -> &'static str {
        self.names.first().copied().unwrap_or_default()
    }
}

/// Whether a member is neither hidden nor read into a field.
fn is_left(member: &Value<'_>) -> bool {
    let marks = member.node.marks.get();
    marks & HIDDEN == 0 && marks & (TYPED | MISFIT) != TYPED
}

fn mark(node: &Node, mark: u8) {
    node.marks.set(node.marks.get() | mark);
}

/// The text of an object, of any size, with only the members that `is_kept` accepts.
pub(crate) fn only(text: &str, is_kept: impl Fn(&str) -> bool) -> Option<String> {
    let mut kept = String::with_capacity(text.len());
    kept.push('{');
    each_member(text, |name, value| {
        if is_kept(&name) {
            kept.push_str(if kept.len() > 1 { "," } else { "" });
            kept.push_str(&serde_json::to_string(&name).ok()?);
            kept.push(':');
            kept.push_str(value.get());
        }
        Some(())
    })?;
    kept.push('}');
    Some(kept)
}

/// Calls `member` for each member in order. `None` if the text is not a JSON object or `member`
/// returns `None`.
pub(super) fn each_member<'a>(
    text: &'a str,
    member: impl FnMut(Cow<'a, str>, &'a RawValue) -> Option<()>,
) -> Option<()> {
    struct Each<F>(F);

    impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue) -> Option<()>> Visitor<'de> for Each<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
                unescape(name.get())
                    .and_then(|name| self.0(name, value))
                    .ok_or_else(|| A::Error::custom("not this member"))?;
            }
            Ok(())
        }
    }

    let mut json = serde_json::Deserializer::from_str(text);
    json.deserialize_map(Each(member)).ok()?;
    json.end().ok()
}

/// A struct that is read from the members of an object; most are made by `payload!`.
pub(crate) trait Payload: Sized {
    fn read(object: &mut Object<'_>, at: &mut Reader<'_>) -> Self;

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error>;

    fn rest_mut(&mut self) -> Option<&mut Rest>;
}

impl<P: Payload> FromValue for P {
    const EXPECTED: &'static str = "an object of at most 256 members";

    fn from_value(value: Value<'_>, at: &mut Reader<'_>) -> Option<Self> {
        let mut payload: P = Object::of(at.log.indexed(value, &mut None))?.read(at);
        let kept = payload.rest_mut().map_or(0, |rest| rest.len());
        at.log.room = at.log.room.checked_sub(kept)?;
        Some(payload)
    }
}

pub(crate) trait Field: Sized {
    /// Takes the member of the first of these names that has a value.
    fn read(object: &mut Object<'_>, names: &Names, at: &mut Reader<'_>) -> Self;

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error>;
}

impl<T: FromValue + Serialize> Field for Option<T> {
    fn read(object: &mut Object<'_>, names: &Names, at: &mut Reader<'_>) -> Self {
        let (member, value, name) = object.take(names, T::is_absent)?;
        let read = at.value(Segment::Member(name), T::EXPECTED, |at| T::from_value(value, at));
        if read.is_none() {
            object.misfit(member);
        }
        read
    }

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error> {
        self.as_ref().map_or(Ok(()), |value| map.serialize_entry(name, value))
    }
}

/// A list. A single value in its place is read as a list of one.
impl<T: FromValue + Serialize> Field for Vec<T> {
    fn read(object: &mut Object<'_>, names: &Names, at: &mut Reader<'_>) -> Self {
        let is_absent =
            |value: Value<'_>| !value.is_list() && (T::is_absent(value) || value.is_empty());
        let Some((member, value, name)) = object.take(names, is_absent) else { return Vec::new() };
        let read = match value.is_list() {
            true => at.value(Segment::Member(name), LIST, |at| {
                read_list(at.log.indexed(value, &mut None), at)
            }),
            false => at.value(Segment::Member(name), T::EXPECTED, |at| {
                // Some languages write an empty list as `{}`.
                let is_one = !value.is_empty_object();
                at.log.room = at.log.room.checked_sub(is_one.into())?;
                let one = T::from_value(value, at)?;
                Some(if is_one { vec![one] } else { Vec::new() })
            }),
        };
        read.unwrap_or_else(|| {
            object.misfit(member);
            Vec::new()
        })
    }

    fn write<M: SerializeMap>(&self, name: &str, map: &mut M) -> Result<(), M::Error> {
        if self.is_empty() { Ok(()) } else { map.serialize_entry(name, self) }
    }
}

/// `None` if the list is too long for the index or for the event.
fn read_list<T: FromValue>(list: Value<'_>, at: &mut Reader<'_>) -> Option<Vec<T>> {
    if !list.is_indexed() {
        return None;
    }
    let (mut read, mut misfits) = (Vec::with_capacity(list.values().count()), 0_usize);
    for (place, value) in list.values().enumerate() {
        if value.is_null() || T::is_absent(value) {
            continue;
        }
        // What is left out takes no room: it is not there when the event is read back. With more
        // misfits than there is room for, the list is too long: it is kept whole.
        let room = at.log.room;
        at.log.room = room.checked_sub(1).filter(|left| *left >= misfits)?;
        let element = at.value(Segment::Element(place), T::EXPECTED, |at| T::from_value(value, at));
        if element.is_none() {
            at.log.room = room;
            misfits = misfits.saturating_add(1);
        }
        read.extend(element);
    }
    read.shrink_to_fit();
    Some(read)
}

/// A flattened payload: its members are those of the enclosing object.
impl<P: Payload> Field for P {
    fn read(object: &mut Object<'_>, _: &Names, at: &mut Reader<'_>) -> Self {
        P::read(object, at)
    }

    fn write<M: SerializeMap>(&self, _: &str, map: &mut M) -> Result<(), M::Error> {
        P::write(self, map)
    }
}

/// A place in the body, and the log for what does not fit there.
pub(crate) struct Reader<'r> {
    log: &'r mut Log,
    path: Path<'r>,
}

impl Reader<'_> {
    /// Reads the value at this segment. A failure is logged as one misfit, and the room it took is
    /// freed.
    #[inline]
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
    /// How many more values the event may hold in lists and in the rests of nested payloads.
    room: usize,
    /// How many more bytes may be indexed on their own.
    off_tape: usize,
    /// Whether repeated members were found anywhere.
    has_repeated: bool,
}

impl Log {
    /// See [`Value::indexed`]. Repeated members are forgotten with an own index, so that those of
    /// each level would double the reads of all inner ones.
    #[inline]
    fn indexed<'s, 't: 's>(
        &mut self,
        value: Value<'t>,
        own: &'s mut Option<Tape<'t>>,
    ) -> Value<'s> {
        if value.is_off_tape() {
            let Some(left) = self.off_tape.checked_sub(value.text().len()) else { return value };
            self.off_tape = left;
        }
        value.indexed(own)
    }

    #[cold]
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
    /// The name that was found: the documented one or an alias.
    Member(&'static str),
    Element(usize),
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

const LIST: &str = "a list of at most 4096 elements, in an event of at most 16384 values";
const MAX_VALUES: usize = 16_384;
/// How often a body may be indexed anew. Documented payloads have at most nine levels.
const MAX_SCANS: usize = 16;
const MAX_MISFITS: usize = 64;
// Marks of a member.
const TYPED: u8 = 1;
const MISFIT: u8 = 2;
const HIDDEN: u8 = 4;
const KEPT: u8 = 8;
const REPEATED: u8 = 16;
