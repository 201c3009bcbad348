//! Somebody's own provider, from the example, through the layer.

use bytes::Bytes;
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
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneService};
use tower_webhooks::{
    Covers, Rejection, RejectionKind, Verified, WebhookLayer,
    replay::{Duplicate, ReplayCheck},
};

#[allow(dead_code, reason = "its `main`")]
#[path = "../examples/custom_provider.rs"]
mod example;

use example::{GitHub, Push};

/// Secret, payload and signature of GitHub's page on validating deliveries.
const SECRET: &str = "It's a Secret to Everybody";
const HELLO: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

const PUSH: &str = r#"{"after":"6113728f"}"#;

fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize();
    format!("sha256={}", hex::encode(mac.into_bytes()))
}

fn request(signature: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post("/github").header("x-hub-signature-256", signature).body(Full::from(body)).unwrap()
}

type Route = BoxCloneService<Request<Full<Bytes>>, Response<String>, Infallible>;

/// A route that answers with what it was handed, and how often it was called.
fn route() -> (Route, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = service_fn(move |request: Request<Full<Bytes>>| {
        counter.fetch_add(1, Ordering::Relaxed);
        let event = request.extensions().get::<Verified<Push>>().unwrap().clone();
        assert!(request.headers()["x-hub-signature-256"].is_sensitive());
        assert_eq!((event.metadata().provider, event.covers()), ("github", Covers::Body));
        assert_eq!(event.metadata().checked, ReplayCheck::Local);
        async move { Ok::<_, Infallible>(Response::new(event.after.clone())) }
    });
    (BoxCloneService::new(WebhookLayer::new(GitHub::new(SECRET).unwrap()).layer(handler)), calls)
}

async fn send(route: &mut Route, request: Request<Full<Bytes>>) -> Response<String> {
    route.ready().await.unwrap().call(request).await.unwrap()
}

async fn refusal(route: &mut Route, request: Request<Full<Bytes>>) -> (StatusCode, RejectionKind) {
    let response = send(route, request).await;
    let rejection = response.extensions().get::<Rejection>().expect("refused");
    (response.status(), rejection.kind())
}

#[tokio::test]
async fn delivered_once() {
    let (mut route, calls) = route();
    assert_eq!(send(&mut route, request(&signature(SECRET, PUSH), PUSH)).await.body(), "6113728f");
    let repeat = send(&mut route, request(&signature(SECRET, PUSH).to_uppercase().replace("SHA", "sha"), PUSH)).await;
    assert_eq!((repeat.status(), repeat.body().as_str()), (StatusCode::OK, ""));
    assert!(repeat.extensions().get::<Duplicate>().is_some());
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// GitHub's own vector passes the signature; "Hello, World!" is no push event.
#[tokio::test]
async fn documented_vector() {
    assert_eq!(signature(SECRET, "Hello, World!"), HELLO);
    let (mut route, calls) = route();
    let refused = refusal(&mut route, request(HELLO, "Hello, World!")).await;
    assert_eq!(refused, (StatusCode::BAD_REQUEST, RejectionKind::Invalid));
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn attack_signatures_of_other_forms_and_keys() {
    let (mut route, calls) = route();
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
        assert_eq!(refusal(&mut route, request(&forged, PUSH)).await, (StatusCode::UNAUTHORIZED, kind), "{forged}");
    }
    let unsigned = Request::post("/github").body(Full::from(PUSH)).unwrap();
    assert_eq!(refusal(&mut route, unsigned).await.1, RejectionKind::CredentialMissing);
    let mut twice = request(&genuine, PUSH);
    twice.headers_mut().append("x-hub-signature-256", genuine.parse().unwrap());
    assert_eq!(refusal(&mut route, twice).await.1, RejectionKind::CredentialMalformed);
    assert_eq!(calls.load(Ordering::Relaxed), 0);
}

#[test]
fn attack_blank_secrets() {
    for blank in ["", " ", "secret\n"] {
        assert!(GitHub::new(blank).is_err(), "{blank:?}");
    }
}
