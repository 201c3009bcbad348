//! Reports to `tracing` and `metrics`; does nothing without these features.

use super::{MemoryStore, StoreError};
use std::{sync::atomic::AtomicBool, time::Instant};

#[cfg(feature = "metrics")]
use crate::trace::metric_names::{
    ANSWERS_DROPPED, CLAIMS, CLAIMS_CAPACITY, LEASES_LOST, OUTCOMES_LOST, OUTCOMES_WAITING,
    STORE_ERRORS, STORE_SECONDS,
};

/// The name of a call of a shared store, in metrics and logs.
pub(super) type Operation = &'static str;
pub(super) const CLAIM: Operation = "claim";
pub(super) const RENEW: Operation = "renew";
pub(super) const FINISH: Operation = "finish";

/// Reports the memory store's size after a claim.
pub(super) fn claims(provider: &'static str, store: &MemoryStore, is_high: &AtomicBool) {
    #[cfg(feature = "metrics")]
    {
        metrics::gauge!(CLAIMS, "provider" => provider).set(store.len() as f64);
        metrics::gauge!(CLAIMS_CAPACITY, "provider" => provider).set(store.capacity() as f64);
        metrics::counter!(ANSWERS_DROPPED, "provider" => provider)
            .absolute(store.answers_dropped());
    }
    #[cfg(feature = "tracing")]
    {
        use std::sync::atomic::Ordering::Relaxed;
        let (claims, capacity) = (store.len(), store.capacity());
        let is_over =
            |percent: usize| claims.saturating_mul(100) > capacity.saturating_mul(percent);
        let was_high = is_high.load(Relaxed);
        if is_over(80) && !was_high && !is_high.swap(true, Relaxed) {
            tracing::warn!(
                target: TARGET,
                provider,
                claims,
                capacity,
                "the memory store is filled to more than 80 %"
            );
        }
        if was_high && !is_over(70) {
            is_high.store(false, Relaxed);
        }
    }
    let _ = (provider, store, is_high);
}

/// Reports a call of the shared store.
pub(super) fn store_called(
    provider: &'static str,
    operation: Operation,
    since: Instant,
    error: Option<&StoreError>,
) {
    #[cfg(feature = "metrics")]
    {
        metrics::histogram!(STORE_SECONDS, "provider" => provider, "operation" => operation)
            .record(since.elapsed());
        if error.is_some() {
            metrics::counter!(STORE_ERRORS, "provider" => provider, "operation" => operation)
                .increment(1);
        }
    }
    #[cfg(feature = "tracing")]
    if let Some(error) = error {
        let cause = causes(error);
        tracing::warn!(
            target: TARGET,
            provider,
            operation,
            cause,
            "a call of the replay store failed"
        );
    }
    let _ = (provider, operation, since, error);
}

/// Reports that this attempt no longer holds its claim in the shared store.
pub(super) fn lease_lost(provider: &'static str, operation: Operation) {
    #[cfg(feature = "metrics")]
    metrics::counter!(LEASES_LOST, "provider" => provider, "operation" => operation).increment(1);
    #[cfg(feature = "tracing")]
    tracing::warn!(
        target: TARGET,
        provider,
        operation,
        "the lease is lost: the claim was forgotten, or another process delivers it too"
    );
    let _ = (provider, operation);
}

/// Counts an outcome that waits to be recorded.
pub(super) fn outcome_waits(provider: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(OUTCOMES_WAITING, "provider" => provider).increment(1.0);
    let _ = provider;
}

/// Counts an outcome that waits no more; `lost` is the reason if it counts as lost.
pub(super) fn outcome_over(provider: &'static str, lost: Option<&'static str>) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(OUTCOMES_WAITING, "provider" => provider).decrement(1.0);
    if let Some(why) = lost {
        outcome_lost(provider, why);
    }
    let _ = provider;
}

/// Reports an acknowledged delivery that will never be recorded.
pub(super) fn outcome_lost(provider: &'static str, why: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!(OUTCOMES_LOST, "provider" => provider).increment(1);
    #[cfg(feature = "tracing")]
    tracing::error!(
        target: TARGET,
        provider,
        why,
        "an acknowledged delivery could not be recorded: another process may run it again"
    );
    let _ = (provider, why);
}

/// The messages of a store's error and all its sources. A store keeps credentials out of them.
#[cfg(feature = "tracing")]
fn causes(error: &StoreError) -> String {
    let mut said = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if !said.is_empty() {
            said.push_str(": ");
        }
        said.push_str(&error.to_string());
        cause = error.source();
    }
    said
}

#[cfg(feature = "tracing")]
use crate::trace::TARGET;
