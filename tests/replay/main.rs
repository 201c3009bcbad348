//! Single use: the guard in one process and in several, and every store.

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "zegocloud")]
mod handler;
mod layer;
mod life;
mod memory;
mod postgres;
mod processes;
mod providers;
mod redis;
mod soak;
mod store;
mod trouble;
