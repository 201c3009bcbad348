//! Verifies the voice signature: the nonce's format first, then HMAC-SHA256 over URL and nonce.

use crate::{
    Content, Covers, Identity, Input, Proof, Rejection, RejectionKind, exactly_one,
    signature::{malformed, same},
    trace,
    vobiz::{key::Key, origin::SignedUrl},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName};

/// How V3 and V2 differ: the headers, the separator of URL and nonce, and values per header.
#[derive(Debug)]
pub(super) struct Scheme {
    pub(super) label: &'static [u8],
    pub(super) own: HeaderName,
    pub(super) parent: HeaderName,
    pub(super) nonce: HeaderName,
    pub(super) separator: &'static [u8],
    most_values: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) scheme: &'static Scheme,
    pub(super) keys: Vec<Key>,
    pub(super) parents: Vec<Key>,
    pub(super) any_nonce_length: bool,
}

impl Rules {
    /// Verifies the signature in the headers. `fields` is the unsigned part of the head on which
    /// the event depends.
    ///
    /// The identity is made of scheme, URL and nonce: whichever signature, key or spelling of a
    /// root URL matches, it is the same delivery.
    pub(super) fn verify(
        &self,
        headers: &HeaderMap,
        url: &SignedUrl,
        fields: Input,
    ) -> Result<Proof, Rejection> {
        let Scheme { label, own, parent, nonce, separator, .. } = self.scheme;
        let own = self.presented(headers, own)?;
        let parent = if self.parents.is_empty() { None } else { self.presented(headers, parent)? };
        if own.is_none() && parent.is_none() {
            return Err(Rejection::new(RejectionKind::CredentialMissing).with_detail("signature"));
        }
        let nonce = exactly_one(headers, nonce)?;
        if !self.is_nonce(nonce) {
            return Err(malformed("nonce: not 20 digits"));
        }
        let (own, parent) = (own.unwrap_or_default(), parent.unwrap_or_default());
        if own.is_empty() && parent.is_empty() {
            return Err(malformed("signature: not the canonical base64 of 32 bytes"));
        }

        let keys = self
            .keys
            .iter()
            .map(|key| (key, &own))
            .chain(self.parents.iter().map(|key| (key, &parent)));
        let (key_index, _) = keys
            .enumerate()
            .find(|(_, (key, presented))| {
                url.spellings().any(|url| {
                    let mac = key.sign(&[url.as_bytes(), separator, nonce.as_bytes()]);
                    presented.iter().any(|presented| same(presented, &mac))
                })
            })
            .ok_or_else(|| {
                trace::signed_here(url.as_str());
                Rejection::new(RejectionKind::CredentialWrong)
            })?;
        let identity =
            Identity::new(&[label, url.as_str().as_bytes(), nonce.as_bytes()], Content::Bound);
        let identity = identity.with_input(fields);
        Ok(Proof { covers: Covers::Url, key_index, signed_at: None, identity: Some(identity) })
    }

    /// The well-formed values of a header; `None` if it is absent.
    ///
    /// Malformed values are skipped, so that a valid one beside them is accepted.
    fn presented(
        &self,
        headers: &HeaderMap,
        name: &HeaderName,
    ) -> Result<Option<Vec<[u8; 32]>>, Rejection> {
        if !headers.contains_key(name) {
            return Ok(None);
        }
        let text = exactly_one(headers, name)?;
        if text.split(',').count() > self.scheme.most_values {
            return Err(malformed("signature: too many values"));
        }
        Ok(Some(text.split(',').filter_map(|value| decode(value.trim_matches(' '))).collect()))
    }

    fn is_nonce(&self, text: &str) -> bool {
        let length = if self.any_nonce_length { 1..=64 } else { 20..=20 };
        length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    }
}

fn decode(text: &str) -> Option<[u8; 32]> {
    // `decode_slice` needs room for whole groups.
    let mut bytes = [0; 33];
    match STANDARD.decode_slice(text, &mut bytes) {
        Ok(32) => bytes.first_chunk().copied(),
        _ => None,
    }
}

pub(super) static V3: Scheme = Scheme {
    label: b"V3",
    own: HeaderName::from_static("x-vobiz-signature-v3"),
    parent: HeaderName::from_static("x-vobiz-signature-ma-v3"),
    nonce: HeaderName::from_static("x-vobiz-signature-v3-nonce"),
    separator: b".",
    most_values: 4,
};

pub(super) static V2: Scheme = Scheme {
    label: b"V2",
    own: HeaderName::from_static("x-vobiz-signature-v2"),
    parent: HeaderName::from_static("x-vobiz-signature-ma-v2"),
    nonce: HeaderName::from_static("x-vobiz-signature-v2-nonce"),
    separator: b"",
    most_values: 1,
};

/// All signature headers: any of them could make another request pass.
pub(super) const CREDENTIALS: &[&str] = &[
    "x-vobiz-signature",
    "x-vobiz-signature-v2",
    "x-vobiz-signature-v2-nonce",
    "x-vobiz-signature-ma-v2",
    "x-vobiz-signature-v3",
    "x-vobiz-signature-v3-nonce",
    "x-vobiz-signature-ma-v3",
];
