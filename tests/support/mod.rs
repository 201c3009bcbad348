//! What tests of more than one group need.
#![allow(dead_code, reason = "each group uses its share")]

#[cfg(unix)]
pub mod browser;
pub mod closed;
#[cfg(target_os = "linux")]
pub mod cpu;
pub mod events;
pub mod hostile;
pub mod ledger;
pub mod letterbox;
#[cfg(feature = "tracing")]
pub mod log;
#[cfg(all(feature = "postgres", unix))]
pub mod postgres;
pub mod processes;
pub mod redis;
#[cfg(feature = "zegocloud")]
pub mod zegocloud;
