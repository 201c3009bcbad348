//! Claims of a memory store, for its tests in two binaries.

use futures_util::FutureExt as _;
use std::time::Duration;
use tower_webhooks::replay::{Claim, Outcome};

pub fn key(number: u64) -> [u8; 16] {
    let spread = |salt: u64| {
        (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(salt | 1)
    };
    let mut key = [0; 16];
    key[..8].copy_from_slice(&spread(0x0123_4567_89ab_cdef).to_be_bytes());
    key[8..].copy_from_slice(&spread(0xfedc_ba98_7654_3210).to_be_bytes());
    key
}

pub fn claim(number: i64, token: i64, retention: u64) -> Claim {
    Claim::for_test(
        key(number as u64),
        [1; 16],
        token,
        Duration::from_secs(15),
        Duration::from_secs(retention),
    )
}

/// The memory store never waits.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the memory store waited")
}

pub fn done() -> Outcome {
    Outcome::done(None)
}
