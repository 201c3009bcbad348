//! Key material that cannot be printed, compared or left empty.

use sha2::{Digest, Sha256};
use std::fmt;

/// A shared secret, token or key of a provider.
///
/// There is no `PartialEq`, because the time that `==` takes leaks the content. `Debug` prints
/// nothing of it.
///
/// ```
/// use tower_webhooks::Secret;
///
/// let secret = Secret::new("5f4dcc3b5aa765d6")?;
/// assert_eq!(format!("{secret:?}"), "Secret(..)");
///
/// assert!(Secret::new("").is_err());
/// assert!(Secret::new("5f4dcc3b5aa765d6\n").is_err());
/// # Ok::<(), tower_webhooks::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Secret {
    bytes: Box<[u8]>,
    id: [u8; 32],
}

impl Secret {
    /// Takes a secret as the provider's console shows it.
    ///
    /// For a binary key, such as one decoded from base64, use [`from_bytes`](Self::from_bytes).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an empty or blank secret and for white space at either end: a line feed
    /// at the end of a file would turn every genuine callback into a 401.
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let bytes = secret.as_ref();
        if bytes.trim_ascii().is_empty() {
            return Err(ConfigError::new("the secret is empty"));
        }
        if bytes.trim_ascii().len() != bytes.len() {
            return Err(ConfigError::new("the secret begins or ends with white space"));
        }
        Self::from_bytes(bytes)
    }

    /// Takes a binary key. It may begin or end with white space, as one random key in 26 does.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for an empty key.
    pub fn from_bytes(key: impl AsRef<[u8]>) -> Result<Self, ConfigError> {
        let bytes = key.as_ref();
        if bytes.is_empty() {
            return Err(ConfigError::new("the secret is empty"));
        }
        let id = Sha256::new_with_prefix(b"tower-webhooks secret\0")
            .chain_update(bytes)
            .finalize()
            .into();
        Ok(Self { bytes: bytes.into(), id })
    }

    /// The key itself, for computing a signature. Keep it out of logs and error messages.
    pub fn expose_secret(&self) -> &[u8] {
        &self.bytes
    }

    /// A digest that identifies this secret without revealing it.
    ///
    /// Add it to an [`Identity`](crate::Identity) that has no MAC, so that tenants that share a
    /// replay store stay apart.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// An invalid setting, such as an empty secret, a window of a year or a public URL with a query.
///
/// It never contains the offending value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    problem: &'static str,
}

impl ConfigError {
    /// Creates an error from a sentence that names the problem and not the value.
    pub const fn new(problem: &'static str) -> Self {
        Self { problem }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_blank_secrets_are_refused() {
        for bad in ["", " ", "\t\n", " key", "key ", "key\n", "key\r\n"] {
            assert!(Secret::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Secret::new("clé 1").unwrap().expose_secret(), "clé 1".as_bytes());
    }

    #[test]
    fn a_binary_key_may_have_any_ends() {
        for key in [&b"\x20\xff\x0a"[..], b" ", b"\0"] {
            assert_eq!(Secret::from_bytes(key).unwrap().expose_secret(), key);
        }
        assert!(Secret::from_bytes("").is_err());
        assert_eq!(Secret::from_bytes("key").unwrap().id(), Secret::new("key").unwrap().id());
    }

    #[test]
    fn debug_prints_nothing_of_it() {
        let secret = Secret::new("hunter2hunter2").unwrap();
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "Secret(..) Some(Secret(..))");
    }
}
