//! The guard in the layer: what a repeat, a conflict, a failure and a vanished client lead to.
#![cfg(feature = "zegocloud")]

use super::handler::{Handler, is_repeat, send};
use crate::support::{
    closed::Closed,
    zegocloud::{SECRET, layer, pair, signed},
};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, SystemTime},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhooks::{
    Rejection, RejectionKind, Signer as _, TestClock, WebhookLayer, Window,
    replay::{
        Claim, Claimed, Duplicate, MemoryStore, OutagePolicy, Outcome, ReplayCheck, ReplayStore,
        ReplayedResponse, StoreError,
    },
    zegocloud::{Event, Signer, Zegocloud},
};

fn kind(response: &Response<String>) -> RejectionKind {
    response.extensions().get::<Rejection>().expect("refused").kind()
}

#[tokio::test]
async fn attack_body_swapped_under_a_used_signature() {
    let (layer, handler) = (layer(), Handler::default());
    let (first, second) = pair();
    send(&layer, &handler, &first).await;
    assert_eq!(kind(&send(&layer, &handler, &second).await), RejectionKind::Conflict);
    for change in ["path", "query", "content type", "method"] {
        let mut request = first.clone();
        match change {
            "path" => *request.uri_mut() = "/other".parse().unwrap(),
            "query" => *request.uri_mut() = format!("{}?x=1", first.uri()).parse().unwrap(),
            "content type" => drop(
                request
                    .headers_mut()
                    .insert("content-type", HeaderValue::from_static("text/plain")),
            ),
            _ => *request.method_mut() = http::Method::PUT,
        }
        let response = send(&layer, &handler, &request).await;
        match change {
            "method" => assert_eq!(kind(&response), RejectionKind::MethodNotAllowed),
            "path" => assert_eq!(kind(&response), RejectionKind::Conflict),
            // No event is made of these: a retry may come with `?attempt=2`.
            _ => assert!(response.extensions().get::<Duplicate>().is_some(), "{change}"),
        }
    }
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn a_failure_lets_the_retry_through_and_nothing_else() {
    for failure in [500, 503, 404, 302, 100] {
        let (layer, handler) = (layer(), Handler::answering(&[failure, failure]));
        let (request, forged) = pair();
        assert_eq!(send(&layer, &handler, &request).await.status(), failure);
        // Attack: race the sender's retry with another body.
        assert_eq!(kind(&send(&layer, &handler, &forged).await), RejectionKind::Conflict);
        assert_eq!(send(&layer, &handler, &request).await.status(), failure);
        assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
        assert!(is_repeat(&send(&layer, &handler, &request).await));
        assert_eq!(handler.attempts(), [1, 2, 3]);
    }
    for success in [200, 201, 204, 299] {
        let (layer, handler) = (layer(), Handler::answering(&[success]));
        let (request, _) = pair();
        send(&layer, &handler, &request).await;
        assert_eq!(send(&layer, &handler, &request).await.status(), 200);
        assert_eq!(handler.calls(), 1, "{success}");
    }
}

#[tokio::test]
async fn in_flight_is_409_with_retry_after() {
    let layer = layer();
    let (request, forged) = pair();
    let service = layer.layer(service_fn(|_: Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<String>, Infallible>>()
    }));
    let mut first = Box::pin(service.oneshot(request.clone().map(Full::new)));
    assert!(poll_once(first.as_mut()).await.is_none());

    let handler = Handler::default();
    let response = send(&layer, &handler, &request).await;
    assert_eq!((response.status().as_u16(), kind(&response)), (409, RejectionKind::InFlight));
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(kind(&send(&layer, &handler, &forged).await), RejectionKind::Conflict);
    assert_eq!(handler.calls(), 0);

    drop(first);
    assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
    assert_eq!(handler.attempts(), [2]);
}

async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|cx| {
        Poll::Ready(match future.as_mut().poll(cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_128_contenders() {
    for _ in 0..20 {
        let (layer, handler) = (layer(), Handler::default());
        let (request, forged) = pair();
        let contenders: Vec<_> = (0..128)
            .map(|number| {
                let (layer, handler) = (layer.clone(), handler.clone());
                let request = if number % 2 == 0 { request.clone() } else { forged.clone() };
                tokio::spawn(
                    async move { send(&layer, &handler, &request).await.status().as_u16() },
                )
            })
            .collect();
        for contender in contenders {
            assert!(matches!(contender.await.unwrap(), 200 | 409));
        }
        assert_eq!(handler.calls(), 1);
    }
}

#[tokio::test]
async fn attack_capture_replayed_on_another_route_with_the_same_secret() {
    let store = MemoryStore::new();
    let (rooms, streams) = (layer().local_store(store.clone()), layer().local_store(store));
    let handler = Handler::default();
    let (mut request, _) = pair();
    send(&rooms, &handler, &request).await;
    *request.uri_mut() = "/streams".parse().unwrap();
    assert_eq!(kind(&send(&streams, &handler, &request).await), RejectionKind::Conflict);
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn attack_signature_spelled_differently() {
    let (layer, handler) = (layer(), Handler::default());
    let body = r#"{"event":"room_close","timestamp":"TS","nonce":"1-2-3","signature":"SIG"}"#;
    let now = SystemTime::now();
    let stamp = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().to_string();
    let signature = Signer::new(SECRET).unwrap().signature(&stamp, "1-2-3");
    let spelled = |signature: &str| {
        let body = body.replace("TS", &stamp).replace("SIG", signature);
        Request::post("/zego").body(Bytes::from(body)).unwrap()
    };
    assert_eq!(send(&layer, &handler, &spelled(&signature)).await.body(), "handled");
    let upper = send(&layer, &handler, &spelled(&signature.to_uppercase())).await;
    assert_eq!(kind(&upper), RejectionKind::Conflict);
    assert_eq!(handler.calls(), 1);
}

/// Row 4: the same hashed text, cut elsewhere, stays used for as long as any cut of it would be
/// fresh.
#[tokio::test]
async fn attack_boundary_shift_after_the_window() {
    for (first, second) in [
        (("1687981272", "7254119327986670314"), ("1687981272725", "4119327986670314")),
        // The nonce holds a date 20 days ahead of the timestamp.
        (("1687981272", "1689709272"), ("1689709272", "1687981272")),
    ] {
        let (first_at, second_at) = (stamp(first.0), stamp(second.0));
        let signer = Signer::new(SECRET).unwrap();
        let signature = signer.signature(first.0, first.1);
        assert_eq!(signature, signer.signature(second.0, second.1), "one signature for both cuts");
        let request = |(timestamp, nonce): (&str, &str)| {
            let body = format!(
                r#"{{"event":"room_close","timestamp":"{timestamp}","nonce":"{nonce}","signature":"{signature}"}}"#
            );
            Request::post("/zego").body(Bytes::from(body)).unwrap()
        };

        let clock = TestClock::at(first_at);
        let store = MemoryStore::with_capacity(1).unwrap().clock(clock.clone());
        let layer = layer().clock(clock.clone()).local_store(store.clone());
        let handler = Handler::default();
        assert_eq!(send(&layer, &handler, &request(first)).await.body(), "handled");
        for late in [-60, 0, 299] {
            let time = if late < 0 {
                second_at - Duration::from_secs(60)
            } else {
                second_at + Duration::from_secs(late as u64)
            };
            if time < first_at {
                continue;
            }
            clock.set(time);
            let response = send(&layer, &handler, &request(second)).await;
            assert_eq!(kind(&response), RejectionKind::Conflict, "{first:?} {late}");
        }
        clock.set(second_at + Duration::from_secs(302));
        assert_eq!(kind(&send(&layer, &handler, &request(second)).await), RejectionKind::Stale);
        assert_eq!(handler.calls(), 1);
        // And it is not kept for ever, though one of its cuts is a date in 2265.
        clock.set(first_at + Duration::from_secs(31 * 24 * 3600));
        let fresh = Request::post("/zego").body(Bytes::from(r#"{"event":"room_close"}"#)).unwrap();
        let fresh = signer.sign(fresh, clock.now());
        assert_eq!(
            send(&layer, &handler, &fresh).await.body(),
            "handled",
            "the store's only place is free again"
        );
        assert_eq!(store.len(), 1);
    }
}

/// Two secrets of a rotation can fit one hashed text, so one signature is right under both.
#[tokio::test]
async fn attack_boundary_shift_into_another_secret() {
    let (long, short) = ("999SeCrEt-of-a-project", "SeCrEt-of-a-project");
    let ((stamp_of_long, nonce_of_long), (stamp_of_short, nonce_of_short)) =
        (("1790000000", "0555"), ("1790000000999", "0555"));
    let signature = Signer::new(long).unwrap().signature(stamp_of_long, nonce_of_long);
    assert_eq!(signature, Signer::new(short).unwrap().signature(stamp_of_short, nonce_of_short));
    let request = |timestamp: &str, nonce: &str, room: &str| {
        let body = format!(
            r#"{{"event":"room_close","room_id":"{room}","timestamp":"{timestamp}","nonce":"{nonce}","signature":"{signature}"}}"#
        );
        Request::post("/zego").body(Bytes::from(body)).unwrap()
    };
    for (first, second) in [(long, short), (short, long)] {
        let clock = TestClock::at(stamp("1790000001"));
        let layer = WebhookLayer::new(Zegocloud::new(first).unwrap().also_accept(second).unwrap())
            .clock(clock);
        let handler = Handler::default();
        let genuine = request(stamp_of_long, nonce_of_long, "1");
        assert_eq!(send(&layer, &handler, &genuine).await.body(), "handled");
        let forged = request(stamp_of_short, nonce_of_short, "2");
        assert_eq!(
            kind(&send(&layer, &handler, &forged).await),
            RejectionKind::Conflict,
            "{first}"
        );
        assert_eq!(handler.calls(), 1);
    }
    // And it is used for as long as it fits any of the secrets: here for 20 days under the other
    // one.
    let (ahead, text) = ("1791728000", "SeCrEt");
    let signer = Signer::new(format!("{ahead}{text}")).unwrap();
    let signature = signer.signature("1790000000", "0");
    assert_eq!(signature, Signer::new(text).unwrap().signature(ahead, "01790000000"));
    let body = |timestamp: &str, nonce: &str| {
        let body = format!(
            r#"{{"event":"room_close","timestamp":"{timestamp}","nonce":"{nonce}","signature":"{signature}"}}"#
        );
        Request::post("/zego").body(Bytes::from(body)).unwrap()
    };
    let clock = TestClock::at(stamp("1790000001"));
    let both = Zegocloud::new(format!("{ahead}{text}")).unwrap().also_accept(text).unwrap();
    let layer = WebhookLayer::new(both)
        .clock(clock.clone())
        .local_store(MemoryStore::new().clock(clock.clone()));
    let handler = Handler::default();
    assert_eq!(send(&layer, &handler, &body("1790000000", "0")).await.body(), "handled");
    clock.set(stamp(ahead));
    let forged = send(&layer, &handler, &body(ahead, "01790000000")).await;
    assert_eq!(kind(&forged), RejectionKind::Conflict);
    assert_eq!(handler.calls(), 1);
}

fn stamp(digits: &str) -> SystemTime {
    let number: u64 = digits.parse().unwrap();
    let millis = if digits.len() == 13 { number } else { number * 1000 };
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

#[tokio::test]
async fn a_claim_outlives_a_wide_window() {
    let clock = TestClock::at(SystemTime::now());
    let window = Window::new(Duration::from_secs(25 * 3600), Duration::from_secs(60)).unwrap();
    let layer = WebhookLayer::new(Zegocloud::new(SECRET).unwrap().window(window))
        .clock(clock.clone())
        .local_store(MemoryStore::new().clock(clock.clone()));
    let handler = Handler::default();
    let request = Request::post("/zego").body(Bytes::from(r#"{"event":"room_close"}"#)).unwrap();
    let request = Signer::new(SECRET).unwrap().sign(request, clock.now());
    send(&layer, &handler, &request).await;
    clock.advance(Duration::from_secs(25 * 3600 - 5));
    assert!(is_repeat(&send(&layer, &handler, &request).await));
    clock.advance(Duration::from_secs(10));
    assert_eq!(kind(&send(&layer, &handler, &request).await), RejectionKind::Stale);
    assert_eq!(handler.calls(), 1);
}

#[tokio::test]
async fn attack_store_flooded_by_invalid_requests() {
    let store = MemoryStore::new();
    // A claim that is made and withdrawn leaves nothing in the store, but is called for.
    let layer = layer().local_store(store.clone());
    let handler = Handler::default();
    let genuine =
        String::from_utf8(signed("/zego", r#"{"event":"room_create"}"#).into_body().to_vec())
            .unwrap();
    for number in 0..1000 {
        let body = match number % 4 {
            0 => "{}".to_owned(),
            1 => genuine.replace("signature\":\"", "signature\":\"0"),
            2 => genuine.replace("nonce\":\"", "nonce\":\"0"),
            _ => format!("{number}"),
        };
        let request = Request::post("/zego").body(Bytes::from(body)).unwrap();
        assert!(send(&layer, &handler, &request).await.status().is_client_error());
    }
    assert_eq!((store.len(), handler.calls()), (0, 0));
    // Neither does what holds a signature and is no JSON.
    let broken = signed("/zego", r#"{"event":"room_create","room_session_id":{}"#);
    assert_eq!(kind(&send(&layer, &handler, &broken).await), RejectionKind::Invalid);
    assert_eq!(store.len(), 0);
}

#[tokio::test]
async fn attack_store_flooded_by_valid_requests() {
    let store = MemoryStore::with_capacity(100).unwrap();
    let layer = layer().local_store(store.clone());
    let handler = Handler::default();
    let requests: Vec<_> = (0..1000).map(|_| pair().0).collect();
    for (number, request) in requests.iter().enumerate() {
        let response = send(&layer, &handler, request).await;
        if number < 100 {
            assert_eq!(response.body(), "handled");
        } else {
            assert_eq!(
                (response.status().as_u16(), kind(&response)),
                (503, RejectionKind::StoreFull)
            );
            assert!(response.headers().contains_key("retry-after"));
        }
    }
    for request in &requests[..100] {
        assert!(
            send(&layer, &handler, request).await.extensions().get::<Duplicate>().is_some(),
            "nothing live is gone"
        );
    }
    assert_eq!(handler.calls(), 100);
}

#[tokio::test]
async fn the_guard_goes_by_a_name_that_says_so() {
    let layer = layer().dangerous_without_replay_guard();
    let handler = Handler::default();
    let (request, _) = pair();
    for _ in 0..3 {
        assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
    }
    assert_eq!(handler.checks(), [(1, ReplayCheck::Unguarded); 3]);
}

#[test]
fn a_layer_says_whether_its_store_is_shared() {
    for (layer, shared) in [(layer(), false), (layer().shared_store(Shared::default()), true)] {
        let said = format!("{layer:?}");
        assert!(said.contains(&format!("shared: {shared}")), "{said}");
    }
}

#[tokio::test]
async fn an_answer_is_repeated_up_to_its_limit() {
    let raised = layer().replayed_body_limit(10_000);
    let lowered = raised.clone().replayed_body_limit(11);
    for (layer, limit) in
        [(layer(), 4096), (raised, 10_000), (lowered, 11), (layer().replayed_body_limit(0), 0)]
    {
        let exact: Vec<_> = b"<Response/>".iter().copied().cycle().take(limit).collect();
        for (body, kept) in [(exact.clone(), true), ([&exact[..], b"x"].concat(), false)] {
            let (request, forged) = pair();
            for turn in 0..3 {
                let response = answered(&layer, &body, &request).await;
                let answer = response.extensions().get::<ReplayedResponse>();
                assert_eq!(answer.is_some(), turn == 0 || kept, "{limit}");
                assert!(answer.is_none_or(|answer| answer.body == body));
            }
            let response = answered(&layer, &body, &forged).await;
            assert!(
                response.extensions().get::<ReplayedResponse>().is_none(),
                "a conflict learns nothing"
            );
        }
    }
}

/// The answer, which the handler wants to be kept.
async fn answered(
    layer: &WebhookLayer<Zegocloud>,
    body: &[u8],
    request: &Request<Bytes>,
) -> Response<String> {
    let answer = ReplayedResponse::new(HeaderValue::from_static("application/xml"), body.to_vec());
    let service = layer.layer(service_fn(move |_: Request<Full<Bytes>>| {
        let mut response = Response::new("handled".to_owned());
        *response.status_mut() = StatusCode::ACCEPTED;
        response.extensions_mut().insert(answer.clone());
        async { Ok::<_, Infallible>(response) }
    }));
    service.oneshot(request.clone().map(Full::new)).await.unwrap()
}

/// Another process has it from the shared store, and then knows it itself.
#[tokio::test]
async fn an_answer_is_kept_for_all_processes() {
    let store = Shared::default();
    let processes = [(); 2].map(|()| layer().shared_store(store.clone()));
    let (request, _) = pair();
    assert_eq!(answered(&processes[0], b"kept", &request).await.body(), "handled");
    for layer in [&processes[1], &processes[1], &processes[0]] {
        let repeat = answered(layer, b"of no call", &request).await;
        assert!(repeat.extensions().get::<Duplicate>().is_some());
        assert_eq!(repeat.body(), "");
        let kept = ReplayedResponse::new(HeaderValue::from_static("application/xml"), "kept");
        let kept = kept.with_status(StatusCode::ACCEPTED);
        assert_eq!(repeat.extensions().get::<ReplayedResponse>(), Some(&kept));
    }
    assert_eq!(store.calls(), ["claim", "finish", "claim"]);
}

/// A shared store that does what it is told and remembers what it was asked.
#[derive(Clone, Default)]
struct Shared {
    memory: Arc<MemoryStoreBehind>,
}

#[derive(Default)]
struct MemoryStoreBehind {
    store: MemoryStore,
    calls: Mutex<Vec<&'static str>>,
    /// `claim`, `renew` or `finish`: fails, after it has taken effect if it ends in `!`.
    broken: Mutex<&'static str>,
    slow: Mutex<&'static str>,
}

impl Shared {
    async fn enter<T>(
        &self,
        name: &'static str,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.memory.calls.lock().unwrap().push(name);
        let (broken, slow) =
            (*self.memory.broken.lock().unwrap(), *self.memory.slow.lock().unwrap());
        if slow == name {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if broken == name {
            return Err(StoreError::unsent("broken"));
        }
        let done = act.await;
        if broken.strip_suffix('!') == Some(name) {
            return Err(StoreError::new("the answer was lost"));
        }
        if slow.strip_suffix('!') == Some(name) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        done
    }

    fn set(&self, broken: &'static str, slow: &'static str) {
        *self.memory.broken.lock().unwrap() = broken;
        *self.memory.slow.lock().unwrap() = slow;
    }

    fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.memory.calls.lock().unwrap())
    }
}

impl ReplayStore for Shared {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.enter("claim", self.memory.store.claim(claim)).await
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.enter("renew", self.memory.store.renew(claim)).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        self.enter("finish", self.memory.store.finish(claim, outcome)).await
    }
}

/// Time for what was spawned.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn two_processes_deliver_once() {
    let shared = Shared::default();
    let (a, b) = (layer().shared_store(shared.clone()), layer().shared_store(shared.clone()));
    let handler = Handler::answering(&[500]);
    let (request, forged) = pair();
    assert_eq!(send(&a, &handler, &request).await.status(), 500);
    assert_eq!(kind(&send(&b, &handler, &forged).await), RejectionKind::Conflict);
    assert_eq!(
        send(&b, &handler, &request).await.body(),
        "handled",
        "what b refused is not held against the sender"
    );
    assert_eq!(kind(&send(&b, &handler, &forged).await), RejectionKind::Conflict);
    shared.calls();
    assert!(is_repeat(&send(&b, &handler, &request).await));
    assert!(shared.calls().is_empty(), "the local guard is asked first");
    assert!(is_repeat(&send(&a, &handler, &request).await));
    assert!(is_repeat(&send(&a, &handler, &request).await));
    assert_eq!(shared.calls(), ["claim"], "what the shared store said is remembered");
    assert_eq!(handler.checks(), [(1, ReplayCheck::Shared), (2, ReplayCheck::Shared)]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_503_and_leaves_nothing_behind() {
    for broken in ["claim", "claim!"] {
        let shared = Shared::default();
        let (a, b) = (layer().shared_store(shared.clone()), layer().shared_store(shared.clone()));
        let handler = Handler::default();
        let (request, forged) = pair();
        shared.set(broken, "");
        for request in [&forged, &request] {
            let response = send(&a, &handler, request).await;
            assert_eq!(response.status(), 503);
            assert!(response.headers().contains_key("retry-after"));
            if broken == "claim!" {
                break;
            }
        }
        shared.set("", "");
        settle().await;
        // If the claim took effect, the first content is the one that counts.
        let first = if broken == "claim!" { &forged } else { &request };
        assert_eq!(send(&b, &handler, first).await.body(), "handled", "{broken}");
        assert!(is_repeat(&send(&a, &handler, first).await));
        assert_eq!(handler.calls(), 1);
    }
}

#[tokio::test]
async fn local_fallback_is_marked_and_guards_this_process() {
    let shared = Shared::default();
    let layer = layer().shared_store(shared.clone()).on_outage(OutagePolicy::LocalFallback);
    let handler = Handler::default();
    let (request, forged) = pair();
    shared.set("claim", "");
    assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
    assert!(is_repeat(&send(&layer, &handler, &request).await));
    assert_eq!(kind(&send(&layer, &handler, &forged).await), RejectionKind::Conflict);
    assert_eq!(handler.checks(), [(1, ReplayCheck::LocalFallback)]);
    shared.set("", "");
    assert!(is_repeat(&send(&layer, &handler, &request).await), "nothing has to be written back");
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_recorded_leaves_the_answer_and_is_tried_again() {
    for broken in ["finish", "finish!"] {
        let shared = Shared::default();
        let (a, b) = (layer().shared_store(shared.clone()), layer().shared_store(shared.clone()));
        let handler = Handler::default();
        let (request, _) = pair();
        shared.set(broken, "");
        assert_eq!(send(&a, &handler, &request).await.body(), "handled");
        assert!(is_repeat(&send(&a, &handler, &request).await));
        shared.set("", "");
        settle().await;
        assert!(is_repeat(&send(&b, &handler, &request).await), "{broken}");
        assert_eq!(handler.calls(), 1);
    }
}

/// The future dropped at every await: no key is stuck, and no handler that succeeded runs again.
#[tokio::test(start_paused = true)]
async fn dropped_at_every_await() {
    for slow in ["claim", "claim!", "finish", "finish!", "handler", "ready"] {
        for shared_store in [true, false] {
            let shared = Shared::default();
            let base = if shared_store { layer().shared_store(shared.clone()) } else { layer() };
            let other =
                if shared_store { layer().shared_store(shared.clone()) } else { base.clone() };
            let (request, forged) = pair();
            let handler = Handler::default();
            shared.set("", slow);
            let inner = {
                let handler = handler.clone();
                service_fn(move |request| {
                    let handler = handler.clone();
                    async move {
                        if slow == "handler" {
                            std::future::pending::<()>().await;
                        }
                        handler.handle::<Event>(request).await
                    }
                })
            };
            let inner = NeverReady { inner, never: slow == "ready" };
            let mut first = Box::pin(base.layer(inner).oneshot(request.clone().map(Full::new)));
            let finished = poll_once(first.as_mut()).await.is_some();
            tokio::time::sleep(Duration::from_millis(5)).await;
            let _ = if finished { None } else { poll_once(first.as_mut()).await };
            drop(first);
            shared.set("", "");
            settle().await;

            let succeeded = handler.calls() == 1;
            assert_eq!(
                succeeded,
                slow.starts_with("finish") || (!shared_store && slow.starts_with("claim")),
                "{slow}"
            );
            let response = send(&other, &handler, &request).await;
            assert_eq!(
                response.body(),
                if succeeded { "" } else { "handled" },
                "{slow} {shared_store}"
            );
            assert!(is_repeat(&send(&base, &handler, &request).await));
            assert_eq!(send(&base, &handler, &forged).await.status(), 409);
            assert_eq!(handler.calls(), 1, "{slow} {shared_store}");
        }
    }
}

#[derive(Clone)]
struct NeverReady<S> {
    inner: S,
    never: bool,
}

impl<S: Service<R>, R> Service<R> for NeverReady<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> Poll<Result<(), S::Error>> {
        if self.never { Poll::Pending } else { self.inner.poll_ready(cx) }
    }

    fn call(&mut self, request: R) -> S::Future {
        self.inner.call(request)
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_renewed_while_the_handler_works() {
    let clock = TestClock::at(SystemTime::now());
    let store = MemoryStore::new().clock(clock.clone());
    let (a, b) = (layer().shared_store(store.clone()), layer().shared_store(store));
    let (request, _) = pair();
    let slow = service_fn(|_: Request<Full<Bytes>>| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok::<_, Infallible>(Response::new("handled".to_owned()))
    });
    let mut first = pin!(a.layer(slow).oneshot(request.clone().map(Full::new)));
    let handler = Handler::default();
    for _ in 0..59 {
        assert!(poll_once(first.as_mut()).await.is_none());
        tokio::time::advance(Duration::from_secs(1)).await;
        clock.advance(Duration::from_secs(1));
        assert_eq!(kind(&send(&b, &handler, &request).await), RejectionKind::InFlight);
    }
    assert_eq!(first.await.unwrap().body(), "handled");
    assert!(is_repeat(&send(&b, &handler, &request).await));
    assert_eq!(handler.calls(), 0);
}

/// A process that was stopped for longer than its lease loses the claim, and still has acknowledged
/// what it did.
#[tokio::test]
async fn a_lost_lease_leaves_the_answer() {
    let clock = TestClock::at(SystemTime::now());
    let store = MemoryStore::new().clock(clock.clone());
    let (a, b) = (layer().shared_store(store.clone()), layer().shared_store(store));
    let (request, _) = pair();
    let gate = Arc::new(tokio::sync::Notify::new());
    let waiting = {
        let gate = Arc::clone(&gate);
        service_fn(move |_: Request<Full<Bytes>>| {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Ok::<_, Infallible>(Response::new("late".to_owned()))
            }
        })
    };
    let mut first = pin!(a.layer(waiting).oneshot(request.clone().map(Full::new)));
    assert!(poll_once(first.as_mut()).await.is_none());
    clock.advance(Duration::from_secs(16));
    let handler = Handler::answering(&[500]);
    assert_eq!(send(&b, &handler, &request).await.status(), 500);
    gate.notify_one();
    assert_eq!(first.await.unwrap().body(), "late");
    assert!(is_repeat(&send(&b, &handler, &request).await), "it was acknowledged");
    assert_eq!(handler.attempts(), [2]);
}

#[tokio::test]
async fn a_panic_in_the_handler_is_a_failure() {
    let layer = layer();
    let (request, _) = pair();
    let panicking = service_fn(|_: Request<Full<Bytes>>| async {
        if true {
            panic!("the handler's own fault");
        }
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let service = layer.layer(panicking);
    let sent = request.clone().map(Full::new);
    assert!(tokio::spawn(async move { service.oneshot(sent).await }).await.is_err());
    let handler = Handler::default();
    assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
    assert_eq!(handler.attempts(), [2]);
}

/// A service that fails to become ready has failed the attempt, as a handler does: nobody has to
/// wait until the future is dropped.
#[tokio::test]
async fn a_service_that_cannot_get_ready_fails_the_attempt() {
    for layer in [layer(), layer().shared_store(Shared::default())] {
        let (request, forged) = pair();
        let mut first = pin!(layer.layer(Closed).call(request.clone().map(Full::new)));
        assert_eq!(first.as_mut().await.unwrap_err(), "closed");
        let handler = Handler::default();
        assert_eq!(kind(&send(&layer, &handler, &forged).await), RejectionKind::Conflict);
        assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
        assert_eq!(handler.attempts(), [2]);
    }
}
