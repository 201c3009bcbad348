//! Reports to `tracing` and `metrics`; does nothing, at no cost, without these features.

pub(crate) use self::report::Trace;

#[cfg(any(feature = "tracing", feature = "metrics"))]
mod report {
    use crate::{Delivery, DeliveryId, Metadata, Rejection};
    use std::{
        borrow::Cow,
        time::{Duration, Instant, SystemTime},
    };

    /// Reports on one request. If it is dropped between [`called`](Self::called) and
    /// [`ended`](Self::ended), the outcome is `dropped`.
    pub(crate) struct Trace {
        provider: &'static str,
        since: Instant,
        called: bool,
        attempt: u32,
        /// The body's length, and how long it took to arrive.
        read: Option<(usize, Duration)>,
        /// The label of the event's kind and the key's index, once the request is authenticated.
        learnt: Option<(&'static str, usize)>,
        delivery_id: Option<DeliveryId>,
        checked: &'static str,
        #[cfg(feature = "tracing")]
        span: tracing::Span,
    }

    impl Trace {
        pub(crate) fn start(provider: &'static str) -> Self {
            Self {
                provider,
                since: Instant::now(),
                called: false,
                attempt: 0,
                read: None,
                learnt: None,
                delivery_id: None,
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
            self.read = Some((len, took));
        }

        pub(crate) fn authentic<E>(
            &mut self,
            delivery: &Delivery<E>,
            delivery_id: Option<DeliveryId>,
            now: SystemTime,
        ) {
            #[cfg(feature = "metrics")]
            if let Some(signed_at) = delivery.proof.signed_at {
                metrics::histogram!(super::metric_names::AGE_SECONDS, "provider" => self.provider)
                    .record(crate::Age::between(signed_at, now).as_secs_f64());
            }
            let _ = now;
            let label = match delivery.kind {
                Cow::Borrowed(kind) => kind,
                // Kinds taken from a body are unbounded.
                Cow::Owned(_) => "other",
            };
            self.learnt = Some((label, delivery.proof.key_index));
            self.delivery_id = delivery_id;
        }

        /// Reports a refused request.
        pub(crate) fn refused(&self, rejection: &Rejection) {
            #[cfg(feature = "metrics")]
            self.count_refusal(rejection.kind());
            #[cfg(feature = "tracing")]
            self.log_refusal(rejection);
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

            // serde's message quotes the payload; category and position do not.
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
                        kind = self.learnt.map(|(label, _)| label),
                        key_index = self.learnt.map(|(_, key_index)| key_index),
                        delivery_id = self.delivery_id.map(tracing::field::display),
                        age_ms = rejection.age().map(crate::Age::as_millis),
                        json_error = json.map(|error| tracing::field::debug(error.classify())),
                        json_line = json.map(serde_json::Error::line),
                        json_column = json.map(serde_json::Error::column),
                        body_len = self.read.map(|(len, _)| len),
                        read_ms = self.read.map(|(_, took)| super::millis(took)),
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
                // An authentic event is lost if its sender does not retry.
                RejectionKind::StoreFull | RejectionKind::StoreUnavailable => log!(error),
                RejectionKind::ReadBudget if rejection.is_news() => log!(warn),
                // A captured signature can be sent with many bodies.
                RejectionKind::TooManyContents => log!(debug),
                _ if self.learnt.is_some() => log!(info),
                // Anybody can cause these.
                _ => log!(debug),
            }
        }

        /// Reports an acknowledged delivery that was sent again.
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
        }

        /// Opens the delivery's span, before the inner service is asked whether it is ready.
        pub(crate) fn admitted(&mut self, metadata: &Metadata) {
            (self.attempt, self.checked) = (metadata.attempt, metadata.checked.as_str());
            #[cfg(feature = "tracing")]
            {
                self.span = tracing::info_span!(
                    target: super::TARGET,
                    "webhook",
                    provider = self.provider,
                    kind = self.learnt.map(|(label, _)| label),
                    key_index = metadata.key_index,
                    delivery_id = self.delivery_id.map(tracing::field::display),
                    attempt = metadata.attempt,
                    checked = self.checked,
                    body_len = self.read.map(|(len, _)| len),
                    read_ms = self.read.map(|(_, took)| super::millis(took)),
                );
            }
            self.misfits(&metadata.misfits);
            self.since = Instant::now();
        }

        pub(crate) fn called(&mut self) {
            self.since = Instant::now();
            self.called = true;
        }

        /// Reports members that are not of their documented type: the provider's documentation or
        /// this crate is out of date.
        fn misfits(&self, misfits: &crate::Misfits) {
            if misfits.is_empty() {
                return;
            }
            #[cfg(feature = "metrics")]
            {
                let kind = self.learnt.map_or("other", |(label, _)| label);
                metrics::counter!(
                    super::metric_names::MISFITS, "provider" => self.provider, "kind" => kind
                )
                .increment(misfits.len() as u64);
            }
            #[cfg(feature = "tracing")]
            {
                let paths: Vec<_> = misfits.iter().map(crate::Misfit::path).collect();
                // Repeats the span's fields: a filter that passes warnings may have disabled the
                // span.
                tracing::warn!(
                    target: super::TARGET,
                    parent: &self.span,
                    provider = self.provider,
                    kind = self.learnt.map(|(label, _)| label),
                    delivery_id = self.delivery_id.map(tracing::field::display),
                    misfits = paths.join(", "),
                    "members of a webhook are not of their documented type"
                );
            }
        }

        /// Runs `act` inside the delivery's span.
        pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
            #[cfg(feature = "tracing")]
            let _entered = self.span.enter();
            act()
        }

        /// Reports the inner service's outcome.
        pub(crate) fn ended(&mut self, done: bool) {
            self.called = false;
            self.count(if done { "done" } else { "failed" });
        }

        fn count(&self, outcome: &'static str) {
            let took = self.since.elapsed();
            #[cfg(feature = "metrics")]
            {
                use super::metric_names::{DELIVERIES, HANDLER_SECONDS};

                let kind = self.learnt.map_or("other", |(label, _)| label);
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
                // Repeats the span's fields, as above.
                tracing::warn!(
                    target: super::TARGET,
                    parent: &self.span,
                    provider = self.provider,
                    kind = self.learnt.map(|(label, _)| label),
                    attempt = self.attempt,
                    delivery_id = self.delivery_id.map(tracing::field::display),
                    outcome,
                    handler_ms = super::millis(took),
                    "the handler of a webhook failed"
                );
            }
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

        pub(crate) fn authentic<E>(
            &mut self,
            _: &Delivery<E>,
            _: Option<DeliveryId>,
            _: SystemTime,
        ) {
        }

        pub(crate) fn refused(&self, _: &Rejection) {}

        pub(crate) fn repeated(&self) {}

        pub(crate) fn admitted(&mut self, _: &Metadata) {}

        pub(crate) fn called(&mut self) {}

        pub(crate) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
            act()
        }

        pub(crate) fn ended(&mut self, _: bool) {}
    }
}

/// Reports a wrong signature over the URL. The usual cause is a proxy, and a public URL that is not
/// the one the sender calls.
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

/// Adds to the bytes of bodies that are held; a negative number subtracts.
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
/// [What to watch](crate::guide::what_to_watch) says which of them to alert on.
///
/// | name | type | labels | counts |
/// | --- | --- | --- | --- |
/// | `webhooks_deliveries_total` | counter | `provider`, `kind`, `checked` = [`ReplayCheck::as_str`](crate::replay::ReplayCheck::as_str), `outcome` = `done`, `failed`, `dropped` | calls of the inner service; `failed` also if it fails to get ready |
/// | `webhooks_rejections_total` | counter | `provider`, `reason` = [`RejectionKind::as_str`](crate::RejectionKind::as_str) | refused requests |
/// | `webhooks_replays_total` | counter | `provider`, `outcome` = `repeated`, `in_flight`, `conflict`, `too_many_contents`, `full`, `unavailable` | authentic requests that the replay guard did not pass on |
/// | `webhooks_store_errors_total` | counter | `provider`, `operation` = `claim`, `renew`, `finish` | failed calls of the shared store, and claims that got no turn; not the calls that are skipped for a second after three failures |
/// | `webhooks_misfits_total` | counter | `provider`, `kind` | delivered members that did not fit their documented type |
/// | `webhooks_store_seconds` | histogram | `provider`, `operation` | how long a call of the shared store took |
/// | `webhooks_leases_lost_total` | counter | `provider`, `operation` = `renew`, `finish` | claims that an attempt no longer held: another process may have delivered too, or the handler failed or went on after it had committed with `done_in` |
/// | `webhooks_outcomes_waiting` | gauge | `provider` | outcomes that are not recorded in the shared store yet |
/// | `webhooks_outcomes_lost_total` | counter | `provider` | acknowledged deliveries that will never be recorded there |
/// | `webhooks_claims`, `webhooks_claims_capacity` | gauge | `provider` | the memory store's claims and capacity, as of the last delivery |
/// | `webhooks_answers_dropped_total` | counter | `provider` | answers that the memory store dropped for newer ones, as of the last delivery; the same for all providers that share it |
/// | `webhooks_read_bytes` | gauge | | bytes charged to all read budgets |
/// | `webhooks_age_seconds` | histogram | `provider` | age of an authentic request's signed time; negative if it is ahead of the local clock |
/// | `webhooks_read_seconds` | histogram | `provider` | how long a body took to arrive |
/// | `webhooks_handler_seconds` | histogram | `provider` | how long the inner service took |
///
/// All label values come from fixed sets, so no request can create a new series. A `kind` that was
/// taken from a body is `other`. Give the exporter buckets for the histograms: each series of
/// `metrics-exporter-prometheus` is a summary otherwise, which grows to hundreds of KiB.
#[cfg(feature = "metrics")]
pub mod metric_names {
    /// Calls of the inner service.
    pub const DELIVERIES: &str = "webhooks_deliveries_total";
    /// Refused requests.
    pub const REJECTIONS: &str = "webhooks_rejections_total";
    /// Authentic requests that the replay guard did not pass on.
    pub const REPLAYS: &str = "webhooks_replays_total";
    /// Failed calls of the shared store.
    pub const STORE_ERRORS: &str = "webhooks_store_errors_total";
    /// Delivered members that did not fit their documented type.
    pub const MISFITS: &str = "webhooks_misfits_total";
    /// How long a call of the shared store took, in seconds.
    pub const STORE_SECONDS: &str = "webhooks_store_seconds";
    /// Claims that an attempt no longer held.
    pub const LEASES_LOST: &str = "webhooks_leases_lost_total";
    /// Outcomes that are not recorded in the shared store yet.
    pub const OUTCOMES_WAITING: &str = "webhooks_outcomes_waiting";
    /// Acknowledged deliveries that will never be recorded in the shared store.
    pub const OUTCOMES_LOST: &str = "webhooks_outcomes_lost_total";
    /// Claims in the memory store.
    pub const CLAIMS: &str = "webhooks_claims";
    /// The memory store's capacity, in claims.
    pub const CLAIMS_CAPACITY: &str = "webhooks_claims_capacity";
    /// Kept answers dropped for newer ones.
    pub const ANSWERS_DROPPED: &str = "webhooks_answers_dropped_total";
    /// Bytes charged to all read budgets.
    pub const READ_BYTES: &str = "webhooks_read_bytes";
    /// Age of an authentic request's signed time, in seconds: shows a drifting clock before
    /// requests are refused.
    pub const AGE_SECONDS: &str = "webhooks_age_seconds";
    /// How long a body took to arrive, in seconds.
    pub const READ_SECONDS: &str = "webhooks_read_seconds";
    /// How long the inner service took, in seconds.
    pub const HANDLER_SECONDS: &str = "webhooks_handler_seconds";
}
