//! A Postgres server of the test's own, on a socket in a folder of its own.
#![allow(dead_code, reason = "not every test needs all of it")]

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgPool, PgPoolOptions},
};
use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

pub struct Postgres {
    dir: PathBuf,
    settings: Vec<String>,
    child: Child,
}

impl Postgres {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// A server with these settings, such as `max_connections=10`.
    pub async fn start_with(settings: &[&str]) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir()
            .join(format!("tower-webhooks-postgres-{}-{number}", std::process::id()));
        // A process of this number may have left one behind.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        if is_root() {
            chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let made = command("initdb")
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--pgdata",
            ])
            .arg(dir.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect::<Vec<_>>();
        let child = spawn(&dir, &settings);
        let mut postgres = Self { dir, settings, child };
        postgres.wait().await;
        postgres
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.dir.display())
    }

    pub fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new().socket(&self.dir).username("postgres").database("postgres")
    }

    pub async fn pool(&self) -> PgPool {
        PgPoolOptions::new().connect_with(self.options()).await.unwrap()
    }

    /// Ends it as a crash does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub async fn restart(&mut self) {
        self.child = spawn(&self.dir, &self.settings);
        self.wait().await;
    }

    /// `STOP` or `CONT`, to the server and its sessions.
    pub fn signal(&self, name: &str) {
        let server = self.child.id().to_string();
        let status = Command::new("pkill")
            .args([&format!("-{name}"), "--parent", &server])
            .status()
            .unwrap();
        // 1: there is no session.
        assert!(matches!(status.code(), Some(0 | 1)), "{status}");
        assert!(
            Command::new("kill").args([&format!("-{name}"), &server]).status().unwrap().success()
        );
    }

    async fn wait(&mut self) {
        let start = Instant::now();
        // A killed server's sessions take a moment to notice, and the new one waits for them.
        while let Err(error) = self.options().connect().await {
            assert!(start.elapsed() < Duration::from_secs(60), "postgres does not answer: {error}");
            if self.child.try_wait().unwrap().is_some() {
                self.child = spawn(&self.dir, &self.settings);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn spawn(dir: &Path, settings: &[String]) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(dir.join("log")).unwrap();
    command("postgres")
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        // What the kernel has been given outlives the server, if not the machine.
        .args(["-c", "listen_addresses=", "-c", "fsync=off"])
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// A program of Postgres's, which Debian keeps out of the `PATH`, as a user that it accepts.
fn command(name: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.split('.').next()?.parse().ok()?;
            let programs = version.path().join("bin");
            // A client has a folder too.
            programs.join("initdb").exists().then_some((number, programs))
        })
        .max();
    let program = newest.map_or_else(|| PathBuf::from(name), |(_, programs)| programs.join(name));
    let mut command = Command::new(program);
    command.current_dir("/");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, but with its sessions, whose files the folder holds, and which may be paused.
        let server = self.child.id().to_string();
        for (program, arguments) in [
            ("pkill", ["-CONT", "--parent", &server].as_slice()),
            ("kill", &["-CONT", &server]),
            ("kill", &["-QUIT", &server]),
        ] {
            let _ = Command::new(program).args(arguments).stderr(Stdio::null()).status();
        }
        let start = Instant::now();
        while self.child.try_wait().is_ok_and(|ended| ended.is_none())
            && start.elapsed() < Duration::from_secs(5)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// `nobody` on Debian.
const NOBODY: u32 = 65534;
