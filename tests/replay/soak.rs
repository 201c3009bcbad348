//! A receiver on each shared store under honest and hostile traffic, for as long as `scripts/soak`
//! says.
//!
//! Every event has a number, which the receiver prints with it. So it is known how often each one
//! ran.
#![cfg(all(
    feature = "geelark",
    feature = "metrics",
    feature = "postgres",
    feature = "redis",
    feature = "stardust",
    feature = "vobiz",
    feature = "zegocloud",
    target_os = "linux"
))]

use crate::support::{
    cpu::memory_of,
    hostile::hostile_megabytes,
    postgres::Postgres,
    processes::{Receiver, Sender},
    redis::Redis,
};
use bytes::Bytes;
use families::{FAMILIES, Family};
use http::{Request, header};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};
use tower_webhooks::Signer;
use vars::Vars;

#[path = "../../examples/send/families.rs"]
mod families;
#[path = "../../examples/common/vars.rs"]
#[allow(dead_code, reason = "the address is for the examples")]
mod vars;
#[path = "../../examples/send/zegocloud_catalogue.rs"]
mod zegocloud_catalogue;

/// The names of the two receivers are those of their stores.
const RECEIVERS: [&str; 2] = ["redis", "postgres"];
const SAMPLED_EVERY: Duration = Duration::from_secs(10);
/// Claims live for the window of 300 s and the skew of 60 s, and what never expires for the
/// retention below. By then as many end as begin, and each store was away for so long that as many
/// senders wait as ever will.
const WARM_UP: Duration = Duration::from_secs(480);
const RETENTION: Duration = Duration::from_secs(120);
const IN_FLIGHT: usize = 2000;
/// jemalloc gives back what is free after a second, so that what is resident is in use.
const JEMALLOC: &str =
    "narenas:1,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true,tcache_max:1024";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "scripts/soak runs it"]
async fn soak() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<f64>().unwrap());
    let length = Duration::from_secs_f64(60.0 * number("SOAK_MINUTES").unwrap_or(3.0));
    let (redis, postgres) = (Redis::start(), Postgres::start().await);
    let soak = Arc::new(Soak::default());
    let allocator = std::env::var("SOAK_ALLOCATOR").unwrap_or_default();
    let retention = RETENTION.as_secs().to_string();
    let start = |store: (&str, String)| {
        let soak = Arc::clone(&soak);
        let variables = [
            (store.0, &*store.1),
            ("RECEIVER_PAGE", "0"),
            ("RECEIVER_READ_TIMEOUT_MS", "2000"),
            ("RECEIVER_RETENTION_S", &retention),
            ("RECEIVER_FAIL_RATE", "0.01"),
            ("LD_PRELOAD", &allocator),
            ("MALLOC_CONF", JEMALLOC),
            // For glibc.
            ("MALLOC_ARENA_MAX", "1"),
            ("MALLOC_TRIM_THRESHOLD_", "131072"),
        ];
        Receiver::start_with(&variables, move |line| soak.printed(&line))
    };
    let mut receivers =
        [start(("REDIS_URL", redis.url())), start(("POSTGRES_URL", postgres.url()))];
    let ids = receivers.each_ref().map(Receiver::id);
    let addrs = receivers.each_ref().map(|receiver| receiver.addr.clone());
    let mut honest = Honest::new();
    let hostile = Hostile::new(addrs.clone());
    let sender = Sender::new();

    // Also where the rate is given: what was never used has no connections and tasks to compare.
    let capacity = honest.capacity(&soak, &sender, &addrs).await;
    println!("capacity: {capacity:.0} events per second");
    let rate = number("SOAK_RATE").unwrap_or(capacity * SHARE);
    println!("{rate:.0} events per second are sent, and hostile requests beside them");
    let before = [Process::of(ids[0], &addrs[0]).await, Process::of(ids[1], &addrs[1]).await];
    soak.take_latencies();

    let begin = Instant::now();
    let stores = tokio::spawn(restart_stores(redis, postgres, begin, length));
    let sampler = tokio::spawn(sample(Arc::clone(&soak), ids, addrs.clone(), begin, length));
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let (mut sent, mut held_back, mut ticks) = (0.0, 0, 0u64);
    while begin.elapsed() < length {
        ticks += 1;
        sleep_until(begin + TICK * u32::try_from(ticks).unwrap()).await;
        while sent < rate * begin.elapsed().as_secs_f64() {
            sent += 1.0;
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                held_back += 1;
                continue;
            };
            let event = honest.next(&soak);
            let addr = addrs[event.number % 2].clone();
            tokio::spawn(event.deliver(Arc::clone(&soak), sender.clone(), addr, Some(permit)));
        }
        hostile.tick(&soak, &sender, ticks, rate);
    }
    println!("sent for {:.0} s; {held_back} events held back", begin.elapsed().as_secs_f64());

    // Whatever is under way ends: retries, time limits, outcomes.
    let all = u32::try_from(IN_FLIGHT).unwrap();
    let ended = timeout(Duration::from_secs(300), permits.acquire_many(all)).await;
    assert!(ended.is_ok(), "an event is still retried");
    let (rows, restarts) = (sampler.await.unwrap(), stores.await.unwrap());
    drop(sender);
    sleep(Duration::from_secs(25)).await;
    let after = [Process::of(ids[0], &addrs[0]).await, Process::of(ids[1], &addrs[1]).await];
    for receiver in &mut receivers {
        receiver.terminate();
        receiver.end();
    }

    let folder =
        PathBuf::from(std::env::var("SOAK_OUT").unwrap_or_else(|_| "target/soak".to_owned()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("soak.csv"), table(&rows)).unwrap();
    fs::write(folder.join("soak.svg"), plot(&rows, &restarts.log)).unwrap();
    println!(
        "{} restarts of the stores; {}",
        restarts.log.len(),
        folder.join("soak.svg").display()
    );
    let mut faults = soak.report();
    for (place, name) in RECEIVERS.iter().enumerate() {
        let (growth, mean) = growth(&rows, place);
        println!(
            "{name}: {:.1} MiB resident, fitted growth {:+.2} MiB per hour ({:+.1} %)",
            mean / 1024.0,
            growth / 1024.0,
            100.0 * growth / mean
        );
        println!("{name}: before {:?}, after {:?}", before[place], after[place]);
        if is_long(length) && growth.abs() > mean / 20.0 {
            faults.push(format!("{name}: memory is not flat"));
        }
        if after[place].connections > 0 {
            faults.push(format!("{name}: connections are left"));
        }
        if after[place].tasks > before[place].tasks {
            faults.push(format!("{name}: tasks are left"));
        }
        // Those of the pools stay.
        if after[place].files > before[place].files + 32 {
            faults.push(format!("{name}: files are left"));
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
}

const TICK: Duration = Duration::from_millis(20);
/// Of the capacity; the hostile requests take the rest of 70 %.
const SHARE: f64 = 0.6;

/// What became of one event.
#[derive(Clone, Copy, Default)]
struct Fate {
    runs: u8,
    /// Answered with the handler's 500.
    failed: u8,
    /// Not answered: it may have run.
    unanswered: u8,
    acknowledged: bool,
}

/// What the tasks of the driver share.
#[derive(Default)]
struct Soak {
    fates: Mutex<Vec<Fate>>,
    latencies: Mutex<Vec<u32>>,
    counts: Mutex<BTreeMap<(&'static str, u16), u64>>,
    unexpected: Mutex<BTreeMap<String, u64>>,
    /// What was acknowledged a moment ago, for those who have captured it.
    captured: Mutex<VecDeque<Captured>>,
}

#[derive(Clone)]
struct Captured {
    request: Request<Bytes>,
    receiver: usize,
    /// Other content under its signature is refused.
    binds: bool,
    guarded: bool,
    at: Instant,
}

impl Soak {
    /// A line of the receiver's, which holds the event and so its number.
    fn printed(&self, line: &str) {
        let number = line
            .split_once("soak\":\"")
            .map(|(_, rest)| rest.split('"').next().unwrap_or_default());
        // Without: what is a forgery of something that is not bound, or a stranger's.
        if let Some(number) = number.and_then(|number| number.parse::<usize>().ok()) {
            let runs = &mut self.fates.lock().unwrap()[number].runs;
            *runs = runs.saturating_add(1);
        }
    }

    fn count(&self, what: &'static str, status: u16) {
        *self.counts.lock().unwrap().entry((what, status)).or_default() += 1;
    }

    fn expect(&self, what: &'static str, path: &str, status: u16, expected: &[u16]) {
        self.count(what, status);
        if !expected.contains(&status) {
            *self
                .unexpected
                .lock()
                .unwrap()
                .entry(format!("{what} of {path}: {status}"))
                .or_default() += 1;
        }
    }

    fn capture(&self) -> Option<Captured> {
        let captured = self.captured.lock().unwrap();
        let one = captured.get(fastrand::usize(..captured.len().max(1)))?;
        // Well within the retention.
        (one.at.elapsed() < RETENTION / 2).then(|| one.clone())
    }

    fn take_latencies(&self) -> Vec<u32> {
        let mut latencies = std::mem::take(&mut *self.latencies.lock().unwrap());
        latencies.sort_unstable();
        latencies
    }

    fn total(&self) -> [u64; 2] {
        let counts = self.counts.lock().unwrap();
        let sum = |honest: bool| {
            let some = counts.iter().filter(|((what, status), _)| {
                (*what == "honest") == honest && (!honest || *status == 200)
            });
            some.map(|(_, count)| count).sum()
        };
        [sum(true), sum(false)]
    }

    /// Prints what happened, and gives what must not.
    fn report(&self) -> Vec<String> {
        let mut by_kind: BTreeMap<&str, BTreeMap<u16, u64>> = BTreeMap::new();
        for ((what, status), count) in &*self.counts.lock().unwrap() {
            by_kind.entry(what).or_default().insert(*status, *count);
        }
        for (what, statuses) in by_kind {
            println!("{what:12} {statuses:?}");
        }
        let fates = self.fates.lock().unwrap();
        let lost = fates.iter().filter(|fate| !fate.acknowledged).count();
        let unseen =
            fates.iter().filter(|fate| fate.acknowledged && fate.runs <= fate.failed).count();
        let twice =
            fates.iter().filter(|fate| fate.runs > fate.failed + fate.unanswered + 1).count();
        println!(
            "{} events: {lost} lost, {unseen} acknowledged and not run, {twice} twice",
            fates.len()
        );
        let mut faults: Vec<_> = self
            .unexpected
            .lock()
            .unwrap()
            .iter()
            .map(|(what, n)| format!("{what}, {n} times"))
            .collect();
        if (lost, unseen, twice) != (0, 0, 0) {
            faults.push(format!("{lost} lost, {unseen} not run, {twice} twice"));
        }
        faults
    }
}

/// The senders of all providers.
struct Honest {
    families: Vec<(&'static Family, Box<dyn Signer>)>,
    /// When the last event was signed whose signature is over the time alone. No two share a
    /// millisecond: a thief who floods one signature shuts out every event that has it.
    signed: SystemTime,
}

/// One event, signed.
struct Event {
    number: usize,
    request: Request<Bytes>,
    binds: bool,
    guarded: bool,
    due: Instant,
}

impl Honest {
    fn new() -> Self {
        let families = FAMILIES.iter().map(|family| {
            let vars = Vars::new(family.vars).unwrap();
            let values: Vec<_> =
                family.needs.iter().map(|(name, _)| vars.get(name).unwrap()).collect();
            (family, (family.signer)(&values).unwrap())
        });
        Self { families: families.collect(), signed: SystemTime::UNIX_EPOCH }
    }

    fn next(&mut self, soak: &Soak) -> Event {
        let number = {
            let mut fates = soak.fates.lock().unwrap();
            fates.push(Fate::default());
            fates.len() - 1
        };
        let (family, signer) = &self.families[fastrand::usize(..self.families.len())];
        let events = (family.events)();
        let body =
            events[fastrand::usize(..events.len())].1.replace("FRESH", &format!("{number:012}"));
        let body = match body.trim_start().strip_prefix('{') {
            Some(members) => format!(r#"{{"soak":"{number}",{members}"#),
            None => format!("{body}&soak={number}"),
        };
        let request = Request::post(family.route)
            .header(header::CONTENT_TYPE, family.content_type)
            .body(body.into());
        let mut now = SystemTime::now();
        if family.name == "stardust-signed" {
            now = now.max(self.signed + Duration::from_millis(1));
            self.signed = now;
        }
        Event {
            number,
            request: signer.sign(request.unwrap(), now),
            binds: !matches!(family.name, "geelark-token" | "stardust" | "stardust-signed"),
            guarded: !matches!(family.name, "geelark-token" | "stardust"),
            due: Instant::now(),
        }
    }

    /// How many events per second are handled when as many are under way as it takes.
    async fn capacity(&mut self, soak: &Arc<Soak>, sender: &Sender, addrs: &[String; 2]) -> f64 {
        let (mut tasks, mut done) = (JoinSet::new(), 0.0);
        let (begin, warm, long) = (Instant::now(), Duration::from_secs(5), Duration::from_secs(15));
        while begin.elapsed() < warm + long {
            while tasks.len() < 64 {
                let event = self.next(soak);
                let addr = addrs[event.number % 2].clone();
                tasks.spawn(event.deliver(Arc::clone(soak), sender.clone(), addr, None));
            }
            tasks.join_next().await;
            if begin.elapsed() > warm {
                done += 1.0;
            }
        }
        while tasks.join_next().await.is_some() {}
        done / long.as_secs_f64()
    }
}

impl Event {
    /// Sends it until it is acknowledged.
    async fn deliver(
        self,
        soak: Arc<Soak>,
        sender: Sender,
        addr: String,
        _permit: Option<OwnedSemaphorePermit>,
    ) {
        let (mut begin, mut last) = (self.due, 0);
        for pause in
            [100, 250, 500, 1000, 2000, 4000].into_iter().chain(std::iter::repeat_n(8000, 20))
        {
            let status = timeout(Duration::from_secs(30), sender.send(&addr, &self.request))
                .await
                .unwrap_or(0);
            // 0: a connection that was kept open ends with the receiver's patience, just when it is
            // used.
            soak.expect("honest", self.request.uri().path(), status, &[0, 200, 500, 503, 409]);
            if status == 200 {
                let micros = u32::try_from(begin.elapsed().as_micros()).unwrap_or(u32::MAX);
                soak.latencies.lock().unwrap().push(micros);
                soak.fates.lock().unwrap()[self.number].acknowledged = true;
                let Self { request, binds, guarded, number, .. } = self;
                let mut captured = soak.captured.lock().unwrap();
                captured.push_back(Captured {
                    request,
                    receiver: number % 2,
                    binds,
                    guarded,
                    at: Instant::now(),
                });
                if captured.len() > 512 {
                    captured.pop_front();
                }
                return;
            }
            if let Some(fate) = soak.fates.lock().unwrap().get_mut(self.number) {
                fate.failed += u8::from(status == 500);
                fate.unanswered += u8::from(status == 0);
            }
            sleep(Duration::from_millis(pause)).await;
            (begin, last) = (Instant::now(), status);
        }
        soak.expect("out of tries", self.request.uri().path(), last, &[]);
    }
}

/// Strangers, and those who have captured a request.
struct Hostile {
    addrs: [String; 2],
    megabytes: Vec<Bytes>,
}

impl Hostile {
    fn new(addrs: [String; 2]) -> Self {
        Self {
            addrs,
            megabytes: hostile_megabytes().into_iter().map(|(_, body)| body.into()).collect(),
        }
    }

    /// What they do in one tick.
    fn tick(&self, soak: &Arc<Soak>, sender: &Sender, ticks: u64, rate: f64) {
        let captured_per_tick = rate * 0.08 * TICK.as_secs_f64();
        let mut count = captured_per_tick as usize;
        count += usize::from(fastrand::f64() < captured_per_tick.fract());
        for turn in 0..count {
            let Some(captured) = soak.capture() else { break };
            if turn % 2 == 0 {
                self.replay(soak, sender, captured);
            } else {
                self.forge(soak, sender, captured);
            }
        }
        let second = |seconds: u64| ticks % (seconds * 50) == 0;
        if second(5) {
            if let Some(captured) = soak.capture() {
                (0..64).for_each(|_| self.forge(soak, sender, captured.clone()));
            }
        }
        if second(2) {
            self.megabyte(soak, sender);
        }
        // Five, two, one and one per second.
        for (every, what) in
            [(10, Raw::Reset), (25, Raw::Stall), (50, Raw::SlowHead), (50, Raw::Garbage)]
        {
            if ticks % every == 0 {
                if let Some(captured) = soak.capture() {
                    let (soak, addr) = (Arc::clone(soak), self.addrs[fastrand::usize(..2)].clone());
                    tokio::spawn(async move {
                        let status =
                            timeout(Duration::from_secs(20), what.run(&addr, &captured.request))
                                .await;
                        soak.count(what.name(), status.ok().and_then(Result::ok).unwrap_or(0));
                    });
                }
            }
        }
    }

    /// Sent again, or for the first time to the other receiver, which has another store.
    fn replay(&self, soak: &Arc<Soak>, sender: &Sender, captured: Captured) {
        if !captured.guarded {
            return;
        }
        let (soak, sender, addr) =
            (Arc::clone(soak), sender.clone(), self.addrs[captured.receiver].clone());
        tokio::spawn(async move {
            let status = sender.send(&addr, &captured.request).await;
            soak.expect("replay", captured.request.uri().path(), status, &[0, 200]);
        });
    }

    fn forge(&self, soak: &Arc<Soak>, sender: &Sender, captured: Captured) {
        let (soak, sender, addr) =
            (Arc::clone(soak), sender.clone(), self.addrs[captured.receiver].clone());
        let mut request = captured.request;
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let forged = body.replacen("soak", &format!("s{}", fastrand::u64(..)), 1);
        *request.body_mut() = forged.into();
        tokio::spawn(async move {
            let path = request.uri().path().to_owned();
            let status = sender.send(&addr, &request).await;
            // What a signature does not bind is told apart by content, up to a number of contents.
            let expected: &[u16] =
                if captured.binds { &[0, 401, 409] } else { &[0, 200, 401, 409, 500, 503] };
            soak.expect("forgery", &path, status, expected);
        });
    }

    fn megabyte(&self, soak: &Arc<Soak>, sender: &Sender) {
        let route = FAMILIES[fastrand::usize(..FAMILIES.len())].route;
        let body = self.megabytes[fastrand::usize(..self.megabytes.len())].clone();
        let request =
            Request::post(if fastrand::bool() { "/zegocloud" } else { route }).body(body).unwrap();
        let (soak, sender, addr) =
            (Arc::clone(soak), sender.clone(), self.addrs[fastrand::usize(..2)].clone());
        tokio::spawn(async move {
            let status = sender.send(&addr, &request).await;
            // 0: it is refused before it has been sent, and the connection ends.
            soak.expect("megabyte", request.uri().path(), status, &[0, 400, 401, 413]);
        });
    }
}

/// What no client of a library sends.
#[derive(Clone, Copy)]
enum Raw {
    Reset,
    Stall,
    SlowHead,
    Garbage,
}

impl Raw {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Stall => "stall",
            Self::SlowHead => "slow head",
            Self::Garbage => "garbage",
        }
    }

    /// The status, or 0.
    async fn run(self, addr: &str, request: &Request<Bytes>) -> std::io::Result<u16> {
        let mut stream = TcpStream::connect(addr).await?;
        let mut head = format!("POST {} HTTP/1.1\r\nhost: {addr}\r\n", request.uri().path());
        for (name, value) in request.headers() {
            write!(head, "{name}: {}\r\n", value.to_str().unwrap_or_default()).unwrap();
        }
        write!(head, "content-length: {}\r\n\r\n", request.body().len()).unwrap();
        let half = &request.body()[..request.body().len() / 2];
        match self {
            Self::Reset => {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(half).await?;
                sleep(Duration::from_millis(fastrand::u64(..500))).await;
                stream.set_zero_linger()?;
                return Ok(0);
            }
            Self::Stall => {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(half).await?;
            }
            Self::SlowHead => {
                for part in head.as_bytes().chunks(head.len() / 6) {
                    stream.write_all(part).await?;
                    sleep(Duration::from_secs(3)).await;
                }
            }
            Self::Garbage => {
                let garbage: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
                    .take(fastrand::usize(1..4096))
                    .collect();
                stream.write_all(&garbage).await?;
                stream.shutdown().await?;
            }
        }
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        Ok(std::str::from_utf8(&answer[9..])
            .ok()
            .and_then(|status| status.parse().ok())
            .unwrap_or(0))
    }
}

/// When which store was away. It keeps the stores running.
struct Restarts {
    log: Vec<(f64, &'static str)>,
    _stores: (Redis, Postgres),
}

async fn restart_stores(
    mut redis: Redis,
    mut postgres: Postgres,
    begin: Instant,
    length: Duration,
) -> Restarts {
    // In a long run often and long at first.
    let crowds = if is_long(length) { 6 } else { 0 };
    let every = (length / 12).clamp(Duration::from_secs(15), Duration::from_secs(240));
    let (mut log, mut next) = (Vec::new(), Duration::ZERO);
    for turn in 1.. {
        next += if turn <= crowds { WARM_UP / (crowds + 1) } else { every };
        if next + every > length {
            break;
        }
        sleep_until(begin + next).await;
        let away = if turn <= crowds { 4000 } else { fastrand::u64(200..2000) };
        let away = Duration::from_millis(away);
        let at = begin.elapsed().as_secs_f64();
        log.push((at, if turn % 2 == 0 { "postgres" } else { "redis" }));
        if turn % 2 == 0 {
            postgres.kill();
            sleep(away).await;
            postgres.restart().await;
        } else {
            if turn % 4 == 1 {
                redis.kill()
            } else {
                redis.stop()
            }
            sleep(away).await;
            redis.restart();
        }
    }
    Restarts { log, _stores: (redis, postgres) }
}

/// Whether it tells how memory grows.
fn is_long(length: Duration) -> bool {
    length >= 3 * WARM_UP
}

/// A receiver as the system sees it.
#[derive(Clone, Copy, Debug)]
struct Process {
    /// KiB.
    resident: u64,
    files: usize,
    connections: usize,
    tasks: u64,
}

impl Process {
    async fn of(id: u32, addr: &str) -> Self {
        let port = format!(":{:04X} ", addr.rsplit(':').next().unwrap().parse::<u16>().unwrap());
        let table = fs::read_to_string(format!("/proc/{id}/net/tcp")).unwrap();
        // Established, or closed by the other side alone.
        let is_open = |line: &&str| {
            let mut words = line.split_whitespace().skip(1);
            let (local, _, state) = (words.next().unwrap(), words.next(), words.next().unwrap());
            format!("{local} ").ends_with(&port) && matches!(state, "01" | "08")
        };
        let connections = table.lines().skip(1).filter(is_open).count();
        let metrics = Sender::new().get(addr, "/metrics").await;
        let tasks = metrics.lines().find_map(|line| line.strip_prefix("receiver_tasks ")).unwrap();
        Self {
            resident: memory_of(id, "VmRSS") as u64 >> 10,
            files: fs::read_dir(format!("/proc/{id}/fd")).unwrap().count(),
            connections,
            tasks: tasks.parse().unwrap(),
        }
    }
}

struct Row {
    second: f64,
    processes: [Process; 2],
    acknowledged: f64,
    hostile: f64,
    /// Milliseconds at 50, 99 and 99.9 percent.
    latency: [f64; 3],
}

async fn sample(
    soak: Arc<Soak>,
    ids: [u32; 2],
    addrs: [String; 2],
    begin: Instant,
    length: Duration,
) -> Vec<Row> {
    let (mut rows, mut all, mut last) = (Vec::new(), Vec::new(), soak.total());
    for turn in 1.. {
        if SAMPLED_EVERY * turn > length {
            break;
        }
        sleep_until(begin + SAMPLED_EVERY * turn).await;
        let latencies = soak.take_latencies();
        let total = soak.total();
        let per_second =
            |place: usize| (total[place] - last[place]) as f64 / SAMPLED_EVERY.as_secs_f64();
        rows.push(Row {
            second: begin.elapsed().as_secs_f64(),
            processes: [Process::of(ids[0], &addrs[0]).await, Process::of(ids[1], &addrs[1]).await],
            acknowledged: per_second(0),
            hostile: per_second(1),
            latency: percentiles(&latencies),
        });
        all.extend(latencies);
        last = total;
    }
    all.sort_unstable();
    let [p50, p99, p999] = percentiles(&all);
    println!("{} acknowledged in: p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms", all.len());
    rows
}

fn percentiles(sorted: &[u32]) -> [f64; 3] {
    [0.5, 0.99, 0.999].map(|share| {
        let place = (sorted.len() as f64 * share) as usize;
        f64::from(sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0))
            / 1000.0
    })
}

/// What a straight line through the resident memory after the warm-up gains per hour, and the mean;
/// KiB.
fn growth(rows: &[Row], receiver: usize) -> (f64, f64) {
    let end = rows.last().map_or(0.0, |row| row.second);
    let from = WARM_UP.as_secs_f64().min(end / 2.0);
    let points: Vec<_> = rows.iter().filter(|row| row.second >= from).collect();
    let n = points.len() as f64;
    let mean = |of: &dyn Fn(&Row) -> f64| points.iter().map(|row| of(row)).sum::<f64>() / n;
    let resident = |row: &Row| row.processes[receiver].resident as f64;
    let (x, y) = (mean(&|row| row.second), mean(&resident));
    let slope =
        mean(&|row| (row.second - x) * (resident(row) - y)) / mean(&|row| (row.second - x).powi(2));
    (slope * 3600.0, y)
}

fn table(rows: &[Row]) -> String {
    let mut csv = String::from("second");
    for name in RECEIVERS {
        write!(csv, ",{name}_resident_kib,{name}_files,{name}_connections,{name}_tasks").unwrap();
    }
    csv.push_str(",acknowledged_per_second,hostile_per_second,p50_ms,p99_ms,p999_ms\n");
    for row in rows {
        write!(csv, "{:.0}", row.second).unwrap();
        for Process { resident, files, connections, tasks } in row.processes {
            write!(csv, ",{resident},{files},{connections},{tasks}").unwrap();
        }
        let [p50, p99, p999] = row.latency;
        writeln!(csv, ",{:.1},{:.1},{p50:.2},{p99:.2},{p999:.2}", row.acknowledged, row.hostile)
            .unwrap();
    }
    csv
}

type Series<'a> = (&'a str, &'a str, Box<dyn Fn(&Row) -> f64 + 'a>);

/// Three panels over the same time, with a line where a store was restarted.
fn plot(rows: &[Row], restarts: &[(f64, &str)]) -> String {
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 130.0;
    let end = rows.last().map_or(1.0, |row| row.second);
    let x = |second: f64| 60.0 + WIDTH * second / end;
    let mib = |place: usize| move |row: &Row| row.processes[place].resident as f64 / 1024.0;
    let panels: [(&str, bool, Vec<Series<'_>>); 3] = [
        (
            "resident memory, MiB",
            false,
            vec![
                ("on Redis", "#c0392b", Box::new(mib(0))),
                ("on Postgres", "#2c5f9e", Box::new(mib(1))),
            ],
        ),
        (
            "latency, ms (each power of ten)",
            true,
            vec![
                ("p50", "#27803b", Box::new(|row| row.latency[0])),
                ("p99", "#c98a00", Box::new(|row| row.latency[1])),
                ("p99.9", "#c0392b", Box::new(|row| row.latency[2])),
            ],
        ),
        (
            "requests per second",
            false,
            vec![
                ("acknowledged events", "#27803b", Box::new(|row| row.acknowledged)),
                ("hostile requests", "#555", Box::new(|row| row.hostile)),
            ],
        ),
    ];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 840 {}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        panels.len() * 180 + 30
    );
    for (number, (title, logarithmic, series)) in panels.iter().enumerate() {
        let top = 30.0 + 180.0 * number as f64;
        let values = || rows.iter().flat_map(|row| series.iter().map(move |(_, _, of)| of(row)));
        let most = values().fold(1.0, f64::max);
        let scale = |value: f64| match logarithmic {
            true => (value.max(0.1).log10() + 1.0) / (most.log10().ceil() + 1.0),
            false => value / (most * 1.1),
        };
        let y = |value: f64| top + HEIGHT * (1.0 - scale(value));
        writeln!(svg, "<text x=\"60\" y=\"{}\" font-weight=\"bold\">{title}</text>", top - 10.0)
            .unwrap();
        let marks: Vec<f64> = match logarithmic {
            true => (-1..=most.log10().ceil() as i32).map(|power| 10f64.powi(power)).collect(),
            false => (0..=2).map(|part| (most * f64::from(part) / 2.0).round()).collect(),
        };
        for mark in marks {
            let at = y(mark);
            writeln!(svg, "<path d=\"M60 {at:.1}H820\" stroke=\"#ddd\"/><text x=\"55\" y=\"{:.1}\" text-anchor=\"end\">{mark}</text>", at + 4.0).unwrap();
        }
        for (second, _) in restarts {
            let at = x(*second);
            writeln!(
                svg,
                "<path d=\"M{at:.1} {top}v{HEIGHT}\" stroke=\"#bbb\" stroke-dasharray=\"2 3\"/>"
            )
            .unwrap();
        }
        for (place, (name, colour, of)) in series.iter().enumerate() {
            let points: Vec<_> =
                rows.iter().map(|row| format!("{:.1},{:.1}", x(row.second), y(of(row)))).collect();
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\"/>",
                points.join(" ")
            )
            .unwrap();
            let left = 820 - 150 * (series.len() - place - 1);
            writeln!(
                svg,
                "<text x=\"{left}\" y=\"{}\" text-anchor=\"end\" fill=\"{colour}\">{name}</text>",
                top - 10.0
            )
            .unwrap();
        }
    }
    let bottom = 30 + 180 * panels.len() - 20;
    for part in 0..=6 {
        let second = end * f64::from(part) / 6.0;
        writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{bottom}\" text-anchor=\"middle\">{:.0} min</text>",
            x(second),
            second / 60.0
        )
        .unwrap();
    }
    writeln!(
        svg,
        "<text x=\"440\" y=\"{}\" text-anchor=\"middle\" fill=\"#777\">dashed: a store was restarted</text>\n</svg>",
        bottom + 16
    )
    .unwrap();
    svg
}
