//! A queue that outlives its process: a Redis stream, read by a consumer group.

use super::{NotAccepted, Queue};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, RedisError, RedisResult, Script,
    aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection},
    streams::{StreamReadOptions, StreamReadReply},
};
use std::{future::Future, sync::Arc, time::Duration};
use tower_webhooks::{Verified, zegocloud::Event};

#[derive(Clone)]
pub struct RedisQueue {
    client: Client,
    connection: ConnectionManager,
    put: Arc<Script>,
    capacity: usize,
}

impl RedisQueue {
    /// A queue that holds at most `capacity` unprocessed events.
    pub fn new(url: &str, capacity: usize) -> RedisResult<Self> {
        let client = Client::open(url)?;
        // The sender waits only a short time, and sends again if this fails.
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, connection, put: Arc::new(Script::new(PUT)), capacity })
    }

    /// Hands each event to `work`, beginning with those that an earlier worker did not finish.
    ///
    /// Run one worker at a time. Several need a name each, and `XAUTOCLAIM` for the events of a
    /// dead one.
    pub async fn work_off<F: Future<Output = ()>>(self, work: impl Fn(Event) -> F) {
        loop {
            if let Err(error) = self.work_until_it_breaks(&work).await {
                eprintln!("the worker has lost Redis: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }

    async fn work_until_it_breaks<F: Future<Output = ()>>(
        &self,
        work: &impl Fn(Event) -> F,
    ) -> RedisResult<()> {
        // A connection of its own: a read that blocks delays everything after it.
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(BLOCK + PATIENCE));
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let created: RedisResult<()> = connection.xgroup_create_mkstream(STREAM, GROUP, "0").await;
        created.or_else(|error| match error.code() {
            Some("BUSYGROUP") => Ok(()),
            _ => Err(error),
        })?;
        // "0" selects the events that were read and never finished.
        while self.work_batch(&mut connection, "0", work).await? > 0 {}
        loop {
            self.work_batch(&mut connection, ">", work).await?;
        }
    }

    async fn work_batch<F: Future<Output = ()>>(
        &self,
        connection: &mut MultiplexedConnection,
        from: &str,
        work: &impl Fn(Event) -> F,
    ) -> RedisResult<usize> {
        let block = usize::try_from(BLOCK.as_millis()).unwrap_or(usize::MAX);
        let options = StreamReadOptions::default().group(GROUP, "worker").block(block).count(10);
        let read: Option<StreamReadReply> =
            connection.xread_options(&[STREAM], &[from], &options).await?;
        let entries: Vec<_> =
            read.into_iter().flat_map(|read| read.keys).flat_map(|stream| stream.ids).collect();
        for entry in &entries {
            let stored: String = entry.get("event").unwrap_or_default();
            match serde_json::from_str(&stored) {
                Ok(event) => work(event).await,
                // Any JSON is an event, so another program has put it there.
                Err(error) => eprintln!("{} is no event: {error}", entry.id),
            }
            // Deleting the entry makes room. Both commands take effect, or neither.
            let mut done = redis::pipe();
            done.atomic()
                .xack(STREAM, GROUP, &[&entry.id])
                .ignore()
                .xdel(STREAM, &[&entry.id])
                .ignore();
            done.exec_async(connection).await?;
        }
        Ok(entries.len())
    }
}

impl Queue for RedisQueue {
    async fn put(&self, event: Verified<Event>) -> Result<(), NotAccepted> {
        // Stores the event, not the body: it comes back typed, and ZEGOCLOUD's body holds the
        // signature.
        let json = serde_json::to_string(&*event).map_err(|error| NotAccepted(error.into()))?;
        let mut put = self.put.key(STREAM);
        put.arg(self.capacity).arg(json);
        let id: Result<Option<String>, RedisError> =
            put.invoke_async(&mut self.connection.clone()).await;
        match id {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(NotAccepted("the queue is full".into())),
            // The event may be in the queue all the same: then the retry queues it twice.
            Err(error) => Err(NotAccepted(error.into())),
        }
    }
}

// `XADD` with `MAXLEN` would make room by dropping acknowledged events.
const PUT: &str = r"
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
return redis.call('XADD', KEYS[1], '*', 'event', ARGV[2])
";

const STREAM: &str = "webhooks";
const GROUP: &str = "workers";
const PATIENCE: Duration = Duration::from_secs(1);
const BLOCK: Duration = Duration::from_secs(5);
