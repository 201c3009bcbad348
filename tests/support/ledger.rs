//! The example `ledger` as a process of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A ledger on a port of its own; killed when dropped.
pub struct Ledger {
    child: Child,
    pub addr: String,
}

impl Ledger {
    pub fn start(variables: &[(&str, &str)]) -> Self {
        // Beside the folder of the test itself.
        let test = std::env::current_exe().unwrap();
        let path = test.parent().unwrap().parent().unwrap().join("examples/ledger");
        let mut child = Command::new(&path)
            .env("ADDR", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --examples` makes it", path.display())
            });
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let addr = stderr
            .by_ref()
            .find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned))
            .expect("the ledger did not start");
        std::thread::spawn(move || stderr.for_each(drop));
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
