//! The cost of accepting a body-signed callback beside the least that it can cost: one HMAC-SHA256
//! and one typed parse. Also the cost of a voice callback, in each of its forms.
//!
//! `cargo bench --bench vobiz` prints divan's times, then one line of ratios for each family and
//! size.

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use futures_util::FutureExt;
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use sha2::Sha256;
use std::{
    convert::Infallible,
    fmt::Write,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime},
};
use tower::{Layer, Service};
use tower_webhooks::{
    Provider, Signer, WebhookLayer,
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
const SIZES: [usize; 4] = [250, 1 << 10, 64 << 10, (1 << 20) - 1024];

fn main() {
    divan::main();
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    println!(
        "\nratio to HMAC-SHA256 and a plain parse (aims: 1.20 at 1 KiB, 1.05 at 64 KiB and 1 MiB)"
    );
    println!("family         size  least/us  provider  one frame  16 KiB frames");
    ratios::<Kyc>();
    ratios::<Campaign>();
    ratios::<Ndnc>();
    ratios::<Trunk>();
    ratios::<Whatsapp>();
}

/// A family, and a hand-written payload for it.
trait Family: Provider {
    const LABEL: &'static str;
    type Plain: DeserializeOwned;

    fn provider() -> Self;
    fn sign(request: Request<Bytes>) -> Request<Bytes>;
    /// A body of about that size.
    fn body(size: usize) -> String;
}

macro_rules! families {
    ($($provider:ident in $module:ident as $plain:ident, $body:expr;)*) => {$(
        impl Family for $provider {
            const LABEL: &'static str = stringify!($module);
            type Plain = $plain;

            fn provider() -> Self {
                Self::new(KEY).unwrap()
            }

            fn sign(request: Request<Bytes>) -> Request<Bytes> {
                $module::Signer::new(KEY).unwrap().sign(request, SystemTime::now())
            }

            fn body(size: usize) -> String {
                $body(size)
            }
        }
    )*};
}

families! {
    Kyc in kyc as PlainSession, |size| padded(
        r#"{"event":"kyc.completed","timestamp":"2026-06-04T08:51:10Z","session_id":"b6a1f3c2-7a44","account_auth_id":"SA_TEST0001","kyc_type":"individual","session_status":"kyc_completed","metadata":{"note":""#,
        r#""}}"#,
        size,
    );
    Campaign in campaign as PlainUpdate, |size| padded(
        r#"{"event":"campaign.failed","campaign_id":"a4c7ab38-11ce-4bd0-a51a-f6a946627843","account_id":"MA_TEST0001","timestamp":"2026-05-01T09:00:00Z","reason":""#,
        r#""}"#,
        size,
    );
    Ndnc in ndnc as PlainAlert, |size| repeated(
        r#"{"accountName":"Test Co","totalComplaints":1,"complaints":["#,
        r#"{"urn":"URN0001","did":"9876543210","complainantNumber":"9123456789","complaintDate":"2026-06-08","description":"Received a telemarketing call","accountId":"MA_TEST0001"}"#,
        "]}",
        size,
    );
    Trunk in trunk as PlainHangup, |size| padded(
        r#"{"Event":"Hangup","CallUUID":"aabbccdd-1234","RequestID":"aabbccdd-1234","Timestamp":"2026-03-18T12:00:00Z","From":"+911","To":"+912","Duration":60,"Billsec":52,"HangupCauseCode":4000,"HangupSource":"Callee","Reason":""#,
        r#""}"#,
        size,
    );
    Whatsapp in whatsapp as PlainEnvelope, |size| repeated(
        r#"{"event_id":"f4c1a0d2","event_type":"message.inbound","payload":{"entry":[{"changes":[{"value":{"messages":["#,
        r#"{"from":"919800000001","id":"wamid.1","timestamp":"1774432800","type":"text","text":{"body":"a message of some words"}}"#,
        "]}}]}]}}",
        size,
    );
}

fn padded(start: &str, end: &str, size: usize) -> String {
    let words = "a note of some words, ".chars().cycle();
    let pad: String = words.take(size.saturating_sub(start.len() + end.len())).collect();
    format!("{start}{pad}{end}")
}

fn repeated(start: &str, item: &str, end: &str, size: usize) -> String {
    let mut body = format!("{start}{item}");
    while body.len() + item.len() + end.len() < size {
        write!(body, ",{item}").unwrap();
    }
    body + end
}

macro_rules! plain {
    ($($(#[$meta:meta])* $name:ident {$($(#[$field_meta:meta])* $field:ident: $type:ty,)*})*) => {$(
        #[derive(Deserialize)]
        #[allow(dead_code)]
        $(#[$meta])*
        struct $name {
            $($(#[$field_meta])* $field: Option<$type>,)*
        }
    )*};
}

plain! {
    PlainSession {
        event: String,
        timestamp: String,
        session_id: String,
        account_auth_id: String,
        customer_email: String,
        kyc_type: String,
        session_status: String,
        metadata: Box<RawValue>,
        created_at: String,
        updated_at: String,
    }

    PlainUpdate {
        event: String,
        campaign_id: String,
        account_id: String,
        timestamp: String,
        reason: String,
        last_dial_at: String,
        stalled_minutes: f64,
    }

    #[serde(rename_all = "camelCase")]
    PlainAlert {
        account_name: String,
        total_complaints: u64,
        complaints: Vec<PlainComplaint>,
    }

    #[serde(rename_all = "camelCase")]
    PlainComplaint {
        urn: String,
        did: String,
        complainant_number: String,
        complaint_date: String,
        description: String,
        account_id: String,
        account_name: String,
        account_email: String,
    }

    #[serde(rename_all = "PascalCase")]
    PlainHangup {
        event: String,
        #[serde(rename = "CallUUID")]
        call_uuid: String,
        #[serde(rename = "RequestID")]
        request_id: String,
        timestamp: String,
        from: String,
        to: String,
        duration: u64,
        billsec: u64,
        hangup_cause_code: i64,
        hangup_source: String,
        reason: String,
    }

    PlainEnvelope {
        event_id: String,
        event_type: String,
        payload: PlainPayload,
    }

    PlainPayload {
        entry: Vec<PlainEntry>,
    }

    PlainEntry {
        changes: Vec<PlainChange>,
    }

    PlainChange {
        value: PlainValue,
    }

    PlainValue {
        messages: Vec<PlainMessage>,
    }

    PlainMessage {
        from: String,
        id: String,
        timestamp: String,
        r#type: String,
        text: PlainText,
    }

    PlainText {
        body: String,
    }
}

/// One delivery and the ways to accept it.
struct Case<F: Family> {
    mac: Hmac<Sha256>,
    tag: [u8; 32],
    provider: F,
    head: Parts,
    body: Bytes,
}

impl<F: Family> Case<F> {
    fn new(size: usize) -> Self {
        let request = F::sign(Request::post("/vobiz").body(F::body(size).into()).unwrap());
        let (head, body) = request.into_parts();
        let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        let tag = mac.clone().chain_update(&body).finalize().into_bytes().into();
        Self { mac, tag, provider: F::provider(), head, body }
    }

    fn least(&self) -> F::Plain {
        self.mac.clone().chain_update(&self.body).verify_slice(&self.tag).unwrap();
        serde_json::from_str(std::str::from_utf8(&self.body).unwrap()).unwrap()
    }

    fn provider(&self) -> F::Event {
        let now = SystemTime::UNIX_EPOCH;
        let proof = self.provider.check_head(&self.head, now).unwrap();
        self.provider.check_body(proof, &self.head, &self.body, now).unwrap().into_event()
    }

    fn request<B>(&self, body: impl Fn(Bytes) -> B) -> Request<B> {
        Request::from_parts(self.head.clone(), body(self.body.clone()))
    }
}

/// A service that is always ready and does nothing.
#[derive(Clone)]
struct Inner;

impl Service<Request<Full<Bytes>>> for Inner {
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

/// A body in frames of 16 KiB.
struct Frames(Bytes);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.len().min(16 << 10);
        let frame = self.0.split_to(length);
        Poll::Ready((length > 0).then(|| Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

fn layered<B>(
    service: &mut impl Service<Request<B>, Response = Response<()>, Error = Infallible>,
    request: Request<B>,
) {
    let response = service.call(request).now_or_never().unwrap().unwrap();
    assert_eq!(black_box(response).status(), 200);
}

#[divan::bench(types = [Kyc, Campaign, Ndnc, Trunk, Whatsapp], args = SIZES)]
fn least<F: Family>(bencher: Bencher<'_, '_>, size: usize) {
    let case = Case::<F>::new(size);
    bencher.counter(BytesCount::new(case.body.len())).bench_local(|| case.least());
}

#[divan::bench(types = [Kyc, Campaign, Ndnc, Trunk, Whatsapp], args = SIZES)]
fn provider_alone<F: Family>(bencher: Bencher<'_, '_>, size: usize) {
    let case = Case::<F>::new(size);
    bencher.counter(BytesCount::new(case.body.len())).bench_local(|| case.provider());
}

#[divan::bench(types = [Kyc, Campaign, Ndnc, Trunk, Whatsapp], args = SIZES)]
fn layer_one_frame<F: Family>(bencher: Bencher<'_, '_>, size: usize) {
    let case = Case::<F>::new(size);
    let mut service =
        WebhookLayer::new(F::provider()).dangerous_without_replay_guard().layer(Inner);
    bencher
        .counter(BytesCount::new(case.body.len()))
        .with_inputs(|| case.request(Full::new))
        .bench_local_values(|request| layered(&mut service, request));
}

#[divan::bench(types = [Kyc, Campaign, Ndnc, Trunk, Whatsapp], args = SIZES)]
fn layer_16_kib_frames<F: Family>(bencher: Bencher<'_, '_>, size: usize) {
    let case = Case::<F>::new(size);
    let mut service =
        WebhookLayer::new(F::provider()).dangerous_without_replay_guard().layer(Inner);
    bencher
        .counter(BytesCount::new(case.body.len()))
        .with_inputs(|| case.request(Frames))
        .bench_local_values(|request| layered(&mut service, request));
}

/// A real `Hangup`, its members sorted by name.
const HANGUP: &str = "AnswerTime=2026-06-08+11%3A37%3A40&BillDuration=60&BillRate=0.005&CallStatus=completed\
    &CallUUID=12d86ccd-0000-4000-8000-000000000000&CallerName=%2B910000000001&Direction=inbound\
    &Duration=42\
    &EndTime=2026-06-08+11%3A38%3A22&Event=Hangup&From=910000000001&HangupCause=NORMAL_CLEARING\
    &HangupCauseCode=4000\
    &HangupCauseName=Normal+Hangup&HangupSource=Answer+XML&ParentAuthID=MA_TEST0001\
    &STIRAttestation=Not+Applicable\
    &STIRVerification=Not+Applicable&SessionStart=2026-06-08+06%3A07%3A34.130248\
    &StartTime=2026-06-08+11%3A37%3A34\
    &To=00000000002&TotalCost=0.00500";

#[divan::bench(args = ["form", "query", "json"])]
fn voice(bencher: Bencher<'_, '_>, form: &str) {
    let request = match form {
        "form" => Request::post("/vobiz").body(Bytes::from(HANGUP)),
        "query" => Request::get(format!("/vobiz?{HANGUP}")).body(Bytes::new()),
        _ => {
            let fields: serde_json::Map<_, _> = form_urlencoded::parse(HANGUP.as_bytes())
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
            Request::post("/vobiz").body(serde_json::Value::Object(fields).to_string().into())
        }
    };
    let signer = voice::Signer::new(KEY, "https://hooks.example.com").unwrap();
    let (head, body) = signer.sign(request.unwrap(), SystemTime::now()).into_parts();
    let provider = Voice::new(KEY, "https://hooks.example.com").unwrap();
    bencher.bench_local(|| {
        let proof = provider.check_head(&head, SystemTime::UNIX_EPOCH).unwrap();
        provider.check_body(proof, &head, &body, SystemTime::UNIX_EPOCH).unwrap().into_event()
    });
}

/// The variants are timed in turn, many times over. The best time of each is its cost without
/// disturbance.
fn ratios<F: Family>() {
    for size in SIZES {
        let case = Case::<F>::new(size);
        let mut whole =
            WebhookLayer::new(F::provider()).dangerous_without_replay_guard().layer(Inner);
        let mut framed = whole.clone();
        let runs = (200_000 / size).clamp(1, 200);
        let mut best = [Duration::MAX; 4];
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(1) {
            let times = [
                time(runs, || (), |()| drop(black_box(case.least()))),
                time(runs, || (), |()| drop(black_box(case.provider()))),
                time(runs, || case.request(Full::new), |request| layered(&mut whole, request)),
                time(runs, || case.request(Frames), |request| layered(&mut framed, request)),
            ];
            for (best, time) in best.iter_mut().zip(times) {
                *best = time.min(*best);
            }
        }
        let [least, provider, whole, framed] = best.map(|time| time.as_secs_f64());
        let [provider, whole, framed] = [provider, whole, framed].map(|time| time / least);
        let (label, size, each) = (F::LABEL, case.body.len(), least / runs as f64 * 1e6);
        println!("{label:9} {size:9} {each:9.2} {provider:9.2} {whole:10.2} {framed:14.2}");
    }
}

fn time<I>(runs: usize, input: impl Fn() -> I, mut run: impl FnMut(I)) -> Duration {
    let inputs: Vec<I> = (0..runs).map(|_| input()).collect();
    let started = Instant::now();
    inputs.into_iter().for_each(&mut run);
    started.elapsed()
}
