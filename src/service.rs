//! The one service and its one future: check head, read, check body, claim, make the inner service ready, call, finish.

use crate::{
    Delivery, Provider, Rejection, RejectionKind, Verified,
    layer::Shared,
    observe::{self, BodyRead, Observed, Watch},
    provider::check_request,
    read::{Held, ReadBody},
    replay::{Admission, Answered, Claim, ClaimGuard, Duplicate, Outcome, Recording, ReplayCheck, ReplayedResponse, Waiting},
};
use bytes::Bytes;
use http::{Request, Response, header::Entry, request::Parts};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tower_service::Service;

/// A service behind a [`WebhookLayer`](crate::WebhookLayer).
///
/// It is always ready: the inner service is made ready after a request was verified, so that strangers cannot hold its
/// capacity. The inner service gets the request with the body in one piece and a [`Verified`] event in the extensions.
pub struct Webhook<S, P> {
    inner: S,
    shared: Arc<Shared<P>>,
}

impl<S, P> Webhook<S, P> {
    pub(crate) fn new(inner: S, shared: Arc<Shared<P>>) -> Self {
        Self { inner, shared }
    }
}

impl<S, P, B, R> Service<Request<B>> for Webhook<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>> + Clone,
    P: Provider,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, P, B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (head, body) = request.into_parts();
        let state = match self.check_head(&head, &body) {
            Err(rejection) => State::Answered { settled: Answered::Refused(rejection), read: None },
            Ok(proof) => {
                let settings = &self.shared.settings;
                let budget = Arc::clone(&settings.budget);
                State::Reading {
                    read: ReadBody::new(body, settings.body_limit, settings.read_timeout, budget),
                    arriving: Arriving {
                        inner: self.inner.clone(),
                        shared: Arc::clone(&self.shared),
                        head,
                        proof,
                        watch: Watch::start(),
                    },
                }
            }
        };
        ResponseFuture { state }
    }
}

impl<S, P: Provider> Webhook<S, P> {
    fn check_head<B: Body>(&self, head: &Parts, body: &B) -> Result<P::Head, Rejection> {
        if head.extensions.get::<Verified<P::Event>>().is_some() {
            observe::applied_twice(P::NAME);
            return Err(Rejection::new(RejectionKind::AppliedTwice));
        }
        let Shared { provider, settings } = &*self.shared;
        check_request(&**provider, head, body.size_hint().lower(), settings.body_limit, settings.clock.now())
    }
}

impl<S: Clone, P> Clone for Webhook<S, P> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl<S: fmt::Debug, P: Provider> fmt::Debug for Webhook<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("provider", &P::NAME).field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// A request whose head passed.
struct Arriving<S, P: Provider> {
    inner: S,
    shared: Arc<Shared<P>>,
    head: Parts,
    proof: P::Head,
    watch: Watch,
}

impl<S, P: Provider> Arriving<S, P> {
    fn check_body(self, body: Bytes, held: Held, read: BodyRead) -> Result<(Accepted<S, P>, Admission), Rejection> {
        let Self { inner, shared, head, proof, watch: _ } = self;
        let now = shared.settings.clock.now();
        let delivery = shared.provider.check_body(proof, &head, &body, now)?;
        drop(held);
        let gate = shared.settings.guard.enter(P::NAME, delivery.identity(), delivery.signed_at(), &head, &body, now);
        Ok((Accepted { inner, shared, head, body, read, delivery }, gate))
    }
}

/// A request that was verified and waits for its claim.
struct Accepted<S, P: Provider> {
    inner: S,
    shared: Arc<Shared<P>>,
    head: Parts,
    body: Bytes,
    read: BodyRead,
    delivery: Delivery<P::Event>,
}

impl<S, P: Provider> Accepted<S, P> {
    fn into_call(self, attempt: u32, checked: ReplayCheck, claim: Option<&Claim>) -> (S, Request<Full<Bytes>>) {
        let Self { inner, shared, mut head, body, delivery, read: _ } = self;
        for name in shared.provider.credentials() {
            if let Entry::Occupied(mut lines) = head.headers.entry(name) {
                lines.iter_mut().for_each(|value| value.set_sensitive(true));
            }
        }
        head.extensions.insert(Verified::new(P::NAME, delivery, body.clone(), attempt, checked, claim));
        (inner, Request::from_parts(head, Full::new(body)))
    }
}

pin_project! {
    /// The future of [`Webhook`]: a refusal, the answer to a repeat, or the inner service's response.
    pub struct ResponseFuture<S: Service<Request<Full<Bytes>>>, P: Provider, B> {
        #[pin]
        state: State<S, P, B>,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    enum State<S: Service<Request<Full<Bytes>>>, P: Provider, B> {
        Answered { settled: Answered, read: Option<BodyRead> },
        Reading { #[pin] read: ReadBody<B>, arriving: Arriving<S, P> },
        Claiming { waiting: Waiting, accepted: Accepted<S, P> },
        Readying { inner: S, request: Request<Full<Bytes>>, delivering: Delivering },
        Calling { #[pin] future: S::Future, delivering: Delivering },
        Finishing { recording: Option<Recording>, response: Result<S::Response, S::Error> },
        Done,
    }
}

/// What is kept while the inner service works.
struct Delivering {
    ticket: Option<ClaimGuard>,
    replayed_body_limit: usize,
    observed: Observed,
}

impl Delivering {
    fn hold(&mut self, cx: &mut Context<'_>) {
        if let Some(ticket) = &mut self.ticket {
            ticket.hold(cx);
        }
    }

    fn outcome<R, E>(&self, response: &Result<Response<R>, E>) -> Outcome {
        match response {
            Ok(response) if response.status().is_success() => {
                let answer = response.extensions().get::<ReplayedResponse>();
                Outcome::Done { answer: answer.filter(|answer| answer.body.len() <= self.replayed_body_limit).cloned() }
            }
            _ => Outcome::Failed,
        }
    }
}

impl<S, P, B, R> State<S, P, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
{
    fn enter(accepted: Accepted<S, P>, gate: Admission) -> Self {
        match gate {
            Admission::Admitted { claim: ticket, attempt, checked } => {
                let replayed_body_limit = accepted.shared.settings.guard.replayed_body_limit;
                let observed = Observed::new(P::NAME, &accepted.delivery, attempt, checked.as_str(), accepted.read);
                let (inner, request) = accepted.into_call(attempt, checked, ticket.as_ref().map(ClaimGuard::claim));
                Self::Readying { inner, request, delivering: Delivering { ticket, replayed_body_limit, observed } }
            }
            Admission::Waiting(waiting) => Self::Claiming { waiting, accepted },
            Admission::Answered(settled) => {
                Self::Answered { settled, read: Some(accepted.read.holding(&accepted.delivery)) }
            }
        }
    }
}

impl<S, P, B, R> State<S, P, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
{
    fn finish(mut delivering: Delivering, response: Result<Response<R>, S::Error>) -> Self {
        let outcome = delivering.outcome(&response);
        delivering.observed.ended(matches!(outcome, Outcome::Done { .. }));
        let recording = delivering.ticket.and_then(|claim| claim.finish(outcome));
        Self::Finishing { recording, response }
    }
}

impl<S, P, B, R> Future for ResponseFuture<S, P, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Default,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProj::Answered { .. } => {
                    let StateOwned::Answered { settled, read } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(Ok(match settled {
                        Answered::Refused(rejection) => {
                            observe::refused(P::NAME, &rejection, read);
                            rejection.into_response(P::METHODS)
                        }
                        Answered::Repeated(answer) => {
                            observe::repeated(P::NAME);
                            repeated(answer)
                        }
                    }));
                }
                StateProj::Reading { read, .. } => {
                    let read = ready!(read.poll_read(cx));
                    let StateOwned::Reading { arriving, .. } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    let (body, held) = match read {
                        Ok(read) => read,
                        Err(rejection) => {
                            state.set(State::Answered { settled: Answered::Refused(rejection), read: None });
                            continue;
                        }
                    };
                    let read = observe::body_read(P::NAME, body.len(), arriving.watch);
                    state.set(match arriving.check_body(body, held, read) {
                        Ok((accepted, gate)) => State::enter(accepted, gate),
                        Err(rejection) => State::Answered { settled: Answered::Refused(rejection), read: Some(read) },
                    });
                }
                StateProj::Claiming { waiting, .. } => {
                    let answer = ready!(waiting.poll_answer(cx));
                    let StateOwned::Claiming { waiting, accepted } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    state.set(State::enter(accepted, waiting.answered(answer)));
                }
                StateProj::Readying { inner, delivering, .. } => {
                    match delivering.observed.within(|| inner.poll_ready(cx)) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(error)) => {
                            let StateOwned::Readying { delivering, .. } = state.as_mut().project_replace(State::Done)
                            else {
                                return Poll::Pending;
                            };
                            state.set(State::finish(delivering, Err(error)));
                            continue;
                        }
                        Poll::Pending => {
                            delivering.hold(cx);
                            return Poll::Pending;
                        }
                    }
                    let StateOwned::Readying { mut inner, request, mut delivering } =
                        state.as_mut().project_replace(State::Done)
                    else {
                        return Poll::Pending;
                    };
                    if let Some(claim) = &mut delivering.ticket {
                        claim.called();
                    }
                    let future = delivering.observed.within(|| inner.call(request));
                    state.set(State::Calling { future, delivering });
                }
                StateProj::Calling { future, delivering } => {
                    let response = match delivering.observed.within(|| future.poll(cx)) {
                        Poll::Ready(response) => response,
                        Poll::Pending => {
                            delivering.hold(cx);
                            return Poll::Pending;
                        }
                    };
                    let StateOwned::Calling { delivering, .. } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    state.set(State::finish(delivering, response));
                }
                StateProj::Finishing { recording, .. } => {
                    if let Some(recording) = recording {
                        ready!(recording.poll_recorded(cx));
                    }
                    let StateOwned::Finishing { response, .. } = state.as_mut().project_replace(State::Done) else {
                        return Poll::Pending;
                    };
                    return Poll::Ready(response);
                }
                StateProj::Done => return Poll::Pending,
            }
        }
    }
}

fn repeated<R: Default>(answer: Option<ReplayedResponse>) -> Response<R> {
    let mut response = Response::new(R::default());
    response.extensions_mut().insert(Duplicate);
    if let Some(answer) = answer {
        response.extensions_mut().insert(answer);
    }
    response
}

impl<S: Service<Request<Full<Bytes>>>, P: Provider, B> fmt::Debug for ResponseFuture<S, P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("provider", &P::NAME).finish_non_exhaustive()
    }
}
