//! What a layer and all services that it wraps have in common.

use crate::{clock::Clock, read::Budget, replay::Guard};
use std::{sync::Arc, time::Duration};

pub(crate) struct Shared<P> {
    pub(crate) provider: Arc<P>,
    pub(crate) settings: Settings,
}

#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) body_limit: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) budget: Arc<Budget>,
    pub(crate) clock: Clock,
    pub(crate) guard: Guard,
}

impl Settings {
    pub(crate) fn new(body_limit: usize) -> Self {
        Self {
            body_limit,
            read_timeout: Duration::from_secs(10),
            budget: Arc::new(Budget::new(64 << 20)),
            clock: Clock::System,
            guard: Guard::new(),
        }
    }
}
