//! The two ways in which a head proves itself: an AccessKey ID, or a signature over the time with that ID's secret.

use crate::{
    ConfigError, Content, Identity, Rejection, RejectionKind, Secret, Window,
    header::exactly_one,
    token::{self, Presented},
    window::Timestamp,
};
use hmac::digest::CtOutput;
use http::{HeaderMap, HeaderName};
use md5::{Digest, Md5};
use std::time::SystemTime;

/// All headers of both modes: Stardust may send all of them, whichever are looked at.
pub(super) static CREDENTIALS: [HeaderName; 3] =
    [HeaderName::from_static("x-stardust-key"), HeaderName::from_static("x-ts"), HeaderName::from_static("x-sign")];

/// An AccessKey ID and its secret.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    access_key: Secret,
    secret_key: Secret,
}

impl Pair {
    pub(super) fn new(access_key: impl AsRef<[u8]>, secret_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { access_key: token::new(access_key)?, secret_key: Secret::new(secret_key)? })
    }

    fn sign(&self, ts: &str) -> [u8; 16] {
        let mut hash = Md5::new_with_prefix(ts);
        for part in [&self.secret_key, &self.access_key] {
            hash.update("&");
            hash.update(part.expose_secret());
        }
        hash.finalize().into()
    }
}

/// What a rightly signed head proves.
pub struct Signed {
    pub(super) key_index: usize,
    pub(super) at: SystemTime,
    pub(super) identity: Identity,
}

pub(super) fn verify(
    headers: &HeaderMap,
    pairs: &[Pair],
    window: Window,
    now: SystemTime,
) -> Result<Signed, Rejection> {
    let [key, ts, sign] = &CREDENTIALS;
    let key = exactly_one(headers, key)?;
    let ts = exactly_one(headers, ts)?;
    let sign = exactly_one(headers, sign)?;

    let malformed = |detail| Rejection::new(RejectionKind::CredentialMalformed).with_detail(detail);
    let Some(stamp @ Timestamp::Milliseconds(_)) = Timestamp::from_digits(ts) else {
        return Err(malformed("X-TS: not 13 digits"));
    };
    let mut presented = [0; 16];
    hex::decode_to_slice(sign, &mut presented).map_err(|_| malformed("X-SIGN: not 32 hex digits"))?;
    let presented = CtOutput::<Md5>::new(presented.into());

    let key = Presented::new(key);
    let (key_index, pair, mac) = pairs
        .iter()
        .enumerate()
        .filter(|(_, pair)| key.is(&pair.access_key))
        .map(|(index, pair)| (index, pair, CtOutput::<Md5>::new(pair.sign(ts).into())))
        .find(|(_, _, mac)| *mac == presented)
        .ok_or(Rejection::new(RejectionKind::CredentialWrong))?;
    let at = window.check(stamp, now)?;
    // Two callbacks of one millisecond have one signature.
    let identity = Identity::new(&[pair.access_key.id(), pair.secret_key.id(), mac.as_bytes()], Content::Part)
        .with_valid_until(window.ends(stamp));
    Ok(Signed { key_index, at, identity })
}

/// The index of the AccessKey ID that `X-STARDUST-KEY` carries.
pub(super) fn verify_key(headers: &HeaderMap, access_keys: &[Secret]) -> Result<usize, Rejection> {
    let [key, ..] = &CREDENTIALS;
    let key = Presented::new(exactly_one(headers, key)?);
    access_keys.iter().position(|access_key| key.is(access_key)).ok_or(Rejection::new(RejectionKind::CredentialWrong))
}

/// Sends callbacks as Stardust would in key-only mode: for tests and for trying a receiver out.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Signer as _, stardust};
///
/// let signer = stardust::Signer::new("an AccessKey ID")?;
/// let request = signer.sign(Request::post("/").body(Bytes::new())?, SystemTime::now());
/// assert_eq!(request.headers()["x-stardust-key"], "an AccessKey ID");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct Signer {
    access_key: Secret,
}

#[cfg(feature = "test-util")]
impl Signer {
    /// A signer with the AccessKey ID.
    ///
    /// # Errors
    ///
    /// As for [`Stardust::new`](super::Stardust::new).
    pub fn new(access_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { access_key: token::new(access_key)? })
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for Signer {
    fn sign(&self, mut request: http::Request<bytes::Bytes>, _now: SystemTime) -> http::Request<bytes::Bytes> {
        let [key, ..] = &CREDENTIALS;
        if let Ok(value) = http::HeaderValue::from_bytes(self.access_key.expose_secret()) {
            request.headers_mut().insert(key, value);
        }
        request
    }
}

/// Signs callbacks as Stardust would in signed mode: for tests and for trying a receiver out.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::{Signer as _, stardust};
///
/// // The keys and the time of Stardust's page "Authentication".
/// let (access_key, secret_key) = ("6y2fw7zeqgde3796rtbuk8ag9iyxmam6", "vgj5kz13hasie8c8irezz7u5fok3mzb6");
/// let signer = stardust::SignedSigner::new(access_key, secret_key)?;
/// let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_715_948_940_207);
/// let request = signer.sign(Request::post("/").body(Bytes::new())?, now);
/// assert_eq!(request.headers()["x-ts"], "1715948940207");
/// assert_eq!(request.headers()["x-sign"], "a3a4f9444fdfe19859975e8f8703dc43");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct SignedSigner {
    pair: Pair,
}

#[cfg(feature = "test-util")]
impl SignedSigner {
    /// A signer with an AccessKey ID and its secret. The scheme has no nonce: the time is all that varies.
    ///
    /// # Errors
    ///
    /// As for [`StardustSigned::new`](super::StardustSigned::new).
    pub fn new(access_key: impl AsRef<[u8]>, secret_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { pair: Pair::new(access_key, secret_key)? })
    }

    /// The signature alone, 32 lower-case hex digits.
    pub fn signature(&self, ts: &str) -> String {
        hex::encode(self.pair.sign(ts))
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for SignedSigner {
    fn sign(&self, mut request: http::Request<bytes::Bytes>, now: SystemTime) -> http::Request<bytes::Bytes> {
        let ts = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
        let sign = self.signature(&ts);
        let values = [self.pair.access_key.expose_secret(), ts.as_bytes(), sign.as_bytes()];
        for (name, value) in CREDENTIALS.iter().zip(values) {
            if let Ok(value) = http::HeaderValue::from_bytes(value) {
                request.headers_mut().insert(name, value);
            }
        }
        request
    }
}
