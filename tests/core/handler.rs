//! What a handler is given, what it can say against its status, and what a refusal says.
#![cfg(feature = "full")]

use crate::support::{
    at, call,
    letterbox::{ACCEPTED, Desk, Letterbox, Scripted, Step, outcome, paid, refused},
    zegocloud::{SECRET, layer, signed},
};
use axum::{Extension, Router, body::to_bytes, response::IntoResponse, routing::post};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, request::Parts};
use http_body_util::Full;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tower::{Layer, ServiceExt, service_fn, util::MapResponseLayer};
use tower_webhooks::{
    Covers, Delivery, Provider, Rejection, RejectionKind, Signer, TestClock, Verified,
    WebhookEvent as _, WebhookLayer, geelark,
    replay::{Duplicate, ReplayedResponse, Verdict},
    stardust, vobiz, zegocloud,
};

const KEY: &str = "a key of the tests";
const ROOM: &str = r#"{"event":"room_create","room_id":"lobby"}"#;

/// An event that counts its clones.
#[derive(Debug)]
struct Letter(String, Arc<AtomicUsize>);

impl Clone for Letter {
    fn clone(&self) -> Self {
        self.1.fetch_add(1, Ordering::Relaxed);
        Self(self.0.clone(), Arc::clone(&self.1))
    }
}

/// The letterbox, with its letters in another type.
struct Opened(Arc<AtomicUsize>);

impl Provider for Opened {
    const NAME: &'static str = "opened";
    const CREDENTIALS: &'static [&'static str] = Letterbox::CREDENTIALS;
    type FromHead = ();
    type Event = Letter;

    fn check_head(&self, head: &Parts, now: SystemTime) -> Result<(), Rejection> {
        Letterbox.check_head(head, now)
    }

    fn check_body(
        &self,
        (): (),
        head: &Parts,
        body: &Bytes,
        now: SystemTime,
    ) -> Result<Delivery<Letter>, Rejection> {
        let delivery = Letterbox.check_body((), head, body, now)?;
        Ok(delivery.map(|text| Letter(text, Arc::clone(&self.0))))
    }
}

#[tokio::test]
async fn a_handler_takes_the_event_without_a_clone() {
    let clones = Arc::new(AtomicUsize::new(0));
    let take = async |event: Verified<Letter>| event.into_event().0;
    let app: Router = Router::new()
        .route("/letters", post(take).route_layer(WebhookLayer::new(Opened(Arc::clone(&clones)))));
    let response =
        app.oneshot(paid().body(axum::body::Body::from("hello")).unwrap()).await.unwrap();
    assert_eq!(to_bytes(response.into_body(), 1024).await.unwrap(), "hello");
    assert_eq!(clones.load(Ordering::Relaxed), 0);

    let event = Verified::test(Letter("shared".to_owned(), Arc::clone(&clones))).build();
    let other = event.clone();
    assert_eq!(event.into_event().0, "shared");
    assert_eq!((clones.load(Ordering::Relaxed), other.0.as_str()), (1, "shared"));
}

#[tokio::test]
async fn a_delivery_has_the_key_of_its_event() {
    let desk = Desk::default();
    let request = signed("/zego", r#"{"event":"room_create","room_session_id":"s-1"}"#);
    assert_eq!(outcome(&call(&layer().layer(desk.clone()), &request).await), ACCEPTED);
    let request = desk.only();
    let event = request.extensions().get::<Verified<zegocloud::Event>>().unwrap();
    assert_eq!(event.dedup_key().as_deref(), Some(r#"["room_create","s-1"]"#));
    assert_eq!(event.dedup_key(), event.clone().into_event().dedup_key());
}

#[test]
fn a_test_says_what_the_layer_would_have_learnt() {
    let plain = Verified::test(7).build();
    let metadata = plain.metadata();
    assert_eq!(
        (metadata.attempt, metadata.key_index, plain.covers(), plain.kind()),
        (1, 0, Covers::Nothing, "test")
    );
    assert!(plain.body().is_empty() && metadata.signed_at.is_none());

    let at = at(1);
    let event = Verified::test(7)
        .attempt(3)
        .covers(Covers::Body)
        .key_index(1)
        .body("seven")
        .signed_at(at)
        .kind("number");
    let event = event.build();
    let metadata = event.metadata();
    assert_eq!(
        (metadata.attempt, metadata.key_index, event.covers(), event.kind()),
        (3, 1, Covers::Body, "number")
    );
    assert_eq!((&event.body()[..], metadata.signed_at, *event), (&b"seven"[..], Some(at), 7));
}

#[tokio::test]
async fn every_signer_posts() {
    async fn posts<P: Provider>(provider: P, signer: impl Signer) {
        let (desk, layer) = (Desk::default(), WebhookLayer::new(provider));
        let app = layer.layer(desk.clone());
        let response = signer.post(&app, "/hook?x=1", br#"{"event":"x"}"#).await.unwrap();
        assert_eq!(outcome(&response), ACCEPTED, "{}", P::NAME);
        let request = desk.only();
        assert_eq!(request.headers()["content-type"], "application/json");
        assert!(request.extensions().get::<Verified<P::Event>>().is_some());
        assert!(signer.post(&app, "no path", "{}").await.is_err());
    }
    posts(geelark::GeeLark::new(KEY, KEY).unwrap(), geelark::Signer::new(KEY, KEY).unwrap()).await;
    posts(geelark::GeeLarkToken::new(KEY).unwrap(), geelark::TokenSigner::new(KEY).unwrap()).await;
    posts(stardust::Stardust::new(KEY, KEY).unwrap(), stardust::Signer::new(KEY, KEY).unwrap())
        .await;
    posts(stardust::StardustKeyOnly::new(KEY).unwrap(), stardust::KeyOnlySigner::new(KEY).unwrap())
        .await;
    let origin = "https://hooks.example.com";
    posts(
        vobiz::voice::Voice::new(KEY, origin).unwrap(),
        vobiz::voice::Signer::new(KEY, origin).unwrap(),
    )
    .await;
    posts(vobiz::kyc::Kyc::new(KEY).unwrap(), vobiz::kyc::Signer::new(KEY).unwrap()).await;
    posts(vobiz::campaign::Campaign::new(KEY).unwrap(), vobiz::campaign::Signer::new(KEY).unwrap())
        .await;
    posts(vobiz::ndnc::Ndnc::new(KEY).unwrap(), vobiz::ndnc::Signer::new(KEY).unwrap()).await;
    posts(vobiz::trunk::Trunk::new(KEY).unwrap(), vobiz::trunk::Signer::new(KEY).unwrap()).await;
    posts(vobiz::whatsapp::Whatsapp::new(KEY).unwrap(), vobiz::whatsapp::Signer::new(KEY).unwrap())
        .await;
    posts(zegocloud::Zegocloud::new(KEY).unwrap(), zegocloud::Signer::new(KEY).unwrap()).await;
}

/// The answers to one delivery that is sent three times, each with the attempt, or `None` where the
/// handler was not called.
async fn thrice(status: u16, verdict: Option<Verdict>) -> Vec<(u16, Option<u32>)> {
    let (layer, request) = (layer(), signed("/zego", ROOM));
    let mut answers = Vec::new();
    for _ in 0..3 {
        let service = layer.layer(service_fn(move |request: Request<Full<Bytes>>| async move {
            let attempt = request
                .extensions()
                .get::<Verified<zegocloud::Event>>()
                .unwrap()
                .metadata()
                .attempt;
            let mut response = Response::new(Some(attempt));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(verdict) = verdict {
                response.extensions_mut().insert(verdict);
            }
            Ok::<_, Infallible>(response)
        }));
        let response = call(&service, &request).await;
        assert_eq!(response.extensions().get::<Duplicate>().is_some(), response.body().is_none());
        answers.push((response.status().as_u16(), response.into_body()));
    }
    answers
}

#[tokio::test]
async fn a_handler_s_verdict_counts_against_its_status() {
    assert_eq!(thrice(500, None).await, [(500, Some(1)), (500, Some(2)), (500, Some(3))]);
    assert_eq!(thrice(500, Some(Verdict::Done)).await, [(500, Some(1)), (200, None), (200, None)]);
    assert_eq!(
        thrice(200, Some(Verdict::Failed)).await,
        [(200, Some(1)), (200, Some(2)), (200, Some(3))]
    );
    assert_eq!(thrice(500, Some(Verdict::Failed)).await, thrice(500, None).await);
    assert_eq!(thrice(200, Some(Verdict::Done)).await, thrice(200, None).await);
}

#[tokio::test]
async fn a_repeat_gets_the_status_of_the_kept_answer() {
    let kept = || ReplayedResponse::new(HeaderValue::from_static("text/plain"), "kept");
    for (status, verdict) in
        [(StatusCode::ACCEPTED, None), (StatusCode::BAD_GATEWAY, Some(Extension(Verdict::Done)))]
    {
        let answer = move || async move { (status, verdict, kept()).into_response() };
        let app: Router = Router::new().route("/zego", post(answer).route_layer(layer()));
        let restored = app.clone().layer(MapResponseLayer::new(ReplayedResponse::restore));
        let request = signed("/zego", ROOM);
        for times in 0..3 {
            let response = call(&restored, &request).await;
            assert_eq!(
                (response.status(), times > 0),
                (status, response.extensions().get::<Duplicate>().is_some())
            );
            assert_eq!(to_bytes(response.into_body(), 1024).await.unwrap(), "kept");
        }
        // Without `restore` it is the status alone.
        let response = call(&app, &request).await;
        assert_eq!(response.status(), status);
        assert!(to_bytes(response.into_body(), 1024).await.unwrap().is_empty());
    }
    let alone = kept().with_status(StatusCode::CREATED).into_response();
    assert_eq!(alone.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_refusal_names_its_provider_and_its_age() {
    let clock = TestClock::at(at(1_700_000_000));
    let request = Request::post("/zego").body(Bytes::from(ROOM)).unwrap();
    let request = zegocloud::Signer::new(SECRET).unwrap().sign(request, clock.now());
    let layer = layer().clock(clock.clone());
    let refusal = async |request: &Request<Bytes>| {
        let response = call(&layer.layer(Desk::default()), request).await;
        response.extensions().get::<Rejection>().unwrap().clone()
    };
    for (clock_at, age) in [(1_700_000_412, 412_000), (1_699_999_920, -80_000)] {
        clock.set(at(clock_at));
        let by_hand =
            zegocloud::Zegocloud::new(SECRET).unwrap().verify(&request, clock.now()).unwrap_err();
        for stale in [refusal(&request).await, by_hand] {
            assert_eq!((stale.kind(), stale.provider()), (RejectionKind::Stale, Some("zegocloud")));
            assert_eq!(stale.age().unwrap().as_millis(), age);
        }
    }
    let mut refused_by_its_head = request.clone();
    *refused_by_its_head.method_mut() = http::Method::PUT;
    let rejection = refusal(&refused_by_its_head).await;
    assert_eq!((rejection.provider(), rejection.age()), (Some("zegocloud"), None));
    assert_eq!(Rejection::new(RejectionKind::Stale).provider(), None);
}

/// A body that is held open: its head was fresh, and what is refused in the end has the age of the
/// end.
#[tokio::test]
async fn a_body_that_comes_too_late_has_an_age() {
    let clock = TestClock::at(at(1_700_000_000));
    let request = Request::post("/geelark").body(Bytes::from(r#"{"type":6}"#)).unwrap();
    let (head, body) =
        geelark::Signer::new(KEY, KEY).unwrap().sign(request, clock.now()).into_parts();
    let (body, _) = Scripted::new([Step::Pending, Step::Data(body)]);
    let layer = WebhookLayer::new(geelark::GeeLark::new(KEY, KEY).unwrap()).clock(clock.clone());
    let mut response = tokio_test::task::spawn(
        layer.layer(Desk::default()).oneshot(Request::from_parts(head, body)),
    );
    assert!(response.poll().is_pending());
    clock.advance(Duration::from_millis(300_500));
    let response = response.await.unwrap();
    assert_eq!(outcome(&response), refused(RejectionKind::Stale));
    assert_eq!(
        response.extensions().get::<Rejection>().unwrap().age().unwrap().to_string(),
        "300.5 s"
    );
}
