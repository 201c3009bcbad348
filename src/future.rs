//! The future of a request: read, authenticate, admit, call, finish.

use crate::{
    Age, Delivery, DeliveryId, Provider, Rejection, RejectionKind, Verified,
    budget::Held,
    read::ReadBody,
    replay::{
        Admission, ClaimGuard, Duplicate, Keys, Outcome, RETRY_AFTER, Recording, ReplayedResponse,
        Verdict, Waiting,
    },
    settings::Shared,
    trace::Trace,
    verified::Authentic,
};
use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::SystemTime,
};
use tower_service::Service;

pin_project! {
    /// The response future of [`Webhook`](crate::Webhook).
    ///
    /// It resolves to a refusal, the answer to a repeat, or the inner service's response. If it is
    /// dropped, the claim is recorded as failed, or undone if the handler was not called: the
    /// sender's retry is delivered.
    pub struct ResponseFuture<S: Service<Request<Full<Bytes>>>, P: Provider, B> {
        #[pin]
        body: Option<ReadBody<B>>,
        #[pin]
        handler: Option<S::Future>,
        step: Step<S, P>,
    }
}

/// The state of a request. A step owns what later steps need, and is put back when it is pending.
#[allow(clippy::large_enum_variant, reason = "a request is in a large one most of the time")]
enum Step<S: Service<Request<Full<Bytes>>>, P: Provider> {
    /// Reads the body.
    Read(Passage<S, P>, P::FromHead),
    /// Claims in the shared store. Boxed, because it is larger than the other steps and slow
    /// anyway.
    Admit(Box<Asking<S, P>>),
    /// Waits until the inner service is ready.
    Call(Delivering, S, Request<Full<Bytes>>),
    /// Waits for the inner service's response.
    Handle(Delivering),
    /// Records the outcome in the shared store.
    Finish(Recording, Result<S::Response, S::Error>),
    /// Returns the response.
    Respond(Result<S::Response, S::Error>),
    Over,
}

/// A request before it reaches the inner service, with its context.
struct Passage<S, P> {
    inner: S,
    shared: Arc<Shared<P>>,
    head: Parts,
    /// When the head was checked; `None` once the body was pending.
    checked_at: Option<SystemTime>,
    trace: Trace,
}

/// A request that waits for the shared store's answer to its claim.
struct Asking<S, P: Provider> {
    passage: Passage<S, P>,
    authentic: Authentic<P::Event>,
    waiting: Waiting,
}

/// What is kept while the inner service has the request.
struct Delivering {
    claim: Option<ClaimGuard>,
    replayed_body_limit: usize,
    trace: Trace,
}

impl<S, P, B, R> ResponseFuture<S, P, B>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
    R: Default,
{
    /// Answers a request whose head was refused.
    pub(crate) fn refuse(rejection: Rejection) -> Self {
        Self { body: None, handler: None, step: Step::refuse(Trace::start(P::NAME), rejection) }
    }

    /// Starts to read the body of a request whose head was accepted.
    pub(crate) fn read(
        inner: S,
        shared: &Arc<Shared<P>>,
        head: Parts,
        body: B,
        from_head: P::FromHead,
        now: SystemTime,
    ) -> Self {
        let trace = Trace::start(P::NAME);
        let passage =
            Passage { inner, shared: Arc::clone(shared), head, checked_at: Some(now), trace };
        Self {
            body: Some(ReadBody::new(body)),
            handler: None,
            step: Step::Read(passage, from_head),
        }
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
        let mut this = self.project();
        let mut step = mem::replace(this.step, Step::Over);
        *this.step = loop {
            step = match step {
                Step::Read(mut passage, from_head) => {
                    let bounds = &passage.shared.settings.bounds;
                    match poll_slot(this.body.as_mut(), |body| body.poll_read(cx, bounds)) {
                        Poll::Ready(Ok((body, held))) => passage.read(from_head, body, held),
                        Poll::Ready(Err(rejection)) => Step::refuse(passage.trace, rejection),
                        Poll::Pending => {
                            passage.checked_at = None;
                            break Step::Read(passage, from_head);
                        }
                    }
                }
                Step::Admit(mut asking) => match asking.waiting.answer.as_mut().poll(cx) {
                    Poll::Ready(answer) => {
                        let Asking { passage, authentic, waiting } = *asking;
                        passage.admitted(authentic, waiting.answered(answer))
                    }
                    Poll::Pending => break Step::Admit(asking),
                },
                Step::Call(mut delivering, mut inner, request) => {
                    match delivering.trace.within(|| inner.poll_ready(cx)) {
                        // It took so long that another attempt may have the claim.
                        Poll::Ready(Ok(())) if delivering.is_lost(cx) => Step::undo(delivering),
                        Poll::Ready(Ok(())) => {
                            delivering.called();
                            this.handler.set(Some(delivering.trace.within(|| inner.call(request))));
                            Step::Handle(delivering)
                        }
                        // Counts as a failed attempt, like an error of the handler.
                        Poll::Ready(Err(error)) => Step::finish(delivering, Err(error)),
                        Poll::Pending => {
                            delivering.hold(cx);
                            if !delivering.is_lost(cx) {
                                break Step::Call(delivering, inner, request);
                            }
                            Step::undo(delivering)
                        }
                    }
                }
                Step::Handle(mut delivering) => {
                    let handler = this.handler.as_mut();
                    match delivering.trace.within(|| poll_slot(handler, |handler| handler.poll(cx)))
                    {
                        Poll::Ready(response) => Step::finish(delivering, response),
                        Poll::Pending => {
                            delivering.hold(cx);
                            break Step::Handle(delivering);
                        }
                    }
                }
                Step::Finish(mut recording, response) => match recording.poll_recorded(cx) {
                    Poll::Ready(()) => Step::Respond(response),
                    Poll::Pending => break Step::Finish(recording, response),
                },
                Step::Respond(response) => return Poll::Ready(response),
                Step::Over => polled_after_completion(),
            };
        };
        Poll::Pending
    }
}

impl<S, P, R> Passage<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    R: Default,
{
    /// Continues with the complete body.
    fn read(mut self, from_head: P::FromHead, body: Bytes, held: Held) -> Step<S, P> {
        self.trace.body_read(body.len());
        let authentic = self.authenticate(from_head, &body);
        // The charge lasts until the request is authenticated, because that can hold memory too.
        drop(held);
        match authentic {
            Ok((delivery, now)) => self.admit(body, delivery, now),
            Err(rejection) => Step::refuse(self.trace, rejection),
        }
    }

    fn authenticate(
        &mut self,
        from_head: P::FromHead,
        body: &Bytes,
    ) -> Result<(Delivery<P::Event>, SystemTime), Rejection> {
        let Shared { provider, settings } = &*self.shared;
        let now = self.checked_at.unwrap_or_else(|| settings.clock.now());
        // `from_head` knows the rules that checked the head. Rules that replaced them may name
        // other headers.
        let headers = self.head.headers.iter_mut();
        for (_, value) in headers.filter(|(name, _)| provider.is_credential(&from_head, name)) {
            value.set_sensitive(true);
        }
        let delivery = provider.check_body(from_head, &self.head, body, now)?;
        // The head was fresh when it arrived, but the signature may have expired since.
        let end = delivery.proof.identity.as_ref().and_then(|identity| identity.valid_until);
        if end.is_some_and(|end| end <= now) {
            let age = delivery.proof.signed_at.map(|signed_at| Age::between(signed_at, now));
            return Err(Rejection::new(RejectionKind::Stale).with_age(age));
        }
        self.trace.authentic(&delivery, now);
        Ok((delivery, now))
    }

    fn admit(mut self, body: Bytes, delivery: Delivery<P::Event>, now: SystemTime) -> Step<S, P> {
        let guard = &self.shared.settings.guard;
        // Also if it is not guarded: they make the id.
        let identity = delivery.proof.identity.as_ref();
        let keys = identity.map(|it| Keys::new(P::NAME, it, &self.head, &body, guard.on));
        let admission = guard.enter(P::NAME, &delivery.proof, keys, now);
        let delivery_id = keys.map(|keys| DeliveryId(keys.key));
        self.trace.identified(delivery_id);
        self.admitted(Authentic::new(P::NAME, delivery, body, delivery_id), admission)
    }

    fn admitted(self, authentic: Authentic<P::Event>, admission: Admission) -> Step<S, P> {
        match admission {
            Admission::Admitted { claim, attempt, checked } => self.call(
                authentic.admitted(attempt, checked, claim.as_ref().map(ClaimGuard::claim)),
                claim,
            ),
            Admission::Waiting(waiting) => {
                Step::Admit(Box::new(Asking { passage: self, authentic, waiting }))
            }
            Admission::Refused(rejection) => Step::refuse(self.trace, rejection),
            Admission::Repeated(answer) => {
                self.trace.repeated();
                Step::Respond(Ok(repeated(authentic.metadata().delivery_id, answer)))
            }
        }
    }

    fn call(mut self, event: Verified<P::Event>, claim: Option<ClaimGuard>) -> Step<S, P> {
        self.trace.admitted(event.metadata());
        let Self { inner, shared, mut head, checked_at: _, trace } = self;
        let body = event.body().clone();
        head.extensions.insert(event);
        let replayed_body_limit = shared.settings.guard.replayed_body_limit;
        let delivering = Delivering { claim, replayed_body_limit, trace };
        Step::Call(delivering, inner, Request::from_parts(head, Full::new(body)))
    }
}

impl Delivering {
    /// Renews the claim's lease while the inner service is pending.
    fn hold(&mut self, cx: &mut Context<'_>) {
        if let Some(claim) = &mut self.claim {
            claim.hold(cx);
        }
    }

    fn is_lost(&mut self, cx: &mut Context<'_>) -> bool {
        self.claim.as_mut().is_some_and(|claim| {
            // A renewal may have been answered in time.
            claim.is_lost() && {
                claim.hold(cx);
                claim.is_lost()
            }
        })
    }

    /// From here on a drop is a failed attempt.
    fn called(&mut self) {
        self.trace.called();
        if let Some(claim) = &mut self.claim {
            claim.called();
        }
    }
}

impl<S, P, R> Step<S, P>
where
    S: Service<Request<Full<Bytes>>, Response = Response<R>>,
    P: Provider,
    R: Default,
{
    fn refuse(trace: Trace, rejection: Rejection) -> Self {
        let rejection = rejection.of(P::NAME);
        trace.refused(&rejection);
        Self::Respond(Ok(rejection.into_response(P::METHODS, P::CHALLENGE)))
    }

    /// Answers without a call; the claim is undone.
    fn undo(delivering: Delivering) -> Self {
        let rejection = Rejection::new(RejectionKind::InFlight).with_retry_after(RETRY_AFTER);
        Self::refuse(delivering.trace, rejection)
    }

    /// Records the outcome before the response is sent: after a 2xx the delivery must not run
    /// again.
    fn finish(mut delivering: Delivering, response: Result<S::Response, S::Error>) -> Self {
        let outcome = match &response {
            Ok(response) if is_done(response) => {
                let limit = delivering.replayed_body_limit;
                let answer = response.extensions().get::<ReplayedResponse>();
                let answer = answer.filter(|answer| answer.body.len() <= limit);
                Outcome::Done {
                    answer: answer.map(|answer| answer.clone().with_status(response.status())),
                }
            }
            _ => Outcome::Failed,
        };
        delivering.trace.ended(matches!(outcome, Outcome::Done { .. }));
        match delivering.claim.and_then(|claim| claim.finish(outcome)) {
            Some(recording) => Self::Finish(recording, response),
            None => Self::Respond(response),
        }
    }
}

fn is_done<R>(response: &Response<R>) -> bool {
    match response.extensions().get() {
        Some(Verdict::Done) => true,
        Some(Verdict::Failed) => false,
        None => response.status().is_success(),
    }
}

fn repeated<R: Default>(
    delivery_id: Option<DeliveryId>,
    answer: Option<ReplayedResponse>,
) -> Response<R> {
    let mut response = Response::new(R::default());
    response.extensions_mut().insert(Duplicate { delivery_id });
    if let Some(answer) = answer {
        *response.status_mut() = answer.status;
        response.extensions_mut().insert(answer);
    }
    response
}

/// Polls the slot's content, and drops it as soon as it is ready.
fn poll_slot<T, O>(
    mut slot: Pin<&mut Option<T>>,
    poll: impl FnOnce(Pin<&mut T>) -> Poll<O>,
) -> Poll<O> {
    let Some(held) = slot.as_mut().as_pin_mut() else { polled_after_completion() };
    let output = ready!(poll(held));
    slot.set(None);
    Poll::Ready(output)
}

#[allow(clippy::panic, reason = "as every other future does: to wait instead would hang for ever")]
fn polled_after_completion() -> ! {
    panic!("`ResponseFuture` polled after completion")
}

impl<S: Service<Request<Full<Bytes>>>, P: Provider, B> fmt::Debug for ResponseFuture<S, P, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("provider", &P::NAME).finish_non_exhaustive()
    }
}
