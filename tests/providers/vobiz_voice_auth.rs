//! The voice signature: vectors, modes, grammar, public origin.
#![cfg(feature = "vobiz")]

use crate::support::{vectors_of, with, without};
use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use std::time::SystemTime;
use tower_webhooks::{
    ConfigError, Content, Covers, Delivery, Identity, Provider, Rejection,
    RejectionKind::{
        self, CredentialMalformed, CredentialMissing, CredentialWrong, MethodNotAllowed,
    },
    Signer as _,
    vobiz::voice::{Event, Signer, Voice},
};

const TOKEN: &str = "sub_account_auth_token_for_tests";
const MAIN: &str = "main_account_auth_token_for_tests";
const ORIGIN: &str = "https://hooks.example.com";
const NONCE: &str = "96883677000111222333";

fn voice() -> Voice {
    Voice::new(TOKEN, ORIGIN).unwrap()
}

fn signer() -> Signer {
    Signer::new(TOKEN, ORIGIN).unwrap()
}

fn post(uri: &str) -> Request<Bytes> {
    Request::post(uri).body(Bytes::from("Event=Hangup&CallUUID=c1")).unwrap()
}

fn hangup(signer: &Signer, uri: &str) -> Request<Bytes> {
    signer.sign(post(uri), SystemTime::now())
}

fn genuine(signer: &Signer) -> Request<Bytes> {
    hangup(signer, "/vobiz/hangup")
}

fn verify(voice: &Voice, request: &Request<Bytes>) -> Result<Delivery<Event>, Rejection> {
    voice.verify(request, SystemTime::now())
}

#[track_caller]
fn refused(voice: &Voice, request: &Request<Bytes>, kind: RejectionKind) {
    assert_eq!(verify(voice, request).unwrap_err().kind(), kind);
}

#[track_caller]
fn identity(voice: &Voice, request: &Request<Bytes>) -> Identity {
    verify(voice, request).unwrap().proof().identity.as_ref().unwrap().clone()
}

/// The request as it arrives for a URL, and the URL's origin.
fn arrival(url: &str) -> (String, String) {
    let uri: http::Uri = url.parse().unwrap();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    (format!("{}://{}", uri.scheme_str().unwrap(), uri.authority().unwrap()), path.to_owned())
}

#[test]
fn vectors_of_voice() {
    let mut checked = 0;
    let vectors = vectors_of::<Value>("vobiz", "vectors");
    for vector in
        vectors.iter().filter(|vector| vector["family"] == "voice" && vector["headers"].is_object())
    {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (origin, path) = arrival(text("url"));
        let all = |names: &[&str]| {
            let mut request = post(&path);
            for (name, value) in vector["headers"].as_object().unwrap() {
                if names.contains(&&*name.to_lowercase()) {
                    request = with(request, name, value.as_str().unwrap());
                }
            }
            request
        };
        let own = Voice::new(text("key"), &origin).unwrap();
        let parent = Voice::new("another token", &origin)
            .unwrap()
            .also_accept_parent(text("main_key"))
            .unwrap();
        for (own, parent, version) in
            [(own.clone(), parent.clone(), "v3"), (own.v2(), parent.v2(), "v2")]
        {
            let [plain, main, nonce] = [
                format!("x-vobiz-signature-{version}"),
                format!("x-vobiz-signature-ma-{version}"),
                format!("x-vobiz-signature-{version}-nonce"),
            ];
            assert_eq!(
                verify(&own, &all(&[&plain, &nonce])).unwrap().proof().key_index,
                0,
                "{}",
                text("name")
            );
            assert_eq!(
                verify(&parent, &all(&[&main, &nonce])).unwrap().proof().key_index,
                1,
                "{}",
                text("name")
            );
            refused(&parent, &all(&[&plain, &nonce]), CredentialWrong);
            checked += 1;
        }
    }
    assert_eq!(checked, 22);
}

#[test]
fn vectors_of_plivo() {
    for vector in vectors_of::<Value>("plivo", "vectors") {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (origin, path) = arrival(text("url"));
        let params: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(
                vector["params"].as_object().unwrap().iter().map(|(k, v)| (k, v.as_str().unwrap())),
            )
            .finish();
        let mut request = post(&path);
        *request.method_mut() = text("method").parse().unwrap();
        *request.body_mut() = params.into();
        let strict = Voice::new(text("key"), &origin).unwrap();
        let relaxed = strict.clone().dangerous_any_nonce_length();
        if text("version") == "V2" {
            let request = with(request, "x-vobiz-signature-v2", text("signature"));
            let request = with(request, "x-vobiz-signature-v2-nonce", text("nonce"));
            verify(&relaxed.v2(), &request).unwrap();
            refused(&strict.v2(), &request, CredentialMalformed);
        } else {
            let request = with(request, "x-vobiz-signature-v3", text("signature"));
            let request = with(request, "x-vobiz-signature-v3-nonce", text("nonce"));
            refused(&strict, &request, CredentialWrong);
            refused(&relaxed, &request, CredentialWrong);
        }
    }
}

#[test]
fn what_is_known_of_a_delivery() {
    let delivery = verify(&voice(), &genuine(&signer())).unwrap();
    assert_eq!(Voice::NAME, "vobiz.voice");
    assert_eq!(Voice::METHODS, [Method::GET, Method::POST]);
    assert_eq!(
        (delivery.kind(), delivery.covers(), delivery.proof().signed_at),
        ("Hangup", Covers::Url, None)
    );
    let identity = delivery.proof().identity.as_ref().unwrap();
    assert_eq!((identity.content(), identity.valid_until()), (Content::Bound, None));
}

#[test]
fn one_right_signature_is_enough() {
    let both = signer().also_sign_parent(MAIN).unwrap();
    let request = genuine(&both);
    let accepts = voice().also_accept_parent(MAIN).unwrap();
    assert_eq!(verify(&accepts, &request).unwrap().proof().key_index, 0);
    assert_eq!(
        verify(&accepts, &without(request.clone(), "x-vobiz-signature-v3"))
            .unwrap()
            .proof()
            .key_index,
        1
    );
    let other = signer().signature("https://hooks.example.com/other", NONCE);
    for wrong in [&*other, "no base64", "AAAA"] {
        assert_eq!(
            verify(&accepts, &with(request.clone(), "x-vobiz-signature-v3", wrong))
                .unwrap()
                .proof()
                .key_index,
            1
        );
        assert_eq!(
            verify(&accepts, &with(request.clone(), "x-vobiz-signature-ma-v3", wrong))
                .unwrap()
                .proof()
                .key_index,
            0
        );
    }

    let rotated = Voice::new("new token", ORIGIN).unwrap().also_accept(TOKEN).unwrap();
    assert_eq!(verify(&rotated, &request).unwrap().proof().key_index, 1);
    let rotated = Voice::new("x", ORIGIN)
        .unwrap()
        .also_accept_parent("new")
        .unwrap()
        .also_accept_parent(MAIN)
        .unwrap();
    assert_eq!(verify(&rotated, &request).unwrap().proof().key_index, 2);
}

#[test]
fn v3_may_hold_four_values_and_v2_one() {
    let request = genuine(&signer());
    let right = request.headers()["x-vobiz-signature-v3"].to_str().unwrap().to_owned();
    let wrong = signer().signature("https://hooks.example.com/other", NONCE);
    for (list, passes) in [
        (format!("{wrong},{right}"), true),
        (format!(" {wrong} , {wrong},{wrong} ,  {right} "), true),
        (format!("x,,{right}"), true),
        (format!("{right},{wrong},{wrong},{wrong},{wrong}"), false),
        (format!("{wrong},{wrong}"), false),
        (format!("{right};{wrong}"), false),
    ] {
        assert_eq!(
            verify(&voice(), &with(request.clone(), "x-vobiz-signature-v3", &list)).is_ok(),
            passes,
            "{list}"
        );
    }
    let request = genuine(&signer().v2());
    let right = request.headers()["x-vobiz-signature-v2"].to_str().unwrap().to_owned();
    verify(&voice().v2(), &request).unwrap();
    refused(
        &voice().v2(),
        &with(request, "x-vobiz-signature-v2", &format!("{right},{wrong}")),
        CredentialMalformed,
    );
}

#[test]
fn a_query_is_not_signed_and_a_path_is_as_it_came() {
    verify(&voice(), &hangup(&signer(), "/vobiz/hangup?tenant=42&x=%2F")).unwrap();
    for (signed, arrived) in [
        ("/a%20b", "/a+b"),
        ("/a/", "/a"),
        ("/a", "/a/"),
        ("/A", "/a"),
        ("/a//b", "/a/b"),
        ("/a%2Fb", "/a/b"),
        ("/a%2fb", "/a%2Fb"),
        ("/%61", "/a"),
        ("/a/./b", "/a/b"),
        ("/a/../b", "/b"),
        ("/a;x=1", "/a"),
    ] {
        let mut request = hangup(&signer(), signed);
        verify(&voice(), &request).unwrap();
        *request.uri_mut() = arrived.parse().unwrap();
        refused(&voice(), &request, CredentialWrong);
    }
}

/// The vendor's samples differ in whether `/a%20b` is signed encoded or decoded.
#[test]
fn a_path_with_percent_encoding_is_signed_encoded_or_decoded() {
    let encoded = hangup(&signer(), "/vobiz/a%20b%C3%A9");
    let decoded = "https://hooks.example.com/vobiz/a bé";
    let signs_decoded = hangup(&signer().exact_url(decoded).unwrap(), "/vobiz/a%20b%C3%A9");
    verify(&voice(), &encoded).unwrap();
    refused(&voice(), &signs_decoded, CredentialWrong);
    let exact = |url: &str| voice().exact_url(url).unwrap();
    verify(&exact(decoded), &signs_decoded).unwrap();
    refused(&exact(decoded), &encoded, CredentialWrong);
    verify(&exact("https://hooks.example.com/vobiz/a%20b%C3%A9"), &encoded).unwrap();
}

#[test]
fn an_exact_url_replaces_the_path() {
    let exact = voice().exact_url("https://hooks.example.com/public/call").unwrap();
    let signer = signer().nonce(NONCE);
    let request = signer.clone().exact_url("https://hooks.example.com/public/call").unwrap();
    let request = request.sign(post("/internal"), SystemTime::now());
    verify(&exact, &request).unwrap();
    refused(&voice(), &request, CredentialWrong);
    refused(&exact, &hangup(&signer, "/internal"), CredentialWrong);
}

#[test]
fn attack_a_repeat_under_another_signature_is_the_same_delivery() {
    let accepts = voice().also_accept(MAIN).unwrap().also_accept_parent(MAIN).unwrap();
    let both = genuine(&signer().also_sign_parent(MAIN).unwrap());
    let first = identity(&accepts, &both);
    assert_eq!(identity(&accepts, &without(both.clone(), "x-vobiz-signature-v3")), first);
    assert_eq!(identity(&accepts, &without(both.clone(), "x-vobiz-signature-ma-v3")), first);
    // The main account's own signature of the same request.
    let main = both.headers()["x-vobiz-signature-ma-v3"].to_str().unwrap().to_owned();
    let main =
        without(with(both.clone(), "x-vobiz-signature-v3", &main), "x-vobiz-signature-ma-v3");
    assert_eq!(identity(&accepts, &main), first);
    assert_eq!(
        identity(
            &accepts,
            &with(
                both,
                "x-vobiz-signature-v3",
                &format!("x, {}", main.headers()["x-vobiz-signature-v3"].to_str().unwrap())
            )
        ),
        first
    );

    let root = |url: &str| {
        let request = with(post("/"), "x-vobiz-signature-v3-nonce", NONCE);
        with(request, "x-vobiz-signature-v3", &signer().signature(url, NONCE))
    };
    let slash = identity(&voice(), &root("https://hooks.example.com/"));
    assert_eq!(identity(&voice(), &root("https://hooks.example.com")), slash);
    assert_eq!(
        identity(
            &voice().exact_url("https://hooks.example.com").unwrap(),
            &root("https://hooks.example.com")
        ),
        slash
    );
    assert_ne!(slash, first);
    // A target in the form of `CONNECT` has no path.
    let mut bare = root("https://hooks.example.com");
    *bare.uri_mut() = "x".parse().unwrap();
    assert_eq!((bare.uri().path(), identity(&voice(), &bare)), ("", slash));
}

#[test]
fn attack_identities_of_other_requests_differ() {
    let fixed = signer().nonce(NONCE);
    let first = identity(&voice(), &hangup(&fixed, "/a"));
    assert_eq!(identity(&voice(), &hangup(&fixed, "/a?x=1")), first);
    assert_ne!(identity(&voice(), &hangup(&fixed, "/b")), first);
    assert_ne!(identity(&voice(), &hangup(&signer(), "/a")), first);
    assert_ne!(identity(&voice().v2(), &hangup(&fixed.v2(), "/a")), first);
}

#[test]
fn attack_body_swapped_under_captured_headers() {
    // It cannot be seen: the handler is told that no field is covered, and the guard that it is the
    // same delivery.
    let genuine = genuine(&signer());
    let mut forged = genuine.clone();
    *forged.body_mut() = Bytes::from("Event=StartApp&CallUUID=forged");
    let delivery = verify(&voice(), &forged).unwrap();
    assert_eq!((delivery.kind(), delivery.covers()), ("StartApp", Covers::Url));
    assert_eq!(delivery.proof().identity.as_ref(), Some(&identity(&voice(), &genuine)));
    assert_eq!(delivery.proof().identity.as_ref().unwrap().content(), Content::Bound);
}

#[test]
fn attack_v2_boundary_shift() {
    let vectors = vectors_of::<Value>("vobiz", "vectors");
    let vector = vectors.iter().find(|vector| vector["signed_for"].is_object()).unwrap();
    let request = |part: &str| {
        let request = post(&arrival(vector[part]["url"].as_str().unwrap()).1);
        let request =
            with(request, "x-vobiz-signature-v2-nonce", vector[part]["nonce"].as_str().unwrap());
        with(request, "x-vobiz-signature-v2", vector["signature"].as_str().unwrap())
    };
    verify(&voice().v2(), &request("signed_for")).unwrap();
    refused(&voice().v2(), &request("replayed_as"), CredentialMalformed);
    verify(&voice().v2().dangerous_any_nonce_length(), &request("replayed_as")).unwrap();
}

#[test]
fn attack_downgrade() {
    let v3 = genuine(&signer().also_sign_parent(MAIN).unwrap());
    let v2 = genuine(&signer().also_sign_parent(MAIN).unwrap().v2());
    refused(&voice(), &v2, CredentialMissing);
    refused(&voice().v2(), &v3, CredentialMissing);
    refused(&voice().also_accept_parent(MAIN).unwrap(), &v2, CredentialMissing);
    // MA counts only where a parent token is configured.
    refused(
        &voice().also_accept(MAIN).unwrap(),
        &without(v3.clone(), "x-vobiz-signature-v3"),
        CredentialMissing,
    );

    // Right V2 headers save no wrong V3.
    let mut mixed =
        with(v3.clone(), "x-vobiz-signature-v3", &signer().signature("https://elsewhere", NONCE));
    mixed.headers_mut().extend(v2.headers().clone());
    refused(&voice(), &mixed, CredentialWrong);

    // The legacy header is no signature, whatever is in it, and V3's values are of no use under
    // V2's names.
    let value = v3.headers()["x-vobiz-signature-v3"].to_str().unwrap().to_owned();
    refused(
        &voice(),
        &without(with(v3.clone(), "x-vobiz-signature", &value), "x-vobiz-signature-v3"),
        CredentialMissing,
    );
    let nonce = v3.headers()["x-vobiz-signature-v3-nonce"].to_str().unwrap().to_owned();
    let renamed = with(
        with(post("/vobiz/hangup"), "x-vobiz-signature-v2", &value),
        "x-vobiz-signature-v2-nonce",
        &nonce,
    );
    refused(&voice().v2(), &renamed, CredentialWrong);
}

#[test]
fn attack_missing_and_empty_headers() {
    for name in ["x-vobiz-signature-v3", "x-vobiz-signature-v3-nonce"] {
        refused(&voice(), &without(genuine(&signer()), name), CredentialMissing);
        refused(&voice(), &with(genuine(&signer()), name, ""), CredentialMalformed);
        refused(&voice(), &with(genuine(&signer()), name, " "), CredentialMalformed);
    }
    refused(&voice(), &post("/vobiz/hangup"), CredentialMissing);
    let error = verify(&voice(), &post("/vobiz/hangup")).unwrap_err();
    assert_eq!((error.status().as_u16(), error.to_string().contains("missing")), (401, true));
}

#[test]
fn attack_odd_headers() {
    let long = format!("{}{}", ",".repeat(3), "A".repeat(1100));
    for name in ["x-vobiz-signature-v3", "x-vobiz-signature-ma-v3", "x-vobiz-signature-v3-nonce"] {
        let accepts = voice().also_accept_parent(MAIN).unwrap();
        let request = genuine(&signer().also_sign_parent(MAIN).unwrap());
        let mut twice = request.clone();
        let value = twice.headers()[name].clone();
        twice.headers_mut().append(name, value);
        refused(&accepts, &twice, CredentialMalformed);
        refused(&accepts, &with(request.clone(), name, "é"), CredentialMalformed);
        refused(&accepts, &with(request, name, &long), CredentialMalformed);
    }
}

#[test]
fn attack_nonce_spellings() {
    for bad in [
        "9688367700011122233",
        "968836770001112223333",
        "+9688367700011122233",
        "-9688367700011122233",
        "9688367700011122233.",
        "9688367700011122233a",
        " 9688367700011122233",
        "96883677000111222333, 96883677000111222333",
        "9688367700011122233\u{661}",
    ] {
        let request = genuine(&signer().nonce(bad));
        let request = with(request, "x-vobiz-signature-v3-nonce", bad);
        let request = with(
            request,
            "x-vobiz-signature-v3",
            &signer().signature("https://hooks.example.com/vobiz/hangup", bad),
        );
        refused(&voice(), &request, CredentialMalformed);
    }
    let relaxed = voice().dangerous_any_nonce_length();
    for (nonce, passes) in [
        ("1", true),
        (&*"1".repeat(64), true),
        (&*"1".repeat(65), false),
        ("1.2", false),
        ("a", false),
    ] {
        assert_eq!(verify(&relaxed, &genuine(&signer().nonce(nonce))).is_ok(), passes, "{nonce}");
    }
    verify(&voice(), &genuine(&signer().nonce("00000000000000000001"))).unwrap();
}

#[test]
fn attack_base64_spellings() {
    let request = genuine(&signer().nonce(NONCE));
    let right = request.headers()["x-vobiz-signature-v3"].to_str().unwrap().to_owned();
    assert_eq!(right, "BCrs3xdcCljkSwn/2d/82DbvQ2wEcW7m9svEkVyc6Bg=");
    for bad in [
        right.trim_end_matches('=').to_owned(),
        right.replace("Bg=", "Bh="),
        right.replace('/', "_"),
        format!("{right}="),
        format!("{right}AAAA"),
        right.to_lowercase(),
        right[..40].to_owned(),
        right[4..].to_owned(),
        format!("{} {}", &right[..20], &right[20..]),
    ] {
        let error =
            verify(&voice(), &with(request.clone(), "x-vobiz-signature-v3", &bad)).unwrap_err();
        assert_eq!(error.status(), 401, "{bad}");
    }
}

#[test]
fn attack_forwarded_headers_are_never_read() {
    let forwarded = [
        ("host", "hooks.example.com"),
        ("x-forwarded-host", "hooks.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/vobiz"),
        ("x-forwarded-uri", "/vobiz/hangup"),
        ("x-original-url", "/vobiz/hangup"),
        ("x-rewrite-url", "/vobiz/hangup"),
        ("forwarded", "host=hooks.example.com;proto=https"),
    ];
    let spoof = |mut request: Request<Bytes>| {
        for (name, value) in forwarded {
            request = with(request, name, value);
        }
        request
    };
    // Another endpoint's request stays another endpoint's, and another host's another host's.
    let mut elsewhere = genuine(&signer());
    *elsewhere.uri_mut() = "/vobiz/answer".parse().unwrap();
    refused(&voice(), &elsewhere, CredentialWrong);
    refused(&voice(), &spoof(elsewhere), CredentialWrong);
    refused(
        &Voice::new(TOKEN, "https://other.example.com").unwrap(),
        &spoof(genuine(&signer())),
        CredentialWrong,
    );
    refused(
        &Voice::new(TOKEN, "http://hooks.example.com").unwrap(),
        &spoof(genuine(&signer())),
        CredentialWrong,
    );
    // And none of them does harm.
    let mut lies = genuine(&signer());
    for (name, _) in forwarded {
        lies = with(lies, name, "evil.example.com");
    }
    verify(&voice(), &lies).unwrap();
    *lies.uri_mut() = "http://evil.example.com/vobiz/hangup".parse().unwrap();
    verify(&voice(), &lies).unwrap();
}

#[test]
fn attack_other_methods() {
    for method in [Method::PUT, Method::HEAD, Method::DELETE, Method::OPTIONS] {
        let mut request = genuine(&signer());
        *request.method_mut() = method;
        refused(&voice(), &request, MethodNotAllowed);
    }
}

#[test]
fn attack_blank_tokens_and_bad_origins_are_refused() {
    let results: Vec<Result<Voice, ConfigError>> = ["", " ", "token\n"]
        .into_iter()
        .flat_map(|bad| {
            [Voice::new(bad, ORIGIN), voice().also_accept(bad), voice().also_accept_parent(bad)]
        })
        .chain(
            ["", "hooks.example.com", "https://u:p@h", "https://h?x", "https://h#x"]
                .into_iter()
                .flat_map(|bad| [Voice::new(TOKEN, bad), voice().exact_url(bad)]),
        )
        .collect();
    assert_eq!(results.len(), 19);
    assert!(results.iter().all(Result::is_err));
}

#[test]
fn attack_no_credential_is_printed() {
    let voice = voice().also_accept("second_token").unwrap().also_accept_parent(MAIN).unwrap();
    let signer = signer().also_sign_parent(MAIN).unwrap();
    let wrong = with(genuine(&signer), "x-vobiz-signature-v3-nonce", NONCE);
    let delivery = verify(&voice, &genuine(&signer)).unwrap();
    let error = verify(&voice, &wrong).unwrap_err();
    let bad = Voice::new(TOKEN, "https://user:password@h").unwrap_err();
    let printed =
        format!("{voice:?} {voice:#?} {signer:?} {delivery:?} {error:?} {error} {bad} {bad:?}");
    let expected = signer.signature("https://hooks.example.com/vobiz/hangup", NONCE);
    let encoded = hex::encode(TOKEN);
    for secret in [TOKEN, "second_token", MAIN, NONCE, "password", &expected, &encoded] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
