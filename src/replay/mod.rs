//! Single use: a signature is delivered once, whatever is sent under it.
//!
//! The layer claims a delivery before it calls the handler and finishes the claim with the handler's outcome:
//!
//! | found under the signature | same content | other content |
//! | --- | --- | --- |
//! | nothing | the handler is called | |
//! | failed, or the lease ran out | the handler is called again | 409 |
//! | in flight | 409 | 409 |
//! | done | 200 without a call, with the kept answer | 409 |
//!
//! So a sender's retry gets through after a failure, an acknowledged delivery does not run twice, and other content
//! under a used signature is neither delivered nor acknowledged. *Done* is any 2xx of the handler, and it is recorded
//! before the response leaves.
//!
//! A [`MemoryStore`] guards one process and is on by default. Processes that serve one route share a store such as
//! `RedisStore` (feature `redis`), or bring their own [`ReplayStore`]:
//!
//! ```
//! use std::{collections::HashMap, sync::Mutex};
//! use tower_webhooks::{
//!     WebhookLayer,
//!     replay::{Claim, Claimed, Outcome, ReplayStore, StoreError},
//!     zegocloud::Zegocloud,
//! };
//!
//! /// Remembers what was done; a real one also honours lease and retention.
//! #[derive(Default)]
//! struct Ledger(Mutex<HashMap<[u8; 16], (u64, bool)>>);
//!
//! impl ReplayStore for Ledger {
//!     async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
//!         let mut ledger = self.0.lock().unwrap();
//!         Ok(match ledger.get(claim.key()) {
//!             None => {
//!                 ledger.insert(*claim.key(), (claim.token(), false));
//!                 Claimed::Won { attempt: 1 }
//!             }
//!             Some((_, true)) => Claimed::Done { answer: None },
//!             Some((_, false)) => Claimed::InFlight { retry_after: claim.lease() },
//!         })
//!     }
//!
//!     async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
//!         Ok(self.0.lock().unwrap().get(claim.key()).is_some_and(|(token, _)| *token == claim.token()))
//!     }
//!
//!     async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
//!         let mut ledger = self.0.lock().unwrap();
//!         if ledger.get(claim.key()).is_none_or(|(token, _)| *token != claim.token()) {
//!             return Ok(false);
//!         }
//!         match outcome {
//!             Outcome::Done { .. } => ledger.insert(*claim.key(), (claim.token(), true)),
//!             Outcome::Failed => ledger.remove(claim.key()),
//!         };
//!         Ok(true)
//!     }
//! }
//!
//! let layer = WebhookLayer::new(Zegocloud::new("a callback secret")?).store(Ledger::default());
//! assert!(format!("{layer:?}").contains("shared: true"));
//! # Ok::<(), tower_webhooks::ConfigError>(())
//! ```

pub use self::memory::MemoryStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;

pub(crate) use self::guard::{Admission, Answer, Answered, ClaimGuard, Guard};

use bytes::Bytes;
use http::HeaderValue;
use std::{error::Error, fmt, future::Future, sync::Arc, time::Duration};

mod guard;
mod memory;
#[cfg(feature = "redis")]
mod redis;

/// Where claims are kept.
///
/// A store has to make each of the three transitions atomic, compare [`Claim::fingerprint`] and [`Claim::token`], and
/// keep what it knows of a key for [`Claim::retention`] at least. It bounds how long a call may take: the layer waits.
///
/// A future that is dropped may have taken effect: the layer then finishes the claim with the same token.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a replay store",
    note = "`MemoryStore` and `RedisStore` are; hand over the store itself, not a reference"
)]
pub trait ReplayStore: Send + Sync + 'static {
    /// Claims a delivery: see the table of the [module](self).
    fn claim(&self, claim: Claim) -> impl Future<Output = Result<Claimed, StoreError>> + Send;

    /// Starts the lease anew; `false` if the claim is no longer held under this token.
    fn renew(&self, claim: Claim) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Records the outcome; `false` if the claim is no longer held under this token. Finishing twice is no error.
    fn finish(&self, claim: Claim, outcome: Outcome) -> impl Future<Output = Result<bool, StoreError>> + Send;
}

/// One attempt to deliver what a signature stands for.
#[derive(Clone, Debug)]
pub struct Claim {
    pub(crate) key: [u8; 16],
    pub(crate) fingerprint: [u8; 16],
    pub(crate) token: u64,
    pub(crate) lease: Duration,
    pub(crate) retention: Duration,
}

impl Claim {
    /// A claim for the test of a store.
    #[cfg(feature = "test-util")]
    pub fn for_test(key: [u8; 16], fingerprint: [u8; 16], token: u64, lease: Duration, retention: Duration) -> Self {
        Self { key, fingerprint, token, lease, retention }
    }

    /// The signature, as a digest that differs between providers and secrets.
    pub fn key(&self) -> &[u8; 16] {
        &self.key
    }

    /// The content, as a digest; the same for every content where the signature allows one only.
    pub fn fingerprint(&self) -> &[u8; 16] {
        &self.fingerprint
    }

    /// This attempt.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// How long the claim is held without a renewal.
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// How long the key must be remembered, counted from now.
    pub fn retention(&self) -> Duration {
        self.retention
    }
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Claimed {
    /// It is this attempt's to deliver.
    Won {
        /// Counts from 1.
        attempt: u32,
    },
    /// Another attempt is being delivered.
    InFlight {
        /// When its lease ends at the latest, unless it is renewed.
        retry_after: Duration,
    },
    /// It was delivered.
    Done {
        /// What the handler answered, where it was kept.
        answer: Option<ReplayedResponse>,
    },
    /// The signature belongs to other content.
    Conflict,
    /// There is no room, and nothing in the store may be forgotten yet.
    Full,
}

/// How a delivery ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The handler answered with a 2xx.
    Done {
        /// What to answer when it is sent again.
        answer: Option<ReplayedResponse>,
    },
    /// Anything else: the sender may try again, with the same content.
    Failed,
}

/// An answer that is given again when its delivery is sent again.
///
/// A handler whose answer's body matters to the sender puts one into its response's extensions (with feature `axum`, it
/// returns one). When the delivery is repeated, the layer puts it into the extensions of its own 200, and an outer
/// `map_response` turns it into the body: with axum, `ReplayedResponse::restore`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayedResponse {
    /// The answer's `Content-Type`.
    pub content_type: HeaderValue,
    /// The answer's body, at most as long as [`WebhookLayer::replayed_body_limit`](crate::WebhookLayer::replayed_body_limit) says; a
    /// longer one is not kept, and a repeat is answered with 200 and an empty body.
    pub body: Bytes,
}

impl ReplayedResponse {
    /// An answer of that type.
    pub fn new(content_type: HeaderValue, body: impl Into<Bytes>) -> Self {
        Self { content_type, body: body.into() }
    }
}

/// Marks, in a response's extensions, the layer's 200 for what was delivered before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate;

/// What to do with a delivery while the shared store cannot be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutagePolicy {
    /// Answer 503 and let the sender try again.
    #[default]
    Reject,
    /// Deliver what this process has not seen: another process may deliver it too.
    /// [`Metadata::checked`](crate::Metadata::checked) tells.
    LocalFallback,
}

/// How the claim on a delivery was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplayCheck {
    /// Not at all: the scheme has nothing to tell deliveries apart by, or the guard is off.
    Unguarded,
    /// In this process.
    Local,
    /// In the shared store.
    Shared,
    /// In this process, because the shared store could not be asked ([`OutagePolicy::LocalFallback`]).
    LocalFallback,
}

impl ReplayCheck {
    /// `unguarded`, `local`, `shared` or `local_fallback`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unguarded => "unguarded",
            Self::Local => "local",
            Self::Shared => "shared",
            Self::LocalFallback => "local_fallback",
        }
    }
}

/// A store that could not be asked, or whose answer made no sense.
#[derive(Clone, Debug)]
pub struct StoreError {
    source: Arc<dyn Error + Send + Sync>,
    unsent: bool,
}

impl StoreError {
    /// An error with what went wrong; the call may have taken effect all the same.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into().into(), unsent: false }
    }

    /// An error of a call that was never sent, so that nothing needs to be undone.
    pub fn unsent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: source.into().into(), unsent: true }
    }

    /// Whether the call was never sent.
    pub fn is_unsent(&self) -> bool {
        self.unsent
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the replay store could not be asked")
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
