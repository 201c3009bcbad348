//! The handler of every route: one line of JSON for an event.

use axum::http::StatusCode;
use serde::Serialize;
use std::io::Write;
use tower_webhooks::Verified;

#[derive(Serialize)]
struct Line<'a, E> {
    provider: &'a str,
    kind: &'a str,
    covers: &'a str,
    event: &'a E,
}

pub async fn deliver<E: Serialize>(event: Verified<E>) -> StatusCode {
    match print(&event) {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            eprintln!("an event could not be printed: {error}");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn print<E: Serialize>(event: &Verified<E>) -> std::io::Result<()> {
    let facts = event.facts();
    let line = Line { provider: facts.provider, kind: &facts.kind, covers: facts.covers.as_str(), event: &**event };
    let mut line = serde_json::to_vec(&line)?;
    // What is kept as it came may be spread over lines; inside a JSON string a line break is always escaped.
    line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    line.push(b'\n');
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}
