//! The variables that say how the receiver behaves, whatever the provider.

use std::{env, error::Error, str::FromStr, time::Duration};
use tower_webhooks::{
    ConfigError, Provider, WebhookLayer,
    replay::{MemoryStore, OutagePolicy},
};

pub struct Settings {
    /// Answer 500 to so many first attempts at a signature.
    pub fail_first: u32,
    /// Answer 500 to this share of all attempts.
    pub fail_rate: f64,
    /// How long the handler takes.
    pub delay: Duration,
    pub guard: Guard,
}

impl Settings {
    pub fn from_env() -> Result<Self, Box<dyn Error>> {
        let fail_rate = number("RECEIVER_FAIL_RATE")?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&fail_rate) {
            return Err("RECEIVER_FAIL_RATE: not between 0 and 1".into());
        }
        Ok(Self {
            fail_first: number("RECEIVER_FAIL_FIRST")?.unwrap_or(0),
            fail_rate,
            delay: Duration::from_millis(number("RECEIVER_DELAY_MS")?.unwrap_or(0)),
            guard: Guard::from_env()?,
        })
    }
}

/// One guard and one patience for all routes: what was delivered on one cannot be replayed on another.
pub struct Guard {
    memory: MemoryStore,
    #[cfg(feature = "redis")]
    redis: Option<tower_webhooks::replay::RedisStore>,
    redis_timeout: Option<Duration>,
    outage: OutagePolicy,
    lease: Option<Duration>,
    read_timeout: Option<Duration>,
}

impl Guard {
    fn from_env() -> Result<Self, Box<dyn Error>> {
        #[cfg(not(feature = "redis"))]
        if env::var_os("REDIS_URL").is_some() {
            return Err("REDIS_URL: this receiver was built without `--features redis`".into());
        }
        Ok(Self {
            memory: MemoryStore::new(),
            #[cfg(feature = "redis")]
            redis: match env::var("REDIS_URL") {
                Ok(url) => {
                    Some(tower_webhooks::replay::RedisStore::new(&url).map_err(|error| format!("REDIS_URL: {error}"))?)
                }
                Err(_) => None,
            },
            redis_timeout: number("RECEIVER_REDIS_TIMEOUT_MS")?.map(Duration::from_millis),
            outage: match env::var("RECEIVER_ON_OUTAGE").as_deref() {
                Err(_) | Ok("reject") => OutagePolicy::Reject,
                Ok("local") => OutagePolicy::LocalFallback,
                Ok(_) => return Err("RECEIVER_ON_OUTAGE: neither reject nor local".into()),
            },
            lease: number("RECEIVER_LEASE_MS")?.map(Duration::from_millis),
            read_timeout: number("RECEIVER_READ_TIMEOUT_MS")?.map(Duration::from_millis),
        })
    }

    pub fn layer<P: Provider>(&self, provider: P) -> Result<WebhookLayer<P>, ConfigError> {
        let mut layer = WebhookLayer::new(provider).local_store(self.memory.clone()).on_outage(self.outage);
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.redis {
            layer = layer.shared_store(redis.clone());
        }
        if let Some(timeout) = self.redis_timeout {
            layer = layer.store_timeout(timeout);
        }
        if let Some(lease) = self.lease {
            layer = layer.lease(lease)?;
        }
        if let Some(timeout) = self.read_timeout {
            layer = layer.read_timeout(timeout);
        }
        Ok(layer)
    }
}

fn number<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Result<Option<T>, Box<dyn Error>> {
    match env::var(name) {
        Ok(text) => text.parse().map(Some).map_err(|error| format!("{name}: {error}").into()),
        Err(_) => Ok(None),
    }
}
