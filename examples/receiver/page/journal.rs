//! The page's latest rows, bounded in number and in bytes, for any number of readers.

use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use serde::Serialize;
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tokio::{sync::watch, time::sleep};

/// How a request ended.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The handler answered with a 2xx.
    Delivered,
    /// The handler answered with anything else.
    Failed,
    /// The layer answered, because the delivery had been acknowledged before.
    Repeated,
    /// The layer refused it.
    Refused,
    /// The client disconnected before it had an answer.
    Dropped,
}

/// What the table shows of a request.
#[derive(Serialize)]
pub struct Row {
    /// When it came, in milliseconds since 1970.
    pub time: u64,
    pub provider: &'static str,
    pub route: String,
    pub kind: Option<String>,
    pub outcome: Outcome,
    pub status: Option<u16>,
    pub why: Option<String>,
    pub attempt: Option<u32>,
    /// How long before its arrival it was signed, in milliseconds; negative if the sender's clock
    /// is ahead.
    pub age: Option<i64>,
    pub delivery_id: Option<String>,
    /// How many members did not fit.
    pub misfits: Option<usize>,
}

/// The requests that the receiver has answered.
pub struct Journal {
    /// Distinguishes this process from an earlier one on the same address.
    run: u128,
    kept: Mutex<Kept>,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Kept {
    entries: VecDeque<Entry>,
    bytes: usize,
    totals: Totals,
}

struct Entry {
    id: u64,
    row: Arc<str>,
    detail: Arc<str>,
}

#[derive(Clone, Copy, Default, Serialize)]
struct Totals {
    delivered: u64,
    failed: u64,
    repeated: u64,
    refused: u64,
    dropped: u64,
}

#[derive(Clone, Copy)]
struct Progress {
    last: u64,
    closed: bool,
}

impl Journal {
    pub fn new() -> Self {
        let run =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self {
            run,
            kept: Mutex::default(),
            progress: watch::Sender::new(Progress { last: 0, closed: false }),
        }
    }

    /// Adds a request; the oldest ones are dropped to make room for it.
    pub fn add(&self, row: &Row, detail: &impl Serialize) {
        let (Ok(json), Ok(detail)) = (serde_json::to_string(row), serde_json::to_string(detail))
        else {
            return;
        };
        let mut kept = self.kept();
        let total = match row.outcome {
            Outcome::Delivered => &mut kept.totals.delivered,
            Outcome::Failed => &mut kept.totals.failed,
            Outcome::Repeated => &mut kept.totals.repeated,
            Outcome::Refused => &mut kept.totals.refused,
            Outcome::Dropped => &mut kept.totals.dropped,
        };
        *total += 1;
        let id = self.progress.borrow().last + 1;
        let entry = Entry { id, row: json.into(), detail: detail.into() };
        kept.bytes += entry.bytes();
        kept.entries.push_back(entry);
        while kept.entries.len() > MOST_ROWS || kept.bytes > MOST_BYTES {
            let Some(oldest) = kept.entries.pop_front() else { break };
            kept.bytes -= oldest.bytes();
        }
        // Still under the lock, so that ids are in order.
        self.progress.send_modify(|progress| progress.last = id);
    }

    /// What an opened row shows, as JSON.
    pub fn detail(&self, id: u64) -> Option<String> {
        let kept = self.kept();
        let place = kept.entries.binary_search_by_key(&id, |entry| entry.id).ok()?;
        kept.entries.get(place).map(|entry| entry.detail.to_string())
    }

    /// The kept rows, oldest first, and then new ones as they come. Rows up to `last_event_id`,
    /// which the page already has, are left out.
    ///
    /// A reader takes rows at its own pace, and misses those that are dropped in the meantime.
    pub fn follow(
        self: Arc<Self>,
        last_event_id: Option<&str>,
    ) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let seen = last_event_id
            .and_then(|id| id.split_once('-'))
            .filter(|(run, _)| *run == self.run.to_string());
        let seen = seen.and_then(|(_, id)| id.parse().ok()).unwrap_or(0);
        let start = Event::default().event("start").data(self.run.to_string());
        let progress = self.progress.subscribe();
        let reader = Reader {
            journal: self,
            progress,
            seen,
            ready: VecDeque::from([start]),
            started: false,
        };
        stream::unfold(reader, async |mut reader| Some((Ok(reader.next().await?), reader)))
    }

    pub fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.row.len() + self.detail.len()
    }
}

struct Reader {
    journal: Arc<Journal>,
    progress: watch::Receiver<Progress>,
    seen: u64,
    ready: VecDeque<Event>,
    started: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.started {
                // Rows may come fast; the page gets them in a few batches.
                sleep(BATCH).await;
                self.progress.changed().await.ok()?;
            }
            self.started = true;
            if self.progress.borrow_and_update().closed {
                return None;
            }
            let kept = self.journal.kept();
            let seen = self.seen;
            for entry in kept.entries.iter().filter(|entry| entry.id > seen) {
                self.seen = entry.id;
                let id = format!("{}-{}", self.journal.run, entry.id);
                self.ready.push_back(Event::default().id(id).data(&entry.row));
            }
            let totals = serde_json::to_string(&kept.totals).unwrap_or_default();
            self.ready.push_back(Event::default().event("totals").data(totals));
        }
    }
}

const MOST_ROWS: usize = 500;
const MOST_BYTES: usize = 3 << 20;
const BATCH: Duration = Duration::from_millis(100);
