//! Examples as processes of their own, and a client for them.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver as Lines},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The example's executable, beside the folder of the test itself, without what the test has in
/// its environment.
pub fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "no {}: `cargo build --examples` makes it", path.display());
    let mut command = Command::new(path);
    command.env_clear();
    command
}

/// Starts an example and waits until it says where it listens. What else it says on stderr is
/// dropped.
pub fn listening(example: &mut Command) -> (Child, String) {
    let mut child = example.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let addr = stderr
        .by_ref()
        .find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned))
        .expect("the example did not start");
    std::thread::spawn(move || stderr.for_each(drop));
    (child, addr)
}

/// A running example, of which every line can be read; killed when dropped.
pub struct Running {
    pub child: Child,
    pub addr: String,
    /// What it says before it listens.
    pub greeting: Vec<String>,
    pub stdout: Lines<String>,
    pub stderr: Lines<String>,
}

impl Running {
    pub fn start(example: &mut Command) -> Self {
        let mut child = example.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) =
            (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let mut greeting = Vec::new();
        let addr = loop {
            let line = stderr.recv_timeout(PATIENCE).expect("it does not say where it listens");
            match line.strip_prefix("listening on http://") {
                Some(addr) => break addr.to_owned(),
                None => greeting.push(line),
            }
        };
        Self { child, addr, greeting, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends it `TERM` or another signal.
pub fn signal(process: &Child, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &process.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

fn lines(pipe: impl Read + Send + 'static) -> Lines<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(pipe).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    receiver
}

/// For what a busy machine may take its time with.
pub const PATIENCE: Duration = Duration::from_secs(300);

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
        let (mut child, addr) = listening(
            example("receiver")
                .env("RECEIVER_ADDR", "127.0.0.1:0")
                .envs(variables.iter().copied())
                .stdout(Stdio::piped()),
        );
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader =
            std::thread::spawn(move || stdout.lines().map_while(Result::ok).for_each(&mut printed));
        Self { child, addr, lines: Arc::default(), reader: Some(reader) }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its memory in bytes, as the system sees it.
    #[cfg(target_os = "linux")]
    pub fn resident(&self) -> usize {
        super::cpu::memory_of(self.child.id(), "VmRSS")
    }

    /// Asks it to end, as an orchestrator does, and waits until it has.
    pub fn terminate(&mut self) {
        signal(&self.child, "TERM");
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
        // Tests side by side, with their receivers and stores, open more files than some machines
        // allow.
        rlimit::increase_nofile_limit(8192).ok();
        // A receiver closes an idle connection after 10 s.
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(Duration::from_secs(2));
        Self(client.build_http())
    }

    /// What is found there.
    pub async fn get(&self, addr: &str, path: &str) -> String {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        super::text(self.answer(addr, &request).await.unwrap()).await.1
    }

    /// What is answered to the request within a minute: a test that waits for ever tells nothing.
    pub async fn answer(
        &self,
        addr: &str,
        request: &Request<Bytes>,
    ) -> Result<Response<Incoming>, Error> {
        let mut request = request.clone();
        *request.uri_mut() =
            format!("http://{addr}{}", request.uri().path_and_query().unwrap()).parse().unwrap();
        let answer = self.0.request(request.map(Full::new));
        tokio::time::timeout(Duration::from_secs(60), answer).await.expect("no answer")
    }

    /// The status, once the receiver has heard of its store: on a slow machine that takes longer
    /// than one request has.
    pub async fn send_in_time(&self, addr: &str, request: &Request<Bytes>) -> u16 {
        let start = Instant::now();
        loop {
            let status = self.send(addr, request).await;
            if status != 503 {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "no answer of the store's");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The status; 0 if there was no answer.
    pub async fn send(&self, addr: &str, request: &Request<Bytes>) -> u16 {
        match self.answer(addr, request).await {
            Ok(response) => {
                let status = response.status().as_u16();
                let _ = response.into_body().collect().await;
                status
            }
            Err(_) => 0,
        }
    }
}
