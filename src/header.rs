//! Reading a header that carries a credential.

use crate::{Rejection, RejectionKind, signature::malformed};
use http::{HeaderMap, header::AsHeaderName};

/// The header's value, as it is, if there is exactly one line of it, in visible ASCII and spaces
/// (no tabs), of 1 to 1024 bytes.
///
/// ```
/// use http::{HeaderMap, HeaderValue};
/// use tower_webhooks::{RejectionKind, exactly_one};
///
/// let mut headers = HeaderMap::new();
/// assert_eq!(
///     exactly_one(&headers, "x-sign").unwrap_err().kind(),
///     RejectionKind::CredentialMissing
/// );
///
/// headers.append("x-sign", HeaderValue::from_static("a3a4f944"));
/// assert_eq!(exactly_one(&headers, "x-sign")?, "a3a4f944");
///
/// headers.append("x-sign", HeaderValue::from_static("a3a4f944"));
/// assert_eq!(
///     exactly_one(&headers, "x-sign").unwrap_err().kind(),
///     RejectionKind::CredentialMalformed
/// );
/// # Ok::<(), tower_webhooks::Rejection>(())
/// ```
///
/// # Errors
///
/// [`RejectionKind::CredentialMissing`] for none, [`RejectionKind::CredentialMalformed`] for the
/// rest. Two lines are never joined: a proxy and an application that pick different ones is how
/// forged headers pass.
pub fn exactly_one(headers: &HeaderMap, name: impl AsHeaderName) -> Result<&str, Rejection> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(Rejection::new(RejectionKind::CredentialMissing))?;
    if lines.next().is_some() {
        return Err(malformed("the header is there more than once"));
    }
    if line.is_empty() || line.len() > MAX_LEN {
        return Err(malformed("the header is empty or longer than 1 KiB"));
    }
    match line.to_str() {
        Ok(text) if !text.contains('\t') => Ok(text),
        _ => Err(malformed("the header is not visible ASCII")),
    }
}

const MAX_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn attack_odd_headers() {
        const NAME: &str = "x-sign";
        for bad in ["", "\t", "é", &"a".repeat(1025)] {
            let mut headers = HeaderMap::new();
            headers.insert(NAME, HeaderValue::from_bytes(bad.as_bytes()).unwrap());
            assert_eq!(
                exactly_one(&headers, NAME).unwrap_err().kind(),
                RejectionKind::CredentialMalformed,
                "{bad}"
            );
        }
        let mut headers = HeaderMap::new();
        headers.insert(NAME, HeaderValue::from_str(&"a".repeat(1024)).unwrap());
        assert_eq!(exactly_one(&headers, NAME).unwrap().len(), 1024);
    }
}
