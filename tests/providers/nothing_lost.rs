//! Every documented payload, every member of it, replaced by something else: delivered, typed as
//! far as it can be, and read back from what it was serialised to.

use crate::support::{events::payloads, kept::is_kept, signed};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{fmt::Debug, time::SystemTime};
use tower_webhooks::{Provider, Signer, WebhookEvent};

/// What stands where a member was, as JSON text.
const ODD: &[&str] = &[
    "null",
    r#""""#,
    r#"" ""#,
    r#""\u0020""#,
    r#""\t\u3000""#,
    r#""some text""#,
    r#""12.50""#,
    r#""NaN""#,
    r#""a\ud83d""#,
    "true",
    "0",
    "-1",
    "1.5",
    "1e999",
    "123456789012345678901234567890",
    "[]",
    "[null]",
    "[[1]]",
    r#"["x",2]"#,
    "{}",
    r#"{"a":{"b":[1]}}"#,
];

/// How one provider is asked.
pub struct Asked<P, S> {
    pub provider: P,
    pub signer: S,
}

/// An application's own enum around an event.
#[derive(Serialize, Deserialize)]
#[serde(tag = "job")]
enum Job<E> {
    Event(E),
}

impl<P, S: Signer> Asked<P, S>
where
    P: Provider<Event: WebhookEvent + Serialize + DeserializeOwned + PartialEq + Clone + Debug>,
{
    /// The event of this body; nothing that is signed is refused.
    pub fn event(&self, body: &str) -> P::Event {
        let request = signed(&self.signer, "/hook", body.to_owned());
        let delivery = self.provider.verify(&request, SystemTime::now());
        let delivery = delivery.unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(delivery.kind(), delivery.event().kind());
        assert_eq!(&**delivery.misfits(), &**delivery.event().misfits(), "{body}");
        delivery.into_event()
    }

    /// What is written of the event, which reads back as the event: from JSON, from other formats
    /// and from inside of another enum.
    pub fn comes_back(&self, event: &P::Event) -> Map<String, Value> {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<P::Event>(&text).unwrap(), *event, "{text}");
        match serde_json::to_value(event) {
            Ok(value) => {
                assert_eq!(
                    serde_json::from_value::<P::Event>(value.clone()).unwrap(),
                    *event,
                    "{text}"
                );
                let mut cbor = Vec::new();
                ciborium::into_writer(event, &mut cbor).unwrap();
                let back: P::Event = ciborium::from_reader(&cbor[..]).unwrap();
                assert_eq!(back, *event, "{text}");
                let job = serde_json::to_string(&Job::Event(event)).unwrap();
                let Job::Event(back) = serde_json::from_str::<Job<P::Event>>(&job).unwrap();
                assert_eq!(back, *event, "{job}");
                value.as_object().cloned().unwrap_or_default()
            }
            // Beyond the range of a double: see the docs of `Json`.
            Err(_) => {
                assert!(text.contains("1e999"), "{text}");
                let value: Value = serde_json::from_str(&text.replace("1e999", "0")).unwrap();
                value.as_object().cloned().unwrap_or_default()
            }
        }
    }

    fn check(&self, file: &str) {
        let (mut asked, mut misfits, mut unknown) = (0, 0, 0);
        for (whole, kind) in payloads(file) {
            let event = self.event(&whole.to_string());
            assert_eq!(event.kind(), kind, "{whole}");
            assert!(event.misfits().is_empty(), "{kind}: {:?}", event.misfits());
            let documented = Value::Object(self.comes_back(&event));
            // Not compared: what the signer adds, which goes with the clock, and what is written in
            // another place than it was sent in.
            let mut told = paths(&documented);
            told.retain(|own| whole.pointer(own).is_some());
            for path in paths(&whole) {
                let beside = told.iter().filter(|own| !is_in(own, &path) && !is_in(&path, own));
                let mut odd = whole.clone();
                *odd.pointer_mut(&path).unwrap() = json!(PLACE);
                let odd = odd.to_string();
                for value in ODD {
                    let body = odd.replace(&json!(PLACE).to_string(), value);
                    let event = self.event(&body);
                    let mut read = Value::Object(self.comes_back(&event));
                    asked += 1;
                    misfits += event.misfits().len();
                    is_kept(&body, &serde_json::to_string(&event).unwrap(), &event);
                    if event.kind() != kind {
                        // Only what tells the event apart may change what it is. Stardust has three
                        // statuses for that; in a call it may also be told by other members.
                        let tells = match file {
                            "stardust" => path.to_lowercase().ends_with("status"),
                            _ => path == "/Event",
                        };
                        assert!(tells || self.tells_apart(&whole, &path, &kind), "{path}: {body}");
                        unknown += 1;
                        continue;
                    }
                    // Everything else is typed as if nothing had happened.
                    keep_place(&whole, &path, &mut read);
                    for own in beside.clone() {
                        let (read, value) = (read.pointer(own), documented.pointer(own));
                        assert_eq!(read, value, "{own} beside {path}: {body}");
                    }
                }
            }
        }
        println!("{file}: {asked} asked, {misfits} misfits, {unknown} of another kind");
        assert!(asked > ODD.len() && misfits > 0);
    }

    /// Whether the event is another one without this member.
    fn tells_apart(&self, whole: &Value, path: &str, kind: &str) -> bool {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut without = whole.clone();
        match without.pointer_mut(parent).unwrap() {
            Value::Object(members) => drop(members.remove(name)),
            Value::Array(elements) => drop(elements.remove(name.parse().unwrap())),
            _ => unreachable!("a member has a parent"),
        }
        self.event(&without.to_string()).kind() != kind
    }
}

const PLACE: &str = "the member that is replaced";

/// Whether the pointer is to this place or to one inside of it.
fn is_in(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// An element that does not fit is dropped. Something takes its place, so that those behind it are
/// where they were sent.
fn keep_place(whole: &Value, path: &str, read: &mut Value) {
    let (list, place) = path.rsplit_once('/').unwrap();
    let Some(sent) = whole.pointer(list).and_then(Value::as_array) else { return };
    let Some(kept) = read.pointer_mut(list).and_then(Value::as_array_mut) else { return };
    if kept.len() < sent.len() {
        kept.insert(place.parse().unwrap(), Value::Null);
    }
}

/// A pointer to every member and element.
pub fn paths(value: &Value) -> Vec<String> {
    let below = |(name, value): (String, &Value)| {
        let own = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let inner = paths(value).into_iter().map({
            let own = own.clone();
            move |path| own.clone() + &path
        });
        inner.chain([own]).collect::<Vec<_>>()
    };
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), value)).flat_map(below).collect()
        }
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(place, value)| (place.to_string(), value))
            .flat_map(below)
            .collect(),
        _ => Vec::new(),
    }
}

/// A test of each provider and family, which does this with its [`Asked`] and its payloads.
macro_rules! of_each {
    (|$asked:ident, $file:ident| $check:expr) => {
        of_each! { |$asked, $file| $check;
            "zegocloud" zegocloud, "geelark" geelark, "stardust" stardust, "vobiz" vobiz_voice,
            "vobiz" vobiz_kyc,
            "vobiz" vobiz_campaign, "vobiz" vobiz_ndnc, "vobiz" vobiz_trunk, "vobiz" vobiz_whatsapp
        }
    };
    (|$asked:ident, $file:ident| $check:expr; $($feature:literal $name:ident),*) => {$(
        #[cfg(feature = $feature)]
        #[test]
        fn $name() {
            let ($asked, $file) = ($crate::nothing_lost::asked::$name(), stringify!($name));
            $check
        }
    )*};
}

pub(crate) use of_each;

mod whatever_replaces_a_member {
    super::of_each!(|asked, file| asked.check(file));
}

/// Writing adds members: a task's id and status, and an empty list. Reading removes some: the
/// signing ones.
#[cfg(all(feature = "geelark", feature = "stardust", feature = "zegocloud"))]
#[test]
fn as_many_members_as_are_indexed_come_back() {
    let many = |count| (0..count).map(|place| format!(r#","k{place}":0"#)).collect::<String>();
    let stardust = asked::stardust();
    let task = format!(r#"{{"task":{{"taskId":"1","status":9}}{}}}"#, many(255));
    stardust.comes_back(&stardust.event(&task));
    let geelark = asked::geelark();
    for (members, count) in [
        (r#""type":9"#, 255),
        (r#""type":9,"recycle":true"#, 254),
        (r#""type":9,"id":{}"#, 254),
        (r#""type":9,"items":[],"id":"5""#, 253),
        (r#""type":9,"items":[],"id":null"#, 253),
        (r#""type":10,"name":"till""#, 254),
    ] {
        let event = geelark.event(&format!("{{{members}{}}}", many(count)));
        assert_ne!(event.kind(), "unknown", "{members}");
        assert_eq!(geelark.comes_back(&event).len(), 256, "{members}");
    }
    // The signer adds the timestamp, the nonce and the signature.
    let zegocloud = asked::zegocloud();
    for (count, kind) in [(252, "stream_create"), (254, "stream_create"), (255, "unknown")] {
        let body = format!(r#"{{"event":"stream_create"{}}}"#, many(count));
        let event = zegocloud.event(&body);
        assert_eq!(event.kind(), kind, "{count}");
        assert_eq!(zegocloud.comes_back(&event).len(), count + 2);
    }
}

/// What an event may hold is counted alike when it is read for the first time and when it is read
/// back.
#[cfg(feature = "vobiz")]
#[test]
fn as_many_values_as_an_event_may_hold_come_back() {
    let asked = asked::vobiz_whatsapp();
    let list = |count, element: &str| format!("[{}]", vec![element; count].join(","));
    let change = |value: &str| format!(r#"{{"changes":[{{"value":{value}}}]}}"#);
    let check = |entry: &str, first: Option<&str>| {
        let payload = format!(r#"{{"entry":{entry}}}"#);
        let event =
            asked.event(&format!(r#"{{"event_type":"message.inbound","payload":{payload}}}"#));
        assert_eq!(event.misfits().first().map(|misfit| misfit.path()), first);
        asked.comes_back(&event);
    };
    let three = r#"{"a":0,"b":0,"c":0}"#;
    // Elements that do not fit take no room, neither behind their list nor in it.
    let (none, many) = (list(4096, "1"), list(4000, three));
    let value = format!(r#"{{"messages":{none},"statuses":{many}}}"#);
    let first = "payload.entry[0].changes[0].value.messages[0]";
    check(&format!("[{}]", change(&value)), Some(first));
    let value = format!(r#"{{"messages":{},"statuses":{}}}"#, list(4096, "{}"), list(3000, three));
    check(&format!("[{}{}]", "1,".repeat(300), change(&value)), Some("payload.entry[0]"));
    // A single value takes as much room as a list of one.
    let one = r#"{"id":"i"}"#;
    let value = format!(r#"{{"messages":{one},"statuses":{one},"calls":{one}}}"#);
    let single = format!(r#"{{"changes":{{"value":{value}}}}}"#);
    check(&list(3276, &single), None);
    check(&list(3300, &single), Some("payload.entry"));
}

/// What the outermost payload does not type has no other bound than the number of its members.
#[cfg(feature = "geelark")]
#[test]
fn an_event_that_holds_all_it_may_is_typed_beside_other_members() {
    let asked = asked::geelark();
    let full = vec![r#"{"a":0,"b":0,"c":0}"#; 4096].join(",");
    let event = asked.event(&format!(r#"{{"type":9,"items":[{full}],"x":0}}"#));
    assert_eq!((event.kind(), event.misfits().len()), ("phones_renamed", 0));
    assert_eq!(asked.comes_back(&event)["x"], 0);
}

/// Every provider and family, each under the name of the file of its payloads.
pub mod asked {
    use super::Asked;

    #[cfg(feature = "zegocloud")]
    pub fn zegocloud()
    -> Asked<tower_webhooks::zegocloud::Zegocloud, tower_webhooks::zegocloud::Signer> {
        use tower_webhooks::zegocloud::{Signer, Zegocloud};

        let secret = "a callback secret";
        Asked { provider: Zegocloud::new(secret).unwrap(), signer: Signer::new(secret).unwrap() }
    }

    #[cfg(feature = "geelark")]
    pub fn geelark() -> Asked<tower_webhooks::geelark::GeeLark, tower_webhooks::geelark::Signer> {
        use tower_webhooks::geelark::{GeeLark, Signer};

        let (id, key) = ("an app id", "an app key");
        Asked { provider: GeeLark::new(id, key).unwrap(), signer: Signer::new(id, key).unwrap() }
    }

    #[cfg(feature = "stardust")]
    pub fn stardust() -> Asked<tower_webhooks::stardust::Stardust, tower_webhooks::stardust::Signer>
    {
        use tower_webhooks::stardust::{Signer, Stardust};

        let (id, key) = ("an access key", "a secret key");
        Asked { provider: Stardust::new(id, key).unwrap(), signer: Signer::new(id, key).unwrap() }
    }

    #[cfg(feature = "vobiz")]
    pub fn vobiz_voice()
    -> Asked<tower_webhooks::vobiz::voice::Voice, tower_webhooks::vobiz::voice::Signer> {
        use tower_webhooks::vobiz::voice::{Signer, Voice};

        let origin = "https://hooks.example.com";
        Asked {
            provider: Voice::new(TOKEN, origin).unwrap(),
            signer: Signer::new(TOKEN, origin).unwrap(),
        }
    }

    #[cfg(feature = "vobiz")]
    macro_rules! families {
        ($($name:ident: $module:ident $provider:ident),*) => {$(
            pub fn $name() -> Asked<
                tower_webhooks::vobiz::$module::$provider,
                tower_webhooks::vobiz::$module::Signer,
            > {
                use tower_webhooks::vobiz::$module::{Signer, $provider};

                let (provider, signer) = ($provider::new(TOKEN), Signer::new(TOKEN));
                Asked { provider: provider.unwrap(), signer: signer.unwrap() }
            }
        )*};
    }

    #[cfg(feature = "vobiz")]
    families! {
        vobiz_kyc: kyc Kyc, vobiz_campaign: campaign Campaign, vobiz_ndnc: ndnc Ndnc,
        vobiz_trunk: trunk Trunk,
        vobiz_whatsapp: whatsapp Whatsapp
    }

    #[cfg(feature = "vobiz")]
    const TOKEN: &str = "an auth token of thirty-two chars";
}
