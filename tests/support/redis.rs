//! A Redis server of the test's own, on a free port.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{io::copy_bidirectional, sync::watch};

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
        Self::from_file("", more)
    }

    /// Starts one that watches over `primary`, by that name. It takes a slow primary for a slow
    /// one: who kills it says how long it may be silent. A failover that came to nothing is tried
    /// again after twice its time limit.
    pub fn sentinel(primary: &Self) -> Self {
        let monitor = format!("sentinel monitor primary 127.0.0.1 {} 1", primary.port);
        let limits = "sentinel down-after-milliseconds primary 60000\n\
            sentinel failover-timeout primary 5000\n";
        Self::from_file(&format!("{monitor}\n{limits}"), &["--sentinel"])
    }

    fn from_file(settings: &str, more: &[&str]) -> Self {
        let port = free_port();
        let more = more.iter().copied().map(str::to_owned).collect::<Vec<_>>();
        let dir = std::env::temp_dir()
            .join(format!("tower-webhooks-redis-{}-{port}", std::process::id()));
        // A process of this number may have left one behind.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("redis.conf"), settings).unwrap();
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

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.signal("TERM");
        self.child.wait().unwrap();
    }

    /// What `INFO` says of it by that name.
    fn info(&self, name: &str) -> Option<String> {
        let info: String = self.command(&["INFO"]);
        info.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.to_owned()))
    }

    /// Waits until the replica knows all that it knows.
    pub fn replicated_to(&self, replica: &Self) {
        let start = Instant::now();
        let offset = |redis: &Self, name: &str| redis.info(name)?.parse::<u64>().ok();
        let known = offset(self, "master_repl_offset").unwrap();
        while replica.info("master_link_status").as_deref() != Some("up")
            || offset(replica, "slave_repl_offset").is_none_or(|offset| offset < known)
        {
            assert!(start.elapsed() < Duration::from_secs(60), "the replica does not catch up");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether its file holds what it knows. A replica that was sent everything writes its file
    /// anew in the background; killed before that is done, it would come back without.
    fn has_written(&self) -> bool {
        [("aof_enabled", "1"), ("aof_rewrite_in_progress", "0"), ("aof_rewrite_scheduled", "0")]
            .into_iter()
            .all(|(name, value)| self.info(name).as_deref() == Some(value))
    }

    /// Hands its place as the primary over to its replica, with all that it knows.
    pub fn fail_over_to(&self, replica: &Self) {
        let start = Instant::now();
        let role = |redis: &Self| redis.command::<Vec<redis::Value>>(&["ROLE"]).swap_remove(0);
        while !self.command::<String>(&["INFO", "replication"]).contains("state=online")
            || !replica.has_written()
        {
            assert!(start.elapsed() < Duration::from_secs(60), "the replica does not catch up");
            std::thread::sleep(Duration::from_millis(10));
        }
        let () = self.command(&["FAILOVER"]);
        while role(replica) != redis::Value::BulkString(b"master".to_vec()) {
            assert!(start.elapsed() < Duration::from_secs(60), "the replica does not take over");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.more);
        self.wait();
    }

    /// `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Until it answers, and has read what it had written before.
    fn wait(&mut self) {
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < Duration::from_secs(60), "redis-server does not answer");
            // A program that is being started holds for a moment what this process had open, the
            // probe of the port included.
            if self.child.try_wait().unwrap().is_some() {
                self.child = spawn(self.port, &self.dir, &self.more);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Whether it answers, and is the server of this test: another process's may have taken the
    /// port in between.
    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        if stream.write_all(b"PING\r\nINFO server\r\n").is_err() {
            return false;
        }
        let mut answer = BufReader::new(stream).lines().map_while(Result::ok);
        match answer.next() {
            // It says nothing more to those without a password.
            Some(pong) if pong.starts_with("-NOAUTH") => true,
            Some(pong) if !pong.starts_with("-LOAD") => {
                let process = answer.find(|line| line.starts_with("process_id:"));
                process == Some(format!("process_id:{}", self.child.id()))
            }
            _ => false,
        }
    }
}

/// An address that stays while what is behind it changes. Connections that are open stay where they
/// are.
pub struct Address {
    port: u16,
    target: Arc<AtomicU16>,
    connections: Arc<AtomicUsize>,
    severed: watch::Sender<()>,
}

impl Address {
    pub async fn of(redis: &Redis) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = Self {
            port: listener.local_addr().unwrap().port(),
            target: Arc::new(redis.port().into()),
            connections: Arc::default(),
            severed: watch::Sender::new(()),
        };
        let (target, connections) = (Arc::clone(&address.target), Arc::clone(&address.connections));
        let severed = address.severed.subscribe();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let target = target.load(Ordering::Relaxed);
                let mut severed = severed.clone();
                severed.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut server) =
                        tokio::net::TcpStream::connect(("127.0.0.1", target)).await
                    else {
                        return;
                    };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        Ok(()) = severed.changed() => std::future::pending().await,
                    }
                });
            }
        });
        address
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn moves_to(&self, redis: &Redis) {
        self.target.store(redis.port(), Ordering::Relaxed);
    }

    /// Nothing passes any more on the connections that are open, and neither side hears of it.
    pub fn sever(&self) {
        self.severed.send_replace(());
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A port that nobody else is given. Those that the system gives to clients begin above it: one of
/// them could take the port while its server restarts, or connect to itself.
pub fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> = LazyLock::new(|| fastrand::u16(10_000..25_000).into());
    std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// The store, once it has connected: for that a slow machine takes longer than one call has.
#[cfg(feature = "redis")]
pub async fn connected(
    store: tower_webhooks::replay::RedisStore,
) -> tower_webhooks::replay::RedisStore {
    use tower_webhooks::replay::{Claim, ReplayStore as _};

    let (start, minute) = (Instant::now(), Duration::from_secs(60));
    // Nobody has made it, so that nothing comes of it.
    let claim = Claim::for_test([0; 16], [0; 16], 0, minute, minute);
    while let Err(error) = store.renew(claim.clone()).await {
        assert!(start.elapsed() < minute, "{error:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store
}

fn spawn(port: u16, dir: &PathBuf, more: &[String]) -> Child {
    Command::new("redis-server")
        .arg(dir.join("redis.conf"))
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
        .args([
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--maxmemory-policy",
            "noeviction",
        ])
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
