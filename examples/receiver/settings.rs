//! The variables that set the receiver's behaviour for all providers.

use crate::vars::variable;
use std::{error::Error, str::FromStr, time::Duration};
use tower_webhooks::{
    ConfigError, Provider, ReadBudget, WebhookLayer,
    replay::{MemoryStore, OutagePolicy},
};

pub struct Settings {
    /// How many first attempts at a signature are answered 500.
    pub fail_first: u32,
    /// The share of all attempts that are answered 500.
    pub fail_rate: f64,
    /// How long the handler takes.
    pub delay: Duration,
    pub guard: Guard,
}

impl Settings {
    pub async fn from_env() -> Result<Self, Box<dyn Error>> {
        let fail_rate = number("RECEIVER_FAIL_RATE")?.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&fail_rate) {
            return Err("RECEIVER_FAIL_RATE: not between 0 and 1".into());
        }
        Ok(Self {
            fail_first: number("RECEIVER_FAIL_FIRST")?.unwrap_or(0),
            fail_rate,
            delay: Duration::from_millis(number("RECEIVER_DELAY_MS")?.unwrap_or(0)),
            guard: Guard::from_env().await?,
        })
    }
}

/// One replay guard, one read budget and one store timeout for all routes. A request of
/// one family is new to another one, even if they share a key.
pub struct Guard {
    memory: MemoryStore,
    #[cfg(feature = "redis")]
    redis: Option<tower_webhooks::replay::RedisStore>,
    #[cfg(feature = "postgres")]
    postgres: Option<tower_webhooks::replay::PostgresStore>,
    store_timeout: Option<Duration>,
    outage: OutagePolicy,
    lease: Option<Duration>,
    retention: Option<Duration>,
    read_timeout: Option<Duration>,
    read_budget: ReadBudget,
}

impl Guard {
    async fn from_env() -> Result<Self, Box<dyn Error>> {
        let (redis, postgres) = (variable("REDIS_URL")?, variable("POSTGRES_URL")?);
        if redis.is_some() && postgres.is_some() {
            return Err("REDIS_URL, POSTGRES_URL: one of them is enough".into());
        }
        if redis.is_some() && cfg!(not(feature = "redis")) {
            return Err("REDIS_URL: this receiver was built without `--features redis`".into());
        }
        if postgres.is_some() && cfg!(not(feature = "postgres")) {
            return Err(
                "POSTGRES_URL: this receiver was built without `--features postgres`".into()
            );
        }
        Ok(Self {
            memory: MemoryStore::new(),
            #[cfg(feature = "redis")]
            redis: match redis {
                Some(url) => Some(
                    tower_webhooks::replay::RedisStore::new(&url)
                        .map_err(|error| format!("REDIS_URL: {error}"))?,
                ),
                None => None,
            },
            #[cfg(feature = "postgres")]
            postgres: match postgres {
                Some(url) => Some(
                    postgres_store(&url).await.map_err(|error| format!("POSTGRES_URL: {error}"))?,
                ),
                None => None,
            },
            store_timeout: number("RECEIVER_REDIS_TIMEOUT_MS")?.map(Duration::from_millis),
            outage: match variable("RECEIVER_ON_OUTAGE")?.as_deref() {
                None | Some("reject") => OutagePolicy::Reject,
                Some("local") => OutagePolicy::LocalFallback,
                Some(_) => return Err("RECEIVER_ON_OUTAGE: neither reject nor local".into()),
            },
            lease: number("RECEIVER_LEASE_MS")?.map(Duration::from_millis),
            retention: number("RECEIVER_RETENTION_S")?.map(Duration::from_secs),
            read_timeout: number("RECEIVER_READ_TIMEOUT_MS")?.map(Duration::from_millis),
            read_budget: ReadBudget::new(64 << 20),
        })
    }

    pub fn layer<P: Provider>(&self, provider: P) -> Result<WebhookLayer<P>, ConfigError> {
        let mut layer = WebhookLayer::new(provider)
            .local_store(self.memory.clone())
            .on_outage(self.outage)
            .read_budget(self.read_budget.clone());
        #[cfg(feature = "redis")]
        if let Some(redis) = &self.redis {
            layer = layer.shared_store(redis.clone());
        }
        #[cfg(feature = "postgres")]
        if let Some(postgres) = &self.postgres {
            layer = layer.shared_store(postgres.clone());
        }
        if let Some(timeout) = self.store_timeout {
            layer = layer.store_timeout(timeout);
        }
        if let Some(lease) = self.lease {
            layer = layer.lease(lease)?;
        }
        if let Some(retention) = self.retention {
            layer = layer.retention(retention)?;
        }
        if let Some(timeout) = self.read_timeout {
            layer = layer.read_timeout(timeout);
        }
        Ok(layer)
    }
}

#[cfg(feature = "postgres")]
async fn postgres_store(url: &str) -> sqlx::Result<tower_webhooks::replay::PostgresStore> {
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(32)
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .connect(url)
        .await?;
    let store = tower_webhooks::replay::PostgresStore::new(pool);
    store.migrate().await?;
    Ok(store)
}

fn number<T: FromStr<Err: std::fmt::Display>>(name: &str) -> Result<Option<T>, String> {
    let number = variable(name)?.map(|text| text.parse());
    number.transpose().map_err(|error| format!("{name}: {error}"))
}
