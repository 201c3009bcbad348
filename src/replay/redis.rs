//! The replay store in Redis or Valkey.

use super::{Claim, Claimed, Outcome, ReplayStore, ReplayedResponse, StoreError, lock};
use crate::ConfigError;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError,
    RedisResult, ServerErrorKind, Value,
    aio::ConnectionLike,
    cmd,
    io::tcp::{TcpSettings, socket2::TcpKeepalive},
};
use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A replay store in Redis 7 or later, or in Valkey; clones share one connection.
///
/// Each transition is one Lua script over one key: it is atomic and uses Redis's clock. The store
/// connects with the first claim. It reconnects when the connection breaks or falls silent, and
/// when the server answers with an error, for example because it has become a replica.
///
/// At `maxmemory` new deliveries are refused with 503; outcomes of earlier claims are still
/// recorded.
///
/// What Redis loses can be replayed. To survive a restart, claims need `appendonly yes` and
/// `appendfsync always`; `maxmemory-policy noeviction` is always needed. A replica that takes over
/// may not have the latest claims. Redis expires keys by its host's wall clock: claims are kept a
/// minute longer than necessary, so that only a forward step of more than a minute forgets them too
/// early.
///
/// An ACL has to allow `EVALSHA`, `EVAL`, `TIME`, `HMGET`, `HSET`, `HDEL`, `HINCRBY`, `PTTL`,
/// `PEXPIRE` and `DEL` on keys with the [`prefix`](Self::prefix).
///
/// ```
/// use tower_webhooks::{WebhookLayer, replay::RedisStore, zegocloud::Zegocloud};
///
/// let store = RedisStore::new("redis://127.0.0.1:6379")?;
/// let layer =
///     WebhookLayer::new(Zegocloud::new("a callback secret")?).shared_store(store);
/// assert!(RedisStore::new("http://127.0.0.1").is_err());
/// # Ok::<(), tower_webhooks::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct RedisStore {
    prefix: String,
    shared: Arc<Shared>,
}

struct Shared {
    connect: Box<dyn Fn() -> Connecting + Send + Sync>,
    link: Mutex<Option<Arc<Link>>>,
    claim: Script,
    renew: Script,
    finish: Script,
}

impl RedisStore {
    /// Creates a store at this URL.
    ///
    /// It is `redis://[user:password@]host[:port][/database]`, `unix:///path` or, with feature
    /// `redis-tls`, `rediss://…`. The certificate has to be signed by an authority of the system,
    /// or of the file that the environment variable `SSL_CERT_FILE` names.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a URL of another form. The server is contacted with the first claim.
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let client = url.into_connection_info().and_then(|info| {
            // Finds out that an idle connection has broken without a word.
            let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
            // Calls share a connection, and none waits to be sent with the next one.
            let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
            #[cfg(target_os = "linux")]
            let tcp = tcp.set_user_timeout(KEEPALIVE.saturating_mul(2));
            Client::open(info.set_tcp_settings(tcp))
        });
        let client = client.map_err(|_| {
            match url.starts_with("rediss:") && !cfg!(feature = "redis-tls") {
                true => ConfigError::new("a rediss:// URL needs the feature `redis-tls`"),
                false => ConfigError::new("the Redis URL is malformed"),
            }
        })?;
        let client = Arc::new(client);
        Ok(Self::with_connector(move || {
            let client = Arc::clone(&client);
            async move {
                // Fails if the process has one already. Without any rustls panics if it cannot
                // choose.
                #[cfg(feature = "redis-tls")]
                let _ = rustls::crypto::ring::default_provider().install_default();
                // The layer has a time limit for each call, and `Link::open` one for connecting.
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(None)
                    .set_response_timeout(None);
                client.get_multiplexed_async_connection_with_config(&config).await
            }
        }))
    }

    /// Creates a store over any connection of the `redis` crate (version 1) that can be cloned.
    ///
    /// It can go to a cluster, to a Sentinel's primary, or over TLS with certificates of your own.
    ///
    /// `connect` is called with the first claim, and again whenever its connection has failed.
    ///
    /// ```
    /// use redis::{
    ///     cluster::ClusterClient,
    ///     sentinel::{SentinelClient, SentinelServerType},
    /// };
    /// use std::sync::Arc;
    /// use tokio::sync::Mutex;
    /// use tower_webhooks::replay::RedisStore;
    ///
    /// let nodes = ["redis://10.0.0.1", "redis://10.0.0.2", "redis://10.0.0.3"];
    /// let cluster = ClusterClient::new(nodes)?;
    /// let in_a_cluster = RedisStore::with_connector(move || {
    ///     let cluster = cluster.clone();
    ///     async move { cluster.get_async_connection().await }
    /// });
    ///
    /// let sentinel = SentinelClient::build(
    ///     nodes.to_vec(),
    ///     "primary",
    ///     None,
    ///     SentinelServerType::Master,
    /// )?;
    /// let sentinel = Arc::new(Mutex::new(sentinel));
    /// let behind_sentinel = RedisStore::with_connector(move || {
    ///     let sentinel = Arc::clone(&sentinel);
    ///     async move { sentinel.lock().await.get_async_connection().await }
    /// });
    /// # let _ = (in_a_cluster, behind_sentinel);
    /// # Ok::<(), redis::RedisError>(())
    /// ```
    pub fn with_connector<F, C>(connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = RedisResult<C>> + Send + 'static,
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let connect = move || -> Connecting {
            let connecting = connect();
            Box::pin(async move { Ok(Arc::new(connecting.await?) as Arc<dyn Connection>) })
        };
        let shared = Shared {
            connect: Box::new(connect),
            link: Mutex::new(None),
            claim: Script::new(CLAIM),
            renew: Script::new(RENEW),
            finish: Script::new(FINISH),
        };
        Self { prefix: "tower-webhooks:".to_owned(), shared: Arc::new(shared) }
    }

    /// Sets what every key begins with; `tower-webhooks:` by default. The rest is a digest.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    async fn call<T: FromRedisValue>(
        &self,
        script: &Script,
        claim: &Claim,
        arguments: impl Fn(&mut Cmd) + Sync,
    ) -> Result<T, StoreError> {
        let key = format!("{}{}", self.prefix, base16ct::lower::encode_string(&claim.signature));
        let part = if claim.is_part() { &claim.key[..] } else { &[] };
        let command = |name: &str, script: &str| {
            let mut command = cmd(name);
            command.arg(script).arg(1).arg(&key).arg(part).arg(claim.token);
            arguments(&mut command);
            command
        };

        let shared = &*self.shared;
        let link = shared.link();
        let connection = match link.connection().await {
            Ok(connection) => connection,
            Err(error) => {
                shared.cut(&link);
                return Err(StoreError::unsent(error).disconnected());
            }
        };
        let waiting = Waiting { link: &link, since: Instant::now() };
        let mut called = connection.send(command("EVALSHA", &script.hash)).await;
        if called
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
        {
            // From now on the server has the script; in a cluster, the key's node has it.
            called = connection.send(command("EVAL", script.text)).await;
        }
        waiting.answered();
        let error = match called {
            Ok(value) => return T::from_redis_value(value).map_err(StoreError::new),
            Err(error) => error,
        };
        if is_out_of_memory(&error) {
            return Err(StoreError::unsent(error));
        }
        // A server that answers with an error may have become a replica: a new connection may reach
        // the new primary. An answer with an error means that nothing was done.
        shared.cut(&link);
        let unsent = error.code().is_some() || error.is_connection_refusal();
        let error = if unsent { StoreError::unsent(error) } else { StoreError::new(error) };
        Err(error.disconnected())
    }
}

impl ReplayStore for RedisStore {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(&claim.fingerprint[..]).arg(claim.lease_millis()).arg(kept_millis(&claim));
            command.arg(Claim::MAX_CONTENTS);
        };
        let answer: Vec<Vec<u8>> = match self.call(&self.shared.claim, &claim, arguments).await {
            Err(error)
                if error
                    .source()
                    .and_then(|error| error.downcast_ref())
                    .is_some_and(is_out_of_memory) =>
            {
                return Ok(Claimed::Full);
            }
            answer => answer?,
        };
        let mut answer = answer.into_iter();
        let status = answer.next().unwrap_or_default();
        let detail = answer.next().unwrap_or_default();
        let number =
            || std::str::from_utf8(&detail).ok().and_then(|digits| digits.parse::<u64>().ok());
        match &status[..] {
            b"won" => number().and_then(|attempt| u32::try_from(attempt).ok()).map(Claimed::won),
            b"in_flight" => number().map(|left| Claimed::in_flight(Duration::from_millis(left))),
            b"done" => Some(Claimed::done(
                answer.next().and_then(|body| ReplayedResponse::from_head(&detail, body)),
            )),
            b"conflict" => Some(Claimed::Conflict),
            b"too_many_contents" => Some(Claimed::TooManyContents),
            _ => None,
        }
        .ok_or_else(|| StoreError::new("the claim script gave an unexpected answer"))
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        let arguments = |command: &mut Cmd| {
            command.arg(claim.lease_millis());
        };
        self.call(&self.shared.renew, &claim, arguments).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        let (state, answer) = match &outcome {
            Outcome::Done { answer } => ("d", answer.as_ref()),
            Outcome::Failed => ("f", None),
            Outcome::Withdrawn => ("w", None),
        };
        let arguments = |command: &mut Cmd| {
            command.arg(state).arg(kept_millis(&claim));
            if let Some(answer) = answer {
                command.arg(answer.head()).arg(&answer.body[..]);
            }
        };
        self.call(&self.shared.finish, &claim, arguments).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may hold a password.
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn kept_millis(claim: &Claim) -> i64 {
    claim.retention_millis().saturating_add(CLOCK_STEP_MILLIS)
}

fn is_out_of_memory(error: &RedisError) -> bool {
    error.code() == Some("OOM")
}

impl Shared {
    fn link(&self) -> Arc<Link> {
        let mut current = lock(&self.link);
        if let Some(link) = current.as_ref().filter(|link| !link.is_silent()) {
            return Arc::clone(link);
        }
        Arc::clone(current.insert(Arc::new(Link::open((self.connect)()))))
    }

    /// Makes the next call reconnect, unless another one already has.
    fn cut(&self, link: &Arc<Link>) {
        lock(&self.link).take_if(|current| Arc::ptr_eq(current, link));
    }
}

/// A connection that is made or being made.
struct Link {
    connection: watch::Receiver<Option<RedisResult<Arc<dyn Connection>>>>,
    opened: Instant,
    /// When the first given-up call since the last answer was sent.
    silent_since: Mutex<Option<Instant>>,
}

impl Link {
    fn open(connecting: Connecting) -> Self {
        let (made, connection) = watch::channel(None);
        // In a task: callers may give up before the connection is made, and would start over for
        // ever.
        tokio::spawn(async move {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
            made.send(Some(
                connected.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into())),
            ))
        });
        Self { connection, opened: Instant::now(), silent_since: Mutex::default() }
    }

    async fn connection(&self) -> RedisResult<Arc<dyn Connection>> {
        let mut connection = self.connection.clone();
        let made = connection.wait_for(Option::is_some).await.map(|made| made.clone());
        made.ok()
            .flatten()
            .unwrap_or_else(|| Err(io::Error::from(io::ErrorKind::NotConnected).into()))
    }

    /// Whether the peer seems to be gone without having closed the connection.
    fn is_silent(&self) -> bool {
        match *self.connection.borrow() {
            // Its task is in the runtime of whoever asked first, and that may stand still.
            None => self.opened.elapsed() > LONGEST_CONNECTING,
            Some(_) => {
                lock(&self.silent_since).is_some_and(|since| since.elapsed() > LONGEST_SILENCE)
            }
        }
    }
}

/// A call that is waiting for its answer. The layer gives it up by dropping it.
struct Waiting<'a> {
    link: &'a Link,
    since: Instant,
}

impl Waiting<'_> {
    fn answered(self) {
        *lock(&self.link.silent_since) = None;
        std::mem::forget(self);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.link.silent_since).get_or_insert(self.since);
    }
}

/// An async connection of any kind.
trait Connection: Send + Sync {
    fn send(&self, command: Cmd) -> Answer<Value>;
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> Connection for C {
    fn send(&self, command: Cmd) -> Answer<Value> {
        let mut connection = self.clone();
        Box::pin(async move { connection.req_packed_command(&command).await?.extract_error() })
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = RedisResult<T>> + Send>>;
type Connecting = Answer<Arc<dyn Connection>>;

struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, hash: redis::Script::new(text).get_hash().to_owned() }
    }
}

// The fields of a key: f fingerprint, s state (i in flight, f failed, d done), t token, l end of
// the lease, a attempt, c (status and type) and b (body) kept answer. If a signature has several
// contents, each has these fields with its own key as a suffix, and n is their number; they expire
// together, with the last.
const CLAIM: &str = r"
local key, p = KEYS[1], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local f, s, t, l, a, n = unpack(redis.call('HMGET', key, 'f' .. p, 's' .. p, 't' .. p, 'l' .. p, 'a' .. p, 'n'))
if f then
  if f ~= ARGV[3] then return {'conflict'} end
  if s == 'd' then
    local c, b = unpack(redis.call('HMGET', key, 'c' .. p, 'b' .. p))
    if b then return {'done', c, b} end
    return {'done'}
  end
  if s == 'i' and t ~= ARGV[2] and tonumber(l) > now then
    return {'in_flight', string.format('%.0f', tonumber(l) - now)}
  end
elseif p ~= '' and tonumber(n or 0) >= tonumber(ARGV[6]) then
  return {'too_many_contents'}
end
local attempt = a
if not (s == 'i' and t == ARGV[2]) then attempt = string.format('%.0f', tonumber(a or 0) + 1) end
local lease = string.format('%.0f', now + tonumber(ARGV[4]))
redis.call('HSET', key, 'f' .. p, ARGV[3], 's' .. p, 'i', 't' .. p, ARGV[2], 'l' .. p, lease, 'a' .. p, attempt)
if not f and p ~= '' then redis.call('HINCRBY', key, 'n', 1) end
local keep = math.max(tonumber(ARGV[4]), tonumber(ARGV[5]))
if redis.call('PTTL', key) < keep then redis.call('PEXPIRE', key, string.format('%.0f', keep)) end
return {'won', attempt}
";

// These two run at `maxmemory` as well: what was acknowledged has to be recorded.
const RENEW: &str = r"#!lua flags=allow-oom
local key, p = KEYS[1], ARGV[1]
local s, t = unpack(redis.call('HMGET', key, 's' .. p, 't' .. p))
if s ~= 'i' or t ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', key, 'l' .. p, string.format('%.0f', now + tonumber(ARGV[3])))
if redis.call('PTTL', key) < tonumber(ARGV[3]) then redis.call('PEXPIRE', key, ARGV[3]) end
return 1
";

const FINISH: &str = r"#!lua flags=allow-oom
local key, p = KEYS[1], ARGV[1]
local s, t, a, n = unpack(redis.call('HMGET', key, 's' .. p, 't' .. p, 'a' .. p, 'n'))
if t ~= ARGV[2] or (s ~= 'i' and s ~= ARGV[3]) then return 0 end
if ARGV[3] == 'w' then
  if tonumber(a) > 1 then
    redis.call('HSET', key, 's' .. p, 'f', 'a' .. p, string.format('%.0f', tonumber(a) - 1))
  elseif p == '' or tonumber(n) <= 1 then
    redis.call('DEL', key)
  else
    redis.call('HDEL', key, 'f' .. p, 's' .. p, 't' .. p, 'l' .. p, 'a' .. p)
    redis.call('HINCRBY', key, 'n', -1)
  end
  return 1
end
redis.call('HSET', key, 's' .. p, ARGV[3])
if ARGV[6] then redis.call('HSET', key, 'c' .. p, ARGV[5], 'b' .. p, ARGV[6]) end
if redis.call('PTTL', key) < tonumber(ARGV[4]) then redis.call('PEXPIRE', key, ARGV[4]) end
return 1
";

const KEEPALIVE: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const LONGEST_SILENCE: Duration = Duration::from_secs(1);
// Longer than `CONNECT_TIMEOUT`, which a runtime that stands still does not keep.
const LONGEST_CONNECTING: Duration = Duration::from_secs(3);
const CLOCK_STEP_MILLIS: i64 = 60_000;
