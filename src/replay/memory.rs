//! The replay store of one process.

use super::{Claim, Claimed, Outcome, ReplayStore, ReplayedResponse, StoreError};
use hashbrown::HashTable;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Claims in memory; clones share them.
///
/// Layers that share a secret must share one store, or what was delivered on one route can be replayed on another.
/// Where the body is signed and nothing else ([`Content::Signed`](crate::Content::Signed)), the same bytes at two of these
/// routes are one delivery: a sender that posts one event to both needs a secret for each.
///
/// It holds a million claims in at most 100 MB and allocates as they come. A claim is forgotten when its retention is
/// over and never before: when the store is full of live claims, deliveries are answered with 503. So the capacity
/// divided by the retention is the rate of signed deliveries that it takes: a million claims of 6 minutes (300 s window
/// and 60 s for clocks that differ) are 2,777 a second, of 24 hours 11 a second.
///
/// ```
/// use tower_webhooks::{WebhookLayer, replay::MemoryStore, zegocloud::Zegocloud};
///
/// let store = MemoryStore::new();
/// let rooms = WebhookLayer::new(Zegocloud::new("one secret")?).store(store.clone());
/// let streams = WebhookLayer::new(Zegocloud::new("one secret")?).store(store.clone());
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
    answer_budget: usize,
    answer_bytes: AtomicUsize,
    clock: StoreClock,
}

impl MemoryStore {
    /// A store for a million claims, with 16 MiB for kept answers.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A store for that many claims at most, at about 90 bytes each.
    pub fn with_capacity(claims: usize) -> Self {
        Self::build(claims, DEFAULT_ANSWER_BUDGET, StoreClock::Monotonic(Instant::now()))
    }

    /// How many bytes of answers are kept at most; an answer that finds no room is not kept. Set it before the store is
    /// used: claims that are in it are not taken along.
    #[must_use]
    pub fn answer_budget(self, bytes: usize) -> Self {
        Self::build(self.shared.capacity, bytes, self.shared.clock.clone())
    }

    /// Reads the time from `clock`. Set it before the store is used: claims that are in it are not taken along.
    #[cfg(feature = "test-util")]
    #[must_use]
    pub fn clock(self, clock: crate::TestClock) -> Self {
        Self::build(self.shared.capacity, self.shared.answer_budget, StoreClock::Test(clock.now(), clock))
    }

    /// How many claims it holds, expired ones that are still to be dropped included.
    pub fn len(&self) -> usize {
        self.shared.len.load(Ordering::Relaxed)
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn build(capacity: usize, answer_budget: usize, clock: StoreClock) -> Self {
        let shards = capacity.div_ceil(CLAIMS_A_SHARD).max(MIN_SHARDS);
        Self {
            shared: Arc::new(Shared {
                shards: (0..shards).map(|_| Shard::default()).collect(),
                capacity,
                len: AtomicUsize::new(0),
                answer_budget,
                answer_bytes: AtomicUsize::new(0),
                clock,
            }),
        }
    }

    pub(super) fn claim_now(&self, claim: &Claim) -> Claimed {
        let now = self.shared.clock.now();
        let Some(shard) = self.shared.shard(&claim.key) else { return Claimed::Full };
        let mut room = false;
        loop {
            let mut table = shard.lock();
            self.shared.expire(&mut table, now);
            if let Some((index, slot)) = table.find(&claim.key) {
                if room {
                    self.shared.len.fetch_sub(1, Ordering::Relaxed);
                }
                let claimed = slot.claim(claim, now);
                let claimed = match claimed {
                    Claimed::Done { .. } => Claimed::Done { answer: table.answers.get(&index).cloned() },
                    claimed => claimed,
                };
                shard.note_expiry(&table);
                return claimed;
            }
            if room {
                table.insert(Slot::new(claim, now));
                shard.note_expiry(&table);
                return Claimed::Won { attempt: 1 };
            }
            shard.note_expiry(&table);
            drop(table);
            room = self.shared.make_room(now);
            if !room {
                return Claimed::Full;
            }
        }
    }

    pub(super) fn renew_now(&self, claim: &Claim) -> bool {
        let now = self.shared.clock.now();
        self.shared.with_slot(claim, now, |_, slot| slot.renew(claim, now)).unwrap_or(false)
    }

    pub(super) fn finish_now(&self, claim: &Claim, outcome: &Outcome) -> bool {
        let now = self.shared.clock.now();
        let shared = &self.shared;
        let finished = shared.with_slot(claim, now, |(index, answers), slot| {
            let finished = slot.finish(claim, matches!(outcome, Outcome::Done { .. }), now);
            if let (true, Outcome::Done { answer: Some(answer) }) = (finished, outcome) {
                if shared.keep(answer) {
                    if let Some(before) = answers.insert(index, answer.clone()) {
                        shared.let_go(&before);
                    }
                }
            }
            finished
        });
        finished.unwrap_or(false)
    }

    /// Undoes a claim that came to nothing: as if it had never been made.
    pub(super) fn forget(&self, claim: &Claim) {
        self.shared.with_slot(claim, self.shared.clock.now(), |_, slot| slot.forget(claim));
    }
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
        Ok(self.claim_now(&claim))
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        Ok(self.renew_now(&claim))
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        Ok(self.finish_now(&claim, &outcome))
    }
}

type Answers = HashMap<u32, ReplayedResponse>;

impl Shared {
    fn shard(&self, key: &[u8; 16]) -> Option<&Shard> {
        let [.., a, b, c, d] = *key;
        let place = (u32::from_be_bytes([a, b, c, d]) as usize).checked_rem(self.shards.len())?;
        self.shards.get(place)
    }

    fn with_slot<T>(
        &self,
        claim: &Claim,
        now: Millis,
        act: impl FnOnce((u32, &mut Answers), &mut Slot) -> T,
    ) -> Option<T> {
        let shard = self.shard(&claim.key)?;
        let mut table = shard.lock();
        let (index, _) = table.find(&claim.key)?;
        let Table { slots, answers, .. } = &mut *table;
        slots.get_mut(index as usize).filter(|slot| !slot.is_over(now)).map(|slot| act((index, answers), slot))
    }

    fn make_room(&self, now: Millis) -> bool {
        if self.take_place() {
            return true;
        }
        for shard in &self.shards {
            if u64::from(shard.next_expiry.load(Ordering::Relaxed)).saturating_mul(1000) <= now {
                let mut table = shard.lock();
                self.expire(&mut table, now);
                shard.note_expiry(&table);
            }
        }
        self.take_place()
    }

    fn take_place(&self) -> bool {
        let take = |len: usize| len.checked_add(1).filter(|len| *len <= self.capacity);
        self.len.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn expire(&self, table: &mut Table, now: Millis) {
        for _ in 0..EXPIRED_A_CALL {
            match table.expire_one(now) {
                Some(answer) => {
                    self.len.fetch_sub(1, Ordering::Relaxed);
                    answer.iter().for_each(|answer| self.let_go(answer));
                }
                None => break,
            }
        }
    }

    fn keep(&self, answer: &ReplayedResponse) -> bool {
        let keep = |bytes: usize| bytes.checked_add(weight(answer)).filter(|sum| *sum <= self.answer_budget);
        self.answer_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, keep).is_ok()
    }

    fn let_go(&self, answer: &ReplayedResponse) {
        self.answer_bytes.fetch_sub(weight(answer), Ordering::Relaxed);
    }
}

fn weight(answer: &ReplayedResponse) -> usize {
    answer.body.len().saturating_add(answer.content_type.len()).saturating_add(ANSWER_OVERHEAD)
}

struct Shard {
    table: Mutex<Table>,
    next_expiry: AtomicU32,
}

impl Default for Shard {
    fn default() -> Self {
        Self { table: Mutex::default(), next_expiry: AtomicU32::new(u32::MAX) }
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_expiry(&self, table: &Table) {
        let next = table.expiry.peek().map_or(u32::MAX, |Reverse((at, _))| *at);
        self.next_expiry.store(next, Ordering::Relaxed);
    }
}

/// Slots that an index finds by key and a heap by expiry. Every slot in use has exactly one entry in the heap; when
/// that comes up and the slot has been prolonged, it goes back in.
#[derive(Default)]
struct Table {
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    expiry: BinaryHeap<Reverse<(u32, u32)>>,
    answers: Answers,
}

impl Table {
    fn find(&mut self, key: &[u8; 16]) -> Option<(u32, &mut Slot)> {
        let Self { index, slots, .. } = self;
        let place = *index.find(hash(key), |place| slots.get(*place as usize).is_some_and(|slot| slot.key == *key))?;
        slots.get_mut(place as usize).map(|slot| (place, slot))
    }

    fn insert(&mut self, slot: Slot) {
        let Self { index, slots, free, expiry, .. } = self;
        // Steps keep the slack of a large table small, where doubling would leave it half empty.
        if expiry.len() == expiry.capacity() {
            expiry.reserve_exact(STEP);
        }
        let (key, expires) = (slot.key, slot.expires);
        let place = match free.pop() {
            Some(place) => place,
            None => {
                if slots.len() == slots.capacity() {
                    slots.reserve_exact(STEP);
                }
                slots.len() as u32
            }
        };
        match slots.get_mut(place as usize) {
            Some(vacant) => *vacant = slot,
            None => slots.push(slot),
        }
        let slots = &*slots;
        index.insert_unique(hash(&key), place, |place| slots.get(*place as usize).map_or(0, |slot| hash(&slot.key)));
        expiry.push(Reverse((expires, place)));
    }

    /// Drops one claim whose retention is over, and gives its answer away.
    fn expire_one(&mut self, now: Millis) -> Option<Option<ReplayedResponse>> {
        let Self { index, slots, free, expiry, answers } = self;
        loop {
            let Reverse((at, place)) = *expiry.peek()?;
            if u64::from(at).saturating_mul(1000) > now {
                return None;
            }
            expiry.pop();
            let slot = slots.get(place as usize)?;
            if slot.expires > at {
                expiry.push(Reverse((slot.expires, place)));
                continue;
            }
            if let Ok(entry) = index.find_entry(hash(&slot.key), |other| *other == place) {
                entry.remove();
            }
            free.push(place);
            return Some(answers.remove(&place));
        }
    }
}

/// The keys are digests: any of their bytes will do.
fn hash(key: &[u8; 16]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *key;
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

struct Slot {
    key: [u8; 16],
    fingerprint: [u8; 16],
    token: u64,
    leased_until: Millis,
    expires: u32,
    attempt: u32,
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
    fn new(claim: &Claim, now: Millis) -> Self {
        let mut slot = Self {
            key: claim.key,
            fingerprint: claim.fingerprint,
            token: claim.token,
            leased_until: 0,
            expires: 0,
            attempt: 0,
            state: State::Vacant,
        };
        slot.take(claim, now);
        slot
    }

    fn claim(&mut self, claim: &Claim, now: Millis) -> Claimed {
        if self.state == State::Vacant || self.is_over(now) {
            self.attempt = 0;
            self.fingerprint = claim.fingerprint;
        } else if self.fingerprint != claim.fingerprint {
            return Claimed::Conflict;
        } else if self.state == State::Done {
            return Claimed::Done { answer: None };
        } else if self.state == State::InFlight && self.leased_until > now && self.token != claim.token {
            return Claimed::InFlight { retry_after: Duration::from_millis(self.leased_until.saturating_sub(now)) };
        }
        self.take(claim, now);
        Claimed::Won { attempt: self.attempt }
    }

    fn is_over(&self, now: Millis) -> bool {
        u64::from(self.expires).saturating_mul(1000) <= now
    }

    fn take(&mut self, claim: &Claim, now: Millis) {
        self.token = claim.token;
        self.attempt = self.attempt.saturating_add(1);
        self.state = State::InFlight;
        self.lease(claim, now);
        self.keep_for(claim.retention, now);
    }

    fn renew(&mut self, claim: &Claim, now: Millis) -> bool {
        let held = self.state == State::InFlight && self.token == claim.token;
        if held {
            self.lease(claim, now);
        }
        held
    }

    fn finish(&mut self, claim: &Claim, done: bool, now: Millis) -> bool {
        let state = if done { State::Done } else { State::Failed };
        if self.token != claim.token || (self.state != State::InFlight && self.state != state) {
            return false;
        }
        self.state = state;
        self.keep_for(claim.retention, now);
        true
    }

    fn forget(&mut self, claim: &Claim) {
        if self.state == State::InFlight && self.token == claim.token {
            self.attempt = self.attempt.saturating_sub(1);
            self.state = if self.attempt == 0 { State::Vacant } else { State::Failed };
        }
    }

    fn lease(&mut self, claim: &Claim, now: Millis) {
        self.leased_until = now.saturating_add(millis(claim.lease));
        self.keep_for(claim.lease, now);
    }

    fn keep_for(&mut self, time: Duration, now: Millis) {
        let seconds = now.saturating_add(millis(time)).div_ceil(1000);
        self.expires = self.expires.max(u32::try_from(seconds).unwrap_or(u32::MAX));
    }
}

/// Milliseconds since the store was made.
type Millis = u64;

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
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
            Self::Test(start, clock) => millis(clock.now().duration_since(*start).unwrap_or_default()),
        }
    }
}

const DEFAULT_CAPACITY: usize = 1_000_000;
const DEFAULT_ANSWER_BUDGET: usize = 16 << 20;
// An index doubles at 14,336 entries: shards that are filled to this mean, give or take a few hundred, stay below it.
const CLAIMS_A_SHARD: usize = 12_500;
const MIN_SHARDS: usize = 16;
const STEP: usize = 1024;
const EXPIRED_A_CALL: usize = 64;
const ANSWER_OVERHEAD: usize = 128;
