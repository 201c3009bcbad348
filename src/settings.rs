//! What a layer and all services that it wraps share.

use crate::{ReadBudget, clock::Clock, read::Bounds, replay::Guard};
use std::{sync::Arc, time::Duration};

pub(crate) struct Shared<P> {
    pub(crate) provider: Arc<P>,
    pub(crate) settings: Settings,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) bounds: Bounds,
    pub(crate) clock: Clock,
    pub(crate) guard: Guard,
}

impl Settings {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bounds: Bounds {
                limit,
                timeout: Duration::from_secs(10),
                budget: ReadBudget::new(64 << 20),
            },
            clock: Clock::System,
            guard: Guard::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::OutagePolicy;
    use std::collections::BTreeMap;

    /// The table of the guide: each setting's name and its default.
    fn stated() -> BTreeMap<&'static str, &'static str> {
        let page = include_str!("guide/limits_and_retention.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| setting |")).skip(2);
        rows.map_while(|row| row.strip_prefix("| [`"))
            .map(|row| {
                let mut cells = row.split(" | ");
                (cells.next().unwrap().split('`').next().unwrap(), cells.next().unwrap())
            })
            .collect()
    }

    fn bytes(number: usize) -> String {
        match number {
            _ if number % (1 << 20) == 0 => format!("{} MiB", number >> 20),
            _ if number % (1 << 10) == 0 => format!("{} KiB", number >> 10),
            _ => format!("{number} bytes"),
        }
    }

    #[test]
    fn the_defaults_are_those_that_the_guide_states() {
        let Settings { bounds, guard, .. } = &mut Settings::new(1);
        let mut limits = None;
        guard.set_limits(|all| limits = Some(*all));
        let limits = limits.unwrap();
        let hours = guard.retention.as_secs() / 3600;
        assert_eq!(guard.retention, Duration::from_secs(hours * 3600));
        assert_eq!(guard.local.capacity(), 1_000_000);
        let other = crate::replay::MemoryStore::with_capacity(7).unwrap();
        assert_eq!(other.answer_limit(), guard.local.answer_limit());
        assert_eq!(limits.outcomes, 16_384);
        assert!(guard.on && !guard.is_shared());
        assert_eq!(guard.outage, OutagePolicy::Reject);
        let mut stated = stated();
        for (setting, default) in [
            ("read_timeout", format!("{:?}", bounds.timeout).replace('s', " s")),
            ("ReadBudget", format!("{} per layer", bytes(bounds.budget.capacity()))),
            ("retention", format!("{hours} h, for signatures that never expire")),
            ("MemoryStore::with_capacity", "a million claims, 100 MB".to_owned()),
            ("lease", format!("{} s", guard.lease.as_secs())),
            ("store_timeout", format!("{} ms", limits.timeout.as_millis())),
            ("unrecorded_limit", "16,384 outcomes".to_owned()),
            ("replayed_body_limit", bytes(guard.replayed_body_limit)),
            ("MemoryStore::answer_budget", bytes(guard.local.answer_limit())),
        ] {
            assert_eq!(stated.remove(setting), Some(&*default), "{setting}");
        }
        // These two are the providers': see the tests below and of `Window`.
        assert!(stated.remove("body_limit").is_some() && stated.remove("Window").is_some());
        assert!(stated.is_empty(), "{stated:?}");
    }

    #[cfg(feature = "full")]
    #[test]
    fn the_providers_limits_are_those_that_the_guide_states() {
        use crate::{Provider, Window, geelark, stardust, vobiz, zegocloud};

        assert_eq!(stated()["Window"], "300 s back, 60 s ahead");
        let window = Window::new(Duration::from_secs(300), Duration::from_secs(60)).unwrap();
        assert_eq!(Window::default(), window);
        let stated = stated()["body_limit"];
        assert_eq!(stated, "the provider's: 1 MiB; ZEGOCLOUD 256 KiB, Stardust 16 MiB");
        for (limit, size) in [
            (geelark::GeeLark::BODY_LIMIT, "1 MiB"),
            (geelark::GeeLarkToken::BODY_LIMIT, "1 MiB"),
            (vobiz::voice::Voice::BODY_LIMIT, "1 MiB"),
            (vobiz::trunk::Trunk::BODY_LIMIT, "1 MiB"),
            (zegocloud::Zegocloud::BODY_LIMIT, "256 KiB"),
            (stardust::Stardust::BODY_LIMIT, "16 MiB"),
            (stardust::StardustKeyOnly::BODY_LIMIT, "16 MiB"),
        ] {
            assert_eq!(bytes(limit), size);
        }
    }
}
