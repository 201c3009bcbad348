//! What must hold for every provider that authenticates from the head.

use crate::support::{
    letterbox::{Scripted, Step},
    serve,
};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use http::{HeaderValue, Request, Response, StatusCode, request::Parts};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{Layer, Service, ServiceExt};
use tower_webhooks::{Provider, Rejection, TestClock, WebhookLayer};

pub fn at(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

/// A handler that counts, and keeps the head of the last request.
#[derive(Clone, Default)]
pub struct Probe {
    pub readied: Arc<AtomicUsize>,
    pub head: Arc<Mutex<Option<Parts>>>,
}

impl Service<Request<Full<Bytes>>> for Probe {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.readied.fetch_add(1, SeqCst);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        *self.head.lock().unwrap() = Some(request.into_parts().0);
        ready(Ok(Response::new("handled".to_owned())))
    }
}

pub struct Outcome {
    pub response: Response<String>,
    pub polls: usize,
    pub probe: Probe,
}

impl Outcome {
    pub fn rejection(&self) -> Option<&Rejection> {
        self.response.extensions().get()
    }
}

/// Sends one request through the layer, with the clock at `now`.
pub async fn send<P: Provider>(
    provider: P,
    request: Request<Bytes>,
    declared: Option<u64>,
    now: SystemTime,
) -> Outcome {
    let probe = Probe::default();
    let service = WebhookLayer::new(provider).clock(TestClock::at(now)).layer(probe.clone());
    let (head, data) = request.into_parts();
    let (mut body, counted) = Scripted::new([Step::Data(data)]);
    if let Some(declared) = declared {
        body = body.declaring(declared);
    }
    let response = service.oneshot(Request::from_parts(head, body)).await.unwrap();
    Outcome { response, polls: counted.polls(), probe }
}

/// Every way to damage one of the headers.
pub fn damaged(good: &Request<Bytes>, names: &[&'static str]) -> Vec<(String, Request<Bytes>)> {
    let mut all = Vec::new();
    for name in names {
        let value = good.headers()[*name].to_str().unwrap();
        let mut with = |what: &str, change: &dyn Fn(&mut http::HeaderMap)| {
            let mut request = good.clone();
            change(request.headers_mut());
            all.push((format!("{name}: {what}"), request));
        };
        let set = |bytes: Vec<u8>| {
            let value = HeaderValue::from_bytes(&bytes).unwrap();
            move |headers: &mut http::HeaderMap| _ = headers.insert(*name, value.clone())
        };
        with("missing", &|headers| _ = headers.remove(*name));
        with("twice", &|headers| _ = headers.append(*name, headers[*name].clone()));
        with("empty", &set(Vec::new()));
        with("blank", &set(b" ".to_vec()));
        with("joined", &set(format!("{value}, {value}").into_bytes()));
        with("one longer", &set(format!("{value}0").into_bytes()));
        with("one shorter", &set(value.as_bytes()[..value.len() - 1].to_vec()));
        with("front gone", &set(value.as_bytes()[1..].to_vec()));
        with("blank behind", &set(format!("{value} ").into_bytes()));
        with("tab behind", &set(format!("{value}\t").into_bytes()));
        with("not ASCII", &set(format!("{value}é").into_bytes()));
        with("Latin-1", &set([value.as_bytes(), &[0xe9]].concat()));
        with("over-long", &set(vec![b'0'; 1025]));
        with(
            "changed at its end",
            &set({
                let mut bytes = value.as_bytes().to_vec();
                let last = bytes.last_mut().unwrap();
                *last = if *last == b'0' { b'1' } else { b'0' };
                bytes
            }),
        );
    }
    all
}

/// Bad heads: one and the same 401 with this `WWW-Authenticate`, the body never polled, the handler
/// never made ready.
pub async fn refuses_unread<P: Provider>(
    provider: impl Fn() -> P,
    challenge: Option<&'static str>,
    bad: impl IntoIterator<Item = (String, Request<Bytes>)>,
    now: SystemTime,
) {
    let mut tried = 0;
    for (what, request) in bad {
        for declared in [None, Some(1_000_000), Some(u64::MAX)] {
            let outcome = send(provider(), request.clone(), declared, now).await;
            assert_eq!(outcome.response.status(), StatusCode::UNAUTHORIZED, "{what}");
            let headers: Vec<_> = outcome
                .response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .collect();
            let challenge = challenge.map(HeaderValue::from_static);
            let expected: Vec<_> =
                challenge.iter().map(|challenge| ("www-authenticate", challenge)).collect();
            assert!(
                headers == expected && outcome.response.body().is_empty(),
                "{what}: {headers:?}"
            );
            assert_eq!(outcome.polls, 0, "{what}");
            assert_eq!(outcome.probe.readied.load(SeqCst), 0, "{what}");
        }
        tried += 1;
    }
    assert!(tried > 0);
}

/// A good head: compressed, too long or of another method is refused unread too; else every
/// credential arrives marked sensitive, and nothing else does.
pub async fn accepts<P: Provider>(
    provider: impl Fn() -> P,
    good: Request<Bytes>,
    names: &[&str],
    now: SystemTime,
) {
    let compressed = {
        let mut request = good.clone();
        request.headers_mut().insert("content-encoding", HeaderValue::from_static("gzip"));
        request
    };
    let get = {
        let mut request = good.clone();
        *request.method_mut() = http::Method::GET;
        request
    };
    for (request, declared, status) in [
        (compressed, None, 415),
        (good.clone(), Some(P::BODY_LIMIT as u64 + 1), 413),
        (get, None, 405),
    ] {
        let outcome = send(provider(), request, declared, now).await;
        assert_eq!((outcome.response.status().as_u16(), outcome.polls), (status, 0));
    }

    let mut request = good;
    request.headers_mut().insert("x-harmless", HeaderValue::from_static("1"));
    let outcome = send(provider(), request, None, now).await;
    assert_eq!(outcome.response.body(), "handled", "{:?}", outcome.rejection());
    let head = outcome.probe.head.lock().unwrap().take().unwrap();
    for name in names {
        assert!(head.headers.get_all(*name).iter().all(HeaderValue::is_sensitive), "{name}");
        assert!(head.headers.contains_key(*name), "{name}");
    }
    assert!(!head.headers["x-harmless"].is_sensitive());
}

/// A good head with a hostile body: bounded in bytes and in time, and the handler is not made ready
/// for what does not arrive whole.
pub async fn survives_hostile_bodies<P: Provider>(
    provider: impl Fn() -> P,
    good: Request<Bytes>,
    now: SystemTime,
) {
    type Frames = BoxStream<'static, Result<Frame<Bytes>, io::Error>>;

    let whole = good.body().clone();
    let bytes = |body: Bytes| move |at: usize| Ok(Frame::data(body.slice(at..at + 1)));
    let reset = || Err(io::ErrorKind::ConnectionReset.into());
    let endless = Bytes::from(vec![b' '; 64 << 10]);
    let bodies: [(&str, u16, Frames); 6] = [
        ("one byte a frame", 200, stream::iter(0..whole.len()).map(bytes(whole.clone())).boxed()),
        ("endless", 413, stream::repeat_with(move || Ok(Frame::data(endless.clone()))).boxed()),
        ("endless and empty", 408, stream::repeat_with(|| Ok(Frame::data(Bytes::new()))).boxed()),
        ("silent", 408, stream::pending().boxed()),
        (
            "broken off",
            400,
            stream::iter(0..5).map(bytes(whole)).chain(stream::iter([reset()])).boxed(),
        ),
        ("no JSON", 200, stream::iter([Ok(Frame::data(Bytes::from("{\"a\":")))]).boxed()),
    ];
    for (what, status, frames) in bodies {
        let probe = Probe::default();
        let layer = WebhookLayer::new(provider())
            .clock(TestClock::at(now))
            .read_timeout(Duration::from_secs(1));
        let service = layer.layer(probe.clone());
        let request = Request::from_parts(good.clone().into_parts().0, StreamBody::new(frames));
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{what}");
        assert_eq!(probe.readied.load(SeqCst), usize::from(status == 200), "{what}");
    }
}

/// Over a socket: a head that announces a megabyte and sends none of it.
pub async fn refuses_before_the_body_comes<P: Provider>(provider: P, headers: &str) {
    // What waits for the body has no answer in time.
    let layer = WebhookLayer::new(provider).read_timeout(Duration::from_secs(600));
    let app =
        axum::Router::new().route("/hook", axum::routing::post(async || "handled").layer(layer));
    let mut socket = TcpStream::connect(serve(app).await).await.unwrap();
    let head = format!(
        "POST /hook HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: 1000000\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(60), socket.read_exact(&mut answer)).await;
    read.expect("an answer before the body").unwrap();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), "HTTP/1.1 401");
}

/// Whatever can be printed of a request's way through the layer holds none of `secrets`.
pub fn prints_nothing_of(secrets: &[&str], printed: &[String]) {
    for text in printed {
        assert!(!text.is_empty());
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// The mistake that the layer logs, so that a test of the log has something to look at.
#[cfg(feature = "tracing")]
pub async fn apply_twice<P: Provider + Clone>(
    provider: P,
    request: Request<Bytes>,
    now: SystemTime,
) {
    let layer = || WebhookLayer::new(provider.clone()).clock(TestClock::at(now));
    let service = layer().layer(layer().layer(Probe::default()));
    let response = crate::support::call(&service, &request).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
