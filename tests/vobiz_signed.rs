//! The five families that sign the body: vectors, payloads, and what is refused.
#![cfg(feature = "vobiz")]

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::{Map, Value, json};
use std::time::SystemTime;
use tower_webhooks::{
    Content, Covers, Provider, Rejection,
    RejectionKind::{CredentialMalformed, CredentialMissing, CredentialWrong, Invalid, MethodNotAllowed},
    Signer,
    vobiz::{
        campaign::{self, Campaign},
        kyc::{self, Kyc},
        ndnc::{self, Ndnc},
        trunk::{self, Trunk},
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
                assert!(provider.is_credential(&HeaderName::from_static($header)));
                let delivery = provider.verify(request, SystemTime::now())?;
                let identity = delivery.proof().identity.as_ref().unwrap();
                Ok(Accepted {
                    kind: delivery.kind().to_owned(),
                    // `Value` goes no deeper than 128 levels.
                    json: serde_json::to_value(delivery.event()).unwrap_or_default(),
                    dedup_key: delivery.event().dedup_key(),
                    covers: delivery.covers(),
                    content: identity.content(),
                    key_index: delivery.proof().key_index,
                    digest: *identity.digest(),
                    forever: identity.valid_until().is_none() && delivery.proof().signed_at.is_none(),
                    debug: format!("{:?}", delivery.event()),
                })
            },
            sign: |key, request| $module::Signer::new(key).unwrap().sign(request, SystemTime::now()),
            is_refused: |key| {
                $provider::new(key).is_err()
                    && $provider::new(KEY).unwrap().also_accept(key).is_err()
                    && $module::Signer::new(key).is_err()
            },
            debug: |key| format!("{:?} {:?}", $provider::new(key).unwrap(), $module::Signer::new(key).unwrap()),
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
    fn signed(&self, body: impl Into<Bytes>) -> Request<Bytes> {
        (self.sign)(KEY, post(body))
    }

    fn accept(&self, body: impl Into<Bytes>) -> Result<Accepted, Rejection> {
        (self.verify)(&[KEY], &self.signed(body))
    }

    fn value(&self, request: &Request<Bytes>) -> String {
        request.headers()[self.header].to_str().unwrap().to_owned()
    }

    fn with(&self, body: &'static str, value: &str) -> Result<Accepted, Rejection> {
        let mut request = post(body);
        request.headers_mut().insert(self.header, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        (self.verify)(&[KEY], &request)
    }
}

#[test]
fn vectors() {
    let file: Value = serde_json::from_str(include_str!("vectors/vobiz.json")).unwrap();
    let mut checked = 0;
    for vector in file["vectors"].as_array().unwrap().iter().filter(|vector| vector["family"] != "voice") {
        let text = |name: &str| vector[name].as_str().unwrap();
        let family = family(text("family"));
        let mut request = post(text("body").to_owned());
        let (name, value) = vector["headers"].as_object().unwrap().iter().next().unwrap();
        let name = HeaderName::try_from(name).unwrap();
        assert_eq!(name, family.header);
        request.headers_mut().insert(name, value.as_str().unwrap().parse().unwrap());

        let accepted = (family.verify)(&["another key", text("key")], &request).unwrap();
        assert_eq!(accepted.kind, if family.name == "ndnc" { "ndnc_alert" } else { text("event") });
        assert_eq!(accepted.json, serde_json::from_str::<Value>(text("body")).unwrap());
        assert_eq!((accepted.covers, accepted.content, accepted.key_index), (Covers::Body, Content::Signed, 1));
        assert!(accepted.forever);
        assert_eq!((family.sign)(text("key"), post(text("body").to_owned())).headers(), request.headers());
        checked += 1;
    }
    assert_eq!(checked, 5);
}

/// Family, kind, and a body with all documented members; then the de-duplication key.
fn payloads() -> Vec<(&'static str, &'static str, Value, Option<&'static str>)> {
    let session = |event: &str| {
        json!({
            "event": event, "timestamp": "2026-06-04T08:51:10Z", "session_id": "k1", "account_auth_id": "SA_TEST0001",
            "customer_email": "customer@example.com", "kyc_type": "company", "session_status": "kyc_pending",
            "metadata": {"your_ref": "r1", "n": [1, 2.50, null]}, "created_at": "2026-06-04T08:40:00+00:00",
            "updated_at": "2026-06-04T08:51:10+00:00", "reason": "asked twice",
        })
    };
    let update = |event: &str| {
        json!({
            "event": event, "campaign_id": "p1", "account_id": "MA_TEST0001", "timestamp": "2026-05-01T09:00:00Z",
            "reason": "no agents", "last_dial_at": "2026-05-01T08:30:00Z", "stalled_minutes": 30.0,
        })
    };
    let contact = |event: &str| {
        json!({
            "event": event, "campaign_id": "p1", "account_id": "MA_TEST0001", "timestamp": "2026-05-01T09:00:00Z",
            "contact_id": "t1", "call_uuid": "c1", "to_number": "911", "from_number": "912",
            "hangup_cause": "NORMAL_CLEARING", "duration": 42.0,
        })
    };
    let complaint = |urn: &str| {
        json!({
            "urn": urn, "did": "9876543210", "complainantNumber": "9123456789", "complaintDate": "2026-06-08",
            "description": "a call", "accountId": "MA_TEST0001", "accountName": "Test Co",
            "accountEmail": "ops@example.com",
        })
    };
    let meta = |event_type: &str, value: Value| {
        json!({
            "event_id": "e1", "event_type": event_type, "account_id": "MA_TEST0001",
            "occurred_at": "2026-03-25T10:00:00Z",
            "payload": {
                "object": "whatsapp_business_account",
                "entry": [{"id": "10", "changes": [{"field": "messages", "value": value, "new": 1}], "time": 5}],
                "new": {"a": [1.50]},
            },
        })
    };
    let metadata = json!({"display_phone_number": "911", "phone_number_id": "77"});
    let call = json!({
        "messaging_product": "whatsapp", "metadata": metadata,
        "calls": [{"id": "wacid.1", "from": "911", "to": "912", "event": "connect", "timestamp": "1774432800",
            "direction": "USER_INITIATED", "session": {"sdp_type": "offer", "sdp": "v=0"}}],
    });
    vec![
        ("kyc", "kyc.initiated", session("kyc.initiated"), Some("kyc.initiated:k1")),
        ("kyc", "kyc.submitted", session("kyc.submitted"), Some("kyc.submitted:k1")),
        ("kyc", "kyc.completed", session("kyc.completed"), Some("kyc.completed:k1")),
        ("kyc", "kyc.failed", session("kyc.failed"), Some("kyc.failed:k1")),
        ("kyc", "kyc.session_expired", session("kyc.session_expired"), Some("kyc.session_expired:k1")),
        ("kyc", "kyc.session_revoked", session("kyc.session_revoked"), Some("kyc.session_revoked:k1")),
        ("campaign", "campaign.started", update("campaign.started"), Some("campaign.started:p1:2026-05-01T09:00:00Z")),
        ("campaign", "campaign.stalled", update("campaign.stalled"), Some("campaign.stalled:p1:2026-05-01T09:00:00Z")),
        ("campaign", "campaign.paused", update("campaign.paused"), Some("campaign.paused:p1:2026-05-01T09:00:00Z")),
        ("campaign", "campaign.failed", update("campaign.failed"), Some("campaign.failed:p1:2026-05-01T09:00:00Z")),
        ("campaign", "campaign.resumed", update("campaign.resumed"), Some("campaign.resumed:p1:2026-05-01T09:00:00Z")),
        (
            "campaign",
            "campaign.completed",
            update("campaign.completed"),
            Some("campaign.completed:p1:2026-05-01T09:00:00Z"),
        ),
        (
            "campaign",
            "campaign.cancelled",
            update("campaign.cancelled"),
            Some("campaign.cancelled:p1:2026-05-01T09:00:00Z"),
        ),
        (
            "campaign",
            "contact.answered",
            contact("contact.answered"),
            Some("contact.answered:p1:t1:2026-05-01T09:00:00Z"),
        ),
        (
            "campaign",
            "contact.no_answer",
            contact("contact.no_answer"),
            Some("contact.no_answer:p1:t1:2026-05-01T09:00:00Z"),
        ),
        (
            "campaign",
            "contact.retry_scheduled",
            contact("contact.retry_scheduled"),
            Some("contact.retry_scheduled:p1:t1:2026-05-01T09:00:00Z"),
        ),
        ("campaign", "contact.failed", contact("contact.failed"), Some("contact.failed:p1:t1:2026-05-01T09:00:00Z")),
        ("campaign", "contact.expired", contact("contact.expired"), Some("contact.expired:p1:t1:2026-05-01T09:00:00Z")),
        (
            "ndnc",
            "ndnc_alert",
            json!({"accountName": "Test Co", "totalComplaints": 2, "complaints": [complaint("URN1"), complaint("URN2")]}),
            None,
        ),
        (
            "trunk",
            "CallInitiated",
            json!({
                "Event": "CallInitiated", "CallUUID": "c1", "RequestID": "q1", "Timestamp": "2026-03-18T12:00:00Z",
                "From": "+911", "To": "+912", "Direction": "outbound", "Status": "initiated", "auth_id": "MA_TEST0001",
                "TrunkID": "k1", "Domain": "1486467e.sip.vobiz.ai", "SourceIP": "192.0.2.1", "SIPCallID": "abc@192.0.2.1",
                "Allowed": false, "Reason": "insufficient balance",
            }),
            Some("CallInitiated:q1"),
        ),
        (
            "trunk",
            "Hangup",
            json!({
                "Event": "Hangup", "CallUUID": "c1", "RequestID": "q1", "Timestamp": "2026-03-18T12:00:00Z",
                "From": "+911", "To": "+912", "Direction": "inbound", "Status": "completed", "AccountId": "MA_TEST0001",
                "TrunkID": "k1", "Domain": "1486467e.sip.vobiz.ai", "SourceIP": "192.0.2.1", "SIPCallID": "abc@192.0.2.1",
                "BridgeUUID": "b1", "Reason": "", "StartTime": "2026-03-18T11:59:00Z", "EndTime": "2026-03-18T12:00:00Z",
                "Duration": 60, "Billsec": 52, "RingTime": 8, "Cost": 0.45, "Currency": "INR", "MOS": 4.25, "Jitter": 1.5,
                "HangupCauseName": "Normal Hangup", "HangupCauseCode": 4000, "HangupSource": "Callee",
            }),
            Some("Hangup:q1"),
        ),
        (
            "whatsapp",
            "message.inbound",
            meta(
                "message.inbound",
                json!({
                    "messaging_product": "whatsapp", "metadata": metadata, "contacts": [{"wa_id": "911"}],
                    "messages": [{"id": "wamid.1", "from": "911", "timestamp": "1774432800", "type": "text",
                        "text": {"body": "hi"}, "context": {"id": "wamid.0"}}],
                }),
            ),
            Some("message.inbound:e1"),
        ),
        (
            "whatsapp",
            "message.status",
            meta(
                "message.status",
                json!({
                    "messaging_product": "whatsapp", "metadata": metadata,
                    "statuses": [{"id": "wamid.1", "status": "delivered", "timestamp": "1774432800",
                        "recipient_id": "911", "pricing": {"billable": true}}],
                }),
            ),
            Some("message.status:e1"),
        ),
        ("whatsapp", "call.connect", meta("call.connect", call.clone()), Some("call.connect:e1")),
        ("whatsapp", "call.status_change", meta("call.status_change", call.clone()), Some("call.status_change:e1")),
        ("whatsapp", "call.terminate", meta("call.terminate", call), Some("call.terminate:e1")),
    ]
}

#[test]
fn every_payload_in_full() {
    for (name, kind, body, dedup_key) in payloads() {
        let accepted = family(name).accept(body.to_string()).unwrap();
        assert_eq!((&*accepted.kind, accepted.dedup_key.as_deref()), (kind, dedup_key));
        assert_eq!(accepted.json, body, "{kind}");
        assert!(!accepted.debug.starts_with("Unknown"), "{kind}");
    }
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
    for (name, kind, body, _) in payloads() {
        let members = body.as_object().unwrap();
        let only_tag: Map<_, _> =
            members.clone().into_iter().filter(|(name_, _)| Some(&**name_) == tag(name)).collect();
        let accepted = family(name).accept(Value::Object(only_tag.clone()).to_string()).unwrap();
        assert_eq!((&*accepted.kind, &accepted.json), (kind, &Value::Object(only_tag.clone())));
        assert_eq!(accepted.dedup_key, None);

        let mut nulls: Map<_, _> = members.keys().map(|name| (name.clone(), Value::Null)).collect();
        nulls.extend(only_tag.clone());
        nulls.insert("something_new".into(), json!({"a": null}));
        let nulls = family(name).accept(Value::Object(nulls).to_string()).unwrap();
        assert_eq!((nulls.kind, nulls.json), (accepted.kind, Value::Object(only_tag)));
    }
    // Nulls and gaps further down.
    let body = json!({"complaints": [{}, {"urn": null, "did": 98}]});
    let expected = json!({"complaints": [{}, {"did": "98"}]});
    assert_eq!(family("ndnc").accept(body.to_string()).unwrap().json, expected);
    let body = json!({"event_type": "message.inbound", "payload": {"object": null, "entry": [{}, {"id": 7, "changes": null}, {"changes": [{}, {"value": {"messages": [{"id": null, "timestamp": 5}], "calls": null}}]}]}});
    let expected = json!({"event_type": "message.inbound", "payload": {"entry": [{}, {"id": "7"}, {"changes": [{}, {"value": {"messages": [{"timestamp": "5"}]}}]}]}});
    assert_eq!(family("whatsapp").accept(body.to_string()).unwrap().json, expected);
}

#[test]
fn the_naming_member_may_stand_anywhere() {
    for (name, _, body, _) in payloads() {
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

#[test]
fn typed_values() {
    fn event<P: Provider>(provider: P, signer: impl Signer, body: &str) -> P::Event {
        let request = signer.sign(post(body.to_owned()), SystemTime::now());
        provider.verify(&request, SystemTime::now()).unwrap().into_event()
    }
    let body = |kind: &str| payloads().into_iter().find(|(_, name, ..)| *name == kind).unwrap().2.to_string();

    let kyc::Event::Completed(session) =
        event(Kyc::new(KEY).unwrap(), kyc::Signer::new(KEY).unwrap(), &body("kyc.completed"))
    else {
        panic!()
    };
    assert_eq!(session.kyc_type, Some(kyc::KycType::Company));
    assert_eq!(session.metadata.unwrap().parse::<Value>().unwrap()["n"][1], 2.5);

    let trunk::Event::Hangup(hangup) =
        event(Trunk::new(KEY).unwrap(), trunk::Signer::new(KEY).unwrap(), &body("Hangup").replace("0.45", "0.4500"))
    else {
        panic!()
    };
    assert_eq!((hangup.duration, hangup.hangup_cause_code, hangup.mos), (Some(60), Some(4000), Some(4.25)));
    assert_eq!(hangup.cost.unwrap().get(), "0.4500");
    assert_eq!(hangup.hangup_source, Some(trunk::HangupSource::Callee));
    assert_eq!(hangup.direction, Some(trunk::Direction::Inbound));

    let whatsapp =
        |kind: &str| match event(Whatsapp::new(KEY).unwrap(), whatsapp::Signer::new(KEY).unwrap(), &body(kind)) {
            whatsapp::Event::MessageInbound(envelope)
            | whatsapp::Event::MessageStatus(envelope)
            | whatsapp::Event::CallTerminate(envelope) => envelope,
            _ => panic!(),
        };
    let envelope = whatsapp("message.inbound");
    let message = envelope.messages().next().unwrap();
    assert_eq!((message.kind.as_deref(), message.rest["context"].get()), (Some("text"), r#"{"id":"wamid.0"}"#));
    assert_eq!(message.text.as_ref().unwrap().body.as_deref(), Some("hi"));
    assert_eq!((envelope.statuses().count(), envelope.calls().count()), (0, 0));
    assert_eq!(whatsapp("message.status").statuses().next().unwrap().status, Some(whatsapp::MessageStatus::Delivered));
    assert_eq!(whatsapp("call.terminate").calls().next().unwrap().event.as_deref(), Some("connect"));
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
            assert_eq!((&*accepted.kind, &accepted.json, accepted.dedup_key), ("unknown", &body, None));
        }
    }
    assert_eq!(family("ndnc").accept("{}").unwrap().kind, "ndnc_alert");
    // Another spelling is another kind: no guess is made.
    for (name, body) in [
        ("kyc", r#"{"event":"KYC.completed"}"#),
        ("kyc", r#"{"Event":"kyc.completed"}"#),
        ("trunk", r#"{"event":"Hangup"}"#),
    ] {
        assert_eq!(family(name).accept(body).unwrap().kind, "unknown");
    }
}

#[test]
fn header_names_of_events_are_not_read() {
    for (name, header) in [("whatsapp", "x-webhook-event"), ("trunk", "x-vobiz-event")] {
        let body = if name == "trunk" { r#"{"Event":"Hangup"}"# } else { r#"{"event_type":"message.status"}"# };
        let mut request = family(name).signed(body);
        request.headers_mut().insert(header, HeaderValue::from_static("message.inbound"));
        let kind = (family(name).verify)(&[KEY], &request).unwrap().kind;
        assert_eq!(kind, if name == "trunk" { "Hangup" } else { "message.status" });
    }
}

#[test]
fn the_trunk_s_header_and_prefix_are_settings() {
    let header = HeaderName::from_static("x-trunk-signature");
    let signer = trunk::Signer::new(KEY).unwrap().header(header.clone()).prefix("v1=");
    let request = signer.sign(post(r#"{"Event":"Hangup"}"#), SystemTime::now());
    assert!(request.headers()[&header].to_str().unwrap().starts_with("v1="));
    let verify = |trunk: Trunk| trunk.verify(&request, SystemTime::now()).map(drop).map_err(|error| error.kind());
    let trunk = Trunk::new(KEY).unwrap();
    assert_eq!(verify(trunk.clone()), Err(CredentialMissing));
    assert_eq!(verify(trunk.clone().header(header.clone())), Err(CredentialMalformed));
    assert_eq!(verify(trunk.clone().header(header.clone()).prefix(String::from("v1="))), Ok(()));
    assert!(!trunk.is_credential(&header) && trunk.header(header.clone()).is_credential(&header));
}

#[test]
fn attack_other_methods() {
    for family in FAMILIES {
        for method in [Method::GET, Method::PUT] {
            let mut request = family.signed("{}");
            *request.method_mut() = method;
            assert_eq!((family.verify)(&[KEY], &request).unwrap_err().kind(), MethodNotAllowed);
        }
    }
}

#[test]
fn attack_body_swapped_under_captured_headers() {
    for family in FAMILIES {
        let genuine = family.signed(r#"{"event":"kyc.failed"}"#);
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
        let request = signs.signed(body);
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
        let digest = |keys: &[&str], request: &Request<Bytes>| (family.verify)(keys, request).unwrap().digest;
        let request = family.signed(r#"{"a":1}"#);
        let first = digest(&[KEY], &request);
        // A repeat is the same delivery, however its digits are spelt and whichever place the key has.
        let mut upper = request.clone();
        let value = family.value(&request).strip_prefix(family.prefix).unwrap().to_uppercase();
        upper.headers_mut().insert(family.header, format!("{}{value}", family.prefix).parse().unwrap());
        assert_eq!(digest(&[KEY], &upper), first);
        assert_eq!(digest(&["another key", KEY], &request), first);
        assert_ne!(digest(&[KEY], &family.signed(r#"{"a":2}"#)), first);
        assert_ne!(digest(&["another key"], &(family.sign)("another key", post(r#"{"a":1}"#))), first);
    }
}

#[test]
fn attack_odd_headers() {
    for family in FAMILIES {
        let body = r#"{"x":1}"#;
        let value = family.value(&family.signed(body));
        let digits = value.strip_prefix(family.prefix).unwrap();
        let mixed: String =
            digits.chars().enumerate().map(|(n, c)| if n % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
        family.with(body, &format!("{}{mixed}", family.prefix)).unwrap();

        let missing = (family.verify)(&[KEY], &post(body)).unwrap_err();
        assert_eq!((missing.kind(), missing.status().as_u16()), (CredentialMissing, 401));
        let other_prefix = if family.prefix.is_empty() { format!("sha256={digits}") } else { digits.to_owned() };
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
            assert_eq!(family.with(body, &bad).unwrap_err().kind(), CredentialMalformed, "{}: {bad:?}", family.name);
        }
        let mut twice = family.signed(body);
        twice.headers_mut().append(family.header, value.parse().unwrap());
        assert_eq!((family.verify)(&[KEY], &twice).unwrap_err().kind(), CredentialMalformed);
        let nearly = format!("{}{}{}", family.prefix, if digits.starts_with('0') { '1' } else { '0' }, &digits[1..]);
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
        let error = (family.verify)(&["another key"], &family.signed("{}")).unwrap_err();
        let value = family.value(&family.signed("{}"));
        let printed = format!("{error} {error:?}");
        assert!(!printed.contains(value.strip_prefix(family.prefix).unwrap()) && !printed.contains("another key"));
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
            "{\"a\":null,\"b\":1,\"a\":null}".to_owned(),
            format!("{{{}}}", (0..257).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")),
        ] {
            assert_eq!(family.accept(body.clone()).unwrap_err().kind(), Invalid, "{}: {body}", family.name);
        }
        assert_eq!(family.accept(&b"{\"a\":\"\xff\"}"[..]).unwrap_err().kind(), Invalid);
        family
            .accept(format!("{{{}}}", (0..256).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")))
            .unwrap();
    }
    for (name, kind, body, _) in payloads() {
        let doubled = body.to_string();
        let doubled = format!(
            "{},\"{}\":1}}",
            doubled.strip_suffix('}').unwrap(),
            body.as_object().unwrap().keys().next().unwrap()
        );
        assert_eq!(family(name).accept(doubled).unwrap_err().kind(), Invalid, "{kind}");
        // A known kind of a broken shape is a 400 with serde's error.
        let mut broken = body.clone();
        let member = match name {
            "kyc" => "session_id",
            "campaign" => "campaign_id",
            "ndnc" => "complaints",
            "trunk" => "CallUUID",
            _ => "payload",
        };
        broken[member] = json!(true);
        let error = family(name).accept(broken.to_string()).unwrap_err();
        assert_eq!(error.kind(), Invalid, "{kind}");
        assert!(std::error::Error::source(&error).is_some());
    }
}

#[test]
fn attack_deep_json() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (name, ignored, typed) in [
        ("kyc", r#"{"event":"kyc.failed","metadata":$,"new":$}"#, r#"{"event":"kyc.failed","session_id":$}"#),
        ("campaign", r#"{"event":"campaign.failed","new":$}"#, r#"{"event":"campaign.failed","reason":$}"#),
        ("ndnc", r#"{"new":$}"#, r#"{"complaints":$}"#),
        ("trunk", r#"{"Event":"Hangup","Cost":$}"#, r#"{"Event":"Hangup","Duration":$}"#),
        (
            "whatsapp",
            r#"{"event_type":"message.inbound","payload":{"new":$,"entry":[{"changes":[{"value":{"contacts":$}}]}]}}"#,
            r#"{"event_type":"message.inbound","payload":{"entry":$}}"#,
        ),
    ] {
        family(name).accept(ignored.replace('$', &deep)).unwrap();
        assert_eq!(family(name).accept(typed.replace('$', &deep)).unwrap_err().kind(), Invalid, "{name}");
    }
    for family in FAMILIES.iter().filter(|family| family.name != "ndnc") {
        let unknown = format!("{{\"early\":{deep},\"{}\":\"new\",\"late\":{deep}}}", tag(family.name).unwrap());
        assert_eq!(family.accept(unknown).unwrap().kind, "unknown");
    }
}

proptest::proptest! {
    #[test]
    fn any_body_is_an_event_or_a_400(body in "[{}\\[\\]\":,a-z0-9 ]{0,40}") {
        for family in FAMILIES {
            for body in [body.clone(), format!("{{\"event\":\"kyc.failed\",{body}}}")] {
                if let Err(error) = family.accept(body) {
                    proptest::prop_assert_eq!(error.kind(), Invalid);
                }
            }
        }
    }
}
