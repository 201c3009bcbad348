//! The result of authentication: what the signature covers, whose it is, what makes it single-use.

use sha2::{Digest, Sha256};
use std::{fmt, mem, time::SystemTime};

/// The result of authenticating a request. A provider returns one for each request it accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What the signature covers.
    pub covers: Covers,
    /// The index of the configured key that verified it, counted from 0.
    pub key_index: usize,
    /// The signed time; `None` if the scheme signs none.
    pub signed_at: Option<SystemTime>,
    /// Identifies the delivery for the replay guard. Without one it is not guarded, and
    /// [`Metadata::checked`](crate::Metadata::checked) is
    /// [`Unguarded`](crate::replay::ReplayCheck::Unguarded).
    pub identity: Option<Identity>,
}

/// What a valid signature covers: the part of a request that cannot be forged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Covers {
    /// Neither URL nor body: anybody with captured credentials can send any event.
    Nothing,
    /// The URL without its query; no field of the event.
    Url,
    /// Every byte of the body.
    Body,
}

impl Covers {
    /// Returns `nothing`, `url` or `body`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Url => "url",
            Self::Body => "body",
        }
    }
}

/// Identifies a delivery for the replay guard: the same for every request with one signature.
///
/// `Debug` does not print the parts, because they may hold a MAC.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    parts: Parts,
    pub(crate) content: Content,
    /// A bit for each [`Input`].
    inputs: u8,
    pub(crate) valid_until: Option<SystemTime>,
    pub(crate) unsigned: Option<[u8; 32]>,
}

impl Proof {
    /// A proof that covers nothing, with the signed time and the identity where something is signed.
    #[cfg_attr(not(feature = "full"), allow(dead_code, reason = "not every scheme covers nothing"))]
    pub(crate) fn of_nothing(key_index: usize, signed: Option<(SystemTime, Identity)>) -> Self {
        let (signed_at, identity) = signed.unzip();
        Self { covers: Covers::Nothing, key_index, signed_at, identity }
    }

    /// Whether the signature has expired.
    pub(crate) fn is_over(&self, now: SystemTime) -> bool {
        let end = self.identity.as_ref().and_then(|identity| identity.valid_until);
        end.is_some_and(|end| end <= now)
    }
}

impl Identity {
    /// Creates an identity from length-prefixed `parts`, mostly the decoded MAC alone.
    ///
    /// A MAC differs between keys, so tenants that share a replay store stay apart. Leave the key
    /// out: if two keys fit one signature, it would have two identities. Leave out text that a
    /// sender can write in two ways: the signature could be used once with each.
    pub fn new(parts: &[&[u8]], content: Content) -> Self {
        let parts = Parts::kept(parts).unwrap_or_else(|| Parts::hashed(parts));
        Self { parts, content, inputs: 0, valid_until: None, unsigned: None }
    }

    /// Sets the first instant at which the signature is refused as stale, however it is presented.
    /// Without it the layer's retention setting decides how long the claim is kept.
    #[must_use]
    pub fn with_valid_until(mut self, instant: SystemTime) -> Self {
        self.valid_until = Some(instant);
        self
    }

    /// Counts this part of the request as content too: see [`Content`].
    ///
    /// Parts that are not counted may differ between attempts: a retry with `?attempt=2` is
    /// accepted, and so is anything that the holder of a captured request writes there.
    #[must_use]
    pub const fn with_input(mut self, input: Input) -> Self {
        self.inputs |= 1 << input as u8;
        self
    }

    pub(crate) const fn has_input(&self, input: Input) -> bool {
        self.inputs & (1 << input as u8) != 0
    }

    /// Binds the signature to an unsigned value that the event depends on, such as its name in a
    /// header. With another value it is a conflict, also if the body is signed; with
    /// [`Content::Part`] it is another delivery.
    #[must_use]
    pub fn with_unsigned(mut self, input: impl AsRef<[u8]>) -> Self {
        let before = self.unsigned.unwrap_or_default();
        self.unsigned = Some(Sha256::new_with_prefix(before).chain_update(input).finalize().into());
        self
    }

    /// A SHA-256 digest of the parts.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        self.hash_into(&mut hash);
        hash.finalize().into()
    }

    /// Hashes the parts directly into the guard's key, without a digest in between.
    pub(crate) fn hash_into(&self, hash: &mut Sha256) {
        match &self.parts {
            Parts::Kept { len, bytes } => {
                hash.update([0]);
                hash.update(bytes.get(..usize::from(*len)).unwrap_or(bytes));
            }
            Parts::Hashed(digest) => {
                hash.update([1]);
                hash.update(digest);
            }
        }
    }

    /// What other content under the same signature means.
    pub fn content(&self) -> Content {
        self.content
    }

    /// The first instant at which the signature is refused as stale; `None` if it never expires.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.valid_until
    }
}

/// Length-prefixed parts.
#[derive(Clone, PartialEq, Eq)]
enum Parts {
    Kept {
        len: u8,
        bytes: [u8; KEPT],
    },
    /// A digest of longer parts, such as a URL.
    Hashed([u8; 32]),
}

impl Parts {
    fn kept(parts: &[&[u8]]) -> Option<Self> {
        let mut bytes = [0; KEPT];
        let mut free = bytes.as_mut_slice();
        for part in parts {
            let (len, rest) = mem::take(&mut free).split_first_mut()?;
            let (place, rest) = rest.split_at_mut_checked(part.len())?;
            *len = u8::try_from(part.len()).ok()?;
            place.copy_from_slice(part);
            free = rest;
        }
        let len = KEPT.saturating_sub(free.len());
        Some(Self::Kept { len: u8::try_from(len).ok()?, bytes })
    }

    fn hashed(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self::Hashed(hash.finalize().into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parts: _, content, inputs: _, valid_until, unsigned: _ } = self;
        f.debug_struct("Identity")
            .field("content", content)
            .field("valid_until", valid_until)
            .finish_non_exhaustive()
    }
}

/// What other content under the same signature means.
///
/// Content is what the event is made of: the method and the body, and what the provider adds
/// ([`Identity::with_input`], [`Identity::with_unsigned`]). Of the providers in this crate:
///
/// | provider | content |
/// | --- | --- |
/// | GeeLark, ZEGOCLOUD | body, path |
/// | Stardust; ZEGOCLOUD's short nonces, with `separate_short_nonces` | body |
/// | Vobiz voice | by POST the body and `Content-Type`, by GET the query; the path is signed |
/// | Vobiz kyc, campaign, ndnc, trunk, whatsapp | none: the body is signed |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// A conflict: the signature is bound to the content that came first. For a scheme that signs a
    /// nonce or a request's id, which honest requests never share.
    Bound,
    /// Another delivery: honest requests can share the signature. For a scheme that signs little
    /// more than the time.
    ///
    /// A signature is accepted with at most 64 contents, so that a captured one cannot fill the
    /// store: [`Claim::MAX_CONTENTS`](crate::replay::Claim::MAX_CONTENTS).
    Part,
    /// Impossible: the body is signed. If nothing in it is unique, two honest deliveries of the
    /// same bytes are one for as long as the first is remembered
    /// ([`retention`](crate::WebhookLayer::retention)).
    Signed,
}

/// A part of the request, besides method and body, that an event can depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The URL's path, if it tells what the event is about or who handles it.
    Path,
    /// The URL's query.
    Query,
    /// `Content-Type`, if it decides how the body is parsed.
    ContentType,
}

// Room for two ids and a MAC. With the guard's prefix and a provider's name that is at most two
// blocks of SHA-256.
const KEPT: usize = 94;

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(parts: &[&[u8]]) -> Identity {
        Identity::new(parts, Content::Bound)
    }

    #[test]
    fn each_input_counts_by_itself() {
        let all = [Input::Path, Input::Query, Input::ContentType];
        for one in all {
            for two in all {
                let counted = identity(&[]).with_input(one).with_input(two);
                for input in all {
                    assert_eq!(counted.has_input(input), input == one || input == two);
                }
            }
        }
        assert!(all.iter().all(|input| !identity(&[]).has_input(*input)));
    }

    #[test]
    fn attack_other_parts_are_another_identity() {
        let (short, long) = ([b'a'; KEPT - 1], [b'a'; 300]);
        let all: [&[&[u8]]; 13] = [
            &[],
            &[b""],
            &[b"", b""],
            &[b"ab"],
            &[b"a", b"b"],
            &[b"b", b"a"],
            &[b"\x01a"],
            &[&short],
            &[&short[1..], b""],
            &[&short, b""],
            &[&long],
            &[&long[1..], b"a"],
            &[&identity(&[&long]).digest()],
        ];
        for (at, parts) in all.iter().enumerate() {
            for (other_at, other) in all.iter().enumerate() {
                let is_same = (
                    identity(parts).digest() == identity(other).digest(),
                    identity(parts) == identity(other),
                );
                assert_eq!(is_same, (at == other_at, at == other_at), "{parts:?} {other:?}");
            }
        }
    }

    #[test]
    fn what_was_set_is_returned() {
        let end = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(7);
        assert_eq!(identity(&[b"a"]).valid_until(), None);
        assert_eq!(identity(&[b"a"]).with_valid_until(end).valid_until(), Some(end));
        assert_eq!(identity(&[b"a"]).content(), Content::Bound);
        let names = [Covers::Nothing, Covers::Url, Covers::Body].map(Covers::as_str);
        assert_eq!(names, ["nothing", "url", "body"]);
    }

    #[test]
    fn debug_prints_nothing_of_the_parts() {
        let printed = format!("{:?}", identity(&[b"a MAC", &[7; 32]]));
        assert_eq!(printed, "Identity { content: Bound, valid_until: None, .. }");
    }
}
