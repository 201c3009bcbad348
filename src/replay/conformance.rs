//! A suite of rules that every replay store has to keep, to run against one of your own.
//!
//! It uses random keys, so it can run against a store that is in use. It checks what the three
//! transitions answer, and reports the first rule that is broken:
//!
//! ```
//! use tower_webhooks::replay::{MemoryStore, conformance};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), conformance::Violation> {
//! let clock = tower_webhooks::TestClock::at(std::time::SystemTime::UNIX_EPOCH);
//! let store = MemoryStore::new().clock(clock.clone());
//! conformance::check_by_clock(
//!     || store.clone(),
//!     async |duration| clock.advance(duration),
//! )
//! .await?;
//!
//! // A store whose time stands still does not pass.
//! let stopped = conformance::check_by_clock(|| store.clone(), async |_| {}).await;
//! assert!(stopped.unwrap_err().to_string().contains("lease"));
//! # Ok(())
//! # }
//! ```
//!
//! Write tests of your own for what it cannot see: that claims survive a restart, that a full store
//! answers [`Claimed::Full`] instead of forgetting, and that expired claims are deleted in the end.

use super::{Claim, Claimed, Outcome, ReplayStore, ReplayedResponse, StoreError};
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use std::{
    error::Error,
    fmt,
    future::{Future, poll_fn},
    hash::{BuildHasher, RandomState},
    ops::RangeBounds,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::time::Instant;

/// Runs the whole suite by the real clock, in about 15 s.
///
/// Each call of `handle` returns another handle to the same claims: a clone, another client, an
/// [`Arc`].
///
/// # Errors
///
/// [`Violation`]: the first rule that is broken, or not checked because a call failed.
pub async fn check<S: ReplayStore>(handle: impl Fn() -> S) -> Result<(), Violation> {
    check_by_clock(handle, tokio::time::sleep).await
}

/// Runs the whole suite for a store whose clock can be set: `wait` lets that much time pass.
///
/// # Errors
///
/// As for [`check`].
pub async fn check_by_clock<S: ReplayStore>(
    handle: impl Fn() -> S,
    wait: impl AsyncFn(Duration),
) -> Result<(), Violation> {
    let suite = Suite { a: Arc::new(handle()), b: Arc::new(handle()), wait };
    suite.transitions().await?;
    suite.other_content().await?;
    suite.withdrawn().await?;
    suite.values().await?;
    suite.answers().await?;
    suite.contents_of_one_signature().await?;
    suite.races().await?;
    suite.cancelled_calls().await?;
    suite.leases().await?;
    suite.retention().await
}

/// A rule that a store breaks.
#[derive(Debug)]
pub struct Violation {
    rule: &'static str,
    found: String,
    source: Option<StoreError>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, but {}", self.rule, self.found)
    }
}

impl Error for Violation {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

struct Suite<S, W> {
    /// Two handles to the same claims.
    a: Arc<S>,
    b: Arc<S>,
    wait: W,
}

impl<S: ReplayStore, W: AsyncFn(Duration)> Suite<S, W> {
    async fn transitions(&self) -> Result<(), Violation> {
        let first = fresh();
        let rule = "a key that nobody has claimed belongs to nobody";
        is(rule, self.b.finish(first.clone(), done()).await, false)?;
        is(rule, self.b.renew(first.clone()).await, false)?;

        is(FIRST_WINS, self.a.claim(first.clone()).await, Claimed::won(1))?;
        let rule =
            "a second attempt has to wait while the first is in flight, at most for the lease";
        holds(rule, self.b.claim(again(&first)).await, is_in_flight_for(..=first.lease))?;
        let rule = "a second attempt is told what is left of the first one's lease";
        let brief = Claim { lease: Duration::from_millis(500), ..again(&first) };
        holds(rule, self.b.claim(brief).await, is_in_flight_for(SECOND..=first.lease))?;
        is(SAME_ATTEMPT, self.b.claim(first.clone()).await, Claimed::won(1))?;
        let rule = "another token neither renews nor finishes a claim";
        is(rule, self.b.renew(again(&first)).await, false)?;
        for outcome in [done(), Outcome::Failed, Outcome::Withdrawn] {
            is(rule, self.b.finish(again(&first), outcome).await, false)?;
        }
        is(RENEWED, self.b.renew(first.clone()).await, true)?;
        is(FINISHED, self.b.finish(first.clone(), Outcome::Failed).await, true)?;
        is(TWICE, self.a.finish(first.clone(), Outcome::Failed).await, true)?;
        is("a failed claim is not renewed", self.a.renew(first.clone()).await, false)?;

        let first = self.won(fresh()).await?;
        is(FINISHED, self.a.finish(first.clone(), Outcome::Failed).await, true)?;
        let second = again(&first);
        let rule = "after a failure the next attempt wins and is number 2";
        is(rule, self.b.claim(second.clone()).await, Claimed::won(2))?;
        let rule = "an attempt before does not finish what another one holds now";
        is(rule, self.a.finish(first.clone(), done()).await, false)?;
        is(rule, self.a.finish(first, Outcome::Withdrawn).await, false)?;
        is(FINISHED, self.a.finish(second.clone(), done()).await, true)?;
        is(TWICE, self.b.finish(second.clone(), done()).await, true)?;
        let rule = "done stays done";
        is(rule, self.b.finish(second.clone(), Outcome::Failed).await, false)?;
        is(rule, self.b.finish(second.clone(), Outcome::Withdrawn).await, false)?;
        is(rule, self.b.renew(second.clone()).await, false)?;
        is(rule, self.b.claim(again(&second)).await, Claimed::done(None))?;
        is(rule, self.a.claim(second).await, Claimed::done(None))
    }

    async fn withdrawn(&self) -> Result<(), Violation> {
        let first = self.won(fresh()).await?;
        is(SAME_ATTEMPT, self.b.claim(first.clone()).await, Claimed::won(1))?;
        is(WITHDRAWN, self.a.finish(first.clone(), Outcome::Withdrawn).await, true)?;
        self.a
            .finish(first.clone(), Outcome::Withdrawn)
            .await
            .map_err(failed("withdrawing twice is no error"))?;
        let other = Claim { fingerprint: digest(), ..again(&first) };
        let rule =
            "of a first attempt that was withdrawn nothing is left, so other content is number 1";
        is(rule, self.b.claim(other.clone()).await, Claimed::won(1))?;
        is(rule, self.b.finish(first, done()).await, false)?;

        is(FINISHED, self.b.finish(other.clone(), Outcome::Failed).await, true)?;
        let second = again(&other);
        is(
            "after a failure the next attempt wins",
            self.b.claim(second.clone()).await,
            Claimed::won(2),
        )?;
        is(WITHDRAWN, self.b.finish(second.clone(), Outcome::Withdrawn).await, true)?;
        let foreign = Claim { fingerprint: digest(), ..again(&other) };
        let rule = "after a later attempt was withdrawn all is as after the one that failed";
        is(rule, self.a.claim(foreign).await, Claimed::Conflict)?;
        is(rule, self.a.renew(second).await, false)?;
        is(rule, self.a.claim(again(&other)).await, Claimed::won(2))
    }

    async fn other_content(&self) -> Result<(), Violation> {
        let claim = self.won(fresh()).await?;
        let other = || Claim { fingerprint: digest(), ..again(&claim) };
        let rule = "other content under a used signature is a conflict";
        is(rule, self.b.claim(other()).await, Claimed::Conflict)?;
        let same_token = Claim { token: claim.token, ..other() };
        is(rule, self.b.claim(same_token).await, Claimed::Conflict)?;
        is(FINISHED, self.a.finish(claim.clone(), Outcome::Failed).await, true)?;
        is("failing keeps the content", self.b.claim(other()).await, Claimed::Conflict)?;
        let next = again(&claim);
        is("a conflict is no attempt", self.b.claim(next.clone()).await, Claimed::won(2))?;
        is(FINISHED, self.b.finish(next, done()).await, true)?;
        is(rule, self.a.claim(other()).await, Claimed::Conflict)?;
        is("a conflict changes nothing", self.a.claim(again(&claim)).await, Claimed::done(None))
    }

    /// Extreme digests, tokens and durations.
    async fn values(&self) -> Result<(), Violation> {
        let rule = "a token is any number, and a digest is any bytes";
        for token in [i64::MIN, -1, 0, 1, i64::MAX] {
            for fingerprint in [[0; 16], [0xff; 16], *b"'\"\\\0\r\n%_{}\x80\xfe ;--"] {
                let claim = Claim { token, fingerprint, ..fresh() };
                is(rule, self.a.claim(claim.clone()).await, Claimed::won(1))?;
                let near = Claim { token: token.wrapping_add(1), ..claim.clone() };
                is(rule, self.b.renew(near.clone()).await, false)?;
                is(rule, self.b.renew(claim.clone()).await, true)?;
                is(rule, self.b.finish(claim.clone(), done()).await, true)?;
                is(rule, self.b.claim(near).await, Claimed::done(None))?;
            }
        }
        let rule = "a retention and a lease can be as long as a duration can";
        let claim = Claim { lease: Duration::MAX, retention: Duration::MAX, ..fresh() };
        is(rule, self.a.claim(claim.clone()).await, Claimed::won(1))?;
        is(rule, self.b.renew(claim.clone()).await, true)?;
        is(rule, self.b.finish(claim.clone(), done()).await, true)?;
        is(rule, self.b.claim(again(&claim)).await, Claimed::done(None))
    }

    async fn answers(&self) -> Result<(), Violation> {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        for body in [Bytes::new(), Bytes::from_static(b"<Response/>"), Bytes::from(all)] {
            let status = if body.is_empty() {
                StatusCode::INTERNAL_SERVER_ERROR
            } else {
                StatusCode::ACCEPTED
            };
            let answer = ReplayedResponse::new(HeaderValue::from_static("application/xml"), body)
                .with_status(status);
            let claim = self.won(fresh()).await?;
            let outcome = Outcome::done(Some(answer.clone()));
            let rule = "finishing twice with an answer is no error";
            is(rule, self.a.finish(claim.clone(), outcome.clone()).await, true)?;
            is(rule, self.b.finish(claim.clone(), outcome).await, true)?;
            // A store need not keep answers.
            let rule = "an answer comes back to the byte or not at all";
            holds(rule, self.b.claim(again(&claim)).await, |claimed| match claimed {
                Claimed::Done { answer: kept } => kept.as_ref().is_none_or(|kept| *kept == answer),
                _ => false,
            })?;
            let other = Claim { fingerprint: digest(), ..again(&claim) };
            is("other content learns no answer", self.b.claim(other).await, Claimed::Conflict)?;
        }
        Ok(())
    }

    async fn contents_of_one_signature(&self) -> Result<(), Violation> {
        let signature = digest();
        let content = |signature| Claim { signature, ..fresh() };
        let mut claims = Vec::new();
        let rule = "a signature has 64 contents where they are part of the key";
        for _ in 0..Claim::MAX_CONTENTS {
            let claim = content(signature);
            is(rule, self.a.claim(claim.clone()).await, Claimed::won(1))?;
            claims.push(claim);
        }
        is(ONE_TOO_MANY, self.b.claim(content(signature)).await, Claimed::TooManyContents)?;
        let rule = "another signature is not affected";
        is(rule, self.b.claim(content(digest())).await, Claimed::won(1))?;

        let [first, second, third, ..] = &claims[..] else { return Ok(()) };
        let rule = "contents of one signature are independent";
        is(rule, self.b.finish(first.clone(), done()).await, true)?;
        is(rule, self.b.finish(second.clone(), Outcome::Failed).await, true)?;
        is(rule, self.a.renew(third.clone()).await, true)?;
        is(rule, self.a.claim(again(first)).await, Claimed::done(None))?;
        is(rule, self.a.claim(again(second)).await, Claimed::won(2))?;
        holds(rule, self.a.claim(again(third)).await, is_in_flight_for(..=third.lease))?;
        is(
            "what was done and failed still counts",
            self.a.claim(content(signature)).await,
            Claimed::TooManyContents,
        )?;

        let rule = "a withdrawn content makes room for another";
        is(rule, self.b.finish(third.clone(), Outcome::Withdrawn).await, true)?;
        is(rule, self.a.claim(content(signature)).await, Claimed::won(1))?;
        is(ONE_TOO_MANY, self.b.claim(content(signature)).await, Claimed::TooManyContents)
    }

    async fn races(&self) -> Result<(), Violation> {
        for _ in 0..RACES {
            let claim = fresh();
            self.race("one of all copies that race wins, as number 1", &claim, 1).await?;
        }
        // The same for a lease that has run out.
        let claim = self.won(Claim { lease: SECOND, ..fresh() }).await?;
        (self.wait)(Duration::from_secs(2)).await;
        let claim = Claim { lease: LEASE, ..claim };
        self.race("one of all copies that race for a lapsed lease wins, as number 2", &claim, 2)
            .await
    }

    async fn race(&self, rule: &'static str, claim: &Claim, attempt: u32) -> Result<(), Violation> {
        let contenders = (0..CONTENDERS).map(|number| {
            let store = Arc::clone(if number % 2 == 0 { &self.a } else { &self.b });
            let claim = again(claim);
            tokio::spawn(async move { store.claim(claim).await })
        });
        let mut won = 0_usize;
        for contender in contenders.collect::<Vec<_>>() {
            let claimed = contender.await.map_err(|error| violation(rule, error.to_string()))?;
            match claimed.map_err(failed(rule))? {
                claimed if claimed == Claimed::won(attempt) => won = won.saturating_add(1),
                Claimed::InFlight { .. } => {}
                claimed => return Err(violation(rule, format!("one got {claimed:?}"))),
            }
        }
        if won == 1 { Ok(()) } else { Err(violation(rule, format!("{won} won"))) }
    }

    /// A call that is dropped may take effect, also later.
    async fn cancelled_calls(&self) -> Result<(), Violation> {
        let lease = Duration::from_secs(1);
        let mut claims = Vec::new();
        for polls in 0..CANCELLED_AFTER {
            let claim = Claim { lease, ..fresh() };
            cancel(self.a.claim(claim.clone()), polls).await;
            let rule = "a claim that was cancelled can be withdrawn";
            self.a.finish(claim.clone(), Outcome::Withdrawn).await.map_err(failed(rule))?;
            claims.push(claim);

            let claim = self.won(fresh()).await?;
            cancel(self.a.finish(claim.clone(), done()), polls).await;
            let rule = "a finish that was cancelled can be repeated";
            is(rule, self.a.finish(claim.clone(), done()).await, true)?;
            is(rule, self.b.claim(again(&claim)).await, Claimed::done(None))?;
        }
        (self.wait)(lease.saturating_mul(2)).await;
        for claim in claims {
            let rule = "a claim that was cancelled and withdrawn is free again after its lease";
            holds(rule, self.b.claim(again(&claim)).await, |claimed| {
                matches!(claimed, Claimed::Won { .. })
            })?;
        }
        Ok(())
    }

    async fn leases(&self) -> Result<(), Violation> {
        for _ in 0..TRIES {
            let start = Instant::now();
            let lease = Duration::from_millis(1500);
            let claim = self.won(Claim { lease, ..fresh() }).await?;
            let retention = Duration::from_millis(1);
            let brief = self.won(Claim { retention, ..fresh() }).await?;
            let both = self.won(Claim { lease, retention, ..fresh() }).await?;
            (self.wait)(SECOND).await;
            let renewed = self.a.renew(claim.clone()).await;
            let both_renewed = self.a.renew(both.clone()).await;
            (self.wait)(SECOND).await;
            let in_flight = self.b.claim(again(&claim)).await;
            let both_in_flight = self.b.claim(again(&both)).await;
            // If the machine was busy for half a second, the times prove nothing: try again.
            if start.elapsed() > Duration::from_millis(2500) {
                continue;
            }
            is(RENEWED, renewed, true)?;
            is(RENEWED, both_renewed, true)?;
            let rule = "a lease that was renewed begins anew";
            holds(rule, in_flight, is_in_flight_for(..=claim.lease))?;
            let rule = "a claim is kept for its lease, however short its retention is";
            holds(rule, self.b.claim(again(&brief)).await, is_in_flight_for(..=brief.lease))?;
            let rule = "a claim is kept for its renewed lease, however short its retention is";
            holds(rule, both_in_flight, is_in_flight_for(..=both.lease))?;

            (self.wait)(SECOND.saturating_mul(2)).await;
            let other = Claim { fingerprint: digest(), ..again(&claim) };
            let rule = "a lease that has ended frees the attempt, not the content";
            is(rule, self.b.claim(other).await, Claimed::Conflict)?;
            let next = again(&claim);
            let rule = "a lease that was not renewed ends, and the next attempt is number 2";
            is(rule, self.b.claim(next.clone()).await, Claimed::won(2))?;
            let rule = "an attempt that has lost its lease to another neither renews nor finishes";
            is(rule, self.a.renew(claim.clone()).await, false)?;
            is(rule, self.a.finish(claim.clone(), done()).await, false)?;
            return is(FINISHED, self.b.finish(next, Outcome::Failed).await, true);
        }
        Err(violation("leases keep to the clock", "the machine is too slow to tell".to_owned()))
    }

    async fn retention(&self) -> Result<(), Violation> {
        for _ in 0..TRIES {
            let start = Instant::now();
            let time = SECOND.saturating_mul(3);
            let keep = |claim| Claim { lease: time, retention: time, ..claim };
            let acknowledged = self.won(keep(fresh())).await?;
            let refused = self.won(keep(fresh())).await?;
            (self.wait)(SECOND.saturating_mul(2)).await;
            let done = self.a.finish(acknowledged.clone(), done()).await;
            let failed = self.a.finish(refused.clone(), Outcome::Failed).await;
            (self.wait)(SECOND.saturating_mul(2)).await;
            let repeated = self.b.claim(again(&acknowledged)).await;
            let other = self.b.claim(Claim { fingerprint: digest(), ..again(&refused) }).await;
            if start.elapsed() > Duration::from_millis(4900) {
                continue;
            }
            is(FINISHED, done, true)?;
            is(FINISHED, failed, true)?;
            is(
                "what was done is known for its retention, counted from the finish",
                repeated,
                Claimed::done(None),
            )?;
            return is("so is the content of what failed", other, Claimed::Conflict);
        }
        Err(violation("retention keeps to the clock", "the machine is too slow to tell".to_owned()))
    }

    /// Claims at `a`, as the first attempt.
    async fn won(&self, claim: Claim) -> Result<Claim, Violation> {
        is(FIRST_WINS, self.a.claim(claim.clone()).await, Claimed::won(1))?;
        Ok(claim)
    }
}

/// A claim with a random key, which is also its signature.
fn fresh() -> Claim {
    let key = digest();
    Claim {
        key,
        signature: key,
        fingerprint: digest(),
        token: random() as i64,
        lease: LEASE,
        retention: Duration::from_secs(600),
    }
}

/// Another attempt at the same delivery.
fn again(claim: &Claim) -> Claim {
    Claim { token: random() as i64, ..claim.clone() }
}

fn digest() -> [u8; 16] {
    (u128::from(random()) << 64 | u128::from(random())).to_be_bytes()
}

fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Polls a call this many times, with pauses, then drops it.
async fn cancel(call: impl Future, polls: u32) {
    let mut call = pin!(call);
    for _ in 0..polls {
        if poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

fn done() -> Outcome {
    Outcome::done(None)
}

fn is<T: PartialEq + fmt::Debug>(
    rule: &'static str,
    found: Result<T, StoreError>,
    expected: T,
) -> Result<(), Violation> {
    holds(rule, found, |found| *found == expected)
}

fn holds<T: fmt::Debug>(
    rule: &'static str,
    found: Result<T, StoreError>,
    holds: impl FnOnce(&T) -> bool,
) -> Result<(), Violation> {
    let found = found.map_err(failed(rule))?;
    if holds(&found) { Ok(()) } else { Err(violation(rule, format!("the store says {found:?}"))) }
}

fn failed(rule: &'static str) -> impl Fn(StoreError) -> Violation {
    move |error| Violation { rule, found: "the call failed".to_owned(), source: Some(error) }
}

fn violation(rule: &'static str, found: String) -> Violation {
    Violation { rule, found, source: None }
}

fn is_in_flight_for(left: impl RangeBounds<Duration>) -> impl Fn(&Claimed) -> bool {
    move |claimed| matches!(claimed, Claimed::InFlight { retry_after } if left.contains(retry_after))
}

// Rules that are checked in several places.
const FIRST_WINS: &str = "the first attempt wins and is number 1";
const SAME_ATTEMPT: &str = "a claim that is made again under its token is the same attempt";
const RENEWED: &str = "a claim is renewed under its token";
const FINISHED: &str = "a claim is finished under its token";
const TWICE: &str = "finishing twice is no error";
const WITHDRAWN: &str = "a claim is withdrawn under its token";
const ONE_TOO_MANY: &str = "another content is one too many";
const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(60);
const RACES: usize = 8;
const CONTENDERS: usize = 64;
const CANCELLED_AFTER: u32 = 6;
const TRIES: usize = 20;
