//! The five families that sign the body: vectors, payloads, what is refused, and what nobody
//! expects.
#![cfg(feature = "vobiz")]

use crate::support;
#[cfg(target_os = "linux")]
use crate::support::{cpu::is_cheap, hostile::hostile_megabytes};
use bytes::Bytes;
use http::{HeaderName, Method, Request};
use serde_json::{Map, Value, json};
#[cfg(target_os = "linux")]
use std::time::Duration;
use std::time::SystemTime;
use tower_webhooks::{
    Content, Covers, Provider, Rejection,
    RejectionKind::{CredentialMalformed, CredentialMissing, CredentialWrong, MethodNotAllowed},
    Signer, UnixSeconds, WebhookEvent as _,
    vobiz::{
        campaign::{self, Campaign},
        kyc::{self, Kyc},
        ndnc::{self, Ndnc},
        trunk::{self, Trunk},
        voice,
        whatsapp::{self, Whatsapp},
    },
};

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// What a test asks of a delivery, whatever its family.
#[derive(Debug, PartialEq)]
struct Accepted {
    kind: String,
    json: Value,
    dedup_key: Option<String>,
    misfits: Vec<String>,
    covers: Covers,
    content: Content,
    key_index: usize,
    digest: [u8; 32],
    forever: bool,
    debug: String,
}

type Verify = fn(&[&str], &Request<Bytes>) -> Result<Accepted, Rejection>;

struct Family {
    name: &'static str,
    header: &'static str,
    prefix: &'static str,
    verify: Verify,
    sign: fn(&str, Request<Bytes>) -> Request<Bytes>,
    is_refused: fn(&str) -> bool,
    debug: fn(&str) -> String,
}

macro_rules! families {
    ($($provider:ident in $module:ident: $header:literal, $prefix:literal;)*) => {
        const FAMILIES: &[Family] = &[$(Family {
            name: stringify!($module),
            header: $header,
            prefix: $prefix,
            verify: |keys, request| {
                let (first, more) = keys.split_first().unwrap();
                let mut provider = $provider::new(first).unwrap();
                for key in more {
                    provider = provider.also_accept(key).unwrap();
                }
                assert_eq!($provider::NAME, concat!("vobiz.", stringify!($module)));
                assert_eq!($provider::CREDENTIALS, [$header]);
                assert!(provider.is_credential(&[0; 32], &HeaderName::from_static($header)));
                let delivery = provider.verify(request, SystemTime::now())?;
                let text = serde_json::to_string(delivery.event()).unwrap();
                let back: $module::Event = serde_json::from_str(&text).unwrap();
                assert_eq!(back, *delivery.event(), "{text}");
                let identity = delivery.proof().identity.as_ref().unwrap();
                Ok(Accepted {
                    kind: delivery.kind().to_owned(),
                    // `Value` goes no deeper than 128 levels.
                    json: serde_json::to_value(delivery.event()).unwrap_or_default(),
                    dedup_key: delivery.event().dedup_key(),
                    misfits: delivery
                        .misfits()
                        .iter()
                        .map(|misfit| misfit.path().to_owned())
                        .collect(),
                    covers: delivery.covers(),
                    content: identity.content(),
                    key_index: delivery.proof().key_index,
                    digest: identity.digest(),
                    forever: identity.valid_until().is_none()
                        && delivery.proof().signed_at.is_none(),
                    debug: format!("{:?}", delivery.event()),
                })
            },
            sign: |key, request| {
                $module::Signer::new(key).unwrap().sign(request, SystemTime::now())
            },
            is_refused: |key| {
                $provider::new(key).is_err()
                    && $provider::new(KEY).unwrap().also_accept(key).is_err()
                    && $module::Signer::new(key).is_err()
            },
            debug: |key| {
                let (provider, signer) = ($provider::new(key), $module::Signer::new(key));
                format!("{:?} {:?}", provider.unwrap(), signer.unwrap())
            },
        }),*];
    };
}

families! {
    Kyc in kyc: "x-vobiz-signature", "sha256=";
    Campaign in campaign: "x-vobiz-signature", "sha256=";
    Ndnc in ndnc: "x-vobiz-signature", "";
    Trunk in trunk: "x-vobiz-signature", "";
    Whatsapp in whatsapp: "x-webhook-signature", "";
}

fn family(name: &str) -> &'static Family {
    FAMILIES.iter().find(|family| family.name == name).unwrap()
}

fn post(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/cb").body(body.into()).unwrap()
}

impl Family {
    fn genuine(&self, body: impl Into<Bytes>) -> Request<Bytes> {
        (self.sign)(KEY, post(body))
    }

    fn accept(&self, body: impl Into<Bytes>) -> Result<Accepted, Rejection> {
        (self.verify)(&[KEY], &self.genuine(body))
    }

    fn value(&self, request: &Request<Bytes>) -> String {
        request.headers()[self.header].to_str().unwrap().to_owned()
    }

    fn with(&self, body: &'static str, value: &str) -> Result<Accepted, Rejection> {
        (self.verify)(&[KEY], &support::with(post(body), self.header, value))
    }
}

#[test]
fn vectors() {
    let mut checked = 0;
    let vectors = support::vectors_of::<Value>("vobiz", "vectors");
    for vector in vectors.iter().filter(|vector| vector["family"] != "voice") {
        let text = |name: &str| vector[name].as_str().unwrap();
        let family = family(text("family"));
        let (name, value) = vector["headers"].as_object().unwrap().iter().next().unwrap();
        assert_eq!(HeaderName::try_from(name).unwrap(), family.header);
        let request = support::with(post(text("body").to_owned()), name, value.as_str().unwrap());

        let accepted = (family.verify)(&["another key", text("key")], &request).unwrap();
        assert_eq!(accepted.kind, if family.name == "ndnc" { "ndnc_alert" } else { text("event") });
        let mut body: Map<String, Value> = serde_json::from_str(text("body")).unwrap();
        body.retain(|_, value| value != "");
        assert_eq!(texts(&accepted.json), texts(&Value::Object(body)));
        assert_eq!(
            (accepted.covers, accepted.content, accepted.key_index),
            (Covers::Body, Content::Signed, 1)
        );
        assert!(accepted.forever);
        assert_eq!(
            (family.sign)(text("key"), post(text("body").to_owned())).headers(),
            request.headers()
        );
        checked += 1;
    }
    assert_eq!(checked, 5);
}

/// Family, kind, and a body with all documented members.
fn payloads() -> Vec<(&'static str, String, Value)> {
    let payloads = |family| {
        let payloads = support::events::payloads(&format!("vobiz_{family}"));
        payloads.into_iter().map(move |(body, kind)| (family, kind, body))
    };
    ["kyc", "campaign", "ndnc", "trunk", "whatsapp"].into_iter().flat_map(payloads).collect()
}

/// Every scalar as text: a time that was sent as text is a number in the event, a price that was a
/// number is text.
fn texts(json: &Value) -> Value {
    match json {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), texts(value))).collect()
        }
        Value::Array(elements) => elements.iter().map(texts).collect(),
        Value::String(_) | Value::Null => json.clone(),
        scalar => scalar.to_string().into(),
    }
}

#[test]
fn every_payload_in_full() {
    let mut seen = 0;
    for (name, kind, body) in payloads() {
        let accepted = family(name).accept(body.to_string()).unwrap();
        assert_eq!((&accepted.kind, &accepted.misfits[..]), (&kind, &[][..]));
        assert_eq!(texts(&accepted.json), texts(&body), "{kind}");
        let part = |member: &str| body[member].as_str().unwrap();
        let parts = match name {
            "kyc" => vec![part("session_id"), part("timestamp")],
            "campaign" if kind.starts_with("contact.") => {
                vec![part("campaign_id"), part("contact_id"), part("timestamp")]
            }
            "campaign" => vec![part("campaign_id"), part("timestamp")],
            "trunk" => vec![part("RequestID")],
            "whatsapp" => vec![part("event_id")],
            _ => vec![],
        };
        let key = [&[&*kind], &parts[..]].concat();
        assert_eq!(
            accepted.dedup_key,
            (!parts.is_empty()).then(|| serde_json::to_string(&key).unwrap())
        );
        seen += 1;
    }
    assert_eq!(seen, 26);
}

/// The member that names the event, where there is one.
fn tag(family: &str) -> Option<&'static str> {
    match family {
        "kyc" | "campaign" => Some("event"),
        "trunk" => Some("Event"),
        "whatsapp" => Some("event_type"),
        _ => None,
    }
}

#[test]
fn without_optional_members_and_with_nulls() {
    for (name, kind, body) in payloads() {
        let Some(tag) = tag(name) else { continue };
        let only_tag = json!({ tag: kind });
        let accepted = family(name).accept(only_tag.to_string()).unwrap();
        assert_eq!(
            (&accepted.kind, &accepted.json, &accepted.dedup_key),
            (&kind, &only_tag, &None)
        );

        for nothing in [Value::Null, json!("")] {
            let mut body = body.clone();
            body.as_object_mut().unwrap().values_mut().for_each(|value| *value = nothing.clone());
            body[tag] = json!(kind);
            body["something_new"] = json!({"a": null});
            let accepted = family(name).accept(body.to_string()).unwrap();
            assert_eq!((&accepted.kind, accepted.misfits.len()), (&kind, 0));
            assert_eq!(accepted.json, json!({ tag: kind, "something_new": {"a": null} }));
        }
    }
    // Nulls and gaps further down.
    let body = json!({"complaints": [{}, {"urn": null, "did": 98}]});
    let expected = json!({"complaints": [{}, {"did": "98"}]});
    assert_eq!(family("ndnc").accept(body.to_string()).unwrap().json, expected);
    let body = json!({"event_type": "message.inbound", "payload": {"object": null, "entry": [{}, {"id": 7, "changes": null}, {"changes": [{}, {"value": {"messages": [{"id": null, "timestamp": 5}], "calls": null}}]}]}});
    let expected = json!({"event_type": "message.inbound", "payload": {"entry": [{}, {"id": "7"}, {"changes": [{}, {"value": {"messages": [{"timestamp": 5}]}}]}]}});
    assert_eq!(family("whatsapp").accept(body.to_string()).unwrap().json, expected);
}

#[test]
fn the_naming_member_may_stand_anywhere() {
    for (name, _, body) in payloads() {
        let Some(tag) = tag(name) else { continue };
        let first = family(name).accept(body.to_string()).unwrap();
        let mut members = body.as_object().unwrap().clone();
        let value = members.remove(tag).unwrap();
        let rest = Value::Object(members).to_string();
        let last = format!("{},\"{tag}\":{value}}}", rest.strip_suffix('}').unwrap());
        let last = family(name).accept(last).unwrap();
        assert_eq!((last.kind, last.json), (first.kind, first.json));
    }
}

fn event<P: Provider>(provider: P, signer: impl Signer, body: &str) -> P::Event {
    let request = support::signed(&signer, "/cb", body.to_owned());
    provider.verify(&request, SystemTime::now()).unwrap().into_event()
}

fn trunk_event(body: &str) -> trunk::Event {
    event(Trunk::new(KEY).unwrap(), trunk::Signer::new(KEY).unwrap(), body)
}

fn envelope(body: &str) -> whatsapp::Envelope {
    match event(Whatsapp::new(KEY).unwrap(), whatsapp::Signer::new(KEY).unwrap(), body) {
        whatsapp::Event::MessageInbound(envelope)
        | whatsapp::Event::MessageStatus(envelope)
        | whatsapp::Event::CallTerminate(envelope) => envelope,
        _ => panic!(),
    }
}

#[test]
fn typed_values() {
    let body = |kind: &str| {
        payloads().into_iter().find(|(_, name, _)| *name == kind).unwrap().2.to_string()
    };

    let kyc::Event::Completed(session) =
        event(Kyc::new(KEY).unwrap(), kyc::Signer::new(KEY).unwrap(), &body("kyc.completed"))
    else {
        panic!()
    };
    assert_eq!(session.kyc_type, Some(kyc::KycType::Company));
    assert_eq!(session.metadata.unwrap().parse::<Value>().unwrap()["n"][1], 2.5);

    let trunk::Event::Hangup(hangup) = trunk_event(&body("Hangup").replace("0.45", "0.4500"))
    else {
        panic!()
    };
    assert_eq!(
        (hangup.duration, hangup.hangup_cause_code, hangup.mos),
        (Some(60), Some(4000), Some(4.25))
    );
    assert_eq!(hangup.cost.as_deref(), Some("0.4500"));
    assert_eq!(hangup.hangup_source, Some(voice::HangupSource::Callee));
    assert_eq!(hangup.direction, Some(voice::Direction::Outbound));

    let received = envelope(&body("message.inbound"));
    let message = received.messages().next().unwrap();
    assert_eq!(message.kind.as_deref(), Some("text"));
    assert_eq!(message.timestamp, Some(UnixSeconds(1_774_432_800)));
    assert_eq!(message.rest.get("context").unwrap().get(), r#"{"id":"wamid.0"}"#);
    assert_eq!(message.text.as_ref().unwrap().body.as_deref(), Some("hi"));
    assert_eq!(
        (received.messages().count(), received.statuses().count(), received.calls().count()),
        (2, 0, 0)
    );
    let sent = envelope(&body("message.status"));
    assert_eq!(sent.statuses().next().unwrap().status, Some(whatsapp::MessageStatus::Delivered));
    let called = envelope(&body("call.terminate"));
    let call = called.calls().next().unwrap();
    assert_eq!(call.event.as_deref(), Some("connect"));
    assert_eq!(call.status.as_deref(), Some("ringing"));
    assert_eq!(call.direction.as_deref(), Some("USER_INITIATED"));
    assert_eq!(call.rest.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["session"]);
}

#[test]
fn unknown_kinds_are_events() {
    for family in FAMILIES.iter().filter(|family| family.name != "ndnc") {
        let tag = tag(family.name).unwrap();
        for body in [
            json!({tag: "recording.completed", "CallUUID": 5, "metadata": [], "payload": [1], "n": 1.50}),
            json!({tag: "call.ringing"}),
            json!({tag: 5}),
            json!({tag: null, "x": 1}),
            json!({tag: ["kyc.completed"]}),
            json!({"x": 1}),
            json!({}),
        ] {
            let accepted = family.accept(format!(" {body}\n")).unwrap();
            assert_eq!(
                (&*accepted.kind, &accepted.json, accepted.dedup_key),
                ("unknown", &body, None)
            );
        }
    }
    // Another spelling is another kind: no guess is made.
    for (name, body) in [
        ("kyc", r#"{"event":"KYC.completed"}"#),
        ("kyc", r#"{"Event":"kyc.completed"}"#),
        ("trunk", r#"{"event":"Hangup"}"#),
    ] {
        assert_eq!(family(name).accept(body).unwrap().kind, "unknown");
    }
}

/// An alert does not name itself, and families without a prefix pass each other's bodies under one
/// secret.
#[test]
fn what_is_no_alert_is_unknown() {
    for (name, kind, body) in payloads() {
        let expected = if name == "ndnc" { "ndnc_alert" } else { "unknown" };
        assert_eq!(family("ndnc").accept(body.to_string()).unwrap().kind, expected, "{kind}");
    }
    for body in [
        "{}",
        r#"{"x":1}"#,
        r#"{"complaints":[]}"#,
        r#"{"complaints":[7]}"#,
        r#"{"accountName":""}"#,
    ] {
        let accepted = family("ndnc").accept(body).unwrap();
        assert_eq!(
            (&*accepted.kind, accepted.json),
            ("unknown", serde_json::from_str(body).unwrap())
        );
    }
    for body in [
        r#"{"totalComplaints":0}"#,
        r#"{"complaints":[{}]}"#,
        r#"{"complaints":7}"#,
        r#"{"accountName":{}}"#,
    ] {
        assert_eq!(family("ndnc").accept(body).unwrap().kind, "ndnc_alert", "{body}");
    }
}

#[test]
fn header_names_of_events_are_not_read() {
    for (name, header) in [("whatsapp", "x-webhook-event"), ("trunk", "x-vobiz-event")] {
        let body = if name == "trunk" {
            r#"{"Event":"Hangup"}"#
        } else {
            r#"{"event_type":"message.status"}"#
        };
        let request = support::with(family(name).genuine(body), header, "message.inbound");
        let kind = (family(name).verify)(&[KEY], &request).unwrap().kind;
        assert_eq!(kind, if name == "trunk" { "Hangup" } else { "message.status" });
    }
}

#[test]
fn the_trunk_s_header_and_prefix_are_settings() {
    let header = HeaderName::from_static("x-trunk-signature");
    let signer = trunk::Signer::new(KEY).unwrap().header(header.clone()).prefix("v1=");
    let request = support::signed(&signer, "/cb", r#"{"Event":"Hangup"}"#);
    assert!(request.headers()[&header].to_str().unwrap().starts_with("v1="));
    let verify = |trunk: Trunk| {
        trunk.verify(&request, SystemTime::now()).map(drop).map_err(|error| error.kind())
    };
    let trunk = Trunk::new(KEY).unwrap();
    assert_eq!(verify(trunk.clone()), Err(CredentialMissing));
    assert_eq!(verify(trunk.clone().header(header.clone())), Err(CredentialMalformed));
    assert_eq!(verify(trunk.clone().header(header.clone()).prefix(String::from("v1="))), Ok(()));
    assert!(
        !trunk.is_credential(&[0; 32], &header)
            && trunk.header(header.clone()).is_credential(&[0; 32], &header)
    );
}

#[test]
fn attack_other_methods() {
    for family in FAMILIES {
        for method in [Method::GET, Method::PUT] {
            let mut request = family.genuine("{}");
            *request.method_mut() = method;
            assert_eq!((family.verify)(&[KEY], &request).unwrap_err().kind(), MethodNotAllowed);
        }
    }
}

#[test]
fn attack_body_swapped_under_captured_headers() {
    for family in FAMILIES {
        let genuine = family.genuine(r#"{"event":"kyc.failed"}"#);
        for forged in [r#"{"event":"kyc.completed"}"#, r#"{"event":"kyc.failed"} "#, "", "{"] {
            let mut request = genuine.clone();
            *request.body_mut() = Bytes::from(forged);
            // The signature is checked before the JSON.
            assert_eq!((family.verify)(&[KEY], &request).unwrap_err().kind(), CredentialWrong);
        }
    }
}

#[test]
fn attack_a_request_of_another_family_or_key() {
    let body = r#"{"event":"kyc.completed"}"#;
    for signs in FAMILIES {
        let request = signs.genuine(body);
        for verifies in FAMILIES {
            let same = signs.header == verifies.header && signs.prefix == verifies.prefix;
            let result = (verifies.verify)(&[KEY], &request);
            assert_eq!(result.is_ok(), same, "{} at {}", signs.name, verifies.name);
        }
        assert_eq!((signs.verify)(&["another key"], &request).unwrap_err().kind(), CredentialWrong);
    }
}

#[test]
fn attack_identities() {
    for family in FAMILIES {
        let digest = |keys: &[&str], request: &Request<Bytes>| {
            (family.verify)(keys, request).unwrap().digest
        };
        let request = family.genuine(r#"{"a":1}"#);
        let first = digest(&[KEY], &request);
        // A repeat is the same delivery, however its digits are spelt and whichever place the key
        // has.
        let value = family.value(&request).strip_prefix(family.prefix).unwrap().to_uppercase();
        let upper = format!("{}{value}", family.prefix);
        let upper = support::with(request.clone(), family.header, &upper);
        assert_eq!(digest(&[KEY], &upper), first);
        assert_eq!(digest(&["another key", KEY], &request), first);
        assert_ne!(digest(&[KEY], &family.genuine(r#"{"a":2}"#)), first);
        assert_ne!(
            digest(&["another key"], &(family.sign)("another key", post(r#"{"a":1}"#))),
            first
        );
    }
}

#[test]
fn attack_odd_headers() {
    for family in FAMILIES {
        let body = r#"{"x":1}"#;
        let value = family.value(&family.genuine(body));
        let digits = value.strip_prefix(family.prefix).unwrap();
        let mixed: String = digits
            .chars()
            .enumerate()
            .map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c })
            .collect();
        family.with(body, &format!("{}{mixed}", family.prefix)).unwrap();

        let missing = (family.verify)(&[KEY], &post(body)).unwrap_err();
        assert_eq!((missing.kind(), missing.status().as_u16()), (CredentialMissing, 401));
        let other_prefix =
            if family.prefix.is_empty() { format!("sha256={digits}") } else { digits.to_owned() };
        for bad in [
            "".to_owned(),
            " ".to_owned(),
            other_prefix,
            format!("SHA256={digits}"),
            format!("sha1={digits}"),
            format!("{}{value}", family.prefix).trim_start_matches(&value).to_owned() + "x",
            format!(" {value}"),
            format!("{value} "),
            format!("{value}, {value}"),
            format!("{value}00"),
            value[..value.len() - 2].to_owned(),
            value[..value.len() - 1].to_owned(),
            format!("{}{}", family.prefix, "g".repeat(64)),
            format!("{}{}", family.prefix, "é".repeat(32)),
            format!("{value}{}", " ".repeat(1024)),
        ] {
            assert_eq!(
                family.with(body, &bad).unwrap_err().kind(),
                CredentialMalformed,
                "{}: {bad:?}",
                family.name
            );
        }
        let mut twice = family.genuine(body);
        twice.headers_mut().append(family.header, value.parse().unwrap());
        assert_eq!((family.verify)(&[KEY], &twice).unwrap_err().kind(), CredentialMalformed);
        let nearly = format!(
            "{}{}{}",
            family.prefix,
            if digits.starts_with('0') { '1' } else { '0' },
            &digits[1..]
        );
        assert_eq!(family.with(body, &nearly).unwrap_err().kind(), CredentialWrong);
    }
}

#[test]
fn attack_blank_secrets_are_refused_and_none_is_printed() {
    for family in FAMILIES {
        for bad in ["", " ", "\n", "key\n", " key"] {
            assert!((family.is_refused)(bad), "{bad:?}");
        }
        assert!(!(family.is_refused)("key"));
        let printed = (family.debug)(KEY);
        assert!(!printed.contains(KEY) && !printed.contains(&hex::encode(KEY)), "{printed}");
        let error = (family.verify)(&["another key"], &family.genuine("{}")).unwrap_err();
        let printed = format!("{error} {error:?}");
        // The signature that was presented, and the one that was expected.
        for key in [KEY, "another key"] {
            let value = family.value(&(family.sign)(key, post("{}")));
            assert!(!printed.contains(value.strip_prefix(family.prefix).unwrap()), "{printed}");
            assert!(!printed.contains(key), "{printed}");
        }
    }
}

#[test]
fn attack_broken_and_doubled_json() {
    for family in FAMILIES {
        let tag = tag(family.name).unwrap_or("event");
        for body in [
            "".to_owned(),
            "{".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            "\"x\"".to_owned(),
            "{} {}".to_owned(),
            "{}x".to_owned(),
            format!("{{\"{tag}\":\"x\",\"{tag}\":\"x\"}}"),
            format!("{{\"{tag}\":\"x\",\"Ev\":1,\"\\u0045v\":1}}"),
            "{\"a\":1,\"a\":1}".to_owned(),
            format!(
                "{{{}}}",
                (0..257).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")
            ),
            format!(
                "{{{}}}",
                (0..256).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")
            ),
        ] {
            assert_eq!(
                family.accept(body.clone()).unwrap().kind,
                "unknown",
                "{}: {body}",
                family.name
            );
        }
        assert_eq!(family.accept(&b"{\"a\":\"\xff\"}"[..]).unwrap().kind, "unknown");
    }
    for (name, kind, body) in payloads() {
        let whole = family(name).accept(body.to_string()).unwrap();
        let first = body
            .as_object()
            .unwrap()
            .keys()
            .find(|member| Some(member.as_str()) != tag(name))
            .unwrap();
        let doubled = body.to_string();
        let doubled = format!("{},\"{first}\":1}}", doubled.strip_suffix('}').unwrap());
        let accepted = family(name).accept(doubled).unwrap();
        assert_eq!((&accepted.kind, &accepted.misfits), (&kind, &vec![first.clone()]));
        let mut others = whole.json.clone();
        others.as_object_mut().unwrap().remove(first);
        assert_eq!(accepted.json, others);
    }
}

/// Payloads of which one member is not as documented, and where that is.
#[test]
fn what_does_not_fit_is_named_and_kept() {
    let message = |members: &str| {
        format!(
            r#"{{"event_type":"message.inbound","payload":{{"entry":[{{"changes":[{{"value":{members}}}]}}]}}}}"#
        )
    };
    let value = "payload.entry[0].changes[0].value";
    for (name, body, paths) in [
        (
            "trunk",
            r#"{"Event":"CallInitiated","Allowed":"perhaps"}"#.to_owned(),
            vec!["Allowed".to_owned()],
        ),
        ("trunk", r#"{"Event":"Hangup","MOS":"N/A"}"#.to_owned(), vec!["MOS".to_owned()]),
        ("trunk", r#"{"Event":"Hangup","MOS":"inf"}"#.to_owned(), vec!["MOS".to_owned()]),
        ("trunk", r#"{"Event":"Hangup","MOS":"1e999"}"#.to_owned(), vec!["MOS".to_owned()]),
        ("trunk", r#"{"Event":"Hangup","Jitter":"12ms"}"#.to_owned(), vec!["Jitter".to_owned()]),
        ("trunk", r#"{"Event":"Hangup","Duration":12.5}"#.to_owned(), vec!["Duration".to_owned()]),
        ("trunk", r#"{"Event":"Hangup","RingTime":-1}"#.to_owned(), vec!["RingTime".to_owned()]),
        (
            "trunk",
            r#"{"Event":"Hangup","HangupCauseCode":"NORMAL_CLEARING"}"#.to_owned(),
            vec!["HangupCauseCode".to_owned()],
        ),
        (
            "campaign",
            r#"{"event":"contact.answered","duration":"00:42"}"#.to_owned(),
            vec!["duration".to_owned()],
        ),
        (
            "campaign",
            r#"{"event":"campaign.stalled","stalled_minutes":"NaN"}"#.to_owned(),
            vec!["stalled_minutes".to_owned()],
        ),
        (
            "kyc",
            r#"{"event":"kyc.failed","session_id":true}"#.to_owned(),
            vec!["session_id".to_owned()],
        ),
        (
            "ndnc",
            r#"{"accountName":"a","complaints":[["u1","9111"]]}"#.to_owned(),
            vec!["complaints[0]".to_owned()],
        ),
        (
            "whatsapp",
            r#"{"event_type":"message.inbound","payload":"{}"}"#.to_owned(),
            vec!["payload".to_owned()],
        ),
        (
            "whatsapp",
            r#"{"event_type":"message.inbound","payload":[[]]}"#.to_owned(),
            vec!["payload".to_owned()],
        ),
        ("whatsapp", message(r#"{"messages":"none"}"#), vec![format!("{value}.messages")]),
        (
            "whatsapp",
            message(r#"{"messages":[{"id":"1","text":"hi"},["2"],{"id":"3"}]}"#),
            vec![format!("{value}.messages[0].text"), format!("{value}.messages[1]")],
        ),
    ] {
        let accepted = family(name).accept(body.clone()).unwrap();
        assert_ne!(accepted.kind, "unknown");
        assert_eq!(accepted.misfits, paths, "{body}");
        // But for elements of lists, the event holds what came.
        if !paths.iter().any(|path| path.ends_with(']')) {
            assert_eq!(texts(&accepted.json), texts(&serde_json::from_str(&body).unwrap()));
        }
    }
    let received = envelope(&message(r#"{"messages":[{"id":"1","text":"hi"},["2"],{"id":"3"}]}"#));
    let ids: Vec<_> = received.messages().map(|message| message.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["1", "3"]);
    // One object where a list belongs is a list of one, and `{}` an empty list.
    assert_eq!(envelope(&message(r#"{"messages":{}}"#)).messages().count(), 0);
    assert_eq!(envelope(&message(r#"{"messages":{"id":"1"}}"#)).messages().count(), 1);
    let text = envelope(&message(r#"{"messages":[{"text":{"body":"a\ud83d"}}]}"#));
    let text = text.messages().next().unwrap().text.as_ref().unwrap();
    assert_eq!(text.body.as_deref(), Some("a\u{fffd}"));

    for (allowed, expected) in
        [("\"false\"", Some(false)), ("0", Some(false)), ("\"True\"", Some(true)), ("\"\"", None)]
    {
        let body = format!(r#"{{"Event":"CallInitiated","Allowed":{allowed}}}"#);
        let event = trunk_event(&body);
        assert!(event.misfits().is_empty(), "{allowed}");
        let trunk::Event::CallInitiated(call) = event else { panic!() };
        assert_eq!(call.allowed, expected, "{allowed}");
    }
    for source in ["Callee", "Call recipient"] {
        let trunk::Event::Hangup(hangup) =
            trunk_event(&json!({"Event": "Hangup", "HangupSource": source}).to_string())
        else {
            panic!()
        };
        assert_eq!(hangup.hangup_source, Some(voice::HangupSource::Callee));
    }
}

#[test]
fn keys_tell_occurrences_apart() {
    let key = |name: &str, body: Value| family(name).accept(body.to_string()).unwrap().dedup_key;
    let submitted = |timestamp| {
        key("kyc", json!({"event": "kyc.submitted", "session_id": "s", "timestamp": timestamp}))
    };
    assert_ne!(submitted("2026-06-04T08:51:10Z"), submitted("2026-06-05T08:51:10Z"));
    assert_eq!(submitted(" "), None);
    let contact = |name: &str, id: &str| {
        key(
            "campaign",
            json!({"event": "contact.failed", "campaign_id": "p", "timestamp": "t", name: id}),
        )
    };
    assert_eq!(contact("contact_id", "c").as_deref(), Some(r#"["contact.failed","p","c","t"]"#));
    assert_eq!(contact("call_uuid", "u").as_deref(), Some(r#"["contact.failed","p","u","t"]"#));
    assert_eq!((contact("to_number", "911"), contact("call_uuid", "")), (None, None));
    let blank = json!({"event": "contact.failed", "campaign_id": "p", "timestamp": "t",
        "contact_id": " ", "call_uuid": "u"});
    assert_eq!(key("campaign", blank), contact("call_uuid", "u"));
}

#[test]
fn attack_deep_json() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (name, kept, typed, path) in [
        (
            "kyc",
            r#"{"event":"kyc.failed","metadata":$,"new":$}"#,
            r#"{"event":"kyc.failed","session_id":$}"#,
            "session_id",
        ),
        (
            "campaign",
            r#"{"event":"campaign.failed","new":$}"#,
            r#"{"event":"campaign.failed","reason":$}"#,
            "reason",
        ),
        ("ndnc", r#"{"accountName":"a","new":$}"#, r#"{"accountName":$}"#, "accountName"),
        (
            "trunk",
            r#"{"Event":"Hangup","new":$}"#,
            r#"{"Event":"Hangup","Duration":$}"#,
            "Duration",
        ),
        (
            "whatsapp",
            r#"{"event_type":"message.inbound","payload":{"new":$,"entry":[{"changes":[{"value":{"contacts":$}}]}]}}"#,
            r#"{"event_type":"message.inbound","payload":{"object":$}}"#,
            "payload.object",
        ),
    ] {
        assert!(family(name).accept(kept.replace('$', &deep)).unwrap().misfits.is_empty());
        assert_eq!(family(name).accept(typed.replace('$', &deep)).unwrap().misfits, [path]);
    }
    for family in FAMILIES.iter().filter(|family| family.name != "ndnc") {
        let unknown = format!(
            "{{\"early\":{deep},\"{}\":\"new\",\"late\":{deep}}}",
            tag(family.name).unwrap()
        );
        assert_eq!(family.accept(unknown).unwrap().kind, "unknown");
    }
}

// Row 30, behind the signature.
#[cfg(target_os = "linux")]
#[test]
fn attack_cpu_of_large_hostile_bodies() {
    let (kyc, kyc_signer) = (Kyc::new(KEY).unwrap(), kyc::Signer::new(KEY).unwrap());
    let voice = voice::Voice::new(KEY, "https://hooks.example.com").unwrap();
    let voice_signer = voice::Signer::new(KEY, "https://hooks.example.com").unwrap();
    let (now, limit) = (SystemTime::now(), Duration::from_secs(2));
    for (name, hostile) in hostile_megabytes() {
        let [of_kyc, of_voice] = [&kyc_signer as &dyn Signer, &voice_signer]
            .map(|signer| signer.sign(post(hostile.clone()), now));
        let by_kyc = || drop(kyc.verify(&of_kyc, now).unwrap());
        assert!(is_cheap(limit, by_kyc), "{name} took kyc two seconds or more each time");
        let by_voice = || drop(voice.verify(&of_voice, now).unwrap());
        assert!(is_cheap(limit, by_voice), "{name} took voice two seconds or more each time");
    }
}

proptest::proptest! {
    #[test]
    fn any_body_is_an_event(body in "[{}\\[\\]\":,a-z0-9 ]{0,40}", bytes: Vec<u8>) {
        for family in FAMILIES {
            family.accept(body.clone()).unwrap();
            family.accept(format!("{{\"event\":\"kyc.failed\",{body}}}")).unwrap();
            family.accept(bytes.clone()).unwrap();
        }
    }
}
