//! What the layer tells `tracing` and `metrics`; nothing, and at no cost, without these features.

use crate::{Delivery, Rejection, rejection::Kind};
use std::time::Duration;

/// How long something took.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    start: std::time::Instant,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(any(feature = "tracing", feature = "metrics"))]
            start: std::time::Instant::now(),
        }
    }

    #[cfg(any(feature = "tracing", feature = "metrics"))]
    pub(crate) fn elapsed(self) -> Duration {
        self.start.elapsed()
    }

    #[cfg(not(any(feature = "tracing", feature = "metrics")))]
    pub(crate) fn elapsed(self) -> Duration {
        Duration::ZERO
    }
}

/// A body that was read.
#[derive(Clone, Copy)]
pub(crate) struct BodyRead {
    len: usize,
    took: Duration,
    kind: Option<&'static str>,
    key_index: Option<usize>,
}

impl BodyRead {
    /// Adds what was learnt from it.
    pub(crate) fn holding<E>(self, delivery: &Delivery<E>) -> Self {
        Self { kind: Some(fixed(&delivery.kind)), key_index: Some(delivery.key_index), ..self }
    }
}

/// A kind that was taken from a body would make a series of whatever anybody sends.
fn fixed(kind: &Kind) -> &'static str {
    match kind {
        Kind::Borrowed(kind) => kind,
        Kind::Owned(_) => "other",
    }
}

/// A body was read.
pub(crate) fn body_read(provider: &'static str, len: usize, watch: Watch) -> BodyRead {
    let took = watch.elapsed();
    #[cfg(feature = "metrics")]
    metrics::histogram!(READ_SECONDS, "provider" => provider).record(took);
    let _ = provider;
    BodyRead { len, took, kind: None, key_index: None }
}

/// A request was refused.
pub(crate) fn refused(provider: &'static str, rejection: &Rejection, read: Option<BodyRead>) {
    let reason = rejection.kind().as_str();
    #[cfg(feature = "metrics")]
    {
        metrics::counter!(REJECTIONS, "provider" => provider, "reason" => reason).increment(1);
        let replay = match rejection.kind() {
            crate::RejectionKind::Conflict => Some("conflict"),
            crate::RejectionKind::InFlight => Some("in_flight"),
            crate::RejectionKind::StoreFull => Some("full"),
            crate::RejectionKind::StoreUnavailable => Some("unavailable"),
            _ => None,
        };
        if let Some(outcome) = replay {
            metrics::counter!(REPLAYS, "provider" => provider, "outcome" => outcome).increment(1);
        }
    }
    #[cfg(feature = "tracing")]
    {
        // serde's message quotes the payload; where it stopped does not.
        let json = std::error::Error::source(rejection).and_then(|source| source.downcast_ref::<serde_json::Error>());
        tracing::info!(
            target: TARGET,
            provider,
            reason,
            status = rejection.status().as_u16(),
            detail = rejection.detail(),
            kind = read.and_then(|read| read.kind),
            key_index = read.and_then(|read| read.key_index),
            json_error = json.map(|error| tracing::field::debug(error.classify())),
            json_line = json.map(serde_json::Error::line),
            json_column = json.map(serde_json::Error::column),
            body_len = read.map(|read| read.len),
            read_ms = read.map(|read| millis(read.took)),
            "webhook refused"
        );
    }
    let _ = (provider, reason, read.map(|read| (read.len, read.took, read.kind, read.key_index)));
}

/// What was delivered before was sent again.
pub(crate) fn repeated(provider: &'static str) {
    #[cfg(feature = "metrics")]
    metrics::counter!(REPLAYS, "provider" => provider, "outcome" => "repeated").increment(1);
    #[cfg(feature = "tracing")]
    tracing::info!(target: TARGET, provider, "webhook sent again after it was delivered");
    let _ = provider;
}

/// The layer is applied to a request that it has accepted already.
pub(crate) fn applied_twice(provider: &'static str) {
    #[cfg(feature = "tracing")]
    tracing::error!(target: TARGET, provider, "the webhook layer is applied twice to one route: remove one of them");
    let _ = provider;
}

/// A delivery on its way through the inner service. Dropped before its end, it counts as dropped.
pub(crate) struct Observed {
    provider: &'static str,
    kind: Kind,
    watch: Watch,
    ended: bool,
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl Observed {
    pub(crate) fn new<E>(
        provider: &'static str,
        delivery: &Delivery<E>,
        attempt: u32,
        checked: &'static str,
        read: BodyRead,
    ) -> Self {
        #[cfg(feature = "tracing")]
        let span = tracing::info_span!(
            target: TARGET,
            "webhook",
            provider,
            kind = delivery.kind(),
            key_index = delivery.key_index(),
            attempt,
            checked,
            body_len = read.len,
            read_ms = millis(read.took),
        );
        let _ = (attempt, checked, read);
        Self {
            provider,
            kind: delivery.kind.clone(),
            watch: Watch::start(),
            ended: false,
            #[cfg(feature = "tracing")]
            span,
        }
    }

    /// Runs what belongs to the delivery inside its span.
    pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        #[cfg(feature = "tracing")]
        let _entered = self.span.enter();
        act()
    }

    pub(crate) fn ended(&mut self, done: bool) {
        self.ended = true;
        self.count(if done { "done" } else { "failed" });
    }

    fn count(&self, outcome: &'static str) {
        #[cfg(feature = "metrics")]
        {
            let kind = fixed(&self.kind);
            metrics::counter!(DELIVERIES, "provider" => self.provider, "kind" => kind, "outcome" => outcome)
                .increment(1);
            metrics::histogram!(HANDLER_SECONDS, "provider" => self.provider).record(self.watch.elapsed());
        }
        #[cfg(feature = "tracing")]
        tracing::debug!(target: TARGET, parent: &self.span, outcome, handler_ms = millis(self.watch.elapsed()), "webhook delivered");
        let _ = (self.provider, &self.kind, self.watch, outcome);
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        if !self.ended {
            self.count("dropped");
        }
    }
}

#[cfg(feature = "tracing")]
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(feature = "tracing")]
pub(crate) const TARGET: &str = "tower_webhooks";

/// The names of the metrics, for dashboards and alerts.
///
/// | name | type | labels | counts |
/// | --- | --- | --- | --- |
/// | `webhooks_deliveries_total` | counter | `provider`, `kind`, `outcome` = `done`, `failed`, `dropped` | calls of the inner service |
/// | `webhooks_rejections_total` | counter | `provider`, `reason` = [`RejectionKind::as_str`](crate::RejectionKind::as_str) | refused requests |
/// | `webhooks_replays_total` | counter | `provider`, `outcome` = `repeated`, `in_flight`, `conflict`, `full`, `unavailable` | what the replay guard kept from the inner service |
/// | `webhooks_store_errors_total` | counter | `provider`, `operation` = `claim`, `renew`, `finish` | failed calls of the shared store |
/// | `webhooks_store_seconds` | histogram | `provider`, `operation` | how long a call of the shared store took |
/// | `webhooks_leases_lost_total` | counter | `provider`, `operation` = `renew`, `finish` | claims that were no longer the attempt's own: another process may have delivered too |
/// | `webhooks_outcomes_waiting` | gauge | `provider` | outcomes that the shared store has not heard of yet |
/// | `webhooks_outcomes_lost_total` | counter | `provider` | acknowledged deliveries that it will never hear of |
/// | `webhooks_claims`, `webhooks_claims_capacity` | gauge | `provider` | the memory store's claims and room, as of the last delivery |
/// | `webhooks_read_seconds` | histogram | `provider` | how long a body took to arrive |
/// | `webhooks_handler_seconds` | histogram | `provider` | how long the inner service took |
///
/// All label values come from fixed sets: nothing that a stranger sends makes a new series. A `kind` that was taken from
/// a body is `other`.
#[cfg(feature = "metrics")]
pub mod metric_names {
    /// Calls of the inner service.
    pub const DELIVERIES: &str = "webhooks_deliveries_total";
    /// Refused requests.
    pub const REJECTIONS: &str = "webhooks_rejections_total";
    /// What the replay guard kept from the inner service.
    pub const REPLAYS: &str = "webhooks_replays_total";
    /// Failed calls of the shared store.
    pub const STORE_ERRORS: &str = "webhooks_store_errors_total";
    /// How long a call of the shared store took, in seconds.
    pub const STORE_SECONDS: &str = "webhooks_store_seconds";
    /// Claims that the shared store no longer gave to the attempt that held them.
    pub const LEASES_LOST: &str = "webhooks_leases_lost_total";
    /// Outcomes that wait to be recorded in the shared store.
    pub const OUTCOMES_WAITING: &str = "webhooks_outcomes_waiting";
    /// Acknowledged deliveries that the shared store was never told of.
    pub const OUTCOMES_LOST: &str = "webhooks_outcomes_lost_total";
    /// Claims in the memory store.
    pub const CLAIMS: &str = "webhooks_claims";
    /// How many claims the memory store has room for.
    pub const CLAIMS_CAPACITY: &str = "webhooks_claims_capacity";
    /// How long a body took to arrive, in seconds.
    pub const READ_SECONDS: &str = "webhooks_read_seconds";
    /// How long the inner service took, in seconds.
    pub const HANDLER_SECONDS: &str = "webhooks_handler_seconds";
}

#[cfg(feature = "metrics")]
use metric_names::{DELIVERIES, HANDLER_SECONDS, READ_SECONDS, REJECTIONS, REPLAYS};
