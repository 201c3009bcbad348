//! What the memory store costs, in a process of its own.

#![allow(unsafe_code, reason = "an allocator that counts")]

use claims::{claim, done, now};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    TestClock,
    replay::{Claimed, MemoryStore, Outcome, ReplayStore, ReplayedResponse},
};

#[path = "support/claims.rs"]
#[allow(dead_code, reason = "each binary uses its share")]
mod claims;

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
