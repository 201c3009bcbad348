//! Two processes share a store that fails, hangs or does not answer, on a paused clock. No handler
//! runs without the claim, every acknowledged delivery is in the store in the end, and no claim
//! stays.

#![no_main]

use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    convert::Infallible,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};
use tokio::{
    runtime::Runtime,
    time::{Instant, advance, timeout},
};
use tower_layer::Layer;
use tower_service::Service;
use tower_webhooks::{
    Content, Covers, Delivery, Identity, Proof, Provider, Rejection, TestClock, Verified,
    WebhookLayer,
    replay::{
        Claim, Claimed, MemoryStore, OutagePolicy, Outcome, ReplayCheck, ReplayStore, StoreError,
    },
};
use tower_webhooks_fuzz::Data;

fuzz_target!(|data: &[u8]| RUNTIME.with(|runtime| runtime.block_on(run(&mut Data(data)))));

async fn run(data: &mut Data<'_>) {
    let ledger = Arc::new(Ledger::default());
    let clock = TestClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let policy = data.of(&[OutagePolicy::Reject, OutagePolicy::LocalFallback]);
    let layer = || {
        let memory = MemoryStore::with_capacity(64).unwrap().clock(clock.clone());
        let layer = WebhookLayer::new(Numbered)
            .local_store(memory)
            .shared_store(Arc::clone(&ledger))
            .on_outage(policy);
        layer.lease(LEASE).unwrap().clock(clock.clone())
    };
    let layers = [layer(), layer()];
    let seen = Rc::new(RefCell::new(Seen::default()));
    let handler =
        |process| Handler { process, policy, seen: Rc::clone(&seen), ledger: Arc::clone(&ledger) };
    let mut services = [layers[0].layer(handler(0)), layers[1].layer(handler(1))];
    let mut requests: Vec<Sent> = Vec::new();
    // Which contents were sent, for each of the two numbers.
    let mut contents = [[false; 2]; 2];

    while !data.0.is_empty() {
        let step = data.byte();
        match step % 8 {
            0 | 1 if requests.len() < 8 => {
                let which = data.byte();
                let delivery = (which % 2, which / 2 % 4 / 3);
                let process = usize::from(which / 8 % 2);
                contents[usize::from(delivery.0)][usize::from(delivery.1)] = true;
                let request =
                    Request::new(Full::new(Bytes::copy_from_slice(&[delivery.0, delivery.1])));
                requests.push(Sent { delivery, future: Box::pin(services[process].call(request)) });
            }
            // A running handler answers.
            2 | 3 => {
                let mut seen = seen.borrow_mut();
                let running = seen.running.len();
                if running > 0 {
                    let status = if step / 8 % 3 == 0 {
                        StatusCode::INTERNAL_SERVER_ERROR
                    } else {
                        StatusCode::OK
                    };
                    seen.running[usize::from(data.byte()) % running].answer = Some(status);
                }
            }
            // The sender hangs up.
            4 if !requests.is_empty() => {
                drop(requests.remove(usize::from(step / 8) % requests.len()))
            }
            5 => ledger.lock().next.push_back(data.of(FAULTS)),
            6 => ledger.lock().always = data.of(FAULTS),
            _ => {
                let time =
                    Duration::from_millis(data.of(&[1, 50, 250, 334, 500, 1000, 1001, 2000, 5000]));
                clock.advance(time);
                advance(time).await;
            }
        }
        requests.retain_mut(|request| !request.is_answered(&seen));
    }

    // The end: requests are dropped, and the store answers again.
    requests.clear();
    let mut state = ledger.lock();
    (state.always, state.next) = (Fault::None, VecDeque::new());
    drop(state);
    for layer in &layers {
        timeout(Duration::from_secs(3600), layer.drained())
            .await
            .expect("an outcome waits for ever");
    }
    clock.advance(2 * LEASE);
    advance(2 * LEASE).await;
    let acknowledged = std::mem::take(&mut seen.borrow_mut().acknowledged);
    let numbers: BTreeSet<_> = acknowledged.iter().map(|((number, _), _)| *number).collect();
    for number in 0..2 {
        let key = seen.borrow().keys.get(&number).copied();
        let entry = key.and_then(|key| ledger.lock().entries.get(&key).cloned());
        // With a fallback another content may have reached the store first and stay bound there.
        // Then this process's delivery is a conflict there, and cannot be recorded.
        if policy == OutagePolicy::LocalFallback && contents[usize::from(number)] == [true; 2] {
            continue;
        }
        if numbers.contains(&number) {
            let entry = entry.expect("forgotten");
            assert_eq!(entry.state, Phase::Done, "acknowledged and not recorded");
        } else {
            assert!(entry.is_none_or(|entry| entry.state != Phase::Done), "done by nobody");
            // The sender's retry is delivered by at least one process, with its first content.
            let mut called = false;
            for (process, content) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                seen.borrow_mut().calls = 0;
                let request = Request::new(Full::new(Bytes::copy_from_slice(&[number, content])));
                let mut future = Box::pin(services[process].call(request));
                let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                called |= polled.is_pending() && seen.borrow().calls == 1;
                drop(future);
                for layer in &layers {
                    layer.drained().await;
                }
            }
            assert!(called, "a claim stays");
        }
    }
}

type Answering =
    <<WebhookLayer<Numbered> as Layer<Handler>>::Service as Service<Request<Full<Bytes>>>>::Future;

struct Sent {
    delivery: (u8, u8),
    future: Pin<Box<Answering>>,
}

impl Sent {
    fn is_answered(&mut self, seen: &RefCell<Seen>) -> bool {
        let before = seen.borrow().ended;
        let Poll::Ready(Ok(response)) =
            self.future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        else {
            return false;
        };
        let seen = seen.borrow();
        let by_handler = seen.ended > before || response.extensions().get::<Ended>().is_some();
        if response.status() == StatusCode::OK && !by_handler {
            let acknowledged =
                seen.acknowledged.iter().any(|(delivery, _)| *delivery == self.delivery);
            assert!(acknowledged, "a repeat of what nobody acknowledged");
        }
        true
    }
}

/// What the handlers saw.
#[derive(Default)]
struct Seen {
    running: Vec<Running>,
    /// The deliveries that a handler has acknowledged, each with its process.
    acknowledged: BTreeSet<((u8, u8), usize)>,
    /// The delivery id of each number.
    keys: BTreeMap<u8, [u8; 16]>,
    calls: usize,
    ended: usize,
    last: u64,
}

struct Running {
    id: u64,
    process: usize,
    delivery: (u8, u8),
    answer: Option<StatusCode>,
}

#[derive(Clone)]
struct Handler {
    process: usize,
    policy: OutagePolicy,
    seen: Rc<RefCell<Seen>>,
    ledger: Arc<Ledger>,
}

#[derive(Clone)]
struct Ended;

impl Service<Request<Full<Bytes>>> for Handler {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Handling;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Handling {
        let event = request.extensions().get::<Verified<(u8, u8)>>().expect("an event");
        let (delivery, checked) = (**event, event.metadata().checked);
        let key: [u8; 16] =
            event.metadata().delivery_id.expect("an id").as_ref().try_into().expect("16 bytes");
        let mut seen = self.seen.borrow_mut();
        seen.keys.insert(delivery.0, key);
        match checked {
            ReplayCheck::Shared => {
                let ledger = self.ledger.lock();
                let entry = ledger.entries.get(&key).expect("called without a claim");
                assert_eq!(
                    (entry.state, entry.leased_until),
                    (Phase::InFlight, Instant::now() + LEASE)
                );
            }
            ReplayCheck::LocalFallback => assert_eq!(self.policy, OutagePolicy::LocalFallback),
            other => panic!("{other:?}"),
        }
        // In one process a delivery runs once at a time, and never again once it is acknowledged.
        let here =
            |running: &Running| running.process == self.process && running.delivery.0 == delivery.0;
        assert!(!seen.running.iter().any(here), "twice at once in one process");
        let again = seen
            .acknowledged
            .iter()
            .any(|(done, process)| *process == self.process && done.0 == delivery.0);
        assert!(!again, "it was acknowledged here");
        seen.last += 1;
        seen.calls += 1;
        let id = seen.last;
        seen.running.push(Running { id, process: self.process, delivery, answer: None });
        Handling { id, process: self.process, delivery, seen: Rc::clone(&self.seen) }
    }
}

/// A running handler; dropping it ends its work.
struct Handling {
    id: u64,
    process: usize,
    delivery: (u8, u8),
    seen: Rc<RefCell<Seen>>,
}

impl Future for Handling {
    type Output = Result<Response<()>, Infallible>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let mut seen = self.seen.borrow_mut();
        let Some(status) = seen
            .running
            .iter()
            .find(|running| running.id == self.id)
            .and_then(|running| running.answer)
        else {
            return Poll::Pending;
        };
        if status.is_success() {
            seen.acknowledged.insert((self.delivery, self.process));
        }
        seen.ended += 1;
        let mut response = Response::new(());
        *response.status_mut() = status;
        response.extensions_mut().insert(Ended);
        Poll::Ready(Ok(response))
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.seen.borrow_mut().running.retain(|running| running.id != self.id);
    }
}

/// What happens to a call of the store.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Fault {
    #[default]
    None,
    /// It is refused before it is sent.
    Refused,
    /// The connection breaks before or after the call takes effect.
    Broken {
        after: bool,
    },
    Error,
    /// No answer ever comes, whether the call took effect or not.
    Hangs {
        after: bool,
    },
}

const FAULTS: &[Fault] = &[
    Fault::None,
    Fault::None,
    Fault::Refused,
    Fault::Broken { after: false },
    Fault::Broken { after: true },
    Fault::Error,
    Fault::Hangs { after: false },
    Fault::Hangs { after: true },
];

/// A correct store on tokio's clock.
#[derive(Default)]
struct Ledger(Mutex<State>);

#[derive(Default)]
struct State {
    entries: BTreeMap<[u8; 16], Entry>,
    next: VecDeque<Fault>,
    always: Fault,
}

#[derive(Clone, Debug)]
struct Entry {
    fingerprint: [u8; 16],
    token: i64,
    attempt: u32,
    state: Phase,
    leased_until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    InFlight,
    Failed,
    Done,
}

impl Ledger {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    async fn call<T>(
        &self,
        act: impl FnOnce(&mut BTreeMap<[u8; 16], Entry>) -> T,
    ) -> Result<T, StoreError> {
        let fault = {
            let mut state = self.lock();
            let always = state.always;
            state.next.pop_front().unwrap_or(always)
        };
        match fault {
            Fault::None => Ok(act(&mut self.lock().entries)),
            Fault::Refused => Err(StoreError::unsent("nobody listens").disconnected()),
            Fault::Broken { after } => {
                if after {
                    act(&mut self.lock().entries);
                }
                Err(StoreError::new("it broke").disconnected())
            }
            Fault::Error => Err(StoreError::new("not now")),
            Fault::Hangs { after } => {
                if after {
                    act(&mut self.lock().entries);
                }
                std::future::pending().await
            }
        }
    }
}

impl ReplayStore for Ledger {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.call(|entries| {
            let now = Instant::now();
            let mut attempt = 1;
            if let Some(entry) = entries.get(&claim.key) {
                let held = entry.leased_until > now && entry.token != claim.token;
                match entry.state {
                    _ if entry.fingerprint != claim.fingerprint => return Claimed::Conflict,
                    Phase::Done => return Claimed::done(None),
                    Phase::InFlight if held => return Claimed::in_flight(entry.leased_until - now),
                    Phase::InFlight if entry.token == claim.token => attempt = entry.attempt,
                    Phase::InFlight | Phase::Failed => attempt = entry.attempt + 1,
                }
            }
            let (fingerprint, token) = (claim.fingerprint, claim.token);
            let leased_until = now + claim.lease;
            let entry = Entry { fingerprint, token, attempt, state: Phase::InFlight, leased_until };
            entries.insert(claim.key, entry);
            Claimed::won(attempt)
        })
        .await
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.call(|entries| {
            let entry = entries.get_mut(&claim.key).filter(|entry| entry.token == claim.token);
            let Some(entry) = entry.filter(|entry| entry.state == Phase::InFlight) else {
                return false;
            };
            entry.leased_until = Instant::now() + claim.lease;
            true
        })
        .await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        self.call(|entries| {
            let entry = entries.get_mut(&claim.key).filter(|entry| entry.token == claim.token);
            let Some(entry) = entry else { return false };
            match (entry.state, outcome) {
                (Phase::InFlight, Outcome::Withdrawn) if entry.attempt == 1 => {
                    entries.remove(&claim.key);
                }
                (Phase::InFlight, Outcome::Withdrawn) => {
                    entry.attempt -= 1;
                    entry.state = Phase::Failed;
                }
                (Phase::InFlight | Phase::Failed, Outcome::Failed) => entry.state = Phase::Failed,
                (Phase::InFlight | Phase::Done, Outcome::Done { .. }) => entry.state = Phase::Done,
                _ => return false,
            }
            true
        })
        .await
    }
}

/// Deliveries of two bytes: a number, which is the signature, and an unsigned content.
struct Numbered;

impl Provider for Numbered {
    const NAME: &'static str = "numbered";
    const CREDENTIALS: &'static [&'static str] = &[];
    const METHODS: &'static [http::Method] = &[http::Method::GET];
    type FromHead = ();
    type Event = (u8, u8);

    fn check_head(&self, _: &Parts, _: SystemTime) -> Result<(), Rejection> {
        Ok(())
    }

    fn check_body(
        &self,
        (): (),
        _: &Parts,
        body: &Bytes,
        _: SystemTime,
    ) -> Result<Delivery<(u8, u8)>, Rejection> {
        let identity = Some(Identity::new(&[&body[..1]], Content::Bound));
        let proof = Proof { covers: Covers::Nothing, key_index: 0, signed_at: None, identity };
        Ok(Delivery::new((body[0], body[1]), "numbered", proof))
    }
}

thread_local! {
    static RUNTIME: Runtime = {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().expect("a runtime")
    };
}

const LEASE: Duration = Duration::from_secs(1);
