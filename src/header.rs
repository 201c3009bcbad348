//! Reading a header that carries a credential.

use crate::{Rejection, RejectionKind, signature::malformed};
use http::{HeaderMap, header::AsHeaderName};

/// Returns the value of a header that occurs exactly once.
///
/// The value has 1 to 1024 bytes of visible ASCII and spaces, and no tabs.
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
/// [`RejectionKind::CredentialMissing`] if the header is absent, else
/// [`RejectionKind::CredentialMalformed`]. Repeated lines are refused: a proxy and an application
/// could pick different ones, and a forged one could pass.
pub fn exactly_one(headers: &HeaderMap, name: impl AsHeaderName) -> Result<&str, Rejection> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(Rejection::new(RejectionKind::CredentialMissing))?;
    if lines.next().is_some() {
        return Err(malformed("the header occurs more than once"));
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
