//! Signs voice callbacks as Vobiz does.

use super::auth::{Scheme, V2, V3};
use crate::{
    ConfigError,
    signer::{random_digits, with_headers},
    vobiz::{key::Key, origin::Target},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Request;
use std::time::SystemTime;

/// Signs callbacks as Vobiz does, for tests and for trying out a receiver.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::SystemTime;
/// use tower_webhooks::{Signer as _, vobiz::voice};
///
/// let signer = voice::Signer::new(
///     "sub_account_auth_token_for_tests",
///     "https://hooks.example.com",
/// )?;
/// let request =
///     Request::post("/vobiz/hangup?tenant=42").body(Bytes::from("Event=Hangup"))?;
/// let request = signer.nonce("96883677000111222333").sign(request, SystemTime::now());
/// assert_eq!(
///     request.headers()["X-Vobiz-Signature-V3"],
///     "BCrs3xdcCljkSwn/2d/82DbvQ2wEcW7m9svEkVyc6Bg="
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Signer {
    key: Key,
    parent: Option<Key>,
    target: Target,
    scheme: &'static Scheme,
    nonce: Option<String>,
}

impl Signer {
    /// A V3 signer with an account's auth token, for callbacks to URLs under `public_origin`, with
    /// a fresh 20-digit nonce for every request.
    ///
    /// # Errors
    ///
    /// As for [`Voice::new`](super::Voice::new).
    pub fn new(auth_token: impl AsRef<[u8]>, public_origin: &str) -> Result<Self, ConfigError> {
        let target = Target::origin(public_origin)?;
        Ok(Self { key: Key::new(auth_token)?, parent: None, target, scheme: &V3, nonce: None })
    }

    /// Adds the main account's signature, with its auth token.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a token that is empty or has white space around it.
    pub fn also_sign_parent(mut self, auth_token: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        self.parent = Some(Key::new(auth_token)?);
        Ok(self)
    }

    /// Signs for this URL, whatever path the request has.
    ///
    /// # Errors
    ///
    /// As for [`Voice::exact_url`](super::Voice::exact_url).
    pub fn exact_url(mut self, url: &str) -> Result<Self, ConfigError> {
        self.target = Target::exact(url)?;
        Ok(self)
    }

    /// Signs with V2 instead of V3.
    #[must_use]
    pub fn v2(mut self) -> Self {
        self.scheme = &V2;
        self
    }

    /// Signs with this nonce instead of a fresh one, to simulate replays.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Computes the account's signature of a URL without query and fragment, in base64.
    pub fn signature(&self, url: &str, nonce: &str) -> String {
        self.encode(&self.key, url, nonce)
    }

    fn encode(&self, key: &Key, url: &str, nonce: &str) -> String {
        STANDARD.encode(key.sign(&[url.as_bytes(), self.scheme.separator, nonce.as_bytes()]))
    }
}

impl crate::Signer for Signer {
    /// Sets the nonce, the account's signature and, if there is a parent token, the main account's.
    fn sign(&self, request: Request<Bytes>, _now: SystemTime) -> Request<Bytes> {
        let url = self.target.url(request.uri().path());
        let nonce = self.nonce.clone().unwrap_or_else(|| random_digits(20));
        let parent = self
            .parent
            .as_ref()
            .map(|key| (&self.scheme.parent, self.encode(key, url.as_str(), &nonce)));
        let own = (&self.scheme.own, self.signature(url.as_str(), &nonce));
        let headers = [Some((&self.scheme.nonce, nonce)), Some(own), parent];
        with_headers(request, headers.into_iter().flatten())
    }
}
