//! What a subscriber writes.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
};
use tracing::{Dispatch, Level, Subscriber, subscriber::DefaultGuard};

#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Logs what this thread does, until the guard is dropped.
    pub fn install(&self) -> DefaultGuard {
        self.install_at(Level::TRACE)
    }

    pub fn install_at(&self, level: Level) -> DefaultGuard {
        // Of a lone subscriber `tracing` takes the callsites that other threads come by first for
        // switched off.
        static SECOND: LazyLock<Dispatch> =
            LazyLock::new(|| Dispatch::new(Log::default().subscriber(Level::TRACE)));
        LazyLock::force(&SECOND);
        tracing::subscriber::set_default(self.subscriber(level))
    }

    fn subscriber(&self, level: Level) -> impl Subscriber + Send + Sync + use<> {
        let log = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
