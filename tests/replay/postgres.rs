//! The store in Postgres: claims that commit with the handler's effect, and a server that comes and
//! goes.
//!
//! `scripts/postgres-load` runs the long form; without `POSTGRES_FULL` everything is a fraction of
//! the size.
#![cfg(all(feature = "postgres", feature = "zegocloud"))]

use crate::support::{
    call,
    ledger::Ledger,
    postgres::Postgres,
    processes::{Receiver, Sender, example},
    signed,
    zegocloud::{SECRET, room},
};
use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use sqlx::{Executor, PgPool, Row, postgres::PgPoolOptions};
use std::{
    cell::Cell,
    collections::HashSet,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Barrier, Notify, Semaphore};
use tower::{BoxError, Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_webhooks::{
    Rejection, RejectionKind, Verified, WebhookLayer,
    replay::{
        Claim, Claimed, DoneInError, Duplicate, OutagePolicy, Outcome, PostgresStore, ReplayStore,
        ReplayedResponse, conformance,
    },
    zegocloud::{Event, Signer, Zegocloud},
};

const LEASE: Duration = Duration::from_millis(1500);
const LEASE_MS: &str = "1500";

fn full() -> bool {
    std::env::var_os("POSTGRES_FULL").is_some()
}

async fn store(postgres: &Postgres) -> PostgresStore {
    let store = PostgresStore::new(postgres.pool().await);
    store.migrate().await.unwrap();
    store
}

/// A store with a pool of so many connections.
async fn store_of(postgres: &Postgres, connections: u32) -> (PgPool, PostgresStore) {
    let pool = PgPoolOptions::new().max_connections(connections);
    let pool = pool.connect_with(postgres.options()).await.unwrap();
    let store = PostgresStore::new(pool.clone());
    store.migrate().await.unwrap();
    (pool, store)
}

/// Waits until each connection is back in the pool: on its way there it is tested.
async fn idle(pool: &PgPool) {
    until("the connections are back in the pool", || async {
        pool.num_idle() >= pool.size() as usize
    })
    .await;
}

/// Waits until it is so, and fails after a minute.
async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
    assert!(waited.is_ok(), "waited a minute in vain until {what}");
}

async fn count(pool: &PgPool, query: &str) -> i64 {
    sqlx::query(query).fetch_one(pool).await.unwrap().get(0)
}

/// What stands behind a layer, as one of several processes has it: with a memory store of its own.
type Process = BoxCloneSyncService<Request<Full<Bytes>>, Response<String>, BoxError>;

fn process<F: Future<Output = StatusCode> + Send + 'static>(
    layer: WebhookLayer<Zegocloud>,
    handler: impl Fn(Verified<Event>) -> F + Clone + Send + Sync + 'static,
) -> Process {
    let inner = service_fn(move |request: Request<Full<Bytes>>| {
        let handled = handler(request.extensions().get::<Verified<Event>>().unwrap().clone());
        async move { Ok::<_, BoxError>(Response::builder().status(handled.await).body(String::new())?) }
    });
    BoxCloneSyncService::new(layer.layer(inner))
}

fn guarded(store: &PostgresStore) -> WebhookLayer<Zegocloud> {
    // Where outages are not what is tested, a slow machine is not one.
    WebhookLayer::new(Zegocloud::new(SECRET).unwrap())
        .shared_store(store.clone())
        .store_timeout(Duration::from_secs(30))
        .lease(Duration::from_secs(60))
        .unwrap()
}

fn is_duplicate(response: &Response<String>) -> bool {
    response.status() == StatusCode::OK && response.extensions().get::<Duplicate>().is_some()
}

/// The answer, once no other attempt is in flight.
async fn settled(process: &Process, request: &Request<Bytes>) -> Response<String> {
    let start = Instant::now();
    loop {
        let response = call(process, request).await;
        if response.status() != StatusCode::CONFLICT {
            return response;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the claim is stuck");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Books in the handler's own transaction, as the example `ledger` does.
async fn book(
    pool: &PgPool,
    store: &PostgresStore,
    event: &Verified<Event>,
) -> Result<(), BoxError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("insert into bookings (delivery_id) values ($1)")
        .bind(event.metadata().delivery_id.unwrap().to_string())
        .execute(&mut *transaction)
        .await?;
    store.done_in(&mut transaction, event).await?;
    transaction.commit().await?;
    Ok(())
}

async fn with_bookings(pool: &PgPool) {
    sqlx::query("create table bookings (delivery_id text)").execute(pool).await.unwrap();
}

const BOOKINGS: &str = "select count(*) from bookings";

/// The layer has given it up and answered 503 when it commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_was_too_slow_holds_nothing() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    let layer = WebhookLayer::new(Zegocloud::new(SECRET).unwrap())
        .shared_store(store)
        .lease(Duration::from_secs(600))
        .unwrap()
        .store_timeout(Duration::from_secs(1));
    let handled = process(layer.clone(), |_| async { StatusCode::OK });
    let delivered = async |request: &_| {
        until("it is delivered", || async {
            let is_delivered = call(&handled, request).await.status() == 200;
            if !is_delivered {
                layer.drained().await;
            }
            is_delivered
        })
        .await;
    };
    delivered(&room(0)).await;

    pool.execute(
        "create function wait() returns trigger language plpgsql as
         $$ begin perform pg_advisory_xact_lock(7); return null; end $$;
         create trigger wait after insert on webhook_claims for each row execute function wait()",
    )
    .await
    .unwrap();
    let mut gate = pool.acquire().await.unwrap();
    gate.execute("select pg_advisory_lock(7)").await.unwrap();
    let request = room(1);
    assert_eq!(call(&handled, &request).await.status(), 503);
    let drained = tokio::spawn(layer.clone().drained());
    // By then the statement has lost its connection, but not its effect.
    tokio::time::sleep(Duration::from_secs(6)).await;
    gate.execute("select pg_advisory_unlock(7)").await.unwrap();
    drained.await.unwrap();
    pool.execute("drop trigger wait on webhook_claims").await.unwrap();
    assert_ne!(call(&handled, &request).await.status(), 409);
    delivered(&request).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_conforms() {
    let postgres = Postgres::start().await;
    let pair = [store(&postgres).await, store(&postgres).await];
    let handles = Cell::new(0);
    // Two pools, as two processes have them.
    conformance::check(|| pair[handles.replace(handles.get() + 1) % 2].clone()).await.unwrap();
}

/// Every statement of a database may run under an isolation in which others are in the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_store_conforms_where_every_transaction_is_serializable() {
    let postgres = Postgres::start_with(&["default_transaction_isolation=serializable"]).await;
    let store = store(&postgres).await;
    conformance::check(|| store.clone()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tables_are_made_once_and_keep_apart() {
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    sqlx::query("create schema hooks").execute(&pool).await.unwrap();
    let named = |name| PostgresStore::new(pool.clone()).table(name).unwrap();
    let mut migrations = tokio::task::JoinSet::new();
    for _ in 0..8 {
        for store in [PostgresStore::new(pool.clone()), named("hooks.claims"), named("2claims")] {
            migrations.spawn(async move { store.migrate().await });
        }
    }
    while let Some(migrated) = migrations.join_next().await {
        migrated.unwrap().unwrap();
    }
    let indexes = "select count(*) from pg_indexes where tablename in ('webhook_claims', 'claims', '2claims')";
    assert_eq!(count(&pool, indexes).await, 9);

    let claim =
        Claim::for_test([1; 16], [2; 16], 3, Duration::from_secs(60), Duration::from_secs(60));
    for store in [PostgresStore::new(pool.clone()), named("hooks.claims"), named("2claims")] {
        assert_eq!(store.claim(claim.clone()).await.unwrap(), Claimed::won(1));
    }
    for name in ["", ".", "a.", ".a", "a.b.c", "Claims", "a b", "a\"b", "a;b", "ä", &"a".repeat(41)]
    {
        assert!(PostgresStore::new(pool.clone()).table(name).is_err(), "{name}");
    }
}

/// Whoever migrates by other means has the same table.
#[tokio::test]
async fn the_guide_s_table_is_the_one_that_migrate_makes() {
    let guide = include_str!("../../src/guide/exactly_once.md");
    let (_, sql) = guide.split_once("```sql\ncreate table webhook_claims").unwrap();
    let sql = format!("create table webhook_claims{}", sql.split("```").next().unwrap());
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    pool.execute("create schema made; create schema guide").await.unwrap();
    let made = PostgresStore::new(pool.clone()).table("made.webhook_claims").unwrap();
    made.migrate().await.unwrap();
    let script = format!("begin; set local search_path = guide; {sql}; commit");
    pool.execute(&*script).await.unwrap();
    let described = async |schema: &str| {
        let mut all = Vec::new();
        for (what, query) in [
            (
                "column",
                "select concat_ws(' ', ordinal_position, column_name, data_type, \
                    character_maximum_length, numeric_precision, datetime_precision, is_nullable, \
                    column_default, is_identity, is_generated, collation_name) \
                 from information_schema.columns where table_schema = $1",
            ),
            (
                "index",
                "select replace(indexdef, $1 || '.', '') from pg_indexes where schemaname = $1",
            ),
            (
                "constraint",
                "select conname || ' ' || pg_get_constraintdef(oid) from pg_constraint \
                 where connamespace = $1::regnamespace",
            ),
            (
                "storage",
                "select concat_ws(' ', relname, relkind, relpersistence, \
                    array_to_string(reloptions, ',')) \
                 from pg_class where relnamespace = $1::regnamespace and relkind in ('r', 'i')",
            ),
        ] {
            let rows = sqlx::query(query).bind(schema).fetch_all(&pool).await.unwrap();
            assert!(!rows.is_empty(), "{schema} has no {what}");
            all.extend(rows.iter().map(|row| format!("{what}: {}", row.get::<String, _>(0))));
        }
        all.sort();
        all
    };
    let made = described("made").await;
    assert_eq!(described("guide").await, made);
    assert!(made.iter().any(|line| line.contains("fillfactor=70")), "{made:#?}");
    assert!(made.iter().filter(|line| line.starts_with("column")).count() == 11, "{made:#?}");
}

#[tokio::test]
async fn what_is_over_goes_while_claims_come() {
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    let store = PostgresStore::new(pool.clone());
    store.migrate().await.unwrap();
    let claim = |number: u128, seconds| {
        let time = Duration::from_secs(seconds);
        Claim::for_test(number.to_be_bytes(), [0; 16], 1, time, time)
    };
    let over = "update webhook_claims set expires_at = now() - interval '1 s', sweep_at = now() - interval '1 s'
        where leased_until < now() + interval '30 minutes'";
    for number in 0..700 {
        assert_eq!(store.claim(claim(number, 600)).await.unwrap(), Claimed::won(1));
    }
    assert_eq!(count(&pool, "select count(*) from webhook_claims").await, 700);
    // No sweep is still on its way.
    idle(&pool).await;
    sqlx::query(over).execute(&pool).await.unwrap();
    let mut number = 1000;
    let start = Instant::now();
    while count(
        &pool,
        "select count(*) from webhook_claims where leased_until < now() + interval '30 minutes'",
    )
    .await
        > 0
    {
        assert!(start.elapsed() < Duration::from_secs(120), "nothing is swept");
        assert_eq!(store.claim(claim(number, 3600)).await.unwrap(), Claimed::won(1));
        number += 1;
    }
    assert!(number - 1000 >= 128, "three batches within {} claims", number - 1000);
    assert_eq!(count(&pool, "select count(*) from webhook_claims").await as u128, number - 1000);

    for number in 0..600 {
        assert_eq!(store.claim(claim(number, 600)).await.unwrap(), Claimed::won(1));
    }
    sqlx::query(over).execute(&pool).await.unwrap();
    // Claims have not come since, so nobody else sweeps: only the batch that the last ones may have
    // set off.
    let swept = store.sweep().await.unwrap();
    assert!((344..=600).contains(&swept), "{swept}");
    until("nothing is left", || async {
        count(&pool, "select count(*) from webhook_claims").await as u128 == number - 1000
    })
    .await;
    assert_eq!(store.sweep().await.unwrap(), 0);
}

/// A layer whose retention is shorter neither claims nor finishes for less time than another one.
#[tokio::test]
async fn attack_a_shorter_retention_ends_nothing_early() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    let [second, hour] = [1, 3600].map(Duration::from_secs);
    let claim = |token, retention| Claim::for_test([1; 16], [1; 16], token, second, retention);
    let is_kept =
        "select count(*) from webhook_claims where expires_at > now() + interval '50 minutes'";
    assert_eq!(store.claim(claim(1, hour)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1, hour), Outcome::Failed).await.unwrap());
    assert_eq!(store.claim(claim(2, second)).await.unwrap(), Claimed::won(2));
    assert_eq!(count(&pool, is_kept).await, 1);
    assert!(store.finish(claim(2, second), Outcome::done(None)).await.unwrap());
    assert_eq!(count(&pool, is_kept).await, 1);
}

/// A row that has expired and is not swept yet: nothing of it is left, neither
/// content nor attempts nor the kept answer.
#[tokio::test]
async fn attack_what_has_expired_binds_nothing() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    let hour = Duration::from_secs(3600);
    let claim = |token, content| Claim::for_test([1; 16], [content; 16], token, hour, hour);
    let answer = ReplayedResponse::new(HeaderValue::from_static("text/plain"), "of the first");
    assert_eq!(store.claim(claim(1, 1)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1, 1), Outcome::done(Some(answer))).await.unwrap());
    let expire = "update webhook_claims set expires_at = now() - interval '1 s'";
    sqlx::query(expire).execute(&pool).await.unwrap();
    // A forgery takes its place, and its handler is not called.
    assert_eq!(store.claim(claim(2, 2)).await.unwrap(), Claimed::won(1));
    let bare = "select count(*) from webhook_claims where body is null and answer_head is null";
    assert_eq!(count(&pool, bare).await, 1);
    assert!(store.finish(claim(2, 2), Outcome::Withdrawn).await.unwrap());
    assert_eq!(store.claim(claim(3, 3)).await.unwrap(), Claimed::won(1));
}

/// An attempt that was overtaken must not commit what it did.
#[tokio::test]
async fn attack_a_stale_attempt_commits_after_another_took_over() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    with_bookings(&pool).await;
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let lease = Duration::from_secs(3);
    let stale = {
        let (pool, store, entered, go_on) =
            (pool.clone(), store.clone(), Arc::clone(&entered), Arc::clone(&go_on));
        process(guarded(&store.clone()).lease(lease).unwrap(), move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
            async move {
                let mut transaction = pool.begin().await.unwrap();
                sqlx::query("insert into bookings values ('stale')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                entered.notify_one();
                go_on.notified().await;
                let error = store.done_in(&mut transaction, &event).await.unwrap_err();
                assert!(matches!(error, DoneInError::ClaimLost), "{error}");
                StatusCode::SERVICE_UNAVAILABLE
            }
        })
    };
    let fresh = {
        let (pool, store) = (pool.clone(), store.clone());
        process(guarded(&store.clone()).lease(lease).unwrap(), move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            async move {
                book(&pool, &store, &event)
                    .await
                    .map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::OK)
            }
        })
    };
    let (request, sent) = (room(1), Instant::now());
    let mut first = Box::pin(stale.oneshot(request.clone().map(Full::new)));
    tokio::select! {
        _ = &mut first => panic!("the handler waits"),
        () = entered.notified() => {}
    }
    // Nobody polls the first attempt now, as if its thread were stuck: its lease is not renewed.
    let status = call(&fresh, &request).await.status();
    // A slow machine may have let the lease run out.
    if sent.elapsed() < lease {
        assert_eq!(status, StatusCode::CONFLICT);
    }
    assert_eq!(settled(&fresh, &request).await.status(), StatusCode::OK);
    go_on.notify_one();
    assert_eq!(first.await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);

    assert_eq!(count(&pool, "select count(*) from bookings where delivery_id = 'stale'").await, 0);
    assert_eq!(count(&pool, BOOKINGS).await, 1);
    assert!(is_duplicate(&call(&fresh, &request).await));
}

/// From `done_in` to the end of the transaction nobody takes over and nobody waits, the lease's
/// renewal included.
#[tokio::test]
async fn an_open_transaction_holds_its_claim_beyond_the_lease() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    with_bookings(&pool).await;
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let commits = Arc::new(AtomicBool::new(false));
    let handler = {
        let (entered, go_on, commits) =
            (Arc::clone(&entered), Arc::clone(&go_on), Arc::clone(&commits));
        let (pool, store) = (pool.clone(), store.clone());
        move |event: Verified<Event>| {
            let (entered, go_on, commits) =
                (Arc::clone(&entered), Arc::clone(&go_on), Arc::clone(&commits));
            let (pool, store) = (pool.clone(), store.clone());
            async move {
                let mut transaction = pool.begin().await.unwrap();
                store.done_in(&mut transaction, &event).await.unwrap();
                sqlx::query("insert into bookings values ('one')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                entered.notify_one();
                go_on.notified().await;
                if commits.load(Ordering::SeqCst) {
                    transaction.commit().await.unwrap();
                    return StatusCode::OK;
                }
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    };
    // A statement that waited for the transaction would wait for ever, and not be refused as in
    // flight.
    let layer = || guarded(&store).lease(Duration::from_secs(1)).unwrap();
    let (first, second) = (process(layer(), handler.clone()), process(layer(), handler));
    let request = room(1);
    for (polled, commit) in [(true, false), (false, false), (false, true)] {
        commits.store(commit, Ordering::SeqCst);
        let start = Instant::now();
        let mut attempt = loop {
            let mut attempt = Box::pin(first.clone().oneshot(request.clone().map(Full::new)));
            tokio::select! {
                // The failure before may still be on its way to the store.
                refused = &mut attempt => {
                    assert_eq!(refused.unwrap().status(), StatusCode::CONFLICT);
                }
                () = entered.notified() => break attempt,
            }
            assert!(start.elapsed() < Duration::from_secs(60), "the claim is stuck");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        // Polled, it renews the lease; else the lease runs out.
        let wait = tokio::time::sleep(Duration::from_millis(1300));
        if polled {
            tokio::select! { _ = &mut attempt => panic!("the handler waits"), () = wait => {} }
        } else {
            wait.await;
        }
        let refused = call(&second, &request).await;
        assert_eq!(
            refused.extensions().get::<Rejection>().unwrap().kind(),
            RejectionKind::InFlight
        );
        go_on.notify_one();
        let expected = if commit { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
        assert_eq!(attempt.await.unwrap().status(), expected);
    }
    assert!(is_duplicate(&call(&second, &request).await));
    assert_eq!(count(&pool, BOOKINGS).await, 1);
}

/// Calls that waited for a lock would pile up in the server while the layer repeats them.
#[tokio::test]
async fn no_call_waits_for_a_transaction() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    let claim =
        Claim::for_test([1; 16], [0; 16], 1, Duration::from_secs(1), Duration::from_secs(60));
    let next =
        Claim::for_test([1; 16], [0; 16], 2, Duration::from_secs(60), Duration::from_secs(60));
    assert_eq!(store.claim(claim.clone()).await.unwrap(), Claimed::won(1));
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("select from webhook_claims for update").execute(&mut *transaction).await.unwrap();
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    tokio::time::sleep(Duration::from_millis(1100)).await;

    assert!(
        matches!(store.claim(next.clone()).await.unwrap(), Claimed::InFlight { .. }),
        "its lease has run out"
    );
    assert!(store.renew(claim.clone()).await.unwrap(), "and yet it is held");
    for outcome in [Outcome::done(None), Outcome::Failed, Outcome::Withdrawn] {
        let start = Instant::now();
        assert!(store.finish(claim.clone(), outcome).await.is_err());
        assert!(start.elapsed() > Duration::from_millis(500), "it gives up too early");
        assert_eq!(count(&pool, waiting).await, 0);
    }
    // An outcome that comes while the handler's transaction is being rolled back finds its way.
    let recorded = tokio::spawn({
        let (store, claim) = (store.clone(), claim.clone());
        async move { store.finish(claim, Outcome::Failed).await }
    });
    tokio::time::sleep(Duration::from_millis(30)).await;
    let start = Instant::now();
    transaction.rollback().await.unwrap();
    let slow = start.elapsed() > Duration::from_millis(300);
    let mut recorded = recorded.await.unwrap();
    // A call waits for two thirds of a second, in which a slow machine may not get that far.
    if slow && recorded.is_err() {
        recorded = store.finish(claim, Outcome::Failed).await;
    }
    assert!(recorded.unwrap());
    assert_eq!(store.claim(next).await.unwrap(), Claimed::won(2));
}

#[tokio::test]
async fn a_commit_that_looked_failed_is_told_apart() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    with_bookings(&pool).await;
    let handled = {
        let (pool, store) = (pool.clone(), store.clone());
        process(guarded(&store.clone()), move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            async move {
                book(&pool, &store, &event).await.unwrap();
                // The handler has heard of an error and tries its transaction again.
                let again = book(&pool, &store, &event).await.unwrap_err();
                assert!(matches!(again.downcast_ref(), Some(DoneInError::AlreadyDone)), "{again}");
                assert_eq!(again.to_string(), "this delivery is done already");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        })
    };
    let request = room(1);
    assert_eq!(call(&handled, &request).await.status(), StatusCode::INTERNAL_SERVER_ERROR);
    // What was committed stays done, whatever the handler says afterwards.
    assert!(is_duplicate(&call(&handled, &request).await));
    assert_eq!(count(&pool, BOOKINGS).await, 1);
}

/// The commit is still under way when the handler repeats its transaction.
#[tokio::test]
async fn a_commit_that_comes_late_is_told_apart() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    let handled = {
        let (pool, store) = (pool.clone(), store.clone());
        process(guarded(&store.clone()), move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            async move {
                let mut first = pool.begin().await.unwrap();
                store.done_in(&mut first, &event).await.unwrap();
                let again = tokio::spawn({
                    let (pool, store) = (pool.clone(), store.clone());
                    async move {
                        let mut again = pool.begin().await.unwrap();
                        store.done_in(&mut again, &event).await
                    }
                });
                let waiting =
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
                until("the second transaction waits", || async { count(&pool, waiting).await > 0 })
                    .await;
                first.commit().await.unwrap();
                let again = again.await.unwrap();
                assert!(matches!(again, Err(DoneInError::AlreadyDone)), "{again:?}");
                StatusCode::OK
            }
        })
    };
    assert_eq!(call(&handled, &room(1)).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_sender_that_hangs_up_rolls_back() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    with_bookings(&pool).await;
    let (entered, stuck) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(true)));
    let handled = {
        let (pool, store, entered, stuck) =
            (pool.clone(), store.clone(), Arc::clone(&entered), Arc::clone(&stuck));
        process(guarded(&store.clone()), move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            let (entered, stuck) = (Arc::clone(&entered), Arc::clone(&stuck));
            async move {
                let mut transaction = pool.begin().await.unwrap();
                sqlx::query("insert into bookings values ('one')")
                    .execute(&mut *transaction)
                    .await
                    .unwrap();
                store.done_in(&mut transaction, &event).await.unwrap();
                entered.notify_one();
                if stuck.load(Ordering::SeqCst) {
                    std::future::pending::<()>().await;
                }
                transaction.commit().await.unwrap();
                StatusCode::OK
            }
        })
    };
    let request = room(1);
    tokio::select! {
        _ = call(&handled, &request) => panic!("the handler waits"),
        () = entered.notified() => {}
    }
    stuck.store(false, Ordering::SeqCst);
    // The failure is recorded in the background, once the transaction has been rolled back.
    until("its claim is free again", || async {
        call(&handled, &request).await.status() == StatusCode::OK
    })
    .await;
    assert!(is_duplicate(&call(&handled, &request).await));
    assert_eq!(count(&pool, BOOKINGS).await, 1);
}

/// The layer knows of no claim, so the handler has nothing that could commit.
#[tokio::test]
async fn without_a_claim_nothing_commits() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    with_bookings(&pool).await;
    let handled = {
        let (pool, store) = (pool.clone(), store.clone());
        process(guarded(&store.clone()).dangerous_without_replay_guard(), move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            async move {
                assert!(event.claim().is_none());
                let error = book(&pool, &store, &event).await.unwrap_err();
                assert!(matches!(error.downcast_ref(), Some(DoneInError::ClaimLost)), "{error}");
                StatusCode::OK
            }
        })
    };
    assert_eq!(call(&handled, &room(1)).await.status(), StatusCode::OK);
    let mut transaction = pool.begin().await.unwrap();
    let made_up = Verified::test(()).build();
    let refused = store.done_in(&mut transaction, &made_up).await;
    assert!(matches!(refused, Err(DoneInError::ClaimLost)), "{refused:?}");
    transaction.commit().await.unwrap();
    assert_eq!(count(&pool, BOOKINGS).await, 0);
    assert_eq!(count(&pool, "select count(*) from webhook_claims").await, 0);
}

#[tokio::test]
async fn answers_are_kept() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    let minute = Duration::from_secs(60);
    let claim = |token| Claim::for_test([1; 16], [0; 16], token, minute, minute);
    let answer = |body: &'static [u8]| {
        ReplayedResponse::new(HeaderValue::from_static("application/xml"), body)
            .with_status(StatusCode::ACCEPTED)
    };
    let kept = answer(b"<Response/>\0\xff");
    assert_eq!(store.claim(claim(1)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(1), Outcome::done(Some(kept.clone()))).await.unwrap());
    assert_eq!(store.claim(claim(2)).await.unwrap(), Claimed::done(Some(kept.clone())));
    assert!(store.finish(claim(1), Outcome::done(Some(answer(b"another")))).await.unwrap());
    assert_eq!(store.claim(claim(2)).await.unwrap(), Claimed::done(Some(kept)));

    // What the handler's transaction has recorded has no answer yet: it comes with the outcome.
    let answers = |body: &'static [u8]| {
        let (pool, store, layer) = (pool.clone(), store.clone(), guarded(&store));
        let inner = service_fn(move |request: Request<Full<Bytes>>| {
            let event = request.extensions().get::<Verified<Event>>().unwrap().clone();
            let (pool, store, kept) = (pool.clone(), store.clone(), answer(body));
            async move {
                let mut transaction = pool.begin().await?;
                store.done_in(&mut transaction, &event).await?;
                transaction.commit().await?;
                let mut response = Response::new(String::new());
                response.extensions_mut().insert(kept);
                Ok::<_, BoxError>(response)
            }
        });
        layer.layer(inner)
    };
    let request = room(1);
    let handled = call(&answers(b"kept"), &request).await;
    assert!(handled.extensions().get::<Duplicate>().is_none());
    let repeat = call(&answers(b"of no call"), &request).await;
    assert!(repeat.extensions().get::<Duplicate>().is_some());
    let kept = answer(b"kept").with_status(StatusCode::OK);
    assert_eq!(repeat.extensions().get::<ReplayedResponse>(), Some(&kept));
}

/// A store that has a table, and fails whenever it is asked.
async fn store_that_is_away(postgres: &Postgres) -> PostgresStore {
    store(postgres).await;
    let pool = PgPoolOptions::new().connect_with(postgres.options()).await.unwrap();
    pool.close().await;
    PostgresStore::new(pool)
}

/// What is in the table when a delivery commits that an outage has let in.
#[tokio::test]
async fn under_local_fallback_only_what_is_free_is_taken_over() {
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    let store = store_that_is_away(&postgres).await;

    const MINE: &str = "$2";
    const OTHER: &str = "'\\x00'";
    const AHEAD: &str = "now() + interval '1 hour'";
    const OVER: &str = "now() - interval '1 second'";
    let run = |part: bool, number: usize, row: Option<[&str; 4]>| {
        let insert = row.map(|[state, fingerprint, leased, expires]| {
            // `$2` has a use in each of them.
            format!(
                "insert into webhook_claims values (77, {leased}, {expires}, {expires}, 4, {state}, \
                 $1, {fingerprint}, $3, '200 a/b', 'kept') returning $2::bytea"
            )
        });
        let (sent, taken) = (pool.clone(), Arc::new(Mutex::new(None)));
        let (store, told) = (store.clone(), Arc::clone(&taken));
        // A short nonce may be several events': each content is then a claim of its own.
        let rules = Zegocloud::new(SECRET).unwrap().separate_short_nonces();
        let handled = process(
            WebhookLayer::new(rules)
                .shared_store(store.clone())
                .on_outage(OutagePolicy::LocalFallback),
            move |event| {
                let (pool, store, insert) = (sent.clone(), store.clone(), insert.clone());
                let told = Arc::clone(&told);
                async move {
                    let claim = event.claim().unwrap();
                    assert_eq!(claim.signature != claim.key, part);
                    let signature = part.then_some(&claim.signature[..]);
                    if let Some(insert) = &insert {
                        sqlx::query(insert)
                            .bind(&claim.key[..])
                            .bind(&claim.fingerprint[..])
                            .bind(signature)
                            .fetch_one(&pool)
                            .await
                            .unwrap();
                    }
                    let mut transaction = pool.begin().await.unwrap();
                    let recorded = store.done_in(&mut transaction, &event).await;
                    if recorded.is_ok() {
                        transaction.commit().await.unwrap();
                    } else {
                        transaction.rollback().await.unwrap();
                    }
                    let row = sqlx::query(
                        "select state, token = $2, fingerprint = $3, body is null and answer_head is null, \
                         expires_at > now() + interval '1 minute', signature is not distinct from $4 \
                         from webhook_claims where key = $1",
                    )
                    .bind(&claim.key[..])
                    .bind(claim.token)
                    .bind(&claim.fingerprint[..])
                    .bind(signature)
                    .fetch_one(&pool)
                    .await
                    .unwrap();
                    let row: (i16, [bool; 5]) = (row.get(0), [1, 2, 3, 4, 5].map(|at| row.get(at)));
                    *told.lock().unwrap() = Some((recorded, row));
                    StatusCode::OK
                }
            },
        );
        let nonce = if part { format!("{number}") } else { format!("a-long-nonce-{number}") };
        let body = format!(r#"{{"event":"room_create","room_id":"{number}"}}"#);
        let request = signed(&Signer::new(SECRET).unwrap().nonce(nonce), "/zegocloud", body);
        async move {
            assert_eq!(call(&handled, &request).await.status(), StatusCode::OK);
            taken.lock().unwrap().take().unwrap()
        }
    };
    for (number, (what, row, is_free)) in [
        ("it is new", None, true),
        ("it has expired", Some(["1", OTHER, AHEAD, OVER]), true),
        ("another attempt runs", Some(["1", MINE, AHEAD, AHEAD]), false),
        ("another attempt ran out of time", Some(["1", MINE, OVER, AHEAD]), true),
        ("another content ran out of time", Some(["1", OTHER, OVER, AHEAD]), false),
        ("it failed", Some(["2", MINE, OVER, AHEAD]), true),
        ("another content failed", Some(["2", OTHER, OVER, AHEAD]), false),
        ("it is done", Some(["3", MINE, OVER, AHEAD]), false),
    ]
    .into_iter()
    .enumerate()
    {
        for part in [false, true] {
            let (recorded, (state, [mine, bound, cleared, kept, signed])) =
                run(part, 1000 + number, row).await;
            let what = format!("{what}, as part: {part}");
            if is_free {
                assert!(recorded.is_ok(), "{what}: {recorded:?}");
                assert_eq!((state, [mine, bound, cleared, kept, signed]), (3, [true; 5]), "{what}");
            } else {
                assert!(matches!(recorded, Err(DoneInError::ClaimLost)), "{what}: {recorded:?}");
                assert_eq!(
                    (state.to_string(), mine, cleared),
                    (row.unwrap()[0].to_owned(), false, false),
                    "{what}"
                );
            }
        }
    }
}

/// A captured signature does not fill the table by way of `done_in` either.
#[tokio::test]
async fn attack_under_local_fallback_a_signature_has_64_contents() {
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    let store = store_that_is_away(&postgres).await;
    for (others, recorded) in [(63, true), (64, false)] {
        let rules = Zegocloud::new(SECRET).unwrap().separate_short_nonces();
        let layer = WebhookLayer::new(rules)
            .shared_store(store.clone())
            .on_outage(OutagePolicy::LocalFallback);
        let (pool, store) = (pool.clone(), store.clone());
        let handled = process(layer, move |event| {
            let (pool, store) = (pool.clone(), store.clone());
            async move {
                sqlx::query(
                    "insert into webhook_claims \
                     select 1, now(), now() + interval '1 hour', now() + interval '1 hour', 1, 3, \
                     $1 || number::text::bytea, '\\x00', $1, null, null \
                     from generate_series(1, $2) as number",
                )
                .bind(&event.claim().unwrap().signature[..])
                .bind(others)
                .execute(&pool)
                .await
                .unwrap();
                let mut transaction = pool.begin().await.unwrap();
                match store.done_in(&mut transaction, &event).await {
                    Ok(()) => transaction.commit().await.unwrap(),
                    Err(DoneInError::ClaimLost) => return StatusCode::SERVICE_UNAVAILABLE,
                    Err(error) => panic!("{error}"),
                }
                StatusCode::OK
            }
        });
        let signer = Signer::new(SECRET).unwrap().nonce(format!("{others}"));
        let request = signed(&signer, "/zegocloud", r#"{"event":"room_create"}"#);
        let status = if recorded { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(call(&handled, &request).await.status(), status, "beside {others} others");
    }
}

/// While the store cannot be asked two processes deliver one event, and one of them commits.
#[tokio::test]
async fn under_local_fallback_one_commits() {
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    with_bookings(&pool).await;
    store(&postgres).await;
    let lost = Arc::new(AtomicUsize::new(0));
    let fallback = |pool: PgPool, lost: Arc<AtomicUsize>| async move {
        let closed = PgPoolOptions::new().connect_with(postgres_options(&pool)).await.unwrap();
        let store = PostgresStore::new(closed.clone());
        closed.close().await;
        process(guarded(&store).on_outage(OutagePolicy::LocalFallback), move |event| {
            let (pool, store, lost) = (pool.clone(), store.clone(), Arc::clone(&lost));
            async move {
                match book(&pool, &store, &event).await {
                    Ok(()) => StatusCode::OK,
                    Err(error) => {
                        assert!(
                            matches!(error.downcast_ref(), Some(DoneInError::ClaimLost)),
                            "{error}"
                        );
                        lost.fetch_add(1, Ordering::SeqCst);
                        StatusCode::SERVICE_UNAVAILABLE
                    }
                }
            }
        })
    };
    let first = fallback(pool.clone(), Arc::clone(&lost)).await;
    let second = fallback(pool.clone(), Arc::clone(&lost)).await;
    let request = room(1);
    assert_eq!(call(&first, &request).await.status(), StatusCode::OK);
    assert_eq!(call(&second, &request).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((count(&pool, BOOKINGS).await, lost.load(Ordering::SeqCst)), (1, 1));

    let other = room(2);
    let (a, b) = tokio::join!(call(&first, &other), call(&second, &other));
    let mut statuses = [a.status(), b.status()];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE]);
    assert_eq!(count(&pool, BOOKINGS).await, 2);
}

fn postgres_options(pool: &PgPool) -> sqlx::postgres::PgConnectOptions {
    (*pool.connect_options()).clone()
}

/// Of two handlers that are in each other's way one fails, and its sender's retry gets in.
#[tokio::test]
async fn serialization_failures_are_failures() {
    let postgres = Postgres::start().await;
    let (pool, store) = (postgres.pool().await, store(&postgres).await);
    sqlx::query("create table balance (total bigint)").execute(&pool).await.unwrap();
    sqlx::query("insert into balance values (0)").execute(&pool).await.unwrap();
    let both_have_read = Arc::new(Barrier::new(2));
    let handled = {
        let (pool, store) = (pool.clone(), store.clone());
        // A renewal in the middle of `done_in` would be one more failure: the lease is long.
        process(guarded(&store), move |event| {
            let (pool, store, both_have_read) =
                (pool.clone(), store.clone(), Arc::clone(&both_have_read));
            async move {
                let add = async {
                    let mut transaction =
                        pool.begin_with("begin isolation level serializable").await?;
                    store.done_in(&mut transaction, &event).await?;
                    let total = sqlx::query("select total from balance")
                        .fetch_one(&mut *transaction)
                        .await?;
                    let total: i64 = total.get(0);
                    if event.metadata().attempt == 1 {
                        both_have_read.wait().await;
                    }
                    sqlx::query("update balance set total = $1")
                        .bind(total + 1)
                        .execute(&mut *transaction)
                        .await?;
                    transaction.commit().await?;
                    Ok::<_, BoxError>(())
                };
                add.await.map_or(StatusCode::INTERNAL_SERVER_ERROR, |()| StatusCode::OK)
            }
        })
    };
    let requests = [room(1), room(2)];
    let (a, b) = tokio::join!(call(&handled, &requests[0]), call(&handled, &requests[1]));
    let failed = [a, b].map(|response| response.status() == StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(failed.iter().filter(|failed| **failed).count(), 1);
    assert_eq!(count(&pool, "select total from balance").await, 1);
    for (request, failed) in requests.iter().zip(failed) {
        let response = settled(&handled, request).await;
        assert_eq!((response.status(), is_duplicate(&response)), (StatusCode::OK, !failed));
    }
    assert_eq!(count(&pool, "select total from balance").await, 2);
}

#[tokio::test]
async fn a_pool_without_a_connection_left_is_an_outage_and_heals() {
    let postgres = Postgres::start().await;
    let (pool, store) = store_of(&postgres, 2).await;
    assert_eq!(store.claim_limit().claims(), 2);
    let handled = process(guarded(&store).store_timeout(Duration::from_millis(300)), |_| async {
        StatusCode::OK
    });
    let held = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let refused = call(&handled, &room(1)).await;
    assert_eq!(
        refused.extensions().get::<Rejection>().unwrap().kind(),
        RejectionKind::StoreUnavailable
    );
    drop(held);
    until("the pool is asked again", || async {
        call(&handled, &room(1)).await.status() == StatusCode::OK
    })
    .await;
}

/// A server that answers nothing keeps no connection of a call that nobody waits for any more.
#[tokio::test]
async fn a_paused_server_costs_no_connections() {
    let postgres = Postgres::start().await;
    store(&postgres).await;
    let pool = PgPoolOptions::new()
        .max_connections(3)
        .test_before_acquire(false)
        .connect_with(postgres.options());
    let pool = pool.await.unwrap();
    let store = PostgresStore::new(pool.clone());
    let claim = |number: u8| {
        Claim::for_test([number; 16], [0; 16], 1, Duration::from_secs(60), Duration::from_secs(60))
    };
    for number in 0..3 {
        assert_eq!(store.claim(claim(number)).await.unwrap(), Claimed::won(1));
    }
    idle(&pool).await;
    postgres.signal("STOP");
    for number in 10..16 {
        let called =
            tokio::time::timeout(Duration::from_millis(100), store.claim(claim(number))).await;
        assert!(called.is_err(), "nobody can have answered");
    }
    // The sessions that were asked are given up within seconds, while the server still says
    // nothing.
    until("no connection is held", || async { pool.size() == 0 }).await;
    postgres.signal("CONT");
    for number in 20..26 {
        assert_eq!(store.claim(claim(number)).await.unwrap(), Claimed::won(1));
    }
}

/// Sessions whose peer vanished without a word, as in a failover. New ones reach the new server.
#[tokio::test]
async fn silent_sessions_are_given_up_together() {
    let postgres = Postgres::start().await;
    let (pool, store, sessions) = of_idle_sessions(&postgres, 6).await;
    pause(&sessions);
    let asked = tokio::time::timeout(Duration::from_millis(100), store.claim(any_claim(1))).await;
    assert!(asked.is_err(), "nobody can have answered");
    until("no session is left", || async { pool.size() == 0 }).await;
    assert_eq!(store.claim(any_claim(2)).await.unwrap(), Claimed::won(1));
}

#[tokio::test]
async fn a_session_that_is_silent_alone_costs_no_other() {
    let postgres = Postgres::start().await;
    let (pool, store, sessions) = of_idle_sessions(&postgres, 3).await;
    // The one that the pool hands out first.
    pause(&sessions[..1]);
    let since = Instant::now();
    let asked = tokio::time::timeout(Duration::from_millis(100), store.claim(any_claim(1))).await;
    assert!(asked.is_err(), "nobody can have answered");
    assert_eq!(store.claim(any_claim(2)).await.unwrap(), Claimed::won(1));
    let was_answered = since.elapsed() < Duration::from_secs(5);
    until("it is given up", || async { pool.size() < 3 }).await;
    if was_answered {
        assert_eq!(pool.size(), 2);
        idle(&pool).await;
        assert_eq!(pids(&pool, 2).await, sessions[1..].iter().copied().collect());
    }
}

fn any_claim(number: u8) -> Claim {
    Claim::for_test([number; 16], [0; 16], 1, Duration::from_secs(60), Duration::from_secs(60))
}

/// A store with so many idle sessions, in the order in which the pool hands them out.
async fn of_idle_sessions(postgres: &Postgres, number: u32) -> (PgPool, PostgresStore, Vec<i32>) {
    store(postgres).await;
    let options = PgPoolOptions::new().max_connections(number).test_before_acquire(false);
    let pool = options.connect_with(postgres.options()).await.unwrap();
    let store = PostgresStore::new(pool.clone());
    // The first claim deletes what has expired, on a connection of its own.
    assert_eq!(store.claim(any_claim(0)).await.unwrap(), Claimed::won(1));
    let held = join_all((0..number).map(|_| pool.acquire())).await;
    let mut sessions = Vec::new();
    for connection in held {
        let mut connection = connection.unwrap();
        let pid = sqlx::query("select pg_backend_pid()").fetch_one(&mut *connection).await;
        sessions.push(pid.unwrap().get(0));
        drop(connection);
        until("it is back in the pool", || async { pool.num_idle() == sessions.len() }).await;
    }
    (pool, store, sessions)
}

async fn pids(pool: &PgPool, number: usize) -> HashSet<i32> {
    let mut held = join_all((0..number).map(|_| pool.acquire())).await;
    let mut pids = HashSet::new();
    for connection in &mut held {
        let connection = connection.as_deref_mut().unwrap();
        let pid = sqlx::query("select pg_backend_pid()").fetch_one(connection).await;
        pids.insert(pid.unwrap().get(0));
    }
    pids
}

/// They go on when the server is dropped.
fn pause(sessions: &[i32]) {
    let sessions = sessions.iter().map(i32::to_string);
    let status = std::process::Command::new("kill").arg("-STOP").args(sessions).status();
    assert!(status.unwrap().success());
}

/// As the documentation of the store advises.
#[tokio::test]
async fn with_a_statement_timeout_a_locked_table_costs_no_sessions() {
    let postgres = Postgres::start().await;
    let admin = postgres.pool().await;
    store(&postgres).await;
    let options = PgPoolOptions::new().max_connections(3).test_before_acquire(false);
    let url = format!("{}&options[statement_timeout]=300ms&application_name=store", postgres.url());
    let pool = options.connect(&url).await.unwrap();
    let store = PostgresStore::new(pool.clone());
    let layer = WebhookLayer::new(Zegocloud::new(SECRET).unwrap()).shared_store(store);
    let handled =
        process(layer.store_timeout(Duration::from_secs(30)), |_| async { StatusCode::OK });

    let mut transaction = admin.begin().await.unwrap();
    sqlx::query("lock table webhook_claims").execute(&mut *transaction).await.unwrap();
    for number in 0..12 {
        // From the fourth on most are refused by the breaker.
        assert_eq!(call(&handled, &room(number)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'";
    until("no session waits for the lock", || async { count(&admin, waiting).await == 0 }).await;
    let sessions = "select count(*) from pg_stat_activity where application_name = 'store'";
    assert_eq!(count(&admin, sessions).await, i64::from(pool.size()));
    transaction.rollback().await.unwrap();
    until("the store is back", || async {
        call(&handled, &room(100)).await.status() == StatusCode::OK
    })
    .await;
}

/// To make connections anew would keep a busy server busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn statements_that_nobody_waits_for_keep_their_connections() {
    let postgres = Postgres::start().await;
    let admin = postgres.pool().await;
    let options = PgPoolOptions::new().max_connections(4).test_before_acquire(false);
    let pool = options.connect_with(postgres.options().application_name("store")).await.unwrap();
    let store = PostgresStore::new(pool.clone());
    store.migrate().await.unwrap();
    let layer = || WebhookLayer::new(Zegocloud::new(SECRET).unwrap()).shared_store(store.clone());
    let calls = Arc::new(AtomicUsize::new(0));
    let handler = {
        let calls = Arc::clone(&calls);
        move |_| {
            calls.fetch_add(1, Ordering::Relaxed);
            async { StatusCode::OK }
        }
    };
    let patient = process(layer().store_timeout(Duration::from_secs(60)), handler.clone());
    let all = |process: &Process, numbers: std::ops::Range<usize>| {
        let sent = numbers.map(|number| {
            let (process, event) = (process.clone(), room(number));
            async move { call(&process, &event).await.status() }
        });
        join_all(sent.collect::<Vec<_>>())
    };
    assert_eq!(all(&patient, 0..32).await, [StatusCode::OK; 32]);
    let sessions = async || {
        let ids = "select array_agg(pid order by pid) from pg_stat_activity where application_name = 'store'";
        sqlx::query(ids).fetch_one(&admin).await.unwrap().get::<Vec<i32>, _>(0)
    };
    let before = sessions().await;
    assert_eq!(before.len(), 4);

    let (mut transaction, locked) = (admin.begin().await.unwrap(), Instant::now());
    sqlx::query("lock table webhook_claims").execute(&mut *transaction).await.unwrap();
    let hasty = process(layer(), handler);
    assert_eq!(all(&hasty, 100..112).await, [StatusCode::SERVICE_UNAVAILABLE; 12]);
    transaction.rollback().await.unwrap();
    assert_eq!(all(&patient, 200..232).await, [StatusCode::OK; 32]);
    // After 5 s a statement is given up with its connection, and a slow machine may take that long.
    if locked.elapsed() < Duration::from_secs(5) {
        assert_eq!(sessions().await, before);
    }
    assert_eq!(calls.load(Ordering::Relaxed), 64);
}

/// Each idle connection is broken then, and the pool hands out one after the other.
#[tokio::test]
async fn the_first_delivery_after_a_restart_is_taken() {
    let mut postgres = Postgres::start().await;
    let pool = PgPoolOptions::new()
        .max_connections(6)
        .test_before_acquire(false)
        .connect_with(postgres.options());
    let pool = pool.await.unwrap();
    let store = PostgresStore::new(pool.clone());
    store.migrate().await.unwrap();
    let handled = process(guarded(&store), |_| async { StatusCode::OK });
    for number in 0..3 {
        drop(join_all((0..6).map(|_| pool.acquire())).await);
        idle(&pool).await;
        assert_eq!(pool.num_idle(), 6);
        postgres.kill();
        postgres.restart().await;
        assert_eq!(call(&handled, &room(number)).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn calls_that_were_given_up_leave_nothing_in_the_pools_queue() {
    let postgres = Postgres::start().await;
    let (pool, store) = store_of(&postgres, 1).await;
    let held = pool.acquire().await.unwrap();
    let claim =
        Claim::for_test([1; 16], [0; 16], 1, Duration::from_secs(60), Duration::from_secs(60));
    for _ in 0..200 {
        let renewal = tokio::time::timeout(Duration::from_millis(1), store.renew(claim.clone()));
        assert!(renewal.await.is_err());
    }
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert!(tasks < 10, "{tasks} tasks");
    drop(held);
    assert_eq!(store.claim(claim).await.unwrap(), Claimed::won(1));
}

/// A server that was demoted takes no writes; the next connection may reach the one that is in
/// charge.
#[tokio::test]
async fn a_session_that_takes_no_writes_is_given_up() {
    let postgres = Postgres::start().await;
    let pool = postgres.pool().await;
    let store = store(&postgres).await;
    let claim =
        Claim::for_test([1; 16], [0; 16], 1, Duration::from_secs(60), Duration::from_secs(60));
    assert_eq!(store.claim(claim.clone()).await.unwrap(), Claimed::won(1));
    let set =
        |value| format!("alter database postgres set default_transaction_read_only = {value}");
    sqlx::query(&set("on")).execute(&pool).await.unwrap();
    let fresh = PostgresStore::new(postgres.pool().await);
    let refused = fresh.renew(claim.clone()).await.unwrap_err();
    assert!(refused.is_disconnected(), "{refused:?}");
    // A session that is made now takes no writes.
    idle(&pool).await;
    sqlx::query(&set("off")).execute(&pool).await.unwrap();
    assert!(fresh.renew(claim).await.unwrap());
}

/// Lets claims fail as [`trouble`] says.
async fn with_trouble(pool: &PgPool) {
    // The numbers of a sequence are taken even by a statement that fails.
    let trouble = "create sequence tries; create table trouble (code text, times bigint);
        create function fail() returns trigger language plpgsql as $$ begin
            if nextval('tries') <= (select times from trouble) then
                raise exception using errcode = (select code from trouble);
            end if;
            return new;
        end $$;
        create trigger fail before insert on webhook_claims for each row execute function fail()";
    pool.execute(trouble).await.unwrap();
}

async fn trouble(pool: &PgPool, code: &str, times: i64) {
    let set = format!(
        "truncate trouble; insert into trouble values ('{code}', {times}); \
         alter sequence tries restart"
    );
    pool.execute(&*set).await.unwrap();
}

/// Of the database's errors some pass, some are the session's end, one says that there is no room,
/// and the others stay.
#[tokio::test]
async fn errors_of_the_database_are_told_apart() {
    let postgres = Postgres::start().await;
    let (pool, store) = store_of(&postgres, 4).await;
    let observer = postgres.pool().await;
    with_trouble(&observer).await;

    let won = || Ok(Claimed::won(1));
    for (number, (code, times, expected, tries)) in (0..).zip([
        // What the isolation level or another session caused is tried three times.
        ("40001", 2, won(), 3),
        ("40P01", 2, won(), 3),
        ("40001", 3, Err(false), 3),
        // The end of a session is tried on every idle one, and once more on a new one.
        ("57P01", 1, won(), 2),
        ("57P01", 4, won(), 5),
        ("57P01", 5, Err(true), 5),
        ("08006", 1, won(), 2),
        ("25006", 1, won(), 2),
        ("53100", 1, Ok(Claimed::Full), 1),
        ("P0001", 1, Err(false), 1),
    ]) {
        drop(join_all((0..4).map(|_| pool.acquire())).await);
        idle(&pool).await;
        trouble(&observer, code, times).await;
        let minute = Duration::from_secs(60);
        let claimed = store.claim(Claim::for_test([number; 16], [0; 16], 1, minute, minute)).await;
        let claimed = claimed.map_err(|error| error.is_disconnected());
        assert_eq!(claimed, expected, "{code} {times} times");
        let tried = "select last_value from tries";
        assert_eq!(count(&observer, tried).await, tries, "{code} {times} times");
    }
}

/// The statement may have run, whatever becomes of its repetition.
#[tokio::test]
async fn a_statement_that_was_sent_once_counts_as_sent() {
    let postgres = Postgres::start().await;
    let (_, store) = store_of(&postgres, 1).await;
    let observer = postgres.pool().await;
    with_trouble(&observer).await;
    trouble(&observer, "57P01", 1).await;
    let nobody_else = "update pg_database set datallowconn = false where datname = 'postgres'";
    observer.execute(nobody_else).await.unwrap();
    let minute = Duration::from_secs(60);
    let claim = Claim::for_test([1; 16], [0; 16], 1, minute, minute);
    assert!(!store.claim(claim.clone()).await.unwrap_err().is_unsent());
    assert!(store.claim(claim).await.unwrap_err().is_unsent(), "there was no connection");
}

fn ledger(url: &str, crash: Option<&str>) -> Ledger {
    let mut variables = vec![
        ("POSTGRES_URL", url),
        ("ZEGOCLOUD_CALLBACK_SECRET", SECRET),
        ("LEDGER_LEASE_MS", LEASE_MS),
    ];
    variables.extend(crash.map(|point| ("LEDGER_CRASH", point)));
    Ledger::start(&variables)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_the_commit_it_runs_again_and_after_it_does_not() {
    let postgres = Postgres::start().await;
    let (url, pool, sender) = (postgres.url(), postgres.pool().await, Sender::new());
    let mut sound = ledger(&url, None);
    for (number, (point, booked, at_once)) in
        [("before_commit", 0, 409), ("after_commit", 1, 200)].into_iter().enumerate()
    {
        sqlx::query("truncate bookings").execute(&pool).await.unwrap();
        let mut crashing = ledger(&url, Some(point));
        let (request, start) = (room(number), Instant::now());
        let sent = loop {
            let sent = Instant::now();
            match sender.send(&crashing.addr, &request).await {
                // The store had no time to answer, or such a claim is in the way.
                503 | 409 => {
                    assert!(start.elapsed() < Duration::from_secs(60), "{point}: stuck")
                }
                status => {
                    assert_eq!(status, 0, "{point}");
                    break sent;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        crashing.crashed();
        assert_eq!(count(&pool, BOOKINGS).await, booked, "{point}");
        let status = sender.send_in_time(&sound.addr, &request).await;
        // A slow machine may have let the lease run out.
        if sent.elapsed() < LEASE || booked == 1 {
            assert_eq!(status, at_once, "{point}");
            assert_eq!(count(&pool, BOOKINGS).await, booked, "{point}: without a call");
        }
        until("the sound ledger has it", || async {
            sender.send(&sound.addr, &request).await == 200
        })
        .await;
        assert_eq!(sender.send(&sound.addr, &request).await, 200);
        assert_eq!(count(&pool, BOOKINGS).await, 1, "{point}");
        assert_eq!(sender.get(&sound.addr, "/bookings").await, "1", "{point}");
    }
    sound.kill();
}

/// Two ledgers that are killed and started again, a server that is killed and paused, and senders
/// that do not give up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_bookings_as_events_whatever_is_killed() {
    let (events, rounds) = if full() { (10_000, 20) } else { (300, 3) };
    let mut postgres = Postgres::start_with(&["max_connections=200"]).await;
    let url = postgres.url();
    let mut ledgers = [ledger(&url, None), ledger(&url, None)];
    let addrs = Arc::new(Mutex::new([ledgers[0].addr.clone(), ledgers[1].addr.clone()]));
    let (sender, permits) = (Sender::new(), Arc::new(Semaphore::new(64)));
    let answered = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let senders = tokio::spawn({
        let (addrs, answered) = (Arc::clone(&addrs), Arc::clone(&answered));
        async move {
            let mut tasks = tokio::task::JoinSet::new();
            let mut sent = 0;
            for number in 0..events {
                let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
                let (sender, addrs, answered) =
                    (sender.clone(), Arc::clone(&addrs), Arc::clone(&answered));
                tasks.spawn(async move {
                    let request = room(number);
                    let signed = Instant::now();
                    let mut sends = 0;
                    loop {
                        let addr = addrs.lock().unwrap()[fastrand::usize(..2)].clone();
                        sends += 1;
                        if sender.send(&addr, &request).await == 200 {
                            break;
                        }
                        assert!(
                            signed.elapsed() < Duration::from_secs(250),
                            "event {number} is stuck"
                        );
                        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..200))).await;
                    }
                    // As if the answer had been lost: it changes nothing.
                    if number % 3 == 0 {
                        let addr = addrs.lock().unwrap()[fastrand::usize(..2)].clone();
                        sender.send(&addr, &request).await;
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                    drop(permit);
                    sends
                });
                while let Some(done) = tasks.join_next().now_or_never().flatten() {
                    sent += done.unwrap();
                }
            }
            while let Some(done) = tasks.join_next().await {
                sent += done.unwrap();
            }
            sent
        }
    });

    // Each round begins when its share of the events is through, however long that takes.
    for round in 1..=rounds {
        while answered.load(Ordering::SeqCst) < events * round / (rounds + 1)
            && !senders.is_finished()
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let killed = round % 2;
        ledgers[killed].kill();
        match round % 3 {
            0 => {
                postgres.signal("STOP");
                tokio::time::sleep(Duration::from_millis(1000)).await;
                postgres.signal("CONT");
            }
            1 => {
                postgres.kill();
                postgres.restart().await;
            }
            _ => {}
        }
        ledgers[killed] = ledger(&url, None);
        addrs.lock().unwrap()[killed] = ledgers[killed].addr.clone();
    }
    let sent = senders.await.unwrap();

    let pool = postgres.pool().await;
    let booked = count(&pool, BOOKINGS).await;
    let distinct = count(&pool, "select count(distinct delivery_id) from bookings").await;
    println!(
        "{events} events in {:.0} s, sent {sent} times, {rounds} ledgers killed, Postgres killed \
         {} times and paused {}: \
         {booked} bookings of {distinct} events",
        start.elapsed().as_secs_f64(),
        (1..=rounds).filter(|round| round % 3 == 1).count(),
        rounds / 3,
    );
    assert_eq!((booked, distinct), (events as i64, events as i64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_contenders_over_two_receivers() {
    let keys = if full() { 300 } else { 20 };
    let postgres = Postgres::start().await;
    let url = postgres.url();
    let variables = [
        ("POSTGRES_URL", &url[..]),
        ("ZEGOCLOUD_CALLBACK_SECRET", SECRET),
        ("RECEIVER_REDIS_TIMEOUT_MS", "30000"),
    ];
    let mut pair = [(); 2].map(|()| Receiver::start(&variables));
    let sender = Sender::new();
    for key in 0..keys {
        sender.contend([&pair[0].addr, &pair[1].addr], room(key)).await;
    }
    let lines: Vec<_> = pair.iter_mut().flat_map(Receiver::end).collect();
    let rooms: HashSet<_> = lines.iter().map(|line| line["event"]["room_id"].to_string()).collect();
    assert_eq!((lines.len(), rooms.len()), (keys, keys));
}

#[test]
fn a_receiver_has_one_shared_store() {
    let ended = example("receiver")
        .env("RECEIVER_ADDR", "127.0.0.1:0")
        .env("POSTGRES_URL", "postgres://localhost:1/nothing")
        .env("REDIS_URL", "redis://localhost:1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        !ended.status.success() && said.contains("REDIS_URL, POSTGRES_URL: one of them is enough"),
        "{said}"
    );
}
