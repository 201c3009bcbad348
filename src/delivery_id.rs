//! The name of a delivery.

use serde::{Serialize, Serializer};
use std::fmt;

/// What a signature stands for, as 32 hexadecimal digits: the same for every attempt and every
/// repeat under one signature, another one for every other.
///
/// As a unique column it keeps a delivery from having its effect twice: see
/// [exactly once](crate::guide::exactly_once). A retry that the sender signed anew has another one.
///
/// Two requests with it were made with the same key and the same signature. Where honest requests
/// can share a signature ([`Content::Part`](crate::Content::Part)), they had the same content as
/// well. Nothing about the key or the signature can be learnt from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId([u8; 16]);

impl DeliveryId {
    pub(crate) fn new(key: [u8; 16]) -> Self {
        Self(key)
    }
}

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
