//! Vobiz's voice callbacks as Vobiz really sends them: a form by POST, and the same form as a query
//! by GET, are one event.

#![no_main]

use http::{HeaderValue, Method, Uri, header::CONTENT_TYPE};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use std::sync::LazyLock;
use tower_webhooks::{
    fuzzing::form,
    vobiz::voice::{Signer, Voice},
};
use tower_webhooks_fuzz::{
    forms,
    kept::is_kept,
    provider::{Asked, request, seeds},
};

fuzz_target!(|data: &[u8]| {
    let mut post = request(data);
    post.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let posted = ASKED.ask(post, |_| true).unwrap();
    let is_form = !data.iter().any(u8::is_ascii_control)
        && !data.first().is_some_and(|first| b"{[\"<".contains(first));
    let json = form(data)
        .filter(|_| is_form && data.trim_ascii() == data && !data.starts_with(b"\xef\xbb\xbf"));
    let Some(json) = json else { return };
    is_kept(&json, &serde_json::to_string(&posted).unwrap(), &posted);

    let uri = [b"/hook?", data].concat();
    let Ok(uri) = Uri::try_from(uri) else { return };
    // A fragment is not part of the query.
    if uri.query().is_some_and(|query| query.as_bytes() == data) {
        let mut get = request(b"");
        (*get.method_mut(), *get.uri_mut()) = (Method::GET, uri);
        assert_eq!(ASKED.ask(get, |_| true).unwrap(), posted);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    forms::mutate(data, size, max_size, seed, &SEEDS)
});

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let json = seeds(include_str!("../../tests/payloads/vobiz_voice.json"));
    json.iter().map(|json| forms::of(json)).collect()
});
static ASKED: LazyLock<Asked<Voice, Signer>> = LazyLock::new(|| {
    let (token, origin) = ("a token", "https://hooks.example.com");
    let signer = Signer::new(token, origin).unwrap().nonce("01234567890123456789");
    Asked { provider: Voice::new(token, origin).unwrap(), signer }
});
