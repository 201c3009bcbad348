//! A Redis server of the test's own, on a free port.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

pub struct Redis {
    port: u16,
    dir: PathBuf,
    more: Vec<String>,
    child: Child,
}

impl Redis {
    /// Starts a server that forgets nothing at a restart.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts one with more settings.
    pub fn with(more: &[&str]) -> Self {
        let port = free_port();
        let more = more.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        let dir = std::env::temp_dir().join(format!("tower-webhooks-redis-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let child = spawn(port, &dir, &more);
        let mut redis = Self { port, dir, more, child };
        redis.wait();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends a command on a connection of its own.
    pub fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let (name, arguments) = words.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut connection).unwrap()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.more);
        self.wait();
    }

    /// `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
    }

    fn wait(&mut self) {
        let start = Instant::now();
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                use std::io::{Read, Write};
                stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
                let mut answer = [0; 5];
                if stream.write_all(b"PING\r\n").is_ok()
                    && stream.read_exact(&mut answer).is_ok()
                    && (&answer == b"+PONG" || answer.starts_with(b"-"))
                {
                    return;
                }
            }
            assert!(start.elapsed() < Duration::from_secs(60), "redis-server does not answer");
            assert!(self.child.try_wait().unwrap().is_none(), "redis-server has ended");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn spawn(port: u16, dir: &PathBuf, more: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args(["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"])
        .arg("--dir")
        .arg(dir)
        .args(more)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is not installed: `apt-get install redis-server`")
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
