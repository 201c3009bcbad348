//! Replay protection: an acknowledged delivery is not delivered again.
//!
//! The layer claims a delivery before it calls the handler and finishes the claim with the
//! handler's outcome:
//!
//! | found under the signature | same content | other content |
//! | --- | --- | --- |
//! | nothing | the handler is called | |
//! | failed, or the lease ran out | the handler is called again | 409 |
//! | in flight | 409 | 409 |
//! | done | the kept answer or an empty 200, without a call | 409 |
//!
//! So a sender's retry after a failure is delivered, an acknowledged delivery does not run twice,
//! and other content under a used signature is refused; with
//! [`Content::Part`](crate::Content::Part) it is another delivery. *Done* is any 2xx of the
//! handler, unless it says otherwise ([`Verdict`]). It is recorded before the response is sent.
//!
//! A [`MemoryStore`] guards one process and is on by default. Processes that serve one route share
//! a `RedisStore` (feature `redis`) or a `PostgresStore` (feature `postgres`), or bring their own
//! [`ReplayStore`]. The one below is complete, but keeps its entries in a map. Every store has to
//! pass the suite in `replay::conformance` (feature `test-util`):
//!
//! ```
//! use std::{
//!     collections::HashMap,
//!     sync::{Arc, Mutex},
//!     time::Duration,
//! };
//! use tokio::time::Instant;
//! use tower_webhooks::{
//!     WebhookLayer,
//!     replay::{
//!         Claim, Claimed, Outcome, ReplayStore, ReplayedResponse, StoreError,
//!         conformance,
//!     },
//!     zegocloud::Zegocloud,
//! };
//!
//! #[derive(Default)]
//! struct Ledger(Mutex<HashMap<[u8; 16], Entry>>);
//!
//! struct Entry {
//!     signature: [u8; 16],
//!     fingerprint: [u8; 16],
//!     token: i64,
//!     attempt: u32,
//!     state: State,
//!     leased_until: Instant,
//!     kept_until: Instant,
//!     answer: Option<ReplayedResponse>,
//! }
//!
//! #[derive(Clone, Copy, PartialEq)]
//! enum State {
//!     InFlight,
//!     Failed,
//!     Done,
//! }
//!
//! fn later(millis: i64) -> Instant {
//!     Instant::now() + Duration::from_millis(millis.unsigned_abs())
//! }
//!
//! impl ReplayStore for Ledger {
//!     async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
//!         let now = Instant::now();
//!         let mut entries = self.0.lock().unwrap();
//!         entries.retain(|_, entry| entry.kept_until > now);
//!         let mut attempt = 1;
//!         if let Some(entry) = entries.get(&claim.key) {
//!             attempt = match entry.state {
//!                 _ if entry.fingerprint != claim.fingerprint => {
//!                     return Ok(Claimed::Conflict);
//!                 }
//!                 State::Done => return Ok(Claimed::done(entry.answer.clone())),
//!                 // The same call is repeated after its connection broke.
//!                 State::InFlight if entry.token == claim.token => entry.attempt,
//!                 State::InFlight if entry.leased_until > now => {
//!                     return Ok(Claimed::in_flight(entry.leased_until - now));
//!                 }
//!                 State::InFlight | State::Failed => entry.attempt + 1,
//!             };
//!         } else {
//!             let contents = entries
//!                 .values()
//!                 .filter(|entry| entry.signature == claim.signature);
//!             if contents.count() >= Claim::MAX_CONTENTS {
//!                 return Ok(Claimed::TooManyContents);
//!             }
//!         }
//!         entries.insert(
//!             claim.key,
//!             Entry {
//!                 signature: claim.signature,
//!                 fingerprint: claim.fingerprint,
//!                 token: claim.token,
//!                 attempt,
//!                 state: State::InFlight,
//!                 leased_until: later(claim.lease_millis()),
//!                 kept_until: later(claim.lease_millis().max(claim.retention_millis())),
//!                 answer: None,
//!             },
//!         );
//!         Ok(Claimed::won(attempt))
//!     }
//!
//!     async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
//!         let mut entries = self.0.lock().unwrap();
//!         let entry =
//!             entries.get_mut(&claim.key).filter(|entry| entry.token == claim.token);
//!         let Some(entry) = entry.filter(|entry| entry.state == State::InFlight) else {
//!             return Ok(false);
//!         };
//!         entry.leased_until = later(claim.lease_millis());
//!         entry.kept_until = entry.kept_until.max(entry.leased_until);
//!         Ok(true)
//!     }
//!
//!     async fn finish(
//!         &self,
//!         claim: Claim,
//!         outcome: Outcome,
//!     ) -> Result<bool, StoreError> {
//!         let mut entries = self.0.lock().unwrap();
//!         let entry =
//!             entries.get_mut(&claim.key).filter(|entry| entry.token == claim.token);
//!         let Some(entry) = entry else { return Ok(false) };
//!         match (entry.state, outcome) {
//!             (State::InFlight, Outcome::Withdrawn) if entry.attempt == 1 => {
//!                 entries.remove(&claim.key);
//!                 return Ok(true);
//!             }
//!             (State::InFlight, Outcome::Withdrawn) => {
//!                 entry.attempt -= 1;
//!                 entry.state = State::Failed;
//!             }
//!             (State::InFlight | State::Failed, Outcome::Failed) => {
//!                 entry.state = State::Failed
//!             }
//!             (State::InFlight | State::Done, Outcome::Done { answer, .. }) => {
//!                 entry.state = State::Done;
//!                 entry.answer = answer;
//!             }
//!             _ => return Ok(false),
//!         }
//!         entry.kept_until = entry.kept_until.max(later(claim.retention_millis()));
//!         Ok(true)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ledger = Arc::new(Ledger::default());
//! conformance::check(|| Arc::clone(&ledger)).await?;
//!
//! let layer =
//!     WebhookLayer::new(Zegocloud::new("a callback secret")?).shared_store(ledger);
//! assert!(format!("{layer:?}").contains("shared: true"));
//! # Ok(())
//! # }
//! ```

pub use self::memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use self::postgres::{DoneInError, PostgresStore};
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;

#[cfg(fuzzing)]
pub(crate) use self::memory::Hold;
pub(crate) use self::{
    admission::{Admission, Guard, Keys, RETRY_AFTER, Waiting},
    claim::ClaimGuard,
    shared::Recording,
};

use crate::DeliveryId;
use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Semaphore;

#[cfg(feature = "test-util")]
pub mod conformance;

mod admission;
mod claim;
mod latest;
mod memory;
mod outcomes;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod shared;
mod trace;

/// Keeps claims.
///
/// Each of the three transitions is atomic and compares [`Claim::fingerprint`] and
/// [`Claim::token`]. A key is remembered for at least its [`Claim::retention`] after the last claim
/// or finish, and its [`Claim::lease`] after the last claim or renewal. Time limits and retries are
/// up to the layer: a store only reports what went wrong ([`StoreError`]). `replay::conformance`
/// (feature `test-util`) checks a store.
///
/// A call whose future is dropped may still take effect: the layer then finishes the claim with the
/// same token.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a replay store",
    note = "`MemoryStore`, `RedisStore` and `PostgresStore` are; hand over the store itself or an `Arc` of it, not a reference"
)]
pub trait ReplayStore: Send + Sync + 'static {
    /// Claims a delivery: see the table of the [module](self). A claim that is repeated with its
    /// token is the same attempt.
    fn claim(&self, claim: Claim) -> impl Future<Output = Result<Claimed, StoreError>> + Send;

    /// Restarts the lease; `false` if the claim is no longer held under this token.
    fn renew(&self, claim: Claim) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records the outcome; `false` if the claim is no longer held under this token. Repeating it
    /// is no error.
    fn finish(
        &self,
        claim: Claim,
        outcome: Outcome,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// How many deliveries may be claimed at a time; any number by default.
    ///
    /// A store with a pool of connections makes one limit of their number and returns a clone of
    /// it. Renewals and outcomes are not limited.
    fn claim_limit(&self) -> ClaimLimit {
        ClaimLimit::new(usize::MAX)
    }
}

impl<S: ReplayStore> ReplayStore for Arc<S> {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        S::claim(self, claim).await
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        S::renew(self, claim).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        S::finish(self, claim, outcome).await
    }

    fn claim_limit(&self) -> ClaimLimit {
        S::claim_limit(self)
    }
}

/// How many deliveries may be claimed in a store at a time. Clones share the limit, and so do all
/// layers with the store.
///
/// More claims wait in the layer for their turn. One that gives up there was never sent, so nothing
/// has to be undone.
#[derive(Clone, Debug)]
pub struct ClaimLimit {
    claims: usize,
    turns: Arc<Semaphore>,
    /// A quarter of the turns, at least one, for claims whose signature is being claimed with
    /// other content.
    contested: Arc<Semaphore>,
}

impl ClaimLimit {
    /// Creates a limit of this many claims; zero counts as one.
    pub fn new(claims: usize) -> Self {
        let claims = claims.clamp(1, Semaphore::MAX_PERMITS);
        let turns = |claims| Arc::new(Semaphore::new(claims));
        Self { claims, turns: turns(claims), contested: turns((claims / 4).max(1)) }
    }

    /// The most claims at a time.
    pub fn claims(&self) -> usize {
        self.claims
    }
}

/// One attempt at a delivery, as a store sees it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Claim {
    /// What is claimed, as a digest: the signature or, if honest requests can share one
    /// ([`Content::Part`](crate::Content::Part)), the signature and the content.
    pub key: [u8; 16],
    /// The signature, as a digest of the provider's name and the [`Identity`](crate::Identity).
    ///
    /// It equals the key if a signature has one content. Otherwise several keys share it, and a
    /// store limits them: with [`MAX_CONTENTS`](Self::MAX_CONTENTS) keys under the signature,
    /// another one is [`Claimed::TooManyContents`]. Without the limit one captured request fills
    /// the store.
    pub signature: [u8; 16],
    /// The content, as a digest; a constant if the signature covers all of it.
    pub fingerprint: [u8; 16],
    /// Identifies this attempt; any number, also a negative one.
    pub token: i64,
    /// How long the claim is held without a renewal.
    pub lease: Duration,
    /// How long the key must be remembered, counted from now.
    pub retention: Duration,
}

impl Claim {
    /// How many keys one [`signature`](Self::signature) may have at a time.
    pub const MAX_CONTENTS: usize = 64;

    /// Creates a claim for the test of a store; its signature is the key.
    #[cfg(feature = "test-util")]
    pub fn for_test(
        key: [u8; 16],
        fingerprint: [u8; 16],
        token: i64,
        lease: Duration,
        retention: Duration,
    ) -> Self {
        Self { key, signature: key, fingerprint, token, lease, retention }
    }

    /// [`lease`](Self::lease) in milliseconds, at most a century.
    pub fn lease_millis(&self) -> i64 {
        millis(self.lease)
    }

    /// [`retention`](Self::retention) in milliseconds, at most a century.
    pub fn retention_millis(&self) -> i64 {
        millis(self.retention)
    }

    pub(crate) fn is_part(&self) -> bool {
        self.signature != self.key
    }
}

fn millis(duration: Duration) -> i64 {
    duration.min(CENTURY).as_millis() as i64
}

/// The result of a claim.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Claimed {
    /// This attempt may deliver.
    #[non_exhaustive]
    Won {
        /// The attempt's number, counted from 1.
        attempt: u32,
    },
    /// Another attempt is being delivered.
    #[non_exhaustive]
    InFlight {
        /// How long its lease lasts, unless it is renewed.
        retry_after: Duration,
    },
    /// An earlier attempt was acknowledged.
    #[non_exhaustive]
    Done {
        /// What the handler answered, if it was kept.
        answer: Option<ReplayedResponse>,
    },
    /// The signature was used with other content.
    Conflict,
    /// The signature has been used with [`Claim::MAX_CONTENTS`] other contents.
    TooManyContents,
    /// The store is full of claims that have not expired.
    Full,
}

impl Claimed {
    /// Creates [`Won`](Self::Won), with the attempt's number, counted from 1.
    pub fn won(attempt: u32) -> Self {
        Self::Won { attempt }
    }

    /// Creates [`InFlight`](Self::InFlight), with the time left of the lease.
    pub fn in_flight(retry_after: Duration) -> Self {
        Self::InFlight { retry_after }
    }

    /// Creates [`Done`](Self::Done), with the kept answer.
    pub fn done(answer: Option<ReplayedResponse>) -> Self {
        Self::Done { answer }
    }
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The handler answered with a 2xx, or said [`Verdict::Done`].
    #[non_exhaustive]
    Done {
        /// What to answer when the delivery is sent again.
        answer: Option<ReplayedResponse>,
    },
    /// Anything else: the sender may try again, with the same content.
    Failed,
    /// The handler was not called: the claim is undone. A first attempt is forgotten, and with it
    /// its content. A later attempt leaves the state that followed the last failure.
    Withdrawn,
}

impl Outcome {
    /// Creates [`Done`](Self::Done), with an answer to keep.
    pub fn done(answer: Option<ReplayedResponse>) -> Self {
        Self::Done { answer }
    }
}

/// Overrides, in a response's extensions, what its status says about the delivery.
///
/// [`Done`](Self::Done) with a 500 is for an event that can never succeed: the sender learns of the
/// failure, and the layer answers its retries. [`Failed`](Self::Failed) with a 200 lets the same
/// delivery in again, for a sender that accepts no other status and may send again.
///
/// ```
/// use axum::{
///     Extension, Router,
///     http::StatusCode,
///     response::{IntoResponse, Response},
///     routing::post,
/// };
/// use tower_webhooks::{
///     Signer as _, Verified, WebhookLayer,
///     replay::Verdict,
///     zegocloud::{Event, Signer, Zegocloud},
/// };
///
/// async fn on_event(event: Verified<Event>) -> Response {
///     match &*event {
///         // It can never succeed.
///         Event::Unknown(_) => {
///             (StatusCode::INTERNAL_SERVER_ERROR, Extension(Verdict::Done))
///                 .into_response()
///         }
///         _ => StatusCode::OK.into_response(),
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let layer = WebhookLayer::new(Zegocloud::new("a callback secret")?);
/// let app: Router =
///     Router::new().route("/zegocloud", post(on_event).route_layer(layer));
/// let signer = Signer::new("a callback secret")?.nonce("7254119327986670314");
/// for status in [500, 200] {
///     let answer = signer.post(&app, "/zegocloud", r#"{"event":"unheard_of"}"#).await?;
///     assert_eq!(answer.status(), status);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The delivery is done: it is not delivered again.
    Done,
    /// The delivery failed: it is delivered again if it is sent again.
    Failed,
}

/// A response that is kept and given again when its delivery is sent again.
///
/// If the sender needs the body, the handler puts one into its response's extensions (with feature
/// `axum`, it returns one). When the delivery is repeated, the layer answers with its status and
/// puts it into the extensions. An outer `map_response` turns it into the body; with axum that is
/// `ReplayedResponse::restore`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ReplayedResponse {
    /// The status. The layer replaces it with that of the handler's response.
    pub status: StatusCode,
    /// The `Content-Type`.
    pub content_type: HeaderValue,
    /// The body. Above
    /// [`WebhookLayer::replayed_body_limit`](crate::WebhookLayer::replayed_body_limit) nothing is
    /// kept, and a repeat is answered with 200 and an empty body.
    pub body: Bytes,
}

impl ReplayedResponse {
    /// Creates a response of this type, with status 200.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into() }
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// A copy. What the handler made may be slices of larger buffers, such as the request's.
    pub(crate) fn copied(&self) -> Self {
        let content_type = HeaderValue::from_bytes(self.content_type.as_bytes());
        Self {
            status: self.status,
            content_type: content_type.unwrap_or_else(|_| self.content_type.clone()),
            body: Bytes::copy_from_slice(&self.body),
        }
    }

    /// Status and type in one field, for this crate's stores.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    fn head(&self) -> Vec<u8> {
        [self.status.as_str().as_bytes(), b" ", self.content_type.as_bytes()].concat()
    }

    #[cfg(any(feature = "redis", feature = "postgres"))]
    fn from_head(head: &[u8], body: impl Into<Bytes>) -> Option<Self> {
        let (status, content_type) = head.split_at_checked("200 ".len())?;
        let status = StatusCode::from_bytes(status.trim_ascii_end()).ok()?;
        Some(Self::new(HeaderValue::from_bytes(content_type).ok()?, body).with_status(status))
    }
}

/// Marks, in a response's extensions, the layer's answer to a repeated delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The delivery's id, as in [`Metadata::delivery_id`](crate::Metadata::delivery_id).
    pub delivery_id: Option<DeliveryId>,
}

/// What to do with a delivery while the shared store is unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// Answer 503 and let the sender try again.
    #[default]
    Reject,
    /// Deliver what this process has not seen: another process may deliver it too.
    /// [`Metadata::checked`](crate::Metadata::checked) says so. A store that is only busy is not
    /// unavailable: then the answer is 503.
    LocalFallback,
}

/// Where it was checked that a delivery is no replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayCheck {
    /// Nowhere: the scheme cannot tell deliveries apart, or the guard is off.
    Unguarded,
    /// In this process.
    Local,
    /// In the shared store.
    Shared,
    /// In this process, because the shared store was unavailable
    /// ([`OutagePolicy::LocalFallback`]).
    LocalFallback,
}

impl ReplayCheck {
    /// Returns `unguarded`, `local`, `shared` or `local_fallback`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unguarded => "unguarded",
            Self::Local => "local",
            Self::Shared => "shared",
            Self::LocalFallback => "local_fallback",
        }
    }
}

/// A failed call of a store.
///
/// It tells the layer whether the call may have had an effect, which then has to be undone, and
/// whether to try again at once.
#[derive(Clone, Debug)]
pub struct StoreError {
    source: Arc<dyn Error + Send + Sync>,
    unsent: bool,
    disconnected: bool,
    /// Whether the claim got no turn; the store may be well.
    busy: bool,
}

impl StoreError {
    /// Creates the error of a call that may have taken effect.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into().into(), unsent: false, disconnected: false, busy: false }
    }

    /// Creates the error of a call that had no effect, because it was not sent or was refused.
    pub fn unsent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { unsent: true, ..Self::new(source) }
    }

    /// Marks the connection as lost or unusable: the next call makes a new one.
    #[must_use]
    pub fn disconnected(mut self) -> Self {
        self.disconnected = true;
        self
    }

    fn busy() -> Self {
        let busy = Self::unsent("the store's maximum number of claims is in progress");
        Self { busy: true, ..busy }
    }

    /// For the error of a second try: the first one was sent.
    fn sent(mut self) -> Self {
        self.unsent = false;
        self
    }

    /// Whether the call certainly had no effect.
    pub fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// Whether the connection was lost, so that the same call may succeed at once.
    pub fn is_disconnected(&self) -> bool {
        self.disconnected
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call of the replay store failed")
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// Locks, also after a panic: nothing that is locked here is left half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// Longer times would overflow.
const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);
