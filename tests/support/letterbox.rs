//! A provider, bodies and services whose every step can be watched.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt,
    future::{Future, Ready, ready},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::SystemTime,
};
use tower::Service;
use tower_webhooks::{Covers, Delivery, Proof, Provider, Rejection, RejectionKind, exactly_one};

/// Accepts `x-stamp: paid`. The event is the body's text; a body that starts with `forged` is not
/// authentic.
#[derive(Clone, Copy, Debug)]
pub struct Letterbox;

pub static STAMP: HeaderName = HeaderName::from_static("x-stamp");
pub static COSIGN: HeaderName = HeaderName::from_static("x-cosign");

impl Provider for Letterbox {
    const NAME: &'static str = "letterbox";
    const METHODS: &'static [Method] = &[Method::PUT, Method::POST];
    const CREDENTIALS: &'static [&'static str] = &["x-stamp", "x-cosign"];
    type FromHead = ();
    type Event = String;

    fn check_head(&self, head: &request::Parts, _now: SystemTime) -> Result<(), Rejection> {
        match exactly_one(&head.headers, &STAMP)? {
            "paid" => Ok(()),
            _ => Err(Rejection::new(RejectionKind::CredentialWrong)),
        }
    }

    fn check_body(
        &self,
        (): (),
        _head: &request::Parts,
        body: &Bytes,
        _now: SystemTime,
    ) -> Result<Delivery<String>, Rejection> {
        if body.starts_with(b"forged") {
            return Err(Rejection::new(RejectionKind::CredentialWrong));
        }
        let letter = std::str::from_utf8(body)
            .map_err(|error| Rejection::new(RejectionKind::Invalid).with_source(error))?;
        Ok(Delivery::new(letter.to_owned(), "letter", PROOF))
    }
}

/// Of a scheme that says as little as can be.
pub const PROOF: Proof =
    Proof { covers: Covers::Nothing, key_index: 0, signed_at: None, identity: None };

/// A request that the [`Letterbox`] accepts, still without a body.
pub fn paid() -> request::Builder {
    Request::post("/letters").header(&STAMP, "paid")
}

/// What a [`Scripted`] body does at a poll.
#[derive(Clone)]
pub enum Step {
    Data(Bytes),
    Trailers,
    Fail,
    /// Pending once, with the waker woken.
    Pending,
    /// Pending for ever.
    Stall,
    /// The same data for ever, never pending.
    Forever(Bytes),
}

/// A body that follows a script. It never tells before a poll that it has ended.
pub struct Scripted {
    steps: VecDeque<Step>,
    hint: SizeHint,
    probe: Arc<Probe>,
    over: bool,
}

/// What became of a [`Scripted`] body.
#[derive(Debug, Default)]
pub struct Probe {
    polls: AtomicUsize,
    polls_past_the_end: AtomicUsize,
    drops: AtomicUsize,
}

impl Probe {
    pub fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    pub fn polls_past_the_end(&self) -> usize {
        self.polls_past_the_end.load(Ordering::SeqCst)
    }

    pub fn drops(&self) -> usize {
        self.drops.load(Ordering::SeqCst)
    }
}

impl Scripted {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> (Self, Arc<Probe>) {
        let probe = Arc::<Probe>::default();
        let steps = steps.into_iter().collect();
        (Self { steps, hint: SizeHint::new(), probe: Arc::clone(&probe), over: false }, probe)
    }

    pub fn declaring(mut self, bytes: u64) -> Self {
        self.hint = SizeHint::with_exact(bytes);
        self
    }
}

pub fn data(text: &'static str) -> Step {
    Step::Data(Bytes::from_static(text.as_bytes()))
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        this.probe.polls.fetch_add(1, Ordering::SeqCst);
        if this.over {
            this.probe.polls_past_the_end.fetch_add(1, Ordering::SeqCst);
        }
        match this.steps.pop_front() {
            Some(Step::Data(data)) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Some(Step::Trailers) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-trailer", "late".parse().unwrap());
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            Some(Step::Fail) => {
                this.over = true;
                Poll::Ready(Some(Err(Broken)))
            }
            Some(Step::Pending) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Step::Stall) => {
                this.steps.push_front(Step::Stall);
                Poll::Pending
            }
            Some(Step::Forever(data)) => {
                this.steps.push_front(Step::Forever(data.clone()));
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            None => {
                this.over = true;
                Poll::Ready(None)
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.hint
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.probe.drops.fetch_add(1, Ordering::SeqCst);
    }
}

/// The error of a [`Scripted`] body.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body broke")
    }
}

impl std::error::Error for Broken {}

/// An inner service that keeps what it was called with.
#[derive(Clone, Default)]
pub struct Desk {
    requests: Arc<Mutex<Vec<Request<Full<Bytes>>>>>,
}

impl Desk {
    pub fn calls(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// The only request that there was.
    pub fn only(&self) -> Request<Full<Bytes>> {
        let requests = self.requests.lock().unwrap();
        assert_eq!(requests.len(), 1);
        requests[0].clone()
    }
}

impl Service<Request<Full<Bytes>>> for Desk {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        self.requests.lock().unwrap().push(request);
        ready(Ok(Response::new("filed".to_owned())))
    }
}

/// Runs a future to its end without any runtime, and fails where it would sleep for ever.
pub fn run_without_runtime<F: Future>(future: F) -> F::Output {
    let mut task = tokio_test::task::spawn(future);
    loop {
        if let Poll::Ready(output) = task.poll() {
            return output;
        }
        assert!(task.is_woken(), "pending, and nobody will wake it");
    }
}

/// The status and, for a refusal of the layer, its kind.
pub fn outcome<B>(response: &Response<B>) -> (u16, Option<RejectionKind>) {
    (response.status().as_u16(), refusal(response))
}

pub fn refusal<B>(response: &Response<B>) -> Option<RejectionKind> {
    response.extensions().get::<Rejection>().map(Rejection::kind)
}

pub fn refused(kind: RejectionKind) -> (u16, Option<RejectionKind>) {
    (kind.status().as_u16(), Some(kind))
}

pub const ACCEPTED: (u16, Option<RejectionKind>) = (StatusCode::OK.as_u16(), None);
