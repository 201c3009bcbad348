//! The reader and the macros, on made-up events.

#![allow(unreachable_pub, reason = "the macros make public types")]

use super::*;
use crate::WebhookEvent;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, SystemTime};

events! {
    /// An event.
    pub enum Event in "event" {
        /// A box was opened.
        "box.opened" | "box.open" => Opened(Opened)
            key |it| [it.id, it.at; it.lid.as_ref().map(|lid| &lid.colour)],
        /// A number for a name.
        7 => Counted(Counted<Lid>) as "counted",
        _ => Unknown(Unknown),
    }
}

payload! {
    /// `box.opened`.
    pub struct Opened {
        /// The box.
        pub id: Option<String>,
        /// When.
        pub at: Option<UnixSeconds> = "At" | "at_time",
        /// How often.
        pub count: Option<u64>,
        /// By how much.
        pub angle: Option<f64>,
        /// Whether by force.
        pub forced: Option<bool>,
        /// Its lid.
        pub lid: Option<Lid>,
        /// What is in it.
        pub items: Vec<Lid>,
        /// Its names.
        pub names: Vec<String>,
        /// Anything.
        pub any: Option<Json>,
        /// Why.
        pub reason: Option<Reason>,
        /// By whom.
        pub by: Option<Who>,
        /// Beside.
        pub shared: Shared,
        ..rest
    }

    /// A lid.
    pub struct Lid {
        /// Its colour.
        pub colour: Option<String>,
        /// Its size.
        pub size: Option<i64>,
        ..rest
    }

    /// Generic.
    pub struct Counted<D> {
        /// The detail.
        pub detail: Option<D>,
        ..rest
    }

    /// Members beside those of another payload.
    pub struct Shared {
        /// A member.
        pub also: Option<String> = "Also",
    }
}

codes! {
    /// Why.
    pub enum Reason {
        /// So.
        So = 1,
    }
}

words! {
    /// Who.
    pub enum Who {
        /// I.
        Me = "me" | "my self",
    }
}

fn read(body: &str) -> Event {
    Event::from_body(&Bytes::from(body.to_owned())).unwrap_or_else(Event::Unknown)
}

fn opened(members: &str) -> Opened {
    match read(&format!(r#"{{"event":"box.opened"{members}}}"#)) {
        Event::Opened(opened) => opened,
        other => panic!("{other:?}"),
    }
}

/// The paths of the misfits. Asserts that the event can be read back.
fn misfits(event: &Event) -> Vec<String> {
    comes_back(event);
    event.misfits().iter().map(|misfit| misfit.path().to_owned()).collect()
}

fn comes_back(event: &Event) {
    let text = serde_json::to_string(event).unwrap();
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), *event, "{text}");
    // Formats other than JSON lose these: see `Json`.
    if text.contains("1e999") || text.matches("box.opened").count() == 2 {
        return;
    }
    let value = serde_json::to_value(event).unwrap();
    assert_eq!(serde_json::from_value::<Event>(value).unwrap(), *event, "{text}");
    let mut cbor = Vec::new();
    ciborium::into_writer(event, &mut cbor).unwrap();
    assert_eq!(ciborium::from_reader::<Event, _>(&cbor[..]).unwrap(), *event, "{text}");
}

#[test]
fn every_type_is_read_leniently() {
    let read = opened(
        r#","id":42,"At":"1700000000","count":"042","angle":"1.5e1","forced":"True","lid":{"colour":"red","size":"-3.0"},
           "items":{"colour":"blue"},"names":["a",7,null,""],"any":[1,{}],"reason":"1","by":" my self ","Also":"so",
           "more":{"a":1}"#,
    );
    assert_eq!(read.id.as_deref(), Some("42"));
    assert_eq!(read.at, Some(UnixSeconds(1_700_000_000)));
    assert_eq!((read.count, read.angle, read.forced), (Some(42), Some(15.0), Some(true)));
    assert_eq!(read.lid.as_ref().and_then(|lid| lid.size), Some(-3));
    assert_eq!(read.items[0].colour.as_deref(), Some("blue"));
    assert_eq!(read.names, ["a", "7"]);
    assert_eq!((read.reason, &read.by), (Some(Reason::So), &Some(Who::Me)));
    assert_eq!(read.any.as_ref().unwrap().get(), "[1,{}]");
    assert_eq!(read.shared.also.as_deref(), Some("so"));
    assert_eq!(
        read.rest.iter().map(|(name, json)| (name, json.get())).collect::<Vec<_>>(),
        [("more", r#"{"a":1}"#)]
    );
    assert!(read.rest.misfits().is_empty());
    comes_back(&Event::Opened(read));
    // A member behind an object is not in it.
    let read = opened(r#","lid":{"colour":"red"},"size":7"#);
    assert_eq!(read.lid.unwrap().size, None);
    assert_eq!(read.rest.get("size").unwrap().get(), "7");
    let read = opened(r#","lid":{"colour":" red"},"size":7,"\u0078":1"#);
    assert_eq!(read.lid.unwrap().size, None);
    // The only member, and not on the fast path.
    assert_eq!(opened(r#","lid":{"colour":" red"}"#).lid.unwrap().colour.as_deref(), Some(" red"));
}

#[test]
fn what_is_true_and_what_is_false() {
    for (text, forced) in [
        ("true", true),
        ("false", false),
        (r#"" FALSE ""#, false),
        ("1", true),
        ("0", false),
        (r#""1.0""#, true),
    ] {
        assert_eq!(opened(&format!(r#","forced":{text}"#)).forced, Some(forced), "{text}");
    }
}

#[test]
fn null_and_blank_are_absent() {
    for blank in ["null", r#""""#] {
        let names = [
            "id", "At", "count", "angle", "forced", "lid", "items", "names", "reason", "by", "Also",
        ];
        let members: String = names.iter().map(|name| format!(r#","{name}":{blank}"#)).collect();
        assert_eq!(opened(&members), Opened::default(), "{blank}");
    }
    comes_back(&read(r#"{"event":"box.opened","by":"\u0020","count":"\u0020 "}"#));
    let blank = opened(r#","id":"  ","count":"  ","lid":" ","by":" ""#);
    assert_eq!(blank.id.as_deref(), Some("  "), "blanks are text");
    assert_eq!((blank.count, blank.lid, blank.by), (None, None, None));
    assert_eq!(opened(r#","items":" ""#), Opened::default());
    // Raw and escaped, at the place that a field expects and elsewhere.
    for blank in (0..=char::MAX as u32).filter_map(char::from_u32).filter(|c| c.is_whitespace()) {
        let escaped = format!(r#""\u{:04x}""#, u32::from(blank));
        let raw = format!("\"{blank}\"");
        for text in [Some(escaped), (blank >= ' ').then_some(raw)].into_iter().flatten() {
            for members in [
                format!(r#","count":{text},"by":{text}"#),
                format!(r#","by":{text},"count":{text}"#),
            ] {
                let event = read(&format!(r#"{{"event":"box.opened"{members}}}"#));
                assert_eq!(event, Event::Opened(Opened::default()), "{members:?}");
                assert_eq!(misfits(&event), [""; 0], "{members:?}");
            }
        }
    }
}

#[test]
fn null_is_no_value() {
    let tape = Tape::new(r#"{"a":null,"b":"","c":null,"c":1}"#).unwrap();
    let object = tape.object().unwrap();
    assert_eq!(["a", "b", "c", "d"].map(|name| object.has(name)), [false, true, true, false]);
}

#[test]
fn one_member_is_read_from_elsewhere() {
    let elsewhere = Tape::new(r#"{"colour":"red"}"#).unwrap();
    let tape = Tape::new(r#"{"id":"b","lid":"{}","by":"me"}"#).unwrap();
    let mut object = tape.object().unwrap();
    object.replace(object.get("lid").unwrap(), elsewhere.value(0).unwrap());
    let opened: Opened = object.into_event();
    assert_eq!(opened.lid.unwrap().colour.as_deref(), Some("red"));
    assert_eq!((opened.id.as_deref(), opened.by), (Some("b"), Some(Who::Me)));
    assert!(opened.rest.is_empty() && opened.rest.misfits().is_empty());
}

#[test]
fn blank_members_are_kept_where_they_tell_something() {
    let tape =
        Tape::new(r#"{"id":"","count":"","names":"","lid":null,"by":"me","more":""}"#).unwrap();
    let object = tape.object().unwrap();
    object.keep_blank(&["id", "names", "lid", "by", "none"]);
    let opened: Opened = object.into_event();
    assert_eq!((&opened.id, opened.count, opened.names.len()), (&None, None, 0));
    let kept: Vec<_> = opened.rest.iter().map(|(name, json)| (name, json.get())).collect();
    assert_eq!(kept, [("id", r#""""#), ("names", r#""""#), ("more", r#""""#)]);
    assert!(opened.rest.misfits().is_empty());
    let tape = Tape::new(r#"{"id":"","id":""}"#).unwrap();
    let object = tape.object().unwrap();
    object.keep_blank(&["id"]);
    assert_eq!(object.into_event::<Opened>().rest.misfits()[0].path(), "id");
}

#[test]
fn what_does_not_fit_is_named_and_kept() {
    for (members, paths) in [
        (r#","id":["x"]"#, &["id"][..]),
        (r#","At":{}"#, &["At"]),
        (r#","at_time":{}"#, &["at_time"]),
        (r#","At":null,"at_time":{}"#, &["at_time"]),
        (r#","At":{},"at_time":1"#, &["At"]),
        (r#","count":-1"#, &["count"]),
        (r#","count":"+7""#, &["count"]),
        (r#","count":1.5,"angle":"NaN""#, &["count", "angle"]),
        (r#","angle":"inf""#, &["angle"]),
        (r#","angle":1e999"#, &["angle"]),
        (r#","angle":"1.""#, &["angle"]),
        (r#","angle":"1.e5""#, &["angle"]),
        (r#","angle":"01.5""#, &[]),
        (r#","items":{}"#, &[]),
        (r#","forced":2"#, &["forced"]),
        (r#","lid":[["red"]]"#, &["lid"]),
        (r#","lid":["red",3]"#, &["lid"]),
        (r#","lid":{"size":"big","colour":"red"}"#, &["lid.size"]),
        (r#","items":[{"size":1},["red"],{"size":[]}]"#, &["items[1]", "items[2].size"]),
        (r#","items":7"#, &["items"]),
        (r#","names":{}"#, &["names"]),
        (r#","reason":"so""#, &["reason"]),
        (r#","count":99999999999999999999"#, &["count"]),
        (r#","id":"a","id":"b""#, &["id"]),
        (r#","at_time":1,"at_time":2"#, &["at_time"]),
        (r#","lid":{"size":1,"size":2,"x":1,"x":2}"#, &["lid", "lid.size"]),
        (r#","x":1,"x":2,"y":1,"y":2"#, &[""]),
    ] {
        let body = format!(r#"{{"event":"box.opened","by":"me"{members}}}"#);
        let event = read(&body);
        assert_eq!(misfits(&event), paths, "{body}");
        let Event::Opened(opened) = &event else { panic!("{event:?}") };
        assert_eq!(opened.by, Some(Who::Me), "{body}");
    }
    for (members, expected) in [
        (r#","id":["x"]"#, "text"),
        (r#","at_time":{}"#, "a Unix time in seconds"),
        (r#","count":-1"#, "a whole number that is not negative"),
        (r#","angle":"NaN""#, "a finite number"),
        (r#","forced":2"#, "true or false"),
        (r#","lid":{"size":"big"}"#, "a whole number"),
        (r#","items":[7]"#, "an object of at most 256 members"),
        (r#","id":"a","id":"b""#, "one member of each name"),
    ] {
        assert_eq!(opened(members).rest.misfits()[0].expected(), expected, "{members}");
    }
    let misfit = opened(r#","forced":2"#).rest.misfits()[0].to_string();
    assert_eq!(misfit, "forced: not true or false");
    assert_eq!(opened(r#","items":{}"#).items, []);
    let kept = opened(r#","count":-1,"lid":{"size":"big"}"#);
    assert_eq!(kept.rest.get("count").unwrap().get(), "-1");
    let alias = opened(r#","at_time":{}"#);
    assert_eq!(alias.rest.get(alias.rest.misfits()[0].path()).unwrap().get(), "{}");
    assert_eq!(kept.lid.unwrap().rest.get("size").unwrap().get(), r#""big""#);
}

#[test]
fn the_documented_name_wins() {
    for body in [r#","At":1,"at_time":2"#, r#","at_time":2,"At":1"#] {
        let both = opened(body);
        assert_eq!(both.at, Some(UnixSeconds(1)));
        assert_eq!(both.rest.get("at_time").unwrap().get(), "2");
        comes_back(&Event::Opened(both));
    }
    for blank in ["null", r#""""#, r#"" ""#, r#""\t\u3000""#, "\"\u{a0}\""] {
        let read = opened(&format!(r#","At":{blank},"at_time":2"#));
        assert_eq!(read.at, Some(UnixSeconds(2)), "{blank}");
        assert!(read.rest.is_empty());
    }
}

#[test]
fn what_is_no_known_event_is_unknown() {
    let many: String = (0..257).map(|number| format!(r#","m{number}":0"#)).collect();
    for (body, claimed, is_json) in [
        (r#"{"event":"new","id":1}"#, Some("new"), true),
        (r#"{"event":8}"#, Some("8"), true),
        (r#"{ "event" : 8, "a": [1e999] }"#, Some("8"), true),
        (r#"{"id":1}"#, None, true),
        (r#"{"event":"box.opened","event":"box.opened"}"#, None, true),
        (r#"{"event":{}}"#, None, true),
        ("[1, 2]", None, true),
        ("null", None, true),
        (r#""text""#, None, true),
        ("text", None, false),
        ("", None, false),
        ("{\"event\":", None, false),
        ("\u{feff}", None, false),
        ("\u{feff}text", None, false),
        (&format!(r#"{{"event":"box.opened"{many}}}"#), None, true),
    ] {
        let event = read(body);
        assert_eq!(event.kind(), "unknown");
        comes_back(&event);
        let Event::Unknown(unknown) = &event else { panic!("{event:?}") };
        assert_eq!((unknown.claimed_kind(), unknown.raw().is_some()), (claimed, is_json), "{body}");
        assert_eq!(unknown.bytes(), body);
    }
    let Err(unknown) = Event::from_body(&Bytes::from_static(b"\xff{")) else { panic!() };
    assert_eq!(&unknown.bytes()[..], b"\xff{");
    assert_eq!(serde_json::to_string(&unknown).unwrap(), "\"\u{fffd}{\"");
    comes_back(&Event::Unknown(unknown));
    for body in [&b"{\"event\":\"box.opened\",\"id\":\"\xff\"}"[..], b"\"\xff\""] {
        let Err(unknown) = Event::from_body(&Bytes::from_static(body)) else { panic!() };
        assert!(unknown.raw().is_none());
        comes_back(&Event::Unknown(unknown));
    }
}

#[test]
fn unknown_events_have_no_key_and_are_their_bodies() {
    let unknown = Unknown::new(r#"{"event":"new"}"#).claiming("new");
    assert_eq!((unknown.kind(), unknown.dedup_key()), ("unknown", None));
    assert!(unknown.misfits().is_empty());
    assert_eq!(unknown, Unknown::new(r#"{ "event": "new" }"#));
    assert_ne!(unknown, Unknown::new(r#"{"event":"old"}"#));
}

#[test]
fn rests_are_equal_if_their_members_are() {
    let rest = |members: &str| opened(members).rest;
    let both = rest(r#","x":1,"y":[2]"#);
    assert_eq!((both.len(), both.is_empty()), (2, false));
    assert_eq!((rest("").len(), rest("").is_empty()), (0, true));
    assert_eq!(both, rest(r#","y":[ 2 ],"x":1"#));
    for other in ["", r#","x":1"#, r#","x":1,"y":[3]"#, r#","x":1,"z":[2]"#] {
        assert_ne!(both, rest(other), "{other}");
        assert_ne!(rest(other), both, "{other}");
    }
}

#[test]
fn attack_a_name_that_serde_json_reserves_is_data() {
    for value in [r#""oops""#, "1", r#""[2]""#] {
        for name in ["$serde_json::private::RawValue", r"\u0024serde_json::private::RawValue"] {
            let event = Event::Opened(opened(&format!(r#","x":[{{"{name}":{value}}}]"#)));
            comes_back(&event);
            assert!(serde_json::to_value(&event).unwrap()["x"][0].is_object());
        }
    }
    let text = r#"{"$serde_json::private::RawValue":1.50,"a":1e999,"a":2}"#;
    let event = Event::Opened(opened(&format!(r#","x":{text}"#)));
    assert!(serde_json::to_string(&event).unwrap().contains(text));
}

#[test]
fn a_repeated_member_takes_no_room_twice() {
    let list = |it: &str| format!("[{}{it}]", format!("{it},").repeat(4095));
    let read =
        opened(&format!(r#","items":{},"names":{},"x":1,"x":2,"y":3"#, list("{}"), list("0")));
    assert_eq!((read.items.len(), read.names.len()), (4096, 4096));
    assert_eq!(read.rest.get("y").unwrap().get(), "3");
    assert_eq!(read.rest.misfits()[0].path(), "");
}

#[test]
fn what_fits_without_the_repeated_members_is_no_misfit() {
    let items = vec![r#"{"a":0,"b":0,"c":0}"#; 3100].join(",");
    let names = ["0"; 4096].join(",");
    let read = opened(&format!(r#","items":[{items}],"items":1,"names":[{names}]"#));
    assert_eq!((read.items.len(), read.names.len()), (0, 4096));
    assert_eq!((read.rest.len(), read.rest.misfits().len()), (0, 1));
}

#[test]
fn elements_that_are_left_out_take_no_room() {
    let items = vec![r#"{"a":0,"b":0,"c":0}"#; 3100].join(",");
    let names = ["null"; 4095].join(",");
    let read = opened(&format!(r#","items":[{items}],"names":[{names},"x"]"#));
    assert_eq!((read.items.len(), &read.names[..]), (3100, &["x".to_owned()][..]));
    comes_back(&Event::Opened(read));
}

#[test]
fn elements_that_do_not_fit_take_no_room() {
    let good = vec![r#"{"a":0,"b":0,"c":0}"#; 3000].join(",");
    let (bad, names) = (["0"; 1000].join(","), ["0"; 4096].join(","));
    let read = opened(&format!(r#","items":[{good},{bad}],"names":[{names}]"#));
    assert_eq!((read.items.len(), read.names.len()), (3000, 4096));
    comes_back(&Event::Opened(read));
}

#[test]
fn attack_long_names_with_escapes_are_decoded_a_few_times() {
    let names: Vec<_> = (0..250).map(|n| format!(r#","{}{n}":0"#, r"\n".repeat(2000))).collect();
    let start = std::time::Instant::now();
    assert_eq!(opened(&names.concat()).rest.len(), 250);
    assert_eq!(opened(&format!("{},\"x\":1,\"x\":2", names.concat())).rest.len(), 250);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn attack_members_repeated_at_each_level_are_read_a_few_times() {
    payload! {
        /// A payload in itself.
        pub struct Deep {
            /// Counts how often it is read.
            pub read: Option<Counter>,
            /// The next level.
            pub deep: Vec<Deep>,
            ..rest
        }
    }

    thread_local! {
        static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    /// Counts how often it is read.
    #[derive(Clone, Debug, PartialEq, Serialize)]
    pub struct Counter(String);

    impl FromValue for Counter {
        const EXPECTED: &'static str = "text";

        fn from_value(value: crate::payload::Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
            READ.set(READ.get() + 1);
            value.scalar().map(|text| Self(text.into_owned()))
        }
    }

    let text = (0..12).fold(r#"{"read":"a"}"#.to_owned(), |deep, _| {
        format!(r#"{{"x":1,"x":2,"deep":{deep},"read":"a","y":{{}}}}"#)
    });
    let deep: Deep = Tape::new(&text).unwrap().object().unwrap().into_event();
    assert_eq!(deep.rest.misfits().len(), 12);
    let mut levels = 1;
    let mut inner = &deep;
    while let Some(next) = inner.deep.first() {
        (inner, levels) = (next, levels + 1);
        assert_eq!(inner.read, Some(Counter("a".into())));
    }
    assert_eq!(levels, 13);
    assert!(READ.get() <= 13 * 13, "{} reads", READ.get());

    // What is not indexed is indexed anew by each read, and knows of no repeated member then.
    let full = ["0"; 4000].join(",");
    let full = format!("[[{full}],[{full}],[{full}],[{full}],[{}]]", ["0"; 376].join(","));
    let text = (0..12).fold(r#"{"read":"a"}"#.to_owned(), |deep, _| {
        format!(r#"{{"full":{full},"x":1,"x":2,"deep":{deep},"read":"a"}}"#)
    });
    READ.set(0);
    let deep: Deep = Tape::new(&text).unwrap().object().unwrap().into_event();
    assert_eq!(deep.read, Some(Counter("a".into())));
    assert!(READ.get() < 1000, "{} reads", READ.get());
}

#[test]
fn a_byte_order_mark_is_skipped_and_lone_surrogates_are_read() {
    assert!(matches!(read("\u{feff}{\"event\":\"box.opened\"}"), Event::Opened(_)));
    let odd = opened(r#","id":"a\ud83d!","any":"\udc00","\ud83d":1"#);
    assert_eq!(odd.id.as_deref(), Some("a\u{fffd}!"));
    assert_eq!(odd.rest.iter().next().unwrap().0, "\u{fffd}");
    comes_back(&Event::Opened(odd));
}

#[test]
fn times_are_instants() {
    let at = |millis| Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
    assert_eq!(UnixSeconds(0).to_system_time(), at(0));
    assert_eq!(UnixSeconds(1_700_000_000).to_system_time(), at(1_700_000_000_000));
    assert_eq!(UnixMillis(1_700_000_000_123).to_system_time(), at(1_700_000_000_123));
    assert_eq!(UnixSeconds(u64::MAX).to_system_time(), None);
    // Elsewhere the clock may end earlier.
    if cfg!(target_os = "linux") {
        assert_eq!(UnixMillis(u64::MAX).to_system_time(), at(u64::MAX));
    }
}

#[test]
fn digits_tell_seconds_from_milliseconds() {
    let seconds = |text: &str| opened(&format!(r#","At":{text}"#)).at;
    let millis = |text: &str| {
        let text = format!(r#"{{"detail":{text}}}"#);
        serde_json::from_str::<Counted<UnixMillis>>(&text).unwrap().detail
    };
    for text in ["1700000000123", r#""1700000000123""#] {
        assert_eq!(seconds(text), Some(UnixSeconds(1_700_000_000)), "{text}");
        assert_eq!(millis(text), Some(UnixMillis(1_700_000_000_123)), "{text}");
    }
    assert_eq!(millis("1700000000"), Some(UnixMillis(1_700_000_000_000)));
    assert_eq!(seconds("17000000001230"), Some(UnixSeconds(17_000_000_001_230)));
    assert_eq!(millis("170000000"), Some(UnixMillis(170_000_000)));
}

#[test]
fn keys_need_their_members() {
    let key = |members: &str| Event::Opened(opened(members)).dedup_key();
    assert_eq!(key(r#","id":"b","At":7"#).as_deref(), Some(r#"["box.opened","b",7,null]"#));
    assert_eq!(
        key(r#","id":"b","At":7,"lid":{"colour":"red"}"#).as_deref(),
        Some(r#"["box.opened","b",7,"red"]"#)
    );
    assert_eq!(key(r#","id":" ","At":7"#), None);
    assert_eq!(key(r#","id":"b""#), None);
    assert_eq!(read(r#"{"event":7}"#).dedup_key(), None);
    let key = |list: &[&str]| dedup_key("k", &[list.into()], &[]);
    assert_eq!(key(&["a", "b"]).as_deref(), Some(r#"["k",["a","b"]]"#));
    assert_eq!((key(&[]), key(&["a", " "])), (None, None));
}

#[test]
fn numbers_are_names_too() {
    for name in ["7", r#""7""#, "7.0", r#""7.0""#, "7e0"] {
        let event = read(&format!(r#"{{"event":{name},"detail":{{"colour":"red"}}}}"#));
        assert_eq!(event.kind(), "counted");
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":7,"detail":{"colour":"red"}}"#
        );
        comes_back(&event);
    }
    assert_eq!(read(r#"{"event":"7 "}"#).kind(), "unknown");
}

#[test]
fn some_members_of_objects_of_any_size() {
    let many: String = (0..300).map(|number| format!(r#""m{number}":{number},"#)).collect();
    let text = format!(r#"{{{many}"\u0061":[1, 2],"b":"\ud83d" , "c":{{}}}}"#);
    assert!(Tape::new(&text).unwrap().object().is_none());
    let few = only(&text, |name| name == "a" || name == "b").unwrap();
    assert_eq!(few, r#"{"a":[1, 2],"b":"\ud83d"}"#);
    assert_eq!(only("{}", |_| false).as_deref(), Some("{}"));
    for none in ["[]", "{", "{}{}", "{\"a\":}", "1"] {
        assert!(only(none, |_| true).is_none(), "{none}");
    }
}

#[test]
fn names_that_are_known() {
    assert!(["box.opened", "box.open", "7"].into_iter().all(Event::knows));
    assert!(!Event::knows("box"));
}

#[test]
fn attack_lists_do_not_amplify() {
    let list = |count: usize| format!(r#","items":[{}{{}}]"#, "{},".repeat(count - 1));
    assert_eq!(opened(&list(4096)).items.len(), 4096);
    let long = opened(&list(4097));
    assert_eq!(long.items.len(), 0);
    assert_eq!(long.rest.misfits()[0].path(), "items");
    assert!(long.rest.get("items").unwrap().get().len() > 4097 * 3);
    comes_back(&Event::Opened(long));

    let rests = format!(r#","items":[{}{{}}]"#, r#"{"a":0,"b":0,"c":0,"d":0,"e":0},"#.repeat(4000));
    assert_eq!(opened(&rests).rest.misfits()[0].path(), "items");
}

#[test]
fn a_list_of_plain_strings_is_read_as_any_other() {
    let names = |list: &str| opened(&format!(r#","names":{list}"#)).names;
    assert_eq!(names(r#"["a","b"]"#), ["a", "b"]);
    for (list, expected) in [
        (r#"["a", "b"]"#, &["a", "b"][..]),
        (r#"["a",1,"b"]"#, &["a", "1", "b"]),
        (r#"["a","","b"]"#, &["a", "b"]),
        (r#"[""]"#, &[]),
        (r#"["a\",\"b"]"#, &["a\",\"b"]),
        (r#"["a","b\\"]"#, &["a", "b\\"]),
        (r#"["a",["b"]]"#, &["a"]),
    ] {
        assert_eq!(names(list), expected, "{list}");
    }
    let list = |count: usize| format!(r#"[{}"a"]"#, r#""a","#.repeat(count - 1));
    assert_eq!(names(&list(4096)).len(), 4096);
    assert_eq!(names(&list(4097)).len(), 0);
}

#[test]
fn what_is_not_on_the_tape_is_read_as_if_it_were() {
    let [many, few] = [4000, 377].map(|count| format!("[{}0]", "0,".repeat(count - 1)));
    let full = format!(r#""full":[{many},{many},{many},{many},{few}]"#);
    let off = format!(r#"{{{full},"lid":{{"size":1}}}}"#);
    assert!(!Tape::new(&off).unwrap().object().unwrap().get("lid").unwrap().is_indexed());
    for members in [
        r#""lid":{"colour":"red","size":-1,"x":{"a":[1]}},"names":["a",7]"#,
        r#""lid":{"colour":[],"size":"big"},"items":[{"size":1},{"size":[]},7]"#,
        r#""lid":{"colour":"red","colour":"blue","size":1}"#,
        r#""lid":{"size":1,"size":2},"by":"me","by":"you""#,
        r#""lid":{"size":[]},"lid":{"size":{}},"items":{"size":{}}"#,
        r#""lid":[7],"items":[[7]]"#,
        r#""\u0069d":"a","lid":{"\u0073ize":1,"size":2}"#,
    ] {
        let read =
            |body: String| Tape::new(&body).unwrap().object().unwrap().into_event::<Opened>();
        let (on, mut off) = (read(format!("{{{members}}}")), read(format!("{{{full},{members}}}")));
        assert_eq!(off.rest.misfits()[..], on.rest.misfits()[..], "{members}");
        off.rest.remove("full");
        assert_eq!(off, on, "{members}");
    }
}

#[test]
fn attack_misfits_are_bounded() {
    let many = opened(&format!(r#","items":[{}1]"#, "1,".repeat(4000)));
    assert_eq!(many.rest.misfits().len(), 64);
}

#[test]
fn events_live_inside_other_enums() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "source")]
    enum Job {
        Hook(Event),
    }

    let many: String = (0..300).map(|number| format!(r#","m{number}":[{number}]"#)).collect();
    for body in [
        r#"{"event":"box.opened","id":"b","any":[1],"lid":{"x":[]}}"#,
        r#"{"event":"box.opened","angle":0.9162668585777283}"#,
        r#"{"event":"new","a":[1]}"#,
        &format!(r#"{{"event":"box.opened"{many}}}"#),
    ] {
        let job = Job::Hook(read(body));
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job, "{text}");
        let value = serde_json::to_value(&job).unwrap();
        assert_eq!(serde_json::from_value::<Job>(value).unwrap(), job, "{text}");
    }
}

/// A body that is no object can only be in a field of its own.
#[test]
fn events_live_inside_structs() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Beside<T> {
        at: u64,
        #[serde(flatten)]
        event: T,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Inside {
        at: u64,
        event: Event,
    }

    #[derive(Serialize)]
    #[serde(tag = "source")]
    enum Job<T> {
        Hook(T),
    }

    let json = Beside { at: 1, event: Json::from_checked(r#"{"a":1}"#) };
    let text = serde_json::to_string(&json).unwrap();
    assert_ne!(serde_json::from_str::<Beside<Json>>(&text).unwrap(), json, "see its docs");
    assert!(serde_json::to_string(&Job::Hook(json.event)).is_err(), "see its docs");
    for (body, is_object) in [
        (r#"{"event":"box.opened","id":"b","any":[1],"lid":{"x":[]}}"#, true),
        (r#"{"event":"new","a":[1]}"#, true),
        ("[1,2]", false),
        ("7.50", false),
        ("null", false),
        ("text", false),
    ] {
        let inside = Inside { at: 1, event: read(body) };
        let text = serde_json::to_string(&inside).unwrap();
        assert_eq!(serde_json::from_str::<Inside>(&text).unwrap(), inside, "{text}");
        let value = serde_json::to_value(&inside).unwrap();
        assert_eq!(serde_json::from_value::<Inside>(value).unwrap(), inside, "{text}");
        let beside = Beside { at: 1, event: read(body) };
        let text = serde_json::to_string(&beside).unwrap();
        let back = serde_json::from_str::<Beside<Event>>(&text);
        assert_eq!(back.is_ok_and(|back| back == beside), is_object, "{text}");
        assert_eq!(serde_json::to_string(&Job::Hook(read(body))).is_ok(), is_object, "{body}");
    }
}

#[test]
fn long_digits_survive_json() {
    assert_eq!(opened(r#","count":18446744073709551615"#).count, Some(u64::MAX));
    comes_back(&Event::Opened(opened(r#","x":974.470170659843711"#)));
    let long = opened(r#","id":12345678901234567890123,"x":0.30000000000000000004"#);
    let text = serde_json::to_string(&long).unwrap();
    assert_eq!(text, r#"{"id":"12345678901234567890123","x":0.30000000000000000004}"#);
}

#[test]
fn attack_deep_json_is_a_misfit_or_kept_as_text() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let event = opened(&format!(r#","lid":{deep},"any":{deep},"more":{deep}"#));
    assert_eq!(event.rest.misfits()[0].path(), "lid");
    assert_eq!(event.any.unwrap().get().len(), deep.len());
    assert!(serde_json::from_str::<Value>(&deep).is_err());
}
