//! The cost of the layer in front of ZEGOCLOUD's callbacks, beside the floor: the SHA-1 of the
//! signed text and one plain derived parse; with the guard on, also a hash over the content.

#[path = "common/ratio.rs"]
mod ratio;

use bytes::Bytes;
use divan::black_box;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use ratio::{is_measuring, ratio};
use serde::Deserialize;
use sha1::{Digest, Sha1};
use sha2::Sha256;
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    time::{Duration, SystemTime},
};
use tower::{Layer, Service, service_fn};
use tower_webhooks::{
    Signer as _, TestClock, WebhookLayer,
    zegocloud::{self, Zegocloud},
};

const SECRET: &str = "5f4dcc3b5aa765d61d8327deb882cf99";

fn main() {
    divan::main();
    if !is_measuring() {
        return;
    }
    for size in [250, 1 << 10, 64 << 10] {
        let case = Case::new(size);
        let call = case.caller(case.layer().dangerous_without_replay_guard());
        ratio("accept", case.len(), || call(&case.request), || case.floor());
        let forged = case.forged();
        let call = case.caller(case.layer().dangerous_without_replay_guard());
        ratio("refuse", case.len(), || call(&forged), || case.floor());

        // Every delivery needs a signature of its own, made before the time is taken.
        let fresh = || case.caller(case.layer());
        let (pool, turn, guarded) = (case.pool(), Cell::new(0), RefCell::new(fresh()));
        let accept = || {
            // Starts over with an empty store.
            if turn.get() == POOL {
                turn.set(0);
                *guarded.borrow_mut() = fresh();
            }
            let response = guarded.borrow()(&pool[turn.replace(turn.get() + 1)]);
            assert!(response.extensions().is_empty(), "neither a repeat nor a refusal");
            response
        };
        ratio("accept, guarded,", case.len(), accept, || {
            (case.floor(), Sha256::digest(black_box(case.request.body())))
        });
    }
}

#[divan::bench(args = [250, 1024, 65536])]
fn accept(bencher: divan::Bencher<'_, '_>, size: usize) {
    let case = Case::new(size);
    let call = case.caller(case.layer().dangerous_without_replay_guard());
    bencher.bench_local(|| call(&case.request));
}

#[divan::bench(args = [250, 1024, 65536])]
fn refuse(bencher: divan::Bencher<'_, '_>, size: usize) {
    let case = Case::new(size);
    let forged = case.forged();
    let call = case.caller(case.layer().dangerous_without_replay_guard());
    bencher.bench_local(|| call(&forged));
}

#[divan::bench(args = [250, 1024, 65536])]
fn floor(bencher: divan::Bencher<'_, '_>, size: usize) {
    let case = Case::new(size);
    bencher.bench_local(|| case.floor());
}

const POOL: usize = 4096;

struct Case {
    now: SystemTime,
    payload: String,
    request: Request<Bytes>,
    signed: String,
}

impl Case {
    /// A `stream_create` of about that size.
    fn new(size: usize) -> Self {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_760_000_123);
        let small = r#"{"event":"stream_create","appid":"1234567","room_id":"lobby","user_id":"u-17","stream_id":"s-1","create_time_ms":"1763680000123"}"#;
        let payload = if size < 1000 {
            small.to_owned()
        } else {
            let start = r#"{"event":"stream_create","appid":"1234567","room_id":"lobby","room_session_id":"858012925204410400","user_id":"u-17","user_name":"Ada","channel_id":"lobby","stream_id":"s-1","stream_alias":"s-1","stream_sid":"s-858012925204410400-17","title":"","stream_attr":"{\"cid\":0}","stream_seq":"1","create_time":"1763680000","create_time_ms":"1763680000123","recreate":"0","publish_id":"u-17","publish_name":"Ada","rtmp_url":["rtmp://play.example.com/live/s-1"],"hls_url":["https://play.example.com/live/s-1/playlist.m3u8"],"hdl_url":["https://play.example.com/live/s-1.flv"],"pic_url":["https://pic.example.com/live/s-1.jpg"],"extra_info":""#;
            let filling = size.saturating_sub(start.len() + 130);
            format!("{start}{}\"}}", "x".repeat(filling))
        };
        let signer = zegocloud::Signer::new(SECRET).unwrap().nonce("7254119327986670314");
        let request =
            signer.sign(Request::post("/zegocloud").body(payload.clone().into()).unwrap(), now);
        let signed = format!("1760000123{SECRET}7254119327986670314");
        Self { now, payload, request, signed }
    }

    fn len(&self) -> usize {
        self.request.body().len()
    }

    fn pool(&self) -> Vec<Request<Bytes>> {
        let signer = zegocloud::Signer::new(SECRET).unwrap();
        let plain = Request::post("/zegocloud").body(Bytes::from(self.payload.clone())).unwrap();
        (0..POOL).map(|_| signer.sign(plain.clone(), self.now)).collect()
    }

    fn forged(&self) -> Request<Bytes> {
        let body = String::from_utf8(self.request.body().to_vec()).unwrap();
        self.request
            .clone()
            .map(|_| body.replace("7254119327986670314", "7254119327986670315").into())
    }

    fn layer(&self) -> WebhookLayer<Zegocloud> {
        WebhookLayer::new(Zegocloud::new(SECRET).unwrap()).clock(TestClock::at(self.now))
    }

    fn caller(
        &self,
        layer: WebhookLayer<Zegocloud>,
    ) -> impl Fn(&Request<Bytes>) -> Response<String> + use<> {
        let service = layer.layer(service_fn(|request: Request<Full<Bytes>>| async move {
            black_box(request);
            Ok::<_, Infallible>(Response::new(String::new()))
        }));
        let service = RefCell::new(service);
        move |request| {
            let called = service.borrow_mut().call(request.clone().map(Full::new));
            called.now_or_never().unwrap().unwrap()
        }
    }

    fn floor(&self) -> ([u8; 20], StreamCreate) {
        let digest = Sha1::digest(black_box(&self.signed)).into();
        let text = std::str::from_utf8(black_box(self.request.body())).unwrap();
        (digest, serde_json::from_str(text).unwrap())
    }
}

#[allow(dead_code, reason = "the floor reads every field and uses none")]
#[derive(Deserialize)]
struct StreamCreate {
    event: String,
    appid: String,
    timestamp: String,
    nonce: String,
    signature: String,
    room_id: String,
    room_session_id: Option<String>,
    user_id: Option<String>,
    user_name: Option<String>,
    channel_id: Option<String>,
    stream_id: String,
    stream_alias: Option<String>,
    stream_sid: Option<String>,
    title: Option<String>,
    stream_attr: Option<String>,
    stream_seq: Option<String>,
    create_time: Option<String>,
    create_time_ms: Option<String>,
    extra_info: Option<String>,
    recreate: Option<String>,
    publish_id: Option<String>,
    publish_name: Option<String>,
    rtmp_url: Option<Vec<String>>,
    hls_url: Option<Vec<String>>,
    hdl_url: Option<Vec<String>>,
    pic_url: Option<Vec<String>>,
}
