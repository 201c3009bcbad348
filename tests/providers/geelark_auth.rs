//! GeeLark's two modes: vectors, and every attack on the head.
#![cfg(feature = "geelark")]

use crate::{
    head_auth::{
        self, accepts, at, damaged, prints_nothing_of, refuses_before_the_body_comes,
        refuses_unread, send, survives_hostile_bodies,
    },
    support::{vectors_of, with},
};
use bytes::Bytes;
use http::{HeaderValue, Request};
use serde_json::Value;
use std::{
    collections::HashSet,
    error::Error as _,
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    Content, Covers, Delivery, Provider, Rejection, RejectionKind, Signer as _, Verified,
    WebhookLayer, Window,
    geelark::{Event, GeeLark, GeeLarkToken, Signer, TokenSigner},
};

const APP_ID: &str = "Ab3dEf6hIj9kLm2nOp5qRs8t";
const APP_KEY: &str = "k3y-0f-the-Team-77";
const TOKEN: &str = "t0ken-0f-the-Team-78";
const TRACE_ID: &str = "C0FFEE11D0D0CAFEBABE0123456789AB";
const NOW: u64 = 1_767_000_000_000;
const KEY_HEADERS: [&str; 5] = ["appid", "traceid", "ts", "nonce", "sign"];
const BODY: &str = r#"{"type":6,"taskId":"910000000000000001","result":true}"#;

fn key_mode() -> GeeLark {
    GeeLark::new(APP_ID, APP_KEY).unwrap()
}

fn token_mode() -> GeeLarkToken {
    GeeLarkToken::new(TOKEN).unwrap()
}

fn plain(body: &'static str) -> Request<Bytes> {
    Request::post("/geelark")
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .unwrap()
}

fn genuine() -> Request<Bytes> {
    Signer::new(APP_ID, APP_KEY).unwrap().trace_id(TRACE_ID).sign(plain(BODY), at(NOW))
}

fn with_token() -> Request<Bytes> {
    let mut request = TokenSigner::new(TOKEN).unwrap().sign(plain(BODY), at(NOW));
    request.headers_mut().insert("traceid", HeaderValue::from_static(TRACE_ID));
    request
}

/// A request with these values, signed over exactly them.
fn signed_over(app_id: &str, trace_id: &str, ts: &str, nonce: &str) -> Request<Bytes> {
    let sign = Signer::new(app_id, APP_KEY).unwrap().signature(trace_id, ts, nonce);
    with_values(app_id, trace_id, ts, nonce, &sign)
}

fn with_values(app_id: &str, trace_id: &str, ts: &str, nonce: &str, sign: &str) -> Request<Bytes> {
    KEY_HEADERS
        .into_iter()
        .zip([app_id, trace_id, ts, nonce, sign])
        .fold(plain(BODY), |request, (name, value)| with(request, name, value))
}

fn verify(request: &Request<Bytes>) -> Result<Delivery<Event>, Rejection> {
    key_mode().verify(request, at(NOW))
}

fn refusal(request: &Request<Bytes>) -> RejectionKind {
    verify(request).unwrap_err().kind()
}

fn of_vector(vector: &Value) -> Request<Bytes> {
    let headers = vector["headers"].as_object().unwrap().iter();
    headers.fold(plain(BODY), |request, (name, value)| with(request, name, value.as_str().unwrap()))
}

#[test]
fn vectors() {
    let (mut accepted, mut refused) = (0, 0);
    for vector in &vectors_of::<Value>("geelark", "vectors") {
        let name = vector["name"].as_str().unwrap();
        let request = of_vector(vector);
        let ts =
            vector["headers"]["ts"].as_str().filter(|ts| ts.len() == 13).unwrap_or("1766567054123");
        let provider =
            GeeLark::new(vector["appId"].as_str().unwrap(), vector["apiKey"].as_str().unwrap())
                .unwrap();
        let result = provider.verify(&request, at(ts.parse().unwrap()));
        let valid = vector["expect"].as_str().unwrap().starts_with("valid");
        assert_eq!(result.is_ok(), valid, "{name}: {result:?}");
        if let Err(rejection) = &result {
            assert_eq!(rejection.status(), 401, "{name}");
            refused += 1;
        } else {
            accepted += 1;
        }
    }
    assert_eq!((accepted, refused), (8, 13));
}

#[test]
fn token_vectors() {
    let (mut accepted, mut refused) = (0, 0);
    for vector in &vectors_of::<Value>("geelark", "token_mode") {
        let name = vector["name"].as_str().unwrap();
        let provider = GeeLarkToken::new(vector["token"].as_str().unwrap()).unwrap();
        let result = provider.verify(&of_vector(vector), SystemTime::now());
        let valid = vector["expect"].as_str().unwrap().starts_with("valid");
        assert_eq!(result.is_ok(), valid, "{name}: {result:?}");
        *if valid { &mut accepted } else { &mut refused } += 1;
    }
    assert_eq!((accepted, refused), (2, 4));
}

#[test]
fn a_delivery_says_what_was_proved() {
    let delivery = verify(&genuine()).unwrap();
    assert_eq!(delivery.covers(), Covers::Nothing);
    assert_eq!(delivery.proof().signed_at, Some(at(NOW)));
    assert_eq!(delivery.kind(), "task_completed");
    let identity = delivery.proof().identity.as_ref().unwrap();
    assert_eq!(identity.content(), Content::Bound);
    assert_eq!(identity.valid_until(), Some(at(NOW + 300_001)));

    let delivery = token_mode().verify(&with_token(), at(NOW)).unwrap();
    assert_eq!(delivery.covers(), Covers::Nothing);
    assert_eq!((delivery.proof().signed_at, delivery.proof().identity.as_ref()), (None, None));
    assert_eq!((GeeLark::NAME, GeeLarkToken::NAME), ("geelark", "geelark.token"));
}

#[test]
fn several_keys() {
    let both = key_mode()
        .also_accept(APP_ID, "next key")
        .unwrap()
        .also_accept("team2", "key of team 2")
        .unwrap();
    for (index, (app_id, key)) in
        [(APP_ID, APP_KEY), (APP_ID, "next key"), ("team2", "key of team 2")].iter().enumerate()
    {
        let request = Signer::new(*app_id, key).unwrap().sign(plain(BODY), at(NOW));
        assert_eq!(both.verify(&request, at(NOW)).unwrap().proof().key_index, index);
    }
    let crossed = Signer::new("team2", APP_KEY).unwrap().sign(plain(BODY), at(NOW));
    assert_eq!(both.verify(&crossed, at(NOW)).unwrap_err().kind(), RejectionKind::CredentialWrong);

    let both = token_mode().also_accept("next token").unwrap();
    let request = TokenSigner::new("next token").unwrap().sign(plain(BODY), at(NOW));
    assert_eq!(both.verify(&request, at(NOW)).unwrap().proof().key_index, 1);
    assert_eq!(both.verify(&with_token(), at(NOW)).unwrap().proof().key_index, 0);
}

#[test]
fn a_trace_id_is_never_normalised() {
    for trace_id in [
        "c0ffee11d0d0cafebabe0123456789ab",
        "C0FFEE11D0D0CAFEBABE0123456789AB",
        "c0ffee11-d0d0-cafe-babe-0123456789ab",
        "C0FFEE11-D0D0-CAFE-BABE-0123456789AB",
        "C0ffEE11-d0D0-Fafe-0abe-0123456789Ab",
        "00000000000000000000000000000000",
    ] {
        let request = signed_over(APP_ID, trace_id, &NOW.to_string(), &trace_id[..6]);
        assert!(verify(&request).is_ok(), "{trace_id}");
    }
    let lower = signed_over(APP_ID, &TRACE_ID.to_lowercase(), &NOW.to_string(), "c0ffee");
    let sign = lower.headers()["sign"].to_str().unwrap();
    let upper = with_values(APP_ID, TRACE_ID, &NOW.to_string(), "C0FFEE", sign);
    assert_eq!(refusal(&upper), RejectionKind::CredentialWrong);
}

#[test]
fn a_signer_makes_each_request_another() {
    let signer = Signer::new(APP_ID, APP_KEY).unwrap();
    let requests: Vec<_> = (0..8).map(|_| signer.sign(plain(BODY), at(NOW))).collect();
    let trace_ids: HashSet<_> =
        requests.iter().map(|request| request.headers()["traceid"].clone()).collect();
    assert_eq!(trace_ids.len(), 8);
    assert!(requests.iter().all(|request| verify(request).is_ok()));

    let signer = TokenSigner::new(TOKEN).unwrap().with_colon();
    let requests = [(); 8].map(|()| signer.sign(plain(BODY), at(NOW)));
    let trace_ids: HashSet<_> =
        requests.iter().map(|request| request.headers()["traceid"].to_str().unwrap()).collect();
    assert!(trace_ids.len() == 8 && trace_ids.iter().all(|id| id.len() == 32), "{trace_ids:?}");
    for request in &requests {
        assert_eq!(request.headers()["authorization"], "Bearer: t0ken-0f-the-Team-78");
        assert!(token_mode().verify(request, at(NOW)).is_ok());
    }
}

#[test]
fn a_bearer_is_read_in_both_printed_forms() {
    let with = |line: &str| {
        let request =
            Request::post("/").header("authorization", line).body(Bytes::from(BODY)).unwrap();
        token_mode().verify(&request, at(NOW)).map_err(|rejection| rejection.kind())
    };
    for good in [
        "Bearer ",
        "Bearer: ",
        "Bearer:",
        "bearer:",
        "bearer ",
        "BEARER: ",
        "bEaReR:   ",
        "Bearer   ",
    ] {
        assert!(with(&format!("{good}{TOKEN}")).is_ok(), "{good}");
    }
    for bad in [
        "",
        "Bearer",
        "Bearer::  ",
        "Bearer : ",
        " Bearer ",
        "Basic ",
        "BearerBearer ",
        "Bearer Bearer ",
    ] {
        assert!(with(&format!("{bad}{TOKEN}")).is_err(), "{bad}");
    }
    for bad in ["Bearer", "Bearer:", "Bearer ", "Bearer: ", "Bearer:   "] {
        assert_eq!(with(bad).unwrap_err(), RejectionKind::CredentialMalformed, "{bad}");
    }
    assert_eq!(with("Bearer T0KEN-0F-THE-TEAM-78").unwrap_err(), RejectionKind::CredentialWrong);
}

#[test]
fn the_window_is_a_setting() {
    let window = Window::new(Duration::from_secs(10), Duration::from_secs(1)).unwrap();
    let narrow = key_mode().window(window);
    assert!(narrow.verify(&genuine(), at(NOW + 10_000)).is_ok());
    assert_eq!(
        narrow.verify(&genuine(), at(NOW + 10_001)).unwrap_err().kind(),
        RejectionKind::Stale
    );
    assert!(narrow.verify(&genuine(), at(NOW - 1_000)).is_ok());
    assert_eq!(
        narrow.verify(&genuine(), at(NOW - 1_001)).unwrap_err().kind(),
        RejectionKind::Stale
    );
    let delivery = narrow.verify(&genuine(), at(NOW)).unwrap();
    assert_eq!(delivery.proof().identity.as_ref().unwrap().valid_until(), Some(at(NOW + 10_001)));
}

// Row 1, 2 and 31: the guard can bind what verification cannot.
#[test]
fn attack_captured_headers_on_another_body_or_route_keep_their_identity() {
    let genuine = genuine();
    let mut swapped = genuine.clone();
    *swapped.body_mut() = Bytes::from(r#"{"type":7,"orderId":"1","result":true}"#);
    *swapped.uri_mut() = "/another/route".parse().unwrap();
    let (genuine, swapped) = (verify(&genuine).unwrap(), verify(&swapped).unwrap());
    assert_eq!(swapped.covers(), Covers::Nothing);
    assert_eq!(genuine.proof().identity.as_ref(), swapped.proof().identity.as_ref());
    assert_eq!(swapped.proof().identity.as_ref().unwrap().content(), Content::Bound);
}

// Row 3: nothing bounds it, and nothing pretends to.
#[test]
fn attack_a_captured_token_is_good_for_ever() {
    let mut later = with_token();
    *later.body_mut() = Bytes::from(r#"{"type":7,"orderId":"1","result":true}"#);
    let delivery = token_mode().verify(&later, at(NOW * 2)).unwrap();
    assert_eq!(
        (delivery.proof().identity.as_ref(), delivery.proof().signed_at, delivery.covers()),
        (None, None, Covers::Nothing)
    );
}

// Row 4: every cut of one signed text but the genuine one is refused, whatever the secret's side
// says.
#[test]
fn attack_boundary_shifts() {
    let ts = NOW.to_string();
    let text = format!("{APP_ID}{TRACE_ID}{ts}{}", &TRACE_ID[..6]);
    let sign = Signer::new(APP_ID, APP_KEY).unwrap().signature(TRACE_ID, &ts, &TRACE_ID[..6]);
    let teams: Vec<_> = (1..text.len()).map(|end| &text[..end]).collect();
    let mut passed = Vec::new();
    for first in 1..text.len() {
        for second in first + 1..text.len() {
            for third in second + 1..text.len() {
                let cut =
                    [&text[..first], &text[first..second], &text[second..third], &text[third..]];
                // As if every prefix of the text were a team of its own, with the same key.
                let provider = GeeLark::new(teams[first - 1], APP_KEY).unwrap();
                let [app_id, trace_id, ts, nonce] = cut;
                if provider
                    .verify(&with_values(app_id, trace_id, ts, nonce, &sign), at(NOW))
                    .is_ok()
                {
                    passed.push(cut);
                }
            }
        }
    }
    assert_eq!(passed, [[APP_ID, TRACE_ID, &ts, &TRACE_ID[..6]]]);
}

#[test]
fn attack_malformed_fields_are_refused_although_rightly_signed() {
    let ts = NOW.to_string();
    let hyphenated = "c0ffee11-d0d0-cafe-babe-0123456789ab";
    for (trace_id, ts, nonce) in [
        (&TRACE_ID[1..], &*ts, "0FFEE1"),
        (&format!("{TRACE_ID}0"), &ts, "C0FFEE"),
        (&hyphenated.replace('-', "0"), &ts, "c0ffee"),
        (&hyphenated.replace("-cafe-", "cafe--"), &ts, "c0ffee"),
        ("c0ffee1-1d0d0-cafe-babe-0123456789ab", &ts, "c0ffee"),
        ("g0ffee11d0d0cafebabe0123456789ab", &ts, "g0ffee"),
        (TRACE_ID, "1767000000", "C0FFEE"),
        (TRACE_ID, "01767000000000", "C0FFEE"),
        (TRACE_ID, "176700000000", "C0FFEE"),
        (TRACE_ID, "-176700000000", "C0FFEE"),
        (TRACE_ID, "+176700000000", "C0FFEE"),
        (TRACE_ID, "1767000000.00", "C0FFEE"),
        (TRACE_ID, "1.76700000e12", "C0FFEE"),
        (TRACE_ID, "0x19b66f50e00", "C0FFEE"),
        (TRACE_ID, "-9223372036854775808", "C0FFEE"),
        (TRACE_ID, "18446744073709551616", "C0FFEE"),
        (TRACE_ID, &ts, "c0ffee"),
        (TRACE_ID, &ts, "C0FFE"),
        (TRACE_ID, &ts, "C0FFEE1"),
        (TRACE_ID, &ts, "0FFEE1"),
    ] {
        let request = signed_over(APP_ID, trace_id, ts, nonce);
        assert_eq!(
            refusal(&request),
            RejectionKind::CredentialMalformed,
            "{trace_id} {ts} {nonce}"
        );
    }
}

// Row 6.
#[tokio::test]
async fn attack_no_mode_falls_back_to_the_other() {
    let merged = |mut a: Request<Bytes>, b: Request<Bytes>| {
        a.headers_mut().extend(b.headers().clone());
        a
    };
    let wrong_sign = with_values(APP_ID, TRACE_ID, &NOW.to_string(), "C0FFEE", &"0".repeat(64));
    let wrong_token = TokenSigner::new("another token").unwrap().sign(plain(BODY), at(NOW));
    let name = |request| ("other mode".to_owned(), request);
    refuses_unread(
        key_mode,
        None,
        [with_token(), merged(wrong_sign, with_token())].map(name),
        at(NOW),
    )
    .await;
    refuses_unread(
        token_mode,
        Some("Bearer"),
        [genuine(), merged(genuine(), wrong_token)].map(name),
        at(NOW),
    )
    .await;
    for request in [merged(genuine(), with_token()), merged(with_token(), genuine())] {
        assert!(verify(&request).is_ok());
        assert!(token_mode().verify(&request, at(NOW)).is_ok());
    }
}

// Row 7.
#[test]
fn attack_blank_secrets_are_refused() {
    for bad in ["", " ", "\n", "key\n", " key", "key\r\n"] {
        assert!(GeeLark::new(APP_ID, bad).is_err(), "{bad:?}");
        assert!(GeeLark::new(bad, APP_KEY).is_err(), "{bad:?}");
        assert!(key_mode().also_accept(APP_ID, bad).is_err(), "{bad:?}");
        assert!(key_mode().also_accept(bad, APP_KEY).is_err(), "{bad:?}");
        assert!(GeeLarkToken::new(bad).is_err(), "{bad:?}");
        assert!(token_mode().also_accept(bad).is_err(), "{bad:?}");
        assert!(Signer::new(APP_ID, bad).is_err(), "{bad:?}");
        assert!(TokenSigner::new(bad).is_err(), "{bad:?}");
    }
    assert!(GeeLark::new("équipe", APP_KEY).is_err());
    // As long as a header can carry it after `Bearer: `.
    let longest = GeeLarkToken::new("a".repeat(1000)).unwrap();
    let signer = TokenSigner::new("a".repeat(1000)).unwrap().with_colon();
    let request = signer.sign(Request::post("/").body(Bytes::new()).unwrap(), at(NOW));
    longest.verify(&request, at(NOW)).unwrap();
    assert!(GeeLarkToken::new("a".repeat(1001)).is_err());
    assert!(GeeLarkToken::new("jeton-é").is_err());
    assert!(GeeLark::new(APP_ID, "clé").is_ok());
}

// Rows 8, 13 to 15, 17, 19 and 26.
#[tokio::test]
async fn attack_damaged_heads_are_one_401_and_read_nothing() {
    refuses_unread(key_mode, None, damaged(&genuine(), &KEY_HEADERS), at(NOW)).await;
    refuses_unread(token_mode, Some("Bearer"), damaged(&with_token(), &["authorization"]), at(NOW))
        .await;
    let stale = [
        (0, "1970"),
        (NOW - 60_001, "ahead"),
        (NOW + 300_001, "old"),
        (u64::MAX / 2, "the end of time"),
    ];
    for (now, what) in stale {
        refuses_unread(key_mode, None, [(what.to_owned(), genuine())], at(now)).await;
    }
    refuses_unread(key_mode, None, [("bare".to_owned(), plain(BODY))], at(NOW)).await;
    refuses_unread(token_mode, Some("Bearer"), [("bare".to_owned(), plain(BODY))], at(NOW)).await;
}

// Row 14.
#[test]
fn attack_a_signature_in_another_spelling_is_the_same_delivery() {
    let upper = genuine();
    let sign = upper.headers()["sign"].to_str().unwrap().to_owned();
    assert_eq!(sign, sign.to_uppercase());
    let mixed: String = sign
        .char_indices()
        .map(|(at, c)| if at % 2 == 0 { c.to_ascii_lowercase() } else { c })
        .collect();
    for spelt in [sign.to_lowercase(), mixed] {
        assert_ne!(spelt, sign);
        let other = with_values(APP_ID, TRACE_ID, &NOW.to_string(), "C0FFEE", &spelt);
        assert_eq!(
            verify(&other).unwrap().proof().identity.as_ref(),
            verify(&upper).unwrap().proof().identity.as_ref()
        );
    }
}

// Row 16.
#[test]
fn attack_clocks() {
    assert_eq!(
        key_mode()
            .verify(&genuine(), SystemTime::UNIX_EPOCH - Duration::from_secs(1))
            .unwrap_err()
            .status(),
        401
    );
    for (now, fresh) in
        [(NOW + 300_000, true), (NOW + 300_001, false), (NOW - 60_000, true), (NOW - 60_001, false)]
    {
        let result = key_mode().verify(&genuine(), at(now));
        assert_eq!(
            result.err().map(|r| r.kind()),
            (!fresh).then_some(RejectionKind::Stale),
            "{now}"
        );
    }
    let far = signed_over(APP_ID, TRACE_ID, "9999999999999", "C0FFEE");
    assert_eq!(refusal(&far), RejectionKind::Stale);
}

// Row 17.
#[tokio::test]
async fn attack_a_megabyte_is_announced_and_never_sent() {
    refuses_before_the_body_comes(key_mode(), "").await;
    let stale = "appid: a\r\ntraceid: b\r\nts: c\r\nnonce: d\r\nsign: e\r\n";
    refuses_before_the_body_comes(key_mode(), stale).await;
    refuses_before_the_body_comes(token_mode(), "authorization: Bearer x\r\n").await;
}

// Rows 18 and 19.
#[tokio::test]
async fn attack_hostile_bodies() {
    survives_hostile_bodies(key_mode, genuine(), at(NOW)).await;
    survives_hostile_bodies(token_mode, with_token(), at(NOW)).await;
}

// Rows 20 and 27.
#[tokio::test]
async fn credentials_arrive_marked_sensitive() {
    accepts(key_mode, genuine(), &KEY_HEADERS, at(NOW)).await;
    let mut both = genuine();
    both.headers_mut().extend(with_token().headers().clone());
    let all = ["appid", "traceid", "ts", "nonce", "sign", "authorization"];
    accepts(key_mode, both.clone(), &all, at(NOW)).await;
    accepts(token_mode, both, &all, at(NOW)).await;
}

// Row 27.
#[tokio::test]
async fn attack_nothing_prints_a_credential() {
    let sign = genuine().headers()["sign"].to_str().unwrap().to_owned();
    let bad = with(genuine(), "ts", "1");
    let mut printed = vec![
        format!("{:?} {:?}", key_mode(), token_mode()),
        format!("{:?} {:?}", WebhookLayer::new(key_mode()), WebhookLayer::new(token_mode())),
        format!("{:?} {:?}", Signer::new(APP_ID, APP_KEY), TokenSigner::new(TOKEN)),
        format!("{:?}", GeeLark::new(APP_ID, format!("{APP_KEY}\n")).unwrap_err()),
        format!("{}", GeeLarkToken::new(format!("{TOKEN}\n")).unwrap_err()),
        format!("{:?}", verify(&genuine()).unwrap()),
        format!("{:?}", token_mode().verify(&with_token(), at(NOW)).unwrap()),
    ];
    let wrong = with_values(
        APP_ID,
        TRACE_ID,
        &NOW.to_string(),
        "C0FFEE",
        &sign.replace(&sign[..4], "0000"),
    );
    for request in [bad, wrong, plain(BODY)] {
        let error = verify(&request).unwrap_err();
        printed.push(format!("{error} {error:?} {:?}", error.source()));
    }
    let outcome = send(key_mode(), genuine(), None, at(NOW)).await;
    let head = outcome.probe.head.lock().unwrap().take().unwrap();
    printed.push(format!(
        "{:?} {:?}",
        head.headers,
        head.extensions.get::<Verified<Event>>().unwrap()
    ));
    let outcome = send(token_mode(), with_token(), None, at(NOW)).await;
    let head = outcome.probe.head.lock().unwrap().take().unwrap();
    printed.push(format!(
        "{:?} {:?}",
        head.headers,
        head.extensions.get::<Verified<Event>>().unwrap()
    ));
    prints_nothing_of(&[APP_KEY, TOKEN, &sign, &sign.to_lowercase()], &printed);
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn attack_no_tracing_event_holds_a_credential() {
    let sign = genuine().headers()["sign"].to_str().unwrap().to_owned();
    let log = crate::support::log::Log::default();
    let guard = log.install();
    for request in [genuine(), plain(BODY), with_token()] {
        send(key_mode(), request.clone(), None, at(NOW)).await;
        send(token_mode(), request, None, at(NOW)).await;
    }
    head_auth::apply_twice(key_mode(), genuine(), at(NOW)).await;
    drop(guard);
    let text = log.text();
    assert!(text.contains("geelark"), "{text}");
    prints_nothing_of(&[APP_KEY, TOKEN, &sign, BODY], &[text]);
}

// Row 28.
#[test]
fn attack_another_key_is_another_identity() {
    let request =
        |key| Signer::new(APP_ID, key).unwrap().trace_id(TRACE_ID).sign(plain(BODY), at(NOW));
    let digest = |key| {
        let delivery = GeeLark::new(APP_ID, key).unwrap().verify(&request(key), at(NOW)).unwrap();
        delivery.proof().identity.as_ref().unwrap().digest()
    };
    assert_ne!(digest(APP_KEY), digest("another key"));
    assert_eq!(digest(APP_KEY), digest(APP_KEY));
}
