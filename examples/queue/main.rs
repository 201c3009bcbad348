//! Acknowledges fast: the handler puts each event into a bounded queue and answers; a worker
//! processes it later.
//!
//! ```sh
//! cargo run --example queue
//! REDIS_URL=redis://127.0.0.1:6379 cargo run --example queue --features redis
//! cargo run --example send -- zegocloud stream_create
//! ```
//!
//! The answer is 200 once the queue has the event, and 503 when it is full: the layer then releases
//! the claim, and the sender's retry is delivered. So every acknowledged event is in the queue, and
//! a crash loses what the queue loses:
//!
//! * in memory, **every event that was acknowledged and not processed**: the senders will not send
//!   it again;
//! * in Redis, nothing, as long as Redis keeps what it has confirmed (`appendfsync always`,
//!   `noeviction`). What was processed or queued just before the crash may come a second time: the
//!   worker must tolerate that.

#[path = "../common/mod.rs"]
mod common;
#[cfg(feature = "redis")]
mod durable;
mod memory;

#[cfg(feature = "redis")]
pub use durable::RedisQueue;
pub use memory::MemoryQueue;

use axum::{Router, extract::State, http::StatusCode, routing::post};
use common::{run::run, secret::callback_secret, vars::variable};
use std::{
    error::Error,
    future::Future,
    io::{self, Write},
    num::NonZero,
    process,
    time::Duration,
};
use tower_webhooks::{
    ConfigError, Verified, WebhookEvent as _, WebhookLayer,
    zegocloud::{Event, Zegocloud},
};

/// Where events wait for the worker.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Returns once the queue has the event.
    fn put(&self, event: Verified<Event>) -> impl Future<Output = Result<(), NotAccepted>> + Send;
}

/// The queue is full, or cannot be reached.
#[derive(Debug)]
pub struct NotAccepted(pub Box<dyn Error + Send + Sync>);

pub fn app<Q: Queue>(queue: Q, callback_secret: &str) -> Result<Router, ConfigError> {
    let webhooks = WebhookLayer::new(Zegocloud::new(callback_secret)?);
    Ok(Router::new()
        .route("/zegocloud", post(on_event::<Q>).route_layer(webhooks))
        .with_state(queue))
}

async fn on_event<Q: Queue>(State(queue): State<Q>, event: Verified<Event>) -> StatusCode {
    match queue.put(event).await {
        Ok(()) => StatusCode::OK,
        Err(NotAccepted(reason)) => {
            eprintln!("not accepted: {reason}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = callback_secret()?;
    let capacity = match variable("QUEUE_CAPACITY")? {
        Some(text) => text.parse().map_err(|error| format!("QUEUE_CAPACITY: {error}"))?,
        None => const { NonZero::new(1000u32).unwrap() },
    };
    let capacity = capacity.get() as usize;
    if let Some(url) = variable("REDIS_URL")? {
        return serve_durable(&url, capacity, &secret).await;
    }
    eprintln!("the queue is in memory");
    let (queue, mut waiting) = MemoryQueue::new(capacity);
    let worker = tokio::spawn(async move {
        while let Some(event) = waiting.recv().await {
            work(Event::clone(&event)).await;
        }
    });
    run(app(queue, &secret)?).await?;
    // With the last handler the queue's sender is dropped, so the worker ends when the queue is
    // empty.
    worker.await?;
    Ok(())
}

#[cfg(feature = "redis")]
async fn serve_durable(url: &str, capacity: usize, secret: &str) -> Result<(), Box<dyn Error>> {
    eprintln!("the queue is in Redis");
    let queue = RedisQueue::new(url, capacity)?;
    let worker = tokio::spawn(queue.clone().work_off(work));
    run(app(queue, secret)?).await?;
    // What is left in the queue is processed after the next start.
    worker.abort();
    Ok(())
}

#[cfg(not(feature = "redis"))]
async fn serve_durable(_url: &str, _capacity: usize, _secret: &str) -> Result<(), Box<dyn Error>> {
    Err("REDIS_URL: this example was built without `--features redis`".into())
}

/// Work that takes too long for the handler.
async fn work(event: Event) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let json = serde_json::to_string(&event).unwrap_or_default();
    if let Err(error) = writeln!(io::stdout(), "{} {json}", event.kind()) {
        // The worker alone would end unnoticed. In Redis the event is still queued.
        writeln!(io::stderr(), "stdout: {error}").ok();
        process::exit(1);
    }
}
