//! Every documented payload, every member of it, replaced by something else: delivered, typed as far as it can be, and
//! read back from what it was serialised to.

use bytes::Bytes;
use http::{Method, Request};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use std::{fmt::Debug, fs, time::SystemTime};
use tower_webhooks::{Provider, Signer, WebhookEvent};

/// What stands where a member was, as JSON text.
const ODD: &[&str] = &[
    "null",
    r#""""#,
    r#"" ""#,
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

#[derive(serde::Deserialize)]
struct Payload {
    kind: String,
    body: Map<String, Value>,
}

fn payloads(file: &str) -> Vec<Payload> {
    let path = format!("{}/tests/payloads/{file}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))).unwrap()
}

/// How one provider is asked.
struct Asked<P, S> {
    provider: P,
    signer: S,
}

impl<P, S: Signer> Asked<P, S>
where
    P: Provider<Event: WebhookEvent + Serialize + DeserializeOwned + PartialEq + Clone + Debug>,
{
    /// The event of this body; nothing that is signed is refused.
    fn event(&self, body: &str) -> P::Event {
        let request = Request::builder().method(Method::POST).uri("/hook").body(Bytes::from(body.to_owned())).unwrap();
        let request = self.signer.sign(request, SystemTime::now());
        let delivery = self.provider.verify(&request, SystemTime::now());
        let delivery = delivery.unwrap_or_else(|error| panic!("{error}: {body}"));
        assert_eq!(delivery.kind(), delivery.event().kind());
        assert_eq!(&**delivery.misfits(), &**delivery.event().misfits(), "{body}");
        delivery.into_event()
    }

    fn comes_back(&self, event: &P::Event) -> Map<String, Value> {
        let text = serde_json::to_string(event).unwrap();
        assert_eq!(serde_json::from_str::<P::Event>(&text).unwrap(), *event, "{text}");
        match serde_json::to_value(event) {
            Ok(value) => {
                assert_eq!(serde_json::from_value::<P::Event>(value.clone()).unwrap(), *event, "{text}");
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
        for Payload { kind, body } in payloads(file) {
            let whole = Value::Object(body);
            let event = self.event(&whole.to_string());
            assert_eq!(event.kind(), kind, "{whole}");
            assert!(event.misfits().is_empty(), "{kind}: {:?}", event.misfits());
            let documented = self.comes_back(&event);
            for path in paths(&whole) {
                let mut odd = whole.clone();
                *odd.pointer_mut(&path).unwrap() = json!(PLACE);
                let odd = odd.to_string();
                for value in ODD {
                    let body = odd.replace(&json!(PLACE).to_string(), value);
                    let event = self.event(&body);
                    let read = self.comes_back(&event);
                    asked += 1;
                    misfits += event.misfits().len();
                    if event.kind() != kind {
                        unknown += 1;
                        continue;
                    }
                    // Everything else is typed as if nothing had happened.
                    let replaced = path.split('/').nth(1).unwrap();
                    // Not what the signer adds: it goes with the clock.
                    let others = |name: &str| name != replaced && whole.get(name).is_some();
                    for (name, value) in documented.iter().filter(|(name, _)| others(name)) {
                        assert_eq!(read.get(name), Some(value), "{name} beside {path}: {body}");
                    }
                }
            }
        }
        println!("{file}: {asked} asked, {misfits} misfits, {unknown} of another kind");
        assert!(asked > ODD.len() && misfits > 0);
    }
}

const PLACE: &str = "the member that is replaced";

/// A pointer to every member and element.
fn paths(value: &Value) -> Vec<String> {
    let below = |(name, value): (String, &Value)| {
        let own = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let inner = paths(value).into_iter().map({
            let own = own.clone();
            move |path| own.clone() + &path
        });
        inner.chain([own]).collect::<Vec<_>>()
    };
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).flat_map(below).collect(),
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(place, value)| (place.to_string(), value)).flat_map(below).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(feature = "zegocloud")]
#[test]
fn zegocloud() {
    use tower_webhooks::zegocloud::{Signer, Zegocloud};

    let secret = "a callback secret";
    Asked { provider: Zegocloud::new(secret).unwrap(), signer: Signer::new(secret).unwrap() }.check("zegocloud");
}

#[cfg(feature = "geelark")]
#[test]
fn geelark() {
    use tower_webhooks::geelark::{GeeLark, Signer};

    let (id, key) = ("an app id", "an app key");
    Asked { provider: GeeLark::new(id, key).unwrap(), signer: Signer::new(id, key).unwrap() }.check("geelark");
}

#[cfg(feature = "stardust")]
#[test]
fn stardust() {
    use tower_webhooks::stardust::{Signer, Stardust};

    let (id, key) = ("an access key", "a secret key");
    Asked { provider: Stardust::new(id, key).unwrap(), signer: Signer::new(id, key).unwrap() }.check("stardust");
}

#[cfg(feature = "vobiz")]
mod vobiz {
    use super::*;
    use tower_webhooks::vobiz::{campaign, kyc, ndnc, trunk, voice, whatsapp};

    const TOKEN: &str = "an auth token of thirty-two chars";

    #[test]
    fn voice() {
        let origin = "https://hooks.example.com";
        let provider = voice::Voice::new(TOKEN, origin).unwrap();
        Asked { provider, signer: voice::Signer::new(TOKEN, origin).unwrap() }.check("vobiz_voice");
    }

    #[test]
    fn kyc() {
        let signer = kyc::Signer::new(TOKEN).unwrap();
        Asked { provider: kyc::Kyc::new(TOKEN).unwrap(), signer }.check("vobiz_kyc");
    }

    #[test]
    fn campaign() {
        let signer = campaign::Signer::new(TOKEN).unwrap();
        Asked { provider: campaign::Campaign::new(TOKEN).unwrap(), signer }.check("vobiz_campaign");
    }

    #[test]
    fn ndnc() {
        let signer = ndnc::Signer::new(TOKEN).unwrap();
        Asked { provider: ndnc::Ndnc::new(TOKEN).unwrap(), signer }.check("vobiz_ndnc");
    }

    #[test]
    fn trunk() {
        let signer = trunk::Signer::new(TOKEN).unwrap();
        Asked { provider: trunk::Trunk::new(TOKEN).unwrap(), signer }.check("vobiz_trunk");
    }

    #[test]
    fn whatsapp() {
        let signer = whatsapp::Signer::new(TOKEN).unwrap();
        Asked { provider: whatsapp::Whatsapp::new(TOKEN).unwrap(), signer }.check("vobiz_whatsapp");
    }
}
