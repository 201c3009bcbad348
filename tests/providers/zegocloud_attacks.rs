//! What strangers, and thieves of one genuine callback, can try on ZEGOCLOUD's scheme.
#![cfg(feature = "zegocloud")]

use crate::support::{
    at,
    cpu::is_cheap,
    hostile::hostile_megabytes,
    letterbox::{ACCEPTED, Desk, Scripted, Step, outcome, refused, run_without_runtime},
};
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    error::Error,
    time::{Duration, SystemTime},
};
use tower::{Layer, ServiceExt};
use tower_webhooks::{
    ConfigError, Content, Covers, Delivery, Provider, Rejection, RejectionKind, Secret,
    Signer as _, TestClock, Verified, WebhookEvent as _, WebhookLayer, Window,
    zegocloud::{Event, Signer, Zegocloud, room::RoomEvent, stream::StreamEvent, zim::ZimEvent},
};

const SECRET: &str = "zego-attack-secret";
const NOW: u64 = 1_763_680_000;
const NONCE: &str = "7254119327986670314";
const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn provider() -> Zegocloud {
    Zegocloud::new(SECRET).unwrap()
}

fn request(content_type: Option<&str>, body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::post("/zego");
    if let Some(content_type) = content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    request.body(body.into()).unwrap()
}

fn verify(
    content_type: Option<&str>,
    body: impl Into<Bytes>,
) -> Result<Delivery<Event>, Rejection> {
    provider().verify(&request(content_type, body), at(NOW))
}

fn kind(result: Result<Delivery<Event>, Rejection>) -> Result<(), RejectionKind> {
    result.map(drop).map_err(|rejection| rejection.kind())
}

fn signature(timestamp: &str, nonce: &str) -> String {
    Signer::new(SECRET).unwrap().signature(timestamp, nonce)
}

/// The signing members of now, as JSON text with a comma behind it.
fn triple() -> String {
    let timestamp = NOW.to_string();
    format!(
        r#""timestamp":"{timestamp}","nonce":"{NONCE}","signature":"{}","#,
        signature(&timestamp, NONCE)
    )
}

/// A rightly signed JSON body with these members.
fn body(members: &str) -> String {
    format!("{{{}{members}}}", triple())
}

fn room(delivery: &Delivery<Event>) -> Option<&str> {
    let Event::Room(RoomEvent::Close(room)) = delivery.event() else {
        panic!("{:?}", delivery.event())
    };
    room.room_id.as_deref()
}

// 1: nothing of the event is signed, and the delivery says so.

#[test]
fn attack_a_swapped_body_is_verified_and_said_to_be_uncovered() {
    let delivery = verify(JSON, body(r#""event":"room_close","room_id":"lobby""#)).unwrap();
    let swapped = verify(JSON, body(r#""event":"room_close","room_id":"cellar""#)).unwrap();
    assert_eq!((delivery.covers(), swapped.covers()), (Covers::Nothing, Covers::Nothing));
    assert_eq!((room(&delivery), room(&swapped)), (Some("lobby"), Some("cellar")));
    // What the guard needs to tell them apart: one identity, and the content belongs to it.
    assert_eq!(
        delivery.proof().identity.as_ref().unwrap().digest(),
        swapped.proof().identity.as_ref().unwrap().digest()
    );
    assert_eq!(delivery.proof().identity.as_ref().unwrap().content(), Content::Bound);
}

// 4, 5: concatenation without separators.

#[test]
fn attack_boundary_shift() {
    // The published vector's text, cut elsewhere, under the published vector's signature.
    let published = Zegocloud::new("secret").unwrap();
    let signed = "5bd59fd62953a8059fb7eaba95720f66d19e4517";
    let check = |timestamp: &str, nonce: &str| {
        let body =
            json!({ "event": "x", "timestamp": timestamp, "nonce": nonce, "signature": signed })
                .to_string();
        kind(published.verify(&request(JSON, body), at(1_470_820_198)))
    };
    assert_eq!(check("1470820198", "123412"), Ok(()));
    for (timestamp, nonce) in [
        ("21470820198", "12341"),
        ("121470820198", "1234"),
        ("4121470820198", "123"),
        ("1234121470820198", ""),
        ("", "1234121470820198"),
        ("470820198", "1234121"),
        ("1234121470820198secret", ""),
        ("1470820198", "123412\0"),
    ] {
        let refused = check(timestamp, nonce).unwrap_err();
        assert_eq!(refused.status(), 401, "{timestamp} {nonce}: {refused}");
    }
    // 13 digits are the grammar, but name the year 2100 in milliseconds.
    assert_eq!(check("4121470820198", "123"), Err(RejectionKind::Stale));
}

#[test]
fn attack_boundary_shift_between_seconds_and_milliseconds_is_one_identity() {
    // Both cuts pass the grammar and share a signature; the clock decides which of them is fresh.
    let (seconds, millis) =
        (("1687981272", "7254119327986670314"), ("1687981272725", "4119327986670314"));
    assert_eq!(signature(seconds.0, seconds.1), signature(millis.0, millis.1));
    let verify = |(timestamp, nonce): (&str, &str)| {
        let signature = signature(timestamp, nonce);
        let body = json!({ "timestamp": timestamp, "nonce": nonce, "signature": signature });
        provider().verify(&request(JSON, body.to_string()), at(1_687_981_273)).unwrap()
    };
    let (seconds, millis) = (verify(seconds), verify(millis));
    assert_eq!(
        seconds.proof().identity.as_ref(),
        millis.proof().identity.as_ref(),
        "also the same time until which it can be used"
    );
}

#[test]
fn attack_a_nonce_that_holds_a_later_date_keeps_its_claim_until_then() {
    // Nonce and timestamp of 10 digits each: swapped, the same text and signature are valid again
    // days later.
    let later = NOW + 20 * 24 * 3600;
    let (first, second) = (NOW.to_string(), later.to_string());
    assert_eq!(signature(&first, &second), signature(&second, &first));
    let verify = |timestamp: &str, nonce: &str, now| {
        let signature = signature(timestamp, nonce);
        let body = json!({ "timestamp": timestamp, "nonce": nonce, "signature": signature });
        provider().verify(&request(JSON, body.to_string()), at(now)).unwrap()
    };
    let identity = verify(&first, &second, NOW).proof().identity.as_ref().unwrap().clone();
    assert_eq!(identity.valid_until(), Some(at(later + 301)));
    assert_eq!(
        verify(&second, &first, later).proof().identity.as_ref().unwrap().digest(),
        identity.digest()
    );

    // The same with milliseconds; of these digits no third cut is a date ahead.
    let (first, second) = ("1770000000", "1771728000250");
    assert_eq!(signature(first, second), signature(second, first));
    let identity = verify(first, second, 1_770_000_000).proof().identity.as_ref().unwrap().clone();
    assert_eq!(identity.valid_until(), Some(at(1_771_728_300) + Duration::from_millis(251)));
    assert_eq!(
        verify(second, first, 1_771_728_000).proof().identity.as_ref().unwrap().digest(),
        identity.digest()
    );

    let first = NOW.to_string();
    let far = (NOW + 40 * 24 * 3600).to_string();
    let identity = verify(&first, &far, NOW).proof().identity.as_ref().unwrap().clone();
    assert_eq!(identity.valid_until(), Some(at(NOW + 301)), "at most 30 days are promised");
    // Three digits before the timestamp are a date of milliseconds. Most are years ahead: such
    // claims would fill the store.
    let is_longer = |last: &u32| {
        let nonce = format!("1000000000000000{last:03}");
        let identity = verify(&first, &nonce, NOW).proof().identity.as_ref().unwrap().clone();
        identity.valid_until() != Some(at(NOW + 301))
    };
    assert!((0..1000).filter(is_longer).count() <= 1);
}

#[test]
fn attack_length_extension_where_the_secret_sorts_first() {
    // Whoever extends SHA-1 must get its padding hashed: into the nonce, the only text of free
    // length.
    let secret = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let provider = Zegocloud::new(secret).unwrap();
    let signer = Signer::new(secret).unwrap();
    let mut padded = String::from("7254119327986670314\u{80}");
    padded.push_str(&"\0".repeat(20));
    padded.push_str("\u{1}\u{e8}tail");
    for nonce in [
        "",
        " ",
        "a b",
        "é",
        "\u{80}",
        &padded,
        "a\0",
        "a\n",
        "a.b",
        "a+b",
        "a/b",
        "a=",
        "a,b",
        "\u{0661}",
        &"a".repeat(65),
    ] {
        let body = json!({
            "event": "x",
            "timestamp": NOW.to_string(),
            "nonce": nonce,
            "signature": signer.signature(&NOW.to_string(), nonce),
        });
        let refused = kind(provider.verify(&request(JSON, body.to_string()), at(NOW))).unwrap_err();
        assert_eq!(refused, RejectionKind::CredentialMalformed, "{nonce:?}");
    }
    for nonce in ["a", "_", "-", "0", "Zz09_-", &"a".repeat(64)] {
        let body = json!({
            "event": "x",
            "timestamp": NOW.to_string(),
            "nonce": nonce,
            "signature": signer.signature(&NOW.to_string(), nonce),
        });
        assert_eq!(
            kind(provider.verify(&request(JSON, body.to_string()), at(NOW))),
            Ok(()),
            "{nonce:?}"
        );
    }
}

// 7: what is missing never means "skip".

#[test]
fn attack_empty_and_blank_secrets_are_errors() {
    for bad in ["", " ", "\n", "\t \r\n", " secret", "secret\n"] {
        assert!(Zegocloud::new(bad).is_err(), "{bad:?}");
        assert!(provider().also_accept(bad).is_err(), "{bad:?}");
        assert!(Signer::new(bad).is_err(), "{bad:?}");
    }
    let error: ConfigError = Zegocloud::new("hunter2\n").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn attack_missing_and_empty_members_of_the_triple() {
    let timestamp = NOW.to_string();
    let members = [
        ("timestamp", &*timestamp),
        ("nonce", NONCE),
        ("signature", &signature(&timestamp, NONCE)),
    ];
    let all: Value = members.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    assert_eq!(kind(verify(JSON, all.to_string())), Ok(()));
    for (missing, _) in members {
        let mut body = all.clone();
        body.as_object_mut().unwrap().remove(missing);
        assert_eq!(
            kind(verify(JSON, body.to_string())),
            Err(RejectionKind::CredentialMissing),
            "{missing}"
        );
        for odd in [
            json!(""),
            json!(null),
            json!(true),
            json!([]),
            json!(["1"]),
            json!({}),
            json!(-1),
            json!(" "),
        ] {
            body[missing] = odd.clone();
            assert_eq!(
                kind(verify(JSON, body.to_string())).unwrap_err().status(),
                401,
                "{missing}: {odd}"
            );
        }
    }
    assert_eq!(kind(verify(JSON, "{}")), Err(RejectionKind::CredentialMissing));
    assert_eq!(kind(verify(FORM, "")), Err(RejectionKind::CredentialMissing));
}

// 9: the same thing twice.

#[test]
fn attack_duplicated_or_mixed_triple_is_401() {
    let timestamp = NOW.to_string();
    let signature = signature(&timestamp, NONCE);
    let values = [&*timestamp, NONCE, &signature];
    let names = [["timestamp", "nonce", "signature"], ["Timestamp", "Nonce", "Signature"]];
    let text = |spellings: &[(usize, usize)]| {
        let members: Vec<_> = spellings
            .iter()
            .map(|(s, m)| format!(r#""{}":"{}""#, names[*s][*m], values[*m]))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert_eq!(kind(verify(JSON, text(&[(0, 0), (0, 1), (0, 2)]))), Ok(()));
    assert_eq!(kind(verify(JSON, text(&[(1, 0), (1, 1), (1, 2)]))), Ok(()));
    for member in 0..3 {
        for spelling in 0..2 {
            for again in 0..2 {
                let mut members = vec![(spelling, 0), (spelling, 1), (spelling, 2)];
                members.push((again, member));
                assert_eq!(
                    kind(verify(JSON, text(&members))),
                    Err(RejectionKind::CredentialMalformed),
                    "{members:?}"
                );
                members.rotate_right(1);
                assert_eq!(
                    kind(verify(JSON, text(&members))),
                    Err(RejectionKind::CredentialMalformed),
                    "{members:?}"
                );
            }
            let mut mixed = vec![(spelling, 0), (spelling, 1), (spelling, 2)];
            mixed[member].0 = 1 - spelling;
            assert_eq!(
                kind(verify(JSON, text(&mixed))),
                Err(RejectionKind::CredentialMalformed),
                "{mixed:?}"
            );
        }
    }
    // Hidden behind an escape, or null: it is there all the same.
    for second in [r#""\u006eonce":"x""#, r#""nonce":null"#, r#""Nonce":null"#, r#""Signature":"""#]
    {
        assert_eq!(
            kind(verify(JSON, body(second))),
            Err(RejectionKind::CredentialMalformed),
            "{second}"
        );
    }
    // Other spellings are no members of the triple, and do not stand in for it.
    let shouted =
        format!(r#"{{"TIMESTAMP":"{timestamp}","NONCE":"{NONCE}","SIGNATURE":"{signature}"}}"#);
    assert_eq!(kind(verify(JSON, shouted)), Err(RejectionKind::CredentialMissing));
}

#[test]
fn attack_of_two_members_neither_is_taken() {
    for (members, kind, misfits) in [
        (r#""event":"room_close","event":"room_create""#, "unknown", &[][..]),
        (
            r#""event":"room_close","room_id":"lobby","room_id":"cellar""#,
            "room_close",
            &["room_id"],
        ),
        (r#""event":"room_close","room_id":"lobby","room_id":null"#, "room_close", &["room_id"]),
        (
            r#""event":"room_close","room_id":"lobby","\u0072oom_id":"cellar""#,
            "room_close",
            &["room_id"],
        ),
        (r#""event":"from_tomorrow","x":1,"x":1"#, "unknown", &[]),
        (r#""event":"room_close","":1,"":2"#, "room_close", &[""]),
    ] {
        let delivery = verify(JSON, body(members)).unwrap();
        assert_eq!(delivery.kind(), kind, "{members}");
        assert_eq!(
            delivery.misfits().iter().map(|misfit| misfit.path()).collect::<Vec<_>>(),
            misfits,
            "{members}"
        );
        if kind == "room_close" {
            assert_eq!(room(&delivery), None, "{members}");
        }
        let unsigned = format!("{{{members}}}");
        assert_eq!(
            self::kind(verify(JSON, unsigned)).unwrap_err().status(),
            401,
            "the signature comes first"
        );
    }
    let timestamp = NOW.to_string();
    let triple =
        format!("timestamp={timestamp}&nonce={NONCE}&signature={}", signature(&timestamp, NONCE));
    for (form, kind, misfits) in [
        (format!("{triple}&event=room_close&event=room_create"), "unknown", 0),
        (format!("{triple}&event=room_close&room_id=a&room%5fid=b"), "room_close", 1),
        (format!("{triple}&event=room_close&room_id=a&room_id[]=b"), "room_close", 1),
        (format!("{triple}&event=stream_create&rtmp_url[0]=1&rtmp_url[0]=2"), "stream_create", 0),
    ] {
        let delivery = verify(FORM, form.clone()).unwrap();
        assert_eq!((delivery.kind(), delivery.misfits().len()), (kind, misfits), "{form}");
    }
    for form in [
        format!("{triple}&nonce={NONCE}"),
        format!("{triple}&Nonce={NONCE}"),
        format!("{triple}&nonce[]={NONCE}"),
        triple.replace("nonce=", "nonce[]="),
    ] {
        assert_eq!(
            kind(verify(FORM, form.clone())),
            Err(RejectionKind::CredentialMalformed),
            "{form}"
        );
    }
}

// 10: which decoding, and never twice.

#[test]
fn attack_percent_signs_in_json_are_never_decoded() {
    let sly = r#""event":"room_close","room_id":"a%22,%22close_reason%22:%223","pad":"%7B%00+""#;
    let delivery = verify(JSON, body(sly)).unwrap();
    assert_eq!(room(&delivery), Some("a%22,%22close_reason%22:%223"));
    let Event::Room(RoomEvent::Close(close)) = delivery.event() else { unreachable!() };
    assert_eq!(close.close_reason, None);
    // A content type changes nothing of it.
    for content_type in [None, FORM, Some("text/plain")] {
        assert_eq!(
            room(&verify(content_type, format!(" \r\n{}\n", body(sly))).unwrap()),
            room(&delivery)
        );
    }
}

#[test]
fn attack_an_encoded_body_is_decoded_once_and_as_a_whole() {
    let encode =
        |json: &str| -> String { json.bytes().map(|byte| format!("%{byte:02X}")).collect() };
    let json = body(r#""event":"room_close","room_id":"1+1=%32%2B%22 &""#);
    for content_type in [None, JSON, FORM] {
        let delivery = verify(content_type, encode(&json)).unwrap();
        assert_eq!(room(&delivery), Some("1+1=%32%2B%22 &"), "decoded once");
        let lower = encode(&json).to_ascii_lowercase();
        assert_eq!(verify(content_type, lower).unwrap().event(), delivery.event());
    }
    // Only what had to be was encoded: a plus is a plus, as in JSON, not a blank, as in a form.
    let sparse =
        json.replace('%', "%25").replace('{', "%7b").replace('"', "%22").replace(' ', "%20");
    assert!(sparse.contains('+'));
    assert_eq!(room(&verify(FORM, sparse).unwrap()), Some("1+1=%32%2B%22 &"));

    let twice = kind(verify(JSON, encode(&encode(&json))));
    assert_eq!(twice, Err(RejectionKind::Invalid), "not decoded twice");
    for broken in ["%7B%", "%7B%2", "%7B%zz", "%7B%22%FF%22", "%7B%22a%22:%u0041}", "%7B%%"] {
        assert_eq!(kind(verify(FORM, broken)), Err(RejectionKind::Invalid), "{broken}");
    }
}

#[test]
fn attack_bodies_without_a_signature_are_400_or_401() {
    let (invalid, missing) = (RejectionKind::Invalid, RejectionKind::CredentialMissing);
    for (content_type, body, expected) in [
        (JSON, "".as_bytes(), missing),
        (JSON, b"[]", invalid),
        (JSON, b"not JSON", invalid),
        (JSON, b"\"{}\"", invalid),
        (JSON, b"null", invalid),
        (JSON, b"\xef\xbb\xbf{}", missing),
        (JSON, b"\xef\xbb\xbf", missing),
        (JSON, b"\xef\xbb\xbfgarbage", invalid),
        (Some("text/plain"), b"event=x", missing),
        (
            Some("multipart/form-data"),
            b"--x\r\nContent-Disposition: form-data; name=\"nonce\"",
            missing,
        ),
        (Some("\u{e9}"), b"event=x", missing),
        (JSON, b"<event nonce=\"1\"/>", missing),
        (JSON, b"{", invalid),
        (JSON, b"{}}", invalid),
        (JSON, b"{} {}", invalid),
        (JSON, b"{'event':'x'}", invalid),
        (JSON, b"{\"event\":\"x\",}", invalid),
        (JSON, b"{\"event\":\"\n\"}", invalid),
        (JSON, b"{\"event\":\"\xff\"}", missing),
        (JSON, b"{\"event\":\"\\ud800\",\"\\ud800\":1}", missing),
        (JSON, b"{\"nonc\xff\":\"\xff\"}", missing),
        (FORM, b"event=%FF", missing),
        (FORM, b"event=\xff&nonc\xff=1", missing),
        (FORM, b"event=%", missing),
        (None, b"%zz=1", missing),
    ] {
        let mut request = request(None, Bytes::copy_from_slice(body));
        if let Some(content_type) = content_type {
            let value = http::HeaderValue::from_bytes(content_type.as_bytes()).unwrap();
            request.headers_mut().insert(header::CONTENT_TYPE, value);
        }
        let result = kind(provider().verify(&request, at(NOW)));
        assert_eq!(result, Err(expected), "{content_type:?} {}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_is_signed_is_delivered_in_any_form() {
    let timestamp = NOW.to_string();
    let triple =
        format!("timestamp={timestamp}&nonce={NONCE}&signature={}", signature(&timestamp, NONCE));
    let signed = body(r#""event":"room_close","room_id":"lobby""#);
    let form = format!("event=room_close&room_id=lobby&{triple}");
    let many: String = (0..2000).map(|number| format!("&m{number}={number}")).collect();
    for (body, kind, misfits) in [
        (format!("\u{feff}{signed}").into_bytes(), "room_close", 0),
        (format!(" \r\n\u{feff} {signed}\n").into_bytes(), "room_close", 0),
        ([&signed.as_bytes()[..signed.len() - 1], b",\"x\":\"\xff\"}"].concat(), "room_close", 0),
        (form.clone().into_bytes(), "room_close", 0),
        (format!("{form}&discount=10%&x=%zz").into_bytes(), "room_close", 0),
        ([form.as_bytes(), b"&x=\xff&y=%ff&z=\x01\t"].concat(), "room_close", 0),
        (format!("{form}&=&&x&[]=1&a[b]=2&a[99999]=3").into_bytes(), "room_close", 1),
        (format!("{form}{many}").into_bytes(), "unknown", 0),
    ] {
        for content_type in
            [None, JSON, FORM, Some("text/plain"), Some("multipart/form-data; boundary=x")]
        {
            let delivery = verify(content_type, body.clone()).unwrap();
            assert_eq!(delivery.kind(), kind, "{content_type:?}");
            assert_eq!(delivery.misfits().len(), misfits);
            match delivery.event() {
                Event::Unknown(unknown) => assert!(!unknown.raw().unwrap().get().contains(NONCE)),
                _ => assert_eq!(room(&delivery), Some("lobby")),
            }
        }
    }
    assert_eq!(
        kind(verify(FORM, format!("{form}&x={}", "x".repeat(256 << 10)))),
        Err(RejectionKind::BodyTooLarge)
    );
}

#[test]
fn forms_with_lists() {
    let timestamp = NOW.to_string();
    let triple =
        format!("timestamp={timestamp}&nonce={NONCE}&signature={}", signature(&timestamp, NONCE));
    let form = format!(
        "event=stream_create&stream_id=s-1&title=a+b%2Bc%26%3D%7B&{triple}\
         &rtmp_url%5B%5D=rtmp://a&rtmp_url[]=rtmp://b&hls_url[1]=second&hls_url%5B0%5D=first\
         &hdl_url[]=&extra_info=&pic_url="
    );
    for content_type in [None, FORM, Some("Application/X-WWW-Form-Urlencoded ; charset=utf-8")] {
        let delivery = verify(content_type, form.clone()).unwrap();
        let Event::Stream(StreamEvent::Create(stream)) = delivery.event() else { panic!() };
        assert_eq!(stream.stream_id.as_deref(), Some("s-1"));
        assert_eq!(
            stream.title.as_deref(),
            Some("a b+c&={"),
            "decoded once, with a plus for a blank"
        );
        assert_eq!(stream.rtmp_url, ["rtmp://a", "rtmp://b"]);
        assert_eq!(stream.hls_url, ["first", "second"]);
        assert!(stream.hdl_url.is_empty() && stream.pic_url.is_empty());
        assert!(delivery.misfits().is_empty());
    }
    let form = format!(
        "{triple}&event=stream_create&rtmp_url[99999999999]=c&rtmp_url[70000]=b&rtmp_url[7]=a"
    );
    let delivery = verify(FORM, form).unwrap();
    let Event::Stream(StreamEvent::Create(stream)) = delivery.event() else { panic!() };
    assert_eq!(stream.rtmp_url, ["a", "b", "c"]);
    assert!(stream.rest.is_empty() && delivery.misfits().is_empty());

    let form = format!("{triple}&event=stream_create&rtmp_url[0]=a&rtmp_url[x]=b");
    let delivery = verify(FORM, form).unwrap();
    let Event::Stream(StreamEvent::Create(stream)) = delivery.event() else { panic!() };
    assert_eq!(stream.rtmp_url, ["a"]);
    let kept: Vec<_> = stream.rest.iter().map(|(name, json)| (name, json.get())).collect();
    assert_eq!(kept, [("rtmp_url[x]", r#""b""#)]);

    let delivery = verify(FORM, format!("event=stream_create&rtmp_url=&{triple}")).unwrap();
    let Event::Stream(StreamEvent::Create(stream)) = delivery.event() else { panic!() };
    assert!(stream.rtmp_url.is_empty() && delivery.misfits().is_empty());
}

#[test]
fn attack_a_list_is_never_typed_in_part() {
    let timestamp = NOW.to_string();
    let triple =
        format!("timestamp={timestamp}&nonce={NONCE}&signature={}", signature(&timestamp, NONCE));
    for count in [1024, 1025, 4096, 4097, 16_384, 16_385] {
        let users: Vec<_> = (0..count).map(|user| (user % 10).to_string()).collect();
        let list: String = users.iter().map(|user| format!("&user_ids[]={user}")).collect();
        let delivery = verify(FORM, format!("{triple}&event=call_timeout{list}")).unwrap();
        match delivery.event() {
            Event::Zim(ZimEvent::CallTimeout(it)) if count <= 4096 => {
                assert_eq!((&it.user_ids, it.rest.len()), (&users, 0));
                assert!(delivery.misfits().is_empty());
            }
            Event::Zim(ZimEvent::CallTimeout(it)) if count <= 16_384 => {
                assert_eq!(it.user_ids.len(), 0);
                assert_eq!(it.rest.get("user_ids").unwrap().parse::<Vec<String>>().unwrap(), users);
                assert_eq!(delivery.misfits()[0].path(), "user_ids");
            }
            Event::Unknown(unknown) if count > 16_384 => {
                let raw = unknown.raw().unwrap().get();
                assert_eq!(raw.matches(r#""user_ids[]":""#).count(), count);
            }
            event => panic!("{count}: {}", event.kind()),
        }
    }
}

// 13, 14: comparing signatures.

#[test]
fn attack_secrets_cannot_be_compared_with_an_operator() {
    // Two candidates, if `Secret` had the trait, and so an error of the compiler.
    trait NotEq<Marker> {
        fn proven() {}
    }
    impl<T> NotEq<()> for T {}
    struct HasEq;
    impl<T: PartialEq> NotEq<HasEq> for T {}

    <Secret as NotEq<_>>::proven();
    <Zegocloud as NotEq<_>>::proven();
}

#[test]
fn attack_hex_in_either_case_is_one_signature() {
    let timestamp = NOW.to_string();
    let lower = signature(&timestamp, NONCE);
    let mixed: String = lower
        .char_indices()
        .map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c })
        .collect();
    assert_ne!(lower, mixed);
    let identities: Vec<_> = [lower.clone(), lower.to_ascii_uppercase(), mixed]
        .into_iter()
        .map(|signature| {
            let body = json!({ "timestamp": timestamp, "nonce": NONCE, "signature": signature });
            verify(JSON, body.to_string()).unwrap().proof().identity.as_ref().unwrap().clone()
        })
        .collect();
    assert!(identities.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn attack_truncated_padded_and_altered_signatures() {
    let timestamp = NOW.to_string();
    let good = signature(&timestamp, NONCE);
    let check = |signature: &str| {
        kind(verify(
            JSON,
            json!({ "timestamp": timestamp, "nonce": NONCE, "signature": signature }).to_string(),
        ))
    };
    assert_eq!(check(&good), Ok(()));
    for length in 0..good.len() {
        assert_eq!(check(&good[..length]), Err(RejectionKind::CredentialMalformed), "{length}");
    }
    for odd in [
        format!("{good}0"),
        format!("{good}00"),
        format!("{good}{good}"),
        format!(" {good}"),
        format!("{good} "),
        format!("0x{}", &good[2..]),
        format!("{}g", &good[1..]),
        format!("{}é", &good[2..]),
        format!("{}\0", &good[1..]),
    ] {
        assert_eq!(check(&odd), Err(RejectionKind::CredentialMalformed), "{odd:?}");
    }
    for place in 0..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[place] = if altered[place] == b'0' { b'1' } else { b'0' };
        assert_eq!(
            check(std::str::from_utf8(&altered).unwrap()),
            Err(RejectionKind::CredentialWrong),
            "{place}"
        );
    }
    assert_eq!(check(&"0".repeat(40)), Err(RejectionKind::CredentialWrong));
    let of_another = Signer::new("zego-attack-secret2").unwrap().signature(&timestamp, NONCE);
    assert_eq!(check(&of_another), Err(RejectionKind::CredentialWrong));
}

#[test]
fn every_accepted_secret_verifies_and_says_which() {
    let provider = provider().also_accept("the next secret").unwrap();
    for (index, secret) in [SECRET, "the next secret"].into_iter().enumerate() {
        let request = Signer::new(secret).unwrap().sign(request(JSON, r#"{"event":"x"}"#), at(NOW));
        let delivery = provider.verify(&request, at(NOW)).unwrap();
        assert_eq!(
            (delivery.proof().key_index, delivery.proof().signed_at),
            (index, Some(at(NOW)))
        );
    }
}

// 15, 16: time.

#[test]
fn attack_timestamps_in_odd_spellings() {
    // As strings: anybody who can sign can spell, so the signature is right.
    for odd in [
        "-1763680000",
        "+1763680000",
        "+763680000",
        "01763680000",
        "001763680000",
        "0x69200000",
        "1763680000.0",
        "1763680000.",
        "1.76368e9",
        "1763680000e0",
        "1763680000 ",
        " 1763680000",
        "1763680000\n",
        "1_763_680_000",
        "١٧٦٣٦٨٠٠٠٠",
        "１７６３６８００００",
        "17636800000",
        "176368000000",
        "17636800000000",
        "99999999999999999999",
        "18446744073709551616",
        "-9223372036854775808",
        "9223372036854775807",
        "NaN",
        "inf",
        "null",
        "true",
    ] {
        let body = json!({ "timestamp": odd, "nonce": NONCE, "signature": signature(odd, NONCE) })
            .to_string();
        assert_eq!(kind(verify(JSON, body)), Err(RejectionKind::CredentialMalformed), "{odd:?}");
    }
    // As JSON numbers: the literal digits count, never a float.
    for odd in [
        "-1763680000",
        "-9223372036854775808",
        "1763680000.0",
        "1763680000.5",
        "1.76368e9",
        "1763680000e0",
        "1e400",
        "0",
        "-0",
        "17636800000",
        "9223372036854775807",
        "18446744073709551616",
        "340282366920938463463374607431768211456",
    ] {
        let body = format!(
            r#"{{"timestamp":{odd},"nonce":"{NONCE}","signature":"{}"}}"#,
            signature(odd, NONCE)
        );
        assert_eq!(kind(verify(JSON, body)), Err(RejectionKind::CredentialMalformed), "{odd}");
    }
    for broken in [
        "+1763680000",
        "01763680000",
        "1763680000.",
        ".5",
        "0x69200000",
        "1_763_680_000",
        "NaN",
        "--1",
    ] {
        let body = format!(
            r#"{{"timestamp":{broken},"nonce":"{NONCE}","signature":"{}"}}"#,
            signature(broken, NONCE)
        );
        assert_eq!(kind(verify(JSON, body)), Err(RejectionKind::Invalid), "no JSON: {broken}");
    }
    // The largest values of the grammar are far away, not an overflow.
    for far in ["9999999999", "9999999999999", "0000000000", "0000000000000"] {
        let body = json!({ "timestamp": far, "nonce": NONCE, "signature": signature(far, NONCE) })
            .to_string();
        assert_eq!(kind(verify(JSON, body)), Err(RejectionKind::Stale), "{far}");
    }
}

#[test]
fn numbers_are_taken_by_their_digits() {
    // Past 2^53 a float would round both.
    for nonce in [
        "7254119327986670314",
        "9007199254740993",
        "18446744073709551617",
        "340282366920938463463374607431768211457",
    ] {
        for (timestamp, at_millis) in
            [(NOW.to_string(), NOW * 1000), (format!("{NOW}999"), NOW * 1000 + 999)]
        {
            let body = format!(
                r#"{{"timestamp":{timestamp},"nonce":{nonce},"signature":"{}"}}"#,
                signature(&timestamp, nonce)
            );
            let delivery = verify(JSON, body).unwrap();
            let expected = SystemTime::UNIX_EPOCH + Duration::from_millis(at_millis);
            assert_eq!(delivery.proof().signed_at, Some(expected));
        }
    }
    // A signature of digits only is one in 10^8, and may come as a number.
    let body = format!(r#"{{"timestamp":{NOW},"nonce":1,"signature":{}}}"#, "1".repeat(40));
    assert_eq!(kind(verify(JSON, body)), Err(RejectionKind::CredentialWrong));
    // An escape is a spelling of JSON, not of the timestamp.
    assert_eq!(kind(verify(JSON, body_with_timestamp(r#""\u003176368\u0030000""#))), Ok(()));
}

fn body_with_timestamp(json: &str) -> String {
    format!(
        r#"{{"timestamp":{json},"nonce":"{NONCE}","signature":"{}"}}"#,
        signature(&NOW.to_string(), NONCE)
    )
}

#[test]
fn the_window_ends_where_it_says() {
    let check = |provider: &Zegocloud, timestamp: String, now: SystemTime| {
        let signature = signature(&timestamp, NONCE);
        let body = json!({ "timestamp": timestamp, "nonce": NONCE, "signature": signature });
        kind(provider.verify(&request(JSON, body.to_string()), now))
    };
    let narrow =
        provider().window(Window::new(Duration::from_secs(90), Duration::from_secs(5)).unwrap());
    for (provider, past, future) in [(provider(), 300, 60), (narrow, 90, 5)] {
        let seconds = |now| check(&provider, NOW.to_string(), now);
        assert_eq!(seconds(at(NOW + past)), Ok(()));
        assert_eq!(
            seconds(at(NOW + past) + Duration::from_millis(999)),
            Ok(()),
            "all of that second"
        );
        assert_eq!(seconds(at(NOW + past + 1)), Err(RejectionKind::Stale));
        assert_eq!(seconds(at(NOW - future)), Ok(()));
        assert_eq!(seconds(at(NOW - future) - Duration::from_nanos(1)), Err(RejectionKind::Stale));
        let millis = |now| check(&provider, format!("{NOW}500"), now);
        let signed = at(NOW) + Duration::from_millis(500);
        assert_eq!(millis(signed + Duration::from_secs(past)), Ok(()));
        assert_eq!(
            millis(signed + Duration::from_millis(past * 1000 + 1)),
            Err(RejectionKind::Stale)
        );
        assert_eq!(millis(signed - Duration::from_secs(future)), Ok(()));
        assert_eq!(
            millis(signed - Duration::from_millis(future * 1000 + 1)),
            Err(RejectionKind::Stale)
        );
    }
}

#[test]
fn attack_a_clock_before_1970_or_at_the_end_of_time_refuses() {
    let signed = request(JSON, body(r#""event":"x""#));
    for now in [
        SystemTime::UNIX_EPOCH - Duration::from_secs(1),
        SystemTime::UNIX_EPOCH - Duration::from_secs(NOW),
        SystemTime::UNIX_EPOCH - Duration::from_secs(1 << 40),
        SystemTime::UNIX_EPOCH,
        at(i64::MAX as u64 / 2),
        at(i64::MAX as u64),
    ] {
        assert_eq!(kind(provider().verify(&signed, now)), Err(RejectionKind::Stale), "{now:?}");
    }
}

#[test]
fn a_wrong_signature_is_wrong_however_old() {
    let body = json!({ "timestamp": "1000000000", "nonce": NONCE, "signature": "0".repeat(40) })
        .to_string();
    assert_eq!(kind(verify(JSON, body)), Err(RejectionKind::CredentialWrong));
}

// 17, 18, 20: through the layer.

fn layer() -> WebhookLayer<Zegocloud> {
    WebhookLayer::new(provider()).clock(TestClock::at(at(NOW)))
}

fn through<B>(layer: &WebhookLayer<Zegocloud>, desk: &Desk, request: Request<B>) -> Response<String>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    run_without_runtime(layer.layer(desk.clone()).oneshot(request)).unwrap()
}

/// Signed anew at every call.
fn genuine(members: &str) -> Request<Bytes> {
    Signer::new(SECRET).unwrap().sign(request(JSON, format!("{{{members}}}")), at(NOW))
}

#[test]
fn attack_large_bodies_are_413_above_256_kib() {
    for (declared, accepted) in [(256 << 10, true), ((256 << 10) + 1, false), (6 << 40, false)] {
        let (body, probe) = Scripted::new([Step::Data(genuine(r#""event":"x""#).into_body())]);
        let response = through(
            &layer(),
            &Desk::default(),
            request(JSON, "").map(|_| body.declaring(declared)),
        );
        assert_eq!(
            outcome(&response),
            if accepted { ACCEPTED } else { refused(RejectionKind::BodyTooLarge) }
        );
        assert_eq!(probe.polls() > 0, accepted);
    }
    let desk = Desk::default();
    let (body, _) = Scripted::new(vec![Step::Data(Bytes::from(vec![b' '; 64 << 10])); 5]);
    let response = through(&layer(), &desk, request(JSON, "").map(|_| body));
    assert_eq!((outcome(&response), desk.calls()), (refused(RejectionKind::BodyTooLarge), 0));
}

#[test]
fn attack_compressed_bodies_are_415() {
    for encoding in ["gzip", "br", "zstd", "deflate", "identity, gzip"] {
        let mut request = genuine(r#""event":"x""#);
        request.headers_mut().insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        assert_eq!(
            kind(provider().verify(&request, at(NOW))),
            Err(RejectionKind::UnsupportedContentEncoding)
        );
        let response = through(&layer(), &Desk::default(), request.map(Full::new));
        assert_eq!(
            outcome(&response),
            refused(RejectionKind::UnsupportedContentEncoding),
            "{encoding}"
        );
    }
}

// 26: the error oracle.

#[test]
fn attack_every_authentication_failure_is_the_same_response() {
    let timestamp = NOW.to_string();
    let right = signature(&timestamp, NONCE);
    let old = (NOW - 301).to_string();
    let triple = |timestamp: &str, nonce: &str, signature: &str| {
        json!({ "event": "x", "timestamp": timestamp, "nonce": nonce, "signature": signature })
            .to_string()
    };
    let cases = [
        ("{}".to_owned(), RejectionKind::CredentialMissing),
        (triple("1", NONCE, &right), RejectionKind::CredentialMalformed),
        (triple(&timestamp, "", &right), RejectionKind::CredentialMalformed),
        (triple(&timestamp, NONCE, &right[1..]), RejectionKind::CredentialMalformed),
        (triple(&timestamp, NONCE, &"0".repeat(40)), RejectionKind::CredentialWrong),
        (triple(&old, NONCE, &"0".repeat(40)), RejectionKind::CredentialWrong),
        (triple(&old, NONCE, &signature(&old, NONCE)), RejectionKind::Stale),
    ];
    for (body, expected) in cases {
        let desk = Desk::default();
        let response = through(&layer(), &desk, request(JSON, body.clone()).map(Full::new));
        assert_eq!(outcome(&response), refused(expected), "{body}");
        assert_eq!(
            (response.status().as_u16(), response.headers().len(), &**response.body()),
            (401, 0, "")
        );
        assert_eq!(response.version(), http::Version::HTTP_11);
        assert_eq!(desk.calls(), 0);
    }
}

// 27: credentials in logs.

/// Every piece of the triple that must not be seen again.
fn assert_clean(text: &str, nonce: &str, signature: &str, of: &str) {
    for (what, credential) in [("nonce", nonce), ("signature", signature), ("secret", SECRET)] {
        assert!(!text.contains(credential), "the {what} is in {of}: {text}");
    }
    let lower = text.to_ascii_lowercase();
    assert!(!lower.contains("\"nonce\"") && !lower.contains("\"signature\""), "{of}: {text}");
}

#[test]
fn attack_nonce_and_signature_are_in_no_event() {
    let nonce = "Qx7-only-in-the-nonce_93";
    let bodies = [
        r#""event":"room_create","room_id":"lobby""#,
        r#""event":"room_close","room_id":"lobby""#,
        r#""event":"room_login","room_id":"lobby""#,
        r#""event":"room_logout","room_id":"lobby""#,
        r#""event":"stream_create","stream_id":"s""#,
        r#""event":"stream_close","stream_id":"s""#,
        r#""event":"mix_start","task_id":"t""#,
        r#""event":"mix_stop","task_id":"t""#,
        r#""Event":"transcode_start","Appid":"1""#,
        r#""Event":"transcode_stop","Appid":"1""#,
        r#""EventType":3,"TaskId":"t""#,
        r#""EventType":4,"TaskId":"t""#,
        r#""event":"from_tomorrow","x":1"#,
        r#""Event":"FromTomorrow","X":1"#,
        r#""EventType":999,"X":1"#,
        r#""x":1"#,
    ];
    let mut kinds = HashSet::new();
    for members in bodies {
        for signer in [
            Signer::new(SECRET).unwrap().nonce(nonce),
            Signer::new(SECRET).unwrap().nonce(nonce).milliseconds().numeric_timestamp(),
        ] {
            let request = signer.sign(request(JSON, format!("{{{members}}}")), at(NOW));
            let sent: Value = serde_json::from_slice(request.body()).unwrap();
            let spelt = |name: &str| {
                let pascal = format!("{}{}", name[..1].to_ascii_uppercase(), &name[1..]);
                sent.get(name).or_else(|| sent.get(pascal)).unwrap().clone()
            };
            let signature = spelt("signature").as_str().unwrap().to_owned();

            let delivery = provider().verify(&request, at(NOW)).unwrap();
            kinds.insert(delivery.kind().to_owned());
            let json = serde_json::to_string(delivery.event()).unwrap();
            assert_clean(&json, nonce, &signature, "the event's JSON");
            assert_clean(
                &format!("{delivery:?} {delivery:#?}"),
                nonce,
                &signature,
                "Debug of the delivery",
            );
            assert_clean(
                &format!("{:?}", delivery.event()),
                nonce,
                &signature,
                "Debug of the event",
            );
            if let Event::Unknown(unknown) = delivery.event() {
                assert_clean(
                    unknown.raw().unwrap().get(),
                    nonce,
                    &signature,
                    "the raw text of an unknown event",
                );
                let kept: Value = unknown.raw().unwrap().parse().unwrap();
                assert_eq!(unknown.bytes(), unknown.raw().unwrap().get());
                let mut expected = sent.clone();
                let members = expected.as_object_mut().unwrap();
                members.retain(|name, _| {
                    !["nonce", "signature"].contains(&&*name.to_ascii_lowercase())
                });
                assert_eq!(kept, expected, "the rest is as it came");
            }
            let printed: Value = serde_json::from_str(&json).unwrap();
            let stamp = printed.get("timestamp").or_else(|| printed.get("Timestamp"));
            assert!(stamp.is_some(), "the timestamp stays: {json}");

            let desk = Desk::default();
            through(&layer(), &desk, request.map(Full::new));
            let verified = desk.only().extensions().get::<Verified<Event>>().unwrap().clone();
            assert_clean(
                &format!("{verified:?} {:?}", verified.metadata()),
                nonce,
                &signature,
                "Debug of `Verified`",
            );
        }
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}

#[test]
fn attack_refusals_tell_no_credential() {
    let timestamp = NOW.to_string();
    let right = signature(&timestamp, NONCE);
    let old = (NOW - 1000).to_string();
    for body in [
        json!({ "timestamp": timestamp, "nonce": NONCE, "signature": "0".repeat(40) }),
        json!({ "timestamp": timestamp, "nonce": NONCE, "signature": &right[..39] }),
        json!({ "timestamp": timestamp, "nonce": format!("{NONCE} "), "signature": right }),
        json!({ "timestamp": [], "nonce": NONCE, "signature": right }),
        json!({ "timestamp": timestamp, "nonce": NONCE, "Signature": right }),
        json!({ "timestamp": old, "nonce": NONCE, "signature": signature(&old, NONCE) }),
    ] {
        let rejection = verify(JSON, body.to_string()).unwrap_err();
        let mut text = format!("{rejection} {rejection:?} {rejection:#?}");
        let mut cause = rejection.source();
        while let Some(error) = cause {
            text.push_str(&format!("{error} {error:?}"));
            cause = error.source();
        }
        for credential in [NONCE, &right, &signature(&old, NONCE), SECRET, &right[..39]] {
            assert!(!text.contains(credential), "{body}: {text}");
        }
    }
    let debug = format!("{:?} {:?} {:?}", provider(), Signer::new(SECRET).unwrap(), layer());
    assert!(!debug.contains(SECRET), "{debug}");
}

// 29: verified, but not parsable.

#[test]
fn unknown_events_are_delivered() {
    for (members, kept) in [
        (r#""event":"from_tomorrow","a":1.10,"b":[ 1, 2 ]"#, r#""a":1.10,"b":[ 1, 2 ]"#),
        (r#""event":7"#, r#""event":7"#),
        (r#""event":null,"Event":null"#, r#""event":null"#),
        (r#""event":["room_close"]"#, r#"["room_close"]"#),
        (r#""EventType":"three""#, r#""three""#),
        (r#""EventType":99999999999999999999"#, "99999999999999999999"),
        (r#""room_id":"lobby""#, r#""room_id":"lobby""#),
        (r#""event":"ROOM_CLOSE""#, "ROOM_CLOSE"),
    ] {
        let delivery = verify(JSON, body(members)).unwrap();
        let Event::Unknown(unknown) = delivery.event() else {
            panic!("{members}: {:?}", delivery.event())
        };
        assert_eq!(delivery.kind(), "unknown");
        let raw = unknown.raw().unwrap().get();
        assert!(raw.contains(kept), "{members}: {raw}");
    }
}

#[test]
fn attack_a_known_event_of_a_broken_shape_is_delivered() {
    for (members, path) in [
        (r#""event":"room_close","close_reason":"because""#, "close_reason"),
        (r#""event":"room_close","close_reason":9223372036854775808"#, "close_reason"),
        (r#""event":"room_close","close_reason":1.5"#, "close_reason"),
        (r#""event":"room_close","room_id":["lobby"]"#, "room_id"),
        (r#""event":"room_close","room_id":{}"#, "room_id"),
        (r#""event":"room_close","appid":true"#, "appid"),
        (r#""event":"stream_create","rtmp_url":{}"#, "rtmp_url"),
        (r#""event":"stream_create","rtmp_url":[[1]]"#, "rtmp_url[0]"),
        (r#""EventType":3,"Detail":"streaming""#, "Detail"),
        (r#""EventType":3,"Detail":[{}]"#, "Detail"),
        (r#""EventType":3,"Detail":[3,"lobby"]"#, "Detail"),
        (r#""EventType":3,"Detail":{"Status":{}}"#, "Detail.Status"),
    ] {
        let delivery = verify(JSON, body(members)).unwrap();
        assert_ne!(delivery.kind(), "unknown");
        assert_eq!(
            delivery.misfits().iter().map(|misfit| misfit.path()).collect::<Vec<_>>(),
            [path],
            "{members}"
        );
        assert_eq!(&**delivery.misfits(), &**delivery.event().misfits());
        let unsigned = verify(JSON, format!("{{{members}}}")).unwrap_err();
        assert_eq!(unsigned.status(), 401, "a stranger's shapes are never looked at");
    }
}

#[test]
fn attack_serdes_own_magic_keys_are_data() {
    let members = r#""event":"room_close","$serde_json::private::RawValue":"x","$serde_json::private::Number":"1""#;
    assert_eq!(room(&verify(JSON, body(members)).unwrap()), None);
    let unknown =
        r#""event":"x","a":{"$serde_json::private::RawValue":"}, \"event\":\"room_close\""}"#;
    let delivery = verify(JSON, body(unknown)).unwrap();
    assert_eq!(delivery.kind(), "unknown");
    let json = serde_json::to_string(delivery.event()).unwrap();
    assert!(
        json.contains(r#"{"$serde_json::private::RawValue":"}, \"event\":\"room_close\""}"#),
        "{json}"
    );
}

// 30: parsing before authentication.

#[test]
fn attack_257_keys_beside_the_signature_are_unknown() {
    let keys = |count: usize| {
        let rest: Vec<_> = (0..count - 4).map(|n| format!(r#""k{n}":{n}"#)).collect();
        format!(r#""event":"room_close",{}"#, rest.join(","))
    };
    let kind_of = |body: String| verify(JSON, body).map(|delivery| delivery.kind().to_owned());
    // The nonce and the signature do not count.
    for count in [256, 257, 258] {
        assert_eq!(kind_of(body(&keys(count))).unwrap(), "room_close", "{count}");
    }
    assert_eq!(kind_of(body(&keys(259))).unwrap(), "unknown");
    assert_eq!(kind_of(body(&keys(15_000))).unwrap(), "unknown");
    assert_eq!(
        kind(verify(JSON, format!("{{{}}}", keys(300)))),
        Err(RejectionKind::CredentialMissing)
    );
    for second in [r#""nonce":1"#, r#""Signature":"""#, r#""\u0074imestamp":0"#] {
        let twice = body(&format!("{},{second}", keys(300)));
        assert_eq!(kind(verify(JSON, twice)), Err(RejectionKind::CredentialMalformed), "{second}");
    }
    let forged = body(&keys(300)).replace(NONCE, "another");
    assert_eq!(kind(verify(JSON, forged)), Err(RejectionKind::CredentialWrong));
}

#[test]
fn attack_keys_inside_values_are_not_counted_or_looked_at() {
    let inner: Vec<_> = (0..1000).map(|n| format!(r#""k{}":{n}"#, n % 500)).collect();
    let members = format!(
        r#""event":"x","data":{{"nonce":"inner","signature":"inner",{}}}"#,
        inner.join(",")
    );
    let delivery = verify(JSON, body(&members)).unwrap();
    let Event::Unknown(unknown) = delivery.event() else { panic!() };
    assert!(
        unknown.raw().unwrap().get().contains(r#""data":{"nonce":"inner","signature":"inner","#),
        "only the triple is taken"
    );
}

#[test]
fn attack_deep_nesting() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let ignored = format!(r#""event":"room_close","room_id":"lobby","later":{deep}"#);
        let in_small_stack = std::thread::Builder::new().stack_size(256 << 10);
        in_small_stack
            .spawn(move || {
                let check = |body: String| {
                    let mut request = request(JSON, body);
                    *request.uri_mut() = "/".parse().unwrap();
                    let layer = layer().body_limit(2 << 20);
                    let desk = Desk::default();
                    let response = through(&layer, &desk, request.map(Full::new));
                    (outcome(&response), desk)
                };
                assert_eq!(check(format!("{{{}{ignored}}}", triple())).0, ACCEPTED, "ignored");
                for typed in [
                    r#""event":"room_close","room_id""#,
                    r#""EventType":3,"Detail""#,
                    r#""event":"mix_start","rtmp_urls""#,
                ] {
                    assert_eq!(check(fresh(&format!("{typed}:{deep}"))).0, ACCEPTED, "{typed}");
                }
                assert_eq!(check(deep.clone()).0.0 / 100, 4, "as the body itself");
                assert_eq!(
                    check(fresh(&format!(r#""nonce2":1,"event":{deep}"#))).0,
                    ACCEPTED,
                    "as the discriminator"
                );
                let (outcome, desk) =
                    check(fresh(&format!(r#""event":"from_tomorrow","data":{deep}"#)));
                assert_eq!(outcome, ACCEPTED);
                let verified = desk.only().extensions().get::<Verified<Event>>().unwrap().clone();
                let Event::Unknown(unknown) = &*verified else { panic!() };
                assert!(unknown.raw().unwrap().get().contains(&deep));
                assert_eq!(
                    serde_json::to_string(&*verified).unwrap(),
                    unknown.raw().unwrap().get()
                );
            })
            .unwrap()
            .join()
            .expect("the stack overflowed");
    }
}

/// A body with these members that is signed anew.
fn fresh(members: &str) -> String {
    String::from_utf8(genuine(members).into_body().to_vec()).unwrap()
}

#[test]
fn attack_cpu_of_large_hostile_bodies() {
    for (name, hostile) in hostile_megabytes() {
        let (content_type, cut) = match name.starts_with("form") {
            // A longer form is refused before its signature is looked for.
            true => (FORM, &hostile[..255 << 10]),
            false => (JSON, &hostile[..]),
        };
        let genuine = match cut.strip_prefix("%7B") {
            // The signer would add to it as to a form.
            Some(members) => request(JSON, format!("%7B{}{members}", triple())),
            None => {
                let unsigned = request(content_type, cut.to_owned());
                Signer::new(SECRET).unwrap().sign(unsigned, at(NOW))
            }
        };
        // What is no JSON, or has a signing member of its own.
        let is_broken = ["open lists", "one escaped string", "a long number"].contains(&name);
        let unsigned = request(content_type, hostile.clone());
        for (sent, is_accepted) in [(unsigned, false), (genuine, !is_broken)] {
            let ask = || {
                let layer = layer().body_limit(2 << 20);
                let response = through(&layer, &Desk::default(), sent.clone().map(Full::new));
                println!("{name}: {:?}", outcome(&response));
                assert_eq!(outcome(&response) == ACCEPTED, is_accepted, "{name}");
            };
            assert!(
                is_cheap(Duration::from_secs(1), ask),
                "{name} took a second or more each time"
            );
        }
    }
}

// Short nonces.

/// The content's place in the guard's key for a callback of this timestamp and nonce.
fn content(provider: &Zegocloud, timestamp: &str, nonce: &str) -> Content {
    let body =
        json!({ "timestamp": timestamp, "nonce": nonce, "signature": signature(timestamp, nonce) });
    let delivery = provider.verify(&request(JSON, body.to_string()), at(NOW)).unwrap();
    delivery.proof().identity.as_ref().unwrap().content()
}

#[test]
fn content_is_part_of_the_key_for_short_nonces_only_where_it_is_asked_for() {
    let (seconds, millis) = (NOW.to_string(), format!("{NOW}000"));
    let separating = provider().separate_short_nonces();
    for (timestamp, nonce, expected) in [
        (&seconds, "321", Content::Part),
        (&seconds, "350176", Content::Part),
        (&seconds, "01234567890", Content::Part),
        (&seconds, "012345678901", Content::Bound),
        (&seconds, NONCE, Content::Bound),
        (&millis, "01234567", Content::Part),
        (&millis, "012345678", Content::Bound),
    ] {
        assert_eq!(content(&separating, timestamp, nonce), expected, "{timestamp} {nonce}");
        assert_eq!(content(&provider(), timestamp, nonce), Content::Bound, "{timestamp} {nonce}");
    }
}

#[test]
fn attack_a_long_nonce_cannot_be_cut_into_a_short_one() {
    // Three of the nonce's digits become the timestamp's milliseconds: the same signature, and
    // still no short nonce.
    let (seconds, millis) =
        ((NOW.to_string(), "25441193279865"), (format!("{NOW}254"), "41193279865"));
    assert_eq!(signature(&seconds.0, seconds.1), signature(&millis.0, millis.1));
    let separating = provider().separate_short_nonces();
    assert_eq!(content(&separating, &seconds.0, seconds.1), Content::Bound);
    assert_eq!(content(&separating, &millis.0, millis.1), Content::Bound);
}

#[test]
fn two_callbacks_of_one_short_nonce() {
    let signer = Signer::new(SECRET).unwrap().nonce("350176");
    let send = |layer: &WebhookLayer<Zegocloud>, desk: &Desk, body: &'static str| {
        outcome(&through(layer, desk, signer.sign(request(JSON, body), at(NOW)).map(Full::new)))
    };
    let (one, other) =
        (r#"{"event":"room_close","room_id":"a"}"#, r#"{"event":"room_close","room_id":"b"}"#);
    let desk = Desk::default();
    assert_eq!(send(&layer(), &desk, one), ACCEPTED);
    let bound = layer();
    assert_eq!(send(&bound, &desk, one), ACCEPTED);
    assert_eq!(send(&bound, &desk, other), refused(RejectionKind::Conflict));
    let separating =
        WebhookLayer::new(provider().separate_short_nonces()).clock(TestClock::at(at(NOW)));
    let desk = Desk::default();
    assert_eq!(send(&separating, &desk, one), ACCEPTED);
    assert_eq!(send(&separating, &desk, other), ACCEPTED);
    assert_eq!(send(&separating, &desk, one).0, 200, "a repeat");
    assert_eq!(desk.calls(), 2);
}
