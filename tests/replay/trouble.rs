//! The guard while its shared store is in trouble, by a store that does what it is told and on a
//! clock that is paused.
#![cfg(feature = "zegocloud")]

use super::handler::{Handler, is_repeat, kind, send};
use crate::support::zegocloud::{SECRET, pair};
use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::Full;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    error::Error as _,
    future::Future,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use tower::{Layer, ServiceBuilder, ServiceExt, limit::GlobalConcurrencyLimitLayer, service_fn};
use tower_webhooks::{
    Rejection, RejectionKind, Signer as _, TestClock, WebhookLayer,
    replay::{
        Claim, ClaimLimit, Claimed, MemoryStore, OutagePolicy, Outcome, ReplayCheck, ReplayStore,
        StoreError,
    },
    zegocloud::{Event, Signer, Zegocloud},
};

/// A store whose claims live in tokio's time, which can be paused.
#[derive(Clone)]
struct Scripted {
    inner: Arc<Inner>,
}

struct Inner {
    memory: MemoryStore,
    clock: TestClock,
    start: (Instant, SystemTime),
    /// What each call meets, once; then what `always` says.
    next: Mutex<VecDeque<Fault>>,
    always: Mutex<Fault>,
    calls: Mutex<Vec<(&'static str, Duration)>>,
    limit: ClaimLimit,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// The call is refused before it was sent.
    Refused,
    /// The connection breaks before or after the call took effect.
    Broken {
        after: bool,
    },
    /// The connection breaks shortly before the call's time is over.
    BreaksLate,
    /// The answer is an error.
    Error,
    /// The answer takes 100 ms.
    Slow,
    /// There is never an answer.
    Hangs,
}

impl Scripted {
    fn new() -> Self {
        Self::narrow(usize::MAX)
    }

    /// It works on so many claims at a time.
    fn narrow(max_claims: usize) -> Self {
        let now = SystemTime::now();
        let clock = TestClock::at(now);
        let memory = MemoryStore::new().clock(clock.clone());
        let inner = Inner {
            memory,
            clock,
            start: (Instant::now(), now),
            next: Mutex::default(),
            always: Mutex::new(Fault::None),
            calls: Mutex::default(),
            limit: ClaimLimit::new(max_claims),
        };
        Self { inner: Arc::new(inner) }
    }

    fn always(&self, fault: Fault) {
        *self.inner.always.lock().unwrap() = fault;
    }

    fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner.next.lock().unwrap().extend(faults);
    }

    /// The calls since the last look, with their times.
    fn timed_calls(&self) -> Vec<(&'static str, Duration)> {
        std::mem::take(&mut self.inner.calls.lock().unwrap())
    }

    fn calls(&self) -> Vec<&'static str> {
        self.timed_calls().into_iter().map(|(name, _)| name).collect()
    }

    async fn call<T>(
        &self,
        name: &'static str,
        act: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Inner { clock, start, next, always, calls, .. } = &*self.inner;
        calls.lock().unwrap().push((name, start.0.elapsed()));
        clock.set(start.1 + start.0.elapsed());
        let fault = next.lock().unwrap().pop_front().unwrap_or(*always.lock().unwrap());
        match fault {
            Fault::None => act.await,
            Fault::Refused => Err(StoreError::unsent("nobody listens").disconnected()),
            Fault::Broken { after } => {
                if after {
                    act.await?;
                }
                Err(StoreError::new("the connection broke").disconnected())
            }
            Fault::BreaksLate => {
                sleep(SECOND / 5).await;
                Err(StoreError::new("the connection broke").disconnected())
            }
            Fault::Error => Err(StoreError::new("not now")),
            Fault::Slow => {
                sleep(100 * MILLISECOND).await;
                act.await
            }
            Fault::Hangs => std::future::pending().await,
        }
    }
}

impl ReplayStore for Scripted {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.call("claim", self.inner.memory.claim(claim)).await
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        self.call("renew", self.inner.memory.renew(claim)).await
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        self.call("finish", self.inner.memory.finish(claim, outcome)).await
    }

    fn claim_limit(&self) -> ClaimLimit {
        self.inner.limit.clone()
    }
}

/// One process of several on one store.
fn process(store: &Scripted) -> WebhookLayer<Zegocloud> {
    alone().shared_store(store.clone())
}

fn alone() -> WebhookLayer<Zegocloud> {
    WebhookLayer::new(Zegocloud::new(SECRET).unwrap())
}

fn event() -> Request<Bytes> {
    pair().0
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_outlives_an_outage_longer_than_the_lease() {
    let store = Scripted::new();
    let (a, b) =
        (process(&store).lease(2 * SECOND).unwrap(), process(&store).lease(2 * SECOND).unwrap());
    let handler = Handler::default();
    let request = event();
    store.next([Fault::None]);
    store.always(Fault::Refused);
    assert_eq!(send(&a, &handler, &request).await.body(), "handled");
    sleep(7 * SECOND).await;
    let tries = store.calls().len();
    assert!((10..60).contains(&tries), "{tries} calls in 7 s");
    store.always(Fault::None);
    a.drained().await;
    assert!(is_repeat(&send(&b, &handler, &request).await));
    assert_eq!(handler.calls(), 1);
    // It was acknowledged for as long as its signature is worth anything, and no longer tried after
    // that.
    let request = event();
    store.next([Fault::None]);
    store.always(Fault::Error);
    send(&a, &handler, &request).await;
    sleep(1000 * SECOND).await;
    a.drained().await;
    store.timed_calls();
    sleep(10 * SECOND).await;
    assert!(store.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_cannot_be_recorded_is_given_up_with_its_lease() {
    let store = Scripted::new();
    let layer = process(&store).lease(5 * SECOND).unwrap();
    store.next([Fault::None]);
    store.always(Fault::Error);
    let began = Instant::now();
    assert_eq!(send(&layer, &Handler::default().failing(), &event()).await.status(), 500);
    layer.drained().await;
    let took = began.elapsed();
    assert!((5 * SECOND..7 * SECOND).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_under_an_endless_lease_is_recorded_when_the_store_is_back() {
    let store = Scripted::new();
    let (a, b) = (process(&store).lease(Duration::MAX).unwrap(), process(&store));
    let request = event();
    store.next([Fault::None]);
    store.always(Fault::Refused);
    assert_eq!(send(&a, &Handler::default().failing(), &request).await.status(), 500);
    sleep(5 * SECOND).await;
    store.always(Fault::None);
    a.drained().await;
    assert_eq!(send(&b, &Handler::default(), &request).await.body(), "handled");
}

/// A claim whose answer was lost may have been made. Nobody has seen its content, so it must not
/// stay bound.
#[tokio::test(start_paused = true)]
async fn attack_a_withdrawal_outlives_an_outage_longer_than_the_lease() {
    let store = Scripted::new();
    let layer = process(&store).lease(SECOND).unwrap();
    let handler = Handler::default();
    let (request, forged) = pair();
    store.next([Fault::Broken { after: true }]);
    store.always(Fault::Error);
    assert_eq!(kind(&send(&layer, &handler, &forged).await), Some(RejectionKind::StoreUnavailable));
    sleep(10 * SECOND).await;
    store.always(Fault::None);
    layer.drained().await;
    assert_eq!(send(&process(&store), &handler, &request).await.body(), "handled");
}

#[tokio::test(start_paused = true)]
async fn what_was_withdrawn_gives_way_before_what_was_acknowledged() {
    let store = Scripted::new();
    let layer = process(&store).unrecorded_limit(2);
    let handler = Handler::default();
    let events = [event(), event(), event()];
    for (request, claim) in
        events.iter().zip([Fault::None, Fault::Broken { after: true }, Fault::None])
    {
        store.next([claim]);
        store.always(Fault::Error);
        send(&layer, &handler, request).await;
        // Past the breaker's second.
        sleep(2 * SECOND).await;
    }
    store.always(Fault::None);
    layer.drained().await;
    assert_eq!(handler.calls(), 2);
    for acknowledged in [&events[0], &events[2]] {
        assert!(is_repeat(&send(&process(&store), &handler, acknowledged).await));
    }
}

#[tokio::test(start_paused = true)]
async fn outcomes_that_wait_are_bounded_and_the_oldest_give_way() {
    let store = Scripted::new();
    let layer = process(&store).unrecorded_limit(2);
    let handler = Handler::default();
    let events = [event(), event(), event()];
    for request in &events {
        store.always(Fault::None);
        store.next([Fault::None]);
        store.always(Fault::Error);
        send(&layer, &handler, request).await;
        // Past the breaker's second.
        sleep(2 * SECOND).await;
    }
    store.always(Fault::None);
    layer.drained().await;
    // The leases have run out.
    sleep(20 * SECOND).await;
    let other = process(&store);
    let repeats: Vec<_> = [
        send(&other, &handler, &events[0]).await,
        send(&other, &handler, &events[1]).await,
        send(&other, &handler, &events[2]).await,
    ]
    .iter()
    .map(is_repeat)
    .collect();
    assert_eq!(repeats, [false, true, true]);
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_the_last_outcome() {
    let store = Scripted::new();
    let layer = process(&store);
    layer.drained().await;
    alone().drained().await;
    store.next([Fault::None]);
    store.always(Fault::Hangs);
    let handler = Handler::default();
    send(&layer, &handler, &event()).await;
    assert!(tokio::time::timeout(30 * SECOND, layer.drained()).await.is_err());
    store.always(Fault::None);
    tokio::time::timeout(2 * SECOND, layer.drained()).await.unwrap();
}

/// A delivery was acknowledged while the store was away, and its runtime has ended. The store is
/// back.
struct Stranded {
    store: Scripted,
    layer: WebhookLayer<Zegocloud>,
    handler: Handler,
    request: Request<Bytes>,
}

impl Stranded {
    fn new() -> Self {
        let first = paused();
        let store = first.block_on(async { Scripted::new() });
        let layer = process(&store);
        let (handler, request) = (Handler::default(), event());
        first.block_on(async {
            store.next([Fault::None]);
            store.always(Fault::Error);
            send(&layer, &handler, &request).await;
        });
        drop(first);
        store.always(Fault::None);
        Self { store, layer, handler, request }
    }
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

#[test]
fn an_outcome_outlives_its_runtime() {
    let Stranded { store, layer, handler, request } = Stranded::new();
    paused().block_on(async {
        tokio::time::timeout(60 * SECOND, layer.drained()).await.unwrap();
        assert!(is_repeat(&send(&process(&store), &handler, &request).await));
    });
    assert_eq!(handler.calls(), 1);
}

/// Nobody has to call `drained`, nor does another outcome have to fail.
#[test]
fn an_outcome_whose_runtime_is_gone_is_recorded_with_the_next_delivery() {
    let Stranded { store, layer, handler, request } = Stranded::new();
    paused().block_on(async {
        assert_eq!(send(&layer, &handler, &event()).await.body(), "handled");
        sleep(60 * SECOND).await;
        assert!(is_repeat(&send(&process(&store), &handler, &request).await));
    });
    assert_eq!(handler.calls(), 2);
}

/// The inner service gets ready after the lease is over and another process has handled the event.
#[tokio::test(start_paused = true)]
async fn attack_a_claim_that_is_lost_before_the_call_calls_nobody() {
    for renewals in [Fault::Error, Fault::Hangs] {
        for late in [20 * SECOND + 200 * MILLISECOND, 13 * SECOND] {
            let store = Scripted::new();
            let (a, b) = (process(&store), process(&store));
            let (handler, request) = (Handler::default(), event());
            let room = Arc::new(Semaphore::new(0));
            let called = handler.clone();
            let service = ServiceBuilder::new()
                .layer(&a)
                .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&room)))
                .service(service_fn(move |request| called.clone().handle::<Event>(request)));
            let first = tokio::spawn(service.oneshot(request.clone().map(Full::new)));
            sleep(SECOND).await;
            store.always(renewals);
            sleep(late).await;
            store.always(Fault::None);
            let is_over = late > 15 * SECOND;
            if is_over {
                assert_eq!(send(&b, &handler, &request).await.body(), "handled");
            }
            sleep(SECOND / 2).await;
            room.add_permits(1);
            let answer = first.await.unwrap().unwrap();
            assert_eq!(answer.status(), if is_over { 409 } else { 200 }, "{renewals:?} {late:?}");
            assert_eq!(handler.calls(), 1);
            assert!(is_repeat(&send(&b, &handler, &request).await));
        }
    }
}

/// There an event may rather run twice than be lost.
#[tokio::test(start_paused = true)]
async fn with_local_fallback_a_lease_that_is_over_does_not_keep_from_the_call() {
    let store = Scripted::new();
    let layer = process(&store).on_outage(OutagePolicy::LocalFallback);
    let (handler, request) = (Handler::default(), event());
    let (room, called) = (Arc::new(Semaphore::new(0)), handler.clone());
    let service = ServiceBuilder::new()
        .layer(&layer)
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&room)))
        .service(service_fn(move |request| called.clone().handle::<Event>(request)));
    let first = tokio::spawn(service.oneshot(request.clone().map(Full::new)));
    sleep(SECOND).await;
    store.always(Fault::Error);
    sleep(20 * SECOND).await;
    room.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(handler.calls(), 1);
}

/// The lease is renewed as soon as the thread is free, not a third of the lease later.
#[tokio::test(start_paused = true)]
async fn attack_a_handler_that_blocks_for_less_than_the_lease_keeps_its_claim() {
    let store = Scripted::new();
    let (a, b, request) = (process(&store), process(&store), event());
    let (handler, began) = (Handler::default(), Instant::now());
    let service = a.layer(service_fn(async |_: Request<Full<Bytes>>| {
        // Moves the clock and gives nobody else a turn.
        tokio::time::advance(12 * SECOND).await;
        sleep(10 * SECOND).await;
        Ok::<_, std::convert::Infallible>(http::Response::new(String::new()))
    }));
    let first = tokio::spawn(service.oneshot(request.clone().map(Full::new)));
    sleep(15 * SECOND + SECOND / 2).await;
    assert_eq!(began.elapsed(), 15 * SECOND + SECOND / 2);
    assert_eq!(send(&b, &handler, &request).await.status(), 409);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(handler.calls(), 0);
}

/// The first answer was lost. The store confirms the claim later, and then says that it is over.
#[tokio::test(start_paused = true)]
async fn attack_with_local_fallback_a_claim_that_the_store_confirmed_can_be_lost() {
    let store = Scripted::new();
    let process = || process(&store).on_outage(OutagePolicy::LocalFallback);
    let (handler, request) = (Handler::default(), event());
    let (room, called) = (Arc::new(Semaphore::new(0)), handler.clone());
    let service = ServiceBuilder::new()
        .layer(&process())
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&room)))
        .service(service_fn(move |request| called.clone().handle::<Event>(request)));
    store.next([Fault::Broken { after: true }, Fault::Error]);
    let first = tokio::spawn(service.oneshot(request.clone().map(Full::new)));
    sleep(6 * SECOND).await;
    assert_eq!(store.calls(), ["claim", "claim", "renew"]);
    store.always(Fault::Error);
    sleep(20 * SECOND).await;
    store.always(Fault::None);
    assert_eq!(send(&process(), &handler, &request).await.body(), "handled");
    sleep(SECOND).await;
    room.add_permits(1);
    assert_eq!(first.await.unwrap().unwrap().status(), 409);
    assert_eq!(handler.calls(), 1);
}

/// Whoever sends a burst must not get around a store that is well.
#[tokio::test(start_paused = true)]
async fn attack_with_local_fallback_a_busy_store_is_no_outage() {
    let store = Scripted::narrow(1);
    let process = || process(&store).on_outage(OutagePolicy::LocalFallback);
    let (a, b, handler, captured) = (process(), process(), Handler::default(), event());
    assert_eq!(send(&b, &handler, &captured).await.body(), "handled");
    store.always(Fault::Slow);
    let events = [event(), event(), captured];
    let answers = join_all(events.iter().map(|event| send(&a, &handler, event))).await;
    assert_eq!(answers.last().and_then(kind), Some(RejectionKind::StoreUnavailable));
    assert_eq!(handler.calls(), 3);
}

/// The routes of an application share its store's connections.
#[tokio::test(start_paused = true)]
async fn layers_share_the_limit_of_their_store() {
    let store = Scripted::narrow(2);
    store.always(Fault::Slow);
    let (routes, handler) = ([(); 3].map(|()| (process(&store), event())), Handler::default());
    join_all(routes.iter().map(|(route, event)| send(route, &handler, event))).await;
    assert_eq!(handler.calls(), 3);
    let calls = store.timed_calls().into_iter().filter(|(name, _)| *name == "claim");
    let claims: Vec<_> = calls.map(|(_, at)| at.as_millis()).collect();
    assert_eq!(claims, [0, 0, 100]);
}

/// A renewal may hold what the outcome needs.
#[tokio::test(start_paused = true)]
async fn an_outcome_does_not_wait_for_a_renewal() {
    #[derive(Clone)]
    struct OneAtATime(Arc<tokio::sync::Mutex<MemoryStore>>);

    impl ReplayStore for OneAtATime {
        async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
            self.0.lock().await.claim(claim).await
        }

        async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
            let store = self.0.lock().await;
            sleep(200 * MILLISECOND).await;
            store.renew(claim).await
        }

        async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
            self.0.lock().await.finish(claim, outcome).await
        }
    }

    let store = OneAtATime(Arc::new(tokio::sync::Mutex::new(MemoryStore::new())));
    let (layer, began) = (alone().shared_store(store), Instant::now());
    // The renewal begins after a third of the lease.
    let takes = 5 * SECOND + 100 * MILLISECOND;
    let handler = Handler::default().slow(takes);
    assert_eq!(send(&layer, &handler, &event()).await.body(), "handled");
    assert_eq!(began.elapsed(), takes);
}

#[test]
fn who_waits_for_the_last_outcome_goes_on_when_its_runtime_ends() {
    let (first, second) = (paused(), paused());
    let store = first.block_on(async { Scripted::new() });
    let layer = process(&store);
    first.block_on(async {
        store.next([Fault::None]);
        store.always(Fault::Error);
        send(&layer, &Handler::default(), &event()).await;
    });
    let mut drained = tokio_test::task::spawn(layer.drained());
    second.block_on(async { assert!(drained.poll().is_pending()) });
    drop(first);
    store.always(Fault::None);
    second.block_on(async { tokio::time::timeout(60 * SECOND, drained).await.unwrap() });
}

/// The executor stands still between the store's answer and the call.
#[tokio::test(start_paused = true)]
async fn attack_a_claim_that_is_older_than_its_lease_calls_nobody() {
    // Nobody has taken it: if the store can be asked, it is renewed.
    for (still, store_says, calls) in
        [(14, Fault::Error, 1), (16, Fault::None, 1), (16, Fault::Error, 0)]
    {
        let store = Scripted::new();
        let (a, handler, request) = (process(&store), Handler::default(), event());
        store.next([Fault::Slow]);
        let mut first = tokio_test::task::spawn(send(&a, &handler, &request));
        assert!(first.poll().is_pending());
        sleep(100 * MILLISECOND).await;
        store.always(store_says);
        tokio::time::advance(still * SECOND).await;
        let answer = first.await;
        assert_eq!(answer.status(), if calls == 1 { 200 } else { 409 }, "{still} s");
        assert_eq!(handler.calls(), calls);
        store.always(Fault::None);
        a.drained().await;
        assert_eq!(send(&a, &handler, &request).await.status(), 200);
        assert_eq!(handler.calls(), 1);
    }
}

/// While the store is away one outcome is tried at a time, with pauses. Then there are ever more,
/// up to a quarter of the claims that the store works on.
#[tokio::test(start_paused = true)]
async fn outcomes_are_tried_one_by_one_and_then_recorded_ever_more_at_once() {
    for (max_claims, most) in [(3, 1), (40, 10), (usize::MAX, 64)] {
        let store = Scripted::narrow(max_claims);
        let layer = process(&store).on_outage(OutagePolicy::LocalFallback);
        let handler = Handler::default();
        store.always(Fault::Error);
        for _ in 0..200 {
            send(&layer, &handler, &event()).await;
        }
        assert_eq!(handler.calls(), 200);
        store.calls();
        sleep(10 * SECOND).await;
        let tries = store.calls().len();
        assert!((10..20).contains(&tries), "{tries} calls in 10 s");
        store.always(Fault::Slow);
        layer.drained().await;
        let mut at_once = BTreeMap::new();
        for (_, at) in store.timed_calls() {
            *at_once.entry(at).or_insert(0) += 1;
        }
        assert_eq!(at_once.into_values().max(), Some(most), "{max_claims} claims at a time");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_finds_the_store_back_has_the_outcomes_recorded_at_once() {
    let store = Scripted::new();
    let (layer, handler) = (process(&store), Handler::default());
    store.next([Fault::None]);
    store.always(Fault::Error);
    send(&layer, &handler, &event()).await;
    // By now the pauses take a second, and the next one is half over.
    sleep(10 * SECOND).await;
    store.always(Fault::None);
    let began = Instant::now();
    assert_eq!(send(&layer, &handler, &event()).await.body(), "handled");
    layer.drained().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_waits_for_another_attempt_holds_up_nothing() {
    let store = Scripted::new();
    let (a, b) = (process(&store).lease(SECOND).unwrap(), process(&store));
    let (handler, [first, second]) = (Handler::default(), [event(), event()]);
    store.next([Fault::None]);
    store.always(Fault::Error);
    assert_eq!(send(&a, &handler, &first).await.body(), "handled");
    sleep(2 * SECOND).await;
    // The lease has run out, and another process is at work on the same delivery.
    store.next([Fault::None]);
    let slow = handler.slow(60 * SECOND);
    let mut working = Box::pin(send(&b, &slow, &first));
    assert!(futures_util::poll!(working.as_mut()).is_pending());
    store.next([Fault::None]);
    assert_eq!(send(&a, &handler, &second).await.body(), "handled");
    store.always(Fault::None);
    sleep(3 * SECOND).await;
    assert!(is_repeat(&send(&process(&store), &handler, &second).await));

    // It is tried once per second, however many deliveries find the store at work.
    store.calls();
    for _ in 0..100 {
        send(&a, &handler, &event()).await;
        sleep(10 * MILLISECOND).await;
    }
    let calls = store.calls().len();
    assert!((200..210).contains(&calls), "{calls} calls for 100 deliveries");

    drop(working);
    b.drained().await;
    a.drained().await;
    assert!(is_repeat(&send(&process(&store), &handler, &first).await));
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_connection_broke_is_sent_once_more() {
    for broken in [Fault::Refused, Fault::Broken { after: false }, Fault::Broken { after: true }] {
        let store = Scripted::new();
        let (a, b) = (process(&store), process(&store));
        let (handler, request) = (Handler::default(), event());
        store.next([broken, Fault::None, broken, Fault::None]);
        assert_eq!(send(&a, &handler, &request).await.body(), "handled", "{broken:?}");
        assert_eq!(store.calls(), ["claim", "claim", "finish", "finish"], "{broken:?}");
        assert!(is_repeat(&send(&b, &handler, &request).await), "{broken:?}");
        // Once: the second time it is an outage.
        store.next([broken, broken]);
        assert_eq!(
            kind(&send(&a, &handler, &event()).await),
            Some(RejectionKind::StoreUnavailable)
        );
    }
    // The time limit is one for both.
    let store = Scripted::new();
    store.next([Fault::BreaksLate, Fault::Hangs]);
    let began = Instant::now();
    assert_eq!(send(&process(&store), &Handler::default(), &event()).await.status(), 503);
    assert_eq!((store.calls(), began.elapsed().as_millis()), (vec!["claim", "claim"], 250));
    // What the first of the two may have done, a second that was refused has not undone.
    let store = Scripted::new();
    let (a, b) = (process(&store), process(&store));
    let (handler, (request, forged)) = (Handler::default(), pair());
    store.next([Fault::Broken { after: true }, Fault::Refused]);
    assert_eq!(kind(&send(&a, &handler, &forged).await), Some(RejectionKind::StoreUnavailable));
    a.drained().await;
    assert_eq!(send(&b, &handler, &request).await.body(), "handled");
    // An error that the store itself gave is none of the connection's.
    let store = Scripted::new();
    store.next([Fault::Error]);
    assert_eq!(send(&process(&store), &Handler::default(), &event()).await.status(), 503);
    assert_eq!(store.calls()[0..1], ["claim"]);
}

#[tokio::test(start_paused = true)]
async fn attack_a_renewal_that_failed_lets_nobody_else_in() {
    // One that hangs takes the time of a call besides.
    for (fault, most) in [(Fault::Refused, SECOND / 2), (Fault::Hangs, SECOND * 3 / 4)] {
        let store = Scripted::new();
        let (a, b) = (process(&store), process(&store));
        let (handler, request) = (Handler::default(), event());
        let first = tokio::spawn({
            let (a, handler, request) = (a.clone(), handler.slow(60 * SECOND), request.clone());
            async move { send(&a, &handler, &request).await }
        });
        sleep(Duration::from_millis(4800)).await;
        store.always(fault);
        sleep(Duration::from_millis(10_500)).await;
        store.always(Fault::None);
        let renewals: Vec<_> =
            store.timed_calls().into_iter().filter(|(name, _)| *name == "renew").collect();
        assert!(renewals.len() > 10, "{renewals:?}");
        assert!(
            renewals.windows(2).all(|pair| pair[1].1 - pair[0].1 <= most + MILLISECOND),
            "{renewals:?}"
        );
        sleep(SECOND).await;
        for _ in 0..40 {
            let meanwhile = send(&b, &handler, &request).await;
            assert_eq!(kind(&meanwhile), Some(RejectionKind::InFlight), "{fault:?}");
            sleep(SECOND).await;
        }
        assert_eq!(first.await.unwrap().body(), "handled");
        assert!(is_repeat(&send(&b, &handler, &request).await));
        assert_eq!(handler.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn attack_local_fallback_is_written_back() {
    for fault in [Fault::Refused, Fault::Error, Fault::Hangs] {
        let store = Scripted::new();
        let [a, b] = [(); 2].map(|()| process(&store).on_outage(OutagePolicy::LocalFallback));
        let (handler, request) = (Handler::default(), event());
        store.always(fault);
        let first = tokio::spawn({
            let (a, handler, request) = (a.clone(), handler.slow(3 * SECOND), request.clone());
            async move { send(&a, &handler, &request).await }
        });
        sleep(2 * SECOND).await;
        store.always(Fault::None);
        assert_eq!(first.await.unwrap().body(), "handled");
        a.drained().await;
        assert!(is_repeat(&send(&b, &handler, &request).await), "{fault:?}");

        // And when the store comes back after the handler.
        let request = event();
        store.always(fault);
        assert_eq!(send(&a, &handler, &request).await.body(), "handled");
        sleep(30 * SECOND).await;
        store.always(Fault::None);
        a.drained().await;
        assert!(is_repeat(&send(&b, &handler, &request).await), "{fault:?}");
        assert_eq!(handler.checks(), [(1, ReplayCheck::LocalFallback); 2]);
    }
}

/// Row 25 across processes: after a failure in an outage, the retry may come to another process, and
/// so may a thief before it.
#[tokio::test(start_paused = true)]
async fn attack_a_failure_in_an_outage_keeps_its_content_everywhere() {
    for fault in [Fault::Refused, Fault::Error, Fault::Hangs] {
        let store = Scripted::new();
        let [a, b] = [(); 2].map(|()| process(&store).on_outage(OutagePolicy::LocalFallback));
        let (request, forged) = pair();
        store.always(fault);
        assert_eq!(send(&a, &Handler::default().failing(), &request).await.status(), 500);
        // Longer than the lease.
        sleep(60 * SECOND).await;
        store.always(Fault::None);
        a.drained().await;
        let handler = Handler::default();
        let stolen = send(&b, &handler, &forged).await;
        assert_eq!(kind(&stolen), Some(RejectionKind::Conflict), "{fault:?}");
        assert_eq!(send(&b, &handler, &request).await.body(), "handled", "{fault:?}");
        assert_eq!(handler.checks(), [(2, ReplayCheck::Shared)], "{fault:?}");
    }
}

/// The store is back while the handler runs, and says that there is nothing to renew.
#[tokio::test(start_paused = true)]
async fn attack_a_long_failure_in_an_outage_keeps_its_content_everywhere() {
    let store = Scripted::new();
    let [a, b] = [(); 2].map(|()| process(&store).on_outage(OutagePolicy::LocalFallback));
    let (request, forged) = pair();
    store.next([Fault::Error]);
    let handler = Handler::default().failing().slow(6 * SECOND);
    assert_eq!(send(&a, &handler, &request).await.status(), 500);
    assert_eq!(store.calls()[..2], ["claim", "renew"]);
    a.drained().await;
    let stolen = send(&b, &handler, &forged).await;
    assert_eq!(kind(&stolen), Some(RejectionKind::Conflict));
    assert_eq!(handler.checks(), [(1, ReplayCheck::LocalFallback)]);
}

/// Row 25 across processes: forgeries wait for the store's refusal at a process that does not know
/// the signature, and the sender's retry comes there.
#[tokio::test(start_paused = true)]
async fn attack_forgeries_that_wait_for_the_store_keep_no_retry_out() {
    for outage in [OutagePolicy::Reject, OutagePolicy::LocalFallback] {
        let store = Scripted::new();
        let [a, b] = [(); 2].map(|()| process(&store).on_outage(outage));
        let (request, _) = pair();
        assert_eq!(send(&a, &Handler::default().failing(), &request).await.status(), 500);

        store.always(Fault::Slow);
        let handler = Handler::default();
        let forgeries = (0..20).map(async |number| {
            sleep(10 * number * MILLISECOND).await;
            send(&b, &handler, &forged(&request, number)).await
        });
        let (refused, retried) = tokio::join!(join_all(forgeries), async {
            sleep(95 * MILLISECOND).await;
            send(&b, &handler, &request).await
        });
        assert!(refused.iter().all(|forged| kind(forged) == Some(RejectionKind::Conflict)));
        assert_eq!((retried.body().as_str(), kind(&retried)), ("handled", None), "{outage:?}");
        assert_eq!(handler.checks(), [(2, ReplayCheck::Shared)]);

        // Forgeries have taken its place here and have left it again. It is known here all the same.
        store.always(Fault::Error);
        assert!(is_repeat(&send(&b, &handler, &request).await));
        let forged = send(&b, &handler, &forged(&request, 20)).await;
        assert_eq!(kind(&forged), Some(RejectionKind::Conflict));
    }
}

/// What has failed here keeps its content, also while its retry waits for the store.
#[tokio::test(start_paused = true)]
async fn attack_a_retry_that_waits_for_the_store_keeps_its_content() {
    let store = Scripted::new();
    let layer = process(&store);
    let (request, forged) = pair();
    assert_eq!(send(&layer, &Handler::default().failing(), &request).await.status(), 500);
    store.always(Fault::Slow);
    store.calls();
    let handler = Handler::default();
    let (retried, ()) = tokio::join!(send(&layer, &handler, &request), async {
        sleep(50 * MILLISECOND).await;
        let stolen = send(&layer, &handler, &forged).await;
        assert_eq!(kind(&stolen), Some(RejectionKind::Conflict));
        assert_eq!(store.calls(), ["claim"], "the store was not asked");
    });
    assert_eq!(retried.body(), "handled");
    assert_eq!(handler.attempts(), [2]);
}

/// Of several contents that wait for a store that has no answer, one is delivered.
#[tokio::test(start_paused = true)]
async fn attack_in_an_outage_contents_that_waited_are_delivered_once() {
    let store = Scripted::new();
    store.always(Fault::Hangs);
    let layer = process(&store).on_outage(OutagePolicy::LocalFallback);
    let (request, handler) = (event(), Handler::default().slow(SECOND));
    let sent = (0..5).map(async |number| {
        sleep(10 * number * MILLISECOND).await;
        send(&layer, &handler, &forged(&request, number)).await
    });
    let answers = join_all(sent).await;
    let conflicts = answers.iter().filter(|it| kind(it) == Some(RejectionKind::Conflict)).count();
    assert_eq!((handler.checks(), conflicts), (vec![(1, ReplayCheck::LocalFallback)], 4));
}

/// A forgery asks the store beside a delivery that waits for it, and is gone again.
#[tokio::test(start_paused = true)]
async fn attack_a_forgery_that_comes_and_goes_leaves_its_place_to_who_waits() {
    let store = Scripted::new();
    let layer = process(&store).on_outage(OutagePolicy::LocalFallback);
    let (request, forged) = pair();
    let withdrawn = Fault::None;
    store.next([Fault::BreaksLate, Fault::Hangs, withdrawn, Fault::Error]);
    let handler = Handler::default().slow(SECOND);
    let (first, copy, ()) = tokio::join!(
        send(&layer, &handler, &request),
        async {
            sleep(50 * MILLISECOND).await;
            send(&layer, &handler, &request).await
        },
        async {
            sleep(10 * MILLISECOND).await;
            let dropped = send(&layer, &handler, &forged);
            assert!(tokio::time::timeout(10 * MILLISECOND, dropped).await.is_err());
        }
    );
    assert_eq!((first.body().as_str(), kind(&first)), ("handled", None));
    assert_eq!(kind(&copy), Some(RejectionKind::InFlight));
    assert_eq!(handler.checks(), [(1, ReplayCheck::LocalFallback)]);
}

/// A forgery is gone from its place, and a copy of the delivery that asked beside it has come there.
#[tokio::test(start_paused = true)]
async fn attack_a_copy_that_waits_for_the_store_keeps_nobody_out() {
    let store = Scripted::new();
    let layer = process(&store);
    let (request, forged) = pair();
    let withdrawn = Fault::None;
    store.next([Fault::Hangs, Fault::Slow, withdrawn, Fault::Slow]);
    let handler = Handler::default().slow(SECOND);
    let (forged, delivered, copy) = tokio::join!(
        tokio::time::timeout(20 * MILLISECOND, send(&layer, &handler, &forged)),
        async {
            sleep(10 * MILLISECOND).await;
            send(&layer, &handler, &request).await
        },
        async {
            sleep(50 * MILLISECOND).await;
            send(&layer, &handler, &request).await
        }
    );
    assert!(forged.is_err());
    assert_eq!((delivered.body().as_str(), kind(&delivered)), ("handled", None));
    assert_eq!(kind(&copy), Some(RejectionKind::InFlight));
    assert_eq!(handler.checks(), [(1, ReplayCheck::Shared)]);
}

/// Row 23: one captured signature with many contents takes a quarter of the store's turns.
#[tokio::test(start_paused = true)]
async fn attack_many_contents_of_one_signature_leave_turns_to_others() {
    let store = Scripted::narrow(8);
    store.always(Fault::Slow);
    let (layer, captured) = (process(&store), event());
    let handler = Handler::default();
    let forgeries =
        (0..50).map(async |number| send(&layer, &handler, &forged(&captured, number)).await);
    let (answers, others) = tokio::join!(join_all(forgeries), async {
        sleep(10 * MILLISECOND).await;
        assert_eq!(store.calls(), ["claim"; 3], "the first, and a quarter of eight");
        join_all((0..5).map(async |_| send(&layer, &handler, &event()).await)).await
    });
    assert!(others.iter().all(|other| other.body() == "handled"));
    assert_eq!(handler.calls(), 6);
    // No alarm: the store is well.
    let refused: BTreeSet<_> = answers.iter().filter_map(kind).map(RejectionKind::as_str).collect();
    assert_eq!(refused, BTreeSet::from(["conflict", "too_many_contents"]));
}

/// Row 23: a forger who gives up every second request gets no more turns by that.
#[tokio::test(start_paused = true)]
async fn attack_contents_that_come_and_go_leave_turns_to_others() {
    let store = Scripted::narrow(8);
    store.always(Fault::Slow);
    let (layer, captured) = (process(&store), event());
    let handler = Handler::default();
    let forgeries = (0..20).map(async |number| {
        sleep(2 * number * MILLISECOND).await;
        let patience = if number % 2 == 0 { SECOND } else { MILLISECOND };
        let forged = forged(&captured, number);
        let _ = tokio::time::timeout(patience, send(&layer, &handler, &forged)).await;
    });
    let (_, waited) = tokio::join!(join_all(forgeries), async {
        sleep(50 * MILLISECOND).await;
        let since = Instant::now();
        assert_eq!(send(&layer, &handler, &event()).await.body(), "handled");
        since.elapsed()
    });
    assert!(waited < 210 * MILLISECOND, "no more than the store's two answers take: {waited:?}");
}

/// Where the shared store does not say which content came first, it is the one that came here first,
/// also if it still waits for the store and a forgery does not.
#[tokio::test(start_paused = true)]
async fn attack_in_an_outage_no_forgery_overtakes_a_delivery_that_waits() {
    for (fault, checked) in
        [(Fault::Hangs, ReplayCheck::LocalFallback), (Fault::Slow, ReplayCheck::Shared)]
    {
        let store = Scripted::new();
        let layer = process(&store).on_outage(OutagePolicy::LocalFallback);
        let (request, forged) = pair();
        store.next([fault, Fault::Error]);
        let handler = Handler::default();
        let (first, overtaking) = tokio::join!(send(&layer, &handler, &request), async {
            sleep(10 * MILLISECOND).await;
            send(&layer, &handler, &forged).await
        });
        assert_eq!(kind(&overtaking), Some(RejectionKind::Conflict), "{fault:?}");
        assert_eq!((first.body().as_str(), kind(&first)), ("handled", None), "{fault:?}");
        assert_eq!(handler.checks(), [(1, checked)]);
        assert!(is_repeat(&send(&layer, &handler, &request).await));
    }
}

/// What the shared store calls done is known here, also if a forgery waited in its place.
#[tokio::test(start_paused = true)]
async fn attack_a_forgery_that_waits_does_not_keep_from_learning_what_is_done() {
    let store = Scripted::new();
    let [a, b] = [(); 2].map(|()| process(&store).on_outage(OutagePolicy::LocalFallback));
    let (request, forged) = pair();
    let handler = Handler::default();
    assert_eq!(send(&a, &handler, &request).await.body(), "handled");
    store.always(Fault::Slow);
    let (refused, repeated) = tokio::join!(send(&b, &handler, &forged), async {
        sleep(50 * MILLISECOND).await;
        send(&b, &handler, &request).await
    });
    assert_eq!(kind(&refused), Some(RejectionKind::Conflict));
    assert!(is_repeat(&repeated));
    store.always(Fault::Error);
    assert!(is_repeat(&send(&b, &handler, &request).await));
    assert_eq!(handler.calls(), 1);
}

/// Another content under the signature.
fn forged(request: &Request<Bytes>, number: u32) -> Request<Bytes> {
    let body = String::from_utf8(request.body().to_vec()).unwrap();
    let body = body.replacen('{', &format!("{{\"room_name\":\"{number}\","), 1);
    request.clone().map(|_| body.into())
}

/// The attempt that took over has bound the content, and its number stands.
#[tokio::test(start_paused = true)]
async fn a_failure_whose_lease_was_lost_is_no_attempt_of_its_own() {
    let clock = TestClock::at(SystemTime::now());
    let store = MemoryStore::new().clock(clock.clone());
    let process = || alone().shared_store(store.clone());
    let (a, failing, request) = (process(), Handler::default().failing(), event());
    let first = tokio::spawn({
        let (a, slow, request) = (a.clone(), failing.slow(20 * SECOND), request.clone());
        async move { send(&a, &slow, &request).await }
    });
    sleep(SECOND).await;
    // Its lease of 15 s is over.
    clock.advance(16 * SECOND);
    assert_eq!(send(&process(), &failing, &request).await.status(), 500);
    assert_eq!(first.await.unwrap().status(), 500);
    a.drained().await;
    let handler = Handler::default();
    assert_eq!(send(&process(), &handler, &request).await.body(), "handled");
    assert_eq!(handler.checks(), [(3, ReplayCheck::Shared)]);
}

/// The answer waits until the store knows of the delivery, whose claim it has not seen.
#[tokio::test(start_paused = true)]
async fn what_a_fallback_acknowledged_is_recorded_before_the_answer() {
    let store = Scripted::new();
    let [a, b] = [(); 2].map(|()| process(&store).on_outage(OutagePolicy::LocalFallback));
    let (handler, request) = (Handler::default(), event());
    store.next([Fault::Error]);
    assert_eq!(send(&a, &handler, &request).await.body(), "handled");
    assert_eq!(store.calls(), ["claim", "finish", "claim", "finish"]);
    assert!(is_repeat(&send(&b, &handler, &request).await));

    // If another process has acknowledged it too, or other content, there is nothing to record.
    let ((same, _), (mine, other)) = (pair(), pair());
    for (here, there) in [(&same, &same), (&mine, &other)] {
        assert_eq!(send(&b, &handler, there).await.body(), "handled");
        store.calls();
        store.next([Fault::Error]);
        assert_eq!(send(&a, &handler, here).await.body(), "handled");
        let began = Instant::now();
        a.drained().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(store.calls(), ["claim", "finish", "claim"]);
    }
}

/// Of a claim that came to nothing, nobody keeps a place.
#[tokio::test(start_paused = true)]
async fn deliveries_that_an_outage_refused_take_no_room() {
    let store = Scripted::new();
    let memory = MemoryStore::with_capacity(4).unwrap();
    let layer = process(&store).local_store(memory.clone());
    let handler = Handler::default();
    store.always(Fault::Refused);
    for _ in 0..8 {
        let refused = send(&layer, &handler, &event()).await;
        assert_eq!(kind(&refused), Some(RejectionKind::StoreUnavailable));
        assert!(memory.is_empty());
    }
    store.always(Fault::None);
    sleep(2 * SECOND).await;
    for _ in 0..4 {
        assert_eq!(send(&layer, &handler, &event()).await.body(), "handled");
    }
    // What another process has, has no place here either.
    let (request, forged) = pair();
    let other = process(&store).local_store(MemoryStore::new());
    assert_eq!(send(&other, &handler, &request).await.body(), "handled");
    let memory = MemoryStore::new();
    let layer = process(&store).local_store(memory.clone());
    assert_eq!(kind(&send(&layer, &handler, &forged).await), Some(RejectionKind::Conflict));
    assert!(memory.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_nobody() {
    let store = Scripted::new();
    store.always(Fault::Hangs);
    for (layer, limit) in
        [(process(&store), SECOND / 4), (process(&store).store_timeout(2 * SECOND), 2 * SECOND)]
    {
        let handler = Handler::default();
        let began = Instant::now();
        for _ in 0..3 {
            let refused = send(&layer, &handler, &event()).await;
            assert_eq!(kind(&refused), Some(RejectionKind::StoreUnavailable));
        }
        assert_eq!(began.elapsed().as_millis(), (3 * limit).as_millis());
        // From here on it is asked once per second, and everybody else is answered at once. What it
        // was asked may have been done, and is withdrawn in the background.
        let asked = || store.calls().iter().filter(|name| **name == "claim").count();
        let everybody = async || {
            let (began, events) = (Instant::now(), [(); 300].map(|()| event()));
            join_all(events.iter().map(|event| send(&layer, &handler, event))).await;
            (asked(), began.elapsed().as_millis())
        };
        asked();
        for _ in 0..3 {
            sleep(SECOND - MILLISECOND).await;
            assert_eq!(everybody().await, (0, 0));
            sleep(MILLISECOND).await;
            assert_eq!(everybody().await, (1, limit.as_millis()));
        }
        assert_eq!(handler.calls(), 0);
    }
}

/// A store that is shared as an `Arc` is asked no more than it says.
#[tokio::test(start_paused = true)]
async fn an_arc_of_a_store_has_its_limit() {
    let store = Scripted::narrow(2);
    assert_eq!(Arc::new(store.clone()).claim_limit().claims(), 2);
    store.always(Fault::Slow);
    let (layer, handler) = (alone().shared_store(Arc::new(store.clone())), Handler::default());
    let events = [event(), event(), event()];
    join_all(events.iter().map(|event| send(&layer, &handler, event))).await;
    assert_eq!(handler.calls(), 3);
    let mut calls = store.timed_calls();
    calls.retain(|(name, _)| *name == "claim");
    let times: Vec<_> = calls.iter().map(|(_, at)| at.as_millis()).collect();
    assert_eq!(times, [0, 0, 100]);
}

/// Who waits in vain for a turn was never sent, and a store that is busy is asked again at once.
#[tokio::test(start_paused = true)]
async fn a_busy_store_is_asked_for_those_who_still_wait() {
    let store = Scripted::narrow(2);
    store.always(Fault::Slow);
    let (layer, handler) = (process(&store), Handler::default());
    let events: Vec<_> = (0..20).map(|_| event()).collect();
    let began = Instant::now();
    let answers = join_all(events.iter().map(|event| send(&layer, &handler, event))).await;
    let refused = |answers: &[http::Response<String>]| {
        answers.iter().filter(|it| kind(it) == Some(RejectionKind::StoreUnavailable)).count()
    };
    // Two claims at once, and two more within half of the time limit; what was won is recorded
    // without waiting for those.
    assert_eq!((refused(&answers), handler.calls()), (16, 4));
    assert_eq!(began.elapsed().as_millis(), 300);
    store.always(Fault::None);
    let answers = join_all(events.iter().map(|event| send(&layer, &handler, event))).await;
    assert_eq!((refused(&answers), handler.calls()), (0, 20));
    layer.drained().await;
    let calls = store.calls();
    assert_eq!(calls.len(), 40, "each was claimed and finished once: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_why_the_store_has_not_answered() {
    fn cause(refused: &http::Response<String>) -> String {
        let rejection = refused.extensions().get::<Rejection>().unwrap();
        rejection.source().and_then(|error| error.source()).unwrap().to_string()
    }

    let store = Scripted::narrow(1);
    let (layer, handler) = (process(&store), Handler::default());
    store.always(Fault::Hangs);
    let events = [event(), event()];
    let answers = join_all(events.iter().map(|event| send(&layer, &handler, event))).await;
    assert_eq!(cause(&answers[0]), "no answer within 250ms");
    assert_eq!(cause(&answers[1]), "the store's maximum number of claims is in progress");
    for _ in 0..2 {
        send(&layer, &handler, &event()).await;
    }
    let skipped = send(&layer, &handler, &event()).await;
    assert_eq!(cause(&skipped), "skipped, because the last calls failed");
}

/// The breaker lets one call through after its second; the others wait for what it finds.
#[tokio::test(start_paused = true)]
async fn one_call_tries_a_store_that_was_away() {
    let store = Scripted::new();
    let (layer, handler) = (process(&store), Handler::default());
    store.always(Fault::Error);
    for _ in 0..3 {
        send(&layer, &handler, &event()).await;
    }
    layer.drained().await;
    sleep(2 * SECOND).await;
    store.always(Fault::Hangs);
    store.timed_calls();
    let tries: Vec<_> = (0..10)
        .map(|_| {
            let (layer, handler) = (layer.clone(), handler.clone());
            tokio::spawn(async move { send(&layer, &handler, &event()).await.status() })
        })
        .collect();
    for tried in tries {
        assert_eq!(tried.await.unwrap(), 503);
    }
    assert_eq!(store.calls().iter().filter(|name| **name == "claim").count(), 1);
    store.always(Fault::None);
    layer.drained().await;
    sleep(2 * SECOND).await;
    assert_eq!(send(&layer, &handler, &event()).await.body(), "handled");
}

/// An attempt that was dropped before the handler was called binds no content, here or there.
#[tokio::test(start_paused = true)]
async fn attack_a_dropped_attempt_binds_nothing() {
    let store = Scripted::new();
    let layer = process(&store).on_outage(OutagePolicy::LocalFallback);
    let handler = Handler::default();
    let (request, forged) = pair();

    // Dropped while the store is asked, which has taken the claim.
    store.next([Fault::Broken { after: true }, Fault::Hangs]);
    let asking = tokio::time::timeout(SECOND / 10, send(&layer, &handler, &forged)).await;
    assert!(asking.is_err());
    // Dropped before its call.
    store.always(Fault::Error);
    let never_ready =
        tower::ServiceBuilder::new().layer(&layer).layer_fn(NeverReady).service(service_fn({
            let handler = handler.clone();
            move |request| handler.clone().handle::<Event>(request)
        }));
    let readying = never_ready.oneshot(forged.clone().map(Full::new));
    assert!(tokio::time::timeout(SECOND, readying).await.is_err());
    store.always(Fault::None);
    layer.drained().await;

    assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
    assert_eq!(kind(&send(&layer, &handler, &forged).await), Some(RejectionKind::Conflict));
    assert_eq!(
        kind(&send(&process(&store), &handler, &forged).await),
        Some(RejectionKind::Conflict)
    );
    assert_eq!(handler.calls(), 1);
}

#[derive(Clone)]
struct NeverReady<S>(S);

impl<S: tower::Service<R>, R> tower::Service<R> for NeverReady<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        std::task::Poll::Pending
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

/// Nothing renews the claim of a handler that blocks its thread; in one process nothing has to.
#[tokio::test]
async fn attack_a_blocked_handler_runs_once() {
    let clock = TestClock::at(SystemTime::now());
    let store = MemoryStore::new().clock(clock.clone());
    let layer = alone().local_store(store.clone()).lease(SECOND).unwrap();
    let (handler, request) = (Handler::default(), event());
    let slow = handler.slow(60 * SECOND);
    let mut blocked = Box::pin(send(&layer, &slow, &request));
    assert!(futures_util::poll!(blocked.as_mut()).is_pending());
    for _ in 0..10 {
        clock.advance(20 * SECOND);
        assert_eq!(kind(&send(&layer, &handler, &request).await), Some(RejectionKind::InFlight));
    }
    drop(blocked);
    assert_eq!(send(&layer, &handler, &request).await.body(), "handled");
    assert_eq!(handler.calls(), 2);
}

/// A claim is forgotten when its retention is over, but not while its handler works.
#[cfg(feature = "vobiz")]
#[tokio::test]
async fn attack_a_handler_that_outlasts_the_retention_runs_once() {
    use tower_webhooks::vobiz::campaign::{Campaign, Signer};

    let clock = TestClock::at(SystemTime::now());
    let store = MemoryStore::with_capacity(1).unwrap().clock(clock.clone());
    let layer = WebhookLayer::new(Campaign::new(SECRET).unwrap())
        .local_store(store)
        .retention(SECOND)
        .unwrap();
    let sign = |body: &'static str| {
        crate::support::signed(&Signer::new(SECRET).unwrap(), "/campaign", body)
    };
    let request = sign(r#"{"event":"campaign.started"}"#);
    let (handler, other) = (Handler::default(), sign(r#"{"event":"campaign.completed"}"#));
    let slow = handler.slow(60 * SECOND);
    let mut working = Box::pin(send(&layer, &slow, &request));
    assert!(futures_util::poll!(working.as_mut()).is_pending());
    for _ in 0..20 {
        clock.advance(20 * SECOND);
        assert_eq!(kind(&send(&layer, &handler, &request).await), Some(RejectionKind::InFlight));
        assert_eq!(kind(&send(&layer, &handler, &other).await), Some(RejectionKind::StoreFull));
    }
    drop(working);
    assert_eq!(handler.calls(), 1);
    // A held claim is looked at once per minute.
    clock.advance(60 * SECOND);
    assert_eq!(send(&layer, &handler, &other).await.body(), "handled");
}

#[test]
fn settings_that_would_undo_the_guard_are_refused() {
    for short in [Duration::ZERO, Duration::from_millis(999)] {
        assert!(alone().lease(short).is_err(), "{short:?}");
        assert!(alone().retention(short).is_err(), "{short:?}");
    }
    assert!(alone().lease(SECOND).is_ok());
    assert!(alone().retention(SECOND).is_ok());
}

/// The wall clock of the machine steps; the store's own time does not.
#[tokio::test]
async fn attack_a_clock_that_steps_back_reopens_nothing() {
    let wall = SystemTime::now();
    for (received_after, ahead, step) in
        [(0, 0, 61), (0, 0, 3600), (290, 0, 400), (290, 0, 90), (0, 250, 250), (0, 250, 900)]
    {
        let (clock, uptime) = (TestClock::at(wall), TestClock::at(wall));
        // Two routes, of which the second has no honest traffic.
        let store = MemoryStore::new().clock(uptime.clone());
        let layers = [(); 2].map(|()| alone().clock(clock.clone()).local_store(store.clone()));
        let handler = Handler::default();
        let signer = Signer::new(SECRET).unwrap().nonce("1-2-3");
        let sign = |body: &'static str| {
            signer.sign(Request::post("/zego").body(Bytes::from(body)).unwrap(), wall)
        };
        let (genuine, forged) =
            (sign(r#"{"event":"room_create"}"#), sign(r#"{"event":"room_close"}"#));

        clock.advance(Duration::from_secs(received_after + ahead));
        assert_eq!(send(&layers[0], &handler, &genuine).await.body(), "handled");
        let mut behind = 0;
        for minute in 0..120 {
            for clock in [&clock, &uptime] {
                clock.advance(60 * SECOND);
            }
            if minute % 10 == 9 {
                clock.set(clock.now() - Duration::from_secs(step));
                behind += step;
            }
            for layer in &layers {
                let refused = kind(&send(layer, &handler, &forged).await);
                let expected = [Some(RejectionKind::Conflict), Some(RejectionKind::Stale)];
                assert!(
                    expected.contains(&refused),
                    "minute {minute}, {behind} s behind: {refused:?}"
                );
            }
        }
        assert_eq!(handler.calls(), 1);

        // What is signed now is delivered, whatever the clock has done.
        clock.set(wall + Duration::from_secs(120 * 60));
        let request =
            signer.sign(Request::post("/zego").body(Bytes::from("{}")).unwrap(), clock.now());
        assert_eq!(send(&layers[1], &handler, &request).await.body(), "handled");
    }
}

/// Two machines go by clocks of their own: a claim outlives its signature at both.
#[tokio::test]
async fn attack_two_machines_tell_the_time_differently() {
    let wall = SystemTime::now();
    for (ahead, behind, after) in
        [(0, 0, 299), (250, 0, 120), (299, 0, 299), (0, 60, 359), (250, 60, 359)]
    {
        let uptime = TestClock::at(wall);
        let store = MemoryStore::new().clock(uptime.clone());
        let machine = |time| alone().clock(TestClock::at(time)).shared_store(store.clone());
        let signer = Signer::new(SECRET).unwrap().nonce("1-2-3");
        let sign = |body: &'static str| {
            signer.sign(Request::post("/zego").body(Bytes::from(body)).unwrap(), wall)
        };
        let (genuine, forged) =
            (sign(r#"{"event":"room_create"}"#), sign(r#"{"event":"room_close"}"#));

        let handler = Handler::default();
        let first = machine(wall + ahead * SECOND);
        assert_eq!(send(&first, &handler, &genuine).await.body(), "handled");
        uptime.advance(after * SECOND);
        let second = machine(wall + (after - behind) * SECOND);
        let refused = send(&second, &handler, &forged).await;
        assert_eq!(
            kind(&refused),
            Some(RejectionKind::Conflict),
            "{ahead} s ahead, {behind} s behind, {after} s later"
        );
        assert_eq!(handler.calls(), 1);
    }
}

/// A machine whose clock was ahead, and is set right, takes what its senders sign.
#[tokio::test]
async fn a_clock_that_was_ahead_and_is_set_right_shuts_nobody_out() {
    let wall = SystemTime::now();
    for ahead in [30, 250, 299] {
        let (clock, uptime) =
            (TestClock::at(wall + Duration::from_secs(ahead)), TestClock::at(wall));
        let layer =
            alone().clock(clock.clone()).local_store(MemoryStore::new().clock(uptime.clone()));
        let handler = Handler::default();
        let mut signed_at = wall;
        for second in 0..1200 {
            if second == 600 {
                clock.set(signed_at);
            }
            let request = Signer::new(SECRET).unwrap().sign(
                Request::post("/zego").body(Bytes::from(r#"{"event":"room_create"}"#)).unwrap(),
                signed_at,
            );
            assert_eq!(
                send(&layer, &handler, &request).await.body(),
                "handled",
                "{ahead} s ahead, {second}"
            );
            for clock in [&clock, &uptime] {
                clock.advance(SECOND);
            }
            signed_at += SECOND;
        }
    }
}
