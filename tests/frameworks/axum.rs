//! At home in axum: where the layer goes, and what stands around it.
#![cfg(all(feature = "axum", feature = "zegocloud"))]

use crate::support::{
    call, exchange,
    letterbox::refusal,
    serve, text,
    zegocloud::{layer, signed},
};
use axum::{
    Extension, Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, Method, StatusCode, request::Parts},
    middleware::{Next, from_fn},
    response::Response,
    routing::{any, get, post},
};
use bytes::Bytes;
use http_body_util::Full;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, util::MapResponseLayer};
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_webhooks::{
    Covers, Delivery, Proof, Provider, Rejection, RejectionKind, Verified, WebhookEvent as _,
    WebhookLayer, exactly_one, replay::ReplayedResponse, zegocloud::Event,
};

fn genuine(uri: &str) -> Request<Bytes> {
    signed(uri, r#"{"event":"room_create","room_id":"lobby"}"#)
}

fn unsigned(method: Method, uri: &str) -> Request<Bytes> {
    Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap()
}

fn forged(uri: &str) -> Request<Bytes> {
    genuine(uri).map(|_| Bytes::from(r#"{"event":"room_create","room_id":"cellar"}"#))
}

async fn kind(event: Verified<Event>) -> String {
    event.kind().to_owned()
}

async fn assert_guarded(app: &Router, uri: &str) {
    for _ in 0..2 {
        assert_eq!(text(call(app, &genuine(uri)).await).await, (200, "room_create".to_owned()));
    }
    assert_eq!(text(call(app, &forged(uri)).await).await, (401, String::new()));
}

/// A method's `route_layer` leaves axum's own 405 alone; `layer` answers it, with the methods that
/// the provider uses.
#[tokio::test]
async fn a_method_routers_route_layer_and_layer() {
    let inside = Router::new().route("/zego", post(kind).route_layer(layer()));
    let refused = call(&inside, &unsigned(Method::GET, "/zego")).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap()),
        (405, "POST")
    );
    assert_eq!(refusal(&refused), None, "axum's");

    let around = Router::new().route("/zego", post(kind).layer(layer()));
    let refused = call(&around, &unsigned(Method::GET, "/zego")).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap()),
        (405, "POST")
    );
    assert_eq!(refusal(&refused), Some(RejectionKind::MethodNotAllowed), "the layer's");

    // `any` is nothing but a fallback, which `route_layer` leaves alone (axum panics): it takes
    // `layer`.
    let any_method = Router::new().route("/zego", any(kind).layer(layer()));
    assert_eq!(
        refusal(&call(&any_method, &unsigned(Method::GET, "/zego")).await),
        Some(RejectionKind::MethodNotAllowed)
    );

    for app in [inside, around, any_method] {
        assert_guarded(&app, "/zego").await;
    }
}

/// A router's `route_layer` leaves 404 alone; `layer` answers unknown paths with 401, and runs a
/// fallback on a genuine request to any path.
#[tokio::test]
async fn a_routers_route_layer_and_layer() {
    let routes = || {
        Router::new()
            .route("/zego", post(kind))
            .fallback(async || (StatusCode::NOT_FOUND, "nothing here"))
    };
    let inside = routes().route_layer(layer());
    assert_eq!(
        text(call(&inside, &unsigned(Method::POST, "/elsewhere")).await).await,
        (404, "nothing here".to_owned())
    );
    assert_eq!(call(&inside, &unsigned(Method::POST, "/zego")).await.status(), 401);
    assert_guarded(&inside, "/zego").await;

    let around = routes().layer(layer());
    assert_eq!(call(&around, &unsigned(Method::POST, "/elsewhere")).await.status(), 401);
    let misdirected = genuine("/elsewhere");
    assert_eq!(text(call(&around, &misdirected).await).await, (404, "nothing here".to_owned()));
    assert_guarded(&around, "/zego").await;
}

#[tokio::test]
async fn routes_added_after_the_layer_are_open() {
    for app in [
        Router::new().route("/zego", post(kind)).route_layer(layer()),
        Router::new().route("/zego", post(kind).route_layer(layer())),
    ] {
        let app = app.route("/healthz", get(async || "ok"));
        assert_eq!(
            text(call(&app, &unsigned(Method::GET, "/healthz")).await).await,
            (200, "ok".to_owned())
        );
        assert_eq!(call(&app, &unsigned(Method::POST, "/zego")).await.status(), 401);
        assert_guarded(&app, "/zego").await;
        assert_eq!(call(&app, &forged("/elsewhere")).await.status(), 404);
    }
}

#[tokio::test]
async fn nest() {
    async fn nested(event: Verified<Event>, uri: axum::http::Uri) -> String {
        format!("{} at {uri}", event.kind())
    }
    let hooks = Router::new().route("/zego", post(nested)).route_layer(layer());
    let app = Router::new().nest("/hooks", hooks).route("/", get(async || "home"));
    assert_eq!(
        text(call(&app, &genuine("/hooks/zego")).await).await,
        (200, "room_create at /zego".to_owned())
    );
    assert_eq!(call(&app, &unsigned(Method::POST, "/hooks/zego")).await.status(), 401);
    assert_eq!(call(&app, &unsigned(Method::POST, "/hooks/other")).await.status(), 404);
    assert_eq!(text(call(&app, &unsigned(Method::GET, "/")).await).await, (200, "home".to_owned()));

    let hooks = Router::new().route("/zego", post(kind)).layer(layer());
    let app = Router::new().nest("/hooks", hooks).route("/", get(async || "home"));
    assert_guarded(&app, "/hooks/zego").await;
    assert_eq!(text(call(&app, &unsigned(Method::GET, "/")).await).await, (200, "home".to_owned()));

    let around =
        Router::new().nest("/hooks", Router::new().route("/zego", post(kind))).layer(layer());
    assert_guarded(&around, "/hooks/zego").await;

    // Around the whole nest, unknown paths of it are the webhook's too.
    let around = Router::new()
        .nest_service("/hooks", layer().layer(Router::new().route("/zego", post(nested))));
    assert_eq!(
        text(call(&around, &genuine("/hooks/zego")).await).await,
        (200, "room_create at /zego".to_owned())
    );
    assert_eq!(call(&around, &unsigned(Method::POST, "/hooks/other")).await.status(), 401);
}

/// A whole server that is one provider's: every path is the webhook's.
#[tokio::test]
async fn fallback() {
    let routes = || Router::new().route("/healthz", get(async || "ok"));
    for app in [
        routes().fallback_service(post(kind).layer(layer())),
        routes().fallback_service(layer().layer(post(kind))),
    ] {
        assert_guarded(&app, "/any/path?at=all").await;
        assert_eq!(call(&app, &unsigned(Method::POST, "/any/path")).await.status(), 401);
        assert_eq!(call(&app, &unsigned(Method::GET, "/healthz")).await.status(), 200);
    }
}

#[tokio::test]
async fn state() {
    async fn counted(
        State(count): State<Arc<AtomicUsize>>,
        event: Verified<Event>,
        body: Bytes,
    ) -> String {
        assert_eq!(&body, event.body());
        format!("{} {}", event.kind(), count.fetch_add(1, Ordering::Relaxed))
    }
    let count = Arc::new(AtomicUsize::new(41));
    let app = Router::new()
        .route("/zego", post(counted).route_layer(layer()))
        .with_state(Arc::clone(&count));
    assert_eq!(text(call(&app, &genuine("/zego")).await).await, (200, "room_create 41".to_owned()));
    assert_eq!(call(&app, &unsigned(Method::POST, "/zego")).await.status(), 401);
    assert_eq!(count.load(Ordering::Relaxed), 42);
}

/// Notes what it sees on the way in and on the way out.
async fn note(request: Request, next: Next) -> Response {
    let event = request.extensions().get::<Verified<Event>>().map(|event| (**event).kind());
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-seen", HeaderValue::from_static(event.unwrap_or("nothing")));
    response
}

#[tokio::test]
async fn from_fn_outside() {
    // The last of several calls is the outermost.
    let app =
        Router::new().route("/zego", post(kind).route_layer(layer()).route_layer(from_fn(note)));
    for (request, expected) in [(genuine("/zego"), 200), (unsigned(Method::POST, "/zego"), 401)] {
        let response = call(&app, &request).await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["x-seen"].to_str().unwrap()),
            (expected, "nothing")
        );
    }
}

async fn check_inside(app: &Router) {
    let response = call(app, &genuine("/zego")).await;
    assert_eq!(response.headers()["x-seen"], "room_create");
    assert_eq!(text(response).await, (200, "room_create".to_owned()));
    let refused = call(app, &unsigned(Method::POST, "/zego")).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers().get("x-seen")),
        (401, None),
        "it does not get that far"
    );
}

/// Layers that are added one by one: axum makes a route of each, and a route takes any body.
#[tokio::test]
async fn from_fn_inside_one_by_one() {
    check_inside(
        &Router::new().route("/zego", post(kind).route_layer(from_fn(note)).route_layer(layer())),
    )
    .await;
}

/// In one stack the services meet: `from_fn` is written for axum's body, the webhook layer hands on
/// a `Full<Bytes>`.
#[tokio::test]
async fn from_fn_inside_one_stack_with_its_body_mapped() {
    let stack = ServiceBuilder::new()
        .layer(layer())
        .layer(MapRequestBodyLayer::new(Body::new))
        .layer(from_fn(note));
    check_inside(&Router::new().route("/zego", post(kind).layer(stack))).await;
}

/// The other cure: middleware that does not care about the body's type.
#[tokio::test]
async fn generic_middleware_inside_one_stack() {
    #[derive(Clone)]
    struct Note<S>(S);

    impl<S, B> Service<http::Request<B>> for Note<S>
    where
        S: Service<http::Request<B>>,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        type Response = Response;
        type Error = S::Error;
        type Future = std::pin::Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

        fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
            self.0.poll_ready(cx)
        }

        fn call(&mut self, request: http::Request<B>) -> Self::Future {
            let event = request.extensions().get::<Verified<Event>>().map(|event| (**event).kind());
            let response = self.0.call(request);
            Box::pin(async move {
                let mut response = axum::response::IntoResponse::into_response(response.await?);
                response
                    .headers_mut()
                    .insert("x-seen", HeaderValue::from_static(event.unwrap_or("nothing")));
                Ok(response)
            })
        }
    }

    let stack = ServiceBuilder::new().layer(layer()).layer_fn(Note);
    check_inside(&Router::new().route("/zego", post(kind).layer(stack))).await;
}

/// A sender that proves itself with a word in a header, which is no secret here.
struct Doorbell(&'static str);

impl Provider for Doorbell {
    const NAME: &'static str = "doorbell";
    const METHODS: &'static [Method] = &[Method::GET, Method::POST];
    const CREDENTIALS: &'static [&'static str] = &["x-word"];
    type FromHead = ();
    type Event = String;

    fn check_head(&self, head: &Parts, _now: SystemTime) -> Result<(), Rejection> {
        match exactly_one(&head.headers, "x-word")? == self.0 {
            true => Ok(()),
            false => Err(Rejection::new(RejectionKind::CredentialWrong)),
        }
    }

    fn check_body(
        &self,
        (): (),
        _head: &Parts,
        body: &Bytes,
        _now: SystemTime,
    ) -> Result<Delivery<String>, Rejection> {
        let proof =
            Proof { covers: Covers::Nothing, key_index: 0, signed_at: None, identity: None };
        Ok(Delivery::new(String::from_utf8_lossy(body).into_owned(), "ring", proof))
    }
}

fn ring<B>(body: impl Into<B>) -> Request<B> {
    Request::post("/bell").header("x-word", "sesame").body(body.into()).unwrap()
}

#[tokio::test]
async fn several_providers_on_one_router() {
    async fn rang(event: Verified<String>) -> String {
        format!("{} rings: {}", event.metadata().provider, *event)
    }
    let app = Router::new()
        .route("/zego", post(kind).route_layer(layer()))
        .route("/bell", any(rang).layer(WebhookLayer::new(Doorbell("sesame"))));
    assert_eq!(text(call(&app, &genuine("/zego")).await).await, (200, "room_create".to_owned()));
    assert_eq!(
        text(call(&app, &ring("ding")).await).await,
        (200, "doorbell rings: ding".to_owned())
    );
    // One's credentials open nothing of the other's.
    let mut crossed = genuine("/bell");
    crossed.headers_mut().insert("x-word", HeaderValue::from_static("open"));
    assert_eq!(refusal(&call(&app, &crossed).await), Some(RejectionKind::CredentialWrong));
    let mut crossed = ring(r#"{"event":"room_create"}"#);
    *crossed.uri_mut() = "/zego".parse().unwrap();
    assert_eq!(refusal(&call(&app, &crossed).await), Some(RejectionKind::CredentialMissing));
    let refused = call(&app, &unsigned(Method::DELETE, "/bell")).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["allow"].to_str().unwrap()),
        (405, "GET, POST")
    );
}

#[tokio::test]
async fn limits_of_each_route() {
    async fn length(event: Verified<String>) -> String {
        event.len().to_string()
    }
    let bell = || WebhookLayer::new(Doorbell("sesame"));
    let app = Router::new()
        .route("/bell", post(length).route_layer(bell().body_limit(4)))
        .route("/large", post(length).route_layer(bell().body_limit(4 << 20)));
    let at = |uri: &str, mut request: Request<Bytes>| {
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    assert_eq!(text(call(&app, &ring("ding")).await).await, (200, "4".to_owned()));
    assert_eq!(refusal(&call(&app, &ring("dingg")).await), Some(RejectionKind::BodyTooLarge));
    // Of no declared length.
    let streamed = Body::from_stream(futures_util::stream::iter([
        Ok::<_, std::io::Error>("ding"),
        Ok("dong"),
    ]));
    let refused = app.clone().oneshot(ring::<Body>(streamed)).await.unwrap();
    assert_eq!(refusal(&refused), Some(RejectionKind::BodyTooLarge));
    // axum's own limit of 2 MiB is for its extractors and does not hold the layer back.
    let large = at("/large", ring(vec![b'-'; 3 << 20]));
    assert_eq!(text(call(&app, &large).await).await, (200, (3 << 20).to_string()));
}

/// A handler that also takes the body as an extractor is under axum's limit, too, which is 2 MiB by
/// default.
#[tokio::test]
async fn axums_limit_is_for_extractors() {
    async fn length<E>(_: Verified<E>, body: Bytes) -> String {
        body.len().to_string()
    }
    let create = |length: usize| {
        signed("/zego", format!(r#"{{"event":"room_create","pad":"{}"}}"#, "x".repeat(length)))
    };
    let app = Router::new()
        .route("/zego", post(length::<Event>))
        .layer(layer().body_limit(4 << 20))
        .route(
            "/bell",
            post(length::<String>)
                .route_layer(WebhookLayer::new(Doorbell("sesame")).body_limit(4 << 20)),
        );
    assert_eq!(call(&app, &ring(vec![b'-'; 1 << 20])).await.status(), 200);
    for large in [ring(vec![b'-'; 3 << 20]), create(3 << 20)] {
        assert_eq!(call(&app, &large).await.status(), 413, "the extractor's limit");
    }
    for limit in [DefaultBodyLimit::max(4 << 20), DefaultBodyLimit::disable()] {
        let app = app.clone().layer(limit);
        for large in [ring(vec![b'-'; 3 << 20]), create(3 << 20)] {
            assert_eq!(call(&app, &large).await.status(), 200);
        }
    }
}

#[tokio::test]
async fn a_repeat_gets_the_kept_answer() {
    async fn answer(
        Extension(calls): Extension<Arc<AtomicUsize>>,
        _event: Verified<Event>,
    ) -> ReplayedResponse {
        let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
        ReplayedResponse::new(
            HeaderValue::from_static("application/json"),
            format!("{{\"call\":{call}}}"),
        )
    }
    let (app, calls) = (
        Router::new().route("/zego", post(answer).route_layer(layer())),
        Arc::new(AtomicUsize::new(0)),
    );
    let app = app.layer(Extension(Arc::clone(&calls)));
    let filled = app.clone().layer(MapResponseLayer::new(ReplayedResponse::restore));
    let request = genuine("/zego");

    for attempt in 0..3 {
        let response = call(&filled, &request).await;
        assert_eq!(response.headers()["content-type"], "application/json", "{attempt}");
        assert_eq!(text(response).await, (200, r#"{"call":1}"#.to_owned()), "{attempt}");
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    // Without `fill` the repeat is acknowledged and says nothing.
    assert_eq!(text(call(&app, &request).await).await, (200, String::new()));

    // Nobody gets the answer with another body under the signature.
    let forged =
        request.map(|body| String::from_utf8_lossy(&body).replace("lobby", "vault").into());
    assert_eq!(text(call(&filled, &forged).await).await, (409, String::new()));
}

/// A router that is not nested says how long its answers are, and the repeat's own is empty.
#[tokio::test]
async fn a_kept_answer_has_its_own_length() {
    async fn answer(_: Verified<Event>) -> ReplayedResponse {
        ReplayedResponse::new(HeaderValue::from_static("application/json"), r#"{"result":1}"#)
    }
    let app = Router::new().route("/zego", post(answer).route_layer(layer()));
    let whole = MapResponseLayer::new(ReplayedResponse::restore).layer(app);
    let addr = serve(Router::new().fallback_service(whole)).await;
    let request = genuine("/zego");
    let head = format!(
        "POST /zego HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        request.body().len()
    );
    for attempt in 0..2 {
        let answer = exchange(addr, [head.as_bytes(), request.body()].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{attempt}: {answer}");
        assert!(answer.contains("content-length: 12\r\n"), "{attempt}: {answer}");
        assert!(answer.ends_with("\r\n\r\n{\"result\":1}"), "{attempt}: {answer}");
    }
}

/// The inner service is axum's: what it gets is the body in one piece.
#[tokio::test]
async fn a_tower_service_as_a_route() {
    let service = tower::service_fn(|request: http::Request<Full<Bytes>>| async move {
        let event = request.extensions().get::<Verified<Event>>().unwrap();
        Ok::<_, std::convert::Infallible>(Response::new(Body::from((**event).kind())))
    });
    let app: Router = Router::new().route_service("/zego", layer().layer(service));
    assert_eq!(text(call(&app, &genuine("/zego")).await).await, (200, "room_create".to_owned()));
    assert_eq!(call(&app, &unsigned(Method::POST, "/zego")).await.status(), 401);
}
