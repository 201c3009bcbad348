//! Records each request to a provider's route together with its answer.

use super::{
    copy::{Copied, Copying, Shared},
    journal::{Journal, Outcome, Row},
    redact::{self, Text},
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, StatusCode, request::Parts},
    middleware::Next,
    response::Response,
};
use serde::Serialize;
use std::{
    borrow::Cow,
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, atomic::AtomicUsize},
    time::SystemTime,
};
use tower_webhooks::{Age, DeliveryId, Provider, Rejection, Verified, replay::Duplicate};

/// The watched routes, and the headers that carry a credential of any provider: a request for one
/// may be sent to another's route, also while the one has no route.
#[derive(Clone)]
pub struct Watch {
    journal: Arc<Journal>,
    routes: HashMap<String, &'static str>,
    credentials: Vec<&'static str>,
    /// How many bytes of bodies are copied for the page at the moment.
    copied: Arc<AtomicUsize>,
}

impl Watch {
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal, routes: HashMap::new(), credentials: Vec::new(), copied: Arc::default() }
    }

    pub fn add<P: Provider>(&mut self, route: &str) {
        self.routes.insert(route.to_owned(), P::NAME);
    }

    pub fn strike_out<P: Provider>(&mut self) {
        self.credentials.extend_from_slice(P::CREDENTIALS);
    }
}

/// The middleware. It runs outside of the webhook layers.
pub async fn watch(State(watch): State<Arc<Watch>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let Some((route, provider)) = route.and_then(|route| Some((route, *watch.routes.get(route)?)))
    else {
        return next.run(request).await;
    };
    let came = Came {
        provider,
        route: route.to_owned(),
        at: SystemTime::now(),
        line: format!("{} {}", request.method(), request.uri()),
        headers: request.headers().clone(),
        copy: Shared::new(Copied::new(Arc::clone(&watch.copied))),
        delivered: Shared::new(None),
        answered: false,
        watch,
    };
    let (mut head, body) = request.into_parts();
    head.extensions.insert(came.delivered.clone());
    let body = Body::new(Copying::new(body, came.copy.clone()));
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
            headers,
            body: event.body().clone(),
            kind: metadata.kind.chars().take(LONGEST_KIND).collect(),
            attempt: metadata.attempt,
            signed_at: metadata.signed_at,
            delivery_id: metadata.delivery_id,
            delivery: Delivery {
                event: shown(event),
                misfits: metadata
                    .misfits
                    .iter()
                    .map(|misfit| (misfit.path().to_owned(), misfit.expected()))
                    .collect(),
                covers: metadata.covers.as_str(),
                checked: metadata.checked.as_str(),
                key_index: metadata.key_index,
            },
        });
    }
}

struct Delivered {
    /// With the layer's marks on sensitive values.
    headers: HeaderMap,
    body: Bytes,
    kind: String,
    attempt: u32,
    signed_at: Option<SystemTime>,
    delivery_id: Option<DeliveryId>,
    delivery: Delivery,
}

/// What an opened row shows.
#[derive(Serialize)]
struct Detail {
    request: Text,
    headers: Vec<(String, Option<String>)>,
    body: Shown,
    delivery: Option<Delivery>,
}

/// The event; one that its provider does not know may be another's, with that one's signature.
fn shown<E: Serialize>(event: &Verified<E>) -> Option<Text> {
    if event.kind() == "unknown" {
        let (text, cut) = redact::beginning_of_json(&**event)?;
        if let Cow::Owned(shown) = redact::without_signature(&text, cut)? {
            return Some(Text::of(&shown, cut));
        }
    }
    Text::of_json(&**event)
}

#[derive(Serialize)]
struct Delivery {
    event: Option<Text>,
    /// Paths of the members that did not fit, and what was expected.
    misfits: Vec<(String, &'static str)>,
    covers: &'static str,
    checked: &'static str,
    key_index: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Shown {
    Text(Text),
    Nothing { because: &'static str },
}

impl Shown {
    fn body(body: &[u8], cut: bool) -> Self {
        match Text::of_body(body, cut) {
            Some(text) => Self::Text(text),
            None => Self::Nothing {
                because: "It may hold a signature that cannot be told from the rest.",
            },
        }
    }
}

/// What the answer tells about a request that has not reached its handler.
#[derive(Default)]
struct Learnt {
    age: Option<i64>,
    delivery_id: Option<DeliveryId>,
}

/// A request that has no answer yet. If it is dropped, it is recorded as dropped.
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
        let rejection = response.extensions().get::<Rejection>();
        let duplicate = response.extensions().get::<Duplicate>();
        let (outcome, why) = if let Some(rejection) = rejection {
            (Outcome::Refused, Some(rejection.to_string()))
        } else if duplicate.is_some() {
            (Outcome::Repeated, Some("it was acknowledged before".to_owned()))
        } else if delivered && status.is_success() {
            (Outcome::Delivered, None)
        } else {
            (Outcome::Failed, Some(format!("the handler answered {}", status.as_u16())))
        };
        let learnt = Learnt {
            age: rejection.and_then(Rejection::age).map(Age::as_millis),
            delivery_id: duplicate.and_then(|duplicate| duplicate.delivery_id),
        };
        self.write(outcome, Some(status), why, learnt);
    }

    fn write(
        &self,
        outcome: Outcome,
        status: Option<StatusCode>,
        why: Option<String>,
        learnt: Learnt,
    ) {
        let delivered = self.delivered.lock().take();
        let signed_at = delivered.as_ref().and_then(|delivered| delivered.signed_at);
        let delivery_id =
            delivered.as_ref().and_then(|delivered| delivered.delivery_id).or(learnt.delivery_id);
        let row = Row {
            time: millis(SystemTime::UNIX_EPOCH, self.at).unsigned_abs(),
            provider: self.provider,
            route: self.route.clone(),
            kind: delivered.as_ref().map(|delivered| delivered.kind.clone()),
            outcome,
            status: status.map(|status| status.as_u16()),
            why,
            attempt: delivered.as_ref().map(|delivered| delivered.attempt),
            age: signed_at.map(|signed| millis(signed, self.at)).or(learnt.age),
            delivery_id: delivery_id.map(|id| id.to_string()),
            misfits: delivered.as_ref().map(|delivered| delivered.delivery.misfits.len()),
        };
        let (headers, body, delivery) = match delivered {
            Some(Delivered { headers, body, delivery, .. }) => (
                redact::headers(&headers, &self.watch.credentials),
                Shown::body(&body, false),
                Some(delivery),
            ),
            None => {
                let body = match self.copy.lock().seen() {
                    Some((body, whole)) => Shown::body(body, !whole),
                    None => Shown::Nothing { because: "It was not read." },
                };
                (redact::headers(&self.headers, &self.watch.credentials), body, None)
            }
        };
        let request = Text::of(self.line.as_bytes(), false);
        self.watch.journal.add(&row, &Detail { request, headers, body, delivery });
    }
}

impl Drop for Came {
    fn drop(&mut self) {
        if !self.answered {
            let why = "the client went away before the answer".to_owned();
            self.write(Outcome::Dropped, None, Some(why), Learnt::default());
        }
    }
}

/// The time from `start` to `end`, negative if `end` comes first.
fn millis(start: SystemTime, end: SystemTime) -> i64 {
    match end.duration_since(start) {
        Ok(time) => i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
        Err(error) => i64::try_from(error.duration().as_millis()).map_or(i64::MIN, |time| -time),
    }
}

const LONGEST_KIND: usize = 100;
