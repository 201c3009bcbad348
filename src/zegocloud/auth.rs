//! Verifies the signing members: format first, then SHA-1, then the window.

use crate::{
    Content, Identity, Input, Proof, Rejection, RejectionKind, Secret, Timestamp, Window,
    payload::{Names, Object, Value},
    signature::{find, from_hex, malformed, same},
};
use sha1::{Digest, Sha1};
use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};
#[cfg(feature = "test-util")]
use {bytes::Bytes, http::Request};

pub(super) fn verify(
    members: &Object<'_>,
    secrets: &[Secret],
    window: Window,
    separates_short_nonces: bool,
    now: SystemTime,
) -> Result<Proof, Rejection> {
    let [timestamp, nonce, signature] = signing(members)?;
    let stamp = Timestamp::from_digits(&timestamp)
        .ok_or_else(|| malformed("timestamp: not 10 or 13 digits"))?;
    if !is_nonce(nonce.as_bytes()) {
        return Err(malformed("nonce: not 1 to 64 characters of 0-9 A-Z a-z _ -"));
    }
    let mac = from_hex(&signature, "signature: not 40 hex digits")?;

    let (key_index, secret) = find(secrets, &mac, |secret| Some(sign(secret, &timestamp, &nonce)))?;
    let signed_at = window.check(stamp, now)?;
    let hashed = sorted(secret, timestamp.as_bytes(), nonce.as_bytes()).concat();
    let end = latest_end(secrets, &hashed, stamp, window, now)
        .ok_or_else(|| Rejection::new(RejectionKind::Stale))?;
    // The longest nonce of all secrets and splits counts, so that no other split changes the
    // result.
    let shortest =
        secrets.iter().map(|secret| secret.expose_secret().len()).min().unwrap_or_default();
    let longest = hashed.len().saturating_sub(shortest).saturating_sub(SHORTEST_STAMP);
    let identity = if separates_short_nonces && longest < LONG_NONCE {
        Identity::new(&[&mac], Content::Part)
    } else {
        Identity::new(&[&mac], Content::Bound).with_input(Input::Path)
    };
    let identity = identity.with_valid_until(end);
    Ok(Proof::of_nothing(key_index, Some((signed_at, identity))))
}

/// Timestamp, nonce and signature, all in one spelling; a repeated one is refused in either
/// spelling.
fn signing<'a>(members: &Object<'a>) -> Result<[Cow<'a, str>; 3], Rejection> {
    let mut found: [Option<Value<'a>>; 3] = [None; 3];
    let mut spelling = None;
    for (place, value) in members.among(&SIGNING) {
        let is_snake = place < found.len();
        let before = found.get_mut(place % 3).and_then(|slot| slot.replace(value));
        if before.is_some() || spelling.is_some_and(|first| first != is_snake) {
            return Err(malformed("a signing member is repeated or in two spellings"));
        }
        spelling = Some(is_snake);
    }
    let [timestamp, nonce, signature] = found.map(|value| match value {
        Some(value) => {
            value.scalar().ok_or_else(|| malformed("a signing member is neither string nor number"))
        }
        None => Err(Rejection::new(RejectionKind::CredentialMissing)),
    });
    Ok([timestamp?, nonce?, signature?])
}

fn is_nonce(text: &[u8]) -> bool {
    (1..=64).contains(&text.len())
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-')
}

fn sorted<'a>(secret: &'a Secret, timestamp: &'a [u8], nonce: &'a [u8]) -> [&'a [u8]; 3] {
    let mut parts = [secret.expose_secret(), timestamp, nonce];
    parts.sort_unstable();
    parts
}

fn sign(secret: &Secret, timestamp: &str, nonce: &str) -> [u8; 20] {
    let mut hash = Sha1::new();
    for part in sorted(secret, timestamp.as_bytes(), nonce.as_bytes()) {
        hash.update(part);
    }
    hash.finalize().into()
}

/// When the last of all timestamps that fit this signature leaves the window.
///
/// The hashed text has no separators: split elsewhere, also under another secret, it can be another
/// timestamp and nonce with the same signature. Every valid split is tried; the result is at most
/// 30 days ahead. A split that is fresh only after that does not count: most texts of random digits
/// have one, and their claims would fill the store and yet be gone by then.
fn latest_end(
    secrets: &[Secret],
    hashed: &[u8],
    stamp: Timestamp,
    window: Window,
    now: SystemTime,
) -> Option<SystemTime> {
    let limit = now.checked_add(FARTHEST_END);
    let ends = |stamp| window.ends(stamp).ok().filter(|end| Some(*end) <= limit);
    let latest = secrets
        .iter()
        .fold(window.ends(stamp).ok(), |latest, secret| latest_cut(secret, hashed, &ends, latest));
    latest.min(now.checked_add(FARTHEST))
}

/// The same for one secret, if it is later than `latest`.
fn latest_cut(
    secret: &Secret,
    hashed: &[u8],
    ends: &dyn Fn(Timestamp) -> Option<SystemTime>,
    mut latest: Option<SystemTime>,
) -> Option<SystemTime> {
    let secret_len = secret.expose_secret().len();
    let cut = |at: usize, len: usize| hashed.get(at..at.saturating_add(len)).unwrap_or_default();
    for stamp_len in [SHORTEST_STAMP, 13] {
        let Some(nonce_len) =
            hashed.len().checked_sub(secret_len).and_then(|rest| rest.checked_sub(stamp_len))
        else {
            continue;
        };
        let both = stamp_len.saturating_add(nonce_len);
        let [behind_stamp, behind_nonce] =
            [stamp_len, nonce_len].map(|len| len.saturating_add(secret_len));
        // Where the secret can be, and where timestamp and nonce then begin.
        for (secret_at, cuts) in [
            (0, &[(secret_len, behind_stamp), (behind_nonce, secret_len)][..]),
            (stamp_len, &[(0, behind_stamp)]),
            (nonce_len, &[(behind_nonce, 0)]),
            (both, &[(0, stamp_len), (nonce_len, 0)]),
        ] {
            if !same(cut(secret_at, secret_len), secret.expose_secret()) {
                continue;
            }
            for (stamp_at, nonce_at) in cuts {
                let (stamp, nonce) = (cut(*stamp_at, stamp_len), cut(*nonce_at, nonce_len));
                let end =
                    std::str::from_utf8(stamp).ok().and_then(Timestamp::from_digits).and_then(ends);
                if end > latest
                    && is_nonce(nonce)
                    && sorted(secret, stamp, nonce).into_iter().flatten().eq(hashed)
                {
                    latest = end;
                }
            }
        }
    }
    latest
}

/// Signs callbacks as ZEGOCLOUD does, for tests and for trying out a receiver.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use std::time::{Duration, SystemTime};
/// use tower_webhooks::{Signer as _, zegocloud};
///
/// let signer = zegocloud::Signer::new("secret")?.nonce("123412");
/// let request = Request::post("/").body(Bytes::from(r#"{"event":"room_close"}"#))?;
/// let request = signer.sign(request, SystemTime::UNIX_EPOCH + Duration::from_secs(1_470_820_198));
/// assert_eq!(
///     &request.body()[..],
///     br#"{"timestamp":"1470820198","nonce":"123412","signature":"5bd59fd62953a8059fb7eaba95720f66d19e4517","event":"room_close"}"#
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "test-util")]
#[derive(Clone, Debug)]
pub struct Signer {
    secret: Secret,
    nonce: Option<String>,
    milliseconds: bool,
    numeric: bool,
}

#[cfg(feature = "test-util")]
impl Signer {
    /// A signer with the project's CallbackSecret, timestamps in seconds written as strings, and a
    /// fresh 19-digit nonce for every request.
    ///
    /// # Errors
    ///
    /// As for [`Zegocloud::new`](super::Zegocloud::new).
    pub fn new(callback_secret: impl AsRef<[u8]>) -> Result<Self, crate::ConfigError> {
        Ok(Self {
            secret: Secret::new(callback_secret)?,
            nonce: None,
            milliseconds: false,
            numeric: false,
        })
    }

    /// Signs with this nonce instead of a fresh one, to simulate replays.
    #[must_use]
    pub fn nonce(mut self, nonce: impl Into<String>) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Writes timestamps in milliseconds, as AI Agent and real-time ASR do.
    #[must_use]
    pub fn milliseconds(mut self) -> Self {
        self.milliseconds = true;
        self
    }

    /// Writes the timestamp as a JSON number, as `room_create` does.
    #[must_use]
    pub fn numeric_timestamp(mut self) -> Self {
        self.numeric = true;
        self
    }

    /// Computes the signature: 40 lower-case hex digits.
    pub fn signature(&self, timestamp: &str, nonce: &str) -> String {
        base16ct::lower::encode_string(&sign(&self.secret, timestamp, nonce))
    }
}

#[cfg(feature = "test-util")]
impl crate::Signer for Signer {
    /// Adds the signing members at the start of a JSON body (as `Timestamp`, `Nonce` and
    /// `Signature` if it has `Event` or `EventType`) or at the end of a form.
    fn sign(&self, request: Request<Bytes>, now: SystemTime) -> Request<Bytes> {
        let age = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let timestamp =
            if self.milliseconds { age.as_millis().to_string() } else { age.as_secs().to_string() };
        let nonce = self.nonce.clone().unwrap_or_else(|| crate::signer::random_digits(19));
        let signature = self.signature(&timestamp, &nonce);
        request.map(|body| {
            let body = String::from_utf8_lossy(&body);
            let Some(rest) = body.trim_start().strip_prefix('{') else {
                let signed = format!("&timestamp={timestamp}&nonce={nonce}&signature={signature}");
                return (body.into_owned() + &signed).into();
            };
            let pascal = crate::payload::only(&body, |name| ["Event", "EventType"].contains(&name));
            let pascal = pascal.is_some_and(|members| members != "{}");
            let [snake @ .., _, _, _] = SIGNING_NAMES;
            let [_, _, _, in_pascal @ ..] = SIGNING_NAMES;
            let [t, n, s] = if pascal { in_pascal } else { snake };
            let quote = if self.numeric { "" } else { "\"" };
            let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
            let time = format!("\"{t}\":{quote}{timestamp}{quote}");
            format!("{{{time},\"{n}\":\"{nonce}\",\"{s}\":\"{signature}\"{comma}{rest}").into()
        })
    }
}

/// The signing members in one spelling, then in the other.
const SIGNING_NAMES: [&str; 6] =
    ["timestamp", "nonce", "signature", "Timestamp", "Nonce", "Signature"];
pub(super) static SIGNING: Names = Names::new(&SIGNING_NAMES, &[]);
/// Members that are kept out of every event.
pub(super) static CONSUMED: Names = Names::new(&["nonce", "signature", "Nonce", "Signature"], &[]);
const FARTHEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);
// With the longest window, 25 hours in both directions.
const FARTHEST_END: Duration = Duration::from_secs((30 * 24 + 50) * 60 * 60);
const SHORTEST_STAMP: usize = 10;
const LONG_NONCE: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries every pair of substrings.
    fn latest_of_all(
        secret: &Secret,
        timestamp: &str,
        nonce: &str,
        now: SystemTime,
    ) -> Option<SystemTime> {
        let hashed = sorted(secret, timestamp.as_bytes(), nonce.as_bytes()).concat();
        let substrings = |length: usize| hashed.windows(length);
        let mut latest = None;
        for stamp_len in [10, 13] {
            let nonce_len = hashed.len().saturating_sub(secret.expose_secret().len() + stamp_len);
            for stamp in substrings(stamp_len) {
                let Some(end) = Timestamp::from_digits(std::str::from_utf8(stamp).unwrap())
                    .and_then(|stamp| Window::default().ends(stamp).ok())
                    .filter(|end| Some(*end) <= now.checked_add(FARTHEST_END))
                else {
                    continue;
                };
                let fits = |nonce: &[u8]| {
                    is_nonce(nonce)
                        && sorted(secret, stamp, nonce).concat() == hashed
                        && nonce_len > 0
                };
                if nonce_len > 0 && substrings(nonce_len).any(fits) {
                    latest = latest.max(Some(end));
                }
            }
        }
        latest.min(now.checked_add(FARTHEST))
    }

    #[test]
    fn attack_every_other_cut_of_the_hashed_text_is_found() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_687_981_300);
        let mut moved = 0;
        for secret in [
            "secret",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
            "5f4dcc3b5aa765d6",
            "1",
            "16879",
            "1690000000",
            "99",
        ] {
            let secret = Secret::new(secret).unwrap();
            for timestamp in ["1687981272", "1687981272725", "1111111111"] {
                for nonce in [
                    "7254119327986670314",
                    "4119327986670314",
                    "72",
                    "123",
                    "1690001111",
                    "0",
                    "abc1700000000",
                    "111",
                ] {
                    let hashed = sorted(&secret, timestamp.as_bytes(), nonce.as_bytes()).concat();
                    let stamp = Timestamp::from_digits(timestamp).unwrap();
                    let latest = latest_end(
                        std::slice::from_ref(&secret),
                        &hashed,
                        stamp,
                        Window::default(),
                        now,
                    );
                    assert_eq!(
                        latest,
                        latest_of_all(&secret, timestamp, nonce, now),
                        "{timestamp} {nonce}"
                    );
                    let own = Timestamp::from_digits(timestamp)
                        .and_then(|stamp| Window::default().ends(stamp).ok());
                    moved += usize::from(latest != own);
                }
            }
        }
        assert!(moved > 20, "{moved}");
    }
}
