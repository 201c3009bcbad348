//! How the examples begin and end as processes: their variables, warnings and signals.
#![cfg(all(feature = "vobiz", feature = "zegocloud", unix))]

use crate::support::{
    processes::{Running, Sender, example, listening, signal},
    zegocloud::{SECRET, signed},
};
use bytes::Bytes;
use http::Request;
use std::{
    ffi::OsStr,
    io::Write,
    net::TcpStream,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A file without a tenant; removed when dropped.
struct NoTenants(PathBuf);

impl NoTenants {
    fn new(test: &str) -> Self {
        let name = format!("no-tenants-{}-{test}.json", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "{}").unwrap();
        Self(path)
    }
}

impl Drop for NoTenants {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// How it ends, and how long after the call.
async fn wait(running: &mut Running) -> (ExitStatus, Duration) {
    let start = Instant::now();
    loop {
        if let Some(status) = running.child.try_wait().unwrap() {
            return (status, start.elapsed());
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn at_any_port(name: &str) -> Command {
    let mut example = example(name);
    example.env("ADDR", "127.0.0.1:0");
    example
}

/// Half a head is waited for, but not for ever.
async fn ends_beside_half_a_request(name: &str, example: &mut Command) {
    let mut running = Running::start(example);
    let mut half = TcpStream::connect(&running.addr).unwrap();
    half.write_all(b"POST /z HTTP/1.1\r\nhost: test\r\n").unwrap();
    // Connections are accepted in their order: the first one is, too, once this one is answered.
    let request = Request::post("/z").body(Bytes::new()).unwrap();
    assert!(Sender::new().send(&running.addr, &request).await > 0, "{name}");
    signal(&running.child, "TERM");
    let (end, after) = wait(&mut running).await;
    assert_eq!(end.code(), Some(0), "{name}: {end}");
    assert!(after <= Duration::from_secs(20), "{name}: {after:?}");
}

#[tokio::test]
async fn attack_half_a_request_does_not_hold_up_the_end() {
    let tenants = NoTenants::new("signal");
    let (mut queue, mut grpc) = (at_any_port("queue"), at_any_port("grpc"));
    let mut tenant = at_any_port("tenants");
    tenant.env("TENANTS_FILE", &tenants.0);
    tokio::join!(
        ends_beside_half_a_request("queue", &mut queue),
        ends_beside_half_a_request("grpc", &mut grpc),
        ends_beside_half_a_request("tenants", &mut tenant),
    );
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn attack_half_a_request_does_not_hold_up_the_end_of_the_ledger() {
    let postgres = crate::support::postgres::Postgres::start().await;
    let mut ledger = at_any_port("ledger");
    ends_beside_half_a_request("ledger", ledger.env("POSTGRES_URL", postgres.url())).await;
}

#[test]
fn a_variable_that_is_not_utf_8_is_an_error_that_names_it() {
    let tenants = NoTenants::new("variable");
    for (name, variables) in [
        ("queue", &["ADDR", "REDIS_URL", "QUEUE_CAPACITY", "ZEGOCLOUD_CALLBACK_SECRET"][..]),
        ("hyper", &["ADDR", "ZEGOCLOUD_CALLBACK_SECRET"]),
        ("grpc", &["ADDR", "ZEGOCLOUD_CALLBACK_SECRET"]),
        ("tenants", &["ADDR"]),
        #[cfg(feature = "postgres")]
        ("ledger", &["POSTGRES_URL", "LEDGER_CRASH", "LEDGER_LEASE_MS"]),
    ] {
        for variable in variables {
            let mut example = at_any_port(name);
            example.env("TENANTS_FILE", &tenants.0);
            // Nobody is asked there: the variable is looked at first.
            example.env("POSTGRES_URL", "postgres://127.0.0.1:9/none");
            let output = example.env(variable, OsStr::from_bytes(b"caf\xe9")).output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name} {variable}: {stderr}");
            let names = format!("{variable}: not UTF-8");
            assert!(stderr.contains(&names) && !stderr.contains("listening"), "{name}: {stderr}");
        }
    }
}

#[test]
fn the_published_secret_is_warned_of_as_by_the_receiver() {
    let warning = |line: &String| {
        line == "warning: zegocloud: no variable is set, so the published demo values are used: \
                 anybody can forge events"
    };
    for name in ["queue", "hyper", "grpc"] {
        let demo = Running::start(&mut at_any_port(name));
        assert!(demo.greeting.iter().any(warning), "{name}: {:?}", demo.greeting);
        let secret = ("ZEGOCLOUD_CALLBACK_SECRET", SECRET);
        let own = Running::start(at_any_port(name).envs([secret]));
        assert!(!own.greeting.iter().any(|line| line.starts_with("warning")), "{name}");
    }
}

/// A queue whose output nobody reads any more; it has ended after one event.
async fn a_queue_without_a_reader(queue: &mut Command) {
    let secret = ("ZEGOCLOUD_CALLBACK_SECRET", SECRET);
    let (mut queue, addr) = listening(queue.envs([secret]).stdout(Stdio::piped()));
    drop(queue.stdout.take());
    let event = signed("/zegocloud", r#"{"event":"room_create","room_id":"lobby"}"#);
    assert_eq!(Sender::new().send(&addr, &event).await, 200);
    let start = Instant::now();
    let end = loop {
        if let Some(end) = queue.try_wait().unwrap() {
            break end;
        }
        if start.elapsed() > Duration::from_secs(60) {
            queue.kill().unwrap();
            queue.wait().unwrap();
            panic!("it lives on without its worker");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(end.code(), Some(1), "{end}");
}

#[tokio::test]
async fn a_queue_that_cannot_print_ends_with_an_error() {
    a_queue_without_a_reader(&mut at_any_port("queue")).await;
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn an_event_that_could_not_be_printed_stays_in_redis() {
    use crate::support::{processes::PATIENCE, redis::Redis};

    let redis = Redis::start();
    a_queue_without_a_reader(at_any_port("queue").env("REDIS_URL", redis.url())).await;
    assert_eq!(redis.command::<usize>(&["XLEN", "webhooks"]), 1);
    // The next worker does it.
    let next = Running::start(at_any_port("queue").env("REDIS_URL", redis.url()));
    let line = next.stdout.recv_timeout(PATIENCE).unwrap();
    assert!(line.starts_with("room_create ") && line.contains("lobby"), "{line}");
}

/// Its claim would last for ten minutes, and a receiver that shares the store would refuse the
/// sender's retries for as long.
#[cfg(all(feature = "geelark", feature = "stardust", feature = "redis"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_receiver_had_no_time_for_is_for_another_one() {
    use crate::support::{
        processes::{PATIENCE, Receiver},
        redis::Redis,
    };
    use http_body_util::Full;
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    let redis = Redis::start();
    let url = redis.url();
    let shared = [
        ("ZEGOCLOUD_CALLBACK_SECRET", SECRET),
        ("REDIS_URL", url.as_str()),
        ("RECEIVER_REDIS_TIMEOUT_MS", "10000"),
        ("RECEIVER_LEASE_MS", "600000"),
    ];
    let mut slow = example("receiver");
    slow.env("RECEIVER_ADDR", "127.0.0.1:0").envs(shared).env("RECEIVER_DELAY_MS", "600000");
    let mut slow = Running::start(&mut slow);
    let events =
        ["one", "two"].map(|room| format!(r#"{{"event":"room_create","room_id":"{room}"}}"#));
    let events = events.map(|body| signed("/zegocloud", body));
    for (event, http2) in events.iter().zip([false, true]) {
        let mut event = event.clone();
        *event.uri_mut() = format!("http://{}/zegocloud", slow.addr).parse().unwrap();
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        tokio::spawn(client.request(event.map(Full::new)));
    }
    // The handler prints an event before it is slow.
    for _ in &events {
        slow.stdout.recv_timeout(PATIENCE).unwrap();
    }
    signal(&slow.child, "TERM");
    let (end, after) = wait(&mut slow).await;
    assert!(end.code() == Some(0) && after <= Duration::from_secs(20), "{end} {after:?}");

    let mut other = Receiver::start(&shared);
    let sender = Sender::new();
    for event in &events {
        assert_eq!(sender.send(&other.addr, event).await, 200);
    }
    let lines = other.end();
    assert_eq!(lines.iter().filter(|line| line["attempt"] == 2).count(), 2, "{lines:?}");
}
