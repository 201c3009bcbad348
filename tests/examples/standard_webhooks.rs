//! The Standard Webhooks example: the reference libraries' vectors, and what the layer makes of its
//! identity.

use crate::support::{at, call, letterbox::outcome, vectors_of, with, without};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use example::{Message, StandardWebhooks};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response};
use http_body_util::Full;
use serde::Deserialize;
use sha2::Sha256;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tower::{Layer, service_fn, util::BoxCloneService};
use tower_webhooks::{
    Covers, Delivery, Provider, RejectionKind, TestClock, Verified, WebhookLayer, replay::Duplicate,
};

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/standard_webhooks.rs"]
mod example;

#[derive(Deserialize)]
struct Vector {
    secret: String,
    id: String,
    timestamp: u64,
    payload: String,
    signature: String,
    /// Others that the header holds with it.
    beside: Vec<String>,
    refused: Vec<String>,
}

fn request(id: &str, timestamp: impl ToString, signatures: &str, body: &str) -> Request<Bytes> {
    Request::post("/hooks")
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp.to_string())
        .header("webhook-signature", signatures)
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

fn sign(secret: &str, id: &str, timestamp: impl ToString, body: &str) -> String {
    let key = BASE64.decode(secret).unwrap();
    let signed = format!("{id}.{}.{body}", timestamp.to_string());
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed).finalize();
    format!("v1,{}", BASE64.encode(mac.into_bytes()))
}

fn genuine(secret: &str, id: &str, timestamp: u64, body: &str) -> Request<Bytes> {
    request(id, timestamp, &sign(secret, id, timestamp, body), body)
}

fn verify(
    sender: &StandardWebhooks,
    request: &Request<Bytes>,
    now: u64,
) -> Result<Delivery<Message>, RejectionKind> {
    sender.verify(request, at(now)).map_err(|rejection| rejection.kind())
}

#[test]
fn vectors_of_the_reference_libraries() {
    let vectors = vectors_of("standard_webhooks", "vectors");
    assert_eq!(vectors.len(), 2);
    for Vector { secret, id, timestamp, payload, signature, beside, refused } in vectors {
        for secret in [secret.as_str(), secret.strip_prefix("whsec_").unwrap()] {
            let sender = StandardWebhooks::new(secret).unwrap();
            let alone = request(&id, timestamp, &signature, &payload);
            let delivery = verify(&sender, &alone, timestamp).unwrap();
            assert_eq!((delivery.covers(), delivery.proof().key_index), (Covers::Body, 0));
            assert_eq!(delivery.proof().signed_at, Some(at(timestamp)));
            assert_eq!(
                (delivery.event().id.as_str(), &delivery.event().payload),
                (id.as_str(), alone.body())
            );

            let list =
                [&beside[..2], std::slice::from_ref(&signature), &beside[2..]].concat().join(" ");
            assert!(verify(&sender, &request(&id, timestamp, &list, &payload), timestamp).is_ok());
            for none in [
                &beside.join(" "),
                "v1a,g0hM9SsE v2,AAAA",
                "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ] {
                assert!(
                    verify(&sender, &request(&id, timestamp, none, &payload), timestamp).is_err(),
                    "{none}"
                );
            }
            for wrong in &refused {
                assert!(
                    verify(&sender, &request(&id, timestamp, wrong, &payload), timestamp).is_err(),
                    "{wrong}"
                );
            }
            for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
                assert_eq!(
                    verify(&sender, &without(alone.clone(), name), timestamp).unwrap_err(),
                    RejectionKind::CredentialMissing
                );
                let mut twice = alone.clone();
                twice.headers_mut().append(name, alone.headers()[name].clone());
                assert_eq!(
                    verify(&sender, &twice, timestamp).unwrap_err(),
                    RejectionKind::CredentialMalformed
                );
            }
            for (now, fresh) in
                [(timestamp + 300, true), (timestamp + 301, false), (timestamp - 60, true)]
            {
                assert_eq!(verify(&sender, &alone, now).is_ok(), fresh, "{now}");
            }
            assert_eq!(verify(&sender, &alone, timestamp - 61).unwrap_err(), RejectionKind::Stale);
        }
    }
}

#[test]
fn the_kind_is_the_payloads_type() {
    let sender = StandardWebhooks::new(NEW).unwrap();
    for (body, kind) in [
        (
            r#"{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{}}"#,
            "contact.created",
        ),
        (r#"{"type":1}"#, "unknown"),
        ("[]", "unknown"),
        ("not JSON", "unknown"),
        ("", "unknown"),
    ] {
        assert_eq!(
            verify(&sender, &genuine(NEW, "msg_1", NOW, body), NOW).unwrap().kind(),
            kind,
            "{body}"
        );
    }
}

#[test]
fn attack_spellings_and_shifted_boundaries() {
    let sender = StandardWebhooks::new(NEW).unwrap();
    let malformed = |request: &Request<Bytes>| {
        assert_eq!(
            verify(&sender, request, NOW).unwrap_err(),
            RejectionKind::CredentialMalformed,
            "{request:?}"
        );
    };
    for id in ["msg.1", ".", "msg_1.1700000000"] {
        malformed(&genuine(NEW, id, NOW, "{}"));
    }
    for time in [
        "+1700000000",
        "01700000000",
        "1700000000.0",
        "1700000000000",
        "1_700_000_000",
        "-1",
        "hello",
        "١٧",
    ] {
        let mac = sign(NEW, "msg_1", time, "{}");
        malformed(&with(request("msg_1", NOW, &mac, "{}"), "webhook-timestamp", time));
    }
    // `msg_1.1700000000.{}`, cut in another place, and the same signature in another spelling.
    let mac = sign(NEW, "msg_1", NOW, "{}");
    malformed(&request("msg_1.1700000000", "1700000000", &mac, ""));
    let unpadded = mac.trim_end_matches('=');
    for other in
        [unpadded, &mac.replace("v1,", "V1,"), &mac.replace("v1,", "v1, "), &format!("{mac}=")]
    {
        malformed(&request("msg_1", NOW, other, "{}"));
    }
}

#[test]
fn attack_secrets_that_are_none() {
    for secret in [
        "",
        "whsec_",
        " ",
        "whsec_c2hvcnQ=",
        "not base64 at all, but as long",
        &format!("{NEW}\n"),
        &NEW[..30],
    ] {
        assert!(StandardWebhooks::new(secret).is_err(), "{secret:?}");
    }
    assert!(StandardWebhooks::new(&BASE64.encode([7; 64])).is_ok());
    assert!(StandardWebhooks::new(&BASE64.encode([7; 65])).is_err());
}

#[test]
fn a_rotation_says_which_key_it_was() {
    let sender = StandardWebhooks::new(NEW).unwrap().also_accept(OLD).unwrap();
    let key_of = |signatures: &[String]| {
        let request = request("msg_1", NOW, &signatures.join(" "), "{}");
        let delivery = verify(&sender, &request, NOW)?;
        Ok::<_, RejectionKind>((
            delivery.proof().key_index,
            delivery.proof().identity.as_ref().unwrap().digest(),
        ))
    };
    let (new, old) = (sign(NEW, "msg_1", NOW, "{}"), sign(OLD, "msg_1", NOW, "{}"));
    let (by_new, identity) = key_of(std::slice::from_ref(&new)).unwrap();
    assert_eq!(by_new, 0);
    assert_eq!(key_of(std::slice::from_ref(&old)).unwrap(), (1, identity), "the same delivery");
    assert_eq!(key_of(&[old, new]).unwrap(), (0, identity));
    let other = StandardWebhooks::new(OLD).unwrap();
    let tenant = verify(&other, &genuine(OLD, "msg_1", NOW, "{}"), NOW).unwrap();
    assert_ne!(tenant.proof().identity.as_ref().unwrap().digest(), identity, "another tenant's");
}

type Route = BoxCloneService<Request<Full<Bytes>>, Response<String>, Infallible>;

/// A route, the clock that it reads, and how often its handler was called.
fn route(sender: StandardWebhooks) -> (Route, TestClock, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = service_fn(move |request: Request<Full<Bytes>>| {
        assert!(request.headers()["webhook-signature"].is_sensitive());
        let id = request.extensions().get::<Verified<Message>>().unwrap().id.clone();
        counter.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, Infallible>(Response::new(id)) }
    });
    let clock = TestClock::at(at(NOW));
    let layer = WebhookLayer::new(sender).clock(clock.clone());
    (BoxCloneService::new(layer.layer(handler)), clock, calls)
}

async fn answer(route: &Route, request: &Request<Bytes>) -> (u16, Option<RejectionKind>, bool) {
    let response = call(route, request).await;
    let (status, kind) = outcome(&response);
    (status, kind, response.extensions().get::<Duplicate>().is_some())
}

#[tokio::test]
async fn a_retry_that_is_signed_anew_is_a_repeat() {
    let (route, clock, calls) =
        route(StandardWebhooks::new(NEW).unwrap().also_accept(OLD).unwrap());
    assert_eq!(answer(&route, &genuine(OLD, "msg_1", NOW, "{}")).await, (200, None, false));
    for (later, secret) in [(5, OLD), (305, NEW), (2105, NEW)] {
        clock.set(at(NOW + later));
        assert_eq!(
            answer(&route, &genuine(secret, "msg_1", NOW + later, "{}")).await,
            (200, None, true),
            "{later}"
        );
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // An id belongs to its first content, and another id is another delivery.
    let (status, kind, _) = answer(&route, &genuine(NEW, "msg_1", NOW + 2105, "[]")).await;
    assert_eq!((status, kind), (409, Some(RejectionKind::Conflict)));
    assert_eq!(answer(&route, &genuine(NEW, "msg_2", NOW + 2105, "{}")).await, (200, None, false));
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn attack_a_captured_request_is_worth_nothing() {
    let (route, clock, calls) = route(StandardWebhooks::new(NEW).unwrap());
    let captured = genuine(NEW, "msg_1", NOW, "{}");
    assert_eq!(answer(&route, &captured).await, (200, None, false));
    assert_eq!(answer(&route, &captured).await, (200, None, true));
    for (name, value) in [("webhook-id", "msg_2"), ("webhook-timestamp", "1700000001")] {
        let changed = with(captured.clone(), name, value);
        assert_eq!(
            answer(&route, &changed).await,
            (401, Some(RejectionKind::CredentialWrong), false),
            "{name}"
        );
    }
    clock.set(at(NOW + 301));
    assert_eq!(answer(&route, &captured).await, (401, Some(RejectionKind::Stale), false));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

const NOW: u64 = 1_700_000_000;
const NEW: &str = "bmV3IHNlY3JldCBvZiB0d2VudHktZm91cg==";
const OLD: &str = "b2xkIHNlY3JldCBvZiB0d2VudHktZm91cg==";
