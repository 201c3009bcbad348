//! The replay store that several processes share.

use super::{Claim, Claimed, Outcome, ReplayStore, ReplayedResponse, StoreError};
use crate::ConfigError;
use bytes::Bytes;
use http::HeaderValue;
use redis::{
    Client, FromRedisValue, RedisError, Script, ScriptInvocation,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// Claims in Redis; clones share one connection.
///
/// Each transition is one Lua script: it runs at once or not at all, by Redis's own clock. The connection is made with
/// the first claim and made again when it breaks.
///
/// What Redis forgets can be replayed. Across its restart the guarantee needs `appendonly yes` and `appendfsync always`,
/// and `maxmemory-policy noeviction` at all times; a replica that takes over may not have seen the latest claims.
///
/// ```
/// use std::time::Duration;
/// use tower_webhooks::{WebhookLayer, Zegocloud, replay::RedisStore};
///
/// let store = RedisStore::new("redis://127.0.0.1:6379")?.timeout(Duration::from_millis(100));
/// let layer = WebhookLayer::new(Zegocloud::new("a callback secret")?).shared_store(store);
/// assert!(RedisStore::new("http://127.0.0.1").is_err());
/// # Ok::<(), tower_webhooks::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RedisStore {
    client: Client,
    prefix: String,
    timeout: Duration,
    link: Arc<Link>,
}

struct Link {
    manager: Mutex<Option<ConnectionManager>>,
    failures: AtomicU32,
    skip_until: AtomicU64,
    start: Instant,
    scripts: Scripts,
}

struct Scripts {
    claim: Script,
    renew: Script,
    finish: Script,
}

impl RedisStore {
    /// A store at that URL: `redis://[user:password@]host[:port][/database]` or `unix:///path`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a URL of another form. Whether a server is there shows with the first claim.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let client = Client::open(url).map_err(|_| ConfigError::new("the Redis URL is malformed"))?;
        let link = Link {
            manager: Mutex::new(None),
            failures: AtomicU32::new(0),
            skip_until: AtomicU64::new(0),
            start: Instant::now(),
            scripts: Scripts { claim: Script::new(CLAIM), renew: Script::new(RENEW), finish: Script::new(FINISH) },
        };
        Ok(Self { client, prefix: "tower-webhooks:".to_owned(), timeout: TIMEOUT, link: Arc::new(link) })
    }

    /// What every key begins with; `tower-webhooks:` by default. The rest is a digest.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a call may take, connecting included; 250 ms by default.
    ///
    /// After three failures in a row, claims fail without a call for a second, so that a hung Redis does not slow every
    /// request down.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn key(&self, claim: &Claim) -> String {
        format!("{}{}", self.prefix, hex::encode(claim.key))
    }

    async fn call<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut manager = self.manager().map_err(StoreError::unsent)?;
        let called = tokio::time::timeout(self.timeout, script.invoke_async(&mut manager)).await;
        let error = match called {
            Ok(Ok(answer)) => {
                self.link.failures.store(0, Ordering::Relaxed);
                return Ok(answer);
            }
            // Redis is there and has said what is wrong.
            Ok(Err(error)) if error.code().is_some() => return Err(StoreError::new(error)),
            Ok(Err(error)) if error.is_connection_refusal() => StoreError::unsent(error),
            Ok(Err(error)) => StoreError::new(error),
            Err(elapsed) => StoreError::new(elapsed),
        };
        let failures = self.link.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if failures >= FAILURES_BEFORE_SKIP {
            self.link.skip_until.store(self.link.now().saturating_add(SKIP_MILLIS), Ordering::Relaxed);
        }
        if failures.checked_rem(FAILURES_BEFORE_RENEWAL) == Some(0) {
            // A peer that is gone without a trace leaves a connection that nothing will ever come out of.
            *self.link.manager.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Err(error)
    }

    fn manager(&self) -> Result<ConnectionManager, RedisError> {
        let mut manager = self.link.manager.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(manager) = &*manager {
            return Ok(manager.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let made = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(manager.insert(made).clone())
    }

    fn check_skip(&self) -> Result<(), StoreError> {
        if self.link.now() < self.link.skip_until.load(Ordering::Relaxed) {
            return Err(StoreError::unsent("Redis has just failed several times"));
        }
        Ok(())
    }
}

impl Link {
    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

impl ReplayStore for RedisStore {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.check_skip()?;
        let mut script = self.link.scripts.claim.prepare_invoke();
        script
            .key(self.key(&claim))
            .arg(&claim.fingerprint[..])
            .arg(claim.token)
            .arg(claim.lease_millis())
            .arg(claim.retention_millis());
        let answer: Vec<Vec<u8>> = match self.call(&script).await {
            Err(error) if is_out_of_memory(&error) => return Ok(Claimed::Full),
            answer => answer?,
        };
        let mut answer = answer.into_iter();
        let status = answer.next().unwrap_or_default();
        let detail = answer.next().unwrap_or_default();
        let number = || std::str::from_utf8(&detail).ok().and_then(|digits| digits.parse::<u64>().ok());
        match &status[..] {
            b"won" => number().and_then(|attempt| u32::try_from(attempt).ok()).map(|attempt| Claimed::Won { attempt }),
            b"in_flight" => number().map(|left| Claimed::InFlight { retry_after: Duration::from_millis(left) }),
            b"done" => Some(Claimed::Done { answer: kept(&detail, answer.next()) }),
            b"conflict" => Some(Claimed::Conflict),
            _ => None,
        }
        .ok_or_else(|| StoreError::new("the claim script gave an answer of another shape"))
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.check_skip()?;
        let mut script = self.link.scripts.renew.prepare_invoke();
        script.key(self.key(&claim)).arg(claim.token).arg(claim.lease_millis());
        self.call(&script).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        let (state, answer) = match outcome {
            Outcome::Done { answer } => ("d", answer),
            Outcome::Failed | Outcome::Withdrawn => ("f", None),
        };
        let mut script = self.link.scripts.finish.prepare_invoke();
        script.key(self.key(&claim)).arg(claim.token).arg(state).arg(claim.retention_millis());
        if let Some(answer) = &answer {
            script.arg(answer.content_type.as_bytes()).arg(&answer.body[..]);
        }
        self.call(&script).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn kept(content_type: &[u8], body: Option<Vec<u8>>) -> Option<ReplayedResponse> {
    let content_type = HeaderValue::from_bytes(content_type).ok()?;
    Some(ReplayedResponse { content_type, body: Bytes::from(body?) })
}

fn is_out_of_memory(error: &StoreError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<RedisError>());
    source.and_then(RedisError::code) == Some("OOM")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(MAX_MILLIS)
}

// f fingerprint, s state (i in flight, f failed, d done), t token, l end of the lease, a attempt, c and b kept answer.
const CLAIM: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f, s, t, l, a = unpack(redis.call('HMGET', KEYS[1], 'f', 's', 't', 'l', 'a'))
if f then
  if f ~= ARGV[1] then return {'conflict'} end
  if s == 'd' then
    local c, b = unpack(redis.call('HMGET', KEYS[1], 'c', 'b'))
    if b then return {'done', c, b} end
    return {'done'}
  end
  if s == 'i' and t ~= ARGV[2] and tonumber(l) > now then
    return {'in_flight', string.format('%.0f', tonumber(l) - now)}
  end
end
local attempt = string.format('%.0f', tonumber(a or 0) + 1)
local lease = string.format('%.0f', now + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'f', ARGV[1], 's', 'i', 't', ARGV[2], 'l', lease, 'a', attempt)
local keep = math.max(tonumber(ARGV[3]), tonumber(ARGV[4]))
if redis.call('PTTL', KEYS[1]) < keep then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', keep)) end
return {'won', attempt}
";

const RENEW: &str = r"
local s, t = unpack(redis.call('HMGET', KEYS[1], 's', 't'))
if s ~= 'i' or t ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'l', string.format('%.0f', now + tonumber(ARGV[2])))
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
";

const FINISH: &str = r"
local s, t = unpack(redis.call('HMGET', KEYS[1], 's', 't'))
if t ~= ARGV[1] or (s ~= 'i' and s ~= ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 's', ARGV[2])
if ARGV[5] then redis.call('HSET', KEYS[1], 'c', ARGV[4], 'b', ARGV[5]) end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
";

const TIMEOUT: Duration = Duration::from_millis(250);
const FAILURES_BEFORE_SKIP: u32 = 3;
const FAILURES_BEFORE_RENEWAL: u32 = 10;
const SKIP_MILLIS: u64 = 1000;
// A century: more than a number in Lua holds to the millisecond is of no use to anybody.
const MAX_MILLIS: u64 = 100 * 366 * 24 * 60 * 60 * 1000;
