//! What authentication learns of a request: what the signature covers, whose it is, and what makes
//! it single-use.

use sha2::{Digest, Sha256};
use std::{fmt, mem, time::SystemTime};

/// What authentication learnt of a request. Every provider makes one for every request that it
/// accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// What the signature is over.
    pub covers: Covers,
    /// Which of the configured keys verified it, counted from 0.
    pub key_index: usize,
    /// The signed time; `None` where the scheme has none.
    pub signed_at: Option<SystemTime>,
    /// What makes the delivery single-use. Without one the replay guard has nothing to go by, and
    /// [`Metadata::checked`](crate::Metadata::checked) is
    /// [`Unguarded`](crate::replay::ReplayCheck::Unguarded).
    pub identity: Option<Identity>,
}

/// What a valid signature is over, and so what of a request cannot have been made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Covers {
    /// Neither URL nor body: whoever captured the credentials could have sent any event under them.
    Nothing,
    /// The URL without its query; not one field of the event.
    Url,
    /// Every byte of the body.
    Body,
}

impl Covers {
    /// `nothing`, `url` or `body`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Url => "url",
            Self::Body => "body",
        }
    }
}

/// What makes a delivery single-use: the same for every request that carries this signature.
/// `Debug` prints nothing of it: it may hold a MAC.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    parts: Parts,
    pub(crate) content: Content,
    inputs: u8,
    pub(crate) valid_until: Option<SystemTime>,
    pub(crate) unsigned: Option<[u8; 32]>,
}

impl Identity {
    /// Takes `parts` with their lengths: mostly the **recomputed** MAC alone, which is the
    /// presented one, decoded, once it was found equal. It differs between keys, so that tenants
    /// that share a replay store stay apart. The key itself would give one signature two identities
    /// where two keys fit it.
    ///
    /// Text from the request does not belong here unless a grammar leaves it one spelling only:
    /// whoever can spell a signature in two ways can use it twice.
    pub fn new(parts: &[&[u8]], content: Content) -> Self {
        let parts = Parts::kept(parts).unwrap_or_else(|| Parts::hashed(parts));
        Self { parts, content, inputs: 0, valid_until: None, unsigned: None }
    }

    /// Sets the first instant at which the signature is refused as stale, whatever way it is
    /// presented; without it the layer's retention setting decides how long the claim is kept.
    #[must_use]
    pub fn with_valid_until(mut self, instant: SystemTime) -> Self {
        self.valid_until = Some(instant);
        self
    }

    /// Counts this part of the request as content too: see [`Content`].
    ///
    /// What is not counted may change from one attempt to the next: a sender that adds `?attempt=2`
    /// to a retry is understood, and whoever captured a request can write there what they like.
    #[must_use]
    pub const fn with_input(mut self, input: Input) -> Self {
        self.inputs |= input.bit();
        self
    }

    pub(crate) const fn has_input(&self, input: Input) -> bool {
        self.inputs & input.bit() != 0
    }

    /// Binds what the event is made of and nobody signs, such as its name in a header, to the
    /// request that comes first: with another value the signature is a conflict, also where the
    /// body is signed.
    #[must_use]
    pub fn with_unsigned(mut self, input: impl AsRef<[u8]>) -> Self {
        let before = self.unsigned.unwrap_or_default();
        self.unsigned = Some(Sha256::new_with_prefix(before).chain_update(input).finalize().into());
        self
    }

    /// A digest of the parts.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        self.hash_into(&mut hash);
        hash.finalize().into()
    }

    /// The guard hashes the parts once, together with all else that makes its key; nobody does
    /// where the guard is off.
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

    /// What another body under the same digest would mean.
    pub fn content(&self) -> Content {
        self.content
    }

    /// The first instant at which the signature is refused as stale.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.valid_until
    }
}

/// Parts in a row, each behind its length.
#[derive(Clone, PartialEq, Eq)]
enum Parts {
    Kept {
        len: u8,
        bytes: [u8; KEPT],
    },
    /// A digest of what is too long, such as a URL.
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
/// | Stardust, and ZEGOCLOUD's short nonces where they are separated | body |
/// | Vobiz voice | by POST the body and `Content-Type`, by GET the query; the path is signed |
/// | Vobiz kyc, campaign, ndnc, trunk, whatsapp | none: the body is signed |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Content {
    /// A conflict: the signature belongs to the request that came first. For a signature over a
    /// nonce or a request's id, which no two honest requests share.
    Bound,
    /// Another delivery: honest requests can share the signature. For a signature over little more
    /// than the time.
    ///
    /// One signature is accepted with at most 64 contents, so that whoever captured it cannot fill
    /// the store: [`Claim::MAX_CONTENTS`](crate::replay::Claim::MAX_CONTENTS).
    Part,
    /// Impossible: the body is signed. Where neither a time nor a number is signed with it, two
    /// honest deliveries of the same bytes are one for as long as the first is remembered
    /// ([`retention`](crate::WebhookLayer::retention)).
    Signed,
}

/// A part of the request, beside method and body, of which an event can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// The URL's path, where it tells what the event is about or who handles it.
    Path,
    /// The URL's query.
    Query,
    /// `Content-Type`, where it decides how the body is read.
    ContentType,
}

impl Input {
    const fn bit(self) -> u8 {
        match self {
            Self::Path => 1,
            Self::Query => 2,
            Self::ContentType => 4,
        }
    }
}

// Two ids and a MAC. With the guard's prefix and a name it is no more than two blocks of SHA-256.
const KEPT: usize = 94;

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(parts: &[&[u8]]) -> Identity {
        Identity::new(parts, Content::Bound)
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
    fn debug_prints_nothing_of_the_parts() {
        let printed = format!("{:?}", identity(&[b"a MAC", &[7; 32]]));
        assert_eq!(printed, "Identity { content: Bound, valid_until: None, .. }");
    }
}
