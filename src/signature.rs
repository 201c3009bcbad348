//! Decoding a presented MAC, and finding the key that made it.

use crate::{Rejection, RejectionKind};
use ctutils::CtEq;

/// Decodes exactly `2 * N` hex digits, in either case.
///
/// ```
/// use tower_webhooks::{RejectionKind, from_hex};
///
/// assert_eq!(from_hex("0aFF", "signature: not 4 hex digits")?, [10, 255]);
/// for malformed in ["0aF", "0aFF00", "0xFF", " 0aF"] {
///     let refused =
///         from_hex::<2>(malformed, "signature: not 4 hex digits").unwrap_err();
///     assert_eq!(refused.kind(), RejectionKind::CredentialMalformed);
/// }
/// # Ok::<(), tower_webhooks::Rejection>(())
/// ```
///
/// # Errors
///
/// [`RejectionKind::CredentialMalformed`] with `detail` for any other text.
pub fn from_hex<const N: usize>(text: &str, detail: &'static str) -> Result<[u8; N], Rejection> {
    let mut bytes = [0; N];
    let is_whole =
        base16ct::mixed::decode(text, &mut bytes).is_ok_and(|decoded| decoded.len() == N);
    if is_whole { Ok(bytes) } else { Err(malformed(detail)) }
}

/// Finds the first key whose MAC equals the presented one, and its index. `mac` returns `None` to
/// skip a key.
pub(crate) fn find<'a, K, const N: usize>(
    keys: &'a [K],
    presented: &[u8; N],
    mac: impl Fn(&K) -> Option<[u8; N]>,
) -> Result<(usize, &'a K), Rejection> {
    let made_it = |key: &K| mac(key).is_some_and(|mac| same(&mac, presented));
    keys.iter()
        .enumerate()
        .find(|(_, key)| made_it(key))
        .ok_or(Rejection::new(RejectionKind::CredentialWrong))
}

/// Whether the two are equal, compared in constant time.
pub(crate) fn same<T: CtEq + ?Sized>(a: &T, b: &T) -> bool {
    a.ct_eq(b).into()
}

/// The rejection of a credential that is not of the documented form.
pub(crate) fn malformed(detail: &'static str) -> Rejection {
    Rejection::new(RejectionKind::CredentialMalformed).with_detail(detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attack_one_spelling_of_hex_but_for_its_case() {
        assert_eq!(from_hex("00fFAb", "").unwrap(), [0, 255, 171]);
        for bad in [
            "",
            "00ffa",
            "00ffab0",
            "00ffab00",
            "0x00ff",
            " 00ffa",
            "00ffag",
            "00ff\u{ff41}",
            "+0+f+a",
        ] {
            assert_eq!(
                from_hex::<3>(bad, "x").unwrap_err().kind(),
                RejectionKind::CredentialMalformed,
                "{bad}"
            );
        }
    }

    #[test]
    fn attack_each_key_is_tried_and_none_by_its_beginning() {
        let keys = [[1, 2, 3], [1, 2, 4], [9, 9, 9], [1, 2, 4]];
        let found = |presented: [u8; 3]| {
            find(&keys, &presented, |key| (key[0] != 9).then_some(*key))
                .map(|(index, key)| (index, *key))
        };
        assert_eq!(found([1, 2, 4]).unwrap(), (1, [1, 2, 4]));
        for wrong in [[1, 2, 0], [0, 2, 3], [0, 0, 0], [9, 9, 9]] {
            assert_eq!(
                found(wrong).unwrap_err().kind(),
                RejectionKind::CredentialWrong,
                "{wrong:?}"
            );
        }
    }
}
