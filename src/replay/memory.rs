//! The replay store of one process.

use super::{
    Claim, Claimed, Outcome, ReplayStore, ReplayedResponse, StoreError,
    latest::{Latest, Millis},
    lock,
};
use crate::{ConfigError, budget};
use hashbrown::HashTable;
use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// A replay store in memory; clones share the claims.
///
/// Layers that share a secret must share one store, or what was delivered on one route can be
/// replayed on another. If only the body is signed ([`Content::Signed`](crate::Content::Signed)),
/// two routes cannot be told apart: the same bytes on both are one delivery. If a sender posts one
/// event to two routes, give each route its own secret.
///
/// It holds a million claims in at most 100 MB and allocates as needed. A claim is never forgotten
/// before its retention is over: when the store is full of such claims, deliveries are answered
/// with 503. So it takes capacity ÷ retention signed deliveries per second: with a million claims,
/// 2,777 at 6 minutes (300 s window and 60 s for clocks that differ) and 11 at 24 hours.
///
/// ```
/// use tower_webhooks::{WebhookLayer, replay::MemoryStore, zegocloud::Zegocloud};
///
/// let store = MemoryStore::new();
/// let rooms =
///     WebhookLayer::new(Zegocloud::new("one secret")?).local_store(store.clone());
/// let streams =
///     WebhookLayer::new(Zegocloud::new("one secret")?).local_store(store.clone());
/// assert!(store.is_empty());
/// # Ok::<(), tower_webhooks::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

struct Shared {
    shards: Box<[Shard]>,
    capacity: usize,
    len: AtomicUsize,
    answers: Answers,
    clock: StoreClock,
    latest: Latest,
}

impl MemoryStore {
    /// Creates a store for a million claims, with 16 MiB for kept answers.
    pub fn new() -> Self {
        Self::build(DEFAULT_CAPACITY, DEFAULT_ANSWER_BUDGET, StoreClock::Monotonic(Instant::now()))
    }

    /// Creates a store for at most this many claims, of about 90 bytes each, allocated as needed.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for zero and for more than [`u32::MAX`].
    pub fn with_capacity(claims: usize) -> Result<Self, ConfigError> {
        if claims == 0 || u32::try_from(claims).is_err() {
            return Err(ConfigError::new(
                "the replay store's capacity is zero or more than 4,294,967,295 claims",
            ));
        }
        Ok(Self::build(claims, DEFAULT_ANSWER_BUDGET, StoreClock::Monotonic(Instant::now())))
    }

    /// Sets how many bytes of answers are kept. The oldest are dropped for new ones; a repeat then
    /// gets an empty 200. Set it before the store is used: the result is a new, empty store.
    #[must_use]
    pub fn answer_budget(self, bytes: usize) -> Self {
        Self::build(self.shared.capacity, bytes, self.shared.clock.clone())
    }

    /// Reads the time from `clock`. Set it before the store is used: the result is a new, empty
    /// store.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn clock(self, clock: crate::TestClock) -> Self {
        Self::build(
            self.shared.capacity,
            self.shared.answers.budget,
            StoreClock::Test(clock.now(), clock),
        )
    }

    /// The number of claims, including expired ones that are not dropped yet.
    pub fn len(&self) -> usize {
        self.shared.len.load(Ordering::Relaxed)
    }

    /// Whether the store holds no claims.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most claims that the store can hold.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    #[cfg(test)]
    pub(crate) fn answer_limit(&self) -> usize {
        self.shared.answers.budget
    }

    /// How many answers the [`answer_budget`](Self::answer_budget) left no room for so far.
    pub fn answers_dropped(&self) -> u64 {
        self.shared.answers.dropped.load(Ordering::Relaxed)
    }

    /// The time since the store was made, by the monotonic clock.
    pub(crate) fn uptime(&self) -> Millis {
        self.shared.clock.now()
    }

    pub(super) fn latest(&self) -> &Latest {
        &self.shared.latest
    }

    fn build(capacity: usize, answer_budget: usize, clock: StoreClock) -> Self {
        let shards = capacity.div_ceil(CLAIMS_PER_SHARD).clamp(MIN_SHARDS, MAX_SHARDS);
        Self {
            shared: Arc::new(Shared {
                shards: (0..shards)
                    .map(|_| Shard { table: Mutex::default(), next_due: AtomicU32::new(u32::MAX) })
                    .collect(),
                capacity,
                len: AtomicUsize::new(0),
                answers: Answers {
                    budget: answer_budget,
                    dropped: AtomicU64::new(0),
                    kept: Mutex::default(),
                },
                clock,
                latest: Latest::default(),
            }),
        }
    }

    pub(crate) fn claim_at(&self, claim: &Claim, hold: Hold, now: Millis) -> Claimed {
        loop {
            let claimed = self.shared.claim(claim, hold, now);
            // Another thread may take the room that the sweep makes.
            if !matches!(claimed, Claimed::Full) || !self.shared.sweep(now) {
                return claimed;
            }
        }
    }

    pub(super) fn finish_now(&self, claim: &Claim, outcome: &Outcome) -> bool {
        let shared = &*self.shared;
        let now = shared.clock.now();
        shared.with_slot(claim, now, |slot| match outcome {
            Outcome::Done { answer } => {
                let finished = slot.finish(claim, State::Done, now);
                if let (true, Some(answer)) = (finished, answer) {
                    shared.answers.drop(slot.answer);
                    slot.answer = shared.answers.keep(answer);
                }
                finished
            }
            Outcome::Failed => slot.finish(claim, State::Failed, now),
            Outcome::Withdrawn => slot.withdraw(claim),
        })
    }
}

/// How long a claim is held.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Hold {
    Lease(Duration),
    UntilFinished,
    /// Until the shared store has answered. Before that a first attempt binds no content: other
    /// content that is `contested` may ask the shared store too, without a place here, and whoever
    /// it admits takes the place.
    UntilAnswered {
        contested: bool,
    },
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("len", &self.len())
            .field("capacity", &self.shared.capacity)
            .finish_non_exhaustive()
    }
}

impl ReplayStore for MemoryStore {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        Ok(self.claim_at(&claim, Hold::Lease(claim.lease), self.uptime()))
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        let now = self.uptime();
        Ok(self.shared.with_slot(&claim, now, |slot| slot.renew(&claim, now)))
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        Ok(self.finish_now(&claim, &outcome))
    }
}

impl Shared {
    fn shard(&self, signature: &[u8; 16]) -> Option<&Shard> {
        let [.., a, b, c, d] = *signature;
        let number = u64::from(u32::from_be_bytes([a, b, c, d]));
        self.shards.get((number.saturating_mul(self.shards.len() as u64) >> 32) as usize)
    }

    fn claim(&self, claim: &Claim, hold: Hold, now: Millis) -> Claimed {
        let Some(shard) = self.shard(&claim.signature) else { return Claimed::Full };
        let mut table = lock(&shard.table);
        let looked_at = table.next_places();
        self.drop_expired(&mut table, looked_at, now);
        let place = match table.find(claim) {
            Some(place) => place,
            None => {
                if claim.is_part() && table.contents(claim, now) >= Claim::MAX_CONTENTS {
                    return Claimed::TooManyContents;
                }
                if !budget::add(&self.len, 1, self.capacity) {
                    return Claimed::Full;
                }
                table.insert(claim)
            }
        };
        let Some(slot) = table.slots.get_mut(place as usize) else { return Claimed::Full };
        if slot.is_over(now) {
            // The expired claim's answer goes with it.
            self.answers.drop(slot.answer);
            *slot = Slot::new(claim);
        }
        let mut claimed = slot.claim(claim, hold, now);
        if let Claimed::Done { answer } = &mut claimed {
            *answer = self.answers.get(slot.answer);
        }
        shard.note(slot);
        claimed
    }

    /// Changes the claim's slot; `false` without one.
    fn with_slot(&self, claim: &Claim, now: Millis, act: impl FnOnce(&mut Slot) -> bool) -> bool {
        let Some(shard) = self.shard(&claim.signature) else { return false };
        let mut table = lock(&shard.table);
        let Some(place) = table.find(claim) else { return false };
        let Some(slot) = table.slots.get_mut(place as usize) else { return false };
        let acted = !slot.is_over(now) && act(slot);
        shard.note(slot);
        if slot.state == State::Vacant {
            table.vacate(place);
            self.len.fetch_sub(1, Ordering::Relaxed);
        }
        acted
    }

    /// Drops the expired claims of one shard; `false` if there are none in any.
    fn sweep(&self, now: Millis) -> bool {
        self.shards.iter().any(|shard| {
            if seconds(shard.next_due.load(Ordering::Relaxed)) > now {
                return false;
            }
            let mut table = lock(&shard.table);
            let all = 0..table.slots.len() as u32;
            let dropped = self.drop_expired(&mut table, all, now);
            shard.next_due.store(u32::MAX, Ordering::Relaxed);
            table.slots.iter().for_each(|slot| shard.note(slot));
            dropped
        })
    }

    /// Drops the expired claims in these places; `false` if there are none.
    fn drop_expired(&self, table: &mut Table, places: Range<u32>, now: Millis) -> bool {
        let mut dropped: usize = 0;
        for place in places {
            if let Some(answer) = table.drop_if_over(place, now) {
                self.answers.drop(answer);
                dropped = dropped.saturating_add(1);
            }
        }
        if dropped == 0 {
            return false;
        }
        self.len.fetch_sub(dropped, Ordering::Relaxed);
        true
    }
}

struct Shard {
    table: Mutex<Table>,
    /// No claim expires before this second.
    next_due: AtomicU32,
}

impl Shard {
    /// Notes when the slot's claim expires. One without a lease does once it is finished.
    fn note(&self, slot: &Slot) {
        if slot.has_end() {
            let first = slot.expires.min(self.next_due.load(Ordering::Relaxed));
            self.next_due.store(first, Ordering::Relaxed);
        }
    }
}

/// Slots, and an index of their places by signature.
#[derive(Default)]
struct Table {
    slots: Vec<Slot>,
    index: HashTable<u32>,
    free: Vec<u32>,
    /// Where the search for expired claims goes on.
    next: u32,
}

impl Table {
    fn find(&self, claim: &Claim) -> Option<u32> {
        let is_it = |slot: &Slot| {
            slot.signature == claim.signature
                && (!claim.is_part() || slot.fingerprint == claim.fingerprint)
        };
        let is_there = |place: &u32| self.slots.get(*place as usize).is_some_and(is_it);
        self.index.find(hash(&claim.signature), is_there).copied()
    }

    /// How many live contents the claim's signature has.
    fn contents(&self, claim: &Claim, now: Millis) -> usize {
        let slots = self.index.iter_hash(hash(&claim.signature));
        let slots = slots.filter_map(|place| self.slots.get(*place as usize));
        slots.filter(|slot| slot.signature == claim.signature && !slot.is_over(now)).count()
    }

    fn insert(&mut self, claim: &Claim) -> u32 {
        let Self { slots, index, free, .. } = self;
        let place = free.pop().unwrap_or(slots.len() as u32);
        match slots.get_mut(place as usize) {
            Some(slot) => *slot = Slot::new(claim),
            None => {
                slots.reserve_exact(step(slots.len(), slots.capacity()));
                slots.push(Slot::new(claim));
            }
        }
        let hash_of =
            |place: &u32| slots.get(*place as usize).map_or(0, |slot| hash(&slot.signature));
        index.insert_unique(hash(&claim.signature), place, hash_of);
        place
    }

    fn vacate(&mut self, place: u32) {
        let Some(slot) = self.slots.get(place as usize) else { return };
        if let Ok(entry) = self.index.find_entry(hash(&slot.signature), |other| *other == place) {
            entry.remove();
        }
        self.free.push(place);
    }

    /// The places to look at with this claim.
    fn next_places(&mut self) -> Range<u32> {
        let places = self.next..self.next.saturating_add(LOOKED_AT_PER_CLAIM);
        self.next = if (places.end as usize) < self.slots.len() { places.end } else { 0 };
        places
    }

    /// Drops an expired claim, and returns the number of its answer.
    fn drop_if_over(&mut self, place: u32, now: Millis) -> Option<u64> {
        let slot = self.slots.get_mut(place as usize).filter(|slot| slot.is_over(now))?;
        slot.state = State::Vacant;
        let answer = slot.answer;
        self.vacate(place);
        Some(answer)
    }
}

/// How much room to add. Doubling would leave a large table half empty.
fn step(len: usize, capacity: usize) -> usize {
    if len < capacity { 0 } else { STEP.max(len / 8) }
}

/// Signatures are digests, so their first bytes are a hash.
fn hash(signature: &[u8; 16]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *signature;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

/// One cache line of 64 bytes: a large store mostly waits for memory.
#[repr(align(64))]
struct Slot {
    signature: [u8; 16],
    fingerprint: [u8; 16],
    token: i64,
    leased_until: Millis,
    /// The number of the kept answer; 0 if there is none.
    answer: u64,
    expires: u32,
    attempt: u16,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Vacant,
    InFlight,
    Failed,
    Done,
}

impl Slot {
    fn new(claim: &Claim) -> Self {
        Self {
            signature: claim.signature,
            fingerprint: claim.fingerprint,
            token: claim.token,
            leased_until: 0,
            answer: 0,
            expires: 0,
            attempt: 0,
            state: State::Vacant,
        }
    }

    fn claim(&mut self, claim: &Claim, hold: Hold, now: Millis) -> Claimed {
        let is_other = self.fingerprint != claim.fingerprint;
        if is_other && self.is_asked() && self.attempt == 1 {
            match hold {
                Hold::UntilAnswered { contested: true } => return Claimed::Won { attempt: 1 },
                Hold::UntilAnswered { contested: false } => {}
                Hold::UntilFinished | Hold::Lease(_) => *self = Self::new(claim),
            }
        }
        match self.state {
            _ if self.fingerprint != claim.fingerprint => return Claimed::Conflict,
            State::Done => return Claimed::Done { answer: None },
            State::InFlight if self.is_asked() && hold == Hold::UntilFinished => {}
            State::InFlight if self.leased_until > now && self.token != claim.token => {
                let left = Duration::from_millis(self.leased_until.saturating_sub(now));
                return Claimed::InFlight {
                    retry_after: if self.is_held() { HELD_RETRY_AFTER } else { left },
                };
            }
            State::Vacant | State::InFlight | State::Failed => {}
        }
        self.take(claim, hold, now)
    }

    fn take(&mut self, claim: &Claim, hold: Hold, now: Millis) -> Claimed {
        // A claim that is repeated with its token is the same attempt, and one that has no answer
        // is not yet an attempt of its own.
        if self.state != State::InFlight || self.token != claim.token && !self.is_asked() {
            self.attempt = self.attempt.saturating_add(1);
        }
        self.token = claim.token;
        self.state = State::InFlight;
        self.hold(hold, now);
        self.keep_for(claim.retention, now);
        Claimed::Won { attempt: self.attempt.into() }
    }

    fn is_over(&self, now: Millis) -> bool {
        self.has_end() && seconds(self.expires) <= now
    }

    fn renew(&mut self, claim: &Claim, now: Millis) -> bool {
        let held = self.state == State::InFlight && self.token == claim.token;
        if held {
            self.hold(Hold::Lease(claim.lease), now);
        }
        held
    }

    fn finish(&mut self, claim: &Claim, state: State, now: Millis) -> bool {
        if self.token != claim.token || (self.state != State::InFlight && self.state != state) {
            return false;
        }
        self.state = state;
        self.keep_for(claim.retention, now);
        true
    }

    fn withdraw(&mut self, claim: &Claim) -> bool {
        let held = self.state == State::InFlight && self.token == claim.token;
        if held {
            self.attempt = self.attempt.saturating_sub(1);
            self.state = if self.attempt == 0 { State::Vacant } else { State::Failed };
        }
        held
    }

    fn hold(&mut self, hold: Hold, now: Millis) {
        self.leased_until = match hold {
            Hold::Lease(lease) => {
                self.keep_for(lease, now);
                now.saturating_add(millis(lease))
            }
            Hold::UntilFinished => HELD,
            Hold::UntilAnswered { .. } => ASKED,
        };
    }

    /// Whether there is a claim that expires, unlike one without a lease.
    fn has_end(&self) -> bool {
        self.state != State::Vacant && !self.is_held()
    }

    /// Whether it is in flight without a lease.
    fn is_held(&self) -> bool {
        self.state == State::InFlight && self.leased_until >= ASKED
    }

    fn is_asked(&self) -> bool {
        self.state == State::InFlight && self.leased_until == ASKED
    }

    fn keep_for(&mut self, time: Duration, now: Millis) {
        let until = now.saturating_add(millis(time)).div_ceil(1000);
        self.expires = self.expires.max(u32::try_from(until).unwrap_or(u32::MAX));
    }
}

/// The kept answers of all shards, numbered by age, so that the oldest are dropped first.
struct Answers {
    budget: usize,
    dropped: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: u64,
    bytes: usize,
    answers: BTreeMap<u64, ReplayedResponse>,
}

impl Answers {
    fn keep(&self, answer: &ReplayedResponse) -> u64 {
        let weight = weight(answer);
        if weight > self.budget {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        let answer = answer.copied();
        let mut kept = lock(&self.kept);
        while kept.bytes.saturating_add(weight) > self.budget {
            let Some((_, oldest)) = kept.answers.pop_first() else { break };
            kept.bytes = kept.bytes.saturating_sub(self::weight(&oldest));
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        kept.bytes = kept.bytes.saturating_add(weight);
        kept.last = kept.last.saturating_add(1);
        let number = kept.last;
        kept.answers.insert(number, answer);
        number
    }

    fn get(&self, number: u64) -> Option<ReplayedResponse> {
        if number == 0 { None } else { lock(&self.kept).answers.get(&number).cloned() }
    }

    fn drop(&self, number: u64) {
        if number != 0 {
            let mut kept = lock(&self.kept);
            if let Some(answer) = kept.answers.remove(&number) {
                kept.bytes = kept.bytes.saturating_sub(weight(&answer));
            }
        }
    }
}

fn weight(answer: &ReplayedResponse) -> usize {
    answer.body.len().saturating_add(answer.content_type.len()).saturating_add(ANSWER_OVERHEAD)
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn seconds(seconds: u32) -> Millis {
    u64::from(seconds).saturating_mul(1000)
}

#[derive(Clone)]
enum StoreClock {
    Monotonic(Instant),
    #[cfg(feature = "test-util")]
    Test(std::time::SystemTime, crate::TestClock),
}

impl StoreClock {
    fn now(&self) -> Millis {
        match self {
            Self::Monotonic(start) => millis(start.elapsed()),
            #[cfg(feature = "test-util")]
            Self::Test(start, clock) => {
                millis(clock.now().duration_since(*start).unwrap_or_default())
            }
        }
    }
}

const DEFAULT_CAPACITY: usize = 1_000_000;
const DEFAULT_ANSWER_BUDGET: usize = 16 << 20;
// An index doubles at 14,336 entries. Shards with this many on average, give or take a few hundred,
// stay below that.
const CLAIMS_PER_SHARD: usize = 12_500;
const MIN_SHARDS: usize = 16;
const MAX_SHARDS: usize = 4096;
const STEP: usize = if cfg!(fuzzing) { 8 } else { 1024 };
// In a steady stream about an eighth of the claims have expired and are not dropped yet. Few when
// fuzzing, to reach the case that one look is not enough.
const LOOKED_AT_PER_CLAIM: u32 = if cfg!(fuzzing) { 2 } else { 8 };
const ANSWER_OVERHEAD: usize = 128;
/// `leased_until` of a claim without a lease: [`Hold::UntilFinished`] and [`Hold::UntilAnswered`].
const HELD: Millis = Millis::MAX;
const ASKED: Millis = Millis::MAX - 1;
const HELD_RETRY_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TestClock;
    use bytes::Bytes;
    use http::HeaderValue;
    use std::time::SystemTime;

    const SECOND: Duration = Duration::from_secs(1);

    /// Odd numbers are in the first shard, even ones in the last.
    fn claim(number: u8, token: i64) -> Claim {
        let mut key = [0; 16];
        key[0] = number;
        key[12] = if number % 2 == 0 { 0xff } else { 0 };
        Claim { key, signature: key, fingerprint: [1; 16], token, lease: SECOND, retention: SECOND }
    }

    #[test]
    fn a_claim_without_a_lease_is_held_until_it_is_finished() {
        let clock = TestClock::at(SystemTime::UNIX_EPOCH);
        let store = MemoryStore::with_capacity(1).unwrap().clock(clock.clone());
        let claimed =
            |number, token, hold| store.claim_at(&claim(number, token), hold, store.uptime());

        assert_eq!(claimed(1, 1, Hold::UntilFinished), Claimed::won(1));
        clock.advance(3600 * SECOND);
        assert_eq!(claimed(1, 2, Hold::Lease(SECOND)), Claimed::in_flight(HELD_RETRY_AFTER));
        assert_eq!(claimed(2, 1, Hold::UntilFinished), Claimed::Full);
        assert!(store.finish_now(&claim(1, 1), &Outcome::Failed));
        assert_eq!(claimed(2, 1, Hold::UntilFinished), Claimed::Full, "never early");
        clock.advance(SECOND);
        assert_eq!(claimed(2, 1, Hold::UntilFinished), Claimed::won(1), "on time");

        assert!(store.finish_now(&claim(2, 1), &Outcome::Withdrawn));
        assert_eq!(claimed(3, 1, Hold::Lease(SECOND)), Claimed::won(1), "in its place");
        assert_eq!(store.shared.shards[0].table.lock().unwrap().slots.len(), 1);
    }

    #[test]
    fn each_claim_drops_the_expired_ones_of_the_next_places() {
        let clock = TestClock::at(SystemTime::UNIX_EPOCH);
        let store = MemoryStore::new().clock(clock.clone());
        let in_one_shard = |numbers: std::ops::Range<u8>| {
            numbers.for_each(|number| {
                let claim = claim(2 * number + 1, 1);
                assert_eq!(
                    store.claim_at(&claim, Hold::Lease(SECOND), store.uptime()),
                    Claimed::won(1)
                );
            });
            store.len()
        };
        assert_eq!(in_one_shard(0..20), 20);
        clock.advance(SECOND);
        assert_eq!([in_one_shard(20..21), in_one_shard(21..23)], [20 - 8 + 1, 3]);
    }

    fn answers(budget: usize) -> Answers {
        Answers { budget, dropped: AtomicU64::new(0), kept: Mutex::default() }
    }

    #[test]
    fn answers_that_fill_the_budget_to_the_byte_are_kept() {
        let answer = ReplayedResponse::new(HeaderValue::from_static("text/plain"), "an answer");
        for count in [1, 2] {
            let answers = answers(count * weight(&answer));
            let numbers: Vec<_> = (0..count).map(|_| answers.keep(&answer)).collect();
            for number in numbers {
                assert_eq!(answers.get(number).as_ref(), Some(&answer), "{number} of {count}");
            }
        }
    }

    #[test]
    fn a_kept_answer_is_a_copy() {
        let part = Bytes::from(vec![b'x'; 1000]).slice(..10);
        let answer = ReplayedResponse::new(HeaderValue::from_static("text/plain"), part);
        let answers = answers(1000);
        let kept = answers.get(answers.keep(&answer)).unwrap();
        assert_eq!(kept, answer);
        assert_ne!(kept.body.as_ptr(), answer.body.as_ptr());
        let types = [&kept, &answer].map(|answer| answer.content_type.as_bytes().as_ptr());
        assert_ne!(types[0], types[1]);
    }
}
