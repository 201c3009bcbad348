//! The cost of the whole layer per delivery, as multiples of its floor: the hashes that the scheme
//! needs and one typed `serde_json` parse.
//!
//! `cargo bench --bench layer` prints one table. All variants take turns in one process, and the
//! best round of each counts. The cost of cloning the request and calling the bare service is
//! subtracted.

#[allow(dead_code, reason = "one event of the catalogue")]
#[path = "../examples/send/zegocloud_catalogue.rs"]
mod catalogue;

use bytes::Bytes;
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, Request, Response, request::Parts};
use http_body_util::Full;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::{
    convert::Infallible,
    future::{Ready, ready},
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};
use tower::{Layer, Service};
use tower_webhooks::{
    Content, Covers, Delivery, Identity, Proof, Provider, Rejection, RejectionKind, Signer as _,
    WebhookLayer, exactly_one, from_hex, parse_json,
    vobiz::kyc::{self, Kyc},
    zegocloud::{self, Zegocloud},
};

fn main() {
    // `cargo test --benches` runs this file too.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("| body | floor | guard off | guard on | mark |\n| --- | --: | --: | --: | --: |");
    for case in cases() {
        let [floor, off, on] = case.measure();
        println!(
            "| {} | {floor:.0} ns | {:.2} | {:.2} | {} |",
            case.name,
            off / floor,
            on / floor,
            case.mark
        );
    }
}

pub fn cases() -> Vec<Case> {
    let own =
        |name, mark, bytes| Case::new(name, mark, Own::new, own_floor, &|| own_delivery(bytes));
    let signer = kyc::Signer::new(KEY).unwrap();
    let kyc = || signer.sign(Request::post("/").body(kyc_body()).unwrap(), SystemTime::now());
    let signer = zegocloud::Signer::new(KEY).unwrap();
    let stream = || signer.sign(Request::post("/").body(stream_body()).unwrap(), SystemTime::now());
    vec![
        own("247 B", "1.50 / 1.95", 247),
        own("1 KiB", "1.12 / 1.24", 1 << 10),
        own("64 KiB", "1.02 / 1.03", 64 << 10),
        Case::new("kyc, 275 B", "1.50 / 2.40", || Kyc::new(KEY).unwrap(), kyc_floor, &kyc),
        Case::new(
            "stream_create, 715 B",
            "1.20 / 1.75",
            || Zegocloud::new(KEY).unwrap(),
            stream_floor,
            &stream,
        ),
    ]
}

pub struct Case {
    pub name: &'static str,
    pub mark: &'static str,
    /// The floor, the service alone, the layer without and with its guard. Each call times one
    /// round.
    pub ways: [Box<dyn Fn() -> Duration>; 4],
    round: usize,
}

impl Case {
    fn new<P: Provider>(
        name: &'static str,
        mark: &'static str,
        provider: impl Fn() -> P + Copy + 'static,
        floor: fn(&Request<Bytes>),
        delivery: &dyn Fn() -> Request<Bytes>,
    ) -> Self {
        let round = (300_000 / delivery().body().len()).clamp(8, 256);
        // Each request has a signature of its own. The first ones fill the store, so that it does
        // not grow while the time is taken.
        let first: Vec<_> = (0..2 * round).map(|_| delivery()).collect();
        let timed: &'static [_] = (0..round).map(|_| delivery()).collect::<Vec<_>>().leak();
        let unguarded =
            WebhookLayer::new(provider()).dangerous_without_replay_guard().layer(Handler);
        Self {
            name,
            mark,
            ways: [
                Box::new(move || time(timed, floor)),
                Box::new(move || time(timed, |request| call(&mut Handler, request))),
                Box::new(move || time(timed, |request| call(&mut unguarded.clone(), request))),
                Box::new(move || {
                    let mut service = WebhookLayer::new(provider()).layer(Handler);
                    first.iter().for_each(|request| call(&mut service, request));
                    time(timed, |request| call(&mut service, request))
                }),
            ],
            round,
        }
    }

    /// Nanoseconds of the floor, and of the layer without and with its guard.
    fn measure(&self) -> [f64; 3] {
        let mut best = [Duration::MAX; 4];
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(3) {
            for (best, way) in best.iter_mut().zip(&self.ways) {
                *best = way().min(*best);
            }
        }
        let [floor, alone, off, on] = best.map(|time| time.as_nanos() as f64 / self.round as f64);
        [floor, off - alone, on - alone]
    }
}

fn time(requests: &[Request<Bytes>], mut accept: impl FnMut(&Request<Bytes>)) -> Duration {
    let started = Instant::now();
    requests.iter().for_each(&mut accept);
    started.elapsed()
}

fn call<S>(service: &mut S, request: &Request<Bytes>)
where
    S: Service<Request<Full<Bytes>>, Response = Response<()>, Error = Infallible>,
{
    let response = service.call(request.clone().map(Full::new)).now_or_never().unwrap().unwrap();
    assert!(response.extensions().is_empty(), "neither a repeat nor a refusal");
}

/// A service that is always ready and does nothing.
#[derive(Clone)]
struct Handler;

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        black_box(&request);
        ready(Ok(Response::new(())))
    }
}

/// A provider as the documentation of `Provider` writes one. It numbers what it accepts, so that
/// one request makes any number of deliveries.
struct Own {
    key: Hmac<Sha256>,
    number: AtomicU64,
}

impl Own {
    fn new() -> Self {
        Self { key: key(), number: AtomicU64::new(0) }
    }
}

impl Provider for Own {
    const NAME: &'static str = "own";
    const CREDENTIALS: &'static [&'static str] = &["x-signature"];
    type FromHead = [u8; 32];
    type Event = Payment;

    fn check_head(&self, head: &Parts, _now: SystemTime) -> Result<[u8; 32], Rejection> {
        from_hex(exactly_one(&head.headers, &SIGNATURE)?, "signature: not 64 hex digits")
    }

    fn check_body(
        &self,
        presented: [u8; 32],
        _head: &Parts,
        body: &Bytes,
        _now: SystemTime,
    ) -> Result<Delivery<Payment>, Rejection> {
        self.key
            .clone()
            .chain_update(body)
            .verify_slice(&presented)
            .map_err(|_| Rejection::new(RejectionKind::CredentialWrong))?;
        let payment = parse_json(body)?;
        let number = self.number.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let identity = Identity::new(&[&presented, &number], Content::Signed);
        let proof =
            Proof { covers: Covers::Body, key_index: 0, signed_at: None, identity: Some(identity) };
        Ok(Delivery::new(payment, "payment", proof))
    }
}

fn own_delivery(bytes: usize) -> Request<Bytes> {
    let mut start = concat!(
        r#"{"id":"evt_1NG8Du2eZvKYlo2C","type":"payment.captured","created":1760000123,"live":true,"#,
        r#""data":{"amount":129900,"currency":"INR","order":"order_DESlLck","email":"ada@example.com","items":["#,
    )
    .to_owned();
    let (item, end) = (r#"{"sku":"A-1001","count":2,"price":64950}"#, r#""}}"#);
    start.push_str(item);
    while start.len() + item.len() + 32 < bytes {
        start.push(',');
        start.push_str(item);
    }
    let body = padded(&(start + r#"],"note":""#), end, bytes);
    let signature = hex::encode(key().chain_update(&body).finalize().into_bytes());
    Request::post("/").header("x-signature", signature).body(body).unwrap()
}

fn own_floor(request: &Request<Bytes>) {
    hmac_and_parse::<Payment>(request);
}

fn kyc_body() -> Bytes {
    let start = format!(
        r#"{{"event":"kyc.completed","timestamp":"2026-06-04T08:51:10Z","session_id":"{:016x}","account_auth_id":"SA_TEST0001","kyc_type":"individual","session_status":"kyc_completed","metadata":{{"note":""#,
        fastrand::u64(..)
    );
    padded(&start, r#""}}"#, 275)
}

fn kyc_floor(request: &Request<Bytes>) {
    hmac_and_parse::<PlainSession>(request);
}

/// As ZEGOCLOUD writes it: without the catalogue's line breaks.
fn stream_body() -> Bytes {
    let (_, json) = catalogue::events().iter().find(|(name, _)| *name == "stream_create").unwrap();
    // Without white space, and in the documented order.
    json.lines().map(str::trim).collect::<String>().replace("\": ", "\":").into()
}

/// SHA-1 of as many bytes as are signed, SHA-256 of the body, which the signature does not cover,
/// and the parse.
fn stream_floor(request: &Request<Bytes>) {
    black_box(Sha1::digest(black_box(&[0_u8; 61])));
    black_box(Sha256::digest(request.body()));
    black_box(parse::<PlainStream>(request.body()));
}

fn hmac_and_parse<T: DeserializeOwned>(request: &Request<Bytes>) {
    static PREPARED: std::sync::LazyLock<Hmac<Sha256>> = std::sync::LazyLock::new(key);
    black_box(PREPARED.clone().chain_update(request.body()).finalize());
    black_box(parse::<T>(request.body()));
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).unwrap()
}

fn padded(start: &str, end: &str, bytes: usize) -> Bytes {
    let words = "a note of some words, ".chars().cycle();
    let note: String = words.take(bytes - start.len() - end.len()).collect();
    format!("{start}{note}{end}").into()
}

fn key() -> Hmac<Sha256> {
    Hmac::new_from_slice(KEY.as_bytes()).unwrap()
}

macro_rules! plain {
    ($($name:ident { $($field:ident: $type:ty,)* })*) => {$(
        #[derive(Deserialize)]
        #[allow(dead_code, reason = "the floor reads every field and uses none")]
        struct $name { $($field: $type,)* }
    )*};
}

plain! {
    Payment {
        id: String,
        r#type: String,
        created: u64,
        live: bool,
        data: PaymentData,
    }

    PaymentData {
        amount: u64,
        currency: String,
        order: String,
        email: String,
        items: Vec<Item>,
        note: String,
    }

    Item {
        sku: String,
        count: u64,
        price: u64,
    }

    PlainSession {
        event: String,
        timestamp: Option<String>,
        session_id: Option<String>,
        account_auth_id: Option<String>,
        customer_email: Option<String>,
        kyc_type: Option<String>,
        session_status: Option<String>,
        metadata: Option<Box<RawValue>>,
        created_at: Option<String>,
        updated_at: Option<String>,
    }

    PlainStream {
        event: String,
        appid: String,
        timestamp: String,
        nonce: String,
        signature: String,
        room_id: String,
        room_session_id: String,
        user_id: String,
        user_name: String,
        channel_id: String,
        stream_id: String,
        stream_alias: String,
        stream_sid: String,
        title: String,
        stream_attr: String,
        stream_seq: String,
        create_time: String,
        create_time_ms: String,
        extra_info: String,
        recreate: String,
        publish_id: String,
        publish_name: String,
        rtmp_url: Vec<String>,
        hls_url: Vec<String>,
        hdl_url: Vec<String>,
        pic_url: Vec<String>,
    }
}

static SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
const KEY: &str = "5f4dcc3b5aa765d61d8327deb882cf99";
