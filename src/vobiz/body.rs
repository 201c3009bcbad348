//! The signature that five families share: HMAC-SHA256 of the body as received, in hex, in one header.

use super::key::{Key, Tag};
use crate::{ConfigError, Content, Identity, Rejection, RejectionKind, header::exactly_one};
use http::{HeaderMap, HeaderName};
use std::borrow::Cow;

#[derive(Clone, Debug)]
pub(super) struct Rules {
    family: &'static str,
    pub(super) header: HeaderName,
    pub(super) prefix: Cow<'static, str>,
    pub(super) keys: Vec<Key>,
}

impl Rules {
    pub(super) fn new(
        family: &'static str,
        header: &'static str,
        prefix: &'static str,
        secret: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let header = HeaderName::from_static(header);
        Ok(Self { family, header, prefix: Cow::Borrowed(prefix), keys: vec![Key::new(secret)?] })
    }

    /// The signature's bytes, whatever the case of their digits.
    pub(super) fn presented(&self, headers: &HeaderMap) -> Result<[u8; 32], Rejection> {
        let malformed = |detail| Rejection::new(RejectionKind::CredentialMalformed).with_detail(detail);
        let digits = exactly_one(headers, &self.header)?
            .strip_prefix(&*self.prefix)
            .ok_or(malformed("signature: not the family's prefix"))?;
        let mut presented = [0; 32];
        hex::decode_to_slice(digits, &mut presented).map_err(|_| malformed("signature: not 64 hex digits"))?;
        Ok(presented)
    }

    /// Which key verified it, and what makes it single-use: for each family its own, though two may share a token.
    pub(super) fn verify(&self, presented: [u8; 32], body: &[u8]) -> Result<(usize, Identity), Rejection> {
        let presented = Tag::new(presented.into());
        let (index, key, tag) = self
            .keys
            .iter()
            .enumerate()
            .map(|(index, key)| (index, key, key.tag(&[body])))
            .find(|(_, _, tag)| *tag == presented)
            .ok_or(Rejection::new(RejectionKind::CredentialWrong))?;
        let identity = Identity::new(&[self.family.as_bytes(), key.id(), tag.as_bytes()], Content::Signed);
        Ok((index, identity))
    }

    #[cfg(feature = "test-util")]
    pub(super) fn sign(&self, mut request: http::Request<bytes::Bytes>) -> http::Request<bytes::Bytes> {
        let signed = self.keys.first().map(|key| hex::encode(key.tag(&[request.body()]).as_bytes()));
        let value = [&*self.prefix, &*signed.unwrap_or_default()].concat();
        if let Ok(value) = http::HeaderValue::try_from(value) {
            request.headers_mut().insert(&self.header, value);
        }
        request
    }
}

/// A family's provider and signer: thin names over [`Rules`].
macro_rules! family {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, $layer:ident:
            $family:literal, $header:literal, $prefix:literal, $secret:ident: $event:ident
    ) => {
        #[doc = concat!("[`WebhookLayer`](crate::WebhookLayer) with the rules of ", $family, ".")]
        pub type $layer = crate::WebhookLayer<$name>;

        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name {
            rules: crate::vobiz::body::Rules,
        }

        impl $name {
            /// Rules with this key.
            ///
            /// # Errors
            ///
            /// [`ConfigError`](crate::ConfigError) for an empty or blank key, or one with white space around it.
            pub fn new($secret: impl AsRef<[u8]>) -> Result<Self, crate::ConfigError> {
                Ok(Self { rules: crate::vobiz::body::Rules::new($family, $header, $prefix, $secret)? })
            }

            /// Accepts a further key, for the time of a rotation. [`Metadata::key_index`](crate::Metadata::key_index) tells
            /// which one verified a delivery.
            ///
            /// # Errors
            ///
            /// As for [`new`](Self::new).
            pub fn also_accept(mut self, $secret: impl AsRef<[u8]>) -> Result<Self, crate::ConfigError> {
                self.rules.keys.push(crate::vobiz::key::Key::new($secret)?);
                Ok(self)
            }
        }

        impl crate::Provider for $name {
            const NAME: &'static str = crate::vobiz::NAME;
            /// The presented signature.
            type Head = [u8; 32];
            type Event = $event;

            fn credentials(&self) -> &[http::HeaderName] {
                std::slice::from_ref(&self.rules.header)
            }

            fn check_head(
                &self,
                head: &http::request::Parts,
                _now: std::time::SystemTime,
            ) -> Result<[u8; 32], crate::Rejection> {
                self.rules.presented(&head.headers)
            }

            fn check_body(
                &self,
                presented: [u8; 32],
                _head: &http::request::Parts,
                body: &bytes::Bytes,
                _now: std::time::SystemTime,
            ) -> Result<crate::Delivery<$event>, crate::Rejection> {
                let (key_index, identity) = self.rules.verify(presented, body)?;
                let event = crate::vobiz::object::parse::<$event>(body)?;
                let kind = event.kind();
                Ok(crate::Delivery::new(event, kind, crate::Covers::Body)
                    .with_key_index(key_index)
                    .with_identity(identity))
            }
        }

        /// Signs callbacks as Vobiz would: for tests and for trying a receiver out.
        #[cfg(feature = "test-util")]
        #[derive(Clone, Debug)]
        pub struct Signer {
            rules: crate::vobiz::body::Rules,
        }

        #[cfg(feature = "test-util")]
        impl Signer {
            #[doc = concat!("A signer with this key.\n\n# Errors\n\nAs for [`", stringify!($name), "::new`].")]
            pub fn new($secret: impl AsRef<[u8]>) -> Result<Self, crate::ConfigError> {
                Ok(Self { rules: crate::vobiz::body::Rules::new($family, $header, $prefix, $secret)? })
            }
        }

        #[cfg(feature = "test-util")]
        impl crate::Signer for Signer {
            /// Sets the family's header.
            fn sign(
                &self,
                request: http::Request<bytes::Bytes>,
                _now: std::time::SystemTime,
            ) -> http::Request<bytes::Bytes> {
                self.rules.sign(request)
            }
        }
    };
}

pub(super) use family;
