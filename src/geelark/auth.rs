//! Verifies the headers: a signature over the AppId, the request's id and the time, or a bearer
//! token.

use crate::{
    ConfigError, Content, Identity, Input, Proof, Rejection, Secret, Timestamp, Window,
    exactly_one,
    signature::{find, from_hex, malformed},
    token,
};
use http::{HeaderMap, HeaderName, header};
use sha2::{Digest, Sha256};
use std::time::SystemTime;
#[cfg(feature = "test-util")]
use {bytes::Bytes, http::Request};

/// The headers of both modes: GeeLark may send both sets, whichever mode is configured.
pub(super) const CREDENTIALS: &[&str] =
    &["appid", "traceid", "ts", "nonce", "sign", "authorization"];

#[derive(Clone, Debug)]
pub(super) struct Pair {
    app_id: String,
    app_key: Secret,
}

impl Pair {
    pub(super) fn new(
        app_id: impl Into<String>,
        app_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let app_id = app_id.into();
        token::new(&app_id)?;
        Ok(Self { app_id, app_key: Secret::new(app_key)? })
    }

    fn sign(&self, trace_id: &str, ts: &str, nonce: &str) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [&self.app_id, trace_id, ts, nonce] {
            hash.update(part);
        }
        hash.chain_update(self.app_key.expose_secret()).finalize().into()
    }
}

/// Verifies the signature of key mode.
pub(super) fn verify(
    headers: &HeaderMap,
    pairs: &[Pair],
    window: Window,
    now: SystemTime,
) -> Result<Proof, Rejection> {
    let app_id = exactly_one(headers, &APP_ID)?;
    let trace_id = exactly_one(headers, &TRACE_ID)?;
    let ts = exactly_one(headers, &TS)?;
    let nonce = exactly_one(headers, &NONCE)?;
    let sign = exactly_one(headers, &SIGN)?;

    // The hashed text has no separators. With these lengths fixed, it can be split in one way only.
    if !is_trace_id(trace_id) {
        return Err(malformed("traceId: neither 32 hex digits nor 36 characters as 8-4-4-4-12"));
    }
    let Some(stamp @ Timestamp::Milliseconds(_)) = Timestamp::from_digits(ts) else {
        return Err(malformed("ts: not 13 digits"));
    };
    if trace_id.get(..NONCE_LEN) != Some(nonce) {
        return Err(malformed("nonce: not the first 6 characters of traceId"));
    }
    let mac = from_hex(sign, "sign: not 64 hex digits")?;

    let sign = |pair: &Pair| (pair.app_id == app_id).then(|| pair.sign(trace_id, ts, nonce));
    let (key_index, _) = find(pairs, &mac, sign)?;
    let signed_at = window.check(stamp, now)?;
    let identity = Identity::new(&[&mac], Content::Bound)
        .with_input(Input::Path)
        .with_valid_until(window.ends(stamp)?);
    Ok(Proof::of_nothing(key_index, Some((signed_at, identity))))
}

fn is_trace_id(text: &str) -> bool {
    let hyphen = |at| text.len() == 36 && matches!(at, 8 | 13 | 18 | 23);
    matches!(text.len(), 32 | 36)
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if hyphen(at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Verifies the token in `Authorization`, after `Bearer` or, as one of GeeLark's pages has it,
/// `Bearer:`.
pub(super) fn verify_token(headers: &HeaderMap, tokens: &[Secret]) -> Result<Proof, Rejection> {
    let line = exactly_one(headers, &header::AUTHORIZATION)?;
    let token = line
        .split_at_checked("bearer".len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .and_then(|(_, rest)| {
            rest.strip_prefix(':').or_else(|| rest.starts_with(' ').then_some(rest))
        })
        .map(|token| token.trim_start_matches(' '))
        .filter(|token| !token.is_empty())
        .ok_or_else(|| malformed("Authorization: not a bearer token"))?;
    let (key_index, _) = find(tokens, &token::presented(token)?, |token| Some(*token.id()))?;
    Ok(Proof::of_nothing(key_index, None))
}

/// Signs callbacks as GeeLark does in key mode, for tests and for trying out a receiver.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::{Signer as _, geelark};
///
/// // The example of GeeLark's page "Request instructions".
/// let signer = geelark::Signer::new(
///     "eH6gQR4oHr3FsZpI36La01IW",
///     "YjmFIUuq0oJgSDJ42fxLEb6R1qjjqf",
/// )?
/// .trace_id("db6094ab-3797-4186-84d5-b0b58eebad56");
/// let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_716_972_892_166);
/// let request = signer.sign(Request::post("/").body(Bytes::new())?, now);
/// assert_eq!(request.headers()["nonce"], "db6094");
/// assert_eq!(
///     request.headers()["sign"],
///     "6280C080AF7C3CCE168F15C913E3444A00A618CB0E16038EED9811D6E3366BDD"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct Signer {
    pair: Pair,
    trace_id: Option<String>,
}

#[cfg(feature = "test-util")]
impl Signer {
    /// A signer with the team's AppId and AppKey, and a fresh `traceId` of 32 digits for every
    /// request.
    ///
    /// # Errors
    ///
    /// As for [`GeeLark::new`](super::GeeLark::new).
    pub fn new(app_id: impl Into<String>, app_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { pair: Pair::new(app_id, app_key)?, trace_id: None })
    }

    /// Signs with this `traceId` instead of a fresh one, to simulate replays. Its first 6
    /// characters are the `nonce`.
    #[must_use]
    pub fn trace_id(mut self, trace_id: impl Into<String>) -> Self {
        self.trace_id = Some(trace_id.into());
        self
    }

    /// Computes the signature: 64 upper-case hex digits.
    pub fn signature(&self, trace_id: &str, ts: &str, nonce: &str) -> String {
        base16ct::upper::encode_string(&self.pair.sign(trace_id, ts, nonce))
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for Signer {
    /// Sets the five headers; an invalid header value is skipped.
    fn sign(&self, request: Request<Bytes>, now: SystemTime) -> Request<Bytes> {
        let ts =
            now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
        let trace_id = self.trace_id.clone().unwrap_or_else(|| crate::signer::random_digits(32));
        let nonce: String = trace_id.chars().take(NONCE_LEN).collect();
        let sign = self.signature(&trace_id, &ts, &nonce);
        let values = [&self.pair.app_id, &trace_id, &ts, &nonce, &sign];
        crate::signer::with_headers(request, CREDENTIALS.iter().copied().zip(values))
    }
}

/// Adds the token to callbacks as GeeLark does in token mode, for tests and for trying out a
/// receiver.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Signer as _, geelark};
///
/// let signer = geelark::TokenSigner::new("an API token")?;
/// let request = signer.sign(Request::post("/").body(Bytes::new())?, SystemTime::now());
/// assert_eq!(request.headers()["authorization"], "Bearer an API token");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct TokenSigner {
    token: Secret,
    colon: bool,
}

#[cfg(feature = "test-util")]
impl TokenSigner {
    /// A signer with the team's token, and a fresh `traceId` of 32 digits for every request.
    ///
    /// # Errors
    ///
    /// As for [`GeeLarkToken::new`](super::GeeLarkToken::new).
    pub fn new(token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { token: token::new(token)?, colon: false })
    }

    /// Writes `Bearer: TOKEN`, as the webhook page prints it.
    #[must_use]
    pub fn with_colon(mut self) -> Self {
        self.colon = true;
        self
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for TokenSigner {
    /// Sets `traceId` and `Authorization`; an invalid header value is skipped.
    fn sign(&self, request: Request<Bytes>, _now: SystemTime) -> Request<Bytes> {
        let id = crate::signer::random_digits(32);
        let scheme: &[u8] = if self.colon { b"Bearer: " } else { b"Bearer " };
        let token = [scheme, self.token.expose_secret()].concat();
        let headers = [("traceid", id.into_bytes()), ("authorization", token)];
        crate::signer::with_headers(request, headers)
    }
}

const NONCE_LEN: usize = 6;

// A lookup by text would parse the name each time.
static APP_ID: HeaderName = HeaderName::from_static("appid");
static TRACE_ID: HeaderName = HeaderName::from_static("traceid");
static TS: HeaderName = HeaderName::from_static("ts");
static NONCE: HeaderName = HeaderName::from_static("nonce");
static SIGN: HeaderName = HeaderName::from_static("sign");
