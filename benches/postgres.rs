//! Claims per second in Postgres and in Redis, from two processes at the same time, and how large
//! the table becomes.
//!
//! `scripts/postgres-load` runs it.

#[path = "../tests/support/postgres.rs"]
mod postgres;
#[path = "../tests/support/redis.rs"]
mod redis;

use postgres::Postgres;
use redis::Redis;
use sqlx::{PgPool, Row, postgres::PgPoolOptions};
use std::{
    env,
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tower_webhooks::replay::{Claim, Claimed, Outcome, PostgresStore, RedisStore, ReplayStore};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = env::args().collect();
    match &arguments[1..] {
        [mode, url, retention, seconds] if mode == "--work" => {
            work(
                url,
                Duration::from_millis(number(retention)),
                Duration::from_secs(number(seconds)),
            )
            .await
        }
        _ if arguments.iter().any(|argument| argument == "--bench") => bench().await,
        _ => {}
    }
}

async fn bench() {
    let live = variable("LIVE", 1_000_000);
    let rounds = variable("ROUNDS", 3);
    let seconds = variable("SECONDS", 10);
    let server = Postgres::start_with(&["fsync=on", "max_connections=200"]).await;
    let store = PostgresStore::new(server.pool().await);
    store.migrate().await.unwrap();
    let pool = server.pool().await;
    fill_postgres(&pool, live).await;
    let redis = Redis::start();
    fill_redis(&redis.url(), live).await;
    println!("{live} live claims in each; {}", size(&pool).await);

    for round in 1..=rounds {
        let before = transactions(&pool).await;
        let postgres = both(&server.url(), Duration::from_secs(3600), seconds);
        let after = transactions(&pool).await;
        set_synchronous_commit(&pool, "off").await;
        let off = both(&server.url(), Duration::from_secs(3600), seconds);
        set_synchronous_commit(&pool, "on").await;
        let redis = both(&redis.url(), Duration::from_secs(3600), seconds);
        println!("round {round}: Postgres   {postgres}, {} fsyncs of the log", after - before);
        println!("round {round}: Postgres*  {off} (* synchronous_commit = off)");
        println!("round {round}: Redis      {redis}");
    }
    drop(redis);

    // Churn: claims that expire after a few seconds.
    sqlx::query("truncate webhook_claims").execute(&pool).await.unwrap();
    println!("churn, each claim kept for 5 s: {}", size(&pool).await);
    for _ in 0..variable("CHURN_ROUNDS", 6) {
        let done = both(&server.url(), Duration::from_secs(5), variable("CHURN_SECONDS", 20));
        println!("churn: {done}; {}", size(&pool).await);
    }
}

/// Claims and finishes, 32 at a time; prints how many, and the median and 99th percentile latency.
async fn work(url: &str, retention: Duration, time: Duration) {
    if url.starts_with("redis") {
        claims(RedisStore::new(url).unwrap(), retention, time).await;
    } else {
        let options = sqlx::postgres::PgConnectOptions::from_str(url).unwrap();
        let pool =
            PgPoolOptions::new().max_connections(32).min_connections(32).test_before_acquire(false);
        claims(PostgresStore::new(pool.connect_with(options).await.unwrap()), retention, time)
            .await;
    }
}

async fn claims(store: impl ReplayStore, retention: Duration, time: Duration) {
    let (store, done) = (Arc::new(store), Arc::new(AtomicU64::new(0)));
    let end = Instant::now() + time;
    let tasks = (0..32).map(|_| {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        tokio::spawn(async move {
            let mut times = Vec::new();
            while Instant::now() < end {
                let (key, token) = (fastrand::u128(..).to_be_bytes(), fastrand::i64(..));
                let claim =
                    Claim::for_test(key, [7; 16], token, Duration::from_millis(1), retention);
                let start = Instant::now();
                assert_eq!(store.claim(claim.clone()).await.unwrap(), Claimed::won(1));
                times.push(start.elapsed());
                assert!(store.finish(claim, Outcome::done(None)).await.unwrap());
                done.fetch_add(1, Ordering::Relaxed);
            }
            times
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await.unwrap());
    }
    times.sort();
    let micros = |part: usize| times[times.len() * part / 100].as_micros();
    println!("{} {} {}", done.load(Ordering::Relaxed), micros(50), micros(99));
}

/// Two processes at the same time.
fn both(url: &str, retention: Duration, seconds: u64) -> String {
    let worker = |_| -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--work", url, &retention.as_millis().to_string(), &seconds.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let results: Vec<Vec<u64>> = [0, 1]
        .map(worker)
        .into_iter()
        .map(|worker| {
            let output = worker.wait_with_output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stdout).unwrap().split_whitespace().map(number).collect()
        })
        .collect();
    let done: u64 = results.iter().map(|result| result[0]).sum();
    let slower = |at: usize| results.iter().map(|result| result[at]).max().unwrap() as f64 / 1000.0;
    format!(
        "{:6} deliveries per second (a claim and a finish each), a claim {:.1} ms, 99 of 100 \
         {:.1} ms",
        done / seconds,
        slower(1),
        slower(2)
    )
}

async fn fill_postgres(pool: &PgPool, live: u64) {
    sqlx::query(
        "insert into webhook_claims (key, token, fingerprint, state, attempt, leased_until, expires_at, sweep_at)
         select decode(md5(n::text), 'hex'), n, decode(md5('x'), 'hex'), 3, 1, now(), now() + interval '1 day',
             now() + interval '1 day' from generate_series(1, $1) as n",
    )
    .bind(live as i64)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("vacuum analyze webhook_claims").execute(pool).await.unwrap();
}

async fn fill_redis(url: &str, live: u64) {
    let client = ::redis::Client::open(url).unwrap();
    let patient =
        ::redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
    let mut connection =
        client.get_multiplexed_async_connection_with_config(&patient).await.unwrap();
    for start in (0..live).step_by(1000) {
        let mut pipe = ::redis::pipe();
        for number in start..start + 1000 {
            let key = format!("tower-webhooks:{number:032x}");
            pipe.cmd("HSET")
                .arg(&key)
                .arg(&["f", "0123456789abcdef", "s", "d", "t", "1", "l", "1", "a", "1"])
                .ignore();
            pipe.cmd("EXPIRE").arg(&key).arg(86_400).ignore();
        }
        pipe.exec_async(&mut connection).await.unwrap();
    }
}

async fn set_synchronous_commit(pool: &PgPool, value: &str) {
    sqlx::query(&format!("alter database postgres set synchronous_commit = {value}"))
        .execute(pool)
        .await
        .unwrap();
}

async fn transactions(pool: &PgPool) -> i64 {
    sqlx::query("select wal_sync from pg_stat_wal").fetch_one(pool).await.unwrap().get(0)
}

async fn size(pool: &PgPool) -> String {
    let row = sqlx::query(
        "select count(*), pg_table_size('webhook_claims') / 1048576, pg_indexes_size('webhook_claims') / 1048576,
            count(*) filter (where expires_at > now())
         from webhook_claims",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    let [rows, table, indexes, live]: [i64; 4] = [0, 1, 2, 3].map(|at| row.get(at));
    format!("{rows} rows, {live} of them live, {table} MiB and {indexes} MiB of indexes")
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

fn variable(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| number(&text))
}
