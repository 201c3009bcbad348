//! What an operator sees of the guard: what is counted, what is logged and how loudly.

use crate::{
    alone,
    support::{
        self, call,
        log::Log,
        zegocloud::{SECRET, layer, pair, signed},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use http_body_util::Full;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{
    convert::Infallible,
    fmt,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::sync::Semaphore;
use tower::{Layer, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer, service_fn};
use tower_webhooks::{
    Provider, TestClock, WebhookLayer,
    replay::{
        Claim, Claimed, MemoryStore, OutagePolicy, Outcome, ReplayStore, ReplayedResponse,
        StoreError,
    },
};

const SECOND: Duration = Duration::from_secs(1);

fn event() -> Request<Bytes> {
    signed("/zego", r#"{"event":"room_create"}"#)
}

async fn send<P: Provider>(
    layer: &WebhookLayer<P>,
    takes: Duration,
    request: Request<Bytes>,
) -> u16 {
    let service = layer.layer(service_fn(move |_: Request<Full<Bytes>>| async move {
        tokio::time::sleep(takes).await;
        let mut response = Response::new(String::new());
        let answer =
            ReplayedResponse::new(http::HeaderValue::from_static("text/plain"), vec![b'x'; 1000]);
        response.extensions_mut().insert(answer);
        Ok::<_, Infallible>(response)
    }));
    call(&service, &request).await.status().as_u16()
}

/// A store that can be switched off.
#[derive(Clone)]
struct Switched {
    memory: MemoryStore,
    off: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Cause(&'static str, Option<Box<Cause>>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

impl Switched {
    async fn ask<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.off.load(Ordering::SeqCst) {
            let root = Cause("the plug is out", None);
            return Err(StoreError::new(Cause("no answer from the store", Some(Box::new(root)))));
        }
        call.await
    }
}

impl ReplayStore for Switched {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.ask(self.memory.claim(claim)).await
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.ask(self.memory.renew(claim)).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        self.ask(self.memory.finish(claim, outcome)).await
    }
}

/// What is logged and what the metrics are in the end.
fn observed(work: impl Future<Output = ()>) -> (String, String) {
    let _alone = alone();
    let log = Log::default();
    let guard = log.install();
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || runtime.block_on(work));
    drop(guard);
    (log.text(), handle.render())
}

fn assert_line(text: &str, parts: &[&str]) {
    let found = text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(found, "{parts:?} is not in\n{text}");
}

#[test]
fn a_store_in_trouble_is_loud_and_tells_its_cause() {
    let (log, metrics) = observed(async {
        let store = Switched { memory: MemoryStore::new(), off: Arc::default() };
        let layer = layer().shared_store(store.clone());
        assert_eq!(send(&layer, Duration::ZERO, event()).await, 200);
        let working = send(&layer, SECOND, event());
        let unplugged = async {
            tokio::time::sleep(SECOND / 2).await;
            store.off.store(true, Ordering::SeqCst);
            assert_eq!(send(&layer, Duration::ZERO, event()).await, 503);
        };
        assert_eq!(tokio::join!(working, unplugged).0, 200);
    });
    assert_line(&log, &["ERROR", r#"reason="store_unavailable""#]);
    for operation in ["claim", "finish"] {
        let operation = format!("operation=\"{operation}\"");
        assert_line(
            &log,
            &["WARN", &operation, r#"cause="no answer from the store: the plug is out""#],
        );
    }
    for line in [
        r#"webhooks_deliveries_total{provider="zegocloud",kind="room_create",checked="shared",outcome="done"} 2"#,
        r#"webhooks_store_seconds_count{provider="zegocloud",operation="claim"} 3"#,
        r#"webhooks_outcomes_waiting{provider="zegocloud"} 2"#,
        r#"webhooks_claims{provider="zegocloud"} 3"#,
        r#"webhooks_claims_capacity{provider="zegocloud"} 1000000"#,
        r#"webhooks_store_errors_total{provider="zegocloud",operation="claim"} 1"#,
        r#"webhooks_store_errors_total{provider="zegocloud",operation="finish"}"#,
        r#"webhooks_store_seconds_count{provider="zegocloud",operation="finish"}"#,
    ] {
        assert_line(&metrics, &[line]);
    }
}

/// Of an event that is authentic the operator hears: it may be lost.
#[test]
fn refusals_of_authentic_events_have_their_level_and_their_outcome() {
    let (log, metrics) = observed(async {
        let one = layer().local_store(MemoryStore::with_capacity(1).unwrap());
        let (request, other_content) = pair();
        let working = send(&one, SECOND, request.clone());
        let meanwhile = async {
            tokio::time::sleep(SECOND / 2).await;
            for (request, status) in
                [(request.clone(), 409), (other_content, 409), (event(), 503), (event(), 503)]
            {
                assert_eq!(send(&one, Duration::ZERO, request).await, status);
            }
        };
        assert_eq!(tokio::join!(working, meanwhile).0, 200);
        let store = Switched { memory: MemoryStore::new(), off: Arc::new(true.into()) };
        let layer = layer().shared_store(store);
        for _ in 0..3 {
            assert_eq!(send(&layer, Duration::ZERO, event()).await, 503);
        }
    });
    let refusals: Vec<_> = log.lines().filter(|line| line.contains("webhook refused")).collect();
    let mut all = 0;
    for (level, reason, outcome, times) in [
        (" INFO ", "in_flight", "in_flight", 1),
        (" INFO ", "conflict", "conflict", 1),
        ("ERROR ", "store_full", "full", 2),
        ("ERROR ", "store_unavailable", "unavailable", 3),
    ] {
        let reason = format!("reason=\"{reason}\"");
        let lines: Vec<_> = refusals.iter().filter(|line| line.contains(&reason)).collect();
        assert_eq!(lines.len(), times, "{reason}: {refusals:#?}");
        for line in lines {
            assert!(line.contains(level) && line.contains(r#"kind="room_create""#), "{line}");
        }
        all += times;
        let series = format!(
            "webhooks_replays_total{{provider=\"zegocloud\",outcome=\"{outcome}\"}} {times}"
        );
        assert!(metrics.lines().any(|line| line == series), "{series} is not in\n{metrics}");
    }
    assert_eq!(refusals.len(), all, "{refusals:#?}");
}

/// The store has bound the signature to another content while this process could not ask it.
#[test]
fn an_outcome_that_another_content_is_in_the_way_of_is_an_error() {
    let (log, metrics) = observed(async {
        let memory = MemoryStore::new();
        let store = Switched { memory: memory.clone(), off: Arc::new(true.into()) };
        let cut_off = layer().shared_store(store.clone()).on_outage(OutagePolicy::LocalFallback);
        let (request, other_content) = pair();
        assert_eq!(send(&cut_off, Duration::ZERO, request).await, 200);
        let other = layer().shared_store(memory);
        assert_eq!(send(&other, Duration::ZERO, other_content).await, 200);
        store.off.store(false, Ordering::SeqCst);
        cut_off.drained().await;
    });
    let why = "the store has other content under the signature";
    assert_line(&log, &["ERROR", "an acknowledged delivery could not be recorded", why]);
    assert_line(&metrics, &[r#"webhooks_outcomes_lost_total{provider="zegocloud"} 1"#]);
    assert_line(&metrics, &[r#"webhooks_outcomes_waiting{provider="zegocloud"} 0"#]);
}

/// Only a body that has to be waited for holds any.
#[test]
fn the_bytes_that_are_being_read_are_a_gauge() {
    let _alone = alone();
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let first = event().into_body();
    let held = format!("webhooks_read_bytes {}", first.len());
    let frames = futures_util::stream::iter([first, Bytes::from_static(b" ")]).enumerate().then(
        async |(number, data)| {
            tokio::time::sleep(SECOND).await;
            if number == 1 {
                assert_line(&handle.render(), &[&held]);
            }
            Ok::<_, Infallible>(http_body::Frame::data(data))
        },
    );
    let service = layer().layer(service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let body = http_body_util::StreamBody::new(Box::pin(frames));
    let request = Request::post("/zego").body(body).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let response =
        metrics::with_local_recorder(&recorder, || runtime.block_on(service.oneshot(request)));
    assert_eq!(response.unwrap().status(), 200);
    assert_line(&handle.render(), &["webhooks_read_bytes 0"]);
}

#[test]
fn outcomes_that_are_given_up_are_errors() {
    let (log, metrics) = observed(async {
        let store = Switched { memory: MemoryStore::new(), off: Arc::default() };
        let layer = layer().shared_store(store.clone()).unrecorded_limit(1);
        let switch = async {
            tokio::time::sleep(SECOND / 2).await;
            store.off.store(true, Ordering::SeqCst);
        };
        let (first, second) = (send(&layer, SECOND, event()), send(&layer, SECOND, event()));
        assert_eq!(tokio::join!(first, second, switch), (200, 200, ()));
        store.off.store(false, Ordering::SeqCst);
        layer.drained().await;
    });
    assert_line(
        &log,
        &["ERROR", "an acknowledged delivery could not be recorded", "too many outcomes wait"],
    );
    assert_line(&metrics, &[r#"webhooks_outcomes_lost_total{provider="zegocloud"} 1"#]);
    assert_line(&metrics, &[r#"webhooks_outcomes_waiting{provider="zegocloud"} 0"#]);
}

/// Noticed by a renewal or, where the handler ends before that, by its outcome; told once, however
/// often that is tried.
#[test]
fn a_lost_lease_is_counted_and_logged() {
    for (takes, operation) in [(6 * SECOND, "renew"), (4 * SECOND, "finish")] {
        let (log, metrics) = observed(async {
            let clock = TestClock::at(SystemTime::now());
            let store = MemoryStore::new().clock(clock.clone());
            let (a, b) = (layer().shared_store(store.clone()), layer().shared_store(store));
            let request = event();
            let stalled = send(&a, takes, request.clone());
            let other = async {
                tokio::time::sleep(SECOND).await;
                clock.advance(16 * SECOND);
                assert_eq!(send(&b, 10 * SECOND, request.clone()).await, 200);
            };
            assert_eq!(tokio::join!(stalled, other).0, 200);
            a.drained().await;
        });
        let operation = format!("operation=\"{operation}\"");
        assert_line(&log, &["WARN", "the lease is lost", &operation]);
        assert_eq!(log.matches("the lease is lost").count(), 1, "{log}");
        assert_line(
            &metrics,
            &[&format!("webhooks_store_seconds_count{{provider=\"zegocloud\",{operation}}}")],
        );
        assert_line(
            &metrics,
            &[&format!("webhooks_leases_lost_total{{provider=\"zegocloud\",{operation}}} 1")],
        );
    }
}

/// No handler has run, and nobody else has the claim.
#[test]
fn a_withdrawal_whose_answer_was_lost_is_no_lost_lease() {
    #[derive(Clone)]
    struct Mute(MemoryStore);

    impl ReplayStore for Mute {
        async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
            self.0.claim(claim).await
        }

        async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
            self.0.renew(claim).await
        }

        async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
            match self.0.finish(claim, outcome).await {
                Ok(true) => Err(StoreError::new("the connection broke").disconnected()),
                answer => answer,
            }
        }
    }

    let (log, metrics) = observed(async {
        let (memory, busy) = (MemoryStore::new(), Arc::new(Semaphore::new(0)));
        let layer = layer().shared_store(Mute(memory.clone()));
        let service = ServiceBuilder::new()
            .layer(layer.clone())
            .layer(GlobalConcurrencyLimitLayer::with_semaphore(busy))
            .service(service_fn(async |_: Request<Full<Bytes>>| {
                Ok::<_, Infallible>(Response::new(String::new()))
            }));
        assert!(tokio::time::timeout(SECOND, call(&service, &event())).await.is_err());
        layer.drained().await;
        assert!(memory.is_empty());
    });
    assert!(!log.contains("the lease is lost"), "{log}");
    assert!(!metrics.contains("webhooks_leases_lost_total"), "{metrics}");
}

/// One captured signature, many bodies.
#[cfg(feature = "stardust")]
#[test]
fn attack_contents_under_one_signature_are_quiet() {
    use tower_webhooks::stardust;

    let (log, metrics) = observed(async {
        let layer = WebhookLayer::new(stardust::Stardust::new("an access key", SECRET).unwrap());
        let signer = stardust::Signer::new("an access key", SECRET).unwrap();
        let request = support::signed(&signer, "/stardust", "");
        for number in 0..Claim::MAX_CONTENTS + 3 {
            let body = Bytes::from(format!(r#"{{"taskId":"{number}"}}"#));
            let status = send(&layer, Duration::ZERO, request.clone().map(|_| body)).await;
            assert_eq!(status, if number < Claim::MAX_CONTENTS { 200 } else { 503 });
        }
    });
    let refusals: Vec<_> = log.lines().filter(|line| line.contains("webhook refused")).collect();
    assert_eq!(refusals.len(), 3, "{refusals:#?}");
    for refusal in refusals {
        assert!(
            refusal.contains("DEBUG") && refusal.contains(r#"reason="too_many_contents""#),
            "{refusal}"
        );
    }
    assert_line(
        &metrics,
        &[r#"webhooks_replays_total{provider="stardust",outcome="too_many_contents"} 3"#],
    );
}

#[test]
fn strangers_are_quiet_and_a_full_store_is_not() {
    let (log, metrics) = observed(async {
        let memory = MemoryStore::with_capacity(10).unwrap().answer_budget(2500);
        let layer = layer().local_store(memory);
        for body in ["", "{}", "made up", r#"{"timestamp":"1","nonce":"1","signature":"1"}"#] {
            let request = Request::post("/zego").body(Bytes::from(body)).unwrap();
            assert!(send(&layer, Duration::ZERO, request).await >= 400);
        }
        for number in 0..12 {
            assert_eq!(
                send(&layer, Duration::ZERO, event()).await,
                if number < 10 { 200 } else { 503 }
            );
        }
    });
    let refusals: Vec<_> = log.lines().filter(|line| line.contains("webhook refused")).collect();
    let levels = |level: &str| refusals.iter().filter(|line| line.contains(level)).count();
    assert_eq!((refusals.len(), levels("DEBUG"), levels("ERROR")), (6, 4, 2), "{refusals:#?}");
    assert_line(&log, &["ERROR", r#"reason="store_full""#]);
    let warned = log.lines().filter(|line| line.contains("filled to more than 80 %"));
    assert_eq!(warned.count(), 1, "{log}");
    assert_line(&metrics, &[r#"webhooks_claims{provider="zegocloud"} 10"#]);
    assert_line(&metrics, &[r#"webhooks_answers_dropped_total{provider="zegocloud"} 7"#]);
}

#[test]
fn a_store_that_fills_up_warns_once() {
    let layer = layer().local_store(MemoryStore::with_capacity(20).unwrap());
    let warnings = |events: usize| {
        let (log, _) = observed(async {
            for _ in 0..events {
                assert_eq!(send(&layer, Duration::ZERO, event()).await, 200);
            }
        });
        log.lines().filter(|line| line.contains("filled to more than 80 %")).count()
    };
    assert_eq!((warnings(16), warnings(1), warnings(3)), (0, 1, 0));
}
