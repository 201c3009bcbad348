//! What every replay store must do, for the one in memory and the one in Redis.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};
use tower_webhooks::{
    TestClock,
    replay::{
        Claim, Claimed, MemoryStore, Outcome, ReplayStore, ReplayedResponse, StoreError,
        conformance,
    },
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_conforms() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::new().clock(clock.clone());
    let wait = async |time| clock.advance(time);
    conformance::check_by_clock(|| store.clone(), wait).await.unwrap();
    assert_eq!(store.answers_dropped(), 0);
}

/// Where the machine stands still, the times prove nothing: the suite tries again.
#[tokio::test(start_paused = true)]
async fn a_stall_is_no_violation() {
    for stalled in 0..12 {
        let clock = TestClock::at(SystemTime::UNIX_EPOCH);
        let store = MemoryStore::new().clock(clock.clone());
        let waits = AtomicI64::new(0);
        let wait = async |time| {
            let stall = if waits.fetch_add(1, SeqCst) == stalled { 4 * SECOND } else { time };
            clock.advance(stall.max(time));
            tokio::time::advance(stall.max(time)).await;
        };
        let checked = conformance::check_by_clock(|| store.clone(), wait).await;
        assert!(checked.is_ok(), "{stalled}: {checked:?}");
    }
}

#[tokio::test]
async fn a_claim_takes_no_room_for_the_time_of_one_that_was_withdrawn_before_it() {
    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = MemoryStore::with_capacity(1).unwrap().clock(clock.clone());
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let long = Claim::for_test([1; 16], [0; 16], 1, second, hour);
    assert_eq!(store.claim(long.clone()).await.unwrap(), Claimed::won(1));
    assert!(store.finish(long, Outcome::Withdrawn).await.unwrap());
    let short = Claim::for_test([1; 16], [0; 16], 2, second, second);
    assert_eq!(store.claim(short).await.unwrap(), Claimed::won(1));
    clock.advance(2 * second);
    let other = Claim::for_test([2; 16], [0; 16], 3, second, second);
    assert_eq!(store.claim(other).await.unwrap(), Claimed::won(1));
}

/// The suite has to find what it is there for: a store that does one thing wrong breaks the rule
/// about it.
#[tokio::test]
async fn the_suite_finds_faults() {
    // The token of the last claim that won.
    static LAST: AtomicI64 = AtomicI64::new(0);
    // Each key's first content.
    static CONTENTS: LazyLock<Mutex<HashMap<[u8; 16], [u8; 16]>>> = LazyLock::new(Mutex::default);
    let right =
        Fault { call: |_, claim| claim, outcome: |outcome| outcome, claimed: |_, claimed| claimed };
    let faults = [
        (
            "a second attempt has to wait",
            Fault { call: |_, claim| remade(claim, |it| it.token = 0), ..right },
        ),
        (
            "a second attempt is told what is left",
            Fault {
                claimed: |claim, claimed| match claimed {
                    Claimed::InFlight { .. } => Claimed::in_flight(claim.lease),
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "a claim that is made again under its token is the same attempt",
            Fault {
                claimed: |claim, claimed| match claimed {
                    Claimed::Won { attempt: 1, .. }
                        if LAST.swap(claim.token, SeqCst) == claim.token =>
                    {
                        Claimed::won(2)
                    }
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "other content under a used signature is a conflict",
            Fault { call: |_, claim| remade(claim, |it| it.fingerprint = [0; 16]), ..right },
        ),
        (
            "another content is one too many",
            Fault { call: |_, claim| remade(claim, |it| it.signature = it.key), ..right },
        ),
        (
            "one of all copies that race for a lapsed lease wins",
            Fault { call: |_, claim| remade(claim, |it| it.lease = Duration::MAX), ..right },
        ),
        (
            "a lease that was renewed begins anew",
            Fault {
                call: |call, claim| match call {
                    Call::Renew if claim.lease < Duration::from_secs(2) => {
                        remade(claim, |it| it.lease = Duration::ZERO)
                    }
                    _ => claim,
                },
                ..right
            },
        ),
        (
            "what was done is known for its retention",
            Fault {
                call: |call, claim| match call {
                    Call::Finish => remade(claim, |it| it.retention = Duration::ZERO),
                    _ => claim,
                },
                ..right
            },
        ),
        (
            "of a first attempt that was withdrawn nothing is left",
            Fault {
                outcome: |outcome| match outcome {
                    Outcome::Withdrawn => Outcome::Failed,
                    outcome => outcome,
                },
                ..right
            },
        ),
        (
            "of a first attempt that was withdrawn nothing is left, so other content is number 1",
            Fault {
                claimed: |claim, claimed| {
                    let mut contents = CONTENTS.lock().unwrap();
                    let first = contents.entry(claim.key).or_insert(claim.fingerprint);
                    if *first == claim.fingerprint { claimed } else { Claimed::Conflict }
                },
                ..right
            },
        ),
        (
            "a token is any number, and a digest is any bytes",
            Fault {
                claimed: |claim, claimed| match claim.fingerprint == [0xff; 16] {
                    true => Claimed::Conflict,
                    false => claimed,
                },
                ..right
            },
        ),
        (
            "a retention and a lease can be as long as a duration can",
            Fault {
                claimed: |claim, claimed| match claim.lease {
                    Duration::MAX => Claimed::Full,
                    _ => claimed,
                },
                ..right
            },
        ),
        (
            "a retention and a lease can be as long as a duration can",
            Fault {
                claimed: |claim, claimed| match claim.retention {
                    Duration::MAX => Claimed::Full,
                    _ => claimed,
                },
                ..right
            },
        ),
        (
            "an answer comes back to the byte or not at all",
            Fault {
                // Without its status.
                claimed: |_, claimed| match claimed {
                    Claimed::Done { answer: Some(answer), .. } => {
                        Claimed::done(Some(ReplayedResponse::new(answer.content_type, answer.body)))
                    }
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "an answer comes back to the byte or not at all",
            Fault {
                claimed: |_, claimed| match claimed {
                    Claimed::Done { answer: Some(answer), .. } if !answer.body.is_empty() => {
                        Claimed::done(Some(ReplayedResponse::new(
                            answer.content_type,
                            answer.body.slice(1..),
                        )))
                    }
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "a claim is kept for its lease, however short its retention is",
            Fault {
                claimed: |claim, claimed| match claimed {
                    Claimed::InFlight { .. } if claim.retention < claim.lease => Claimed::won(1),
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "a claim is kept for its renewed lease, however short its retention is",
            Fault {
                // Forgets it at the end of the lease before.
                claimed: |claim, claimed| match claimed {
                    Claimed::InFlight { .. }
                        if claim.retention < claim.lease && claim.lease < 2 * SECOND =>
                    {
                        Claimed::won(1)
                    }
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "a lease that has ended frees the attempt, not the content",
            Fault {
                claimed: |claim, claimed| match claimed {
                    Claimed::Conflict if claim.lease < 2 * SECOND => Claimed::won(2),
                    claimed => claimed,
                },
                ..right
            },
        ),
        (
            "a token is any number",
            // As a script does whose numbers are floating point.
            Fault {
                call: |_, claim| remade(claim, |it| it.token = it.token as f64 as i64),
                ..right
            },
        ),
    ];
    for (rule, fault) in faults {
        let clock = TestClock::at(SystemTime::UNIX_EPOCH);
        let memory = MemoryStore::new().clock(clock.clone());
        let faulty = || Faulty { memory: memory.clone(), fault };
        let found = conformance::check_by_clock(faulty, async |time| clock.advance(time)).await;
        let found = found.expect_err(rule).to_string();
        assert!(found.starts_with(rule), "{rule}: {found}");
    }
}

#[derive(Clone, Copy)]
struct Fault {
    call: fn(Call, Claim) -> Claim,
    outcome: fn(Outcome) -> Outcome,
    claimed: fn(&Claim, Claimed) -> Claimed,
}

enum Call {
    Claim,
    Renew,
    Finish,
}

struct Remade {
    key: [u8; 16],
    signature: [u8; 16],
    fingerprint: [u8; 16],
    token: i64,
    lease: Duration,
    retention: Duration,
}

fn remade(claim: Claim, change: fn(&mut Remade)) -> Claim {
    let mut it = Remade {
        key: claim.key,
        signature: claim.signature,
        fingerprint: claim.fingerprint,
        token: claim.token,
        lease: claim.lease,
        retention: claim.retention,
    };
    change(&mut it);
    let mut claim = Claim::for_test(it.key, it.fingerprint, it.token, it.lease, it.retention);
    claim.signature = it.signature;
    claim
}

struct Faulty {
    memory: MemoryStore,
    fault: Fault,
}

impl ReplayStore for Faulty {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let claimed = self.memory.claim((self.fault.call)(Call::Claim, claim.clone())).await?;
        Ok((self.fault.claimed)(&claim, claimed))
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.memory.renew((self.fault.call)(Call::Renew, claim)).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        self.memory
            .finish((self.fault.call)(Call::Finish, claim), (self.fault.outcome)(outcome))
            .await
    }
}

/// A call that is dropped half-way and keeps what it has locked.
#[tokio::test]
async fn the_suite_finds_a_lock_that_stays() {
    #[derive(Clone)]
    struct Locking {
        memory: MemoryStore,
        locked: Arc<Mutex<HashSet<i64>>>,
    }

    impl ReplayStore for Locking {
        async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
            self.memory.claim(claim).await
        }

        async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
            self.memory.renew(claim).await
        }

        async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
            let token = claim.token;
            if !self.locked.lock().unwrap().insert(token) {
                return Ok(false);
            }
            tokio::task::yield_now().await;
            let finished = self.memory.finish(claim, outcome).await;
            self.locked.lock().unwrap().remove(&token);
            finished
        }
    }

    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = Locking { memory: MemoryStore::new().clock(clock.clone()), locked: Arc::default() };
    let found = conformance::check_by_clock(|| store.clone(), async |time| clock.advance(time))
        .await
        .unwrap_err();
    assert!(
        found.to_string().starts_with("a finish that was cancelled can be repeated"),
        "{found}"
    );
}

/// A claim that is dropped half-way and takes effect after its withdrawal keeps every rule.
#[tokio::test]
async fn a_claim_that_comes_late_conforms() {
    #[derive(Clone)]
    struct Late(MemoryStore);

    struct InTheEnd(MemoryStore, Option<Claim>);

    impl Drop for InTheEnd {
        fn drop(&mut self) {
            let (store, claim) = (self.0.clone(), self.1.take());
            tokio::spawn(async move {
                if let Some(claim) = claim {
                    let _ = store.claim(claim).await;
                }
            });
        }
    }

    impl ReplayStore for Late {
        async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
            let mut in_the_end = InTheEnd(self.0.clone(), Some(claim.clone()));
            tokio::task::yield_now().await;
            in_the_end.1 = None;
            self.0.claim(claim).await
        }

        async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
            self.0.renew(claim).await
        }

        async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
            self.0.finish(claim, outcome).await
        }
    }

    let clock = TestClock::at(SystemTime::UNIX_EPOCH);
    let store = Late(MemoryStore::new().clock(clock.clone()));
    let wait = async |time| clock.advance(time);
    conformance::check_by_clock(|| store.clone(), wait).await.unwrap();
}

const SECOND: Duration = Duration::from_secs(1);
