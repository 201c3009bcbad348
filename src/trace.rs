//! What the layer tells `tracing` and `metrics`; nothing, and at no cost, without these features.

pub(crate) use self::report::Trace;

#[cfg(any(feature = "tracing", feature = "metrics"))]
mod report {
    use crate::{Delivery, DeliveryId, Metadata, Rejection};
    use std::{
        borrow::Cow,
        time::{Duration, Instant, SystemTime},
    };

    /// One request on its way. Dropped between [`called`](Self::called) and [`ended`](Self::ended),
    /// it counts as dropped.
    pub(crate) struct Trace {
        provider: &'static str,
        since: Instant,
        called: bool,
        #[cfg(feature = "tracing")]
        attempt: u32,
        read: Option<Read>,
        learnt: Option<Learnt>,
        #[cfg(feature = "tracing")]
        delivery_id: Option<DeliveryId>,
        #[cfg(feature = "metrics")]
        checked: &'static str,
        #[cfg(feature = "tracing")]
        span: tracing::Span,
    }

    /// A body that was read.
    #[derive(Clone, Copy)]
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    struct Read {
        len: usize,
        took: Duration,
    }

    /// What authentication learnt of it.
    #[derive(Clone, Copy)]
    #[cfg_attr(not(feature = "tracing"), allow(dead_code))]
    struct Learnt {
        /// Kinds taken from a body are unbounded, so they share the label `other`.
        label: &'static str,
        key_index: usize,
    }

    impl Trace {
        pub(crate) fn start(provider: &'static str) -> Self {
            Self {
                provider,
                since: Instant::now(),
                called: false,
                #[cfg(feature = "tracing")]
                attempt: 0,
                read: None,
                learnt: None,
                #[cfg(feature = "tracing")]
                delivery_id: None,
                #[cfg(feature = "metrics")]
                checked: crate::replay::ReplayCheck::Unguarded.as_str(),
                #[cfg(feature = "tracing")]
                span: tracing::Span::none(),
            }
        }

        pub(crate) fn body_read(&mut self, len: usize) {
            let took = self.since.elapsed();
            #[cfg(feature = "metrics")]
            metrics::histogram!(super::metric_names::READ_SECONDS, "provider" => self.provider)
                .record(took);
            self.read = Some(Read { len, took });
        }

        pub(crate) fn authentic<E>(&mut self, delivery: &Delivery<E>, now: SystemTime) {
            #[cfg(feature = "metrics")]
            if let Some(signed_at) = delivery.proof.signed_at {
                metrics::histogram!(super::metric_names::AGE_SECONDS, "provider" => self.provider)
                    .record(crate::Age::between(signed_at, now).as_secs_f64());
            }
            let _ = now;
            let label = match delivery.kind {
                Cow::Borrowed(kind) => kind,
                Cow::Owned(_) => "other",
            };
            self.learnt = Some(Learnt { label, key_index: delivery.proof.key_index });
        }

        pub(crate) fn identified(&mut self, delivery_id: Option<DeliveryId>) {
            #[cfg(feature = "tracing")]
            {
                self.delivery_id = delivery_id;
            }
            let _ = delivery_id;
        }

        /// A request was refused.
        pub(crate) fn refused(&self, rejection: &Rejection) {
            #[cfg(feature = "metrics")]
            self.count_refusal(rejection.kind());
            #[cfg(feature = "tracing")]
            self.log_refusal(rejection);
            let _ = rejection;
        }

        #[cfg(feature = "metrics")]
        fn count_refusal(&self, kind: crate::RejectionKind) {
            use super::metric_names::{REJECTIONS, REPLAYS};
            use crate::RejectionKind;

            metrics::counter!(REJECTIONS, "provider" => self.provider, "reason" => kind.as_str())
                .increment(1);
            let replay = match kind {
                RejectionKind::Conflict => "conflict",
                RejectionKind::InFlight => "in_flight",
                RejectionKind::TooManyContents => "too_many_contents",
                RejectionKind::StoreFull => "full",
                RejectionKind::StoreUnavailable => "unavailable",
                _ => return,
            };
            metrics::counter!(REPLAYS, "provider" => self.provider, "outcome" => replay)
                .increment(1);
        }

        #[cfg(feature = "tracing")]
        fn log_refusal(&self, rejection: &Rejection) {
            use crate::RejectionKind;

            // serde's message quotes the payload; where it stopped does not.
            let json = std::error::Error::source(rejection)
                .and_then(|source| source.downcast_ref::<serde_json::Error>());
            macro_rules! log {
                ($level:ident) => {
                    tracing::$level!(
                        target: super::TARGET,
                        provider = self.provider,
                        reason = rejection.kind().as_str(),
                        status = rejection.status().as_u16(),
                        detail = rejection.detail(),
                        kind = self.learnt.map(|learnt| learnt.label),
                        key_index = self.learnt.map(|learnt| learnt.key_index),
                        delivery_id = self.delivery_id.map(tracing::field::display),
                        age_ms = rejection.age().map(crate::Age::as_millis),
                        json_error = json.map(|error| tracing::field::debug(error.classify())),
                        json_line = json.map(serde_json::Error::line),
                        json_column = json.map(serde_json::Error::column),
                        body_len = self.read.map(|read| read.len),
                        read_ms = self.read.map(|read| super::millis(read.took)),
                        "webhook refused"
                    )
                };
            }
            match rejection.kind() {
                RejectionKind::AppliedTwice => {
                    log!(error);
                    tracing::error!(
                        target: super::TARGET,
                        provider = self.provider,
                        "the webhook layer is applied twice to one route: remove one of them"
                    );
                }
                // What was authentic is lost if its sender does not try again.
                RejectionKind::StoreFull | RejectionKind::StoreUnavailable => log!(error),
                RejectionKind::ReadBudget => log!(warn),
                // Whoever captured a signature can send it with many bodies.
                RejectionKind::TooManyContents => log!(debug),
                _ if self.learnt.is_some() => log!(info),
                // Whatever strangers send.
                _ => log!(debug),
            }
        }

        /// What was delivered before was sent again.
        pub(crate) fn repeated(&self) {
            let provider = self.provider;
            #[cfg(feature = "metrics")]
            metrics::counter!(
                super::metric_names::REPLAYS, "provider" => provider, "outcome" => "repeated"
            )
            .increment(1);
            #[cfg(feature = "tracing")]
            tracing::info!(
                target: super::TARGET,
                provider,
                delivery_id = self.delivery_id.map(tracing::field::display),
                "webhook sent again after it was delivered"
            );
            let _ = provider;
        }

        /// The inner service's turn begins.
        pub(crate) fn called(&mut self, metadata: &Metadata) {
            let checked = metadata.checked.as_str();
            #[cfg(feature = "tracing")]
            {
                self.attempt = metadata.attempt;
                self.span = tracing::info_span!(
                    target: super::TARGET,
                    "webhook",
                    provider = self.provider,
                    kind = &*metadata.kind,
                    key_index = metadata.key_index,
                    delivery_id = self.delivery_id.map(tracing::field::display),
                    attempt = metadata.attempt,
                    checked,
                    body_len = self.read.map(|read| read.len),
                    read_ms = self.read.map(|read| super::millis(read.took)),
                );
            }
            #[cfg(feature = "metrics")]
            {
                self.checked = checked;
            }
            let _ = checked;
            self.misfits(&metadata.misfits);
            self.since = Instant::now();
            self.called = true;
        }

        /// Some members are not of their documented type: the provider's documentation or this
        /// crate is out of date.
        fn misfits(&self, misfits: &crate::Misfits) {
            if misfits.is_empty() {
                return;
            }
            #[cfg(feature = "metrics")]
            {
                let kind = self.learnt.map_or("other", |learnt| learnt.label);
                metrics::counter!(
                    super::metric_names::MISFITS, "provider" => self.provider, "kind" => kind
                )
                .increment(misfits.len() as u64);
            }
            #[cfg(feature = "tracing")]
            {
                let paths: Vec<_> = misfits.iter().map(crate::Misfit::path).collect();
                tracing::warn!(
                    target: super::TARGET,
                    parent: &self.span,
                    misfits = paths.join(", "),
                    "members of a webhook are not of their documented type"
                );
            }
        }

        /// Runs what belongs to the delivery inside its span.
        pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
            #[cfg(feature = "tracing")]
            let _entered = self.span.enter();
            act()
        }

        /// The inner service's turn is over.
        pub(crate) fn ended(&mut self, done: bool) {
            self.called = false;
            self.count(if done { "done" } else { "failed" });
        }

        fn count(&self, outcome: &'static str) {
            let took = self.since.elapsed();
            #[cfg(feature = "metrics")]
            {
                use super::metric_names::{DELIVERIES, HANDLER_SECONDS};

                let kind = self.learnt.map_or("other", |learnt| learnt.label);
                metrics::counter!(
                    DELIVERIES,
                    "provider" => self.provider,
                    "kind" => kind,
                    "checked" => self.checked,
                    "outcome" => outcome
                )
                .increment(1);
                metrics::histogram!(HANDLER_SECONDS, "provider" => self.provider).record(took);
            }
            #[cfg(feature = "tracing")]
            if outcome == "done" {
                let handler_ms = super::millis(took);
                tracing::debug!(
                    target: super::TARGET,
                    parent: &self.span,
                    outcome,
                    handler_ms,
                    "webhook delivered"
                );
            } else {
                // With the span's fields: a filter that lets warnings through may have left the
                // span out.
                tracing::warn!(
                    target: super::TARGET,
                    parent: &self.span,
                    provider = self.provider,
                    kind = self.learnt.map(|learnt| learnt.label),
                    attempt = self.attempt,
                    delivery_id = self.delivery_id.map(tracing::field::display),
                    outcome,
                    handler_ms = super::millis(took),
                    "the handler of a webhook failed"
                );
            }
            let _ = (took, outcome);
        }
    }

    impl Drop for Trace {
        fn drop(&mut self) {
            if self.called {
                self.count("dropped");
            }
        }
    }
}

#[cfg(not(any(feature = "tracing", feature = "metrics")))]
mod report {
    use crate::{Delivery, DeliveryId, Metadata, Rejection};
    use std::time::SystemTime;

    pub(crate) struct Trace;

    impl Trace {
        pub(crate) fn start(_: &'static str) -> Self {
            Self
        }

        pub(crate) fn body_read(&mut self, _: usize) {}

        pub(crate) fn authentic<E>(&mut self, _: &Delivery<E>, _: SystemTime) {}

        pub(crate) fn identified(&mut self, _: Option<DeliveryId>) {}

        pub(crate) fn refused(&self, _: &Rejection) {}

        pub(crate) fn repeated(&self) {}

        pub(crate) fn called(&mut self, _: &Metadata) {}

        pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
            act()
        }

        pub(crate) fn ended(&mut self, _: bool) {}
    }
}

/// A signature over the URL is wrong: the usual cause is a proxy, and a public URL that is not the
/// sender's.
#[cfg_attr(not(feature = "full"), allow(dead_code, reason = "not every scheme signs the URL"))]
pub(crate) fn signed_here(url: &str) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: TARGET,
        url = format_args!("{url:.1024}"),
        "the signature is not over this URL"
    );
    let _ = url;
}

/// So many more bytes of bodies are held, or fewer.
pub(crate) fn reading(bytes: f64) {
    #[cfg(feature = "metrics")]
    metrics::gauge!(metric_names::READ_BYTES).increment(bytes);
    let _ = bytes;
}

#[cfg(feature = "tracing")]
fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(feature = "tracing")]
pub(crate) const TARGET: &str = "tower_webhooks";

/// The names of the metrics, for dashboards and alerts.
///
/// | name | type | labels | counts |
/// | --- | --- | --- | --- |
/// | `webhooks_deliveries_total` | counter | `provider`, `kind`, `checked` = [`ReplayCheck::as_str`](crate::replay::ReplayCheck::as_str), `outcome` = `done`, `failed`, `dropped` | calls of the inner service |
/// | `webhooks_rejections_total` | counter | `provider`, `reason` = [`RejectionKind::as_str`](crate::RejectionKind::as_str) | refused requests |
/// | `webhooks_replays_total` | counter | `provider`, `outcome` = `repeated`, `in_flight`, `conflict`, `too_many_contents`, `full`, `unavailable` | what the replay guard kept from the inner service |
/// | `webhooks_store_errors_total` | counter | `provider`, `operation` = `claim`, `renew`, `finish` | failed calls of the shared store |
/// | `webhooks_misfits_total` | counter | `provider`, `kind` | delivered members that did not fit their documented type |
/// | `webhooks_store_seconds` | histogram | `provider`, `operation` | how long a call of the shared store took |
/// | `webhooks_leases_lost_total` | counter | `provider`, `operation` = `renew`, `finish` | claims that were no longer the attempt's own: another process may have delivered too |
/// | `webhooks_outcomes_waiting` | gauge | `provider` | outcomes that the shared store has not heard of yet |
/// | `webhooks_outcomes_lost_total` | counter | `provider` | acknowledged deliveries that it will never hear of |
/// | `webhooks_claims`, `webhooks_claims_capacity` | gauge | `provider` | the memory store's claims and room, as of the last delivery |
/// | `webhooks_answers_dropped_total` | counter | `provider` | kept answers that gave way to newer ones |
/// | `webhooks_read_bytes` | gauge | | bytes of bodies that are being read, against all read budgets |
/// | `webhooks_age_seconds` | histogram | `provider` | how old the signed time of what was accepted was; negative if it was ahead of this clock |
/// | `webhooks_read_seconds` | histogram | `provider` | how long a body took to arrive |
/// | `webhooks_handler_seconds` | histogram | `provider` | how long the inner service took |
///
/// All label values come from fixed sets: nothing that a stranger sends makes a new series. A
/// `kind` that was taken from a body is `other`.
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
    /// Delivered members that did not fit their documented type.
    pub const MISFITS: &str = "webhooks_misfits_total";
    /// How long a call of the shared store took, in seconds.
    pub const STORE_SECONDS: &str = "webhooks_store_seconds";
    /// Claims that were no longer the attempt's own.
    pub const LEASES_LOST: &str = "webhooks_leases_lost_total";
    /// Outcomes that the shared store has not heard of yet.
    pub const OUTCOMES_WAITING: &str = "webhooks_outcomes_waiting";
    /// Acknowledged deliveries that the shared store will never hear of.
    pub const OUTCOMES_LOST: &str = "webhooks_outcomes_lost_total";
    /// Claims in the memory store.
    pub const CLAIMS: &str = "webhooks_claims";
    /// How many claims the memory store takes.
    pub const CLAIMS_CAPACITY: &str = "webhooks_claims_capacity";
    /// Kept answers that gave way to newer ones.
    pub const ANSWERS_DROPPED: &str = "webhooks_answers_dropped_total";
    /// Bytes of bodies that are being read.
    pub const READ_BYTES: &str = "webhooks_read_bytes";
    /// How old the signed time of what was accepted was, in seconds: a clock that goes wrong shows
    /// here before it refuses.
    pub const AGE_SECONDS: &str = "webhooks_age_seconds";
    /// How long a body took to arrive, in seconds.
    pub const READ_SECONDS: &str = "webhooks_read_seconds";
    /// How long the inner service took, in seconds.
    pub const HANDLER_SECONDS: &str = "webhooks_handler_seconds";
}
