//! Reading a header that carries a credential.
//!
//! ```
//! use http::{HeaderMap, HeaderName, HeaderValue};
//! use tower_webhooks::{RejectionKind, header::exactly_one};
//!
//! static SIGN: HeaderName = HeaderName::from_static("x-sign");
//! let mut headers = HeaderMap::new();
//! assert_eq!(exactly_one(&headers, &SIGN).unwrap_err().kind(), RejectionKind::CredentialMissing);
//!
//! headers.append(&SIGN, HeaderValue::from_static("a3a4f944"));
//! assert_eq!(exactly_one(&headers, &SIGN)?, "a3a4f944");
//!
//! headers.append(&SIGN, HeaderValue::from_static("a3a4f944"));
//! assert_eq!(exactly_one(&headers, &SIGN).unwrap_err().kind(), RejectionKind::CredentialMalformed);
//! # Ok::<(), tower_webhooks::Rejection>(())
//! ```

use crate::{Rejection, RejectionKind};
use http::{HeaderMap, HeaderName};

/// The header's value, as it is, if there is exactly one line of it, in visible ASCII and spaces (no tabs), of 1 to 1024
/// bytes.
///
/// # Errors
///
/// [`RejectionKind::CredentialMissing`] for none, [`RejectionKind::CredentialMalformed`] for the rest. Two lines are
/// never joined: a proxy and an application that pick different ones is how forged headers pass.
pub fn exactly_one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, Rejection> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().ok_or(Rejection::new(RejectionKind::CredentialMissing))?;
    let malformed = |detail| Rejection::new(RejectionKind::CredentialMalformed).with_detail(detail);
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
        static NAME: HeaderName = HeaderName::from_static("x-sign");
        for bad in ["", "\t", "é", &"a".repeat(1025)] {
            let mut headers = HeaderMap::new();
            headers.insert(&NAME, HeaderValue::from_bytes(bad.as_bytes()).unwrap());
            assert_eq!(exactly_one(&headers, &NAME).unwrap_err().kind(), RejectionKind::CredentialMalformed, "{bad}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(&NAME, HeaderValue::from_str(&"a".repeat(1024)).unwrap());
        assert_eq!(exactly_one(&headers, &NAME).unwrap().len(), 1024);
    }
}
