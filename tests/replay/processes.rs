//! The guard between processes: replays, contenders, outages and a killed receiver.
//!
//! `scripts/chaos` runs the long form (the variable `REPLAY_FULL`); without it everything is a
//! fraction of the size.
#![cfg(all(feature = "redis", feature = "stardust", feature = "vobiz", feature = "zegocloud"))]

use crate::support::{
    processes::{Receiver, Sender},
    redis::{Address, Redis},
    zegocloud::{SECRET, room},
};
use bytes::Bytes;
use http::Request;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::Semaphore;
use tower_webhooks::{Signer, stardust, vobiz, zegocloud};

const PUBLIC_URL: &str = "https://hooks.example.com";

fn full() -> bool {
    std::env::var_os("REPLAY_FULL").is_some()
}

/// Where outages are not what is tested, a slow machine is not one.
const PATIENT: (&str, &str) = ("RECEIVER_REDIS_TIMEOUT_MS", "10000");

fn variables<'a>(redis: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut variables = vec![
        ("REDIS_URL", redis),
        ("ZEGOCLOUD_CALLBACK_SECRET", SECRET),
        ("STARDUST_ACCESS_KEY", "an-access-key"),
        ("STARDUST_SECRET_KEY", SECRET),
        ("VOBIZ_AUTH_TOKEN", SECRET),
        ("VOBIZ_PUBLIC_URL", PUBLIC_URL),
    ];
    variables.extend_from_slice(more);
    variables
}

/// How often each room was delivered.
fn rooms(receivers: &mut [Receiver]) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for line in receivers.iter_mut().flat_map(Receiver::end) {
        *counts.entry(line["event"]["room_id"].as_str().unwrap().parse().unwrap()).or_default() +=
            1;
    }
    counts.remove(&FIRST);
    counts
}

/// The room of the event by which a receiver connects to its store.
const FIRST: usize = usize::MAX;

/// Two receivers that have connected to Redis and are patient with it.
async fn patient_pair(redis: &str, sender: &Sender) -> [Receiver; 2] {
    let pair = [(); 2].map(|()| Receiver::start(&variables(redis, &[PATIENT])));
    for receiver in &pair {
        sender.send_in_time(&receiver.addr, &room(FIRST)).await;
    }
    pair
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_replays_over_two_processes() {
    let (events, times) = if full() { (1000, 1000) } else { (100, 30) };
    let (redis, sender) = (Redis::start(), Sender::new());
    let mut pair = patient_pair(&redis.url(), &sender).await;
    let requests: Arc<Vec<_>> = Arc::new((0..events).map(room).collect());
    let mut order: Vec<usize> = (0..events * times).collect();
    fastrand::shuffle(&mut order);

    let permits = Arc::new(Semaphore::new(64));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for turn in order {
        let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
        let (sender, requests) = (sender.clone(), Arc::clone(&requests));
        let addr = pair[fastrand::usize(..2)].addr.clone();
        tasks.spawn(async move {
            let status = sender.send(&addr, &requests[turn % requests.len()]).await;
            drop(permit);
            status
        });
    }
    let mut statuses: HashMap<u16, usize> = HashMap::new();
    while let Some(status) = tasks.join_next().await {
        *statuses.entry(status.unwrap()).or_default() += 1;
    }
    let delivered = rooms(&mut pair);
    let twice = delivered.values().filter(|count| **count > 1).count();
    println!(
        "{} replays of {events} events in {:.1} s: {} delivered, {twice} twice, statuses \
         {statuses:?}",
        events * times,
        start.elapsed().as_secs_f64(),
        delivered.len(),
    );
    assert_eq!((delivered.len(), twice), (events, 0));
    assert!(statuses.keys().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_contenders_over_two_processes() {
    let keys = if full() { 1000 } else { 50 };
    let (redis, sender) = (Redis::start(), Sender::new());
    let mut pair = patient_pair(&redis.url(), &sender).await;
    let start = Instant::now();
    for key in 0..keys {
        sender.contend([&pair[0].addr, &pair[1].addr], room(key)).await;
    }
    let delivered = rooms(&mut pair);
    let winners: Vec<_> = (0..keys).map(|key| delivered.get(&key).copied().unwrap_or(0)).collect();
    println!(
        "{keys} keys x 128 contenders in {:.1} s: {} keys with exactly one winner",
        start.elapsed().as_secs_f64(),
        winners.iter().filter(|count| **count == 1).count(),
    );
    assert!(winners.iter().all(|count| *count == 1));
}

/// A sender's habits: its schedule, compressed, and how it signs.
struct Habit {
    name: &'static str,
    /// Pauses before each retry, as documented, in seconds.
    pauses: &'static [f64],
    /// By how much they are compressed.
    compressed: f64,
    signs_anew: bool,
    request: fn(usize) -> Request<Bytes>,
    signer: fn() -> Box<dyn Signer + Send>,
    id: fn(&serde_json::Value) -> Option<String>,
}

fn zegocloud_request(number: usize) -> Request<Bytes> {
    let body = format!(r#"{{"event":"room_create","room_id":"z{number}"}}"#);
    Request::post("/zegocloud").body(Bytes::from(body)).unwrap()
}

fn voice_request(number: usize) -> Request<Bytes> {
    Request::post("/vobiz/voice")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(format!("Event=Hangup&CallUUID=v{number}")))
        .unwrap()
}

fn campaign_request(number: usize) -> Request<Bytes> {
    let body = format!(
        r#"{{"event":"campaign.started","campaign_id":"c{number}","account_id":"MA_TEST"}}"#
    );
    Request::post("/vobiz/campaign").body(Bytes::from(body)).unwrap()
}

fn stardust_request(number: usize) -> Request<Bytes> {
    let body = format!(r#"{{"taskId":"s{number}","status":"completed"}}"#);
    Request::post("/stardust/signed").body(Bytes::from(body)).unwrap()
}

fn zegocloud_signer() -> Box<dyn Signer + Send> {
    Box::new(zegocloud::Signer::new(SECRET).unwrap())
}

fn voice_signer() -> Box<dyn Signer + Send> {
    Box::new(vobiz::voice::Signer::new(SECRET, PUBLIC_URL).unwrap())
}

fn campaign_signer() -> Box<dyn Signer + Send> {
    Box::new(vobiz::campaign::Signer::new(SECRET).unwrap())
}

fn stardust_signer() -> Box<dyn Signer + Send> {
    Box::new(stardust::Signer::new("an-access-key", SECRET).unwrap())
}

fn member(line: &serde_json::Value, name: &str) -> Option<String> {
    line["event"][name].as_str().map(str::to_owned)
}

fn habits() -> Vec<Habit> {
    let zegocloud = |signs_anew| Habit {
        name: if signs_anew { "zegocloud, signed anew" } else { "zegocloud, same signature" },
        pauses: &[2.0, 4.0, 8.0, 16.0, 32.0],
        compressed: 4.0,
        signs_anew,
        request: zegocloud_request,
        signer: zegocloud_signer,
        id: |line| member(line, "room_id"),
    };
    let voice = |signs_anew| Habit {
        name: if signs_anew { "vobiz voice, signed anew" } else { "vobiz voice, same signature" },
        pauses: &[1.0, 2.0, 4.0],
        compressed: 1.0,
        signs_anew,
        request: voice_request,
        signer: voice_signer,
        id: |line| member(line, "CallUUID"),
    };
    let campaign = Habit {
        name: "vobiz campaign",
        pauses: &[5.0, 25.0],
        compressed: 4.0,
        signs_anew: false,
        request: campaign_request,
        signer: campaign_signer,
        id: |line| member(line, "campaign_id"),
    };
    let stardust = |signs_anew| Habit {
        name: if signs_anew { "stardust, signed anew" } else { "stardust, same signature" },
        // Eight in 24 hours; how they are spaced is not documented.
        pauses: &[300.0, 600.0, 1200.0, 2400.0, 4800.0, 9600.0, 19200.0, 38400.0],
        compressed: 4000.0,
        signs_anew,
        request: stardust_request,
        signer: stardust_signer,
        id: |line| member(line, "taskId"),
    };
    vec![
        zegocloud(false),
        zegocloud(true),
        voice(false),
        voice(true),
        campaign,
        stardust(false),
        stardust(true),
    ]
}

/// What the sender of one event saw.
struct Sent {
    id: String,
    last: u16,
    /// How often the handler's 500 came back.
    failed: usize,
}

async fn follow(habit: &Habit, number: usize, addrs: [String; 2], sender: Sender) -> Sent {
    let signer = (habit.signer)();
    let plain = (habit.request)(number);
    let mut request = signer.sign(plain.clone(), SystemTime::now());
    let mut last = sender.send(&addrs[fastrand::usize(..2)], &request).await;
    let mut failed = usize::from(last == 500);
    for pause in habit.pauses {
        if (200..300).contains(&last) {
            break;
        }
        tokio::time::sleep(Duration::from_secs_f64(pause / habit.compressed)).await;
        if habit.signs_anew {
            request = signer.sign(plain.clone(), SystemTime::now());
        }
        last = sender.send(&addrs[fastrand::usize(..2)], &request).await;
        failed += usize::from(last == 500);
    }
    let id = plain.body().to_vec();
    let id = String::from_utf8(id).unwrap();
    let digits =
        |text: &str| text.chars().take_while(char::is_ascii_alphanumeric).collect::<String>();
    let id = ["room_id\":\"", "CallUUID=", "campaign_id\":\"", "taskId\":\""]
        .iter()
        .find_map(|name| id.split_once(name).map(|(_, rest)| digits(rest)))
        .unwrap();
    Sent { id, last, failed }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn senders_keep_to_their_schedules_while_redis_comes_and_goes() {
    let (events, outages) = if full() { (10_000, 10) } else { (700, 2) };
    let mut redis = Redis::start();
    let url = redis.url();
    let lease = ("RECEIVER_LEASE_MS", "1000");
    // The same signature is failed twice, by count; what is signed anew has no count and is failed
    // by chance.
    let counted = [lease, ("RECEIVER_FAIL_FIRST", "2")];
    let chance = [lease, ("RECEIVER_FAIL_RATE", "0.3")];
    let mut counted = [(); 2].map(|()| Receiver::start(&variables(&url, &counted)));
    let mut chance = [(); 2].map(|()| Receiver::start(&variables(&url, &chance)));
    let habits = Arc::new(habits());
    let each = events / habits.len() + 1;
    let sender = Sender::new();

    let spread = Duration::from_secs(if full() { 100 } else { 12 });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..each {
        for habit in 0..habits.len() {
            let (habits, sender) = (Arc::clone(&habits), sender.clone());
            let addrs = |pair: &[Receiver; 2]| [pair[0].addr.clone(), pair[1].addr.clone()];
            let addrs = if habits[habit].signs_anew { addrs(&chance) } else { addrs(&counted) };
            tasks.spawn(async move {
                tokio::time::sleep(spread.mul_f64(fastrand::f64())).await;
                (habit, follow(&habits[habit], number * habits.len() + habit, addrs, sender).await)
            });
        }
    }

    let over = Arc::new(AtomicBool::new(false));
    let silence = std::thread::spawn({
        let over = Arc::clone(&over);
        move || longest_silence(&url, &over)
    });
    let chaos = tokio::task::spawn_blocking(move || {
        for _ in 0..outages {
            std::thread::sleep(Duration::from_secs(4));
            redis.signal("STOP");
            std::thread::sleep(Duration::from_secs(2));
            redis.signal("CONT");
            std::thread::sleep(Duration::from_secs(4));
            redis.kill();
            std::thread::sleep(Duration::from_millis(300));
            redis.restart();
        }
        redis
    });

    let mut sent: Vec<Vec<Sent>> = habits.iter().map(|_| Vec::new()).collect();
    while let Some(done) = tasks.join_next().await {
        let (habit, done) = done.unwrap();
        sent[habit].push(done);
    }
    let _redis = chaos.await.unwrap();
    over.store(true, Ordering::SeqCst);
    // A claim that was given up can take effect when Redis goes on, and then holds for its second.
    // The last try of a voice callback comes four seconds later. On a slow machine it meets it.
    let is_in_time = silence.join().unwrap() < Duration::from_secs(3);

    for receiver in counted.iter().chain(&chance) {
        let (request, start) = (room(FIRST), Instant::now());
        // The handler still fails at times.
        while sender.send(&receiver.addr, &request).await != 200 {
            assert!(start.elapsed() < Duration::from_secs(60), "Redis is not found again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    let counted: Vec<_> = counted.iter_mut().flat_map(Receiver::end).collect();
    let chance: Vec<_> = chance.iter_mut().flat_map(Receiver::end).collect();
    let (mut lost, mut twice_same) = (0, 0);
    for (habit, sent) in habits.iter().zip(&sent) {
        let lines = if habit.signs_anew { &chance } else { &counted };
        // The counted receivers answer 2xx from the third attempt on.
        let mut succeeded: HashMap<String, usize> = HashMap::new();
        for line in
            lines.iter().filter(|line| habit.signs_anew || line["attempt"].as_u64() > Some(2))
        {
            if let Some(id) = (habit.id)(line) {
                *succeeded.entry(id).or_default() += 1;
            }
        }
        let acknowledged = sent.iter().filter(|sent| (200..300).contains(&sent.last)).count();
        let refused = sent.iter().filter(|sent| sent.last == 409).count();
        let gave_up = sent.len() - acknowledged - refused;
        let missing = sent
            .iter()
            .filter(|sent| (200..300).contains(&sent.last) || is_in_time && sent.last == 409)
            .filter(|sent| !succeeded.contains_key(&sent.id))
            .count();
        // By chance, any run of the handler that did not come back as a 500 may have been a
        // success.
        let runs = |sent: &&Sent| succeeded.get(&sent.id).copied().unwrap_or(0);
        let failures = |sent: &&Sent| if habit.signs_anew { sent.failed } else { 0 };
        let twice = sent.iter().filter(|sent| runs(sent) > failures(sent) + 1).count();
        println!(
            "{:28} {:5} events: {acknowledged} acknowledged, {refused} refused with 409 at last, \
             {gave_up} still \
             failing at last, {missing} lost, {twice} delivered twice",
            habit.name,
            sent.len(),
        );
        // Who tries six times or more meets Redis at work in some of them, unless the machine is
        // slow.
        if is_in_time && habit.pauses.len() >= 5 {
            assert!(acknowledged * 2 >= sent.len(), "{}: {acknowledged}", habit.name);
        }
        lost += missing;
        twice_same += if habit.signs_anew { 0 } else { twice };
    }
    assert_eq!((lost, twice_same), (0, 0));
}

/// The longest that Redis has taken for an answer, until it is over.
fn longest_silence(url: &str, over: &AtomicBool) -> Duration {
    let client = redis::Client::open(url).unwrap();
    let mut longest = Duration::ZERO;
    while !over.load(Ordering::SeqCst) {
        let asked = Instant::now();
        let answer = client
            .get_connection()
            .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
        if answer.is_ok() {
            longest = longest.max(asked.elapsed());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    longest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_killed_in_mid_handler_frees_its_claims() {
    let redis = Redis::start();
    let url = redis.url();
    let (lease, lasts) = (("RECEIVER_LEASE_MS", "3000"), Duration::from_secs(3));
    let mut a =
        Receiver::start(&variables(&url, &[lease, PATIENT, ("RECEIVER_DELAY_MS", "60000")]));
    let mut b = Receiver::start(&variables(&url, &[lease, PATIENT]));
    let (request, sender, sent) = (room(7), Sender::new(), Instant::now());
    let first = tokio::spawn({
        let (sender, addr, request) = (sender.clone(), a.addr.clone(), request.clone());
        async move { sender.send_in_time(&addr, &request).await }
    });
    a.wait_for_a_line();
    let killed = Instant::now();
    a.kill();
    assert_eq!(first.await.unwrap(), 0);

    let status = sender.send_in_time(&b.addr, &request).await;
    // A slow machine may have let it run out.
    if sent.elapsed() < lasts {
        assert_eq!(status, 409, "before the lease has run out");
    }
    let status = loop {
        let status = sender.send(&b.addr, &request).await;
        if status != 409 {
            break status;
        }
        assert!(killed.elapsed() < Duration::from_secs(60), "the key is stuck");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    println!(
        "killed with -9: delivered again {:.1} s later, with a lease of 3 s",
        killed.elapsed().as_secs_f64()
    );
    assert_eq!(status, 200);
    assert_eq!(b.end()[0]["attempt"], 2);
}

/// A receiver that is told to end while it has something to tell the store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_waits_until_the_store_knows() {
    let mut redis = Redis::start();
    let url = redis.url();
    let lease = ("RECEIVER_LEASE_MS", "1000");
    // Time enough to kill Redis before the handler has answered.
    let delay = ("RECEIVER_DELAY_MS", "6000");
    let mut a = Receiver::start(&variables(&url, &[lease, PATIENT, delay]));
    let mut b = Receiver::start(&variables(&url, &[lease, PATIENT]));
    let (request, sender) = (room(8), Sender::new());
    let first = tokio::spawn({
        let (sender, addr, request) = (sender.clone(), a.addr.clone(), request.clone());
        async move { sender.send_in_time(&addr, &request).await }
    });
    a.wait_for_a_line();
    redis.kill();
    assert_eq!(first.await.unwrap(), 200, "the handler's answer stands");
    let ended = tokio::task::spawn_blocking(move || {
        let start = Instant::now();
        a.terminate();
        start.elapsed()
    });
    // Longer than the lease, and far from the 10 s after which it gives up.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!ended.is_finished(), "it has not told anybody");
    redis.restart();
    println!(
        "ended {:.1} s after it was told to, with an outage of 2 s",
        ended.await.unwrap().as_secs_f64()
    );
    assert_eq!(sender.send_in_time(&b.addr, &request).await, 200);
    assert!(b.end().is_empty(), "it ran again");
}

/// What goes wrong with Redis.
const FAULTS: [&str; 5] = ["killed", "hung", "restarted", "full", "failed over"];

/// Two servers behind one address, of which one is the primary.
struct Pair {
    servers: [Redis; 2],
    primary: usize,
    address: Address,
}

impl Pair {
    async fn start() -> Self {
        let servers = [Redis::start(), Redis::start()];
        let () = servers[1].command(&["REPLICAOF", "127.0.0.1", &servers[0].port().to_string()]);
        let address = Address::of(&servers[0]).await;
        Self { servers, primary: 0, address }
    }

    fn suffer(&mut self, fault: &str) {
        let time = Duration::from_millis(fastrand::u64(300..1500));
        let primary = &mut self.servers[self.primary];
        match fault {
            "killed" => {
                primary.kill();
                std::thread::sleep(time);
                primary.restart();
            }
            "restarted" => {
                primary.stop();
                primary.restart();
            }
            "hung" => {
                primary.signal("STOP");
                std::thread::sleep(time);
                primary.signal("CONT");
            }
            "full" => {
                let () = primary.command(&["CONFIG", "SET", "maxmemory", "1"]);
                std::thread::sleep(time);
                let () = primary.command(&["CONFIG", "SET", "maxmemory", "0"]);
            }
            _ => {
                let other = 1 - self.primary;
                self.servers[self.primary].fail_over_to(&self.servers[other]);
                // The name is slower than the servers.
                std::thread::sleep(time);
                self.address.moves_to(&self.servers[other]);
                self.primary = other;
            }
        }
    }
}

/// What became of one event.
struct Fate {
    number: usize,
    retries: bool,
    /// What was wrong when it was sent first, and what it was answered.
    first: (usize, u16),
    last: u16,
}

/// Redis is killed, hung, restarted, full and failed over while events come in, and what was
/// acknowledged is replayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_replays_in_chaos() {
    let (events, rounds) = if full() { (100_000, 20) } else { (1500, 1) };
    let spread = Duration::from_secs(rounds * 16);
    let mut redis = Pair::start().await;
    let url = redis.address.url();
    let mut pair = [(); 2].map(|()| Receiver::start(&variables(&url, &[])));
    let addrs = Arc::new([pair[0].addr.clone(), pair[1].addr.clone()]);
    let fault = Arc::new(AtomicUsize::new(FAULTS.len()));

    let chaos = tokio::task::spawn_blocking({
        let fault = Arc::clone(&fault);
        move || {
            for _ in 0..rounds {
                for number in fastrand::choose_multiple(0..FAULTS.len(), FAULTS.len()) {
                    std::thread::sleep(Duration::from_millis(fastrand::u64(1000..2000)));
                    fault.store(number, Ordering::SeqCst);
                    redis.suffer(FAULTS[number]);
                    fault.store(FAULTS.len(), Ordering::SeqCst);
                }
            }
            redis
        }
    });

    let (sender, start) = (Sender::new(), tokio::time::Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..events {
        tokio::time::sleep_until(start + spread.mul_f64(number as f64 / events as f64)).await;
        let (sender, addrs, fault) = (sender.clone(), Arc::clone(&addrs), Arc::clone(&fault));
        tasks.spawn(async move {
            let (request, retries) = (room(number), number % 10 != 0);
            let anywhere = || addrs[fastrand::usize(..2)].as_str();
            let first_fault = fault.load(Ordering::SeqCst);
            let first = sender.send(anywhere(), &request).await;
            let mut last = first;
            // Whoever retries does so for minutes at least, and half of the time something is wrong
            // here.
            let pauses = [250, 500, 1000, 2000, 4000, 8000]
                .into_iter()
                .chain(std::iter::repeat_n(16_000, 15));
            for pause in pauses {
                if !retries || last == 200 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(pause)).await;
                last = sender.send(anywhere(), &request).await;
            }
            let mut replays = BTreeMap::new();
            if last == 200 && number % 5 == 0 {
                for _ in 0..3 {
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(..5000))).await;
                    *replays.entry(sender.send(anywhere(), &request).await).or_insert(0) += 1;
                }
            }
            (Fate { number, retries, first: (first_fault, first), last }, replays)
        });
    }
    let (mut fates, mut replays) = (Vec::new(), BTreeMap::<u16, usize>::new());
    while let Some(done) = tasks.join_next().await {
        let (fate, replayed) = done.unwrap();
        fates.push(fate);
        replayed
            .into_iter()
            .for_each(|(status, count)| *replays.entry(status).or_default() += count);
    }
    let _redis = chaos.await.unwrap();
    let runs = rooms(&mut pair);
    let ran = |fate: &Fate| runs.get(&fate.number).copied().unwrap_or(0);

    println!(
        "{events} events in {:.0} s, each fault {rounds} times",
        start.elapsed().as_secs_f64()
    );
    for (number, name) in FAULTS.iter().chain(&["nothing"]).enumerate() {
        let mut once: BTreeMap<u16, usize> = BTreeMap::new();
        let sent = fates.iter().filter(|fate| !fate.retries && fate.first.0 == number);
        sent.for_each(|fate| *once.entry(fate.first.1).or_default() += 1);
        let (all, taken): (usize, usize) =
            (once.values().sum(), once.get(&200).copied().unwrap_or(0));
        let share = 100.0 * (all - taken) as f64 / all.max(1) as f64;
        println!(
            "sent once while Redis is {name:11}: {:5} of {all:5} refused, {share:.1} %: {once:?}",
            all - taken
        );
    }
    println!("replays of what was acknowledged: {replays:?}");
    let twice: Vec<_> = runs.iter().filter(|(_, count)| **count > 1).collect();
    let lost: Vec<_> = fates
        .iter()
        .filter(|fate| fate.retries && fate.last != 200)
        .map(|fate| fate.number)
        .collect();
    let unseen = fates.iter().filter(|fate| fate.last == 200 && ran(fate) == 0).count();
    let refused = fates.iter().filter(|fate| fate.last == 503 && ran(fate) > 0).count();
    println!(
        "{} ran twice, {} lost by senders that retry, {unseen} acknowledged and not run, \
         {refused} refused and run",
        twice.len(),
        lost.len()
    );
    assert_eq!((twice.len(), lost.len(), unseen, refused), (0, 0, 0, 0), "{twice:?} {lost:?}");
}
