//! The signals that end an example.

use std::{future::Future, io};
use tokio::signal::unix::{SignalKind, signal};

/// Resolves at SIGINT or SIGTERM. From the call on neither ends the process by itself.
pub fn ended() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
