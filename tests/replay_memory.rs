//! The memory store: what it costs, that it forgets in time and never early, and a model of it.

use proptest::prelude::*;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    TestClock,
    replay::{Claim, Claimed, MemoryStore, Outcome, ReplayStore, ReplayedResponse},
};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALONE: Mutex<()> = Mutex::new(());

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: forwards to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn key(number: u64) -> [u8; 16] {
    let spread = |salt: u64| (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(salt | 1);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&spread(0x0123_4567_89ab_cdef).to_be_bytes());
    key[8..].copy_from_slice(&spread(0xfedc_ba98_7654_3210).to_be_bytes());
    key
}

fn claim(number: u64, token: u64, retention: u64) -> Claim {
    Claim::for_test(key(number), [1; 16], token, Duration::from_secs(15), Duration::from_secs(retention))
}

/// The memory store never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("the memory store waited"),
    }
}

fn done() -> Outcome {
    Outcome::Done { answer: None }
}

#[test]
fn a_million_claims_take_at_most_100_mb() {
    let _alone = ALONE.lock();
    let before = HELD.load(Ordering::Relaxed);
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().clock(clock.clone());
    let empty = HELD.load(Ordering::Relaxed) - before;
    assert!(empty < 1 << 20, "{empty} bytes before the first claim");
    PEAK.store(before, Ordering::Relaxed);
    for number in 0..1_000_000 {
        assert_eq!(now(store.claim(claim(number, number, 3600))).unwrap(), Claimed::Won { attempt: 1 });
        assert!(now(store.finish(claim(number, number, 3600), done())).unwrap());
    }
    let peak = PEAK.load(Ordering::Relaxed) - before;
    println!("1,000,000 claims: {peak} bytes at the peak");
    assert!(peak <= 100_000_000, "{peak}");

    // The same again in place of the first, a third at a time.
    for third in 1..=6 {
        clock.advance(Duration::from_secs(1300));
        let fresh = third * 10_000_000;
        let room = 1_000_000 - store.len() as u64;
        for number in fresh..fresh + room.max(333_000) {
            now(store.claim(claim(number, number, 3600))).unwrap();
        }
    }
    let churned = PEAK.load(Ordering::Relaxed) - before;
    println!("after a change of all claims: {churned} bytes at the peak");
    assert!(churned <= 100_000_000, "{churned}");
    let store = MemoryStore::new();
    for number in 0..1_000_000 {
        assert_eq!(now(store.claim(claim(number, number, 3600))).unwrap(), Claimed::Won { attempt: 1 });
        assert!(now(store.finish(claim(number, number, 3600), done())).unwrap());
    }
    let held = HELD.load(Ordering::Relaxed);

    // Ten times as many again: memory stays flat, and nothing live is forgotten.
    for number in 1_000_000..10_000_000 {
        assert_eq!(now(store.claim(claim(number, number, 3600))).unwrap(), Claimed::Full);
    }
    assert!(HELD.load(Ordering::Relaxed) <= held + (1 << 20));
    for number in (0..1_000_000).step_by(997) {
        assert_eq!(now(store.claim(claim(number, 1, 3600))).unwrap(), Claimed::Done { answer: None });
    }
}

#[test]
fn a_steady_stream_allocates_nothing() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(100_000).clock(clock.clone());
    let mut number = 0;
    let mut second = |store: &MemoryStore| {
        for _ in 0..1000 {
            number += 1;
            assert_eq!(now(store.claim(claim(number, number, 20))).unwrap(), Claimed::Won { attempt: 1 });
            assert!(now(store.finish(claim(number, number, 20), done())).unwrap());
        }
        clock.advance(Duration::from_secs(1));
    };
    // Until the index of the fullest shard has made its room for the places of what was dropped.
    for _ in 0..600 {
        second(&store);
    }
    let before = CALLS.get();
    for _ in 0..60 {
        second(&store);
    }
    assert_eq!(CALLS.get() - before, 0);
    assert!(store.len() < 25_000, "{}", store.len());
}

#[test]
fn full_until_the_first_expires() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(1000).clock(clock.clone());
    for number in 0..1000 {
        assert_eq!(now(store.claim(claim(number, 1, 100 + number))).unwrap(), Claimed::Won { attempt: 1 });
    }
    assert_eq!(now(store.claim(claim(5000, 1, 100))).unwrap(), Claimed::Full);
    clock.advance(Duration::from_secs(99));
    assert_eq!(now(store.claim(claim(5000, 1, 100))).unwrap(), Claimed::Full, "never early");
    clock.advance(Duration::from_secs(1));
    assert_eq!(now(store.claim(claim(5000, 1, 100))).unwrap(), Claimed::Won { attempt: 1 });
    assert_eq!(now(store.claim(claim(5001, 1, 100))).unwrap(), Claimed::Full);
    assert_eq!(
        now(store.claim(claim(1, 2, 100))).unwrap(),
        Claimed::Won { attempt: 2 },
        "still known: its lease ran out"
    );
}

#[test]
fn answers_have_a_budget_of_their_own() {
    let _alone = ALONE.lock();
    let store = MemoryStore::with_capacity(1000).answer_budget(10_000);
    let answer = ReplayedResponse::new(http::HeaderValue::from_static("text/plain"), vec![b'x'; 1000]);
    for number in 0..100 {
        now(store.claim(claim(number, 1, 100))).unwrap();
        assert!(now(store.finish(claim(number, 1, 100), Outcome::Done { answer: Some(answer.clone()) })).unwrap());
    }
    let kept = (0..100)
        .filter(|number| {
            now(store.claim(claim(*number, 2, 100))).unwrap() == Claimed::Done { answer: Some(answer.clone()) }
        })
        .count();
    assert_eq!(kept, 8);
}

/// The store as anybody would write it who had a table and no limits.
#[derive(Default)]
struct Model {
    entries: HashMap<u8, Entry>,
}

struct Entry {
    content: u8,
    token: u64,
    attempt: u32,
    leased_until: u64,
    expires: u64,
    state: char,
}

impl Model {
    fn claim(&mut self, key: u8, content: u8, token: u64, retention: u64, now: u64, capacity: usize) -> Claimed {
        self.entries.retain(|_, entry| entry.expires > now);
        let full = self.entries.len() >= capacity;
        let entry = match self.entries.get_mut(&key) {
            None if full => return Claimed::Full,
            None => self.entries.entry(key).or_insert(Entry {
                content,
                token,
                attempt: 0,
                leased_until: 0,
                expires: 0,
                state: 'f',
            }),
            Some(entry) => entry,
        };
        if entry.content != content {
            return Claimed::Conflict;
        }
        match entry.state {
            'd' => return Claimed::Done { answer: None },
            'i' if entry.leased_until > now && entry.token != token => {
                return Claimed::InFlight { retry_after: Duration::from_secs(entry.leased_until - now) };
            }
            _ => {}
        }
        entry.token = token;
        entry.attempt += 1;
        entry.state = 'i';
        entry.leased_until = now + 15;
        entry.expires = entry.expires.max(now + retention).max(now + 15);
        Claimed::Won { attempt: entry.attempt }
    }

    fn held(&mut self, key: u8, token: u64, now: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&key).filter(|entry| entry.expires > now && entry.token == token)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Claim { key: u8, content: u8, retention: u64 },
    Renew { back: usize },
    Finish { back: usize, done: bool },
    Pass { seconds: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8, 0..2_u8, 1..60_u64).prop_map(|(key, content, retention)| Step::Claim { key, content, retention }),
        1 => (0..4_usize).prop_map(|back| Step::Renew { back }),
        3 => (0..4_usize, any::<bool>()).prop_map(|(back, done)| Step::Finish { back, done }),
        2 => (0..40_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_the_model(steps in proptest::collection::vec(step(), 1..80)) {
        const CAPACITY: usize = 8;
        let _alone = ALONE.lock();
        let clock = TestClock::at(SystemTime::UNIX_EPOCH);
        let store = MemoryStore::with_capacity(CAPACITY).clock(clock.clone());
        let mut model = Model::default();
        let mut time = 0;
        let mut claims: Vec<(u8, u8, u64, u64)> = Vec::new();
        let make = |(number, content, token, retention): (u8, u8, u64, u64)| Claim::for_test(
            key(number.into()), [content; 16], token, Duration::from_secs(15), Duration::from_secs(retention),
        );
        for (token, step) in (1_u64..).zip(steps) {
            match step {
                Step::Claim { key, content, retention } => {
                    let made = (key, content, token, retention);
                    let expected = model.claim(key, content, token, retention, time, CAPACITY);
                    prop_assert_eq!(now(store.claim(make(made))).unwrap(), expected);
                    claims.push(made);
                }
                Step::Renew { back } => {
                    let Some(made) = claims.len().checked_sub(back + 1).map(|at| claims[at]) else { continue };
                    let held = model.held(made.0, made.2, time).filter(|entry| entry.state == 'i');
                    let renewed = now(store.renew(make(made))).unwrap();
                    prop_assert_eq!(renewed, held.is_some());
                    if let Some(entry) = held {
                        entry.leased_until = time + 15;
                        entry.expires = entry.expires.max(time + 15);
                    }
                }
                Step::Finish { back, done: is_done } => {
                    let Some(made) = claims.len().checked_sub(back + 1).map(|at| claims[at]) else { continue };
                    let state = if is_done { 'd' } else { 'f' };
                    let held = model.held(made.0, made.2, time).filter(|entry| entry.state == 'i' || entry.state == state);
                    let outcome = if is_done { done() } else { Outcome::Failed };
                    prop_assert_eq!(now(store.finish(make(made), outcome)).unwrap(), held.is_some());
                    if let Some(entry) = held {
                        entry.state = state;
                        entry.expires = entry.expires.max(time + made.3);
                    }
                }
                Step::Pass { seconds } => {
                    time += seconds;
                    clock.advance(Duration::from_secs(seconds));
                }
            }
        }
    }
}
