//! Vobiz behind the layer: what is read, what is answered, and axum's `nest`.
#![cfg(feature = "vobiz")]

use axum::{
    Router,
    body::Body,
    routing::{any, post},
};
use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_webhooks::{
    Provider, Rejection, RejectionKind, Signer, Verified, WebhookLayer,
    vobiz::{
        campaign::{self, Campaign},
        kyc::{self, Kyc},
        ndnc::{self, Ndnc},
        trunk::{self, Trunk},
        voice::{self, Voice},
        whatsapp::{self, Whatsapp},
    },
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const ORIGIN: &str = "https://hooks.example.com";

/// A body that counts how often it is asked.
struct Counting {
    body: Full<Bytes>,
    polls: Arc<AtomicUsize>,
    declared: Option<u64>,
}

impl http_body::Body for Counting {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.declared.map_or_else(|| self.body.size_hint(), SizeHint::with_exact)
    }
}

/// The response, and how often the body was asked.
async fn call<P: Provider>(
    provider: P,
    request: Request<Bytes>,
    declared: Option<u64>,
) -> (Response<String>, usize) {
    let polls = Arc::new(AtomicUsize::new(0));
    let service =
        WebhookLayer::new(provider).layer(service_fn(async |request: Request<Full<Bytes>>| {
            assert!(request.extensions().get::<Verified<P::Event>>().is_some());
            Ok::<_, Infallible>(Response::new("accepted".to_owned()))
        }));
    let request =
        request.map(|body| Counting { body: Full::new(body), polls: Arc::clone(&polls), declared });
    let response = service.oneshot(request).await.unwrap();
    (response, polls.load(Ordering::Relaxed))
}

fn signed(signer: &impl Signer, uri: &str, body: &'static str) -> Request<Bytes> {
    signer.sign(Request::post(uri).body(Bytes::from(body)).unwrap(), SystemTime::now())
}

#[tokio::test]
async fn attack_a_bad_head_leaves_the_body_unread() {
    async fn check<P: Provider>(
        provider: impl Fn() -> P,
        signer: impl Signer,
        headers: &[&'static str],
        bad: &str,
    ) {
        let genuine = signed(&signer, "/cb", "{}");
        let (response, polls) = call(provider(), genuine.clone(), None).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, "accepted"));
        assert!(polls > 0);

        for name in headers.iter().copied().map(HeaderName::from_static) {
            let mut without = genuine.clone();
            without.headers_mut().remove(&name).unwrap();
            let mut malformed = genuine.clone();
            malformed.headers_mut().insert(&name, bad.parse().unwrap());
            for request in [without, malformed] {
                let (response, polls) = call(provider(), request, Some(u64::MAX)).await;
                assert_eq!((response.status(), polls), (StatusCode::UNAUTHORIZED, 0), "{name}");
                assert!(response.body().is_empty() && response.headers().is_empty());
            }
        }
        // A good head, but a body that says it is too large, or is compressed.
        let (response, polls) = call(provider(), genuine.clone(), Some((1 << 20) + 1)).await;
        assert_eq!((response.status(), polls), (StatusCode::PAYLOAD_TOO_LARGE, 0));
        let mut compressed = genuine;
        compressed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
        let (response, polls) = call(provider(), compressed, None).await;
        assert_eq!((response.status(), polls), (StatusCode::UNSUPPORTED_MEDIA_TYPE, 0));
    }

    let voice_headers = ["x-vobiz-signature-v3", "x-vobiz-signature-v3-nonce"];
    check(
        || Voice::new(KEY, ORIGIN).unwrap(),
        voice::Signer::new(KEY, ORIGIN).unwrap(),
        &voice_headers,
        "x",
    )
    .await;
    check(|| Kyc::new(KEY).unwrap(), kyc::Signer::new(KEY).unwrap(), &["x-vobiz-signature"], "x")
        .await;
    check(
        || Campaign::new(KEY).unwrap(),
        campaign::Signer::new(KEY).unwrap(),
        &["x-vobiz-signature"],
        "x",
    )
    .await;
    check(|| Ndnc::new(KEY).unwrap(), ndnc::Signer::new(KEY).unwrap(), &["x-vobiz-signature"], "x")
        .await;
    check(
        || Trunk::new(KEY).unwrap(),
        trunk::Signer::new(KEY).unwrap(),
        &["x-vobiz-signature"],
        "x",
    )
    .await;
    check(
        || Whatsapp::new(KEY).unwrap(),
        whatsapp::Signer::new(KEY).unwrap(),
        &["x-webhook-signature"],
        "x",
    )
    .await;
}

#[tokio::test]
async fn attack_a_wrong_voice_signature_leaves_the_body_unread() {
    let signer = voice::Signer::new("another token", ORIGIN).unwrap();
    let (response, polls) =
        call(Voice::new(KEY, ORIGIN).unwrap(), signed(&signer, "/cb", "Event=Ring"), None).await;
    assert_eq!((response.status(), polls), (StatusCode::UNAUTHORIZED, 0));
    assert_eq!(
        response.extensions().get::<Rejection>().unwrap().kind(),
        RejectionKind::CredentialWrong
    );
}

#[tokio::test]
async fn attack_no_error_oracle() {
    let signer = voice::Signer::new(KEY, ORIGIN).unwrap();
    let genuine = signed(&signer, "/cb", "Event=Ring");
    let mut elsewhere = genuine.clone();
    *elsewhere.uri_mut() = "/other".parse().unwrap();
    let mut malformed = genuine.clone();
    malformed.headers_mut().insert("x-vobiz-signature-v3-nonce", "1".parse().unwrap());
    let unsigned = Request::post("/cb").body(Bytes::new()).unwrap();
    for request in [elsewhere, malformed, unsigned] {
        let (response, _) = call(Voice::new(KEY, ORIGIN).unwrap(), request, None).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::UNAUTHORIZED, ""));
        assert!(response.headers().is_empty());
    }
}

#[tokio::test]
async fn credentials_are_sensitive_behind_the_layer() {
    async fn sensitive<P: Provider>(provider: P, request: Request<Bytes>) -> Vec<String> {
        let service = service_fn(async |request: Request<Full<Bytes>>| {
            let headers = request.headers().iter();
            let printed = format!("{:?}", request.headers());
            let names: Vec<_> = headers
                .filter(|(_, value)| value.is_sensitive())
                .map(|(name, _)| name.to_string())
                .collect();
            assert_eq!(printed.matches("Sensitive").count(), names.len());
            Ok::<_, Infallible>(Response::new(names.join(" ")))
        });
        let response = WebhookLayer::new(provider)
            .layer(service)
            .oneshot(request.map(Full::new))
            .await
            .unwrap();
        let mut names: Vec<_> = response.body().split(' ').map(str::to_owned).collect();
        names.sort();
        names
    }

    let v3 = voice::Signer::new(KEY, ORIGIN).unwrap().parent_token("main").unwrap();
    let mut request = v3.clone().v2().sign(signed(&v3, "/cb", ""), SystemTime::now());
    request.headers_mut().insert("x-vobiz-signature", "legacy".parse().unwrap());
    request.headers_mut().insert("user-agent", "Vobiz".parse().unwrap());
    assert_eq!(
        sensitive(Voice::new(KEY, ORIGIN).unwrap(), request).await,
        [
            "x-vobiz-signature",
            "x-vobiz-signature-ma-v2",
            "x-vobiz-signature-ma-v3",
            "x-vobiz-signature-v2",
            "x-vobiz-signature-v2-nonce",
            "x-vobiz-signature-v3",
            "x-vobiz-signature-v3-nonce",
        ]
    );
    let kyc = signed(&kyc::Signer::new(KEY).unwrap(), "/cb", "{}");
    assert_eq!(sensitive(Kyc::new(KEY).unwrap(), kyc).await, ["x-vobiz-signature"]);
}

async fn kind(event: Verified<voice::Event>) -> String {
    event.metadata().kind.to_string()
}

async fn status(app: &Router, request: &Request<Bytes>) -> StatusCode {
    app.clone().oneshot(request.clone().map(Body::from)).await.unwrap().status()
}

#[tokio::test]
async fn under_nest_the_prefix_belongs_to_the_origin() {
    let layer = |origin: &str| WebhookLayer::new(Voice::new(KEY, origin).unwrap());
    let inner = |origin: &str| {
        Router::new()
            .route("/call", any(kind).layer(layer(origin)))
            .route("/", any(kind).layer(layer(origin)))
    };
    let signer = voice::Signer::new(KEY, ORIGIN).unwrap();
    let request = signed(&signer, "/vobiz/call", "Event=Ring");

    let prefixed = Router::new().nest("/vobiz", inner("https://hooks.example.com/vobiz"));
    assert_eq!(status(&prefixed, &request).await, 200);
    assert_eq!(status(&prefixed, &signed(&signer, "/vobiz/other", "Event=Ring")).await, 404);
    let bare = Router::new().nest("/vobiz", inner(ORIGIN));
    assert_eq!(status(&bare, &request).await, 401);
    let twice = Router::new()
        .nest("/in", Router::new().nest("/vobiz", inner("https://hooks.example.com/in/vobiz/")));
    assert_eq!(status(&twice, &signed(&signer, "/in/vobiz/call", "Event=Ring")).await, 200);
    assert_eq!(status(&twice, &request).await, 404);

    // The nested root, signed with and without its slash, arrives as `/`.
    assert_eq!(status(&prefixed, &signed(&signer, "/vobiz", "Event=Ring")).await, 200);
    let slash = signer.clone().exact_url("https://hooks.example.com/vobiz/").unwrap();
    assert_eq!(status(&prefixed, &signed(&slash, "/vobiz", "Event=Ring")).await, 200);

    // Around the whole router the layer sees the whole path.
    let outside =
        Router::new().nest("/vobiz", Router::new().route("/call", any(kind))).layer(layer(ORIGIN));
    assert_eq!(status(&outside, &request).await, 200);
    let outside = outside.layer(layer("https://hooks.example.com/vobiz"));
    assert_eq!(status(&outside, &request).await, 401);
}

/// Sends `request` as it is and reads until the server has nothing more to say.
async fn raw(app: Router, request: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    server.abort();
    response
}

#[tokio::test]
async fn attack_host_and_forwarded_headers_over_a_socket() {
    let app = || {
        let layer = WebhookLayer::new(Voice::new(KEY, "https://hooks.example.com/vobiz").unwrap());
        Router::new().nest("/vobiz", Router::new().route("/call", post(kind).layer(layer)))
    };
    let nonce = "12345678901234567890";
    let send = |signed_url: &str, target: &str, headers: &str| {
        let signature = voice::Signer::new(KEY, ORIGIN).unwrap().signature(signed_url, nonce);
        format!(
            "POST {target} HTTP/1.1\r\n{headers}X-Vobiz-Signature-V3: {signature}\r\n\
             X-Vobiz-Signature-V3-Nonce: {nonce}\r\nConnection: close\r\nContent-Length: 10\r\n\r\nEvent=Ring"
        )
    };
    let right = "https://hooks.example.com/vobiz/call";
    for headers in [
        "Host: hooks.example.com\r\n",
        "Host: 10.0.0.7:8080\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil.example.com\r\n",
        "Host: evil.example.com\r\nForwarded: host=evil.example.com;proto=http\r\nX-Forwarded-Prefix: /evil\r\n",
    ] {
        for target in ["/vobiz/call", "/vobiz/call?tenant=42", "http://evil.example.com/vobiz/call"]
        {
            let response = raw(app(), send(right, target, headers)).await;
            assert!(
                response.starts_with("HTTP/1.1 200") && response.ends_with("Ring"),
                "{target} {headers} {response}"
            );
        }
    }
    for signed_url in [
        "https://evil.example.com/vobiz/call",
        "http://hooks.example.com/vobiz/call",
        "https://hooks.example.com/call",
        "https://hooks.example.com/vobiz/other",
        "https://hooks.example.com/vobiz/call?tenant=42",
        "https://hooks.example.com:443/vobiz/call",
    ] {
        let headers = "Host: evil.example.com\r\nX-Forwarded-Host: evil.example.com\r\nX-Forwarded-Proto: http\r\n";
        let response = raw(app(), send(signed_url, "/vobiz/call", headers)).await;
        assert!(response.starts_with("HTTP/1.1 401"), "{signed_url} {response}");
    }
}

#[tokio::test]
async fn attack_nobody_is_told_to_continue_after_a_bad_head() {
    let layer = WebhookLayer::new(Kyc::new(KEY).unwrap());
    let app = Router::new().route(
        "/kyc",
        post(async |event: Verified<kyc::Event>| event.kind().to_owned()).layer(layer),
    );
    let request = "POST /kyc HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nX-Vobiz-Signature: sha256=00\r\n\
                   Connection: close\r\nContent-Length: 1000000\r\n\r\n";
    let response = raw(app, request.to_owned()).await;
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
}

#[tokio::test]
async fn a_get_passes_the_layer() {
    let signer = voice::Signer::new(KEY, ORIGIN).unwrap();
    let request = Request::get("/call?Event=Hangup&CallUUID=c1").body(Bytes::new()).unwrap();
    let mut service = WebhookLayer::new(Voice::new(KEY, ORIGIN).unwrap()).layer(service_fn(
        async |request: Request<Full<Bytes>>| {
            let event = request.extensions().get::<Verified<voice::Event>>().unwrap();
            Ok::<_, Infallible>(Response::new(format!(
                "{} {}",
                event.metadata().kind,
                event.covers().as_str()
            )))
        },
    ));
    let request = signer.sign(request, SystemTime::now()).map(Full::new);
    assert_eq!(service.call(request).await.unwrap().body(), "Hangup url");
}
