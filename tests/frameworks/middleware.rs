//! Among the layers that services commonly have, on plain handlers, and behind a socket.
#![cfg(feature = "zegocloud")]

use crate::support::{
    call, exchange, serve, text,
    zegocloud::{layer, signed},
};
use axum::{
    BoxError, Router, body::Body, error_handling::HandleErrorLayer, extract::State,
    handler::Handler, routing::post,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;
use tower::{
    ServiceBuilder, ServiceExt, buffer::BufferLayer, limit::ConcurrencyLimitLayer,
    timeout::TimeoutLayer, util::MapResponseLayer,
};
use tower_http::{
    limit::RequestBodyLimitLayer, map_response_body::MapResponseBodyLayer,
    timeout::RequestBodyTimeoutLayer, trace::TraceLayer,
};
use tower_webhooks::{
    NotVerified, Rejection, RejectionKind, Verified,
    zegocloud::{Event, room::RoomEvent},
};

async fn on_event(event: Verified<Event>) -> String {
    let Event::Room(RoomEvent::Close(room)) = &*event else { panic!("{event:?}") };
    room.room_id.clone().unwrap()
}

/// A genuine delivery; every call makes another one.
fn room_close(uri: &str) -> Request<Bytes> {
    signed(uri, r#"{"event":"room_close","appid":1234567,"room_id":"lobby","close_reason":2}"#)
}

fn genuine(uri: &str) -> Request<Body> {
    room_close(uri).map(Body::from)
}

fn forged(uri: &str) -> Request<Body> {
    genuine(uri).map(|_| Body::from(r#"{"event":"room_close","room_id":"cellar"}"#))
}

/// A genuine delivery whose body never ends.
fn stalled(uri: &str) -> Request<Body> {
    let start =
        futures_util::stream::iter([Ok::<_, Infallible>(room_close(uri).into_body().slice(..20))]);
    let body = futures_util::StreamExt::chain(start, futures_util::stream::pending());
    genuine(uri).map(|_| Body::from_stream(body))
}

async fn ask(app: &Router, request: Request<Body>) -> (u16, String) {
    text(app.clone().oneshot(request).await.unwrap()).await
}

async fn assert_guarded(app: &Router, uri: &str) {
    for _ in 0..2 {
        assert_eq!(ask(app, genuine(uri)).await, (200, "lobby".to_owned()));
    }
    assert_eq!(ask(app, forged(uri)).await, (401, String::new()));
}

#[tokio::test]
async fn on_a_handler() {
    async fn with_state(State(suffix): State<&'static str>, event: Verified<Event>) -> String {
        on_event(event).await + suffix
    }

    let app = Router::new()
        .route("/zego", post(on_event.layer(layer())))
        .route("/stateful", post(with_state.layer(layer())))
        .with_state("!");
    assert_guarded(&app, "/zego").await;
    assert_eq!(ask(&app, genuine("/stateful")).await, (200, "lobby!".to_owned()));
}

#[tokio::test]
async fn the_handler_may_read_the_body_again() {
    async fn both(event: Verified<Event>, body: Bytes) -> String {
        assert_eq!(event.body(), &body);
        assert_eq!(event.body().as_ptr(), body.as_ptr(), "without a copy");
        on_event(event).await
    }

    let app = Router::new().route("/zego", post(both).layer(layer()));
    assert_guarded(&app, "/zego").await;
}

#[tokio::test]
async fn around_it_trace_timeout_concurrency_and_body_limit() {
    let app = Router::new().route("/zego", post(on_event)).layer(
        ServiceBuilder::new()
            .layer(TraceLayer::new_for_http())
            .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::GATEWAY_TIMEOUT))
            .layer(TimeoutLayer::new(Duration::from_secs(5)))
            .layer(ConcurrencyLimitLayer::new(4))
            .layer(RequestBodyLimitLayer::new(1024))
            .layer(layer()),
    );
    assert_guarded(&app, "/zego").await;
    let large = genuine("/zego").map(|_| Body::from(vec![b' '; 1025]));
    assert_eq!(ask(&app, large).await.0, 413);
    // Of unknown length: the limit is found while the layer reads.
    let chunks = futures_util::stream::iter(
        (0..20).map(|_| Ok::<_, Infallible>(Bytes::from_static(&[b' '; 100]))),
    );
    let large = genuine("/zego").map(|_| Body::from_stream(chunks));
    let response = app.clone().oneshot(large).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(
        response.extensions().get::<Rejection>().unwrap().kind(),
        RejectionKind::BodyTooLarge
    );
}

#[tokio::test]
async fn inside_it_trace_timeout_concurrency_and_body_limit() {
    let app = Router::new().route("/zego", post(on_event)).layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::GATEWAY_TIMEOUT))
            .layer(layer())
            .layer(MapResponseBodyLayer::new(Body::new))
            .layer(TraceLayer::new_for_http())
            .layer(TimeoutLayer::new(Duration::from_secs(5)))
            .layer(ConcurrencyLimitLayer::new(4))
            .layer(RequestBodyLimitLayer::new(1024)),
    );
    assert_guarded(&app, "/zego").await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_around_it_ends_slow_handlers_and_slow_bodies() {
    async fn slow(_: Verified<Event>) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    let app = Router::new().route("/zego", post(slow)).layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(async |error: BoxError| {
                assert!(error.is::<tower::timeout::error::Elapsed>());
                StatusCode::GATEWAY_TIMEOUT
            }))
            .layer(TimeoutLayer::new(Duration::from_secs(5)))
            .layer(layer()),
    );
    assert_eq!(ask(&app, genuine("/zego")).await.0, 504);
    assert_eq!(ask(&app, stalled("/zego")).await.0, 504);
    assert_eq!(ask(&app, forged("/zego")).await.0, 401);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_it_ends_slow_handlers_only() {
    async fn slow(_: Verified<Event>) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }

    let app = Router::new().route("/zego", post(slow)).layer(
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(async |_: BoxError| StatusCode::GATEWAY_TIMEOUT))
            .layer(layer())
            .layer(TimeoutLayer::new(Duration::from_secs(5))),
    );
    assert_eq!(ask(&app, genuine("/zego")).await.0, 504);
    assert_eq!(ask(&app, stalled("/zego")).await.0, 408);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_the_body_outside_is_400_and_not_a_hang() {
    let app = Router::new().route("/zego", post(on_event)).layer(
        ServiceBuilder::new()
            .layer(RequestBodyTimeoutLayer::new(Duration::from_secs(2)))
            .layer(layer()),
    );
    assert_eq!(ask(&app, stalled("/zego")).await.0, 400);
    assert_guarded(&app, "/zego").await;
}

#[tokio::test(start_paused = true)]
async fn attack_capacity_inside_is_not_held_by_slow_bodies() {
    // With its state, as it is served: without, the limit is made anew for each request.
    let app: Router = Router::new()
        .route("/zego", post(on_event))
        .layer(ServiceBuilder::new().layer(layer()).layer(ConcurrencyLimitLayer::new(1)))
        .with_state(());
    let slow = tokio::spawn(app.clone().oneshot(stalled("/zego")));
    tokio::task::yield_now().await;
    let start = tokio::time::Instant::now();
    assert_guarded(&app, "/zego").await;
    assert!(start.elapsed().is_zero(), "it waited until the slow body was refused");
    assert_eq!(slow.await.unwrap().unwrap().status(), 408);
}

#[tokio::test]
async fn capacity_inside_bounds_the_handlers() {
    let gate = Arc::new(Semaphore::new(0));
    let running = Arc::new(AtomicUsize::new(0));
    let (handler_gate, handler_running) = (Arc::clone(&gate), Arc::clone(&running));
    let handler = async move |_: Verified<Event>| {
        assert_eq!(handler_running.fetch_add(1, Ordering::SeqCst), 0, "two at once");
        handler_gate.acquire().await.unwrap().forget();
        handler_running.fetch_sub(1, Ordering::SeqCst);
    };
    let app: Router = Router::new()
        .route("/zego", post(handler))
        .layer(ServiceBuilder::new().layer(layer()).layer(ConcurrencyLimitLayer::new(1)))
        .with_state(());
    let requests: Vec<_> =
        (0..5).map(|_| tokio::spawn(app.clone().oneshot(genuine("/zego")))).collect();
    // Time for all five to be polled: one is in the handler, four wait for its place.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(running.load(Ordering::SeqCst), 1);
    gate.add_permits(5);
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
}

#[tokio::test]
async fn before_a_buffer_and_without_axum() {
    let inner = tower::service_fn(async |request: Request<Full<Bytes>>| {
        let event = request.extensions().get::<Verified<Event>>().unwrap().clone();
        Ok::<_, BoxError>(Response::new(on_event(event).await))
    });
    let service = ServiceBuilder::new().layer(layer()).layer(BufferLayer::new(8)).service(inner);
    for _ in 0..3 {
        let response = call(&service, &room_close("/")).await;
        assert_eq!((response.status().as_u16(), &**response.body()), (200, "lobby"));
    }
}

#[tokio::test]
async fn an_outer_layer_sees_the_rejection() {
    let app = Router::new().route("/zego", post(on_event)).layer(
        ServiceBuilder::new()
            .layer(MapResponseLayer::new(|mut response: Response<Body>| {
                if let Some(kind) = response.extensions().get::<Rejection>().map(Rejection::kind) {
                    *response.body_mut() = Body::from(kind.as_str());
                }
                response
            }))
            .layer(layer()),
    );
    assert_eq!(ask(&app, forged("/zego")).await, (401, "credential_missing".to_owned()));
    assert_eq!(ask(&app, genuine("/zego")).await, (200, "lobby".to_owned()));
}

#[tokio::test]
async fn twice_is_500() {
    let app = Router::new().route("/zego", post(on_event).layer(layer())).layer(layer());
    assert_eq!(ask(&app, genuine("/zego")).await, (500, String::new()));
}

#[tokio::test]
async fn an_optional_event() {
    async fn maybe(event: Option<Verified<Event>>) -> String {
        event.map_or("none".to_owned(), |event| event.kind().to_owned())
    }

    let app = Router::new().route("/open", post(maybe)).route("/zego", post(maybe.layer(layer())));
    assert_eq!(ask(&app, genuine("/zego")).await, (200, "room_close".to_owned()));
    assert_eq!(ask(&app, forged("/zego")).await, (401, String::new()));
    assert_eq!(ask(&app, genuine("/open")).await, (200, "none".to_owned()));
}

#[tokio::test]
async fn a_missing_layer_is_500_and_says_what_to_add() {
    let app = Router::new().route("/zego", post(on_event));
    let (status, text) = ask(&app, genuine("/zego")).await;
    assert_eq!(status, 500);
    assert_eq!(
        text,
        "this handler takes `Verified<tower_webhooks::zegocloud::event::Event>`, but no layer has \
         put one into the \
         request: add `.route_layer(WebhookLayer::new(provider))` to its route, with the provider \
         whose event is \
         `tower_webhooks::zegocloud::event::Event`"
    );

    async fn caught(event: Result<Verified<Event>, NotVerified>) -> String {
        event.unwrap_err().to_string()
    }
    let app = Router::new().route("/zego", post(caught));
    assert_eq!(ask(&app, genuine("/zego")).await, (200, text));
}

// Over a socket.

fn raw(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut text =
        format!("POST /zego HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")
            .into_bytes();
    text.extend_from_slice(body);
    text
}

#[tokio::test]
async fn over_a_socket() {
    let addr = serve(Router::new().route("/zego", post(on_event)).layer(layer())).await;
    let body = room_close("/zego").into_body();
    let answer = exchange(addr, &raw(&format!("content-length: {}\r\n", body.len()), &body)).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nlobby"),
        "{answer}"
    );

    let body = room_close("/zego").into_body();
    let mut chunked = Vec::new();
    for byte in body.chunks(1) {
        chunked.extend_from_slice(b"1\r\n");
        chunked.extend_from_slice(byte);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\nx-trailer: late\r\n\r\n");
    let answer =
        exchange(addr, &raw("transfer-encoding: chunked\r\ntrailer: x-trailer\r\n", &chunked))
            .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nlobby"),
        "{answer}"
    );

    let answer = exchange(addr, &raw("content-length: 2\r\n", b"{}")).await;
    assert!(
        answer.starts_with("HTTP/1.1 401 Unauthorized\r\n") && answer.ends_with("\r\n\r\n"),
        "{answer}"
    );

    let answer =
        exchange(addr, &raw("transfer-encoding: chunked\r\n", b"1\r\n{\r\nnot a size\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
}

#[tokio::test]
async fn attack_no_100_continue_for_a_body_that_is_refused_by_its_length() {
    let addr = serve(Router::new().route("/zego", post(on_event)).layer(layer())).await;
    let expecting = "expect: 100-continue\r\n";
    let answer =
        exchange(addr, &raw(&format!("{expecting}content-length: 6597069766656\r\n"), b"")).await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");

    let body = room_close("/zego").into_body();
    let answer =
        exchange(addr, &raw(&format!("{expecting}content-length: {}\r\n", body.len()), &body))
            .await;
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
}
