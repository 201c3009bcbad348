//! The id of a delivery.

use serde::{Serialize, Serializer};
use std::fmt;

/// Identifies a delivery, as 32 hexadecimal digits: the same for every attempt and repeat.
///
/// In a unique column it keeps a delivery from having its effect twice: see
/// [exactly once](crate::guide::exactly_once). A retry that the sender signed anew has another id.
///
/// It is a digest of the provider's name, the [`Identity`](crate::Identity) and, with
/// [`Content::Part`](crate::Content::Part), the content. It reveals nothing about the key or the
/// signature.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(pub(crate) [u8; 16]);

/// The 16 bytes that the digits stand for.
impl AsRef<[u8]> for DeliveryId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}

impl Serialize for DeliveryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
