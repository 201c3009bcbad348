//! What must hold for every provider and every genuine request.

use crate::{json, kept::is_kept};
use bytes::Bytes;
use http::{Request, Uri};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt::Debug,
    time::{Duration, SystemTime},
};
use tower_webhooks::{Provider, Signer, WebhookEvent};

/// A provider and the signer of its requests.
pub struct Asked<P, S> {
    pub provider: P,
    pub signer: S,
}

impl<P, S: Signer> Asked<P, S>
where
    P: Provider<Event: WebhookEvent + Serialize + DeserializeOwned + PartialEq + Debug>,
{
    /// Posts the signed body and checks the result: it is not refused, and nothing is lost.
    pub fn post(&self, body: &[u8]) {
        self.ask(request(body), |_| true);
    }

    /// The event of this request; `None` if it is refused, which `is_taken` must allow.
    pub fn ask(
        &self,
        request: Request<Bytes>,
        is_taken: impl FnOnce(&str) -> bool,
    ) -> Option<P::Event> {
        let body = request.body().clone();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let delivery = match self.provider.verify(&self.signer.sign(request, now), now) {
            Ok(delivery) => delivery,
            Err(rejection) => {
                let taken = std::str::from_utf8(&body).is_ok_and(is_taken);
                assert!(!taken, "refused: {rejection} {:?}", std::error::Error::source(&rejection));
                return None;
            }
        };
        assert_eq!(delivery.kind(), delivery.event().kind());
        assert_eq!(&**delivery.misfits(), &**delivery.event().misfits());
        let event = delivery.into_event();
        let text = comes_back(&event, body.len() % 4 == 0);
        if let Some(body) = std::str::from_utf8(&body)
            .ok()
            .map(|body| body.strip_prefix('\u{feff}').unwrap_or(body))
        {
            is_kept(body, &text, &event);
        }
        Some(event)
    }
}

/// A POST with this body.
pub fn request(body: &[u8]) -> Request<Bytes> {
    let mut request = Request::new(Bytes::copy_from_slice(body));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = Uri::from_static("/hook");
    request
}

/// The documented payloads of a file in `tests/payloads`.
pub fn seeds(payloads: &str) -> Vec<Vec<u8>> {
    let payloads: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(payloads).unwrap();
    payloads.into_iter().map(|payload| payload["body"].to_string().into()).collect()
}

/// Checks that the event is the same after it is serialised and deserialised.
fn comes_back<E>(event: &E, by_value: bool) -> String
where
    E: WebhookEvent + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let text = serde_json::to_string(event).unwrap();
    let back: E = serde_json::from_str(&text).unwrap();
    assert_eq!(back, *event, "{text}");
    assert_eq!((back.kind(), back.dedup_key()), (event.kind(), event.dedup_key()), "{text}");
    // `Value` refuses what it cannot hold, keeps one of two members of one name, and keeps 16
    // digits of a number.
    if by_value
        && !has_duplicates(&text)
        && !has_long_numbers(&text)
        && let Ok(value) = serde_json::to_value(event)
    {
        let back: E = serde_json::from_value(value).unwrap();
        assert_eq!(back, *event, "{text}");
    }
    text
}

fn has_long_numbers(text: &str) -> bool {
    let letters = text.as_bytes();
    let is_exponent = |two: &[u8]| two[0].is_ascii_digit() && matches!(two[1], b'e' | b'E');
    letters.windows(2).any(is_exponent)
        || letters
            .split(|letter| !letter.is_ascii_digit() && *letter != b'.')
            .any(|digits| digits.len() > 15)
}

fn has_duplicates(text: &str) -> bool {
    let Some(members) = json::members(text) else {
        return json::elements(text).into_iter().flatten().any(has_duplicates);
    };
    let mut names: Vec<_> = members.iter().map(|(name, _)| json::content(name)).collect();
    names.sort_unstable();
    names.windows(2).any(|two| two[0] == two[1])
        || members.iter().any(|(_, value)| has_duplicates(value))
}

/// A target for one provider.
#[macro_export]
macro_rules! provider {
    ($payloads:literal, $provider:expr, $signer:expr, |$asked:ident, $data:ident| $ask:expr) => {
        use std::sync::LazyLock;

        libfuzzer_sys::fuzz_target!(|data: &[u8]| {
            let ($asked, $data) = (&*ASKED, data);
            $ask
        });

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $crate::mutate::json(data, size, max_size, seed, &SEEDS)
        });

        static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
            $crate::provider::seeds(include_str!(concat!(
                "../../tests/payloads/",
                $payloads,
                ".json"
            )))
        });
        static ASKED: LazyLock<$crate::provider::Asked<Rules, Signs>> = LazyLock::new(|| {
            $crate::provider::Asked { provider: $provider.unwrap(), signer: $signer.unwrap() }
        });
    };
}
