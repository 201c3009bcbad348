//! The callback secret of the examples that need no other variable of a provider.

use std::env::{self, VarError};

/// `ZEGOCLOUD_CALLBACK_SECRET`, or the receiver's demo value if it is not set.
pub fn callback_secret() -> Result<String, &'static str> {
    match env::var("ZEGOCLOUD_CALLBACK_SECRET") {
        Err(VarError::NotPresent) => Ok("demo-zegocloud-callback-secret".to_owned()),
        secret => secret.map_err(|_| "ZEGOCLOUD_CALLBACK_SECRET: not UTF-8"),
    }
}
