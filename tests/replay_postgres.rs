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
use tower_webhooks::replay::{Claim, Claimed, Outcome, PostgresStore, RepeatAnswer, ReplayStore};
const LEASE: Duration = Duration::from_secs(15);
const RETENTION: Duration = Duration::from_secs(60);

fn claim(key: u64, content: u8, token: i64) -> Claim {
    lasting(key, content, token, LEASE, RETENTION)
}

fn lasting(key: u64, content: u8, token: i64, lease: Duration, retention: Duration) -> Claim {
    // Spread like a digest: stores may hash with any of the bytes.
    let spread = |salt: u64| (key ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(salt | 1);
    let mut digest = [0; 16];
    digest[..8].copy_from_slice(&spread(0xa5a5_5a5a_1234_8765).to_be_bytes());
    digest[8..].copy_from_slice(&spread(0x1357_9bdf_0246_8ace).to_be_bytes());
    Claim::for_test(digest, [content; 16], token, lease, retention)
}

fn done() -> Outcome {
    Outcome::done(None)
}

async fn transitions(store: impl ReplayStore) {
    // Failed, then again, then done, then repeated.
    assert_eq!(store.claim(claim(1, 1, 10)).await.unwrap(), Claimed::won(1));
    assert!(
        matches!(store.claim(claim(1, 1, 11)).await.unwrap(), Claimed::InFlight { retry_after, .. } if retry_after <= LEASE)
    );
    assert_eq!(store.claim(claim(1, 2, 12)).await.unwrap(), Claimed::Conflict);
    assert!(store.finish(claim(1, 1, 10), Outcome::Failed).await.unwrap());
    assert_eq!(store.claim(claim(1, 2, 13)).await.unwrap(), Claimed::Conflict, "failing keeps the content");
    assert_eq!(store.claim(claim(1, 1, 14)).await.unwrap(), Claimed::won(2));
    assert!(!store.finish(claim(1, 1, 10), done()).await.unwrap(), "an old token finishes nothing");
    assert!(!store.renew(claim(1, 1, 10)).await.unwrap());
    assert!(store.renew(claim(1, 1, 14)).await.unwrap());
    assert!(store.finish(claim(1, 1, 14), done()).await.unwrap());
    assert!(store.finish(claim(1, 1, 14), done()).await.unwrap(), "finishing twice is no error");
    assert!(!store.finish(claim(1, 1, 14), Outcome::Failed).await.unwrap(), "done stays done");
    assert!(!store.renew(claim(1, 1, 14)).await.unwrap());
    assert_eq!(store.claim(claim(1, 1, 15)).await.unwrap(), Claimed::done(None));
    assert_eq!(store.claim(claim(1, 2, 16)).await.unwrap(), Claimed::Conflict);

    // A claim whose answer was lost may be made again under its token.
    assert_eq!(store.claim(claim(2, 1, 20)).await.unwrap(), Claimed::won(1));
    assert!(matches!(store.claim(claim(2, 1, 20)).await.unwrap(), Claimed::Won { .. }));

    // A kept answer comes back to the byte.
    let answer = RepeatAnswer::new(HeaderValue::from_static("application/xml"), &b"<Response/>\0\xff"[..]);
    assert_eq!(store.claim(claim(3, 1, 30)).await.unwrap(), Claimed::won(1));
    assert!(store.finish(claim(3, 1, 30), Outcome::done(Some(answer.clone()))).await.unwrap());
    assert_eq!(store.claim(claim(3, 1, 31)).await.unwrap(), Claimed::done(Some(answer)));

    // Nothing is known of a key that was never claimed.
    assert!(!store.finish(claim(4, 1, 40), done()).await.unwrap());
    assert!(!store.renew(claim(4, 1, 40)).await.unwrap());
}

async fn time_passes(store: impl ReplayStore, wait: impl AsyncFn(u64)) {
    let short = |token| lasting(5, 1, token, Duration::from_secs(2), Duration::from_secs(5));
    assert_eq!(store.claim(short(1)).await.unwrap(), Claimed::won(1));
    wait(1200).await;
    assert!(store.renew(short(1)).await.unwrap());
    wait(1200).await;
    assert!(matches!(store.claim(short(2)).await.unwrap(), Claimed::InFlight { .. }), "the lease was renewed");
    wait(1200).await;
    assert_eq!(store.claim(short(3)).await.unwrap(), Claimed::won(2), "the lease ran out");
    assert!(!store.finish(short(1), done()).await.unwrap(), "the lease was lost");
    assert!(store.finish(short(3), done()).await.unwrap());
    wait(4000).await;
    assert_eq!(store.claim(short(4)).await.unwrap(), Claimed::done(None), "the retention began anew");
    wait(2100).await;
    assert_eq!(store.claim(short(5)).await.unwrap(), Claimed::won(1), "the retention is over");
}

async fn attack_two_copies_race(store: impl ReplayStore, keys: u64) {
    let store = Arc::new(store);
    let won = Arc::new(AtomicUsize::new(0));
    for key in 100..100 + keys {
        let contenders = (0..128).map(|token| {
            let (store, won) = (Arc::clone(&store), Arc::clone(&won));
            tokio::spawn(async move {
                match store.claim(claim(key, 1, token)).await.unwrap() {
                    Claimed::Won { attempt, .. } => {
                        assert_eq!(attempt, 1);
                        won.fetch_add(1, Ordering::Relaxed);
                    }
                    other => assert!(matches!(other, Claimed::InFlight { .. }), "{other:?}"),
                }
            })
        });
        for contender in contenders.collect::<Vec<_>>() {
            contender.await.unwrap();
        }
    }
    assert_eq!(won.load(Ordering::Relaxed) as u64, keys);
}

async fn store(postgres: &Postgres) -> PostgresStore {
    let store = PostgresStore::new(postgres.pool().await);
    store.migrate().await.unwrap();
    store
}

#[tokio::test]
async fn postgres_transitions() {
    let postgres = Postgres::start().await;
    transitions(store(&postgres).await).await;
}

#[tokio::test]
async fn postgres_time_passes() {
    let postgres = Postgres::start().await;
    let wait = async |millis| tokio::time::sleep(Duration::from_millis(millis)).await;
    time_passes(store(&postgres).await, wait).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attack_two_copies_race_in_postgres() {
    let postgres = Postgres::start().await;
    attack_two_copies_race(store(&postgres).await, 20).await;
}
