//! ZEGOCLOUD's signature on arbitrary input: what is signed is accepted, what is changed is not,
//! nothing panics.
#![cfg(feature = "zegocloud")]

use crate::support::at;
use bytes::Bytes;
use http::{Request, header};
use proptest::prelude::*;
use std::time::{Duration, SystemTime};
use tower_webhooks::{
    Provider, RejectionKind, Signer as _,
    zegocloud::{Event, Signer, Zegocloud, room::RoomEvent},
};

#[derive(Clone, Copy, Debug)]
enum Encoding {
    Json,
    Percent,
    Form,
}

/// How a callback is written down.
#[derive(Clone, Debug)]
struct Style {
    pascal: bool,
    milliseconds: bool,
    numeric: bool,
    encoding: Encoding,
}

fn style() -> impl Strategy<Value = Style> {
    let encoding = prop_oneof![Just(Encoding::Json), Just(Encoding::Percent), Just(Encoding::Form)];
    (any::<bool>(), any::<bool>(), any::<bool>(), encoding).prop_map(
        |(pascal, milliseconds, numeric, encoding)| Style {
            pascal,
            milliseconds,
            numeric,
            encoding,
        },
    )
}

fn secret() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("the provider takes it", |secret| Zegocloud::new(secret).is_ok())
}

fn nonce() -> impl Strategy<Value = String> {
    prop_oneof!["[0-9A-Za-z_-]{1,64}", "[0-9]{10,19}"]
}

/// Seconds with ten digits, and the milliseconds on top.
fn instant() -> impl Strategy<Value = SystemTime> {
    (1_000_000_000_u64..=9_999_999_999, 0_u64..1000).prop_map(|(seconds, millis)| {
        SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + millis)
    })
}

fn timestamp(style: &Style, at: SystemTime) -> String {
    let age = at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    if style.milliseconds { age.as_millis().to_string() } else { age.as_secs().to_string() }
}

fn percent(text: &str, all: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' if !all => char::from(byte).to_string(),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

fn written(
    style: &Style,
    timestamp: &str,
    nonce: &str,
    signature: &str,
    room: &str,
) -> Request<Bytes> {
    let [t, n, s] = if style.pascal {
        ["Timestamp", "Nonce", "Signature"]
    } else {
        ["timestamp", "nonce", "signature"]
    };
    let quote = if style.numeric { "" } else { "\"" };
    let room_json = serde_json::to_string(room).unwrap();
    let json = format!(
        r#"{{"event":"room_close","room_id":{room_json},"{t}":{quote}{timestamp}{quote},"{n}":"{nonce}","{s}":"{signature}"}}"#
    );
    let (content_type, body) = match style.encoding {
        Encoding::Json => ("application/json", json),
        Encoding::Percent => ("application/json", percent(&json, true)),
        Encoding::Form => (
            "application/x-www-form-urlencoded",
            format!(
                "event=room_close&room_id={}&{t}={timestamp}&{n}={nonce}&{s}={signature}",
                percent(room, false)
            ),
        ),
    };
    Request::post("/").header(header::CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

proptest! {
    #[test]
    fn what_is_signed_is_accepted(
        secret in secret(),
        nonce in nonce(),
        at in instant(),
        style in style(),
        room in any::<String>(),
    ) {
        let stamp = timestamp(&style, at);
        let signature = Signer::new(&secret).unwrap().signature(&stamp, &nonce);
        let request = written(&style, &stamp, &nonce, &signature, &room);
        let delivery = Zegocloud::new(&secret).unwrap().verify(&request, at).unwrap();
        let Event::Room(RoomEvent::Close(close)) = delivery.event() else {
            panic!("{:?}", delivery.event())
        };
        prop_assert_eq!(close.room_id.as_deref(), Some(&*room).filter(|room| !room.is_empty()));
        let signed_at = delivery.proof().signed_at.unwrap();
        let signed_at = signed_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let signed = if style.milliseconds {
            signed_at.as_millis().to_string()
        } else {
            signed_at.as_secs().to_string()
        };
        prop_assert_eq!(signed, stamp);
        let last = delivery.proof().identity.as_ref().unwrap().valid_until().unwrap();
        prop_assert!(last > at + Duration::from_secs(299), "a claim outlives its window");
    }

    #[test]
    fn what_the_signer_signs_is_accepted(
        secret in secret(),
        at in instant(),
        milliseconds in any::<bool>(),
        numeric in any::<bool>(),
        members in prop_oneof![
            Just("{}"), Just(" {\"event\":\"x\"}"), Just("{\"Event\":\"x\"}"), Just("{\"EventType\":3}"),
            Just("event=x"),
        ],
    ) {
        let mut signer = Signer::new(&secret).unwrap();
        if milliseconds { signer = signer.milliseconds(); }
        if numeric { signer = signer.numeric_timestamp(); }
        let provider = Zegocloud::new(&secret).unwrap();
        let sign = || {
            let request = Request::post("/").body(Bytes::from(members)).unwrap();
            let delivery = provider.verify(&signer.sign(request, at), at).unwrap();
            delivery.proof().identity.as_ref().unwrap().digest()
        };
        prop_assert_ne!(sign(), sign(), "a nonce each");
    }

    #[test]
    fn attack_any_changed_byte_of_a_covered_member_is_refused(
        secret in secret(), nonce in nonce(), at in instant(), style in style(),
        member in 0..3_usize, place in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let stamp = timestamp(&style, at);
        let signature = Signer::new(&secret).unwrap().signature(&stamp, &nonce);
        let mut members = [stamp.clone(), nonce.clone(), signature.clone()];
        let mut bytes = std::mem::take(&mut members[member]).into_bytes();
        let place = place.index(bytes.len());
        let same = if member == 2 {
            bytes[place].eq_ignore_ascii_case(&byte)
        } else {
            bytes[place] == byte
        };
        prop_assume!(!same);
        bytes[place] = byte;
        prop_assume!(std::str::from_utf8(&bytes).is_ok());
        members[member] = String::from_utf8(bytes).unwrap();
        let [stamp, nonce, signature] = &members;
        let request = written(&style, stamp, nonce, signature, "lobby");
        // Quotes, commas and ampersands can make it another body altogether; accepted it never is.
        let refused = Zegocloud::new(&secret).unwrap().verify(&request, at).unwrap_err();
        prop_assert!([400, 401].contains(&refused.status().as_u16()), "{}", refused);
    }

    #[test]
    fn attack_any_other_secret_is_refused(
        secret in secret(), other in secret(), nonce in nonce(), at in instant(), style in style(),
    ) {
        prop_assume!(secret != other);
        let stamp = timestamp(&style, at);
        let signature = Signer::new(&secret).unwrap().signature(&stamp, &nonce);
        let request = written(&style, &stamp, &nonce, &signature, "lobby");
        let refused = Zegocloud::new(&other).unwrap().verify(&request, at).unwrap_err();
        prop_assert_eq!(refused.kind(), RejectionKind::CredentialWrong);
    }

    #[test]
    fn attack_arbitrary_bytes_never_panic_and_are_never_accepted(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            any::<String>().prop_map(String::into_bytes),
            "[{}\\[\\]\",:0-9a-z\\\\ ]{0,80}".prop_map(String::into_bytes),
            "\\{\"[tT]imestamp\":[-0-9.eE\"]{0,30},\"nonce\":\"?[0-9a-z]{0,5}\"?\\}".prop_map(String::into_bytes),
            "%7[bB]([%0-9a-fA-F\":,]{0,60})".prop_map(String::into_bytes),
            "([a-c%&=+\\[\\]0-9]){0,80}".prop_map(String::into_bytes),
        ],
        content_type in prop_oneof![
            Just(None), Just(Some("application/json")),
            Just(Some("application/x-www-form-urlencoded")),
        ],
        seconds in any::<u32>(),
    ) {
        let mut request = Request::post("/").body(Bytes::from(body)).unwrap();
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        let now = at(seconds.into());
        let refused = Zegocloud::new("secret").unwrap().verify(&request, now).unwrap_err();
        prop_assert!([400, 401].contains(&refused.status().as_u16()));
    }

    #[test]
    fn attack_arbitrary_members_beside_a_right_signature_never_panic(
        name in any::<String>(), value in "[{}\\[\\]\",:0-9a-z\\\\.+-]{0,60}",
        event in prop_oneof![
            Just("room_create"), Just("room_login"), Just("stream_create"), Just("stream_close"),
            Just("mix_start"),
        ],
        key in prop_oneof![
            Just("room_id"), Just("appid"), Just("rtmp_url"), Just("close_reason"), Just("login_time"),
        ],
    ) {
        let name = serde_json::to_string(&name).unwrap();
        let at = at(1_763_680_000);
        let provider = Zegocloud::new("secret").unwrap();
        for body in [
            format!(r#"{{"event":"{event}","{key}":{value}}}"#),
            format!(r#"{{"event":"{event}",{name}:{value}}}"#),
            format!("event={event}&{key}={value}"),
        ] {
            let request = Request::post("/").body(Bytes::from(body)).unwrap();
            match provider.verify(&Signer::new("secret").unwrap().sign(request, at), at) {
                Ok(delivery) => {
                    let json = serde_json::to_string(delivery.event()).unwrap();
                    let back: Event = serde_json::from_str(&json).unwrap();
                    prop_assert_eq!(&back, delivery.event(), "{}", json);
                }
                // No JSON, or a further signing member.
                Err(refused) => {
                    prop_assert!([400, 401].contains(&refused.status().as_u16()), "{}", refused)
                }
            }
        }
    }
}
