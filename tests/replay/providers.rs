//! The guard in front of every provider: what single use means for each scheme.
#![cfg(all(feature = "geelark", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]

use super::handler::{Handler, is_repeat, kind, send};
#[cfg(feature = "tracing")]
use crate::support::log::Log;
use crate::support::signed;
#[cfg(all(feature = "redis", feature = "postgres"))]
use crate::support::{
    postgres::Postgres,
    redis::{Redis, connected},
};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::{Full, StreamBody};
#[cfg(feature = "tracing")]
use serde_json::Value;
use std::{
    convert::Infallible,
    time::{Duration, SystemTime},
};
use tower::{Layer, ServiceExt, service_fn};
#[cfg(all(feature = "redis", feature = "postgres"))]
use tower_webhooks::replay::{PostgresStore, RedisStore};
use tower_webhooks::{
    Provider, RejectionKind, Signer, TestClock, WebhookLayer,
    geelark::{self, GeeLark, GeeLarkToken},
    replay::{Claim, Claimed, MemoryStore, Outcome, ReplayCheck, ReplayStore, StoreError},
    stardust::{self, Stardust, StardustKeyOnly},
    vobiz::{
        self, campaign::Campaign, kyc::Kyc, ndnc::Ndnc, trunk::Trunk, voice::Voice,
        whatsapp::Whatsapp,
    },
    zegocloud::{self, Zegocloud},
};

const KEY: &str = "one-key-for-all-of-them";
const ORIGIN: &str = "https://hooks.example.com";

/// What another body under the same signature is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Other {
    Conflict,
    Delivered,
    Forged,
}

/// One scheme: a layer, who signs for it, and a body with `AAA` in it.
struct Scheme<P> {
    layer: WebhookLayer<P>,
    signer: Box<dyn Signer>,
    body: &'static str,
    content_type: &'static str,
    guarded: bool,
    other: Other,
}

/// Runs `$check` for every scheme.
macro_rules! every {
    ($check:ident $(, $more:expr)?) => {{
        macro_rules! scheme {
            ($name:literal, $provider:expr, $signer:expr, $body:ident, $guarded:literal, $other:ident) => {
                let content_type =
                    if $body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
                let layer = WebhookLayer::new($provider.unwrap());
                let signer = Box::new($signer.unwrap());
                let other = Other::$other;
                let (body, guarded) = ($body, $guarded);
                let scheme = Scheme { layer, signer, body, content_type, guarded, other };
                $check($name, scheme $(, $more)?).await;
            };
        }
        const TASK: &str = r#"{"type":6,"taskId":"AAA","result":true}"#;
        scheme!("geelark", GeeLark::new(KEY, KEY), geelark::Signer::new(KEY, KEY), TASK, true, Conflict);
        scheme!("geelark token", GeeLarkToken::new(KEY), geelark::TokenSigner::new(KEY), TASK, false, Delivered);
        const DONE: &str = r#"{"taskId":"AAA","status":"completed"}"#;
        scheme!(
            "stardust key only",
            StardustKeyOnly::new(KEY),
            stardust::KeyOnlySigner::new(KEY),
            DONE,
            false,
            Delivered
        );
        let signer = stardust::Signer::new(KEY, KEY);
        scheme!("stardust", Stardust::new(KEY, KEY), signer, DONE, true, Delivered);
        const CALL: &str = "Event=Hangup&CallUUID=AAA";
        let signer = vobiz::voice::Signer::new(KEY, ORIGIN);
        scheme!("vobiz voice", Voice::new(KEY, ORIGIN), signer, CALL, true, Conflict);
        const SESSION: &str = r#"{"event":"kyc.completed","session_id":"AAA"}"#;
        scheme!("vobiz kyc", Kyc::new(KEY), vobiz::kyc::Signer::new(KEY), SESSION, true, Forged);
        const CAMPAIGN: &str = r#"{"event":"campaign.started","campaign_id":"AAA"}"#;
        scheme!("vobiz campaign", Campaign::new(KEY), vobiz::campaign::Signer::new(KEY), CAMPAIGN, true, Forged);
        const ALERT: &str = r#"{"accountName":"AAA","totalComplaints":0,"complaints":[]}"#;
        scheme!("vobiz ndnc", Ndnc::new(KEY), vobiz::ndnc::Signer::new(KEY), ALERT, true, Forged);
        const TRUNK: &str = r#"{"Event":"CallInitiated","CallUUID":"AAA"}"#;
        scheme!("vobiz trunk", Trunk::new(KEY), vobiz::trunk::Signer::new(KEY), TRUNK, true, Forged);
        const MESSAGE: &str = r#"{"event_id":"AAA","event_type":"message.inbound","payload":{}}"#;
        scheme!("vobiz whatsapp", Whatsapp::new(KEY), vobiz::whatsapp::Signer::new(KEY), MESSAGE, true, Forged);
        const ROOM: &str = r#"{"event":"room_create","room_id":"AAA"}"#;
        scheme!("zegocloud", Zegocloud::new(KEY), zegocloud::Signer::new(KEY), ROOM, true, Conflict);
    }};
}

impl<P: Provider> Scheme<P> {
    fn genuine(&self) -> Request<Bytes> {
        let request = Request::post("/hook").header("content-type", self.content_type);
        self.signer.sign(request.body(Bytes::from(self.body)).unwrap(), SystemTime::now())
    }

    /// Another body under the signature of `genuine`.
    fn forged(&self, genuine: &Request<Bytes>) -> Request<Bytes> {
        let body = String::from_utf8(genuine.body().to_vec()).unwrap().replace("AAA", "BBB");
        genuine.clone().map(|_| body.into())
    }

    async fn send(&self, handler: &Handler, request: &Request<Bytes>) -> Response<String> {
        send(&self.layer, handler, request).await
    }
}

fn assert_other(name: &str, other: Other, response: &Response<String>) {
    match other {
        Other::Conflict => assert_eq!(kind(response), Some(RejectionKind::Conflict), "{name}"),
        Other::Forged => assert_eq!(kind(response), Some(RejectionKind::CredentialWrong), "{name}"),
        Other::Delivered => assert_eq!(response.body(), "handled", "{name}"),
    }
}

/// Rows 1 and 2.
async fn replayed_and_swapped<P: Provider>(name: &str, scheme: Scheme<P>) {
    let handler = Handler::default();
    let genuine = scheme.genuine();
    assert_eq!(scheme.send(&handler, &genuine).await.body(), "handled", "{name}");
    let repeat = scheme.send(&handler, &genuine).await;
    assert_eq!(is_repeat(&repeat), scheme.guarded, "{name}");
    assert_eq!(kind(&repeat), None, "{name}: a repeat is no refusal");
    let forged = scheme.forged(&genuine);
    assert_other(name, scheme.other, &scheme.send(&handler, &forged).await);
    let expected =
        if scheme.guarded { 1 } else { 2 } + usize::from(scheme.other == Other::Delivered);
    assert_eq!(handler.calls(), expected, "{name}");
    let checked = if scheme.guarded { ReplayCheck::Local } else { ReplayCheck::Unguarded };
    assert!(
        handler.checks().iter().all(|&(attempt, how)| (attempt, how) == (1, checked)),
        "{name}"
    );
}

#[tokio::test]
async fn attack_replays_and_swapped_bodies() {
    every!(replayed_and_swapped);
}

/// A request that differs from a genuine one in a single bit of its credentials is refused before
/// a store is asked.
async fn flipped<P: Provider>(name: &str, scheme: Scheme<P>) {
    let handler = Handler::default();
    let genuine = scheme.genuine();
    let flip = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    let mut forged = Vec::new();
    for (header, value) in genuine.headers() {
        // GeeLark sends the headers of both modes, and a token signs none.
        let is_looked_at =
            scheme.guarded || matches!(header.as_str(), "authorization" | "x-stardust-key");
        if !is_looked_at || !P::CREDENTIALS.contains(&header.as_str()) {
            continue;
        }
        for bit in 0..value.len() * 8 {
            let Ok(flipped) = HeaderValue::from_bytes(&flip(value.as_bytes(), bit)) else {
                continue;
            };
            let mut request = genuine.clone();
            request.headers_mut().insert(header, flipped);
            let is_case = is_case(header.as_str(), value.as_bytes(), bit);
            forged.push((header.as_str(), bit, is_case, request));
        }
    }
    let text = std::str::from_utf8(genuine.body()).unwrap();
    for member in ["timestamp", "nonce", "signature"] {
        let Some(place) = text.find(&format!("\"{member}\":\"")) else { continue };
        let start = place + member.len() + 4;
        let end = start + text[start..].find('"').unwrap();
        for bit in start * 8..end * 8 {
            let is_case = is_case(member, text.as_bytes(), bit);
            let request = genuine.clone().map(|body| flip(&body, bit).into());
            forged.push((member, bit, is_case, request));
        }
    }
    assert!(forged.len() > 100, "{name}: {}", forged.len());

    let open = scheme.layer.clone().dangerous_without_replay_guard();
    let guarded = scheme.layer.clone().shared_store(Unasked);
    assert_eq!(send(&open, &handler, &genuine).await.body(), "handled", "{name}");
    for (place, bit, is_case, request) in forged {
        let status = send(&open, &handler, &request).await.status().as_u16();
        if is_case {
            assert_eq!(status, 200, "{name}: bit {bit} of {place}");
            continue;
        }
        assert!(matches!(status, 400 | 401), "{name}: bit {bit} of {place}: {status}");
        if scheme.guarded {
            let guarded = send(&guarded, &handler, &request).await.status();
            assert_eq!(guarded, status, "{name}: bit {bit} of {place}");
        }
    }

    // A body that is signed or bound.
    if scheme.other == Other::Delivered {
        return;
    }
    assert_eq!(scheme.send(&handler, &genuine).await.body(), "handled", "{name}");
    let calls = handler.calls();
    for bit in 0..genuine.body().len() * 8 {
        let request = genuine.clone().map(|body| flip(&body, bit).into());
        let response = scheme.send(&handler, &request).await;
        let is_refused = match scheme.other {
            Other::Forged => response.status() == 401,
            // The case of a hex digit of ZEGOCLOUD's signature is none.
            _ => matches!(response.status().as_u16(), 400 | 401 | 409) || is_repeat(&response),
        };
        assert!(is_refused, "{name}: bit {bit} of the body: {}", response.status());
    }
    assert_eq!(handler.calls(), calls, "{name}");
}

/// Whether the bit is the case of a hex digit or of `Bearer`, which is no difference.
fn is_case(place: &str, bytes: &[u8], bit: usize) -> bool {
    let at = bit / 8;
    bit % 8 == 5
        && bytes[at].is_ascii_alphabetic()
        && match place {
            "authorization" => at < "bearer".len(),
            "sign" | "x-sign" | "x-vobiz-signature" | "x-webhook-signature" => {
                at >= bytes.iter().position(|byte| *byte == b'=').map_or(0, |equals| equals + 1)
            }
            "signature" => true,
            _ => false,
        }
}

/// A store that nobody may ask.
#[derive(Clone)]
struct Unasked;

impl ReplayStore for Unasked {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        panic!("the store is asked for {claim:?}");
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        panic!("the store is asked for {claim:?}");
    }

    async fn finish(&self, claim: Claim, _: Outcome) -> Result<bool, StoreError> {
        panic!("the store is asked for {claim:?}");
    }
}

#[tokio::test]
async fn attack_every_bit_of_every_credential() {
    every!(flipped);
}

/// Row 27: what is delivered, repeated, swapped and refused.
#[cfg(feature = "tracing")]
async fn logged<P: Provider>(name: &str, scheme: Scheme<P>) {
    let genuine = scheme.genuine();
    let credentials = |request: &Request<Bytes>| {
        let headers = P::CREDENTIALS.iter().filter_map(|name| request.headers().get(*name));
        let headers = headers.map(|value| value.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let members = ["nonce", "signature"].iter().filter_map(|name| body[*name].as_str());
        // A time is no secret.
        headers
            .chain(members.map(str::to_owned))
            .filter(|text| text.len() >= 16)
            .collect::<Vec<_>>()
    };
    // Well formed, and wrong: another hex digit, which is one of base64 too.
    let spoilt = |text: &str, at: usize| {
        let other = if text[at..].starts_with('0') { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let mut wrong = genuine.clone();
    for name in P::CREDENTIALS {
        let Some(value) = wrong.headers_mut().get_mut(*name).filter(|value| value.len() >= 16)
        else {
            continue;
        };
        let text = value.to_str().unwrap();
        *value = HeaderValue::try_from(spoilt(text, text.len() - 4)).unwrap();
    }
    let body = String::from_utf8(wrong.body().to_vec()).unwrap();
    let member = r#""signature":""#;
    if let Some(at) = body.find(member) {
        *wrong.body_mut() = spoilt(&body, at + member.len()).into();
    }

    let (log, handler) = (Log::default(), Handler::default());
    let guard = log.install();
    for request in [&genuine, &genuine, &scheme.forged(&genuine)] {
        scheme.send(&handler, request).await;
    }
    let refused = scheme.send(&handler, &wrong).await;
    drop(guard);
    assert_eq!(kind(&refused), Some(RejectionKind::CredentialWrong), "{name}");
    let text = log.text();
    assert!(text.contains("webhook delivered") && text.contains("webhook refused"), "{text}");
    let private = [credentials(&genuine), credentials(&wrong)].concat();
    assert!(!private.is_empty(), "{name}");
    for private in private.iter().map(String::as_str).chain([KEY, "AAA", "BBB"]) {
        assert!(!text.contains(private), "{name}: {private} in {text}");
    }
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn attack_no_scheme_logs_a_credential() {
    every!(logged);
}

/// Row 25.
async fn raced_retry<P: Provider>(name: &str, scheme: Scheme<P>) {
    let handler = Handler::answering(&[500]);
    let genuine = scheme.genuine();
    assert_eq!(scheme.send(&handler, &genuine).await.status(), 500, "{name}");
    let forged = scheme.forged(&genuine);
    assert_other(name, scheme.other, &scheme.send(&handler, &forged).await);
    assert_eq!(
        scheme.send(&handler, &genuine).await.body(),
        "handled",
        "{name}: the retry gets through"
    );
    let attempts = handler.attempts();
    assert_eq!(*attempts.last().unwrap(), if scheme.guarded { 2 } else { 1 }, "{name}");
}

#[tokio::test]
async fn attack_the_senders_retry_is_raced() {
    every!(raced_retry);
}

/// Row 24.
async fn contended<P: Provider>(name: &str, scheme: Scheme<P>) {
    if !scheme.guarded {
        return;
    }
    let handler = Handler::default();
    let genuine = scheme.genuine();
    let contenders: Vec<_> = (0..128)
        .map(|_| {
            let (layer, handler, request) =
                (scheme.layer.clone(), handler.clone(), genuine.clone());
            tokio::spawn(async move { send(&layer, &handler, &request).await.status() })
        })
        .collect();
    for contender in contenders {
        assert!(matches!(contender.await.unwrap().as_u16(), 200 | 409), "{name}");
    }
    assert_eq!(handler.calls(), 1, "{name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_128_contenders_for_each_provider() {
    every!(contended);
}

/// The life of a delivery over two processes that share a store.
#[cfg(all(feature = "redis", feature = "postgres"))]
async fn shared<P: Provider>(name: &str, scheme: &Scheme<P>, store: impl ReplayStore + Clone) {
    let process = || {
        let layer = scheme.layer.clone().local_store(MemoryStore::new());
        // Outages are not what is tested: a slow machine is none.
        layer.shared_store(store.clone()).store_timeout(Duration::from_secs(30))
    };
    let (a, b) = (process(), process());
    let handler = Handler::answering(&[500]);
    let genuine = scheme.genuine();
    let forged = scheme.forged(&genuine);
    assert_eq!(send(&a, &handler, &genuine).await.status(), 500, "{name}");
    assert_other(name, scheme.other, &send(&b, &handler, &forged).await);
    assert_eq!(
        send(&b, &handler, &genuine).await.body(),
        "handled",
        "{name}: the retry gets through"
    );
    assert_eq!(*handler.attempts().last().unwrap(), if scheme.guarded { 2 } else { 1 }, "{name}");
    for layer in [&a, &b] {
        assert_eq!(is_repeat(&send(layer, &handler, &genuine).await), scheme.guarded, "{name}");
        let again = send(layer, &handler, &forged).await;
        match scheme.other {
            Other::Delivered if scheme.guarded => assert!(is_repeat(&again), "{name}"),
            other => assert_other(name, other, &again),
        }
    }
    let checked = if scheme.guarded { ReplayCheck::Shared } else { ReplayCheck::Unguarded };
    assert!(handler.checks().iter().all(|&(_, how)| how == checked), "{name}");
}

#[cfg(all(feature = "redis", feature = "postgres"))]
async fn shared_by_each<P: Provider>(
    name: &str,
    scheme: Scheme<P>,
    stores: &(MemoryStore, RedisStore, PostgresStore),
) {
    shared(name, &scheme, stores.0.clone()).await;
    shared(name, &scheme, stores.1.clone()).await;
    shared(name, &scheme, stores.2.clone()).await;
}

#[cfg(all(feature = "redis", feature = "postgres"))]
#[tokio::test]
async fn attack_every_scheme_over_two_processes_and_every_store() {
    let redis = Redis::start();
    let postgres = Postgres::start().await;
    let in_postgres = PostgresStore::new(postgres.pool().await);
    in_postgres.migrate().await.unwrap();
    let in_redis = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let stores = (MemoryStore::new(), in_redis, in_postgres);
    every!(shared_by_each, &stores);
}

/// Row 3: where nothing in the signature expires, it is worth something again after the retention.
async fn after_the_retention<P: Provider>(name: &str, scheme: Scheme<P>) {
    let clock = TestClock::at(SystemTime::now());
    let layer = scheme
        .layer
        .clone()
        .clock(clock.clone())
        .local_store(MemoryStore::new().clock(clock.clone()));
    let handler = Handler::default();
    let genuine = scheme.genuine();
    send(&layer, &handler, &genuine).await;
    clock.advance(Duration::from_secs(24 * 60 * 60 - 2));
    let before = send(&layer, &handler, &genuine).await;
    clock.advance(Duration::from_secs(4));
    let after = send(&layer, &handler, &genuine).await;
    match (scheme.guarded, name.starts_with("vobiz")) {
        (true, true) => {
            assert!(is_repeat(&before), "{name}");
            assert_eq!(after.body(), "handled", "{name}: nothing is promised past the retention");
        }
        (true, false) => assert_eq!(
            (kind(&before), kind(&after)),
            (Some(RejectionKind::Stale), Some(RejectionKind::Stale)),
            "{name}"
        ),
        (false, _) => assert_eq!(
            after.body(),
            "handled",
            "{name}: a token is worth everything until it changes"
        ),
    }
}

#[tokio::test]
async fn attack_replay_after_the_window_or_retention() {
    every!(after_the_retention);
}

/// Rows 22 and 23.
async fn flooded<P: Provider>(name: &str, scheme: Scheme<P>) {
    let store = MemoryStore::with_capacity(20).unwrap();
    let layer = scheme.layer.clone().local_store(store.clone());
    let unasked = layer.clone().shared_store(Unasked);
    let handler = Handler::default();
    let genuine = scheme.genuine();
    for number in 0..100 {
        let mut invalid = genuine.clone();
        match number % 2 {
            0 => {
                invalid.headers_mut().clear();
                *invalid.body_mut() = Bytes::from_static(b"{}");
            }
            _ => {
                invalid
                    .headers_mut()
                    .values_mut()
                    .for_each(|value| *value = http::HeaderValue::from_static("00"));
                *invalid.body_mut() = Bytes::from_static(b"\xff");
            }
        }
        let layer = if scheme.guarded { &unasked } else { &layer };
        let refused = send(layer, &handler, &invalid).await;
        assert!(refused.status().is_client_error(), "{name}: {:?}", refused.status());
    }
    assert_eq!((store.len(), handler.calls()), (0, 0), "{name}");
    if !scheme.guarded {
        return;
    }
    let mut live = Vec::new();
    let mut full = 0;
    for number in 0..60 {
        let body = scheme.body.replace("AAA", &format!("A{number}"));
        let request = Request::post("/hook")
            .header("content-type", scheme.content_type)
            .body(body.into())
            .unwrap();
        let request = scheme.signer.sign(request, SystemTime::now());
        match send(&layer, &handler, &request).await {
            accepted if accepted.status() == 200 => live.push(request),
            refused => {
                assert_eq!(
                    (refused.status().as_u16(), kind(&refused)),
                    (503, Some(RejectionKind::StoreFull)),
                    "{name}"
                );
                full += 1;
            }
        }
    }
    assert_eq!((live.len(), full), (20, 40), "{name}");
    for request in &live {
        assert!(
            is_repeat(&send(&layer, &handler, request).await),
            "{name}: nothing live was forgotten"
        );
    }
}

#[tokio::test]
async fn attack_floods() {
    every!(flooded);
}

/// Row 34.
async fn one_signature_with_many_bodies<P: Provider>(name: &str, scheme: Scheme<P>) {
    if !scheme.guarded {
        return;
    }
    let store = MemoryStore::new();
    let layer = scheme.layer.clone().local_store(store.clone());
    let handler = Handler::default();
    let genuine = scheme.genuine();
    assert_eq!(send(&layer, &handler, &genuine).await.body(), "handled", "{name}");
    let signed = String::from_utf8(genuine.body().to_vec()).unwrap();
    for number in 0..200 {
        let body = signed.replace("AAA", &format!("B{number}"));
        let forged = send(&layer, &handler, &genuine.clone().map(|_| body.into())).await;
        match scheme.other {
            Other::Delivered if number >= 63 => {
                let refused = (503, Some(RejectionKind::TooManyContents));
                assert_eq!((forged.status().as_u16(), kind(&forged)), refused, "{name}");
            }
            other => assert_other(name, other, &forged),
        }
    }
    assert_eq!(store.len(), if scheme.other == Other::Delivered { 64 } else { 1 }, "{name}");
    assert!(
        is_repeat(&send(&layer, &handler, &genuine).await),
        "{name}: what was delivered stays so"
    );

    let later = Request::post("/hook").header("content-type", scheme.content_type);
    let later = later.body(Bytes::from(scheme.body.replace("AAA", "CCC"))).unwrap();
    let later = scheme.signer.sign(later, SystemTime::now() + Duration::from_secs(1));
    assert_eq!(
        send(&layer, &handler, &later).await.body(),
        "handled",
        "{name}: no other signature notices"
    );
}

#[tokio::test]
async fn attack_one_signature_with_many_bodies() {
    every!(one_signature_with_many_bodies);
}

/// Rows 28 and 31: one store for all. Schemes with one key stay apart; routes with one scheme do
/// not.
#[tokio::test]
async fn attack_one_store_for_every_provider() {
    static STORE: std::sync::LazyLock<MemoryStore> = std::sync::LazyLock::new(MemoryStore::new);
    async fn shared<P: Provider>(name: &str, scheme: Scheme<P>) {
        let handler = Handler::default();
        let (here, there) = (
            scheme.layer.clone().local_store(STORE.clone()),
            scheme.layer.clone().local_store(STORE.clone()),
        );
        let genuine = scheme.genuine();
        assert_eq!(send(&here, &handler, &genuine).await.body(), "handled", "{name}");
        let mut elsewhere = genuine.clone();
        *elsewhere.uri_mut() = "/other".parse().unwrap();
        let response = send(&there, &handler, &elsewhere).await;
        match name {
            "geelark" | "zegocloud" => {
                assert_eq!(kind(&response), Some(RejectionKind::Conflict), "{name}")
            }
            "vobiz voice" => {
                assert_eq!(kind(&response), Some(RejectionKind::CredentialWrong), "{name}")
            }
            _ if scheme.guarded => assert!(is_repeat(&response), "{name}"),
            _ => {}
        }
    }
    every!(shared);
    // The schemes with a guard.
    assert_eq!(STORE.len(), 9);
}

/// Row 14.
#[tokio::test]
async fn attack_a_signature_in_another_spelling() {
    async fn respelt<P: Provider>(name: &str, scheme: Scheme<P>) {
        let header = match name {
            "geelark" => "sign",
            "stardust" => "x-sign",
            "vobiz whatsapp" => "x-webhook-signature",
            _ if name.starts_with("vobiz") && name != "vobiz voice" => "x-vobiz-signature",
            _ => return,
        };
        let header = HeaderName::from_static(header);
        let handler = Handler::default();
        let mut genuine = scheme.genuine();
        scheme.send(&handler, &genuine).await;
        let signature = genuine.headers()[&header].to_str().unwrap().to_owned();
        let (prefix, digits) =
            signature.split_at(if signature.starts_with("sha256=") { 7 } else { 0 });
        for digits in [digits.to_uppercase(), digits.to_lowercase()] {
            genuine
                .headers_mut()
                .insert(&header, HeaderValue::try_from(format!("{prefix}{digits}")).unwrap());
            assert!(is_repeat(&scheme.send(&handler, &genuine).await), "{name}");
        }
        assert_eq!(handler.calls(), 1, "{name}");
    }
    every!(respelt);
}

/// Rows 2 and 14 for voice: the nonce and the URL are the delivery, whichever of its headers carry
/// the proof.
#[tokio::test]
async fn attack_voice_with_one_of_its_signatures() {
    let layer = WebhookLayer::new(
        Voice::new("token", ORIGIN).unwrap().also_accept_parent("parent").unwrap(),
    );
    let signer =
        vobiz::voice::Signer::new("token", ORIGIN).unwrap().also_sign_parent("parent").unwrap();
    let (v3, ma_v3) = ("x-vobiz-signature-v3", "x-vobiz-signature-ma-v3");
    let handler = Handler::default();
    for first in [None, Some(v3), Some(ma_v3)] {
        let request = Request::post("/hook")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from("Event=Hangup&CallUUID=AAA"))
            .unwrap();
        let both = signer.sign(request, SystemTime::now());
        let without = |name: Option<&str>| {
            let mut request = both.clone();
            name.map(|name| request.headers_mut().remove(name).expect("both are there"));
            request
        };
        assert_eq!(send(&layer, &handler, &without(first)).await.body(), "handled");
        for again in [None, Some(v3), Some(ma_v3)] {
            assert!(
                is_repeat(&send(&layer, &handler, &without(again)).await),
                "{first:?} then {again:?}"
            );
        }
        let mut listed = both.clone();
        let value = format!("{}, {}", "A".repeat(43) + "=", both.headers()[v3].to_str().unwrap());
        listed.headers_mut().insert(v3, HeaderValue::try_from(value).unwrap());
        assert!(
            is_repeat(&send(&layer, &handler, &listed).await),
            "a list with the right one in it"
        );
    }
    assert_eq!(handler.calls(), 3);
}

/// Voice names a claim by URL and nonce, and not by its token: tenants that share a store have URLs
/// of their own.
#[tokio::test]
async fn attack_a_voice_nonce_at_another_tenant() {
    let (store, handler) = (MemoryStore::new(), Handler::default());
    for (token, path) in [("the token of one", "/one"), ("the token of another", "/another")] {
        let layer =
            WebhookLayer::new(Voice::new(token, ORIGIN).unwrap()).local_store(store.clone());
        let signer = vobiz::voice::Signer::new(token, ORIGIN).unwrap().nonce("0".repeat(20));
        let request = signed(&signer, path, "Event=Ring");
        assert_eq!(send(&layer, &handler, &request).await.body(), "handled", "{path}");
        assert!(is_repeat(&send(&layer, &handler, &request).await), "{path}");
    }
}

/// A voice callback by GET has no body: its unsigned query is the content.
#[tokio::test]
async fn attack_voice_query_swapped() {
    let layer = WebhookLayer::new(Voice::new("token", ORIGIN).unwrap());
    let signer = vobiz::voice::Signer::new("token", ORIGIN).unwrap();
    let handler = Handler::default();
    let request = Request::get("/hook?Event=Hangup&CallUUID=AAA").body(Bytes::new()).unwrap();
    let genuine = signer.sign(request, SystemTime::now());
    assert_eq!(send(&layer, &handler, &genuine).await.body(), "handled");
    let mut forged = genuine.clone();
    *forged.uri_mut() = "/hook?Event=Hangup&CallUUID=BBB".parse().unwrap();
    assert_eq!(kind(&send(&layer, &handler, &forged).await), Some(RejectionKind::Conflict));
    assert!(is_repeat(&send(&layer, &handler, &genuine).await));
}

/// What an event is not made of may change from one attempt to the next; what it is made of may
/// not.
#[tokio::test]
async fn only_content_is_bound_to_a_signature() {
    async fn retried<P: Provider>(name: &str, scheme: Scheme<P>) {
        let handler = Handler::answering(&[500]);
        let genuine = scheme.genuine();
        scheme.send(&handler, &genuine).await;
        let mut retry = genuine.clone();
        *retry.uri_mut() = "/hook?attempt=2".parse().unwrap();
        assert_eq!(scheme.send(&handler, &retry).await.body(), "handled", "{name}");
        let second = if scheme.guarded { 2 } else { 1 };
        assert_eq!(*handler.attempts().last().unwrap(), second, "{name}");
        if !scheme.guarded {
            return;
        }
        retry.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
        let retyped = scheme.send(&handler, &retry).await;
        match name {
            // It says how to read the body.
            "vobiz voice" => assert_eq!(kind(&retyped), Some(RejectionKind::Conflict)),
            _ => assert!(is_repeat(&retyped), "{name}"),
        }
    }
    every!(retried);
}

/// Row 35: a body that is held open until the signature has left the window.
async fn held_open<P: Provider>(name: &str, scheme: Scheme<P>) {
    let genuine = scheme.genuine();
    let dated = scheme.guarded && !name.starts_with("vobiz");
    for aged in [0, 302] {
        let clock = TestClock::at(SystemTime::now());
        let layer = scheme.layer.clone().clock(clock.clone());
        let (head, body) = genuine.clone().into_parts();
        let body = StreamBody::new(stream::once(async move {
            tokio::task::yield_now().await;
            clock.advance(Duration::from_secs(aged));
            Ok::<_, Infallible>(Frame::data(body))
        }));
        let handler = service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, Infallible>(Response::new(String::new()))
        });
        let response =
            layer.layer(handler).oneshot(Request::from_parts(head, Box::pin(body))).await.unwrap();
        let stale = (dated && aged > 0).then_some(RejectionKind::Stale);
        assert_eq!(kind(&response), stale, "{name} after {aged} s");
    }
}

#[tokio::test]
async fn attack_a_body_held_open_past_the_window() {
    every!(held_open);
}

/// Two families with one key and one form of signature pass each other's requests: each delivers
/// it, once.
#[tokio::test]
async fn attack_families_that_share_a_key_do_not_share_a_claim() {
    let store = MemoryStore::new();
    let kyc = WebhookLayer::new(Kyc::new(KEY).unwrap()).local_store(store.clone());
    let campaign = WebhookLayer::new(Campaign::new(KEY).unwrap()).local_store(store);
    let handler = Handler::default();
    let signer = vobiz::kyc::Signer::new(KEY).unwrap();
    let request = signed(&signer, "/", r#"{"event":"kyc.completed"}"#);
    for expected in [false, true] {
        assert_eq!(is_repeat(&send(&kyc, &handler, &request).await), expected);
        assert_eq!(is_repeat(&send(&campaign, &handler, &request).await), expected);
    }
    assert_eq!(handler.calls(), 2);
}

/// Two honest callbacks of Stardust's can share a millisecond and so a signature: both are
/// delivered, each once.
#[tokio::test]
async fn stardust_delivers_both_of_one_millisecond() {
    let layer = WebhookLayer::new(Stardust::new(KEY, KEY).unwrap());
    let signer = stardust::Signer::new(KEY, KEY).unwrap();
    let (handler, now) = (Handler::default(), SystemTime::now());
    let request = |task: &str| {
        let body = format!(r#"{{"taskId":"{task}","status":"completed"}}"#);
        signer.sign(Request::post("/hook").body(Bytes::from(body)).unwrap(), now)
    };
    assert_eq!(request("1").headers()["x-sign"], request("2").headers()["x-sign"]);
    for task in ["1", "2"] {
        assert_eq!(send(&layer, &handler, &request(task)).await.body(), "handled");
        assert!(is_repeat(&send(&layer, &handler, &request(task)).await));
    }
    assert_eq!(handler.calls(), 2);
}
