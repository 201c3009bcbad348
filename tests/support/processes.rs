//! Receivers as processes of their own, and a client for them.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// A receiver on a port of its own; killed when dropped.
pub struct Receiver {
    child: Child,
    pub addr: String,
    lines: Arc<Mutex<Vec<serde_json::Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Receiver {
    pub fn start(variables: &[(&str, &str)]) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let mut receiver = Self::start_with(variables, move |line| {
            let line =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            seen.lock().unwrap().push(line);
        });
        receiver.lines = lines;
        receiver
    }

    /// Hands on the lines that it prints, and keeps none.
    pub fn start_with(
        variables: &[(&str, &str)],
        mut printed: impl FnMut(String) + Send + 'static,
    ) -> Self {
        // Beside the folder of the test itself.
        let test = std::env::current_exe().unwrap();
        let path: PathBuf = test.parent().unwrap().parent().unwrap().join("examples/receiver");
        let mut child = Command::new(&path)
            .env("RECEIVER_ADDR", "127.0.0.1:0")
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --examples` makes it", path.display())
            });

        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader =
            std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(&mut printed));
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let addr = stderr
            .by_ref()
            .find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned))
            .expect("the receiver did not start");
        std::thread::spawn(move || stderr.for_each(drop));
        Self { child, addr, lines: Arc::default(), reader: Some(reader) }
    }

    #[allow(dead_code, reason = "not every test asks")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its memory in bytes, as the system sees it.
    #[cfg(target_os = "linux")]
    #[allow(dead_code, reason = "not every test asks")]
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// Asks it to end, as an orchestrator does, and waits until it has.
    #[allow(dead_code, reason = "not every test asks")]
    pub fn terminate(&mut self) {
        let status = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
    }

    /// Ends it and returns all that it has printed.
    pub fn end(&mut self) -> Vec<serde_json::Value> {
        self.kill();
        self.reader.take().map(JoinHandle::join).transpose().expect("a line is no JSON");
        std::mem::take(&mut self.lines.lock().unwrap())
    }

    /// Waits for the first line.
    pub fn wait_for_a_line(&self) {
        let start = Instant::now();
        while self.lines.lock().unwrap().is_empty() {
            assert!(start.elapsed() < Duration::from_secs(60), "no line");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone)]
pub struct Sender(Client<HttpConnector, Full<Bytes>>);

impl Sender {
    /// Sends one request 128 times at once, in turns to each of two addresses: it is handled,
    /// repeated or in flight.
    pub async fn contend(&self, pair: [&str; 2], request: Request<Bytes>) {
        let request = Arc::new(request);
        let mut tasks = tokio::task::JoinSet::new();
        for contender in 0..128 {
            let (sender, request, addr) =
                (self.clone(), Arc::clone(&request), pair[contender % 2].to_owned());
            tasks.spawn(async move { sender.send(&addr, &request).await });
        }
        while let Some(status) = tasks.join_next().await {
            assert!(matches!(status.unwrap(), 200 | 409));
        }
    }

    pub fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// What is found there.
    #[allow(dead_code, reason = "not every test asks")]
    pub async fn get(&self, addr: &str, path: &str) -> String {
        let answer = self.0.get(format!("http://{addr}{path}").parse().unwrap()).await.unwrap();
        String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
    }

    /// The status; 0 if there was no answer.
    pub async fn send(&self, addr: &str, request: &Request<Bytes>) -> u16 {
        let mut request = request.clone();
        *request.uri_mut() =
            format!("http://{addr}{}", request.uri().path_and_query().unwrap()).parse().unwrap();
        match self.0.request(request.map(Full::new)).await {
            Ok(response) => {
                let status = response.status().as_u16();
                let _ = response.into_body().collect().await;
                status
            }
            Err(_) => 0,
        }
    }
}
