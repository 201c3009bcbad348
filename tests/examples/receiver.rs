//! The examples `receiver` and `send` as processes of their own: what strangers can do to one, and
//! what both print.
#![cfg(all(
    feature = "geelark",
    feature = "stardust",
    feature = "vobiz",
    feature = "zegocloud",
    target_os = "linux"
))]

use crate::support::{
    cpu::{cpu_of, memory_of},
    processes::{PATIENCE, Running, example, signal},
    signed,
};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::ffi::OsStrExt,
    process::{ChildStderr, ChildStdout, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime},
};
use tower_webhooks::zegocloud::Signer;

const SECRET: &str = "a callback secret of the receiver";
const MIB: usize = 1 << 20;

struct Receiver {
    running: Running,
    addr: SocketAddr,
}

impl Receiver {
    fn start() -> Self {
        Self::start_with(&[("ZEGOCLOUD_CALLBACK_SECRET", SECRET)])
    }

    /// One that waits for bodies for longer than a test takes.
    fn patient() -> Self {
        let vars = [("ZEGOCLOUD_CALLBACK_SECRET", SECRET), ("RECEIVER_READ_TIMEOUT_MS", "600000")];
        Self::start_with(&vars)
    }

    fn start_with(vars: &[(&str, &str)]) -> Self {
        let mut example = example("receiver");
        let running =
            Running::start(example.env("RECEIVER_ADDR", "127.0.0.1:0").envs(vars.iter().copied()));
        Self { addr: running.addr.parse().unwrap(), running }
    }

    /// One whose stderr is read as far as its address, and whose stdout is not.
    fn unread() -> (Self, BufReader<ChildStderr>, ChildStdout) {
        let mut child = example("receiver")
            .env("RECEIVER_ADDR", "127.0.0.1:0")
            .env("ZEGOCLOUD_CALLBACK_SECRET", SECRET)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut greeting = Vec::new();
        let addr = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it does not say where it listens: {greeting:?}");
            match line.trim_end().strip_prefix("listening on http://") {
                Some(addr) => break addr.to_owned(),
                None => greeting.push(line),
            }
        };
        let nothing = || mpsc::channel().1;
        let running = Running { child, addr, greeting, stdout: nothing(), stderr: nothing() };
        (Self { addr: running.addr.parse().unwrap(), running }, stderr, stdout)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Posts it on a connection of its own and returns the status.
    fn post(&self, body: &[u8]) -> u16 {
        let mut stream = self.connect();
        stream.write_all(&head(&format!("content-length: {}", body.len()))).unwrap();
        stream.write_all(body).unwrap();
        status(&mut stream).expect("no answer")
    }

    /// Nothing that was sent before is printed: the line of this is the next one.
    fn prints_nothing_else(&self) {
        let end = body_of(r#"{"event":"room_close","room_id":"the end"}"#);
        assert_eq!(self.post(&end), 200);
        let line = self.line();
        assert!(line.contains("the end"), "{line}");
    }

    fn line(&self) -> String {
        self.running.stdout.recv_timeout(PATIENCE).expect("the receiver prints nothing")
    }

    fn memory(&self, what: &str) -> usize {
        memory_of(self.running.child.id(), what)
    }

    fn cpu(&self) -> Duration {
        cpu_of(&self.running.child.id().to_string())
    }

    /// Waits until it has read all that was sent to it.
    fn wait_until_drained(&self) {
        self.wait_while("does not read", |fields, port| {
            let (unsent, unread) = fields[4].split_once(':').unwrap();
            let busy = |queue: &str| queue != "00000000";
            // On its side what it has not read, on the clients' what they have not sent.
            fields[1].ends_with(port) && busy(unread) || fields[2].ends_with(port) && busy(unsent)
        });
    }

    /// Waits until it has closed every connection.
    fn wait_until_closed(&self) {
        self.wait_while("does not close", |fields, port| {
            // Open, or closed by the client alone.
            fields[1].ends_with(port) && matches!(fields[3], "01" | "08")
        });
    }

    /// Waits while a line in the system's table of connections is like that.
    fn wait_while(&self, what: &str, is_so: impl Fn(&[&str], &str) -> bool) {
        let port = format!(":{:04X}", self.addr.port());
        let deadline = Instant::now() + PATIENCE;
        let waiting = || {
            let table = fs::read_to_string("/proc/net/tcp").unwrap();
            table.lines().skip(1).any(|line| {
                let fields: Vec<&str> = line.split_whitespace().collect();
                is_so(&fields, &port)
            })
        };
        // Twice: bytes may pass to a line that was read from one that is read next.
        while waiting() || waiting() {
            assert!(Instant::now() < deadline, "the receiver {what}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        signal(&self.running.child, name);
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.running.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the receiver does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Asks it to end, and expects that it does so in order.
    fn terminate(&mut self) {
        self.signal("TERM");
        let end = self.wait();
        assert_eq!(end.code(), Some(0), "{end}");
    }
}

fn head(headers: &str) -> Vec<u8> {
    format!("POST /zegocloud HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n{headers}\r\n\r\n")
        .into_bytes()
}

/// The status of the next response; `None` if the connection ends without one.
fn status(stream: &mut TcpStream) -> Option<u16> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        line.extend_from_slice(&byte);
    }
    std::str::from_utf8(&line).ok()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// Signed now, with a nonce of its own.
fn body_of(json: impl Into<Bytes>) -> Bytes {
    signed(&Signer::new(SECRET).unwrap(), "/", json).into_body()
}

fn room_close() -> Bytes {
    body_of(r#"{"event":"room_close","room_id":"lobby"}"#)
}

const FORGED: &[u8] =
    br#"{"event":"room_close","timestamp":"1763680000","nonce":"1","signature":"00"}"#;

fn raise_file_limit() {
    let limit = rlimit::increase_nofile_limit(8192).unwrap();
    assert!(limit >= 4096, "the machine allows {limit} open files only");
}

// What strangers can do to it.

#[test]
fn attack_one_byte_chunks_cost_no_more_than_their_bytes() {
    // Unoptimised, hyper takes longer than the deadline of 10 s for six million chunks, and a body
    // that is late is gone.
    let (statuses, most) = post_in_one_byte_chunks(&Receiver::patient(), 100, 64 << 10);
    println!(
        "100 bodies of 64 KiB in chunks of one byte: {:.1} MiB at most",
        most as f64 / MIB as f64
    );
    assert!(most <= 32 * MIB, "{most} bytes");
    assert!(statuses.iter().all(|status| *status == Some(200)), "{statuses:?}");
}

/// The answers, and by how much the receiver's memory grew; no body ends before all of them are
/// there.
fn post_in_one_byte_chunks(
    receiver: &Receiver,
    connections: usize,
    length: usize,
) -> (Vec<Option<u16>>, usize) {
    assert_eq!(receiver.post(&room_close()), 200);
    let before = receiver.memory("VmRSS");
    let requests: Vec<Vec<u8>> = (0..connections)
        .map(|_| {
            let body =
                body_of(format!(r#"{{"event":"room_close","pad":"{}"}}"#, "x".repeat(length)));
            let mut chunks = head("transfer-encoding: chunked");
            for byte in &body[..body.len() - 2] {
                chunks.extend_from_slice(b"1\r\n");
                chunks.push(*byte);
                chunks.extend_from_slice(b"\r\n");
            }
            chunks
        })
        .collect();
    // The receiver gives each connection 10 s for its head.
    let send = |chunks: &Vec<u8>| {
        let mut stream = receiver.connect();
        stream.write_all(chunks).ok();
        stream
    };
    let mut streams: Vec<TcpStream> = requests.iter().map(send).collect();
    receiver.wait_until_drained();
    for stream in &mut streams {
        stream.write_all(b"2\r\n\"}\r\n0\r\n\r\n").ok();
    }
    let statuses = streams.iter_mut().map(status).collect();
    (statuses, receiver.memory("VmHWM").saturating_sub(before))
}

#[test]
fn attack_stalled_bodies_are_answered_and_cheap_and_keep_nobody_out() {
    const CONNECTIONS: usize = 1500;

    raise_file_limit();
    let receiver = Receiver::start();
    assert_eq!(receiver.post(&room_close()), 200);
    let before = receiver.memory("VmRSS");

    let mut stalled = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut stream = receiver.connect();
        let mut start = head("content-length: 2000");
        start.extend_from_slice(&[b' '; 500]);
        stream.write_all(&start).unwrap();
        stalled.push((stream, Instant::now()));
    }
    receiver.wait_until_drained();
    let start = Instant::now();
    assert_eq!(receiver.post(&room_close()), 200, "beside them");
    let beside = start.elapsed();
    let mut slowest = Duration::ZERO;
    for (stream, since) in &mut stalled {
        assert_eq!(status(stream), Some(408));
        slowest = slowest.max(since.elapsed());
    }
    let most = receiver.memory("VmHWM");
    println!(
        "{CONNECTIONS} stalled bodies: {:.1} MiB at most, the last 408 after {slowest:.1?}, a \
         delivery beside them took \
         {beside:.1?}",
        (most - before) as f64 / MIB as f64
    );
    // At the deadline of 10 s, and what a busy machine adds to it.
    assert!(slowest <= Duration::from_secs(60), "{slowest:?}");
    assert!(most - before <= 64 * MIB, "{} bytes", most - before);
    assert_eq!(receiver.post(&room_close()), 200, "after them");
}

#[test]
fn attack_disconnects_in_the_middle_leave_nothing_running() {
    let receiver = Receiver::start();
    for n in 0..200 {
        let mut stream = receiver.connect();
        let start = if n % 2 == 0 {
            head("content-length: 2000")
        } else {
            head("transfer-encoding: chunked")
        };
        stream.write_all(&start).unwrap();
        stream.write_all(b"5\r\n{\"a\":\r\n").unwrap();
    }
    receiver.wait_until_closed();
    let before = receiver.cpu();
    thread::sleep(Duration::from_secs(2));
    let used = receiver.cpu() - before;
    println!("2 s after 200 disconnects in the middle: {used:?} of CPU");
    assert!(used <= Duration::from_millis(100), "{used:?}");
    assert_eq!(receiver.post(&room_close()), 200);
}

#[test]
fn attack_a_declared_length_of_terabytes_is_413_at_once() {
    // What waits for the body has no answer in time.
    let receiver = Receiver::patient();
    assert_eq!(receiver.post(&room_close()), 200);
    let before = ["VmRSS", "VmSize"].map(|what| receiver.memory(what));
    for declared in ["6597069766656", "262145"] {
        let mut stream = receiver.connect();
        stream
            .write_all(&head(&format!("content-length: {declared}\r\nexpect: 100-continue")))
            .unwrap();
        let start = Instant::now();
        assert_eq!(status(&mut stream), Some(413), "{declared}");
        assert!(start.elapsed() < Duration::from_secs(60));
    }
    assert!(receiver.memory("VmRSS").saturating_sub(before[0]) < 4 * MIB);
    // What is only reserved shows here. A thread's arena is 64 MiB.
    assert!(receiver.memory("VmSize").saturating_sub(before[1]) < 1024 * MIB);
}

#[test]
fn attack_connections_that_say_nothing_are_closed() {
    let receiver = Receiver::start();
    // `P` may be the beginning of HTTP/1 and of HTTP/2.
    let silent = ["", "P"].map(|said| {
        let begin = Instant::now();
        let mut stream = receiver.connect();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        thread::spawn(move || {
            match stream.read_to_end(&mut Vec::new()) {
                Ok(_) => {}
                // It is closed with a byte that was not read.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
                Err(error) => panic!("{said:?}: {error}"),
            }
            (said, begin.elapsed())
        })
    });
    for closed in silent {
        let (said, after) = closed.join().unwrap();
        println!("{said:?}: closed after {after:.1?}");
        // After 10 s, and what a busy machine adds to it.
        assert!(after >= Duration::from_secs(5), "{said:?}: {after:?}");
        assert!(after < Duration::from_secs(60), "{said:?}: {after:?}");
    }
    assert_eq!(receiver.post(&room_close()), 200);
}

#[test]
fn attack_refusals_that_nobody_reads_about_hold_up_nobody() {
    let (mut receiver, stderr, _stdout) = Receiver::unread();
    for number in 0..3000 {
        assert_eq!(receiver.post(FORGED), 401, "{number}");
    }
    receiver.terminate();
    drop(stderr);

    let (mut receiver, stderr, _stdout) = Receiver::unread();
    drop(stderr);
    for number in 0..100 {
        assert_eq!(receiver.post(FORGED), 401, "{number}");
    }
    receiver.terminate();
}

#[test]
fn attack_forged_and_odd_requests_are_refused() {
    let receiver = Receiver::start();
    assert_eq!(receiver.post(FORGED), 401);
    assert_eq!(receiver.post(b"not JSON"), 400);
    let mut stream = receiver.connect();
    stream.write_all(b"GET /zegocloud HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    assert_eq!(status(&mut stream), Some(405));
    let mut stream = receiver.connect();
    stream.write_all(&head("content-encoding: gzip\r\ncontent-length: 0")).unwrap();
    assert_eq!(status(&mut stream), Some(415));
    receiver.prints_nothing_else();
    for (part, look_at) in
        [("401", "the family"), ("400", "the family"), ("405", "the method"), ("415", "a proxy")]
    {
        let line = receiver.running.stderr.recv_timeout(PATIENCE).unwrap();
        assert!(line.starts_with(&format!("refused with {part}: ")), "{line}");
        assert!(line.contains(&format!("; first look at {look_at}")), "{line}");
        assert!(
            !line.contains("1763680000") && !line.contains("not JSON"),
            "nothing of the request: {line}"
        );
    }
}

#[test]
fn a_refusal_says_what_to_look_at_first() {
    use tower_webhooks::{Signer, vobiz, zegocloud};

    let token = "a token of the receiver";
    let voice = [("VOBIZ_AUTH_TOKEN", token), ("VOBIZ_PUBLIC_URL", "https://public.example")];
    let receiver =
        Receiver::start_with(&[("ZEGOCLOUD_CALLBACK_SECRET", SECRET), voice[0], voice[1]]);
    let send = |signer: &dyn Signer, path: &str, at: SystemTime, expected: u16| {
        let request = Request::post(path).body(Bytes::from(r#"{"event":"room_close"}"#)).unwrap();
        let (head, body) = signer.sign(request, at).into_parts();
        let mut text = format!("POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in &head.headers {
            text += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        text += &format!("content-length: {}\r\n\r\n", body.len());
        let mut stream = receiver.connect();
        stream.write_all(text.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        assert_eq!(status(&mut stream), Some(expected));
        receiver.running.stderr.recv_timeout(PATIENCE).unwrap()
    };
    let now = SystemTime::now();
    let (zegocloud, other) = (
        zegocloud::Signer::new(SECRET).unwrap(),
        zegocloud::Signer::new("another secret").unwrap(),
    );
    let elsewhere = vobiz::voice::Signer::new(token, "http://internal.example").unwrap();
    let (hour, looks) = (Duration::from_secs(3600), |line: &str, look_at: &str| {
        assert!(line.contains(look_at), "{line}")
    });
    looks(
        &send(&zegocloud, "/zegocloud", now - hour, 401),
        "first look at the clock, or a retry under an old signature",
    );
    looks(
        &send(&zegocloud, "/zegocloud", now + hour, 401),
        "first look at the clock: it was signed 3",
    );
    looks(&send(&other, "/zegocloud", now, 401), "first look at the secret");
    let line = send(&elsewhere, "/vobiz/voice", now, 401);
    looks(&line, "first look at the public URL");
    // Without the feature the variable alone shows nothing.
    assert_eq!(line.contains("built with `--features tracing`"), cfg!(not(feature = "tracing")));
    let campaign = vobiz::campaign::Signer::new("another token").unwrap();
    looks(
        &send(&campaign, "/vobiz/campaign", now, 401),
        "first look at the secret, then the family",
    );
}

// What it prints, and how it ends.

#[test]
fn every_event_is_one_line_of_json() {
    let receiver = Receiver::start();
    let mut ids = Vec::new();
    let mut line = |body: &[u8]| -> Value {
        assert_eq!(receiver.post(body), 200);
        let mut printed: Value = serde_json::from_str(&receiver.line()).unwrap();
        let id = printed.as_object_mut().unwrap().remove("id").unwrap();
        let digits = id.as_str().unwrap();
        assert!(
            digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()),
            "{digits}"
        );
        assert!(!ids.contains(&id), "each delivery has its own");
        ids.push(id);
        printed
    };
    let stamp = |line: &Value| line["event"]["timestamp"].clone();

    let printed =
        line(&body_of(r#"{"event":"room_close","room_id":"lobby","close_reason":2,"later":1}"#));
    let event = json!({
        "event": "room_close", "timestamp": stamp(&printed), "room_id": "lobby", "close_reason": 2,
        "later": 1,
    });
    assert_eq!(
        printed,
        json!({
            "provider": "zegocloud", "kind": "room_close", "covers": "nothing", "attempt": 1,
            "misfits": [], "event": event,
        })
    );
    assert!(stamp(&printed).is_number());

    let printed = line(&body_of(
        "{\r\n  \"event\": \"from_tomorrow\",\r\n  \"data\": {\n    \"a\": [\n1.10,\n2]\r}\n}",
    ));
    let event = json!({
        "timestamp": stamp(&printed), "event": "from_tomorrow", "data": { "a": [1.10, 2] },
    });
    assert_eq!(
        printed,
        json!({
            "provider": "zegocloud", "kind": "unknown", "covers": "nothing", "attempt": 1,
            "misfits": [], "event": event,
        })
    );
    assert!(stamp(&printed).is_string(), "as it came");

    let printed = line(&body_of("{\"event\":\"room_close\",\"room_id\":\"two\\nlines\\u2028\"}"));
    assert_eq!(printed["event"]["room_id"], "two\nlines\u{2028}");

    let printed = line(&body_of(r#"{"event":"room_close","close_reason":"late"}"#));
    assert_eq!(printed["misfits"], json!(["close_reason"]));
    assert_eq!(printed["event"]["close_reason"], "late");

    receiver.prints_nothing_else();
}

#[test]
fn a_body_that_is_no_json_is_printed_as_a_string() {
    let receiver = Receiver::start_with(&[("GEELARK_TOKEN", "a-token")]);
    let mut stream = receiver.connect();
    let head = "POST /geelark/token HTTP/1.1\r\nhost: test\r\nauthorization: Bearer a-token\r\n";
    stream.write_all(format!("{head}content-length: 8\r\n\r\n<event/>").as_bytes()).unwrap();
    assert_eq!(status(&mut stream), Some(200));
    assert_eq!(
        serde_json::from_str::<Value>(&receiver.line()).unwrap(),
        json!({
            "provider": "geelark", "kind": "unknown", "id": null, "covers": "nothing",
            "attempt": 1, "misfits": [], "event": "<event/>",
        })
    );
}

#[test]
fn attack_no_credential_is_printed() {
    let mut receiver = Receiver::start();
    let mut credentials = Vec::new();
    for json in [r#"{"event":"room_close"}"#, r#"{"event":"from_tomorrow"}"#, r#"{"Event":"x"}"#] {
        let body = body_of(json);
        let sent: Value = serde_json::from_slice(&body).unwrap();
        for name in ["nonce", "signature", "Nonce", "Signature"] {
            credentials.extend(sent.get(name).map(|value| value.as_str().unwrap().to_owned()));
        }
        assert_eq!(receiver.post(&body), 200);
        let forged =
            String::from_utf8(body.to_vec()).unwrap().replace(r#"gnature":""#, r#"gnature":"0"#);
        assert_eq!(receiver.post(forged.as_bytes()), 401);
    }
    receiver.signal("TERM");
    assert!(receiver.wait().success());
    let printed: String = receiver
        .running
        .stdout
        .iter()
        .chain(receiver.running.stderr.iter())
        .chain(receiver.running.greeting.clone())
        .collect();
    assert!(printed.contains("from_tomorrow"));
    assert_eq!(credentials.len(), 6);
    for credential in credentials.iter().map(String::as_str).chain([SECRET]) {
        assert!(!printed.contains(credential), "{printed}");
    }
}

#[test]
fn sigterm_finishes_a_slow_request_and_exits_with_0() {
    for name in ["TERM", "INT"] {
        let mut receiver = Receiver::patient();
        let idle = receiver.connect();
        let body = room_close();
        let mut slow = receiver.connect();
        slow.write_all(&head(&format!("content-length: {}", body.len()))).unwrap();
        slow.write_all(&body[..20]).unwrap();
        receiver.wait_until_drained();

        receiver.signal(name);
        let said = receiver.running.stderr.recv_timeout(PATIENCE).unwrap();
        assert_eq!(said, "shutting down");
        assert!(TcpStream::connect(receiver.addr).is_err(), "no new connections");
        assert!(
            receiver.running.child.try_wait().unwrap().is_none(),
            "one request is still to be answered"
        );
        slow.write_all(&body[20..]).unwrap();
        assert_eq!(status(&mut slow), Some(200));
        let end = receiver.wait();
        assert_eq!(end.code(), Some(0), "{end}");
        // It says so if it has waited for a connection in vain.
        assert_eq!(receiver.running.stderr.iter().collect::<Vec<_>>(), [""; 0]);
        assert!(receiver.line().contains("room_close"));
        drop(idle);
    }
}

#[test]
fn an_open_page_does_not_hold_up_the_end() {
    let mut receiver = Receiver::start();
    let mut page = receiver.connect();
    page.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(status(&mut page), Some(200));
    receiver.signal("TERM");
    let end = receiver.wait();
    assert_eq!(end.code(), Some(0), "{end}");
    // It says so if it has waited for a connection in vain.
    assert_eq!(receiver.running.stderr.iter().collect::<Vec<_>>(), ["shutting down"]);
    page.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn events_that_nobody_reads_hold_up_only_themselves() {
    let (mut receiver, _stderr, stdout) = Receiver::unread();
    // Each is longer than a pipe has room.
    let body = || body_of(format!(r#"{{"event":"room_close","pad":"{}"}}"#, "x".repeat(250_000)));
    let mut waiting: Vec<TcpStream> = (0..8)
        .map(|_| {
            let (mut stream, body) = (receiver.connect(), body());
            stream.write_all(&head(&format!("content-length: {}", body.len()))).unwrap();
            stream.write_all(&body).unwrap();
            stream
        })
        .collect();
    receiver.wait_until_drained();
    let mut health = receiver.connect();
    health.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    assert_eq!(status(&mut health), Some(200));
    drop(health);
    receiver.terminate();
    for stream in &mut waiting {
        assert_ne!(status(stream), Some(200), "acknowledged and not printed");
    }
    drop(stdout);
}

#[test]
fn sigterm_right_after_the_start_exits_with_0() {
    for _ in 0..20 {
        Receiver::start().terminate();
    }
}

#[test]
fn the_demo_is_warned_of_only_when_no_variable_is_set() {
    let warns = |receiver: &Receiver| {
        receiver
            .running
            .greeting
            .iter()
            .any(|line| line.starts_with("warning: zegocloud: ") && line.contains("forge"))
    };
    let demo = Receiver::start_with(&[]);
    assert!(warns(&demo), "{:?}", demo.running.greeting);
    assert!(!warns(&Receiver::start()));
    let signer = Signer::new("demo-zegocloud-callback-secret").unwrap();
    let body = || signed(&signer, "/", r#"{"event":"x"}"#).into_body();
    assert_eq!(demo.post(&body()), 200);
    assert!(demo.line().starts_with('{'), "stdout is for events");
    assert_eq!(Receiver::start().post(&body()), 401, "not with a secret");
}

#[test]
fn a_blank_secret_is_an_error_that_names_the_variable() {
    for blank in ["", " ", "secret\n"] {
        let output = example("receiver")
            .env("RECEIVER_ADDR", "127.0.0.1:0")
            .env("ZEGOCLOUD_CALLBACK_SECRET", blank)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("receiver: ZEGOCLOUD_CALLBACK_SECRET: the secret "), "{stderr}");
        assert!(!stderr.contains("listening"), "{stderr}");
    }
}

#[test]
fn a_blank_parent_token_is_an_error_that_names_the_variable() {
    for blank in ["", " "] {
        let output = example("receiver")
            .env("RECEIVER_ADDR", "127.0.0.1:0")
            .env("VOBIZ_AUTH_TOKEN", "a token")
            .env("VOBIZ_PARENT_AUTH_TOKEN", blank)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let names = |line: &str| line.starts_with("receiver: VOBIZ_PARENT_AUTH_TOKEN: ");
        assert!(stderr.lines().any(names), "{stderr}");
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_an_error_that_names_it() {
    for name in ["REDIS_URL", "RECEIVER_ADDR", "ZEGOCLOUD_CALLBACK_SECRET"] {
        let output = example("receiver")
            .env("RECEIVER_ADDR", "127.0.0.1:0")
            .env(name, OsStr::from_bytes(b"caf\xe9"))
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let names = |line: &str| line.contains(name) && line.contains("not UTF-8");
        assert!(stderr.lines().any(names), "{name}: {stderr}");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let output = example("receiver").env("RECEIVER_ADDR", &addr).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("receiver: RECEIVER_ADDR {addr}: ")), "{stderr}");
}

// The sender.

fn run_send(receiver: SocketAddr, args: &[&str], secret: Option<&str>) -> (Option<i32>, String) {
    let mut command = example("send");
    command.env("RECEIVER_ADDR", receiver.to_string()).args(args);
    if let Some(secret) = secret {
        command.env("ZEGOCLOUD_CALLBACK_SECRET", secret);
    }
    let output = command.output().unwrap();
    let text =
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn send_exits_with_0_only_when_everything_was_accepted() {
    let receiver = Receiver::start();
    for event in ["stream_create", "room_create"] {
        let (code, text) = run_send(receiver.addr, &["zegocloud", event], Some(SECRET));
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("200 OK"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&receiver.line()).unwrap()["kind"], event);
    }
    let url = format!("http://{}/zegocloud", receiver.addr);
    let elsewhere = "127.0.0.1:9".parse().unwrap();
    let (code, text) = run_send(elsewhere, &["zegocloud", "--url", &url, "--secret", SECRET], None);
    assert_eq!(code, Some(0), "{text}");

    let (code, text) = run_send(receiver.addr, &["zegocloud"], Some("another secret"));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("401 Unauthorized") && text.contains("the same secret?"), "{text}");

    // It does not listen, and keeps the port from others.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let (code, text) = run_send(nobody.local_addr().unwrap(), &["zegocloud"], Some(SECRET));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is the receiver running?"), "{text}");

    let (code, text) = run_send(receiver.addr, &["zegocloud", "no_such_event"], Some(SECRET));
    assert_ne!(code, Some(0));
    assert!(text.contains("stream_create"), "it lists what there is: {text}");
    let (code, _) = run_send(receiver.addr, &["zegocloud", "--secret", ""], None);
    assert_ne!(code, Some(0));
}

#[test]
fn send_without_arguments_and_the_demo_receiver_suit_each_other() {
    let receiver = Receiver::start_with(&[]);
    let (code, text) = run_send(receiver.addr, &[], None);
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = run_send(receiver.addr, &[], None);
    assert_eq!(code, Some(0), "and again, signed anew: {text}");
}

#[test]
fn what_send_repeats_is_delivered_once_unless_nothing_is_signed() {
    let mut receiver = Receiver::start_with(&[]);
    let (code, text) = run_send(receiver.addr, &["--repeat"], None);
    assert_eq!((code, text.matches("200 OK").count()), (Some(0), 22), "{text}");
    receiver.terminate();
    let lines: Vec<Value> =
        receiver.running.stdout.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    let (unsigned, signed): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["id"].is_null());
    let ids: HashSet<_> = signed.iter().map(|line| line["id"].as_str()).collect();
    assert_eq!((signed.len(), ids.len()), (9, 9), "{lines:?}");
    let providers: Vec<_> = unsigned.iter().map(|line| line["provider"].as_str()).collect();
    assert_eq!(providers, ["geelark", "geelark", "stardust", "stardust"].map(Some));
}

#[test]
fn send_leaves_out_only_what_is_not_set() {
    for (name, value) in [
        ("RECEIVER_ADDR", &b"a b"[..]),
        ("RECEIVER_ADDR", b"caf\xe9"),
        ("ZEGOCLOUD_CALLBACK_SECRET", b" "),
        ("ZEGOCLOUD_CALLBACK_SECRET", b"caf\xe9"),
        ("VOBIZ_PUBLIC_URL", b"no origin"),
        ("VOBIZ_AUTH_TOKEN", b""),
    ] {
        let set = [("VOBIZ_AUTH_TOKEN", "a token")].into_iter().filter(|(set, _)| *set != name);
        let mut command = example("send");
        command.env("RECEIVER_ADDR", "127.0.0.1:9").envs(set);
        let output = command.env(name, OsStr::from_bytes(value)).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(output.stdout.is_empty(), "{name}: nothing is sent before all can be");
        let names = |line: &str| line.starts_with("send: ") && line.contains(name);
        assert!(stderr.lines().any(names), "{name}: {stderr}");
    }

    // A provider that is set in part does not keep the others from being sent.
    let receiver = Receiver::start_with(&[("GEELARK_TOKEN", "a token")]);
    let output = example("send")
        .env("RECEIVER_ADDR", receiver.addr.to_string())
        .env("GEELARK_TOKEN", "a token")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("left out: geelark: neither GEELARK_APP_ID nor --app-id"), "{stderr}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().matches("200 OK").count(), 10);
}

#[test]
fn send_does_not_wait_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let args = ["zegocloud", "--timeout", "1"];
    let (code, text) = run_send(silent.local_addr().unwrap(), &args, None);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("no answer within 1 s"), "{text}");
}

#[test]
fn a_flag_of_send_overrides_the_variable_of_its_key_alone() {
    let receiver = Receiver::start_with(&[
        ("GEELARK_APP_ID", "an app"),
        ("GEELARK_APP_KEY", "a key"),
        ("VOBIZ_PARENT_AUTH_TOKEN", "a parent's token"),
    ]);
    for args in [
        &["geelark", "--app-id", "an app", "--app-key", "a key"][..],
        &["vobiz-kyc", "--parent-auth-token", "a parent's token", "--app-key", "another's"],
    ] {
        let (code, text) = run_send(receiver.addr, args, None);
        assert_eq!(code, Some(0), "{text}");
        let warning = "warning: vobiz-kyc has no --app-key; it takes --parent-auth-token";
        assert_eq!(text.contains(warning), args[0] == "vobiz-kyc", "{text}");
    }
    let (code, text) = run_send(receiver.addr, &["geelark", "--app-id", "an app"], None);
    assert_eq!(code, Some(1), "not with the demo's key: {text}");
}
