//! The handler of every route: prints an event as one line of JSON, and fails or waits if a test
//! asks for it.

use crate::{
    output::{self, say},
    page::Note,
    settings::Settings,
};
use axum::{
    extract::State,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex},
};
use tower_webhooks::{
    DeliveryId, Misfit, Verified,
    replay::{ReplayCheck, ReplayedResponse},
    vobiz::voice,
};

#[derive(Serialize)]
struct Line<'a, E> {
    provider: &'a str,
    kind: &'a str,
    covers: &'a str,
    attempt: u32,
    misfits: Vec<&'a str>,
    event: &'a E,
    id: Option<DeliveryId>,
}

/// What the handlers share.
#[derive(Clone)]
pub struct Handlers {
    settings: Arc<Settings>,
    unguarded: Arc<Mutex<HashMap<u64, u32>>>,
}

impl Handlers {
    pub fn new(settings: Settings) -> Self {
        Self { settings: Arc::new(settings), unguarded: Arc::default() }
    }

    /// Prints the event, notes it for the page, and returns the status that the settings ask for.
    pub async fn take<E: Serialize>(&self, event: &Verified<E>, note: Note) -> StatusCode {
        let printed = output::print(|| {
            note.delivered(event);
            Ok(line(event)?)
        });
        if let Err(error) = printed.await {
            say(format_args!("an event could not be printed: {error}"));
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        if !self.settings.delay.is_zero() {
            tokio::time::sleep(self.settings.delay).await;
        }
        let unlucky = self.settings.fail_rate > 0.0 && fastrand::f64() < self.settings.fail_rate;
        if unlucky || self.attempt(event) <= self.settings.fail_first {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
        StatusCode::OK
    }

    /// If the scheme has no signature to count attempts by, the body is used instead.
    fn attempt<E>(&self, event: &Verified<E>) -> u32 {
        if event.metadata().checked != ReplayCheck::Unguarded || self.settings.fail_first == 0 {
            return event.metadata().attempt;
        }
        let mut hash = DefaultHasher::new();
        event.body().hash(&mut hash);
        let mut counts = self.unguarded.lock().unwrap();
        let count = counts.entry(hash.finish()).or_default();
        *count += 1;
        *count
    }
}

pub async fn deliver<E: Serialize>(
    State(handlers): State<Handlers>,
    note: Note,
    event: Verified<E>,
) -> StatusCode {
    handlers.take(&event, note).await
}

/// The answer to `StartApp` controls the call, so a repeat must get the same answer.
pub async fn deliver_call(
    State(handlers): State<Handlers>,
    note: Note,
    event: Verified<voice::Event>,
) -> Response {
    let status = handlers.take(&event, note).await;
    match &*event {
        voice::Event::StartApp(_) if status.is_success() => {
            ReplayedResponse::new(HeaderValue::from_static("application/xml"), ANSWER)
                .into_response()
        }
        _ => status.into_response(),
    }
}

const ANSWER: &str =
    r#"<?xml version="1.0" encoding="UTF-8"?><Response><Speak>Hello.</Speak><Hangup/></Response>"#;

fn line<E: Serialize>(event: &Verified<E>) -> serde_json::Result<Vec<u8>> {
    let metadata = event.metadata();
    let line = Line {
        // The sender without its scheme: `geelark.token` is `geelark`.
        provider: metadata.provider.split('.').next().unwrap_or_default(),
        kind: &metadata.kind,
        covers: metadata.covers.as_str(),
        attempt: metadata.attempt,
        misfits: metadata.misfits.iter().map(Misfit::path).collect(),
        event: &**event,
        id: metadata.delivery_id,
    };
    let mut line = serde_json::to_vec(&line)?;
    // JSON that is kept as it came may span lines. Inside a JSON string a line break is always
    // escaped.
    line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.push(b'\n');
    Ok(line)
}
