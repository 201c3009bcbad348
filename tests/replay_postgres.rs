//! The store in Postgres: claims that commit with the handler's effect, and a server that comes and goes.
#![cfg(all(feature = "postgres", feature = "zegocloud"))]

#[path = "common/postgres.rs"]
mod postgres;

use http::HeaderValue;
use postgres::Postgres;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tower_webhooks::replay::{Claim, Claimed, Outcome, PostgresStore, ReplayStore, conformance};
async fn store(postgres: &Postgres) -> PostgresStore {
    let store = PostgresStore::new(postgres.pool().await);
    store.migrate().await.unwrap();
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_conforms() {
    let postgres = Postgres::start().await;
    let (a, b) = (store(&postgres).await, store(&postgres).await);
    let handles = std::cell::Cell::new(0);
    // Two pools, as two processes have them.
    let handle = || if handles.replace(handles.get() + 1) == 0 { a.clone() } else { b.clone() };
    conformance::check(handle).await.unwrap();
}
