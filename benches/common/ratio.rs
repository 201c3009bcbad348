//! The time of one thing as a multiple of another's, measured in one run.

use divan::black_box;
use std::time::{Duration, Instant};

/// Prints how long `accept` takes, and as a multiple of its floor.
///
/// They take turns, so that other load on the machine affects both.
pub fn ratio<A, B>(
    name: &str,
    bytes: usize,
    mut accept: impl FnMut() -> A,
    mut floor: impl FnMut() -> B,
) {
    let (mut accepts, mut floors) = (Vec::new(), Vec::new());
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(2) || accepts.len() < 15 {
        accepts.push(time(&mut accept));
        floors.push(time(&mut floor));
    }
    let (accept, floor) = (median(accepts), median(floors));
    println!(
        "ratio {name} {bytes} B: {accept:.0} ns / floor {floor:.0} ns = {:.2}",
        accept / floor
    );
}

/// Nanoseconds per call, averaged over at least 100 µs.
fn time<T>(call: &mut impl FnMut() -> T) -> f64 {
    let started = Instant::now();
    let mut calls = 0_u32;
    while calls == 0 || started.elapsed() < Duration::from_micros(100) {
        for _ in 0..8 {
            black_box(call());
        }
        calls += 8;
    }
    started.elapsed().as_nanos() as f64 / f64::from(calls)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Whether to measure: `cargo test --benches` runs these files too.
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}
