//! The store in Redis against real servers: what it keeps, and what it does when they fail, move,
//! fill up or hang.
#![cfg(feature = "redis")]

use crate::support::redis::{Address, Redis, connected, free_port};
use futures_util::FutureExt;
use http::HeaderValue;
use redis::{
    AsyncConnectionConfig,
    cluster::ClusterClient,
    sentinel::{SentinelClient, SentinelServerType},
};
use std::{
    cell::Cell,
    error::Error,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tower_webhooks::replay::{
    Claim, Claimed, Outcome, RedisStore, ReplayStore, ReplayedResponse, StoreError, conformance,
};

const RETENTION: Duration = Duration::from_secs(60);
/// Sentinel does nothing for 30 s when it was stopped itself.
const PATIENCE: Duration = Duration::from_secs(120);

fn claim(key: u64, token: i64) -> Claim {
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&key.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    Claim::for_test(digest, [1; 16], token, Duration::from_secs(15), RETENTION)
}

fn done() -> Outcome {
    Outcome::done(None)
}

/// An error with its causes, as a log has it.
fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(|cause| format!(": {}", chain(cause)));
    format!("{error}{}", cause.unwrap_or_default())
}

/// Calls until it works, as the layer's retries do.
async fn in_the_end<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let start = Instant::now();
    loop {
        let failed = match timeout(Duration::from_secs(1), call()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(error)) => chain(&error),
            Err(_) => "no answer".to_owned(),
        };
        assert!(start.elapsed() < PATIENCE, "{failed}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The first answer that is not [`is_slow`].
async fn in_time<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let start = Instant::now();
    loop {
        match call().await {
            Err(slow) if is_slow(&slow) && start.elapsed() < PATIENCE => {}
            answer => return answer,
        }
    }
}

/// Connecting took longer than the 2 s that the store gives it, as on a slow machine.
fn is_slow(error: &StoreError) -> bool {
    chain(error).contains("timed out")
}

/// How many connections a store that needs one has begun since then: each but the last took more
/// than a second.
fn begun_since(start: Instant) -> RangeInclusive<usize> {
    1..=1 + start.elapsed().as_secs() as usize
}

/// Without the time limits of the client, which are shorter than a slow machine needs. The store
/// has one of its own for connecting, and the layer has one for each call.
fn no_limits() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}

/// Two stores that have connected keep the rules.
async fn conforms(store: impl Fn() -> RedisStore) {
    let pair = [connected(store()).await, connected(store()).await];
    let handles = Cell::new(0);
    conformance::check(|| pair[handles.replace(handles.get() + 1) % 2].clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    let redis = Redis::start();
    conforms(|| RedisStore::new(&redis.url()).unwrap()).await;
}

#[tokio::test]
async fn answers_are_kept() {
    let redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let answer = ReplayedResponse::new(
        HeaderValue::from_static("application/xml"),
        &b"<Response/>\0\xff"[..],
    );
    store.claim(claim(1, 1)).await.unwrap();
    store.finish(claim(1, 1), Outcome::done(Some(answer.clone()))).await.unwrap();
    assert_eq!(store.claim(claim(1, 2)).await.unwrap(), Claimed::done(Some(answer)));
}

#[tokio::test]
async fn prefixes_keep_apart() {
    let redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let other = store.clone().prefix("another:");
    assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    assert_eq!(other.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    let mut keys: Vec<String> = redis.command(&["KEYS", "*"]);
    keys.sort();
    assert_eq!(keys.len(), 2);
    assert!(keys[0].starts_with("another:") && keys[1].starts_with("tower-webhooks:"), "{keys:?}");
}

/// Redis expires by the wall clock: a step of a minute does no harm, and nothing stays for ever.
#[tokio::test]
async fn a_key_outlives_its_claim_by_a_minute() {
    let redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let bounds = RETENTION.as_millis() as i64 + 30_000..=RETENTION.as_millis() as i64 + 60_000;
    let key = || redis.command::<Vec<String>>(&["KEYS", "*"]).swap_remove(0);
    let left = || redis.command::<i64>(&["PTTL", &key()]);
    let nearly_over = || assert!(redis.command::<bool>(&["PEXPIRE", &key(), "40000"]));
    let lease = Duration::from_secs(50);
    let claim = || Claim::for_test([1; 16], [1; 16], 1, lease, RETENTION);
    store.claim(claim()).await.unwrap();
    assert!(bounds.contains(&left()), "{}", left());
    // So that what comes next has something to extend.
    nearly_over();
    assert!(store.renew(claim()).await.unwrap());
    assert!((40_001..=50_000).contains(&left()), "{}", left());
    nearly_over();
    assert!(store.finish(claim(), done()).await.unwrap());
    assert!(bounds.contains(&left()), "{}", left());
    let withdrawn = Claim::for_test([9; 16], [1; 16], 1, Duration::from_secs(15), RETENTION);
    store.claim(withdrawn.clone()).await.unwrap();
    store.finish(withdrawn, Outcome::Withdrawn).await.unwrap();
    assert_eq!(redis.command::<i64>(&["DBSIZE"]), 1);
}

/// A layer whose retention is shorter neither claims nor finishes for less time than another one.
#[tokio::test]
async fn attack_a_shorter_retention_ends_nothing_early() {
    let redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let [second, hour] = [1, 3600].map(Duration::from_secs);
    let claim = |token, retention| Claim::for_test([1; 16], [1; 16], token, second, retention);
    assert_eq!(store.claim(claim(1, hour)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1, hour), Outcome::Failed).await.unwrap());
    let key = redis.command::<Vec<String>>(&["KEYS", "*"]).swap_remove(0);
    let left = || redis.command::<i64>(&["PTTL", &key]);
    assert_eq!(store.claim(claim(2, second)).await.unwrap(), Claimed::won(2));
    assert!(left() > 3_000_000, "{}", left());
    assert!(store.finish(claim(2, second), done()).await.unwrap());
    assert!(left() > 3_000_000, "{}", left());
}

#[tokio::test]
async fn what_was_acknowledged_is_recorded_at_the_memory_limit() {
    let redis = Redis::start();
    let store = RedisStore::new(&redis.url()).unwrap();
    let (acknowledged, repeated, failed) = (claim(1, 1), claim(2, 1), claim(3, 1));
    for claim in [&acknowledged, &repeated, &failed] {
        let claimed = in_time(async || store.claim(claim.clone()).await).await;
        assert_eq!(claimed.unwrap(), Claimed::won(1));
    }
    store.finish(repeated, done()).await.unwrap();
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]);

    assert_eq!(store.claim(claim(4, 1)).await.unwrap(), Claimed::Full);
    assert!(store.renew(acknowledged.clone()).await.unwrap());
    let answer = ReplayedResponse::new(HeaderValue::from_static("text/plain"), vec![b'x'; 4096]);
    assert!(store.finish(acknowledged, Outcome::done(Some(answer.clone()))).await.unwrap());
    assert!(store.finish(failed, Outcome::Failed).await.unwrap());

    // What is known is answered, also at the limit and by another process.
    let other = RedisStore::new(&redis.url()).unwrap();
    let repeat = in_time(async || other.claim(claim(1, 2)).await).await;
    assert_eq!(repeat.unwrap(), Claimed::done(Some(answer)));
    assert_eq!(other.claim(claim(2, 2)).await.unwrap(), Claimed::done(None));
    assert_eq!(other.claim(claim(3, 2)).await.unwrap(), Claimed::Full);
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(other.claim(claim(3, 3)).await.unwrap(), Claimed::won(2));
    assert_eq!(other.claim(claim(4, 2)).await.unwrap(), Claimed::won(1));
}

/// The primary becomes the other's replica and the address moves, while the connection stays open:
/// `READONLY`. Or the replica that has answered so far has lost its primary: `MASTERDOWN`.
#[tokio::test]
async fn it_follows_a_failover() {
    for reply in ["READONLY", "MASTERDOWN"] {
        let mut old = Redis::with(&[
            "--replica-serve-stale-data",
            if reply == "MASTERDOWN" { "no" } else { "yes" },
        ]);
        let new = Redis::with(&["--replicaof", "127.0.0.1", &old.port().to_string()]);
        let address = Address::of(&old).await;
        let store = connected(RedisStore::new(&address.url()).unwrap()).await;
        let before = address.connections();
        assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
        assert!(store.finish(claim(1, 1), done()).await.unwrap());
        old.replicated_to(&new);

        let () = new.command(&["REPLICAOF", "NO", "ONE"]);
        let primary = if reply == "MASTERDOWN" { free_port() } else { new.port() };
        let () = old.command(&["REPLICAOF", "127.0.0.1", &primary.to_string()]);
        address.moves_to(&new);
        let (mut failed, mut slow) = (0, 0);
        for number in 0..150 {
            match store.claim(claim(100 + number, 1)).await {
                Ok(claimed) => assert_eq!(claimed, Claimed::won(1)),
                Err(error) if is_slow(&error) => slow += 1,
                Err(error) => {
                    assert!(error.is_disconnected() && error.is_unsent());
                    assert!(chain(&error).to_uppercase().contains(reply), "{}", chain(&error));
                    failed += 1;
                }
            }
        }
        assert_eq!(
            failed, 1,
            "{reply}: the first call finds out, and all others go to the new primary"
        );
        assert_eq!(store.claim(claim(1, 2)).await.unwrap(), Claimed::done(None));
        assert_eq!(address.connections(), before + 1 + slow);
        old.kill();
        assert_eq!(store.claim(claim(1, 3)).await.unwrap(), Claimed::done(None));
    }
}

#[tokio::test]
async fn it_finds_a_server_again_that_has_learnt_to_trust_it() {
    let redis = Redis::with(&["--requirepass", "hunter2"]);
    let store = RedisStore::new(&redis.url()).unwrap();
    let error = in_time(async || store.claim(claim(1, 1)).await).await.unwrap_err();
    assert!(chain(&error).contains("NOAUTH"), "{}", chain(&error));
    assert!(error.is_unsent() && error.is_disconnected());

    let with_password = format!("redis://:hunter2@127.0.0.1:{}", redis.port());
    let trusted = connected(RedisStore::new(&with_password).unwrap()).await;
    assert_eq!(trusted.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    let mut client = redis::Client::open(with_password).unwrap().get_connection().unwrap();
    let () = redis::cmd("CONFIG").arg(&["SET", "requirepass", ""]).query(&mut client).unwrap();
    assert_eq!(
        in_time(async || store.claim(claim(1, 1)).await).await.unwrap(),
        Claimed::won(1),
        "a claim that is repeated under its token is the same attempt"
    );
}

#[tokio::test]
async fn nothing_tells_the_password() {
    // Where nobody has ever listened: of a free port the probe may still be open.
    let store = RedisStore::new("redis://:hunter2@127.0.0.1:1").unwrap();
    let error = store.claim(claim(1, 1)).await.unwrap_err();
    assert!(error.is_unsent() && error.is_disconnected());
    for text in [format!("{store:?}"), format!("{error:?}"), chain(&error)] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert!(chain(&error).contains("refused"), "{}", chain(&error));
}

#[tokio::test]
async fn claims_outlive_a_killed_server_and_the_next_call_but_one_finds_it() {
    let mut redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1, 1), done()).await.unwrap());
    redis.kill();
    for token in 0..5 {
        let error = store.claim(claim(2, token)).await.unwrap_err();
        assert!(error.is_disconnected());
        assert_eq!(
            error.is_unsent(),
            token > 0,
            "who was connected cannot know: {}",
            chain(&error)
        );
    }
    redis.restart();
    let repeat = in_time(async || store.claim(claim(1, 2)).await).await;
    assert_eq!(repeat.unwrap(), Claimed::done(None));

    // While it is idle: the connection is broken, and the call says so at once, unless the store
    // has
    // noticed by then.
    redis.kill();
    redis.restart();
    if let Err(error) = store.claim(claim(3, 1)).await {
        assert!(error.is_disconnected());
    }
    let claimed = in_time(async || store.claim(claim(3, 1)).await).await;
    assert!(matches!(claimed.unwrap(), Claimed::Won { .. }));
}

/// The layer sends a call whose connection broke once more: who never retries loses nothing.
#[cfg(feature = "zegocloud")]
#[tokio::test]
async fn the_first_delivery_after_a_restart_is_no_503() {
    use super::handler::{Handler, send};
    use crate::support::zegocloud::{layer, room};
    use tower_webhooks::Rejection;

    let mut redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let layer = layer().shared_store(store).store_timeout(Duration::from_secs(30));
    let handler = Handler::default();
    for number in 0..4 {
        if number > 0 {
            redis.kill();
            redis.restart();
        }
        let start = Instant::now();
        let answer = loop {
            let answer = send(&layer, &handler, &room(number)).await;
            let refusal = answer.extensions().get::<Rejection>();
            // A slow machine connects too late.
            if !refusal.is_some_and(|refusal| chain(refusal).contains("timed out")) {
                break answer;
            }
            assert!(start.elapsed() < PATIENCE, "connecting takes too long");
        };
        assert_eq!(answer.body(), "handled", "{answer:?}");
    }
}

/// So that one whose path is gone breaks, and perhaps before a delivery needs it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_connection_is_kept_alive() {
    let redis = Redis::start();
    let _store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    let peer = format!(":{:04X}", redis.port());
    let is_kept_alive = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        // Established, and the timer that runs is the one of keepalive.
        columns[2].ends_with(&peer) && columns[3] == "01" && columns[5].starts_with("02:")
    };
    let start = Instant::now();
    while !std::fs::read_to_string("/proc/net/tcp").unwrap().lines().skip(1).any(is_kept_alive) {
        assert!(start.elapsed() < PATIENCE);
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_peer_that_is_gone_without_a_word_is_left() {
    let (old, new) = (Redis::start(), Redis::start());
    let address = Address::of(&old).await;
    let store = connected(RedisStore::new(&address.url()).unwrap()).await;
    assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    // Calls that are given up while others are answered are no reason to leave.
    let (before, mut slow) = (address.connections(), 0);
    for token in 0..50 {
        let start = Instant::now();
        let _ = timeout(Duration::ZERO, store.claim(claim(2, token))).await;
        assert!(in_time(async || store.renew(claim(1, 1)).await).await.unwrap());
        // A process that is stopped in between comes back to a second of silence.
        slow += start.elapsed().as_secs() as usize;
    }
    assert!(address.connections() <= before + slow);

    let before = address.connections();
    address.sever();
    address.moves_to(&new);
    // A second of silence, of which the next call finds out.
    let silence = Duration::from_millis(1100);
    assert!(timeout(silence, store.claim(claim(3, 1))).await.is_err());
    let start = Instant::now();
    let claimed = in_time(async || store.claim(claim(3, 1)).await).await;
    assert_eq!(claimed.unwrap(), Claimed::won(1));
    assert!(begun_since(start).contains(&(address.connections() - before)));
    assert_eq!(new.command::<i64>(&["DBSIZE"]), 1);
}

#[tokio::test]
async fn a_hung_server_is_back_when_it_is_back() {
    let redis = Redis::start();
    let store = connected(RedisStore::new(&redis.url()).unwrap()).await;
    assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1, 1), done()).await.unwrap());
    redis.signal("STOP");
    for token in 0..3 {
        assert!(timeout(Duration::from_millis(100), store.claim(claim(2, token))).await.is_err());
    }
    redis.signal("CONT");
    assert_eq!(in_the_end(async || store.claim(claim(1, 2)).await).await, Claimed::done(None));
}

/// Callers that give up do not begin the connection anew, or one that takes longer than they wait
/// would never be made.
#[tokio::test(start_paused = true)]
async fn connecting_goes_on_when_nobody_waits() {
    let redis = Redis::start();
    let client = redis::Client::open(redis.url()).unwrap();
    let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (counter, closed) = (Arc::clone(&begun), Arc::clone(&gate));
    let store = RedisStore::with_connector(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let (client, closed) = (client.clone(), Arc::clone(&closed));
        async move {
            let _open = closed.acquire().await.unwrap();
            client.get_multiplexed_async_connection_with_config(&no_limits()).await
        }
    });
    for _ in 0..5 {
        assert!(timeout(Duration::from_millis(50), store.claim(claim(1, 1))).await.is_err());
    }
    assert_eq!(begun.load(Ordering::Relaxed), 1);
    let start = Instant::now();
    tokio::time::resume();
    gate.add_permits(1);
    let claimed = in_time(async || store.claim(claim(1, 1)).await).await;
    assert_eq!(claimed.unwrap(), Claimed::won(1));
    assert!(begun_since(start).contains(&begun.load(Ordering::Relaxed)));
}

#[test]
fn a_runtime_that_stands_still_keeps_the_connection_from_nobody() {
    let redis = Redis::start();
    let store = RedisStore::new(&redis.url()).unwrap();
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // It is not driven any more.
    let still = run();
    assert!(still.block_on(async { store.claim(claim(1, 1)).now_or_never() }).is_none());
    run().block_on(async {
        let (start, brief) = (Instant::now(), Duration::from_millis(250));
        while !matches!(timeout(brief, store.claim(claim(1, 1))).await, Ok(Ok(_))) {
            assert!(start.elapsed() < PATIENCE);
        }
    });
}

#[tokio::test]
async fn it_asks_sentinel_who_the_primary_is() {
    let mut old = Redis::start();
    let new = Redis::with(&["--replicaof", "127.0.0.1", &old.port().to_string()]);
    let watcher = Redis::sentinel(&old);
    let start = Instant::now();
    while !watcher.command::<String>(&["INFO", "sentinel"]).contains("slaves=1") {
        assert!(start.elapsed() < PATIENCE, "Sentinel does not see the replica");
        sleep(Duration::from_millis(50)).await;
    }

    let sentinel = SentinelClient::build(
        vec![watcher.url()],
        String::from("primary"),
        None,
        SentinelServerType::Master,
    )
    .unwrap();
    let sentinel = Arc::new(tokio::sync::Mutex::new(sentinel));
    let store = RedisStore::with_connector(move || {
        let sentinel = Arc::clone(&sentinel);
        async move { sentinel.lock().await.get_async_connection_with_config(&no_limits()).await }
    });
    let store = connected(store).await;
    assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1, 1), done()).await.unwrap());
    old.replicated_to(&new);
    old.kill();
    let () = watcher.command(&["SENTINEL", "SET", "primary", "down-after-milliseconds", "2000"]);
    assert_eq!(in_the_end(async || store.claim(claim(1, 2)).await).await, Claimed::done(None));
    assert_eq!(in_the_end(async || store.claim(claim(2, 1)).await).await, Claimed::won(1));
    assert_eq!(new.command::<i64>(&["DBSIZE"]), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_of_three_conforms() {
    let nodes: Vec<Redis> = (0..3)
        .map(|_| {
            Redis::with(&["--cluster-enabled", "yes", "--cluster-port", &free_port().to_string()])
        })
        .collect();
    for (node, slots) in nodes.iter().zip([["0", "5460"], ["5461", "10922"], ["10923", "16383"]]) {
        let () = node.command(&["CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1]]);
        let bus: Vec<String> = nodes[0].command(&["CONFIG", "GET", "cluster-port"]);
        let () =
            node.command(&["CLUSTER", "MEET", "127.0.0.1", &nodes[0].port().to_string(), &bus[1]]);
    }
    let is_whole = |node: &Redis| {
        let info: String = node.command(&["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
    };
    let start = Instant::now();
    while !nodes.iter().all(is_whole) {
        assert!(start.elapsed() < Duration::from_secs(60), "the cluster does not come together");
        sleep(Duration::from_millis(50)).await;
    }

    let cluster = ClusterClient::new(nodes.iter().map(Redis::url)).unwrap();
    let store = || {
        let cluster = cluster.clone();
        RedisStore::with_connector(move || {
            let cluster = cluster.clone();
            async move { cluster.get_async_connection().await }
        })
    };
    conforms(store).await;
    for node in &nodes {
        assert!(node.command::<i64>(&["DBSIZE"]) > 0, "all nodes have a part of it");
    }
}

#[cfg(not(feature = "redis-tls"))]
#[test]
fn tls_needs_its_feature() {
    let error = RedisStore::new("rediss://localhost").unwrap_err();
    assert!(error.to_string().contains("redis-tls"), "{error}");
}

#[cfg(feature = "redis-tls")]
mod tls {
    use super::*;
    use redis::{Client, TlsCertificates};
    use std::{
        path::{Path, PathBuf},
        process::Command,
    };

    /// A server that answers over TLS, with a certificate of an authority of its own.
    struct TlsRedis {
        redis: Redis,
        port: u16,
        dir: PathBuf,
    }

    impl TlsRedis {
        fn start() -> Self {
            let port = free_port();
            let dir = std::env::temp_dir()
                .join(format!("tower-webhooks-tls-{}-{port}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            let ca = ["-subj", "/CN=an authority of the test's own"];
            openssl(&dir, "ca", &ca);
            let leaf = ["-subj", "/CN=localhost", "-CA", "ca.pem", "-CAkey", "ca.key"];
            let names = [
                "-addext",
                "subjectAltName=DNS:localhost",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ];
            openssl(&dir, "server", &[&leaf[..], &names].concat());
            let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
            let (certificate, key) = (file("server.pem"), file("server.key"));
            let redis = Redis::with(&[
                "--tls-port",
                &port.to_string(),
                "--tls-cert-file",
                &certificate,
                "--tls-key-file",
                &key,
                "--tls-auth-clients",
                "no",
            ]);
            Self { redis, port, dir }
        }

        fn url(&self) -> String {
            format!("rediss://localhost:{}", self.port)
        }

        fn authority(&self) -> PathBuf {
            self.dir.join("ca.pem")
        }
    }

    impl Drop for TlsRedis {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }

    fn openssl(dir: &Path, name: &str, more: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args(["-days", "2", "-keyout", &key, "-out", &certificate])
            .args(more)
            .current_dir(dir)
            .output()
            .expect("openssl is not installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn it_conforms_over_tls() {
        let server = TlsRedis::start();
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(std::fs::read(server.authority()).unwrap()),
        };
        // Connections of the application's own need its choice of an implementation.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::build_with_tls(server.url(), certificates).unwrap();
        let store = || {
            let client = client.clone();
            RedisStore::with_connector(move || {
                let client = client.clone();
                async move {
                    let limits = no_limits();
                    client.get_multiplexed_async_connection_with_config(&limits).await
                }
            })
        };
        conforms(store).await;
        assert!(server.redis.command::<i64>(&["DBSIZE"]) > 0);
    }

    #[tokio::test]
    async fn a_certificate_of_an_unknown_authority_is_refused() {
        let server = TlsRedis::start();
        let store = RedisStore::new(&server.url()).unwrap();
        let error = in_time(async || store.claim(claim(1, 1)).await).await.unwrap_err();
        assert!(error.is_unsent());
        assert!(chain(&error).contains("UnknownIssuer"), "{}", chain(&error));
        assert_eq!(server.redis.command::<i64>(&["DBSIZE"]), 0);
    }

    /// What the system trusts is read from a variable of the process, so this one is another.
    #[test]
    fn a_certificate_of_a_known_authority_is_accepted() {
        let server = TlsRedis::start();
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "redis::tls::claims_at_the_url_that_it_is_told",
                "--ignored",
                "--nocapture",
            ])
            .env("SSL_CERT_FILE", server.authority())
            .env("REDIS_URL", server.url())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(server.redis.command::<i64>(&["DBSIZE"]), 1);
    }

    #[tokio::test]
    #[ignore = "run by the test above"]
    async fn claims_at_the_url_that_it_is_told() {
        let store = RedisStore::new(&std::env::var("REDIS_URL").unwrap()).unwrap();
        match in_time(async || store.claim(claim(1, 1)).await).await {
            Ok(claimed) => assert_eq!(claimed, Claimed::won(1)),
            Err(error) => panic!("{}", chain(&error)),
        }
    }
}
