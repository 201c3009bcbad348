//! Signing a request exactly as a provider would.

use bytes::Bytes;
use http::Request;
use std::time::SystemTime;

/// Makes a request genuine: the other side of a [`Provider`](crate::Provider), for tests and for trying a receiver out.
///
/// Each provider's module has its own, with the settings that the provider's real sender differs in. Unless it is told
/// a nonce, it signs each request with a fresh one.
pub trait Signer {
    /// Adds what the provider would add, signed at `now`.
    fn sign(&self, request: Request<Bytes>, now: SystemTime) -> Request<Bytes>;
}

/// As many decimal digits; not for secrets.
pub(crate) fn random_digits(count: usize) -> String {
    std::iter::repeat_with(|| fastrand::digit(10)).take(count).collect()
}
