//! Somebody's own provider, from the example, through the layer.

use crate::support::{call, without};
use bytes::Bytes;
use example::{Event, GitHub, Issues, Push};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
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
    Covers, Rejection, RejectionKind, Verified, WebhookLayer,
    replay::{Duplicate, ReplayCheck},
};

#[allow(dead_code, reason = "its `main`")]
#[path = "../../examples/github.rs"]
mod example;

/// Secret, payload and signature of GitHub's page on validating deliveries.
const SECRET: &str = "It's a Secret to Everybody";
const HELLO: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

const PUSH: &str = r#"{"ref":"refs/heads/main","before":"0000","after":"6113728f","commits":[]}"#;

fn signature(secret: &str, body: &str) -> String {
    let mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize();
    format!("sha256={}", hex::encode(mac.into_bytes()))
}

fn request(signature: &str, event: &str, body: &'static str) -> Request<Bytes> {
    Request::post("/github")
        .header("x-hub-signature-256", signature)
        .header("x-github-event", event)
        .body(Bytes::from(body))
        .unwrap()
}

fn genuine(event: &str, body: &'static str) -> Request<Bytes> {
    request(&signature(SECRET, body), event, body)
}

type Route = BoxCloneService<Request<Full<Bytes>>, Response<String>, Infallible>;

/// A route that answers with what it was handed, and how often it was called.
fn route() -> (Route, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = service_fn(move |request: Request<Full<Bytes>>| {
        counter.fetch_add(1, Ordering::Relaxed);
        let event = request.extensions().get::<Verified<Event>>().unwrap().clone();
        assert!(request.headers()["x-hub-signature-256"].is_sensitive());
        let metadata = event.metadata();
        assert_eq!((metadata.provider, event.covers()), ("github", Covers::Body));
        assert_eq!(metadata.checked, ReplayCheck::Local);
        let answer = format!("{} {:?}", metadata.kind, *event);
        async move { Ok::<_, Infallible>(Response::new(answer)) }
    });
    (BoxCloneService::new(WebhookLayer::new(GitHub::new(SECRET).unwrap()).layer(handler)), calls)
}

async fn refusal(route: &Route, request: &Request<Bytes>) -> (StatusCode, RejectionKind) {
    let response = call(route, request).await;
    let rejection = response.extensions().get::<Rejection>().expect("refused");
    (response.status(), rejection.kind())
}

#[tokio::test]
async fn every_event_is_delivered() {
    let (route, _) = route();
    let push =
        Event::Push(Push { r#ref: "refs/heads/main".to_owned(), after: "6113728f".to_owned() });
    let strange = r#"{"action":{"of":"another shape"}}"#;
    for (name, body, kind, event) in [
        ("ping", r#"{"zen":"Speak like a human.","hook_id":30}"#, "ping", Event::Ping),
        ("push", PUSH, "push", push),
        (
            "issues",
            r#"{"action":"opened","issue":{}}"#,
            "issues",
            Event::Issues(Issues { action: "opened".to_owned() }),
        ),
        ("issues", strange, "issues", Event::Other(Bytes::from(strange))),
        (
            "star",
            r#"{"action":"created"}"#,
            "unknown",
            Event::Other(Bytes::from(r#"{"action":"created"}"#)),
        ),
    ] {
        let response = call(&route, &genuine(name, body)).await;
        assert_eq!(
            (response.status(), response.into_body()),
            (StatusCode::OK, format!("{kind} {event:?}")),
            "{name}"
        );
    }
    // GitHub's own vector.
    assert_eq!(signature(SECRET, "Hello, World!"), HELLO);
    assert_eq!(
        call(&route, &request(HELLO, "test", "Hello, World!")).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn delivered_once() {
    let (route, calls) = route();
    assert_eq!(call(&route, &genuine("push", PUSH)).await.status(), StatusCode::OK);
    let digits = signature(SECRET, PUSH).to_uppercase().replace("SHA", "sha");
    let repeat = call(&route, &request(&digits, "push", PUSH)).await;
    assert_eq!((repeat.status(), repeat.body().as_str()), (StatusCode::OK, ""));
    assert!(repeat.extensions().get::<Duplicate>().is_some());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn attack_a_captured_push_as_another_event() {
    let (route, calls) = route();
    assert_eq!(call(&route, &genuine("push", PUSH)).await.status(), StatusCode::OK);
    let conflict = (StatusCode::CONFLICT, RejectionKind::Conflict);
    for other in ["ping", "issues", "star", "Push"] {
        assert_eq!(refusal(&route, &genuine(other, PUSH)).await, conflict, "{other}");
    }
    assert!(
        call(&route, &genuine("push", PUSH)).await.extensions().get::<Duplicate>().is_some(),
        "still a repeat"
    );
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    let missing = without(genuine("push", PUSH), "x-github-event");
    assert_eq!(refusal(&route, &missing).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn attack_signatures_of_other_forms_and_keys() {
    let (route, calls) = route();
    let genuine = signature(SECRET, PUSH);
    let (prefix, digits) = genuine.split_once('=').unwrap();
    for (forged, kind) in [
        (signature("another secret", PUSH), RejectionKind::CredentialWrong),
        (signature(SECRET, r#"{"after":"f0f0f0f0"}"#), RejectionKind::CredentialWrong),
        (genuine.replace(digits, &"0".repeat(64)), RejectionKind::CredentialWrong),
        (digits.to_owned(), RejectionKind::CredentialMalformed),
        (genuine.replace(prefix, "sha1"), RejectionKind::CredentialMalformed),
        (genuine[..genuine.len() - 2].to_owned(), RejectionKind::CredentialMalformed),
        (genuine.clone() + "00", RejectionKind::CredentialMalformed),
        (genuine.clone() + "," + &genuine, RejectionKind::CredentialMalformed),
        ("sha256=".to_owned(), RejectionKind::CredentialMalformed),
        (String::new(), RejectionKind::CredentialMalformed),
    ] {
        let refused = refusal(&route, &request(&forged, "push", PUSH)).await;
        assert_eq!(refused, (StatusCode::UNAUTHORIZED, kind), "{forged}");
    }
    let unsigned =
        Request::post("/github").header("x-github-event", "push").body(Bytes::from(PUSH)).unwrap();
    assert_eq!(refusal(&route, &unsigned).await.1, RejectionKind::CredentialMissing);
    let mut twice = request(&genuine, "push", PUSH);
    twice.headers_mut().append("x-hub-signature-256", genuine.parse().unwrap());
    assert_eq!(refusal(&route, &twice).await.1, RejectionKind::CredentialMalformed);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn attack_blank_secrets() {
    for blank in ["", " ", "secret\n"] {
        assert!(GitHub::new(blank).is_err(), "{blank:?}");
    }
}
