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
