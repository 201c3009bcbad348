//! The cost of GeeLark's and Stardust's rules beside the floor: the hash over the signed text and
//! one plain derived parse.

#[path = "common/ratio.rs"]
mod ratio;

use bytes::Bytes;
use divan::Bencher;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, request::Parts};
use http_body_util::Full;
use md5::Md5;
use ratio::{is_measuring, ratio};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};
use tower::{Layer, Service, service_fn};
use tower_webhooks::{
    Provider, Signer, TestClock, WebhookLayer,
    geelark::{self, GeeLark, GeeLarkToken},
    stardust::{self, Stardust, StardustKeyOnly},
};

fn main() {
    divan::main();
    if !is_measuring() {
        return;
    }
    for size in GEELARK_SIZES {
        let (accept, floor) = (GeeLarkCase::new(size), GeeLarkCase::new(size));
        ratio("geelark", accept.body.len(), || accept.accept(), || floor.floor());
    }
    for size in STARDUST_SIZES {
        let (accept, floor) = (StardustCase::new(size), StardustCase::new(size));
        ratio("stardust", accept.body.len(), || accept.accept(), || floor.floor());
    }
}

struct GeeLarkCase {
    provider: GeeLark,
    head: Parts,
    body: Bytes,
    signed: String,
}

impl GeeLarkCase {
    fn new(size: usize) -> Self {
        let body = geelark_body(size);
        let signer = geelark::Signer::new(APP_ID, APP_KEY).unwrap().trace_id(TRACE_ID);
        let (head, body) =
            signer.sign(Request::post("/geelark").body(body).unwrap(), now()).into_parts();
        let signed =
            ["appid", "traceid", "ts", "nonce"].map(|name| head.headers[name].to_str().unwrap());
        let signed = signed.concat() + APP_KEY;
        Self { provider: GeeLark::new(APP_ID, APP_KEY).unwrap(), head, body, signed }
    }

    fn accept(&self) -> tower_webhooks::Delivery<geelark::Event> {
        let proof = self.provider.check_head(&self.head, now()).unwrap();
        self.provider.check_body(proof, &self.head, &self.body, now()).unwrap()
    }

    fn floor(&self) -> (impl Sized, TasksCreated) {
        let text = std::str::from_utf8(&self.body).unwrap();
        (Sha256::digest(&self.signed), serde_json::from_str(text).unwrap())
    }
}

#[allow(dead_code)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TasksCreated {
    r#type: i64,
    task_ids: Vec<String>,
    channel: Option<String>,
}

/// As many tasks as fit.
fn geelark_body(size: usize) -> Bytes {
    let mut body = r#"{"type":12,"channel":"client","taskIds":["528715748189668352""#.to_owned();
    let mut id = 910_000_000_000_000_000_u64;
    while body.len() + 23 <= size {
        id += 7_919;
        body += &format!(r#","{id}""#);
    }
    (body + "]}").into()
}

struct StardustCase {
    provider: Stardust,
    head: Parts,
    body: Bytes,
    signed: String,
}

impl StardustCase {
    fn new(size: usize) -> Self {
        let body = stardust_body(size);
        let signer = stardust::Signer::new(ACCESS_KEY, SECRET_KEY).unwrap();
        let (head, body) =
            signer.sign(Request::post("/stardust").body(body).unwrap(), now()).into_parts();
        let signed =
            format!("{}&{SECRET_KEY}&{ACCESS_KEY}", head.headers["x-ts"].to_str().unwrap());
        Self { provider: Stardust::new(ACCESS_KEY, SECRET_KEY).unwrap(), head, body, signed }
    }

    fn accept(&self) -> tower_webhooks::Delivery<stardust::Event> {
        let proof = self.provider.check_head(&self.head, now()).unwrap();
        self.provider.check_body(proof, &self.head, &self.body, now()).unwrap()
    }

    fn floor(&self) -> (impl Sized, Callback) {
        let text = std::str::from_utf8(&self.body).unwrap();
        (Md5::digest(&self.signed), serde_json::from_str(text).unwrap())
    }
}

// The members that the crate types; those that it keeps as text are text here as well. Other
// members, which the crate also keeps, are ignored here.
#[allow(dead_code)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Callback {
    task_id: String,
    status: String,
    task: Task,
}

#[allow(dead_code)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    task_id: String,
    status: i64,
    task_params: TaskParams,
    result: TaskResult,
    quality_status: Option<Box<RawValue>>,
    quality_messages: Option<Box<RawValue>>,
    error_message: Option<Box<RawValue>>,
}

#[allow(dead_code)]
#[derive(Deserialize)]
struct TaskParams {
    record: Record,
}

#[allow(dead_code)]
#[derive(Deserialize)]
struct Record {
    metadata: Metadata,
}

#[allow(dead_code)]
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    unique_identifier: String,
    additional_info: Option<Box<RawValue>>,
}

#[allow(dead_code)]
#[derive(Deserialize)]
struct TaskResult {
    annotations: Box<RawValue>,
}

/// As many annotations as fit.
fn stardust_body(size: usize) -> Bytes {
    let mut body = concat!(
        r#"{"taskId":"410000000000000001","status":"completed","task":{"taskId":"410000000000000001","status":9,"#,
        r#""taskParams":{"record":{"attachmentType":"IMAGE","attachment":"oss://bucket/7.jpg","metadata":"#,
        r#"{"uniqueIdentifier":"frame-0007","additionalInfo":{"callbackUrl":"https://example.com/cb"}}},"operators":[]},"#,
        r#""pointData":null,"qualityStatus":null,"serverTime":"2026-01-02 03:04:06","qualityMessages":[],"#,
        r#""errorMessage":{"pointErrorMsgs":null,"isPointTimeOut":null},"result":{"issues":[],"annotations":[0"#,
    )
    .to_owned();
    for n in 0_u64.. {
        let slot = format!(
            concat!(
                r#",{{"key":"box","label":"Box","type":"slot","slots":[{{"id":"s{n}","label":"car","userId":77,"type":"#,
                r#""box2d","plane":{{"topLeft":{{"x":{n}.25,"y":7.125}},"bottomRight":{{"x":40.5,"y":{n}.0625}}}}}}]}}"#,
            ),
            n = n
        );
        if body.len() + slot.len() + 13 > size {
            break;
        }
        body += &slot;
    }
    let pad = "p".repeat(size.saturating_sub(body.len() + 13));
    (body + r#"],"pad":""# + &pad + r#""}}}"#).into()
}

#[divan::bench(args = GEELARK_SIZES)]
fn geelark_accept(bencher: Bencher<'_, '_>, size: usize) {
    let case = GeeLarkCase::new(size);
    bencher.bench_local(|| case.accept());
}

#[divan::bench(args = GEELARK_SIZES)]
fn geelark_floor(bencher: Bencher<'_, '_>, size: usize) {
    let case = GeeLarkCase::new(size);
    bencher.bench_local(|| case.floor());
}

#[divan::bench(args = STARDUST_SIZES)]
fn stardust_accept(bencher: Bencher<'_, '_>, size: usize) {
    let case = StardustCase::new(size);
    bencher.bench_local(|| case.accept());
}

#[divan::bench(args = STARDUST_SIZES)]
fn stardust_floor(bencher: Bencher<'_, '_>, size: usize) {
    let case = StardustCase::new(size);
    bencher.bench_local(|| case.floor());
}

/// The most expensive refusal: everything is well formed, and only the last thing checked is wrong.
#[divan::bench_group]
mod refuse_head {
    use super::*;

    #[divan::bench]
    fn geelark(bencher: Bencher<'_, '_>) {
        let (provider, head) =
            (GeeLark::new(APP_ID, APP_KEY).unwrap(), bad_geelark().into_parts().0);
        bencher.bench_local(|| provider.check_head(&head, now()).err());
    }

    #[divan::bench]
    fn geelark_token(bencher: Bencher<'_, '_>) {
        let (provider, head) = (GeeLarkToken::new(TOKEN).unwrap(), bad_token().into_parts().0);
        bencher.bench_local(|| provider.check_head(&head, now()).err());
    }

    #[divan::bench]
    fn stardust_signed(bencher: Bencher<'_, '_>) {
        let (provider, head) =
            (Stardust::new(ACCESS_KEY, SECRET_KEY).unwrap(), bad_stardust_signed().into_parts().0);
        bencher.bench_local(|| provider.check_head(&head, now()).err());
    }

    #[divan::bench]
    fn stardust(bencher: Bencher<'_, '_>) {
        let (provider, head) =
            (StardustKeyOnly::new(ACCESS_KEY).unwrap(), bad_stardust().into_parts().0);
        bencher.bench_local(|| provider.check_head(&head, now()).err());
    }
}

/// The same through the layer, from the request to the response.
#[divan::bench_group]
mod refuse_through_the_layer {
    use super::*;

    #[divan::bench]
    fn geelark(bencher: Bencher<'_, '_>) {
        through_the_layer(bencher, GeeLark::new(APP_ID, APP_KEY).unwrap(), bad_geelark());
    }

    #[divan::bench]
    fn geelark_token(bencher: Bencher<'_, '_>) {
        through_the_layer(bencher, GeeLarkToken::new(TOKEN).unwrap(), bad_token());
    }

    #[divan::bench]
    fn stardust_signed(bencher: Bencher<'_, '_>) {
        through_the_layer(
            bencher,
            Stardust::new(ACCESS_KEY, SECRET_KEY).unwrap(),
            bad_stardust_signed(),
        );
    }

    #[divan::bench]
    fn stardust(bencher: Bencher<'_, '_>) {
        through_the_layer(bencher, StardustKeyOnly::new(ACCESS_KEY).unwrap(), bad_stardust());
    }
}

fn through_the_layer<P: Provider>(bencher: Bencher<'_, '_>, provider: P, bad: Request<Bytes>) {
    let inner = service_fn(async |_: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let mut service = WebhookLayer::new(provider).clock(TestClock::at(now())).layer(inner);
    bencher.with_inputs(|| bad.clone().map(Full::new)).bench_local_values(|request| {
        let response = service.call(request).now_or_never().unwrap().unwrap();
        assert_eq!(response.status(), 401);
        response
    });
}

fn bad_geelark() -> Request<Bytes> {
    let signer = geelark::Signer::new(APP_ID, "another key").unwrap().trace_id(TRACE_ID);
    signer.sign(Request::post("/geelark").body(geelark_body(256)).unwrap(), now())
}

fn bad_token() -> Request<Bytes> {
    let mut request = Request::post("/geelark").body(geelark_body(256)).unwrap();
    request
        .headers_mut()
        .insert("authorization", HeaderValue::from_static("Bearer wr0ng-wr0ng-wr0ng-wr0ng"));
    request
}

fn bad_stardust_signed() -> Request<Bytes> {
    let signer = stardust::Signer::new(ACCESS_KEY, "another secret").unwrap();
    signer.sign(Request::post("/stardust").body(stardust_body(1024)).unwrap(), now())
}

fn bad_stardust() -> Request<Bytes> {
    let signer = stardust::KeyOnlySigner::new("another access key").unwrap();
    signer.sign(Request::post("/stardust").body(stardust_body(1024)).unwrap(), now())
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_000_000_000)
}

const GEELARK_SIZES: [usize; 2] = [256, 1024];
const STARDUST_SIZES: [usize; 3] = [1 << 10, 64 << 10, 8 << 20];
const APP_ID: &str = "Ab3dEf6hIj9kLm2nOp5qRs8t";
const APP_KEY: &str = "k3yk3yk3yk3yk3yk3yk3yk3yk3yk3y";
const TOKEN: &str = "t0ken-t0ken-t0ken-t0ken";
const TRACE_ID: &str = "C0FFEE11D0D0CAFEBABE0123456789AB";
const ACCESS_KEY: &str = "6y2fw7zeqgde3796rtbuk8ag9iyxmam7";
const SECRET_KEY: &str = "vgj5kz13hasie8c8irezz7u5fok3mzb7";
