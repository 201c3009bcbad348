//! Stardust's two modes: vectors, and every attack on the head.
#![cfg(feature = "stardust")]

use crate::{
    head_auth::{
        self, accepts, at, damaged, prints_nothing_of, refuses_before_the_body_comes,
        refuses_unread, send, survives_hostile_bodies,
    },
    support::{vectors_of, with},
};
use bytes::Bytes;
use http::Request;
use serde_json::Value;
use std::{
    error::Error as _,
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    Content, Covers, Delivery, Provider, Rejection, RejectionKind, Signer as _, Verified,
    WebhookLayer, Window,
    stardust::{Event, KeyOnlySigner, Signer, Stardust, StardustKeyOnly},
};

const ACCESS_KEY: &str = "U2Fsc+dGVk/of-the-creator==";
const SECRET_KEY: &str = "Z2Vo+ZWltL/of-the-creator==";
const NOW: u64 = 1_767_000_000_000;
const HEADERS: [&str; 3] = ["x-stardust-key", "x-ts", "x-sign"];
const BODY: &str = r#"{"taskId":"410000000000000001","status":"completed"}"#;

fn key_only() -> StardustKeyOnly {
    StardustKeyOnly::new(ACCESS_KEY).unwrap()
}

fn signed_mode() -> Stardust {
    Stardust::new(ACCESS_KEY, SECRET_KEY).unwrap()
}

fn plain(body: &'static str) -> Request<Bytes> {
    Request::post("/stardust")
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap()
}

fn with_key() -> Request<Bytes> {
    KeyOnlySigner::new(ACCESS_KEY).unwrap().sign(plain(BODY), at(NOW))
}

fn genuine() -> Request<Bytes> {
    Signer::new(ACCESS_KEY, SECRET_KEY).unwrap().sign(plain(BODY), at(NOW))
}

fn with_values(key: &str, ts: &str, sign: &str) -> Request<Bytes> {
    HEADERS
        .into_iter()
        .zip([key, ts, sign])
        .fold(plain(BODY), |request, (name, value)| with(request, name, value))
}

fn verify(request: &Request<Bytes>) -> Result<Delivery<Event>, Rejection> {
    signed_mode().verify(request, at(NOW))
}

fn refusal(request: &Request<Bytes>) -> RejectionKind {
    verify(request).unwrap_err().kind()
}

#[test]
fn vectors() {
    let (mut accepted, mut refused) = (0, 0);
    for vector in &vectors_of::<Value>("stardust", "vectors") {
        let name = vector["name"].as_str().unwrap();
        let headers = vector["headers"].as_object().unwrap().iter();
        let request = headers.fold(plain(BODY), |request, (name, value)| {
            with(request, name, value.as_str().unwrap())
        });
        let access_key = vector["accessKey"].as_str().unwrap();
        let ts = vector["headers"]["X-TS"].as_str().unwrap_or("1721000000000");
        let now = at(ts.parse().unwrap());
        let valid = vector["expect"].as_str().unwrap().starts_with("valid");
        let result = match vector["secretKey"].as_str() {
            Some(secret_key) => {
                Stardust::new(access_key, secret_key).unwrap().verify(&request, now)
            }
            None => {
                let unsigned =
                    Stardust::new(access_key, "any secret").unwrap().verify(&request, now);
                assert_eq!(unsigned.unwrap_err().status(), 401, "{name}");
                StardustKeyOnly::new(access_key).unwrap().verify(&request, now)
            }
        };
        assert_eq!(result.is_ok(), valid, "{name}: {result:?}");
        *if valid { &mut accepted } else { &mut refused } += 1;
    }
    assert_eq!((accepted, refused), (4, 5));
}

#[test]
fn a_delivery_says_what_was_proved() {
    let delivery = verify(&genuine()).unwrap();
    assert_eq!((delivery.covers(), delivery.proof().signed_at), (Covers::Nothing, Some(at(NOW))));
    let identity = delivery.proof().identity.as_ref().unwrap();
    assert_eq!(identity.content(), Content::Part);
    assert_eq!(identity.valid_until(), Some(at(NOW + 300_001)));

    let delivery = key_only().verify(&with_key(), at(NOW)).unwrap();
    assert_eq!(
        (delivery.covers(), delivery.proof().signed_at, delivery.proof().identity.as_ref()),
        (Covers::Nothing, None, None)
    );
    assert_eq!((StardustKeyOnly::NAME, Stardust::NAME), ("stardust.key_only", "stardust"));
    assert_eq!((StardustKeyOnly::BODY_LIMIT, Stardust::BODY_LIMIT), (16 << 20, 16 << 20));
}

#[test]
fn several_keys() {
    let pairs = [
        (ACCESS_KEY, SECRET_KEY),
        (ACCESS_KEY, "next secret"),
        ("another creator", "their secret"),
    ];
    let all = signed_mode()
        .also_accept(pairs[1].0, pairs[1].1)
        .unwrap()
        .also_accept(pairs[2].0, pairs[2].1)
        .unwrap();
    for (index, (access_key, secret_key)) in pairs.into_iter().enumerate() {
        let request = Signer::new(access_key, secret_key).unwrap().sign(plain(BODY), at(NOW));
        assert_eq!(all.verify(&request, at(NOW)).unwrap().proof().key_index, index);
    }
    let crossed = Signer::new("another creator", SECRET_KEY).unwrap().sign(plain(BODY), at(NOW));
    assert_eq!(all.verify(&crossed, at(NOW)).unwrap_err().kind(), RejectionKind::CredentialWrong);

    let both = key_only().also_accept("another creator").unwrap();
    let request = KeyOnlySigner::new("another creator").unwrap().sign(plain(BODY), at(NOW));
    assert_eq!(both.verify(&request, at(NOW)).unwrap().proof().key_index, 1);
    assert_eq!(both.verify(&with_key(), at(NOW)).unwrap().proof().key_index, 0);
}

#[test]
fn a_day_of_retries_needs_a_wider_window() {
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let late = at(NOW + 23 * 3_600_000);
    assert_eq!(signed_mode().verify(&genuine(), late).unwrap_err().kind(), RejectionKind::Stale);
    let wide = signed_mode().window(Window::new(hours(24), Duration::from_secs(60)).unwrap());
    let delivery = wide.verify(&genuine(), late).unwrap();
    assert_eq!(
        delivery.proof().identity.as_ref().unwrap().valid_until(),
        Some(at(NOW + 24 * 3_600_000 + 1))
    );
    assert!(wide.verify(&genuine(), at(NOW + 24 * 3_600_000 + 1)).is_err());
}

// Row 1 and 2: what the guard gets to see.
#[test]
fn attack_captured_headers_on_another_body_keep_their_identity() {
    let genuine = genuine();
    let mut other = genuine.clone();
    *other.body_mut() = Bytes::from(r#"{"taskId":"410000000000000002","status":"error"}"#);
    let (genuine, other) = (verify(&genuine).unwrap(), verify(&other).unwrap());
    assert_eq!(other.covers(), Covers::Nothing);
    assert_eq!(genuine.proof().identity.as_ref(), other.proof().identity.as_ref());
    // Two honest callbacks of one millisecond look the same: the content has to be part of the key.
    assert_eq!(other.proof().identity.as_ref().unwrap().content(), Content::Part);
    let next = Signer::new(ACCESS_KEY, SECRET_KEY).unwrap().sign(plain(BODY), at(NOW + 1));
    assert_ne!(verify(&next).unwrap().proof().identity.as_ref(), genuine.proof().identity.as_ref());
}

// Row 3.
#[test]
fn attack_a_captured_key_is_good_for_ever() {
    let mut later = with_key();
    *later.body_mut() = Bytes::from(r#"{"taskId":"410000000000000002","status":"error"}"#);
    let delivery = key_only().verify(&later, at(NOW * 2)).unwrap();
    assert_eq!(
        (delivery.proof().identity.as_ref(), delivery.proof().signed_at, delivery.covers()),
        (None, None, Covers::Nothing)
    );
}

// Rows 4 and 15.
#[test]
fn attack_timestamps_are_13_digits_although_rightly_signed() {
    let signer = Signer::new(ACCESS_KEY, SECRET_KEY).unwrap();
    for ts in [
        "1767000000",
        "176700000000",
        "01767000000000",
        "-176700000000",
        "+176700000000",
        "1767000000.00",
        "1.76700000e12",
        "1767000000000&",
        "-9223372036854775808",
        "18446744073709551616",
    ] {
        let request = with_values(ACCESS_KEY, ts, &signer.signature(ts));
        assert_eq!(refusal(&request), RejectionKind::CredentialMalformed, "{ts}");
    }
    let far = with_values(ACCESS_KEY, "9999999999999", &signer.signature("9999999999999"));
    assert_eq!(refusal(&far), RejectionKind::Stale);
}

// Row 6.
#[tokio::test]
async fn attack_no_mode_falls_back_to_the_other() {
    let wrong_sign = with_values(ACCESS_KEY, &NOW.to_string(), &"0".repeat(32));
    let slips = {
        let mut request = with_key();
        let signed = genuine();
        for (slip, name) in [("_ts", "x-ts"), ("_sign", "x-sign")] {
            request.headers_mut().insert(slip, signed.headers()[name].clone());
        }
        request
    };
    let bad = [("key only", with_key()), ("wrong sign", wrong_sign), ("_ts and _sign", slips)];
    refuses_unread(
        signed_mode,
        None,
        bad.map(|(what, request)| (what.to_owned(), request)),
        at(NOW),
    )
    .await;
    let other = Signer::new("another", SECRET_KEY).unwrap().sign(plain(BODY), at(NOW));
    refuses_unread(key_only, None, [("signed by another".to_owned(), other)], at(NOW)).await;
    // Key-only mode looks at the key only.
    assert!(key_only().verify(&genuine(), at(NOW)).is_ok());
}

// Row 7.
#[test]
fn attack_blank_secrets_are_refused() {
    for bad in ["", " ", "\n", "key\n", " key", "key\r\n"] {
        assert!(StardustKeyOnly::new(bad).is_err(), "{bad:?}");
        assert!(key_only().also_accept(bad).is_err(), "{bad:?}");
        assert!(Stardust::new(bad, SECRET_KEY).is_err(), "{bad:?}");
        assert!(Stardust::new(ACCESS_KEY, bad).is_err(), "{bad:?}");
        assert!(signed_mode().also_accept(bad, SECRET_KEY).is_err(), "{bad:?}");
        assert!(signed_mode().also_accept(ACCESS_KEY, bad).is_err(), "{bad:?}");
        assert!(KeyOnlySigner::new(bad).is_err(), "{bad:?}");
        assert!(Signer::new(ACCESS_KEY, bad).is_err(), "{bad:?}");
    }
    assert!(StardustKeyOnly::new("clé").is_err());
    assert!(Stardust::new("clé", SECRET_KEY).is_err());
    assert!(Stardust::new(ACCESS_KEY, "clé").is_ok());
}

// Rows 8, 13 to 15, 17, 19 and 26.
#[tokio::test]
async fn attack_damaged_heads_are_one_401_and_read_nothing() {
    refuses_unread(signed_mode, None, damaged(&genuine(), &HEADERS), at(NOW)).await;
    refuses_unread(key_only, None, damaged(&with_key(), &["x-stardust-key"]), at(NOW)).await;
    let stale = [
        (0, "1970"),
        (NOW - 60_001, "ahead"),
        (NOW + 300_001, "old"),
        (u64::MAX / 2, "the end of time"),
    ];
    for (now, what) in stale {
        refuses_unread(signed_mode, None, [(what.to_owned(), genuine())], at(now)).await;
    }
    let case = KeyOnlySigner::new(ACCESS_KEY.to_lowercase()).unwrap().sign(plain(BODY), at(NOW));
    refuses_unread(
        key_only,
        None,
        [("bare".to_owned(), plain(BODY)), ("case".to_owned(), case)],
        at(NOW),
    )
    .await;
}

// Row 14.
#[test]
fn attack_a_signature_in_another_spelling_is_the_same_delivery() {
    let lower = genuine();
    let sign = lower.headers()["x-sign"].to_str().unwrap().to_owned();
    let upper = with_values(ACCESS_KEY, &NOW.to_string(), &sign.to_uppercase());
    assert_ne!(sign, sign.to_uppercase());
    assert_eq!(
        verify(&upper).unwrap().proof().identity.as_ref(),
        verify(&lower).unwrap().proof().identity.as_ref()
    );
}

// Row 16.
#[test]
fn attack_clocks() {
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(signed_mode().verify(&genuine(), before).unwrap_err().status(), 401);
    for (now, fresh) in
        [(NOW + 300_000, true), (NOW + 300_001, false), (NOW - 60_000, true), (NOW - 60_001, false)]
    {
        let result = signed_mode().verify(&genuine(), at(now));
        assert_eq!(
            result.err().map(|r| r.kind()),
            (!fresh).then_some(RejectionKind::Stale),
            "{now}"
        );
    }
}

// Row 17.
#[tokio::test]
async fn attack_a_megabyte_is_announced_and_never_sent() {
    refuses_before_the_body_comes(key_only(), "").await;
    refuses_before_the_body_comes(key_only(), "x-stardust-key: somebody\r\n").await;
    let key = format!("x-stardust-key: {ACCESS_KEY}\r\n");
    refuses_before_the_body_comes(signed_mode(), &key).await;
    refuses_before_the_body_comes(
        signed_mode(),
        &format!("{key}x-ts: 1767000000000\r\nx-sign: 0\r\n"),
    )
    .await;
}

// Rows 18 and 19.
#[tokio::test]
async fn attack_hostile_bodies() {
    survives_hostile_bodies(signed_mode, genuine(), at(NOW)).await;
    survives_hostile_bodies(key_only, with_key(), at(NOW)).await;
}

// Rows 20 and 27.
#[tokio::test]
async fn credentials_arrive_marked_sensitive() {
    accepts(signed_mode, genuine(), &HEADERS, at(NOW)).await;
    accepts(key_only, with_key(), &["x-stardust-key"], at(NOW)).await;
    accepts(key_only, genuine(), &HEADERS, at(NOW)).await;
}

// Row 27.
#[tokio::test]
async fn attack_nothing_prints_a_credential() {
    let sign = genuine().headers()["x-sign"].to_str().unwrap().to_owned();
    let mut printed = vec![
        format!("{:?} {:?}", key_only(), signed_mode()),
        format!("{:?} {:?}", WebhookLayer::new(key_only()), WebhookLayer::new(signed_mode())),
        format!("{:?} {:?}", KeyOnlySigner::new(ACCESS_KEY), Signer::new(ACCESS_KEY, SECRET_KEY)),
        format!("{:?}", Stardust::new(ACCESS_KEY, format!("{SECRET_KEY}\n")).unwrap_err()),
        format!("{}", StardustKeyOnly::new(format!("{ACCESS_KEY}\n")).unwrap_err()),
        format!("{:?}", verify(&genuine()).unwrap()),
        format!("{:?}", key_only().verify(&with_key(), at(NOW)).unwrap()),
    ];
    let wrong = with_values(ACCESS_KEY, &NOW.to_string(), &format!("0000{}", &sign[4..]));
    let malformed = with_values(ACCESS_KEY, &NOW.to_string(), &sign[1..]);
    for request in [wrong, malformed, with_key(), plain(BODY)] {
        let error = verify(&request).unwrap_err();
        printed.push(format!("{error} {error:?} {:?}", error.source()));
    }
    for outcome in [
        send(key_only(), with_key(), None, at(NOW)).await,
        send(signed_mode(), genuine(), None, at(NOW)).await,
    ] {
        let head = outcome.probe.head.lock().unwrap().take().unwrap();
        printed.push(format!(
            "{:?} {:?}",
            head.headers,
            head.extensions.get::<Verified<Event>>().unwrap()
        ));
    }
    prints_nothing_of(&[ACCESS_KEY, SECRET_KEY, &sign[4..]], &printed);
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn attack_no_tracing_event_holds_a_credential() {
    let sign = genuine().headers()["x-sign"].to_str().unwrap().to_owned();
    let log = crate::support::log::Log::default();
    let guard = log.install();
    for request in [genuine(), plain(BODY), with_key()] {
        send(signed_mode(), request.clone(), None, at(NOW)).await;
        send(key_only(), request, None, at(NOW)).await;
    }
    head_auth::apply_twice(signed_mode(), genuine(), at(NOW)).await;
    drop(guard);
    let text = log.text();
    assert!(text.contains("stardust"), "{text}");
    prints_nothing_of(&[ACCESS_KEY, SECRET_KEY, &sign, BODY], &[text]);
}

// Row 28.
#[test]
fn attack_another_key_is_another_identity() {
    let digest = |access_key, secret_key| {
        let request = Signer::new(access_key, secret_key).unwrap().sign(plain(BODY), at(NOW));
        let delivery =
            Stardust::new(access_key, secret_key).unwrap().verify(&request, at(NOW)).unwrap();
        delivery.proof().identity.as_ref().unwrap().digest()
    };
    let digests =
        [digest(ACCESS_KEY, SECRET_KEY), digest(ACCESS_KEY, "other"), digest("other", SECRET_KEY)];
    assert!(digests[0] != digests[1] && digests[0] != digests[2] && digests[1] != digests[2]);
    assert_eq!(digest(ACCESS_KEY, SECRET_KEY), digests[0]);
}
