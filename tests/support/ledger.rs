//! The example `ledger` as a process of its own.

use super::processes::{example, listening};
use std::{
    process::Child,
    time::{Duration, Instant},
};

/// A ledger on a port of its own; killed when dropped.
pub struct Ledger {
    child: Child,
    pub addr: String,
}

impl Ledger {
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let mut example = example("ledger");
        let (child, addr) =
            listening(example.env("ADDR", "127.0.0.1:0").envs(variables.iter().copied()));
        Self { child, addr }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended itself.
    pub fn crashed(&mut self) {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "the ledger is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
