//! Secrets that a sender presents as they are, in a header.

use crate::{ConfigError, Secret};
use hmac::digest::CtOutput;
use sha2::Sha256;

/// Takes a secret that a header can hold.
pub(crate) fn new(secret: impl AsRef<[u8]>) -> Result<Secret, ConfigError> {
    let bytes = secret.as_ref();
    let secret = Secret::new(bytes)?;
    if bytes.len() > MAX_LEN || !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(ConfigError::new("the value is not visible ASCII of at most 1 KiB, so no header can carry it"));
    }
    Ok(secret)
}

/// What was presented, hashed: comparing digests takes the same time whatever was presented, and however long it was.
pub(crate) struct Presented(Option<CtOutput<Sha256>>);

impl Presented {
    pub(crate) fn new(text: &str) -> Self {
        Self(Secret::new(text).ok().map(|secret| digest(&secret)))
    }

    pub(crate) fn is(&self, secret: &Secret) -> bool {
        self.0.as_ref().is_some_and(|presented| *presented == digest(secret))
    }
}

fn digest(secret: &Secret) -> CtOutput<Sha256> {
    CtOutput::new((*secret.id()).into())
}

// What `header::exactly_one` passes.
const MAX_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_near_misses() {
        let secret = new("token-1").unwrap();
        assert!(Presented::new("token-1").is(&secret));
        for wrong in ["", " ", "t", "token-", "token-11", "TOKEN-1", " token-1", "token-1 ", "token-2"] {
            assert!(!Presented::new(wrong).is(&secret), "{wrong:?}");
        }
    }

    #[test]
    fn what_no_header_carries_is_refused() {
        for bad in ["", " ", "token\n", "to\tken", "tök", &"a".repeat(1025)] {
            assert!(new(bad).is_err(), "{bad:?}");
        }
        assert!(new("two words").is_ok());
        assert!(new("a".repeat(1024)).is_ok());
    }
}
