//! What is traced and counted, and what never is.

use crate::{
    alone,
    support::{
        call,
        closed::Closed,
        letterbox::PROOF,
        log::Log,
        signed, with,
        zegocloud::{self, SECRET, layer},
    },
};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, request::Parts};
use http_body_util::Full;
use metrics_exporter_prometheus::PrometheusBuilder;
use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::SystemTime,
};
use tokio::sync::Semaphore;
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer, service_fn,
};
use tower_webhooks::{
    Delivery, Provider, ReadBudget, Rejection, Signer as _, WebhookLayer, metric_names,
    zegocloud::{Signer, Zegocloud},
};

/// A genuine delivery with a header that is in no log.
fn private(body: impl Into<Bytes>) -> Request<Bytes> {
    with(zegocloud::signed("/zego", body), "x-private", "header-in-no-log")
}

fn send(layer: &WebhookLayer<Zegocloud>, status: u16, request: Request<Bytes>) -> u16 {
    let service = layer.layer(service_fn(move |_: Request<Full<Bytes>>| async move {
        tracing::info!("inside the handler");
        let mut response = Response::new(String::new());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap();
        Ok::<_, Infallible>(response)
    }));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(service.oneshot(request.map(Full::new))).unwrap().status().as_u16()
}

fn logged(act: impl FnOnce()) -> String {
    logged_at(tracing::Level::TRACE, act)
}

fn logged_at(level: tracing::Level, act: impl FnOnce()) -> String {
    let log = Log::default();
    let guard = log.install_at(level);
    act();
    drop(guard);
    log.text()
}

#[test]
fn a_delivery_is_a_span_around_the_handler() {
    let _alone = alone();
    let log = logged(|| {
        send(&layer(), 200, private(r#"{"event":"room_create","room_id":"private-room"}"#));
    });
    let handler = log.lines().find(|line| line.contains("inside the handler")).unwrap();
    for field in [
        "webhook{",
        r#"provider="zegocloud""#,
        r#"kind="room_create""#,
        "key_index=0",
        "delivery_id=",
        "attempt=1",
        "body_len=",
    ] {
        assert!(handler.contains(field), "{field} is not in {handler}");
    }
}

#[test]
fn attack_nothing_private_is_logged() {
    let _alone = alone();
    let layer = layer();
    let log = logged(|| {
        let request = private(r#"{"event":"room_create","room_id":"private-room"}"#);
        assert_eq!(send(&layer, 200, request.clone()), 200);
        assert_eq!(send(&layer, 200, request.clone()), 200);
        let genuine = String::from_utf8(request.body().to_vec()).unwrap();
        for forged in [
            genuine.replace("private-room", "private-hall"),
            genuine.replace("signature\":\"", "signature\":\"0"),
            genuine.replace("nonce\":\"", "nonce\":\"7"),
            "private garbage".into(),
        ] {
            let request = Request::post("/zego").body(Bytes::from(forged)).unwrap();
            assert!(send(&layer, 200, request) >= 400);
        }
        let broken = private(r#"{"event":"room_create","room_id":"private-room""#);
        assert_eq!(send(&layer, 200, broken), 400);
        let odd = private(r#"{"event":"room_create","room_session_id":["private-number"]}"#);
        assert_eq!(send(&layer, 200, odd), 200);
        for part in genuine.split('"').filter(|part| part.len() >= 19) {
            assert!(part.len() < 100, "{part}");
        }
        let credentials: Vec<_> =
            genuine.split('"').filter(|part| part.len() >= 19).map(str::to_owned).collect();
        assert!(credentials.len() >= 2);
        CREDENTIALS.lock().unwrap().extend(credentials);
    });
    assert!(
        log.contains(r#"reason="conflict""#) && log.contains(r#"reason="credential_wrong""#),
        "{log}"
    );
    assert!(log.contains(r#"reason="invalid""#) && log.contains("json_error=Eof"), "{log}");
    assert!(log.contains(r#"misfits="room_session_id""#), "{log}");
    assert!(log.contains("sent again"), "{log}");
    let conflict = log.lines().find(|line| line.contains(r#"reason="conflict""#)).unwrap();
    for part in [r#"kind="room_create""#, "key_index=0", "share a nonce"] {
        assert!(conflict.contains(part), "{part} is not in {conflict}");
    }
    for private in ["private", "header-in-no-log", SECRET] {
        assert!(!log.contains(private), "{private} is in {log}");
    }
    for credential in CREDENTIALS.lock().unwrap().iter() {
        assert!(!log.contains(credential.as_str()), "{credential} is in {log}");
    }
}

#[test]
fn misfits_are_one_warning_that_names_their_paths() {
    let _alone = alone();
    let odd = private(r#"{"event":"room_create","room_session_id":["x"],"id_name":{"y":1}}"#);
    let log = logged(|| assert_eq!(send(&layer(), 200, odd.clone()), 200));
    assert_eq!(log.lines().filter(|line| line.contains("WARN")).count(), 1, "{log}");
    // A filter that passes warnings alone has no span to say whose they are.
    let log = logged_at(tracing::Level::WARN, || assert_eq!(send(&layer(), 200, odd), 200));
    assert_eq!(log.lines().count(), 1, "{log}");
    for field in [
        "WARN",
        r#"provider="zegocloud""#,
        r#"kind="room_create""#,
        "delivery_id=",
        r#"misfits="room_session_id, id_name""#,
    ] {
        assert!(log.contains(field), "{field} is not in {log}");
    }
}

/// A kind that a provider takes from the body is the sender's text.
#[test]
fn a_kind_from_a_body_is_in_no_log() {
    struct Named;

    impl Provider for Named {
        const NAME: &'static str = "named";
        const CREDENTIALS: &'static [&'static str] = &[];
        type FromHead = ();
        type Event = ();

        fn check_head(&self, _: &Parts, _: SystemTime) -> Result<(), Rejection> {
            Ok(())
        }

        fn check_body(
            &self,
            (): (),
            _: &Parts,
            body: &Bytes,
            _: SystemTime,
        ) -> Result<Delivery<()>, Rejection> {
            Ok(Delivery::new((), String::from_utf8_lossy(body).into_owned(), PROOF))
        }
    }

    let _alone = alone();
    let layer = WebhookLayer::new(Named).layer(service_fn(async |_: Request<Full<Bytes>>| {
        tracing::info!("inside the handler");
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let log = logged(|| {
        let request = Request::post("/").body(Full::<Bytes>::from("private-kind")).unwrap();
        assert_eq!(layer.oneshot(request).now_or_never().unwrap().unwrap().status(), 200);
    });
    let handler = log.lines().find(|line| line.contains("inside the handler")).unwrap();
    assert!(handler.contains(r#"kind="other""#), "{handler}");
    assert!(!log.contains("private-kind"), "{log}");
}

#[test]
fn a_failing_handler_is_a_warning_with_all_that_names_the_delivery() {
    let _alone = alone();
    let layer = layer();
    let request = private(r#"{"event":"room_create"}"#);
    let log = logged_at(tracing::Level::WARN, || {
        send(&layer, 500, request.clone());
        send(&layer, 503, request.clone());
        send(&layer, 200, request.clone());
    });
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, attempt) in lines.iter().zip(1..) {
        for field in [
            "WARN",
            "handler of a webhook failed",
            r#"provider="zegocloud""#,
            r#"kind="room_create""#,
            &format!("attempt={attempt}"),
            "delivery_id=",
            r#"outcome="failed""#,
        ] {
            assert!(line.contains(field), "{field} is not in {line}");
        }
    }
}

/// Strangers can fill it, so it is no error; and it keeps events out, so it is not quiet either.
#[test]
fn a_full_read_budget_is_a_warning() {
    let _alone = alone();
    let layer = layer().read_budget(ReadBudget::new(8));
    let log = logged_at(tracing::Level::DEBUG, || {
        assert_eq!(send(&layer, 200, private(r#"{"event":"room_create"}"#)), 503);
    });
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 1, "{log}");
    for part in [" WARN ", "webhook refused", r#"reason="read_budget""#, "status=503"] {
        assert!(lines[0].contains(part), "{part} is not in {log}");
    }
}

/// They can do that as often as they like.
#[test]
fn attack_a_full_read_budget_is_no_flood_of_warnings() {
    let _alone = alone();
    let began = std::time::Instant::now();
    let layer = layer().read_budget(ReadBudget::new(8));
    let log = logged_at(tracing::Level::DEBUG, || {
        for _ in 0..50 {
            assert_eq!(send(&layer, 200, private(r#"{"event":"room_create"}"#)), 503);
        }
    });
    let warnings = log.lines().filter(|line| line.contains(" WARN ")).count();
    assert!((1..=1 + began.elapsed().as_secs() as usize).contains(&warnings), "{log}");
    assert_eq!(log.matches(r#"reason="read_budget""#).count(), 50, "all others are for debugging");
}

/// It refuses every delivery of its route.
#[test]
fn a_layer_that_is_applied_twice_is_an_error_that_says_what_to_do() {
    let _alone = alone();
    let log = logged_at(tracing::Level::DEBUG, || {
        let service = (layer(), layer()).layer(service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let response = runtime.block_on(call(&service, &private(r#"{"event":"room_create"}"#)));
        assert_eq!(response.status(), 500);
    });
    let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR ")).collect();
    assert_eq!(errors.len(), 2, "{log}");
    assert!(errors[0].contains(r#"reason="applied_twice""#), "{log}");
    assert!(errors[1].contains("applied twice to one route: remove one of them"), "{log}");
    assert!(errors.iter().all(|line| line.contains(r#"provider="zegocloud""#)), "{log}");
}

#[test]
fn a_stale_signature_says_by_how_much() {
    let _alone = alone();
    let request = Request::post("/zego").body(Bytes::from("{}")).unwrap();
    let then = SystemTime::now() - std::time::Duration::from_secs(4_000);
    let request = Signer::new(SECRET).unwrap().sign(request, then);
    let log = logged(|| assert_eq!(send(&layer(), 200, request), 401));
    let (_, age) = log.split_once("age_ms=").unwrap();
    let age: i64 = age.split_whitespace().next().unwrap().parse().unwrap();
    assert!((4_000_000..4_600_000).contains(&age), "{log}");
}

#[cfg(feature = "vobiz")]
#[test]
fn a_wrong_voice_signature_shows_the_url_that_was_signed_here() {
    use tower_webhooks::{Provider as _, vobiz::voice};

    let _alone = alone();
    let signer = voice::Signer::new("an auth token", "https://public.example").unwrap();
    let request = signed(&signer, "/in/hangup?token=private", "Event=Hangup");
    let verify = |origin: &str| {
        let voice = voice::Voice::new("an auth token", origin).unwrap();
        voice.verify(&request, SystemTime::now()).is_ok()
    };
    let log = logged_at(tracing::Level::DEBUG, || assert!(!verify("http://internal.example:8080")));
    assert!(
        log.contains("DEBUG") && log.contains("url=http://internal.example:8080/in/hangup\n"),
        "{log}"
    );
    assert!(!log.contains("private"), "{log}");
    assert_eq!(
        logged_at(tracing::Level::INFO, || assert!(!verify("http://internal.example:8080"))),
        ""
    );
    assert_eq!(logged_at(tracing::Level::DEBUG, || assert!(verify("https://public.example"))), "");
}

/// A tenant without rules, or a middleware that is not there. Strangers can make up tenants.
#[test]
fn rules_that_are_missing_are_named_at_debug() {
    let _alone = alone();
    let missing = || {
        let layer = WebhookLayer::new(tower_webhooks::PerRequest::<Zegocloud>::new());
        let service = layer.layer(service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(call(&service, &private("{}")));
        assert_eq!(response.status(), 404);
    };
    assert_eq!(logged_at(tracing::Level::INFO, missing), "");
    let log = logged_at(tracing::Level::DEBUG, missing);
    assert!(
        log.contains(r#"reason="no_rules""#)
            && log.contains("Arc<tower_webhooks::zegocloud::Zegocloud>"),
        "{log}"
    );
}

static CREDENTIALS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn series(rendered: &str) -> BTreeSet<String> {
    let lines = rendered.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    // Quantiles apart, a line is a series.
    lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series.to_owned()).collect()
}

#[test]
fn attack_hostile_requests_make_no_series() {
    let _alone = alone();
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let layer = layer();
        let hostile = |number: usize| {
            let body = match number % 6 {
                0 => format!("{{\"event\":\"made-up-{number}\"}}"),
                1 => format!("garbage {number}"),
                2 => format!(
                    "{{\"timestamp\":\"{number}\",\"nonce\":\"{number}\",\"signature\":\"{number:040}\"}}"
                ),
                3 => String::new(),
                // Two misfits: an element at a place of its own, and a name of its own twice.
                4 => {
                    let (ids, own) = ("0,".repeat(number), format!("\"x-{number}\":1"));
                    return private(format!(
                        r#"{{"event":"group_join","new_user_ids":[{ids}[]],{own},{own}}}"#
                    ));
                }
                _ => return private(format!("{{\"event\":\"made-up-{number}\"}}")),
            };
            Request::builder()
                .method(if number % 7 == 0 { "PURGE" } else { "POST" })
                .uri(format!("/{number}"))
                .body(Bytes::from(body))
                .unwrap()
        };
        for number in 0..100 {
            send(&layer, 200, hostile(number));
        }
        let before = series(&handle.render());
        for number in 100..1100 {
            send(&layer, 200, hostile(number));
        }
        assert_eq!(series(&handle.render()), before);
        assert!(before.len() > 5, "{before:?}");
        let misfits = r#"webhooks_misfits_total{provider="zegocloud",kind="zim.group_join"}"#;
        assert!(before.contains(misfits), "{before:?}");
    });
}

/// The metrics and the log of a delivery that is dropped while it waits for the service.
fn of_a_dropped_delivery<S>(service: S) -> (String, String)
where
    S: Service<Request<Full<Bytes>>>,
{
    let _alone = alone();
    let recorder = PrometheusBuilder::new().build_recorder();
    let request = private(r#"{"event":"room_create"}"#).map(Full::new);
    let log = logged(|| {
        metrics::with_local_recorder(&recorder, || {
            let mut waiting = tokio_test::task::spawn(service.oneshot(request));
            assert!(waiting.poll().is_pending());
        })
    });
    (recorder.handle().render(), log)
}

/// A handler that was not called has neither failed nor been dropped.
#[test]
fn a_delivery_that_is_dropped_before_the_call_is_no_call() {
    let full = GlobalConcurrencyLimitLayer::with_semaphore(Arc::new(Semaphore::new(0)));
    let service = ServiceBuilder::new().layer(layer()).layer(full).service(service_fn(
        async |_: Request<Full<Bytes>>| Ok::<_, Infallible>(Response::new(String::new())),
    ));
    let (rendered, log) = of_a_dropped_delivery(service);
    assert!(rendered.contains("webhooks_claims"), "it was admitted: {rendered}");
    assert!(!rendered.contains("webhooks_deliveries_total"), "{rendered}");
    assert!(!log.contains("the handler of a webhook failed"), "{log}");
}

#[test]
fn a_handler_that_is_dropped_in_the_middle_counts_as_dropped() {
    let service = layer().layer(service_fn(async |_: Request<Full<Bytes>>| {
        std::future::pending::<Result<Response<String>, Infallible>>().await
    }));
    let (rendered, log) = of_a_dropped_delivery(service);
    assert!(rendered.contains(r#"outcome="dropped"} 1"#), "{rendered}");
    assert!(log.contains("the handler of a webhook failed"), "{log}");
}

/// A service that fails to become ready has failed, and was not dropped.
#[test]
fn a_service_that_cannot_get_ready_is_a_failure() {
    let _alone = alone();
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let request = private(r#"{"event":"room_create"}"#);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let log = logged(|| {
        metrics::with_local_recorder(&recorder, || {
            let ended = runtime.block_on(layer().layer(Closed).oneshot(request.map(Full::new)));
            assert_eq!(ended.unwrap_err(), "closed");
        })
    });
    let rendered = handle.render();
    let failed = r#"webhooks_deliveries_total{provider="zegocloud",kind="room_create",checked="local",outcome="failed"} 1"#;
    assert!(rendered.lines().any(|line| line == failed), "{rendered}");
    assert!(!rendered.contains(r#"outcome="dropped""#), "{rendered}");
    let line = log
        .lines()
        .find(|line| line.contains("the handler of a webhook failed"))
        .expect("a failure");
    assert!(line.contains("WARN") && line.contains(r#"outcome="failed""#), "{line}");
}

#[test]
fn what_is_counted() {
    let _alone = alone();
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        let layer = layer();
        let request = private(r#"{"event":"room_create"}"#);
        send(&layer, 500, request.clone());
        send(&layer, 200, request.clone());
        send(&layer, 200, request.clone());
        let odd = private(r#"{"event":"room_create","room_session_id":["x"]}"#);
        send(&layer, 200, odd);
        let mut forged = request.clone();
        *forged.uri_mut() = "/elsewhere".parse().unwrap();
        send(&layer, 200, forged);
    });
    let rendered = handle.render();
    for line in [
        r#"webhooks_deliveries_total{provider="zegocloud",kind="room_create",checked="local",outcome="failed"} 1"#,
        r#"webhooks_deliveries_total{provider="zegocloud",kind="room_create",checked="local",outcome="done"} 2"#,
        r#"webhooks_misfits_total{provider="zegocloud",kind="room_create"} 1"#,
        r#"webhooks_replays_total{provider="zegocloud",outcome="repeated"} 1"#,
        r#"webhooks_replays_total{provider="zegocloud",outcome="conflict"} 1"#,
        r#"webhooks_rejections_total{provider="zegocloud",reason="conflict"} 1"#,
        r#"webhooks_read_seconds_count{provider="zegocloud"} 5"#,
        r#"webhooks_handler_seconds_count{provider="zegocloud"} 3"#,
        // A conflict is authentic, too.
        r#"webhooks_age_seconds_count{provider="zegocloud"} 5"#,
    ] {
        assert!(rendered.lines().any(|other| other == line), "{line} is not in\n{rendered}");
    }
    assert!(rendered.contains(metric_names::DELIVERIES));
}
