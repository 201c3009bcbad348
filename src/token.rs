//! Credentials sent verbatim in a header: bearer tokens and key ids.

use crate::{ConfigError, Rejection, RejectionKind, Secret};

/// Takes a secret that a header can carry.
pub(crate) fn new(secret: impl AsRef<[u8]>) -> Result<Secret, ConfigError> {
    let bytes = secret.as_ref();
    let secret = Secret::new(bytes)?;
    if bytes.len() > MAX_LEN || !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(ConfigError::new(
            "the value is not visible ASCII of at most 1,000 bytes, as a header carries it",
        ));
    }
    Ok(secret)
}

/// The digest of a presented token, to compare with [`Secret::id`]: comparing digests takes the
/// same time for every token, whatever its length.
pub(crate) fn presented(text: &str) -> Result<[u8; 32], Rejection> {
    let secret = Secret::new(text).map_err(|_| Rejection::new(RejectionKind::CredentialWrong))?;
    Ok(*secret.id())
}

/// Together with `Bearer: ` at most what `exactly_one` accepts.
const MAX_LEN: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::find;

    #[test]
    fn attack_near_misses() {
        let secrets = [new("another").unwrap(), new("token-1").unwrap()];
        let found = |text| {
            find(&secrets, &presented(text)?, |secret| Some(*secret.id())).map(|(index, _)| index)
        };
        assert_eq!(found("token-1").unwrap(), 1);
        for wrong in
            ["", " ", "t", "token-", "token-11", "TOKEN-1", " token-1", "token-1 ", "token-2"]
        {
            assert_eq!(
                found(wrong).unwrap_err().kind(),
                RejectionKind::CredentialWrong,
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn what_no_header_carries_is_refused() {
        for bad in ["", " ", "token\n", "to\tken", "tök", &"a".repeat(1001)] {
            assert!(new(bad).is_err(), "{bad:?}");
        }
        assert!(new("two words").is_ok());
        assert!(new("a".repeat(1000)).is_ok());
    }
}
