//! The life of a claim, all of it: two attempts at one delivery in every order, a shared store that
//! fails at any call, and attempts that are dropped at any await.
//!
//! Nothing here is left to a scheduler or a clock. The attempts are polled by hand, the clock is
//! paused, and every call of the store waits until it is told what becomes of it. A run is a list
//! of choices; the next run differs in the last choice that has an alternative, until none is left.
//! A state that was reached before is not looked at again: it is the same if each process has seen
//! the same, and the store has, at the same time.
//!
//! The bound: two attempts, one call that fails or comes late, one attempt that is dropped, and one
//! time that nothing happens until something has waited long enough, or none with local fallback;
//! one more such time with `LIFE_FULL`.
#![cfg(feature = "zegocloud")]

use super::handler::{is_repeat, kind};
use crate::support::zegocloud::{SECRET, pair};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    convert::Infallible,
    future::{Future, poll_fn},
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, advance};
use tower::{Layer, ServiceExt, service_fn};
use tower_webhooks::{
    RejectionKind, TestClock, WebhookLayer,
    replay::{Claim, Claimed, MemoryStore, OutagePolicy, Outcome, ReplayStore, StoreError},
    zegocloud::Zegocloud,
};

/// How much may go wrong in one run.
#[derive(Clone, Copy, Hash)]
struct Bound {
    /// Calls of the store that fail, or take effect after nobody waits any more.
    faults: usize,
    /// Attempts that are dropped.
    drops: usize,
    /// Times that nothing happens until something has waited long enough.
    waits: usize,
}

const LEASE: Duration = Duration::from_secs(1);
/// Three make the time limit of a call, four the beat of the renewals.
const STEP: Duration = Duration::from_millis(84);

#[test]
fn one_process() {
    explore(1, OutagePolicy::Reject);
}

#[test]
fn two_processes() {
    explore(2, OutagePolicy::Reject);
}

#[test]
fn one_process_that_falls_back() {
    explore(1, OutagePolicy::LocalFallback);
}

#[test]
fn two_processes_that_fall_back() {
    explore(2, OutagePolicy::LocalFallback);
}

fn bound(outage: OutagePolicy) -> Bound {
    // More can happen where an outage stops nobody.
    let waits = if outage == OutagePolicy::LocalFallback { 0 } else { 1 };
    let more = usize::from(std::env::var_os("LIFE_FULL").is_some());
    Bound { faults: 1, drops: 1, waits: waits + more }
}

fn explore(processes: usize, outage: OutagePolicy) {
    let bound = bound(outage);
    let request = (pair().0, SystemTime::now());
    let began = std::time::Instant::now();
    let (mut seen, mut path, mut runs, mut ended) =
        (HashSet::new(), Vec::new(), 0u64, BTreeMap::new());
    let mut happened = BTreeSet::new();
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut run =
            Run::new(processes, outage, bound, request.clone(), std::mem::take(&mut path));
        let end = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(tokio::task::unconstrained(run.run_out(&mut seen)))
        }));
        let end =
            end.unwrap_or_else(|_| panic!("{processes} processes, {outage:?}: {:#?}", run.told));
        happened.extend(run.told.iter().map(|(_, action)| action.kind()));
        runs += 1;
        *ended.entry(end).or_insert(0u64) += 1;
        // The last choice that has an alternative.
        let Some(place) = run.choices.iter().rposition(|(chosen, options)| chosen + 1 < *options)
        else {
            break;
        };
        path.extend(run.choices[..place].iter().map(|(chosen, _)| *chosen));
        path.push(run.choices[place].0 + 1);
    }
    println!(
        "{processes} processes, {outage:?}: {runs} runs, {} states in {:.1?}, {ended:?}",
        seen.len(),
        began.elapsed()
    );
    assert!(ended.len() > 2, "nothing went wrong in any of them");
    let mut kinds = BTreeSet::from([
        "start",
        "success",
        "failure",
        "late",
        "drop",
        "succeeds",
        "refused",
        "fails",
        "fails after",
        "breaks",
        "breaks after",
        "silent after",
    ]);
    kinds.extend((bound.waits > 0).then_some("wait"));
    assert_eq!(happened, kinds);
}

/// What can happen next.
#[derive(Clone, Copy, Debug)]
enum Action {
    Start(usize),
    /// The handler of an attempt answers.
    Answer(usize, u16),
    Call(usize, Fate),
    /// A call that nobody waits for takes effect.
    Late(usize),
    Drop(usize),
    /// Nothing, until something has waited long enough.
    Wait,
}

impl Action {
    fn kind(self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Answer(_, 200) => "success",
            Self::Answer(..) => "failure",
            Self::Late(_) => "late",
            Self::Drop(_) => "drop",
            Self::Wait => "wait",
            Self::Call(_, fate) => match fate {
                Fate::Succeeds => "succeeds",
                Fate::Refused => "refused",
                Fate::Fails => "fails",
                Fate::FailsAfter => "fails after",
                Fate::Breaks => "breaks",
                Fate::BreaksAfter => "breaks after",
                Fate::SilentAfter => "silent after",
            },
        }
    }
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Succeeds,
    /// It is refused before it was sent.
    Refused,
    /// There is an error, and it has had no effect.
    Fails,
    /// There is an error, and it has had its effect.
    FailsAfter,
    /// The connection is lost before the call is sent.
    Breaks,
    /// The connection is lost, and it has had its effect.
    BreaksAfter,
    /// It has its effect and no answer. (One without either waits for as long as it may.)
    SilentAfter,
}

struct Run {
    bound: Bound,
    path: Vec<usize>,
    /// Which one of how many.
    choices: Vec<(usize, usize)>,
    /// What was done, and when.
    told: Vec<(Duration, Action)>,
    world: World,
    layers: Vec<WebhookLayer<Zegocloud>>,
    request: Request<Bytes>,
    attempts: [Attempt; 2],
}

enum Attempt {
    ToStart,
    Running(Pin<Box<dyn Future<Output = Response<String>>>>),
    Over,
}

impl Run {
    fn new(
        processes: usize,
        outage: OutagePolicy,
        bound: Bound,
        (request, signed_at): (Request<Bytes>, SystemTime),
        path: Vec<usize>,
    ) -> Self {
        let world = World::new(outage);
        let layers = (0..processes).map(|process| {
            let store = Store { process, world: world.clone() };
            let layer = WebhookLayer::new(Zegocloud::new(SECRET).unwrap());
            // Its signature stays fresh, however long all runs take.
            let layer = layer
                .clock(TestClock::at(signed_at))
                .local_store(MemoryStore::with_capacity(16).unwrap());
            layer.shared_store(store).on_outage(outage).lease(LEASE).unwrap()
        });
        Self {
            bound,
            path,
            choices: Vec::new(),
            told: Vec::new(),
            layers: layers.collect(),
            world,
            request,
            attempts: [Attempt::ToStart, Attempt::ToStart],
        }
    }

    /// How it ended; stopped short where what comes next is known.
    async fn run_out(&mut self, seen: &mut HashSet<u64>) -> &'static str {
        self.world.lock().began = Some(Instant::now());
        loop {
            let actions = self.actions();
            if actions.is_empty() {
                break;
            }
            let depth = self.choices.len();
            let chosen = match self.path.get(depth) {
                Some(chosen) => *chosen,
                None if !seen.insert(self.state()) => return "known",
                None => 0,
            };
            self.choices.push((chosen, actions.len()));
            self.act(actions[chosen]).await;
        }
        self.settle().await
    }

    fn actions(&self) -> Vec<Action> {
        let world = self.world.lock();
        let mut actions = Vec::new();
        for (number, call) in &world.calls {
            if call.fate.is_none() {
                actions.push(Action::Call(*number, Fate::Succeeds));
            }
        }
        for number in 0..2 {
            match self.attempts[number] {
                // They are alike: the first one begins.
                Attempt::ToStart
                    if number == 0 || !matches!(self.attempts[0], Attempt::ToStart) =>
                {
                    actions.push(Action::Start(number));
                }
                Attempt::Running(_) if world.handlers[number].active => {
                    actions.extend([200, 500].map(|status| Action::Answer(number, status)));
                }
                _ => {}
            }
        }
        let is_running = |attempt: &Attempt| matches!(attempt, Attempt::Running(_));
        if self.bound.faults > 0 {
            for (number, call) in &world.calls {
                if call.fate.is_none() {
                    let fates = [
                        Fate::Refused,
                        Fate::Fails,
                        Fate::FailsAfter,
                        Fate::Breaks,
                        Fate::BreaksAfter,
                        Fate::SilentAfter,
                    ];
                    actions.extend(fates.map(|fate| Action::Call(*number, fate)));
                }
            }
            actions.extend(world.abandoned.keys().map(|number| Action::Late(*number)));
        }
        if self.bound.drops > 0 {
            actions.extend(
                (0..2).filter(|number| is_running(&self.attempts[*number])).map(Action::Drop),
            );
        }
        let waits = !world.calls.is_empty() || self.attempts.iter().any(is_running);
        if self.bound.waits > 0 && waits {
            actions.push(Action::Wait);
        }
        // What is left to happen by itself is no choice.
        if actions.iter().all(|action| matches!(action, Action::Late(_))) {
            Vec::new()
        } else {
            actions
        }
    }

    async fn act(&mut self, action: Action) {
        let at = self.world.now();
        match action {
            Action::Start(number) => self.start(number),
            Action::Answer(number, status) => {
                self.world.lock().handlers[number].answer = Some(status);
                self.world.saw(
                    self.process(number),
                    if status == 200 { "succeeds" } else { "fails" },
                    number,
                );
            }
            Action::Call(number, fate) => {
                if fate != Fate::Succeeds {
                    self.bound.faults -= 1;
                }
                self.world.decide(number, fate);
            }
            Action::Late(number) => {
                self.bound.faults -= 1;
                self.world.late(number).await;
            }
            Action::Drop(number) => {
                self.bound.drops -= 1;
                self.world.saw(self.process(number), "is dropped", number);
                self.attempts[number] = Attempt::Over;
            }
            Action::Wait => {
                self.bound.waits -= 1;
                let version = self.world.lock().version;
                let mut waited = Duration::ZERO;
                while self.world.lock().version == version && waited < LEASE + 3 * STEP {
                    self.world.disturbs_whoever_waits();
                    advance(STEP).await;
                    waited += STEP;
                    self.poll().await;
                }
            }
        }
        self.told.push((at, action));
        self.quiet().await;
    }

    fn process(&self, attempt: usize) -> usize {
        attempt % self.layers.len()
    }

    fn start(&mut self, number: usize) {
        let process = self.process(number);
        self.world.saw(process, "begins", number);
        let service = self.layers[process].layer(service_fn(self.world.handler(
            number,
            process,
            self.layers.len(),
        )));
        let sent = service.oneshot(self.request.clone().map(Full::new));
        self.attempts[number] = Attempt::Running(Box::pin(async move { sent.await.unwrap() }));
    }

    /// Until nobody does anything more without a decision or time.
    async fn quiet(&mut self) {
        loop {
            let version = self.world.lock().version;
            for _ in 0..2 {
                self.poll().await;
            }
            if self.world.lock().version == version {
                return;
            }
        }
    }

    async fn poll(&mut self) {
        for number in 0..2 {
            let Attempt::Running(attempt) = &mut self.attempts[number] else { continue };
            if let Poll::Ready(response) =
                attempt.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            {
                self.attempts[number] = Attempt::Over;
                let process = self.process(number);
                self.world.saw(
                    process,
                    "is answered",
                    number * 1000 + usize::from(response.status().as_u16()),
                );
                self.check(number, &response);
            }
        }
        // What runs in the background has its turn.
        if tokio::runtime::Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    }

    fn check(&self, number: usize, response: &Response<String>) {
        let world = self.world.lock();
        let handler = &world.handlers[number];
        match response.status().as_u16() {
            200 if is_repeat(response) => {
                assert!(handler.runs == 0 && world.succeeded(), "a repeat of nothing");
            }
            200 | 500 => assert_eq!(handler.runs, 1, "an answer of nobody's"),
            _ => {
                let refusal = kind(response).unwrap();
                assert!(
                    matches!(refusal, RejectionKind::InFlight | RejectionKind::StoreUnavailable),
                    "{refusal:?}"
                );
                assert_eq!(handler.runs, 0, "refused after its handler ran");
            }
        }
    }

    /// What has happened, as far as it matters to what can.
    fn state(&self) -> u64 {
        let world = self.world.lock();
        let mut hash = DefaultHasher::new();
        (&world.seen, self.bound, self.world.since(world.began)).hash(&mut hash);
        hash.finish()
    }

    /// From here on nothing goes wrong any more.
    async fn settle(&mut self) -> &'static str {
        let late = {
            let mut world = self.world.lock();
            world.open = true;
            for call in world.calls.values_mut().filter(|call| call.fate.is_none()) {
                call.fate = Some(Fate::Succeeds);
                call.waker.take().unwrap().wake();
            }
            world.was_late
        };
        let mut drained: Vec<_> =
            self.layers.iter().map(|layer| Box::pin(layer.drained())).collect();
        for _ in 0..200 {
            self.quiet().await;
            let mut context = Context::from_waker(Waker::noop());
            drained.retain_mut(|drained| drained.as_mut().poll(&mut context).is_pending());
            if drained.is_empty()
                && self.attempts.iter().all(|attempt| matches!(attempt, Attempt::Over))
            {
                break;
            }
            advance(STEP).await;
        }
        assert!(
            self.attempts.iter().all(|attempt| matches!(attempt, Attempt::Over)),
            "an attempt never ends"
        );
        assert!(drained.is_empty(), "an outcome is never recorded");
        if late {
            // Who is late claims what nobody gives back.
            advance(LEASE).await;
        }
        let had_succeeded = self.world.lock().succeeded();
        for (turn, process) in (0..self.layers.len()).chain(0..self.layers.len()).enumerate() {
            self.world.lock().handlers[2] = Handler { answer: Some(200), ..Handler::default() };
            let service = self.layers[process].layer(service_fn(self.world.handler(2, process, 1)));
            let response = service.oneshot(self.request.clone().map(Full::new)).await.unwrap();
            let ran = self.world.lock().handlers[2].runs;
            if had_succeeded || turn > 0 {
                assert!(
                    is_repeat(&response) && ran == 0,
                    "an acknowledgement is forgotten: {response:?}"
                );
            } else {
                assert!(
                    response.status() == 200 && ran == 1,
                    "the claim stays: {response:?} {:?}",
                    kind(&response)
                );
            }
        }
        let world = self.world.lock();
        match world.handlers[..2].iter().map(|handler| handler.runs).sum::<usize>() {
            0 => "never ran",
            1 => "ran once",
            _ if had_succeeded => "ran twice, done",
            _ => "ran twice, failed",
        }
    }
}

/// The store, the handlers, and what all of them have seen.
#[derive(Clone)]
struct World(Arc<Mutex<Inner>>);

struct Inner {
    outage: OutagePolicy,
    began: Option<Instant>,
    memory: MemoryStore,
    clock: (TestClock, SystemTime),
    /// Nothing is asked any more.
    open: bool,
    calls: BTreeMap<usize, Call>,
    abandoned: BTreeMap<usize, Effect>,
    was_late: bool,
    number: usize,
    /// Grows with whatever happens.
    version: u64,
    /// What each process and the store have seen.
    seen: [Vec<(Duration, &'static str, usize)>; 3],
    /// Of two attempts and of those that look afterwards.
    handlers: [Handler; 3],
    leases: [Lease; 2],
}

#[derive(Default)]
struct Handler {
    runs: usize,
    active: bool,
    succeeded: bool,
    answer: Option<u16>,
}

/// What a process knows of its lease.
#[derive(Clone, Copy, Default)]
struct Lease {
    /// It was told that the claim is its own.
    won: bool,
    /// A call of its failed or was not answered, so that it may have run out.
    disturbed: bool,
}

struct Call {
    process: usize,
    effect: Effect,
    fate: Option<Fate>,
    waker: Option<Waker>,
}

#[derive(Clone, Debug)]
enum Effect {
    Claim(Claim),
    Renew(Claim),
    Finish(Claim, Outcome),
}

enum Found {
    Claimed(Claimed),
    Held(bool),
}

type Handling = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>> + Send>>;

impl World {
    fn new(outage: OutagePolicy) -> Self {
        let wall = SystemTime::now();
        let clock = TestClock::at(wall);
        Self(Arc::new(Mutex::new(Inner {
            outage,
            began: None,
            memory: MemoryStore::with_capacity(16).unwrap().clock(clock.clone()),
            clock: (clock, wall),
            open: false,
            calls: BTreeMap::new(),
            abandoned: BTreeMap::new(),
            was_late: false,
            number: 0,
            version: 0,
            seen: Default::default(),
            handlers: Default::default(),
            leases: Default::default(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a failed check leaves behind is dropped all the same.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn since(&self, began: Option<Instant>) -> Duration {
        began.unwrap().elapsed()
    }

    fn now(&self) -> Duration {
        let began = self.lock().began;
        self.since(began)
    }

    /// `who` is a process, or 2 for the store.
    fn saw(&self, who: usize, what: &'static str, number: usize) {
        let now = self.now();
        let mut world = self.lock();
        world.version += 1;
        world.seen[who].push((now, what, number));
    }

    fn decide(&self, number: usize, fate: Fate) {
        let process = {
            let mut world = self.lock();
            let call = world.calls.get_mut(&number).unwrap();
            call.fate = Some(fate);
            if let Some(waker) = call.waker.take() {
                waker.wake();
            }
            let process = call.process;
            world.leases[process].disturbed |= fate != Fate::Succeeds;
            process
        };
        self.saw(process, "is answered by the store", 1 + fate as usize);
    }

    async fn late(&self, number: usize) {
        let effect = self.lock().abandoned.remove(&number).unwrap();
        self.lock().was_late = true;
        self.take_effect(3, &effect).await;
    }

    fn disturbs_whoever_waits(&self) {
        let mut world = self.lock();
        for process in 0..2 {
            world.leases[process].disturbed |=
                world.calls.values().any(|call| call.process == process);
        }
    }

    /// `process` is 3 for nobody.
    async fn take_effect(&self, process: usize, effect: &Effect) -> Found {
        let now = self.now();
        let memory = {
            let world = self.lock();
            world.clock.0.set(world.clock.1 + now);
            world.memory.clone()
        };
        let found = match effect.clone() {
            Effect::Claim(claim) => Found::Claimed(memory.claim(claim).await.unwrap()),
            Effect::Renew(claim) => Found::Held(memory.renew(claim).await.unwrap()),
            Effect::Finish(claim, outcome) => {
                Found::Held(memory.finish(claim, outcome).await.unwrap())
            }
        };
        let is_won = matches!(found, Found::Claimed(Claimed::Won { .. }));
        self.saw(2, effect.name(), process);
        let world = self.lock();
        if is_won && process < 2 && !world.open {
            let other = 1 - process;
            // The other process is at work, or has not been able to tell of its success.
            let busy = world.leases[other].won
                && (world.handlers[other].active || world.handlers[other].succeeded);
            let two = !world.seen[1].is_empty();
            assert!(
                !(two && busy) || world.leases[other].disturbed,
                "a lease was taken that nothing had disturbed"
            );
        }
        drop(world);
        found
    }

    fn handler(
        &self,
        number: usize,
        process: usize,
        processes: usize,
    ) -> impl Fn(Request<Full<Bytes>>) -> Handling + Clone + use<> {
        let world = self.clone();
        move |_| {
            let world = world.clone();
            Box::pin(async move {
                world.saw(process, "is handled", number);
                {
                    let mut inner = world.lock();
                    let alone = processes == 1 && number < 2;
                    let others = inner.handlers[..2].iter();
                    assert!(
                        !alone || others.clone().all(|other| !other.active && !other.succeeded),
                        "two in one process"
                    );
                    let lease = inner.leases[process];
                    let fell_back = inner.outage == OutagePolicy::LocalFallback && lease.disturbed;
                    assert!(number == 2 || lease.won || fell_back, "handled without a claim");
                    inner.handlers[number].runs += 1;
                    inner.handlers[number].active = true;
                }
                let _ended = Ended { world: world.clone(), number };
                let answer = || world.lock().handlers[number].answer;
                let status = poll_fn(|_| {
                    // Nobody decides any more.
                    let answer = answer().or(world.lock().open.then_some(200));
                    answer.map_or(Poll::Pending, Poll::Ready)
                });
                let status = status.await;
                world.lock().handlers[number].succeeded = status == 200;
                let mut response = Response::new("handled".to_owned());
                *response.status_mut() = StatusCode::from_u16(status).unwrap();
                Ok(response)
            })
        }
    }
}

impl Inner {
    fn succeeded(&self) -> bool {
        self.handlers.iter().any(|handler| handler.succeeded)
    }
}

struct Ended {
    world: World,
    number: usize,
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.world.lock().handlers[self.number].active = false;
    }
}

impl Effect {
    fn name(&self) -> &'static str {
        match self {
            Self::Claim(_) => "claim",
            Self::Renew(_) => "renew",
            Self::Finish(_, Outcome::Done { .. }) => "done",
            Self::Finish(_, Outcome::Failed) => "failed",
            Self::Finish(..) => "withdrawn",
        }
    }
}

/// The store as one process sees it.
struct Store {
    process: usize,
    world: World,
}

impl Store {
    async fn call(&self, effect: Effect) -> Result<Found, StoreError> {
        let Self { process, world } = self;
        if world.lock().open {
            return Ok(world.take_effect(*process, &effect).await);
        }
        let number = {
            let mut inner = world.lock();
            inner.number += 1;
            let number = inner.number;
            inner.calls.insert(
                number,
                Call { process: *process, effect: effect.clone(), fate: None, waker: None },
            );
            number
        };
        world.saw(*process, effect.name(), 0);
        let mut waiting = Waiting { world, number, has_effect: false };
        let fate = poll_fn(|context| {
            let mut inner = world.lock();
            let call = inner.calls.get_mut(&number).unwrap();
            call.waker = Some(context.waker().clone());
            call.fate.map_or(Poll::Pending, Poll::Ready)
        });
        let fate = fate.await;
        waiting.has_effect = true;
        match fate {
            Fate::Refused => Err(StoreError::unsent("nobody listens")),
            Fate::Fails => Err(StoreError::new("not now")),
            Fate::Succeeds => {
                let found = world.take_effect(*process, &effect).await;
                if matches!(found, Found::Claimed(Claimed::Won { .. })) {
                    world.lock().leases[*process].won = true;
                }
                Ok(found)
            }
            Fate::FailsAfter => {
                world.take_effect(*process, &effect).await;
                Err(StoreError::new("the answer is lost"))
            }
            Fate::Breaks => Err(StoreError::unsent("the connection is lost").disconnected()),
            Fate::BreaksAfter => {
                world.take_effect(*process, &effect).await;
                Err(StoreError::new("the connection is lost").disconnected())
            }
            Fate::SilentAfter => {
                world.take_effect(*process, &effect).await;
                std::future::pending().await
            }
        }
    }
}

impl ReplayStore for Store {
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        match self.call(Effect::Claim(claim)).await? {
            Found::Claimed(claimed) => Ok(claimed),
            Found::Held(_) => unreachable!(),
        }
    }

    async fn renew(&self, claim: Claim) -> Result<bool, StoreError> {
        Ok(matches!(self.call(Effect::Renew(claim)).await?, Found::Held(true)))
    }

    async fn finish(&self, claim: Claim, outcome: Outcome) -> Result<bool, StoreError> {
        Ok(matches!(self.call(Effect::Finish(claim, outcome)).await?, Found::Held(true)))
    }
}

/// A call; dropped before its effect, it may still have one.
struct Waiting<'a> {
    world: &'a World,
    number: usize,
    has_effect: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut world = self.world.lock();
        let Some(call) = world.calls.remove(&self.number) else { return };
        world.version += 1;
        if !self.has_effect && !world.open {
            world.abandoned.insert(self.number, call.effect);
        }
    }
}
