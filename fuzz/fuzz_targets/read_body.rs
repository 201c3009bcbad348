//! The reader of bodies, compared with what was sent: arbitrary frames, waits and faults of two
//! bodies that share a budget.

#![no_main]

use bytes::Bytes;
use http::{HeaderMap, Request, Response, request::Parts};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use std::{
    cell::RefCell,
    collections::VecDeque,
    future::{Future, Ready, ready},
    io,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, SystemTime},
};
use tokio::{
    runtime::Runtime,
    time::{Instant, advance},
};
use tower_layer::Layer;
use tower_service::Service;
use tower_webhooks::{
    Covers, Delivery, Proof, Provider, ReadBudget, Rejection, RejectionKind, Verified, WebhookLayer,
};
use tower_webhooks_fuzz::Data;

fuzz_target!(|data: &[u8]| {
    RUNTIME.with(|(runtime, layers)| runtime.block_on(run(&mut Data(data), layers)));
});

async fn run(data: &mut Data<'_>, layers: &[Layered]) {
    let layered = &layers[data.below(layers.len())];
    let mut readings = [Reading::start(layered, data.byte()), Reading::start(layered, data.byte())];
    // When the input is used up, neither body may be complete.
    while !data.0.is_empty() {
        let step = data.byte();
        if step % 16 == 15 {
            advance(Duration::from_millis(data.of(&[1, 99, 100, 500, 1000]))).await;
            continue;
        }
        let reading = &mut readings[usize::from(step / 16 % 2)];
        reading.send(step % 16, data, layered);
        if step >= 128 {
            reading.poll(layered);
        }
    }
    for reading in &mut readings {
        reading.poll(layered);
    }
    drop(readings);
    assert_eq!(layered.budget.held(), 0);
}

/// A layer and its settings.
struct Layered {
    service: <WebhookLayer<Anyone> as Layer<Handler>>::Service,
    limit: usize,
    budget: ReadBudget,
}

fn layers() -> Vec<Layered> {
    let layer = |limit, capacity| {
        let budget = ReadBudget::new(capacity);
        let layer = WebhookLayer::new(Anyone)
            .body_limit(limit)
            .read_timeout(TIMEOUT)
            .read_budget(budget.clone());
        Layered { service: layer.layer(Handler), limit, budget }
    };
    [
        (0, 4096),
        (1, 1),
        (1000, 1500),
        (5000, 8000),
        (5000, 100_000),
        (200_000, 300_000),
        (200_000, 1 << 20),
        (3000, 2000),
    ]
    .map(|(limit, capacity)| layer(limit, capacity))
    .into()
}

/// One body that is being read.
struct Reading {
    future:
        Option<
            Pin<
                Box<
                    <<WebhookLayer<Anyone> as Layer<Handler>>::Service as Service<
                        Request<Scripted>,
                    >>::Future,
                >,
            >,
        >,
    script: Rc<RefCell<Script>>,
    woken: Arc<Woken>,
    waiting_since: Option<Instant>,
    /// What it holds of the budget.
    charged: usize,
}

#[derive(Default)]
struct Script {
    steps: VecDeque<Sent>,
    ended: bool,
    /// The frames that were handed out, and how the last call ended.
    taken: Vec<(usize, usize)>,
    total: usize,
    waits: bool,
    failed: Option<RejectionKind>,
    lower: u64,
}

#[derive(Clone, Copy)]
enum Sent {
    Data(usize, usize),
    Trailers,
    Pending,
    Broken,
    TooLong,
}

impl Reading {
    fn start(layered: &Layered, declared: u8) -> Self {
        let lower = if declared < 200 { 0 } else { u64::from(declared) * 30 };
        let script = Rc::new(RefCell::new(Script { lower, ..Script::default() }));
        let mut service = layered.service.clone();
        let future = service.call(Request::new(Scripted(Rc::clone(&script))));
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        Self { future: Some(Box::pin(future)), script, woken, waiting_since: None, charged: 0 }
    }

    fn send(&mut self, step: u8, data: &mut Data<'_>, layered: &Layered) {
        let mut script = self.script.borrow_mut();
        let from = usize::from(data.byte());
        let mut put = |len: usize| script.steps.push_back(Sent::Data(from, len));
        match step {
            0..=3 => put(data.below(200)),
            4 => put(usize::from(data.byte()) * 20),
            // Close to the limit.
            5 => put((layered.limit + data.below(3)).saturating_sub(1)),
            6 => put(layered.limit / 2 + data.below(2)),
            7 => put((64 << 10) + data.below(3) - 1),
            8 => (0..=data.byte()).for_each(|_| put(1)),
            9 => put(0),
            10 => script.steps.push_back(Sent::Trailers),
            11 | 12 => script.steps.push_back(Sent::Pending),
            13 => script.steps.push_back(if from % 2 == 0 { Sent::Broken } else { Sent::TooLong }),
            _ => script.ended = true,
        }
    }

    /// Polls until the body has to be waited for.
    fn poll(&mut self, layered: &Layered) {
        let Layered { limit, budget, .. } = layered;
        let waker = Waker::from(Arc::clone(&self.woken));
        let Some(future) = &mut self.future else { return };
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            self.script.borrow_mut().waits = false;
            let others = budget.held() - self.charged;
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            let script = self.script.borrow();
            let Script { total, ref taken, waits, failed, lower, .. } = *script;
            // The last frame may be refused, so it may not count.
            let fits = |bytes: usize| others + bytes <= budget.capacity();
            let is_late = self.waiting_since.is_some_and(|since| since.elapsed() >= TIMEOUT);
            match polled {
                Poll::Pending => {
                    self.charged = budget.held() - others;
                    assert!(total <= *limit && failed.is_none());
                    assert!(
                        self.charged >= total && self.charged <= (2 * total).max(1024),
                        "{} {total}",
                        self.charged
                    );
                    if !waits {
                        assert!(self.woken.0.load(Ordering::Relaxed), "nobody wakes it");
                        // The deadline counts from the first look at the clock.
                        self.waiting_since.get_or_insert_with(Instant::now);
                        continue;
                    }
                    assert!(!is_late, "it waits for ever");
                    self.waiting_since.get_or_insert_with(Instant::now);
                    return;
                }
                Poll::Ready(Ok(response)) => {
                    let refused = response.extensions().get::<Rejection>().map(Rejection::kind);
                    match refused {
                        None => {
                            let body = &response.extensions().get::<Answer>().expect("an answer").0;
                            assert!(total <= *limit && failed.is_none() && !waits);
                            assert_eq!(body.len(), total);
                            let mut rest = &body[..];
                            for (from, len) in taken {
                                let (frame, after) = rest.split_at(*len);
                                assert!(*frame == PATTERN[*from..from + len]);
                                rest = after;
                            }
                            assert!(fits(total), "there was no room for {total}");
                        }
                        Some(RejectionKind::BodyTooLarge) => {
                            let declared = lower > *limit as u64;
                            assert!(
                                declared
                                    || total > *limit
                                    || failed == Some(RejectionKind::BodyTooLarge)
                            );
                            assert!(!declared || taken.is_empty());
                        }
                        Some(RejectionKind::BodyUnreadable) => {
                            assert_eq!(failed, Some(RejectionKind::BodyUnreadable))
                        }
                        Some(RejectionKind::ReadTimeout) => assert!(is_late, "too early"),
                        Some(RejectionKind::ReadBudget) => {
                            let most = (2 * total).max(1024);
                            // A large body may use only three quarters of the budget.
                            let is_large = most > 64 << 10;
                            assert!(
                                !fits(most)
                                    || is_large && others + most > budget.capacity() / 4 * 3
                            );
                        }
                        Some(other) => panic!("{other:?}"),
                    }
                    break;
                }
                Poll::Ready(Err(error)) => match error {},
            }
        }
        self.future = None;
        self.charged = 0;
    }
}

/// A body that follows a script.
struct Scripted(Rc<RefCell<Script>>);

impl Body for Scripted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut script = self.0.borrow_mut();
        let Some(step) = script.steps.pop_front() else {
            script.waits = !script.ended;
            return if script.ended { Poll::Ready(None) } else { Poll::Pending };
        };
        Poll::Ready(Some(match step {
            Sent::Data(from, len) => {
                script.taken.push((from, len));
                script.total += len;
                Ok(Frame::data(Bytes::from_static(&PATTERN[from..from + len])))
            }
            Sent::Trailers => Ok(Frame::trailers(HeaderMap::new())),
            Sent::Pending => {
                script.waits = true;
                return Poll::Pending;
            }
            Sent::Broken => {
                script.failed = Some(RejectionKind::BodyUnreadable);
                Err("it broke".into())
            }
            Sent::TooLong => {
                script.failed = Some(RejectionKind::BodyTooLarge);
                Err(io::Error::other(too_long()).into())
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        let script = self.0.borrow();
        script.ended && script.steps.is_empty() && script.taken.len() % 2 == 0
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::new();
        hint.set_lower(self.0.borrow().lower);
        hint
    }
}

/// The error of tower-http's limit.
fn too_long() -> http_body_util::LengthLimitError {
    let mut limited =
        Box::pin(http_body_util::Limited::new(Full::new(Bytes::from_static(b"long")), 1));
    match limited.as_mut().poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Err(error))) => *error.downcast().expect("that error"),
        _ => unreachable!(),
    }
}

/// Accepts every request.
struct Anyone;

impl Provider for Anyone {
    const NAME: &'static str = "anyone";
    const CREDENTIALS: &'static [&'static str] = &[];
    const METHODS: &'static [http::Method] = &[http::Method::GET];
    type FromHead = ();
    type Event = ();

    fn check_head(&self, _: &Parts, _: SystemTime) -> Result<(), Rejection> {
        Ok(())
    }

    fn check_body(
        &self,
        (): (),
        _: &Parts,
        _: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<()>, Rejection> {
        let proof =
            Proof { covers: Covers::Nothing, key_index: 0, signed_at: None, identity: None };
        Ok(Delivery::new((), "any", proof))
    }
}

/// Answers with the body.
#[derive(Clone)]
struct Handler;

#[derive(Clone)]
struct Answer(Bytes);

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<()>;
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Response<()>, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let event = request.extensions().get::<Verified<()>>().expect("an event");
        let mut response = Response::new(());
        response.extensions_mut().insert(Answer(event.body().clone()));
        ready(Ok(response))
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    /// Made once: making a runtime takes longer than a thousand bodies.
    static RUNTIME: (Runtime, Vec<Layered>) = {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build();
        (runtime.expect("a runtime"), layers())
    };
}

const TIMEOUT: Duration = Duration::from_secs(1);
static PATTERN: [u8; 201_000] = {
    let mut pattern = [0; 201_000];
    let mut at = 0;
    while at < pattern.len() {
        pattern[at] = (at % 251) as u8;
        at += 1;
    }
    pattern
};
