//! Books each event once: the booking and the acknowledgement are one transaction in Postgres.
//!
//! ```sh
//! POSTGRES_URL=postgres://localhost/app cargo run --example ledger --features postgres
//! cargo run --example send -- zegocloud stream_create
//! curl http://127.0.0.1:3000/bookings
//! ```
//!
//! `LEDGER_CRASH=before_commit` or `after_commit` ends the process at that point. Start it again
//! without the variable to see what the sender's retry does: it books, or finds the booking made.

#[path = "common/mod.rs"]
mod common;

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use common::{run::run, secret::callback_secret, vars::variable};
use sqlx::{Executor, PgPool, Row, postgres::PgPoolOptions};
use std::{error::Error, time::Duration};
use tokio::time::timeout_at;
use tower_webhooks::{
    Verified, WebhookLayer,
    replay::{DoneInError, PostgresStore},
    zegocloud::{Event, Zegocloud},
};

#[derive(Clone)]
struct Ledger {
    pool: PgPool,
    store: PostgresStore,
    crash: Option<String>,
}

async fn book(State(ledger): State<Ledger>, event: Verified<Event>) -> Result<StatusCode, Failure> {
    let mut transaction = ledger.pool.begin().await?;
    sqlx::query("insert into bookings (delivery_id, kind) values ($1, $2)")
        .bind(event.metadata().delivery_id.map(|id| id.to_string()))
        .bind(event.kind())
        .execute(&mut *transaction)
        .await?;
    match ledger.store.done_in(&mut transaction, &event).await {
        // An earlier commit of this attempt succeeded after all. The transaction that is dropped
        // here is rolled back.
        Err(DoneInError::AlreadyDone) => return Ok(StatusCode::OK),
        recorded => recorded?,
    }
    ledger.crash_at("before_commit");
    transaction.commit().await?;
    ledger.crash_at("after_commit");
    Ok(StatusCode::OK)
}

async fn bookings(State(ledger): State<Ledger>) -> Result<String, Failure> {
    let row = sqlx::query("select count(*) from bookings").fetch_one(&ledger.pool).await?;
    Ok(row.try_get::<i64, _>(0)?.to_string())
}

impl Ledger {
    fn crash_at(&self, point: &str) {
        if self.crash.as_deref() == Some(point) {
            std::process::abort();
        }
    }
}

/// As far as is known nothing was booked, so the sender may try again.
struct Failure(Box<dyn Error>);

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("not booked: {}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = variable("POSTGRES_URL")?.ok_or("POSTGRES_URL: not set")?;
    let secret = callback_secret()?;
    let crash = variable("LEDGER_CRASH")?.filter(|point| !point.is_empty());
    if !matches!(crash.as_deref(), None | Some("before_commit" | "after_commit")) {
        return Err("LEDGER_CRASH: neither before_commit nor after_commit".into());
    }

    let lease = variable("LEDGER_LEASE_MS")?.map(|millis| millis.parse()).transpose();
    let lease = lease.map_err(|error| format!("LEDGER_LEASE_MS: {error}"))?;

    let pool = PgPoolOptions::new().connect(&url).await?;
    // The store has its own pool, so that no claim waits for a handler's connection.
    let store =
        PostgresStore::new(PgPoolOptions::new().test_before_acquire(false).connect(&url).await?);
    store.migrate().await?;
    create_bookings(&pool).await?;

    let mut webhooks = WebhookLayer::new(Zegocloud::new(secret)?).shared_store(store.clone());
    if let Some(millis) = lease {
        webhooks = webhooks.lease(Duration::from_millis(millis))?;
    }
    let app = Router::new()
        .route("/zegocloud", post(book).route_layer(webhooks.clone()))
        .route("/bookings", get(bookings))
        .with_state(Ledger { pool, store, crash });

    let deadline = run(app).await?;
    if timeout_at(deadline, webhooks.drained()).await.is_err() {
        eprintln!("the store has not heard of every delivery");
    }
    Ok(())
}

async fn create_bookings(pool: &PgPool) -> sqlx::Result<()> {
    // One transaction. Several ledgers may start at the same time.
    pool.execute(
        "select pg_advisory_xact_lock(hashtext('bookings'));
        create table if not exists bookings
            (id bigserial primary key, delivery_id text, kind text, booked_at timestamptz not null default now())",
    )
    .await?;
    Ok(())
}
