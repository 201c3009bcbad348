//! The memory store: that it forgets in time and never early, and a model of it. What it costs is
//! `tests/memory_replay.rs`.

use crate::support::claims::{claim, done, key, now};
use proptest::prelude::*;
use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    TestClock,
    replay::{Claim, Claimed, MemoryStore, Outcome, ReplayStore, ReplayedResponse},
};

#[test]
fn full_until_the_first_expires() {
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
fn a_store_tells_how_much_it_holds_and_can_hold() {
    let store = MemoryStore::with_capacity(3).unwrap();
    assert_eq!((store.len(), store.is_empty(), store.capacity()), (0, true, 3));
    assert_eq!(now(store.claim(claim(1, 1, 100))).unwrap(), Claimed::won(1));
    assert_eq!((store.len(), store.is_empty(), store.capacity()), (1, false, 3));
}

#[test]
fn what_is_over_makes_room_in_every_shard() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(1).unwrap().clock(clock.clone());
    let second = Duration::from_secs(1);
    // By turns in the first shard and in the last.
    let claimed = |byte| {
        let claim = Claim::for_test([byte; 16], [1; 16], 1, second, 10 * second);
        now(store.claim(claim)).unwrap()
    };
    assert_eq!(claimed(0x00), Claimed::won(1));
    clock.advance(9 * second);
    assert_eq!(claimed(0xff), Claimed::Full, "never early");
    clock.advance(second);
    assert_eq!(claimed(0xff), Claimed::won(1), "on time");
    clock.advance(15 * second);
    assert_eq!(claimed(0x00), Claimed::won(1), "and later");
}

fn in_one_shard(number: u64) -> [u8; 16] {
    let mut key = key(number);
    key[12..].fill(0);
    key
}

#[test]
fn a_short_claim_in_the_place_of_a_long_one_leaves_the_others_due() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(2).unwrap().clock(clock.clone());
    let claim = |number, retention| {
        Claim::for_test(
            in_one_shard(number),
            [1; 16],
            1,
            Duration::from_secs(1),
            Duration::from_secs(retention),
        )
    };
    let claimed = |number, retention| now(store.claim(claim(number, retention))).unwrap();
    assert_eq!(claimed(1, 3600), Claimed::won(1));
    assert_eq!(claimed(2, 10), Claimed::won(1));
    assert!(now(store.finish(claim(1, 3600), Outcome::Withdrawn)).unwrap());
    assert_eq!(claimed(3, 5), Claimed::won(1));
    clock.advance(Duration::from_secs(20));
    for number in [4, 5] {
        assert_eq!(claimed(number, 10), Claimed::won(1), "both are over");
    }
}

#[test]
fn a_lease_ends_to_the_millisecond() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().clock(clock.clone());
    let millisecond = Duration::from_millis(1);
    assert_eq!(now(store.claim(claim(1, 1, 100))).unwrap(), Claimed::won(1));
    clock.advance(14_999 * millisecond);
    assert_eq!(now(store.claim(claim(1, 2, 100))).unwrap(), Claimed::in_flight(millisecond));
    clock.advance(millisecond);
    assert_eq!(now(store.claim(claim(1, 2, 100))).unwrap(), Claimed::won(2));
}

#[test]
fn attack_contents_of_one_signature_fill_the_store() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().clock(clock.clone());
    let content = |signature: i64, content: u64| {
        let mut fingerprint = key(content);
        fingerprint[0] = 0;
        let mut claim = Claim::for_test(
            key(content),
            fingerprint,
            1,
            Duration::from_secs(15),
            Duration::from_secs(60),
        );
        claim.signature = key(signature as u64 | 1 << 40);
        claim
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
fn contents_that_are_over_leave_room_before_they_are_dropped() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().clock(clock.clone());
    let claimed = |number, signature, retention| {
        let mut claim = Claim::for_test(
            key(number),
            key(number),
            1,
            Duration::from_secs(1),
            Duration::from_secs(retention),
        );
        claim.signature = in_one_shard(signature);
        now(store.claim(claim)).unwrap()
    };
    // More are over than one call drops.
    for number in 1..=64 {
        assert_eq!(claimed(number, number, 10), Claimed::won(1));
    }
    for number in 101..=164 {
        assert_eq!(claimed(number, 100, 20), Claimed::won(1));
    }
    assert_eq!(claimed(165, 100, 20), Claimed::TooManyContents);
    clock.advance(Duration::from_secs(30));
    assert_eq!(claimed(165, 100, 20), Claimed::won(1));
}

fn answer(text: &str) -> ReplayedResponse {
    ReplayedResponse::new(http::HeaderValue::from_static("text/plain"), text.to_owned())
}

#[test]
fn the_oldest_answers_give_way_and_are_counted() {
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
fn a_kept_answer_dies_with_its_claim() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().answer_budget(200).clock(clock.clone());
    // In one shard more are due than one call drops, and the last of them is claimed again.
    let claim = |number, token, retention| {
        Claim::for_test(
            in_one_shard(number),
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

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let claim = (0..12_u8, 0..2_u8, 1..60_u64).prop_map(|(key, content, retention)| Step::Claim {
        key,
        content,
        retention,
    });
    let outcome =
        prop_oneof![2 => Just(done()), 1 => Just(Outcome::Failed), 1 => Just(Outcome::Withdrawn)];
    let step = prop_oneof![
        4 => claim,
        1 => (0..4_usize).prop_map(|back| Step::Renew { back }),
        3 => (0..4_usize, outcome).prop_map(|(back, outcome)| Step::Finish { back, outcome }),
        2 => (0..40_u64).prop_map(|seconds| Step::Pass { seconds }),
    ];
    proptest::collection::vec(step, 1..80)
}

fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    const CAPACITY: usize = 8;
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(CAPACITY).unwrap().clock(clock.clone());
    let mut model = Model::default();
    let mut time = 0;
    let mut claims: Vec<(u8, u8, i64, u64)> = Vec::new();
    let make = |(number, content, token, retention): (u8, u8, i64, u64)| {
        Claim::for_test(
            key(number.into()),
            [content; 16],
            token,
            Duration::from_secs(15),
            Duration::from_secs(retention),
        )
    };
    for (token, step) in (1_i64..).zip(steps) {
        match step {
            Step::Claim { key, content, retention } => {
                let made = (key, content, token, retention);
                let expected = model.claim(key, content, token, retention, time, CAPACITY);
                prop_assert_eq!(now(store.claim(make(made))).unwrap(), expected);
                claims.push(made);
            }
            Step::Renew { back } => {
                let Some(&made) = claims.iter().nth_back(back) else { continue };
                let held = model.held(made.0, made.2, time).filter(|entry| entry.state == 'i');
                let renewed = now(store.renew(make(made))).unwrap();
                prop_assert_eq!(renewed, held.is_some());
                if let Some(entry) = held {
                    entry.leased_until = time + 15;
                    entry.expires = entry.expires.max(time + 15);
                }
            }
            Step::Finish { back, outcome } => {
                let Some(&made) = claims.iter().nth_back(back) else { continue };
                let state = match &outcome {
                    Outcome::Done { .. } => 'd',
                    Outcome::Failed => 'f',
                    Outcome::Withdrawn => 'w',
                    _ => continue,
                };
                let held = model
                    .held(made.0, made.2, time)
                    .filter(|entry| entry.state == 'i' || entry.state == state);
                let finished = now(store.finish(make(made), outcome)).unwrap();
                prop_assert_eq!(finished, held.is_some());
                match held {
                    Some(entry) if state == 'w' && entry.attempt == 1 => {
                        model.entries.remove(&made.0);
                    }
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
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn behaves_like_the_model(steps in steps()) {
        run(steps)?;
    }
}
