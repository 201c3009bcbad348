//! Sees each request to a provider's route come and its answer leave, and writes both down.

use super::{
    journal::{Journal, Outcome, Row},
    redact::{self, LONGEST_TEXT, Text},
};
use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    middleware::Next,
    response::Response,
};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::SystemTime,
};
use tower_webhooks::{Provider, Rejection, Verified, replay::Duplicate};

/// Which routes are watched, and which headers carry a credential on any of them: one provider's may be sent to another.
#[derive(Clone)]
pub struct Watch {
    journal: Arc<Journal>,
    routes: HashMap<String, &'static str>,
    credentials: Vec<&'static str>,
    /// Bytes of bodies that are copied for the page at the moment.
    copied: Arc<AtomicUsize>,
}

impl Watch {
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal, routes: HashMap::new(), credentials: Vec::new(), copied: Arc::default() }
    }

    pub fn add<P: Provider>(&mut self, route: &str) {
        self.routes.insert(route.to_owned(), P::NAME);
        self.credentials.extend_from_slice(P::CREDENTIALS);
    }
}

/// The middleware, outside of the webhook layers.
pub async fn watch(State(watch): State<Arc<Watch>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some((route, provider)) = route.and_then(|route| Some((route, *watch.routes.get(route)?))) else {
        return next.run(request).await;
    };
    let came = Came {
        provider,
        route: route.to_owned(),
        at: SystemTime::now(),
        line: format!("{} {}", request.method(), request.uri()),
        headers: request.headers().clone(),
        copy: Shared::new(Copied { bytes: Vec::new(), cut: false, held: Arc::clone(&watch.copied) }),
        delivered: Shared::new(None),
        answered: false,
        watch,
    };
    let (mut head, body) = request.into_parts();
    head.extensions.insert(came.delivered.clone());
    let body = Body::new(Copying { body, copy: came.copy.clone() });
    let response = next.run(Request::from_parts(head, body)).await;
    came.answered(&response);
    response
}

/// What a handler tells the page.
pub struct Note(Option<(Shared<Option<Delivered>>, HeaderMap)>);

impl<S: Sync> FromRequestParts<S> for Note {
    type Rejection = Infallible;

    async fn from_request_parts(head: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let place = head.extensions.get::<Shared<Option<Delivered>>>().cloned();
        Ok(Self(place.map(|place| (place, head.headers.clone()))))
    }
}

impl Note {
    /// An event has reached its handler.
    pub fn delivered<E: Serialize>(self, event: &Verified<E>) {
        let Some((place, headers)) = self.0 else { return };
        let metadata = event.metadata();
        *place.lock() = Some(Delivered {
            kind: metadata.kind.chars().take(LONGEST_KIND).collect(),
            attempt: metadata.attempt,
            signed_at: metadata.signed_at,
            covers: metadata.covers.as_str(),
            checked: metadata.checked.as_str(),
            key_index: metadata.key_index,
            event: Text::of_json(&**event),
            body: event.body().clone(),
            headers,
        });
    }
}

struct Delivered {
    kind: String,
    attempt: u32,
    signed_at: Option<SystemTime>,
    covers: &'static str,
    checked: &'static str,
    key_index: usize,
    event: Option<Text>,
    body: Bytes,
    /// As the layer has marked them.
    headers: HeaderMap,
}

/// What an opened row shows.
#[derive(Serialize)]
struct Detail {
    request: Text,
    headers: Vec<(String, Option<String>)>,
    /// `None` where it cannot be shown without its credentials.
    body: Option<Text>,
    event: Option<Text>,
    /// Paths of the members that did not fit, and what was expected.
    misfits: Option<Vec<(String, String)>>,
    covers: Option<&'static str>,
    checked: Option<&'static str>,
    key_index: Option<usize>,
}

/// A request on its way; one that is dropped before its answer is written down as that.
struct Came {
    watch: Arc<Watch>,
    provider: &'static str,
    route: String,
    at: SystemTime,
    line: String,
    headers: HeaderMap,
    copy: Shared<Copied>,
    delivered: Shared<Option<Delivered>>,
    answered: bool,
}

impl Came {
    fn answered(mut self, response: &Response) {
        self.answered = true;
        let status = response.status();
        let delivered = self.delivered.lock().is_some();
        let (outcome, why) = if let Some(rejection) = response.extensions().get::<Rejection>() {
            (Outcome::Refused, Some(rejection.to_string()))
        } else if response.extensions().get::<Duplicate>().is_some() {
            (Outcome::Repeated, Some("it was acknowledged before".to_owned()))
        } else if delivered && status.is_success() {
            (Outcome::Delivered, None)
        } else {
            (Outcome::Failed, Some(format!("the handler answered {}", status.as_u16())))
        };
        self.write(outcome, Some(status), why);
    }

    fn write(&self, outcome: Outcome, status: Option<StatusCode>, why: Option<String>) {
        let delivered = self.delivered.lock().take();
        let age = delivered.as_ref().and_then(|delivered| delivered.signed_at).map(|signed| millis(signed, self.at));
        let row = Row {
            time: millis(SystemTime::UNIX_EPOCH, self.at).unsigned_abs(),
            provider: self.provider,
            route: self.route.clone(),
            kind: delivered.as_ref().map(|delivered| delivered.kind.clone()),
            outcome,
            status: status.map(|status| status.as_u16()),
            why,
            attempt: delivered.as_ref().map(|delivered| delivered.attempt),
            age,
            delivery_id: None,
            misfits: None,
        };
        let credentials = &self.watch.credentials;
        let request = Text::of(self.line.as_bytes(), false);
        let detail = match delivered {
            Some(delivered) => Detail {
                request,
                headers: redact::headers(&delivered.headers, credentials),
                body: shown(&delivered.body, false),
                event: delivered.event,
                misfits: None,
                covers: Some(delivered.covers),
                checked: Some(delivered.checked),
                key_index: Some(delivered.key_index),
            },
            None => {
                let copy = self.copy.lock();
                Detail {
                    request,
                    headers: redact::headers(&self.headers, credentials),
                    body: shown(&copy.bytes, copy.cut),
                    event: None,
                    misfits: None,
                    covers: None,
                    checked: None,
                    key_index: None,
                }
            }
        };
        self.watch.journal.add(&row, &detail);
    }
}

impl Drop for Came {
    fn drop(&mut self) {
        if !self.answered {
            self.write(Outcome::Dropped, None, Some("the client went away before the answer".to_owned()));
        }
    }
}

fn shown(body: &[u8], cut: bool) -> Option<Text> {
    redact::without_signature(body).map(|body| Text::of(&body, cut))
}

/// From `start` to `end`, negative if `end` comes first.
fn millis(start: SystemTime, end: SystemTime) -> i64 {
    match end.duration_since(start) {
        Ok(time) => i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
        Err(error) => i64::try_from(error.duration().as_millis()).map_or(i64::MIN, |time| -time),
    }
}

/// A body that is copied as it is read: the layer keeps none of what it refuses.
struct Copying {
    body: Body,
    copy: Shared<Copied>,
}

impl HttpBody for Copying {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(data) = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()) {
            self.copy.lock().add(data);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Copied {
    bytes: Vec<u8>,
    cut: bool,
    held: Arc<AtomicUsize>,
}

impl Copied {
    /// Keeps what there is room for; strangers share it.
    fn add(&mut self, data: &[u8]) {
        let take = |held| Some(held + data.len()).filter(|held| *held <= MOST_COPIED);
        self.cut = self.cut
            || data.len() + self.bytes.len() > LONGEST_TEXT
            || self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err();
        if !self.cut {
            self.bytes.extend_from_slice(data);
        }
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.held.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

struct Shared<T>(Arc<Mutex<T>>);

impl<T> Shared<T> {
    fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

const LONGEST_KIND: usize = 100;
const MOST_COPIED: usize = 4 << 20;
