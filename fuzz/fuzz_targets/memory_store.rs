//! The memory store, compared with a simple model: nothing live is forgotten, one attempt wins, the
//! capacity holds.

#![no_main]

use bytes::Bytes;
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    TestClock, fuzzing,
    replay::{Claim, Claimed, MemoryStore, Outcome, ReplayStore, ReplayedResponse},
};
use tower_webhooks_fuzz::Data;

fuzz_target!(|data: &[u8]| {
    let mut data = Data(data);
    let capacity = data.of(&[1, 2, 3, 8, 80]);
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(capacity).unwrap().clock(clock.clone());
    // With a small budget old answers are dropped; with the default one they never are.
    let (store, keeps_answers) =
        if data.byte() % 2 == 0 { (store.answer_budget(400), false) } else { (store, true) };
    let mut model = Model { capacity, keeps_answers, now: 0, entries: BTreeMap::new() };
    while !data.0.is_empty() {
        let step = data.byte();
        let (which, token) = (usize::from(data.byte()), i64::from(data.byte() % 4));
        // The last two signatures have many contents, each with a key of its own.
        let (signature, is_part) = ([(which % 6) as u8 * 17; 16], which % 6 >= 4);
        let content = if is_part { which / 6 % 8 } else { which / 6 % 2 } as u8;
        let lease = Duration::from_millis(data.of(&[1, 999, 1000, 1500, 60_000]));
        let retention = Duration::from_millis(data.of(&[1, 500, 1000, 2500, 61_000, 3_600_000]));
        let of = |content: u8| {
            let part = [signature[0] + 1, content, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
            let key = if is_part { part } else { signature };
            let mut claim = Claim::for_test(key, [content; 16], token, lease, retention);
            claim.signature = signature;
            claim
        };
        let claim = of(content);
        match step % 9 {
            0 | 1 => {
                let claimed = now(store.claim(claim.clone()));
                model.claimed(&claim, Some(lease), &claimed, is_part);
            }
            2 => {
                let claimed = fuzzing::claim_without_lease(&store, &claim);
                model.claimed(&claim, None, &claimed, is_part);
            }
            3 => assert_eq!(now(store.renew(claim.clone())), model.renew(&claim)),
            4 | 5 => {
                let outcome = match step / 9 % 4 {
                    0 => Outcome::Failed,
                    1 => Outcome::Withdrawn,
                    2 => Outcome::done(None),
                    _ => Outcome::done(Some(answer(which))),
                };
                assert_eq!(
                    now(store.finish(claim.clone(), outcome.clone())),
                    model.finish(&claim, &outcome)
                );
            }
            6 => model.advance(
                &clock,
                [0, 1, 400, 999, 1000, 1001, 30_000, 59_999][usize::from(step / 9) % 8],
            ),
            // More contents than one signature may have.
            7 if is_part => (0..70).map(of).for_each(|claim| {
                let claimed = now(store.claim(claim.clone()));
                model.claimed(&claim, Some(lease), &claimed, true);
            }),
            // Moves the clock to the next expiry, or just before it.
            _ => {
                let next = model
                    .entries
                    .values()
                    .map(Entry::ends)
                    .filter(|end| *end > model.now && *end < HELD)
                    .min();
                let step = next.unwrap_or_default().saturating_sub(model.now);
                model.advance(&clock, step.saturating_sub(u64::from(step > 0 && which % 2 == 0)));
            }
        }
        let live = model.entries.values().filter(|entry| entry.ends() > model.now).count();
        assert!(live <= store.len(), "{live} are live, {} are there", store.len());
        assert!(store.len() <= capacity);
    }
});

fn now<T>(future: impl Future<Output = Result<T, tower_webhooks::replay::StoreError>>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready,
        _ => panic!("it waits or fails"),
    }
}

fn answer(which: usize) -> ReplayedResponse {
    ReplayedResponse::new(
        HeaderValue::from_static("a/b"),
        Bytes::from(vec![which as u8; which % 3 * 100]),
    )
}

/// All times in milliseconds.
struct Model {
    capacity: usize,
    keeps_answers: bool,
    now: u64,
    entries: BTreeMap<[u8; 16], Entry>,
}

#[derive(Debug)]
struct Entry {
    signature: [u8; 16],
    fingerprint: [u8; 16],
    token: i64,
    attempt: u32,
    state: State,
    leased_until: u64,
    kept_until: u64,
    answer: Option<ReplayedResponse>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    InFlight,
    Failed,
    Done,
}

impl Entry {
    /// The time until which it must be remembered.
    fn ends(&self) -> u64 {
        if self.state == State::InFlight && self.leased_until == HELD {
            HELD
        } else {
            self.kept_until
        }
    }

    /// The store counts in whole seconds.
    fn keep_until(&mut self, millis: u64) {
        self.kept_until = self.kept_until.max(millis.div_ceil(1000) * 1000);
    }
}

impl Model {
    fn advance(&mut self, clock: &TestClock, millis: u64) {
        self.now += millis;
        clock.advance(Duration::from_millis(millis));
    }

    fn claimed(
        &mut self,
        claim: &Claim,
        lease: Option<Duration>,
        claimed: &Claimed,
        is_part: bool,
    ) {
        let now = self.now;
        self.entries.retain(|_, entry| entry.ends() > now);
        let attempt = match self.entries.get_mut(&claim.key) {
            Some(entry) if entry.fingerprint != claim.fingerprint => {
                return assert_eq!(*claimed, Claimed::Conflict);
            }
            Some(Entry { state: State::Done, answer, .. }) => {
                let Claimed::Done { answer: kept, .. } = claimed else {
                    panic!("{claimed:?} after the end")
                };
                let may_be_gone = !self.keeps_answers && kept.is_none();
                return assert!(kept == answer || may_be_gone, "{kept:?} for {answer:?}");
            }
            Some(entry)
                if entry.state == State::InFlight
                    && entry.leased_until > now
                    && entry.token != claim.token =>
            {
                let Claimed::InFlight { retry_after, .. } = claimed else {
                    panic!("{claimed:?} in flight")
                };
                let left = if entry.leased_until == HELD { 1000 } else { entry.leased_until - now };
                return assert_eq!(retry_after.as_millis(), u128::from(left));
            }
            // The same claim again under its token is the same attempt.
            Some(entry) if entry.state == State::InFlight && entry.token == claim.token => {
                entry.attempt
            }
            Some(entry) => entry.attempt + 1,
            None => {
                let same = self
                    .entries
                    .values()
                    .filter(|entry| entry.signature == claim.signature)
                    .count();
                if is_part && same >= Claim::MAX_CONTENTS {
                    return assert_eq!(*claimed, Claimed::TooManyContents);
                }
                if self.entries.len() >= self.capacity {
                    return assert_eq!(*claimed, Claimed::Full);
                }
                1
            }
        };
        assert_eq!(*claimed, Claimed::won(attempt));
        let before = self.entries.remove(&claim.key);
        let kept_until = before.as_ref().map_or(0, |entry| entry.kept_until);
        let mut entry = Entry {
            signature: claim.signature,
            fingerprint: claim.fingerprint,
            token: claim.token,
            attempt,
            state: State::InFlight,
            leased_until: lease.map_or(HELD, |lease| now + lease.as_millis() as u64),
            kept_until,
            answer: before.and_then(|entry| entry.answer),
        };
        entry.keep_until(now + lease.unwrap_or_default().max(claim.retention).as_millis() as u64);
        self.entries.insert(claim.key, entry);
    }

    fn entry(&mut self, claim: &Claim) -> Option<&mut Entry> {
        let now = self.now;
        self.entries
            .get_mut(&claim.key)
            .filter(|entry| entry.ends() > now && entry.token == claim.token)
    }

    fn renew(&mut self, claim: &Claim) -> bool {
        let now = self.now;
        let Some(entry) = self.entry(claim).filter(|entry| entry.state == State::InFlight) else {
            return false;
        };
        entry.leased_until = now + claim.lease.as_millis() as u64;
        entry.keep_until(entry.leased_until);
        true
    }

    fn finish(&mut self, claim: &Claim, outcome: &Outcome) -> bool {
        let now = self.now;
        let Some(entry) = self.entry(claim) else { return false };
        match (entry.state, outcome) {
            (State::InFlight, Outcome::Withdrawn) if entry.attempt == 1 => {
                self.entries.remove(&claim.key);
                return true;
            }
            (State::InFlight, Outcome::Withdrawn) => {
                entry.attempt -= 1;
                entry.state = State::Failed;
                return true;
            }
            (State::InFlight | State::Failed, Outcome::Failed) => entry.state = State::Failed,
            (State::InFlight | State::Done, Outcome::Done { answer, .. }) => {
                entry.state = State::Done;
                if answer.is_some() {
                    entry.answer.clone_from(answer);
                }
            }
            _ => return false,
        }
        entry.keep_until(now + claim.retention.as_millis() as u64);
        true
    }
}

const HELD: u64 = u64::MAX;
