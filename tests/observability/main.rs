//! Spans, log lines and metrics. A binary of its own, whose tests run one at a time: which
//! callsites are switched on is one table for the whole process.
#![cfg(all(feature = "stardust", feature = "zegocloud", feature = "tracing", feature = "metrics"))]

#[path = "../support/mod.rs"]
mod support;

mod layer;
mod replay;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Every test holds it to its end.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
