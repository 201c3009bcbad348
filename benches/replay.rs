//! The cost of a claim and its finish.

use divan::{Bencher, black_box, counter::ItemsCount};
use futures_util::FutureExt;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tower_webhooks::replay::{Claim, MemoryStore, Outcome, ReplayStore};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
    #[cfg(feature = "redis")]
    if std::env::args().any(|argument| argument == "--bench") {
        in_redis::claims_per_second();
    }
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn claim() -> Claim {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut key = [0; 16];
    key[..8].copy_from_slice(&spread.to_be_bytes());
    key[8..]
        .copy_from_slice(&spread.rotate_left(32).wrapping_mul(0xff51_afd7_ed55_8ccd).to_be_bytes());
    Claim::for_test(key, [1; 16], number as i64, Duration::from_millis(1), Duration::from_millis(1))
}

/// Claims that expire after a second, in a store that has reached its steady state.
#[divan::bench(threads = [1, 2], min_time = 3)]
fn claim_and_finish_in_memory(bencher: Bencher<'_, '_>) {
    static STORE: std::sync::LazyLock<MemoryStore> = std::sync::LazyLock::new(|| {
        let store = MemoryStore::with_capacity(20_000_000).unwrap();
        for _ in 0..4_000_000 {
            let claim = claim();
            store.claim(claim.clone()).now_or_never().unwrap().unwrap();
            store.finish(claim, Outcome::done(None)).now_or_never().unwrap().unwrap();
        }
        store
    });
    let store = &*STORE;
    bencher.counter(ItemsCount::new(1_u32)).with_inputs(claim).bench_values(|claim| {
        black_box(store.claim(claim.clone()).now_or_never());
        black_box(store.finish(claim, Outcome::done(None)).now_or_never());
    });
}

#[cfg(feature = "redis")]
#[path = "../tests/support/redis.rs"]
mod redis;

#[cfg(feature = "redis")]
mod in_redis {
    use super::{claim, redis::Redis};
    use std::time::Instant;
    use tower_webhooks::replay::{RedisStore, ReplayStore};

    /// 64 at a time, against a server on this machine that writes every claim to disk.
    pub fn claims_per_second() {
        let redis = Redis::start();
        let store = RedisStore::new(&redis.url()).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let took = runtime.block_on(async {
            let start = Instant::now();
            let tasks: Vec<_> = (0..64)
                .map(|_| {
                    let store = store.clone();
                    tokio::spawn(async move {
                        for _ in 0..EACH {
                            store.claim(claim()).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            start.elapsed()
        });
        println!(
            "redis: {:.0} claims per second, 64 at a time",
            (64 * EACH) as f64 / took.as_secs_f64()
        );
    }

    const EACH: usize = 500;
}
