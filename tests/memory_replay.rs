//! The memory store: what it costs, that it forgets in time and never early, and a model of it.

#![allow(unsafe_code, reason = "an allocator that counts")]

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
    let spread = |salt: u64| {
        (number ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(salt | 1)
    };
    let mut key = [0; 16];
    key[..8].copy_from_slice(&spread(0x0123_4567_89ab_cdef).to_be_bytes());
    key[8..].copy_from_slice(&spread(0xfedc_ba98_7654_3210).to_be_bytes());
    key
}

fn claim(number: i64, token: i64, retention: u64) -> Claim {
    Claim::for_test(
        key(number as u64),
        [1; 16],
        token,
        Duration::from_secs(15),
        Duration::from_secs(retention),
    )
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
    Outcome::done(None)
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
        assert_eq!(now(store.claim(claim(number, number, 3600))).unwrap(), Claimed::won(1));
        assert!(now(store.finish(claim(number, number, 3600), done())).unwrap());
    }
    let peak = PEAK.load(Ordering::Relaxed) - before;
    println!("1,000,000 claims: {peak} bytes at the peak");
    assert!(peak <= 100_000_000, "{peak}");

    // The same again in place of the first, a third at a time.
    for third in 1..=6 {
        clock.advance(Duration::from_secs(1300));
        let fresh = third * 10_000_000;
        let room = 1_000_000 - store.len() as i64;
        for number in fresh..fresh + room.max(333_000) {
            now(store.claim(claim(number, number, 3600))).unwrap();
        }
    }
    let churned = PEAK.load(Ordering::Relaxed) - before;
    println!("after a change of all claims: {churned} bytes at the peak");
    assert!(churned <= 100_000_000, "{churned}");
    let store = MemoryStore::new();
    for number in 0..1_000_000 {
        assert_eq!(now(store.claim(claim(number, number, 3600))).unwrap(), Claimed::won(1));
        assert!(now(store.finish(claim(number, number, 3600), done())).unwrap());
    }
    let held = HELD.load(Ordering::Relaxed);

    // Ten times as many again: memory stays flat, and nothing live is forgotten.
    for number in 1_000_000..10_000_000 {
        assert_eq!(now(store.claim(claim(number, number, 3600))).unwrap(), Claimed::Full);
    }
    assert!(HELD.load(Ordering::Relaxed) <= held + (1 << 20));
    for number in (0..1_000_000).step_by(997) {
        assert_eq!(now(store.claim(claim(number, 1, 3600))).unwrap(), Claimed::done(None));
    }
}

#[test]
fn a_steady_stream_allocates_nothing() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(100_000).unwrap().clock(clock.clone());
    let mut number = 0;
    let mut second = |store: &MemoryStore| {
        for _ in 0..1000 {
            number += 1;
            assert_eq!(now(store.claim(claim(number, number, 20))).unwrap(), Claimed::won(1));
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
    let store = MemoryStore::with_capacity(1000).unwrap().clock(clock.clone());
    for number in 0..1000 {
        assert_eq!(
            now(store.claim(claim(number, 1, 100 + number as u64))).unwrap(),
            Claimed::won(1)
        );
    }
    assert_eq!(now(store.claim(claim(5000, 1, 100))).unwrap(), Claimed::Full);
    clock.advance(Duration::from_secs(99));
    assert_eq!(now(store.claim(claim(5000, 1, 100))).unwrap(), Claimed::Full, "never early");
    clock.advance(Duration::from_secs(1));
    assert_eq!(now(store.claim(claim(5000, 1, 100))).unwrap(), Claimed::won(1));
    assert_eq!(now(store.claim(claim(5001, 1, 100))).unwrap(), Claimed::Full);
    assert_eq!(
        now(store.claim(claim(1, 2, 100))).unwrap(),
        Claimed::won(2),
        "still known: its lease ran out"
    );
}

#[test]
fn a_claim_that_came_to_nothing_takes_no_room() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(4).unwrap().clock(clock.clone());
    let mut held = 0;
    for number in 0..100_000 {
        let claim = claim(number, number, 24 * 60 * 60);
        assert_eq!(now(store.claim(claim.clone())).unwrap(), Claimed::won(1));
        assert!(now(store.finish(claim.clone(), Outcome::Withdrawn)).unwrap());
        assert!(!now(store.finish(claim, Outcome::Withdrawn)).unwrap(), "nothing is left of it");
        assert!(store.is_empty());
        if number == 1000 {
            held = HELD.load(Ordering::Relaxed);
        }
    }
    // A place each would be megabytes; the test harness has a few bytes of its own.
    assert!(HELD.load(Ordering::Relaxed) < held + (64 << 10), "its place is used again");

    // After a failed attempt the content stays, and so does the number.
    assert_eq!(now(store.claim(claim(1, 1, 60))).unwrap(), Claimed::won(1));
    assert!(now(store.finish(claim(1, 1, 60), Outcome::Failed)).unwrap());
    assert_eq!(now(store.claim(claim(1, 2, 60))).unwrap(), Claimed::won(2));
    assert!(now(store.finish(claim(1, 2, 60), Outcome::Withdrawn)).unwrap());
    assert_eq!(now(store.claim(claim(1, 3, 60))).unwrap(), Claimed::won(2));
    assert_eq!(store.len(), 1);

    // The places that were vacated come up when they would have been due, and harm nobody.
    for number in 2..5 {
        assert_eq!(now(store.claim(claim(number, 1, 36 * 60 * 60))).unwrap(), Claimed::won(1));
    }
    clock.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(now(store.claim(claim(9, 1, 60))).unwrap(), Claimed::won(1), "the first is over");
    assert_eq!(now(store.claim(claim(10, 1, 60))).unwrap(), Claimed::Full);
    assert_eq!(now(store.claim(claim(4, 2, 60))).unwrap(), Claimed::won(2), "still known");
}

#[test]
fn attack_contents_of_one_signature_fill_the_store() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().clock(clock.clone());
    let content = |signature: i64, content: u64| {
        let mut fingerprint = key(content);
        fingerprint[0] = 0;
        Claim::for_test(
            key(content),
            fingerprint,
            1,
            Duration::from_secs(15),
            Duration::from_secs(60),
        )
        .with_signature(key(signature as u64 | 1 << 40))
    };
    for number in 0..1000 {
        let expected = if number < 64 { Claimed::won(1) } else { Claimed::TooManyContents };
        assert_eq!(now(store.claim(content(1, number))).unwrap(), expected);
    }
    assert_eq!(store.len(), Claim::MAX_CONTENTS);
    assert_eq!(
        now(store.claim(content(2, 0))).unwrap(),
        Claimed::won(1),
        "another signature has its own"
    );
    assert!(now(store.finish(content(1, 3), done())).unwrap());
    assert_eq!(
        now(store.claim(content(1, 3))).unwrap(),
        Claimed::done(None),
        "what is known stays known"
    );
    assert!(now(store.finish(content(1, 4), Outcome::Withdrawn)).unwrap());
    assert_eq!(
        now(store.claim(content(1, 64))).unwrap(),
        Claimed::won(1),
        "a withdrawn content is none"
    );
    assert_eq!(now(store.claim(content(1, 65))).unwrap(), Claimed::TooManyContents);
    clock.advance(Duration::from_secs(60));
    for number in 100..164 {
        assert_eq!(
            now(store.claim(content(1, number))).unwrap(),
            Claimed::won(1),
            "all are forgotten"
        );
    }
}

#[test]
fn a_capacity_is_not_reserved_and_nonsense_is_refused() {
    let _alone = ALONE.lock();
    for nonsense in [0, usize::MAX, u32::MAX as usize + 1] {
        assert!(MemoryStore::with_capacity(nonsense).is_err());
    }
    let before = HELD.load(Ordering::Relaxed);
    let store = MemoryStore::with_capacity(u32::MAX as usize).unwrap();
    let held = HELD.load(Ordering::Relaxed) - before;
    assert!(held < 1 << 20, "{held} bytes before the first claim");
    assert_eq!(store.capacity(), u32::MAX as usize);
    assert_eq!(now(store.claim(claim(1, 1, 60))).unwrap(), Claimed::won(1));
}

fn answer(text: &str) -> ReplayedResponse {
    ReplayedResponse::new(http::HeaderValue::from_static("text/plain"), text.to_owned())
}

#[test]
fn the_oldest_answers_give_way_and_are_counted() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store =
        MemoryStore::with_capacity(1000).unwrap().answer_budget(10_000).clock(clock.clone());
    let answer = |number: i64| answer(&format!("{number:01000}"));
    let finish = |number: i64, answer: ReplayedResponse| {
        now(store.claim(claim(number, 1, 100))).unwrap();
        assert!(now(store.finish(claim(number, 1, 100), Outcome::done(Some(answer)))).unwrap());
    };
    let kept = |number| now(store.claim(claim(number, 2, 100))).unwrap();
    (0..100).for_each(|number| finish(number, answer(number)));
    assert_eq!(store.answers_dropped(), 92);
    for number in 0..100 {
        let expected = if number < 92 { None } else { Some(answer(number)) };
        assert_eq!(kept(number), Claimed::done(expected));
    }
    finish(
        100,
        ReplayedResponse::new(http::HeaderValue::from_static("text/plain"), vec![0; 10_000]),
    );
    assert_eq!(kept(100), Claimed::done(None), "larger than the whole budget");
    assert_eq!(kept(99), Claimed::done(Some(answer(99))), "which costs the others nothing");
    assert_eq!(store.answers_dropped(), 93);

    // Those of claims that are over leave their room, and that counts as no loss.
    clock.advance(Duration::from_secs(200));
    for number in 92..100 {
        assert_eq!(kept(number), Claimed::won(1));
        assert!(
            now(store.finish(claim(number, 2, 100), Outcome::done(Some(answer(number))))).unwrap()
        );
    }
    assert!((92..100).all(|number| kept(number) == Claimed::done(Some(answer(number)))));
    assert_eq!(store.answers_dropped(), 93);
}

#[test]
fn a_kept_answer_does_not_hold_the_buffer_that_it_was_cut_from() {
    let _alone = ALONE.lock();
    let store = MemoryStore::new();
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..16 {
        let part = bytes::Bytes::from(vec![b'x'; 1 << 20]).slice(..10);
        let answer = ReplayedResponse::new(http::HeaderValue::from_static("text/plain"), part);
        now(store.claim(claim(number, 1, 100))).unwrap();
        assert!(now(store.finish(claim(number, 1, 100), Outcome::done(Some(answer)))).unwrap());
    }
    let held = HELD.load(Ordering::Relaxed) - before;
    assert!(held < 4 << 20, "{held} bytes for 160 bytes of answers");
}

#[test]
fn a_kept_answer_dies_with_its_claim() {
    let _alone = ALONE.lock();
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().answer_budget(200).clock(clock.clone());
    // In one shard more are due than one call drops, and the last of them is claimed again.
    let in_shard = |number: u64| {
        let mut key = key(number);
        key[12..].fill(0);
        key
    };
    let claim = |number, token, retention| {
        Claim::for_test(
            in_shard(number),
            [1; 16],
            token,
            Duration::from_secs(1),
            Duration::from_secs(retention),
        )
    };
    for number in 1..=64 {
        assert_eq!(now(store.claim(claim(number, 1, 10))).unwrap(), Claimed::won(1));
    }
    assert_eq!(now(store.claim(claim(0, 1, 11))).unwrap(), Claimed::won(1));
    assert!(
        now(store.finish(claim(0, 1, 11), Outcome::done(Some(answer("yesterday's"))))).unwrap()
    );
    clock.advance(Duration::from_secs(20));
    assert_eq!(now(store.claim(claim(0, 2, 11))).unwrap(), Claimed::won(1));
    assert!(now(store.finish(claim(0, 2, 11), done())).unwrap());
    assert_eq!(now(store.claim(claim(0, 3, 11))).unwrap(), Claimed::done(None));

    // Its bytes are free again.
    assert_eq!(now(store.claim(claim(65, 1, 11))).unwrap(), Claimed::won(1));
    assert!(now(store.finish(claim(65, 1, 11), Outcome::done(Some(answer("today's"))))).unwrap());
    assert_eq!(now(store.claim(claim(65, 2, 11))).unwrap(), Claimed::done(Some(answer("today's"))));
    assert_eq!(store.answers_dropped(), 0);
}

/// The store as anybody would write it who had a table and no limits.
#[derive(Default)]
struct Model {
    entries: HashMap<u8, Entry>,
}

struct Entry {
    content: u8,
    token: i64,
    attempt: u32,
    leased_until: u64,
    expires: u64,
    state: char,
}

impl Model {
    fn claim(
        &mut self,
        key: u8,
        content: u8,
        token: i64,
        retention: u64,
        now: u64,
        capacity: usize,
    ) -> Claimed {
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
            'd' => return Claimed::done(None),
            'i' if entry.leased_until > now && entry.token != token => {
                return Claimed::in_flight(Duration::from_secs(entry.leased_until - now));
            }
            _ => {}
        }
        entry.token = token;
        entry.attempt += 1;
        entry.state = 'i';
        entry.leased_until = now + 15;
        entry.expires = entry.expires.max(now + retention).max(now + 15);
        Claimed::won(entry.attempt)
    }

    fn held(&mut self, key: u8, token: i64, now: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&key).filter(|entry| entry.expires > now && entry.token == token)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Claim { key: u8, content: u8, retention: u64 },
    Renew { back: usize },
    Finish { back: usize, outcome: Outcome },
    Pass { seconds: u64 },
}

/// A vacated place may be dropped as late as its last claim would have been: with one retention for
/// all, that is in time for the next.
fn steps() -> impl Strategy<Value = Vec<Step>> {
    let any_retention =
        proptest::collection::vec(step((1..60_u64).boxed(), Just(Outcome::Failed).boxed()), 1..80);
    let one_retention = (1..60_u64).prop_flat_map(|retention| {
        let outcome = prop_oneof![Just(Outcome::Failed), Just(Outcome::Withdrawn)];
        proptest::collection::vec(step(Just(retention).boxed(), outcome.boxed()), 1..80)
    });
    prop_oneof![any_retention, one_retention]
}

fn step(
    retention: BoxedStrategy<u64>,
    not_done: BoxedStrategy<Outcome>,
) -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(done()), not_done];
    prop_oneof![
        4 => (0..12_u8, 0..2_u8, retention).prop_map(|(key, content, retention)| Step::Claim { key, content, retention }),
        1 => (0..4_usize).prop_map(|back| Step::Renew { back }),
        3 => (0..4_usize, outcome).prop_map(|(back, outcome)| Step::Finish { back, outcome }),
        2 => (0..40_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_the_model(steps in steps()) {
        const CAPACITY: usize = 8;
        let _alone = ALONE.lock();
        let clock = TestClock::at(SystemTime::UNIX_EPOCH);
        let store = MemoryStore::with_capacity(CAPACITY).unwrap().clock(clock.clone());
        let mut model = Model::default();
        let mut time = 0;
        let mut claims: Vec<(u8, u8, i64, u64)> = Vec::new();
        let make = |(number, content, token, retention): (u8, u8, i64, u64)| Claim::for_test(
            key(number.into()), [content; 16], token, Duration::from_secs(15), Duration::from_secs(retention),
        );
        for (token, step) in (1_i64..).zip(steps) {
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
                Step::Finish { back, outcome } => {
                    let Some(made) = claims.len().checked_sub(back + 1).map(|at| claims[at]) else { continue };
                    let state = match &outcome {
                        Outcome::Done { .. } => 'd',
                        Outcome::Failed => 'f',
                        Outcome::Withdrawn => 'w',
                        _ => continue,
                    };
                    let held = model.held(made.0, made.2, time).filter(|entry| entry.state == 'i' || entry.state == state);
                    prop_assert_eq!(now(store.finish(make(made), outcome)).unwrap(), held.is_some());
                    match held {
                        Some(entry) if state == 'w' && entry.attempt == 1 => drop(model.entries.remove(&made.0)),
                        Some(entry) if state == 'w' => {
                            entry.attempt -= 1;
                            entry.state = 'f';
                        }
                        Some(entry) => {
                            entry.state = state;
                            entry.expires = entry.expires.max(time + made.3);
                        }
                        None => {}
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
