//! The replay store in Postgres, where a claim commits together with what the handler writes.

use super::{
    Claim, ClaimLimit, Claimed, Outcome, ReplayCheck, ReplayStore, ReplayedResponse, StoreError,
};
use crate::{ConfigError, Verified};
use sqlx::{
    Connection, Execute, Executor, PgPool, Postgres, Row, Transaction,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnection, PgRow},
    query::Query,
};
use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot, watch},
    time::timeout,
};

/// A replay store in a Postgres table; clones share it.
///
/// Each transition is one statement and uses the database's clock. Expired claims are deleted in
/// small batches while new ones come.
///
/// What Postgres loses can be replayed: with `synchronous_commit = off` a crash loses the last
/// claims and outcomes, and so does a failover to a standby that is not synchronous.
///
/// A statement that nobody waits for any more keeps its connection for up to 5 s, because a new one
/// would cost a busy server more. After that the connection leaves the pool, and so do the idle ones
/// if the server has answered nothing meanwhile. A claim's stays open for up to a minute more, to
/// withdraw the claim if it takes effect.
///
/// Give the store a pool of its own: in a shared pool claims wait for connections that handlers
/// hold. `test_before_acquire(false)` saves a round trip for each statement. It is safe, because
/// a statement whose connection is broken is repeated on the next one. With a `statement_timeout`
/// below 5 s a locked table costs no sessions: Postgres does not notice that the connection of a
/// waiting statement was given up.
///
/// ```no_run
/// use sqlx::postgres::PgPoolOptions;
/// use tower_webhooks::{WebhookLayer, replay::PostgresStore, zegocloud::Zegocloud};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = PgPoolOptions::new()
///     .test_before_acquire(false)
///     .connect("postgres://app@localhost/app?options[statement_timeout]=4s")
///     .await?;
/// let store = PostgresStore::new(pool);
/// store.migrate().await?;
/// let layer = WebhookLayer::new(Zegocloud::new("a callback secret")?)
///     .shared_store(store.clone());
/// # drop(layer); Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: PgPool,
    table: Arc<Table>,
    claims: Arc<AtomicU32>,
    /// How often the server has answered; wraps around.
    answers: Arc<AtomicU32>,
    sweeping: Arc<tokio::sync::Mutex<()>>,
    claiming: Arc<Claiming>,
    limit: ClaimLimit,
    /// One permit for each statement that runs or waits for a connection.
    turns: Arc<Semaphore>,
}

impl PostgresStore {
    /// Creates a store in the table `webhook_claims`, which [`migrate`](Self::migrate) creates.
    pub fn new(pool: PgPool) -> Self {
        let connections = pool.options().get_max_connections();
        let turns = connections.saturating_mul(TURNS_PER_CONNECTION);
        Self {
            limit: ClaimLimit::new(connections as usize),
            turns: Arc::new(Semaphore::new((turns as usize).min(Semaphore::MAX_PERMITS))),
            pool,
            table: Arc::new(Table::new("\"webhook_claims\"".to_owned())),
            claims: Arc::default(),
            answers: Arc::default(),
            sweeping: Arc::default(),
            claiming: Arc::default(),
        }
    }

    /// Keeps the claims in another table, `name` or `schema.name`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] unless each part has 1 to 40 lower-case letters, digits and underscores.
    pub fn table(mut self, name: &str) -> Result<Self, ConfigError> {
        let is_plain = |part: &str| {
            (1..=MAX_NAME).contains(&part.len())
                && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let quoted: Option<Vec<_>> =
            name.splitn(2, '.').map(|part| is_plain(part).then(|| format!("\"{part}\""))).collect();
        let Some(quoted) = quoted else {
            return Err(ConfigError::new(
                "the table's name, or its schema's, is not of 1 to 40 lower-case letters, digits and underscores",
            ));
        };
        self.table = Arc::new(Table::new(quoted.join(".")));
        Ok(self)
    }

    /// Creates the table and its indexes if they are missing. Several processes may do it at the
    /// same time. The role needs `create` on the schema; all else needs `select`, `insert`, `update`
    /// and `delete` on the table.
    ///
    /// # Errors
    ///
    /// The database's error, such as a missing privilege to create tables.
    pub async fn migrate(&self) -> sqlx::Result<()> {
        self.pool.execute(&*self.table.create).await?;
        Ok(())
    }

    /// Records the delivery as done inside the caller's transaction: what the transaction writes
    /// and the acknowledgement commit together or not at all.
    ///
    /// ```no_run
    /// use axum::http::StatusCode;
    /// use sqlx::PgPool;
    /// use tower_webhooks::{Verified, replay::PostgresStore, zegocloud::Event};
    ///
    /// async fn book(
    ///     pool: &PgPool,
    ///     store: &PostgresStore,
    ///     event: &Verified<Event>,
    /// ) -> Result<StatusCode, sqlx::Error> {
    ///     let mut transaction = pool.begin().await?;
    ///     sqlx::query("insert into bookings (kind) values ($1)")
    ///         .bind(event.kind())
    ///         .execute(&mut *transaction)
    ///         .await?;
    ///     if store.done_in(&mut transaction, event).await.is_err() {
    ///         // Dropping the transaction rolls it back.
    ///         return Ok(StatusCode::SERVICE_UNAVAILABLE);
    ///     }
    ///     transaction.commit().await?;
    ///     Ok(StatusCode::OK)
    /// }
    /// ```
    ///
    /// An attempt that lost its lease to another one gets an error instead, and must not commit.
    /// After a success no other attempt takes over before the transaction ends, however long that
    /// takes.
    ///
    /// Call it once in a transaction. In a `SERIALIZABLE` or `REPEATABLE READ` one call it before
    /// anything else: there a renewal of the lease in between is a serialization failure.
    ///
    /// A delivery without a claim ([`Verified::claim`]) is always an error: GeeLark's token mode,
    /// Stardust's key-only mode, a layer without the guard, an event of [`Verified::test`]. Use a
    /// unique column there.
    ///
    /// If [`OutagePolicy::LocalFallback`](super::OutagePolicy::LocalFallback) delivered the event,
    /// the store may have no claim: then it is made here, and only one of several processes can
    /// commit.
    ///
    /// # Errors
    ///
    /// [`DoneInError`]: nothing was recorded, and the transaction has to be rolled back.
    pub async fn done_in<E>(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        event: &Verified<E>,
    ) -> Result<(), DoneInError> {
        let claim = event.claim().ok_or(DoneInError::ClaimLost)?;
        if event.metadata().checked == ReplayCheck::LocalFallback {
            self.claim_statement(claim).fetch_optional(&mut **transaction).await?;
        }
        let record = statement(&self.table.done_in, claim, claim.retention_millis());
        if record.fetch_optional(&mut **transaction).await?.is_some() {
            return Ok(());
        }
        // A statement of its own: it also sees what was committed while the first one waited.
        let done = sqlx::query(&self.table.is_done).bind(&claim.key[..]).bind(claim.token);
        Err(match done.fetch_optional(&mut **transaction).await? {
            Some(_) => DoneInError::AlreadyDone,
            None => DoneInError::ClaimLost,
        })
    }

    fn claim_statement<'a>(&'a self, claim: &'a Claim) -> Statement<'a> {
        statement(&self.table.claim, claim, claim.lease_millis().max(claim.retention_millis()))
            .bind(&claim.fingerprint[..])
            .bind(claim.lease_millis())
            .bind(claim.is_part().then_some(&claim.signature[..]))
            .bind(MAX_CONTENTS)
    }

    /// Deletes expired claims, in batches of 256, and returns how many there were.
    ///
    /// New claims do that as they come. This is for a large table that gets no more claims.
    ///
    /// # Errors
    ///
    /// The database's error. What was deleted before stays deleted.
    pub async fn sweep(&self) -> sqlx::Result<u64> {
        let mut swept: u64 = 0;
        loop {
            let batch = sqlx::query(&self.table.sweep)
                .bind(SWEEP_BATCH)
                .execute(&self.pool)
                .await?
                .rows_affected();
            swept = swept.saturating_add(batch);
            if batch < SWEEP_BATCH.unsigned_abs() {
                return Ok(swept);
            }
        }
    }

    /// Deletes one batch in the background with every 64th claim.
    fn sweep_now_and_then(&self) {
        let claims = self.claims.fetch_add(1, Ordering::Relaxed);
        if claims.checked_rem(CLAIMS_PER_SWEEP) != Some(0) {
            return;
        }
        // One at a time. The turn ends with the task, also if the runtime ends.
        let Ok(turn) = Arc::clone(&self.sweeping).try_lock_owned() else { return };
        let store = self.clone();
        // A batch that fails is tried again with a later claim.
        tokio::spawn(async move {
            let sweep = sqlx::query(&store.table.sweep).bind(SWEEP_BATCH);
            let swept = run(store.pool.acquire().await, sweep, SWEEP_TIMEOUT, &mut None).await;
            drop(turn);
            swept
        });
    }

    /// Runs a statement. Repeats it on another connection if this one is broken, and after a
    /// serialization failure: the database's default isolation may be stricter than `read
    /// committed`. `claimed` is what the statement claims, if anything.
    async fn row<'a>(
        &'a self,
        claimed: Option<Attempt>,
        statement: impl Fn() -> Statement<'a>,
    ) -> Result<PgRow, StoreError> {
        let (mut conflicts, mut was_sent) = (1..MAX_TRIES, false);
        // After a restart of the server each idle connection is broken, and the pool hands out one
        // after the other.
        let mut idle = 0..self.pool.num_idle();
        loop {
            match self.row_once(claimed, statement()).await {
                Err(error) if is_serialization_failure(&error) && conflicts.next().is_some() => {}
                Err(error) if error.is_disconnected() && idle.next().is_some() => {
                    was_sent |= !error.is_unsent();
                }
                row => return row.map_err(|error| if was_sent { error.sent() } else { error }),
            }
        }
    }

    /// Runs a statement in a task, which completes even if this is dropped: broken connections cost
    /// a busy server more than statements, and it would never catch up.
    async fn row_once(
        &self,
        claimed: Option<Attempt>,
        mut statement: Statement<'_>,
    ) -> Result<PgRow, StoreError> {
        let arguments = statement.take_arguments().map_err(StoreError::unsent)?.unwrap_or_default();
        let sql = statement.sql().to_owned();
        // Who gives up here leaves nothing behind.
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(StoreError::unsent)?;
        let (answer, asked) = oneshot::channel();
        let store = self.clone();
        tokio::spawn(async move {
            let connection = store.pool.acquire().await;
            let running = claimed.map(|attempt| Arc::clone(&store.claiming).begin(attempt));
            // If nobody waits any more, the statement is not sent.
            if answer.is_closed() {
                return;
            }
            let mut given_up = None;
            let statement = sqlx::query_with(&sql, arguments);
            let answers = store.answers.load(Ordering::Relaxed);
            let row = run(connection, statement, PATIENCE, &mut given_up).await;
            if row.as_ref().err().is_none_or(|error| sql_state(error).is_some()) {
                store.answers.fetch_add(1, Ordering::Relaxed);
            } else if given_up.is_some() && store.answers.load(Ordering::Relaxed) == answers {
                store.give_up_idle();
            }
            let _ = answer.send(row);
            drop(turn);
            if let Some((_running, mut session)) = running.zip(given_up) {
                // The answer to the ping comes after that to the statement.
                let _ = timeout(LONGEST_STATEMENT, session.ping()).await;
            }
        });
        asked
            .await
            .map_err(StoreError::new)??
            .ok_or_else(|| StoreError::new(sqlx::Error::RowNotFound))
    }

    /// Closes the idle connections. A server that answers nothing for so long has most likely
    /// vanished without a word, and each of them would cost a claim its time limit.
    fn give_up_idle(&self) {
        for _ in 0..self.pool.num_idle() {
            let Some(idle) = self.pool.try_acquire() else { return };
            drop(idle.detach());
        }
    }

    /// Repeats a statement until it has an answer. It has none while another session has the row
    /// locked, most likely the handler's transaction during its rollback. Waiting for the lock
    /// would hold a connection.
    async fn ask<'a>(&'a self, statement: impl Fn() -> Statement<'a>) -> Result<bool, StoreError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let row = self.row(None, &statement).await?;
            if let Some(answer) = row.try_get(0).map_err(StoreError::new)? {
                return Ok(answer);
            }
            if pause > LAST_PAUSE {
                return Err(StoreError::new("the claim is locked by a transaction"));
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
    }
}

impl ReplayStore for PostgresStore {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.sweep_now_and_then();
        for _ in 0..MAX_TRIES {
            let row = match self
                .row(Some((claim.key, claim.token)), || self.claim_statement(&claim))
                .await
            {
                Err(error) if sql_state(&error).as_deref() == Some(DISK_FULL) => {
                    return Ok(Claimed::Full);
                }
                row => row?,
            };
            if let Some(claimed) = decide(&row, &claim).map_err(StoreError::new)? {
                return Ok(claimed);
            }
        }
        // Another session has changed the row and not committed: it works on this delivery.
        Ok(Claimed::in_flight(claim.lease))
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.claiming.ended(&claim).await;
        self.ask(|| statement(&self.table.renew, &claim, claim.lease_millis())).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        // What is done is so whatever becomes of the claim's statement.
        if !matches!(outcome, Outcome::Done { .. }) {
            self.claiming.ended(&claim).await;
        }
        let retention = claim.retention_millis();
        let (state, answer) = match &outcome {
            Outcome::Done { answer } => (DONE, answer.as_ref()),
            Outcome::Failed => (FAILED, None),
            Outcome::Withdrawn => {
                let withdrawn = || statement(&self.table.withdrawn, &claim, retention);
                return self.ask(withdrawn).await;
            }
        };
        let head = answer.map(ReplayedResponse::head);
        let body = answer.map(|answer| &answer.body[..]);
        let record = || {
            let record = statement(&self.table.record, &claim, retention);
            record.bind(state).bind(head.as_deref()).bind(body)
        };
        self.ask(record).await
    }

    fn claim_limit(&self) -> ClaimLimit {
        self.limit.clone()
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("table", &self.table.name).finish_non_exhaustive()
    }
}

/// Why [`PostgresStore::done_in`] recorded nothing. The transaction has to be rolled back.
#[derive(Debug)]
#[non_exhaustive]
pub enum DoneInError {
    /// The lease ran out and another attempt took over, or the delivery was not claimed in this
    /// store.
    ClaimLost,
    /// This attempt is done already: an earlier transaction of it has been committed, even if the
    /// commit seemed to fail.
    AlreadyDone,
    /// The database's error, such as a serialization failure.
    Database(sqlx::Error),
}

impl fmt::Display for DoneInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClaimLost => {
                "another attempt at this delivery took over, or it was not claimed in this store"
            }
            Self::AlreadyDone => "this delivery is done already",
            Self::Database(_) => "the claim could not be recorded as done",
        })
    }
}

impl Error for DoneInError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            Self::ClaimLost | Self::AlreadyDone => None,
        }
    }
}

impl From<sqlx::Error> for DoneInError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// A claim's key and token.
type Attempt = ([u8; 16], i64);

/// The claims whose statements run, perhaps for nobody any more.
#[derive(Default)]
struct Claiming(watch::Sender<Vec<Attempt>>);

impl Claiming {
    fn begin(self: Arc<Self>, attempt: Attempt) -> Running {
        self.0.send_modify(|all| all.push(attempt));
        Running { claiming: self, attempt }
    }

    /// Resolves when the claim's statement has ended: before that there is nothing to undo or to
    /// renew.
    async fn ended(&self, claim: &Claim) {
        let attempt = (claim.key, claim.token);
        let _ = self.0.subscribe().wait_for(|all| !all.contains(&attempt)).await;
    }
}

/// In the task that runs a claim's statement.
struct Running {
    claiming: Arc<Claiming>,
    attempt: Attempt,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.claiming.0.send_modify(|all| {
            // Once: a repeated statement may have begun before this one ended.
            if let Some(place) = all.iter().position(|attempt| *attempt == self.attempt) {
                all.swap_remove(place);
            }
        });
    }
}

type Statement<'a> = Query<'a, Postgres, PgArguments>;

fn statement<'a>(sql: &'a str, claim: &'a Claim, keep_millis: i64) -> Statement<'a> {
    sqlx::query(sql).bind(&claim.key[..]).bind(claim.token).bind(keep_millis)
}

/// Runs a statement on a connection. If the server is gone, the connection does not return to the
/// pool; if the statement has no answer in time, it is given up with its connection.
async fn run(
    connection: sqlx::Result<PoolConnection<Postgres>>,
    statement: Statement<'_>,
    patience: Duration,
    given_up: &mut Option<PgConnection>,
) -> Result<Option<PgRow>, StoreError> {
    let mut connection = connection.map_err(StoreError::unsent)?;
    let answer = timeout(patience, statement.fetch_optional(&mut *connection)).await;
    let is_useless = match &answer {
        Ok(Ok(_)) => false,
        // The server shuts down, starts up, has cut the connection or is read-only. A read-only one
        // was demoted, and the next connection may reach the new primary.
        Ok(Err(sqlx::Error::Database(error))) => error.code().is_some_and(|code| {
            code.starts_with("08") || code.starts_with("57P") || code == READ_ONLY
        }),
        Ok(Err(error)) => {
            matches!(error, sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_))
        }
        Err(_) => true,
    };
    if answer.is_err() {
        *given_up = Some(connection.detach());
    } else if is_useless {
        connection.close_on_drop();
    }
    answer.map_err(StoreError::new)?.map_err(|error| {
        let error = StoreError::new(error);
        if is_useless { error.disconnected() } else { error }
    })
}

fn is_serialization_failure(error: &StoreError) -> bool {
    matches!(sql_state(error).as_deref(), Some(SERIALIZATION_FAILURE | DEADLOCK))
}

fn sql_state(error: &StoreError) -> Option<String> {
    let error = error.source()?.downcast_ref::<sqlx::Error>()?.as_database_error()?;
    error.code().map(|code| code.into_owned())
}

/// What the answer to a claim says; `None` if another session interfered and the claim has to be
/// repeated.
fn decide(row: &PgRow, claim: &Claim) -> sqlx::Result<Option<Claimed>> {
    if let Some(attempt) = row.try_get::<Option<i32>, _>("attempt")? {
        return Ok(Some(Claimed::won(attempt.unsigned_abs())));
    }
    if row.try_get("too_many")? {
        return Ok(Some(Claimed::TooManyContents));
    }
    let Some(fingerprint) = row.try_get::<Option<&[u8]>, _>("fingerprint")? else {
        return Ok(None);
    };
    if fingerprint != claim.fingerprint {
        return Ok(Some(Claimed::Conflict));
    }
    if row.try_get::<i16, _>("state")? == DONE {
        let head: Option<&[u8]> = row.try_get("answer_head")?;
        let body: Option<Vec<u8>> = row.try_get("body")?;
        let answer =
            head.zip(body).and_then(|(head, body)| ReplayedResponse::from_head(head, body));
        return Ok(Some(Claimed::done(answer)));
    }
    let left: Option<i64> = row.try_get("held_for")?;
    Ok(left
        .filter(|left| *left > 0)
        .map(|left| Claimed::in_flight(Duration::from_millis(left.unsigned_abs()))))
}

/// The statements for one table.
struct Table {
    name: String,
    create: String,
    claim: String,
    renew: String,
    record: String,
    withdrawn: String,
    done_in: String,
    is_done: String,
    sweep: String,
}

impl Table {
    fn new(name: String) -> Self {
        let index = name.rsplit('.').next().unwrap_or_default().trim_matches('"');
        let create = CREATE.replace("$index", index).replace("$table", &name);
        let statement = |text: &str| {
            let parts = [("$keep", KEEP), ("$until", UNTIL), ("$now", NOW), ("$table", &name)];
            parts
                .iter()
                .fold(text.to_owned(), |text, (part, stands_for)| text.replace(part, stands_for))
        };
        Self {
            create,
            claim: statement(CLAIM),
            renew: statement(RENEW),
            record: statement(RECORD),
            withdrawn: statement(WITHDRAW),
            done_in: statement(DONE_IN),
            is_done: statement(IS_DONE),
            sweep: statement(SWEEP),
            name,
        }
    }
}

// state: 1 in flight, 2 failed, 3 done. `signature` is set if several keys share one. A row expires
// at `expires_at` and is deleted after `sweep_at`, which is later and seldom changes: an index on a
// column that every update changes would prevent HOT updates.
//
// Several statements at once are one transaction. `if not exists` is not enough if two sessions
// create the table at the same time, and would give notices. The lock is any number that nobody
// else takes: `twhkclms` in ASCII.
const CREATE: &str = r#"
select pg_advisory_xact_lock(x'7477686b636c6d73'::bigint);
set local client_min_messages = warning;
create table if not exists $table (
    token bigint not null,
    leased_until timestamptz not null,
    expires_at timestamptz not null,
    sweep_at timestamptz not null,
    attempt integer not null,
    state smallint not null,
    key bytea primary key,
    fingerprint bytea not null,
    signature bytea,
    answer_head bytea,
    body bytea
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
create index if not exists "$index_sweep_at" on $table (sweep_at);
create index if not exists "$index_signature" on $table (signature) where signature is not null;
"#;

// In each statement $1 is the key, $2 the token and $3 how long to keep the row, in milliseconds.
//
// Then $4 fingerprint, $5 lease, $6 the signature if several keys share it, $7 how many may.
//
// Claims, renewals and outcomes do not wait for a row that another session has locked: that session
// takes the claim over or records its outcome, perhaps in a long transaction of the handler's.
const CLAIM: &str = r"
with found as (
    select fingerprint, state, token, leased_until, answer_head, body
    from $table where key = $1 and expires_at > $now
), free as (
    select key from $table
    where key = $1 and (
        expires_at <= $now
        or fingerprint = $4 and (state = 2 or state = 1 and (token = $2 or leased_until <= $now))
    )
    for update skip locked
), taken as (
    update $table as c set
        attempt = case
            when c.expires_at <= $now then 1
            when c.state = 1 and c.token = $2 then c.attempt
            else c.attempt + 1
        end,
        leased_until = $now + $5 * interval '1 millisecond',
        token = $2, state = 1, fingerprint = $4, signature = $6, answer_head = null, body = null,
        $keep
    from free where c.key = free.key
    returning c.attempt
), too_many as (
    select from (select from $table where signature = $6 and expires_at > $now limit $7) as contents
    having count(*) >= $7
), made as (
    insert into $table (key, token, fingerprint, signature, state, attempt, leased_until, expires_at, sweep_at)
    select $1, $2, $4, $6, 1, 1, $now + $5 * interval '1 millisecond', $until, $until + interval '10 seconds'
    where not exists (select from $table where key = $1) and not exists (select from too_many)
    on conflict (key) do nothing
    returning attempt
)
select
    coalesce((select attempt from made), (select attempt from taken)) as attempt,
    exists (select from too_many) and not exists (select from $table where key = $1) as too_many,
    found.fingerprint, found.state, found.answer_head, found.body,
    case when found.token <> $2 then ceil(extract(epoch from found.leased_until - $now) * 1000)::bigint end as held_for
from (select) as one left join found on true
";

// A locked row counts as held: nobody takes it over before the other session's transaction ends.
const RENEW: &str = r"
with held as (
    select key from $table where key = $1 and token = $2 and state = 1 for update skip locked
), renewed as (
    update $table as c set leased_until = $until, $keep from held where c.key = held.key
)
select exists (select from $table where key = $1 and token = $2 and state = 1)
";

// $4 the state, done or failed, $5 status and type, and $6 body of the answer. A row that is done
// already is only read, unless it has no answer yet.
const RECORD: &str = r"
with held as (
    select key from $table
    where key = $1 and token = $2 and (state = 1 or state = 3 and body is null and $6::bytea is not null)
    for update skip locked
), recorded as (
    update $table as c set state = $4, answer_head = $5, body = $6, $keep from held where c.key = held.key returning 1
)
select exists (select from recorded) or case c.state when $4 then true when 1 then null else false end
from (select) as one left join $table as c on c.key = $1 and c.token = $2
";

const WITHDRAW: &str = r"
with held as (
    select key, attempt from $table where key = $1 and token = $2 and state = 1 for update skip locked
), gone as (
    delete from $table as c using held where c.key = held.key and held.attempt = 1 returning 1
), back as (
    update $table as c set state = 2, attempt = held.attempt - 1 from held where c.key = held.key and held.attempt > 1
    returning 1
)
select exists (select from gone) or exists (select from back) or case c.state when 1 then null else false end
from (select) as one left join $table as c on c.key = $1 and c.token = $2
";

const DONE_IN: &str = r"
update $table as c set state = 3, $keep where key = $1 and token = $2 and state = 1 returning 1
";

// $1 the key, $2 the token.
const IS_DONE: &str = "select from $table where key = $1 and token = $2 and state = 3";

const KEEP: &str = "expires_at = greatest(c.expires_at, $until), \
    sweep_at = case when c.sweep_at >= $until then c.sweep_at else $until + interval '10 seconds' end";
const UNTIL: &str = "($now + $3 * interval '1 millisecond')";
// Not `now()`: the start of the handler's transaction may be long ago.
const NOW: &str = "statement_timestamp()";

// $1 how many rows.
const SWEEP: &str = r"
with over as (
    select key from $table where sweep_at <= $now and expires_at <= $now
    order by sweep_at limit $1
    for update skip locked
)
delete from $table as c using over where c.key = over.key
";

const FAILED: i16 = 2;
const DONE: i16 = 3;
const MAX_CONTENTS: i64 = Claim::MAX_CONTENTS as i64;
const MAX_NAME: usize = 40;
const MAX_TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(320);
const SWEEP_BATCH: i64 = 256;
const CLAIMS_PER_SWEEP: u32 = 64;
/// How long a statement may take, also if nobody waits for it any more.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a claim that was given up may still take effect and is then withdrawn.
const LONGEST_STATEMENT: Duration = Duration::from_secs(60);
const TURNS_PER_CONNECTION: u32 = 4;
const SWEEP_TIMEOUT: Duration = Duration::from_secs(10);
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK: &str = "40P01";
const DISK_FULL: &str = "53100";
const READ_ONLY: &str = "25006";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_a_statement_that_has_ended() {
        let claiming = Arc::new(Claiming::default());
        let (one, other) = ([1; 16], [2; 16]);
        let running = [(one, 1), (other, 1)].map(|attempt| Arc::clone(&claiming).begin(attempt));
        let kept = || claiming.0.borrow().clone();
        assert_eq!(kept(), [(one, 1), (other, 1)]);
        let [first, second] = running;
        drop(first);
        assert_eq!(kept(), [(other, 1)]);
        drop(second);
        assert!(kept().is_empty());
    }

    #[test]
    fn an_error_of_the_database_is_the_source() {
        let error = DoneInError::from(sqlx::Error::PoolClosed);
        assert_eq!(error.to_string(), "the claim could not be recorded as done");
        assert!(error.source().is_some_and(|source| source.is::<sqlx::Error>()));
        assert!(DoneInError::ClaimLost.source().is_none());
    }
}
