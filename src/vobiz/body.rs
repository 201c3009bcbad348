//! The signature that five families share: HMAC-SHA256 of the body as received, in hex, in one
//! header.

use super::key::Key;
use crate::{
    ConfigError, Content, Covers, Identity, Proof, Rejection, exactly_one,
    signature::{find, from_hex, malformed},
};
use http::{HeaderMap, HeaderName};
use std::borrow::Cow;

#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) header: HeaderName,
    pub(super) prefix: Cow<'static, str>,
    pub(super) keys: Vec<Key>,
}

impl Rules {
    pub(super) fn new(
        header: &'static str,
        prefix: &'static str,
        secret: impl AsRef<[u8]>,
    ) -> Result<Self, ConfigError> {
        let header = HeaderName::from_static(header);
        Ok(Self { header, prefix: Cow::Borrowed(prefix), keys: vec![Key::new(secret)?] })
    }

    /// Decodes the presented signature, whose hex digits may be in either case.
    pub(super) fn presented(&self, headers: &HeaderMap) -> Result<[u8; 32], Rejection> {
        let digits = exactly_one(headers, &self.header)?
            .strip_prefix(&*self.prefix)
            .ok_or_else(|| malformed("signature: without the family's prefix"))?;
        from_hex(digits, "signature: not 64 hex digits")
    }

    pub(super) fn verify(&self, mac: [u8; 32], body: &[u8]) -> Result<Proof, Rejection> {
        let (key_index, _) = find(&self.keys, &mac, |key| Some(key.sign(&[body])))?;
        let identity = Identity::new(&[&mac], Content::Signed);
        Ok(Proof { covers: Covers::Body, key_index, signed_at: None, identity: Some(identity) })
    }

    #[cfg(feature = "test-util")]
    pub(super) fn sign(&self, request: http::Request<bytes::Bytes>) -> http::Request<bytes::Bytes> {
        let signed = self
            .keys
            .first()
            .map(|key| base16ct::lower::encode_string(&key.sign(&[request.body()])));
        let value = [&*self.prefix, &*signed.unwrap_or_default()].concat();
        crate::signer::with_headers(request, [(&self.header, value)])
    }
}

/// Defines a family's provider and signer as thin wrappers of [`Rules`].
macro_rules! family {
    (
        $(#[$meta:meta])*
        pub struct $name:ident:
            $label:literal, $header:literal, $prefix:literal, $secret:ident: $event:ident
    ) => {
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
            /// [`ConfigError`](crate::ConfigError) for a key that is empty or has white space
            /// around it.
            pub fn new($secret: impl AsRef<[u8]>) -> Result<Self, crate::ConfigError> {
                Ok(Self { rules: crate::vobiz::body::Rules::new($header, $prefix, $secret)? })
            }

            /// Accepts a further key, for rotations.
            /// [`Metadata::key_index`](crate::Metadata::key_index) tells which one verified a
            /// delivery.
            ///
            /// # Errors
            ///
            /// As for [`new`](Self::new).
            pub fn also_accept(
                mut self,
                $secret: impl AsRef<[u8]>,
            ) -> Result<Self, crate::ConfigError> {
                self.rules.keys.push(crate::vobiz::key::Key::new($secret)?);
                Ok(self)
            }
        }

        impl crate::Provider for $name {
            const NAME: &'static str = $label;
            const CREDENTIALS: &'static [&'static str] = &[$header];
            /// The presented signature.
            type FromHead = [u8; 32];
            type Event = $event;

            fn is_credential(&self, _: &[u8; 32], name: &http::HeaderName) -> bool {
                *name == self.rules.header
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
                let proof = self.rules.verify(presented, body)?;
                let event = <$event>::from_body(body).unwrap_or_else(<$event>::Unknown);
                Ok(crate::Delivery::of(event, proof))
            }
        }

        /// Signs callbacks as Vobiz does, for tests and for trying out a receiver.
        #[cfg(feature = "test-util")]
        #[derive(Clone, Debug)]
        pub struct Signer {
            rules: crate::vobiz::body::Rules,
        }

        #[cfg(feature = "test-util")]
        impl Signer {
            /// A signer with this key.
            ///
            /// # Errors
            ///
            #[doc = concat!("As for [`", stringify!($name), "::new`].")]
            pub fn new($secret: impl AsRef<[u8]>) -> Result<Self, crate::ConfigError> {
                Ok(Self { rules: crate::vobiz::body::Rules::new($header, $prefix, $secret)? })
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
