//! Vobiz behind the layer: what is read, what is answered, and axum's `nest`.
#![cfg(feature = "vobiz")]

use crate::{
    head_auth::send,
    support::{call, exchange, letterbox::Desk, serve, signed, with, without},
};
use axum::{
    Router,
    routing::{any, post},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use std::{convert::Infallible, time::SystemTime};
use tower::{Layer, Service, service_fn};
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

/// The response, and how often the body was asked.
async fn asked<P: Provider>(
    provider: P,
    request: Request<Bytes>,
    declared: Option<u64>,
) -> (Response<String>, usize) {
    let outcome = send(provider, request, declared, SystemTime::now()).await;
    if let Some(head) = &*outcome.probe.head.lock().unwrap() {
        assert!(head.extensions.get::<Verified<P::Event>>().is_some());
    }
    (outcome.response, outcome.polls)
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
        let (response, polls) = asked(provider(), genuine.clone(), None).await;
        assert_eq!((response.status(), &**response.body()), (StatusCode::OK, "handled"));
        assert!(polls > 0);

        for name in headers {
            for request in [without(genuine.clone(), name), with(genuine.clone(), name, bad)] {
                let (response, polls) = asked(provider(), request, Some(u64::MAX)).await;
                assert_eq!((response.status(), polls), (StatusCode::UNAUTHORIZED, 0), "{name}");
                assert!(response.body().is_empty() && response.headers().is_empty());
            }
        }
        // A good head, but a body that says it is too large, or is compressed.
        let (response, polls) = asked(provider(), genuine.clone(), Some((1 << 20) + 1)).await;
        assert_eq!((response.status(), polls), (StatusCode::PAYLOAD_TOO_LARGE, 0));
        let compressed = with(genuine, "content-encoding", "gzip");
        let (response, polls) = asked(provider(), compressed, None).await;
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
        asked(Voice::new(KEY, ORIGIN).unwrap(), signed(&signer, "/cb", "Event=Ring"), None).await;
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
    let malformed = with(genuine.clone(), "x-vobiz-signature-v3-nonce", "1");
    let unsigned = Request::post("/cb").body(Bytes::new()).unwrap();
    for request in [elsewhere, malformed, unsigned] {
        let (response, _) = asked(Voice::new(KEY, ORIGIN).unwrap(), request, None).await;
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
        let response = call(&WebhookLayer::new(provider).layer(service), &request).await;
        let mut names: Vec<_> = response.body().split(' ').map(str::to_owned).collect();
        names.sort();
        names
    }

    let v3 = voice::Signer::new(KEY, ORIGIN).unwrap().also_sign_parent("main").unwrap();
    let request = v3.clone().v2().sign(signed(&v3, "/cb", ""), SystemTime::now());
    let request = with(with(request, "x-vobiz-signature", "legacy"), "user-agent", "Vobiz");
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
    assert_eq!(call(&prefixed, &request).await.status(), 200);
    assert_eq!(call(&prefixed, &signed(&signer, "/vobiz/other", "Event=Ring")).await.status(), 404);
    let bare = Router::new().nest("/vobiz", inner(ORIGIN));
    assert_eq!(call(&bare, &request).await.status(), 401);
    let twice = Router::new()
        .nest("/in", Router::new().nest("/vobiz", inner("https://hooks.example.com/in/vobiz/")));
    assert_eq!(call(&twice, &signed(&signer, "/in/vobiz/call", "Event=Ring")).await.status(), 200);
    assert_eq!(call(&twice, &request).await.status(), 404);

    // The nested root, signed with and without its slash, arrives as `/`.
    assert_eq!(call(&prefixed, &signed(&signer, "/vobiz", "Event=Ring")).await.status(), 200);
    let slash = signer.clone().exact_url("https://hooks.example.com/vobiz/").unwrap();
    assert_eq!(call(&prefixed, &signed(&slash, "/vobiz", "Event=Ring")).await.status(), 200);

    // Around the whole router the layer sees the whole path.
    let outside =
        Router::new().nest("/vobiz", Router::new().route("/call", any(kind))).layer(layer(ORIGIN));
    assert_eq!(call(&outside, &request).await.status(), 200);
    let outside = outside.layer(layer("https://hooks.example.com/vobiz"));
    assert_eq!(call(&outside, &request).await.status(), 401);
}

#[tokio::test]
async fn attack_host_and_forwarded_headers_over_a_socket() {
    let app = || {
        let layer = WebhookLayer::new(Voice::new(KEY, "https://hooks.example.com/vobiz").unwrap());
        Router::new().nest("/vobiz", Router::new().route("/call", post(kind).layer(layer)))
    };
    let nonce = "12345678901234567890";
    let head = |signed_url: &str, target: &str, headers: &str| {
        let signature = voice::Signer::new(KEY, ORIGIN).unwrap().signature(signed_url, nonce);
        format!(
            "POST {target} HTTP/1.1\r\n{headers}X-Vobiz-Signature-V3: {signature}\r\n\
             X-Vobiz-Signature-V3-Nonce: {nonce}\r\nConnection: close\r\nContent-Length: \
             10\r\n\r\nEvent=Ring"
        )
    };
    let right = "https://hooks.example.com/vobiz/call";
    for headers in [
        "Host: hooks.example.com\r\n",
        "Host: 10.0.0.7:8080\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: evil.example.com\r\n",
        "Host: evil.example.com\r\nForwarded: \
         host=evil.example.com;proto=http\r\nX-Forwarded-Prefix: /evil\r\n",
    ] {
        for target in ["/vobiz/call", "/vobiz/call?tenant=42", "http://evil.example.com/vobiz/call"]
        {
            let response = exchange(serve(app()).await, &head(right, target, headers)).await;
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
        let response =
            exchange(serve(app()).await, &head(signed_url, "/vobiz/call", headers)).await;
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
    let response = exchange(serve(app).await, request).await;
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

#[tokio::test]
async fn the_body_keeps_bytes_that_are_no_utf_8() {
    let signer = voice::Signer::new(KEY, ORIGIN).unwrap();
    let layer = WebhookLayer::new(Voice::new(KEY, ORIGIN).unwrap());
    for form in [&b"Event=Hangup&CallerName=%E9ric"[..], b"Event=Hangup&CallerName=\xe9ric"] {
        let desk = Desk::default();
        let response = call(&layer.layer(desk.clone()), &signed(&signer, "/call", form)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let request = desk.only();
        let event = request.extensions().get::<Verified<voice::Event>>().unwrap();
        let voice::Event::Hangup(hangup) = &**event else { panic!("{event:?}") };
        assert_eq!(hangup.call.caller_name.as_deref(), Some("\u{fffd}ric"));
        assert_eq!(event.body()[..], form[..]);
    }
}
