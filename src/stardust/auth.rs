//! Verifies the headers: an AccessKey ID, or a signature over the time with that ID's secret.

use crate::{
    ConfigError, Content, Identity, Proof, Rejection, Secret, Timestamp, Window, exactly_one,
    signature::{find, from_hex, malformed, same},
    token,
};
use http::{HeaderMap, HeaderName};
use md5::{Digest, Md5};
use std::time::SystemTime;
#[cfg(feature = "test-util")]
use {bytes::Bytes, http::Request};

/// The headers of both modes: Stardust may send all of them, whichever mode is configured.
pub(super) const CREDENTIALS: &[&str] = &["x-stardust-key", "x-ts", "x-sign"];

#[derive(Clone, Debug)]
pub(super) struct Pair {
    access_key: Secret,
    secret_key: Secret,
}

impl Pair {
    pub(super) fn new(
        access_key: impl AsRef<[u8]>,
        secret_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
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

/// Verifies the signature of signed mode.
pub(super) fn verify(
    headers: &HeaderMap,
    pairs: &[Pair],
    window: Window,
    now: SystemTime,
) -> Result<Proof, Rejection> {
    let access_key = exactly_one(headers, &KEY)?;
    let ts = exactly_one(headers, &TS)?;
    let sign = exactly_one(headers, &SIGN)?;

    let Some(stamp @ Timestamp::Milliseconds(_)) = Timestamp::from_digits(ts) else {
        return Err(malformed("X-TS: not 13 digits"));
    };
    let mac = from_hex(sign, "X-SIGN: not 32 hex digits")?;

    let access_key = token::presented(access_key)?;
    let sign = |pair: &Pair| same(pair.access_key.id(), &access_key).then(|| pair.sign(ts));
    let (key_index, _) = find(pairs, &mac, sign)?;
    let signed_at = window.check(stamp, now)?;
    // Two callbacks of one millisecond have the same signature.
    let identity = Identity::new(&[&mac], Content::Part).with_valid_until(window.ends(stamp)?);
    Ok(Proof::of_nothing(key_index, Some((signed_at, identity))))
}

/// Verifies the AccessKey ID in `X-STARDUST-KEY`.
pub(super) fn verify_key(headers: &HeaderMap, access_keys: &[Secret]) -> Result<Proof, Rejection> {
    let presented = token::presented(exactly_one(headers, &KEY)?)?;
    let (key_index, _) = find(access_keys, &presented, |access_key| Some(*access_key.id()))?;
    Ok(Proof::of_nothing(key_index, None))
}

/// Adds the key to callbacks as Stardust does in key-only mode, for tests and for trying out a
/// receiver.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Signer as _, stardust};
///
/// let signer = stardust::KeyOnlySigner::new("an AccessKey ID")?;
/// let request = signer.sign(Request::post("/").body(Bytes::new())?, SystemTime::now());
/// assert_eq!(request.headers()["x-stardust-key"], "an AccessKey ID");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct KeyOnlySigner {
    access_key: Secret,
}

#[cfg(feature = "test-util")]
impl KeyOnlySigner {
    /// A signer with the AccessKey ID.
    ///
    /// # Errors
    ///
    /// As for [`StardustKeyOnly::new`](super::StardustKeyOnly::new).
    pub fn new(access_key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        Ok(Self { access_key: token::new(access_key)? })
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for KeyOnlySigner {
    fn sign(&self, request: Request<Bytes>, _now: SystemTime) -> Request<Bytes> {
        crate::signer::with_headers(request, [(&KEY, self.access_key.expose_secret())])
    }
}

/// Signs callbacks as Stardust does in signed mode, for tests and for trying out a receiver.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::{Signer as _, stardust};
///
/// // The keys and the time of Stardust's page "Authentication".
/// let (access_key, secret_key) =
///     ("6y2fw7zeqgde3796rtbuk8ag9iyxmam6", "vgj5kz13hasie8c8irezz7u5fok3mzb6");
/// let signer = stardust::Signer::new(access_key, secret_key)?;
/// let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_715_948_940_207);
/// let request = signer.sign(Request::post("/").body(Bytes::new())?, now);
/// assert_eq!(request.headers()["x-ts"], "1715948940207");
/// assert_eq!(request.headers()["x-sign"], "a3a4f9444fdfe19859975e8f8703dc43");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct Signer {
    pair: Pair,
}

#[cfg(feature = "test-util")]
impl Signer {
    /// A signer with an AccessKey ID and its secret. The scheme has no nonce: only the time varies.
    ///
    /// # Errors
    ///
    /// As for [`Stardust::new`](super::Stardust::new).
    pub fn new(
        access_key: impl AsRef<[u8]>,
        secret_key: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        Ok(Self { pair: Pair::new(access_key, secret_key)? })
    }

    /// Computes the signature: 32 lower-case hex digits.
    pub fn signature(&self, ts: &str) -> String {
        base16ct::lower::encode_string(&self.pair.sign(ts))
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for Signer {
    fn sign(&self, request: Request<Bytes>, now: SystemTime) -> Request<Bytes> {
        let ts =
            now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
        let sign = self.signature(&ts);
        let values = [self.pair.access_key.expose_secret(), ts.as_bytes(), sign.as_bytes()];
        crate::signer::with_headers(request, CREDENTIALS.iter().copied().zip(values))
    }
}

// A lookup by text would parse the name each time.
static KEY: HeaderName = HeaderName::from_static("x-stardust-key");
static TS: HeaderName = HeaderName::from_static("x-ts");
static SIGN: HeaderName = HeaderName::from_static("x-sign");
